//! Waiting for what will come.

use std::thread;
use std::time::{Duration, Instant};

use crate::settings::scaled;

/// Generous: it is only ever waited out by a test that fails.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often to look again at once before sleeping in between.
const EAGER_LOOKS: u32 = 100;

/// Waits until `condition` holds. Panics after 30 seconds, saying that `what` did not happen.
///
/// # Example
///
/// ```
/// let file = std::env::temp_dir().join(format!("example-{}", std::process::id()));
/// let writer = std::thread::spawn({
///     let file = file.clone();
///     move || std::fs::write(file, "done").unwrap()
/// });
/// quintet_testkit::eventually("the file is there", || file.exists());
/// # writer.join().unwrap();
/// # std::fs::remove_file(file).unwrap();
/// ```
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    eventually_some(what, || condition().then_some(()));
}

/// Waits until `attempt` gives a value, and returns it. Panics after 30 seconds, saying that `what` did not happen.
#[track_caller]
pub fn eventually_some<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = scaled(DEADLINE);
    match within(deadline, attempt) {
        Some(value) => value,
        None => panic!("not within {deadline:?}: {what}"),
    }
}

/// Looks again and again until `attempt` gives a value or the time is over; once at least.
pub(crate) fn within<T>(time: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    for look in 0.. {
        if let Some(value) = attempt() {
            return Some(value);
        }
        if start.elapsed() > time {
            break;
        }
        if look < EAGER_LOOKS {
            thread::yield_now();
        } else {
            thread::sleep(Duration::from_millis(1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_until_it_finds() {
        let mut left = EAGER_LOOKS + 3;
        let found = eventually_some("counted down", || {
            left -= 1;
            (left == 0).then_some("found")
        });
        assert_eq!((found, left), ("found", 0));
    }

    #[test]
    fn it_looks_once_when_there_is_no_time() {
        let mut looks = 0;
        let found = within(Duration::ZERO, || {
            looks += 1;
            None::<()>
        });
        assert!(found.is_none());
        assert!(looks >= 1);
    }
}
