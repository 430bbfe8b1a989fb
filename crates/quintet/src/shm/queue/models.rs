//! Models of a lane and of the consumers' bell, in which loom tries every order of their steps: `cargo xtask models`.
//!
//! A participant is a thread here; it may stop for ever before any of its steps (`stopping`), and then counts as dead. To loom
//! a SeqCst access is no more than an acquiring or releasing one, so what rests on the order of two of them has a fence here.

use super::{Batch, Received};
use crate::Deadline;
use crate::doorbell::{Bell, Sleepers, Waiter};
use crate::os::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::os::copy;
use crate::os::modelling::{Bed, check, check_with_stops, check_within};
use crate::os::parking::Place;
use crate::os::step::{step, stopping};
use crate::participants;
use crate::shm::lane::{Control, Found, Hold, Lane, Writing};
use crate::wait::Spin;
use loom::sync::Arc;
use loom::thread;

/// Words of a ring.
const WORDS: usize = 8;

/// A queue with one lane, and two consumers that may sleep.
#[derive(Debug)]
struct Room {
    control: Control,
    ring: Vec<AtomicU64>,
    hold: AtomicU64,
    ready: Bell,
    place: Place,
    fences: AtomicU32,
    waiting: [AtomicU32; 2],
}

impl Sleepers for Room {
    fn are_there(&self) -> bool {
        self.waiting.iter().any(|own| own.load(Ordering::Acquire) > 0)
    }

    /// All live.
    fn doubt_one(&self) {}
}

/// A message: its number, and so many words that are all that number.
type Message = (u32, Vec<u8>);

/// It has the bytes that it was pushed with.
fn check_whole((number, bytes): &Message) {
    assert!(!bytes.is_empty() && bytes.len().is_multiple_of(8));
    for word in bytes.chunks(8) {
        assert_eq!(word, u64::from(*number).to_le_bytes(), "torn");
    }
}

impl Room {
    /// An empty one in which the next message goes to that word.
    fn new(word: usize) -> Arc<Self> {
        let control = Control::new();
        control.head.store(word as u64 * 8, Ordering::Relaxed);
        control.tail.store(word as u64 * 8, Ordering::Relaxed);
        Arc::new(Room {
            control,
            ring: (0..WORDS).map(|_| AtomicU64::new(0)).collect(),
            hold: AtomicU64::new(0),
            ready: Bell::new(),
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

    fn writing(&self) -> Writing {
        Writing::resume(self.lane()).unwrap()
    }

    /// Writes a message of so many words, which nobody sees yet: whether there was room.
    fn draft(&self, writing: &mut Writing, words: usize) -> bool {
        let len = words as u32 * 8;
        let start = writing.place(self.lane(), len).or_else(|| {
            let held = std::iter::once_with(|| Hold(self.hold.load(Ordering::Acquire)));
            let held = held.filter(|hold| hold.lane().is_some()).map(Ok);
            writing.look_for_room(self.lane(), held).unwrap();
            writing.place(self.lane(), len)
        });
        let Some(start) = start else { return false };
        self.lane().end_behind(start, len);
        let body = self.lane().body(start, len).unwrap();
        copy::into_words(&writing.next_number().to_le_bytes().repeat(words), body);
        writing.draft(self.lane(), start, len);
        true
    }

    fn push(&self, writing: &mut Writing, words: usize) -> bool {
        let message = writing.next_number().to_le_bytes().repeat(words);
        writing.push(self.lane(), &message) || self.draft(writing, words) && writing.publish(self.lane()) == 1
    }

    /// As a producer does, with a full fence.
    fn push_and_ring(&self, writing: &mut Writing, messages: usize) {
        let count = if messages == 1 {
            assert!(self.push(writing, 1));
            1
        } else {
            for _ in 0..messages {
                assert!(self.draft(writing, 1));
            }
            writing.publish(self.lane())
        };
        fence(Ordering::SeqCst);
        if self.ready.has_sleepers() {
            self.waiter(None).wake(count);
        }
    }

    fn waiter(&self, consumer: Option<usize>) -> Waiter<'_> {
        Waiter {
            bell: &self.ready,
            place: &self.place,
            fences: Some(&self.fences),
            sleepers: Some(self),
            own: consumer.map(|consumer| &self.waiting[consumer]),
        }
    }

    fn copy(&self, found: &Found) -> Message {
        let mut bytes = Vec::new();
        let body = self.lane().body(found.at, found.len).unwrap();
        copy::append(body, found.len as usize, &mut bytes);
        (found.number, bytes)
    }

    /// As a consumer pops what is short.
    fn pop(&self) -> Option<Message> {
        loop {
            let found = match self.lane().glance() {
                Some((found, _)) => found,
                None => self.lane().find().unwrap()?,
            };
            let message = self.copy(&found);
            if self.lane().take(&found, found.end()) {
                check_whole(&message);
                return Some(message);
            }
        }
    }

    /// As a consumer pops what is long: takes it first, and copies it then. Or somebody else takes it.
    fn pop_in_place(&self) -> Option<Message> {
        let found = self.lane().find().unwrap()?;
        self.hold(&found);
        let taken = self.lane().take(&found, found.end());
        step();
        let message = taken.then(|| self.copy(&found));
        step();
        self.let_go();
        message.inspect(check_whole)
    }

    /// Looks at the next message, and leaves it there.
    fn peek(&self) -> Option<(Found, Message)> {
        let found = self.lane().find().unwrap()?;
        self.hold(&found);
        fence(Ordering::SeqCst);
        if self.control.head.load(Ordering::SeqCst) != found.head {
            self.let_go();
            return None;
        }
        let message = self.copy(&found);
        check_whole(&message);
        Some((found, message))
    }

    fn hold(&self, found: &Found) {
        let hold = Hold::of(0, found.at, found.len);
        self.hold.store(hold.0, Ordering::SeqCst);
        step();
    }

    fn let_go(&self) {
        self.hold.store(0, Ordering::SeqCst);
    }

    /// Several by one step.
    fn pop_batch(&self) -> Vec<Message> {
        loop {
            let Some(first) = self.lane().find().unwrap() else {
                return Vec::new();
            };
            let mut batch = Batch::new();
            let mut numbers = Vec::new();
            let end = batch.copy_from(self.lane(), &first, 8, |found| {
                numbers.push(found.number);
                Received {
                    len: found.len as usize,
                    lane: 0,
                    sequence: 0,
                }
            });
            if self.lane().take(&first, end) {
                let bytes = batch.iter().map(|(_, message)| message.to_vec());
                let messages: Vec<Message> = numbers.into_iter().zip(bytes).collect();
                messages.iter().for_each(check_whole);
                return messages;
            }
        }
    }

    fn drain(&self) -> Vec<Message> {
        std::iter::from_fn(|| self.pop()).collect()
    }

    fn wait(&self, consumer: usize) -> Message {
        let is_there = || self.lane().find().map(|found| found.is_some());
        let taken =
            self.waiter(Some(consumer))
                .wait(&Spin::default(), Deadline::NEVER, || Ok(self.pop()), is_there);
        taken.unwrap().unwrap()
    }
}

/// Each of the first so many messages came to one of them, in order to each.
fn check_once(pushed: u64, consumers: &[Vec<Message>]) {
    let mut numbers: Vec<u32> = Vec::new();
    for messages in consumers {
        let of_one: Vec<u32> = messages.iter().map(|message| message.0).collect();
        assert!(of_one.is_sorted(), "{of_one:?}");
        numbers.extend(of_one);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..pushed as u32).collect::<Vec<_>>());
}

#[test]
fn each_message_comes_to_one_consumer_whole_and_in_order() {
    for start in [0, WORDS - 2] {
        check(move || {
            let room = Room::new(start);
            let mut writing = room.writing();
            // Two are there, and what is pushed next needs the place of the first.
            assert!(room.push(&mut writing, 1) && room.push(&mut writing, 1));
            let consumers = [(), ()].map(|()| {
                let room = room.clone();
                thread::spawn(move || Vec::from_iter(room.pop()))
            });
            for _ in 0..3 {
                room.push(&mut writing, 2);
            }
            let mut got = consumers.map(|consumer| consumer.join().unwrap()).to_vec();
            got.push(room.drain());
            check_once(writing.pushed(), &got);
        });
    }
}

#[test]
fn what_is_copied_together_is_whole() {
    check(|| {
        let room = Room::new(0);
        let mut writing = room.writing();
        assert!(room.push(&mut writing, 1));
        let other = room.clone();
        let batch = thread::spawn(move || other.pop_batch());
        for _ in 0..2 {
            assert!(room.push(&mut writing, 1));
        }
        check_once(writing.pushed(), &[batch.join().unwrap(), room.drain()]);
    });
}

#[test]
fn messages_that_are_published_and_taken_together_are_each_there_once() {
    check(|| {
        let room = Room::new(WORDS - 3);
        let mut writing = room.writing();
        assert!(room.push(&mut writing, 1));
        let other = room.clone();
        let batches = thread::spawn(move || other.pop_batch());
        let other = room.clone();
        let single = thread::spawn(move || Vec::from_iter(other.pop()));
        // As many are pushed at once.
        let mut drafting = writing.drafting();
        for _ in 0..2 {
            if drafting.fits(room.lane(), 8) {
                let number = u64::from(drafting.drafted()) + writing.next_number();
                drafting.write(room.lane(), &number.to_le_bytes());
            }
        }
        writing.adopt(room.lane(), drafting);
        writing.publish(room.lane());
        room.push(&mut writing, 1);
        let got = [batches.join().unwrap(), single.join().unwrap(), room.drain()];
        check_once(writing.pushed(), &got);
    });
}

#[test]
fn a_lane_whose_producer_stopped_anywhere_goes_on_with_the_next() {
    check_with_stops(|steps| {
        // The second of them has a pad before it.
        let room = Room::new(WORDS - 3);
        let dying = room.clone();
        let thread = thread::spawn(move || {
            stopping::after(steps, || {
                let mut writing = dying.writing();
                assert!(dying.draft(&mut writing, 1) && dying.draft(&mut writing, 2));
                writing.publish(dying.lane());
                dying.push(&mut writing, 1);
            })
            .is_none()
        });
        let mut got = Vec::from_iter(room.pop());
        let stopped = thread.join().unwrap();
        let mut next = room.writing();
        let before = next.pushed();
        assert!([0, 2, 3].contains(&before), "{before}");
        assert!(stopped || before >= 2);
        got.extend(room.drain());
        assert!(room.push(&mut next, 1));
        got.extend(room.drain());
        check_once(before + 1, &[got]);
        stopped
    });
}

#[test]
fn who_goes_on_in_a_lane_may_stop_there_too() {
    check_with_stops(|steps| {
        let room = Room::new(0);
        // The first one published two and noted neither.
        let first = stopping::after(2, || {
            let mut writing = room.writing();
            assert!(room.draft(&mut writing, 1) && room.draft(&mut writing, 1));
            writing.publish(room.lane());
        });
        assert!(first.is_none() && room.control.tail.load(Ordering::Acquire) == 0);
        let dying = room.clone();
        let thread = thread::spawn(move || {
            stopping::after(steps, || {
                let mut writing = dying.writing();
                dying.push(&mut writing, 1);
            })
            .is_none()
        });
        let mut got = room.pop_batch();
        let stopped = thread.join().unwrap();
        let last = room.writing();
        got.extend(room.drain());
        assert!([2, 3].contains(&last.pushed()));
        check_once(last.pushed(), &[got]);
        stopped
    });
}

#[test]
fn a_consumer_that_stops_anywhere_takes_one_message_with_it_at_most() {
    check_with_stops(|steps| {
        let room = Room::new(WORDS - 2);
        let mut writing = room.writing();
        assert!(room.push(&mut writing, 1) && room.push(&mut writing, 1));
        let dying = room.clone();
        let thread = thread::spawn(move || stopping::after(steps, || dying.pop_in_place()));
        let mut got = Vec::from_iter(room.pop());
        // Its place is used by nobody as long as it is not known to be dead.
        let more = room.push(&mut writing, 2);
        let theirs = thread.join().unwrap();
        // Now it is.
        room.let_go();
        got.extend(room.drain());
        assert!(room.push(&mut writing, 2));
        got.extend(room.drain());
        let stopped = theirs.is_none();
        got.extend(theirs.flatten());
        got.sort();
        assert!(got.windows(2).all(|two| two[0].0 < two[1].0), "twice");
        let (there, pushed) = (got.len() as u64, 3 + u64::from(more));
        assert!(there == pushed || stopped && there + 1 == pushed);
        stopped
    });
}

/// Another one takes everything, and the producer comes by again and again.
fn laps(room: &Room, writing: &mut Writing) -> u64 {
    let mut taken = 0;
    for _ in 0..4 {
        taken += room.drain().len() as u64;
        room.push(writing, 1);
        room.push(writing, 1);
    }
    taken + room.drain().len() as u64
}

#[test]
fn what_somebody_looks_at_stays_however_often_the_producer_comes_by() {
    check_within(2, || {
        let room = Room::new(WORDS - 2);
        let mut writing = room.writing();
        assert!(room.push(&mut writing, 1));
        let other = room.clone();
        let looker = thread::spawn(move || {
            if let Some((found, message)) = other.peek() {
                // A second look at the same bytes.
                assert_eq!(other.copy(&found), message);
                other.let_go();
            }
        });
        let taken = laps(&room, &mut writing);
        looker.join().unwrap();
        assert_eq!(taken, writing.pushed());
    });
}

#[test]
fn what_is_copied_after_it_was_taken_stays_that_long() {
    check_within(2, || {
        let room = Room::new(WORDS - 3);
        let mut writing = room.writing();
        assert!(room.push(&mut writing, 2));
        let other = room.clone();
        let slow = thread::spawn(move || other.pop_in_place());
        let taken = laps(&room, &mut writing);
        let theirs = slow.join().unwrap();
        assert_eq!(taken + u64::from(theirs.is_some()), writing.pushed());
    });
}

#[test]
fn what_one_looks_at_and_another_takes_is_taken_once() {
    check(|| {
        let room = Room::new(0);
        let mut writing = room.writing();
        assert!(room.push(&mut writing, 1));
        let other = room.clone();
        let looker = thread::spawn(move || {
            let peeked = other.peek();
            let taken = peeked.filter(|(found, _)| other.lane().take(found, found.end()));
            other.let_go();
            Vec::from_iter(taken.map(|(_, message)| message))
        });
        let ours = Vec::from_iter(room.pop());
        room.push(&mut writing, 5);
        let got = [ours, looker.join().unwrap(), room.drain()];
        check_once(writing.pushed(), &got);
    });
}

#[test]
fn the_word_behind_the_last_message_is_never_what_was_there_before() {
    check(|| {
        let room = Room::new(0);
        let mut writing = room.writing();
        // The ring has been full of other messages' heads and bytes.
        for _ in 0..4 {
            assert!(room.push(&mut writing, 1) && room.push(&mut writing, 2));
            assert_eq!(room.drain().len(), 2);
        }
        let other = room.clone();
        let consumer =
            thread::spawn(move || Vec::from_iter([other.pop(), other.pop()].into_iter().flatten()));
        assert!(room.push(&mut writing, 1));
        assert_eq!(consumer.join().unwrap().len() + room.drain().len(), 1);
    });
}

#[test]
fn who_was_rung_for_is_not_rung_for_again() {
    check(|| {
        let bell = Bell::new();
        assert!(!bell.has_sleepers() && bell.ring().is_none());
        let word = bell.announce();
        assert!(bell.has_sleepers() && bell.is(word));
        assert!(bell.ring().is_some());
        assert!(!bell.has_sleepers() && bell.ring().is_none() && !bell.is(word));
    });
}

#[test]
fn a_push_wakes_who_sleeps() {
    check(|| {
        let room = Room::new(0);
        let mut writing = room.writing();
        let other = room.clone();
        let sleeper = thread::spawn(move || other.wait(0));
        room.push_and_ring(&mut writing, 1);
        check_whole(&sleeper.join().unwrap());
    });
}

fn two_sleepers(push: impl Fn(&Room, &mut Writing) + Sync + Send + 'static) {
    check_within(2, move || {
        let room = Room::new(0);
        let mut writing = room.writing();
        let sleepers = [0, 1].map(|consumer| {
            let other = room.clone();
            thread::spawn(move || vec![other.wait(consumer)])
        });
        push(&room, &mut writing);
        check_once(2, &sleepers.map(|sleeper| sleeper.join().unwrap()));
    });
}

#[test]
fn two_pushes_wake_two_that_sleep() {
    two_sleepers(|room, writing| {
        room.push_and_ring(writing, 1);
        room.push_and_ring(writing, 1);
    });
}

#[test]
fn one_push_of_two_wakes_two_that_sleep() {
    two_sleepers(|room, writing| room.push_and_ring(writing, 2));
}

/// Who is woken, and fails or dies before it takes anything, has said before that others sleep: the next push wakes one.
#[test]
fn who_was_woken_in_vain_has_stood_in_for_who_sleeps() {
    check_within(2, || {
        let room = Room::new(0);
        let mut writing = room.writing();
        let other = room.clone();
        let sleeper = thread::spawn(move || other.wait(0));
        // Where the one who dies sleeps, and whether it is about to.
        let bed = Arc::new((Place::new(), Bed::default(), AtomicU32::new(0)));
        let (other, theirs) = (room.clone(), bed.clone());
        let dying = thread::spawn(move || {
            let (place, announced, is_announced) = &*theirs;
            let waiter = Waiter {
                place,
                ..other.waiter(Some(1))
            };
            let mut looks = 0;
            let take = || {
                looks += 1;
                match looks {
                    1 => Ok(None::<()>),
                    _ => Err(participants::forked()),
                }
            };
            let is_there = || {
                is_announced.store(1, Ordering::Release);
                announced.wake(1);
                Ok(false)
            };
            let waited = waiter.wait(&Spin::default(), Deadline::NEVER, take, is_there);
            assert!(waited.is_err());
        });
        let (place, announced, is_announced) = &*bed;
        announced.sleep(|| is_announced.load(Ordering::Acquire) == 0);
        // Somebody rings for the two of them, and wakes the one.
        if let Some(was) = room.ready.ring() {
            place.wake(room.ready.word(), was, 1);
        }
        dying.join().unwrap();
        room.push_and_ring(&mut writing, 1);
        check_whole(&sleeper.join().unwrap());
    });
}
