use super::lane::{Found, Lane};
use super::queue::Shared;
use super::record::whole_number;
use super::room::{Held, Hold};
use super::{Batch, Peek};
use crate::doorbell::{Ready, Waiter};
use crate::os::copy;
use crate::participants::{Seat, Slot};
use crate::shm::{Trust, Trusting, Wary};
use crate::wait::Spin;
use crate::{Deadline, Error, ErrorKind, Result};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// One who takes messages out of a [`Queue`](super::Queue).
///
/// What it popped last counts as being *in hand*, until it pops again, calls [`done`](Self::done), or is dropped. If the process
/// dies with it, it is [lost](super::QueueStats::lost): nobody gets it a second time.
///
/// ```
/// use quintet::shm::Queue;
///
/// # let name = format!("consumer-doc-{}", std::process::id());
/// let queue = Queue::create_or_open(&name)?;
/// queue.producer()?.push(b"hello")?;
/// let mut consumer = queue.consumer()?;
/// let mut message = Vec::new();
/// let received = consumer.pop(&mut message)?;
/// assert_eq!((message.as_slice(), received.sequence), (&b"hello"[..], 0));
/// assert!(consumer.try_pop(&mut message)?.is_none());
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Consumer<T: Trust = Wary> {
    pub(super) parts: Parts,
    trust: PhantomData<T>,
}

/// What is known of a message that was popped.
///
/// ```
/// # let queue = quintet::shm::Queue::create_or_open(&format!("received-doc-{}", std::process::id()))?;
/// # let mut producer = queue.producer()?;
/// producer.push_all(["a", "b"])?;
/// let mut consumer = queue.consumer()?;
/// let mut message = Vec::new();
/// consumer.pop(&mut message)?;
/// let second = consumer.pop(&mut message)?;
/// assert_eq!((second.lane, second.sequence, second.len), (producer.lane(), 1, 1));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Its length in bytes.
    pub len: usize,
    /// Which lane it was pushed in: all messages of one producer come in one.
    pub lane: usize,
    /// How many messages were pushed in that lane before.
    pub sequence: u64,
}

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) shared: Arc<Shared>,
    own: Own,
    spin: Spin,
}

/// What a consumer knows for itself.
#[derive(Debug)]
struct Own {
    seat: Seat,
    /// Which lane to look at first.
    next: usize,
    /// How many were taken from that lane in a row.
    in_a_row: u32,
    /// As the slot says.
    done: u64,
    in_hand: u64,
    /// The last number seen in each lane.
    numbers: Vec<u64>,
    /// Of lanes that make no sense: where, so that it is said once.
    senseless: Vec<Option<u64>>,
}

/// After so many from one lane the others come first.
const MOST_IN_A_ROW: u32 = 32;

/// Longer messages are taken first and copied then; shorter ones are copied first, as another may take them meanwhile, but
/// saying that one holds them costs more than a copy in vain.
const COPIED_FIRST: u32 = 2048;

impl Consumer {
    pub(super) fn new(shared: &Arc<Shared>) -> Result<Self> {
        let held = &shared.held;
        let seat = held.sit_as_consumer()?;
        let done = held.room().consumers[seat.index()].aux.load(Ordering::Acquire);
        let numbers = (0..held.shape.lanes)
            .map(|lane| held.lane(lane).control.pushed.load(Ordering::Acquire))
            .collect();
        Ok(Consumer {
            parts: Parts {
                shared: shared.clone(),
                own: Own {
                    seat,
                    next: 0,
                    in_a_row: 0,
                    done,
                    in_hand: 0,
                    numbers,
                    senseless: vec![None; held.shape.lanes],
                },
                spin: Spin::default(),
            },
            trust: PhantomData,
        })
    }

    /// Takes the other processes at their word, so that what it [peeks](Self::try_peek) at can be read as a slice.
    ///
    /// # Safety
    /// As of [`Producer::trusting`](super::Producer::trusting).
    pub unsafe fn trusting(self) -> Consumer<Trusting> {
        Consumer {
            parts: self.parts,
            trust: PhantomData,
        }
    }
}

impl<T: Trust> Consumer<T> {
    /// Takes the next message, as soon as there is one; its bytes become those of `message`.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if some process has written into a lane, which is then left out; on Linux
    /// [`ErrorKind::Unsupported`] in a forked child.
    pub fn pop(&mut self, message: &mut Vec<u8>) -> Result<Received> {
        self.pop_timeout(message, Deadline::NEVER)
    }

    /// As [`pop`](Self::pop), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `pop`.
    pub fn pop_timeout(&mut self, message: &mut Vec<u8>, deadline: impl Into<Deadline>) -> Result<Received> {
        if let Some(received) = self.try_pop(message)? {
            return Ok(received);
        }
        self.parts
            .wait(deadline.into(), |held, own| own.try_pop(held, message))
    }

    /// Takes the next message, if there is one now.
    ///
    /// # Errors
    /// Those of [`pop`](Self::pop).
    #[inline]
    pub fn try_pop(&mut self, message: &mut Vec<u8>) -> Result<Option<Received>> {
        let parts = &mut self.parts;
        parts
            .own
            .try_pop(&parts.shared.held, message)
            .map_err(|error| parts.shared.about(error))
    }

    /// Takes up to `most` messages that are there, as soon as there is one: how many. They are put behind those that are in the
    /// batch already. For each lane it is one step, so it costs less a message than [`pop`](Self::pop).
    ///
    /// # Errors
    /// Those of `pop`.
    pub fn pop_batch(&mut self, batch: &mut Batch, most: usize) -> Result<usize> {
        self.pop_batch_timeout(batch, most, Deadline::NEVER)
    }

    /// As [`pop_batch`](Self::pop_batch), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `pop_batch`.
    pub fn pop_batch_timeout(
        &mut self,
        batch: &mut Batch,
        most: usize,
        deadline: impl Into<Deadline>,
    ) -> Result<usize> {
        let count = self.try_pop_batch(batch, most)?;
        if count > 0 || most == 0 {
            return Ok(count);
        }
        self.parts.wait(deadline.into(), |held, own| {
            let count = own.try_pop_batch(held, batch, most)?;
            Ok((count > 0).then_some(count))
        })
    }

    /// As [`pop_batch`](Self::pop_batch), of those that are there now, which may be none.
    ///
    /// # Errors
    /// Those of `pop_batch`.
    pub fn try_pop_batch(&mut self, batch: &mut Batch, most: usize) -> Result<usize> {
        let parts = &mut self.parts;
        parts
            .own
            .try_pop_batch(&parts.shared.held, batch, most)
            .map_err(|error| parts.shared.about(error))
    }

    /// The next message where it is, as soon as there is one. It stays in the queue until it is [taken](Peek::take).
    ///
    /// # Errors
    /// Those of [`pop`](Self::pop).
    pub fn peek(&mut self) -> Result<Peek<'_, T>> {
        self.peek_timeout(Deadline::NEVER)
    }

    /// As [`peek`](Self::peek), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `peek`.
    pub fn peek_timeout(&mut self, deadline: impl Into<Deadline>) -> Result<Peek<'_, T>> {
        let (received, lane, found) = self
            .parts
            .wait(deadline.into(), |held, own| own.try_peek(held))?;
        Ok(Peek::new(&mut self.parts, received, lane, found))
    }

    /// As [`peek`](Self::peek), if there is one now.
    ///
    /// # Errors
    /// Those of `peek`.
    pub fn try_peek(&mut self) -> Result<Option<Peek<'_, T>>> {
        let parts = &mut self.parts;
        let peeked = parts
            .own
            .try_peek(&parts.shared.held)
            .map_err(|error| parts.shared.about(error))?;
        Ok(peeked.map(|(received, lane, found)| Peek::new(&mut self.parts, received, lane, found)))
    }

    /// Says that what was popped has been dealt with, and is not lost if the process dies now.
    pub fn done(&mut self) {
        self.parts.own.settle(&self.parts.shared.held);
    }

    pub(crate) fn ready(&self) -> &dyn Ready {
        &self.parts
    }
}

impl Parts {
    fn wait<R>(
        &mut self,
        deadline: Deadline,
        mut take: impl FnMut(&Held, &mut Own) -> Result<Option<R>>,
    ) -> Result<R> {
        let held = &*self.shared.held;
        let waiter = held.waiter(Some(self.own.seat.index()));
        let own = &mut self.own;
        let taken = waiter.wait(&self.spin, deadline, || take(held, own), || Ok(is_ready(held)));
        match taken {
            Ok(Some(taken)) => Ok(taken),
            Ok(None) => Err(self.shared.about(Error::new(
                ErrorKind::TimedOut,
                "there was no message in time",
            ))),
            Err(error) => Err(self.shared.about(error)),
        }
    }

    /// Takes what is being peeked at: whether nobody else has.
    pub(super) fn take(&mut self, lane: usize, found: &Found) -> bool {
        let held = &*self.shared.held;
        let taken = held.lane(lane).take(found, found.end());
        if taken {
            self.own.note(held, 1);
        }
        taken
    }

    /// Holds nothing in place any more.
    pub(super) fn let_go(&self, lane: usize) {
        self.own.let_go(&self.shared.held, lane);
    }
}

impl Ready for Parts {
    fn is_ready(&self) -> Result<bool> {
        self.own.seat.check_ours()?;
        Ok(is_ready(&self.shared.held))
    }

    fn waiter(&self) -> Waiter<'_> {
        self.shared.held.waiter(Some(self.own.seat.index()))
    }
}

/// Whether there is a message. A lane that makes no sense has none: who pops says so.
fn is_ready(held: &Held) -> bool {
    (0..held.lanes_used()).any(|lane| matches!(held.lane(lane).find(), Ok(Some(_))))
}

impl Own {
    fn slot<'a>(&self, held: &'a Held) -> &'a Slot {
        &held.room().consumers[self.seat.index()]
    }

    /// The next message of all lanes.
    #[inline]
    fn seek(&mut self, held: &Held) -> Result<Option<(usize, Found)>> {
        self.seat.check_ours()?;
        let lanes = held.lanes_used();
        if self.in_a_row >= MOST_IN_A_ROW {
            self.next += 1;
            self.in_a_row = 0;
        }
        for _ in 0..lanes {
            if self.next >= lanes {
                self.next = 0;
            }
            match held.lane(self.next).find() {
                Ok(Some(found)) => {
                    self.in_a_row += 1;
                    return Ok(Some((self.next, found)));
                }
                Ok(None) => {}
                Err(error) => self.make_sense(held.lane(self.next), error)?,
            }
            self.next += 1;
            self.in_a_row = 0;
        }
        Ok(None)
    }

    /// Says once that a lane makes no sense.
    #[cold]
    fn make_sense(&mut self, lane: Lane<'_>, error: Error) -> Result<()> {
        let at = Some(lane.control.head.load(Ordering::Acquire));
        let known = &mut self.senseless[self.next];
        if *known == at {
            return Ok(());
        }
        *known = at;
        self.next += 1;
        Err(error)
    }

    fn received(&mut self, lane: usize, found: &Found) -> Received {
        let number = &mut self.numbers[lane];
        *number = whole_number(found.number, *number);
        Received {
            len: found.len as usize,
            lane,
            sequence: *number,
        }
    }

    #[inline]
    fn try_pop(&mut self, held: &Held, message: &mut Vec<u8>) -> Result<Option<Received>> {
        message.clear();
        while let Some((index, found)) = self.seek(held)? {
            let lane = held.lane(index);
            let Some(body) = lane.body(found.at, found.len) else {
                continue;
            };
            let len = found.len as usize;
            if found.len <= COPIED_FIRST {
                message.clear();
                copy::append(body, len, message);
                if !lane.take(&found, found.end()) {
                    continue;
                }
                self.note(held, 1);
                make_room_known(held, index);
            } else {
                self.hold(held, index, &found);
                let taken = lane.take(&found, found.end());
                if taken {
                    self.note(held, 1);
                    message.clear();
                    copy::append(body, len, message);
                }
                self.let_go(held, index);
                if !taken {
                    continue;
                }
            }
            return Ok(Some(self.received(index, &found)));
        }
        message.clear();
        Ok(None)
    }

    fn try_pop_batch(&mut self, held: &Held, batch: &mut Batch, most: usize) -> Result<usize> {
        let mut count = 0;
        while count < most {
            let sought = match self.seek(held) {
                // Those that were taken are given first.
                Err(_) if count > 0 => break,
                sought => sought?,
            };
            let Some((index, first)) = sought else { break };
            let lane = held.lane(index);
            let before = batch.len();
            let mut last = first;
            let mut next = Some(first);
            // What is copied here is right if it can be taken after that.
            while let Some(found) = next {
                let Some(body) = lane.body(found.at, found.len) else { break };
                let received = self.received(index, &found);
                batch.add(body, received);
                last = found;
                if count + (batch.len() - before) >= most || batch.is_large() {
                    break;
                }
                next = lane.find_after(&found);
            }
            let added = batch.len() - before;
            if added > 0 && lane.take(&first, last.end()) {
                count += added;
                self.in_a_row = MOST_IN_A_ROW;
                make_room_known(held, index);
                if batch.is_large() {
                    break;
                }
            } else {
                batch.truncate(before);
            }
        }
        if count > 0 {
            self.note(held, count as u64);
        }
        Ok(count)
    }

    fn try_peek(&mut self, held: &Held) -> Result<Option<(Received, usize, Found)>> {
        while let Some((index, found)) = self.seek(held)? {
            self.hold(held, index, &found);
            // After saying so: whoever takes it from now on finds that we hold it, or has taken it before, which we see.
            fence(Ordering::SeqCst);
            if held.lane(index).control.head.load(Ordering::SeqCst) == found.head {
                self.settle(held);
                return Ok(Some((self.received(index, &found), index, found)));
            }
            self.let_go(held, index);
        }
        Ok(None)
    }

    /// Says that a record is held in place. Before it is taken, so that there is no moment in between.
    fn hold(&self, held: &Held, lane: usize, found: &Found) {
        let hold = Hold::of(lane, found.at);
        self.slot(held).held.store(hold.0, Ordering::SeqCst);
        crate::os::step::step();
    }

    fn let_go(&self, held: &Held, lane: usize) {
        self.slot(held).held.store(0, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        make_room_known(held, lane);
    }

    /// What was in hand is done, and so many more are.
    #[inline]
    fn note(&mut self, held: &Held, count: u64) {
        let slot = self.slot(held);
        crate::os::step::step();
        self.done += self.in_hand;
        slot.aux.store(self.done, Ordering::Release);
        self.in_hand = count;
        slot.in_hand.store(count, Ordering::Release);
    }

    fn settle(&mut self, held: &Held) {
        if self.in_hand > 0 {
            self.note(held, 0);
        }
    }
}

/// Wakes the producer of a lane, if it waits for room.
#[inline]
fn make_room_known(held: &Held, lane: usize) {
    if held.lane(lane).control.space.has_sleepers() {
        held.waiter_for_space(lane).wake(1);
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let held = &*self.shared.held;
        if self.own.seat.check_ours().is_ok() {
            self.own.settle(held);
        }
        self.own.seat.leave(self.own.slot(held));
    }
}
