//! Waiting, with a person at the terminal who wonders for what.

use crate::note;
use quintet::{Deadline, Error, ErrorKind, Result};
use std::io;
use std::time::Duration;

/// After this a person is told what is being waited for.
const PATIENCE: Duration = Duration::from_millis(700);

/// How often to look whether somebody is there by now.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits so long for what `attempt` waits for; after a while a person is told `what` that is.
pub(crate) fn wait_for<T>(
    time: Option<Duration>,
    what: impl FnOnce() -> String,
    mut attempt: impl FnMut(Option<Duration>) -> Result<T>,
) -> Result<T> {
    let deadline = Deadline::from(time);
    let first = time.map_or(PATIENCE, |time| time.min(PATIENCE));
    match attempt(Some(first)) {
        Err(error) if error.kind() == ErrorKind::TimedOut && time != Some(first) => {
            note::say(|| format!("waiting for {} (Ctrl-C to stop)", what()));
            attempt(deadline.remaining())
        }
        done => done,
    }
}

/// As [`wait_for`], where `attempt` does not wait for whom it needs: tries until he is there.
pub(crate) fn wait_until_there<T>(
    time: Option<Duration>,
    what: impl FnOnce() -> String,
    mut attempt: impl FnMut(Deadline) -> Result<T>,
) -> Result<T> {
    wait_for(time, what, |time| {
        let deadline = Deadline::from(time);
        loop {
            match attempt(deadline) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if deadline.has_passed() {
                        // The time is up, and this is what was wrong.
                        return Err(too_late(error.to_string()));
                    }
                    let left = deadline.remaining().unwrap_or(PAUSE);
                    std::thread::sleep(left.min(PAUSE));
                }
                done => return done,
            }
        }
    })
}

/// That the time is up.
pub(crate) fn too_late(why: String) -> Error {
    Error::from_io(io::Error::new(io::ErrorKind::TimedOut, why))
}
