//! One producer's lane: a ring of bytes, and how messages are taken out of it. How they get in: `writing.rs`.

use super::record::{Head, Kind, extent};
use crate::doorbell::Bell;
use crate::os::atomic::{AtomicU64, Ordering};
use crate::os::step::step;
use crate::{Error, ErrorKind, Result};

/// After so many changes by others in between, something is not as it should be.
const PATIENCE: u32 = 1 << 20;

/// Between two messages there are never more gaps than this: one at the end of the ring, and those held in place.
const MOST_PADS: u32 = 600;

/// What a lane's parties tell each other, besides the ring. Positions are in bytes and only ever grow.
#[repr(C, align(128))]
#[derive(Debug)]
pub(super) struct Control {
    /// How many messages were published before `tail`. Written before it.
    pub(super) pushed: AtomicU64,
    /// Where the next message begins, or one of those that its producer published and then died.
    pub(super) tail: AtomicU64,
    _line: Apart,
    /// Where the next message to take begins.
    pub(super) head: AtomicU64,
    /// Rings for the producer when there is room.
    pub(super) space: Bell,
}

/// So that what the producer writes and what the consumers write are in other pairs of cache lines.
#[repr(align(128))]
#[derive(Debug)]
struct Apart;

#[cfg(not(loom))]
const _: () = assert!(size_of::<Control>() == 256 && std::mem::offset_of!(Control, head) == 128);

impl Control {
    #[cfg(all(test, loom))]
    pub(super) fn new() -> Self {
        Control {
            pushed: AtomicU64::new(0),
            tail: AtomicU64::new(0),
            _line: Apart,
            head: AtomicU64::new(0),
            space: Bell::new(),
        }
    }
}

/// A lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane<'a> {
    pub(super) control: &'a Control,
    /// As many words as a power of two.
    pub(super) ring: &'a [AtomicU64],
}

/// A message in a ring, found and not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where `head` was: nobody had taken it while it is still there.
    pub(super) head: u64,
    /// Where its record begins; behind `head`, if there is something to skip.
    pub(super) at: u64,
    pub(super) len: u32,
    /// The low bits of its number.
    pub(super) number: u32,
}

impl Found {
    /// Where the next one begins.
    pub(super) fn end(&self) -> u64 {
        self.at.wrapping_add(extent(self.len.into()))
    }
}

/// What is at a position.
enum Seen {
    Nothing,
    Message(Found),
    Nonsense,
}

impl<'a> Lane<'a> {
    /// How many bytes the ring has.
    #[inline(always)]
    pub(super) fn capacity(&self) -> u64 {
        self.ring.len() as u64 * 8
    }

    /// The word at a position. (The mask keeps it in the ring whatever the position is.)
    #[inline(always)]
    pub(super) fn word(&self, position: u64) -> &'a AtomicU64 {
        &self.ring[(position / 8) as usize & (self.ring.len() - 1)]
    }

    /// The bytes of a message whose record begins there: whole words; `None` if they would reach beyond the ring's end.
    #[inline(always)]
    pub(super) fn body(&self, at: u64, len: u32) -> Option<&'a [AtomicU64]> {
        let begin = ((at / 8) as usize & (self.ring.len() - 1)) + 1;
        let words = (len as usize).div_ceil(8);
        self.ring.get(begin..begin + words)
    }

    /// The next message, if there is one and it follows at once, as nearly always.
    #[inline(always)]
    pub(super) fn glance(&self) -> Option<(Found, &'a [AtomicU64])> {
        let head = self.control.head.load(Ordering::Acquire);
        let Kind::Message { len, number } = Head(self.word(head).load(Ordering::Acquire)).kind() else {
            return None;
        };
        let body = self.body(head, len)?;
        let at = head;
        head.is_multiple_of(8).then_some((
            Found {
                head,
                at,
                len,
                number,
            },
            body,
        ))
    }

    /// The next message, if there is one. Taking it is another step.
    pub(super) fn find(&self) -> Result<Option<Found>> {
        for _ in 0..PATIENCE {
            let head = self.control.head.load(Ordering::Acquire);
            let seen = self.seen(head, head);
            if let Seen::Message(found) = seen {
                return Ok(Some(found));
            }
            // Unless another took what was there, and its place has been used again.
            if self.control.head.load(Ordering::Relaxed) == head {
                return match seen {
                    Seen::Nothing => Ok(None),
                    _ => Err(nonsense()),
                };
            }
        }
        Err(nonsense())
    }

    /// The message after one that was found. `None` also if it makes no sense: it will be the first one then.
    #[inline]
    pub(super) fn find_after(&self, found: &Found) -> Option<Found> {
        match self.seen(found.end(), found.head) {
            Seen::Message(next) => Some(next),
            _ => None,
        }
    }

    #[inline]
    fn seen(&self, from: u64, head: u64) -> Seen {
        let mut at = from;
        for _ in 0..MOST_PADS {
            if !at.is_multiple_of(8) {
                return Seen::Nonsense;
            }
            match Head(self.word(at).load(Ordering::Acquire)).kind() {
                Kind::Message { len, number } => {
                    let found = Found {
                        head,
                        at,
                        len,
                        number,
                    };
                    let reach = found.end().wrapping_sub(head);
                    return if reach <= self.capacity() && self.body(at, len).is_some() {
                        Seen::Message(found)
                    } else {
                        Seen::Nonsense
                    };
                }
                Kind::Nothing if at == from => return Seen::Nothing,
                Kind::Pad(bytes) => {
                    at = at.wrapping_add(bytes);
                    if at.wrapping_sub(head) > self.capacity() {
                        return Seen::Nonsense;
                    }
                }
                Kind::Nothing | Kind::Nonsense => return Seen::Nonsense,
            }
        }
        Seen::Nonsense
    }

    /// Takes the messages from the first one found up to `end`: not, if another did so before. What was copied out of them
    /// is right if it is taken: as long as nobody has, they stay as they are.
    #[inline(always)]
    pub(super) fn take(&self, first: &Found, end: u64) -> bool {
        step();
        self.control
            .head
            .compare_exchange(first.head, end, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    /// Writes the end behind a record, before anybody can get there. For its producer.
    #[inline(always)]
    pub(super) fn end_behind(&self, at: u64, len: u32) {
        let end = at.wrapping_add(extent(len.into()));
        self.word(end).store(0, Ordering::Relaxed);
    }

    /// Whether everything up to there was taken.
    pub(super) fn is_taken(&self, end: u64) -> bool {
        let left = end.wrapping_sub(self.control.head.load(Ordering::SeqCst));
        left == 0 || left > self.capacity()
    }
}

#[cold]
pub(super) fn nonsense() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "what stands in a producer's lane makes no sense",
    )
    .hint("some process has written into the queue's memory")
}
