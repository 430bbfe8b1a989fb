//! Peers that are killed at a bad moment.

use super::{PATIENCE, any_port, fails, number_of, numbered, places};
use quintet::socket::{Listener, Options, Pull, Push, Rep, Req, Stream};
use quintet::{ErrorKind, test_hooks};
#[cfg(target_os = "linux")]
use quintet_testkit::start_with_deadline;
use quintet_testkit::{Role, eventually, start};
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Sends a message and a half by hand, and stays.
pub(crate) fn sends_half(p: &mut Role) {
    let stream = Stream::connect_timeout(p.arg(0), PATIENCE).unwrap();
    stream.write_all([0, b'S', b'P', 0, 0, 0x50, 0, 0]).unwrap();
    let whole = numbered(7, 100);
    stream.write_all((whole.len() as u64).to_be_bytes()).unwrap();
    stream.write_all(&whole).unwrap();
    let len: usize = p.arg(1).parse().unwrap();
    stream.write_all((len as u64).to_be_bytes()).unwrap();
    stream.write_all(vec![1; len / 2]).unwrap();
    p.say("half");
    p.listen();
}

#[test]
fn half_a_message_of_who_was_killed_is_counted_and_never_seen() {
    let t = start();
    let pull = Pull::new().unwrap();
    let address = pull.listen(any_port()).unwrap().to_string();
    for len in ["100", "400000"] {
        let mut peer = t.spawn("sends_half", &[&address, len]);
        peer.expect("half");
        assert_eq!(number_of(&pull.recv_timeout(PATIENCE).unwrap(), 100), 7);
        peer.kill();
        fails(pull.recv_timeout(Duration::from_millis(50)), ErrorKind::TimedOut);
        eventually("it is gone", || pull.stats().peers == 0);
    }
    assert_eq!(pull.stats().broken, 2);
    let push = Push::new().unwrap();
    push.dial(&address).unwrap();
    push.send_timeout("the next one", PATIENCE).unwrap();
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap(), b"the next one");
}

/// Sends numbered messages until it is killed.
#[cfg(target_os = "linux")]
pub(crate) fn dies_sending(p: &mut Role) {
    let push = Push::new().unwrap();
    push.dial(p.arg(0)).unwrap();
    for number in 0.. {
        push.send(numbered(number, number % 5000)).unwrap();
    }
}

// Not under Wine 8, whose server sometimes keeps a socket open that was being polled when its process was killed.
#[cfg(target_os = "linux")]
#[test]
fn of_who_is_killed_while_it_sends_all_comes_up_to_some_message() {
    let t = start();
    let pull = Pull::new().unwrap();
    let address = pull.listen(any_port()).unwrap().to_string();
    for round in 1..=5 {
        let mut peer = t.spawn("dies_sending", &[&address]);
        for number in 0..200 * round {
            assert_eq!(
                number_of(&pull.recv_timeout(PATIENCE).unwrap(), number % 5000),
                number
            );
        }
        peer.kill();
        let mut next = 200 * round;
        while pull.stats().peers > 0 {
            if let Ok(message) = pull.recv_timeout(Duration::from_millis(5)) {
                assert_eq!(number_of(&message, next % 5000), next);
                next += 1;
            }
        }
    }
}

/// Takes a request and dies of it.
#[cfg(target_os = "linux")]
pub(crate) fn dies_answering(p: &mut Role) {
    let rep = Rep::new().unwrap();
    p.say(rep.listen(any_port()).unwrap());
    let _request = rep.recv().unwrap();
    p.die();
}

/// Takes a request by hand, and dies in the middle of its answer.
pub(crate) fn answers_half(p: &mut Role) {
    let listener = Listener::listen(any_port()).unwrap();
    p.say(listener.address());
    let stream = listener.accept().unwrap();
    stream.write_all([0, b'S', b'P', 0, 0, 0x31, 0, 0]).unwrap();
    let mut request = [0; 8 + 8 + 4];
    stream.read_exact(&mut request).unwrap();
    stream.write_all(1000u64.to_be_bytes()).unwrap();
    stream.write_all(&request[16..]).unwrap();
    stream.write_all("half of an ans").unwrap();
    p.die();
}

#[test]
fn a_request_whose_server_dies_is_answered_by_another() {
    let t = start();
    let roles: &[&str] = if cfg!(target_os = "linux") {
        &["dies_answering", "answers_half"]
    } else {
        // As above.
        &["answers_half"]
    };
    for role in roles {
        let mut doomed = t.spawn(role, &[]);
        let req = Req::new().unwrap();
        req.dial(doomed.hear().as_str()).unwrap();
        req.wait_for_peers(1, PATIENCE).unwrap();
        let rep = Rep::new().unwrap();
        let address = rep.listen(any_port()).unwrap();
        thread::scope(|scope| {
            let asker = scope.spawn(|| req.request_timeout("help", PATIENCE).unwrap());
            doomed.wait_exit();
            req.dial(&address).unwrap();
            rep.recv_timeout(PATIENCE).unwrap().reply("here").unwrap();
            assert_eq!(asker.join().unwrap(), b"here");
        });
        assert!(req.stats().retried >= 1, "{:?}", req.stats());
    }
}

#[test]
fn a_reply_to_who_has_gone_is_an_error_and_counted() {
    let _t = start();
    let rep = Rep::new().unwrap();
    let req = Req::new().unwrap();
    req.dial(rep.listen(any_port()).unwrap()).unwrap();
    // So that the deadline is not over before it has asked.
    req.wait_for_peers(1, PATIENCE).unwrap();
    fails(
        req.request_timeout("?", Duration::from_millis(50)),
        ErrorKind::TimedOut,
    );
    let request = rep.recv_timeout(PATIENCE).unwrap();
    drop(req);
    eventually("the client has gone", || rep.stats().peers == 0);
    fails(request.reply("too late"), ErrorKind::Disconnected);
    assert_eq!(rep.stats().lost, 1);
}

/// The peer lives, and only a write to it fails: whatever the connection is, it knows, and comes again.
#[test]
fn who_could_not_be_written_to_is_disconnected_and_comes_again() {
    const OUT_OF_MEMORY: i32 = if cfg!(windows) { 1450 } else { 12 };
    let t = start();
    for place in places(&t) {
        let rep = Rep::new().unwrap();
        let address = rep.listen(&place).unwrap();
        let req = Req::with(&Options::new().retry(Duration::MAX)).unwrap();
        req.dial(&address).unwrap();
        req.wait_for_peers(1, PATIENCE).unwrap();
        thread::scope(|scope| {
            // Of who answers, a write fails.
            let asker = scope.spawn(|| req.request_timeout("?", PATIENCE).unwrap());
            let request = rep.recv_timeout(PATIENCE).unwrap();
            test_hooks::fail_at(0, OUT_OF_MEMORY);
            request.reply("this is lost").unwrap();
            test_hooks::disarm();
            assert_eq!(rep.stats().lost, 1);
            rep.recv_timeout(PATIENCE).unwrap().reply("!").unwrap();
            assert_eq!(asker.join().unwrap(), b"!");
            assert_eq!(req.stats().retried, 1);
            // Of who asks.
            let asker = scope.spawn(|| {
                test_hooks::fail_at(0, OUT_OF_MEMORY);
                let answer = req.request_timeout("??", PATIENCE);
                test_hooks::disarm();
                answer.unwrap()
            });
            rep.recv_timeout(PATIENCE).unwrap().reply("!!").unwrap();
            assert_eq!(asker.join().unwrap(), b"!!");
        });
        let stats = req.stats();
        assert_eq!((stats.connected, stats.disconnected), (3, 2), "{stats:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_had_not_left_for_who_was_killed_goes_to_another() {
    let t = start();
    let push = Push::with(&Options::new().send_mark(64 << 20)).unwrap();
    let address = push.listen(any_port()).unwrap().to_string();
    // It takes one message, and reads no more.
    let mut stopped = t.spawn("talks", &["pull", &address]);
    push.wait_for_peers(1, PATIENCE).unwrap();
    stopped.stop();
    const PIECE: usize = 10_000;
    const PIECES: usize = 2000;
    for number in 0..PIECES {
        push.send_timeout(numbered(number, PIECE), PATIENCE).unwrap();
    }
    stopped.kill();
    let pull = Pull::new().unwrap();
    pull.dial(&address).unwrap();
    let first = number_of(&pull.recv_timeout(PATIENCE).unwrap(), PIECE);
    for number in first + 1..PIECES {
        assert_eq!(number_of(&pull.recv_timeout(PATIENCE).unwrap(), PIECE), number);
    }
    assert!(first < PIECES - 500, "{first}");
}

/// Answers at an address until it is killed.
#[cfg(target_os = "linux")]
pub(crate) fn is_server(p: &mut Role) {
    let rep = Rep::new().unwrap();
    rep.listen(p.arg(0)).unwrap();
    p.say("up");
    loop {
        let request = rep.recv().unwrap();
        let body = request.body().to_vec();
        let _ = request.reply(body);
    }
}

// Not under Wine, as above.
#[cfg(target_os = "linux")]
#[test]
fn a_server_that_is_killed_and_started_again_under_load_answers_everything_in_the_end() {
    let t = start_with_deadline(2 * PATIENCE);
    // A port that is free; the servers take it one after the other.
    let address = Rep::new().unwrap().listen(any_port()).unwrap().to_string();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let (address, over) = (&address, &over);
                scope.spawn(move || {
                    let req = Req::new().unwrap();
                    req.dial(address).unwrap();
                    let mut asked = 0;
                    while !over.load(Ordering::Relaxed) {
                        let question = numbered(client * 1_000_000 + asked, 100);
                        assert!(req.request_timeout(&question, PATIENCE).unwrap() == question);
                        asked += 1;
                    }
                    asked
                })
            })
            .collect();
        for _ in 0..5 {
            let mut server = t.spawn("is_server", &[&address]);
            server.expect("up");
            let req = Req::new().unwrap();
            req.dial(&address).unwrap();
            for _ in 0..50 {
                req.request_timeout("work", PATIENCE).unwrap();
            }
            server.kill();
        }
        // A last one, which stays, for those who wait.
        let mut server = t.spawn("is_server", &[&address]);
        server.expect("up");
        over.store(true, Ordering::Relaxed);
        for client in clients {
            assert!(client.join().unwrap() > 0);
        }
    });
}
