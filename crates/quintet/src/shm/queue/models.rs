//! Models of a lane, in which loom tries every order of its parties' steps: `cargo xtask models`.

use super::lane::{Control, Lane};
use super::record::whole_number;
use super::writing::Writing;
use crate::os::atomic::{AtomicU64, Ordering};
use crate::os::copy;
use crate::os::step::stopping;
use loom::sync::Arc;
use loom::thread;

/// Every order with at most so many switches away from a thread that could go on.
const SWITCHES: usize = 3;

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(SWITCHES);
    builder.check(model);
}

struct Memory {
    control: Control,
    ring: Vec<AtomicU64>,
}

impl Memory {
    fn new(words: usize) -> Arc<Self> {
        Arc::new(Memory {
            control: Control::new(),
            ring: (0..words).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    fn lane(&self) -> Lane<'_> {
        Lane {
            control: &self.control,
            ring: &self.ring,
        }
    }
}

/// A message of two words, which both say which one it is.
fn message(number: u64) -> Vec<u8> {
    [number.to_le_bytes(), number.to_le_bytes()].concat()
}

/// As a producer pushes.
fn push(lane: Lane<'_>, writing: &mut Writing, number: u64) -> bool {
    let len = 16;
    if writing.place(lane, len).is_none() {
        writing.look_for_room(lane, std::iter::empty()).unwrap();
    }
    let Some(start) = writing.place(lane, len) else {
        return false;
    };
    lane.end_behind(start, len);
    copy::into_words(&message(number), lane.body(start, len).unwrap());
    writing.draft(lane, start, len);
    writing.publish(lane);
    true
}

/// As a consumer pops: what it got, checked, if nobody else took it.
fn pop(lane: Lane<'_>) -> Option<u64> {
    let found = lane.find().unwrap()?;
    let mut bytes = Vec::new();
    copy::append(lane.body(found.at, found.len)?, found.len as usize, &mut bytes);
    lane.take(&found, found.end()).then(|| {
        let number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        assert_eq!(bytes, message(number), "torn");
        assert_eq!(whole_number(found.number, number), number, "out of order");
        number
    })
}

#[test]
fn each_message_goes_to_one_consumer_whole_and_in_order() {
    check(|| {
        // Room for two: the third goes over the first.
        let memory = Memory::new(8);
        let consumer = {
            let memory = memory.clone();
            thread::spawn(move || [pop(memory.lane()), pop(memory.lane())])
        };
        let lane = memory.lane();
        let mut writing = Writing::resume(lane).unwrap();
        let mut pushed = 0;
        for number in 0..3 {
            pushed += u64::from(push(lane, &mut writing, number));
        }
        let mut got: Vec<u64> = std::iter::from_fn(|| pop(lane)).collect();
        let theirs: Vec<u64> = consumer.join().unwrap().into_iter().flatten().collect();
        assert!(theirs.is_sorted() && got.is_sorted());
        got.extend(theirs);
        got.extend(std::iter::from_fn(|| pop(lane)));
        got.sort_unstable();
        // What did not fit was not pushed; what came after it has its own number.
        assert_eq!(got.len() as u64, pushed);
        got.dedup();
        assert_eq!(got.len() as u64, pushed, "twice");
    });
}

#[test]
fn a_producer_that_dies_leaves_whole_messages_and_a_lane_to_go_on_with() {
    for steps in 0..5 {
        check(move || {
            let memory = Memory::new(16);
            let producer = {
                let memory = memory.clone();
                thread::spawn(move || {
                    let lane = memory.lane();
                    let mut writing = Writing::resume(lane).unwrap();
                    stopping::after(steps, || push(lane, &mut writing, 0)).is_some()
                })
            };
            let first = pop(memory.lane());
            let finished = producer.join().unwrap();
            let lane = memory.lane();
            let mut writing = Writing::resume(lane).unwrap();
            let next = writing.next_number();
            assert!(next <= 1 && (next == 1 || !finished));
            assert!(first.is_none() || next == 1, "taken and not counted");
            assert!(push(lane, &mut writing, next));
            let mut got: Vec<u64> = first.into_iter().collect();
            got.extend(std::iter::from_fn(|| pop(lane)));
            assert_eq!(got, (0..=next).collect::<Vec<_>>());
            assert_eq!(memory.control.pushed.load(Ordering::Relaxed), next + 1);
        });
    }
}
