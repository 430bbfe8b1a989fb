//! Waiting for a server, or not.

use crate::common::{LONG, MODES, SHORT, assert_fails, connected, read_exactly, server, try_connect};
use quintet::pipe::{PipeClient, PipeMode, PipeServer};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::start;
use std::thread;
use std::time::Duration;

#[test]
fn a_client_waits_for_a_server_to_appear() {
    let t = start();
    for mode in MODES {
        let name = t.name("appear");
        let mut peer = t.spawn("patient_client", &[&name]);
        peer.expect("NotFound");
        let server = server(&name, mode);
        let stream = server.accept_timeout(LONG).unwrap();
        stream.write_all("welcome").unwrap();
        drop(stream);
        peer.expect("welcome");
        peer.finish();
    }
}

#[test]
fn a_client_that_does_not_wait_says_that_there_is_no_server() {
    let t = start();
    let name = t.name("none");
    let error = assert_fails(try_connect(&name), ErrorKind::NotFound);
    let text = error.to_string();
    assert!(text.starts_with(&format!("pipe://{name}: ")), "{text}");
    assert_eq!(error.object(), Some(format!("pipe://{name}").as_str()));
    for mode in MODES {
        let builder = PipeClient::builder(&name).unwrap().mode(mode);
        assert_fails(
            builder.connect_timeout(Duration::ZERO).connect(),
            ErrorKind::NotFound,
        );
    }
}

#[test]
fn a_client_that_does_not_wait_says_that_the_server_is_busy() {
    let t = start();
    let name = t.name("busy");
    for mode in MODES {
        let server = PipeServer::builder(&name)
            .unwrap()
            .mode(mode)
            .max_instances(1)
            .create()
            .unwrap();
        let _streams = connected(&server);
        let error = assert_fails(try_connect(&name), ErrorKind::Busy);
        assert!(error.to_string().contains("max_instances"), "{error}");
        let builder = PipeClient::builder(&name).unwrap().mode(mode);
        assert_fails(builder.connect_timeout(Duration::ZERO).connect(), ErrorKind::Busy);
    }
}

#[test]
fn waiting_for_a_server_in_vain_ends_at_the_deadline() {
    let t = start();
    let name = t.name("vain");
    let builder = PipeClient::builder(&name).unwrap().connect_timeout(SHORT);
    assert_fails(builder.connect(), ErrorKind::TimedOut);
    let server = PipeServer::builder(&name)
        .unwrap()
        .max_instances(1)
        .create()
        .unwrap();
    let (ours, theirs) = connected(&server);
    for mode in [None, Some(PipeMode::Byte)] {
        let mut builder = PipeClient::builder(&name).unwrap().connect_timeout(SHORT);
        if let Some(mode) = mode {
            builder = builder.mode(mode);
        }
        assert_fails(builder.connect(), ErrorKind::TimedOut);
    }
    // Those in vain have left no trace.
    ours.write_all("still").unwrap();
    assert_eq!(read_exactly(&theirs, 5), b"still");
    drop((ours, theirs));
    let (ours, theirs) = connected(&server);
    theirs.write_all("again").unwrap();
    assert_eq!(read_exactly(&ours, 5), b"again");
}

#[test]
fn several_calls_can_share_a_deadline() {
    let t = start();
    let name = t.name("shared");
    let deadline = Deadline::after(SHORT);
    let builder = PipeClient::builder(&name).unwrap().connect_deadline(deadline);
    assert_fails(builder.clone().connect(), ErrorKind::TimedOut);
    assert!(deadline.has_passed());
    // Nothing is left of it for the second, which was not told not to wait either.
    assert_fails(builder.connect(), ErrorKind::TimedOut);
}

#[test]
fn a_timeout_counts_from_the_call_of_connect() {
    let t = start();
    let name = t.name("late");
    let builder = PipeClient::builder(&name).unwrap().connect_timeout(SHORT);
    let passed = Deadline::after(SHORT);
    while !passed.has_passed() {
        thread::yield_now();
    }
    // A deadline that had passed already would say that there is no server.
    assert_fails(builder.connect(), ErrorKind::TimedOut);
}

#[test]
fn the_longest_timeout_is_none() {
    let t = start();
    let name = t.name("longest");
    let server = server(&name, PipeMode::Byte);
    let builder = PipeClient::builder(&name).unwrap();
    let client = builder.connect_timeout(Duration::MAX).connect().unwrap();
    let stream = server.accept_timeout(Duration::MAX).unwrap();
    stream.set_read_timeout(Some(Duration::MAX));
    client.set_write_timeout(Some(Duration::MAX));
    client.write("x").unwrap();
    assert_eq!(read_exactly(&stream, 1), b"x");
}

#[test]
fn a_client_connects_again_and_again() {
    let t = start();
    for mode in MODES {
        let server = PipeServer::builder(t.name("again")).unwrap().mode(mode);
        let server = server.max_instances(1).create().unwrap();
        for n in 0..50_u8 {
            let (ours, theirs) = connected(&server);
            theirs.write([n]).unwrap();
            assert_eq!(read_exactly(&ours, 1), [n]);
            // Either may be the first to leave.
            if n % 2 == 0 {
                drop(ours);
            } else {
                drop(theirs);
            }
        }
    }
}
