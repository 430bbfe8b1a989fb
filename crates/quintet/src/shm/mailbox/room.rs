//! The shared memory of a mailbox.

use super::newest::Newest;
use super::pins::PINS;
use crate::doorbell::{Bell, Waiter};
use crate::layout::{Extent, Header, Layout};
use crate::os::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::os::parking::Place;
use crate::os::segment::{Look, Segment};
use crate::participants::{self, Seat, Slot};
use crate::{Error, ErrorKind, Result, Scheme};
use std::slice;

/// The most readers that have a slot.
pub(super) const READERS: usize = 255;

/// To the kernel the writer is the first participant; behind it come the readers.
pub(super) const WRITER: usize = 0;
pub(super) const FIRST_READER: usize = 1;

/// The most buffers: one for each pin, the newest, and the one that is being written.
pub(super) const BUFFERS: usize = PINS + 2;

/// Where the buffers begin. In the middle of a page, as memory to be copied from or to often begins a few bytes behind the
/// beginning of one, and copying from a place to another a little further in its page is slow.
pub(super) const BODIES: usize = 22_528;

const PAGE: usize = 4096;
/// What processors fetch at a time: two lines.
const PAIR_OF_LINES: usize = 128;

pub(super) static LAYOUT: Layout = Layout {
    scheme: Scheme::Mailbox,
    version: 1,
    text: "1: header 64, parameter u64 pins 16 size 48; at 64 newest u64 number 56 buffer 8, bell u32 (1 somebody sleeps, \
           rest rings), readers' high water u32; pins u64 of 62 at 128: count 48, reader and 1 8, copies 1, buffer 7; slots of 64 at \
           640: a writer, 255 readers: held u64, aux u64, since u64, since_of u64 unused, space u64, pid u32, waiting u32, in \
           hand u64 unused; heads of 64 at 17024: number u64, length u64, nanoseconds since the machine was started u64; \
           buffers at 22528, pins and 2, apart by the size rounded up to 128, from 4096 on to 4096; locks at 2^62: life 1, 1 \
           unused, 2 a slot",
    size: BODIES,
    extent: Extent::Open,
    participants: 1 + READERS as u32,
    data: None,
};

/// What all mailboxes begin with.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Room {
    pub(super) header: Header,
    pub(super) state: State,
    pub(super) pins: [AtomicU64; PINS],
    _pins: [AtomicU64; 2],
    pub(super) writer: [Slot; 1],
    pub(super) readers: [Slot; READERS],
    pub(super) heads: [Head; BUFFERS],
}

/// What everybody looks at.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct State {
    pub(super) newest: AtomicU64,
    /// Rings for the readers when there is a newer one.
    pub(super) bell: Bell,
    /// The highest reader there ever was, plus one. (Of writers the header knows.)
    pub(super) readers_high: AtomicU32,
}

/// What is known of the value in a buffer.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Head {
    /// The value's number; 0 while it is being written.
    pub(super) number: AtomicU64,
    pub(super) len: AtomicU64,
    /// When, by [`clock`](crate::os::clock).
    pub(super) written: AtomicU64,
}

#[cfg(not(loom))]
const _: () = assert!(
    std::mem::offset_of!(Room, state) == 64
        && std::mem::offset_of!(Room, pins) == 128
        && std::mem::offset_of!(Room, writer) == 640
        && std::mem::offset_of!(Room, heads) == 17_024
        && size_of::<Room>() <= BODIES
        && BODIES % PAGE == PAGE / 2
);

#[cfg(all(test, loom))]
impl State {
    pub(super) fn new() -> Self {
        State {
            newest: AtomicU64::new(0),
            bell: Bell::new(),
            readers_high: AtomicU32::new(0),
        }
    }
}

#[cfg(all(test, loom))]
impl Head {
    pub(super) fn new() -> Self {
        Head {
            number: AtomicU64::new(0),
            len: AtomicU64::new(0),
            written: AtomicU64::new(0),
        }
    }
}

impl Room {
    /// The room of a mailbox seen from outside.
    pub(super) fn of(look: &Look) -> &Room {
        // SAFETY: a look has at least the layout's size, which is more than a room's, begins at a page, and stays as long
        // as it is borrowed. A room is made of atomics, for which any bytes will do and which others may change.
        unsafe { look.start().cast::<Room>().as_ref() }
    }
}

/// What of a mailbox its writer and its readers use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Boxes<'a> {
    pub(super) state: &'a State,
    /// As many as it was made with.
    pub(super) pins: &'a [AtomicU64],
    /// Two more.
    pub(super) heads: &'a [Head],
    /// All buffers, one behind the other.
    pub(super) bodies: &'a [AtomicU64],
    /// Of one buffer.
    pub(super) words: usize,
    /// Of a value, in bytes.
    pub(super) longest: usize,
}

impl<'a> Boxes<'a> {
    #[inline(always)]
    pub(super) fn newest(&self) -> Newest {
        Newest(self.state.newest.load(Ordering::SeqCst))
    }

    /// Whether there is a value, and another than that one.
    #[inline(always)]
    pub(super) fn is_newer(&self, than: u64) -> bool {
        let newest = self.newest();
        !newest.is_none() && newest.number() != than
    }

    /// The words of a buffer, which there must be.
    #[inline(always)]
    pub(super) fn body(&self, buffer: usize) -> &'a [AtomicU64] {
        &self.bodies[buffer * self.words..][..self.words]
    }
}

/// How a mailbox's memory is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// The longest value, in bytes.
    pub(super) size: usize,
    /// How many may be read in place.
    pub(super) pins: usize,
}

const SIZE_BITS: u32 = 48;

impl Shape {
    pub(super) fn new(size: u64, pins: usize) -> Result<Self> {
        if pins > PINS {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("at most {PINS} values can be read in place at a time, not {pins}"),
            ));
        }
        let too_large = || Error::new(ErrorKind::TooLarge, format!("values of {size} bytes cannot be"));
        if size >> SIZE_BITS != 0 {
            return Err(too_large());
        }
        let size = usize::try_from(size).map_err(|_| too_large())?;
        let shape = Shape { size, pins };
        shape.whole().ok_or_else(too_large)?;
        Ok(shape)
    }

    pub(super) fn buffers(self) -> usize {
        self.pins + 2
    }

    /// From one buffer to the next, in bytes.
    fn stride(self) -> Option<usize> {
        let unit = if self.size < PAGE { PAIR_OF_LINES } else { PAGE };
        self.size.max(1).checked_next_multiple_of(unit)
    }

    /// Of the whole; `None` if no machine has as much.
    pub(super) fn whole(self) -> Option<usize> {
        let bodies = self.stride()?.checked_mul(self.buffers())?;
        let whole = bodies.checked_add(BODIES)?;
        isize::try_from(whole).is_ok().then_some(whole)
    }

    pub(super) fn parameter(self) -> u64 {
        (self.pins as u64) << SIZE_BITS | self.size as u64
    }

    /// As the header says it, if it makes sense in memory of so many bytes.
    pub(super) fn of(header: &Header, len: usize) -> Result<Self> {
        let parameter = header.parameter();
        let size = parameter & ((1 << SIZE_BITS) - 1);
        let pins = (parameter >> SIZE_BITS) as usize;
        Shape::new(size, pins)
            .ok()
            .filter(|shape| shape.whole().is_some_and(|whole| whole <= len))
            .ok_or_else(|| Error::new(ErrorKind::Corrupt, "its header gives sizes that make no sense"))
    }
}

/// A mailbox's memory that this process holds.
#[derive(Debug)]
pub(super) struct Held {
    segment: Segment,
    pub(super) shape: Shape,
    /// From one buffer to the next, in words.
    words: usize,
    newer: Place,
}

impl Held {
    pub(super) fn new(segment: Segment) -> Result<Self> {
        let shape = Shape::of(segment.header(), segment.len())?;
        Ok(Held {
            newer: segment.parking_for_all(0),
            segment,
            shape,
            words: shape.stride().unwrap_or(0) / size_of::<AtomicU64>(),
        })
    }

    #[inline(always)]
    pub(super) fn room(&self) -> &Room {
        // SAFETY: the segment has at least the layout's size, which is more than a room's, begins at a page, and is mapped
        // as long as it is borrowed. A room is made of atomics, for which any bytes will do and which others may change.
        unsafe { self.segment.start().cast::<Room>().as_ref() }
    }

    #[inline(always)]
    pub(super) fn boxes(&self) -> Boxes<'_> {
        let room = self.room();
        let buffers = self.shape.buffers();
        // SAFETY: the segment is as long as the shape needs it, which `Shape::of` has checked, and the buffers begin at a
        // multiple of 8. They stay mapped as long as the segment is borrowed; they are atomics, for which any bytes will do
        // and which others may change.
        let bodies = unsafe {
            let start = self.segment.start().add(BODIES).cast::<AtomicU64>();
            slice::from_raw_parts(start.as_ptr(), self.words * buffers)
        };
        Boxes {
            state: &room.state,
            pins: &room.pins[..self.shape.pins],
            heads: &room.heads[..buffers],
            bodies,
            words: self.words,
            longest: self.shape.size,
        }
    }

    pub(super) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// To sleep until there is a newer value, as a thread of that reader.
    pub(super) fn waiter(&self, reader: Option<usize>) -> Waiter<'_> {
        let room = self.room();
        Waiter {
            bell: &room.state.bell,
            place: &self.newer,
            fences: None,
            // All are woken at once, so nobody has to stand in for others.
            sleepers: None,
            own: reader.map(|index| &room.readers[index].waiting),
        }
    }

    /// Refuses to go on in a process that was forked from the one that opened it.
    #[inline]
    pub(super) fn check_ours(&self) -> Result<()> {
        if self.segment.token().is_ours() {
            Ok(())
        } else {
            Err(participants::forked())
        }
    }

    /// Becomes the writer.
    pub(super) fn sit_as_writer(&self) -> Result<Seat> {
        self.check_ours()?;
        let room = self.room();
        let token = self.segment.spare_token()?;
        Seat::take(&room.header.high_water, &room.writer, WRITER, token, |_| Ok(())).map_err(|error| {
            match error.kind() {
                ErrorKind::Full => self.has_a_writer(),
                _ => error,
            }
        })
    }

    fn has_a_writer(&self) -> Error {
        let who = match self.room().writer[0].pid() {
            0 => String::new(),
            pid => format!(" (pid {pid})"),
        };
        Error::new(
            ErrorKind::Busy,
            format!("it has a writer{who}, and one at a time"),
        )
        .hint("end that one first, or use another mailbox")
    }

    /// Becomes a reader.
    pub(super) fn sit_as_reader(&self) -> Result<Seat> {
        self.check_ours()?;
        let room = self.room();
        Seat::take(
            &room.state.readers_high,
            &room.readers,
            FIRST_READER,
            self.segment.spare_token()?,
            |index| {
                self.boxes().free_pins_of(index);
                room.readers[index].waiting.store(0, Ordering::Release);
                Ok(())
            },
        )
    }

    /// Whether a reader lives, by the kernel's word.
    pub(super) fn is_reader_alive(&self, reader: usize) -> Result<bool> {
        self.segment.token().is_taken(FIRST_READER + reader)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_what_its_parameter_says() {
        let shape = Shape::new(100, 2).unwrap();
        assert_eq!((shape.buffers(), shape.whole()), (4, Some(BODIES + 4 * 128)));
        assert_eq!(shape.parameter(), 2 << 48 | 100);
        assert_eq!(Shape::new(0, 0).unwrap().whole(), Some(BODIES + 2 * 128));
        assert_eq!(Shape::new(4097, 0).unwrap().whole(), Some(BODIES + 2 * 8192));
        assert!(Shape::new(1, PINS).is_ok() && Shape::new(1, PINS + 1).is_err());
        assert!(Shape::new(1 << 48, 0).is_err() && Shape::new(u64::MAX, 2).is_err());
    }
}
