//! A topic whose memory somebody writes into.

use super::small;
use quintet::named::NamedKind;
use quintet::shm::{Topic, Topics};
use quintet::{Error, ErrorKind};
use quintet_testkit::{start, start_with_deadline};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

// Where things are, as the layout says, in the room and in the data, which is said by a bit; the ring of each lane is of 4 KiB.
const DATA: u64 = 1 << 32;
const PUBLISHED: u64 = 64;
const SUBSCRIBERS_HIGH: u64 = 76;
const PUBLISHERS: u64 = 128;
const SUBSCRIBERS: u64 = PUBLISHERS + 64 * 64;
const HOLDS: u64 = 20_544;
const CONTROLS: u64 = DATA + 4096;
const RINGS: u64 = DATA + 20_480;
const PUSHED: u64 = CONTROLS;
const TAIL: u64 = CONTROLS + 8;
const OLDEST: u64 = CONTROLS + 128;

/// Numbers that follow no pattern, the same each time.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Numbers of which all sorts of parts are likely.
fn number(state: &mut u64) -> u64 {
    let (kind, any) = (next(state) % 8, next(state));
    match kind {
        0 => 0,
        1 => u64::MAX - any % 16,
        2 => 1 << (any % 64),
        // A message, a pad, a position, near each other.
        3 => (1 << 63) | ((any & 0xff) << 32) | ((any >> 40) & 0xfff),
        4 => (3 << 62) | (any % 600),
        5 => any % 10_000 * 8,
        // A hold.
        6 => (((any >> 40) % 200) << 37) | (((any >> 8) % 600) << 8) | (any % 3),
        _ => any,
    }
}

/// A place of everything that counts.
fn place(state: &mut u64) -> u64 {
    let (kind, any) = (next(state) % 8, next(state));
    match kind {
        0 => 56 + any % 3 * 8,
        1 => PUBLISHERS + any % 24 * 8,
        2 => SUBSCRIBERS + any % 24 * 8,
        3 | 4 => CONTROLS + any % 2 * 256 + [0, 8, 128, 136][(any >> 8) as usize % 4],
        5 => HOLDS + any % 24 * 8,
        _ => RINGS + any % 1024 * 8,
    }
}

/// The room and the data.
struct Files([File; 2]);

impl Files {
    fn write(&self, value: u64, at: u64) {
        let [room, data] = &self.0;
        let file = if at & DATA == 0 { room } else { data };
        file.write_all_at(&value.to_le_bytes(), at & !DATA).unwrap();
    }
}

fn files_of(name: &str) -> Files {
    Files(["topic", "topicdata"].map(|part| {
        let path = format!("/dev/shm/quintet.{part}.{name}");
        File::options().read(true).write(true).open(path).unwrap()
    }))
}

#[track_caller]
fn ends<T>(result: Result<T, Error>) -> Option<T> {
    use ErrorKind::{Corrupt, Full, PeerDied, TimedOut};
    match result {
        Ok(found) => Some(found),
        Err(error) => {
            assert!(
                [Corrupt, Full, TimedOut, PeerDied].contains(&error.kind()),
                "{error:?}"
            );
            None
        }
    }
}

fn use_it(topic: &Topic, name: &str, state: &mut u64, rounds: u32) {
    let mut publisher = ends(topic.publisher());
    let mut subscribers = [
        ends(topic.subscriber()),
        ends(topic.subscriber_with(1 + next(state) % 4)),
    ];
    let (mut message, mut held) = (Vec::new(), Vec::new());
    let soon = Duration::from_millis(1);
    for round in 0..rounds {
        let len = (next(state) % 2100) as usize;
        if let Some(publisher) = &mut publisher {
            ends_or_too_large(publisher.publish(vec![3; len]));
            ends(publisher.publish(vec![4; len % 50]));
            if let Some(mut loan) = ends(publisher.loan(len / 2)) {
                loan.write_at(0, vec![5; len / 2]).unwrap();
                loan.publish_len(len / 3).unwrap();
            }
            publisher.published();
            if round % 16 == 0 {
                publisher.subscribers();
                ends(publisher.wait_for_subscriber_timeout(soon));
            }
        }
        for subscriber in subscribers.iter_mut().flatten() {
            ends(subscriber.try_copy(&mut message));
            if let Some(sample) = ends(subscriber.try_receive()).flatten() {
                assert_eq!(sample.to_vec().len(), sample.len());
                held.push(sample);
            }
            if held.len() > 5 {
                held.swap_remove(round as usize % 5);
            }
            if round % 16 == 0 {
                ends(subscriber.copy_timeout(&mut message, soon));
                ends(subscriber.receive_timeout(soon));
                subscriber.publishers();
            }
        }
        if round % 32 == 0 {
            let _ = topic.stats();
            let _ = Topics.stat(&name.parse().unwrap());
            ends(topic.publisher());
            ends(topic.subscriber());
        }
    }
    held.iter().for_each(|sample| drop(sample.to_vec()));
}

#[track_caller]
fn ends_or_too_large<T>(result: Result<T, Error>) {
    if result
        .as_ref()
        .is_err_and(|error| error.kind() != ErrorKind::TooLarge)
    {
        ends(result);
    }
}

#[test]
fn words_that_change_at_any_moment_give_errors_at_worst() {
    let t = start_with_deadline(Duration::from_secs(200));
    let name = t.name("t");
    for seed in 1..=12u64 {
        let topic = small(&name);
        let files = files_of(&name);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut state = seed << 32 | 7;
                while !over.load(Ordering::Relaxed) {
                    let (at, value) = (place(&mut state), number(&mut state));
                    files.write(value, at);
                }
            });
            let mut state = seed << 16 | 3;
            for _ in 0..5 {
                use_it(&topic, &name, &mut state, 60);
            }
            over.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn every_word_may_be_anything() {
    let t = start_with_deadline(Duration::from_secs(200));
    let name = t.name("t");
    let places = [
        56,
        PUBLISHED,
        72,
        SUBSCRIBERS_HIGH & !7,
        PUBLISHERS,
        PUBLISHERS + 40,
        SUBSCRIBERS,
        SUBSCRIBERS + 40,
        HOLDS,
        HOLDS + 8,
        PUSHED,
        TAIL,
        OLDEST,
        RINGS,
        RINGS + 8,
        RINGS + 16,
        RINGS + 24,
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
            let topic = small(&name);
            let mut before = topic.subscriber().unwrap();
            let mut publisher = topic.publisher().unwrap();
            publisher.publish("some").unwrap();
            publisher.publish("thing").unwrap();
            before.copy(&mut Vec::new()).unwrap();
            files_of(&name).write(value, at);
            ends(before.try_copy(&mut Vec::new()));
            ends(publisher.publish(vec![1; 2000]));
            ends(publisher.publish(vec![1; 2000]));
            ends(before.try_receive());
            drop(publisher);
            use_it(&topic, &name, &mut state, 2);
        }
    }
}

/// A ring with messages all round, which never ends.
#[test]
fn a_ring_without_an_end_ends_nevertheless() {
    let t = start();
    let name = t.name("t");
    let topic = small(&name);
    let mut subscribers = [1, 5, u64::MAX].map(|depth| topic.subscriber_with(depth).unwrap());
    let mut publisher = topic.publisher().unwrap();
    publisher.publish("one").unwrap();
    let files = files_of(&name);
    for at in (0..4096).step_by(16) {
        // Of 8 bytes each.
        files.write(1 << 63 | 8, RINGS + at);
    }
    // All of them seem to be old.
    files.write((1 << 40) + 100, PUSHED);
    let mut message = Vec::new();
    for subscriber in &mut subscribers {
        for _ in 0..10 {
            ends(subscriber.try_copy(&mut message));
            ends(subscriber.try_receive());
        }
    }
    ends(topic.subscriber_with(1));
    drop(publisher);
    ends(topic.publisher());
}

#[test]
fn a_lane_that_makes_no_sense_is_reported_once_and_keeps_nobody_from_the_others() {
    let t = start();
    let name = t.name("t");
    let topic = small(&name);
    let mut subscriber = topic.subscriber().unwrap();
    let (mut bad, mut good) = (topic.publisher().unwrap(), topic.publisher().unwrap());
    bad.publish("lost").unwrap();
    good.publish("one").unwrap();
    files_of(&name).write(1 << 62, RINGS);
    let results: Vec<_> = (0..3).map(|_| subscriber.try_copy(&mut Vec::new())).collect();
    let corrupt = |result: &&Result<_, Error>| {
        let error = result.as_ref().err();
        error.is_some_and(|error| error.kind() == ErrorKind::Corrupt)
    };
    assert_eq!(results.iter().filter(corrupt).count(), 1, "{results:?}");
    assert_eq!(subscriber.received(), 1);
    for number in 1..100 {
        good.publish("more").unwrap();
        let delivered = subscriber.copy(&mut Vec::new()).unwrap();
        assert_eq!((delivered.lane, delivered.sequence), (1, number));
    }
}

#[test]
fn a_header_that_says_anything_is_refused() {
    let t = start();
    let name = t.name("t");
    let topic = small(&name);
    let files = files_of(&name);
    let good = 2 << 16 | 12;
    for bad in [
        0,
        12,
        2 << 16,
        2 << 16 | 63,
        2 << 16 | 64,
        65 << 16 | 12,
        3 << 16 | 12,
        2 << 16 | 13,
        u64::MAX,
    ] {
        files.write(bad, DATA + 48);
        let error = Topic::open_existing(&name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{bad:#x}: {error}");
        assert!(Topics.stat(&name.parse().unwrap()).is_err(), "{bad:#x}");
    }
    files.write(good, DATA + 48);
    drop(Topic::open_existing(&name).unwrap());
    drop(topic);
}
