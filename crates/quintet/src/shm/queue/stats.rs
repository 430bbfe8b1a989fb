use super::room::{Held, Room, Shape};
use crate::os::atomic::Ordering;
use crate::participants::{self, Slot};
use crate::shm::lane::Control;
use crate::shm::lane::{Head, Kind, extent, whole_number};

/// What has gone through a [`Queue`](super::Queue) since it was made.
///
/// ```
/// # let queue = quintet::shm::Queue::create_or_open(&format!("stats-doc-{}", std::process::id()))?;
/// queue.producer()?.push_all(["a", "b", "c"])?;
/// let mut consumer = queue.consumer()?;
/// consumer.pop(&mut Vec::new())?;
/// let stats = queue.stats();
/// assert_eq!((stats.pushed, stats.taken, stats.waiting, stats.in_hand, stats.lost), (3, 1, 2, 1, 0));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// How many messages were pushed.
    pub pushed: u64,
    /// How many were taken.
    pub taken: u64,
    /// How many are in it.
    pub waiting: u64,
    /// How many were taken last by those consumers that live, which may not be done with them.
    pub in_hand: u64,
    /// How many were taken by consumers that died before they were done with them.
    pub lost: u64,
    /// How many producers there are.
    pub producers: usize,
    /// How many consumers there are.
    pub consumers: usize,
}

/// How many records to follow in all lanes together, which dead producers left or which are pads.
const PATIENCE: u32 = 1 << 17;

impl QueueStats {
    pub(super) fn of_held(held: &Held) -> Self {
        let token = held.segment().token();
        let is_ours = token.is_ours();
        let room = held.room();
        // A forked child has no way to ask the kernel.
        let is_signed = |slot: usize| {
            let slots = [&room.consumers[..], &room.producers[..]];
            slots
                .into_iter()
                .flatten()
                .nth(slot)
                .is_some_and(|slot| slot.pid() != 0)
        };
        QueueStats::of(
            room,
            held.shape,
            |slot| {
                if is_ours {
                    token.is_taken(slot).unwrap_or(false)
                } else {
                    is_signed(slot)
                }
            },
            |lane, position| Head(held.lane(lane).word(position).load(Ordering::Acquire)),
        )
    }

    /// `is_alive` says whether a participant is, `head_at` what stands at a position in a lane's ring.
    pub(super) fn of(
        room: &Room,
        shape: Shape,
        is_alive: impl Fn(usize) -> bool,
        head_at: impl Fn(usize, u64) -> Head,
    ) -> Self {
        let mut stats = QueueStats::default();
        let mut patience = PATIENCE;
        let lanes = participants::used(&room.header.high_water, &room.producers[..shape.lanes]).len();
        for (index, lane) in room.lanes[..lanes].iter().enumerate() {
            let (pushed, taken) = flow(lane, &mut patience, |position| head_at(index, position));
            stats.pushed = stats.pushed.saturating_add(pushed);
            stats.taken = stats.taken.saturating_add(taken.min(pushed));
            stats.producers += usize::from(is_alive(room.consumers.len() + index));
        }
        stats.waiting = stats.pushed - stats.taken;
        let mut done = 0u64;
        for (index, slot) in consumers(room).iter().enumerate() {
            done = done.saturating_add(slot.aux.load(Ordering::Acquire));
            if is_alive(index) {
                stats.consumers += 1;
                let in_hand = slot.in_hand.load(Ordering::Acquire);
                stats.in_hand = stats.in_hand.saturating_add(in_hand);
            }
        }
        stats.lost = stats.taken.saturating_sub(done).saturating_sub(stats.in_hand);
        stats
    }
}

pub(super) fn consumers(room: &Room) -> &[Slot] {
    participants::used(&room.consumers_high, &room.consumers)
}

/// How many of the messages pushed in a lane are in it.
pub(super) fn waiting(held: &Held, lane: usize, pushed: u64) -> u64 {
    let head_at = |position| Head(held.lane(lane).word(position).load(Ordering::Acquire));
    let (_, taken) = flow(held.lane(lane).control, &mut { PATIENCE }, head_at);
    pushed.saturating_sub(taken)
}

/// How many messages were pushed in a lane, and how many of them were taken.
fn flow(lane: &Control, patience: &mut u32, head_at: impl Fn(u64) -> Head) -> (u64, u64) {
    let head = lane.head.load(Ordering::Acquire);
    let mut at = lane.tail.load(Ordering::Acquire);
    let mut pushed = lane.pushed.load(Ordering::Acquire);
    // What a dead producer published and did not note.
    while let Some(left) = patience.checked_sub(1) {
        *patience = left;
        match head_at(at).kind() {
            Kind::Message { len, number } => {
                at = at.wrapping_add(extent(len.into()));
                pushed = whole_number(number, pushed).wrapping_add(1);
            }
            Kind::Pad(bytes) => at = at.wrapping_add(bytes),
            Kind::Nothing | Kind::Nonsense => break,
        }
    }
    // The next to be taken says how many were.
    let mut next = head;
    while let Some(left) = patience.checked_sub(1) {
        *patience = left;
        match head_at(next).kind() {
            Kind::Message { number, .. } => return (pushed, whole_number(number, pushed)),
            Kind::Pad(bytes) => next = next.wrapping_add(bytes),
            Kind::Nothing | Kind::Nonsense => break,
        }
    }
    (pushed, pushed)
}
