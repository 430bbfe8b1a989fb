//! Large messages, which go through memory that both sides share if both can.

use crate::common::{HUGE, LONG, SHORT, assert_fails, pattern, server};
use crate::descriptors::{fill_descriptors, limit_descriptors};
use crate::raw::{self, FIRST, LATER, POOL, POOL_BASE, POOLED_FIRST, POOLED_LATER};
use quintet::ErrorKind;
use quintet::pipe::{PipeClient, PipeMode, PipeServer, PipeStream};
use quintet_testkit::{Role, start};
use rustix::fd::OwnedFd;
use rustix::io::IoSliceMut;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags, SocketType};
use std::mem::MaybeUninit;
use std::thread;

/// A reader that knows the format and nothing of Quintet.
#[derive(Debug)]
struct PlainReader {
    socket: OwnedFd,
    pool: Option<PlainPool>,
    pooled_parts: usize,
}

#[derive(Debug)]
struct PlainPool {
    memory: OwnedFd,
    credits: OwnedFd,
    slot: u64,
    slots: u64,
    next: u64,
}

/// What the reader does with the writer's offer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    TakesPart,
    DoesNotAnswer,
    Closes,
    /// It gives far more credits than it has slots.
    Lies,
}

impl PlainReader {
    /// Reads the packets of one message; its bytes, unless the reader lied about the pool.
    fn read_message(&mut self, manner: Manner) -> Vec<u8> {
        let mut message: Vec<u8> = Vec::new();
        let mut total = None;
        while total != Some(message.len() as u64) {
            let (kind, len, number, part, fds) = self.receive();
            match kind {
                POOL => {
                    assert!(self.pool.is_none() && part.is_empty());
                    let [memory, credits] = <[OwnedFd; 2]>::try_from(fds).unwrap();
                    let seals = rustix::fs::fcntl_get_seals(&memory).unwrap();
                    assert!(seals.contains(rustix::fs::SealFlags::SHRINK), "{seals:?}");
                    let size = rustix::fs::fstat(&memory).unwrap().st_size as u64;
                    assert!(size >= POOL_BASE + u64::from(len) * number, "{size}");
                    let credit = match manner {
                        Manner::TakesPart => number as usize,
                        Manner::DoesNotAnswer => 0,
                        Manner::Closes => continue,
                        Manner::Lies => 10_000,
                    };
                    rustix::net::send(&credits, &vec![0; credit], SendFlags::NOSIGNAL).unwrap();
                    self.pool = Some(PlainPool {
                        memory,
                        credits,
                        slot: len.into(),
                        slots: number,
                        next: 0,
                    });
                    continue;
                }
                FIRST | POOLED_FIRST => {
                    assert_eq!(total, None);
                    total = Some(number);
                }
                LATER | POOLED_LATER => assert_eq!(number, message.len() as u64),
                kind => panic!("a packet of kind {kind}"),
            }
            if kind == FIRST || kind == LATER {
                assert_eq!(part.len(), len as usize);
                message.extend(part);
            } else {
                assert!(part.is_empty() && fds.is_empty());
                self.pooled_parts += 1;
                let pool = self.pool.as_mut().unwrap();
                assert!(u64::from(len) <= pool.slot);
                let mut part = vec![0; len as usize];
                let read = rustix::io::pread(&pool.memory, &mut part, POOL_BASE + pool.next * pool.slot);
                assert_eq!(read.unwrap(), part.len());
                message.extend(part);
                pool.next = (pool.next + 1) % pool.slots;
                let _ = rustix::net::send(&pool.credits, &[0], SendFlags::NOSIGNAL);
            }
        }
        message
    }

    fn receive(&self) -> (u8, u32, u64, Vec<u8>, Vec<OwnedFd>) {
        let mut packet = vec![0; 70_000];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut packet)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = rustix::net::recvmsg(&self.socket, &mut parts, &mut control, flags).unwrap();
        assert!(!received.flags.contains(ReturnFlags::TRUNC));
        let mut fds = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(passed) = message {
                fds.extend(passed);
            }
        }
        packet.truncate(received.bytes);
        assert!(packet.len() >= 16, "{} bytes", packet.len());
        assert_eq!(&packet[..3], b"QP\x01");
        let len = u32::from_le_bytes(packet[4..8].try_into().unwrap());
        let number = u64::from_le_bytes(packet[8..16].try_into().unwrap());
        (packet[3], len, number, packet.split_off(16), fds)
    }
}

fn plain_reader(name: &str) -> (PipeServer, PipeStream, PlainReader) {
    let server = server(name, PipeMode::Message);
    let socket = raw::connect(SocketType::SEQPACKET, name).unwrap();
    let stream = server.accept_timeout(LONG).unwrap();
    let reader = PlainReader {
        socket,
        pool: None,
        pooled_parts: 0,
    };
    (server, stream, reader)
}

#[test]
fn a_reader_that_goes_by_the_documentation_gets_every_message() {
    let t = start();
    for manner in [Manner::TakesPart, Manner::DoesNotAnswer, Manner::Closes] {
        let (_server, stream, mut reader) = plain_reader(&t.name("format"));
        let stream = &stream;
        thread::scope(move |scope| {
            scope.spawn(move || {
                for n in 0..4 {
                    stream.write_message(pattern(n, HUGE)).unwrap();
                    stream.write_message("small").unwrap();
                    stream.write_message("").unwrap();
                }
            });
            for n in 0..4 {
                assert!(reader.read_message(manner) == pattern(n, HUGE), "{manner:?}");
                assert_eq!(reader.read_message(manner), b"small");
                assert_eq!(reader.read_message(manner), b"");
            }
            // A writer uses what a reader takes part in, and nothing else.
            assert_eq!(reader.pooled_parts > 0, manner == Manner::TakesPart, "{manner:?}");
            assert_eq!(reader.pool.is_some(), manner != Manner::Closes);
        });
    }
}

#[test]
fn a_reader_that_lies_about_its_slots_garbles_its_own_messages_only() {
    let t = start();
    let (server, stream, mut reader) = plain_reader(&t.name("lies"));
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..3 {
                stream.write_message(pattern(n, HUGE)).unwrap();
            }
        });
        for _ in 0..3 {
            assert_eq!(reader.read_message(Manner::Lies).len(), HUGE);
        }
    });
    crate::common::assert_serves(&server);
}

#[test]
fn a_reader_that_keeps_its_slots_holds_its_writer_until_the_deadline() {
    let t = start();
    let (_server, stream, mut reader) = plain_reader(&t.name("keeps"));
    thread::scope(|scope| {
        scope.spawn(|| stream.write_message(pattern(1, HUGE)).unwrap());
        assert!(reader.read_message(Manner::TakesPart) == pattern(1, HUGE));
    });
    stream.set_write_timeout(Some(SHORT));
    assert_fails(stream.write_message(pattern(2, HUGE)), ErrorKind::TimedOut);
    assert_fails(stream.write_message("next"), ErrorKind::Disconnected);
}

/// Reads all messages with no descriptor to spare.
pub(crate) fn reader_without_descriptors(p: &mut Role) {
    let stream = PipeClient::connect(p.arg(0)).unwrap();
    limit_descriptors(64);
    let kept = fill_descriptors();
    for n in 0..3 {
        assert!(stream.read_message().unwrap().unwrap() == pattern(n, HUGE));
    }
    drop(kept);
    assert_eq!(stream.read_message().unwrap(), None);
}

/// Writes messages with no descriptor to spare.
pub(crate) fn writer_without_descriptors(p: &mut Role) {
    let stream = PipeClient::connect(p.arg(0)).unwrap();
    limit_descriptors(64);
    let kept = fill_descriptors();
    for n in 0..3 {
        stream.write_message(pattern(n, HUGE)).unwrap();
    }
    drop(kept);
}

#[test]
fn large_messages_go_through_without_a_descriptor_to_spare() {
    let t = start();
    let name = t.name("nofile");
    let server = server(&name, PipeMode::Message);
    let peer = t.spawn("reader_without_descriptors", &[&name]);
    let stream = server.accept_timeout(LONG).unwrap();
    for n in 0..3 {
        stream.write_message(pattern(n, HUGE)).unwrap();
    }
    drop(stream);
    peer.finish();
    let peer = t.spawn("writer_without_descriptors", &[&name]);
    let stream = server.accept_timeout(LONG).unwrap();
    for n in 0..3 {
        assert!(stream.read_message().unwrap().unwrap() == pattern(n, HUGE));
    }
    assert_eq!(stream.read_message().unwrap(), None);
    peer.finish();
}

#[test]
fn a_writer_whose_reader_has_given_up_is_told() {
    let t = start();
    let name = t.name("given-up");
    let server = PipeServer::builder(&name)
        .unwrap()
        .mode(PipeMode::Message)
        .max_message(1000)
        .create()
        .unwrap();
    let client = PipeClient::connect(&name).unwrap();
    let stream = server.accept_timeout(LONG).unwrap();
    thread::scope(|scope| {
        // More than fits anywhere, so it waits for a reader, who is there and does not want it.
        let write = scope.spawn(|| client.write_message(vec![7; 8 << 20]));
        assert_fails(stream.read_message(), ErrorKind::TooLarge);
        assert_fails(write.join().unwrap(), ErrorKind::Disconnected);
    });
}
