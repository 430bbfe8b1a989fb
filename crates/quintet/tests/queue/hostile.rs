//! A queue whose memory somebody writes into.

use quintet::shm::Queue;
use quintet::{Deadline, ErrorKind};
use quintet_testkit::start;
use std::fs::File;
use std::os::unix::fs::FileExt;

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
