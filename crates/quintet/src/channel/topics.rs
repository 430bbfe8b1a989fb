//! Over a topic: to all who receive, and nobody waits for them.

use super::settings::Settings;
use super::waiting::{Finding, Presence, Sight, until_somebody};
use crate::shm::{Publisher, Subscriber, Topic, TopicBuilder};
use crate::{Deadline, ErrorKind, Result};

fn find(settings: &Settings) -> Result<impl FnMut() -> Result<Topic> + Send + 'static> {
    let mut builder = Topic::at(&settings.plain)?;
    if let Some(ring) = settings.ring_for_longest() {
        builder = builder.capacity(ring);
    }
    let (make, open) = (TopicBuilder::create_or_open, TopicBuilder::open_existing);
    Ok(settings.finder(builder, make, open, Topic::max_message))
}

#[derive(Debug)]
struct Publishing {
    publisher: Publisher,
    /// Kept open.
    _topic: Topic,
}

#[derive(Debug)]
pub(super) struct TopicSender(Finding<Publishing>);

impl TopicSender {
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let mut find = find(settings)?;
        let find = move || {
            let topic = find()?;
            Ok(Publishing {
                publisher: topic.publisher()?,
                _topic: topic,
            })
        };
        Finding::when_there(find).map(TopicSender)
    }

    #[inline]
    pub(super) fn send(&mut self, message: &[u8], deadline: Deadline) -> Result<()> {
        self.0.get(deadline)?.publisher.publish(message).map(drop)
    }

    pub(super) fn wait_for_peer(&mut self, deadline: Deadline) -> Result<()> {
        self.0
            .get(deadline)?
            .publisher
            .wait_for_subscriber_timeout(deadline)
    }
}

#[derive(Debug)]
struct Subscribing {
    subscriber: Subscriber,
    topic: Topic,
    presence: Presence,
}

#[derive(Debug)]
pub(super) struct TopicReceiver(Finding<Subscribing>);

impl TopicReceiver {
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let mut find = find(settings)?;
        let depth = settings.depth;
        let find = move || {
            let topic = find()?;
            Ok(Subscribing {
                subscriber: topic.subscriber_with(depth)?,
                presence: Presence::new(senders(&topic)),
                topic,
            })
        };
        Finding::when_there(find).map(TopicReceiver)
    }

    #[inline]
    pub(super) fn recv(&mut self, message: &mut Vec<u8>, deadline: Deadline) -> Result<()> {
        let end = self.0.get(deadline)?;
        if end.subscriber.try_copy(message)?.is_some() {
            end.presence.saw();
            return Ok(());
        }
        end.presence.wait(
            deadline,
            |slice| match end.subscriber.copy_timeout(message, slice) {
                // Others may be there; that is looked at next.
                Err(error) if error.kind() == ErrorKind::PeerDied => {
                    Err(error.with_kind(ErrorKind::TimedOut))
                }
                other => other.map(drop),
            },
            || senders(&end.topic),
        )
    }

    pub(super) fn wait_for_peer(&mut self, deadline: Deadline) -> Result<()> {
        let end = self.0.get(deadline)?;
        until_somebody(deadline, || senders(&end.topic).is_there)
    }

    pub(super) fn lost(&mut self) -> u64 {
        self.0.get(Deadline::now()).map_or(0, |end| end.subscriber.lost())
    }
}

fn senders(topic: &Topic) -> Sight {
    let stats = topic.stats();
    Sight {
        is_there: stats.publishers > 0,
        trace: stats.published,
    }
}
