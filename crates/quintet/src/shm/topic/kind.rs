use super::room::{FIRST_SUBSCRIBER, LAYOUT, Room, Shape, data_of};
use super::stats::TopicStats;
use crate::named::{Entry, NamedKind};
use crate::os::look;
use crate::os::segment::Look;
use crate::participants;
use crate::{Address, Name, Result, Scheme};

/// Topics as a kind of named object, for [`named::kinds`](crate::named::kinds).
///
/// ```
/// use quintet::named::{Liveness, NamedKind};
/// use quintet::shm::{Topic, Topics};
///
/// # let name = format!("topic-kind-doc-{}", std::process::id());
/// let topic = Topic::create_new(&name)?;
/// topic.publisher()?.publish(b"x")?;
/// let entry = Topics.stat(&name.parse()?)?;
/// assert_eq!((entry.liveness, entry.detail("published")), (Liveness::Live, Some("1")));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Topics;

impl NamedKind for Topics {
    fn scheme(&self) -> Scheme {
        Scheme::Topic
    }

    fn list(&self) -> Result<Vec<Entry>> {
        look::list(&LAYOUT, |name| look::stat(&LAYOUT, name, see))?
            .into_iter()
            .map(|found| Entry::found(Scheme::Topic, found))
            .collect()
    }

    fn stat(&self, name: &Name) -> Result<Entry> {
        let address = Address::named(Scheme::Topic, name.clone())?;
        look::stat(&LAYOUT, name, see)
            .and_then(|found| Entry::found(Scheme::Topic, found))
            .map_err(|error| error.about(address))
    }

    fn remove(&self, name: &Name) -> Result<()> {
        let address = Address::named(Scheme::Topic, name.clone())?;
        look::remove(&LAYOUT, name).map_err(|error| error.about(address))
    }
}

fn see(look: &Look) -> Result<(look::Seen, look::Details)> {
    let room = Room::of(look);
    // One that misses a part has no lanes, and nobody there.
    let (controls, shape) = match data_of(look)? {
        Some((controls, shape)) => (&controls[..], shape),
        None => (&[][..], Shape { lanes: 0, ring: 0 }),
    };
    let stats = TopicStats::of(room, controls, shape.lanes, |slot| look.is_participant(slot));
    let nothing = |_, _: &_| (0, None);
    let lanes = &room.publishers[..shape.lanes];
    let (mut holders, owners, mut waiting) =
        participants::see(look, &room.header.high_water, lanes, 0, nothing);
    let (subscribers, _, more) = participants::see(
        look,
        &room.subscribers_high,
        &room.subscribers,
        FIRST_SUBSCRIBER,
        nothing,
    );
    for process in subscribers {
        if !holders.iter().any(|known| known.pid == process.pid) {
            holders.push(process);
        }
    }
    waiting = waiting.saturating_add(more);
    let details = vec![
        ("published", stats.published.to_string()),
        ("bytes", stats.bytes.to_string()),
        ("received", stats.received.to_string()),
        ("lost", stats.lost.to_string()),
        ("publishers", stats.publishers.to_string()),
        ("subscribers", stats.subscribers.to_string()),
        ("capacity", shape.ring.to_string()),
        ("max_publishers", shape.lanes.to_string()),
    ];
    Ok(((holders, owners, waiting), details))
}
