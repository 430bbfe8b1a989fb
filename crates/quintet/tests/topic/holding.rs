//! Messages that are held in place.

use super::seen::bytes;
use super::{PATIENCE, fails, message, publish_next, publish_some, small};
use quintet::ErrorKind;
use quintet::shm::Topic;
use quintet_testkit::{Role, start, start_with_deadline};
use std::io::Write;
use std::time::Duration;

/// Subscribes to topic `arg(0)`, holds the next `arg(1)` messages, of up to `arg(2)` bytes, and looks whether they are as they
/// were whenever it is told to.
pub(crate) fn holds(p: &mut Role) {
    let mut subscriber = Topic::open_existing(p.arg(0)).unwrap().subscriber().unwrap();
    let longest = p.arg(2).parse().unwrap();
    p.say("ready");
    let held: Vec<_> = (0..p.arg(1).parse().unwrap())
        .map(|_| subscriber.receive_timeout(PATIENCE).unwrap())
        .collect();
    p.say("holding");
    while p.listen() == "look" {
        for sample in &held {
            let delivered = sample.delivered();
            assert!(sample.to_vec() == message(delivered.lane, delivered.sequence, longest));
        }
        p.say("as they were");
    }
}

#[test]
fn eight_are_held_and_then_it_is_said() {
    let t = start();
    let topic = small(&t.name("t"));
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    let mut other = topic.subscriber().unwrap();
    let mut next = 0;
    for round in 0..5 {
        publish_some(&mut publisher, 10, 100);
        let mut held: Vec<_> = (0..8)
            .map(|_| subscriber.receive_timeout(PATIENCE).unwrap())
            .collect();
        fails(subscriber.try_receive(), ErrorKind::Full);
        fails(subscriber.receive_timeout(PATIENCE), ErrorKind::Full);
        // It goes on by copying, another one does as it likes, and whichever is dropped makes room for one.
        let mut got = Vec::new();
        assert_eq!(
            subscriber.copy_timeout(&mut got, PATIENCE).unwrap().sequence,
            next + 8
        );
        for _ in 0..10 {
            drop(other.receive_timeout(PATIENCE).unwrap());
        }
        drop(held.remove(round));
        held.push(subscriber.receive_timeout(PATIENCE).unwrap());
        let numbers: Vec<_> = held.iter().map(|sample| sample.delivered().sequence).collect();
        assert_eq!(numbers.last(), Some(&(next + 9)));
        for sample in held {
            assert!(sample.to_vec() == message(0, sample.delivered().sequence, 100));
        }
        // Nothing is there, so it is not said that there is no place.
        next += 10;
    }
    publish_next(&mut publisher, 100);
    let held = subscriber.receive_timeout(PATIENCE).unwrap();
    assert!(subscriber.try_receive().unwrap().is_none());
    drop((subscriber, publisher));
    assert!(held.to_vec() == message(0, 50, 100));
}

#[test]
fn what_is_held_stays_whole_while_the_publisher_goes_round() {
    let t = start();
    let topic = small(&t.name("t"));
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    let mut other = topic.subscriber().unwrap();
    let mut held = Vec::new();
    let mut got = Vec::new();
    for number in 0..3000 {
        publish_next(&mut publisher, 300);
        // Now and then one more or another one, from everywhere in the ring.
        if let Some(delivered) = other.try_copy(&mut got).unwrap() {
            assert_eq!((delivered.sequence, delivered.lost), (number, 0));
            assert!(got == message(0, number, 300));
        }
        if number % 11 == 0 {
            if held.len() == 4 {
                drop(held.swap_remove(number as usize % 4));
            }
            held.push(subscriber.receive_timeout(PATIENCE).unwrap());
        }
        for sample in &held {
            assert!(sample.to_vec() == message(0, sample.delivered().sequence, 300));
        }
    }
    assert_eq!(other.lost(), 0);
    assert_eq!(
        subscriber.received() + subscriber.lost(),
        held[3].delivered().sequence + 1
    );
}

#[test]
fn what_is_held_may_leave_no_room_for_long_ones_and_that_passes() {
    let t = start();
    let topic = small(&t.name("t"));
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    let longest = topic.max_message();
    publisher.publish(vec![1; 900]).unwrap();
    publisher.publish(vec![2; 900]).unwrap();
    publisher.publish(vec![3; 900]).unwrap();
    subscriber.copy_timeout(&mut Vec::new(), PATIENCE).unwrap();
    let held = subscriber.receive_timeout(PATIENCE).unwrap();
    fails(publisher.publish(vec![4; longest]), ErrorKind::Full);
    fails(publisher.loan(longest), ErrorKind::Full);
    // For which nothing was forgotten.
    let mut got = Vec::new();
    let delivered = subscriber.copy_timeout(&mut got, PATIENCE).unwrap();
    assert!((delivered.sequence, delivered.lost) == (2, 0) && got == vec![3; 900]);
    // Short ones there is room for.
    for number in 0..100 {
        publisher.publish(vec![number; 700]).unwrap();
        assert!(held.to_vec() == vec![2; 900]);
    }
    drop(held);
    let number = publisher.publish(vec![5; longest]).unwrap();
    while subscriber.copy_timeout(&mut got, PATIENCE).unwrap().sequence < number {}
    assert!(got == vec![5; longest]);
}

#[test]
fn what_is_held_can_be_sent_to_threads() {
    let t = start();
    let builder = Topic::builder(t.name("t"))
        .unwrap()
        .publishers(1)
        .capacity(1 << 16);
    let topic = builder.create_new().unwrap();
    let mut publisher = topic.publisher().unwrap();
    // SAFETY: all who have this topic open are here, and follow its protocol.
    let mut subscriber = unsafe { topic.subscriber().unwrap().trusting() };
    std::thread::scope(|scope| {
        let (to, from) = std::sync::mpsc::channel::<quintet::shm::Sample<quintet::shm::Trusting>>();
        let (done, is_done) = std::sync::mpsc::channel();
        scope.spawn(move || {
            for sample in from {
                assert!(*sample == message(0, sample.delivered().sequence, 5000));
                drop(sample);
                // At the end nobody listens any more.
                let _ = done.send(());
            }
        });
        for number in 0..500 {
            publish_next(&mut publisher, 5000);
            let sample = subscriber.receive_timeout(PATIENCE).unwrap();
            assert_eq!(
                (sample.delivered().sequence, sample.delivered().lost),
                (number, 0)
            );
            to.send(sample).unwrap();
            if number >= 4 {
                is_done.recv().unwrap();
            }
        }
        drop(to);
    });
    // They have all come back.
    publish_some(&mut publisher, 8, 1000);
    let all: Vec<_> = (0..8)
        .map(|_| subscriber.receive_timeout(PATIENCE).unwrap())
        .collect();
    drop(subscriber);
    drop(all);
}

#[test]
fn frames_of_sixty_megabytes() {
    const LEN: usize = 60 << 20;
    let t = start_with_deadline(Duration::from_secs(300));
    let builder = Topic::builder(t.name("t"))
        .unwrap()
        .publishers(1)
        .capacity(128 << 20);
    let topic = builder.create_new().unwrap();
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    let mut got = Vec::new();
    for number in (0..20).step_by(4) {
        let mut frame = publisher.loan(LEN).unwrap();
        frame.write_all(&bytes(9, number, LEN)).unwrap();
        assert_eq!(frame.write(b"more").unwrap(), 0);
        assert_eq!(frame.publish().unwrap(), number);
        let sample = subscriber.receive_timeout(PATIENCE).unwrap();
        assert_eq!((sample.len(), sample.delivered().sequence), (LEN, number));
        // Short ones, and none, go around it.
        for len in [0, 1, 100_000] {
            publisher.publish(bytes(8, number, len)).unwrap();
            subscriber.copy_timeout(&mut got, PATIENCE).unwrap();
            assert!(got == bytes(8, number, len));
        }
        assert!(sample.to_vec() == bytes(9, number, LEN));
    }
    assert_eq!((subscriber.received(), subscriber.lost()), (20, 0));
}
