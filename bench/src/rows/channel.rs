//! Channels: what the choice by address costs over the mechanism itself, whose row stands beside it: of a queue "quintet queue,
//! one way 64 B, awake", of a pipe "quintet pipe, message, round trip 64 B", of a socket the last one here.

use super::queue::wait_once;
use crate::harness::Place;
use crate::row::{Group, Measure, Result, Row};
use crate::work::{End, Link, RoundTrip};
use quintet::channel::{Channel, Receiver, Sender};
use quintet::socket::{Pull, Push};

const BYTES: usize = 64;

pub(super) fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = [
        (
            "a queue, one way 64 B",
            Over::Queue,
            Measure::OneWay,
            "bare ring, one way 64 B",
        ),
        (
            "a pipe, round trip 64 B",
            Over::Pipe,
            Measure::RoundTrip,
            "unix seqpacket round trip 64 B, spinning",
        ),
        #[cfg(target_os = "linux")]
        (
            "a unix socket, round trip 64 B",
            Over::Socket,
            Measure::RoundTrip,
            "unix stream round trip 64 B, spinning",
        ),
    ]
    .into_iter()
    .map(|(what, over, measure, floor)| {
        let work = RoundTrip {
            link: over,
            bytes: BYTES,
            idle: None,
        };
        let name = format!("quintet channel over {what}");
        Row::new(Group::Channel, name, measure, work).against(floor)
    })
    .collect();
    if cfg!(target_os = "linux") {
        let work = RoundTrip {
            link: Sockets,
            bytes: BYTES,
            idle: None,
        };
        let name = "quintet push to pull, unix socket, round trip 64 B";
        rows.push(
            Row::new(Group::Channel, name, Measure::RoundTrip, work)
                .against("unix stream round trip 64 B, spinning"),
        );
    }
    rows
}

/// Two channels, one a direction. Far receives on both sides' behalf: it makes what has to be made.
#[derive(Clone, Copy)]
enum Over {
    Queue,
    Pipe,
    #[cfg(target_os = "linux")]
    Socket,
}

impl Over {
    fn address(self, name: &str, way: &str) -> String {
        match self {
            Over::Queue => format!("queue://{name}-{way}?producers=1"),
            Over::Pipe => format!("pipe://{name}-{way}"),
            #[cfg(target_os = "linux")]
            Over::Socket => format!("unix://@{name}-{way}"),
        }
    }
}

impl Link for Over {
    type End = ChannelEnd;

    fn before_pinning(&self) -> Result<()> {
        wait_once()
    }

    fn near(&self, place: &mut Place) -> Result<ChannelEnd> {
        let name = place.hear()?;
        Ok(ChannelEnd {
            to: Sender::open(self.address(&name, "there"))?,
            from: Channel::at(self.address(&name, "back"))?.connect().receiver()?,
        })
    }

    fn far(&self, place: &mut Place) -> Result<ChannelEnd> {
        let name = place.unique_name();
        let to = Channel::at(self.address(&name, "back"))?;
        let end = ChannelEnd {
            from: Receiver::open(self.address(&name, "there"))?,
            to: match self {
                // Either end makes a queue; one that is told to listen would as well.
                Over::Queue => to.sender()?,
                _ => to.listen().sender()?,
            },
        };
        place.say(&name)?;
        Ok(end)
    }
}

struct ChannelEnd {
    to: Sender,
    from: Receiver,
}

impl End for ChannelEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        Ok(self.to.send(data)?)
    }

    fn receive(&mut self, buf: &mut Vec<u8>, _: usize) -> Result<()> {
        Ok(self.from.recv(buf)?)
    }
}

/// What the channel over a socket is made of.
struct Sockets;

impl Link for Sockets {
    type End = SocketEnd;

    fn near(&self, place: &mut Place) -> Result<SocketEnd> {
        let name = place.hear()?;
        let end = SocketEnd {
            to: Push::new()?,
            from: Pull::new()?,
        };
        end.to.dial(format!("unix://@{name}-there"))?;
        end.from.dial(format!("unix://@{name}-back"))?;
        Ok(end)
    }

    fn far(&self, place: &mut Place) -> Result<SocketEnd> {
        let name = place.unique_name();
        let end = SocketEnd {
            to: Push::new()?,
            from: Pull::new()?,
        };
        end.from.listen(format!("unix://@{name}-there"))?;
        end.to.listen(format!("unix://@{name}-back"))?;
        place.say(&name)?;
        Ok(end)
    }
}

struct SocketEnd {
    to: Push,
    from: Pull,
}

impl End for SocketEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        Ok(self.to.send(data)?)
    }

    fn receive(&mut self, buf: &mut Vec<u8>, _: usize) -> Result<()> {
        Ok(self.from.recv_into(buf, quintet::Deadline::NEVER)?)
    }
}
