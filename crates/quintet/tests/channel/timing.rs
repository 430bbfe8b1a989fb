use super::mechanisms::{Mechanism, Sending};
use super::peers::end_of as end;
use super::{PATIENCE, SHORT, fails};
use quintet::ErrorKind;
use quintet::channel::{Channel, Receiver, Sender};
use quintet_testkit::start;

pub(crate) fn not_there_yet(m: &Mechanism) {
    let t = start();
    // Nobody listens at port 1.
    let address = match m.is_host() {
        true => m.address(&t).replace(":0", ":1"),
        false => m.address(&t),
    };
    let mut message = Vec::new();
    if !m.is("window") {
        let mut receiver = Channel::at(&address).unwrap().connect().receiver().unwrap();
        assert!(!receiver.try_recv(&mut message).unwrap());
        fails(receiver.recv_timeout(&mut message, SHORT), ErrorKind::TimedOut);
        fails(receiver.wait_for_peer(SHORT), ErrorKind::TimedOut);
    }
    let mut sender = Channel::at(&address).unwrap().connect().sender().unwrap();
    match m.is("window") {
        true => fails(sender.try_send("x"), ErrorKind::Unsupported),
        false => assert!(!sender.try_send("x").unwrap()),
    }
    fails(sender.send_timeout("x", SHORT), ErrorKind::TimedOut);
    fails(sender.wait_for_peer(SHORT), ErrorKind::TimedOut);
    if m.is_host() {
        return;
    }
    // And when it comes, it is found.
    let mut receiver = Receiver::open(&address).unwrap();
    fails(receiver.recv_timeout(&mut message, SHORT), ErrorKind::TimedOut);
    if m.is("window") {
        // The thread that sends to its own window serves it at once.
        sender.send_timeout("now", PATIENCE).unwrap();
        receiver.recv_timeout(&mut message, PATIENCE).unwrap();
    } else {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                sender.wait_for_peer(PATIENCE).unwrap();
                sender.send_timeout("now", PATIENCE).unwrap();
            });
            receiver.recv_timeout(&mut message, PATIENCE).unwrap();
        });
    }
    assert_eq!(message, b"now");
}

/// Nobody receives; so at some time there is no room, and what did not go in time must not come later.
pub(crate) fn full(m: &Mechanism) {
    let t = start();
    let mut peer = t.spawn("end", &["recv", &m.address(&t)]);
    let theirs = m.theirs(&peer.hear().parse().unwrap(), "");
    let mut sender = Sender::open(&theirs).unwrap();
    if m.sending == Sending::GoesOn {
        // Nobody is waited for.
        for _ in 0..10_000 {
            assert!(sender.try_send([7; 1000]).unwrap());
        }
        return end(peer);
    }
    sender.wait_for_peer(PATIENCE).unwrap();
    if m.is("window") {
        // It may come later: the documentation says so. But the call ends.
        fails(sender.send_timeout([7; 1000], SHORT), ErrorKind::TimedOut);
        return end(peer);
    }
    let mut sent = 0;
    while sent < 100_000 && sender.try_send([7; 1000]).unwrap() {
        sent += 1;
    }
    assert!(sent > 0 && sent < 100_000, "{sent} went");
    // There may be a little more room by now.
    while sender.send_timeout([7; 1000], SHORT).is_ok() {
        sent += 1;
        assert!(sent < 100_000);
    }
    peer.tell(&format!("recv_all {sent}"));
    peer.expect(&sent.to_string());
    end(peer);
}

/// As [`full`], with messages of which the system, or a ring, takes some in part and others only whole.
pub(crate) fn full_of_any_length(m: &Mechanism) {
    let t = start();
    if m.sending == Sending::GoesOn || m.is("window") {
        return;
    }
    for length in [
        200, 4_000, 16_000, 32_768, 65_500, 65_536, 100_000, 131_072, 200_000,
    ] {
        if m.bound.is_some_and(|bound| length > bound) {
            continue;
        }
        let mut receiver = Receiver::open(m.address(&t)).unwrap();
        let theirs = m.theirs(receiver.address(), "");
        let mut sender = Sender::open(&theirs).unwrap();
        sender.wait_for_peer(PATIENCE).unwrap();
        let message = vec![7; length];
        let mut sent = 0;
        // Nobody receives.
        let mut goes = || match sender.try_send(&message) {
            // A ring that is no longer than that.
            Err(error) if m.is("queue") && error.kind() == ErrorKind::TooLarge => false,
            went => went.unwrap(),
        };
        while goes() {
            sent += 1;
        }
        if sent == 0 {
            continue;
        }
        let late = loop {
            match sender.send_timeout(&message, SHORT) {
                Ok(()) => sent += 1,
                late => break late,
            }
        };
        fails(late, ErrorKind::TimedOut);
        for _ in 0..sent {
            assert_eq!(super::receive(&mut receiver), message);
        }
        assert!(
            !receiver.try_recv(&mut Vec::new()).unwrap(),
            "what was late has come"
        );
    }
}
