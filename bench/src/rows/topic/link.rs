use crate::harness::Place;
use crate::row::Result;
use crate::rows::queue::wait_once;
use crate::work::{End, InPlace, Link};
use quintet::shm::{Publisher, Subscriber, Topic, Trusting};

/// Two topics, one a direction. Far makes them.
#[derive(Clone, Copy)]
pub(super) struct Topics {
    /// How many subscribers far has.
    pub(super) subscribers: usize,
    /// Of a publisher's ring, in bytes.
    pub(super) capacity: u64,
}

impl Topics {
    /// For messages of that length: a few of them.
    pub(super) fn of(bytes: usize) -> Self {
        Topics {
            subscribers: 1,
            capacity: (bytes as u64 * 3).max(64 << 10),
        }
    }
}

impl Link for Topics {
    type End = TopicEnd;

    fn before_pinning(&self) -> Result<()> {
        wait_once()
    }

    fn near(&self, place: &mut Place) -> Result<TopicEnd> {
        let name = place.hear()?;
        let (to, from) = (
            Topic::open_existing(format!("{name}-to-far"))?,
            Topic::open_existing(format!("{name}-to-near"))?,
        );
        TopicEnd::new(&to, &from, 1)
    }

    fn far(&self, place: &mut Place) -> Result<TopicEnd> {
        let name = place.unique_name();
        let make = |direction: &str| {
            Topic::builder(format!("{name}-{direction}"))?
                .publishers(1)
                .capacity(self.capacity)
                .create_new()
        };
        let end = TopicEnd::new(&make("to-near")?, &make("to-far")?, self.subscribers)?;
        place.say(&name)?;
        Ok(end)
    }
}

/// One end of two topics.
pub(super) struct TopicEnd {
    to: Publisher<Trusting>,
    from: Vec<Subscriber<Trusting>>,
}

impl TopicEnd {
    fn new(to: &Topic, from: &Topic, subscribers: usize) -> Result<Self> {
        // What is measured is not how long the system takes to find pages, which it does once.
        let publisher = to.publisher()?;
        publisher.prefault();
        from.prefault();
        let from = (0..subscribers).map(|_| from.subscriber());
        // SAFETY: only this benchmark's two processes have the topics open, whose names are their own, and through this
        // library.
        unsafe {
            Ok(TopicEnd {
                to: publisher.trusting(),
                from: from
                    .map(|subscriber| Ok(subscriber?.trusting()))
                    .collect::<Result<_>>()?,
            })
        }
    }
}

impl InPlace for TopicEnd {
    fn send_in_place(&mut self, len: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let mut loan = self.to.loan(len)?;
        write(&mut loan);
        loan.publish()?;
        Ok(())
    }

    fn receive_in_place(&mut self, mut read: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.from
            .iter_mut()
            .try_for_each(|subscriber| read(&subscriber.receive()?))
    }
}

impl End for TopicEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        self.to.publish(data)?;
        Ok(())
    }

    fn receive(&mut self, buf: &mut Vec<u8>, _: usize) -> Result<()> {
        self.from
            .iter_mut()
            .try_for_each(|subscriber| subscriber.copy(buf).map(drop))?;
        Ok(())
    }
}
