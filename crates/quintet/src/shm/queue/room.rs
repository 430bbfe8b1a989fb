//! The shared memory of a queue.

use crate::doorbell::{Bell, Sleepers, Waiter};
use crate::layout::{Extent, Header, Layout};
use crate::os::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::os::parking::Place;
use crate::os::segment::{Look, Segment};
use crate::participants::{self, Slot};
use crate::shm::lane::{Control, Hold, Lane};
use crate::{Error, ErrorKind, Result, Scheme};
use std::iter;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// The most lanes, and so producers, of a queue.
pub(super) const LANES: usize = 256;
/// The most consumers.
pub(super) const CONSUMERS: usize = 256;

/// To the kernel the consumers are the first participants; behind them each lane has one, its producer.
const FIRST_PRODUCER: usize = CONSUMERS;

/// Where the rings begin: at a page.
pub(super) const RINGS: usize = 102_400;

pub(super) static LAYOUT: Layout = Layout {
    scheme: Scheme::Queue,
    version: 1,
    text: "1: header 64, parameter u64 lanes 16 log2 of a ring's bytes 16; at 64 ready u32 (1 somebody sleeps, rest rings), \
           fences u32, consumers' high water u32; slots of 64 at 128: 256 consumers, 256 producers: held u64 unused, aux u64 \
           done, since u64 unused, since_of u64 unused, space u64, pid u32, waiting u32 (of which \
           the header has no sum), in hand u64; lanes of 256 at 32896: pushed u64, tail u64, at 128 head u64, space u32; holds u64 of 256 at 98432: pairs of \
           words 27, first word 29, lane 8; rings at 102400; records of words: \
           head u64 published 1 pad 1 number 30 length 32, body; locks at 2^62: life 1, 1 unused, 2 a slot",
    size: RINGS,
    extent: Extent::Open,
    participants: (CONSUMERS + LANES) as u32,
    data: None,
};

/// What all queues begin with.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Room {
    pub(super) header: Header,
    /// Rings for the consumers when there is a message.
    pub(super) ready: Bell,
    /// Not 0: who publishes has to fence for himself.
    pub(super) fences: AtomicU32,
    /// The highest consumer there ever was, plus one. (Of producers the header knows.)
    pub(super) consumers_high: AtomicU32,
    _line: [AtomicU32; 13],
    pub(super) consumers: [Slot; CONSUMERS],
    pub(super) producers: [Slot; LANES],
    pub(super) lanes: [Control; LANES],
    /// What each consumer holds in place. Apart from what they write at every message, as producers look here.
    holds: [AtomicU64; CONSUMERS],
}

#[cfg(not(loom))]
const _: () = assert!(
    std::mem::offset_of!(Room, consumers) == 128
        && std::mem::offset_of!(Room, lanes) == 32_896
        && std::mem::offset_of!(Room, holds) == 98_432
        && size_of::<Room>() <= RINGS
        && RINGS.is_multiple_of(4096)
);

impl Room {
    /// The room of a queue seen from outside.
    pub(super) fn of(look: &Look) -> &Room {
        // SAFETY: a look has at least the layout's size, which is more than a room's, begins at a page, and stays as long
        // as it is borrowed. A room is made of atomics, for which any bytes will do and which others may change.
        unsafe { look.start().cast::<Room>().as_ref() }
    }

    /// Puts in order what the last consumer with that slot left. What it had in hand is lost, as `done` does not count it;
    /// `done` goes on from there.
    fn recover_consumer(&self, index: usize) -> Result<()> {
        let slot = &self.consumers[index];
        self.holds[index].store(0, Ordering::Release);
        slot.in_hand.store(0, Ordering::Release);
        slot.waiting.store(0, Ordering::Release);
        Ok(())
    }
}

/// How a queue's memory is divided.
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
        if !(1..=LANES).contains(&lanes) {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("a queue is for 1 to {LANES} producers, not for {lanes}"),
            ));
        }
        if ring > Self::LARGEST_RING {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("a producer's capacity is at most 4 GiB, not {ring} bytes"),
            ));
        }
        let ring = ring.max(Self::SMALLEST_RING).next_power_of_two();
        let ring = usize::try_from(ring).map_err(|_| too_large())?;
        let shape = Shape { lanes, ring };
        shape.size().ok_or_else(too_large)?;
        Ok(shape)
    }

    /// Of the whole; `None` if no machine has as much.
    pub(super) fn size(self) -> Option<usize> {
        let rings = self.ring.checked_mul(self.lanes)?;
        let size = rings.checked_add(RINGS)?;
        isize::try_from(size).is_ok().then_some(size)
    }

    pub(super) fn parameter(self) -> u64 {
        (self.lanes as u64) << 16 | u64::from(self.ring.trailing_zeros())
    }

    /// As the header says it, if it makes sense in memory of so many bytes.
    pub(super) fn of(header: &Header, len: usize) -> Result<Self> {
        let parameter = header.parameter();
        let log2 = (parameter & 0xffff) as u32;
        let lanes = (parameter >> 16) as usize;
        let ring = 1u64.checked_shl(log2).unwrap_or(0);
        let fits = (Self::SMALLEST_RING..=Self::LARGEST_RING).contains(&ring);
        let shape = fits.then(|| Shape::new(lanes, ring).ok()).flatten();
        shape
            .filter(|shape| shape.size().is_some_and(|size| size <= len))
            .ok_or_else(|| Error::new(ErrorKind::Corrupt, "its header gives sizes that make no sense"))
    }

    /// The longest message: with it, whatever is before it in the ring, there is room for it in an empty one.
    pub(super) fn longest(self) -> usize {
        (self.ring / 2 - 16).min(Hold::LONGEST)
    }
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "so much memory cannot be addressed")
}

/// A queue's memory that this process holds.
#[derive(Debug)]
pub(super) struct Held {
    segment: Segment,
    pub(super) shape: Shape,
    ready: Place,
    space: Vec<Place>,
    /// Whose life is doubted next.
    doubted: AtomicUsize,
}

impl Held {
    pub(super) fn new(segment: Segment) -> Result<Self> {
        let shape = Shape::of(segment.header(), segment.len())?;
        Ok(Held {
            ready: segment.parking(0),
            space: (1..=shape.lanes).map(|lane| segment.parking(lane)).collect(),
            segment,
            shape,
            doubted: AtomicUsize::new(0),
        })
    }

    #[inline]
    pub(super) fn room(&self) -> &Room {
        // SAFETY: the segment has at least the layout's size, which is more than a room's, begins at a page, and is mapped
        // as long as it is borrowed. A room is made of atomics, for which any bytes will do and which others may change.
        unsafe { self.segment.start().cast::<Room>().as_ref() }
    }

    /// A lane for who uses it often.
    pub(super) fn keep_lane(self: &Arc<Self>, index: usize) -> KeptLane {
        let lane = self.lane(index);
        KeptLane {
            control: NonNull::from(lane.control),
            ring: NonNull::from(lane.ring),
            _held: self.clone(),
        }
    }

    #[inline]
    pub(super) fn lane(&self, index: usize) -> Lane<'_> {
        Lane {
            control: &self.room().lanes[index],
            ring: self.ring(index),
        }
    }

    #[inline]
    fn ring(&self, index: usize) -> &[AtomicU64] {
        assert!(index < self.shape.lanes);
        let start: NonNull<u8> = self.segment.start();
        // SAFETY: the segment is as long as the shape needs it, which `Shape::of` has checked, the index is one of the shape's,
        // and all rings begin at a page. They stay mapped as long as the segment is borrowed; they are atomics, for which any
        // bytes will do and which others may change.
        unsafe {
            let ring = start.add(RINGS + index * self.shape.ring).cast::<AtomicU64>();
            slice::from_raw_parts(ring.as_ptr(), self.shape.ring / size_of::<AtomicU64>())
        }
    }

    pub(super) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// How many lanes there ever was a producer of.
    #[inline]
    pub(super) fn lanes_used(&self) -> usize {
        let used = self.room().header.high_water.load(Ordering::Acquire) as usize;
        used.min(self.shape.lanes)
    }

    /// To sleep until there is a message, as a thread of that consumer.
    pub(super) fn waiter(&self, consumer: Option<usize>) -> Waiter<'_> {
        let room = self.room();
        Waiter {
            bell: &room.ready,
            place: &self.ready,
            fences: Some(&room.fences),
            sleepers: Some(self),
            own: consumer.map(|index| &room.consumers[index].waiting),
        }
    }

    /// To sleep until there is room in a lane.
    pub(super) fn waiter_for_space(&self, lane: usize) -> Waiter<'_> {
        let room = self.room();
        Waiter {
            bell: &room.lanes[lane].space,
            place: &self.space[lane],
            fences: Some(&room.fences),
            sleepers: None,
            own: Some(&room.producers[lane].waiting),
        }
    }

    /// Refuses to go on in a process that was forked from the one that opened it.
    fn check_ours(&self) -> Result<()> {
        if self.segment.token().is_ours() {
            Ok(())
        } else {
            Err(participants::forked())
        }
    }

    /// Becomes a consumer.
    pub(super) fn sit_as_consumer(&self) -> Result<participants::Seat> {
        self.check_ours()?;
        let room = self.room();
        let recover = |index| room.recover_consumer(index);
        let token = self.segment.spare_token()?;
        participants::Seat::take(&room.consumers_high, &room.consumers, 0, token, recover)
    }

    /// Puts in order what a dead consumer left: sits down in its place, if nobody is faster, and gets up again. (As long as
    /// that takes there seems to be one consumer more.)
    fn bury(&self, consumer: usize) -> Result<()> {
        self.check_ours()?;
        let room = self.room();
        let place = &room.consumers[consumer..=consumer];
        let recover = |_| room.recover_consumer(consumer);
        let token = self.segment.spare_token()?;
        let seat = participants::Seat::take(&room.consumers_high, place, consumer, token, recover)?;
        seat.leave(&place[0]);
        Ok(())
    }

    /// Becomes the producer of a lane that has none.
    pub(super) fn sit_as_producer(
        &self,
        recover: impl FnMut(usize) -> Result<()>,
    ) -> Result<participants::Seat> {
        self.check_ours()?;
        let room = self.room();
        participants::Seat::take(
            &room.header.high_water,
            &room.producers[..self.shape.lanes],
            FIRST_PRODUCER,
            self.segment.spare_token()?,
            recover,
        )
    }

    /// What consumers hold in place in a lane, and which consumers, whether these live or not.
    pub(super) fn held_in(&self, lane: usize) -> impl Iterator<Item = (usize, Hold)> {
        let room = self.room();
        // Not before the first is asked for: who makes room fences before that.
        let holds = iter::once_with(|| {
            let high = room.consumers_high.load(Ordering::Acquire) as usize;
            room.holds[..high.min(CONSUMERS)].iter().enumerate()
        });
        holds.flatten().filter_map(move |(index, hold)| {
            let hold = Hold(hold.load(Ordering::Acquire));
            (hold.lane() == Some(lane)).then_some((index, hold))
        })
    }

    /// Where a consumer says what it holds in place.
    pub(super) fn hold_of(&self, consumer: usize) -> &AtomicU64 {
        &self.room().holds[consumer]
    }

    /// Whether a consumer lives, by the kernel's word.
    pub(super) fn is_alive(&self, consumer: usize) -> Result<bool> {
        self.segment.token().is_taken(consumer)
    }
}

/// The consumers. Each slot says how many of its threads sleep, and there is no sum of them that a death could leave wrong.
impl Sleepers for Held {
    fn are_there(&self) -> bool {
        let room = self.room();
        let mut slots = participants::used(&room.consumers_high, &room.consumers).iter();
        slots.any(|slot| slot.waiting.load(Ordering::Acquire) > 0)
    }

    #[cold]
    fn doubt_one(&self) {
        let room = self.room();
        let slots = participants::used(&room.consumers_high, &room.consumers);
        let (before, after) = slots.split_at(self.doubted.load(Ordering::Relaxed).min(slots.len()));
        let sleeps = |slot: &Slot| slot.waiting.load(Ordering::Relaxed) > 0;
        let index = match after.iter().position(sleeps) {
            Some(index) => Some(before.len() + index),
            None => before.iter().position(sleeps),
        };
        let Some(index) = index else { return };
        self.doubted.store(index + 1, Ordering::Relaxed);
        // If it cannot be known or done now, then the next time: all it costs is wake-ups for nobody.
        if self.is_alive(index).is_ok_and(|alive| !alive) {
            let _ = self.bury(index);
        }
    }
}

/// A lane that is at hand.
#[derive(Debug)]
pub(super) struct KeptLane {
    control: NonNull<Control>,
    ring: NonNull<[AtomicU64]>,
    _held: Arc<Held>,
}

// SAFETY: what it points to is made of atomics, which any thread may use, and mapped as long as `_held` is there.
unsafe impl Send for KeptLane {}
// SAFETY: as above.
unsafe impl Sync for KeptLane {}

impl KeptLane {
    #[inline(always)]
    pub(super) fn get(&self) -> Lane<'_> {
        // SAFETY: both were references into the memory of what `_held` holds, which stays mapped, and where it is, as long as
        // `self` is there.
        unsafe {
            Lane {
                control: self.control.as_ref(),
                ring: self.ring.as_ref(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_what_its_parameter_says() {
        let shape = Shape::new(3, 5000).unwrap();
        assert_eq!((shape.lanes, shape.ring), (3, 8192));
        assert_eq!(shape.size(), Some(RINGS + 3 * 8192));
        assert_eq!(shape.parameter(), 3 << 16 | 13);
        assert!(Shape::new(0, 4096).is_err() && Shape::new(257, 4096).is_err());
        assert!(Shape::new(1, (1 << 32) + 1).is_err() && Shape::new(1, u64::MAX).is_err());
    }
}
