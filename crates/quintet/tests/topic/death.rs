//! Publishers and subscribers that die.

use super::{LONG, PATIENCE, Seen, fails, message, publish_next, publish_some, small};
use quintet::shm::{Subscriber, Topic};
use quintet::{ErrorKind, test_hooks};
use quintet_testkit::{Peer, Role, Test, eventually, start, start_with_deadline};
use std::time::Duration;

/// A wait that is always waited out: two looks at who lives.
const SHORT: Duration = Duration::from_millis(120);

/// Is a publisher of topic `arg(0)`, publishes `arg(1)` messages, and then does nothing until it is told to end.
pub(crate) fn is_publisher(p: &mut Role) {
    let mut publisher = Topic::open_existing(p.arg(0)).unwrap().publisher().unwrap();
    for _ in 0..p.arg(1).parse().unwrap() {
        publish_next(&mut publisher, 100);
    }
    p.say("there");
    p.listen();
}

/// Publishes three messages on topic `arg(0)`, one in place, and dies before its step number `arg(1)`.
pub(crate) fn dies_publishing(p: &mut Role) {
    let topic = Topic::open_existing(p.arg(0)).unwrap();
    test_hooks::die_at(p.arg(1).parse().unwrap());
    let mut publisher = topic.publisher().unwrap();
    publish_some(&mut publisher, 3, 900);
    drop(publisher);
    drop(topic);
    test_hooks::disarm();
    p.say("passed");
}

/// Subscribes to topic `arg(0)`, tells by publishing there that it has, receives two messages in place and one by copying,
/// sleeps for one that does not come, and leaves; dies before its step number `arg(1)`.
pub(crate) fn dies_subscribing(p: &mut Role) {
    let topic = Topic::open_existing(p.arg(0)).unwrap();
    p.say("ready");
    test_hooks::die_at(p.arg(1).parse().unwrap());
    let mut subscriber = topic.subscriber().unwrap();
    let one = subscriber.receive_timeout(PATIENCE).unwrap();
    let two = subscriber.receive_timeout(PATIENCE).unwrap();
    drop(one);
    subscriber.copy_timeout(&mut Vec::new(), PATIENCE).unwrap();
    drop(two);
    let waited = subscriber.receive_timeout(Duration::from_millis(1));
    assert_eq!(waited.unwrap_err().kind(), ErrorKind::TimedOut);
    drop((subscriber, topic));
    test_hooks::disarm();
    p.say("passed");
}

fn there(t: &Test, name: &str, messages: &str) -> Peer {
    let mut peer = t.spawn("is_publisher", &[name, messages]);
    peer.expect("there");
    peer
}

#[track_caller]
fn is_told(subscriber: &mut Subscriber, pid: u32) {
    let error = subscriber.receive_timeout(PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}");
    assert!(error.to_string().contains(&format!("(pid {pid})")), "{error}");
    // Once.
    fails(subscriber.receive_timeout(SHORT), ErrorKind::TimedOut);
}

#[test]
fn who_waits_is_told_once_that_a_publisher_died_and_the_next_goes_on() {
    let t = start();
    let name = t.name("t");
    let builder = Topic::builder(&name).unwrap().publishers(1).capacity(4096);
    let topic = builder.create_new().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    for round in 0..3 {
        let mut peer = there(&t, &name, "5");
        peer.kill();
        // What it has published comes first.
        for number in 0..5 {
            let sample = subscriber.receive_timeout(PATIENCE).unwrap();
            assert_eq!(sample.delivered().sequence, round * 6 + number);
        }
        is_told(&mut subscriber, peer.pid());
        let mut next = topic.publisher().unwrap();
        assert_eq!((next.lane(), next.published()), (0, round * 6 + 5));
        publish_next(&mut next, 100);
        let sample = subscriber.receive_timeout(PATIENCE).unwrap();
        assert_eq!(
            (sample.delivered().sequence, sample.delivered().lost),
            (round * 6 + 5, 0)
        );
        drop(next);
        // Who leaves is no news.
        fails(subscriber.receive_timeout(SHORT), ErrorKind::TimedOut);
    }
}

#[test]
fn it_is_told_also_of_who_never_published_and_not_of_who_died_before() {
    let t = start();
    let name = t.name("t");
    let topic = small(&name);
    let mut early = topic.subscriber().unwrap();
    let mut peer = there(&t, &name, "0");
    let mut subscriber = topic.subscriber().unwrap();
    peer.kill();
    let mut late = topic.subscriber().unwrap();
    fails(late.receive_timeout(SHORT), ErrorKind::TimedOut);
    is_told(&mut subscriber, peer.pid());
    is_told(&mut early, peer.pid());
    // Another one in the same lane.
    let mut peer = there(&t, &name, "0");
    fails(late.receive_timeout(SHORT), ErrorKind::TimedOut);
    peer.kill();
    is_told(&mut late, peer.pid());
    is_told(&mut subscriber, peer.pid());
}

#[test]
fn it_is_told_also_if_another_has_its_place_at_once() {
    let t = start();
    let name = t.name("t");
    let builder = Topic::builder(&name).unwrap().publishers(1).capacity(4096);
    let topic = builder.create_new().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    for _ in 0..3 {
        there(&t, &name, "0").kill();
        // Before the subscriber has looked at all.
        let mut next = topic.publisher().unwrap();
        fails(subscriber.receive_timeout(PATIENCE), ErrorKind::PeerDied);
        fails(subscriber.receive_timeout(SHORT), ErrorKind::TimedOut);
        publish_next(&mut next, 100);
        subscriber.receive_timeout(PATIENCE).unwrap();
    }
    // Of several between two looks it is told once.
    for _ in 0..2 {
        there(&t, &name, "0").kill();
    }
    fails(subscriber.receive_timeout(PATIENCE), ErrorKind::PeerDied);
    fails(subscriber.receive_timeout(SHORT), ErrorKind::TimedOut);
}

#[test]
fn what_a_subscriber_received_and_lost_still_counts_when_it_is_gone() {
    let t = start();
    let name = t.name("t");
    let topic = small(&name);
    let mut publisher = topic.publisher().unwrap();
    let mut publish = |count| {
        for _ in 0..count {
            publisher.publish([0; 500]).unwrap();
        }
    };
    let mut subscriber = topic.subscriber().unwrap();
    publish(20);
    while subscriber.try_receive().unwrap().is_some() {}
    let (received, lost) = (subscriber.received(), subscriber.lost());
    assert!(received > 0 && lost > 0 && received + lost == 20);
    let totals = || (topic.stats().received, topic.stats().lost);
    assert_eq!(totals(), (received, lost));
    drop(subscriber);
    assert_eq!((totals(), topic.stats().subscribers), ((received, lost), 0));
    // One that dies, in its place.
    let mut peer = t.spawn("holds", &[&name, "4", "500"]);
    peer.expect("ready");
    for number in 0..4 {
        publisher.publish(message(0, 20 + number, 500)).unwrap();
    }
    peer.expect("holding");
    peer.kill();
    assert_eq!(totals(), (received + 4, lost));
    let mut next = topic.subscriber().unwrap();
    publisher.publish("x").unwrap();
    next.copy(&mut Vec::new()).unwrap();
    assert_eq!((next.received(), totals()), (1, (received + 5, lost)));
}

#[test]
fn who_sleeps_without_a_deadline_is_told_as_well() {
    let t = start();
    let name = t.name("t");
    let topic = small(&name);
    let mut peer = there(&t, &name, "0");
    let mut subscriber = topic.subscriber().unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| subscriber.copy(&mut Vec::new()).unwrap_err().kind());
        peer.kill();
        assert_eq!(waits.join().unwrap(), ErrorKind::PeerDied);
    });
}

#[test]
fn a_publisher_that_dies_at_any_step_costs_nobody_anything() {
    let t = start_with_deadline(LONG);
    let name = t.name("t");
    let builder = Topic::builder(&name).unwrap().publishers(1).capacity(4096);
    let topic = builder.create_new().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let mut seen = Seen::new(900);
    for step in 0.. {
        let before = seen.next.first().copied().unwrap_or(0);
        // It is held, so that they have to go around it.
        publish_next(&mut topic.publisher().unwrap(), 900);
        let held = subscriber.receive_timeout(PATIENCE).unwrap();
        seen.add(held.delivered(), &held.to_vec());
        let mut peer = t.spawn("dies_publishing", &[&name, &step.to_string()]);
        let passed = peer.hear_or_end().is_some();
        peer.wait_exit();
        let mut next = topic.publisher().unwrap();
        let here = format!(
            "step {step}: {} were published, before {before}",
            next.published()
        );
        assert!((before + 1..=before + 4).contains(&next.published()), "{here}");
        assert!(!passed || next.published() == before + 4, "{here}");
        publish_next(&mut next, 900);
        let mut got = Vec::new();
        while seen.next[0] < next.published() {
            let delivered = subscriber.copy_timeout(&mut got, PATIENCE).unwrap();
            seen.add(delivered, &got);
        }
        assert!(held.to_vec() == message(0, before, 900), "{here}");
        drop(held);
        if passed {
            assert!(step > 10, "it makes only {step} steps: are the hooks there?");
            break;
        }
    }
}

#[test]
fn a_subscriber_that_dies_at_any_step_costs_nobody_anything() {
    let t = start_with_deadline(LONG);
    let name = t.name("t");
    let topic = small(&name);
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let mut seen = Seen::new(900);
    let mut got = Vec::new();
    for step in 0.. {
        let mut peer = t.spawn("dies_subscribing", &[&name, &step.to_string()]);
        peer.expect("ready");
        let mut sent = 0;
        eventually("it is there or dead", || {
            publisher.subscribers() == 2 || peer.try_exit().is_some()
        });
        while peer.try_exit().is_none() && sent < 3 {
            publish_next(&mut publisher, 900);
            let delivered = subscriber.copy_timeout(&mut got, PATIENCE).unwrap();
            seen.add(delivered, &got);
            sent += 1;
        }
        let passed = peer.hear_or_end().is_some();
        peer.wait_exit();
        // There is room for the longest, again and again, whatever it held.
        for _ in 0..10 {
            publish_next(&mut publisher, 900);
            let delivered = subscriber.copy_timeout(&mut got, PATIENCE).unwrap();
            seen.add(delivered, &got);
            publisher.loan(topic.max_message()).unwrap();
        }
        assert_eq!((seen.lost, publisher.subscribers()), (0, 1), "step {step}");
        if passed {
            assert!(step > 10, "it makes only {step} steps: are the hooks there?");
            break;
        }
    }
}

/// How many messages there still are for who has not received any, when one that held some has died, or there was none.
fn left_after(t: &Test, label: &str, has_holder: bool) -> u64 {
    let name = t.name(label);
    let topic = small(&name);
    let mut publisher = topic.publisher().unwrap();
    let mut peer = has_holder.then(|| t.spawn("holds", &[&name, "4", "500"]));
    if let Some(peer) = &mut peer {
        peer.expect("ready");
    }
    for number in 0..4 {
        publisher.publish(message(0, number, 500)).unwrap();
    }
    if let Some(peer) = &mut peer {
        peer.expect("holding");
        peer.kill();
    }
    let mut late = topic.subscriber().unwrap();
    for _ in 0..40 {
        publisher.publish([0; 500]).unwrap();
    }
    while late.try_receive().unwrap().is_some() {}
    assert_eq!(late.received() + late.lost(), 40);
    late.received()
}

#[test]
fn what_a_dead_one_held_is_used_again_and_others_have_no_less_of_the_ring() {
    let t = start();
    let without = left_after(&t, "without", false);
    assert!(without >= 6, "{without}");
    assert_eq!(left_after(&t, "with", true), without);
}
