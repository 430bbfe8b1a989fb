//! Producers and consumers that die, or are stopped.

use super::{PATIENCE, marked};
use quintet::shm::{Batch, Consumer, Queue};
use quintet::{ErrorKind, test_hooks};
use quintet_testkit::{Role, eventually, start, start_with_deadline};
use std::time::Duration;

/// Opens queue `arg(0)` and pushes three messages, the last two together, and dies before its step number `arg(1)`.
pub(crate) fn dies_pushing(p: &mut Role) {
    let queue = Queue::open_existing(p.arg(0)).unwrap();
    test_hooks::die_at(p.arg(1).parse().unwrap());
    let mut producer = queue.producer().unwrap();
    producer.push(marked(1, 0)).unwrap();
    producer.push_all([marked(1, 1), marked(1, 2)]).unwrap();
    drop(producer);
    test_hooks::disarm();
    p.say("passed");
}

/// Pops `arg(1)` messages of queue `arg(0)`, and dies with the last in hand.
pub(crate) fn pops_and_dies(p: &mut Role) {
    let queue = Queue::open_existing(p.arg(0)).unwrap();
    let mut consumer = queue.consumer().unwrap();
    let mut message = Vec::new();
    for _ in 0..p.arg(1).parse().unwrap() {
        consumer.pop_timeout(&mut message, PATIENCE).unwrap();
    }
    p.die();
}

/// Waits for a message of queue `arg(0)`, peeks at it, and does nothing more until it is told to end.
pub(crate) fn waits(p: &mut Role) {
    let queue = Queue::open_existing(p.arg(0)).unwrap();
    let mut consumer = queue.consumer().unwrap();
    let peeked = consumer.peek_timeout(PATIENCE).unwrap();
    p.say(peeked.len());
    p.listen();
}

#[test]
fn a_producer_that_dies_at_any_step_costs_nobody_anything() {
    let t = start_with_deadline(Duration::from_secs(300));
    let name = t.name("q");
    let queue = Queue::builder(&name).unwrap().producers(1).create_new().unwrap();
    let mut consumer = queue.consumer().unwrap();
    let mut message = Vec::new();
    for step in 0.. {
        let mut peer = t.spawn("dies_pushing", &[&name, &step.to_string()]);
        let passed = peer.hear_or_end().is_some();
        peer.wait_exit();
        // The kernel lets go of the lane at once, and it goes on behind what was pushed.
        let mut next = queue.producer().unwrap();
        next.push(marked(1, 3)).unwrap();
        let mut got = Vec::new();
        while consumer.try_pop(&mut message).unwrap().is_some() {
            let number = u32::from_le_bytes(message[4..8].try_into().unwrap());
            assert_eq!(message, marked(1, number), "torn");
            got.push(number);
        }
        assert!(
            [&[3][..], &[0, 3], &[0, 1, 2, 3]].contains(&&got[..]),
            "{got:?} after a death at step {step}"
        );
        let stats = queue.stats();
        assert_eq!((stats.waiting, stats.pushed - stats.taken, stats.lost), (0, 0, 0));
        if passed {
            assert!(step > 8, "it makes only {step} steps: are the hooks there?");
            break;
        }
    }
}

#[test]
fn what_a_dead_consumer_had_in_hand_is_lost_and_counted() {
    let t = start();
    let name = t.name("q");
    let queue = Queue::create_new(&name).unwrap();
    let mut producer = queue.producer().unwrap();
    producer
        .push_all((0..10).map(|number| marked(1, number)))
        .unwrap();
    t.spawn("pops_and_dies", &[&name, "3"]).wait_exit();
    let stats = queue.stats();
    assert_eq!(
        (stats.taken, stats.waiting, stats.lost, stats.consumers),
        (3, 7, 1, 0)
    );
    // Whoever comes after it goes on with the next.
    let mut consumer = queue.consumer().unwrap();
    let mut message = Vec::new();
    let received = consumer.pop(&mut message).unwrap();
    assert_eq!((received.sequence, message), (3, marked(1, 3)));
    consumer.done();
    assert_eq!((queue.stats().lost, queue.stats().in_hand), (1, 0));
}

#[test]
fn who_asks_for_the_next_has_nothing_in_hand() {
    let t = start();
    let queue = Queue::create_new(t.name("q")).unwrap();
    let (mut producer, mut consumer) = (queue.producer().unwrap(), queue.consumer().unwrap());
    let (mut message, mut batch) = (Vec::new(), Batch::new());
    for ask in 0..4 {
        producer.push(b"job").unwrap();
        consumer.pop(&mut message).unwrap();
        assert_eq!(queue.stats().in_hand, 1);
        // None has come.
        let short = Duration::from_millis(1);
        let came = match ask {
            0 => consumer.pop_timeout(&mut message, short).is_ok(),
            1 => consumer.pop_batch_timeout(&mut batch, 9, short).is_ok(),
            2 => consumer.try_pop(&mut message).unwrap().is_some(),
            _ => consumer.try_pop_batch(&mut batch, 9).unwrap() > 0,
        };
        assert!(!came);
        assert_eq!(queue.stats().in_hand, 0);
    }
    let stats = queue.stats();
    assert_eq!((stats.taken, stats.in_hand, stats.lost), (4, 0, 0));
}

#[test]
fn a_stopped_peeker_holds_up_nobody_and_a_dead_one_neither() {
    let t = start();
    let name = t.name("q");
    let queue = Queue::builder(&name)
        .unwrap()
        .capacity(4096)
        .create_new()
        .unwrap();
    let mut producer = queue.producer().unwrap();
    let mut peer = t.spawn("waits", &[&name]);
    producer.push(vec![1; 700]).unwrap();
    peer.expect("700");
    peer.stop();
    let mut consumer = queue.consumer().unwrap();
    let mut message = Vec::new();
    let mut round = |peeks: &str| {
        for number in 0..100u8 {
            producer.push_timeout(vec![number; 400], PATIENCE).unwrap();
            consumer
                .pop_timeout(&mut message, PATIENCE)
                .unwrap_or_else(|error| panic!("{peeks}: {error}"));
        }
    };
    round("stopped");
    peer.kill();
    eventually("it is gone", || queue.stats().consumers == 1);
    round("dead");
    drop(consumer);
    let stats = queue.stats();
    assert_eq!((stats.waiting, stats.lost), (1, 0));
}

/// How many threads sleep, by what stands in the memory: the header's sum, and two consumers' own.
fn said_to_sleep(name: &str) -> [u32; 3] {
    let memory = std::fs::read(format!("/dev/shm/quintet.queue.{name}")).unwrap();
    [60, 128 + 44, 128 + 64 + 44].map(|at| u32::from_le_bytes(memory[at..at + 4].try_into().unwrap()))
}

#[test]
fn who_died_asleep_sleeps_no_more() {
    let t = start();
    let name = t.name("q");
    let builder = Queue::builder(&name).unwrap().producers(1).capacity(4096);
    let queue = builder.create_new().unwrap();
    let mut peers: Vec<_> = [(), ()].map(|()| t.spawn("pops_on", &[&name])).into();
    for peer in &mut peers {
        peer.expect("ready");
    }
    // Stopped first, as they look up every now and then.
    eventually("both sleep", || {
        peers.iter().for_each(|peer| peer.stop());
        let asleep = said_to_sleep(&name)[1..] == [1, 1];
        if !asleep {
            peers.iter().for_each(|peer| peer.cont());
        }
        asleep
    });
    peers.iter_mut().for_each(|peer| {
        peer.kill();
    });
    eventually("they are gone", || queue.stats().consumers == 0);
    assert_eq!(said_to_sleep(&name)[1..], [1, 1]);
    // In a place of its own: they had not left theirs.
    let mut consumer = queue.consumer().unwrap();
    let sleep = |consumer: &mut Consumer| {
        let popped = consumer.pop_timeout(&mut Vec::new(), Duration::from_millis(1));
        assert_eq!(popped.unwrap_err().kind(), ErrorKind::TimedOut);
    };
    sleep(&mut consumer);
    sleep(&mut consumer);
    assert_eq!(said_to_sleep(&name), [0, 0, 0]);
    eventually("only ours is there", || queue.stats().consumers == 1);
    assert_eq!(queue.stats().lost, 0);
}
