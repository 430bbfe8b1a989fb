//! The subscriber's side of a lane: where it is in it.

use crate::Result;
use crate::os::atomic::{AtomicU64, Ordering, fence};
use crate::os::copy;
use crate::os::step::step;
use crate::shm::lane::{Found, HEAD, Head, Hold, Kind, Lane, Seen, nonsense, whole_number};

/// How often to be overtaken by a publisher at one look.
const TRIES: u32 = 1 << 10;

/// How often to be overtaken while copying, before it is held for that.
const COPIES: u32 = 3;

/// Where a subscriber is in a lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    at: u64,
    /// The number of the next message, unless some are missed before it.
    next: u64,
    /// Whether some were: how many, nobody knows who has not asked the lane. A message has only the low bits of its number.
    has_jumped: bool,
}

/// A message that was found where it is, and how many were missed before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) found: Found,
    pub(super) number: u64,
    pub(super) lost: u64,
}

/// What comes of copying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copied {
    Nothing,
    Message(Next),
    /// It is gone each time before it has been copied.
    Overtaken,
}

impl Cursor {
    /// Behind all that is there (or before the last one, if that is published at this moment).
    pub(super) fn new(lane: Lane<'_>) -> Self {
        let mut cursor = Cursor {
            at: 0,
            next: 0,
            has_jumped: false,
        };
        for _ in 0..TRIES {
            cursor.at = lane.control.tail.load(Ordering::Acquire);
            // How many were published before there, or some more; then they are seen there.
            cursor.next = lane.control.pushed.load(Ordering::Acquire);
            let seen = lane.seen(cursor.at, cursor.at);
            if !Cursor::is_passed(lane, cursor.at) {
                if let Seen::Message(found) = seen {
                    cursor.next = whole_number(found.number, cursor.next);
                }
                break;
            }
        }
        cursor
    }

    /// Whether the publisher has passed that position, as far as what was loaded or fenced before lets see.
    fn is_passed(lane: Lane<'_>, at: u64) -> bool {
        let oldest = lane.control.head.load(Ordering::Acquire);
        let ahead = oldest.wrapping_sub(at);
        ahead != 0 && ahead <= u64::MAX / 2
    }

    /// The next message, if it is right where we are, as nearly always. What is there may have been written over; who copies or
    /// holds it finds out.
    #[inline(always)]
    pub(super) fn glimpse(&self, lane: Lane<'_>) -> Option<Found> {
        let at = self.at;
        let Kind::Message { len, number } = Head(lane.word(at).load(Ordering::Acquire)).kind() else {
            return None;
        };
        let found = Found {
            head: at,
            at,
            len,
            number,
        };
        (at.is_multiple_of(8) && lane.body(at, len).is_some()).then_some(found)
    }

    /// The next message, as it seems; it may be gone before it has been copied or held.
    #[inline(never)]
    fn look(&mut self, lane: Lane<'_>) -> Result<Option<Found>> {
        for _ in 0..TRIES {
            let seen = lane.seen(self.at, self.at);
            // What was seen there, by acquiring loads, was right if the publisher had not passed it by then.
            if Cursor::is_passed(lane, self.at) {
                self.at = lane.control.head.load(Ordering::Acquire);
                self.has_jumped = true;
                continue;
            }
            return match seen {
                Seen::Nothing => Ok(None),
                Seen::Message(found) => Ok(Some(found)),
                Seen::Nonsense => Err(nonsense()),
            };
        }
        Ok(None)
    }

    /// Whether it is worth to look: as little as can be done for that.
    #[inline(always)]
    pub(super) fn glance(&self, lane: Lane<'_>) -> bool {
        // What was passed has been written over, maybe by nothing.
        lane.word(self.at).load(Ordering::Relaxed) != 0 || Cursor::is_passed(lane, self.at)
    }

    /// Whether there is a message, or a lane that makes no sense, which has to be said.
    pub(super) fn is_ready(mut self, lane: Lane<'_>) -> bool {
        !matches!(self.look(lane), Ok(None))
    }

    /// A number that is nearer to the next message's than its low bits reach: to be asked for before the last look at whether
    /// the publisher has passed it, as no more messages than there are in a ring were published between that one and then.
    #[inline]
    fn near(&self, lane: Lane<'_>) -> u64 {
        if self.has_jumped {
            lane.control.pushed.load(Ordering::Acquire)
        } else {
            self.next
        }
    }

    fn next(&self, found: Found, near: u64) -> Next {
        let number = whole_number(found.number, near);
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
        self.has_jumped = false;
    }

    /// Copies the next message to the end of `to`, and goes on behind it.
    #[inline]
    pub(super) fn copy(&mut self, lane: Lane<'_>, to: &mut Vec<u8>) -> Result<Copied> {
        let before = to.len();
        let mut seen = self.glimpse(lane);
        for _ in 0..COPIES {
            // Only a look finds that the publisher has passed us, and goes on at the oldest.
            let found = match seen.take() {
                Some(found) => found,
                None => match self.look(lane)? {
                    Some(found) => found,
                    None => return Ok(Copied::Nothing),
                },
            };
            let near = self.near(lane);
            let body = lane.body(found.at, found.len).unwrap_or_default();
            copy::append(body, (found.len as usize).min(size_of_val(body)), to);
            // If anything of it was overwritten, the publisher had passed it before.
            fence(Ordering::Acquire);
            if !Cursor::is_passed(lane, self.at) {
                let next = self.next(found, near);
                self.pass(&next);
                return Ok(Copied::Message(next));
            }
            to.truncate(before);
        }
        Ok(Copied::Overtaken)
    }

    /// The next message, to be held with [`hold`](Self::hold).
    #[inline(always)]
    pub(super) fn find(&mut self, lane: Lane<'_>) -> Result<Option<Found>> {
        match self.glimpse(lane) {
            Some(found) => Ok(Some(found)),
            None => self.look(lane),
        }
    }

    /// Holds a message in place that was found, or one behind it if that has gone since; goes on behind it. `hold` is ours and
    /// free.
    #[inline(always)]
    pub(super) fn hold(
        &mut self,
        lane: Lane<'_>,
        index: usize,
        hold: &AtomicU64,
        found: Found,
    ) -> Result<Option<Next>> {
        match self.try_hold(lane, index, hold, found) {
            Some(next) => Ok(Some(next)),
            None => self.hold_another(lane, index, hold),
        }
    }

    #[inline(always)]
    pub(super) fn try_hold(
        &mut self,
        lane: Lane<'_>,
        index: usize,
        hold: &AtomicU64,
        found: Found,
    ) -> Option<Next> {
        let near = self.near(lane);
        step();
        // Either the publisher, which moves the oldest and then looks at what is held, sees this, or we see that it has.
        hold.store(Hold::of(index, found.at, found.len).0, Ordering::Release);
        fence(Ordering::SeqCst);
        step();
        if Cursor::is_passed(lane, self.at) {
            return None;
        }
        let next = self.next(found, near);
        self.pass(&next);
        Some(next)
    }

    #[cold]
    fn hold_another(&mut self, lane: Lane<'_>, index: usize, hold: &AtomicU64) -> Result<Option<Next>> {
        for _ in 0..TRIES {
            hold.store(0, Ordering::Release);
            let Some(found) = self.look(lane)? else {
                return Ok(None);
            };
            if let Some(next) = self.try_hold(lane, index, hold, found) {
                return Ok(Some(next));
            }
        }
        hold.store(0, Ordering::Release);
        Ok(None)
    }

    /// Passes over all but the last `depth` messages.
    pub(super) fn skip(&mut self, lane: Lane<'_>, depth: u64) -> Result<()> {
        // There are no more in a ring, whatever stands in it.
        for _ in 0..lane.capacity() / HEAD {
            let Some(found) = self.look(lane)? else {
                return Ok(());
            };
            let near = self.near(lane);
            if Cursor::is_passed(lane, self.at) {
                continue;
            }
            let number = whole_number(found.number, near);
            let pushed = lane.control.pushed.load(Ordering::Acquire);
            if !(depth + 1..=u64::MAX / 2).contains(&pushed.wrapping_sub(number)) {
                return Ok(());
            }
            // The number that is expected stays, so it counts as lost.
            self.at = found.end();
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::shm::lane::Control;

    const WORDS: usize = 512;
    /// Of a message of one word.
    const EXTENT: u64 = 16;

    /// A lane in which the last message has that number, one word, and the oldest message that is there the other one.
    fn state(control: &Control, ring: &[AtomicU64], oldest: u64, last: u64) {
        let lane = Lane { control, ring };
        for number in oldest..=last {
            lane.word(number * EXTENT)
                .store(Head::message(8, number).0, Ordering::Relaxed);
            lane.word(number * EXTENT + 8).store(number, Ordering::Relaxed);
        }
        lane.word((last + 1) * EXTENT).store(0, Ordering::Relaxed);
        control.head.store(oldest * EXTENT, Ordering::Relaxed);
        control.pushed.store(last + 1, Ordering::Relaxed);
        control.tail.store((last + 1) * EXTENT, Ordering::Relaxed);
    }

    #[test]
    fn however_many_were_missed_they_are_counted() {
        // A message has only 30 bits of its number.
        for missed in [
            1,
            300,
            (1 << 29) - 1,
            1 << 29,
            (1 << 29) + 1,
            1 << 30,
            (5 << 30) + 7,
            1 << 40,
        ] {
            for pass in ["copy", "hold", "skip"] {
                let control = Control::new();
                let ring: Vec<_> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
                let lane = Lane {
                    control: &control,
                    ring: &ring,
                };
                state(&control, &ring, 0, 9);
                let mut cursor = Cursor::new(lane);
                assert!(matches!(cursor.copy(lane, &mut Vec::new()), Ok(Copied::Nothing)));
                // Some that are there when it has missed so many, and others after them.
                let first = 10 + missed;
                state(&control, &ring, first, first + 200);
                let (depth, skipped) = if pass == "skip" {
                    (50, 151)
                } else {
                    (u64::MAX / 4, 0)
                };
                cursor.skip(lane, depth).unwrap();
                let mut bytes = Vec::new();
                let next = if pass == "hold" {
                    let found = cursor.find(lane).unwrap().unwrap();
                    cursor.hold(lane, 0, &AtomicU64::new(0), found).unwrap().unwrap()
                } else {
                    let Ok(Copied::Message(next)) = cursor.copy(lane, &mut bytes) else {
                        panic!("it is there");
                    };
                    assert_eq!(bytes, (first + skipped).to_le_bytes());
                    next
                };
                assert_eq!(
                    (next.number, next.lost),
                    (first + skipped, missed + skipped),
                    "{pass}"
                );
                // From here on none.
                let Ok(Copied::Message(next)) = cursor.copy(lane, &mut bytes) else {
                    panic!("it is there");
                };
                assert_eq!((next.number, next.lost), (first + skipped + 1, 0), "{pass}");
            }
        }
    }
}
