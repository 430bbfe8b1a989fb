//! Listening and dialing, in either order, and again.

use super::{PATIENCE, any_port, fails, places};
use quintet::socket::{Options, Pair, Pull, Push, Rep, Req};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::{eventually, start};
use std::thread;
use std::time::Duration;

#[test]
fn who_dials_first_waits_for_who_listens() {
    let t = start();
    for place in places(&t) {
        // A port that is free; nobody takes it in between, or dialing goes on.
        let place = Pull::new().unwrap().listen(&place).unwrap();
        let push = Push::new().unwrap();
        push.dial(&place).unwrap();
        eventually("it has tried in vain", || push.stats().dial_failures > 0);
        let error = fails(push.wait_for_peers(1, Deadline::now()), ErrorKind::TimedOut);
        assert!(error.to_string().contains("cannot connect"), "{error}");
        fails(
            push.send_timeout("too early", Duration::ZERO),
            ErrorKind::TimedOut,
        );
        let pull = Pull::new().unwrap();
        pull.listen(&place).unwrap();
        push.send_timeout("there you are", PATIENCE).unwrap();
        assert_eq!(pull.recv_timeout(PATIENCE).unwrap(), b"there you are");
    }
}

#[test]
fn a_dialer_comes_back_when_its_server_does() {
    let t = start();
    for place in places(&t) {
        let req = Req::new().unwrap();
        let mut place = place;
        for round in 0..3 {
            let rep = Rep::new().unwrap();
            place = rep.listen(&place).unwrap();
            if round == 0 {
                req.dial(&place).unwrap();
            }
            thread::scope(|scope| {
                let asker = scope.spawn(|| req.request_timeout("are you there?", PATIENCE).unwrap());
                rep.recv_timeout(PATIENCE)
                    .unwrap()
                    .reply(format!("{round}"))
                    .unwrap();
                assert_eq!(asker.join().unwrap(), format!("{round}").as_bytes());
            });
            rep.close().unwrap();
        }
    }
}

#[test]
fn a_socket_has_several_endpoints_of_both_kinds() {
    let t = start();
    let pull = Pull::new().unwrap();
    let mut pushes = Vec::new();
    for place in places(&t) {
        let push = Push::new().unwrap();
        push.dial(pull.listen(&place).unwrap()).unwrap();
        pushes.push(push);
    }
    let listening = Push::new().unwrap();
    pull.dial(listening.listen(any_port()).unwrap()).unwrap();
    pushes.push(listening);
    for push in &pushes {
        push.send_timeout("from one", PATIENCE).unwrap();
        assert_eq!(pull.recv_timeout(PATIENCE).unwrap(), b"from one");
    }
    assert_eq!(pull.stats().connected, pushes.len() as u64);
}

#[test]
fn an_address_in_use_and_a_host_that_is_not_known_are_errors_at_once() {
    let t = start();
    for place in places(&t) {
        let first = Pull::new().unwrap();
        let place = first.listen(&place).unwrap();
        fails(Pull::new().unwrap().listen(&place), ErrorKind::AlreadyExists);
        // And are none any more afterwards.
        drop(first);
        Pull::new().unwrap().listen(&place).unwrap();
    }
    let req = Req::new().unwrap();
    fails(req.dial("tcp://no-such-host.invalid:1"), ErrorKind::NotFound);
    for other in ["mutex://x", "queue://x?capacity=4096"] {
        let error = fails(req.dial(other), ErrorKind::InvalidAddress);
        assert!(
            error.to_string().contains("not the address of a socket"),
            "{error}"
        );
    }
    let error = fails(req.dial("tcp://127.0.0.1:9?bogus=5"), ErrorKind::InvalidAddress);
    assert!(
        error
            .to_string()
            .ends_with("no option \"bogus\"; it has none here"),
        "{error}"
    );
    if cfg!(windows) {
        fails(req.dial("unix:///x"), ErrorKind::Unsupported);
    }
}

#[test]
fn names_as_long_as_the_system_takes_are_told_apart_and_longer_ones_refused() {
    let t = start();
    let (stem, longest) = if cfg!(windows) {
        (t.name("long"), 256 - r"\\.\pipe\".len())
    } else {
        (format!("{}/", t.temp_dir().display()), 107)
    };
    let address = |end: &str| format!("ipc://{stem}{}{end}", "x".repeat(longest - stem.len() - 1));
    let (one, other) = (Pull::new().unwrap(), Pull::new().unwrap());
    one.listen(&*address("1")).unwrap();
    other.listen(&*address("2")).unwrap();
    fails(
        Pull::new().unwrap().listen(&*address("1")),
        ErrorKind::AlreadyExists,
    );
    let push = Push::new().unwrap();
    push.dial(&*address("2")).unwrap();
    push.send_timeout("to the other", PATIENCE).unwrap();
    assert_eq!(other.recv_timeout(PATIENCE).unwrap(), b"to the other");
    for error in [
        fails(Pull::new().unwrap().listen(&*address("10")), ErrorKind::TooLarge),
        fails(push.dial(&*address("10")), ErrorKind::TooLarge),
    ] {
        let most = if cfg!(windows) {
            "at most 256"
        } else {
            "at most 107"
        };
        assert!(error.to_string().contains(most), "{error}");
    }
}

#[test]
fn both_versions_of_pair_work_and_do_not_mix() {
    let _t = start();
    let new = || Pair::with(&Options::new().pair_version1()).unwrap();
    let (one, other) = (new(), new());
    other.dial(one.listen(any_port()).unwrap()).unwrap();
    other.send_timeout("hello", PATIENCE).unwrap();
    assert_eq!(one.recv_timeout(PATIENCE).unwrap(), b"hello");
    let (new, old) = (new(), Pair::new().unwrap());
    old.dial(new.listen(any_port()).unwrap()).unwrap();
    eventually("the old one is refused", || new.stats().refused > 0);
    let trouble = new.stats().last_trouble.unwrap();
    assert!(trouble.contains("speaks pair"), "{trouble}");
}
