//! Topics, between processes.

#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod death;
mod holding;
#[cfg(target_os = "linux")]
mod hostile;
mod losing;
mod peers;
mod seen;
#[cfg(target_os = "linux")]
mod steps;
mod typed;

use quintet::shm::{Publisher, Topic};
use quintet::sync::{Event, Reset, Waitable, wait_all, wait_any};
use quintet::{Deadline, Error, ErrorKind};
use quintet_testkit::{Role, eventually, start, start_with_deadline};
use std::fmt::Debug;
use std::time::Duration;

use holding::holds;
use losing::{comes_and_goes, subscribes};
use peers::takes_part;
use seen::{Seen, message};
use typed::opens_typed;

#[cfg(target_os = "linux")]
use crowd::{has_no_room, opens_as_another, subscribes_and_stays, subscribes_as_another};
#[cfg(target_os = "linux")]
use death::{dies_publishing, dies_subscribing, is_publisher};
#[cfg(target_os = "linux")]
use steps::{dies_making, fails_at_any_call, forks};
#[cfg(target_os = "linux")]
quintet_testkit::peers!(
    answers,
    comes_and_goes,
    dies_making,
    dies_publishing,
    dies_subscribing,
    fails_at_any_call,
    forks,
    has_no_room,
    holds,
    is_publisher,
    opens_typed,
    opens_as_another,
    publishes,
    subscribes,
    subscribes_and_stays,
    subscribes_as_another,
    takes_part,
);
#[cfg(windows)]
quintet_testkit::peers!(
    answers,
    comes_and_goes,
    holds,
    opens_typed,
    publishes,
    subscribes,
    takes_part
);

const PATIENCE: Duration = Duration::from_secs(60);
/// For what takes many steps.
const LONG: Duration = Duration::from_secs(300);

#[track_caller]
fn fails<T: Debug>(result: Result<T, Error>, kind: ErrorKind) {
    match result {
        Err(error) if error.kind() == kind => {}
        other => panic!("{kind:?} expected, got {other:?}"),
    }
}

fn small(name: &str) -> Topic {
    let builder = Topic::builder(name).unwrap().publishers(2).capacity(4096);
    builder.create_new().unwrap()
}

/// Publishes the next message of that lane, in one of the ways.
fn publish_next(publisher: &mut Publisher, longest: usize) -> u64 {
    let number = publisher.published();
    let next = message(publisher.lane(), number, longest);
    let published = if number.is_multiple_of(3) {
        let mut loan = publisher.loan((next.len() + 5).min(longest)).unwrap();
        loan.write_at(0, &next).unwrap();
        loan.publish_len(next.len()).unwrap()
    } else {
        publisher.publish(&next).unwrap()
    };
    assert_eq!(published, number);
    number
}

fn publish_some(publisher: &mut Publisher, count: u64, longest: usize) {
    for _ in 0..count {
        publish_next(publisher, longest);
    }
}

/// Publishes messages of up to `arg(2)` bytes on topic `arg(0)` until there are `arg(1)` in its lane.
fn publishes(p: &mut Role) {
    let mut publisher = Topic::open_existing(p.arg(0)).unwrap().publisher().unwrap();
    let (count, longest) = (p.arg(1).parse().unwrap(), p.arg(2).parse().unwrap());
    while publisher.published() < count {
        publish_next(&mut publisher, longest);
    }
    p.say("published");
    p.listen();
}

/// Publishes each message of topic `arg(0)-there` on `arg(0)-back`, `arg(1)` times.
fn answers(p: &mut Role) {
    let there = Topic::open_existing(format!("{}-there", p.arg(0))).unwrap();
    let back = Topic::open_existing(format!("{}-back", p.arg(0))).unwrap();
    let mut publisher = back.publisher().unwrap();
    let mut subscriber = there.subscriber().unwrap();
    for _ in 0..p.arg(1).parse().unwrap() {
        let sample = subscriber.receive_timeout(PATIENCE).unwrap();
        publisher.publish(sample.to_vec()).unwrap();
    }
    p.say("answered");
    p.listen();
}

#[test]
fn messages_go_there_and_back() {
    let t = start();
    let name = t.name("t");
    let there = small(&format!("{name}-there"));
    let back = small(&format!("{name}-back"));
    let (mut publisher, mut subscriber) = (there.publisher().unwrap(), back.subscriber().unwrap());
    let mut peer = t.spawn("answers", &[&name, "400"]);
    publisher.wait_for_subscriber_timeout(PATIENCE).unwrap();
    let mut got = Vec::new();
    for number in 0..400 {
        publish_next(&mut publisher, 500);
        let delivered = subscriber.copy_timeout(&mut got, PATIENCE).unwrap();
        assert_eq!((delivered.sequence, delivered.lost), (number, 0));
        assert!(got == message(0, number, 500));
    }
    peer.expect("answered");
    peer.tell("end");
    peer.finish();
    let stats = back.stats();
    assert_eq!((stats.published, stats.received, stats.lost), (400, 400, 0));
    let bytes: usize = (0..400).map(|number| message(0, number, 500).len()).sum();
    assert_eq!((stats.bytes, there.stats().bytes), (bytes as u64, bytes as u64));
}

#[test]
fn every_message_comes_to_every_subscriber() {
    const EACH: &str = "1500";
    let t = start();
    let name = t.name("t");
    // There is room for all of them, so nobody is too slow.
    let builder = Topic::builder(&name).unwrap().publishers(2).capacity(1 << 20);
    let topic = builder.create_new().unwrap();
    let mut subscribers = ["copy", "hold", "mixed", "mixed"].map(|way| {
        let mut peer = t.spawn("subscribes", &[&name, way, "2", EACH, "400"]);
        peer.expect("ready");
        peer
    });
    let mut publishers = [(); 2].map(|()| t.spawn("publishes", &[&name, EACH, "400"]));
    publishers.iter_mut().for_each(|peer| peer.expect("published"));
    for peer in &mut subscribers {
        peer.expect("3000 0");
    }
    assert_eq!(topic.stats().published, 3000);
    assert_eq!((topic.stats().received, topic.stats().lost), (12_000, 0));
    for mut peer in publishers.into_iter().chain(subscribers) {
        peer.tell("end");
        peer.finish();
    }
    eventually("nobody is left", || {
        let stats = topic.stats();
        (stats.publishers, stats.subscribers) == (0, 0)
    });
}

#[test]
fn sizes_have_their_bounds() {
    let t = start();
    let topic = small(&t.name("t"));
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    let longest = topic.max_message();
    assert_eq!(
        (topic.capacity(), longest, topic.max_publishers()),
        (4096, 2032, 2)
    );
    let mut got = Vec::new();
    for round in 0..50 {
        for len in [longest, 0, 1, 7, 8, 9, longest - 1, longest] {
            let sent = vec![round; len];
            publisher.publish(&sent).unwrap();
            if round % 2 == 0 {
                let sample = subscriber.receive_timeout(PATIENCE).unwrap();
                assert_eq!((sample.len(), sample.is_empty()), (len, len == 0));
                assert!(sample.as_ptr().addr().get().is_multiple_of(8));
                let mut end = [0; 1];
                fails(sample.read_at(len, &mut end), ErrorKind::TooLarge);
                fails(sample.read_at(usize::MAX, &mut end), ErrorKind::TooLarge);
                sample.read_at(len, &mut []).unwrap();
                got = sample.to_vec();
            } else {
                assert_eq!(subscriber.copy_timeout(&mut got, PATIENCE).unwrap().len, len);
            }
            assert!(got == sent);
        }
    }
    assert_eq!((subscriber.received(), subscriber.lost()), (400, 0));
    fails(publisher.publish(vec![0; longest + 1]), ErrorKind::TooLarge);
    fails(publisher.loan(longest + 1), ErrorKind::TooLarge);
    fails(publisher.loan(usize::MAX), ErrorKind::TooLarge);
    // What was too long has changed nothing.
    assert_eq!(publisher.published(), 400);
    assert!(subscriber.try_receive().unwrap().is_none());
    let other = || Topic::builder(t.name("other")).unwrap();
    fails(other().publishers(0).create_new(), ErrorKind::TooLarge);
    fails(other().publishers(65).create_new(), ErrorKind::TooLarge);
    fails(other().capacity(u64::MAX).create_new(), ErrorKind::TooLarge);
    fails(other().capacity((1 << 32) + 1).create_new(), ErrorKind::TooLarge);
}

#[test]
fn what_is_lent_and_not_published_was_never_there() {
    let t = start();
    let topic = small(&t.name("t"));
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    for number in 0..20 {
        let mut loan = publisher.loan(700).unwrap();
        loan.write_at(0, [0xee; 700]).unwrap();
        fails(loan.write_at(699, "ab"), ErrorKind::TooLarge);
        fails(loan.publish_len(701), ErrorKind::TooLarge);
        assert!(subscriber.try_receive().unwrap().is_none());
        let mut loan = publisher.loan(100).unwrap();
        loan.write_at(0, "short").unwrap();
        assert_eq!(loan.publish_len(5).unwrap(), number);
        let sample = subscriber.receive_timeout(PATIENCE).unwrap();
        assert_eq!(
            (sample.to_vec(), sample.delivered().sequence),
            (b"short".to_vec(), number)
        );
    }
    publisher.loan(10).unwrap().publish_len(0).unwrap();
    assert!(subscriber.receive_timeout(PATIENCE).unwrap().is_empty());
}

#[test]
fn who_subscribes_gets_what_comes_from_then_on() {
    let t = start();
    let topic = small(&t.name("t"));
    let mut publisher = topic.publisher().unwrap();
    for number in 0..100 {
        assert_eq!(publisher.publish([number; 100]).unwrap(), u64::from(number));
        let mut late = topic.subscriber().unwrap();
        assert!(late.try_receive().unwrap().is_none());
    }
    let mut late = topic.subscriber().unwrap();
    publisher.publish("next").unwrap();
    let sample = late.receive_timeout(PATIENCE).unwrap();
    assert_eq!((sample.delivered().sequence, sample.delivered().lost), (100, 0));
    // And the next publisher of the lane goes on.
    drop(publisher);
    let mut publisher = topic.publisher().unwrap();
    assert_eq!((publisher.lane(), publisher.published()), (0, 101));
    publisher.publish("more").unwrap();
    let sample = late.receive_timeout(PATIENCE).unwrap();
    assert_eq!(
        (sample.to_vec(), sample.delivered().sequence),
        (b"more".to_vec(), 101)
    );
}

#[test]
fn places_for_publishers_and_subscribers_are_counted_and_come_back() {
    let t = start();
    let topic = small(&t.name("t"));
    let (first, second) = (topic.publisher().unwrap(), topic.publisher().unwrap());
    fails(topic.publisher(), ErrorKind::Full);
    assert_eq!((first.lane(), second.lane(), first.subscribers()), (0, 1, 0));
    drop(first);
    assert_eq!(topic.publisher().unwrap().lane(), 0);
    let mut subscribers: Vec<_> = (0..255).map(|_| topic.subscriber().unwrap()).collect();
    fails(topic.subscriber(), ErrorKind::Full);
    assert_eq!((second.subscribers(), subscribers[0].publishers()), (255, 1));
    subscribers.truncate(100);
    drop(topic.subscriber().unwrap());
    let stats = topic.stats();
    assert_eq!((stats.publishers, stats.subscribers), (1, 100));
}

#[test]
fn a_deadline_ends_every_wait() {
    let t = start();
    let topic = small(&t.name("t"));
    let mut publisher = topic.publisher().unwrap();
    let soon = Duration::from_millis(1);
    fails(publisher.wait_for_subscriber_timeout(soon), ErrorKind::TimedOut);
    fails(
        publisher.wait_for_subscriber_timeout(Deadline::now()),
        ErrorKind::TimedOut,
    );
    let mut subscriber = topic.subscriber().unwrap();
    publisher.wait_for_subscriber_timeout(Deadline::now()).unwrap();
    fails(subscriber.receive_timeout(soon), ErrorKind::TimedOut);
    fails(subscriber.receive_timeout(Deadline::now()), ErrorKind::TimedOut);
    fails(
        subscriber.copy_timeout(&mut Vec::new(), soon),
        ErrorKind::TimedOut,
    );
    drop(subscriber);
    fails(publisher.wait_for_subscriber_timeout(soon), ErrorKind::TimedOut);
    // Who waits for one is woken by it.
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| publisher.wait_for_subscriber_timeout(PATIENCE));
        let subscriber = topic.subscriber().unwrap();
        waits.join().unwrap().unwrap();
        drop(subscriber);
    });
}

#[test]
fn a_topic_is_one_of_any_and_not_of_all() {
    let t = start();
    let topic = small(&t.name("t"));
    let event = Event::create_new(t.name("e"), Reset::Auto).unwrap();
    let (mut publisher, subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    let both: [Waitable<'_>; 2] = [(&subscriber).into(), (&event).into()];
    fails(wait_any(&both, Deadline::now()), ErrorKind::TimedOut);
    event.set().unwrap();
    assert_eq!(wait_any(&both, PATIENCE).unwrap().index, 1);
    std::thread::scope(|scope| {
        scope.spawn(|| publisher.publish("x").unwrap());
        assert_eq!(wait_any(&both, PATIENCE).unwrap().index, 0);
    });
    fails(wait_all(&both, PATIENCE), ErrorKind::Unsupported);
}

#[test]
fn it_goes_with_its_last_holder() {
    let t = start();
    let name = t.name("t");
    fails(Topic::open_existing(&name), ErrorKind::NotFound);
    let topic = small(&name);
    fails(Topic::create_new(&name), ErrorKind::AlreadyExists);
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    publisher.publish("held").unwrap();
    let sample = subscriber.receive_timeout(PATIENCE).unwrap();
    drop((topic, publisher));
    // A subscriber has it open as well, and so does what it holds.
    assert!(!Topic::create_or_open(&name).unwrap().was_created());
    drop(subscriber);
    let again = Topic::open_existing(&name).unwrap();
    assert_eq!(again.capacity(), 4096);
    drop(again);
    assert_eq!(sample.to_vec(), b"held");
    drop(sample);
    fails(Topic::open_existing(&name), ErrorKind::NotFound);
}

#[test]
fn many_publishers_that_come_and_go_go_on_in_their_lanes() {
    let t = start_with_deadline(LONG);
    let name = t.name("t");
    let builder = Topic::builder(&name).unwrap().publishers(3).capacity(1 << 18);
    let topic = builder.create_new().unwrap();
    let mut seen = Seen::new(200);
    let mut subscriber = topic.subscriber().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..40 {
                    let mut publisher = topic.publisher().unwrap();
                    publish_some(&mut publisher, 5, 200);
                }
            });
        }
        for _ in 0..600 {
            let sample = subscriber.receive_timeout(PATIENCE).unwrap();
            seen.add(sample.delivered(), &sample.to_vec());
        }
    });
    assert!(subscriber.try_receive().unwrap().is_none());
    assert_eq!((seen.received, seen.lost, topic.stats().published), (600, 0, 600));
}
