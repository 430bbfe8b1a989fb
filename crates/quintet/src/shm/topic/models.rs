//! Models of a topic's lane, in which loom tries every order of the steps of those who use it: `cargo xtask models`.
//!
//! A participant is a thread here; it may stop for ever before any of its steps (`stopping`), and then counts as dead. To loom
//! a SeqCst access is no more than an acquiring or releasing one, so what rests on the order of two of them has a fence here.
//!
//! They fail without any of the three fences: behind a copy, behind a hold, and between moving the oldest and looking at holds;
//! and if the store that publishes is relaxed, if the oldest is moved only after holds were looked at, if a hold that came too late stays, if the tail is noted before how
//! many were published, if who goes on with a lane takes all that is there for forgotten, if one more or one less than `depth`
//! is passed over, or if who publishes does not fence before he looks whether anybody sleeps.
//!
//! They do not if these stores are relaxed: of the hold and of the oldest, behind each of which comes a fence; of how many were
//! published, as the tail's and the oldest's come after it, and an older number is as good; and of the word that lets go, as
//! here nothing that is loaded is stored later. Nor do they know that a message has only the low bits of its number: that
//! is tested beside `following.rs`'s code.

use super::following::{Copied, Cursor, Next};
use super::lapping::Lapping;
use crate::Deadline;
use crate::doorbell::{Bell, Waiter};
use crate::os::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::os::copy;
use crate::os::modelling::{check, check_with_stops, check_within};
use crate::os::parking::Place;
use crate::os::step::stopping;
use crate::shm::lane::{Control, Found, Hold, Lane};
use crate::wait::Spin;
use loom::sync::Arc;
use loom::thread;

/// Words of a ring.
const WORDS: usize = 8;

/// A topic with one lane, and subscribers that can hold one message each.
#[derive(Debug)]
struct Room {
    control: Control,
    ring: Vec<AtomicU64>,
    holds: [AtomicU64; 2],
    published: Bell,
    place: Place,
    fences: AtomicU32,
    waiting: [AtomicU32; 2],
}

/// What a publisher that counts knows.
struct Publishing {
    lapping: Lapping,
    /// How many subscribers' holds count: those of the dead do not.
    living: usize,
}

/// What a subscriber got: the number, and how many were missed before it.
type Got = (u64, u64);

impl Room {
    /// An empty one in which the next message goes to that word.
    fn new(word: usize) -> Arc<Self> {
        let control = Control::new();
        control.head.store(word as u64 * 8, Ordering::Relaxed);
        control.tail.store(word as u64 * 8, Ordering::Relaxed);
        Arc::new(Room {
            control,
            ring: (0..WORDS).map(|_| AtomicU64::new(0)).collect(),
            holds: [AtomicU64::new(0), AtomicU64::new(0)],
            published: Bell::new(),
            place: Place::new(),
            fences: AtomicU32::new(0),
            waiting: [AtomicU32::new(0), AtomicU32::new(0)],
        })
    }

    fn lane(&self) -> Lane<'_> {
        Lane {
            control: &self.control,
            ring: &self.ring,
        }
    }

    fn publishing(&self) -> Publishing {
        Publishing {
            lapping: Lapping::resume(self.lane()).unwrap(),
            living: self.holds.len(),
        }
    }

    fn cursor(&self) -> Cursor {
        Cursor::new(self.lane())
    }

    /// Publishes so many words that are all its number: not, if what is held leaves no room.
    fn publish(&self, publishing: &mut Publishing, words: usize) -> bool {
        let len = words as u32 * 8;
        let lapping = &mut publishing.lapping;
        let held = |count: usize| {
            let holds = self.holds[..count].iter();
            let holds = holds.map(|hold| Hold(hold.load(Ordering::Acquire)));
            holds.filter(|hold| hold.lane().is_some()).map(Ok)
        };
        let living = publishing.living;
        let place = lapping.place(self.lane(), len).or_else(|| {
            lapping
                .make_room(self.lane(), len, || held(self.holds.len()), || held(living))
                .unwrap()
        });
        let Some(start) = place else { return false };
        self.lane().end_behind(start, len);
        let body = self.lane().body(start, len).unwrap();
        copy::into_words(&lapping.writing.pushed().to_le_bytes().repeat(words), body);
        lapping.writing.draft(self.lane(), start, len);
        assert_eq!(lapping.writing.publish(self.lane()), 1);
        true
    }

    /// As a publisher does, with a full fence.
    fn publish_and_ring(&self, publishing: &mut Publishing) {
        assert!(self.publish(publishing, 1));
        fence(Ordering::SeqCst);
        if self.published.has_sleepers() {
            self.waiter(None).wake(u32::MAX);
        }
    }

    fn waiter(&self, subscriber: Option<usize>) -> Waiter<'_> {
        Waiter {
            bell: &self.published,
            place: &self.place,
            fences: Some(&self.fences),
            sleepers: None,
            own: subscriber.map(|subscriber| &self.waiting[subscriber]),
        }
    }

    fn copy(&self, cursor: &mut Cursor) -> Option<Got> {
        let mut bytes = Vec::new();
        match cursor.copy(self.lane(), &mut bytes).unwrap() {
            Copied::Message(next) => Some(check_whole(&next, &bytes)),
            Copied::Nothing => None,
            Copied::Overtaken => {
                assert!(bytes.is_empty());
                None
            }
        }
    }

    /// Receives all there is by copying.
    fn copy_all(&self, cursor: &mut Cursor) -> Vec<Got> {
        std::iter::from_fn(|| self.copy(cursor)).collect()
    }

    fn bytes(&self, found: &Found) -> Vec<u8> {
        let mut bytes = Vec::new();
        let body = self.lane().body(found.at, found.len).unwrap();
        copy::append(body, found.len as usize, &mut bytes);
        bytes
    }

    fn hold(&self, cursor: &mut Cursor, subscriber: usize) -> Option<Next> {
        let found = cursor.find(self.lane()).unwrap()?;
        let hold = &self.holds[subscriber];
        cursor.hold(self.lane(), 0, hold, found).unwrap()
    }

    fn let_go(&self, subscriber: usize) {
        self.holds[subscriber].store(0, Ordering::Release);
    }

    /// Holds the next message in place, and looks at it twice.
    fn receive(&self, cursor: &mut Cursor, subscriber: usize) -> Option<Got> {
        let next = self.hold(cursor, subscriber)?;
        let got = check_whole(&next, &self.bytes(&next.found));
        assert_eq!(check_whole(&next, &self.bytes(&next.found)), got);
        self.let_go(subscriber);
        Some(got)
    }

    /// Waits for a message, and copies it.
    fn wait(&self, cursor: &mut Cursor, subscriber: usize) -> Got {
        let cursor = std::cell::RefCell::new(cursor);
        let taken = self.waiter(Some(subscriber)).wait(
            &Spin::default(),
            Deadline::NEVER,
            || Ok(self.copy(&mut cursor.borrow_mut())),
            || Ok(cursor.borrow().is_ready(self.lane())),
        );
        taken.unwrap().unwrap()
    }
}

/// It has the bytes that it was published with.
fn check_whole(next: &Next, bytes: &[u8]) -> Got {
    assert!(!bytes.is_empty() && bytes.len().is_multiple_of(8));
    for word in bytes.chunks(8) {
        assert_eq!(word, next.number.to_le_bytes(), "torn");
    }
    (next.number, next.lost)
}

/// Who was there before message number `first` got all up to the last one, or is said to have missed them, in order.
fn check_all(first: u64, end: u64, got: &[Got]) {
    let mut expected = first;
    for (number, lost) in got {
        assert_eq!(expected + lost, *number, "{got:?}");
        expected = number + 1;
    }
    assert_eq!(expected, end, "{got:?}");
}

#[test]
fn what_is_copied_is_whole_and_in_order_and_what_is_missed_is_counted() {
    for start in [0, WORDS - 2] {
        check(move || {
            let room = Room::new(start);
            let mut publishing = room.publishing();
            let mut cursor = room.cursor();
            // The next one needs the place of both.
            assert!(room.publish(&mut publishing, 1) && room.publish(&mut publishing, 1));
            let other = room.clone();
            let subscriber = thread::spawn(move || {
                let got = [other.copy(&mut cursor), other.copy(&mut cursor)];
                (Vec::from_iter(got.into_iter().flatten()), cursor)
            });
            assert!(room.publish(&mut publishing, 2) && room.publish(&mut publishing, 2));
            let (mut got, mut cursor) = subscriber.join().unwrap();
            got.extend(room.copy_all(&mut cursor));
            check_all(0, 4, &got);
        });
    }
}

#[test]
fn who_subscribes_meanwhile_knows_where_it_is() {
    check(|| {
        let room = Room::new(WORDS - 2);
        let mut publishing = room.publishing();
        assert!(room.publish(&mut publishing, 1));
        let other = room.clone();
        let subscriber = thread::spawn(move || {
            let mut cursor = other.cursor();
            (Vec::from_iter(other.copy(&mut cursor)), cursor)
        });
        assert!(room.publish(&mut publishing, 1) && room.publish(&mut publishing, 2));
        let (mut got, mut cursor) = subscriber.join().unwrap();
        got.extend(room.copy_all(&mut cursor));
        // Whatever it is given first, nothing was missed before it unless that is said.
        if let Some((number, lost)) = got.first() {
            assert!(number - lost >= 1);
            check_all(number - lost, 3, &got);
        }
    });
}

#[test]
fn the_next_publisher_forgets_no_more_than_it_needs_the_place_of() {
    check(|| {
        let room = Room::new(0);
        let mut cursor = room.cursor();
        let mut publishing = room.publishing();
        assert!(room.publish(&mut publishing, 1) && room.publish(&mut publishing, 1));
        // There is room for one more, and then for one in the place of the first.
        let mut next = room.publishing();
        assert!(room.publish(&mut next, 1));
        let mut early = cursor;
        assert_eq!(room.copy_all(&mut early), [(0, 0), (1, 0), (2, 0)]);
        let mut last = room.publishing();
        assert!(room.publish(&mut last, 1));
        assert_eq!(room.copy_all(&mut cursor), [(1, 1), (2, 0), (3, 0)]);
    });
}

#[test]
fn what_is_held_in_place_stays_however_often_the_publisher_comes_by() {
    for start in [0, WORDS - 3] {
        check_within(2, move || {
            let room = Room::new(start);
            let mut publishing = room.publishing();
            let mut cursor = room.cursor();
            assert!(room.publish(&mut publishing, 1));
            let other = room.clone();
            let subscriber = thread::spawn(move || (Vec::from_iter(other.receive(&mut cursor, 0)), cursor));
            for _ in 0..4 {
                // There is always room for a short one: what is held is short.
                assert!(room.publish(&mut publishing, 1));
            }
            let (mut got, mut cursor) = subscriber.join().unwrap();
            got.extend(room.copy_all(&mut cursor));
            check_all(0, 5, &got);
        });
    }
}

#[test]
fn two_hold_different_ones_and_the_publisher_goes_around_both_or_is_told() {
    check_within(2, || {
        let room = Room::new(0);
        let mut publishing = room.publishing();
        let mut cursor = room.cursor();
        assert!(room.publish(&mut publishing, 1) && room.publish(&mut publishing, 1));
        let mut behind = cursor;
        assert_eq!(room.copy(&mut behind), Some((0, 0)));
        let subscribers = [(0, cursor), (1, behind)].map(|(subscriber, mut cursor)| {
            let other = room.clone();
            thread::spawn(move || other.receive(&mut cursor, subscriber))
        });
        let mut published = 2;
        for _ in 0..2 {
            published += u64::from(room.publish(&mut publishing, 1));
        }
        for subscriber in subscribers {
            let got = subscriber.join().unwrap();
            assert!(got.is_none_or(|(number, _)| number < published));
        }
        // Nothing is held any more.
        assert!(room.publish(&mut publishing, 2));
        let got = room.copy_all(&mut cursor);
        check_all(0, published + 1, &got);
    });
}

#[test]
fn a_lane_whose_publisher_stopped_anywhere_goes_on_with_the_next() {
    check_with_stops(|steps| {
        let room = Room::new(WORDS - 3);
        let mut cursor = room.cursor();
        let dying = room.clone();
        let thread = thread::spawn(move || {
            stopping::after(steps, || {
                let mut publishing = dying.publishing();
                for words in [1, 2, 1] {
                    assert!(dying.publish(&mut publishing, words));
                }
            })
            .is_none()
        });
        let mut got = Vec::from_iter(room.copy(&mut cursor));
        got.extend(room.copy(&mut cursor));
        let stopped = thread.join().unwrap();
        let mut next = room.publishing();
        let before = next.lapping.writing.pushed();
        assert!(before <= 3 && (stopped || before == 3), "{before}");
        assert!(room.publish(&mut next, 1));
        got.extend(room.copy_all(&mut cursor));
        assert!(room.publish(&mut next, 2));
        got.extend(room.copy_all(&mut cursor));
        check_all(0, before + 2, &got);
        stopped
    });
}

#[test]
fn who_holds_while_one_publisher_stops_anywhere_is_gone_around_by_the_next() {
    check_with_stops(|steps| {
        let room = Room::new(0);
        let mut cursor = room.cursor();
        assert!(room.publish(&mut room.publishing(), 1));
        let other = room.clone();
        let subscriber = thread::spawn(move || other.receive(&mut cursor, 0));
        let stopped = stopping::after(steps, || {
            let mut publishing = room.publishing();
            assert!(room.publish(&mut publishing, 1) && room.publish(&mut publishing, 1));
        });
        let mut next = room.publishing();
        assert!(room.publish(&mut next, 1));
        subscriber.join().unwrap();
        stopped.is_none()
    });
}

#[test]
fn what_a_subscriber_held_that_stopped_anywhere_is_used_again() {
    check_with_stops(|steps| {
        let room = Room::new(WORDS - 2);
        let mut publishing = room.publishing();
        let mut cursor = room.cursor();
        assert!(room.publish(&mut publishing, 1));
        let (dying, mut theirs) = (room.clone(), cursor);
        let thread = thread::spawn(move || {
            stopping::after(steps, || {
                let got = dying.receive(&mut theirs, 1);
                let more = dying.hold(&mut theirs, 1);
                dying.let_go(1);
                (got, more)
            })
            .is_none()
        });
        assert!(room.publish(&mut publishing, 1) && room.publish(&mut publishing, 1));
        let stopped = thread.join().unwrap();
        // Now it is known to be dead, and nobody is held up, whatever it held.
        publishing.living = 1;
        assert!(room.publish(&mut publishing, 2) && room.publish(&mut publishing, 2));
        let got = room.copy_all(&mut cursor);
        check_all(0, 5, &got);
        // The next one with its seat.
        room.let_go(1);
        publishing.living = 2;
        let mut next = room.cursor();
        assert!(room.publish(&mut publishing, 1));
        assert_eq!(room.receive(&mut next, 1), Some((5, 0)));
        stopped
    });
}

#[test]
fn who_passes_over_old_ones_gets_the_last_and_counts_the_others() {
    check(|| {
        let room = Room::new(0);
        let mut publishing = room.publishing();
        let mut cursor = room.cursor();
        assert!(room.publish(&mut publishing, 1) && room.publish(&mut publishing, 1));
        let other = room.clone();
        let subscriber = thread::spawn(move || {
            cursor.skip(other.lane(), 1).unwrap();
            (Vec::from_iter(other.copy(&mut cursor)), cursor)
        });
        assert!(room.publish(&mut publishing, 1) && room.publish(&mut publishing, 1));
        let (mut got, mut cursor) = subscriber.join().unwrap();
        assert!(got.first().is_none_or(|(number, _)| *number >= 1));
        cursor.skip(room.lane(), 1).unwrap();
        got.extend(room.copy_all(&mut cursor));
        check_all(0, 4, &got);
    });
}

#[test]
fn the_word_behind_the_last_message_is_never_what_was_there_before() {
    check(|| {
        let room = Room::new(0);
        let mut publishing = room.publishing();
        // The ring has been full of other messages' heads and bytes.
        for _ in 0..4 {
            assert!(room.publish(&mut publishing, 1) && room.publish(&mut publishing, 2));
        }
        let mut cursor = room.cursor();
        let other = room.clone();
        let subscriber = thread::spawn(move || {
            let first = other.copy(&mut cursor);
            (
                Vec::from_iter(first.into_iter().chain(other.copy(&mut cursor))),
                cursor,
            )
        });
        assert!(room.publish(&mut publishing, 1));
        let (mut got, mut cursor) = subscriber.join().unwrap();
        got.extend(room.copy_all(&mut cursor));
        assert_eq!(got, [(8, 0)]);
    });
}

#[test]
fn a_message_wakes_all_who_sleep() {
    check_within(2, || {
        let room = Room::new(0);
        let mut publishing = room.publishing();
        let sleepers = [0, 1].map(|subscriber| {
            let (other, mut cursor) = (room.clone(), room.cursor());
            thread::spawn(move || assert_eq!(other.wait(&mut cursor, subscriber), (0, 0)))
        });
        room.publish_and_ring(&mut publishing);
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
    });
}

#[test]
fn the_next_message_wakes_who_slept_again() {
    check(|| {
        let room = Room::new(0);
        let mut publishing = room.publishing();
        let (other, mut cursor) = (room.clone(), room.cursor());
        let sleeper = thread::spawn(move || {
            let got = [other.wait(&mut cursor, 0), other.wait(&mut cursor, 0)];
            assert_eq!(got, [(0, 0), (1, 0)]);
        });
        room.publish_and_ring(&mut publishing);
        room.publish_and_ring(&mut publishing);
        sleeper.join().unwrap();
    });
}
