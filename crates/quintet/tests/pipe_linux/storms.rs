//! Packets at random, against a second reading of the documentation.

use crate::common::{LONG, Random, assert_serves, pattern, server};
use crate::hostile_peer::{LIMIT, hostile_peer, limited_server};
use crate::raw::{self, FIRST, LATER, POOL, header, packet, send};
use quintet::ErrorKind;
use quintet::pipe::PipeMode;
use quintet_testkit::{eventually, start};
use rustix::net::SocketType;
use std::collections::HashMap;
use std::thread;
use std::time::Duration;

/// What a reader must make of packets: the messages, and how it ends. Written from the documentation of the format.
fn model(packets: &[Vec<u8>]) -> (Vec<Vec<u8>>, Option<ErrorKind>) {
    let mut messages = Vec::new();
    let mut begun: Option<(u64, Vec<u8>)> = None;
    let mut offered = false;
    for packet in packets {
        if packet.is_empty() {
            break;
        }
        let corrupt = Some(ErrorKind::Corrupt);
        if packet.len() < 16 || &packet[..3] != b"QP\x01" {
            return (messages, corrupt);
        }
        let (kind, part) = (packet[3], &packet[16..]);
        let len = u32::from_le_bytes(packet[4..8].try_into().unwrap()) as usize;
        let number = u64::from_le_bytes(packet[8..16].try_into().unwrap());
        match (kind, begun.take()) {
            (POOL, before) if part.is_empty() && number <= u64::from(u32::MAX) && !offered => {
                offered = true;
                begun = before;
            }
            (FIRST | LATER, _) if part.len() != len || len > 65_536 => return (messages, corrupt),
            (FIRST, None) if (len as u64) > number || (len == 0 && number > 0) => {
                return (messages, corrupt);
            }
            (FIRST, None) if number > LIMIT => return (messages, Some(ErrorKind::TooLarge)),
            (FIRST, None) => begun = Some((number, part.to_vec())),
            (LATER, Some((total, mut message))) if message.len() as u64 == number && len > 0 => {
                if (message.len() + len) as u64 > total {
                    return (messages, corrupt);
                }
                message.extend_from_slice(part);
                begun = Some((total, message));
            }
            _ => return (messages, corrupt),
        }
        if let Some((_, message)) = begun.take_if(|(total, message)| message.len() as u64 == *total) {
            messages.push(message);
        }
    }
    (messages, begun.map(|_| ErrorKind::Disconnected))
}

/// Packets that are mostly right.
fn random_packets(random: &mut Random) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let (mut total, mut sent) = (0, 0);
    for _ in 0..1 + random.below(12) {
        let most = if random.below(8) == 0 { 65_537 } else { 300 };
        let mut part = pattern(random.next(), random.below(most) as usize);
        let mut new = if sent < total {
            part.truncate((total - sent) as usize);
            packet(LATER, &part, sent)
        } else {
            (total, sent) = (part.len() as u64, 0);
            if !part.is_empty() && random.below(2) == 0 {
                total += random.below(1000);
            }
            packet(FIRST, &part, total)
        };
        sent += part.len() as u64;
        match random.below(40) {
            0 => new[random.below(16) as usize] = random.next() as u8,
            1 => new.truncate(random.below(new.len() as u64 + 1) as usize),
            2 => new.push(0),
            3 => new = pattern(random.next(), random.below(100) as usize),
            4 => new = header(POOL, random.next() as u32, random.below(9)),
            5 => new = header(random.below(7) as u8, random.below(3) as u32, random.below(9)),
            6 => new = packet(FIRST, b"x", random.next()),
            _ => {}
        }
        packets.push(new);
    }
    packets
}

#[test]
fn a_storm_of_packets_gives_what_the_format_says_or_an_error() {
    let t = start();
    let server = limited_server(&t.name("storm"));
    let mut endings = HashMap::new();
    for seed in 0..1000 {
        let packets = random_packets(&mut Random::new(seed));
        let (expected, ending) = model(&packets);
        *endings.entry(format!("{ending:?}")).or_insert(0) += 1;
        let (stream, hostile) = hostile_peer(&server);
        thread::scope(|scope| {
            scope.spawn(|| {
                for packet in &packets {
                    if send(&hostile, packet).is_err() {
                        break;
                    }
                }
                drop(hostile);
            });
            for (n, expected) in expected.iter().enumerate() {
                let message = stream.read_message().unwrap();
                assert!(message.as_ref() == Some(expected), "message {n} of storm {seed}");
            }
            let end = stream.read_message();
            match ending {
                None => assert_eq!(end.unwrap(), None, "storm {seed}"),
                Some(kind) => assert_eq!(end.unwrap_err().kind(), kind, "storm {seed}"),
            }
            drop(stream);
        });
    }
    // The storm has all kinds of weather.
    assert!(
        endings.len() == 4 && endings.values().all(|count| *count > 10),
        "{endings:?}"
    );
    assert_serves(&server);
}

#[test]
fn a_storm_in_small_reads_never_ends_a_message_early() {
    let t = start();
    let server = limited_server(&t.name("smallstorm"));
    for seed in 0..400 {
        let packets = random_packets(&mut Random::new(1_000_000 + seed));
        let (expected, ending) = model(&packets);
        let (stream, hostile) = hostile_peer(&server);
        thread::scope(|scope| {
            scope.spawn(|| {
                for packet in &packets {
                    if send(&hostile, packet).is_err() {
                        break;
                    }
                }
                drop(hostile);
            });
            let mut random = Random::new(seed);
            let mut messages = vec![Vec::new()];
            let error = loop {
                let mut buf = vec![0; 1 + random.below(400) as usize];
                match stream.read(&mut buf) {
                    Ok(0) if messages.len() > expected.len() => break None,
                    Ok(len) => {
                        let message = messages.last_mut().unwrap();
                        message.extend_from_slice(&buf[..len]);
                        if stream.is_message_complete() {
                            messages.push(Vec::new());
                        }
                    }
                    Err(error) => break Some(error.kind()),
                }
            };
            messages.pop();
            assert!(messages == expected, "storm {seed}");
            assert_eq!(error, ending, "storm {seed}");
            drop(stream);
        });
    }
}

#[test]
fn a_server_outlasts_clients_that_connect_and_leave_in_every_state() {
    let t = start();
    let name = t.name("leave");
    let server = server(&name, PipeMode::Message);
    let mut hostile = Vec::new();
    for seed in 0..60 {
        let socket = raw::connect(SocketType::SEQPACKET, &name).unwrap();
        for packet in random_packets(&mut Random::new(seed)).iter().take(3) {
            send(&socket, packet).unwrap();
        }
        if seed % 3 > 0 {
            hostile.push(socket);
        }
    }
    for _ in 0..60 {
        let stream = server.accept_timeout(LONG).unwrap();
        stream.set_read_timeout(Some(Duration::ZERO));
        let _ = stream.read_message();
        let _ = stream.write_message("x");
    }
    drop(hostile);
    eventually("nobody is left", || {
        server.accept_timeout(Duration::ZERO).is_err()
    });
    assert_serves(&server);
}
