//! The longest message.

use crate::common::{LONG, MODES, assert_fails, connected, pattern, read_exactly};
use quintet::ErrorKind;
use quintet::pipe::{PipeClient, PipeMode, PipeServer, PipeStream};
use quintet_testkit::start;

/// Message mode, with these limits for the server and its client.
fn pair(name: &str, ours: u64, theirs: u64) -> (PipeStream, PipeStream) {
    let server = PipeServer::builder(name).unwrap().mode(PipeMode::Message);
    let server = server.max_message(ours).create().unwrap();
    let client = PipeClient::builder(name).unwrap().max_message(theirs);
    let client = client.connect().unwrap();
    (server.accept_timeout(LONG).unwrap(), client)
}

#[test]
fn a_message_beyond_the_writers_limit_is_not_sent() {
    let t = start();
    let (ours, theirs) = pair(&t.name("writer"), 1000, 1000);
    for (writer, reader) in [(&ours, &theirs), (&theirs, &ours)] {
        let error = assert_fails(writer.write_message(pattern(1, 1001)), ErrorKind::TooLarge);
        assert!(error.to_string().contains("1001"), "{error}");
        assert_fails(writer.write(pattern(1, 100_000)), ErrorKind::TooLarge);
        assert_fails(writer.write_all(pattern(1, 100_000)), ErrorKind::TooLarge);
        writer.write_message(pattern(2, 1000)).unwrap();
        assert!(reader.read_message().unwrap().unwrap() == pattern(2, 1000));
    }
}

#[test]
fn a_message_beyond_the_readers_limit_breaks_the_connection() {
    let t = start();
    for size in [1001, 5000, 20_000] {
        let (ours, theirs) = pair(&t.name("reader"), 1 << 20, 1000);
        ours.write_message(pattern(1, 1000)).unwrap();
        ours.write_message("").unwrap();
        assert!(theirs.read_message().unwrap().unwrap() == pattern(1, 1000));
        assert_eq!(theirs.read_message().unwrap().unwrap(), b"");
        ours.write_message(pattern(2, size)).unwrap();
        assert_fails(theirs.read_message(), ErrorKind::TooLarge);
        // What is left of it must not look like a message, nor what comes after it like the next one.
        assert_fails(theirs.read_message(), ErrorKind::TooLarge);
        drop(ours);
        assert_fails(theirs.read_message(), ErrorKind::TooLarge);
    }
}

#[test]
fn the_limit_counts_for_messages_only() {
    let t = start();
    let server = PipeServer::builder(t.name("bytes")).unwrap().max_message(1);
    let server = server.create().unwrap();
    let (ours, theirs) = connected(&server);
    ours.write_all("hello").unwrap();
    assert_eq!(read_exactly(&theirs, 5), b"hello");
}

#[test]
fn a_limit_that_no_message_fits_is_refused() {
    let t = start();
    let name = t.name("zero");
    let server = PipeServer::builder(&name).unwrap().max_message(0);
    assert_fails(server.create(), ErrorKind::TooLarge);
    let client = PipeClient::builder(&name).unwrap().max_message(0);
    assert_fails(client.connect(), ErrorKind::TooLarge);
}

#[test]
fn the_largest_limit_is_none() {
    let t = start();
    let (ours, theirs) = pair(&t.name("none"), u64::MAX, u64::MAX);
    ours.write_message("hello").unwrap();
    assert_eq!(theirs.read_message().unwrap().unwrap(), b"hello");
}

#[test]
fn any_size_of_buffers_will_do() {
    let t = start();
    for mode in MODES {
        for size in [0, 1, 4096, 1 << 20, u32::MAX] {
            let server = PipeServer::builder(t.name("buffer")).unwrap().mode(mode);
            let server = server.in_buffer(size).out_buffer(size).create().unwrap();
            let (ours, theirs) = connected(&server);
            let data = pattern(size.into(), 300_000);
            for (writer, reader) in [(&ours, &theirs), (&theirs, &ours)] {
                std::thread::scope(|scope| {
                    scope.spawn(|| writer.write_all(&data).unwrap());
                    assert!(read_exactly(reader, data.len()) == data);
                });
            }
        }
    }
}
