//! The publisher's side of a lane: how it makes room.

use crate::Result;
use crate::os::atomic::Ordering;
use crate::os::step::step;
use crate::shm::lane::{HEAD, Head, Hold, Kind, Lane, Writing, extent, nonsense};

/// What a publisher knows of its lane.
#[derive(Debug)]
pub(super) struct Lapping {
    pub(super) writing: Writing,
    /// Where the oldest message begins that is still there.
    oldest: u64,
}

impl Lapping {
    /// Goes on where the last publisher of the lane stopped.
    pub(super) fn resume(lane: Lane<'_>) -> Result<Self> {
        let writing = Writing::resume(lane)?;
        // Looked at once more, so checked once more: nobody but us should have changed it since.
        let oldest = lane.control.head.load(Ordering::Acquire);
        if !oldest.is_multiple_of(8) || writing.tail().wrapping_sub(oldest) > lane.capacity() {
            return Err(nonsense());
        }
        Ok(Lapping { writing, oldest })
    }

    /// Where a message of that length goes, if it is known that nobody needs what is there.
    #[inline(always)]
    pub(super) fn place(&self, lane: Lane<'_>, len: u32) -> Option<u64> {
        self.writing.place(lane, len)
    }

    /// Makes room for a message of that length. `held`: what somebody holds in place in this lane, and `held_by_the_living`,
    /// which takes longer to find out; they are asked again when the oldest has been moved. `None` if what is held leaves no
    /// room: then no more is forgotten than seemed to help, which is nothing unless somebody began to hold something meanwhile.
    #[cold]
    pub(super) fn make_room<H: Iterator<Item = Result<Hold>>, L: Iterator<Item = Result<Hold>>>(
        &mut self,
        lane: Lane<'_>,
        len: u32,
        held: impl Fn() -> H,
        held_by_the_living: impl Fn() -> L,
    ) -> Result<Option<u64>> {
        // Before anything is forgotten. What is seen here of what is held may be old: it is looked at once more behind the fence.
        self.writing.look_for_room(lane, held())?;
        if self.writing.room_for(lane, len).is_none() {
            self.writing.look_for_room(lane, held_by_the_living())?;
            if self.writing.room_for(lane, len).is_none() {
                return Ok(None);
            }
        }
        // Some more than is needed, as others pay for each look at what we write here.
        let mut room = (extent(len.into()) + HEAD).max(lane.capacity() / 8);
        loop {
            self.forget(lane, room);
            self.writing.look_for_room(lane, held())?;
            let is_in_the_way = self.writing.is_in_the_way();
            if is_in_the_way {
                // What the dead hold is not gone around: others would have less of the ring, as long as nobody has their seats.
                self.writing.look_for_room(lane, held_by_the_living())?;
            }
            let place = self.writing.place(lane, len);
            if place.is_some() || self.oldest == self.writing.tail() {
                return Ok(place);
            }
            if !is_in_the_way {
                // Nor what they hold beyond there.
                self.writing.look_for_room(lane, held_by_the_living())?;
            }
            match self.writing.room_for(lane, len) {
                Some(more) => room = more.max(room + HEAD),
                None => return Ok(None),
            }
        }
    }

    /// Moves the oldest forward until there is so much room, or nothing left to forget.
    fn forget(&mut self, lane: Lane<'_>, room: u64) {
        let tail = self.writing.tail();
        let used = lane.capacity().saturating_sub(room);
        while tail.wrapping_sub(self.oldest) > used {
            let bytes = match Head(lane.word(self.oldest).load(Ordering::Relaxed)).kind() {
                Kind::Message { len, .. } => extent(len.into()),
                Kind::Pad(bytes) => bytes,
                // Somebody has written into our ring: then all of it is forgotten.
                Kind::Nothing | Kind::Nonsense => u64::MAX,
            };
            if bytes >= tail.wrapping_sub(self.oldest) {
                self.oldest = tail;
            } else {
                self.oldest = self.oldest.wrapping_add(bytes);
            }
        }
        step();
        // Before anything is written there: `look_for_room` fences. Who copies what was there sees it, then; and who begins to
        // hold it from now on sees that he is too late.
        lane.control.head.store(self.oldest, Ordering::Release);
        step();
    }
}
