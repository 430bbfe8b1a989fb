//! The ends of a topic: what `send` and `pub` publish on, and `recv` and `sub` subscribe to.

use crate::args::EndpointArgs;
use crate::connection::Messages;
use crate::failure::Failure;
use crate::note;
use crate::object;
use crate::patience;
use crate::record::Source;
use quintet::shm::{Delivered, Publisher, Subscriber, Topic};
use quintet::{Address, Deadline, ErrorKind, Scheme};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// How often to say that messages are lost, while more and more are.
const REMINDER: Duration = Duration::from_secs(1);

/// An end of a topic, about to be opened.
#[derive(Debug)]
pub(crate) struct TopicEnd {
    /// With all options that it has, by flag or not.
    address: Address,
    deadline: Deadline,
}

impl TopicEnd {
    /// The topic of an address; `None` if it is an address of something else.
    pub(crate) fn at(address: &Address, args: &EndpointArgs) -> Result<Option<Self>, Failure> {
        if address.scheme() != Scheme::Topic {
            return Ok(None);
        }
        // Finds what is wrong with the address as it was given; with the flags in it, it would not be recognised.
        let _ = Topic::at(address)?;
        let max_message = args.max_message.map(|_| "--max-message");
        if let Some(flag) = args.for_pipes().or(max_message) {
            return Err(Failure::Usage(format!(
                "{flag} is not for topic://: either side makes a topic, for messages of a little less than half its \
                 --capacity"
            )));
        }
        if !args.topics.is_empty() {
            return Err(Failure::Usage(
                "--topic is for sockets, which have several topics; a topic:// is one".into(),
            ));
        }
        if args.queue.producers.is_some() {
            return Err(Failure::Usage(
                "--producers is for queue://; a topic has --publishers".into(),
            ));
        }
        let flags = [
            ("capacity", args.queue.capacity.map(|bytes| bytes.to_string())),
            ("publishers", args.topic.publishers.map(|n| n.to_string())),
            ("subscribe", args.topic.subscribe.map(|who| who.to_string())),
            ("access", args.access.map(|access| access.to_string())),
            ("persistent", args.persistent.then(|| "true".into())),
        ];
        Ok(Some(TopicEnd {
            address: object::with_flags(address, flags),
            deadline: args.timeout.into(),
        }))
    }

    /// Opens it to publish, once there are so many to get it.
    pub(crate) fn publish(&self, subscribers: usize) -> Result<Inlet, Failure> {
        let topic = self.open()?;
        let mut publisher = topic.publisher()?;
        if subscribers > 0 {
            let what = || match subscribers {
                1 => format!("a subscriber of {}", topic.address()),
                _ => format!("{subscribers} subscribers of {}", topic.address()),
            };
            patience::wait_for(self.deadline.remaining(), what, |time| {
                publisher.wait_for_subscribers(subscribers, time)
            })?;
        }
        Ok(Inlet {
            publisher: RefCell::new(publisher),
            topic,
        })
    }

    /// Opens it to receive what is published from now on; of a lane at most the last `depth` of what was missed.
    pub(crate) fn subscribe(&self, depth: Option<u64>) -> Result<Outlet, Failure> {
        let topic = self.open()?;
        Ok(Outlet {
            subscriber: match depth {
                Some(depth) => topic.subscriber_with(depth)?,
                None => topic.subscriber()?,
            },
            address: topic.address().clone(),
            deadline: self.deadline,
            has_waited: false,
            // Who asks for the newest only knows that he misses others.
            tells: depth.is_none(),
            untold: 0,
            told: None,
        })
    }

    /// Makes it, or opens the one that is there.
    fn open(&self) -> Result<Topic, Failure> {
        let topic = Topic::at(&self.address)?.create_or_open()?;
        object::check_topic(&topic, &self.address)?;
        Ok(topic)
    }
}

/// Where messages are published.
#[derive(Debug)]
pub(crate) struct Inlet {
    publisher: RefCell<Publisher>,
    topic: Topic,
}

impl Inlet {
    pub(crate) fn publish(&self, message: &[u8]) -> Result<(), Failure> {
        self.publisher.borrow_mut().publish(message)?;
        Ok(())
    }

    /// The longest message.
    pub(crate) fn max_message(&self) -> u64 {
        self.topic.max_message() as u64
    }

    /// Ends, with what has come of publishing. A person who has reached nobody is told.
    pub(crate) fn finish(&self, sent: Result<(), Failure>) -> Result<(), Failure> {
        if sent.is_ok() && self.publisher.borrow().subscribers() == 0 {
            note::say(|| format!("{}: nobody subscribes to it", self.topic.address()));
        }
        sent
    }
}

/// Where what is published comes out.
#[derive(Debug)]
pub(crate) struct Outlet {
    subscriber: Subscriber,
    address: Address,
    deadline: Deadline,
    has_waited: bool,
    /// Whether to say that messages were lost,
    tells: bool,
    /// how many of which that was not said yet, and when it was the last time.
    untold: u64,
    told: Option<Instant>,
}

impl Outlet {
    /// Receives the next message. A person is told what the first is waited for.
    fn receive(&mut self, message: &mut Vec<u8>) -> Result<Delivered, Failure> {
        // What comes without end is no reason to go on for ever.
        if self.subscriber.received() > 0 && self.deadline.has_passed() {
            let why = format!("{}: the time has passed", self.address);
            return Err(Failure::Deadline(why));
        }
        if let Some(delivered) = self.subscriber.try_copy(message)? {
            return Ok(delivered);
        }
        // It has caught up.
        self.tell();
        loop {
            let subscriber = &mut self.subscriber;
            let waited = if self.has_waited {
                subscriber.copy_timeout(message, self.deadline)
            } else {
                self.has_waited = true;
                let what = || self.address.to_string();
                patience::wait_for(self.deadline.remaining(), what, |time| {
                    subscriber.copy_timeout(message, time)
                })
            };
            match waited {
                // There are others, or will be.
                Err(error) if error.kind() == ErrorKind::PeerDied => note::complain(error),
                waited => return Ok(waited?),
            }
        }
    }

    /// So many were lost before the message that came.
    fn lost(&mut self, lost: u64) {
        self.untold = self.untold.saturating_add(lost);
        if self.told.is_none_or(|told| told.elapsed() >= REMINDER) {
            self.tell();
        }
    }

    /// Says how many were lost since that was said.
    fn tell(&mut self) {
        let lost = std::mem::take(&mut self.untold);
        if lost == 0 || !self.tells {
            return;
        }
        self.told = Some(Instant::now());
        let what = if lost == 1 { "message was" } else { "messages were" };
        note::complain(format!(
            "{}: {lost} {what} lost, which came faster than they were taken; a topic with a larger --capacity keeps more",
            self.address
        ));
    }
}

impl Messages for Outlet {
    fn next(&mut self, message: &mut Vec<u8>, source: &mut Source) -> Result<(), Failure> {
        let delivered = self.receive(message)?;
        self.lost(delivered.lost);
        source.number(delivered.sequence);
        source.lane(delivered.lane);
        source.lost(delivered.lost);
        Ok(())
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.tell();
    }
}
