//! Bare Unix sockets: what is under Quintet's pipes on Linux.

use super::waiting::{Waiting, send_all};
use super::{IDLE, NAP};
use crate::harness::Place;
use crate::row::{Asleep, Group, Measure, Result, Row};
use crate::work::{End, Idle, Link, Messages, ReadSome, RoundTrip, Stream, fill};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, IoSlice};
use rustix::net::{AddressFamily, SendAncillaryBuffer, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

pub(super) fn rows() -> Vec<Row> {
    let stream = |waiting| UnixSocket {
        kind: SocketType::STREAM,
        waiting,
    };
    let packets = |waiting| UnixSocket {
        kind: SocketType::SEQPACKET,
        waiting,
    };
    let (block, spin) = (Waiting::Block, Waiting::Spin);
    let mut rows = vec![
        round_trip("unix stream round trip 64 B, same core", stream(block), 64, None).on_one_core(),
        round_trip("unix stream round trip 64 B, asleep", stream(block), 64, None).asleep(Asleep::Both),
        round_trip("unix stream round trip 64 B, spinning", stream(spin), 64, None),
        round_trip(
            "unix stream round trip 64 B, after 200 µs idle",
            stream(block),
            64,
            Some(Idle::Near(IDLE)),
        )
        .asleep(Asleep::Far),
        round_trip(
            "unix stream round trip 64 B, both 120 µs idle",
            stream(block),
            64,
            Some(Idle::Both(NAP)),
        )
        .asleep(Asleep::Both),
        round_trip("unix stream round trip 4 KiB, asleep", stream(block), 4096, None).asleep(Asleep::Both),
        round_trip("unix stream round trip 4 KiB, spinning", stream(spin), 4096, None),
        round_trip(
            "unix seqpacket round trip 64 B, same core",
            packets(block),
            64,
            None,
        )
        .on_one_core(),
        round_trip("unix seqpacket round trip 64 B, asleep", packets(block), 64, None).asleep(Asleep::Both),
        round_trip(
            "unix seqpacket round trip 64 B, spinning",
            packets(spin),
            64,
            None,
        ),
    ];
    for (name, waiting) in [
        ("unix stream, 64 KiB writes", block),
        ("unix stream, 64 KiB writes, spinning", spin),
    ] {
        let bytes = 64 << 10;
        let link = stream(waiting);
        let measure = Measure::Throughput { bytes: bytes as u64 };
        rows.push(Row::new(Group::Floor, name, measure, Stream { link, bytes }));
    }
    rows.extend(
        [
            ("64 KiB", 64 << 10),
            ("1 MiB", 1 << 20),
            ("16 MiB", 16 << 20),
            ("64 MiB", 64 << 20),
            ("256 MiB", 256 << 20),
        ]
        .map(|(size, bytes)| {
            Row::new(
                Group::Floor,
                format!("unix stream, messages of {size}"),
                Measure::Throughput { bytes: bytes as u64 },
                Messages { link: Framed, bytes },
            )
        }),
    );
    rows
}

fn round_trip(name: &str, link: UnixSocket, bytes: usize, idle: Option<Idle>) -> Row {
    let work = RoundTrip { link, bytes, idle };
    Row::new(Group::Floor, name, Measure::RoundTrip, work)
}

struct UnixSocket {
    kind: SocketType,
    waiting: Waiting,
}

struct UnixEnd {
    socket: OwnedFd,
    waiting: Waiting,
}

impl Link for UnixSocket {
    type End = UnixEnd;

    fn near(&self, place: &mut Place) -> Result<UnixEnd> {
        let socket = socket(self.kind)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(place.hear()?)?)?;
        Ok(UnixEnd {
            socket,
            waiting: self.waiting,
        })
    }

    fn far(&self, place: &mut Place) -> Result<UnixEnd> {
        let path = place.folder().join("socket");
        let listener = socket(self.kind)?;
        rustix::net::bind(&listener, &SocketAddrUnix::new(&path)?)?;
        rustix::net::listen(&listener, 1)?;
        place.say(&path.to_string_lossy())?;
        Ok(UnixEnd {
            socket: rustix::net::accept_with(&listener, SocketFlags::CLOEXEC)?,
            waiting: self.waiting,
        })
    }
}

fn socket(kind: SocketType) -> Result<OwnedFd> {
    Ok(rustix::net::socket_with(
        AddressFamily::UNIX,
        kind,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

impl End for UnixEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        send_all(&self.socket, data)
    }

    fn receive(&mut self, buf: &mut Vec<u8>, len: usize) -> Result<()> {
        buf.resize(len, 0);
        fill(buf, |buf| self.waiting.receive(&self.socket, buf))
    }
}

impl ReadSome for UnixEnd {
    fn read_some(&mut self, buf: &mut [u8]) -> Result<usize> {
        self.waiting.receive(&self.socket, buf)
    }
}

/// Messages over a stream socket: eight bytes that say how long it is, then the message.
struct Framed;

struct FramedEnd(UnixEnd);

impl Link for Framed {
    type End = FramedEnd;

    fn near(&self, place: &mut Place) -> Result<FramedEnd> {
        STREAM.near(place).map(FramedEnd)
    }

    fn far(&self, place: &mut Place) -> Result<FramedEnd> {
        STREAM.far(place).map(FramedEnd)
    }
}

const STREAM: UnixSocket = UnixSocket {
    kind: SocketType::STREAM,
    waiting: Waiting::Block,
};

impl End for FramedEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        let header = (data.len() as u64).to_le_bytes();
        let sent = loop {
            let parts = [IoSlice::new(&header), IoSlice::new(data)];
            let mut nothing = SendAncillaryBuffer::default();
            match rustix::net::sendmsg(&self.0.socket, &parts, &mut nothing, SendFlags::NOSIGNAL) {
                Ok(len) => break len,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        };
        let cut = sent.min(header.len());
        send_all(&self.0.socket, &header[cut..])?;
        send_all(&self.0.socket, &data[sent - cut..])
    }

    fn receive(&mut self, buf: &mut Vec<u8>, _: usize) -> Result<()> {
        let mut header = [0; 8];
        fill(&mut header, |buf| self.0.waiting.receive(&self.0.socket, buf))?;
        // Believed: both sides are ours.
        buf.resize(u64::from_le_bytes(header) as usize, 0);
        fill(buf, |buf| self.0.waiting.receive(&self.0.socket, buf))
    }
}
