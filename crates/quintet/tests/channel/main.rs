//! Channels: the same tests over every mechanism, between processes. What differs is in the table of mechanisms
//! (`mechanisms.rs`), as it is in the documentation of `quintet::channel`.

mod duplex;
mod ends;
mod mechanisms;
mod options;
mod peers;
mod sizes;
#[cfg(target_os = "linux")]
mod strangers;
mod timing;

use mechanisms::Mechanism;
use peers::{converses, end, end_of};
use quintet::channel::{Channel, Receiver, Sender};
use quintet::{Error, ErrorKind};
use quintet_testkit::start;
use std::fmt::Debug;
use std::time::Duration;

#[cfg(target_os = "linux")]
use strangers::stranger;
#[cfg(target_os = "linux")]
quintet_testkit::peers!(end, converses, stranger);
#[cfg(windows)]
quintet_testkit::peers!(end, converses);

/// A wait that only a failing test waits out.
const PATIENCE: Duration = Duration::from_secs(100);
/// A wait that is always waited out.
const SHORT: Duration = Duration::from_millis(30);

#[track_caller]
fn fails<T: Debug>(result: Result<T, Error>, kind: ErrorKind) {
    match result {
        Err(error) if error.kind() == kind => {}
        other => panic!("{kind:?} expected, got {other:?}"),
    }
}

#[track_caller]
fn receive(receiver: &mut Receiver) -> Vec<u8> {
    let mut message = Vec::new();
    receiver.recv_timeout(&mut message, PATIENCE).unwrap();
    message
}

/// Runs all tests over each mechanism, as tests of their own.
macro_rules! conformance {
    ($($(#[$attribute:meta])* $mechanism:ident;)*) => {$(
        $(#[$attribute])*
        mod $mechanism {
            use super::*;
            const M: Mechanism = mechanisms::$mechanism();

            #[test]
            fn messages_come_whole_and_in_order() {
                in_order(&M);
            }

            #[test]
            fn the_sender_may_be_the_one_who_listens() {
                sender_listens(&M);
            }

            #[test]
            fn a_long_message_comes_whole() {
                sizes::long(&M);
            }

            #[test]
            fn a_message_that_is_too_long_is_refused_and_the_next_goes() {
                sizes::too_long(&M);
            }

            #[test]
            fn what_is_not_there_yet_is_late() {
                timing::not_there_yet(&M);
            }

            #[test]
            fn what_was_not_sent_in_time_does_not_come() {
                timing::full(&M);
            }

            #[test]
            fn a_message_of_any_length_keeps_to_its_deadline() {
                timing::full_of_any_length(&M);
            }

            #[test]
            fn receiving_ends_when_the_sender_has_closed() {
                ends::sender_goes(&M, "close");
            }

            #[test]
            fn receiving_ends_when_the_sender_was_killed() {
                ends::sender_goes(&M, "die");
            }

            #[test]
            fn sending_ends_when_the_receiver_has_closed() {
                ends::receiver_goes(&M, "close");
            }

            #[test]
            fn sending_ends_when_the_receiver_was_killed() {
                ends::receiver_goes(&M, "die");
            }

            #[test]
            fn options_that_make_no_sense_are_refused() {
                options::refused(&M);
            }

            #[cfg(target_os = "linux")]
            #[test]
            fn something_else_is_left_alone() {
                strangers::something_else(&M);
            }

            #[cfg(target_os = "linux")]
            #[test]
            fn another_user_is_kept_out() {
                strangers::other_user(&M);
            }
        }
    )*};
}

conformance! {
    pipe;
    queue;
    topic;
    mailbox;
    tcp;
    tcp_pair;
    #[cfg(target_os = "linux")]
    unix;
    ipc_pair;
    window;
    #[cfg(target_os = "linux")]
    fifo;
}

/// What message number `number` is: none is like another, and some are empty.
fn numbered(number: usize) -> Vec<u8> {
    match number % 7 {
        0 => Vec::new(),
        some => vec![number as u8; some * 100],
    }
}

fn in_order(m: &Mechanism) {
    let t = start();
    let mut receiver = Receiver::open(m.address(&t)).unwrap();
    let mut peer = t.spawn("end", &["send", &m.theirs(receiver.address(), "")]);
    peer.hear();
    if m.keeps_all {
        for number in 0..100 {
            peer.tell(&format!("send {number}"));
        }
    }
    for number in 0..100 {
        if !m.keeps_all {
            peer.tell(&format!("send {number}"));
        }
        assert_eq!(receive(&mut receiver), numbered(number), "number {number}");
    }
    for _ in 0..100 {
        peer.expect("sent");
    }
    assert_eq!(receiver.lost(), 0);
    let mut message = Vec::new();
    assert!(!receiver.try_recv(&mut message).unwrap());
    end_of(peer);
}

fn sender_listens(m: &Mechanism) {
    let t = start();
    if !m.has_roles {
        return;
    }
    let mut sender = Channel::at(m.address(&t)).unwrap().listen().sender().unwrap();
    let theirs = m.theirs(sender.address(), "role=connect");
    let mut peer = t.spawn("end", &["recv", &theirs]);
    peer.hear();
    sender.wait_for_peer(PATIENCE).unwrap();
    for number in 0..20 {
        sender.send_timeout(numbered(number), PATIENCE).unwrap();
        peer.tell("recv");
        peer.expect(&peers::digest(&numbered(number)));
    }
    sender.close(PATIENCE).unwrap();
    peer.tell("recv");
    peer.expect("Disconnected");
    end_of(peer);
}

#[test]
fn a_sender_can_go_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Sender>();
    is_send::<Receiver>();
    is_send::<quintet::channel::Duplex>();
}
