//! Semaphores, mutexes, events.

mod alone;
#[cfg(target_os = "linux")]
mod contended;
mod hand_over;
mod many;

use crate::row::{Result, Row};
use quintet::ErrorKind;
use quintet::sync::Semaphore;
use std::time::Duration;

pub(super) fn rows() -> Vec<Row> {
    let groups = [
        alone::rows(),
        hand_over::rows(),
        #[cfg(target_os = "linux")]
        contended::rows(),
        many::rows(),
    ];
    groups.into_iter().flatten().collect()
}

/// Quintet measures once a process, at its first wait, how long spinning is worth it. A usual process is not pinned then.
fn wait_once() -> Result<()> {
    let name = format!("quintet-bench-first-wait-{}", std::process::id());
    match Semaphore::create_new(&name, 0, 1)?.wait_timeout(Duration::from_millis(1)) {
        Err(error) if error.kind() == ErrorKind::TimedOut => Ok(()),
        other => Err(format!("expected the wait to time out, got {other:?}").into()),
    }
}
