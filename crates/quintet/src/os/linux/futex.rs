//! Sleeping on a word of shared memory until it changes, futex(2).
//!
//! Every sleep has an end of its own (see [`SLICE`](crate::wait::SLICE)), so a wake-up that is lost with its sender costs
//! time and nothing else.

use crate::doorbell::{Bell, Other};
use crate::os::step::call;
use crate::{Error, Result};
use rustix::io::Errno;
use rustix::thread::futex::{self, Flags, Timespec, Wait, WaitFlags, WaitPtr, WaitvFlags};
use rustix::time::ClockId;
use std::num::NonZeroU32;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::time::Duration;

/// Which sleepers a wake-up is for: those that have a bit in common with it.
pub(super) type Mask = NonZeroU32;

pub(super) const ANYONE: Mask = NonZeroU32::MAX;

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// The word was another, or somebody changed it, or for no reason.
    Up,
    /// The time is over.
    Late,
}

/// A word to sleep on, as long as it has a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sleep<'a> {
    pub(super) word: &'a AtomicU32,
    pub(super) while_it_is: u32,
}

impl Sleep<'_> {
    pub(super) fn sleep(self, time: Duration, mask: Mask) -> Result<Woken> {
        let until = after(time);
        let slept = call(|| {
            match futex::wait_bitset(self.word, Flags::empty(), self.while_it_is, Some(&until), mask) {
                // A signal woke us: as good a reason as any.
                Err(Errno::INTR) => Ok(()),
                slept => slept,
            }
        });
        ended(slept)
    }
}

/// Says at some bells that somebody is about to sleep there, to all who ring them from here on: what to sleep on. A last look has to follow.
pub(super) fn announce_at(bells: &[Other]) -> Vec<Sleep<'_>> {
    let sleeps = bells.iter().map(|other| {
        let bell: &Bell = (**other).as_ref();
        Sleep {
            while_it_is: bell.announce(),
            word: bell.word_for_kernel(),
        }
    });
    let sleeps = sleeps.collect();
    fence(Ordering::SeqCst);
    sleeps
}

/// On so many the kernel lets a thread sleep at once.
pub(super) const MOST_WORDS: usize = 128;

/// Sleeps on several at once, at most [`MOST_WORDS`].
pub(super) fn sleep_on_any(sleeps: &[Sleep<'_>], time: Duration) -> Result<Woken> {
    let words: Vec<Wait> = sleeps
        .iter()
        .map(|sleep| {
            let mut word = Wait::new();
            word.val = sleep.while_it_is.into();
            word.uaddr = WaitPtr::new(sleep.word.as_ptr().cast());
            word.flags = WaitFlags::SIZE_U32;
            word
        })
        .collect();
    let until = after(time);
    let slept = call(
        || match futex::waitv(&words, WaitvFlags::empty(), Some(&until), ClockId::Monotonic) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error),
        },
    );
    match slept {
        // A container's filter that is older than the call: looking again soon is all that is left.
        Err(Errno::NOSYS | Errno::PERM) => {
            std::thread::sleep(time.min(Duration::from_millis(1)));
            Ok(Woken::Late)
        }
        slept => ended(slept),
    }
}

fn ended(slept: rustix::io::Result<()>) -> Result<Woken> {
    match slept {
        Ok(()) | Err(Errno::AGAIN) => Ok(Woken::Up),
        Err(Errno::TIMEDOUT) => Ok(Woken::Late),
        Err(error) => Err(Error::os("cannot sleep until the object changes", error)),
    }
}

/// Wakes up to so many of those that sleep on the word.
pub(super) fn wake(word: &AtomicU32, count: u32, mask: Mask) {
    // The kernel counts in signed numbers. Failing is not possible with a word that is there; and who is not woken wakes
    // up by himself.
    let count = count.min(i32::MAX.unsigned_abs());
    let _ = call(|| futex::wake_bitset(word, Flags::empty(), count, mask));
}

/// Wakes all who sleep on a word of another user's file, so many bytes behind the start of a map of it: anybody can sleep there, and
/// one of them is meant. The word is not looked at here, where it may not even be there any more.
pub(super) fn wake_at(start: NonNull<u8>, offset: usize) {
    const ALL: libc::c_int = i32::MAX;
    // SAFETY: the call has no effect on this process's memory. The kernel reads at the address, if anything is there, to find
    // who sleeps; else it says EFAULT.
    let _ = unsafe {
        libc::syscall(
            libc::SYS_futex,
            start.as_ptr().wrapping_add(offset),
            libc::FUTEX_WAKE,
            ALL,
        )
    };
}

/// So long from now, on the clock that nobody sets.
fn after(time: Duration) -> Timespec {
    let now = rustix::time::clock_gettime(ClockId::Monotonic);
    let nanoseconds = now.tv_nsec + i64::from(time.subsec_nanos());
    Timespec {
        tv_sec: now
            .tv_sec
            .saturating_add(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
            .saturating_add(nanoseconds / 1_000_000_000),
        tv_nsec: nanoseconds % 1_000_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_changed_already_is_not_slept_on() {
        let word = AtomicU32::new(7);
        let sleep = Sleep {
            word: &word,
            while_it_is: 6,
        };
        assert_eq!(sleep.sleep(Duration::from_secs(3600), ANYONE).unwrap(), Woken::Up);
        assert_eq!(
            sleep_on_any(&[sleep], Duration::from_secs(3600)).unwrap(),
            Woken::Up
        );
    }

    #[test]
    fn a_sleep_ends_by_itself() {
        let word = AtomicU32::new(7);
        let sleep = Sleep {
            word: &word,
            while_it_is: 7,
        };
        assert_eq!(
            sleep.sleep(Duration::from_millis(1), ANYONE).unwrap(),
            Woken::Late
        );
        assert_eq!(
            sleep_on_any(&[sleep, sleep], Duration::from_millis(1)).unwrap(),
            Woken::Late
        );
        assert_eq!(sleep.sleep(Duration::ZERO, ANYONE).unwrap(), Woken::Late);
    }
}
