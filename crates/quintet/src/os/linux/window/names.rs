//! Numbers of messages that all programs know by a name.
//!
//! They stand in the file `messages` of the runtime folder, a name a line: the first line is number 0xC000. Lines are only
//! ever added, under a lock on the file, so a number once given stays. A line without its end was left by who died writing it;
//! nobody has its number, and the next to add takes its place.

use crate::os::linux::lock::{self, Range};
use crate::os::linux::runtime;
use crate::os::per_process::PerProcess;
use crate::os::step::call;
use crate::{Error, ErrorKind, Result};
use rustix::fd::OwnedFd;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const FILE: &str = "messages";
const FIRST: u32 = 0xC000;
const MOST: usize = 0x4000;
/// A name of 255 characters, each of up to four bytes, and its end.
const MOST_BYTES: usize = MOST * (4 * 255 + 1);

/// So many milliseconds at least we wait for who has the lock, which takes him microseconds unless he is stopped.
const TRIES: u32 = 2000;

pub(super) fn register(name: &str) -> Result<u32> {
    static KNOWN: PerProcess<Mutex<HashMap<String, u32>>> = PerProcess::new();
    let name = name.to_lowercase();
    let mut known = KNOWN.get().lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(number) = known.get(&name) {
        return Ok(*number);
    }
    let number = look_up(&name).map_err(|error| error.about(runtime::path().join(FILE).display()))?;
    known.insert(name, number);
    Ok(number)
}

fn look_up(name: &str) -> Result<u32> {
    // The lock goes with the file.
    let file = runtime::open_file(FILE)?;
    for tries in 0.. {
        if call(|| lock::try_exclusive(&file, Range::WHOLE_FILE))
            .map_err(|error| Error::os("cannot lock the names of messages", error))?
        {
            break;
        }
        if tries > TRIES {
            return Err(Error::new(
                ErrorKind::Busy,
                "another process is registering a message and does not come to an end",
            )
            .hint("is that process stopped?"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let os = |error| Error::os("cannot read the names of messages", error);
    let bytes = read(&file).map_err(os)?;
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let mut lines = 0;
    for line in bytes[..whole].split(|byte| *byte == b'\n') {
        if line == name.as_bytes() {
            break;
        }
        lines += 1;
    }
    // Behind the last end there is an empty line, which no name is.
    let count = bytes[..whole].iter().filter(|byte| **byte == b'\n').count();
    if lines >= count {
        lines = count;
        if count >= MOST || whole + name.len() >= MOST_BYTES {
            return Err(Error::new(
                ErrorKind::Full,
                format!("{count} messages are registered; there are numbers for {MOST}"),
            ));
        }
        let line = format!("{name}\n");
        let mut rest = line.as_bytes();
        let mut at = whole as u64;
        call(|| rustix::fs::ftruncate(&file, at)).map_err(os)?;
        while !rest.is_empty() {
            let written = call(|| rustix::io::pwrite(&file, rest, at))
                .map_err(|error| Error::os("cannot add to the names of messages", error))?;
            rest = &rest[written..];
            at += written as u64;
        }
    }
    u32::try_from(lines)
        .ok()
        .filter(|_| lines < MOST)
        .map(|line| FIRST + line)
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, "it has more lines than there are numbers"))
}

fn read(file: &OwnedFd) -> rustix::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while bytes.len() < MOST_BYTES {
        match call(|| rustix::io::pread(file, &mut chunk, bytes.len() as u64))? {
            0 => break,
            len => bytes.extend_from_slice(&chunk[..len]),
        }
    }
    Ok(bytes)
}
