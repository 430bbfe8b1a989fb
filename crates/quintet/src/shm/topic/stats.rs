use super::room::{FIRST_SUBSCRIBER, Held, Room};
use crate::os::atomic::Ordering;
use crate::participants;
use crate::shm::lane::Control;

/// What was published on a [`Topic`](super::Topic) since it was made, and who uses it.
///
/// ```
/// # let topic = quintet::shm::Topic::create_or_open(&format!("topic-stats-doc-{}", std::process::id()))?;
/// let mut subscriber = topic.subscriber()?;
/// let mut publisher = topic.publisher()?;
/// publisher.publish("a")?;
/// publisher.publish("b")?;
/// subscriber.copy(&mut Vec::new())?;
/// let stats = topic.stats();
/// assert_eq!((stats.published, stats.bytes, stats.received, stats.lost), (2, 2, 1, 0));
/// assert_eq!((stats.publishers, stats.subscribers), (1, 1));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// How many messages were published.
    pub published: u64,
    /// How many bytes these had, all together. (Also what one who died was just publishing.)
    pub bytes: u64,
    /// How many its subscribers have received, all together: those as well that are gone.
    pub received: u64,
    /// How many these have missed, because they were too slow.
    pub lost: u64,
    /// How many publishers there are.
    pub publishers: usize,
    /// How many subscribers there are.
    pub subscribers: usize,
}

impl TopicStats {
    pub(super) fn of_held(held: &Held) -> Self {
        let (token, room) = (held.segment().token(), held.room());
        let is_ours = token.is_ours();
        TopicStats::of(room, held.controls(), held.shape.lanes, |participant| {
            if is_ours {
                return token.is_taken(participant).unwrap_or(false);
            }
            // A forked child has no way to ask the kernel.
            let mut slots = room.publishers.iter().chain(&room.subscribers);
            slots.nth(participant).is_some_and(|slot| slot.pid() != 0)
        })
    }

    /// `is_alive` says whether a participant is.
    pub(super) fn of(
        room: &Room,
        controls: &[Control],
        lanes: usize,
        is_alive: impl Fn(usize) -> bool,
    ) -> Self {
        let mut stats = TopicStats::default();
        let used = participants::used(&room.header.high_water, &room.publishers[..lanes]).len();
        for (lane, control) in controls[..used].iter().enumerate() {
            let (pushed, bytes) = published(control);
            stats.published = stats.published.saturating_add(pushed);
            stats.bytes = stats.bytes.saturating_add(bytes);
            stats.publishers += usize::from(is_alive(lane));
        }
        let subscribers = participants::used(&room.subscribers_high, &room.subscribers);
        for (index, slot) in subscribers.iter().enumerate() {
            stats.subscribers += usize::from(is_alive(FIRST_SUBSCRIBER + index));
            // Of those as well who had its place before.
            let received = slot.aux.load(Ordering::Acquire);
            stats.received = stats.received.saturating_add(received);
            stats.lost = stats.lost.saturating_add(slot.held.load(Ordering::Acquire));
        }
        stats
    }
}

/// How many messages, and how many bytes these had. Whoever is stopped between the two looks would tell of many bytes and
/// few messages: so he looks again, unless it goes on faster than he can look, when the two are as good as of one moment.
fn published(control: &Control) -> (u64, u64) {
    let mut pushed = control.pushed.load(Ordering::Acquire);
    for _ in 0..16 {
        let bytes = control.bytes.load(Ordering::Acquire);
        let now = control.pushed.load(Ordering::Acquire);
        if now == pushed {
            return (pushed, bytes);
        }
        pushed = now;
    }
    (pushed, control.bytes.load(Ordering::Relaxed))
}
