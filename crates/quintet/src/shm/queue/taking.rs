//! The consumers' side of a queue: which message is next, and how it becomes ours.

use super::room::{Held, KeptLane};
use super::{Batch, Received};
use crate::os::atomic::{Ordering, fence};
use crate::os::copy;
use crate::os::step::step;
use crate::participants::{self, Seat, Slot};
use crate::shm::lane::Hold;
use crate::shm::lane::{Found, Lane, whole_number};
use crate::{Error, Result};
use std::sync::Arc;

/// What a consumer sees of its queue.
#[derive(Debug)]
pub(super) struct View {
    pub(super) held: Arc<Held>,
    lanes: Vec<KeptLane>,
}

impl View {
    pub(super) fn new(held: &Arc<Held>) -> Self {
        View {
            held: held.clone(),
            lanes: (0..held.shape.lanes).map(|lane| held.keep_lane(lane)).collect(),
        }
    }

    pub(super) fn lane(&self, index: usize) -> Lane<'_> {
        self.lanes[index].get()
    }

    /// Whether there is a message. A lane that makes no sense has none: who pops says so.
    pub(super) fn is_ready(&self) -> bool {
        (0..self.held.lanes_used()).any(|lane| matches!(self.lane(lane).find(), Ok(Some(_))))
    }

    /// A lane that is not empty: the first one from `first` on. For who looks again and again, so it does as little as it can,
    /// and what is there may make no sense.
    #[inline(always)]
    fn lane_to_look_at(&self, first: usize) -> Option<usize> {
        let lanes = self.held.lanes_used();
        let has_something = |index: &usize| {
            let lane = self.lane(*index);
            let head = lane.control.head.load(Ordering::Relaxed);
            lane.word(head).load(Ordering::Relaxed) != 0
        };
        (first..lanes).chain(0..first.min(lanes)).find(has_something)
    }

    /// Wakes the producer of a lane, if it waits for room.
    #[inline(always)]
    fn make_room_known(&self, index: usize, lane: Lane<'_>) {
        if lane.control.space.has_sleepers() {
            self.held.waiter_for_space(index).wake(1);
        }
    }
}

/// What a consumer knows for itself.
#[derive(Debug)]
pub(super) struct Taking {
    pub(super) seat: Seat,
    /// Which lane to look at first.
    next: usize,
    /// How many were taken from that lane in a row.
    in_a_row: u32,
    /// As the slot says.
    done: u64,
    in_hand: u64,
    /// How many had been taken when there was nothing to be taken at once last.
    taken_then: u64,
    /// Up to where messages are known to be published in the lane that is looked at first; not always the latest.
    known: u64,

    /// The last message seen in each lane: its number, and where it was.
    last: Vec<(u64, u64)>,
    /// Of lanes that make no sense: where, so that it is said once.
    senseless: Vec<Option<u64>>,
}

/// After so many from one lane the others come first.
const MOST_IN_A_ROW: u32 = 32;

/// As many bytes on there may have been too many messages, of 8 bytes each at least, to know a message's number from its low
/// bits and the last one's number.
const FAR: u64 = 1 << 31;

/// Longer messages are taken first and copied then; shorter ones are copied first, as another may take them meanwhile, but
/// saying that one holds them costs more than a copy in vain.
const COPIED_FIRST: u32 = 2048;

impl Taking {
    pub(super) fn new(view: &View, seat: Seat) -> Self {
        let held = &view.held;
        let last = (0..held.shape.lanes)
            .map(|lane| {
                let control = held.lane(lane).control;
                let head = control.head.load(Ordering::Acquire);
                (control.pushed.load(Ordering::Acquire), head)
            })
            .collect();
        Taking {
            done: held.room().consumers[seat.index()].aux.load(Ordering::Acquire),
            seat,
            next: 0,
            in_a_row: 0,
            in_hand: 0,
            taken_then: 0,
            known: 0,
            last,
            senseless: vec![None; held.shape.lanes],
        }
    }

    pub(super) fn slot<'a>(&self, view: &'a View) -> &'a Slot {
        &view.held.room().consumers[self.seat.index()]
    }

    /// How many have been taken, of this consumer and of those that had its slot before.
    fn taken(&self) -> u64 {
        self.done.wrapping_add(self.in_hand)
    }

    /// The next message of all lanes.
    fn seek(&mut self, view: &View) -> Result<Option<(usize, Found)>> {
        if !self.seat.is_ours() {
            return Err(participants::forked());
        }
        let lanes = view.held.lanes_used();
        if self.in_a_row >= MOST_IN_A_ROW {
            self.next += 1;
            self.in_a_row = 0;
        }
        for _ in 0..lanes {
            if self.next >= lanes {
                self.next = 0;
            }
            match view.lane(self.next).find() {
                Ok(Some(found)) => {
                    self.in_a_row += 1;
                    return Ok(Some((self.next, found)));
                }
                Ok(None) => {}
                Err(error) => self.make_sense(view.lane(self.next), error)?,
            }
            self.next += 1;
            self.in_a_row = 0;
        }
        // Where the next one is looked for first.
        self.next %= lanes.max(1);
        Ok(None)
    }

    /// Says once that a lane makes no sense.
    #[cold]
    fn make_sense(&mut self, lane: Lane<'_>, error: Error) -> Result<()> {
        let at = Some(lane.control.head.load(Ordering::Acquire));
        let known = &mut self.senseless[self.next];
        if *known == at {
            return Ok(());
        }
        *known = at;
        self.next += 1;
        Err(error)
    }

    #[inline(always)]
    fn received(&mut self, view: &View, lane: usize, found: &Found) -> Received {
        let (number, at) = &mut self.last[lane];
        if found.at.wrapping_sub(*at) >= FAR {
            *number = view.lane(lane).control.pushed.load(Ordering::Acquire);
        }
        (*number, *at) = (whole_number(found.number, *number), found.at);
        Received {
            len: found.len as usize,
            lane,
            sequence: *number,
        }
    }

    /// Whether it is worth to try. For who has just tried in vain, and does so again and again.
    #[inline(always)]
    pub(super) fn glance(&mut self, view: &View) -> bool {
        let Some(lane) = view.lane_to_look_at(self.next) else {
            return false;
        };
        if lane != self.next {
            self.next = lane;
            self.in_a_row = 0;
        }
        true
    }

    /// The next message, if it is short and in the lane that the last one was in, as nearly always. If it is not, or there is
    /// none, that is for [`try_pop`](Self::try_pop) to find out.
    #[inline(always)]
    pub(super) fn pop_the_next(&mut self, view: &View, message: &mut Vec<u8>) -> Option<Received> {
        let lane = view.lanes.get(self.next)?.get();
        if self.in_a_row >= MOST_IN_A_ROW || !self.seat.is_ours() {
            return None;
        }
        let (found, body) = lane.glance()?;
        if found.len > COPIED_FIRST {
            return None;
        }
        message.clear();
        copy::append(body, found.len as usize, message);
        if !lane.take(&found, found.end()) {
            return None;
        }
        self.in_a_row += 1;
        self.hurry(lane, found.end());
        self.note(view, 1);
        view.make_room_known(self.next, lane);
        Some(self.received(view, self.next, &found))
    }

    /// Asks for what will be taken a few messages later, if it is known to be there: taking one is a step before which no later
    /// load can begin, so that otherwise each message would come from the producer's core when the one before has been taken.
    #[inline(always)]
    fn hurry(&mut self, lane: Lane<'_>, end: u64) {
        const AHEAD: u64 = 12 * 64;
        const LINE: u64 = 64;
        let known = self.known.wrapping_sub(end);
        if (AHEAD + 2 * LINE..=lane.capacity()).contains(&known) {
            copy::will_read(lane.word(end.wrapping_add(AHEAD)));
            copy::will_read(lane.word(end.wrapping_add(AHEAD + LINE)));
        } else if self.taken().wrapping_sub(self.taken_then) & 7 == 7 {
            self.known = lane.control.tail.load(Ordering::Relaxed);
        }
    }

    /// There was nothing, or nothing that could be taken at once.
    pub(super) fn was_empty(&mut self) {
        self.taken_then = self.taken();
    }

    #[inline(always)]
    pub(super) fn try_pop(&mut self, view: &View, message: &mut Vec<u8>) -> Result<Option<Received>> {
        match self.pop_the_next(view, message) {
            Some(received) => Ok(Some(received)),
            None => self.try_pop_further(view, message),
        }
    }

    #[inline(never)]
    fn try_pop_further(&mut self, view: &View, message: &mut Vec<u8>) -> Result<Option<Received>> {
        while let Some((index, found)) = self.seek(view)? {
            let lane = view.lane(index);
            let Some(body) = lane.body(found.at, found.len) else {
                continue;
            };
            message.clear();
            let long = found.len > COPIED_FIRST;
            if long {
                self.hold(view, index, &found);
            } else {
                copy::append(body, found.len as usize, message);
            }
            let taken = lane.take(&found, found.end());
            if taken {
                self.note(view, 1);
            }
            if long {
                if taken {
                    copy::append(body, found.len as usize, message);
                }
                self.let_go(view, index);
            } else if taken {
                view.make_room_known(index, lane);
            }
            if taken {
                return Ok(Some(self.received(view, index, &found)));
            }
        }
        message.clear();
        Ok(None)
    }

    pub(super) fn try_pop_batch(&mut self, view: &View, batch: &mut Batch, most: usize) -> Result<usize> {
        let mut count = 0;
        while count < most {
            let sought = match self.seek(view) {
                // Those that were taken are given first.
                Err(_) if count > 0 => {
                    // It is said the next time.
                    self.senseless.fill(None);
                    break;
                }
                sought => sought?,
            };
            let Some((index, first)) = sought else { break };
            let lane = view.lane(index);
            let (before, known) = (batch.len(), self.last[index]);
            let end = batch.copy_from(lane, &first, most - count, |found| {
                self.received(view, index, found)
            });
            let added = batch.len() - before;
            if added > 0 && lane.take(&first, end) {
                count += added;
                self.in_a_row = MOST_IN_A_ROW;
                view.make_room_known(index, lane);
                if batch.room() == 0 {
                    break;
                }
            } else {
                // Another was faster, so what was read may be anything, the numbers too.
                batch.truncate(before);
                self.last[index] = known;
            }
        }
        if count > 0 {
            self.note(view, count as u64);
        }
        Ok(count)
    }

    pub(super) fn try_peek(&mut self, view: &View) -> Result<Option<(Received, usize, Found)>> {
        while let Some((index, found)) = self.seek(view)? {
            self.hold(view, index, &found);
            // After saying so: whoever takes it from now on finds that we hold it, or has taken it before, which we see.
            fence(Ordering::SeqCst);
            if view.lane(index).control.head.load(Ordering::SeqCst) == found.head {
                self.settle(view);
                return Ok(Some((self.received(view, index, &found), index, found)));
            }
            self.let_go(view, index);
        }
        Ok(None)
    }

    /// Says that a record is held in place. Before it is taken, so that there is no moment in between.
    fn hold(&self, view: &View, lane: usize, found: &Found) {
        let hold = Hold::of(lane, found.at, found.len);
        view.held
            .hold_of(self.seat.index())
            .store(hold.0, Ordering::SeqCst);
        step();
    }

    pub(super) fn let_go(&self, view: &View, lane: usize) {
        // In a forked child it is the parent that holds it.
        if !self.seat.is_ours() {
            return;
        }
        view.held.hold_of(self.seat.index()).store(0, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        view.make_room_known(lane, view.lane(lane));
    }

    /// What was in hand is done, and so many more are.
    #[inline(always)]
    pub(super) fn note(&mut self, view: &View, count: u64) {
        let slot = self.slot(view);
        step();
        self.done = self.done.wrapping_add(self.in_hand);
        slot.aux.store(self.done, Ordering::Release);
        self.in_hand = count;
        slot.in_hand.store(count, Ordering::Release);
    }

    pub(super) fn settle(&mut self, view: &View) {
        if self.in_hand > 0 && self.seat.is_ours() {
            self.note(view, 0);
        }
    }
}
