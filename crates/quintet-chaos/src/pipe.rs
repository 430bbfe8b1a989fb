//! Servers that contend for one name, and clients that talk to whoever has it.
//!
//! What must hold: never two servers at a time; a client's message comes back as it was, or the connection ends; no call
//! takes longer than its deadline; at the end the name is free, and nothing is left of it.
//!
//! That there are not two servers is seen by a lock on a file, which each holds while it has the name.

use crate::dice::Dice;
use crate::report;
use quintet::ErrorKind::{Busy, Disconnected, TimedOut};
use quintet::named::{self, Liveness};
use quintet::pipe::{PipeClient, PipeMode, PipeServer, PipeStream};
use quintet::{Error, Scheme};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

pub(crate) const WORKERS: &[&str] = &["server", "server", "server", "client", "client", "client"];

/// Long enough for any honest exchange; a call that takes longer fails the storm.
const LONG: Duration = Duration::from_secs(20);

/// The name: that of the storm's folder, which is this run's alone.
fn name(folder: &Path) -> String {
    folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

pub(crate) fn work(kind: &str, seed: u64, folder: &Path) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    loop {
        match kind {
            "server" => serve(&mut dice, folder)?,
            _ => talk(&mut dice, folder)?,
        }
    }
}

fn serve(dice: &mut Dice, folder: &Path) -> Result<(), String> {
    let mut builder = PipeServer::builder(name(folder))
        .map_err(text)?
        .mode(PipeMode::Message);
    if dice.roll(2) == 0 {
        builder = builder.max_instances(1 + dice.roll(2) as u32);
    }
    let server = match builder.create() {
        Ok(server) => server,
        Err(error) if error.kind() == Busy => {
            report::done("names found taken");
            std::thread::sleep(Duration::from_micros(dice.roll(2000)));
            return Ok(());
        }
        Err(error) => return Err(text(error)),
    };
    // Opened after the server's own files: when a process dies, Linux releases its files from the last to the first, and
    // this lock has to be gone before the name is free.
    let lock = File::create(folder.join("the one server")).map_err(|error| error.to_string())?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err("two servers have the name at the same time".into()),
        Err(TryLockError::Error(error)) => return Err(error.to_string()),
    }
    report::done("names taken");
    for _ in 0..dice.roll(6) {
        match server.accept_timeout(Duration::from_millis(20)) {
            Ok(stream) => echo(&stream)?,
            Err(error) if error.kind() == TimedOut => {}
            Err(error) => return Err(text(error)),
        }
    }
    // Unlocked before the name is free, not after.
    drop(lock);
    drop(server);
    Ok(())
}

fn echo(stream: &PipeStream) -> Result<(), String> {
    stream.set_read_timeout(Some(LONG));
    stream.set_write_timeout(Some(LONG));
    let echo = || {
        while let Some(message) = stream.read_message()? {
            stream.write_message(message)?;
        }
        Ok(())
    };
    unless_ended(echo())
}

fn talk(dice: &mut Dice, folder: &Path) -> Result<(), String> {
    let client = PipeClient::builder(name(folder))
        .map_err(text)?
        .connect_timeout(LONG);
    let stream = match client.connect() {
        Ok(stream) => stream,
        Err(error) => return Err(format!("no server for {LONG:?}: {error}")),
    };
    stream.set_read_timeout(Some(LONG));
    stream.set_write_timeout(Some(LONG));
    for _ in 0..dice.roll(20) {
        let size = match dice.roll(20) {
            0 => dice.roll(3 << 20),
            1..4 => dice.roll(200_000),
            _ => dice.roll(2000),
        };
        let message = pattern(dice.next(), size as usize);
        let answer = stream
            .write_message(&message)
            .and_then(|()| stream.read_message());
        match answer {
            Ok(Some(answer)) if answer == message => report::done("messages echoed"),
            Ok(Some(answer)) => {
                return Err(format!("{} bytes came back as {} or others", size, answer.len()));
            }
            Ok(None) => return Ok(()),
            Err(error) => return unless_ended(Err(error)),
        }
    }
    Ok(())
}

/// The other side's end is no failure here; anything else is.
fn unless_ended(result: Result<(), Error>) -> Result<(), String> {
    match result {
        Err(error) if error.kind() != Disconnected => Err(text(error)),
        _ => Ok(()),
    }
}

fn text(error: Error) -> String {
    format!("{:?}: {error}", error.kind())
}

fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&dice.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

pub(crate) fn aftermath(folder: &Path) -> Result<(), String> {
    let name = name(folder);
    let server = PipeServer::create(&name).map_err(|error| format!("the name is not free: {error}"))?;
    let stream = PipeClient::connect(&name).map_err(text)?;
    stream.write_all("as before").map_err(text)?;
    drop((server, stream));
    let pipes = named::kind(Scheme::Pipe).map_err(text)?;
    for entry in pipes.list().map_err(text)? {
        if entry.address.name().is_ok_and(|left| left.as_str() == name) && entry.liveness != Liveness::Foreign
        {
            return Err(format!("{} is still there", entry.address));
        }
    }
    Ok(())
}
