//! Whether an event is set: one word.
//!
//! # The word
//!
//! | bits | what |
//! |---|---|
//! | 0 | set |
//! | 1–30 | how often it was set |
//! | 31 | somebody sleeps |
//! | 32–63 | 0 |
//!
//! Setting, resetting and consuming are one compare-and-swap each; a death leaves nothing half done. A waiter for an event
//! with manual reset is content when the event is set or *was* set since it began to wait, even if it was reset again
//! before the waiter ran. With automatic reset exactly one waiter consumes it; set twice before that, it was set
//! once, as on Windows.

use crate::os::atomic::{AtomicU64, Ordering};
use crate::os::step::step;
use crate::{Error, ErrorKind, Result};

const PATIENCE: u32 = 1 << 22;

const SET: u64 = 1;
const ONCE: u64 = 2;
const TIMES: u64 = 0x7fff_fffe;
const WAITERS: u64 = 1 << 31;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

impl Word {
    pub(super) fn is_set(self) -> bool {
        self.0 & SET != 0
    }

    /// Whether it was set between the two.
    fn was_set_since(self, before: Word) -> bool {
        (self.0 ^ before.0) & TIMES != 0
    }
}

/// The word of one event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signal<'a> {
    pub(super) word: &'a AtomicU64,
    pub(super) manual: bool,
}

impl Signal<'_> {
    pub(super) fn initial(set: bool) -> u64 {
        if set { SET } else { 0 }
    }

    pub(super) fn look(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// Sets it: how many sleepers to wake.
    pub(super) fn set(&self) -> Result<u32> {
        self.change(|word| {
            if word.is_set() {
                return None;
            }
            let times = word.0.wrapping_add(ONCE) & TIMES;
            let wake = match (word.0 & WAITERS != 0, self.manual) {
                (false, _) => 0,
                (true, true) => u32::MAX,
                (true, false) => 1,
            };
            Some((Word(times | SET), wake))
        })
        .map(|wake| wake.unwrap_or(0))
    }

    pub(super) fn reset(&self) -> Result<()> {
        self.change(|word| word.is_set().then_some((Word(word.0 & !SET), ())))
            .map(drop)
    }

    /// Whether a waiter is content, who began to wait at `since`; automatic reset consumes what contents it.
    pub(super) fn try_wait(&self, since: Option<Word>, others_sleep: bool) -> Result<bool> {
        if self.manual {
            let word = self.look();
            return Ok(word.is_set() || since.is_some_and(|since| word.was_set_since(since)));
        }
        let consumed = self.change(|word| {
            let waiters = word.0 & WAITERS | if others_sleep { WAITERS } else { 0 };
            word.is_set().then_some((Word(word.0 & TIMES | waiters), ()))
        })?;
        Ok(consumed.is_some())
    }

    /// Says that somebody is about to sleep: what the low half of the word is while nothing changes; `None` if a waiter
    /// need not sleep.
    pub(super) fn announce_sleeper(&self, since: Option<Word>) -> Result<Option<u32>> {
        for _ in 0..PATIENCE {
            let word = self.look();
            let content = self.manual && since.is_some_and(|since| word.was_set_since(since));
            if word.is_set() || content {
                return Ok(None);
            }
            let next = Word(word.0 | WAITERS);
            if next == word || self.swap(word, next) {
                return Ok(Some(next.0 as u32));
            }
        }
        Err(restless())
    }

    fn change<T>(&self, next: impl Fn(Word) -> Option<(Word, T)>) -> Result<Option<T>> {
        for _ in 0..PATIENCE {
            let word = self.look();
            let Some((next, done)) = next(word) else {
                return Ok(None);
            };
            if self.swap(word, next) {
                return Ok(Some(done));
            }
        }
        Err(restless())
    }

    fn swap(&self, from: Word, to: Word) -> bool {
        step();
        self.word
            .compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

#[cold]
fn restless() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "its word changes all the time and lets nobody through",
    )
    .hint("some process has written into the event's memory")
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_memory_is_an_event(word: u64, manual: bool) {
            let memory = AtomicU64::new(word);
            let signal = Signal { word: &memory, manual };
            let since = signal.look();
            signal.set().unwrap();
            prop_assert!(signal.try_wait(Some(since), false).unwrap());
            signal.reset().unwrap();
            prop_assert!(!signal.look().is_set());
            prop_assert!(signal.announce_sleeper(Some(signal.look())).unwrap().is_some());
        }
    }
}
