//! Peers that do what they must not: each is disconnected with a reason, and the others do not notice.

use super::{PATIENCE, any_port};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use quintet::Address;
use quintet::socket::{Options, Pub, Pull, Push, Rep, Req, Stream};
use quintet_testkit::{eventually, start};
use std::thread;
use std::time::Duration;

const PUSH: [u8; 8] = [0, b'S', b'P', 0, 0, 0x50, 0, 0];
const REQ: [u8; 8] = [0, b'S', b'P', 0, 0, 0x30, 0, 0];
const SUB: [u8; 8] = [0, b'S', b'P', 0, 0, 0x21, 0, 0];

/// Sends these bytes, and waits until the other side has closed.
fn is_thrown_out(address: &Address, bytes: &[u8]) {
    let stream = Stream::connect_timeout(address, PATIENCE).unwrap();
    // It may be closed before all is written.
    let _ = stream.write_all(bytes);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut rest = [0; 64];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == quintet::ErrorKind::Disconnected => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn who_breaks_the_rules_is_disconnected_with_a_reason() {
    let _t = start();
    let pull = Pull::with(&Options::new().max_message(1 << 20)).unwrap();
    let address = pull.listen(any_port()).unwrap();
    let honest = Push::new().unwrap();
    honest.dial(&address).unwrap();
    let long = [&PUSH[..], &u64::MAX.to_be_bytes()].concat();
    let a_little_long = [&PUSH[..], &((1u64 << 20) + 1).to_be_bytes()].concat();
    for (count, (bytes, why)) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "no handshake"),
        (&REQ[..], "speaks req"),
        (&[0, b'S', b'P', 0, 0, 0x50, 0, 1][..], "no handshake"),
        (&long[..], "18446744073709551615 bytes"),
        (&a_little_long[..], "1048577 bytes"),
    ]
    .into_iter()
    .enumerate()
    {
        thread::scope(|scope| {
            let taker = scope.spawn(|| pull.recv_timeout(PATIENCE).unwrap());
            is_thrown_out(&address, bytes);
            let stats = pull.stats();
            assert_eq!(stats.refused, count as u64 + 1);
            let trouble = stats.last_trouble.unwrap();
            assert!(trouble.contains(why), "{trouble}");
            honest.send_timeout("still here", PATIENCE).unwrap();
            assert_eq!(taker.join().unwrap(), b"still here");
        });
    }
    assert_eq!(honest.stats().disconnected, 0);
}

#[test]
fn who_sends_where_nothing_is_expected_is_disconnected() {
    let _t = start();
    let publisher = Pub::new().unwrap();
    let address = publisher.listen(any_port()).unwrap();
    is_thrown_out(&address, &[&SUB[..], &2u64.to_be_bytes(), b"hi"].concat());
    assert_eq!(publisher.stats().refused, 1);
}

#[test]
fn who_does_not_say_what_he_is_is_disconnected_in_time_nobody_else_waits_for_him() {
    let _t = start();
    let pull = Pull::with(&Options::new().handshake_timeout(Duration::from_millis(200))).unwrap();
    let address = pull.listen(any_port()).unwrap();
    let slow = Stream::connect_timeout(&address, PATIENCE).unwrap();
    slow.write_all(&PUSH[..5]).unwrap();
    let honest = Push::new().unwrap();
    honest.dial(&address).unwrap();
    honest.send_timeout("first", PATIENCE).unwrap();
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap(), b"first");
    // In the background, as nobody is in a call.
    eventually("the slow one is disconnected", || pull.stats().refused == 1);
    let trouble = pull.stats().last_trouble.unwrap();
    assert!(trouble.contains("did not say in time"), "{trouble}");
}

#[test]
fn silent_connections_are_bounded_in_number() {
    let _t = start();
    let pull = Pull::new().unwrap();
    let address = pull.listen(any_port()).unwrap();
    let silent: Vec<Stream> = (0..300)
        .map(|_| Stream::connect_timeout(&address, PATIENCE).unwrap())
        .collect();
    eventually("the oldest are sent away", || {
        let stats = pull.stats();
        stats.pending == 256 && stats.refused as usize == silent.len() - 256
    });
    let honest = Push::new().unwrap();
    honest.dial(&address).unwrap();
    honest.send_timeout("through the crowd", PATIENCE).unwrap();
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap(), b"through the crowd");
}

#[test]
fn requests_without_a_proper_header_are_dropped_and_counted() {
    let _t = start();
    let rep = Rep::new().unwrap();
    let address = rep.listen(any_port()).unwrap();
    let odd = Stream::connect_timeout(&address, PATIENCE).unwrap();
    odd.write_all(REQ).unwrap();
    for message in [&b""[..], b"abc", b"abcd", &[0; 200], &[0x7f; 64]] {
        odd.write_all((message.len() as u64).to_be_bytes()).unwrap();
        odd.write_all(message).unwrap();
    }
    let req = Req::new().unwrap();
    req.dial(&address).unwrap();
    thread::scope(|scope| {
        let asker = scope.spawn(|| req.request_timeout("?", PATIENCE).unwrap());
        rep.recv_timeout(PATIENCE).unwrap().reply("!").unwrap();
        assert_eq!(asker.join().unwrap(), b"!");
        eventually("all are dropped", || {
            let _ = rep.recv_timeout(Duration::ZERO);
            rep.stats().discarded == 5
        });
    });
    // A header that others have passed on is given back as it came.
    let passed_on = [0, 0, 0, 9, 0x80, 0, 0, 1, b'?'];
    odd.write_all((passed_on.len() as u64).to_be_bytes()).unwrap();
    odd.write_all(passed_on).unwrap();
    rep.recv_timeout(PATIENCE).unwrap().reply("!!").unwrap();
    let mut reply = [0; 8 + 8 + 8 + 2];
    odd.read_exact(&mut reply).unwrap();
    assert_eq!(
        reply[8..],
        [0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 9, 0x80, 0, 0, 1, b'!', b'!']
    );
}

#[test]
fn any_bytes_leave_a_server_as_it_was() {
    let _t = start();
    let rep = Rep::with(&Options::new().max_message(4096)).unwrap();
    let address = rep.listen(any_port()).unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            loop {
                let request = rep.recv_timeout(PATIENCE).unwrap();
                let is_last = request.body() == b"last";
                let _ = request.reply("seen");
                if is_last {
                    return;
                }
            }
        });
        let req = Req::new().unwrap();
        req.dial(&address).unwrap();
        let config = Config {
            cases: 60,
            failure_persistence: None,
            ..Config::default()
        };
        let frame = prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|body| [&(body.len() as u64).to_be_bytes()[..], &body].concat());
        let piece = prop_oneof![3 => frame, 1 => prop::collection::vec(any::<u8>(), 0..30)];
        let bytes = (any::<bool>(), prop::collection::vec(piece, 0..6));
        let run = TestRunner::new(config).run(&bytes, |(greets, pieces)| {
            let stream = Stream::connect_timeout(&address, PATIENCE).unwrap();
            if greets {
                let _ = stream.write_all(REQ);
            }
            let _ = stream.write_all(pieces.concat());
            drop(stream);
            prop_assert_eq!(req.request_timeout("well?", PATIENCE).unwrap(), b"seen");
            Ok(())
        });
        run.unwrap();
        assert_eq!(req.request_timeout("last", PATIENCE).unwrap(), b"seen");
        server.join().unwrap();
        assert_eq!(req.stats().disconnected, 0);
    });
}
