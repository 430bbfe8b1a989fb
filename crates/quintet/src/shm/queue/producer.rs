use super::Reservation;
use super::queue::Shared;
use super::room::{Held, KeptLane};
use super::stats;
use crate::os::atomic::Ordering;
use crate::os::fence::Publisher;
use crate::participants::{self, Seat};
use crate::shm::lane::Lane;
use crate::shm::lane::Writing;
use crate::shm::{Trust, Trusting, Wary};
use crate::wait::Spin;
use crate::{Deadline, Error, ErrorKind, Result};
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One who puts messages into a [`Queue`](super::Queue).
///
/// What it has pushed stays in the queue when it is dropped, or dies. What it has reserved and not committed was never there.
///
/// ```
/// use quintet::shm::Queue;
///
/// # let name = format!("producer-doc-{}", std::process::id());
/// let queue = Queue::create_or_open(&name)?;
/// let mut producer = queue.producer()?;
/// producer.push(b"one")?;
/// producer.push_all([b"two", b"six"])?; // seen at once, and with one wake-up
/// assert_eq!((producer.waiting(), queue.stats().waiting), (3, 3));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Producer<T: Trust = Wary> {
    pub(super) parts: Parts,
    trust: PhantomData<T>,
}

#[derive(Debug)]
pub(super) struct Parts {
    shared: Arc<Shared>,
    seat: Seat,
    lane: KeptLane,
    longest: usize,
    writing: Writing,
    publisher: Publisher,
    spin: Spin,
}

impl Producer {
    pub(super) fn new(shared: &Arc<Shared>) -> Result<Self> {
        let held = &shared.held;
        let mut writing = None;
        let seat = held.sit_as_producer(|lane| {
            let slot = &held.room().producers[lane];
            slot.waiting.store(0, Ordering::Release);
            writing = Some(Writing::resume(held.lane(lane))?);
            Ok(())
        })?;
        let writing = writing.ok_or_else(|| Error::new(ErrorKind::Os, "a lane was taken and not read"))?;
        Ok(Producer {
            parts: Parts {
                lane: held.keep_lane(seat.index()),
                longest: held.shape.longest(),
                shared: shared.clone(),
                seat,
                writing,
                publisher: Publisher::new(),
                spin: Spin::default(),
            },
            trust: PhantomData,
        })
    }

    /// Takes the other processes at their word, so that what is [reserved](Self::reserve) can be written as a slice.
    ///
    /// # Safety
    /// As long as it lives, every process that has the queue's memory open follows its protocol: through this library, or as
    /// the memory's layout says.
    pub unsafe fn trusting(self) -> Producer<Trusting> {
        Producer {
            parts: self.parts,
            trust: PhantomData,
        }
    }
}

impl<T: Trust> Producer<T> {
    /// Pushes a message, as soon as there is room for it.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if it is longer than [`Queue::max_message`](super::Queue::max_message); [`ErrorKind::Corrupt`]
    /// if some process has written into the lane; on Linux [`ErrorKind::Unsupported`] in a forked child.
    pub fn push(&mut self, message: impl AsRef<[u8]>) -> Result<()> {
        self.push_timeout(message, Deadline::NEVER)
    }

    /// As [`push`](Self::push), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `push`; it was not pushed then.
    pub fn push_timeout(&mut self, message: impl AsRef<[u8]>, deadline: impl Into<Deadline>) -> Result<()> {
        let message = message.as_ref();
        if self.parts.push_the_next(message) {
            return Ok(());
        }
        self.push_later(message, deadline.into())
    }

    #[cold]
    fn push_later(&mut self, message: &[u8], deadline: Deadline) -> Result<()> {
        if self.try_push_further(message)? {
            return Ok(());
        }
        let parts = &mut self.parts;
        let pushed = parts.wait_for_room(parts.fit(message.len())?, deadline);
        match pushed.map_err(|error| parts.shared.about(error))? {
            Some(start) => {
                parts.write(start, message);
                parts.publish();
                Ok(())
            }
            None => Err(parts.late()),
        }
    }

    /// Pushes a message if there is room for it now: whether there was.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    #[inline]
    pub fn try_push(&mut self, message: impl AsRef<[u8]>) -> Result<bool> {
        let message = message.as_ref();
        if self.parts.push_the_next(message) {
            return Ok(true);
        }
        self.try_push_further(message)
    }

    #[inline(never)]
    fn try_push_further(&mut self, message: &[u8]) -> Result<bool> {
        let parts = &mut self.parts;
        parts.begin()?;
        let len = parts.fit(message.len())?;
        let Some(start) = parts.place(len)? else {
            return Ok(false);
        };
        parts.write(start, message);
        parts.publish();
        Ok(true)
    }

    /// Pushes all of these messages, as there is room for them: those that go in together become visible by one store, and
    /// wake with one call. Returns how many they were.
    ///
    /// # Errors
    /// Those of [`push`](Self::push). Those before the one that failed were pushed: see [`pushed`](Self::pushed).
    pub fn push_all<M: AsRef<[u8]>>(&mut self, messages: impl IntoIterator<Item = M>) -> Result<usize> {
        self.push_all_timeout(messages, Deadline::NEVER)
    }

    /// As [`push_all`](Self::push_all), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `push_all`.
    pub fn push_all_timeout<M: AsRef<[u8]>>(
        &mut self,
        messages: impl IntoIterator<Item = M>,
        deadline: impl Into<Deadline>,
    ) -> Result<usize> {
        let deadline = deadline.into();
        let mut messages = messages.into_iter();
        let mut count = 0;
        loop {
            let (more, left) = self.push_those_that_fit(&mut messages)?;
            count += more;
            let Some(message) = left else { return Ok(count) };
            self.push_timeout(message, deadline)?;
            count += 1;
        }
    }

    /// Pushes as many of these messages as there is room for now, by one publication: how many. The first that did not fit is
    /// lost to who gave it as an iterator only.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn try_push_all<M: AsRef<[u8]>>(&mut self, messages: impl IntoIterator<Item = M>) -> Result<usize> {
        Ok(self.push_those_that_fit(&mut messages.into_iter())?.0)
    }

    /// Also gives the first that does not fit.
    fn push_those_that_fit<M: AsRef<[u8]>>(
        &mut self,
        messages: &mut impl Iterator<Item = M>,
    ) -> Result<(usize, Option<M>)> {
        let parts = &mut self.parts;
        parts.begin()?;
        let mut left = None;
        let mut failed = Ok(());
        while let Some(message) = parts.draft_while_it_fits(messages) {
            let bytes = message.as_ref();
            let placed = parts.fit(bytes.len()).and_then(|len| parts.place(len));
            match placed {
                Ok(Some(start)) => parts.write(start, bytes),
                Ok(None) => {
                    left = Some(message);
                    break;
                }
                Err(error) => {
                    failed = Err(error);
                    break;
                }
            }
        }
        let count = parts.publish();
        failed.map(|()| (count as usize, left))
    }

    /// A place in the queue to write a message of that length into, as soon as there is room: nobody sees it before it is
    /// [committed](Reservation::commit).
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn reserve(&mut self, len: usize) -> Result<Reservation<'_, T>> {
        self.reserve_timeout(len, Deadline::NEVER)
    }

    /// As [`reserve`](Self::reserve), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `reserve`.
    pub fn reserve_timeout(
        &mut self,
        len: usize,
        deadline: impl Into<Deadline>,
    ) -> Result<Reservation<'_, T>> {
        let parts = &mut self.parts;
        parts.begin()?;
        let fit = parts.fit(len)?;
        let start = match parts.place(fit)? {
            Some(start) => Some(start),
            None => parts
                .wait_for_room(fit, deadline.into())
                .map_err(|error| parts.shared.about(error))?,
        };
        match start {
            Some(start) => Ok(Reservation::new(&mut self.parts, start, fit)),
            None => Err(self.parts.late()),
        }
    }

    /// As [`reserve`](Self::reserve), if there is room now.
    ///
    /// # Errors
    /// Those of `reserve`.
    pub fn try_reserve(&mut self, len: usize) -> Result<Option<Reservation<'_, T>>> {
        let parts = &mut self.parts;
        parts.begin()?;
        let fit = parts.fit(len)?;
        let start = parts.place(fit)?;
        Ok(start.map(|start| Reservation::new(&mut self.parts, start, fit)))
    }

    /// Waits until everything that was pushed in its lane, by its producers before it as well, is taken.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn wait_for_drain(&mut self) -> Result<()> {
        self.wait_for_drain_timeout(Deadline::NEVER)
    }

    /// As [`wait_for_drain`](Self::wait_for_drain), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `wait_for_drain`.
    pub fn wait_for_drain_timeout(&mut self, deadline: impl Into<Deadline>) -> Result<()> {
        let parts = &mut self.parts;
        parts.begin()?;
        let (lane, end) = (parts.lane(), parts.writing.tail());
        let is_taken = || Ok(lane.is_taken(end));
        let waiter = parts.shared.held.waiter_for_space(parts.seat.index());
        let take = || Ok(lane.is_taken(end).then_some(()));
        let drained = waiter.wait(&parts.spin, deadline.into(), take, is_taken);
        match drained.map_err(|error| parts.shared.about(error))? {
            Some(()) => Ok(()),
            None => Err(parts.shared.about(Error::new(
                ErrorKind::TimedOut,
                "what was pushed was not all taken in time",
            ))),
        }
    }

    /// How many messages were pushed in its lane, by its producers before it as well: the [sequence
    /// number](super::Received::sequence) of the next one.
    pub fn pushed(&self) -> u64 {
        self.parts.writing.pushed()
    }

    /// How many of the messages [`pushed`](Self::pushed) in its lane are not taken yet.
    pub fn waiting(&self) -> u64 {
        stats::waiting(&self.parts.shared.held, self.lane(), self.pushed())
    }

    /// The number of its lane.
    pub fn lane(&self) -> usize {
        self.parts.seat.index()
    }
}

impl Parts {
    #[inline]
    pub(super) fn lane(&self) -> Lane<'_> {
        self.lane.get()
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

    /// Pushes a message if it goes right behind the last one, as nearly always. If not, that is for others to look into.
    #[inline(always)]
    fn push_the_next(&mut self, message: &[u8]) -> bool {
        if !self.seat.is_ours() || message.len() > self.longest {
            return false;
        }
        let pushed = self.writing.push(self.lane.get(), message);
        if pushed {
            self.wake(1);
        }
        pushed
    }

    /// Before anything else.
    #[inline(always)]
    fn begin(&mut self) -> Result<()> {
        self.check_ours()?;
        // What a panic left.
        self.writing.discard();
        Ok(())
    }

    /// The length, if such a message can be.
    #[inline(always)]
    fn fit(&self, len: usize) -> Result<u32> {
        if len <= self.longest {
            return Ok(len as u32);
        }
        Err(self.too_long(len))
    }

    #[cold]
    fn too_long(&self, len: usize) -> Error {
        let shape = self.shared.held.shape;
        self.shared.about(
            Error::new(
                ErrorKind::TooLarge,
                format!(
                    "a message of {len} bytes: this queue, of {} bytes a producer, takes at most {}",
                    shape.ring,
                    shape.longest()
                ),
            )
            .hint("create it with a larger capacity"),
        )
    }

    #[cold]
    fn late(&self) -> Error {
        self.shared.about(Error::new(
            ErrorKind::TimedOut,
            "there was no room in time: its consumers are slower, or there are none",
        ))
    }

    /// Where a message goes, if there is room.
    #[inline(always)]
    fn place(&mut self, len: u32) -> Result<Option<u64>> {
        let lane = self.lane.get();
        match self.writing.place(lane, len) {
            Some(start) => Ok(Some(start)),
            None => look_for_place(&self.shared.held, self.seat.index(), &mut self.writing, len)
                .map_err(|error| self.shared.about(error)),
        }
    }

    fn wait_for_room(&mut self, len: u32, deadline: Deadline) -> Result<Option<u64>> {
        self.let_consumers_run(deadline);
        let (held, lane) = (&*self.shared.held, self.seat.index());
        let state = || {
            let head = &held.lane(lane).control.head;
            // As good as a list of them.
            let held = held.held_in(lane).fold(0, |sum: u64, (consumer, hold)| {
                sum.wrapping_mul(31).wrapping_add(hold.0 ^ consumer as u64)
            });
            (head.load(Ordering::SeqCst), held)
        };
        let seen = Cell::new(state());
        let writing = RefCell::new(&mut self.writing);
        let take = || {
            seen.set(state());
            look_for_place(held, lane, &mut writing.borrow_mut(), len)
        };
        held.waiter_for_space(lane)
            .wait(&self.spin, deadline, take, || Ok(state() != seen.get()))
    }

    /// The ring is full, so the consumers are at work. Whoever looks at every message that they take slows them down, and gets
    /// room for one message at a time: so let them take half of what is there, for as long as that goes on, and no longer
    /// than microseconds. From what they have taken follows when to look again.
    fn let_consumers_run(&self, deadline: Deadline) {
        const MOST: Duration = Duration::from_micros(20);
        const FIRST: Duration = Duration::from_micros(1);
        if deadline.has_passed() {
            return;
        }
        let lane = self.lane.get();
        let enough = lane.capacity() / 2;
        let head = || lane.control.head.load(Ordering::Acquire);
        let (first, start) = (head(), Instant::now());
        let (mut last, mut until) = (first, FIRST);
        loop {
            while start.elapsed() < until {
                std::hint::spin_loop();
            }
            let now = head();
            let taken = now.wrapping_sub(first);
            // Nobody has taken any since, if the head has not been moved back by somebody who should not.
            if now == last || taken == 0 || taken >= enough || until >= MOST {
                return;
            }
            last = now;
            let times = enough.div_ceil(taken).min(20) as u32;
            until = (until * times).max(until + FIRST / 2).min(MOST);
        }
    }

    /// Writes those messages that fit right behind each other: the first that does not, if there is one.
    #[inline]
    fn draft_while_it_fits<M: AsRef<[u8]>>(&mut self, messages: &mut impl Iterator<Item = M>) -> Option<M> {
        let (lane, longest) = (self.lane.get(), self.longest);
        let mut drafting = self.writing.drafting();
        let mut left = None;
        for message in messages {
            let bytes = message.as_ref();
            let len = bytes.len() as u32;
            if bytes.len() > longest || !drafting.fits(lane, len) {
                left = Some(message);
                break;
            }
            drafting.write(lane, bytes);
        }
        self.writing.adopt(lane, drafting);
        left
    }

    #[inline(always)]
    fn write(&mut self, start: u64, message: &[u8]) {
        let len = message.len() as u32;
        let lane = self.lane.get();
        lane.write(start, message);
        self.writing.draft(lane, start, len);
    }

    /// Notes a message that is in its place already.
    pub(super) fn draft(&mut self, start: u64, len: u32) {
        let lane = self.lane.get();
        lane.end_behind(start, len);
        self.writing.draft(lane, start, len);
    }

    /// Makes visible what is drafted, and wakes who waits for it.
    #[inline(always)]
    pub(super) fn publish(&mut self) -> u32 {
        let count = self.writing.publish(self.lane.get());
        self.wake(count);
        count
    }

    /// Wakes who waits for as many messages as were published.
    #[inline(always)]
    fn wake(&mut self, count: u32) {
        let room = self.shared.held.room();
        self.publisher.fence(room.fences.load(Ordering::Relaxed) != 0);
        if room.ready.has_sleepers() {
            self.shared.held.waiter(None).wake(count);
        }
    }

    pub(super) fn about(&self, error: Error) -> Error {
        self.shared.about(error)
    }
}

/// Looks again how much room there is.
#[cold]
fn look_for_place(held: &Held, lane: usize, writing: &mut Writing, len: u32) -> Result<Option<u64>> {
    let ring = held.lane(lane);
    writing.look_for_room(ring, held.held_in(lane).map(|(_, hold)| Ok(hold)))?;
    let place = writing.place(ring, len);
    if place.is_some() || held.held_in(lane).next().is_none() {
        return Ok(place);
    }
    // Without what dead consumers hold. It is not taken away, as a new one may just be taking over from a dead one. Nor would
    // it hold what we take here: it cannot begin to hold what the head has passed.
    let of_the_living = held
        .held_in(lane)
        .filter_map(|(consumer, hold)| match held.is_alive(consumer) {
            Ok(true) => Some(Ok(hold)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        });
    writing.look_for_room(ring, of_the_living)?;
    Ok(writing.place(ring, len))
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.seat
            .leave(&self.shared.held.room().producers[self.seat.index()]);
    }
}
