//! The ends of a queue: what `send` and `push` put messages into, and `recv` and `pull` take them out of.

use crate::args::{AccessArgs, EndpointArgs};
use crate::connection::Messages;
use crate::failure::Failure;
use crate::object;
use crate::patience;
use crate::record::Source;
use quintet::shm::{Consumer, Producer, Queue, Received};
use quintet::{Address, Deadline, ErrorKind, Scheme, named};
use std::cell::RefCell;

/// An end of a queue, about to be opened.
#[derive(Debug)]
pub(crate) struct QueueEnd {
    /// With all options that it has, by flag or not.
    address: Address,
    deadline: Deadline,
}

impl QueueEnd {
    /// The queue of an address; `None` if it is an address of something else.
    pub(crate) fn at(address: &Address, args: &EndpointArgs) -> Result<Option<Self>, Failure> {
        if address.scheme() != Scheme::Queue {
            return Ok(None);
        }
        // Finds what is wrong with the address as it was given; with the flags in it, it would not be recognised.
        let _ = Queue::at(address)?;
        let max_message = args.max_message.map(|_| "--max-message");
        if let Some(flag) = args.for_pipes().or(max_message) {
            return Err(Failure::Usage(format!(
                "{flag} is not for queue://: either side makes a queue, for messages of a little less than half its \
                 --capacity"
            )));
        }
        if args.topic.publishers.is_some() {
            return Err(Failure::Usage(
                "--publishers is for topic://; a queue has --producers".into(),
            ));
        }
        let flags = [
            ("capacity", args.queue.capacity.map(|bytes| bytes.to_string())),
            ("producers", args.queue.producers.map(|n| n.to_string())),
            ("access", args.access.map(|access| access.to_string())),
            ("persistent", args.persistent.then(|| "true".into())),
        ];
        Ok(Some(QueueEnd {
            address: object::with_flags(address, flags),
            deadline: args.timeout.into(),
        }))
    }

    /// Opens it to put messages in. `drains`: to wait until they are taken.
    pub(crate) fn produce(&self, drains: bool) -> Result<Inlet, Failure> {
        let queue = if drains || self.address.option("persistent") == Some("true") {
            self.open()?
        } else {
            // What is put into a queue that nobody else has would be gone at once.
            let queue = object::existing(&self.address, &AccessArgs::default(), |address| {
                Queue::at(address)?.open_existing()
            })?;
            object::check_queue(&queue, &self.address)?;
            queue
        };
        let producer = queue.producer()?;
        Ok(Inlet {
            first: producer.pushed(),
            producer: RefCell::new(producer),
            drains: drains && !is_persistent(queue.address()),
            queue,
        })
    }

    /// Opens it to take messages out.
    pub(crate) fn consume(&self) -> Result<Outlet, Failure> {
        let queue = self.open()?;
        Ok(Outlet {
            consumer: queue.consumer()?,
            address: queue.address().clone(),
            deadline: self.deadline,
            has_waited: false,
        })
    }

    /// Makes it, or opens the one that is there.
    fn open(&self) -> Result<Queue, Failure> {
        let queue = Queue::at(&self.address)?.create_or_open()?;
        object::check_queue(&queue, &self.address)?;
        Ok(queue)
    }
}

/// Whether it stays when nobody has it open.
fn is_persistent(address: &Address) -> bool {
    let look = || {
        named::kind(address.scheme())
            .ok()?
            .stat(address.name().ok()?)
            .ok()
    };
    look().is_some_and(|entry| entry.detail("persistent") == Some("yes"))
}

/// Where messages are put in.
#[derive(Debug)]
pub(crate) struct Inlet {
    producer: RefCell<Producer>,
    queue: Queue,
    /// The number of our first message: in its lane there were others before.
    first: u64,
    drains: bool,
}

impl Inlet {
    pub(crate) fn push(&self, message: &[u8], deadline: Deadline) -> Result<(), Failure> {
        Ok(self.producer.borrow_mut().push_timeout(message, deadline)?)
    }

    /// The longest message.
    pub(crate) fn max_message(&self) -> u64 {
        self.queue.max_message() as u64
    }

    /// Ends, with what has come of sending: what was put in is there only while somebody has the queue open.
    pub(crate) fn finish(&self, sent: Result<(), Failure>, deadline: Deadline) -> Result<(), Failure> {
        if !self.drains {
            return sent;
        }
        match sent {
            Ok(()) => self.drain(deadline),
            Err(Failure::Deadline(why)) => Err(Failure::Deadline(match self.left() {
                (0, _) => why,
                (left, pushed) => format!("{why}; {left} of {pushed} that were put in were not taken"),
            })),
            Err(why) if self.left().0 == 0 => Err(why),
            // What went in before still counts.
            Err(why) => {
                let code = why.report();
                self.drain(deadline)?;
                Err(Failure::Ended(code))
            }
        }
    }

    fn drain(&self, deadline: Deadline) -> Result<(), Failure> {
        let what = || format!("{}: its messages to be taken", self.queue.address());
        let drained = patience::wait_for(deadline.remaining(), what, |time| {
            self.producer.borrow_mut().wait_for_drain_timeout(time)
        });
        drained.map_err(|error| match error.kind() {
            ErrorKind::TimedOut => {
                let (left, pushed) = self.left();
                Failure::Deadline(format!(
                    "{}: {left} of {pushed} messages were not taken in time, and are gone unless another process has it open",
                    self.queue.address()
                ))
            }
            _ => error.into(),
        })
    }

    /// How many of ours were not taken, and how many are ours.
    fn left(&self) -> (u64, u64) {
        let producer = self.producer.borrow();
        let pushed = producer.pushed().saturating_sub(self.first);
        (producer.waiting().min(pushed), pushed)
    }
}

/// Where messages are taken out.
#[derive(Debug)]
pub(crate) struct Outlet {
    consumer: Consumer,
    address: Address,
    deadline: Deadline,
    has_waited: bool,
}

impl Outlet {
    /// Takes the next message. A person is told what the first is waited for.
    fn pop(&mut self, message: &mut Vec<u8>) -> Result<Received, Failure> {
        let consumer = &mut self.consumer;
        if self.has_waited {
            return Ok(consumer.pop_timeout(message, self.deadline)?);
        }
        self.has_waited = true;
        let what = || self.address.to_string();
        Ok(patience::wait_for(self.deadline.remaining(), what, |time| {
            consumer.pop_timeout(message, time)
        })?)
    }
}

impl Messages for Outlet {
    fn next(&mut self, message: &mut Vec<u8>, source: &mut Source) -> Result<(), Failure> {
        let received = self.pop(message)?;
        source.number(received.sequence);
        source.lane(received.lane);
        Ok(())
    }

    fn done(&mut self) {
        self.consumer.done();
    }
}
