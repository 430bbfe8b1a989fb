//! What each pattern means, between processes.

use super::{PATIENCE, any_port, fails, number_of, numbered, places};
use quintet::socket::{Options, Pair, Pub, Pull, Push, Rep, Req, Sub};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::{Role, eventually, start};
use std::collections::HashSet;
use std::thread;
use std::time::Duration;

/// Lengths around those where something changes: the buffer, what is written past it, what the system takes.
const LENGTHS: [usize; 9] = [0, 1, 64, 4080, 4096, 40_000, 70_000, 1 << 20, 5 << 20];

/// Connects and takes part in a pattern: the other end of each test here.
pub(crate) fn talks(p: &mut Role) {
    let (pattern, address) = (p.arg(0).to_owned(), p.arg(1).to_owned());
    match pattern.as_str() {
        "pull" => {
            let pull = Pull::new().unwrap();
            pull.dial(&address).unwrap();
            for len in LENGTHS {
                assert_eq!(number_of(&pull.recv_timeout(PATIENCE).unwrap(), len), len);
            }
        }
        "push" => {
            let push = Push::new().unwrap();
            push.dial(&address).unwrap();
            for len in LENGTHS {
                push.send_timeout(numbered(len, len), PATIENCE).unwrap();
            }
            push.close().unwrap();
        }
        "sub" => {
            let sub = Sub::new().unwrap();
            sub.subscribe("a.");
            sub.dial(&address).unwrap();
            for len in LENGTHS {
                let message = sub.recv_timeout(PATIENCE).unwrap();
                assert_eq!(number_of(&message[2..], len), len);
            }
        }
        "pair" => {
            let pair = Pair::new().unwrap();
            pair.dial(&address).unwrap();
            for _ in LENGTHS {
                let message = pair.recv_timeout(PATIENCE).unwrap();
                pair.send_timeout(&message, PATIENCE).unwrap();
            }
            pair.close().unwrap();
        }
        "req" => {
            let req = Req::new().unwrap();
            req.dial(&address).unwrap();
            for len in LENGTHS {
                let message = numbered(len, len);
                assert!(req.request_timeout(&message, PATIENCE).unwrap() == message);
            }
        }
        other => panic!("{other}"),
    }
    p.say("done");
}

#[test]
fn push_hands_whole_messages_of_any_length_to_pull() {
    let t = start();
    for place in places(&t) {
        let push = Push::new().unwrap();
        let address = push.listen(&place).unwrap();
        let mut peer = t.spawn("talks", &["pull", &address.to_string()]);
        for len in LENGTHS {
            push.send_timeout(numbered(len, len), PATIENCE).unwrap();
        }
        peer.expect("done");
        assert_eq!(push.stats().sent, LENGTHS.len() as u64);
    }
}

#[test]
fn pull_takes_from_push_what_was_sent_before_it_closed() {
    let t = start();
    for place in places(&t) {
        let pull = Pull::new().unwrap();
        let address = pull.listen(&place).unwrap();
        let mut peer = t.spawn("talks", &["push", &address.to_string()]);
        for len in LENGTHS {
            assert_eq!(number_of(&pull.recv_timeout(PATIENCE).unwrap(), len), len);
        }
        peer.expect("done");
        peer.finish();
        fails(pull.recv_timeout(Duration::ZERO), ErrorKind::TimedOut);
        eventually("the peer has gone", || pull.stats().disconnected == 1);
        assert_eq!(pull.stats().broken, 0);
    }
}

#[test]
fn subscribers_get_their_topics_and_nothing_else() {
    let t = start();
    for place in places(&t) {
        let publisher = Pub::with(&Options::new().send_mark(64 << 20)).unwrap();
        let address = publisher.listen(&place).unwrap();
        let mut peer = t.spawn("talks", &["sub", &address.to_string()]);
        publisher.wait_for_peers(1, PATIENCE).unwrap();
        for len in LENGTHS {
            publisher.send([b"b.", &numbered(1, len)[..]].concat()).unwrap();
            publisher.send([b"a.", &numbered(len, len)[..]].concat()).unwrap();
        }
        peer.expect("done");
        assert_eq!(publisher.stats().dropped, 0);
    }
}

#[test]
fn a_pair_talks_both_ways() {
    let t = start();
    for place in places(&t) {
        let pair = Pair::new().unwrap();
        let address = pair.listen(&place).unwrap();
        let mut peer = t.spawn("talks", &["pair", &address.to_string()]);
        for len in LENGTHS {
            let message = numbered(len, len);
            pair.send_timeout(&message, PATIENCE).unwrap();
            assert!(pair.recv_timeout(PATIENCE).unwrap() == message);
        }
        peer.expect("done");
    }
}

#[test]
fn requests_are_answered() {
    let t = start();
    for place in places(&t) {
        let rep = Rep::new().unwrap();
        let address = rep.listen(&place).unwrap();
        let mut peer = t.spawn("talks", &["req", &address.to_string()]);
        for len in LENGTHS {
            let request = rep.recv_timeout(PATIENCE).unwrap();
            assert_eq!(number_of(request.body(), len), len);
            let body = request.body().to_vec();
            request.reply(body).unwrap();
        }
        peer.expect("done");
    }
}

#[test]
fn requests_go_to_all_servers_by_turns() {
    let _t = start();
    let servers = [Rep::new().unwrap(), Rep::new().unwrap(), Rep::new().unwrap()];
    let req = Req::new().unwrap();
    for server in &servers {
        req.dial(server.listen(any_port()).unwrap()).unwrap();
    }
    thread::scope(|scope| {
        let asker = scope.spawn(|| {
            req.wait_for_peers(3, PATIENCE).unwrap();
            for round in 0..30 {
                assert_eq!(req.request_timeout(format!("{round}"), PATIENCE).unwrap(), b"yes");
            }
        });
        for server in &servers {
            scope.spawn(move || {
                for _ in 0..10 {
                    server.recv_timeout(PATIENCE).unwrap().reply("yes").unwrap();
                }
            });
        }
        asker.join().unwrap();
    });
}

#[test]
fn several_requests_are_under_way_at_once_and_answered_in_any_order() {
    let _t = start();
    let rep = Rep::new().unwrap();
    let address = rep.listen(any_port()).unwrap();
    thread::scope(|scope| {
        for number in 0..8 {
            let address = &address;
            scope.spawn(move || {
                let req = Req::new().unwrap();
                req.dial(address).unwrap();
                let question = format!("question {number}");
                let answer = req.request_timeout(&question, PATIENCE).unwrap();
                assert_eq!(answer, question.as_bytes());
            });
        }
        let mut requests: Vec<_> = (0..8).map(|_| rep.recv_timeout(PATIENCE).unwrap()).collect();
        requests.reverse();
        for request in requests {
            let body = request.body().to_vec();
            request.reply(body).unwrap();
        }
    });
}

#[test]
fn a_request_without_a_reply_is_asked_again() {
    let _t = start();
    let rep = Rep::new().unwrap();
    let req = Req::with(&Options::new().retry(Duration::from_millis(20))).unwrap();
    req.dial(rep.listen(any_port()).unwrap()).unwrap();
    thread::scope(|scope| {
        let asker = scope.spawn(|| req.request_timeout("?", PATIENCE).unwrap());
        // Dropped without an answer, as by a server that has lost it.
        drop(rep.recv_timeout(PATIENCE).unwrap());
        let again = rep.recv_timeout(PATIENCE).unwrap();
        assert_eq!(again.body(), b"?");
        again.reply("!").unwrap();
        assert_eq!(asker.join().unwrap(), b"!");
    });
    assert!(req.stats().retried >= 1);
}

#[test]
fn a_late_reply_is_not_taken_for_the_next_ones() {
    let _t = start();
    let rep = Rep::new().unwrap();
    let req = Req::new().unwrap();
    req.dial(rep.listen(any_port()).unwrap()).unwrap();
    req.wait_for_peers(1, PATIENCE).unwrap();
    thread::scope(|scope| {
        let impatient = scope.spawn(|| req.request_timeout("first", Duration::from_millis(50)));
        let first = rep.recv_timeout(PATIENCE).unwrap();
        fails(impatient.join().unwrap(), ErrorKind::TimedOut);
        first.reply("late").unwrap();
        let second = scope.spawn(|| req.request_timeout("second", PATIENCE).unwrap());
        let request = rep.recv_timeout(PATIENCE).unwrap();
        assert_eq!(request.body(), b"second");
        request.reply("in time").unwrap();
        assert_eq!(second.join().unwrap(), b"in time");
    });
    assert_eq!(req.stats().discarded, 1);
}

#[test]
fn work_is_handed_to_all_who_pull_each_piece_once() {
    const PIECES: usize = 3000;
    let _t = start();
    let push = Push::new().unwrap();
    let address = push.listen(any_port()).unwrap();
    let pulls: Vec<Pull> = (0..3).map(|_| Pull::new().unwrap()).collect();
    for pull in &pulls {
        pull.dial(&address).unwrap();
    }
    push.wait_for_peers(3, PATIENCE).unwrap();
    for number in 0..PIECES {
        push.send_timeout(numbered(number, 10), PATIENCE).unwrap();
    }
    let mut seen = HashSet::new();
    for pull in &pulls {
        for _ in 0..PIECES / 3 {
            assert!(seen.insert(number_of(&pull.recv_timeout(PATIENCE).unwrap(), 10)));
        }
        fails(pull.recv_timeout(Deadline::now()), ErrorKind::TimedOut);
    }
    assert_eq!(seen.len(), PIECES);
}

#[test]
fn a_pull_takes_from_all_who_push() {
    let _t = start();
    let pull = Pull::new().unwrap();
    let address = pull.listen(any_port()).unwrap();
    thread::scope(|scope| {
        for pusher in 0..4 {
            let address = &address;
            scope.spawn(move || {
                let push = Push::new().unwrap();
                push.dial(address).unwrap();
                for number in 0..500 {
                    push.send_timeout(numbered(pusher * 500 + number, 100), PATIENCE)
                        .unwrap();
                }
                push.close().unwrap();
            });
        }
        let mut last = [None; 4];
        for _ in 0..2000 {
            let number = number_of(&pull.recv_timeout(PATIENCE).unwrap(), 100);
            // Of each of them in its order.
            let last = &mut last[number / 500];
            assert!(
                last.is_none_or(|last| number == last + 1),
                "{last:?}, then {number}"
            );
            *last = Some(number);
        }
    });
}

#[test]
fn a_pair_has_one_peer() {
    let _t = start();
    let pair = Pair::new().unwrap();
    let address = pair.listen(any_port()).unwrap();
    let first = Pair::new().unwrap();
    first.dial(&address).unwrap();
    pair.wait_for_peers(1, PATIENCE).unwrap();
    let second = Pair::new().unwrap();
    second.dial(&address).unwrap();
    eventually("the second is sent away", || pair.stats().refused > 0);
    pair.send_timeout("for the first", PATIENCE).unwrap();
    assert_eq!(first.recv_timeout(PATIENCE).unwrap(), b"for the first");
    fails(
        second.recv_timeout(Duration::from_millis(20)),
        ErrorKind::TimedOut,
    );
    // When the first has gone the second gets its turn.
    drop(first);
    eventually("it is seen to have gone", || pair.stats().disconnected == 1);
    pair.send_timeout("for the second", PATIENCE).unwrap();
    assert_eq!(second.recv_timeout(PATIENCE).unwrap(), b"for the second");
}

#[test]
fn threads_share_a_socket() {
    let _t = start();
    let pull = Pull::new().unwrap();
    let push = Push::new().unwrap();
    push.dial(pull.listen(any_port()).unwrap()).unwrap();
    thread::scope(|scope| {
        let takers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    (0..500)
                        .map(|_| number_of(&pull.recv_timeout(PATIENCE).unwrap(), 100))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for giver in 0..4 {
            let push = &push;
            scope.spawn(move || {
                for number in 0..500 {
                    push.send_timeout(numbered(giver * 500 + number, 100), PATIENCE)
                        .unwrap();
                }
            });
        }
        let mut all: Vec<usize> = takers
            .into_iter()
            .flat_map(|taker| taker.join().unwrap())
            .collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..2000));
    });
}

#[test]
fn the_last_messages_of_a_burst_go_out_though_nothing_more_is_called() {
    let _t = start();
    let pull = Pull::new().unwrap();
    let push = Push::new().unwrap();
    push.dial(pull.listen(any_port()).unwrap()).unwrap();
    for number in 0..5000 {
        push.send_timeout(numbered(number, 8), PATIENCE).unwrap();
    }
    for number in 0..5000 {
        assert_eq!(number_of(&pull.recv_timeout(PATIENCE).unwrap(), 8), number);
    }
}
