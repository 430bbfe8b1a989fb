//! Over a queue: store and forward, to one of those who receive.

use super::settings::Settings;
use super::waiting::{Finding, Presence, Sight, until_somebody};
use crate::shm::{Consumer, Producer, Queue, QueueBuilder};
use crate::{Deadline, Result};

/// Finds the queue, or makes it.
fn find(settings: &Settings) -> Result<impl FnMut() -> Result<Queue> + Send + 'static> {
    let mut builder = Queue::at(&settings.plain)?;
    if let Some(ring) = settings.ring_for_longest() {
        builder = builder.capacity(ring);
    }
    let (make, open) = (QueueBuilder::create_or_open, QueueBuilder::open_existing);
    Ok(settings.finder(builder, make, open, Queue::max_message))
}

#[derive(Debug)]
struct Pushing {
    // Before the queue, which tells who is there.
    producer: Producer,
    queue: Queue,
    presence: Presence,
}

#[derive(Debug)]
pub(super) struct QueueSender(Finding<Pushing>);

impl QueueSender {
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let mut find = find(settings)?;
        let find = move || {
            let queue = find()?;
            Ok(Pushing {
                producer: queue.producer()?,
                presence: Presence::new(receivers(&queue)),
                queue,
            })
        };
        Finding::when_there(find).map(QueueSender)
    }

    #[inline]
    pub(super) fn send(&mut self, message: &[u8], deadline: Deadline) -> Result<()> {
        let end = self.0.get(deadline)?;
        if end.producer.try_push(message)? {
            return Ok(());
        }
        end.presence.wait(
            deadline,
            |slice| end.producer.push_timeout(message, slice),
            || receivers(&end.queue),
        )
    }

    pub(super) fn wait_for_peer(&mut self, deadline: Deadline) -> Result<()> {
        let end = self.0.get(deadline)?;
        until_somebody(deadline, || receivers(&end.queue).is_there)
    }

    pub(super) fn close(self, deadline: Deadline) -> Result<()> {
        match self.0.into_found() {
            Some(mut end) => end.producer.wait_for_drain_timeout(deadline),
            None => Ok(()),
        }
    }
}

fn receivers(queue: &Queue) -> Sight {
    let stats = queue.stats();
    Sight {
        is_there: stats.consumers > 0,
        trace: stats.taken,
    }
}

#[derive(Debug)]
struct Popping {
    consumer: Consumer,
    queue: Queue,
    presence: Presence,
}

#[derive(Debug)]
pub(super) struct QueueReceiver(Finding<Popping>);

impl QueueReceiver {
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let mut find = find(settings)?;
        let find = move || {
            let queue = find()?;
            Ok(Popping {
                consumer: queue.consumer()?,
                presence: Presence::new(senders(&queue)),
                queue,
            })
        };
        Finding::when_there(find).map(QueueReceiver)
    }

    #[inline]
    pub(super) fn recv(&mut self, message: &mut Vec<u8>, deadline: Deadline) -> Result<()> {
        let end = self.0.get(deadline)?;
        if end.consumer.try_pop(message)?.is_some() {
            end.presence.saw();
            return Ok(());
        }
        end.presence.wait(
            deadline,
            |slice| end.consumer.pop_timeout(message, slice).map(drop),
            || senders(&end.queue),
        )
    }

    pub(super) fn wait_for_peer(&mut self, deadline: Deadline) -> Result<()> {
        let end = self.0.get(deadline)?;
        until_somebody(deadline, || senders(&end.queue).is_there)
    }
}

fn senders(queue: &Queue) -> Sight {
    let stats = queue.stats();
    Sight {
        is_there: stats.producers > 0,
        trace: stats.pushed,
    }
}
