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
/// | 0–6 | the buffer; [`NONE`](Self::NONE) while it is being found |
/// | 7 | it is copied, and no more than that |
/// | 8–15 | the reader, plus one; 0: it is free |
/// | 16–63 | how often it was claimed |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pin(u64);

impl Pin {
    const BUFFER: u64 = 0x7f;
    const NONE: u64 = 0x7f;
    const COPIES: u64 = 0x80;

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
            Some(_) => 1u64.checked_shl((self.0 & Pin::BUFFER) as u32).unwrap_or(0),
            None => 0,
        }
    }

    /// Whether who has it only copies, and would find out if the value went: so who wants it to stay may have the pin.
    pub(super) fn only_copies(self) -> bool {
        self.0 & Pin::COPIES != 0
    }

    fn claimed(self, reader: usize, to: To) -> Self {
        let count = (self.0 >> 16).wrapping_add(1);
        let copies = match to {
            To::Keep => 0,
            To::Copy => Pin::COPIES,
        };
        Pin(count << 16 | (reader as u64 + 1) << 8 | copies | Pin::NONE)
    }

    fn on(self, buffer: usize) -> Self {
        Pin(self.0 & !Pin::BUFFER | buffer as u64)
    }

    fn freed(self) -> Self {
        Pin(self.0 & !0xffff)
    }
}

/// What a pin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// To have the value stay until it is let go.
    Keep,
    /// To copy it. Who wants to keep one takes such a pin away, so that nobody's copying costs him a place.
    Copy,
}

/// A pin that is ours, if it is [to keep](To::Keep); else it may have been taken away.
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

    /// A pin for that reader, if there is one left: a free one; or else one with which somebody only copies, or of a reader
    /// that is dead.
    pub(super) fn claim(
        &self,
        reader: usize,
        to: To,
        is_alive: impl Fn(usize) -> Result<bool>,
    ) -> Result<Option<Claim>> {
        let mut ask = false;
        for _ in 0..TRIES {
            let mut lost = false;
            for (index, word) in self.pins.iter().enumerate() {
                let pin = Pin::load(word);
                let is_free = match pin.reader() {
                    None => true,
                    Some(_) if to == To::Keep && pin.only_copies() => ask,
                    Some(other) => ask && other != reader && !is_alive(other)?,
                };
                let claimed = pin.claimed(reader, to);
                if is_free && self.change(index, pin, claimed) {
                    return Ok(Some(Claim { index, pin: claimed }));
                }
                lost |= is_free;
            }
            // One that was to be had and changed may be to be had again, as who copies has it for a moment.
            if ask && !lost {
                break;
            }
            ask = true;
        }
        Ok(None)
    }

    /// Puts our pin on the newest value: `None` if there is none, or a newer one each time we look.
    pub(super) fn pin(&self, claim: &mut Claim) -> Result<Option<Value>> {
        self.pin_newest(claim)?
            .map(|newest| self.pinned(newest))
            .transpose()
    }

    /// As `pin`, for who looks at the head by himself. One that is only to copy may also have been taken away, before or since.
    pub(super) fn pin_newest(&self, claim: &mut Claim) -> Result<Option<Newest>> {
        for _ in 0..TRIES {
            let newest = self.newest();
            if newest.is_none() {
                return Ok(None);
            }
            self.check(newest)?;
            step();
            // Either the writer, which publishes and then looks at the pins, sees this one, or we see what it published.
            let on = claim.pin.on(newest.buffer());
            if !claim.pin.only_copies() {
                self.pins[claim.index].store(on.0, Ordering::SeqCst);
            } else if !self.change(claim.index, claim.pin, on) {
                return Ok(None);
            }
            claim.pin = on;
            #[cfg(loom)]
            fence(Ordering::SeqCst);
            step();
            if self.newest() == newest {
                return Ok(Some(newest));
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
        // What was read of it has been read.
        if claim.pin.only_copies() {
            self.change(claim.index, claim.pin, claim.pin.freed());
        } else {
            step();
            self.pins[claim.index].store(claim.pin.freed().0, Ordering::Release);
        }
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
        let first = free.claimed(0, To::Keep);
        assert_eq!((free.reader(), first.reader(), first.bit()), (None, Some(0), 0));
        assert_eq!((first.on(5).bit(), first.on(5).reader()), (1 << 5, Some(0)));
        assert_eq!((first.freed().reader(), first.freed().bit()), (None, 0));
        let second = first.freed().claimed(0, To::Keep);
        assert_ne!(first.on(5), second.on(5));
        assert_eq!(second.claimed(254, To::Copy).reader(), Some(254));
    }

    #[test]
    fn any_word_is_a_pin() {
        for word in [u64::MAX, 0xffff, 0x01ff, 0x0140, 0x013f] {
            let pin = Pin(word);
            assert!(pin.bit().count_ones() <= 1 && pin.reader().is_some());
            assert!(pin.claimed(254, To::Copy).reader() == Some(254));
        }
    }
}
