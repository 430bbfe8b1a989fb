//! Many at once; some stopped; no room; other users.

use super::{PATIENCE, Tally, fails, marked};
use quintet::ErrorKind;
use quintet::shm::{Access, Queue};
use quintet_testkit::{Role, start, start_with_deadline, wrapped};
use std::process::Command;
use std::time::Duration;

/// Pushes to queue `arg(0)` as producer `arg(1)` whenever there is room, until it is killed.
pub(crate) fn pushes_on(p: &mut Role) {
    let mut producer = Queue::open_existing(p.arg(0)).unwrap().producer().unwrap();
    let me = p.arg(1).parse().unwrap();
    p.say("ready");
    for number in 0.. {
        producer.push(marked(me, number)).unwrap();
    }
}

/// Pops from queue `arg(0)` until it is killed.
pub(crate) fn pops_on(p: &mut Role) {
    let mut consumer = Queue::open_existing(p.arg(0)).unwrap().consumer().unwrap();
    let mut message = Vec::new();
    p.say("ready");
    loop {
        consumer.pop(&mut message).unwrap();
    }
}

/// A child that another test just starts has our descriptors until it runs its program, and so the locks on them.
#[track_caller]
fn no_consumer(queue: &Queue) {
    quintet_testkit::eventually("no consumer is left", || queue.stats().consumers == 0);
}

#[test]
fn stopped_producers_and_consumers_hold_up_nobody() {
    let t = start();
    let name = t.name("q");
    let builder = Queue::builder(&name).unwrap().producers(3).capacity(4096);
    let queue = builder.create_new().unwrap();
    let mut ours = queue.producer().unwrap();
    let mut consumer = queue.consumer().unwrap();
    let mut peers: Vec<_> = ["1", "2"].map(|me| t.spawn("pushes_on", &[&name, me])).into();
    peers.extend([(), ()].map(|()| t.spawn("pops_on", &[&name])));
    peers.iter_mut().for_each(|peer| peer.expect("ready"));
    let mut message = Vec::new();
    for _ in 0..15 {
        // Wherever they just are.
        peers.iter().for_each(|peer| peer.stop());
        // What they have pushed is taken; what we push comes, in order.
        while consumer.try_pop(&mut message).unwrap().is_some() {}
        for number in 0..100 {
            ours.push_timeout(marked(0, number), PATIENCE).unwrap();
            consumer.pop_timeout(&mut message, PATIENCE).unwrap();
            assert_eq!(message, marked(0, number));
        }
        peers.iter().for_each(|peer| peer.cont());
        std::thread::sleep(Duration::from_millis(3));
    }
    peers.into_iter().for_each(|mut peer| {
        peer.kill();
    });
    while consumer.try_pop(&mut message).unwrap().is_some() {}
    drop(consumer);
    let stats = queue.stats();
    assert_eq!((stats.waiting, stats.in_hand), (0, 0));
    no_consumer(&queue);
    assert!(stats.lost <= 2, "{stats:?}");
}

#[test]
fn a_stopped_producer_that_was_full_goes_on_where_it_was() {
    let t = start();
    let name = t.name("q");
    let builder = Queue::builder(&name).unwrap().producers(1).capacity(4096);
    let queue = builder.create_new().unwrap();
    let mut peer = t.spawn("pushes_on", &[&name, "1"]);
    peer.expect("ready");
    quintet_testkit::eventually("it is full", || queue.stats().waiting > 50);
    peer.stop();
    let mut consumer = queue.consumer().unwrap();
    let mut message = Vec::new();
    let mut number = 0;
    while consumer.try_pop(&mut message).unwrap().is_some() {
        assert_eq!(message, marked(1, number));
        number += 1;
    }
    peer.cont();
    for number in number..number + 500 {
        consumer.pop_timeout(&mut message, PATIENCE).unwrap();
        assert_eq!(message, marked(1, number));
    }
    peer.kill();
}

#[test]
fn sixty_four_processes_use_one_queue() {
    const PAIRS: u32 = 32;
    const EACH: u32 = 300;
    let t = start_with_deadline(Duration::from_secs(200));
    let name = t.name("q");
    let builder = Queue::builder(&name)
        .unwrap()
        .producers(PAIRS as usize)
        .capacity(4096);
    let queue = builder.create_new().unwrap();
    let over = quintet::sync::Event::create_new(&name, quintet::sync::Reset::Manual).unwrap();
    let mut consumers: Vec<_> = (0..PAIRS).map(|_| t.spawn("pops_all", &[&name, &name])).collect();
    consumers.iter_mut().for_each(|peer| peer.expect("ready"));
    let producers: Vec<_> = (0..PAIRS)
        .map(|me| t.spawn("pushes", &[&name, &me.to_string(), &EACH.to_string()]))
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
    tally.is_all(PAIRS, EACH);
    let stats = queue.stats();
    assert_eq!((stats.waiting, stats.in_hand, stats.lost), (0, 0, 0));
}

#[test]
fn places_for_consumers_are_256_and_come_back() {
    let t = start();
    let queue = Queue::create_new(t.name("q")).unwrap();
    let consumers: Vec<_> = (0..256).map(|_| queue.consumer().unwrap()).collect();
    fails(queue.consumer(), ErrorKind::Full);
    drop(consumers);
    queue.producer().unwrap().push("x").unwrap();
    let mut message = Vec::new();
    queue
        .consumer()
        .unwrap()
        .pop_timeout(&mut message, PATIENCE)
        .unwrap();
    no_consumer(&queue);
}

#[test]
fn a_persistent_queue_stays_with_what_is_in_it() {
    let t = start();
    let name = t.name("q");
    let open = || {
        Queue::builder(&name)
            .unwrap()
            .persistent(true)
            .create_or_open()
            .unwrap()
    };
    open().producer().unwrap().push_all(["a", "b"]).unwrap();
    let mut message = Vec::new();
    open()
        .consumer()
        .unwrap()
        .pop_timeout(&mut message, PATIENCE)
        .unwrap();
    let queue = open();
    assert!(!queue.was_created() && message == b"a");
    let stats = queue.stats();
    assert_eq!((stats.pushed, stats.taken, stats.lost), (2, 1, 0));
    drop(queue);
    quintet::named::NamedKind::remove(&quintet::shm::Queues, &name.parse().unwrap()).unwrap();
    fails(Queue::open_existing(&name), ErrorKind::NotFound);
}

/// Makes queue `arg(0)` where there is no room for it.
pub(crate) fn has_no_room(p: &mut Role) {
    let builder = || Queue::builder(p.arg(0)).unwrap();
    for _ in 0..3 {
        fails(
            builder().producers(8).capacity(1 << 20).create_new(),
            ErrorKind::Full,
        );
        // 1 TiB, which no memory has.
        fails(
            builder().producers(256).capacity(4 << 30).create_new(),
            ErrorKind::Full,
        );
        assert_eq!(std::fs::read_dir("/dev/shm").unwrap().count(), 0);
    }
    // What there is room for is reserved, and can be filled.
    let queue = builder().producers(1).capacity(64 << 10).create_new().unwrap();
    let mut producer = queue.producer().unwrap();
    while producer.try_push([1; 1000]).unwrap() {}
    assert!(queue.stats().waiting > 50);
    drop((producer, queue));
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
    let mut peer = t.spawn_with("has_no_room", &[&t.name("q")], |command| {
        let script = format!("{mount} && exec \"$@\"");
        *command = wrapped(command, "unshare", &["--mount", "sh", "-c", &script, "sh"]);
    });
    peer.expect("passed");
    peer.finish();
}

/// Opens the closed queue `arg(0)` and the open one `arg(1)` as another user.
pub(crate) fn opens_as_another(p: &mut Role) {
    fails(Queue::open_existing(p.arg(0)), ErrorKind::PermissionDenied);
    let builder = Queue::builder(p.arg(1)).unwrap().access(Access::Everyone);
    let queue = builder.open_existing().unwrap();
    queue.producer().unwrap().push("from another").unwrap();
    p.say("passed");
}

#[test]
fn another_user_is_kept_out_unless_it_is_for_everyone() {
    let t = start();
    let closed = Queue::create_new(t.name("closed")).unwrap();
    let builder = Queue::builder(t.name("open")).unwrap().access(Access::Everyone);
    let open = builder.create_new().unwrap();
    let [closed_name, open_name] = [&closed, &open].map(|queue| queue.address().name().unwrap().to_string());
    let Some(mut peer) = t.spawn_as_nobody("opens_as_another", &[&closed_name, &open_name]) else {
        eprintln!("skipped: only root can start a process of another user");
        return;
    };
    peer.expect("passed");
    peer.finish();
    let mut message = Vec::new();
    open.consumer()
        .unwrap()
        .pop_timeout(&mut message, PATIENCE)
        .unwrap();
    assert_eq!(message, b"from another");
}
