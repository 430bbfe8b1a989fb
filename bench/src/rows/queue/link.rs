use crate::harness::Place;
use crate::row::Result;
use crate::work::{Batching, End, Link, MESSAGE};
use quintet::ErrorKind;
use quintet::shm::{Batch, Consumer, Producer, Queue};
use std::time::Duration;

/// Two queues, one a direction. Far makes them.
pub(super) struct Queues {
    /// Of each, in bytes.
    capacity: u64,
}

impl Queues {
    /// As queues are if nothing is said.
    pub(super) const SMALL: Queues = Queues { capacity: 64 << 10 };

    /// For messages of 1 MiB: a few of them.
    pub(super) const LARGE: Queues = Queues { capacity: 4 << 20 };
}

impl Link for Queues {
    type End = QueueEnd;

    fn before_pinning(&self) -> Result<()> {
        wait_once()
    }

    fn near(&self, place: &mut Place) -> Result<QueueEnd> {
        let name = place.hear()?;
        Ok(QueueEnd {
            to: Queue::open_existing(to_far(&name))?.producer()?,
            from: Queue::open_existing(to_near(&name))?.consumer()?,
            batch: Batch::new(),
        })
    }

    fn far(&self, place: &mut Place) -> Result<QueueEnd> {
        let name = place.unique_name();
        let make = |name| {
            Queue::builder(name)?
                .producers(1)
                .capacity(self.capacity)
                .create_new()
        };
        let end = QueueEnd {
            to: make(to_near(&name))?.producer()?,
            from: make(to_far(&name))?.consumer()?,
            batch: Batch::new(),
        };
        place.say(&name)?;
        Ok(end)
    }
}

fn to_far(name: &str) -> String {
    format!("{name}-to-far")
}

fn to_near(name: &str) -> String {
    format!("{name}-to-near")
}

/// Quintet measures once a process, at its first wait, how long spinning is worth it. A usual process is not pinned then.
pub(in crate::rows) fn wait_once() -> Result<()> {
    let name = format!("quintet-bench-first-wait-{}", std::process::id());
    let mut consumer = Queue::builder(&name)?.producers(1).create_new()?.consumer()?;
    match consumer.pop_timeout(&mut Vec::new(), Duration::from_millis(1)) {
        Err(error) if error.kind() == ErrorKind::TimedOut => Ok(()),
        other => Err(format!("expected the wait to time out, got {other:?}").into()),
    }
}

/// One end of two queues, used by copying in and out.
pub(super) struct QueueEnd {
    to: Producer,
    from: Consumer,
    batch: Batch,
}

impl End for QueueEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        Ok(self.to.push(data)?)
    }

    fn receive(&mut self, buf: &mut Vec<u8>, _: usize) -> Result<()> {
        self.from.pop(buf)?;
        Ok(())
    }
}

impl Batching for QueueEnd {
    fn send_all(&mut self, messages: &[[u8; MESSAGE]]) -> Result<()> {
        self.to.push_all(messages)?;
        Ok(())
    }

    fn receive_some(&mut self, most: usize, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
        self.batch.clear();
        let count = self.from.pop_batch(&mut self.batch, most)?;
        self.batch.iter().try_for_each(|(_, message)| each(message))?;
        Ok(count)
    }
}
