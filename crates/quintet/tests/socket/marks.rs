//! High-water marks, and the end of a socket.

use super::{PATIENCE, any_port, fails, number_of, numbered, places};
use quintet::socket::{Options, Pub, Pull, Push, Rep, Stream, Sub};
use quintet::{Deadline, ErrorKind, test_hooks};
use quintet_testkit::{eventually, start};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const PIECE: usize = 10_000;

#[test]
fn a_push_waits_at_its_mark_and_loses_nothing() {
    let _t = start();
    let pull = Pull::new().unwrap();
    let push = Push::with(&Options::new().send_mark(100_000)).unwrap();
    push.dial(pull.listen(any_port()).unwrap()).unwrap();
    push.wait_for_peers(1, PATIENCE).unwrap();
    let mut sent = 0;
    let error = loop {
        match push.send_timeout(numbered(sent, PIECE), Duration::from_millis(20)) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("had room"), "{error}");
    thread::scope(|scope| {
        let more = scope.spawn(|| push.send_timeout(numbered(sent, PIECE), PATIENCE));
        for number in 0..=sent {
            assert_eq!(number_of(&pull.recv_timeout(PATIENCE).unwrap(), PIECE), number);
        }
        more.join().unwrap().unwrap();
    });
    assert_eq!(push.stats().sent, sent as u64 + 1);
}

/// The system takes a message in part, as a rule; of some lengths it takes one whole and nothing of the next.
#[test]
fn a_large_message_of_which_nothing_is_taken_keeps_to_its_deadline() {
    let t = start();
    for place in places(&t) {
        for length in (64..192).map(|kib| kib * 1024) {
            let pull = Pull::new().unwrap();
            let push = Push::with(&Options::new().linger(Duration::ZERO)).unwrap();
            push.dial(pull.listen(&place).unwrap()).unwrap();
            push.wait_for_peers(1, PATIENCE).unwrap();
            let message = vec![7; length];
            let mut sent = 0;
            // Nobody receives.
            let error = loop {
                match push.send_timeout(&message, Duration::ZERO) {
                    Ok(()) => sent += 1,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(error.to_string().contains("had room"), "{error}");
            assert_eq!(push.stats().sent, sent);
        }
    }
}

#[test]
fn a_large_message_of_which_one_peer_takes_nothing_goes_to_another() {
    let _t = start();
    for length in (64..128).step_by(8).map(|kib| kib * 1024) {
        let push = Push::with(&Options::new().linger(Duration::ZERO)).unwrap();
        let address = push.listen(any_port()).unwrap();
        let (busy, stuck) = (Pull::new().unwrap(), Pull::new().unwrap());
        stuck.dial(&address).unwrap();
        busy.dial(&address).unwrap();
        push.wait_for_peers(2, PATIENCE).unwrap();
        let message = vec![7; length];
        let mut sent = 0;
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let _ = busy.recv_timeout(Duration::from_millis(10));
                }
            });
            // So much as the stuck one has no room for by far.
            while sent < 32 << 20 {
                push.send_timeout(&message, PATIENCE).unwrap();
                sent += length;
            }
            over.store(true, Ordering::Relaxed);
        });
        assert!(busy.stats().received > stuck.stats().received);
    }
}

#[test]
fn a_slow_subscriber_misses_messages_and_a_fast_one_does_not() {
    const MESSAGES: usize = 4000;
    let _t = start();
    let publisher = Pub::with(&Options::new().send_mark(4 << 20)).unwrap();
    let address = publisher.listen(any_port()).unwrap();
    let subscriber = || {
        let subscriber = Sub::new().unwrap();
        subscriber.subscribe("");
        subscriber.dial(&address).unwrap();
        subscriber
    };
    let (fast, slow) = (subscriber(), subscriber());
    publisher.wait_for_peers(2, PATIENCE).unwrap();
    let dropped = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            (0..MESSAGES).for_each(|number| {
                assert_eq!(number_of(&fast.recv_timeout(PATIENCE).unwrap(), PIECE), number);
            });
        });
        for number in 0..MESSAGES {
            publisher.send(numbered(number, PIECE)).unwrap();
            // The fast one is fast because it is waited for here; the slow one does not call at all.
            eventually("the fast one has caught up", || {
                fast.stats().received + 100 > number as u64
            });
        }
        reader.join().unwrap();
        publisher.stats().dropped
    });
    assert!(dropped > 0);
    // The slow one gets the others, in order, and then what is new.
    let mut last = None;
    for _ in 0..MESSAGES as u64 - dropped {
        let number = number_of(&slow.recv_timeout(PATIENCE).unwrap(), PIECE);
        assert!(last.is_none_or(|last| number > last));
        last = Some(number);
    }
    fails(slow.recv_timeout(Duration::from_millis(20)), ErrorKind::TimedOut);
    publisher.send(numbered(9999, PIECE)).unwrap();
    assert_eq!(number_of(&slow.recv_timeout(PATIENCE).unwrap(), PIECE), 9999);
}

#[test]
fn a_pull_that_does_not_read_costs_neither_the_push_nor_the_others_anything() {
    const MESSAGES: usize = 4000;
    let _t = start();
    let push = Push::with(&Options::new().send_mark(100_000)).unwrap();
    let address = push.listen(any_port()).unwrap();
    let (fast, slow) = (Pull::new().unwrap(), Pull::new().unwrap());
    fast.dial(&address).unwrap();
    slow.dial(&address).unwrap();
    push.wait_for_peers(2, PATIENCE).unwrap();
    let over = AtomicBool::new(false);
    let mut seen = HashSet::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            // All of it goes, though the slow one has not called yet.
            for number in 0..MESSAGES {
                push.send_timeout(numbered(number, PIECE), PATIENCE).unwrap();
            }
            over.store(true, Ordering::Release);
        });
        while !over.load(Ordering::Acquire) {
            if let Ok(message) = fast.recv_timeout(Duration::from_millis(10)) {
                assert!(seen.insert(number_of(&message, PIECE)));
            }
        }
    });
    // What the slow one holds is nobody else's, and is there when it looks.
    while seen.len() < MESSAGES {
        for pull in [&slow, &fast] {
            if let Ok(message) = pull.recv_timeout(Duration::from_millis(1)) {
                assert!(seen.insert(number_of(&message, PIECE)));
            }
        }
    }
    assert!(slow.stats().received < fast.stats().received);
}

#[test]
fn a_flood_of_what_nobody_wants_does_not_outlast_a_deadline() {
    let _t = start();
    let publisher = Pub::new().unwrap();
    let sub = Sub::new().unwrap();
    sub.subscribe("wanted");
    sub.dial(publisher.listen(any_port()).unwrap()).unwrap();
    publisher.wait_for_peers(1, PATIENCE).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                publisher.send("unwanted").unwrap();
            }
            // What had no room is dropped, so again until it is seen.
            while sub.stats().received == 0 {
                publisher.send("wanted").unwrap();
            }
        });
        for time in [0, 1, 30, 100] {
            fails(sub.recv_timeout(Duration::from_millis(time)), ErrorKind::TimedOut);
        }
        over.store(true, Ordering::Relaxed);
        assert_eq!(sub.recv_timeout(PATIENCE).unwrap(), b"wanted");
    });
}

#[test]
fn a_client_that_does_not_read_its_replies_costs_a_bounded_memory_and_no_other_client() {
    let _t = start();
    let rep = Rep::with(&Options::new().send_mark(50_000)).unwrap();
    let address = rep.listen(any_port()).unwrap();
    // By hand, as no client of ours is that rude: requests without end, and no reply is read.
    let rude = Stream::connect_timeout(&address, PATIENCE).unwrap();
    rude.write_all([0, b'S', b'P', 0, 0, 0x30, 0, 0]).unwrap();
    rude.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
    let polite = quintet::socket::Req::new().unwrap();
    polite.dial(&address).unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut served = 0;
            loop {
                let request = rep.recv_timeout(PATIENCE).unwrap();
                if request.body() == b"stop" {
                    request.reply("stopped").unwrap();
                    return served;
                }
                served += 1;
                request.reply(vec![1; PIECE]).unwrap();
            }
        });
        let request = [&20u64.to_be_bytes()[..], &[0x80, 0, 0, 1], &[2; 16]].concat();
        let requests = request.repeat(1000);
        let stuck = loop {
            match rude.write(&requests) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(stuck.kind(), ErrorKind::TimedOut);
        for _ in 0..10 {
            assert_eq!(polite.request_timeout("hello", PATIENCE).unwrap().len(), PIECE);
        }
        assert_eq!(polite.request_timeout("stop", PATIENCE).unwrap(), b"stopped");
        // Far fewer than were asked: it is not served while it does not read.
        assert!(server.join().unwrap() > 10);
    });
}

#[test]
fn a_message_beyond_the_limit_is_not_sent_and_one_from_a_peer_not_taken() {
    let _t = start();
    let pull = Pull::with(&Options::new().max_message(1000)).unwrap();
    let address = pull.listen(any_port()).unwrap();
    let push = Push::with(&Options::new().max_message(1000)).unwrap();
    push.dial(&address).unwrap();
    fails(push.send(vec![0; 1001]), ErrorKind::TooLarge);
    push.send_timeout(vec![0; 1000], PATIENCE).unwrap();
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap().len(), 1000);
    let careless = Push::new().unwrap();
    careless.dial(&address).unwrap();
    careless.send_timeout(vec![0; 1001], PATIENCE).unwrap();
    fails(pull.recv_timeout(Duration::from_millis(100)), ErrorKind::TimedOut);
    eventually("it is disconnected", || pull.stats().refused > 0);
    let trouble = pull.stats().last_trouble.unwrap();
    assert!(trouble.contains("1001 bytes"), "{trouble}");
    push.send_timeout("goes on", PATIENCE).unwrap();
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap(), b"goes on");
}

#[test]
fn closing_waits_for_a_slow_peer_and_reports_what_it_could_not_send() {
    let _t = start();
    let pull = Pull::new().unwrap();
    let address = pull.listen(any_port()).unwrap();
    let mark = Options::new().send_mark(64 << 20);
    let fill = |push: &Push| {
        push.dial(&address).unwrap();
        // More than the system takes, so that most of it waits here.
        for number in 0..2000 {
            push.send_timeout(numbered(number, PIECE), PATIENCE).unwrap();
        }
    };
    let patient = Push::with(&mark.clone().linger(PATIENCE)).unwrap();
    fill(&patient);
    thread::scope(|scope| {
        let closer = scope.spawn(|| patient.close());
        for number in 0..2000 {
            assert_eq!(number_of(&pull.recv_timeout(PATIENCE).unwrap(), PIECE), number);
        }
        closer.join().unwrap().unwrap();
    });
    let hasty = Push::with(&mark.linger(Duration::ZERO)).unwrap();
    fill(&hasty);
    let error = fails(hasty.close(), ErrorKind::TimedOut);
    let lost: usize = error
        .to_string()
        .split(' ')
        .find_map(|word| word.parse().ok())
        .unwrap();
    // All that was not reported as lost arrives, and nothing else.
    for number in 0..2000 - lost {
        assert_eq!(number_of(&pull.recv_timeout(PATIENCE).unwrap(), PIECE), number);
    }
    fails(pull.recv_timeout(Duration::from_millis(50)), ErrorKind::TimedOut);
}

#[test]
fn so_many_peers_are_let_in_and_the_next_one_when_one_has_gone() {
    let _t = start();
    let pull = Pull::with(&Options::new().max_peers(2)).unwrap();
    let address = pull.listen(any_port()).unwrap();
    let dial = || {
        let push = Push::new().unwrap();
        push.dial(&address).unwrap();
        push
    };
    let (first, second) = (dial(), dial());
    pull.wait_for_peers(2, PATIENCE).unwrap();
    let third = dial();
    eventually("the third is refused", || pull.stats().refused > 0);
    let stats = pull.stats();
    assert_eq!(stats.peers, 2, "{stats:?}");
    assert!(stats.last_trouble.unwrap().contains("as many peers"));
    // It comes again by itself.
    drop(first);
    third.send_timeout("mine", PATIENCE).unwrap();
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap(), b"mine");
    second.send_timeout("and mine", PATIENCE).unwrap();
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap(), b"and mine");
    // Whom it dials itself is another matter.
    let other = Push::new().unwrap();
    pull.dial(other.listen(any_port()).unwrap()).unwrap();
    pull.wait_for_peers(3, PATIENCE).unwrap();
}

#[test]
fn who_waits_for_room_sleeps() {
    let _t = start();
    let pull = Pull::new().unwrap();
    let push = Push::with(&Options::new().send_mark(1)).unwrap();
    push.dial(pull.listen(any_port()).unwrap()).unwrap();
    push.wait_for_peers(1, PATIENCE).unwrap();
    while push.send_timeout([7; PIECE], Deadline::now()).is_ok() {}
    test_hooks::fail_at(u64::MAX, 0);
    let calls = |time| {
        fails(push.send_timeout("one more", time), ErrorKind::TimedOut);
        test_hooks::disarm()
    };
    let calls = calls(Duration::from_millis(500));
    // Each wait is 50 ms at least, and has a look before and behind it.
    assert!(calls <= 50, "{calls} system calls");
}
