use super::room::{LAYOUT, RINGS, Room, Shape};
use super::stats::{QueueStats, consumers};
use crate::named::{Entry, NamedKind};
use crate::os::look;
use crate::os::segment::Look;
use crate::participants;
use crate::shm::lane::Head;
use crate::{Address, Name, Result, Scheme};

/// Queues as a kind of named object, for [`named::kinds`](crate::named::kinds).
///
/// ```
/// use quintet::named::{Liveness, NamedKind};
/// use quintet::shm::{Queue, Queues};
///
/// # let name = format!("queue-kind-doc-{}", std::process::id());
/// let queue = Queue::create_new(&name)?;
/// queue.producer()?.push(b"x")?;
/// let entry = Queues.stat(&name.parse()?)?;
/// assert_eq!((entry.liveness, entry.detail("messages")), (Liveness::Live, Some("1")));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Queues;

impl NamedKind for Queues {
    fn scheme(&self) -> Scheme {
        Scheme::Queue
    }

    fn list(&self) -> Result<Vec<Entry>> {
        look::list(&LAYOUT, |name| look::stat(&LAYOUT, name, see))?
            .into_iter()
            .map(|found| Entry::found(Scheme::Queue, found))
            .collect()
    }

    fn stat(&self, name: &Name) -> Result<Entry> {
        let address = Address::named(Scheme::Queue, name.clone())?;
        look::stat(&LAYOUT, name, see)
            .and_then(|found| Entry::found(Scheme::Queue, found))
            .map_err(|error| error.about(address))
    }

    fn remove(&self, name: &Name) -> Result<()> {
        let address = Address::named(Scheme::Queue, name.clone())?;
        look::remove(&LAYOUT, name).map_err(|error| error.about(address))
    }
}

fn see(look: &Look) -> Result<(look::Seen, look::Details)> {
    let room = Room::of(look);
    let shape = Shape::of(&room.header, look.size)?;
    let mask = shape.ring as u64 - 1;
    let head_at = |lane: usize, position: u64| {
        let ring = (RINGS + lane * shape.ring) as u64;
        let mut word = [0; 8];
        look.read_at(ring + (position & mask & !7), &mut word);
        Head(u64::from_le_bytes(word))
    };
    let stats = QueueStats::of(room, shape, |slot| look.is_participant(slot), head_at);
    let nothing = |_, _: &_| (0, None);
    let first = room.consumers.len();
    let (mut holders, owners, mut waiting) =
        participants::see(look, &room.consumers_high, consumers(room), 0, nothing);
    let lanes = &room.producers[..shape.lanes];
    let (producers, _, more) = participants::see(look, &room.header.high_water, lanes, first, nothing);
    for process in producers {
        if !holders.iter().any(|known| known.pid == process.pid) {
            holders.push(process);
        }
    }
    waiting = waiting.saturating_add(more);
    let details = vec![
        ("messages", stats.waiting.to_string()),
        ("pushed", stats.pushed.to_string()),
        ("taken", stats.taken.to_string()),
        ("in_hand", stats.in_hand.to_string()),
        ("lost", stats.lost.to_string()),
        ("producers", stats.producers.to_string()),
        ("consumers", stats.consumers.to_string()),
        ("capacity", shape.ring.to_string()),
        ("max_producers", shape.lanes.to_string()),
    ];
    Ok(((holders, owners, waiting), details))
}
