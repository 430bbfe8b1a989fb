//! A word in shared memory that says whether anybody sleeps, and on which he sleeps.
//!
//! Bit 0: somebody sleeps. The rest: how often it rang. Who waits *announces* himself: he sets the bit, fences, looks once
//! more for what he waits for, and sleeps while the word stays as it is. Who has published what others may wait for
//! fences, looks at the bit, which is all there is to do while nobody sleeps, and else *rings*: changes the word, takes the
//! bit away, and wakes. Ringing wakes once; who wakes up and finds that others sleep (their slots tell) sets the bit again before he
//! looks.
//!
//! A death between publishing and ringing, or of who was woken, leaves others asleep beside what they wait for: for a
//! slice at most (`wait.rs`).
//!
//! The models (`shm/queue/models.rs`) fail without any of: the bit and that ringing takes it away, the count of rings, either
//! fence, the last look before a sleep, standing in, passing on with its fence and its wake-up. They do not where it only costs
//! a wake-up more or less, or nothing: how the word's own accesses are ordered, as the fences order them and a change keeps
//! what earlier ones released; whether the slot's count comes before or after the announcement, as both come before the sleep;
//! whether one ring wakes one or several, as who is woken passes on; whether who was woken stands in before he looks or after,
//! unless he dies looking. What no model knows is that one thread can fence for others (`os/linux/fence.rs`).

use crate::os::atomic::{AtomicU32, Ordering};
use crate::os::step::step;

const SLEEPER: u32 = 1;
const ONCE: u32 = 2;

/// After so many changes of the word by others in between it is not as it should be.
const PATIENCE: u32 = 1 << 16;

/// The word.
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct Bell(AtomicU32);

impl Bell {
    #[cfg(any(test, feature = "socket"))]
    pub(crate) fn new() -> Self {
        Bell(AtomicU32::new(0))
    }

    /// Whether somebody sleeps. Who has published something asks after a fence.
    #[inline(always)]
    pub(crate) fn has_sleepers(&self) -> bool {
        self.0.load(Ordering::SeqCst) & SLEEPER != 0
    }

    /// Says that somebody sleeps: what the word is until it rings. A fence has to follow, and a last look.
    pub(crate) fn announce(&self) -> u32 {
        let mut word = self.0.load(Ordering::Relaxed);
        for _ in 0..PATIENCE {
            if word & SLEEPER != 0 {
                break;
            }
            step();
            match self
                .0
                .compare_exchange(word, word | SLEEPER, Ordering::SeqCst, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(other) => word = other,
            }
        }
        word | SLEEPER
    }

    /// Rings: what the word was while they slept who have to be woken, if somebody does and nobody else has just rung.
    #[cold]
    pub(crate) fn ring(&self) -> Option<u32> {
        let word = self.0.load(Ordering::Relaxed);
        if word & SLEEPER == 0 {
            return None;
        }
        let rung = word.wrapping_add(ONCE) & !SLEEPER;
        step();
        self.0
            .compare_exchange(word, rung, Ordering::AcqRel, Ordering::Relaxed)
            .ok()
    }

    /// How often it had rung when the word was that.
    #[cfg_attr(
        target_os = "linux",
        expect(dead_code, reason = "the kernel knows the word there")
    )]
    pub(crate) fn rings(word: u32) -> u32 {
        word / ONCE
    }

    /// What the word will be when it has rung twice more.
    #[cfg_attr(
        target_os = "linux",
        expect(dead_code, reason = "the kernel knows the word there")
    )]
    pub(crate) fn after_two_more(word: u32) -> u32 {
        word.wrapping_add(2 * ONCE)
    }

    /// After a sleep: sees what who rang had seen, among that who went to sleep before.
    fn hear(&self) {
        self.0.load(Ordering::Acquire);
    }

    pub(crate) fn word(&self) -> &AtomicU32 {
        &self.0
    }

    /// For who sleeps on several words.
    #[cfg(all(target_os = "linux", not(loom)))]
    pub(crate) fn word_for_kernel(&self) -> &AtomicU32 {
        &self.0
    }

    /// Whether the word is that, as a futex asks before it lets anybody sleep.
    #[cfg(all(test, loom))]
    pub(crate) fn is(&self, word: u32) -> bool {
        self.0.load(Ordering::Acquire) == word
    }

    /// No model sleeps on several.
    #[cfg(loom)]
    pub(crate) fn word_for_kernel(&self) -> &std::sync::atomic::AtomicU32 {
        unreachable!("no model sleeps on several words")
    }
}

#[cfg(target_os = "linux")]
pub(crate) use waiter::Other;
pub(crate) use waiter::{Readiness, Sleeper, Sleepers, Waiter};

mod waiter {
    use super::Bell;
    use crate::os::atomic::{self, AtomicU32, Ordering};
    use crate::os::fence;
    use crate::os::parking::Place;
    use crate::wait::{self, SLICE, Spin};
    use crate::{Deadline, Result};
    use std::cell::{Cell, RefCell};
    use std::fmt;
    #[cfg(target_os = "linux")]
    use std::sync::Arc;

    /// Something that can be waited for together with other things: it is there or not, and rings when it comes.
    pub(crate) trait Readiness: fmt::Debug + Sync {
        /// Whether it is there now. Nothing is taken of it.
        fn is_ready(&self) -> Result<bool>;

        fn waiter(&self) -> Waiter<'_>;

        /// Lets those in who have come to the door since, whom `is_ready` does not see before. Not between `others` and a sleep: at the
        /// bells of those who came in nobody would sleep.
        #[cfg(target_os = "linux")]
        fn let_in(&self) {}

        /// Other bells that may ring for it, of those who have no part in the memory where the waiter's bell is.
        #[cfg(target_os = "linux")]
        fn others(&self) -> Vec<Other> {
            Vec::new()
        }
    }

    /// A bell somewhere else, which stays while somebody sleeps there.
    #[cfg(target_os = "linux")]
    pub(crate) type Other = Arc<dyn AsRef<Bell>>;

    /// All who may sleep at a bell where one is woken for all.
    pub(crate) trait Sleepers: fmt::Debug + Sync {
        /// Whether anybody sleeps, as far as is known: also if he died.
        fn are_there(&self) -> bool;

        /// Asks whether one of them lives, each time another one, and counts him no more if not.
        fn doubt_one(&self);
    }

    /// Who waits at a bell.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Waiter<'a> {
        pub(crate) bell: &'a Bell,
        pub(crate) place: &'a Place,
        /// Not 0: publishers have to fence for themselves. `None`: they always do.
        pub(crate) fences: Option<&'a AtomicU32>,
        /// Who sleeps at this bell, if several may of whom one is woken.
        pub(crate) sleepers: Option<&'a dyn Sleepers>,
        /// How many of them are of this participant.
        pub(crate) own: Option<&'a AtomicU32>,
    }

    impl<'a> Waiter<'a> {
        /// Waits until `take` takes something. `is_there` only looks.
        pub(crate) fn wait<T>(
            &self,
            spin: &Spin,
            deadline: Deadline,
            take: impl FnMut() -> Result<Option<T>>,
            is_there: impl Fn() -> Result<bool>,
        ) -> Result<Option<T>> {
            self.wait_by_glances(spin, deadline, || true, take, is_there)
        }

        /// As `wait`, where a glance tells whether it is worth to take.
        #[inline(always)]
        pub(crate) fn wait_by_glances<T>(
            &self,
            spin: &Spin,
            deadline: Deadline,
            glance: impl FnMut() -> bool,
            take: impl FnMut() -> Result<Option<T>>,
            is_there: impl Fn() -> Result<bool>,
        ) -> Result<Option<T>> {
            let take = RefCell::new(take);
            let slept = Cell::new(false);
            let look = || {
                if !slept.get() {
                    return take.borrow_mut()();
                }
                self.stand_in();
                let taken = take.borrow_mut()();
                if !matches!(taken, Ok(None)) {
                    // After an error too: what we were woken for is there for others. Where that cannot be known, they look by
                    // themselves.
                    let _ = self.pass_on(&is_there);
                }
                taken
            };
            wait::wait_by_glances(spin, deadline, SLICE, glance, look, |slice| {
                slept.set(true);
                let _sleeper = self.sleeper();
                match self.before_sleep(&is_there)? {
                    Some(word) => self.place.sleep(self.bell.word(), word, slice),
                    None => Ok(()),
                }
            })
        }

        /// Says that this thread is about to sleep: what the word is until it rings; `None` if there is no need to sleep.
        pub(crate) fn before_sleep(&self, is_there: impl Fn() -> Result<bool>) -> Result<Option<u32>> {
            let word = self.announce();
            Ok((!is_there()?).then_some(word))
        }

        /// For who has slept and needs no more wake-ups: others may sleep beside what there still is. Who publishes at this
        /// moment sees that they do, or is seen, as when we go to sleep ourselves.
        pub(crate) fn pass_on(&self, is_there: impl Fn() -> Result<bool>) -> Result<()> {
            if self.others_sleep() {
                self.announce();
                if is_there()? {
                    self.wake(1);
                }
            }
            Ok(())
        }

        /// Says that somebody sleeps, to all who publish from here on: what the word is until it rings.
        fn announce(&self) -> u32 {
            let word = self.bell.announce();
            match self.fences {
                Some(fences) if !fence::before_sleep() => fences.store(1, Ordering::SeqCst),
                Some(_) => {}
                None => atomic::fence(Ordering::SeqCst),
            }
            word
        }

        /// Wakes up to so many, if anybody sleeps.
        #[inline]
        pub(crate) fn wake(&self, count: u32) {
            if let Some(word) = self.bell.ring() {
                self.place.wake(self.bell.word(), word, count);
            }
        }

        /// For who has slept, before it looks: whoever woke us took the bit away that stood for all who sleep.
        pub(crate) fn stand_in(&self) {
            self.bell.hear();
            if self.others_sleep() {
                self.bell.announce();
            }
        }

        /// Says, until it is dropped, that a thread sleeps.
        pub(crate) fn sleeper(self) -> Sleeper<'a> {
            // The dead that are said to sleep cost every wake-up another one for nobody. Asking about one of them costs
            // less than going to sleep does.
            if let Some(sleepers) = self.sleepers.filter(|sleepers| sleepers.are_there()) {
                sleepers.doubt_one();
            }
            if let Some(own) = self.own {
                own.fetch_add(1, Ordering::AcqRel);
            }
            Sleeper(self)
        }

        fn others_sleep(&self) -> bool {
            self.sleepers.is_some_and(Sleepers::are_there)
        }
    }

    /// A thread that sleeps.
    #[derive(Debug)]
    pub(crate) struct Sleeper<'a>(Waiter<'a>);

    impl Drop for Sleeper<'_> {
        fn drop(&mut self) {
            if let Some(own) = self.0.own {
                own.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }
}
