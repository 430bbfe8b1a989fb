//! Consumers that sleep, beside deaths and failing calls of those who go to sleep and of those who wake them.

use super::{PATIENCE, marked};
use quintet::named::NamedKind;
use quintet::shm::{Consumer, Queue, Queues};
use quintet::{ErrorKind, test_hooks};
use quintet_testkit::{Role, eventually, start_with_deadline};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(300);
const OVER: &[u8] = b"over";

/// Sleeps for a message of queue `arg(0)` that does not come, twice; dies before its step number `arg(1)`.
pub(crate) fn dies_asleep(p: &mut Role) {
    let queue = Queue::open_existing(p.arg(0)).unwrap();
    test_hooks::die_at(p.arg(1).parse().unwrap());
    let mut consumer = queue.consumer().unwrap();
    sleeps_in_vain(&mut consumer);
    sleeps_in_vain(&mut consumer);
    drop((consumer, queue));
    test_hooks::disarm();
    p.say("passed");
}

fn sleeps_in_vain(consumer: &mut Consumer) {
    let popped = consumer.pop_timeout(&mut Vec::new(), Duration::from_millis(1));
    assert_eq!(popped.unwrap_err().kind(), ErrorKind::TimedOut);
}

/// Takes messages until the one that says that it is over: how many, with that one.
fn takes_all<'scope>(
    scope: &'scope Scope<'scope, '_>,
    queue: &'scope Queue,
) -> ScopedJoinHandle<'scope, u64> {
    scope.spawn(|| {
        let mut consumer = queue.consumer().unwrap();
        let mut message = Vec::new();
        for count in 1.. {
            consumer.pop_timeout(&mut message, LONG).unwrap();
            if message == OVER {
                return count;
            }
        }
        unreachable!("it ends with the last message")
    })
}

/// Waits until so many that live sleep.
fn sleep(name: &str, count: usize) {
    eventually("they sleep", || {
        let seen = Queues.stat(&name.parse().unwrap()).unwrap();
        seen.detail("waiting") == Some(&count.to_string())
    });
}

fn all_is_taken(queue: &Queue) {
    eventually("everything is taken", || queue.stats().waiting == 0);
}

#[test]
fn a_producer_that_dies_before_it_wakes_who_sleeps_leaves_nobody_asleep() {
    let t = start_with_deadline(LONG);
    let name = t.name("q");
    let queue = Queue::builder(&name).unwrap().producers(1).create_new().unwrap();
    thread::scope(|scope| {
        let takers = [(), ()].map(|()| takes_all(scope, &queue));
        for step in 0.. {
            sleep(&name, 2);
            let mut peer = t.spawn("dies_pushing", &[&name, &step.to_string()]);
            let passed = peer.hear_or_end().is_some();
            peer.wait_exit();
            // Nobody else pushes or wakes.
            all_is_taken(&queue);
            if passed {
                assert!(step > 8, "it makes only {step} steps: are the hooks there?");
                break;
            }
        }
        let mut producer = queue.producer().unwrap();
        producer.push_all([OVER, OVER]).unwrap();
        let taken: u64 = takers.map(|taker| taker.join().unwrap()).iter().sum();
        assert_eq!(taken, producer.pushed());
    });
    let stats = queue.stats();
    assert_eq!((stats.waiting, stats.lost), (0, 0));
}

#[test]
fn a_consumer_that_dies_at_any_step_of_sleeping_takes_no_wake_up_along() {
    let t = start_with_deadline(LONG);
    let name = t.name("q");
    let queue = Queue::builder(&name).unwrap().producers(1).create_new().unwrap();
    let mut producer = queue.producer().unwrap();
    thread::scope(|scope| {
        let taker = takes_all(scope, &queue);
        for step in 0.. {
            sleep(&name, 1);
            let mut peer = t.spawn("dies_asleep", &[&name, &step.to_string()]);
            let passed = peer.hear_or_end().is_some();
            peer.wait_exit();
            producer.push(marked(1, step)).unwrap();
            all_is_taken(&queue);
            if passed {
                assert!(step > 6, "it makes only {step} steps: are the hooks there?");
                break;
            }
        }
        // The dead are all found out, one by one.
        let path = format!("/dev/shm/quintet.queue.{name}");
        eventually("none but ours is said to sleep", || {
            let memory = std::fs::read(&path).unwrap();
            let slots = memory[128..128 + 256 * 64].chunks(64);
            slots.filter(|slot| slot[44..48] != [0; 4]).count() <= 1
        });
        producer.push(OVER).unwrap();
        assert_eq!(taker.join().unwrap(), producer.pushed());
    });
    assert_eq!(queue.stats().lost, 0);
}

#[test]
fn whichever_call_of_who_sleeps_fails_the_next_message_comes() {
    let t = start_with_deadline(LONG);
    let name = t.name("q");
    let queue = Queue::builder(&name).unwrap().producers(1).create_new().unwrap();
    let (mut producer, mut consumer) = (queue.producer().unwrap(), queue.consumer().unwrap());
    // What is measured once a process is measured before.
    sleeps_in_vain(&mut consumer);
    for errno in [libc::EIO, libc::ENOSYS, libc::EINTR] {
        for step in 0.. {
            test_hooks::fail_at(step, errno);
            let popped = consumer.pop_timeout(&mut Vec::new(), Duration::from_millis(1));
            let steps = test_hooks::disarm();
            let kind = popped.unwrap_err().kind();
            let here = format!("error {errno} at call {step} of {steps}: {kind:?}");
            assert!(
                kind == ErrorKind::TimedOut || kind != ErrorKind::Corrupt && errno != libc::EINTR,
                "{here}"
            );
            let mut message = Vec::new();
            thread::scope(|scope| {
                scope.spawn(|| {
                    sleep(&name, 1);
                    producer.push(marked(1, 7)).unwrap();
                });
                consumer.pop_timeout(&mut message, PATIENCE).unwrap();
            });
            assert_eq!(message, marked(1, 7), "{here}");
            if steps <= step {
                assert!(step > 1 && kind == ErrorKind::TimedOut, "{here}");
                break;
            }
        }
    }
}

#[test]
fn whichever_call_of_who_pushes_fails_who_sleeps_gets_the_message() {
    let t = start_with_deadline(LONG);
    let name = t.name("q");
    let queue = Queue::builder(&name).unwrap().producers(1).create_new().unwrap();
    let mut producer = queue.producer().unwrap();
    thread::scope(|scope| {
        let taker = takes_all(scope, &queue);
        for step in 0..3 {
            sleep(&name, 1);
            test_hooks::fail_at(step, libc::EIO);
            let pushed = producer.push(marked(1, 1));
            test_hooks::disarm();
            pushed.unwrap();
            all_is_taken(&queue);
        }
        producer.push(OVER).unwrap();
        assert_eq!(taker.join().unwrap(), 4);
    });
}
