//! Queues, between processes.

#[cfg(target_os = "linux")]
mod asleep;
mod coming;
#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod death;
#[cfg(target_os = "linux")]
mod hostile;
mod model;
#[cfg(target_os = "linux")]
mod steps;
mod tally;

use quintet::shm::{Batch, Queue};
use quintet::sync::{Event, Reset, Waitable, wait_all, wait_any};
use quintet::{Deadline, Error, ErrorKind};
use quintet_testkit::{Role, eventually, start};
use std::fmt::Debug;
use std::time::Duration;

use coming::comes_and_goes;
use tally::{Tally, marked};

#[cfg(target_os = "linux")]
use asleep::dies_asleep;
#[cfg(target_os = "linux")]
use coming::reserves;
#[cfg(target_os = "linux")]
use crowd::{has_no_room, opens_as_another, pops_on, pushes_on};
#[cfg(target_os = "linux")]
use death::{dies_pushing, pops_and_dies, waits};
#[cfg(target_os = "linux")]
use steps::{dies_popping, fails_at_any_call, forks};
#[cfg(target_os = "linux")]
quintet_testkit::peers!(
    comes_and_goes,
    dies_asleep,
    dies_popping,
    dies_pushing,
    doubles,
    fails_at_any_call,
    forks,
    has_no_room,
    opens_as_another,
    pops_all,
    pops_and_dies,
    pops_on,
    pushes,
    pushes_on,
    reserves,
    waits,
);
#[cfg(windows)]
quintet_testkit::peers!(comes_and_goes, doubles, pushes, pops_all);

const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn fails<T: Debug>(result: Result<T, Error>, kind: ErrorKind) {
    match result {
        Err(error) if error.kind() == kind => {}
        other => panic!("{kind:?} expected, got {other:?}"),
    }
}

/// Takes `arg(1)` messages of queue `arg(0)-there`, and pushes each twice to `arg(0)-back`.
fn doubles(p: &mut Role) {
    let there = Queue::open_existing(format!("{}-there", p.arg(0))).unwrap();
    let back = Queue::open_existing(format!("{}-back", p.arg(0))).unwrap();
    let (mut consumer, mut producer) = (there.consumer().unwrap(), back.producer().unwrap());
    let mut message = Vec::new();
    for _ in 0..p.arg(1).parse().unwrap() {
        consumer.pop_timeout(&mut message, PATIENCE).unwrap();
        producer.push_all_timeout([&message, &message], PATIENCE).unwrap();
    }
    producer.wait_for_drain_timeout(PATIENCE).unwrap();
}

/// Pushes `arg(2)` messages as producer `arg(1)` to queue `arg(0)`.
fn pushes(p: &mut Role) {
    let queue = Queue::open_existing(p.arg(0)).unwrap();
    let mut producer = queue.producer().unwrap();
    let me = p.arg(1).parse().unwrap();
    for number in 0..p.arg(2).parse().unwrap() {
        producer.push_timeout(marked(me, number), PATIENCE).unwrap();
    }
    p.say("pushed");
}

/// Pops from queue `arg(0)` until event `arg(1)` is set and nothing is left; says what it got.
fn pops_all(p: &mut Role) {
    let queue = Queue::open_existing(p.arg(0)).unwrap();
    let over = Event::open_existing(p.arg(1)).unwrap();
    let mut consumer = queue.consumer().unwrap();
    let mut batch = Batch::new();
    let mut tally = Tally::default();
    p.say("ready");
    loop {
        let index = wait_any(&[(&consumer).into(), (&over).into()], PATIENCE)
            .unwrap()
            .index;
        batch.clear();
        let got = consumer.try_pop_batch(&mut batch, 16).unwrap();
        batch.iter().for_each(|(_, message)| tally.add(message));
        if got == 0 && index == 1 {
            break;
        }
    }
    p.say(tally);
}

#[test]
fn messages_go_there_and_back() {
    let t = start();
    let name = t.name("q");
    let there = Queue::create_new(format!("{name}-there")).unwrap();
    let back = Queue::create_new(format!("{name}-back")).unwrap();
    let peer = t.spawn("doubles", &[&name, "500"]);
    let (mut producer, mut consumer) = (there.producer().unwrap(), back.consumer().unwrap());
    let mut message = Vec::new();
    for number in 0..500u32 {
        let sent = vec![number as u8; number as usize];
        producer.push_timeout(&sent, PATIENCE).unwrap();
        for sequence in [2 * number, 2 * number + 1] {
            let received = consumer.pop_timeout(&mut message, PATIENCE).unwrap();
            assert_eq!((received.sequence, received.len), (sequence.into(), sent.len()));
            assert_eq!(message, sent);
        }
    }
    peer.finish();
    let stats = back.stats();
    assert_eq!((stats.pushed, stats.taken, stats.lost), (1000, 1000, 0));
}

#[test]
fn many_producers_and_consumers_lose_nothing() {
    const PRODUCERS: u32 = 4;
    const CONSUMERS: u32 = 3;
    const EACH: u32 = 5000;
    let t = start();
    let name = t.name("q");
    let queue = Queue::builder(&name)
        .unwrap()
        .capacity(4096)
        .create_new()
        .unwrap();
    let over_name = t.name("over");
    let over = Event::create_new(&over_name, Reset::Manual).unwrap();
    let mut consumers: Vec<_> = (0..CONSUMERS)
        .map(|_| t.spawn("pops_all", &[&name, &over_name]))
        .collect();
    consumers.iter_mut().for_each(|peer| peer.expect("ready"));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|number| t.spawn("pushes", &[&name, &number.to_string(), &EACH.to_string()]))
        .collect();
    for mut peer in producers {
        peer.expect("pushed");
        peer.finish();
    }
    over.set().unwrap();
    let mut tally = Tally::default();
    for mut peer in consumers {
        tally.add_said(&peer.hear());
        peer.finish();
    }
    tally.is_all(PRODUCERS, EACH);
    let stats = queue.stats();
    assert_eq!(
        (stats.pushed, stats.waiting, stats.lost, stats.in_hand),
        (u64::from(PRODUCERS * EACH), 0, 0, 0)
    );
}

#[test]
fn sizes_have_their_bounds() {
    let t = start();
    let queue = Queue::builder(t.name("q"))
        .unwrap()
        .capacity(4096)
        .create_new()
        .unwrap();
    let (mut producer, mut consumer) = (queue.producer().unwrap(), queue.consumer().unwrap());
    let longest = vec![7; queue.max_message()];
    let mut message = Vec::new();
    for _ in 0..10 {
        for sent in [&longest[..], &[], &longest[..1]] {
            producer.push_timeout(sent, PATIENCE).unwrap();
            consumer.pop_timeout(&mut message, PATIENCE).unwrap();
            assert_eq!(message, sent);
        }
    }
    fails(producer.push(vec![0; longest.len() + 1]), ErrorKind::TooLarge);
    fails(producer.reserve(usize::MAX), ErrorKind::TooLarge);
    let name = || Queue::builder(t.name("other")).unwrap();
    fails(name().producers(0).create_new(), ErrorKind::TooLarge);
    fails(name().producers(257).create_new(), ErrorKind::TooLarge);
    fails(name().capacity(u64::MAX).create_new(), ErrorKind::TooLarge);
}

#[test]
fn a_full_queue_says_so_and_a_deadline_ends_the_wait() {
    let t = start();
    let queue = Queue::builder(t.name("q"))
        .unwrap()
        .capacity(4096)
        .create_new()
        .unwrap();
    let (mut producer, mut consumer) = (queue.producer().unwrap(), queue.consumer().unwrap());
    let mut message = Vec::new();
    fails(
        consumer.pop_timeout(&mut message, Duration::from_millis(1)),
        ErrorKind::TimedOut,
    );
    let mut pushed = 0u64;
    while producer.try_push([1; 100]).unwrap() {
        pushed += 1;
    }
    assert!(pushed >= 30, "{pushed}");
    fails(
        producer.push_timeout([1; 100], Duration::from_millis(1)),
        ErrorKind::TimedOut,
    );
    assert!(producer.try_reserve(100).unwrap().is_none());
    fails(
        producer.wait_for_drain_timeout(Duration::from_millis(1)),
        ErrorKind::TimedOut,
    );
    assert_eq!(producer.pushed(), pushed);
    // Who waits for room gets it.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..=pushed {
                consumer.pop_timeout(&mut message, PATIENCE).unwrap();
            }
        });
        producer.push_timeout([2; 100], PATIENCE).unwrap();
        producer.wait_for_drain_timeout(PATIENCE).unwrap();
    });
    assert_eq!(message, [2; 100]);
}

#[test]
fn places_for_producers_are_counted_and_come_back() {
    let t = start();
    let queue = Queue::builder(t.name("q"))
        .unwrap()
        .producers(2)
        .create_new()
        .unwrap();
    let (mut first, second) = (queue.producer().unwrap(), queue.producer().unwrap());
    fails(queue.producer(), ErrorKind::Full);
    first.push("kept").unwrap();
    drop(first);
    let mut again = queue.producer().unwrap();
    assert_eq!((again.lane(), again.pushed()), (0, 1));
    again.push("more").unwrap();
    drop((again, second));
    let mut batch = Batch::new();
    assert_eq!(queue.consumer().unwrap().pop_batch(&mut batch, 10).unwrap(), 2);
    let texts: Vec<_> = batch.iter().map(|(_, message)| message.to_vec()).collect();
    assert_eq!(texts, [b"kept", b"more"]);
}

#[test]
fn what_is_peeked_at_stays_while_the_producer_goes_round() {
    let t = start();
    let queue = Queue::builder(t.name("q"))
        .unwrap()
        .capacity(4096)
        .create_new()
        .unwrap();
    let mut producer = queue.producer().unwrap();
    let (mut one, mut other) = (queue.consumer().unwrap(), queue.consumer().unwrap());
    producer.push([0xaa; 300]).unwrap();
    let peeked = one.peek().unwrap();
    let mut message = Vec::new();
    other.pop(&mut message).unwrap();
    for number in 0..200u8 {
        producer.push_timeout(vec![number; 500], PATIENCE).unwrap();
        other.pop_timeout(&mut message, PATIENCE).unwrap();
        assert_eq!(message, vec![number; 500]);
        assert_eq!(peeked.to_vec(), [0xaa; 300]);
    }
    assert!(!peeked.take(), "another had taken it");
    producer.push("ours").unwrap();
    // SAFETY: all who have this queue open are here, and follow its protocol.
    let mut one = unsafe { one.trusting() };
    let peeked = one.peek().unwrap();
    assert_eq!(&*peeked, b"ours");
    assert!(peeked.take());
    assert!(one.try_peek().unwrap().is_none());
}

#[test]
fn what_is_not_committed_was_never_there() {
    let t = start();
    let queue = Queue::create_new(t.name("q")).unwrap();
    let mut producer = queue.producer().unwrap();
    let mut place = producer.reserve(100).unwrap();
    place.write_at(0, "never").unwrap();
    let mut place = producer.reserve(10).unwrap();
    fails(place.write_at(8, "abc"), ErrorKind::TooLarge);
    place.write_at(0, "short").unwrap();
    place.commit_len(5).unwrap();
    fails(producer.reserve(10).unwrap().commit_len(11), ErrorKind::TooLarge);
    let mut message = Vec::new();
    let mut consumer = queue.consumer().unwrap();
    consumer.pop(&mut message).unwrap();
    assert_eq!(message, b"short");
    assert!(consumer.try_pop(&mut message).unwrap().is_none());
}

#[test]
fn a_queue_is_one_of_any_and_not_of_all() {
    let t = start();
    let queue = Queue::create_new(t.name("q")).unwrap();
    let event = Event::create_new(t.name("e"), Reset::Auto).unwrap();
    let (mut producer, consumer) = (queue.producer().unwrap(), queue.consumer().unwrap());
    let both: [Waitable<'_>; 2] = [(&consumer).into(), (&event).into()];
    fails(wait_any(&both, Deadline::now()), ErrorKind::TimedOut);
    event.set().unwrap();
    assert_eq!(wait_any(&both, PATIENCE).unwrap().index, 1);
    std::thread::scope(|scope| {
        scope.spawn(|| producer.push("x").unwrap());
        assert_eq!(wait_any(&both, PATIENCE).unwrap().index, 0);
    });
    fails(wait_all(&both, PATIENCE), ErrorKind::Unsupported);
}

#[test]
fn it_goes_with_its_last_holder() {
    let t = start();
    let name = t.name("q");
    let queue = Queue::create_new(&name).unwrap();
    fails(Queue::create_new(&name), ErrorKind::AlreadyExists);
    let producer = queue.producer().unwrap();
    drop(queue);
    // A producer holds it as well.
    assert!(!Queue::create_or_open(&name).unwrap().was_created());
    drop(producer);
    fails(Queue::open_existing(&name), ErrorKind::NotFound);
    eventually("a new one", || Queue::create_new(&name).is_ok());
}
