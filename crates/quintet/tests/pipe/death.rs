//! What is left of a connection when one side was killed.

use crate::common::{
    HUGE, LONG, MODES, assert_ended, assert_fails, pattern, read_exactly, server, try_connect,
};
use quintet::pipe::{PipeClient, PipeMode, PipeServer, PipeStream};
use quintet::{Error, ErrorKind};
use quintet_testkit::{Role, eventually_some, start};
use std::thread;

/// Connects, writes two small messages and a huge one; it is killed over that.
pub(crate) fn dying_writer(p: &mut Role) {
    let stream = PipeClient::connect(p.arg(0)).unwrap();
    stream.write("first").unwrap();
    stream.write("second").unwrap();
    // Nobody reads all of it.
    let _ = stream.write_all(pattern(7, HUGE));
    p.listen();
}

/// Connects, reads a little, says so, and reads no more.
pub(crate) fn dying_reader(p: &mut Role) {
    let stream = PipeClient::connect(p.arg(0)).unwrap();
    stream.write("here").unwrap();
    read_exactly(&stream, 100);
    p.say("reading");
    p.listen();
}

/// Serves `arg(0)` in mode `arg(1)` with `arg(2)` instances; accepts a client whenever told.
pub(crate) fn server_to_be_killed(p: &mut Role) {
    let server = PipeServer::builder(p.arg(0))
        .unwrap()
        .mode(p.arg(1).parse().unwrap())
        .max_instances(p.arg(2).parse().unwrap())
        .create()
        .unwrap();
    p.say("ready");
    let mut clients = Vec::new();
    loop {
        p.expect("accept");
        clients.push(server.accept().unwrap());
        p.say("accepted");
    }
}

/// Takes the name of a killed server, and gives it back: then nothing is left.
fn reclaim(name: &str) {
    PipeServer::create(name).unwrap();
}

#[test]
fn a_message_whose_writer_was_killed_is_never_taken_for_whole() {
    let t = start();
    let name = t.name("killed");
    let server = server(&name, PipeMode::Message);
    let mut peer = t.spawn("dying_writer", &[&name]);
    let stream = server.accept_timeout(LONG).unwrap();
    assert_eq!(stream.read_message().unwrap().unwrap(), b"first");
    assert_eq!(stream.read_message().unwrap().unwrap(), b"second");
    let mut buf = [0; 100];
    assert_eq!(stream.read(&mut buf).unwrap(), 100);
    assert!(!stream.is_message_complete());
    peer.kill();
    // What had come can be read, or not, but then there is an error and not an end.
    let mut read = buf.to_vec();
    let error: Error = loop {
        let mut buf = [0; 5000];
        match stream.read(&mut buf) {
            Ok(len) => {
                assert!(len > 0, "the end, in the middle of a message");
                assert!(
                    !stream.is_message_complete(),
                    "a part was taken for the whole message"
                );
                read.extend_from_slice(&buf[..len]);
            }
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(pattern(7, HUGE).starts_with(&read));
    assert_fails(stream.read_message(), ErrorKind::Disconnected);
    assert_fails(stream.read(&mut buf), ErrorKind::Disconnected);
}

#[test]
fn reading_a_whole_message_fails_when_its_writer_was_killed() {
    let t = start();
    let name = t.name("killed");
    let server = server(&name, PipeMode::Message);
    let mut peer = t.spawn("dying_writer", &[&name]);
    let stream = server.accept_timeout(LONG).unwrap();
    let mut seen = Vec::new();
    stream.read_message_into(&mut seen).unwrap();
    stream.read_message_into(&mut seen).unwrap();
    assert_eq!(stream.read(&mut [0; 100]).unwrap(), 100);
    peer.kill();
    assert_fails(stream.read_message_into(&mut seen), ErrorKind::Disconnected);
}

#[test]
fn bytes_whose_writer_was_killed_end_in_an_end() {
    let t = start();
    let name = t.name("killed");
    let server = server(&name, PipeMode::Byte);
    let mut peer = t.spawn("dying_writer", &[&name]);
    let stream = server.accept_timeout(LONG).unwrap();
    assert_eq!(read_exactly(&stream, 11), b"firstsecond");
    let mut read = read_exactly(&stream, 100);
    peer.kill();
    std::io::Read::read_to_end(&mut &stream, &mut read).unwrap();
    assert!(read.len() < HUGE);
    assert!(pattern(7, HUGE).starts_with(&read));
    assert_fails(stream.write("anybody?"), ErrorKind::Disconnected);
}

#[test]
fn a_writer_is_let_go_when_its_reader_is_killed() {
    let t = start();
    for mode in MODES {
        let name = t.name("killed");
        let server = server(&name, mode);
        let mut peer = t.spawn("dying_reader", &[&name]);
        let stream = server.accept_timeout(LONG).unwrap();
        assert_eq!(read_exactly(&stream, 4), b"here");
        thread::scope(|scope| {
            let writer = scope.spawn(|| stream.write_all(pattern(8, HUGE)));
            // It has read the beginning and will not read the end, so the writer cannot be done.
            peer.expect("reading");
            peer.kill();
            assert_fails(writer.join().unwrap(), ErrorKind::Disconnected);
        });
        assert_fails(stream.write("anybody?"), ErrorKind::Disconnected);
    }
}

#[test]
fn a_reader_is_let_go_when_the_other_side_is_killed() {
    let t = start();
    for mode in ["byte", "message"] {
        let name = t.name("killed");
        let mut peer = t.spawn("server_to_be_killed", &[&name, mode, "1"]);
        peer.expect("ready");
        let stream = PipeClient::connect(&name).unwrap();
        peer.tell("accept");
        peer.expect("accepted");
        thread::scope(|scope| {
            let reader = scope.spawn(|| stream.read(&mut [0; 10]));
            peer.kill();
            assert_eq!(reader.join().unwrap().unwrap(), 0);
        });
        assert_ended(&stream);
        assert_fails(stream.write("anybody?"), ErrorKind::Disconnected);
        drop(stream);
        reclaim(&name);
    }
}

#[test]
fn a_client_that_a_killed_server_never_accepted_is_let_go() {
    let t = start();
    for mode in ["byte", "message"] {
        let name = t.name("killed");
        let mut peer = t.spawn("server_to_be_killed", &[&name, mode, "1"]);
        peer.expect("ready");
        let stream = PipeClient::connect(&name).unwrap();
        stream.write("anybody?").unwrap();
        peer.kill();
        assert_ended(&stream);
        assert_fails(stream.write("anybody?"), ErrorKind::Disconnected);
        drop(stream);
        reclaim(&name);
    }
}

#[test]
fn the_name_of_a_killed_server_is_free_at_once() {
    let t = start();
    let name = t.name("killed");
    // From mode to mode, since what is left may be of another type than what is to come.
    for mode in ["byte", "message", "message", "byte"] {
        let mut peer = t.spawn("server_to_be_killed", &[&name, mode, "3"]);
        peer.expect("ready");
        assert_fails(PipeServer::create(&name), ErrorKind::Busy);
        let client = PipeClient::connect(&name).unwrap();
        peer.tell("accept");
        peer.expect("accepted");
        peer.kill();
        drop(client);
        assert_fails(try_connect(&name), ErrorKind::NotFound);
    }
    let server = PipeServer::create(&name).unwrap();
    let client = try_connect(&name).unwrap();
    client.write("hello").unwrap();
    assert_eq!(read_exactly(&server.accept_timeout(LONG).unwrap(), 5), b"hello");
}

#[test]
fn a_client_that_waits_for_a_busy_server_outlasts_its_death() {
    let t = start();
    let name = t.name("outlast");
    let mut peer = t.spawn("server_to_be_killed", &[&name, "byte", "1"]);
    peer.expect("ready");
    let first = PipeClient::connect(&name).unwrap();
    peer.tell("accept");
    peer.expect("accepted");
    let mut patient = t.spawn("patient_client", &[&name]);
    patient.expect("Busy");
    peer.kill();
    drop(first);
    let next: PipeServer = eventually_some("the name is free", || PipeServer::create(&name).ok());
    let stream: PipeStream = next.accept_timeout(LONG).unwrap();
    stream.write_all("welcome").unwrap();
    drop(stream);
    patient.expect("welcome");
    patient.finish();
}
