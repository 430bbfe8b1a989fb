use super::queue::Shared;
use super::taking::{Taking, View};
use super::{Batch, Peek};
use crate::doorbell::{Readiness, Waiter};
use crate::shm::lane::Found;
use crate::shm::{Trust, Trusting, Wary};
use crate::sync::Waitable;
use crate::wait::Spin;
use crate::{Deadline, Error, ErrorKind, Result};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;

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
    view: View,
    taking: Taking,
    spin: Spin,
}

impl Consumer {
    pub(super) fn new(shared: &Arc<Shared>) -> Result<Self> {
        let view = View::new(&shared.held);
        let taking = Taking::new(&view, shared.held.sit_as_consumer()?);
        Ok(Consumer {
            parts: Parts {
                shared: shared.clone(),
                view,
                taking,
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
        let parts = &mut self.parts;
        match parts.taking.pop_the_next(&parts.view, message) {
            Some(received) => Ok(received),
            None => self.pop_later(message, deadline.into()),
        }
    }

    #[cold]
    fn pop_later(&mut self, message: &mut Vec<u8>, deadline: Deadline) -> Result<Received> {
        let Parts {
            view, taking, spin, ..
        } = &mut self.parts;
        taking.was_empty();
        if spin.sees(deadline, || taking.glance(view))
            && let Some(received) = taking.pop_the_next(view, message)
        {
            return Ok(received);
        }
        // Who asks for the next has dealt with the last, however long the next takes to come.
        taking.settle(view);
        self.parts
            .wait(deadline, |view, taking| taking.try_pop(view, message))
    }

    /// Takes the next message, if there is one now.
    ///
    /// # Errors
    /// Those of [`pop`](Self::pop).
    #[inline]
    pub fn try_pop(&mut self, message: &mut Vec<u8>) -> Result<Option<Received>> {
        let parts = &mut self.parts;
        let popped = parts
            .taking
            .try_pop(&parts.view, message)
            .map_err(|error| parts.shared.about(error))?;
        if popped.is_none() {
            parts.taking.settle(&parts.view);
        }
        Ok(popped)
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
        self.parts.wait(deadline.into(), |view, taking| {
            let count = taking.try_pop_batch(view, batch, most)?;
            Ok((count > 0).then_some(count))
        })
    }

    /// As [`pop_batch`](Self::pop_batch), of those that are there now, which may be none.
    ///
    /// # Errors
    /// Those of `pop_batch`.
    pub fn try_pop_batch(&mut self, batch: &mut Batch, most: usize) -> Result<usize> {
        let parts = &mut self.parts;
        let count = parts
            .taking
            .try_pop_batch(&parts.view, batch, most)
            .map_err(|error| parts.shared.about(error))?;
        if count == 0 && most > 0 {
            parts.taking.settle(&parts.view);
        }
        Ok(count)
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
            .wait(deadline.into(), |view, taking| taking.try_peek(view))?;
        Ok(Peek::new(&mut self.parts, received, lane, found))
    }

    /// As [`peek`](Self::peek), if there is one now.
    ///
    /// # Errors
    /// Those of `peek`.
    pub fn try_peek(&mut self) -> Result<Option<Peek<'_, T>>> {
        let parts = &mut self.parts;
        let peeked = parts
            .taking
            .try_peek(&parts.view)
            .map_err(|error| parts.shared.about(error))?;
        Ok(peeked.map(|(received, lane, found)| Peek::new(&mut self.parts, received, lane, found)))
    }

    /// Says that what was popped has been dealt with, and is not lost if the process dies now.
    pub fn done(&mut self) {
        self.parts.taking.settle(&self.parts.view);
    }
}

/// Until there is a message, which is not taken: another consumer may take it before we do.
///
/// ```
/// use quintet::Deadline;
/// use quintet::shm::Queue;
/// use quintet::sync::{Event, Reset, wait_any};
///
/// # let name = format!("queue-any-doc-{}", std::process::id());
/// let queue = Queue::create_or_open(&name)?;
/// let quit = Event::create_or_open(&name, Reset::Manual)?;
/// let mut jobs = queue.consumer()?;
/// queue.producer()?.push(b"job")?;
/// assert_eq!(wait_any(&[(&quit).into(), (&jobs).into()], Deadline::NEVER)?.index, 1);
/// assert!(jobs.try_pop(&mut Vec::new())?.is_some());
/// # Ok::<(), quintet::Error>(())
/// ```
impl<'a, T: Trust> From<&'a Consumer<T>> for Waitable<'a> {
    fn from(consumer: &'a Consumer<T>) -> Self {
        Waitable::ready(&consumer.parts)
    }
}

impl Parts {
    fn wait<R>(
        &mut self,
        deadline: Deadline,
        mut take: impl FnMut(&View, &mut Taking) -> Result<Option<R>>,
    ) -> Result<R> {
        let view = &self.view;
        let waiter = view.held.waiter(Some(self.taking.seat.index()));
        let taking = RefCell::new(&mut self.taking);
        let taken = waiter.wait_by_glances(
            &self.spin,
            deadline,
            || taking.borrow_mut().glance(view),
            || take(view, &mut taking.borrow_mut()),
            || Ok(view.is_ready()),
        );
        match taken {
            Ok(Some(taken)) => Ok(taken),
            Ok(None) => Err(self
                .shared
                .about(Error::new(ErrorKind::TimedOut, "there was no message in time"))),
            Err(error) => Err(self.shared.about(error)),
        }
    }

    /// Takes what is being peeked at: whether nobody else has.
    pub(super) fn take(&mut self, lane: usize, found: &Found) -> bool {
        // Not a forked child, which holds nothing.
        let taken = self.taking.seat.is_ours() && self.view.lane(lane).take(found, found.end());
        if taken {
            self.taking.note(&self.view, 1);
        }
        taken
    }

    /// Holds nothing in place any more.
    pub(super) fn let_go(&self, lane: usize) {
        self.taking.let_go(&self.view, lane);
    }
}

impl Readiness for Parts {
    fn is_ready(&self) -> Result<bool> {
        self.taking.seat.check_ours()?;
        Ok(self.view.is_ready())
    }

    fn waiter(&self) -> Waiter<'_> {
        self.view.held.waiter(Some(self.taking.seat.index()))
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.taking.settle(&self.view);
        self.taking.seat.leave(self.taking.slot(&self.view));
    }
}
