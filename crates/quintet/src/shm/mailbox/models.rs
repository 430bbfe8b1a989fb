//! Models of a mailbox, in which loom tries every order of the steps of those who use it: `cargo xtask models`.
//!
//! A participant is a thread here; it may stop for ever before any of its steps (`stopping`), and then counts as dead.

use super::pins::{Claim, To};
use super::reading::{LONG, Value};
use super::room::{Boxes, Head, State};
use super::writing::Writing;
use crate::os::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::os::copy;
use crate::os::modelling::{Bed, check, check_with_stops, check_within};
use crate::os::step::stopping;
use loom::sync::Arc;
use loom::thread;

/// Words of a value.
const WORDS: usize = 2;

struct Room {
    state: State,
    pins: Vec<AtomicU64>,
    heads: Vec<Head>,
    bodies: Vec<AtomicU64>,
    bed: Bed,
    /// Whether buffers are chosen as for long values.
    for_long: bool,
}

impl Room {
    fn new(pins: usize) -> Arc<Self> {
        Arc::new(Room::of(pins))
    }

    fn of(pins: usize) -> Self {
        Room {
            state: State::new(),
            pins: (0..pins).map(|_| AtomicU64::new(0)).collect(),
            heads: (0..pins + 2).map(|_| Head::new()).collect(),
            bodies: (0..(pins + 2) * WORDS).map(|_| AtomicU64::new(0)).collect(),
            bed: Bed::default(),
            for_long: false,
        }
    }

    fn for_long(pins: usize) -> Arc<Self> {
        let mut room = Room::of(pins);
        room.for_long = true;
        Arc::new(room)
    }

    fn boxes(&self) -> Boxes<'_> {
        Boxes {
            state: &self.state,
            pins: &self.pins,
            heads: &self.heads,
            bodies: &self.bodies,
            words: WORDS,
            longest: WORDS * 8,
        }
    }

    fn writing(&self) -> Writing {
        Writing::resume(self.boxes())
    }

    /// Writes a value that is its number in each word, which nobody sees yet: where.
    fn draft(&self, writing: &Writing) -> usize {
        let buffer = writing.begin(self.boxes(), if self.for_long { LONG } else { WORDS * 8 });
        let number = writing.number() + 1;
        copy::into_words(&number.to_le_bytes().repeat(WORDS), self.boxes().body(buffer));
        buffer
    }

    fn write(&self, writing: &mut Writing) -> u64 {
        let buffer = self.draft(writing);
        writing.publish(self.boxes(), buffer, WORDS * 8, 0)
    }

    fn write_and_ring(&self, writing: &mut Writing) {
        self.write(writing);
        if self.state.bell.has_sleepers() && self.state.bell.ring().is_some() {
            self.bed.wake(u32::MAX);
        }
    }

    /// The number of the newest value; 0 if there is none.
    fn read(&self) -> u64 {
        loop {
            let newest = self.boxes().newest();
            if newest.is_none() {
                return 0;
            }
            let mut bytes = Vec::new();
            if let Some(value) = self.boxes().try_copy(newest, &mut bytes).unwrap() {
                check_whole(&value, &bytes);
                return value.newest.number();
            }
        }
    }

    fn copy(&self, value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        copy::append(self.boxes().body(value.newest.buffer()), value.len, &mut bytes);
        bytes
    }

    fn claim(&self, reader: usize, is_alive: bool) -> Option<Claim> {
        self.boxes().claim(reader, To::Keep, |_| Ok(is_alive)).unwrap()
    }

    /// Reads the newest value in place, twice.
    fn read_in_place(&self, mut claim: Claim) -> u64 {
        let Some(value) = self.boxes().pin(&mut claim).unwrap() else {
            self.boxes().unpin(claim);
            return 0;
        };
        for _ in 0..2 {
            check_whole(&value, &self.copy(&value));
        }
        self.boxes().unpin(claim);
        value.newest.number()
    }

    /// As who copies a long value, once; whether that gave anything.
    fn copy_pinned(&self, reader: usize) -> bool {
        let Some(mut claim) = self.boxes().claim(reader, To::Copy, |_| Ok(true)).unwrap() else {
            return false;
        };
        let mut bytes = Vec::new();
        let newest = self.boxes().pin_newest(&mut claim).unwrap();
        let found = newest.and_then(|newest| self.boxes().try_copy(newest, &mut bytes).unwrap());
        if let Some(value) = &found {
            check_whole(value, &bytes);
        }
        self.boxes().unpin(claim);
        found.is_some()
    }

    /// As `Waiter` waits.
    fn wait(&self, last: u64) -> u64 {
        loop {
            if self.boxes().is_newer(last) {
                return self.read();
            }
            let word = self.state.bell.announce();
            fence(Ordering::SeqCst);
            if !self.boxes().is_newer(last) {
                self.bed.sleep(|| self.state.bell.is(word));
            }
        }
    }
}

fn check_whole(value: &Value, bytes: &[u8]) {
    assert_eq!(value.len, WORDS * 8);
    for word in bytes.chunks(8) {
        assert_eq!(word, value.newest.number().to_le_bytes(), "torn");
    }
}

#[test]
fn what_is_copied_is_whole_and_never_older_than_before() {
    for (pins, writes) in [(0, 3), (1, 4)] {
        check(move || {
            let room = Room::new(pins);
            let mut writing = room.writing();
            room.write(&mut writing);
            let other = room.clone();
            let reader = thread::spawn(move || {
                let first = other.read();
                assert!(first >= 1 && other.read() >= first);
            });
            for _ in 1..writes {
                room.write(&mut writing);
            }
            reader.join().unwrap();
            assert_eq!(room.read(), writes);
        });
    }
}

#[test]
fn what_is_read_in_place_stays_however_much_is_written() {
    for room in [Room::new, Room::for_long] {
        check(move || {
            let room = room(1);
            let mut writing = room.writing();
            room.write(&mut writing);
            let other = room.clone();
            let reader = thread::spawn(move || {
                let claim = other.claim(0, true).unwrap();
                assert!(other.read_in_place(claim) >= 1);
            });
            for _ in 0..4 {
                room.write(&mut writing);
            }
            reader.join().unwrap();
            assert_eq!(room.read(), 5);
        });
    }
}

#[test]
fn who_copies_gives_the_only_place_up_to_who_wants_to_keep_it() {
    check_within(2, || {
        let room = Room::for_long(1);
        let mut writing = room.writing();
        room.write(&mut writing);
        let other = room.clone();
        let copier = thread::spawn(move || {
            other.copy_pinned(0);
            other.copy_pinned(0);
        });
        let other = room.clone();
        let keeper = thread::spawn(move || other.claim(1, true).map(|claim| other.read_in_place(claim)));
        room.write(&mut writing);
        room.write(&mut writing);
        room.write(&mut writing);
        copier.join().unwrap();
        assert!(keeper.join().unwrap().is_some_and(|number| number >= 1));
        assert_eq!(
            room.pins[0].load(Ordering::SeqCst) & 0xff00,
            0,
            "the place is free"
        );
        assert!(room.copy_pinned(0));
    });
}

#[test]
fn two_that_want_the_only_place_do_not_both_get_it() {
    check_within(2, || {
        let room = Room::new(1);
        let mut writing = room.writing();
        room.write(&mut writing);
        let readers = [0, 1].map(|reader| {
            let other = room.clone();
            thread::spawn(move || {
                let claim = other.claim(reader, true);
                claim.is_some_and(|claim| other.read_in_place(claim) >= 1)
            })
        });
        room.write(&mut writing);
        room.write(&mut writing);
        room.write(&mut writing);
        assert!(readers.map(|reader| reader.join().unwrap()).contains(&true));
    });
}

#[test]
fn a_reader_that_stopped_anywhere_costs_a_place_until_somebody_needs_it() {
    check_with_stops(|steps| {
        let room = Room::new(1);
        let mut writing = room.writing();
        room.write(&mut writing);
        let dying = room.clone();
        let thread = thread::spawn(move || {
            stopping::after(steps, || {
                let claim = dying.claim(0, true).unwrap();
                dying.read_in_place(claim);
            })
            .is_none()
        });
        room.write(&mut writing);
        room.write(&mut writing);
        let stopped = thread.join().unwrap();
        // The next one in its slot, and at the same time another reader, to whom the slot's last one may seem dead.
        let sits = Arc::new(AtomicU32::new(0));
        let (next, there) = (room.clone(), sits.clone());
        let next = thread::spawn(move || {
            there.store(1, Ordering::SeqCst);
            next.boxes().free_pins_of(0);
            next.claim(0, true)
                .is_some_and(|claim| next.read_in_place(claim) >= 3)
        });
        let other = room.clone();
        let other = thread::spawn(move || {
            let is_alive = |_| Ok(sits.load(Ordering::SeqCst) == 1);
            let claim = other.boxes().claim(1, To::Keep, is_alive).unwrap();
            claim.is_some_and(|claim| other.read_in_place(claim) >= 3)
        });
        room.write(&mut writing);
        room.write(&mut writing);
        assert!([next, other].map(|reader| reader.join().unwrap()).contains(&true));
        stopped
    });
}

#[test]
fn a_writer_that_stopped_anywhere_is_followed_by_the_next() {
    check_with_stops(|steps| {
        let room = Room::new(0);
        room.write(&mut room.writing());
        let dying = room.clone();
        let thread = thread::spawn(move || {
            stopping::after(steps, || {
                let mut writing = dying.writing();
                dying.write(&mut writing);
                dying.write(&mut writing);
            })
            .is_none()
        });
        let before = room.read();
        let stopped = thread.join().unwrap();
        let mut next = room.writing();
        assert!(before >= 1 && next.number() >= before && (stopped || next.number() == 3));
        let other = room.clone();
        let reader = thread::spawn(move || other.read());
        let number = room.write(&mut next);
        assert!(reader.join().unwrap() >= before);
        assert_eq!(room.read(), number);
        stopped
    });
}

#[test]
fn a_value_wakes_all_who_sleep() {
    check_within(2, || {
        let room = Room::new(0);
        let mut writing = room.writing();
        let sleepers = [(), ()].map(|()| {
            let other = room.clone();
            thread::spawn(move || assert!(other.wait(0) >= 1))
        });
        room.write_and_ring(&mut writing);
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
    });
}

#[test]
fn the_next_value_wakes_who_slept_again() {
    check(|| {
        let room = Room::new(0);
        let mut writing = room.writing();
        let other = room.clone();
        let sleeper = thread::spawn(move || {
            let mut last = 0;
            while last < 2 {
                last = other.wait(last);
            }
        });
        room.write_and_ring(&mut writing);
        room.write_and_ring(&mut writing);
        sleeper.join().unwrap();
    });
}
