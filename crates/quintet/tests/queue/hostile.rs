//! A queue whose memory somebody writes into.

use quintet::named::NamedKind;
use quintet::shm::{Batch, Queue, Queues};
use quintet::{Deadline, Error, ErrorKind};
use quintet_testkit::{start, start_with_deadline};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Numbers that follow no pattern, the same each time.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn any_words_in_it_give_errors_at_worst() {
    let t = start();
    let name = t.name("q");
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for round in 0..300u64 {
        let queue = Queue::builder(&name)
            .unwrap()
            .producers(2)
            .capacity(4096)
            .create_new()
            .unwrap();
        let mut producer = queue.producer().unwrap();
        let mut consumer = queue.consumer().unwrap();
        producer.push_all([vec![1; 100], vec![2; 900]]).unwrap();
        let file = File::options()
            .write(true)
            .open(format!("/dev/shm/quintet.queue.{name}"))
            .unwrap();
        let mut message = Vec::new();
        for _ in 0..20 {
            let value = match next(&mut state) % 4 {
                0 => u64::MAX,
                1 => (1 << 63) | (next(&mut state) % 5000),
                2 => next(&mut state) % 10_000 * 8,
                _ => next(&mut state),
            };
            // The lanes' control words, the header's counts and the bell, the slots, or the first ring.
            let at = match next(&mut state) % 4 {
                0 => 32_896 + [0, 8, 128, 136][(next(&mut state) % 4) as usize],
                1 => 56 + next(&mut state) % 4 * 8,
                2 => 128 + next(&mut state) % 64 * 8,
                _ => 102_400 + next(&mut state) % 512 * 8,
            };
            file.write_all_at(&value.to_le_bytes(), at).unwrap();
            for _ in 0..3 {
                let results = [
                    producer
                        .try_push(vec![3; (next(&mut state) % 1500) as usize])
                        .map(drop),
                    consumer.try_pop(&mut message).map(drop),
                    consumer.try_peek().map(drop),
                    queue.producer().map(drop),
                ];
                for error in results.into_iter().filter_map(Result::err) {
                    assert!(
                        matches!(
                            error.kind(),
                            ErrorKind::Corrupt | ErrorKind::Full | ErrorKind::TimedOut
                        ),
                        "round {round}: {error:?}"
                    );
                }
            }
            let _ = producer.push_timeout([1], Deadline::now());
            queue.stats();
        }
    }
}

/// A producer that waits for room looks how far its consumers have come, again and again, and somebody says one thing and another.
#[test]
fn a_head_that_goes_back_and_forth_is_no_end() {
    let t = start();
    let name = t.name("q");
    let queue = Queue::builder(&name)
        .unwrap()
        .producers(1)
        .capacity(4096)
        .create_new()
        .unwrap();
    let mut producer = queue.producer().unwrap();
    while producer.try_push([1; 500]).unwrap() {}
    let file = File::options()
        .write(true)
        .open(format!("/dev/shm/quintet.queue.{name}"))
        .unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for head in [1024u64, 0] {
                    file.write_all_at(&head.to_le_bytes(), 32_896 + 128).unwrap();
                }
            }
        });
        let _end = End(&done);
        for _ in 0..300 {
            // For which that is not room enough.
            ends(producer.push_timeout([3; 1500], Duration::from_millis(1)));
        }
    });
}

/// Also if something has failed.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Numbers of which all sorts of parts are likely.
fn number(state: &mut u64) -> u64 {
    let (kind, any) = (next(state) % 7, next(state));
    match kind {
        0 => 0,
        1 => u64::MAX - any % 16,
        2 => 1 << (any % 64),
        // A message, a pad, a position, near each other.
        3 => (1 << 63) | ((any & 0xff) << 32) | ((any >> 40) & 0xfff),
        4 => (3 << 62) | (any % 600),
        5 => any % 10_000 * 8,
        _ => any,
    }
}

/// A place of everything that counts: the end of the header and the bell, slots, lanes, holds, rings.
fn place(state: &mut u64) -> u64 {
    let (kind, any) = (next(state) % 6, next(state));
    match kind {
        0 => 56 + any % 3 * 8,
        1 => 128 + any % 24 * 8,
        2 => 128 + 256 * 64 + any % 24 * 8,
        3 => 32_896 + any % 2 * 256 + [0, 8, 128, 136][(any >> 8) as usize % 4],
        4 => 98_432 + any % 3 * 8,
        _ => 102_400 + any % 1024 * 8,
    }
}

#[track_caller]
fn ends<T>(result: Result<T, Error>) {
    if let Err(error) = result {
        use ErrorKind::{Corrupt, Full, TimedOut};
        assert!([Corrupt, Full, TimedOut].contains(&error.kind()), "{error:?}");
    }
}

fn use_it(queue: &Queue, name: &str, state: &mut u64, rounds: u32) {
    let mut producer = queue.producer().ok();
    let mut consumer = queue.consumer().ok();
    let (mut message, mut batch) = (Vec::new(), Batch::new());
    let soon = Duration::from_millis(1);
    for round in 0..rounds {
        let len = (next(state) % 2000) as usize;
        if let Some(producer) = &mut producer {
            ends(producer.try_push(vec![3; len]));
            ends(producer.try_push_all((0..5).map(|len| vec![4; len * 50])));
            match producer.try_reserve(len) {
                Ok(Some(mut place)) => {
                    ends(place.write_at(0, vec![5; len]));
                    ends(place.commit());
                }
                other => ends(other),
            }
            producer.pushed();
            if round % 16 == 0 {
                ends(producer.push_timeout([1; 900], soon));
                ends(producer.wait_for_drain_timeout(soon));
            }
        }
        if let Some(consumer) = &mut consumer {
            ends(consumer.try_pop(&mut message));
            batch.clear();
            ends(consumer.try_pop_batch(&mut batch, 10));
            match consumer.try_peek() {
                Ok(Some(peeked)) => {
                    assert_eq!(peeked.to_vec().len(), peeked.len());
                    let _ = peeked.take();
                }
                other => ends(other),
            }
            consumer.done();
            if round % 16 == 0 {
                ends(consumer.pop_timeout(&mut message, soon));
            }
        }
        if round % 32 == 0 {
            let _ = queue.stats();
            let _ = Queues.stat(&name.parse().unwrap());
            ends(queue.producer());
            ends(queue.consumer());
        }
    }
}

#[test]
fn words_that_change_at_any_moment_give_errors_at_worst() {
    let t = start_with_deadline(Duration::from_secs(200));
    let name = t.name("q");
    for seed in 1..=12u64 {
        let builder = Queue::builder(&name).unwrap().producers(2).capacity(4096);
        let queue = builder.create_new().unwrap();
        let path = format!("/dev/shm/quintet.queue.{name}");
        let file = File::options().write(true).open(path).unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut state = seed << 32 | 7;
                while !over.load(Ordering::Relaxed) {
                    let (at, value) = (place(&mut state), number(&mut state));
                    file.write_all_at(&value.to_le_bytes(), at).unwrap();
                }
            });
            let mut state = seed << 16 | 3;
            use_it(&queue, &name, &mut state, 200);
            over.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn every_word_may_be_anything() {
    let t = start_with_deadline(Duration::from_secs(200));
    let name = t.name("q");
    let places = [
        56, 64, 72, 128, 136, 168, 172, 176, 16_512, 32_896, 32_904, 33_024, 33_032, 98_432, 102_400, 102_408,
    ];
    let mut state = 11;
    for at in places {
        for value in [
            0,
            1,
            7,
            8,
            1 << 31,
            1 << 63,
            3 << 62,
            3 << 62 | 1,
            1 << 63 | 4088,
            u64::MAX,
            u64::MAX - 7,
        ] {
            let builder = Queue::builder(&name).unwrap().producers(2).capacity(4096);
            let queue = builder.create_new().unwrap();
            queue.producer().unwrap().push_all(["some", "thing"]).unwrap();
            let mut consumer = queue.consumer().unwrap();
            consumer.pop(&mut Vec::new()).unwrap();
            let path = format!("/dev/shm/quintet.queue.{name}");
            let file = File::options().write(true).open(path).unwrap();
            file.write_all_at(&u64::to_le_bytes(value), at).unwrap();
            ends(consumer.try_pop(&mut Vec::new()));
            consumer.done();
            use_it(&queue, &name, &mut state, 2);
        }
    }
}

#[test]
fn a_lane_that_makes_no_sense_keeps_nobody_from_the_others() {
    const TAIL: u64 = 32_896 + 8;
    let t = start();
    let name = t.name("q");
    let builder = Queue::builder(&name).unwrap().producers(3).capacity(4096);
    let queue = builder.create_new().unwrap();
    queue.producer().unwrap().push("kept").unwrap();
    let path = format!("/dev/shm/quintet.queue.{name}");
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut tail = [0; 8];
    file.read_exact_at(&mut tail, TAIL).unwrap();
    file.write_all_at(&7u64.to_le_bytes(), TAIL).unwrap();
    let others: Vec<_> = [1, 2]
        .map(|lane| {
            let producer = queue.producer().unwrap();
            assert_eq!(producer.lane(), lane);
            producer
        })
        .into();
    // There is one left, and that is why.
    for _ in 0..2 {
        assert_eq!(queue.producer().unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(queue.stats().producers, 2);
    }
    // Nobody holds it, so it is there again when it makes sense.
    file.write_all_at(&tail, TAIL).unwrap();
    assert_eq!(queue.producer().unwrap().lane(), 0);
    drop(others);
}

#[test]
fn a_header_that_says_anything_is_refused() {
    let t = start();
    let name = t.name("q");
    let queue = Queue::builder(&name)
        .unwrap()
        .producers(2)
        .capacity(4096)
        .create_new()
        .unwrap();
    let path = format!("/dev/shm/quintet.queue.{name}");
    let file = File::options().write(true).open(path).unwrap();
    let good = 2u64 << 16 | 12;
    for bad in [
        0,
        12,
        2 << 16,
        2 << 16 | 63,
        2 << 16 | 64,
        257 << 16 | 12,
        3 << 16 | 12,
        2 << 16 | 13,
        u64::MAX,
    ] {
        file.write_all_at(&u64::to_le_bytes(bad), 48).unwrap();
        let error = Queue::open_existing(&name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{bad:#x}: {error}");
        assert!(Queues.stat(&name.parse().unwrap()).is_err(), "{bad:#x}");
    }
    file.write_all_at(&good.to_le_bytes(), 48).unwrap();
    drop(Queue::open_existing(&name).unwrap());
    drop(queue);
}
