//! Numbers of messages that all programs know by a name.
//!
//! They stand in the file `messages` of the runtime folder, a name a line: the first line is number 0xC000. Lines are only
//! ever added, under a lock on the file, so a number once given stays. A line without its end was left by who died writing it;
//! nobody has its number, and the next to add takes its place.
//!
//! Who knows a number holds another lock, which is shared, for as long as his process lives. Who comes first, and so finds
//! nobody who holds it, begins with an empty file; who ends last, and not by a signal, removes the file. Both do so under the
//! first lock, and who opens the file makes sure then that it is still the one of that name. A death in between leaves the
//! file, empty or not, to who comes first the next time.

use crate::os::linux::fork::PrivateFd;
use crate::os::linux::lock::{self, Range};
use crate::os::linux::runtime;
use crate::os::per_process::PerProcess;
use crate::os::step::call;
use crate::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

const FILE: &str = "messages";
const FIRST: u32 = 0xC000;
const MOST: usize = 0x4000;
/// A name of 255 characters, each of up to four bytes, and its end.
const MOST_BYTES: usize = MOST * (4 * 255 + 1);

/// Locked by who adds a name, or removes the file. Both lie behind all bytes that there can be.
const CHANGE: Range = Range::byte(1 << 40);
/// Locked by all who know a number.
const LIFE: Range = Range::byte((1 << 40) + 1);

/// So many milliseconds at least we wait for who has the lock, which takes him microseconds unless he is stopped.
const TRIES: u32 = 2000;

#[derive(Debug, Default)]
struct Known {
    numbers: HashMap<String, u32>,
    /// From the first name on.
    file: Option<PrivateFd>,
}

static KNOWN: PerProcess<Mutex<Known>> = PerProcess::new();

pub(super) fn register(name: &str) -> Result<u32> {
    let name = name.to_lowercase();
    let mut known = KNOWN.get().lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(number) = known.numbers.get(&name) {
        return Ok(*number);
    }
    let number =
        look_up(&mut known.file, &name).map_err(|error| error.about(runtime::path().join(FILE).display()))?;
    known.numbers.insert(name, number);
    Ok(number)
}

fn look_up(known: &mut Option<PrivateFd>, name: &str) -> Result<u32> {
    if let Some(file) = known {
        return changing(file, || number_of(file, name));
    }
    loop {
        let file = runtime::open_file(FILE)?;
        let number = changing(&file, || {
            // The last of those before us may have removed it since.
            if !runtime::leads_to_file(FILE, &file)? {
                return Ok(None);
            }
            let cannot = |error| Error::os("cannot lock the names of messages", error);
            // If nobody knows a number out of it, nobody minds that they begin anew.
            if call(|| lock::try_exclusive(&file, LIFE)).map_err(cannot)? {
                call(|| rustix::fs::ftruncate(&file, 0)).map_err(|error| cannot(error.into()))?;
            }
            call(|| lock::try_shared(&file, LIFE)).map_err(cannot)?;
            number_of(&file, name).map(Some)
        })?;
        if let Some(number) = number {
            *known = Some(file);
            at_exit();
            return Ok(number);
        }
    }
}

/// Does it while nobody else adds a name.
fn changing<T>(file: &PrivateFd, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let cannot = |error| Error::os("cannot lock the names of messages", error);
    for tries in 0.. {
        if call(|| lock::try_exclusive(file, CHANGE)).map_err(cannot)? {
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
    let done = act();
    // It cannot fail for a lock that we have; and it would go with the file.
    let _ = lock::unlock(file, CHANGE);
    done
}

/// Has the file removed when the process ends in an orderly way, if nobody else needs it then.
fn at_exit() {
    static ONCE: Once = Once::new();
    extern "C" fn leave() {
        // Whoever is registering at this moment on another thread is not waited for.
        let Ok(known) = KNOWN.get().try_lock() else { return };
        let Some(file) = &known.file else { return };
        let take = |range| -> io::Result<bool> { lock::try_exclusive(file, range) };
        let alone = take(CHANGE).and_then(|got| Ok(got && take(LIFE)?));
        if alone.unwrap_or(false) && runtime::leads_to_file(FILE, file).unwrap_or(false) {
            runtime::remove(FILE);
        }
    }
    ONCE.call_once(|| {
        // SAFETY: a function of this program, there as long as it is. It takes no lock that it would have to wait for,
        // and does not unwind. What a forked child inherits of this finds no file of its own.
        unsafe { libc::atexit(leave) };
    });
}

fn number_of(file: &PrivateFd, name: &str) -> Result<u32> {
    let os = |error| Error::os("cannot read the names of messages", error);
    let bytes = read(file).map_err(os)?;
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
        call(|| rustix::fs::ftruncate(file, at)).map_err(os)?;
        while !rest.is_empty() {
            let written = call(|| rustix::io::pwrite(file, rest, at))
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

fn read(file: &PrivateFd) -> rustix::io::Result<Vec<u8>> {
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
