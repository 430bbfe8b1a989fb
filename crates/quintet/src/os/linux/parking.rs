//! Sleeping on a word of shared memory: a futex, wherever the word is.

#[cfg(not(loom))]
use super::futex::{self, ANYONE, Sleep};
use crate::Result;
use crate::os::atomic::AtomicU32;
#[cfg(loom)]
use crate::os::{atomic::Ordering, modelling::Bed};
use std::time::Duration;

/// Where threads sleep; the kernel finds them by the address of the word.
#[derive(Debug)]
pub(crate) struct Place {
    /// The kernel of a model.
    #[cfg(loom)]
    bed: Bed,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place {
            #[cfg(loom)]
            bed: Bed::default(),
        }
    }

    /// For threads of this process.
    #[cfg(feature = "socket")]
    pub(crate) fn of_process() -> Self {
        Place::new()
    }
}

#[cfg(not(loom))]
impl Place {
    /// Sleeps while the word is that, until somebody wakes us, for at most so long. It may end for no reason.
    #[expect(clippy::unused_self, reason = "there is more to it on Windows")]
    pub(crate) fn sleep(&self, word: &AtomicU32, while_it_is: u32, time: Duration) -> Result<()> {
        Sleep { word, while_it_is }.sleep(time, ANYONE).map(drop)
    }

    /// Wakes up to so many of those who sleep since the word was that; it is another one now.
    #[expect(clippy::unused_self, reason = "there is more to it on Windows")]
    pub(crate) fn wake(&self, word: &AtomicU32, _was: u32, count: u32) {
        futex::wake(word, count, ANYONE);
    }
}

#[cfg(loom)]
impl Place {
    pub(crate) fn sleep(&self, word: &AtomicU32, while_it_is: u32, _time: Duration) -> Result<()> {
        // The kernel sees what the word is now, which only a change of it does here.
        self.bed
            .sleep(|| word.fetch_add(0, Ordering::Relaxed) == while_it_is);
        Ok(())
    }

    pub(crate) fn wake(&self, _word: &AtomicU32, _was: u32, count: u32) {
        self.bed.wake(count);
    }
}
