//! The fence between "I published" and "does anybody sleep?".
//!
//! Who publishes stores, and then loads whether anybody sleeps; who goes to sleep stores that he does, and then loads
//! whether anything was published. Both fence in between, else the sleeper may not be woken. (Linux lets the sleeper do it
//! for both; Windows has no such call that reaches other processes.)

use std::sync::atomic::{Ordering, fence};

/// One who publishes often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Publisher;

impl Publisher {
    pub(crate) fn new() -> Self {
        Publisher
    }

    /// Between the publication and the look for sleepers.
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "it depends on the process on Linux")]
    pub(crate) fn fence(self, _needed: bool) {
        fence(Ordering::SeqCst);
    }
}

/// Between saying that one sleeps and the last look: whether all publishers were reached, who fence for themselves here.
pub(crate) fn before_sleep() -> bool {
    fence(Ordering::SeqCst);
    true
}
