//! TCP over the loopback interface.

use crate::harness::Place;
use crate::row::{Asleep, Group, Measure, Result, Row};
use crate::work::{End, Link, Messages, RoundTrip};
use std::io::{IoSlice, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

pub(super) fn rows() -> Vec<Row> {
    let row = |name| {
        let work = RoundTrip {
            link: Tcp,
            bytes: 64,
            idle: None,
        };
        Row::new(Group::Floor, name, Measure::RoundTrip, work)
    };
    vec![
        row("tcp round trip 64 B, same core").on_one_core(),
        row("tcp round trip 64 B, asleep").asleep(Asleep::Both),
        Row::new(
            Group::Floor,
            "tcp, messages of 1 MiB",
            Measure::Throughput { bytes: 1 << 20 },
            Messages {
                link: Framed,
                bytes: 1 << 20,
            },
        ),
    ]
}

struct Tcp;

struct TcpEnd(TcpStream);

impl TcpEnd {
    fn new(stream: TcpStream) -> Result<Self> {
        // Without it a small answer may wait for the acknowledgement of the last one.
        stream.set_nodelay(true)?;
        Ok(TcpEnd(stream))
    }
}

impl Link for Tcp {
    type End = TcpEnd;

    fn near(&self, place: &mut Place) -> Result<TcpEnd> {
        TcpEnd::new(TcpStream::connect(place.hear()?)?)
    }

    fn far(&self, place: &mut Place) -> Result<TcpEnd> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        place.say(&listener.local_addr()?.to_string())?;
        TcpEnd::new(listener.accept()?.0)
    }
}

impl End for TcpEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        Ok(self.0.write_all(data)?)
    }

    fn receive(&mut self, buf: &mut Vec<u8>, len: usize) -> Result<()> {
        buf.resize(len, 0);
        Ok(self.0.read_exact(buf)?)
    }
}

/// Messages over TCP: eight bytes that say how long it is, then the message.
struct Framed;

struct FramedEnd(TcpEnd);

impl Link for Framed {
    type End = FramedEnd;

    fn near(&self, place: &mut Place) -> Result<FramedEnd> {
        Tcp.near(place).map(FramedEnd)
    }

    fn far(&self, place: &mut Place) -> Result<FramedEnd> {
        Tcp.far(place).map(FramedEnd)
    }
}

impl End for FramedEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        let header = (data.len() as u64).to_le_bytes();
        let stream = &mut self.0.0;
        let sent = stream.write_vectored(&[IoSlice::new(&header), IoSlice::new(data)])?;
        let cut = sent.min(header.len());
        stream.write_all(&header[cut..])?;
        Ok(stream.write_all(&data[sent - cut..])?)
    }

    fn receive(&mut self, buf: &mut Vec<u8>, _: usize) -> Result<()> {
        let mut header = [0; 8];
        self.0.0.read_exact(&mut header)?;
        // Believed: both sides are ours.
        buf.resize(u64::from_le_bytes(header) as usize, 0);
        Ok(self.0.0.read_exact(buf)?)
    }
}
