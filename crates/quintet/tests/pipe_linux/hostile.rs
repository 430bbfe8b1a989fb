//! Packets that no honest writer sends: an error each, never a panic, a hang or memory for what was only claimed.

use crate::common::{SHORT, assert_fails, assert_serves, pattern};
use crate::hostile_peer::{LIMIT, hostile_peer, limited_server};
use crate::raw::{self, FIRST, LATER, POOL, POOLED_FIRST, POOLED_LATER, header, packet, send, whole};
use quintet::ErrorKind;
use quintet::pipe::{PipeClient, PipeMode, PipeServer};
use quintet_testkit::start;
use rustix::fd::OwnedFd;
use rustix::net::SocketType;
use std::thread;
use std::time::Duration;

fn with_byte(mut packet: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    packet[at] = byte;
    packet
}

#[test]
fn a_packet_that_no_message_can_be_in_is_corrupt() {
    let t = start();
    let server = limited_server(&t.name("packets"));
    let first = || packet(FIRST, b"begin", 10);
    let cases: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("one byte", vec![b"Q".to_vec()]),
        (
            "a byte less than a header",
            vec![header(FIRST, 0, 0)[..15].to_vec()],
        ),
        ("text", vec![b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()]),
        ("no magic", vec![with_byte(whole(b"x"), 0, b'q')]),
        ("half the magic", vec![with_byte(whole(b"x"), 1, b'Q')]),
        ("version 0", vec![with_byte(whole(b"x"), 2, 0)]),
        ("version 2", vec![with_byte(whole(b"x"), 2, 2)]),
        ("kind 0", vec![header(0, 0, 0)]),
        ("kind 6", vec![header(6, 0, 0)]),
        ("kind 255", vec![header(255, 0, 0)]),
        ("more than it says", vec![[whole(b"x"), b"y".to_vec()].concat()]),
        ("less than it says", vec![header(FIRST, 1, 1)]),
        (
            "far less than it says",
            vec![header(FIRST, u32::MAX, u64::from(u32::MAX))],
        ),
        ("more than the message", vec![packet(FIRST, b"hello", 4)]),
        ("nothing of a message", vec![header(FIRST, 0, 5)]),
        ("a message in a message", vec![first(), whole(b"x")]),
        ("an empty message in a message", vec![first(), whole(b"")]),
        ("a later part of nothing", vec![packet(LATER, b"later", 5)]),
        ("a later part of nothing, at 0", vec![packet(LATER, b"later", 0)]),
        ("a gap", vec![first(), packet(LATER, b"x", 6)]),
        ("an overlap", vec![first(), packet(LATER, b"x", 4)]),
        ("a later part at 0", vec![first(), packet(LATER, b"x", 0)]),
        (
            "a part beyond the end",
            vec![first(), packet(LATER, b"123456", 5)],
        ),
        (
            "a part far beyond the end",
            vec![first(), packet(LATER, b"x", u64::MAX)],
        ),
        ("an empty part", vec![first(), packet(LATER, b"", 5)]),
        (
            "a part after the end",
            vec![whole(b"whole"), packet(LATER, b"x", 5)],
        ),
        (
            "a byte too many in a packet",
            vec![packet(FIRST, &pattern(1, 65_537), 65_537)],
        ),
        (
            "too many bytes in a packet",
            vec![packet(FIRST, &pattern(1, 150_000), 150_000)],
        ),
        (
            "too many bytes in a later one",
            vec![
                packet(FIRST, b"x", 200_000),
                packet(LATER, &pattern(1, 65_537), 1),
            ],
        ),
        ("a part in no pool", vec![header(POOLED_FIRST, 5, 5)]),
        (
            "a later part in no pool",
            vec![first(), header(POOLED_LATER, 5, 5)],
        ),
        ("no part in no pool", vec![header(POOLED_FIRST, 0, 0)]),
        (
            "a part beside its packet",
            vec![packet(POOLED_FIRST, b"hello", 5)],
        ),
        (
            "a part in a pool that did not come",
            vec![header(POOL, 4096, 4), header(POOLED_FIRST, 5, 5)],
        ),
        ("two offers", vec![header(POOL, 4096, 4), header(POOL, 4096, 4)]),
        ("an offer of too many slots", vec![header(POOL, 1, 1 << 32)]),
        (
            "an offer with more",
            vec![[header(POOL, 4096, 4), b"x".to_vec()].concat()],
        ),
    ];
    for (what, packets) in cases {
        let (stream, hostile) = hostile_peer(&server);
        send(&hostile, &whole(b"in order")).unwrap();
        for packet in &packets {
            send(&hostile, packet).unwrap();
        }
        // Nothing that comes after it counts, if there is still room for it.
        rustix::io::ioctl_fionbio(&hostile, true).unwrap();
        let _ = send(&hostile, &whole(b"innocent"));
        assert_eq!(stream.read_message().unwrap().unwrap(), b"in order", "{what}");
        if packets[0] == whole(b"whole") {
            assert_eq!(stream.read_message().unwrap().unwrap(), b"whole", "{what}");
        }
        for _ in 0..2 {
            match stream.read_message() {
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    let text = error.to_string();
                    assert!(
                        text.contains(&format!("pid {}", std::process::id())),
                        "{what}: {text}"
                    );
                }
                other => panic!("{what}: {other:?}"),
            }
        }
        drop(hostile);
        assert_fails(stream.read(&mut [0; 10]), ErrorKind::Corrupt);
        // It is its own connection that it has broken.
        assert_serves(&server);
    }
}

#[test]
fn a_message_that_says_it_is_too_large_is_refused_at_its_first_packet() {
    let t = start();
    let server = limited_server(&t.name("large"));
    for total in [LIMIT + 1, 1 << 40, 1 << 63, u64::MAX] {
        let (stream, hostile) = hostile_peer(&server);
        send(&hostile, &packet(FIRST, b"x", total)).unwrap();
        assert_fails(stream.read_message(), ErrorKind::TooLarge);
        assert_fails(stream.read(&mut [0; 10]), ErrorKind::TooLarge);
    }
    // Without a limit, nothing overflows.
    let name = t.name("nolimit");
    let server = PipeServer::builder(&name).unwrap().mode(PipeMode::Message);
    let server = server.max_message(u64::MAX).create().unwrap();
    let (stream, hostile) = hostile_peer(&server);
    send(&hostile, &packet(FIRST, b"x", u64::MAX)).unwrap();
    send(&hostile, &packet(LATER, b"y", 1)).unwrap();
    drop(hostile);
    assert_fails(stream.read_message(), ErrorKind::Disconnected);
}

#[test]
fn a_connection_that_ends_in_a_message_says_so() {
    let t = start();
    let server = limited_server(&t.name("ends"));
    for ending in ["close", "shutdown", "empty packet"] {
        let (stream, hostile) = hostile_peer(&server);
        send(&hostile, &packet(FIRST, b"begin", 10)).unwrap();
        send(&hostile, &packet(LATER, b"more", 5)).unwrap();
        match ending {
            "close" => drop(hostile),
            "shutdown" => rustix::net::shutdown(&hostile, rustix::net::Shutdown::Write).unwrap(),
            _ => send(&hostile, b"").unwrap(),
        }
        let error = assert_fails(stream.read_message(), ErrorKind::Disconnected);
        assert!(error.to_string().contains("9 of its 10"), "{error}");
        assert_fails(stream.read(&mut [0; 10]), ErrorKind::Disconnected);
    }
}

#[test]
fn an_empty_packet_between_messages_is_taken_for_the_end() {
    let t = start();
    let server = limited_server(&t.name("empty"));
    let (stream, hostile) = hostile_peer(&server);
    send(&hostile, &whole(b"one")).unwrap();
    send(&hostile, b"").unwrap();
    assert_eq!(stream.read_message().unwrap().unwrap(), b"one");
    assert_eq!(stream.read_message().unwrap(), None);
}

#[test]
fn reading_as_bytes_is_as_wary() {
    let t = start();
    let name = t.name("asbytes");
    let listener = raw::listen(SocketType::SEQPACKET, &raw::path_of(&name));
    for bad in [
        packet(LATER, b"x", 5),
        b"Q".to_vec(),
        packet(FIRST, b"x", 1 << 40),
    ] {
        let client = PipeClient::builder(&name).unwrap().mode(PipeMode::Byte);
        let client = client.max_message(LIMIT).connect().unwrap();
        let hostile = raw::accept(&listener);
        send(&hostile, &whole(b"one")).unwrap();
        send(&hostile, &bad).unwrap();
        let mut buf = [0; 10];
        assert_eq!(client.read(&mut buf).unwrap(), 3);
        let error = client.read(&mut buf).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::TooLarge),
            "{error}"
        );
    }
    std::fs::remove_file(raw::path_of(&name)).unwrap();
}

/// Sends the same again and again, until `stream` is closed.
fn flood(hostile: &OwnedFd, packet: &[u8]) {
    while send(hostile, packet).is_ok() {}
}

#[test]
fn a_flood_of_nothing_does_not_keep_a_reader_beyond_its_deadline() {
    let t = start();
    let name = t.name("flood");
    let listener = raw::listen(SocketType::SEQPACKET, &raw::path_of(&name));
    for packet in [whole(b""), header(POOL, 4096, 4)] {
        for time in [Duration::ZERO, SHORT] {
            let client = PipeClient::builder(&name).unwrap().mode(PipeMode::Byte);
            let client = client.connect().unwrap();
            let hostile = raw::accept(&listener);
            thread::scope(|scope| {
                scope.spawn(|| flood(&hostile, &packet));
                client.set_read_timeout(Some(time));
                let error = client.read(&mut [0; 10]).unwrap_err();
                assert!(
                    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Corrupt),
                    "{error}"
                );
                drop(client);
            });
        }
    }
    std::fs::remove_file(raw::path_of(&name)).unwrap();
}

#[test]
fn what_is_there_is_read_across_empty_messages_without_waiting() {
    let t = start();
    let name = t.name("across");
    let listener = raw::listen(SocketType::SEQPACKET, &raw::path_of(&name));
    let client = PipeClient::builder(&name).unwrap().mode(PipeMode::Byte);
    let client = client.connect().unwrap();
    let peer = raw::accept(&listener);
    for message in [&b""[..], b"", b"text"] {
        send(&peer, &whole(message)).unwrap();
    }
    client.set_read_timeout(Some(Duration::ZERO));
    let mut buf = [0; 10];
    assert_eq!(client.read(&mut buf).unwrap(), 4);
    assert_fails(client.read(&mut buf), ErrorKind::TimedOut);
    std::fs::remove_file(raw::path_of(&name)).unwrap();
}
