use super::mechanisms::{Mechanism, Sending};
use super::peers::{digest, end_of};
use super::{PATIENCE, SHORT, fails, numbered, receive};
use quintet::ErrorKind;
use quintet::channel::{Receiver, Sender};
use quintet_testkit::{eventually, start};

/// Wine 8's server sometimes keeps a socket open that was being polled when its process was killed.
fn is_kept_open(m: &Mechanism, how: &str) -> bool {
    cfg!(windows) && m.is_host() && how == "die"
}

/// Two senders, one after the other, go as `how` says: each time receiving ends, once, and then goes on.
pub(crate) fn sender_goes(m: &Mechanism, how: &str) {
    if is_kept_open(m, how) {
        return;
    }
    let t = start();
    let mut receiver = Receiver::open(m.address(&t)).unwrap();
    let theirs = m.theirs(receiver.address(), "");
    let mut message = Vec::new();
    for _ in 0..2 {
        let mut peer = t.spawn("end", &["send", &theirs]);
        peer.hear();
        for number in 1..4 {
            peer.tell(&format!("send {number}"));
            assert_eq!(receive(&mut receiver), numbered(number));
            peer.expect("sent");
        }
        peer.tell(how);
        if !m.receiving_ends {
            fails(receiver.recv_timeout(&mut message, SHORT), ErrorKind::TimedOut);
            continue;
        }
        fails(
            receiver.recv_timeout(&mut message, PATIENCE),
            ErrorKind::Disconnected,
        );
        fails(receiver.recv_timeout(&mut message, SHORT), ErrorKind::TimedOut);
        assert!(!receiver.try_recv(&mut message).unwrap());
    }
    // A loop that does not wait learns it as well.
    if m.receiving_ends {
        let mut peer = t.spawn("end", &["send", &theirs]);
        peer.hear();
        peer.tell("send 5");
        assert_eq!(receive(&mut receiver), numbered(5));
        peer.expect("sent");
        peer.tell(how);
        eventually("the end", || {
            receiver
                .try_recv(&mut message)
                .is_err_and(|error| error.kind() == ErrorKind::Disconnected)
        });
    }
}

/// A receiver goes as `how` says: the sender learns it, and goes on when another comes.
pub(crate) fn receiver_goes(m: &Mechanism, how: &str) {
    if is_kept_open(m, how) {
        return;
    }
    let t = start();
    let address = m.address(&t);
    let mut peer = t.spawn("end", &["recv", &address]);
    let theirs = m.theirs(&peer.hear().parse().unwrap(), "");
    let mut sender = Sender::open(&theirs).unwrap();
    sender.wait_for_peer(PATIENCE).unwrap();
    // To a window a message goes only while somebody receives.
    peer.tell("recv");
    sender.send_timeout(numbered(1), PATIENCE).unwrap();
    peer.expect(&digest(&numbered(1)));
    peer.tell(how);
    match how {
        "die" => drop(peer.hear_or_end()),
        _ => peer.finish(),
    }
    if m.sending == Sending::GoesOn {
        for number in 0..2000 {
            sender.send_timeout(numbered(number), PATIENCE).unwrap();
        }
    } else {
        // What the system takes before it tells is lost, or stays in the queue.
        let error = (0..100_000).find_map(|number| sender.send_timeout(numbered(number), PATIENCE).err());
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Disconnected));
        if m.sending == Sending::EndsWhenFull {
            fails(sender.send_timeout(numbered(3), SHORT), ErrorKind::TimedOut);
        }
    }
    let mut peer = t.spawn("end", &["recv", &m.theirs(sender.address(), "")]);
    peer.hear();
    sender.wait_for_peer(PATIENCE).unwrap();
    // In a queue that was full there is room again when some were taken.
    let takes = match m.sending {
        Sending::EndsWhenFull => 10,
        _ => 1,
    };
    (0..takes).for_each(|_| peer.tell("recv"));
    sender.send_timeout(numbered(2), PATIENCE).unwrap();
    for _ in 0..takes {
        let heard = peer.hear();
        assert!(heard.contains(' '), "{heard}");
    }
    end_of(peer);
}
