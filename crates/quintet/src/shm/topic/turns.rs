//! What became of those who had a place, one after the other.

use crate::Result;
use crate::os::atomic::{AtomicU64, Ordering};

const TAKEN: u64 = 1;
const DIED: u64 = 1 << 1;
const TURN: u64 = 1 << 32;

/// All of it in one word, so that a death at any time leaves it right. Who has the place, by the kernel's lock, changes it.
///
/// | bits | what |
/// |---|---|
/// | 0 | somebody has it, or had it and died, which who takes it next counts |
/// | 1–31 | how many died in it, modulo 2³¹ |
/// | 32–63 | how many had it, modulo 2³² |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turns(pub(super) u64);

impl Turns {
    /// With one more who has taken the place just now.
    fn next(self) -> Self {
        let died = if self.is_taken() { DIED } else { 0 };
        // Without a carry from the lower half into the upper one.
        let low = (self.0 as u32).wrapping_add(died as u32);
        Turns(((self.0 & !u64::from(u32::MAX)) | u64::from(low) | TAKEN).wrapping_add(TURN))
    }

    /// Whether somebody had it and did not say that he left.
    pub(super) fn is_taken(self) -> bool {
        self.0 & TAKEN != 0
    }

    /// How many died in it.
    pub(super) fn died(self) -> u32 {
        self.0 as u32 / DIED as u32
    }

    /// How many had it, this one included.
    pub(super) fn had(self) -> u32 {
        (self.0 / TURN) as u32
    }

    /// Says that we have it. For who has its lock.
    pub(super) fn begin(word: &AtomicU64) {
        let turns = Turns(word.load(Ordering::Acquire));
        word.store(turns.next().0, Ordering::Release);
    }

    /// Says that we leave. Before its lock is given back.
    pub(super) fn end(word: &AtomicU64) {
        word.store(word.load(Ordering::Relaxed) & !TAKEN, Ordering::Release);
    }

    /// As it is when who is dead by the kernel's word is counted already, and has left.
    pub(super) fn now(word: &AtomicU64, is_alive: impl Fn() -> Result<bool>) -> Result<Self> {
        let mut turns = Turns(word.load(Ordering::Acquire));
        // It changes as often as somebody comes, at worst: then it is as it was a moment ago.
        for _ in 0..100 {
            if !turns.is_taken() || is_alive()? {
                break;
            }
            let again = Turns(word.load(Ordering::Acquire));
            if again == turns {
                let low = (turns.0 as u32).wrapping_add(DIED as u32) & !(TAKEN as u32);
                return Ok(Turns((turns.0 & !u64::from(u32::MAX)) | u64::from(low)));
            }
            turns = again;
        }
        Ok(turns)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn now(word: &AtomicU64, is_alive: bool) -> (bool, u32, u32) {
        let turns = Turns::now(word, || Ok(is_alive)).unwrap();
        (turns.is_taken(), turns.died(), turns.had())
    }

    #[test]
    fn who_leaves_has_left_and_who_does_not_has_died() {
        let word = AtomicU64::new(0);
        assert_eq!(now(&word, false), (false, 0, 0));
        Turns::begin(&word);
        assert_eq!(
            (now(&word, true), now(&word, false)),
            ((true, 0, 1), (false, 1, 1))
        );
        Turns::end(&word);
        assert_eq!(now(&word, false), (false, 0, 1));
        Turns::begin(&word);
        // It died, and that is counted once, by whoever looks.
        assert_eq!(
            (now(&word, false), now(&word, false)),
            ((false, 1, 2), (false, 1, 2))
        );
        Turns::begin(&word);
        assert_eq!(
            (now(&word, true), now(&word, false)),
            ((true, 1, 3), (false, 2, 3))
        );
    }

    #[test]
    fn what_is_counted_does_not_run_over() {
        let word = AtomicU64::new(u64::MAX);
        assert_eq!(now(&word, false), (false, 0, u32::MAX));
        Turns::begin(&word);
        assert_eq!(now(&word, true), (true, 0, 0));
    }
}
