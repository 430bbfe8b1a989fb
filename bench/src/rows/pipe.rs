//! Named pipes.

use crate::floors::{IDLE, NAP};
use crate::harness::Place;
use crate::row::{Asleep, Group, Measure, Result, Row, Target};
use crate::work::{End, Idle, Link, Messages, ReadSome, RoundTrip, Stream};
use quintet::ErrorKind;
use quintet::pipe::{PipeClient, PipeMode, PipeServer, PipeStream};
use std::time::Duration;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (mode, word, at_most) in [
        (PipeMode::Byte, "byte", 1.10),
        (PipeMode::Message, "message", 1.15),
    ] {
        let target = Target::AtMost(at_most);
        let round_trip = |what: &str, idle| {
            let link = Pipe { mode };
            let work = RoundTrip {
                link,
                bytes: 64,
                idle,
            };
            let name = format!("quintet pipe, {word}, round trip 64 B{what}");
            Row::new(Group::Pipe, name, Measure::RoundTrip, work)
        };
        let plain = round_trip("", None)
            .target("unix stream round trip 64 B, spinning", target)
            .against("unix stream round trip 64 B, asleep");
        rows.extend([
            match mode {
                PipeMode::Byte => plain,
                // What is under it.
                PipeMode::Message => plain.against("unix seqpacket round trip 64 B, spinning"),
            },
            round_trip(", asleep", Some(Idle::Both(NAP)))
                .asleep(Asleep::Both)
                .target("unix stream round trip 64 B, both 120 µs idle", target),
            round_trip(", after 200 µs idle", Some(Idle::Near(IDLE)))
                .asleep(Asleep::Far)
                .against("unix stream round trip 64 B, after 200 µs idle"),
            round_trip(", same core", None)
                .on_one_core()
                .target("unix stream round trip 64 B, same core", target),
        ]);
    }
    rows.extend([byte_stream(), message_round_trip_4_kib()]);
    rows.extend(
        [
            ("64 KiB", 64 << 10, None),
            ("1 MiB", 1 << 20, Some(Target::AtLeast(1.0))),
            ("16 MiB", 16 << 20, Some(Target::AtLeast(1.0))),
            ("64 MiB", 64 << 20, Some(Target::AtLeast(1.0))),
            ("256 MiB", 256 << 20, Some(Target::AtLeast(1.0))),
        ]
        .map(|(size, bytes, target)| messages(size, bytes, target)),
    );
    rows
}

fn byte_stream() -> Row {
    let bytes = 64 << 10;
    let link = Pipe { mode: PipeMode::Byte };
    Row::new(
        Group::Pipe,
        "quintet pipe, byte, 64 KiB writes",
        Measure::Throughput { bytes: bytes as u64 },
        Stream { link, bytes },
    )
    .target("unix stream, 64 KiB writes, spinning", Target::AtLeast(0.95))
    .against("unix stream, 64 KiB writes")
}

fn message_round_trip_4_kib() -> Row {
    let work = RoundTrip {
        link: MESSAGES,
        bytes: 4 << 10,
        idle: None,
    };
    Row::new(
        Group::Pipe,
        "quintet pipe, message, round trip 4 KiB",
        Measure::RoundTrip,
        work,
    )
    .against("unix stream round trip 4 KiB, spinning")
    .against("unix stream round trip 4 KiB, asleep")
}

fn messages(size: &str, bytes: usize, target: Option<Target>) -> Row {
    let row = Row::new(
        Group::Pipe,
        format!("quintet pipe, messages of {size}"),
        Measure::Throughput { bytes: bytes as u64 },
        Messages {
            link: MESSAGES,
            bytes,
        },
    );
    let floor = format!("unix stream, messages of {size}");
    match target {
        Some(target) => row.target(floor, target),
        None => row.against(floor),
    }
}

const MESSAGES: Pipe = Pipe {
    mode: PipeMode::Message,
};

struct Pipe {
    mode: PipeMode,
}

const SETUP: Duration = Duration::from_secs(10);

impl Link for Pipe {
    type End = PipeEnd;

    fn before_pinning(&self) -> Result<()> {
        // Quintet measures once a process, at its first wait, how long spinning is worth it. A usual process is not
        // pinned then.
        let name = format!("quintet-bench-first-wait-{}", std::process::id());
        let server = PipeServer::create(&name)?;
        let client = PipeClient::connect(&name)?;
        let _stream = server.accept()?;
        client.set_read_timeout(Some(Duration::from_millis(1)));
        match client.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(()),
            other => Err(format!("expected the read to time out, got {other:?}").into()),
        }
    }

    fn near(&self, place: &mut Place) -> Result<PipeEnd> {
        let stream = PipeClient::builder(&place.hear()?)?
            .connect_timeout(SETUP)
            .connect()?;
        Ok(PipeEnd::new(stream))
    }

    fn far(&self, place: &mut Place) -> Result<PipeEnd> {
        let name = place.unique_name();
        let server = PipeServer::builder(&name)?.mode(self.mode).create()?;
        place.say(&name)?;
        Ok(PipeEnd::new(server.accept_timeout(SETUP)?))
    }
}

struct PipeEnd {
    stream: PipeStream,
    mode: PipeMode,
}

impl PipeEnd {
    fn new(stream: PipeStream) -> Self {
        let mode = stream.mode();
        PipeEnd { stream, mode }
    }
}

impl End for PipeEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(data)?)
    }

    fn receive(&mut self, buf: &mut Vec<u8>, len: usize) -> Result<()> {
        match self.mode {
            PipeMode::Byte => {
                buf.resize(len, 0);
                crate::work::fill(buf, |buf| self.read_some(buf))
            }
            PipeMode::Message => match self.stream.read_message_into(buf)? {
                true => Ok(()),
                false => Err("the other side has closed".into()),
            },
        }
    }
}

impl ReadSome for PipeEnd {
    fn read_some(&mut self, buf: &mut [u8]) -> Result<usize> {
        Ok(self.stream.read(buf)?)
    }
}
