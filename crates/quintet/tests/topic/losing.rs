//! Who is too slow, or wants the newest only.

use super::{LONG, PATIENCE, Seen, message, publish_next, small};
use quintet::ErrorKind;
use quintet::shm::Topic;
use quintet_testkit::{Role, start, start_with_deadline};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Subscribes to topic `arg(0)` and receives, in the way `arg(1)`, messages of up to `arg(4)` bytes, until it is at the end of
/// `arg(2)` lanes of `arg(3)` messages each; says how many it got and missed. It has to be there before the first.
pub(crate) fn subscribes(p: &mut Role) {
    let mut subscriber = Topic::open_existing(p.arg(0)).unwrap().subscriber().unwrap();
    let (lanes, each) = (p.arg(2).parse().unwrap(), p.arg(3).parse().unwrap());
    let mut seen = Seen::new(p.arg(4).parse().unwrap());
    p.say("ready");
    let mut got = Vec::new();
    let mut held = None;
    while !seen.is_all(lanes, each) {
        let copies = match p.arg(1) {
            "copy" => true,
            "hold" => false,
            _ => seen.received.is_multiple_of(2),
        };
        if copies {
            let delivered = subscriber.copy_timeout(&mut got, PATIENCE).unwrap();
            seen.add(delivered, &got);
        } else {
            let sample = subscriber.receive_timeout(PATIENCE).unwrap();
            seen.add(sample.delivered(), &sample.to_vec());
            // It stays until we have the next one.
            if let Some(before) = held.replace((sample.to_vec(), sample)) {
                assert!(before.0 == before.1.to_vec());
            }
        }
    }
    assert_eq!(
        (subscriber.received(), subscriber.lost()),
        (seen.received, seen.lost)
    );
    p.say(format!("{} {}", seen.received, seen.lost));
    p.listen();
}

/// Subscribes to topic `arg(0)`, receives a few messages of up to `arg(2)` bytes and goes, again and again, until it has seen
/// the one with number `arg(1)`.
pub(crate) fn comes_and_goes(p: &mut Role) {
    let (last, longest) = (p.arg(1).parse().unwrap(), p.arg(2).parse().unwrap());
    let mut next = 0;
    p.say("ready");
    while next <= last {
        let mut subscriber = Topic::open_existing(p.arg(0)).unwrap().subscriber().unwrap();
        for count in 0..5 {
            let sample = subscriber.receive_timeout(PATIENCE).unwrap();
            let delivered = sample.delivered();
            assert!(delivered.sequence >= next && sample.to_vec() == message(0, delivered.sequence, longest));
            assert!(count == 0 || delivered.sequence == next + delivered.lost);
            next = delivered.sequence + 1;
        }
    }
    p.say("seen");
}

#[test]
fn who_is_too_slow_misses_the_oldest_and_is_told_how_many() {
    const EACH: &str = "20000";
    // They hold five at a time at most, between which there is always room for one more.
    const LONGEST: &str = "300";
    let t = start_with_deadline(LONG);
    let name = t.name("t");
    let topic = small(&name);
    let mut subscribers = ["copy", "hold", "mixed"].map(|way| {
        let mut peer = t.spawn("subscribes", &[&name, way, "2", EACH, LONGEST]);
        peer.expect("ready");
        peer
    });
    let mut publishers = [(); 2].map(|()| t.spawn("publishes", &[&name, EACH, LONGEST]));
    publishers.iter_mut().for_each(|peer| peer.expect("published"));
    for peer in &mut subscribers {
        let said = peer.hear();
        let (received, lost) = said.split_once(' ').unwrap();
        let sum = received.parse::<u64>().unwrap() + lost.parse::<u64>().unwrap();
        assert_eq!(sum, 40_000, "{said}");
    }
    let stats = topic.stats();
    assert_eq!((stats.published, stats.received + stats.lost), (40_000, 120_000));
    for mut peer in publishers.into_iter().chain(subscribers) {
        peer.tell("end");
        peer.finish();
    }
}

#[test]
fn what_was_missed_before_the_first_message_counts_as_well() {
    let t = start();
    let topic = small(&t.name("t"));
    let mut publisher = topic.publisher().unwrap();
    publish_next(&mut publisher, 100);
    let mut subscribers = [topic.subscriber(), topic.subscriber()].map(Result::unwrap);
    while publisher.published() < 1000 {
        publish_next(&mut publisher, 100);
    }
    let sample = subscribers[0].receive_timeout(PATIENCE).unwrap();
    let first = sample.delivered();
    assert!(
        first.sequence > 800 && first.lost == first.sequence - 1,
        "{first:?}"
    );
    let mut got = Vec::new();
    assert_eq!(subscribers[1].copy_timeout(&mut got, PATIENCE).unwrap(), first);
    assert!(got == message(0, first.sequence, 100) && got == sample.to_vec());
    drop(sample);
    for subscriber in &mut subscribers {
        while let Some(delivered) = subscriber.try_copy(&mut got).unwrap() {
            assert_eq!(delivered.lost, 0);
        }
        assert_eq!(subscriber.received() + subscriber.lost(), 999);
    }
}

#[test]
fn who_wants_the_newest_passes_over_the_others() {
    let t = start();
    let topic = small(&t.name("t"));
    let mut publisher = topic.publisher().unwrap();
    let mut subscribers = [1, 3, 0, u64::MAX - 1].map(|depth| topic.subscriber_with(depth).unwrap());
    let mut got = Vec::new();
    for round in 0..50u64 {
        for number in 0..6 {
            assert_eq!(
                publisher.publish([number; 50]).unwrap(),
                round * 6 + u64::from(number)
            );
        }
        for (subscriber, depth) in subscribers.iter_mut().zip([1, 3, 1, 6]) {
            for left in (0..depth).rev() {
                let delivered = subscriber.copy_timeout(&mut got, PATIENCE).unwrap();
                let missed = if left == depth - 1 { 6 - depth } else { 0 };
                assert_eq!(
                    (delivered.sequence, delivered.lost),
                    (round * 6 + 5 - left, missed)
                );
                assert_eq!(got, [(5 - left) as u8; 50]);
            }
            assert!(subscriber.try_copy(&mut got).unwrap().is_none());
        }
    }
    // Also when all of them have been overwritten.
    while publisher.published() < 1000 {
        publish_next(&mut publisher, 100);
    }
    for (subscriber, depth) in subscribers.iter_mut().zip([1, 3]) {
        let delivered = subscriber.receive_timeout(PATIENCE).unwrap().delivered();
        assert_eq!((delivered.sequence, delivered.lost), (1000 - depth, 700 - depth));
    }
}

#[test]
fn what_takes_longer_to_copy_than_to_publish_comes_nevertheless() {
    const LEN: usize = 3 << 20;
    let t = start_with_deadline(LONG);
    let builder = Topic::builder(t.name("t"))
        .unwrap()
        .publishers(1)
        .capacity(8 << 20);
    let topic = builder.create_new().unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // Untouched, so it takes no time. What is held may leave no room.
                match publisher.loan(LEN) {
                    Ok(loan) => drop(loan.publish().unwrap()),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Full),
                }
            }
        });
        let mut got = Vec::new();
        let mut next = 0;
        for _ in 0..20 {
            let delivered = subscriber.copy_timeout(&mut got, PATIENCE);
            is_over.fetch_or(delivered.is_err(), Ordering::Relaxed);
            let delivered = delivered.unwrap();
            assert_eq!((delivered.sequence, got.len()), (next + delivered.lost, LEN));
            next = delivered.sequence + 1;
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn subscribers_come_and_go_while_others_publish() {
    const LAST: &str = "3000";
    let t = start_with_deadline(LONG);
    let name = t.name("t");
    let topic = small(&name);
    let mut publisher = topic.publisher().unwrap();
    let mut peers = [(); 3].map(|()| t.spawn("comes_and_goes", &[&name, LAST, "300"]));
    peers.iter_mut().for_each(|peer| peer.expect("ready"));
    // Without an end, as nobody knows when they are here.
    while peers
        .iter_mut()
        .any(|peer| peer.said().is_empty() || peer.try_exit().is_none())
    {
        publish_next(&mut publisher, 300);
        thread::yield_now();
    }
    for mut peer in peers {
        peer.expect("seen");
        peer.finish();
    }
    assert_eq!(publisher.subscribers(), 0);
}
