use super::SampleLoan;
use super::lapping::Lapping;
use super::peers::{self, Acquaintance};
use super::room::{self, FIRST_SUBSCRIBER, Lanes};
use super::topic::Shared;
use crate::os::atomic::Ordering;
use crate::os::copy;
use crate::os::fence::Publisher as Fence;
use crate::participants::{self, Seat};
use crate::shm::lane::{Lane, extent};
use crate::shm::{Trust, Trusting, Wary, prefault};
use crate::wait::Spin;
use crate::{Error, ErrorKind, Result};
use std::marker::PhantomData;
use std::sync::Arc;

/// One who publishes on a [`Topic`](super::Topic).
///
/// It never waits for a subscriber. What it published stays for those who have not received it yet, also when it is dropped, or
/// dies, until a later publisher of its lane needs the room.
///
/// ```
/// use quintet::shm::Topic;
///
/// # let name = format!("publisher-doc-{}", std::process::id());
/// let topic = Topic::create_or_open(&name)?;
/// let mut subscriber = topic.subscriber()?;
/// let mut publisher = topic.publisher()?;
/// publisher.publish(b"small ones are copied")?;
/// let mut frame = publisher.loan(8)?; // large ones are written where they stay
/// frame.write_at(0, b"in place")?;
/// frame.publish()?;
/// assert_eq!((publisher.published(), publisher.subscribers()), (2, 1));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Publisher<T: Trust = Wary> {
    pub(super) parts: Parts,
    trust: PhantomData<T>,
}

#[derive(Debug)]
pub(super) struct Parts {
    // Before what it is a seat in.
    seat: Seat,
    lanes: Lanes,
    pub(super) shared: Arc<Shared>,
    lapping: Lapping,
    /// How many bytes were published in its lane.
    bytes: u64,
    fence: Fence,
    pub(super) spin: Spin,
    /// The subscribers that it was told of.
    pub(super) known: Acquaintance,
}

impl Publisher {
    pub(super) fn new(shared: &Arc<Shared>) -> Result<Self> {
        let held = &shared.held;
        let lanes = held.lanes()?;
        let mut lapping = None;
        let seat = held.sit_as_publisher(|lane| {
            lapping = Some(Lapping::resume(lanes.get(lane))?);
            Ok(())
        })?;
        peers::tell(held);
        let bytes = lanes.get(seat.index()).control.bytes.load(Ordering::Relaxed);
        let lapping = lapping.ok_or_else(|| Error::new(ErrorKind::Os, "a lane was taken and not read"))?;
        Ok(Publisher {
            parts: Parts {
                seat,
                lanes,
                shared: shared.clone(),
                lapping,
                bytes,
                fence: Fence::new(),
                spin: Spin::default(),
                known: Acquaintance::default(),
            },
            trust: PhantomData,
        })
    }

    /// Takes the other processes at their word, so that what is [lent](Self::loan) can be written as a slice.
    ///
    /// # Safety
    /// As long as it lives, every process that has the topic's memory open follows its protocol: through this library, or as
    /// the memory's layout says.
    pub unsafe fn trusting(self) -> Publisher<Trusting> {
        Publisher {
            parts: self.parts,
            trust: PhantomData,
        }
    }
}

impl<T: Trust> Publisher<T> {
    /// Publishes a copy of that: its sequence number, the first's is 0. It is there for every subscriber, as long as its place is
    /// not needed for later ones.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if it is longer than [`Topic::max_message`](super::Topic::max_message); [`ErrorKind::Full`] if what
    /// subscribers hold in place leaves no room for it, even if all the rest were forgotten, which it then is not; [`ErrorKind::Corrupt`] if some process has written into the lane; on
    /// Linux [`ErrorKind::Unsupported`] in a forked child.
    #[inline]
    pub fn publish(&mut self, message: impl AsRef<[u8]>) -> Result<u64> {
        let message = message.as_ref();
        let parts = &mut self.parts;
        let (start, len) = parts.place(message.len())?;
        parts.lane().write(start, message);
        parts
            .lapping
            .writing
            .draft(parts.lanes.get(parts.seat.index()), start, len);
        Ok(parts.publish(len))
    }

    /// A place in the topic to write a message of that length into: nobody sees it before it is
    /// [published](SampleLoan::publish).
    ///
    /// # Errors
    /// Those of [`publish`](Self::publish).
    pub fn loan(&mut self, len: usize) -> Result<SampleLoan<'_, T>> {
        let (start, len) = self.parts.place(len)?;
        Ok(SampleLoan::new(&mut self.parts, start, len))
    }

    /// How many messages were published in its lane, by its publishers before it as well: the sequence number of the next.
    pub fn published(&self) -> u64 {
        self.parts.lapping.writing.pushed()
    }

    /// Touches every page that its messages will lie in, so that none of them waits for the system to find one.
    pub fn prefault(&self) {
        prefault::touch(self.parts.lane().ring);
    }

    /// The number of its lane.
    pub fn lane(&self) -> usize {
        self.parts.seat.index()
    }
}

impl Parts {
    #[inline(always)]
    pub(super) fn lane(&self) -> Lane<'_> {
        self.lanes.get(self.seat.index())
    }

    /// Refuses to go on in a process that was forked from the one whose it is.
    #[inline(always)]
    pub(super) fn check_ours(&self) -> Result<()> {
        if self.seat.is_ours() {
            Ok(())
        } else {
            Err(self.shared.about(participants::forked()))
        }
    }

    /// Where a message of that length goes.
    #[inline(always)]
    fn place(&mut self, len: usize) -> Result<(u64, u32)> {
        self.check_ours()?;
        // What a panic left.
        self.lapping.writing.discard();
        let shape = self.shared.held.shape;
        if len > shape.longest() {
            return Err(self.too_long(len));
        }
        let len = len as u32;
        match self.lapping.place(self.lane(), len) {
            Some(start) => Ok((start, len)),
            None => self.make_room(len).map(|start| (start, len)),
        }
    }

    #[cold]
    fn make_room(&mut self, len: u32) -> Result<u64> {
        let index = self.seat.index();
        let held = &self.shared.held;
        let lane = self.lanes.get(index);
        let by_anybody = || held.held_in(index).map(|(_, hold)| Ok(hold));
        // It is not taken away from the dead, as a new one may just be taking over from a dead one. Nor would it hold what we
        // take here: it cannot begin to hold what has been passed.
        let by_the_living = || {
            // All that one holds comes together, and the kernel is asked about him once.
            let mut asked: Option<(usize, bool)> = None;
            held.held_in(index)
                .filter_map(move |(subscriber, hold)| match asked {
                    Some((who, lives)) if who == subscriber => lives.then_some(Ok(hold)),
                    _ => match held.is_alive(FIRST_SUBSCRIBER + subscriber) {
                        Ok(lives) => {
                            asked = Some((subscriber, lives));
                            lives.then_some(Ok(hold))
                        }
                        Err(error) => Some(Err(error)),
                    },
                })
        };
        match self.lapping.make_room(lane, len, by_anybody, by_the_living) {
            Ok(Some(start)) => Ok(start),
            Ok(None) => Err(self.shared.about(
                Error::new(
                    ErrorKind::Full,
                    "what subscribers hold in place leaves no room for a message of that length",
                )
                .hint("hold less for a shorter time, or make the topic with a larger capacity"),
            )),
            Err(error) => Err(self.shared.about(error)),
        }
    }

    #[cold]
    fn too_long(&self, len: usize) -> Error {
        let shape = self.shared.held.shape;
        let what = format!(
            "a message of {len} bytes: this topic, of {} bytes a publisher, takes at most {}",
            shape.ring,
            shape.longest()
        );
        self.shared
            .about(Error::new(ErrorKind::TooLarge, what).hint("create it with a larger capacity"))
    }

    /// Notes a message that is in its place already, and makes it visible: its number.
    pub(super) fn publish_in_place(&mut self, start: u64, len: u32) -> u64 {
        let lane = self.lanes.get(self.seat.index());
        lane.end_behind(start, len);
        self.lapping.writing.draft(lane, start, len);
        self.publish(len)
    }

    /// Makes visible what is drafted, a message of that length, and wakes who waits for it: its number.
    #[inline(always)]
    fn publish(&mut self, len: u32) -> u64 {
        let held = &self.shared.held;
        let lane = self.lanes.get(self.seat.index());
        let number = self.lapping.writing.pushed();
        // In the line in which it is noted next that there is one more.
        self.bytes = self.bytes.wrapping_add(len.into());
        lane.control.bytes.store(self.bytes, Ordering::Relaxed);
        self.lapping.writing.publish(lane);
        let room = held.room();
        self.fence.fence(room.fences.load(Ordering::Relaxed) != 0);
        if room.published.has_sleepers() {
            held.waiter(None).wake(u32::MAX);
        }
        // Where the end behind the next message goes, if that is as long: it comes over while this one is read.
        copy::will_write(lane.word(self.lapping.writing.tail().wrapping_add(extent(len.into()))));
        number
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let held = &self.shared.held;
        room::leave(held, &self.seat, &held.room().publishers[self.seat.index()]);
    }
}
