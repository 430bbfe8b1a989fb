//! A stream of bytes.

use crate::common::{LONG, assert_ended, assert_fails, pair, pattern, read_exactly, server};
use quintet::ErrorKind;
use quintet::pipe::{PipeClient, PipeMode, PipeServer, PipeStream};
use quintet_testkit::{Role, start};
use std::io;
use std::thread;

const LEN: usize = 3 << 20;

pub(crate) fn echoing_client(p: &mut Role) {
    let stream = PipeClient::connect(p.arg(0)).unwrap();
    io::copy(&mut &stream, &mut &stream).unwrap();
}

pub(crate) fn echoing_server(p: &mut Role) {
    let server = PipeServer::create(p.arg(0)).unwrap();
    p.say("ready");
    let stream = server.accept().unwrap();
    io::copy(&mut &stream, &mut &stream).unwrap();
}

/// Writes and reads at the same time, as an echo that reads no faster than it writes needs it.
fn assert_echoed(stream: &PipeStream) {
    let data = pattern(1, LEN);
    thread::scope(|scope| {
        scope.spawn(|| stream.write_all(&data).unwrap());
        assert!(read_exactly(stream, LEN) == data);
    });
}

#[test]
fn bytes_go_to_a_client_in_another_process_and_back() {
    let t = start();
    let name = t.name("echo");
    let server = server(&name, PipeMode::Byte);
    let peer = t.spawn("echoing_client", &[&name]);
    let stream = server.accept_timeout(LONG).unwrap();
    assert_echoed(&stream);
    drop(stream);
    peer.finish();
}

#[test]
fn bytes_go_to_a_server_in_another_process_and_back() {
    let t = start();
    let name = t.name("echo");
    let mut peer = t.spawn("echoing_server", &[&name]);
    peer.expect("ready");
    let stream = PipeClient::connect(&name).unwrap();
    assert_echoed(&stream);
    drop(stream);
    peer.finish();
}

#[test]
fn one_write_may_take_several_reads_and_one_read_several_writes() {
    let t = start();
    let (ours, theirs) = pair(&t.name("bytes"), PipeMode::Byte);
    ours.write_all("hello").unwrap();
    for part in ["he", "ll", "o"] {
        let mut buf = [0; 2];
        let len = theirs.read(&mut buf).unwrap();
        assert_eq!(&buf[..len], part.as_bytes());
        assert!(theirs.is_message_complete());
    }
    ours.write_all("good").unwrap();
    ours.write_all("bye").unwrap();
    assert_eq!(read_exactly(&theirs, 7), b"goodbye");
}

#[test]
fn an_empty_write_writes_nothing() {
    let t = start();
    let (ours, theirs) = pair(&t.name("empty"), PipeMode::Byte);
    assert_eq!(ours.write("").unwrap(), 0);
    ours.write_all("").unwrap();
    ours.write_all("x").unwrap();
    drop(ours);
    let mut buf = [0; 10];
    assert_eq!(theirs.read(&mut buf).unwrap(), 1);
    assert_ended(&theirs);
}

#[test]
fn an_empty_read_waits_for_nothing() {
    let t = start();
    let (_ours, theirs) = pair(&t.name("empty"), PipeMode::Byte);
    assert_eq!(theirs.read(&mut []).unwrap(), 0);
}

#[test]
fn there_are_no_messages_in_a_byte_pipe() {
    let t = start();
    let (ours, theirs) = pair(&t.name("bytes"), PipeMode::Byte);
    for (writer, reader) in [(&ours, &theirs), (&theirs, &ours)] {
        assert_eq!(writer.mode(), PipeMode::Byte);
        assert_fails(writer.write_message("message"), ErrorKind::Unsupported);
        writer.write_all("text").unwrap();
        assert_fails(reader.read_message(), ErrorKind::Unsupported);
        assert_fails(reader.read_message_into(&mut Vec::new()), ErrorKind::Unsupported);
        assert_eq!(read_exactly(reader, 4), b"text", "what was refused took nothing");
    }
}

#[test]
fn message_mode_cannot_be_had_from_a_byte_pipe() {
    let t = start();
    let name = t.name("bytes");
    let server = server(&name, PipeMode::Byte);
    let builder = PipeClient::builder(&name)
        .unwrap()
        .mode(PipeMode::Message)
        .connect_timeout(LONG);
    let error = assert_fails(builder.connect(), ErrorKind::Unsupported);
    assert!(error.to_string().contains(&name), "{error}");
    drop(server);
}
