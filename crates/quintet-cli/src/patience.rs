//! Waiting, with a person at the terminal who wonders for what.

use crate::note;
use quintet::{Deadline, ErrorKind, Result};
use std::time::Duration;

/// After this a person is told what is being waited for.
const PATIENCE: Duration = Duration::from_millis(700);

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
