//! Many at once, one who is stopped, another user, and no room.

use super::{LONG, PATIENCE, fails, message, publish_next, small};
use quintet::named::{Liveness, NamedKind};
use quintet::shm::{Access, Queue, Topic, Topics};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::{Role, eventually, start, start_with_deadline, wrapped};
use std::process::Command;

/// Subscribes to topic `arg(0)`, receives a message, copies another one, and stays until it is told to end.
pub(crate) fn subscribes_and_stays(p: &mut Role) {
    let mut subscriber = Topic::open_existing(p.arg(0)).unwrap().subscriber().unwrap();
    p.say("ready");
    let sample = subscriber.receive_timeout(PATIENCE).unwrap();
    assert!(sample.to_vec() == message(0, sample.delivered().sequence, 300));
    let mut got = Vec::new();
    let delivered = subscriber.copy_timeout(&mut got, PATIENCE).unwrap();
    assert!(got == message(0, delivered.sequence, 300));
    assert!(sample.to_vec() == message(0, sample.delivered().sequence, 300));
    p.say(format!("{} {}", sample.delivered().sequence, delivered.sequence));
    p.listen();
}

#[test]
fn sixty_four_processes_get_the_same() {
    const SUBSCRIBERS: usize = 64;
    let t = start_with_deadline(LONG);
    let name = t.name("t");
    let builder = Topic::builder(&name).unwrap().publishers(1).capacity(1 << 16);
    let topic = builder.create_new().unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut peers: Vec<_> = (0..SUBSCRIBERS)
        .map(|_| t.spawn("subscribes_and_stays", &[&name]))
        .collect();
    peers.iter_mut().for_each(|peer| peer.expect("ready"));
    assert_eq!(publisher.subscribers(), SUBSCRIBERS);
    publish_next(&mut publisher, 300);
    publish_next(&mut publisher, 300);
    peers.iter_mut().for_each(|peer| peer.expect("0 1"));
    assert_eq!(topic.stats().received, 2 * SUBSCRIBERS as u64);
    for mut peer in peers {
        peer.tell("end");
        peer.finish();
    }
    eventually("they are gone", || publisher.subscribers() == 0);
}

#[test]
fn who_is_stopped_holds_up_nobody_and_keeps_what_it_holds() {
    let t = start_with_deadline(LONG);
    let name = t.name("t");
    let topic = small(&name);
    let mut publisher = topic.publisher().unwrap();
    let mut peer = t.spawn("holds", &[&name, "3", "100"]);
    peer.expect("ready");
    let mut subscriber = topic.subscriber().unwrap();
    let mut got = Vec::new();
    for number in 0..2000 {
        if number == 3 {
            peer.expect("holding");
            peer.stop();
        }
        publish_next(&mut publisher, 100);
        let delivered = subscriber.copy_timeout(&mut got, PATIENCE).unwrap();
        assert_eq!((delivered.sequence, delivered.lost), (number, 0));
        assert!(got == message(0, number, 100));
    }
    assert_eq!(publisher.subscribers(), 2);
    peer.cont();
    peer.tell("look");
    peer.expect("as they were");
    peer.tell("end");
    peer.finish();
}

/// In a process whose /dev/shm is its own and small.
pub(crate) fn has_no_room(p: &mut Role) {
    let builder = || Topic::builder(p.arg(0)).unwrap().publishers(1);
    for _ in 0..3 {
        fails(builder().capacity(1 << 20).create_new(), ErrorKind::Full);
        fails(
            builder().publishers(64).capacity(1 << 16).create_new(),
            ErrorKind::Full,
        );
        assert_eq!(std::fs::read_dir("/dev/shm").unwrap().count(), 0);
    }
    // What there is room for is reserved, and can be filled.
    let topic = builder().capacity(256 << 10).create_new().unwrap();
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    for number in 0..20 {
        publisher.publish([number; 100 << 10]).unwrap();
        assert_eq!(
            subscriber.receive_timeout(PATIENCE).unwrap().to_vec(),
            [number; 100 << 10]
        );
    }
    drop((publisher, subscriber, topic));
    p.say("passed");
}

#[test]
fn a_full_dev_shm_is_an_error_from_create() {
    let t = start();
    let mount = "mount -t tmpfs -o size=512k,mode=1777 none /dev/shm";
    let allowed = t.run(Command::new("unshare").args(["--mount", "sh", "-c", mount]));
    if !allowed.status.success() {
        eprintln!("skipped: only root can mount a /dev/shm of its own");
        return;
    }
    let mut peer = t.spawn_with("has_no_room", &[&t.name("t")], |command| {
        let script = format!("{mount} && exec \"$@\"");
        *command = wrapped(command, "unshare", &["--mount", "sh", "-c", &script, "sh"]);
    });
    peer.expect("passed");
    peer.finish();
}

/// Opens the closed topic `arg(0)` and the open one `arg(1)` as another user.
pub(crate) fn opens_as_another(p: &mut Role) {
    fails(Topic::open_existing(p.arg(0)), ErrorKind::PermissionDenied);
    fails(Topic::create_or_open(p.arg(0)), ErrorKind::PermissionDenied);
    let builder = Topic::builder(p.arg(1)).unwrap().access(Access::Everyone);
    let topic = builder.open_existing().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    p.say("ready");
    let sample = subscriber.receive_timeout(PATIENCE).unwrap();
    assert_eq!(sample.to_vec(), b"for another");
    topic.publisher().unwrap().publish("from another").unwrap();
    p.say("published");
    p.listen();
}

#[test]
fn another_user_is_kept_out_unless_it_is_for_everyone() {
    let t = start();
    let (closed, open) = (t.name("closed"), t.name("open"));
    let _closed = Topic::create_new(&closed).unwrap();
    let builder = Topic::builder(&open).unwrap().access(Access::Everyone);
    let topic = builder.create_new().unwrap();
    let Some(mut peer) = t.spawn_as_nobody("opens_as_another", &[&closed, &open]) else {
        eprintln!("skipped: only root can start a process of another user");
        return;
    };
    peer.expect("ready");
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    publisher.wait_for_subscriber_timeout(Deadline::now()).unwrap();
    publisher.publish("for another").unwrap();
    peer.expect("published");
    let mut got = Vec::new();
    assert_eq!(subscriber.copy_timeout(&mut got, PATIENCE).unwrap().lane, 0);
    assert_eq!(subscriber.copy_timeout(&mut got, PATIENCE).unwrap().lane, 1);
    assert_eq!(got, b"from another");
    peer.tell("end");
    peer.finish();
}

/// Subscribes, as another user, to topic `arg(0)`, on which others may not publish.
pub(crate) fn subscribes_as_another(p: &mut Role) {
    let name = p.arg(0);
    let builder = Topic::builder(name).unwrap().subscribe_access(Access::Everyone);
    let topic = builder.open_existing().unwrap();
    fails(topic.publisher(), ErrorKind::PermissionDenied);
    let data = format!("/dev/shm/quintet.topicdata.{name}");
    std::fs::read(&data).unwrap();
    let refused = std::fs::File::options().write(true).open(&data).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    let mut subscriber = topic.subscriber().unwrap();
    p.say("ready");
    let mut got = Vec::new();
    subscriber.copy_timeout(&mut got, PATIENCE).unwrap();
    assert_eq!(got, b"for others to read");
    let held = subscriber.receive_timeout(PATIENCE).unwrap();
    p.say("holding");
    p.listen();
    assert_eq!(held.to_vec(), b"and to hold");
    assert!(subscriber.lost() + subscriber.received() >= 2);
    drop((held, subscriber, topic));
    p.say("left");
    p.listen();
}

#[test]
fn another_user_may_read_and_not_write_where_it_is_for_everyone_to_subscribe() {
    let t = start();
    let name = t.name("t");
    let builder = Topic::builder(&name).unwrap().publishers(1).capacity(4096);
    let topic = builder.subscribe_access(Access::Everyone).create_new().unwrap();
    for (part, mode) in [("topic", 0o666), ("topicdata", 0o644)] {
        let path = format!("/dev/shm/quintet.{part}.{name}");
        let meta = std::fs::metadata(path).unwrap();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777,
            mode
        );
    }
    let Some(mut peer) = t.spawn_as_nobody("subscribes_as_another", &[&name]) else {
        eprintln!("skipped: only root can start a process of another user");
        return;
    };
    peer.expect("ready");
    let mut publisher = topic.publisher().unwrap();
    publisher.wait_for_subscribers(1, Deadline::now()).unwrap();
    publisher.publish("for others to read").unwrap();
    publisher.publish("and to hold").unwrap();
    peer.expect("holding");
    for number in 0..100 {
        publish_next(&mut publisher, 900 + number);
    }
    peer.tell("look");
    peer.expect("left");
    assert_eq!(publisher.subscribers(), 0);
    peer.tell("end");
    peer.finish();
}

#[test]
fn both_parts_come_and_go_together_and_what_misses_one_counts_as_left_behind() {
    let t = start();
    let name = t.name("t");
    let [room, data] = ["topic", "topicdata"].map(|part| format!("/dev/shm/quintet.{part}.{name}"));
    let are_there = || [&room, &data].map(|path| std::path::Path::new(path).exists());
    let parsed = name.parse().unwrap();
    let topic = small(&name);
    assert_eq!(are_there(), [true; 2]);
    let all = Topics.list().unwrap();
    let ours = all
        .iter()
        .filter(|entry| entry.address.name().unwrap() == &parsed);
    assert_eq!(ours.count(), 1);
    let size = [&room, &data].map(|path| std::fs::metadata(path).unwrap().len());
    assert_eq!(Topics.stat(&parsed).unwrap().size, Some(size.iter().sum()));
    // Who removes a part by hand takes it from who comes then, and from nobody who is there.
    std::fs::remove_file(&data).unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    publisher.publish("still").unwrap();
    assert_eq!(subscriber.receive().unwrap().to_vec(), b"still");
    fails(Topic::open_existing(&name), ErrorKind::Corrupt);
    drop((publisher, subscriber, topic));
    assert_eq!(are_there(), [false; 2]);
    for persistent in [false, true] {
        let make = || {
            let builder = Topic::builder(&name).unwrap().persistent(true);
            drop(builder.create_new().unwrap());
            std::fs::remove_file(&data).unwrap();
        };
        make();
        // It looks like what a death left, and can be removed, or is replaced.
        assert_eq!(Topics.stat(&parsed).unwrap().liveness, Liveness::Stale);
        Topics.remove(&parsed).unwrap();
        assert_eq!(are_there(), [false; 2]);
        make();
        fails(Topic::open_existing(&name), ErrorKind::NotFound);
        assert_eq!(are_there(), [false; 2]);
        make();
        let builder = Topic::builder(&name).unwrap().persistent(persistent);
        drop(builder.create_new().unwrap());
        assert_eq!(are_there(), [persistent; 2]);
    }
    // A whole one that stays is removed with both.
    assert_eq!(Topics.stat(&parsed).unwrap().liveness, Liveness::Live);
    Topics.remove(&parsed).unwrap();
    assert_eq!(are_there(), [false; 2]);
    // What has the name of a part that nobody has any more is in nobody's way.
    std::fs::write(&data, "left").unwrap();
    drop(small(&name));
    assert_eq!(are_there(), [false; 2]);
}

#[test]
fn what_has_the_name_and_is_no_topic_is_left_alone() {
    let t = start();
    let name = t.name("t");
    let path = format!("/dev/shm/quintet.topic.{name}");
    let queue = Queue::create_new(&name).unwrap();
    // A queue of the same name is something else.
    drop(Topic::create_new(&name).unwrap());
    // But not under a topic's name.
    std::fs::copy(format!("/dev/shm/quintet.queue.{name}"), &path).unwrap();
    fails(Topic::open_existing(&name), ErrorKind::Corrupt);
    fails(Topic::create_or_open(&name), ErrorKind::Corrupt);
    assert!(Topics.stat(&name.parse().unwrap()).is_err());
    std::fs::remove_file(&path).unwrap();
    drop(queue);
    for bytes in [Vec::new(), vec![7; 100], vec![0; 100_000]] {
        std::fs::write(&path, &bytes).unwrap();
        let error = Topic::open_existing(&name).unwrap_err();
        assert!(
            [ErrorKind::Corrupt, ErrorKind::NotFound].contains(&error.kind()),
            "{error:?}"
        );
        assert!(std::fs::read(&path).unwrap() == bytes);
        std::fs::remove_file(&path).unwrap();
    }
}
