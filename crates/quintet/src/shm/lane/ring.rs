//! One producer's lane: a ring of bytes, and how messages are taken out of it. How they get in: `writing.rs`.

use super::record::{Head, Kind, extent};
use crate::doorbell::Bell;
use crate::os::atomic::{AtomicU64, Ordering};
use crate::os::copy;
use crate::os::step::step;
use crate::{Error, ErrorKind, Result};

/// After so many changes by others in between, something is not as it should be.
const PATIENCE: u32 = 1 << 20;

/// Between two messages there are never more gaps than this: one at the end of the ring, and those held in place.
const MOST_PADS: u32 = 600;

/// What a lane's parties tell each other, besides the ring. Positions are in bytes and only ever grow.
#[repr(C, align(128))]
#[derive(Debug)]
pub(in crate::shm) struct Control {
    /// How many messages were published before `tail`. Written before it.
    pub(in crate::shm) pushed: AtomicU64,
    /// Where the next message begins, or one of those that its producer published and then died.
    pub(in crate::shm) tail: AtomicU64,
    /// How many bytes the messages had that were published: of a topic. For who looks.
    pub(in crate::shm) bytes: AtomicU64,
    _line: Apart,
    /// Where the next message to take begins.
    pub(in crate::shm) head: AtomicU64,
    /// Rings for the producer when there is room.
    pub(in crate::shm) space: Bell,
}

/// So that what the producer writes and what the consumers write are in other pairs of cache lines.
#[repr(align(128))]
#[derive(Debug)]
struct Apart;

#[cfg(not(loom))]
const _: () = assert!(size_of::<Control>() == 256 && std::mem::offset_of!(Control, head) == 128);

impl Control {
    #[cfg(test)]
    pub(in crate::shm) fn new() -> Self {
        Control {
            pushed: AtomicU64::new(0),
            tail: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            _line: Apart,
            head: AtomicU64::new(0),
            space: Bell::new(),
        }
    }
}

/// A lane.
#[derive(Clone, Copy, Debug)]
pub(in crate::shm) struct Lane<'a> {
    pub(in crate::shm) control: &'a Control,
    /// As many words as a power of two.
    pub(in crate::shm) ring: &'a [AtomicU64],
}

/// A message in a ring, found and not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shm) struct Found {
    /// Where `head` was: nobody had taken it while it is still there.
    pub(in crate::shm) head: u64,
    /// Where its record begins; behind `head`, if there is something to skip.
    pub(in crate::shm) at: u64,
    pub(in crate::shm) len: u32,
    /// The low bits of its number.
    pub(in crate::shm) number: u32,
}

impl Found {
    /// Where the next one begins.
    pub(in crate::shm) fn end(&self) -> u64 {
        self.at.wrapping_add(extent(self.len.into()))
    }
}

/// What is at a position.
pub(in crate::shm) enum Seen {
    Nothing,
    Message(Found),
    Nonsense,
}

impl<'a> Lane<'a> {
    /// How many bytes the ring has.
    #[inline(always)]
    pub(in crate::shm) fn capacity(&self) -> u64 {
        self.ring.len() as u64 * 8
    }

    /// The word at a position. (The mask keeps it in the ring whatever the position is.)
    #[inline(always)]
    pub(in crate::shm) fn word(&self, position: u64) -> &'a AtomicU64 {
        &self.ring[(position / 8) as usize & (self.ring.len() - 1)]
    }

    /// The bytes of a message whose record begins there: whole words; `None` if they would reach beyond the ring's end.
    #[inline(always)]
    pub(in crate::shm) fn body(&self, at: u64, len: u32) -> Option<&'a [AtomicU64]> {
        let begin = ((at / 8) as usize & (self.ring.len() - 1)) + 1;
        let words = (len as usize).div_ceil(8);
        self.ring.get(begin..begin + words)
    }

    /// What is known to be published from a position on, as far as it lies in one piece, and no more than so many bytes: the
    /// producer's own note, which comes after the messages that it speaks of. (They may be being overwritten by now if the head
    /// has passed them.)
    #[inline]
    pub(in crate::shm) fn published(&self, from: u64, most: u64) -> &'a [AtomicU64] {
        let bytes = self.control.tail.load(Ordering::Acquire).wrapping_sub(from);
        let bytes = if bytes <= self.capacity() {
            bytes.min(most)
        } else {
            0
        };
        let begin = (from / 8) as usize & (self.ring.len() - 1);
        let end = (begin + (bytes / 8) as usize).min(self.ring.len());
        &self.ring[begin..end]
    }

    /// The next message, if there is one and it follows at once, as nearly always.
    #[inline(always)]
    pub(in crate::shm) fn glance(&self) -> Option<(Found, &'a [AtomicU64])> {
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
    pub(in crate::shm) fn find(&self) -> Result<Option<Found>> {
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

    /// What is at a position, where `head` is. It may be anything if the head has passed it since.
    #[inline]
    pub(in crate::shm) fn seen(&self, from: u64, head: u64) -> Seen {
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
    pub(in crate::shm) fn take(&self, first: &Found, end: u64) -> bool {
        step();
        self.control
            .head
            .compare_exchange(first.head, end, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    /// Writes the end behind a record, before anybody can get there. For its producer.
    #[inline(always)]
    pub(in crate::shm) fn end_behind(&self, at: u64, len: u32) {
        let end = at.wrapping_add(extent(len.into()));
        self.word(end).store(0, Ordering::Relaxed);
    }

    /// Writes a message of which the record begins there, and the end behind it. For its producer.
    #[inline(always)]
    pub(in crate::shm) fn write(&self, start: u64, message: &[u8]) {
        self.end_behind(start, message.len() as u32);
        self.write_body(start, message);
    }

    /// As `write`, without the end.
    #[inline(always)]
    pub(in crate::shm) fn write_body(&self, start: u64, message: &[u8]) {
        if let Some(body) = self.body(start, message.len() as u32) {
            // Somebody may be looking at the line that the record begins in, and take it away from us in the middle. So what is
            // in that line comes last, right before what is looked for: short copies go from the end to the beginning.
            if message.len() < copy::LONG {
                copy::into_words(message, body);
                return;
            }
            let in_line = 7 - (start / 8 % 8) as usize;
            let (first, rest) = message.split_at(in_line * 8);
            copy::into_words(rest, &body[in_line..]);
            copy::into_words(first, body);
        }
    }

    /// Asks for the lines where what is written next will go, which the consumers have had last: they come while the
    /// producer does something else, and several at a time, which its stores do not, as they go into the cache one after the
    /// other. The first one it leaves to who looks at it.
    #[inline(always)]
    pub(in crate::shm) fn prepare(&self, end: u64, limit: u64) {
        const LINE: u64 = 64;
        /// What is about to be written next, if that is a short message; and far enough ahead for a line to come in time when
        /// many short ones follow each other. (A message of a line and its head lies in two.)
        const AHEAD: [u64; 3] = [LINE, 8 * LINE, 9 * LINE];
        // Not what the consumers still have to read.
        if limit.wrapping_sub(end) < AHEAD[2] + LINE {
            return;
        }
        for ahead in AHEAD {
            copy::will_write(self.word(end.wrapping_add(ahead)));
        }
    }

    /// As `write_body`, where nobody looks: behind a record that is not published.
    #[inline(always)]
    pub(in crate::shm) fn write_unseen(&self, start: u64, message: &[u8]) {
        if let Some(body) = self.body(start, message.len() as u32) {
            copy::into_unseen_words(message, body);
        }
    }

    /// Whether everything up to there was taken.
    pub(in crate::shm) fn is_taken(&self, end: u64) -> bool {
        let left = end.wrapping_sub(self.control.head.load(Ordering::SeqCst));
        left == 0 || left > self.capacity()
    }
}

#[cold]
pub(in crate::shm) fn nonsense() -> Error {
    Error::new(ErrorKind::Corrupt, "what stands in a lane makes no sense")
        .hint("some process has written into its memory")
}
