//! Streams of bytes.

use super::{PATIENCE, any_port, fails};
use quintet::socket::{Listener, Stream};
use quintet::{Address, Deadline, ErrorKind};
use quintet_testkit::{Test, start};
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

/// Where streams can be: a named pipe is no place for them.
fn places(t: &Test) -> Vec<Address> {
    let mut places = super::places(t);
    places.retain(|place| cfg!(target_os = "linux") || !place.to_string().starts_with("ipc:"));
    places
}

#[test]
fn bytes_go_both_ways_and_each_way_ends_by_itself() {
    let t = start();
    for place in places(&t) {
        let listener = Listener::listen(&place).unwrap();
        let address = listener.address().clone();
        let client = thread::spawn(move || {
            let mut client = Stream::connect_timeout(&address, PATIENCE).unwrap();
            client.write_all(vec![7; 1 << 20]).unwrap();
            client.end_writing().unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            answer
        });
        let mut server = listener.accept_timeout(PATIENCE).unwrap();
        let mut all = Vec::new();
        server.read_to_end(&mut all).unwrap();
        assert!(all == vec![7; 1 << 20]);
        // The other direction is open still.
        write!(server, "got {}", all.len()).unwrap();
        drop(server);
        assert_eq!(client.join().unwrap(), "got 1048576");
    }
}

#[test]
fn deadlines_are_kept_by_all_that_waits() {
    let t = start();
    for place in places(&t) {
        let listener = Listener::listen(&place).unwrap();
        fails(listener.accept_timeout(Deadline::now()), ErrorKind::TimedOut);
        fails(
            listener.accept_timeout(Duration::from_millis(5)),
            ErrorKind::TimedOut,
        );
        let client = Stream::connect_timeout(listener.address(), PATIENCE).unwrap();
        let server = listener.accept_timeout(PATIENCE).unwrap();
        server.set_read_timeout(Some(Duration::ZERO)).unwrap();
        fails(server.read(&mut [0; 4]), ErrorKind::TimedOut);
        client.set_write_timeout(Some(Duration::from_millis(5))).unwrap();
        // Nobody reads, so there is no room some day.
        let mut written = 0;
        let error = loop {
            match client.write([1; 65536]) {
                Ok(len) => written += len,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        // Nothing is lost by that.
        server.set_read_timeout(None).unwrap();
        drop(client);
        let mut all = Vec::new();
        (&server).read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), written);
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let _t = start();
    let listener = Listener::listen(any_port()).unwrap();
    let address = listener.address().clone();
    let error = fails(Listener::listen(&address), ErrorKind::AlreadyExists);
    assert!(
        error.to_string().contains("another socket listens there"),
        "{error}"
    );
    drop(listener);
    let error = fails(Stream::connect_timeout(&address, PATIENCE), ErrorKind::NotFound);
    assert!(error.to_string().contains("nobody listens there"), "{error}");
    let error = fails(
        Stream::connect("tcp://no-such-host.invalid:1"),
        ErrorKind::NotFound,
    );
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
    fails(Stream::connect("tcp://*:1"), ErrorKind::InvalidAddress);
    fails(Stream::connect("pipe://x"), ErrorKind::InvalidAddress);
    fails(
        Listener::listen("tcp://127.0.0.1:0?speed=9"),
        ErrorKind::InvalidAddress,
    );
    if cfg!(windows) {
        fails(Listener::listen("ipc://x"), ErrorKind::Unsupported);
    }
}

#[test]
fn who_waits_in_a_read_is_woken_by_a_disconnect() {
    let _t = start();
    let listener = Listener::listen(any_port()).unwrap();
    let client = Stream::connect_timeout(listener.address(), PATIENCE).unwrap();
    let _server = listener.accept_timeout(PATIENCE).unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(|| client.read(&mut [0; 1]));
        client.disconnect().unwrap();
        // The end, or that there is none to read from any more.
        match reader.join().unwrap() {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::Disconnected => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_listener_on_every_interface_is_found_by_name() {
    let _t = start();
    let listener = Listener::listen("tcp://*:0").unwrap();
    let address = listener.address().to_string();
    let port = address.rsplit(':').next().unwrap();
    let client = Stream::connect_timeout(format!("tcp://localhost:{port}"), PATIENCE).unwrap();
    let server = listener.accept_timeout(PATIENCE).unwrap();
    assert!(server.peer_address().is_some());
    assert_eq!(client.peer_address().unwrap().port().to_string(), port);
}
