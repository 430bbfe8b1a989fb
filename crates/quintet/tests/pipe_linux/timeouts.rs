//! Timeouts in the middle of a message, whose writer goes on when it is told to.

use crate::common::{LONG, SHORT, assert_fails, limited, pattern};
use crate::raw::{self, FIRST, LATER, packet, send, whole};
use quintet::ErrorKind;
use quintet::pipe::{PipeMode, PipeStream};
use quintet_testkit::{Test, start};
use rustix::fd::OwnedFd;
use rustix::net::SocketType;
use std::time::Duration;

const LEN: usize = 100_000;
const CUTS: [usize; 4] = [10, 60_000, 60_001, LEN - 1];

/// Our end, and a writer that writes packet by packet.
fn pair(t: &Test) -> (PipeStream, OwnedFd) {
    let name = t.name("middle");
    let server = limited(&name, PipeMode::Message, 1);
    let writer = raw::connect(SocketType::SEQPACKET, &name).unwrap();
    (server.accept_timeout(LONG).unwrap(), writer)
}

#[test]
fn a_message_that_stops_in_the_middle_comes_whole_when_it_goes_on() {
    let t = start();
    for time in [Duration::ZERO, SHORT] {
        let (stream, writer) = pair(&t);
        stream.set_read_timeout(Some(time));
        let message = pattern(1, LEN);
        let mut buffer = Vec::new();
        let mut from = 0;
        for cut in CUTS {
            let part = &message[from..cut];
            let packet = match from {
                0 => packet(FIRST, part, LEN as u64),
                from => packet(LATER, part, from as u64),
            };
            send(&writer, &packet).unwrap();
            assert_fails(stream.read_message(), ErrorKind::TimedOut);
            assert_fails(stream.read_message_into(&mut buffer), ErrorKind::TimedOut);
            from = cut;
        }
        send(&writer, &packet(LATER, &message[from..], from as u64)).unwrap();
        send(&writer, &whole(b"next")).unwrap();
        assert!(stream.read_message().unwrap().unwrap() == message);
        assert_eq!(stream.read_message().unwrap().unwrap(), b"next");
    }
}

#[test]
fn what_a_whole_read_had_to_leave_is_read_in_parts() {
    let t = start();
    let (stream, writer) = pair(&t);
    stream.set_read_timeout(Some(Duration::ZERO));
    send(&writer, &packet(FIRST, b"abcdefgh", 12)).unwrap();
    assert_fails(stream.read_message(), ErrorKind::TimedOut);
    let mut buf = [0; 5];
    assert_eq!(stream.read(&mut buf).unwrap(), 5);
    assert_eq!(&buf, b"abcde");
    assert!(!stream.is_message_complete());
    assert_eq!(stream.read(&mut []).unwrap(), 0);
    assert_eq!(stream.read(&mut buf).unwrap(), 3);
    assert_eq!(&buf[..3], b"fgh");
    assert!(!stream.is_message_complete());
    assert_fails(stream.read(&mut buf), ErrorKind::TimedOut);
    send(&writer, &packet(LATER, b"ijkl", 8)).unwrap();
    assert_eq!(stream.read(&mut buf).unwrap(), 4);
    assert_eq!(&buf[..4], b"ijkl");
    assert!(stream.is_message_complete());
}

#[test]
fn what_a_whole_read_had_to_leave_does_not_become_a_message_when_the_writer_goes() {
    let t = start();
    let (stream, writer) = pair(&t);
    stream.set_read_timeout(Some(Duration::ZERO));
    send(&writer, &packet(FIRST, b"abcdefgh", 12)).unwrap();
    assert_fails(stream.read_message(), ErrorKind::TimedOut);
    drop(writer);
    stream.set_read_timeout(Some(LONG));
    assert_fails(stream.read_message(), ErrorKind::Disconnected);
    assert_fails(stream.read(&mut [0; 100]), ErrorKind::Disconnected);
}
