//! The fence between "I published" and "does anybody sleep?", paid by who goes to sleep.
//!
//! Who publishes stores, and then loads whether anybody sleeps; who goes to sleep stores that he does, and then loads
//! whether anything was published. If both had their loads before their stores the sleeper would not be woken. A fence on
//! both sides forbids that, but costs a publisher more than the message itself. `membarrier(2)` makes every running thread
//! of the registered processes execute a fence: so who goes to sleep, which costs far more anyway, does it for both.

use crate::os::per_process::PerProcess;
use crate::os::step::call;
use rustix::thread::{MembarrierCommand, membarrier};
use std::sync::OnceLock;
use std::sync::atomic::{Ordering, compiler_fence, fence};

/// One who publishes often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Publisher {
    /// Whether the sleepers' barrier reaches this process.
    is_reached: bool,
}

impl Publisher {
    pub(crate) fn new() -> Self {
        static REACHED: PerProcess<OnceLock<bool>> = PerProcess::new();
        let register = || call(|| membarrier(MembarrierCommand::RegisterGlobalExpedited)).is_ok();
        Publisher {
            is_reached: *REACHED.get().get_or_init(register),
        }
    }

    /// Between the publication and the look for sleepers. `needed`: somebody could not do it for us.
    #[inline(always)]
    pub(crate) fn fence(self, needed: bool) {
        if self.is_reached && !needed {
            // What must not happen is that the compiler changes their order. The processor may, and is told otherwise by who
            // minds.
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }
}

/// Between saying that one sleeps and the last look: whether all publishers were reached. If not, they have to fence
/// themselves from now on. (One who publishes just now may not have heard of it, and not wake us: that costs a slice, once.)
#[cfg(not(loom))]
pub(crate) fn before_sleep() -> bool {
    fence(Ordering::SeqCst);
    call(|| membarrier(MembarrierCommand::GlobalExpedited)).is_ok()
}

/// No model knows that a thread can fence for others, so publishers fence there for themselves.
#[cfg(loom)]
pub(crate) fn before_sleep() -> bool {
    crate::os::atomic::fence(Ordering::SeqCst);
    true
}
