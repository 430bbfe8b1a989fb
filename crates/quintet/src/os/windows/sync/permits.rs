//! How many permits a participant holds: one word of its slot, the count in the low half and a number of the change in the
//! high one.
//!
//! Every change takes another number, so that who has seen a word of somebody who then turned out to be dead can take his
//! permits from exactly that word: not from one of a new participant who has the slot by now.

use crate::os::atomic::Ordering;
use crate::os::step::step;
use crate::participants::Slot;
use crate::{Error, ErrorKind, Result};

/// How often a word may be another's before we give up. Honest participants can be in each other's way, but one of them
/// always succeeds.
const PATIENCE: u32 = 1 << 22;

/// A word as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held(u64);

impl Held {
    pub(super) fn of(slot: &Slot) -> Self {
        Held(slot.held.load(Ordering::Acquire))
    }

    pub(super) fn count(self) -> u32 {
        self.0 as u32
    }

    /// A number that each change changes.
    pub(super) fn number(self) -> u64 {
        self.0
    }

    /// The next change, which leaves that count.
    fn then(self, count: u32) -> Self {
        let change = ((self.0 >> 32) as u32).wrapping_add(1);
        Held(u64::from(change) << 32 | u64::from(count))
    }

    /// Changes the count, unless the word has changed since it was seen. The new word.
    pub(super) fn replace(self, slot: &Slot, count: u32) -> Option<Held> {
        let next = self.then(count);
        step();
        slot.held
            .compare_exchange(self.0, next.0, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
            .then_some(next)
    }
}

/// A word before it was changed, and after.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changed {
    pub(super) before: Held,
    pub(super) after: Held,
}

/// Changes the count from whatever it is, unless `change` says that it cannot be.
fn change(slot: &Slot, change: impl Fn(u32) -> Option<u32>) -> Result<Changed> {
    for _ in 0..PATIENCE {
        let before = Held::of(slot);
        let count = change(before.count()).ok_or_else(missing)?;
        if let Some(after) = before.replace(slot, count) {
            return Ok(Changed { before, after });
        }
    }
    Err(restless())
}

/// One more; not if there are as many as a word can tell.
pub(super) fn add(slot: &Slot) -> Result<Changed> {
    change(slot, |count| count.checked_add(1))
}

/// One less; not if there is none.
pub(super) fn part_with_one(slot: &Slot) -> Result<Changed> {
    change(slot, |count| count.checked_sub(1))
}

/// Takes all there are, for a new participant: no word that was seen before is there any more.
pub(super) fn take_all(slot: &Slot) -> Result<u32> {
    change(slot, |_| Some(0)).map(|changed| changed.before.count())
}

#[cold]
fn missing() -> Error {
    corrupt("the record of who holds its permits does not have this one")
}

#[cold]
fn restless() -> Error {
    corrupt("the record of who holds its permits changes all the time and lets nobody through")
}

fn corrupt(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_counted_and_never_fewer_than_none() {
        let slot = Slot::new();
        assert!(part_with_one(&slot).is_err());
        add(&slot).unwrap();
        let second = add(&slot).unwrap();
        assert_eq!((second.before.count(), second.after.count()), (1, 2));
        assert_eq!(Held::of(&slot), second.after);
        part_with_one(&slot).unwrap();
        assert_eq!(Held::of(&slot).count(), 1);
        slot.held.store(u64::from(u32::MAX), Ordering::Relaxed);
        assert_eq!(add(&slot).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_word_that_never_rests_is_an_error() {
        let slot = Slot::new();
        // Another writer at every try.
        let never = change(&slot, |count| {
            slot.held.fetch_add(1, Ordering::Relaxed);
            Some(count)
        });
        assert_eq!(never.unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_word_that_was_seen_before_a_change_is_not_replaced() {
        let slot = Slot::new();
        add(&slot).unwrap();
        let seen = Held::of(&slot);
        // Another participant, who has as many.
        assert_eq!(take_all(&slot).unwrap(), 1);
        add(&slot).unwrap();
        assert_eq!(Held::of(&slot).count(), seen.count());
        assert_eq!(seen.replace(&slot, 0), None);
        // And one who has none: the number of the change alone tells.
        let seen = Held::of(&slot);
        part_with_one(&slot).unwrap();
        assert_eq!(take_all(&slot).unwrap(), 0);
        assert_eq!(seen.replace(&slot, 7), None);
        assert_eq!(Held::of(&slot).count(), 0);
    }

    #[test]
    fn the_number_of_the_change_wraps_without_touching_the_count() {
        let slot = Slot::new();
        slot.held.store(0xffff_ffff_0000_0003, Ordering::Relaxed);
        add(&slot).unwrap();
        assert_eq!(slot.held.load(Ordering::Relaxed), 4);
    }
}
