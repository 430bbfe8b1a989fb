//! Who is on the other side, who comes, leaves and dies.

use super::{PATIENCE, fails, small};
use quintet::shm::{PeerChange, PeerEvent, Topic};
use quintet::{Deadline, Error, ErrorKind};
use quintet_testkit::{Peer, Role, Test, start};

/// Is what `arg(1)` says on topic `arg(0)`, until it is told to end.
pub(crate) fn takes_part(p: &mut Role) {
    let topic = Topic::open_existing(p.arg(0)).unwrap();
    let publisher = (p.arg(1) == "publisher").then(|| topic.publisher().unwrap());
    let subscriber = (p.arg(1) == "subscriber").then(|| topic.subscriber().unwrap());
    p.say("there");
    p.listen();
    drop((publisher, subscriber));
    p.say("left");
    p.listen();
}

fn there(t: &Test, topic: &Topic, what: &str) -> Peer {
    let name = topic.address().name().unwrap().to_string();
    let mut peer = t.spawn("takes_part", &[&name, what]);
    peer.expect("there");
    peer
}

fn leaves(mut peer: Peer) {
    peer.tell("leave");
    peer.expect("left");
    peer.tell("end");
    peer.finish();
}

#[track_caller]
fn are(events: Result<Vec<PeerEvent>, Error>, expected: &[(PeerChange, Option<u32>)]) {
    let events = events.unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.change, event.pid)).collect();
    assert_eq!(told, expected);
}

/// What one end is told while others on the other side come, leave and die.
fn is_told_of(
    t: &Test,
    topic: &Topic,
    what: &str,
    mut wait: impl FnMut(Deadline) -> Result<Vec<PeerEvent>, Error>,
) {
    use PeerChange::{Died, Joined, Left};
    let soon = || Deadline::after(PATIENCE);
    fails(wait(Deadline::now()), ErrorKind::TimedOut);
    let first = there(t, topic, what);
    let pid = Some(first.pid());
    are(wait(soon()), &[(Joined, pid)]);
    fails(wait(Deadline::now()), ErrorKind::TimedOut);
    let mut second = there(t, topic, what);
    are(wait(soon()), &[(Joined, Some(second.pid()))]);
    second.kill();
    are(wait(soon()), &[(Died, Some(second.pid()))]);
    fails(wait(Deadline::now()), ErrorKind::TimedOut);
    leaves(first);
    are(wait(soon()), &[(Left, pid)]);
    // Who has the place of one that died, both since it was asked.
    let mut one = there(t, topic, what);
    are(wait(soon()), &[(Joined, Some(one.pid()))]);
    one.kill();
    let next = there(t, topic, what);
    are(
        wait(soon()),
        &[(Died, Some(one.pid())), (Joined, Some(next.pid()))],
    );
    let pid = Some(next.pid());
    leaves(next);
    are(wait(soon()), &[(Left, pid)]);
    // Of who was never seen it is told that he died, and else nothing.
    leaves(there(t, topic, what));
    fails(wait(Deadline::now()), ErrorKind::TimedOut);
    there(t, topic, what).kill();
    are(wait(soon()), &[(Died, None)]);
    fails(wait(Deadline::now()), ErrorKind::TimedOut);
}

#[test]
fn a_publisher_is_told_of_subscribers() {
    let t = start();
    let topic = small(&t.name("t"));
    let mut publisher = topic.publisher().unwrap();
    is_told_of(&t, &topic, "subscriber", |deadline| {
        publisher.wait_for_peer_events(deadline)
    });
}

#[test]
fn a_subscriber_is_told_of_publishers() {
    let t = start();
    let builder = Topic::builder(t.name("t")).unwrap().publishers(4).capacity(4096);
    let topic = builder.create_new().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    is_told_of(&t, &topic, "publisher", |deadline| {
        subscriber.wait_for_peer_events(deadline)
    });
}

#[test]
fn who_asks_first_is_told_who_is_there() {
    let t = start();
    let topic = small(&t.name("t"));
    let _one = topic.publisher().unwrap();
    let two = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let ours = Some(std::process::id());
    let events = subscriber.peer_events().unwrap();
    assert_eq!(events.iter().map(|event| event.place).collect::<Vec<_>>(), [0, 1]);
    are(
        Ok(events),
        &[(PeerChange::Joined, ours), (PeerChange::Joined, ours)],
    );
    are(subscriber.peer_events(), &[]);
    drop(two);
    are(subscriber.peer_events(), &[(PeerChange::Left, ours)]);
}

#[test]
fn so_many_are_waited_for() {
    let t = start();
    let topic = small(&t.name("t"));
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    publisher.wait_for_subscribers(0, Deadline::now()).unwrap();
    publisher.wait_for_subscribers(1, Deadline::now()).unwrap();
    fails(
        publisher.wait_for_subscribers(2, Deadline::now()),
        ErrorKind::TimedOut,
    );
    fails(publisher.wait_for_subscribers(256, PATIENCE), ErrorKind::TooLarge);
    fails(
        subscriber.wait_for_publishers(2, Deadline::now()),
        ErrorKind::TimedOut,
    );
    fails(subscriber.wait_for_publishers(3, PATIENCE), ErrorKind::TooLarge);
    let (mut one, two, other) = std::thread::scope(|scope| {
        let waits = scope.spawn(|| publisher.wait_for_subscribers(3, PATIENCE));
        let also = scope.spawn(|| subscriber.wait_for_publishers(2, PATIENCE));
        let came = (
            there(&t, &topic, "subscriber"),
            there(&t, &topic, "subscriber"),
            there(&t, &topic, "publisher"),
        );
        waits.join().unwrap().unwrap();
        also.join().unwrap().unwrap();
        came
    });
    assert_eq!((publisher.subscribers(), subscriber.publishers()), (3, 2));
    one.kill();
    fails(
        publisher.wait_for_subscribers(3, Deadline::now()),
        ErrorKind::TimedOut,
    );
    leaves(two);
    leaves(other);
    publisher.wait_for_subscribers(1, Deadline::now()).unwrap();
}
