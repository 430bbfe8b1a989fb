//! The shared memory of a topic.

use super::peers;
use super::turns::Turns;
use crate::doorbell::{Bell, Waiter};
use crate::layout::{Extent, Header, Layout};
use crate::os::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::os::parking::Place;
use crate::os::segment::{Data, DataSpec, Look, Segment, Spec, Writable};
use crate::os::types::{Access, ObjectOptions, Opening};
use crate::participants::{self, Seat, Slot};
use crate::shm::lane::{Control, Hold, Lane};
use crate::{Error, ErrorKind, Name, Result, Scheme};
use std::iter;
use std::ptr::NonNull;
use std::slice;

/// The most lanes, and so publishers, of a topic.
pub(super) const LANES: usize = 64;
/// The most subscribers.
pub(super) const SUBSCRIBERS: usize = 255;
/// The most messages that a subscriber can hold in place.
pub(super) const HOLDS: usize = 8;

/// To the kernel the publishers are the first participants; behind them come the subscribers.
pub(super) const FIRST_SUBSCRIBER: usize = LANES;

/// How many bytes a room takes: whole pages.
const ROOM: usize = 36_864;

/// Where in the data the lanes' control blocks begin: at a page.
const CONTROLS: usize = 4096;
/// And where the rings do.
pub(super) const RINGS: usize = CONTROLS + LANES * size_of::<Control>();

/// The room, into which everybody writes who takes part.
pub(super) static LAYOUT: Layout = Layout {
    scheme: Scheme::Topic,
    version: 2,
    text: "2: header 64; at 64 published u32 (1 somebody sleeps, rest rings), arrived u32 (the same), fences u32, subscribers' high \
           water u32, type u32; slots of 64 at 128: 64 publishers, 255 subscribers: held u64 lost of all who had it, aux u64 received \
           of all, since u64 unused, since_of u64 unused, space u64, pid u32, waiting u32, in hand u64 turns: taken 1 died 31 had \
           32; holds u64 of 255 by 8 at 20544: pairs of words 27, first word 29, lane 8; locks at 2^62: life 1, 1 unused, 2 a slot",
    size: ROOM,
    extent: Extent::Open,
    participants: (LANES + SUBSCRIBERS) as u32,
    data: Some(&DATA),
};

/// The data, into which only publishers write.
static DATA: Layout = Layout {
    scheme: Scheme::Topic,
    version: 2,
    text: "2 data: header 64, parameter u64 lanes 48 log2 of a ring's bytes 16; lanes of 256 at 4096: pushed u64, tail u64, bytes \
           u64, at 128 oldest u64, 8 unused; rings at 20480; records of words: head u64 published 1 pad 1 number 30 length 32, body",
    size: RINGS,
    extent: Extent::Open,
    participants: 0,
    data: None,
};

/// What all topics begin with.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Room {
    pub(super) header: Header,
    /// Rings for the subscribers when there is a message.
    pub(super) published: Bell,
    /// Rings for who waits for somebody to come or leave.
    pub(super) arrived: Bell,
    /// Not 0: who publishes has to fence for himself.
    pub(super) fences: AtomicU32,
    /// The highest subscriber there ever was, plus one. (Of publishers the header knows.)
    pub(super) subscribers_high: AtomicU32,
    /// The fingerprint of the type of its messages; 0: any bytes.
    pub(super) of_type: AtomicU32,
    _line: [AtomicU32; 11],
    pub(super) publishers: [Slot; LANES],
    pub(super) subscribers: [Slot; SUBSCRIBERS],
    /// What each subscriber holds in place. Apart from what they write at every message, as publishers look here.
    holds: [[AtomicU64; HOLDS]; SUBSCRIBERS],
}

#[cfg(not(loom))]
const _: () = assert!(
    std::mem::offset_of!(Room, published) == 64
        && std::mem::offset_of!(Room, publishers) == 128
        && std::mem::offset_of!(Room, holds) == 20_544
        && size_of::<Room>() == ROOM
        && ROOM.is_multiple_of(4096)
        && RINGS == 20_480
        && RINGS.is_multiple_of(4096)
);

impl Room {
    /// The room of a topic seen from outside.
    pub(super) fn of(look: &Look) -> &Room {
        // SAFETY: a look has at least the layout's size, which is more than a room's, begins at a page, and stays as long
        // as it is borrowed. A room is made of atomics, for which any bytes will do and which others may change.
        unsafe { look.start().cast::<Room>().as_ref() }
    }
}

/// The lanes' control blocks, of data that has at least its layout's size and begins there.
///
/// # Safety
/// The memory stays mapped for the lifetime that the caller gives the result.
unsafe fn controls<'a>(start: NonNull<u8>) -> &'a [Control; LANES] {
    // SAFETY: they begin at a page, end where the layout does, and are made of atomics, for which any bytes will do and which
    // others may change. The caller says that they stay.
    unsafe { start.add(CONTROLS).cast::<[Control; LANES]>().as_ref() }
}

/// The control blocks of a topic seen from outside, and how it is divided; `None` if who made or removed it has died on the way.
pub(super) fn data_of(look: &Look) -> Result<Option<(&[Control; LANES], Shape)>> {
    let Some((start, size)) = look.data() else {
        return Ok(None);
    };
    // SAFETY: a look at data has its layout's size, which is more than a header's, begins at a page, and stays as long as the look
    // is borrowed, which the results do. Both are made of atomics.
    let (header, controls) = unsafe { (start.cast::<Header>().as_ref(), controls(start)) };
    Ok(Some((controls, Shape::of(header, size)?)))
}

/// How a topic's memory is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) lanes: usize,
    /// Of one ring, in bytes: a power of two.
    pub(super) ring: usize,
}

impl Shape {
    pub(super) const SMALLEST_RING: u64 = 4096;
    pub(super) const LARGEST_RING: u64 = 1 << 32;

    /// Rounds what was asked for up to what can be.
    pub(super) fn new(lanes: usize, ring: u64) -> Result<Self> {
        let error = |what: String| Error::new(ErrorKind::TooLarge, what);
        if !(1..=LANES).contains(&lanes) {
            return Err(error(format!(
                "a topic is for 1 to {LANES} publishers, not for {lanes}"
            )));
        }
        if ring > Self::LARGEST_RING {
            return Err(error(format!(
                "a publisher's capacity is at most 4 GiB, not {ring} bytes"
            )));
        }
        let ring = ring.max(Self::SMALLEST_RING).next_power_of_two();
        let shape = usize::try_from(ring).ok().map(|ring| Shape { lanes, ring });
        shape
            .filter(|shape| shape.size().is_some())
            .ok_or_else(|| error("so much memory cannot be addressed".into()))
    }

    /// Of the data; `None` if no machine has as much.
    pub(super) fn size(self) -> Option<usize> {
        let size = self.ring.checked_mul(self.lanes)?.checked_add(RINGS)?;
        isize::try_from(size).is_ok().then_some(size)
    }

    pub(super) fn parameter(self) -> u64 {
        (self.lanes as u64) << 16 | u64::from(self.ring.trailing_zeros())
    }

    /// As the header says it, if it makes sense in memory of so many bytes.
    pub(super) fn of(header: &Header, len: usize) -> Result<Self> {
        let parameter = header.parameter();
        let ring = 1u64.checked_shl((parameter & 0xffff) as u32).unwrap_or(0);
        let fits = (Self::SMALLEST_RING..=Self::LARGEST_RING).contains(&ring);
        let shape = fits
            .then(|| Shape::new(usize::try_from(parameter >> 16).ok()?, ring).ok())
            .flatten();
        shape
            .filter(|shape| shape.size().is_some_and(|size| size <= len))
            .ok_or_else(|| Error::new(ErrorKind::Corrupt, "its header gives sizes that make no sense"))
    }

    /// A lane of data that begins there.
    ///
    /// # Safety
    /// The memory has this shape, begins at a page, and stays mapped for the lifetime that the caller gives the result.
    #[inline(always)]
    unsafe fn lane<'a>(self, start: NonNull<u8>, index: usize) -> Lane<'a> {
        assert!(index < self.lanes);
        // SAFETY: the index is one of the shape's, so the ring is within the memory; rings begin at pages. It is made of
        // atomics, for which any bytes will do and which others may change. The caller says that they stay.
        unsafe {
            let ring = start.add(RINGS + index * self.ring);
            Lane {
                control: &controls(start)[index],
                ring: slice::from_raw_parts(ring.cast().as_ptr(), self.ring / size_of::<AtomicU64>()),
            }
        }
    }

    /// The longest message: with it, whatever is before it in the ring, there is room for it in one where nothing is held.
    pub(super) fn longest(self) -> usize {
        (self.ring / 2 - 16).min(Hold::LONGEST)
    }
}

/// A topic's lanes as its publishers see them: mapped to be written.
#[derive(Debug)]
pub(super) struct Lanes {
    memory: Writable,
    shape: Shape,
}

impl Lanes {
    #[inline(always)]
    pub(super) fn get(&self, index: usize) -> Lane<'_> {
        // SAFETY: the memory is that of data which has this shape, and mapped as long as `self` is borrowed, which the result does.
        unsafe { self.shape.lane(self.memory.start(), index) }
    }
}

/// A topic's memory that this process holds.
#[derive(Debug)]
pub(super) struct Held {
    // Before what it belongs to.
    data: Data,
    segment: Segment,
    pub(super) shape: Shape,
    published: Place,
    arrived: Place,
}

impl Held {
    /// Makes or opens one. Also says whether it was made: of that shape, of that type, and for `writers` to publish on, then.
    pub(super) fn open(
        name: &Name,
        shape: Shape,
        of_type: u32,
        options: ObjectOptions,
        writers: Access,
        opening: Opening,
    ) -> Result<(Self, bool)> {
        let spec = Spec {
            layout: &LAYOUT,
            name,
            size: ROOM,
            options,
            parameter: 0,
        };
        let data = DataSpec {
            size: shape.size().unwrap_or(usize::MAX),
            writers,
            parameter: shape.parameter(),
        };
        let (segment, data, made) = Segment::open_both(&spec, data, opening, |start| {
            // SAFETY: a segment has at least the layout's size, which is more than a room's, begins at a page, and stays mapped
            // across this call. A room is made of atomics, for which any bytes will do and which others may change.
            let room = unsafe { start.cast::<Room>().as_ref() };
            room.of_type.store(of_type, Ordering::Relaxed);
        })?;
        // What says it is where only publishers write.
        let shape = Shape::of(data.header(), data.len())?;
        let held = Held {
            published: segment.parking_for_all(0),
            arrived: segment.parking_for_all(1),
            data,
            segment,
            shape,
        };
        Ok((held, made))
    }

    #[inline(always)]
    pub(super) fn room(&self) -> &Room {
        // SAFETY: the segment has at least the layout's size, which is more than a room's, begins at a page, and is mapped
        // as long as it is borrowed. A room is made of atomics, for which any bytes will do and which others may change.
        unsafe { self.segment.start().cast::<Room>().as_ref() }
    }

    pub(super) fn controls(&self) -> &[Control; LANES] {
        // SAFETY: data has at least its layout's size, begins at a page, and is mapped as long as it is borrowed, which the
        // result does.
        unsafe { controls(self.data.start()) }
    }

    /// A lane, to be looked at only: it is mapped so.
    #[inline(always)]
    pub(super) fn lane(&self, index: usize) -> Lane<'_> {
        // SAFETY: the data is as long as the shape needs it, which `Shape::of` has checked, and mapped as long as it is borrowed,
        // which the result does. Who looks only loads from a lane, which at these sizes needs no right to write.
        unsafe { self.shape.lane(self.data.start(), index) }
    }

    /// The lanes, for a publisher.
    pub(super) fn lanes(&self) -> Result<Lanes> {
        Ok(Lanes {
            memory: self.data.to_write()?,
            shape: self.shape,
        })
    }

    pub(super) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// How many lanes there ever was a publisher of.
    #[inline]
    pub(super) fn lanes_used(&self) -> usize {
        let used = self.room().header.high_water.load(Ordering::Acquire) as usize;
        used.min(self.shape.lanes)
    }

    /// To sleep until there is a message, as a thread of that subscriber.
    pub(super) fn waiter(&self, subscriber: Option<usize>) -> Waiter<'_> {
        let room = self.room();
        Waiter {
            bell: &room.published,
            place: &self.published,
            fences: Some(&room.fences),
            sleepers: None,
            own: subscriber.map(|index| &room.subscribers[index].waiting),
        }
    }

    /// To sleep until somebody comes or leaves, as one who has that slot.
    pub(super) fn waiter_for_peers<'a>(&'a self, slot: Option<&'a Slot>) -> Waiter<'a> {
        Waiter {
            bell: &self.room().arrived,
            place: &self.arrived,
            // Who comes or leaves always fences.
            fences: None,
            sleepers: None,
            own: slot.map(|slot| &slot.waiting),
        }
    }

    fn check_ours(&self) -> Result<()> {
        if self.segment.token().is_ours() {
            Ok(())
        } else {
            Err(participants::forked())
        }
    }

    /// Becomes a subscriber.
    pub(super) fn sit_as_subscriber(&self) -> Result<Seat> {
        self.check_ours()?;
        let room = self.room();
        Seat::take(
            &room.subscribers_high,
            &room.subscribers,
            FIRST_SUBSCRIBER,
            self.segment.spare_token()?,
            |index| {
                let slot = &room.subscribers[index];
                for hold in &room.holds[index] {
                    hold.store(0, Ordering::Release);
                }
                slot.waiting.store(0, Ordering::Release);
                // What those before it have received and lost stays, so that nothing is missing in the sum.
                begin(slot);
                Ok(())
            },
        )
        .map_err(|error| match error.kind() {
            ErrorKind::Full => Error::new(
                ErrorKind::Full,
                format!("it has {SUBSCRIBERS} subscribers already, and no room for more"),
            ),
            _ => error,
        })
    }

    /// Becomes the publisher of a lane that has none.
    pub(super) fn sit_as_publisher(&self, mut recover: impl FnMut(usize) -> Result<()>) -> Result<Seat> {
        self.check_ours()?;
        let room = self.room();
        let recover = |lane: usize| {
            let slot = &room.publishers[lane];
            slot.waiting.store(0, Ordering::Release);
            recover(lane)?;
            begin(slot);
            Ok(())
        };
        Seat::take(
            &room.header.high_water,
            &room.publishers[..self.shape.lanes],
            0,
            self.segment.spare_token()?,
            recover,
        )
        .map_err(|error| match error.kind() {
            ErrorKind::Full => {
                let what = format!("all {} places for publishers are taken", self.shape.lanes);
                Error::new(ErrorKind::Full, what).hint("make the topic with more publishers")
            }
            _ => error,
        })
    }

    /// What subscribers hold in place in a lane, and which subscribers, whether these live or not. Nothing is looked at before
    /// the first is asked for.
    pub(super) fn held_in(&self, lane: usize) -> impl Iterator<Item = (usize, Hold)> {
        let room = self.room();
        let holds = iter::once_with(|| {
            let high = room.subscribers_high.load(Ordering::Acquire) as usize;
            room.holds[..high.min(SUBSCRIBERS)].iter().enumerate()
        });
        holds.flatten().flat_map(move |(subscriber, holds)| {
            let holds = holds.iter().map(|hold| Hold(hold.load(Ordering::Acquire)));
            holds
                .filter(move |hold| hold.lane() == Some(lane))
                .map(move |hold| (subscriber, hold))
        })
    }

    /// Where a subscriber says what it holds in place.
    #[inline(always)]
    pub(super) fn holds_of(&self, subscriber: usize) -> &[AtomicU64; HOLDS] {
        &self.room().holds[subscriber]
    }

    /// Whether a participant lives, by the kernel's word.
    pub(super) fn is_alive(&self, participant: usize) -> Result<bool> {
        self.segment.token().is_taken(participant)
    }
}

/// Says that we have a place now: first who that is, for who then sees that somebody has it.
fn begin(slot: &Slot) {
    slot.sign(std::process::id());
    Turns::begin(&slot.in_hand);
}

/// Leaves a place, and tells who waits for that.
pub(super) fn leave(held: &Held, seat: &Seat, slot: &Slot) {
    if seat.is_ours() {
        Turns::end(&slot.in_hand);
    }
    seat.leave(slot);
    if seat.is_ours() {
        peers::tell(held);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_what_its_parameter_says() {
        let shape = Shape::new(3, 5000).unwrap();
        assert_eq!((shape.lanes, shape.ring), (3, 8192));
        assert_eq!(shape.size(), Some(RINGS + 3 * 8192));
        assert_eq!(shape.parameter(), 3 << 16 | 13);
        assert!(Shape::new(0, 4096).is_err() && Shape::new(65, 4096).is_err());
        assert!(Shape::new(1, (1 << 32) + 1).is_err() && Shape::new(1, u64::MAX).is_err());
    }
}
