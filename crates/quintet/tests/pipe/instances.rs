//! How many clients a server has, and how they get to it.

use crate::common::{
    LONG, MODES, SHORT, assert_ended, assert_fails, connected, limited, read_exactly, server, try_connect,
};
use quintet::ErrorKind;
use quintet::pipe::{PipeClient, PipeMode, PipeServer};
use quintet_testkit::{Role, start};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Connects `arg(2)` times, each time says who it is (`arg(1)` and a number), and must be answered with the same.
pub(crate) fn visitor(p: &mut Role) {
    let visits: u32 = p.arg(2).parse().unwrap();
    for visit in 0..visits {
        let stream = PipeClient::connect(p.arg(0)).unwrap();
        let card = format!("{}{visit:04}", p.arg(1));
        stream.write_all(&card).unwrap();
        assert_eq!(read_exactly(&stream, card.len()), card.as_bytes());
    }
}

#[test]
fn a_third_client_is_busy_until_one_of_two_has_left() {
    let t = start();
    for mode in MODES {
        let name = t.name("two");
        let server = limited(&name, mode, 2);
        let first = connected(&server);
        let second = connected(&server);
        assert_fails(try_connect(&name), ErrorKind::Busy);
        // The place is the server's stream, not the client.
        let (ours, theirs) = first;
        drop(theirs);
        assert_ended(&ours);
        assert_fails(try_connect(&name), ErrorKind::Busy);
        drop(ours);
        let third = connected(&server);
        assert_fails(try_connect(&name), ErrorKind::Busy);
        drop((second, third));
        let _fourth = connected(&server);
        let _fifth = connected(&server);
        assert_fails(try_connect(&name), ErrorKind::Busy);
    }
}

#[test]
fn a_waiting_client_gets_in_when_another_leaves() {
    let t = start();
    for mode in MODES {
        let name = t.name("wait");
        let server = limited(&name, mode, 1);
        let (ours, theirs) = connected(&server);
        let mut peer = t.spawn("patient_client", &[&name]);
        peer.expect("Busy");
        ours.write_all("not for you").unwrap();
        assert_eq!(read_exactly(&theirs, 11), b"not for you");
        drop((ours, theirs));
        let stream = server.accept_timeout(LONG).unwrap();
        stream.write_all("welcome").unwrap();
        drop(stream);
        peer.expect("welcome");
        peer.finish();
    }
}

#[test]
fn a_full_server_accepts_nobody_until_a_stream_is_dropped() {
    let t = start();
    for mode in MODES {
        let name = t.name("full");
        let server = limited(&name, mode, 1);
        let (ours, theirs) = connected(&server);
        let mut peer = t.spawn("patient_client", &[&name]);
        peer.expect("Busy");
        assert_fails(server.accept_timeout(Duration::ZERO), ErrorKind::TimedOut);
        assert_fails(server.accept_timeout(SHORT), ErrorKind::TimedOut);
        thread::scope(|scope| {
            let accept = scope.spawn(|| server.accept_timeout(LONG).unwrap());
            drop((ours, theirs));
            let stream = accept.join().unwrap();
            stream.write_all("welcome").unwrap();
        });
        peer.expect("welcome");
        peer.finish();
    }
}

#[test]
fn accepting_nobody_ends_at_the_deadline() {
    let t = start();
    for mode in MODES {
        let name = t.name("nobody");
        let server = server(&name, mode);
        assert_fails(server.accept_timeout(Duration::ZERO), ErrorKind::TimedOut);
        let error = assert_fails(server.accept_timeout(SHORT), ErrorKind::TimedOut);
        assert!(error.to_string().contains(&name), "{error}");
        // A client that is there already needs no waiting.
        let client = PipeClient::connect(&name).unwrap();
        let stream = server.accept_timeout(Duration::ZERO).unwrap();
        client.write("x").unwrap();
        assert_eq!(read_exactly(&stream, 1), b"x");
    }
}

#[test]
fn a_client_that_left_before_it_was_accepted_does_no_harm() {
    let t = start();
    for mode in MODES {
        let name = t.name("hasty");
        let server = server(&name, mode);
        let hasty = PipeClient::connect(&name).unwrap();
        hasty.write("bye").unwrap();
        drop(hasty);
        // Whether it is still seen or not, the next one is served.
        let client = PipeClient::connect(&name).unwrap();
        client.write("hello").unwrap();
        let mut first = [0];
        while first != *b"h" {
            let stream = server.accept_timeout(LONG).unwrap();
            stream.read(&mut first).unwrap();
        }
    }
}

#[test]
fn threads_that_accept_at_once_get_a_client_each() {
    const ACCEPTING: usize = 4;
    const CLIENTS: usize = 4;
    const VISITS: usize = 25;
    let t = start();
    for (mode, max) in [
        (PipeMode::Byte, None),
        (PipeMode::Message, Some(ACCEPTING as u32)),
        (PipeMode::Byte, Some(2)),
        (PipeMode::Message, Some(1)),
    ] {
        let name = t.name("crowd");
        let mut builder = PipeServer::builder(&name).unwrap().mode(mode);
        if let Some(max) = max {
            builder = builder.max_instances(max);
        }
        let server = builder.create().unwrap();
        let (left, inside) = (AtomicUsize::new(CLIENTS * VISITS), AtomicUsize::new(0));
        let peers: Vec<_> = (0..CLIENTS)
            .map(|n| t.spawn("visitor", &[&name, &n.to_string(), &VISITS.to_string()]))
            .collect();
        thread::scope(|scope| {
            for _ in 0..ACCEPTING {
                scope.spawn(|| {
                    let is_mine = |left: usize| left.checked_sub(1);
                    while left
                        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_mine)
                        .is_ok()
                    {
                        let stream = server.accept_timeout(LONG).unwrap();
                        let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                        assert!(max.is_none_or(|max| now <= max as usize), "{now} are in");
                        let card = read_exactly(&stream, 5);
                        stream.write_all(card).unwrap();
                        assert_ended(&stream);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        for peer in peers {
            peer.finish();
        }
        assert_fails(server.accept_timeout(Duration::ZERO), ErrorKind::TimedOut);
    }
}

#[test]
fn a_number_of_instances_is_1_to_254() {
    let t = start();
    for max in [0, 255, 256, u32::MAX] {
        let builder = PipeServer::builder(t.name("number")).unwrap();
        let error = assert_fails(builder.max_instances(max).create(), ErrorKind::InvalidAddress);
        assert!(error.to_string().contains(&max.to_string()), "{error}");
    }
    for max in [1, 254] {
        let server = limited(&t.name("number"), PipeMode::Byte, max);
        let _streams = connected(&server);
    }
}
