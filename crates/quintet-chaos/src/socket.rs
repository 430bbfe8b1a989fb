//! Servers that contend for the address of a `Rep`, and clients that ask whoever has it; pullers that contend for another, and
//! pushers.
//!
//! What must hold: every request is answered, with what was asked, however many servers die meanwhile; a message that is pulled is
//! whole, and none comes twice or before an earlier one of the same pusher to the same puller; nobody waits in vain; at the end
//! the addresses are free. What is not delivered is counted: the sums of the workers' counts say how much that is, but for what
//! a system had taken when a process was killed.

use crate::dice::Dice;
use crate::report;
use quintet::socket::{Options, Pull, Push, Rep, Req};
use quintet::{Address, Error, ErrorKind};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

pub(crate) const WORKERS: &[&str] = &[
    "server", "server", "client", "client", "puller", "puller", "pusher", "pusher",
];

/// Long enough for any honest exchange; a call that takes longer fails the storm.
const LONG: Duration = Duration::from_secs(20);

/// How long who serves waits for somebody.
const SHORT: Duration = Duration::from_millis(20);

/// Of a message: whose it is, which it is, and in the end what the rest adds up to.
const WORD: usize = 8;

fn address(folder: &Path, what: &str) -> Result<Address, String> {
    // A named pipe has no folder but its own.
    let folder = match cfg!(windows) {
        true => folder.file_name().map(Path::new).unwrap_or(folder),
        false => folder,
    };
    let text = format!("ipc://{}/{what}", folder.display());
    text.as_str().try_into().map_err(text_of)
}

fn text_of(error: Error) -> String {
    format!("{:?}: {error}", error.kind())
}

pub(crate) fn work(kind: &str, seed: u64, folder: &Path) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    loop {
        match kind {
            "server" => serve(&mut dice, folder)?,
            "client" => ask(&mut dice, folder)?,
            "puller" => pull(&mut dice, folder)?,
            _ => push(&mut dice, folder)?,
        }
    }
}

/// The address is taken, or will be tried again.
fn listened(listened: quintet::Result<Address>, dice: &mut Dice) -> Result<bool, String> {
    match listened {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            report::done("addresses found taken");
            std::thread::sleep(Duration::from_micros(dice.roll(2000)));
            Ok(false)
        }
        Err(error) => Err(text_of(error)),
    }
}

fn serve(dice: &mut Dice, folder: &Path) -> Result<(), String> {
    let rep = Rep::new().map_err(text_of)?;
    if !listened(rep.listen(address(folder, "rep")?), dice)? {
        return Ok(());
    }
    for _ in 0..dice.roll(30) {
        match rep.recv_timeout(SHORT) {
            Ok(request) => {
                check(request.body())?;
                let answer = request.body().to_vec();
                match request.reply(answer) {
                    Ok(()) => report::done("replies sent"),
                    Err(error) if error.kind() == ErrorKind::Disconnected => {
                        report::done("replies to who had gone");
                    }
                    Err(error) => return Err(text_of(error)),
                }
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            Err(error) => return Err(text_of(error)),
        }
    }
    close(rep.close())
}

fn ask(dice: &mut Dice, folder: &Path) -> Result<(), String> {
    // A reply that a system had taken when its server was killed is asked for again.
    let req = Req::with(&Options::new().retry(Duration::from_millis(500))).map_err(text_of)?;
    req.dial(address(folder, "rep")?).map_err(text_of)?;
    for number in 0..dice.roll(30) {
        let message = message(dice, number);
        let reply = req.request_timeout(&message, LONG).map_err(text_of)?;
        if reply != message {
            return Err("a reply is not that to its request".into());
        }
        report::done("requests answered");
    }
    count("requests asked again", req.stats().retried);
    close(req.close())
}

fn pull(dice: &mut Dice, folder: &Path) -> Result<(), String> {
    let pull = Pull::new().map_err(text_of)?;
    if !listened(pull.listen(address(folder, "pull")?), dice)? {
        return Ok(());
    }
    let mut last = HashMap::new();
    let mut message = Vec::new();
    for _ in 0..dice.roll(200) {
        match pull.recv_into(&mut message, SHORT) {
            Ok(()) => {
                let (pusher, number) = check(&message)?;
                if last.insert(pusher, number).is_some_and(|last| last >= number) {
                    return Err(format!(
                        "message {number} of a pusher came after a later one, or twice"
                    ));
                }
                report::done("messages pulled");
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            Err(error) => return Err(text_of(error)),
        }
    }
    count("messages broken off", pull.stats().broken);
    close(pull.close())
}

fn push(dice: &mut Dice, folder: &Path) -> Result<(), String> {
    let push = Push::new().map_err(text_of)?;
    push.dial(address(folder, "pull")?).map_err(text_of)?;
    let pusher = dice.next();
    for number in 0..dice.roll(100) {
        let message = message(&mut Dice::new(pusher), number);
        let message = with_number(message, pusher, number);
        push.send_timeout(&message, LONG).map_err(text_of)?;
        report::done("messages pushed");
    }
    let lost = push.stats().lost;
    match push.close() {
        Err(error) if error.kind() == ErrorKind::TimedOut => report::done("pushers that left some behind"),
        done => done.map_err(text_of)?,
    }
    count("pushed messages lost", lost);
    Ok(())
}

fn count(what: &str, times: u64) {
    (0..times).for_each(|_| report::done(what));
}

/// What is left over when a socket ends is counted; anything else is a failure.
fn close(closed: quintet::Result<()>) -> Result<(), String> {
    match closed {
        Err(error) if error.kind() == ErrorKind::TimedOut => {
            report::done("sockets that left some behind");
            Ok(())
        }
        done => done.map_err(text_of),
    }
}

/// A message of any length, mostly short.
fn message(dice: &mut Dice, number: u64) -> Vec<u8> {
    // The same dice decide the same, whichever message it is.
    let mut dice = Dice::new(dice.next() ^ number);
    let len = match dice.roll(20) {
        0 => dice.roll(400_000),
        1..4 => dice.roll(70_000),
        _ => dice.roll(2000),
    };
    let mut bytes = Vec::with_capacity(len as usize + 4 * WORD);
    while bytes.len() < len as usize + 2 * WORD {
        bytes.extend_from_slice(&dice.next().to_le_bytes());
    }
    let sum = sum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn with_number(mut message: Vec<u8>, pusher: u64, number: u64) -> Vec<u8> {
    message.truncate(message.len() - WORD);
    message[..WORD].copy_from_slice(&pusher.to_le_bytes());
    message[WORD..2 * WORD].copy_from_slice(&number.to_le_bytes());
    let sum = sum(&message);
    message.extend_from_slice(&sum.to_le_bytes());
    message
}

/// Whose it is, and which, if it is whole.
fn check(message: &[u8]) -> Result<(u64, u64), String> {
    let (words, rest) = message.as_chunks::<WORD>();
    match words {
        [pusher, number, .., last] if rest.is_empty() => {
            let body = &message[..message.len() - WORD];
            if u64::from_le_bytes(*last) != sum(body) {
                return Err(format!("a message of {} bytes is damaged", message.len()));
            }
            Ok((u64::from_le_bytes(*pusher), u64::from_le_bytes(*number)))
        }
        _ => Err(format!("a message of {} bytes is not whole", message.len())),
    }
}

/// What the bytes add up to (FNV-1a, eight at a time).
fn sum(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<WORD>();
    words.iter().fold(0xcbf2_9ce4_8422_2325, |sum, word| {
        (sum ^ u64::from_le_bytes(*word)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

pub(crate) fn aftermath(folder: &Path) -> Result<(), String> {
    for what in ["rep", "pull"] {
        let free = |error| format!("the address of {what} is not free: {}", text_of(error));
        let rep = Rep::new().map_err(text_of)?;
        let address = rep.listen(address(folder, what)?).map_err(free)?;
        let req = Req::new().map_err(text_of)?;
        req.dial(&address).map_err(text_of)?;
        let asked = std::thread::spawn(move || req.request_timeout("as before", LONG));
        let request = rep.recv_timeout(LONG).map_err(text_of)?;
        request.reply("yes").map_err(text_of)?;
        match asked.join() {
            Ok(Ok(answer)) if answer == b"yes" => {}
            other => return Err(format!("{what} does not answer as before: {other:?}")),
        }
        drop(rep);
        if folder.join(what).exists() {
            return Err(format!("the file of {what} is still there"));
        }
    }
    Ok(())
}
