//! What is read in place.

use super::newest::Newest;
use super::reading::{Value, overtaken};
use super::room::Boxes;
use crate::Result;
#[cfg(loom)]
use crate::os::atomic::fence;
use crate::os::atomic::{AtomicU64, Ordering};
use crate::os::step::step;

/// The most there are: what a set of bits has room for, less the two buffers that nobody pins.
pub(super) const PINS: usize = 62;

/// How often to look at what is the newest while somebody writes one after the other.
const TRIES: u32 = 1 << 12;

/// Which buffer is not to be written, and for whom, as one word says it.
///
/// | bits | what |
/// |---|---|
/// | 0–7 | the buffer; [`NONE`](Self::NONE) while it is being found |
/// | 8–15 | the reader, plus one; 0: it is free |
/// | 16–63 | how often it was claimed |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pin(u64);

impl Pin {
    const NONE: u64 = 0xff;

    pub(super) fn load(word: &AtomicU64) -> Self {
        // The writer looks after it has published; see `pin`.
        Pin(word.load(Ordering::SeqCst))
    }

    /// Who has it.
    pub(super) fn reader(self) -> Option<usize> {
        (self.0 >> 8 & 0xff).checked_sub(1).map(|reader| reader as usize)
    }

    /// The buffers that are pinned: this one, or none.
    pub(super) fn bit(self) -> u64 {
        match self.reader() {
            Some(_) => 1u64.checked_shl((self.0 & 0xff) as u32).unwrap_or(0),
            None => 0,
        }
    }

    fn claimed(self, reader: usize) -> Self {
        let count = (self.0 >> 16).wrapping_add(1);
        Pin(count << 16 | (reader as u64 + 1) << 8 | Pin::NONE)
    }

    fn on(self, buffer: usize) -> Self {
        Pin(self.0 & !0xff | buffer as u64)
    }

    fn freed(self) -> Self {
        Pin(self.0 & !0xffff)
    }
}

/// A pin that is ours.
#[derive(Debug)]
pub(super) struct Claim {
    index: usize,
    pin: Pin,
}

impl Boxes<'_> {
    fn change(&self, index: usize, from: Pin, to: Pin) -> bool {
        step();
        self.pins[index]
            .compare_exchange(from.0, to.0, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    /// A pin for that reader, if there is one left: a free one, or else one of a reader that is dead.
    pub(super) fn claim(
        &self,
        reader: usize,
        is_alive: impl Fn(usize) -> Result<bool>,
    ) -> Result<Option<Claim>> {
        for ask in [false, true] {
            for (index, word) in self.pins.iter().enumerate() {
                let pin = Pin::load(word);
                let is_free = match pin.reader() {
                    None => true,
                    Some(other) => ask && other != reader && !is_alive(other)?,
                };
                let claimed = pin.claimed(reader);
                if is_free && self.change(index, pin, claimed) {
                    return Ok(Some(Claim { index, pin: claimed }));
                }
            }
        }
        Ok(None)
    }

    /// Puts our pin on the newest value: `None` if there is none, or a newer one each time we look.
    pub(super) fn pin(&self, claim: &Claim) -> Result<Option<Value>> {
        for _ in 0..TRIES {
            let newest = self.newest();
            if newest.is_none() {
                return Ok(None);
            }
            self.check(newest)?;
            step();
            // Either the writer, which publishes and then looks at the pins, sees this one, or we see what it published.
            self.pins[claim.index].store(claim.pin.on(newest.buffer()).0, Ordering::SeqCst);
            #[cfg(loom)]
            fence(Ordering::SeqCst);
            step();
            if self.newest() == newest {
                return self.pinned(newest).map(Some);
            }
        }
        Ok(None)
    }

    /// The newest value, on which we have a pin.
    fn pinned(&self, newest: Newest) -> Result<Value> {
        let head = &self.heads[newest.buffer()];
        if head.number.load(Ordering::Acquire) != newest.number() {
            // It was made the newest before it was whole: nobody does that.
            return Err(overtaken(newest));
        }
        self.value(head, newest)
    }

    pub(super) fn unpin(&self, claim: Claim) {
        step();
        // What was read of it has been read.
        self.pins[claim.index].store(claim.pin.freed().0, Ordering::Release);
    }

    /// Frees what a dead reader left, for who has its slot now.
    pub(super) fn free_pins_of(&self, reader: usize) {
        for (index, word) in self.pins.iter().enumerate() {
            let pin = Pin::load(word);
            if pin.reader() == Some(reader) {
                // If somebody else has done it, it is done.
                self.change(index, pin, pin.freed());
            }
        }
    }

    /// The buffers that are pinned, as a set.
    #[inline]
    pub(super) fn pinned_buffers(&self) -> u64 {
        self.pins.iter().fold(0, |set, word| set | Pin::load(word).bit())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_never_the_same_twice() {
        let free = Pin(0);
        let first = free.claimed(0);
        assert_eq!((free.reader(), first.reader(), first.bit()), (None, Some(0), 0));
        assert_eq!((first.on(5).bit(), first.on(5).reader()), (1 << 5, Some(0)));
        assert_eq!((first.freed().reader(), first.freed().bit()), (None, 0));
        let second = first.freed().claimed(0);
        assert_ne!(first.on(5), second.on(5));
        assert_eq!(second.claimed(254).reader(), Some(254));
    }

    #[test]
    fn any_word_is_a_pin() {
        for word in [u64::MAX, 0xffff, 0x01ff, 0x0140, 0x013f] {
            let pin = Pin(word);
            assert!(pin.bit().count_ones() <= 1 && pin.reader().is_some());
            assert!(pin.claimed(254).reader() == Some(254));
        }
    }
}
