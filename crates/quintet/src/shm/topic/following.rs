//! The subscriber's side of a lane: where it is in it.

use crate::Result;
use crate::os::atomic::{AtomicU64, Ordering, fence};
use crate::os::copy;
use crate::os::step::step;
use crate::shm::lane::{Found, Hold, Lane, Seen, nonsense, whole_number};

/// How often to be overtaken by a publisher at one look.
const TRIES: u32 = 1 << 10;

/// Where a subscriber is in a lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    at: u64,
    /// The number of the next message.
    next: u64,
}

/// A message that was found where it is, and how many were missed before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) found: Found,
    pub(super) number: u64,
    pub(super) lost: u64,
}

impl Cursor {
    /// Behind all that is there.
    pub(super) fn new(lane: Lane<'_>) -> Self {
        let at = lane.control.tail.load(Ordering::Acquire);
        // It is noted before the tail: so of what is published meanwhile some may not be counted when it is lost, but none is
        // counted that was published before.
        let next = lane.control.pushed.load(Ordering::Acquire);
        Cursor { at, next }
    }

    /// Whether the publisher has passed that position.
    fn is_passed(lane: Lane<'_>, at: u64) -> bool {
        let oldest = lane.control.head.load(Ordering::SeqCst);
        let ahead = oldest.wrapping_sub(at);
        ahead != 0 && ahead <= u64::MAX / 2
    }

    /// The next message, as it seems; it may be gone before it has been copied or held.
    #[inline]
    fn look(&mut self, lane: Lane<'_>) -> Result<Option<Found>> {
        for _ in 0..TRIES {
            let seen = lane.seen(self.at, self.at);
            // What was seen there was right if the publisher had not passed it by then.
            fence(Ordering::Acquire);
            if Cursor::is_passed(lane, self.at) {
                self.at = lane.control.head.load(Ordering::Acquire);
                continue;
            }
            return match seen {
                Seen::Nothing => Ok(None),
                Seen::Message(found) => Ok(Some(found)),
                Seen::Nonsense => Err(nonsense()),
            };
        }
        Err(nonsense())
    }

    /// Whether there is a message, or a lane that makes no sense, which has to be said.
    pub(super) fn is_ready(mut self, lane: Lane<'_>) -> bool {
        !matches!(self.look(lane), Ok(None))
    }

    fn next(&self, found: Found) -> Next {
        let number = whole_number(found.number, self.next);
        Next {
            found,
            number,
            lost: number.saturating_sub(self.next),
        }
    }

    /// Goes on behind a message.
    fn pass(&mut self, next: &Next) {
        self.at = next.found.end();
        self.next = next.number.wrapping_add(1);
    }

    /// Copies the next message to the end of `to`, and goes on behind it.
    #[inline]
    pub(super) fn copy(&mut self, lane: Lane<'_>, to: &mut Vec<u8>) -> Result<Option<Next>> {
        let before = to.len();
        for _ in 0..TRIES {
            let Some(found) = self.look(lane)? else {
                return Ok(None);
            };
            let body = lane.body(found.at, found.len).unwrap_or_default();
            copy::append(body, (found.len as usize).min(size_of_val(body)), to);
            // If anything of it was overwritten, the publisher had passed it before.
            fence(Ordering::Acquire);
            if !Cursor::is_passed(lane, self.at) {
                let next = self.next(found);
                self.pass(&next);
                return Ok(Some(next));
            }
            to.truncate(before);
        }
        Err(nonsense())
    }

    /// The next message, to be held with [`hold`](Self::hold).
    #[inline]
    pub(super) fn find(&mut self, lane: Lane<'_>) -> Result<Option<Found>> {
        self.look(lane)
    }

    /// Holds a message in place that was found, or one behind it if that has gone since; goes on behind it. `hold` is ours and
    /// free.
    #[inline]
    pub(super) fn hold(
        &mut self,
        lane: Lane<'_>,
        index: usize,
        hold: &AtomicU64,
        found: Found,
    ) -> Result<Option<Next>> {
        let mut found = found;
        for _ in 0..TRIES {
            step();
            // Either the publisher, which moves the oldest and then looks at what is held, sees this, or we see that it has.
            hold.store(Hold::of(index, found.at, found.len).0, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            step();
            if !Cursor::is_passed(lane, self.at) {
                let next = self.next(found);
                self.pass(&next);
                return Ok(Some(next));
            }
            hold.store(0, Ordering::Release);
            match self.look(lane)? {
                Some(another) => found = another,
                None => return Ok(None),
            }
        }
        Err(nonsense())
    }

    /// Passes over all but the last `depth` messages.
    pub(super) fn skip(&mut self, lane: Lane<'_>, depth: u64) -> Result<()> {
        while let Some(found) = self.look(lane)? {
            let next = self.next(found);
            let behind = lane
                .control
                .pushed
                .load(Ordering::Acquire)
                .wrapping_sub(next.number);
            if !(depth + 1..=u64::MAX / 2).contains(&behind) {
                return Ok(());
            }
            // Its number stays the one that is expected, so it counts as lost.
            self.at = found.end();
        }
        Ok(())
    }
}
