//! The producer's side of a lane: where the next message goes, and how it becomes visible.

use super::hold::Hold;
use super::record::{HEAD, Head, Kind, extent, whole_number};
use super::ring::{Lane, nonsense};
use crate::Result;
use crate::os::atomic::{Ordering, fence};
use crate::os::copy;
use crate::os::step::step;

/// What a lane's producer knows. It is the only one who writes into the ring, so this is right whatever others write.
#[derive(Debug)]
pub(in crate::shm) struct Writing {
    /// Where the first message goes that is not published.
    tail: u64,
    /// How many were published.
    pushed: u64,
    /// Where the next one begins: `tail`, unless some are drafted.
    end: u64,
    /// The word that will publish what is drafted.
    first: Head,
    drafted: u32,
    /// Up to where it is known that nobody needs what is there.
    limit: u64,
    /// What lies before that and is held in place, by those who took it or look at it: from, to.
    held: Vec<(u64, u64)>,
}

/// What of it changes from one draft to the next: for who drafts many, and keeps that in registers. (Nobody knows what a
/// copy into shared memory changes, so what is in memory is stored before each and loaded after it.)
#[derive(Clone, Copy, Debug)]
pub(in crate::shm) struct Drafting {
    end: u64,
    first: Head,
    drafted: u32,
    pushed: u64,
    /// As in [`Writing`]; `end` if something is held, so that nothing is known to fit.
    limit: u64,
}

impl Drafting {
    /// Whether a message of that length goes right here; see [`Writing::place`].
    #[inline(always)]
    pub(in crate::shm) fn fits(&self, lane: Lane<'_>, len: u32) -> bool {
        let need = extent(len.into());
        let offset = self.end & (lane.capacity() - 1);
        offset + need <= lane.capacity() && need + HEAD <= self.limit.wrapping_sub(self.end)
    }

    #[cfg(all(test, loom))]
    pub(in crate::shm) fn drafted(&self) -> u32 {
        self.drafted
    }

    /// Writes a message, and notes it as [`Writing::draft`] does, where it [`fits`](Self::fits). The end behind the last
    /// one is still to be written: see [`Writing::adopt`].
    #[inline(always)]
    pub(in crate::shm) fn write(&mut self, lane: Lane<'_>, message: &[u8]) {
        let len = message.len() as u32;
        let head = Head::message(len, self.pushed.wrapping_add(self.drafted.into()));
        if self.drafted == 0 {
            lane.write_body(self.end, message);
            self.first = head;
        } else {
            copy::will_write(lane.word(self.end.wrapping_add(8 * 64)));
            lane.write_unseen(self.end, message);
            lane.word(self.end).store(head.0, Ordering::Relaxed);
        }
        self.end = self.end.wrapping_add(extent(len.into()));
        self.drafted += 1;
    }
}

impl Writing {
    /// To draft many.
    #[inline(always)]
    pub(in crate::shm) fn drafting(&self) -> Drafting {
        Drafting {
            end: self.end,
            first: self.first,
            drafted: self.drafted,
            pushed: self.pushed,
            limit: if self.held.is_empty() {
                self.limit
            } else {
                self.end
            },
        }
    }

    /// What was drafted so is drafted.
    #[inline(always)]
    pub(in crate::shm) fn adopt(&mut self, lane: Lane<'_>, drafting: Drafting) {
        if drafting.drafted > 0 {
            // Before anybody can get there.
            lane.word(drafting.end).store(0, Ordering::Relaxed);
        }
        self.end = drafting.end;
        self.first = drafting.first;
        self.drafted = drafting.drafted;
    }

    /// Goes on where the last producer of the lane stopped, wherever that was.
    pub(in crate::shm) fn resume(lane: Lane<'_>) -> Result<Self> {
        let control = lane.control;
        let mut tail = control.tail.load(Ordering::Acquire);
        let mut pushed = control.pushed.load(Ordering::Acquire);
        let start = tail;
        // What it published last and did not note any more.
        loop {
            if !tail.is_multiple_of(8) || tail.wrapping_sub(start) > lane.capacity() {
                return Err(nonsense());
            }
            match Head(lane.word(tail).load(Ordering::Acquire)).kind() {
                Kind::Nothing => break,
                Kind::Pad(bytes) => tail = tail.wrapping_add(bytes),
                Kind::Message { len, number } => {
                    tail = tail.wrapping_add(extent(len.into()));
                    pushed = whole_number(number, pushed).wrapping_add(1);
                }
                Kind::Nonsense => return Err(nonsense()),
            }
        }
        let head = control.head.load(Ordering::Acquire);
        if !head.is_multiple_of(8) || tail.wrapping_sub(head) > lane.capacity() {
            return Err(nonsense());
        }
        control.pushed.store(pushed, Ordering::Release);
        step();
        control.tail.store(tail, Ordering::Release);
        Ok(Writing {
            tail,
            pushed,
            end: tail,
            first: Head::NOTHING,
            drafted: 0,
            // Nothing is known yet, but that the word there is free.
            limit: tail.wrapping_add(HEAD),
            held: Vec::new(),
        })
    }

    /// Where what is published ends.
    pub(in crate::shm) fn tail(&self) -> u64 {
        self.tail
    }

    /// The number of the next message.
    pub(in crate::shm) fn next_number(&self) -> u64 {
        self.pushed.wrapping_add(self.drafted.into())
    }

    /// How many were published.
    pub(in crate::shm) fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Finds out anew how much room there is. `held`: what somebody holds in place in this lane; it is asked when the head has
    /// been looked at.
    pub(in crate::shm) fn look_for_room(
        &mut self,
        lane: Lane<'_>,
        held: impl Iterator<Item = Result<Hold>>,
    ) -> Result<()> {
        let head = lane.control.head.load(Ordering::SeqCst);
        let limit = head.wrapping_add(lane.capacity());
        let in_use = |from: u64| from.wrapping_sub(head) <= lane.capacity();
        // The second: of what is drafted, if somebody has moved the head back.
        if !in_use(self.tail) || !in_use(self.end) {
            return Err(nonsense());
        }
        // Who holds a record says so, fences, and then makes sure that the head has not passed it yet. So whoever holds
        // one that it has passed is seen from here on. What it has not passed is beyond the limit anyway.
        fence(Ordering::SeqCst);
        self.limit = limit;
        self.held.clear();
        for hold in held {
            let hold = hold?;
            // Where its place comes next, in this lap or in the next one: those who hold it may do so for many.
            let ahead = hold.place().wrapping_sub(self.tail) & (lane.capacity() - 1);
            let from = self.tail.wrapping_add(ahead);
            self.held.push((from, from.wrapping_add(hold.bytes())));
        }
        Ok(())
    }

    /// Whether anything is held in place where there would be room.
    pub(in crate::shm) fn is_in_the_way(&self) -> bool {
        let room = self.limit.wrapping_sub(self.end);
        self.held
            .iter()
            .any(|(from, _)| from.wrapping_sub(self.end) < room)
    }

    /// Where the record of a message of that length can go; `None` if there is no room, as far as is known. There is always
    /// one word more, for the end.
    #[inline(always)]
    pub(in crate::shm) fn place(&self, lane: Lane<'_>, len: u32) -> Option<u64> {
        let need = extent(len.into());
        let offset = self.end & (lane.capacity() - 1);
        let fits = offset + need <= lane.capacity() && need + HEAD <= self.limit.wrapping_sub(self.end);
        if fits && self.held.is_empty() {
            Some(self.end)
        } else {
            self.place_further(lane, need, self.limit)
        }
    }

    /// How much room behind the tail there has to be for a message of that length, by what was held when that was looked at last;
    /// `None` if there cannot be as much, however much is taken or forgotten. For who has drafted nothing.
    pub(in crate::shm) fn room_for(&self, lane: Lane<'_>, len: u32) -> Option<u64> {
        let need = extent(len.into());
        let all = self.end.wrapping_add(lane.capacity());
        let start = self.place_further(lane, need, all)?;
        Some(start.wrapping_add(need + HEAD).wrapping_sub(self.end))
    }

    #[inline(never)]
    fn place_further(&self, lane: Lane<'_>, need: u64, limit: u64) -> Option<u64> {
        let mut start = self.end;
        loop {
            let offset = start & (lane.capacity() - 1);
            if offset + need > lane.capacity() {
                start = start.wrapping_add(lane.capacity() - offset);
            }
            let after = start.wrapping_add(need + HEAD);
            // Compared by how far they are from here: positions may wrap around.
            if after.wrapping_sub(self.end) > limit.wrapping_sub(self.end) {
                return None;
            }
            let in_the_way = self.held.iter().find(|(from, to)| {
                let far = |position: u64| position.wrapping_sub(self.end).cast_signed();
                far(start) < far(*to) && far(after) > far(*from)
            });
            match in_the_way {
                Some((_, to)) => start = *to,
                None => return Some(start),
            }
        }
    }

    /// Notes the message that was written to `start`, and the end behind it. Nobody sees it before it is published.
    #[inline(always)]
    pub(in crate::shm) fn draft(&mut self, lane: Lane<'_>, start: u64, len: u32) {
        let head = Head::message(len, self.next_number());
        let end = start.wrapping_add(extent(len.into()));
        let first = if start == self.end {
            head
        } else {
            lane.word(start).store(head.0, Ordering::Relaxed);
            Head::pad(start.wrapping_sub(self.end))
        };
        if self.drafted == 0 {
            self.first = first;
        } else {
            lane.word(self.end).store(first.0, Ordering::Relaxed);
        }
        self.end = end;
        self.drafted += 1;
    }

    /// Writes a message and makes it visible, if nothing is drafted and it goes right here: whether it does. As
    /// [`place`](Self::place), [`Lane::write`], [`draft`](Self::draft) and [`publish`](Self::publish) do one after the other,
    /// with what is known of it in registers: each store into our own memory takes the place of one that could be waiting for
    /// a line of the ring.
    #[inline(always)]
    pub(in crate::shm) fn push(&mut self, lane: Lane<'_>, message: &[u8]) -> bool {
        let (start, limit, pushed) = (self.tail, self.limit, self.pushed);
        let len = message.len() as u32;
        let need = extent(len.into());
        let offset = start & (lane.capacity() - 1);
        let fits = offset + need <= lane.capacity() && need + HEAD <= limit.wrapping_sub(start);
        if self.drafted != 0 || !fits || !self.held.is_empty() {
            return false;
        }
        let end = start.wrapping_add(need);
        let pushed_then = pushed.wrapping_add(1);
        lane.write(start, message);
        step();
        lane.word(start)
            .store(Head::message(len, pushed).0, Ordering::Release);
        step();
        // For who comes after us: in this order, see `resume`.
        lane.control.pushed.store(pushed_then, Ordering::Release);
        step();
        lane.control.tail.store(end, Ordering::Release);
        (self.tail, self.end, self.pushed) = (end, end, pushed_then);
        lane.prepare(end, limit);
        true
    }

    /// Makes everything visible that is drafted, by one store: how many messages that were.
    #[inline(always)]
    pub(in crate::shm) fn publish(&mut self, lane: Lane<'_>) -> u32 {
        if self.drafted == 0 {
            return 0;
        }
        step();
        lane.word(self.tail).store(self.first.0, Ordering::Release);
        step();
        self.tail = self.end;
        self.pushed = self.next_number();
        // For who comes after us: in this order, see `resume`.
        lane.control.pushed.store(self.pushed, Ordering::Release);
        step();
        lane.control.tail.store(self.tail, Ordering::Release);
        std::mem::take(&mut self.drafted)
    }

    /// Forgets what is drafted.
    #[inline(always)]
    pub(in crate::shm) fn discard(&mut self) {
        if self.drafted != 0 {
            self.end = self.tail;
            self.drafted = 0;
        }
    }
}
