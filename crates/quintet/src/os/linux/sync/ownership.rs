//! Who has a mutex: one word.
//!
//! # The word
//!
//! | bits | what |
//! |---|---|
//! | 0–10 | owner: the participant that has it, plus one; 0 nobody |
//! | 11–21 | heir: the participant that is to have it next, plus one; 0 whoever comes first |
//! | 30 | abandoned: the last owner ended without unlocking, and the next one does not know yet |
//! | 31 | somebody sleeps |
//! | 32–63 | how often it was locked |
//!
//! # The protocol
//! Locking, unlocking and taking over are one compare-and-swap each, so there is nothing that a death can leave half done:
//! the owner dies as owner or as nobody. Whoever waits finds, by the owner's lock on its slot, that it is dead, and frees
//! it in one swap, marked as abandoned for the next owner to know. As each locking has a number, the swap fails if the mutex has
//! changed hands since it was looked at, also if it went back to a new process in the same slot. Who takes the slot of
//! a dead owner makes the mutex nobody's and abandoned first.
//!
//! # Fairness
//! Whoever finds it free has it, as that is fastest; a waiter that was woken may find it taken again. One that has waited
//! for [`FAIR_AFTER`] makes itself the heir: while there is an heir, nobody else takes the mutex, and unlocking wakes the
//! heir. So nobody waits for longer than that and one turn of each that became heir before. An heir that does not come
//! for a whole slice (stopped, killed) is passed over.
//!
//! # Sleeping
//! As for permits: who unlocks clears bit 31 and wakes one, who was woken and locks sets it again if others sleep.

use crate::os::atomic::{AtomicU64, Ordering};
use crate::os::linux::futex::{ANYONE, Mask};
use crate::os::step::step;
use crate::{Error, ErrorKind, Result};
use std::time::Duration;

/// After so long a waiter makes itself the heir.
pub(super) const FAIR_AFTER: Duration = Duration::from_millis(1);

const PATIENCE: u32 = 1 << 22;

const PARTICIPANT: u64 = 0x7ff;
const HEIR_SHIFT: u32 = 11;
const ABANDONED: u64 = 1 << 30;
const WAITERS: u64 = 1 << 31;
const NUMBER: u64 = 1 << 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

impl Word {
    pub(super) fn owner(self) -> Option<usize> {
        ((self.0 & PARTICIPANT) as usize).checked_sub(1)
    }

    pub(super) fn heir(self) -> Option<usize> {
        (((self.0 >> HEIR_SHIFT) & PARTICIPANT) as usize).checked_sub(1)
    }

    /// What a sleeper sees while nothing changes: the low half.
    pub(super) fn asleep(self) -> u32 {
        (self.0 | WAITERS) as u32
    }

    /// A number that each locking changes.
    pub(super) fn number(self) -> u64 {
        self.0 >> 32
    }

    fn has_waiters(self) -> bool {
        self.0 & WAITERS != 0
    }

    fn with_owner(self, owner: Option<usize>) -> Word {
        Word(self.0 & !PARTICIPANT | owner.map_or(0, |owner| (owner as u64 + 1) & PARTICIPANT))
    }

    fn with_heir(self, heir: Option<usize>) -> Word {
        let heir = heir.map_or(0, |heir| (heir as u64 + 1) & PARTICIPANT);
        Word(self.0 & !(PARTICIPANT << HEIR_SHIFT) | heir << HEIR_SHIFT)
    }

    fn with(self, flag: u64, on: bool) -> Word {
        Word(if on { self.0 | flag } else { self.0 & !flag })
    }
}

/// How an attempt to lock ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Locked {
        abandoned: bool,
    },
    /// It is another's, or for the heir.
    NotNow(Word),
}

/// Who is to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wake {
    pub(super) count: u32,
    pub(super) mask: Mask,
}

const NOBODY: Wake = Wake {
    count: 0,
    mask: ANYONE,
};

/// The word of one mutex.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ownership<'a>(pub(super) &'a AtomicU64);

impl Ownership<'_> {
    #[inline]
    pub(super) fn look(&self) -> Word {
        Word(self.0.load(Ordering::Acquire))
    }

    /// Locks it if it is free. `is_heir`: this thread is the one for whom its participant became the heir.
    /// `others_sleep`: who unlocks next has to wake someone.
    #[inline]
    pub(super) fn try_lock(&self, slot: usize, is_heir: bool, others_sleep: bool) -> Result<Attempt> {
        for _ in 0..PATIENCE {
            let word = self.look();
            let for_us = word.heir().is_none_or(|heir| heir == slot && is_heir);
            if word.owner().is_some() || !for_us {
                return Ok(Attempt::NotNow(word));
            }
            if self.swap(word, self.locked(word, slot, others_sleep)) {
                let abandoned = word.0 & ABANDONED != 0;
                return Ok(Attempt::Locked { abandoned });
            }
        }
        Err(restless())
    }

    /// Locks it where that meets nobody, and nothing but the owner and the number changes; `false` means nothing but that it
    /// is not so.
    #[inline]
    pub(super) fn lock_alone(&self, slot: usize) -> bool {
        let word = self.look();
        word.0 as u32 == 0 && self.swap(word, Word(word.0.wrapping_add(NUMBER) | (slot as u64 + 1)))
    }

    /// Unlocks it, likewise.
    #[inline]
    pub(super) fn unlock_alone(&self, slot: usize) -> bool {
        let word = self.look();
        (word.0 as u32) as usize == slot + 1 && self.swap(word, Word(word.0 & !(NUMBER - 1)))
    }

    fn locked(&self, word: Word, slot: usize, others_sleep: bool) -> Word {
        let next = word
            .with_owner(Some(slot))
            .with(ABANDONED, false)
            .with(WAITERS, word.has_waiters() || others_sleep);
        let next = if word.heir() == Some(slot) {
            next.with_heir(None)
        } else {
            next
        };
        Word(next.0.wrapping_add(NUMBER))
    }

    /// Frees a mutex whose owner, as seen in `word`, is dead. Nothing happens if it has changed since.
    pub(super) fn free_dead(&self, word: Word) -> Wake {
        let (next, wake) = freed(word.with_owner(None).with(ABANDONED, true));
        if self.swap(word, next) { wake } else { NOBODY }
    }

    /// Unlocks it. `abandon`: as an owner that ends does.
    #[inline]
    pub(super) fn unlock(&self, slot: usize, abandon: bool) -> Result<Wake> {
        for _ in 0..PATIENCE {
            let word = self.look();
            if word.owner() != Some(slot) {
                return Err(corrupt("it is not this process's to unlock"));
            }
            let next = word.with_owner(None).with(ABANDONED, abandon);
            let (next, wake) = freed(next);
            if self.swap(word, next) {
                return Ok(wake);
            }
        }
        Err(restless())
    }

    /// The owner becomes another participant.
    pub(super) fn hand_over(&self, from: usize, to: usize) -> Result<()> {
        for _ in 0..PATIENCE {
            let word = self.look();
            if word.owner() != Some(from) {
                return Err(corrupt("it is not this process's to hand over"));
            }
            if self.swap(word, word.with_owner(Some(to))) {
                return Ok(());
            }
        }
        Err(restless())
    }

    /// Puts in order what a dead participant left, for who takes its slot.
    pub(super) fn recover(&self, slot: usize) -> Result<Wake> {
        for _ in 0..PATIENCE {
            let word = self.look();
            let mut next = word;
            if word.heir() == Some(slot) {
                next = next.with_heir(None);
            }
            if word.owner() == Some(slot) {
                next = next.with_owner(None).with(ABANDONED, true);
            }
            if next == word {
                return Ok(NOBODY);
            }
            let (next, wake) = if next.owner().is_none() {
                freed(next)
            } else {
                (next, NOBODY)
            };
            if self.swap(word, next) {
                return Ok(wake);
            }
        }
        Err(restless())
    }

    /// Makes a participant the heir, if there is none and somebody has the mutex. Whether it is now.
    pub(super) fn become_heir(&self, slot: usize) -> bool {
        // Among hot lockers the word changes all the time; this is not to be left to luck.
        for _ in 0..100 {
            let word = self.look();
            if word.owner().is_none() || word.heir().is_some() {
                return false;
            }
            if self.swap(word, word.with_heir(Some(slot))) {
                return true;
            }
        }
        false
    }

    /// Passes over an heir, as seen in `word`: it does not come, or does not want to any more.
    pub(super) fn pass_over(&self, word: Word) -> Wake {
        let next = word.with_heir(None);
        let (next, wake) = if next.owner().is_none() {
            freed(next)
        } else {
            (next, NOBODY)
        };
        if self.swap(word, next) { wake } else { NOBODY }
    }

    /// Says that somebody is about to sleep, with the mutex as seen in `word`: `None` if it has changed since.
    pub(super) fn announce_sleeper(&self, word: Word) -> Option<u32> {
        let announced = word.has_waiters() || self.swap(word, word.with(WAITERS, true));
        announced.then(|| word.asleep())
    }

    #[inline]
    fn swap(&self, from: Word, to: Word) -> bool {
        step();
        self.0
            .compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// Which sleepers a participant's threads are among.
pub(super) fn mask(slot: usize) -> Mask {
    Mask::new(1 << (slot % 32)).unwrap_or(ANYONE)
}

/// What becomes of a word that has just been made nobody's, and who is to be woken.
fn freed(word: Word) -> (Word, Wake) {
    match word.heir() {
        // The others sleep on. Some of the heir's name may wake in vain.
        Some(heir) => (
            word,
            Wake {
                count: u32::MAX,
                mask: mask(heir),
            },
        ),
        None if word.has_waiters() => (
            word.with(WAITERS, false),
            Wake {
                count: 1,
                mask: ANYONE,
            },
        ),
        None => (word, NOBODY),
    }
}

#[cold]
fn corrupt(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what).hint("some process has written into the mutex's memory")
}

#[cold]
fn restless() -> Error {
    corrupt("its word changes all the time and lets nobody through")
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_memory_gives_an_error_at_worst(word: u64, slot in 0..1022usize, other in 0..1022usize) {
            let memory = AtomicU64::new(word);
            let ownership = Ownership(&memory);
            let _ = ownership.try_lock(slot, false, true);
            ownership.become_heir(other);
            let _ = ownership.unlock(other, true);
            ownership.pass_over(ownership.look());
            let _ = ownership.hand_over(slot, other);
            let _ = ownership.recover(slot);
            ownership.free_dead(ownership.look());
            ownership.announce_sleeper(ownership.look());
            let _ = ownership.unlock(slot, false);
        }
    }

    fn free(memory: &AtomicU64) -> Ownership<'_> {
        Ownership(memory)
    }

    #[test]
    fn an_heir_is_the_next_owner_and_nobody_else_is() {
        let memory = AtomicU64::new(0);
        let ownership = free(&memory);
        assert!(ownership.lock_alone(3));
        assert!(ownership.become_heir(5));
        assert!(!ownership.become_heir(6));
        let wake = ownership.unlock(3, false).unwrap();
        assert_eq!((wake.count, wake.mask), (u32::MAX, mask(5)));
        assert!(!ownership.lock_alone(3));
        assert!(matches!(
            ownership.try_lock(3, false, false).unwrap(),
            Attempt::NotNow(_)
        ));
        // Another thread of the heir's process is not the heir.
        assert!(matches!(
            ownership.try_lock(5, false, false).unwrap(),
            Attempt::NotNow(_)
        ));
        assert_eq!(
            ownership.try_lock(5, true, false).unwrap(),
            Attempt::Locked { abandoned: false }
        );
        assert_eq!(ownership.look().heir(), None);
    }

    #[test]
    fn a_place_that_was_taken_again_is_not_freed_for_the_dead() {
        let memory = AtomicU64::new(0);
        let ownership = free(&memory);
        assert!(ownership.lock_alone(3));
        let seen = ownership.look();
        // The next participant in the place of the dead one locks it in its turn.
        ownership.recover(3).unwrap();
        assert_eq!(
            ownership.try_lock(3, false, false).unwrap(),
            Attempt::Locked { abandoned: true }
        );
        ownership.free_dead(seen);
        assert_eq!(ownership.look().owner(), Some(3));
    }
}
