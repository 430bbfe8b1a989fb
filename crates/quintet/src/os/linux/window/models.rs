//! Models of a lane, its answers, and the bells of both sides, in which loom tries every order of their steps: `cargo xtask
//! models`.
//!
//! A participant is a thread here; it may stop for ever before any of its steps (`stopping`), and then counts as dead. As in
//! the other models, publishers fence for themselves.
//!
//! They fail when a record's number is stored or seen with `Relaxed`; when it is said that something is urgent before it is
//! published, or with `Relaxed`, or seen so, or never, or not of a record that says where the next ones are; when it is said how many
//! bytes are in the shuttle before they are copied; when an answer's number is stored or seen with `Relaxed`; and when the shuttle is used again before the receiver has passed its last use.
//! They do not where the receiver says how far it is, or the sender sees that, with `Relaxed`: no model moves a load
//! behind a store that follows it.

use super::lane::{self, Answers, Kind, Outcome, Place, Record, RingIn, RingOut};
use super::shuttle::{self, ShuttleIn, ShuttleOut};
use crate::Deadline;
use crate::doorbell::{Bell, Waiter};
use crate::os::atomic::{AtomicU32, Ordering, fence};
use crate::os::modelling::{check, check_with_stops, check_within};
use crate::os::parking::Place as Bed;
use crate::os::step::{step, stopping};
use crate::wait::Spin;
use loom::sync::Arc;
use loom::thread;

fn record(number: u64, bytes: &[u8]) -> Record {
    Record {
        kind: Kind::Send,
        place: if bytes.is_empty() {
            Place::Nowhere
        } else {
            Place::Inline
        },
        answer: 0,
        window: number as u32,
        number: number as u32,
        wparam: number,
        lparam: number,
        ticket: 0,
        len: bytes.len() as u64,
    }
}

/// Where a thread sleeps.
#[derive(Debug)]
struct Desk {
    bell: Bell,
    bed: Bed,
    fences: AtomicU32,
}

impl Desk {
    fn new() -> Arc<Self> {
        Arc::new(Desk {
            bell: Bell::new(),
            bed: Bed::new(),
            fences: AtomicU32::new(0),
        })
    }

    fn waiter(&self) -> Waiter<'_> {
        Waiter {
            bell: &self.bell,
            place: &self.bed,
            fences: Some(&self.fences),
            sleepers: None,
            own: None,
        }
    }

    fn ring(&self) {
        step();
        fence(Ordering::SeqCst);
        if self.bell.has_sleepers() {
            self.waiter().wake(1);
        }
    }
}

/// Takes what is next, which is whole: its number.
fn take(ring: &mut RingIn) -> Option<u64> {
    let (number, record) = ring.peek().unwrap()?;
    assert_eq!(
        (record.wparam, record.lparam, u64::from(record.number)),
        (number, number, number)
    );
    let mut bytes = Vec::new();
    ring.go_on(&record, &mut bytes);
    if record.place == Place::Inline {
        assert_eq!(bytes, bytes_of(number), "torn");
    }
    Some(number)
}

/// Those that would be taken for the record that comes to stand there in a ring of four lines.
fn bytes_of(number: u64) -> [u8; 8] {
    (number + 3).to_le_bytes()
}

fn put(ring: &mut RingOut, number: u64, inline: bool) -> bool {
    let bytes = if inline {
        bytes_of(number).to_vec()
    } else {
        Vec::new()
    };
    if !ring.has_room(bytes.len()).unwrap() {
        return false;
    }
    ring.put(&record(number, &bytes), &bytes) == number
}

/// Each record comes whole, once, in order, also where the ring is used again; of a sender that stops, those before.
#[test]
fn records_come_whole_and_in_order() {
    check_with_stops(|steps| {
        let (mut out, mut incoming, _) = lane::model(4);
        let sender = thread::spawn(move || {
            stopping::after(steps, || {
                let mut put_there = 0;
                for number in 1..=3 {
                    if put(&mut out, number, number != 2) {
                        put_there += 1;
                    } else {
                        break;
                    }
                }
                put_there
            })
        });
        let mut next = 1;
        for _ in 0..2 {
            if let Some(number) = take(&mut incoming) {
                assert_eq!(number, next);
                next += 1;
            }
            thread::yield_now();
        }
        let put_there = sender.join().unwrap();
        while let Some(number) = take(&mut incoming) {
            assert_eq!(number, next);
            next += 1;
        }
        if let Some(put_there) = put_there {
            assert_eq!(next - 1, put_there, "none is missing");
        }
        put_there.is_none()
    });
}

fn ask(out: &mut RingOut, answers: &Answers, number: u64, own: &Desk, other: &Desk) -> Outcome {
    assert!(put(out, number, false));
    other.ring();
    let look = || answers.get(0, number);
    own.waiter()
        .wait(&Spin::default(), Deadline::NEVER, look, || {
            Ok(answers.is_there(0, number))
        })
        .unwrap()
        .unwrap()
}

/// Nobody sleeps beside what there is for him: that would be a deadlock here, where no sleep ends by itself.
#[test]
fn who_sends_gets_his_own_answer_and_nobody_oversleeps() {
    check(|| {
        let (mut out, mut incoming, answers) = lane::model(8);
        let (sender, receiver) = (Desk::new(), Desk::new());
        let asking = thread::spawn({
            let (sender, receiver, answers) = (sender.clone(), receiver.clone(), answers.clone());
            move || {
                for number in 1..=2 {
                    let outcome = ask(&mut out, &answers, number, &sender, &receiver);
                    assert_eq!(outcome, Outcome::Result(number as isize + 10));
                }
            }
        });
        for _ in 0..2 {
            let incoming = std::cell::RefCell::new(&mut incoming);
            let number = receiver
                .waiter()
                .wait(
                    &Spin::default(),
                    Deadline::NEVER,
                    || Ok(take(&mut incoming.borrow_mut())),
                    || Ok(!incoming.borrow().is_empty()),
                )
                .unwrap()
                .unwrap();
            answers.give(0, number, Outcome::Result(number as isize + 10));
            sender.ring();
        }
        asking.join().unwrap();
    });
}

/// One of two that send to each other: sends, and serves while it waits; serves one in all.
fn sends_and_serves(
    own: &Desk,
    other: &Desk,
    mut out: RingOut,
    mut incoming: RingIn,
    got: &Answers,
    give: &Answers,
) {
    assert!(put(&mut out, 1, false));
    other.ring();
    let mut served = false;
    let mut answered = false;
    while !(served && answered) {
        let ring = std::cell::RefCell::new(&mut incoming);
        let was = answered;
        let look = || {
            if !was && let Some(outcome) = got.get(0, 1)? {
                assert_eq!(outcome, Outcome::Result(11));
                return Ok(Some(None));
            }
            Ok(take(&mut ring.borrow_mut()).map(Some))
        };
        let is_there = || Ok(!was && got.is_there(0, 1) || !ring.borrow().is_empty());
        let waited = own
            .waiter()
            .wait(&Spin::default(), Deadline::NEVER, look, is_there);
        match waited.unwrap().unwrap() {
            None => answered = true,
            Some(number) => {
                served = true;
                give.give(0, number, Outcome::Result(number as isize + 10));
                other.ring();
            }
        }
    }
}

#[test]
fn two_that_send_to_each_other_both_get_their_answers() {
    check_within(2, || {
        let (to_b, from_a, answers_to_a) = lane::model(4);
        let (to_a, from_b, answers_to_b) = lane::model(4);
        let (a, b) = (Desk::new(), Desk::new());
        let other = thread::spawn({
            let (a, b) = (a.clone(), b.clone());
            let (got, give) = (answers_to_b.clone(), answers_to_a.clone());
            move || sends_and_serves(&b, &a, to_a, from_a, &got, &give)
        });
        sends_and_serves(&a, &b, to_b, from_b, &answers_to_a, &answers_to_b);
        other.join().unwrap();
    });
}

/// Who looks only at what is urgent misses nothing that was sent, once its sender has gone on; of what was only posted he may know
/// nothing.
#[test]
fn what_was_sent_is_urgent_when_its_sender_goes_on() {
    check_with_stops(|steps| {
        let (mut out, mut incoming, _) = lane::model(8);
        let sender = thread::spawn(move || {
            stopping::after(steps, || {
                for (number, kind) in [(1, Kind::Post), (2, Kind::Notify), (3, Kind::Moved)] {
                    let record = Record {
                        kind,
                        ..record(number, &[])
                    };
                    out.put(&record, &[]);
                }
            })
        });
        // What is said to be there is there.
        if incoming.is_urgent() {
            assert_eq!(take(&mut incoming), Some(1));
            assert_eq!(take(&mut incoming), Some(2));
        }
        let finished = sender.join().unwrap().is_some();
        if finished {
            while let Some(number) = {
                assert!(incoming.is_urgent() || incoming.is_empty(), "it is overlooked");
                take(&mut incoming)
            } {
                assert!(number <= 3);
            }
        }
        !finished
    });
}

/// Sends a message of so many words through the shuttle, if that is free.
fn send_by(ring: &mut RingOut, shuttle: &mut ShuttleOut, words: u64) -> bool {
    if !ring.has_room(0).unwrap() || !ring.is_passed(shuttle.until) {
        return false;
    }
    let number = ring.next();
    let bytes: Vec<u8> = (0..words)
        .flat_map(|word| (number * 100 + word).to_le_bytes())
        .collect();
    let record = Record {
        place: Place::Shuttle,
        ticket: shuttle.gone(),
        ..record(number, &bytes)
    };
    ring.put(&record, &[]);
    shuttle.until = ring.position();
    shuttle.fill(&bytes, || {});
    true
}

/// Copies what has come of the next message: its number, when that is all.
fn fetch(ring: &mut RingIn, shuttle: &ShuttleIn, bytes: &mut Vec<u8>) -> Option<u64> {
    let (number, record) = ring.peek().unwrap()?;
    if !shuttle.fetch(record.ticket, record.len, bytes).unwrap() {
        return None;
    }
    ring.go_on(&record, &mut Vec::new());
    let expected = (0..record.len / 8).flat_map(|word| (number * 100 + word).to_le_bytes());
    assert!(bytes.iter().copied().eq(expected), "torn");
    bytes.clear();
    Some(number)
}

/// Bytes that go through the shuttle come whole, or not at all, also where it is used again.
#[test]
fn what_goes_by_the_shuttle_comes_whole() {
    check_with_stops(|steps| {
        let (mut out, mut incoming, _) = lane::model(4);
        let (mut shuttle, there) = shuttle::model(2);
        let sender = thread::spawn(move || {
            stopping::after(steps, || {
                let mut sent = 0;
                for words in [2, 1] {
                    sent += u64::from(send_by(&mut out, &mut shuttle, words));
                }
                sent
            })
        });
        let mut bytes = Vec::new();
        let mut next = 1;
        for _ in 0..2 {
            if let Some(number) = fetch(&mut incoming, &there, &mut bytes) {
                assert_eq!(number, next);
                next += 1;
            }
            thread::yield_now();
        }
        let sent = sender.join().unwrap();
        while let Some(number) = fetch(&mut incoming, &there, &mut bytes) {
            assert_eq!(number, next);
            next += 1;
        }
        if let Some(sent) = sent {
            assert_eq!(next - 1, sent, "none is missing");
        }
        sent.is_none()
    });
}
