//! Consumers that die at any step, and system calls that fail at any.

use super::{PATIENCE, marked};
use quintet::shm::{Batch, Queue};
use quintet::{ErrorKind, test_hooks};
use quintet_testkit::{Role, start, start_with_deadline};

/// Opens queue `arg(0)`, and takes what is there in the way `arg(1)`; dies before its step number `arg(2)`.
pub(crate) fn dies_popping(p: &mut Role) {
    let queue = Queue::open_existing(p.arg(0)).unwrap();
    test_hooks::die_at(p.arg(2).parse().unwrap());
    let mut consumer = queue.consumer().unwrap();
    let mut message = Vec::new();
    match p.arg(1) {
        "pop" => {
            consumer.pop(&mut message).unwrap();
            consumer.done();
            consumer.pop(&mut message).unwrap();
        }
        "batch" => {
            consumer.pop_batch(&mut Batch::new(), 2).unwrap();
        }
        _ => assert!(consumer.peek().unwrap().take()),
    }
    drop(consumer);
    drop(queue);
    test_hooks::disarm();
    p.say("passed");
}

/// Each time, what is not there is what the dead one took, and that is lost unless it was done with it.
fn a_consumer_dies(way: &str, takes: u64) {
    let t = start_with_deadline(std::time::Duration::from_secs(300));
    let name = t.name("q");
    let builder = Queue::builder(&name).unwrap().producers(1).capacity(8192);
    let queue = builder.create_new().unwrap();
    let mut producer = queue.producer().unwrap();
    let mut lost_before = 0;
    for step in 0.. {
        // A short one, and a long one that is taken in place.
        producer.push_all([vec![1; 10], vec![2; 3000]]).unwrap();
        let taken_before = queue.stats().taken;
        let mut peer = t.spawn("dies_popping", &[&name, way, &step.to_string()]);
        let passed = peer.hear_or_end().is_some();
        peer.wait_exit();
        let stats = queue.stats();
        let (taken, lost) = (stats.taken - taken_before, stats.lost - lost_before);
        let here = format!("{way} at step {step}: {stats:?}");
        assert!(
            taken <= takes && lost <= taken && taken + stats.waiting == 2,
            "{here}"
        );
        assert_eq!((stats.in_hand, stats.consumers), (0, 0), "{here}");
        lost_before = stats.lost;
        // The others go on with what is left, and the producer has all its room, whatever was held.
        let mut consumer = queue.consumer().unwrap();
        let mut message = Vec::new();
        for number in taken..2 {
            consumer.pop_timeout(&mut message, PATIENCE).unwrap();
            assert!(message == [vec![1; 10], vec![2; 3000]][number as usize], "{here}");
        }
        for _ in 0..8 {
            producer
                .push_timeout(vec![3; queue.max_message()], PATIENCE)
                .unwrap();
            consumer.pop_timeout(&mut message, PATIENCE).unwrap();
            assert!(message == vec![3; queue.max_message()], "{here}");
        }
        drop(consumer);
        assert_eq!(queue.stats().lost, lost_before, "{here}");
        if passed {
            assert_eq!((taken, lost), (takes, 0), "{here}");
            assert!(step > 5, "it makes only {step} steps: are the hooks there?");
            break;
        }
    }
}

#[test]
fn a_consumer_that_dies_at_any_step_of_popping_loses_what_it_had_in_hand_at_most() {
    a_consumer_dies("pop", 2);
}

#[test]
fn a_consumer_that_dies_at_any_step_of_a_batch_loses_what_it_had_in_hand_at_most() {
    a_consumer_dies("batch", 2);
}

#[test]
fn a_consumer_that_dies_at_any_step_of_peeking_loses_what_it_had_in_hand_at_most() {
    a_consumer_dies("peek", 1);
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Makes, uses and closes queue `arg(0)`, each time with another system call failing. In a process of its own, where
/// descriptors can be counted.
pub(crate) fn fails_at_any_call(p: &mut Role) {
    let name = p.arg(0);
    let use_it = || {
        let queue = Queue::builder(name)?.producers(2).capacity(4096).create_new()?;
        let again = Queue::open_existing(name)?;
        let (mut producer, mut consumer) = (again.producer()?, queue.consumer()?);
        producer.push(marked(1, 1))?;
        consumer.pop(&mut Vec::new())?;
        let wait = consumer.pop_timeout(&mut Vec::new(), std::time::Duration::from_millis(1));
        match wait {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(()),
            wait => wait.map(drop),
        }
    };
    // What is measured once a process is measured before.
    use_it().unwrap();
    for errno in [libc::EIO, libc::EINTR, libc::EMFILE, libc::ENOMEM] {
        for step in 0.. {
            let before = open_files();
            test_hooks::fail_at(step, errno);
            let done = use_it();
            let steps = test_hooks::disarm();
            let here = format!("error {errno} at call {step} of {steps}: {done:?}");
            assert!(errno != libc::EINTR || done.is_ok(), "{here}");
            assert_eq!(open_files(), before, "{here}");
            // A name that could not be taken back belongs to nobody, and is free.
            drop(Queue::create_new(name).unwrap_or_else(|error| panic!("{here}, then {error}")));
            if steps <= step {
                assert!(done.is_ok() && step > 20, "{here}");
                break;
            }
        }
    }
    p.say("passed");
}

#[test]
fn a_failing_call_is_an_error_and_leaves_nothing() {
    let t = start_with_deadline(std::time::Duration::from_secs(300));
    let mut peer = t.spawn("fails_at_any_call", &[&t.name("q")]);
    peer.expect("passed");
    peer.finish();
}

/// Looks at and uses in a forked child what its parent has.
pub(crate) fn forks(p: &mut Role) {
    let queue = Queue::builder(p.arg(0))
        .unwrap()
        .capacity(4096)
        .create_new()
        .unwrap();
    let (mut producer, mut consumer) = (queue.producer().unwrap(), queue.consumer().unwrap());
    let mut other = queue.consumer().unwrap();
    producer.push([7; 300]).unwrap();
    other.try_peek().unwrap().unwrap();
    let peeked = consumer.peek().unwrap();
    let mut place = producer.reserve(8).unwrap();
    place.write_at(0, [8; 8]).unwrap();
    // SAFETY: this thread runs the role; the child uses what it alone has by then, and ends by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let unsupported = |error: quintet::Error| error.kind() == ErrorKind::Unsupported;
        let is_same = peeked.to_vec() == [7; 300];
        let written = place.write_at(0, [9; 8]);
        let (taken, committed) = (peeked.take(), place.commit());
        let refused = is_same
            && written.is_err_and(unsupported)
            && !taken
            && committed.is_err_and(unsupported)
            && producer.push("x").is_err_and(unsupported)
            && other.try_pop(&mut Vec::new()).is_err_and(unsupported)
            && queue.producer().is_err_and(unsupported)
            && queue.consumer().is_err_and(unsupported)
            && queue.stats().pushed == 1;
        drop((consumer, other, producer, queue));
        // SAFETY: it ends the process and returns nowhere.
        unsafe { libc::_exit(i32::from(!refused)) };
    }
    let mut status = 0;
    // SAFETY: the child is ours, and the status is written to a number of this function's.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0, "the child was not refused");
    // The child has taken nothing, and let nothing go.
    assert_eq!(queue.stats().waiting, 1);
    let mut message = Vec::new();
    assert!(other.try_pop(&mut message).unwrap().is_some());
    for number in 0..50u8 {
        producer.push_timeout([number; 500], PATIENCE).unwrap();
        other.pop_timeout(&mut message, PATIENCE).unwrap();
        assert_eq!(peeked.to_vec(), [7; 300]);
    }
    p.say("passed");
}

#[test]
fn a_forked_child_neither_takes_nor_lets_go_what_is_its_parent_s() {
    let t = start();
    let mut peer = t.spawn("forks", &[&t.name("q")]);
    peer.expect("passed");
    peer.finish();
}
