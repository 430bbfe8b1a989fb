use crate::Deadline;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long one call may wait, as set for an end of a pipe; none unless told.
#[derive(Debug)]
pub(super) struct Timeout(AtomicU64);

const NONE: u64 = u64::MAX;

impl Timeout {
    pub(super) fn none() -> Self {
        Timeout(AtomicU64::new(NONE))
    }

    pub(super) fn set(&self, timeout: Option<Duration>) {
        // Whoever waits for 584 years may wait for ever.
        let nanos = timeout.map_or(NONE, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(NONE));
        self.0.store(nanos, Ordering::Relaxed);
    }

    /// When a call that begins now has to end.
    pub(super) fn deadline(&self) -> Deadline {
        match self.0.load(Ordering::Relaxed) {
            NONE => Deadline::NEVER,
            nanos => Deadline::after(Duration::from_nanos(nanos)),
        }
    }
}
