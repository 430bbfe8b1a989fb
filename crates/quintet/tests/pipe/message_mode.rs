//! Whole messages.

use crate::common::{HUGE, LONG, assert_ended, assert_fails, connected, pair, pattern, read_exactly, server};
use quintet::ErrorKind;
use quintet::pipe::{PipeClient, PipeMode, PipeStream};
use quintet_testkit::{Role, start};
use std::thread;

/// Around every limit that an implementation has: a packet, a page, a buffer.
const SIZES: [usize; 28] = [
    1,
    0,
    2,
    99,
    100,
    101,
    0,
    0,
    4095,
    4096,
    4097,
    65_519,
    65_520,
    65_535,
    65_536,
    65_537,
    131_072,
    131_073,
    196_607,
    196_608,
    196_609,
    262_144,
    262_145,
    2 << 20,
    1 << 20,
    1,
    3 << 20,
    7,
];

/// Sends all sizes and receives all sizes, each in a thread of its own.
fn exchange(stream: &PipeStream, ours: u64, theirs: u64) {
    thread::scope(|scope| {
        scope.spawn(|| {
            for (n, size) in SIZES.into_iter().enumerate() {
                stream.write_message(pattern(ours + n as u64, size)).unwrap();
            }
        });
        let mut message = Vec::new();
        for (n, size) in SIZES.into_iter().enumerate() {
            assert!(stream.read_message_into(&mut message).unwrap());
            assert!(
                message == pattern(theirs + n as u64, size),
                "message {n}, of {size} bytes, came as one of {}",
                message.len()
            );
            assert!(stream.is_message_complete());
        }
    });
}

pub(crate) fn exchanging_client(p: &mut Role) {
    let stream = PipeClient::connect(p.arg(0)).unwrap();
    exchange(&stream, 2000, 1000);
    assert_eq!(stream.read_message().unwrap(), None);
}

#[test]
fn messages_of_all_sizes_go_both_ways_at_once_between_two_processes() {
    let t = start();
    let name = t.name("exchange");
    let server = server(&name, PipeMode::Message);
    let peer = t.spawn("exchanging_client", &[&name]);
    let stream = server.accept_timeout(LONG).unwrap();
    exchange(&stream, 1000, 2000);
    drop(stream);
    peer.finish();
}

#[test]
fn a_buffer_of_100_bytes_takes_messages_of_any_size_in_parts() {
    let t = start();
    let (ours, theirs) = pair(&t.name("parts"), PipeMode::Message);
    for (size, parts) in [
        (5, &[(5, true)][..]),
        (100, &[(100, true)]),
        (0, &[(0, true)]),
        (250, &[(100, false), (100, false), (50, true)]),
        (200, &[(100, false), (100, true)]),
        (101, &[(100, false), (1, true)]),
    ] {
        ours.write_message(pattern(size, size as usize)).unwrap();
        // So that a part can be told from a message.
        ours.write_message("next").unwrap();
        let mut message = Vec::new();
        for part in parts {
            let mut buf = [0; 100];
            let len = theirs.read(&mut buf).unwrap();
            message.extend_from_slice(&buf[..len]);
            assert_eq!(
                (len, theirs.is_message_complete()),
                *part,
                "a message of {size} bytes"
            );
        }
        assert!(message == pattern(size, size as usize));
        assert_eq!(theirs.read_message().unwrap().unwrap(), b"next");
    }
}

#[test]
fn a_message_far_larger_than_the_buffer_is_read_in_parts() {
    let t = start();
    let (ours, theirs) = pair(&t.name("parts"), PipeMode::Message);
    let message = pattern(3, HUGE);
    thread::scope(|scope| {
        scope.spawn(|| ours.write_message(&message).unwrap());
        let mut read = Vec::new();
        // Neither divides the other, nor anything that an implementation may use.
        let mut buf = vec![0; 70_001];
        loop {
            let len = theirs.read(&mut buf).unwrap();
            assert!(len > 0);
            read.extend_from_slice(&buf[..len]);
            if theirs.is_message_complete() {
                break;
            }
        }
        assert!(read == message);
    });
}

#[test]
fn the_rest_of_a_message_can_be_read_at_once() {
    let t = start();
    let (ours, theirs) = pair(&t.name("rest"), PipeMode::Message);
    ours.write_message("hello, world").unwrap();
    ours.write_message("next").unwrap();
    let mut buf = [0; 5];
    assert_eq!(theirs.read(&mut buf).unwrap(), 5);
    assert_eq!(&buf, b"hello");
    assert_eq!(theirs.read_message().unwrap().unwrap(), b", world");
    assert_eq!(theirs.read_message().unwrap().unwrap(), b"next");
}

#[test]
fn a_read_into_no_room_leaves_the_message_there() {
    let t = start();
    let (ours, theirs) = pair(&t.name("noroom"), PipeMode::Message);
    ours.write_message("hello").unwrap();
    for _ in 0..2 {
        assert_eq!(theirs.read(&mut []).unwrap(), 0);
        assert!(!theirs.is_message_complete());
    }
    assert_eq!(theirs.read_message().unwrap().unwrap(), b"hello");
}

#[test]
fn an_empty_message_is_not_the_end() {
    let t = start();
    let (ours, theirs) = pair(&t.name("empty"), PipeMode::Message);
    ours.write_message("").unwrap();
    ours.write_message("").unwrap();
    drop(ours);
    assert_eq!(theirs.read_message().unwrap(), Some(Vec::new()));
    assert_eq!(theirs.read_message().unwrap(), Some(Vec::new()));
    assert_eq!(theirs.read_message().unwrap(), None);
    assert_eq!(theirs.read_message().unwrap(), None);
}

#[test]
fn a_client_that_names_no_mode_follows_the_servers() {
    let t = start();
    let name = t.name("follow");
    for mode in [PipeMode::Message, PipeMode::Byte] {
        let server = server(&name, mode);
        let (ours, theirs) = connected(&server);
        assert_eq!((ours.mode(), theirs.mode()), (mode, mode));
        ours.write("a").unwrap();
        ours.write("b").unwrap();
        drop((server, ours));
        if mode == PipeMode::Message {
            assert_eq!(theirs.read_message().unwrap().unwrap(), b"a");
            assert_eq!(theirs.read_message().unwrap().unwrap(), b"b");
        } else {
            assert_eq!(read_exactly(&theirs, 2), b"ab");
        }
        assert_ended(&theirs);
    }
}

#[test]
fn a_client_may_read_a_message_pipe_as_bytes() {
    let t = start();
    let name = t.name("asbytes");
    let server = server(&name, PipeMode::Message);
    let theirs = PipeClient::builder(&name)
        .unwrap()
        .mode(PipeMode::Byte)
        .connect()
        .unwrap();
    let ours = server.accept_timeout(LONG).unwrap();
    let large = pattern(4, 200_000);
    thread::scope(|scope| {
        scope.spawn(|| {
            for message in [&b"one"[..], b"", b"two", &large, b""] {
                ours.write_message(message).unwrap();
            }
            // What it writes are messages all the same.
            assert_eq!(ours.read_message().unwrap().unwrap(), b"an answer");
            assert_eq!(ours.read_message().unwrap().unwrap(), b"another");
            drop(ours);
        });
        assert_fails(theirs.read_message(), ErrorKind::Unsupported);
        let mut expected = b"onetwo".to_vec();
        expected.extend_from_slice(&large);
        assert!(read_exactly(&theirs, expected.len()) == expected);
        assert!(theirs.is_message_complete());
        theirs.write("an answer").unwrap();
        theirs.write_message("another").unwrap();
        assert_ended(&theirs);
    });
}

#[test]
fn threads_that_read_messages_from_one_stream_get_whole_ones() {
    const MESSAGES: u64 = 40;
    const READERS: usize = 3;
    const SIZE: usize = 300_000;
    let t = start();
    let (ours, theirs) = pair(&t.name("readers"), PipeMode::Message);
    let mut seen: Vec<u64> = thread::scope(|scope| {
        scope.spawn(move || {
            for n in 0..MESSAGES {
                ours.write_message(pattern(n, SIZE + n as usize)).unwrap();
            }
        });
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = Vec::new();
                    while let Some(message) = theirs.read_message().unwrap() {
                        let n = (message.len() as u64).wrapping_sub(SIZE as u64);
                        assert!(n < MESSAGES, "a message of {} bytes", message.len());
                        assert!(message == pattern(n, message.len()), "message {n} is garbled");
                        seen.push(n);
                    }
                    seen
                })
            })
            .collect();
        readers
            .into_iter()
            .flat_map(|reader| reader.join().unwrap())
            .collect()
    });
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..MESSAGES));
}

#[test]
fn threads_that_write_messages_to_one_stream_do_not_mix_them() {
    const EACH: u64 = 15;
    const SIZE: usize = 200_000;
    let t = start();
    let (ours, theirs) = pair(&t.name("writers"), PipeMode::Message);
    thread::scope(|scope| {
        for writer in 0..3 {
            let ours = &ours;
            scope.spawn(move || {
                for n in 0..EACH {
                    let seed = writer * 1000 + n;
                    let mut message = seed.to_le_bytes().to_vec();
                    message.extend(pattern(seed, SIZE));
                    ours.write_message(message).unwrap();
                }
            });
        }
        let mut next = [0, 1000, 2000];
        for _ in 0..3 * EACH {
            let message = theirs.read_message().unwrap().unwrap();
            let (seed, rest) = message.split_first_chunk().unwrap();
            let seed = u64::from_le_bytes(*seed);
            assert!(rest == pattern(seed, SIZE));
            let next = &mut next[seed as usize / 1000];
            assert_eq!(seed, *next, "each writer's messages come in its order");
            *next += 1;
        }
    });
}
