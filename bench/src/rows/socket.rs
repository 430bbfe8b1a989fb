//! Sockets: nng's patterns over Unix sockets and TCP.

use crate::harness::Place;
use crate::peers::SOCKET_RIVALS;
use crate::row::{Batch, Group, Measure, Result, Row, Target, Work};
use crate::work::{End, Link, MESSAGE, Messages, Transport, check, stamp};
use quintet::Deadline;
use quintet::socket::{Pull, Push, Rep, Req};
use std::time::{Duration, Instant};

const SETUP: Duration = Duration::from_secs(10);

pub(super) fn rows() -> Vec<Row> {
    Transport::ALL.iter().flat_map(|over| rows_over(*over)).collect()
}

fn rows_over(transport: Transport) -> [Row; 3] {
    let (word, floor) = (transport.word(), transport.floor());
    let asking = Row::new(
        Group::Socket,
        format!("quintet req/rep, {word}, round trip 64 B"),
        Measure::RoundTrip,
        Asking { transport },
    )
    .target(format!("{floor} round trip 64 B, asleep"), Target::AtMost(1.15));
    let pushing = |bytes| Messages {
        link: Pushing { transport },
        bytes,
    };
    let mut small = Row::new(
        Group::Socket,
        format!("quintet push/pull, {word}, messages of 64 B"),
        Measure::Messages,
        pushing(MESSAGE),
    );
    for rival in SOCKET_RIVALS {
        let rival = format!("{rival} push/pull, {word}, messages of 64 B");
        small = small.target(rival, Target::AtLeast(2.0));
    }
    let bytes = 1 << 20;
    let large = Row::new(
        Group::Socket,
        format!("quintet push/pull, {word}, messages of 1 MiB"),
        Measure::Throughput { bytes: bytes as u64 },
        pushing(bytes),
    )
    .target(format!("{floor}, messages of 1 MiB"), Target::AtLeast(0.9));
    [asking, small, large]
}

/// Quintet measures once a process, at its first wait, how long spinning is worth it. A usual process is not pinned then.
fn wait_once() -> Result<()> {
    let (push, pull) = (Push::new()?, Pull::new()?);
    push.dial(&pull.listen("tcp://127.0.0.1:0")?)?;
    pull.wait_for_peers(1, SETUP)?;
    match pull.recv_timeout(Duration::from_millis(1)) {
        Err(error) if error.kind() == quintet::ErrorKind::TimedOut => Ok(()),
        other => Err(format!("expected the receiving to time out, got {other:?}").into()),
    }
}

/// Near asks, far answers with what it was asked.
struct Asking {
    transport: Transport,
}

impl Work for Asking {
    fn before_pinning(&self) -> Result<()> {
        wait_once()
    }

    fn near(&self, place: &mut Place) -> Result<Batch> {
        let req = Req::new()?;
        req.dial(&*place.hear()?)?;
        req.wait_for_peers(1, SETUP)?;
        let mut message = [7; MESSAGE];
        let mut answer = Vec::new();
        Ok(Box::new(move |count| {
            // Far is known to be there when it has answered one.
            req.request_into(message, &mut answer, Deadline::NEVER)?;
            let start = Instant::now();
            for number in 0..count {
                stamp(&mut message, number);
                req.request_into(message, &mut answer, Deadline::NEVER)?;
                check(&answer, MESSAGE, number)?;
            }
            Ok(start.elapsed())
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let rep = Rep::new()?;
        rep.listen(&*self.transport.free_address(place, "socket")?)
            .map_err(Into::into)
            .and_then(|address| place.say(&address.to_string()))?;
        let mut body = Vec::new();
        Ok(Box::new(move |count| {
            for _ in 0..=count {
                let request = rep.recv_with(std::mem::take(&mut body), Deadline::NEVER)?;
                let answer = request.body().to_vec();
                body = request.reply_and_keep(answer)?;
            }
            Ok(Duration::ZERO)
        }))
    }
}

/// Each side pushes to the other.
#[derive(Clone, Copy)]
struct Pushing {
    transport: Transport,
}

struct PushingEnd {
    to: Push,
    from: Pull,
}

impl Link for Pushing {
    type End = PushingEnd;

    fn before_pinning(&self) -> Result<()> {
        wait_once()
    }

    fn near(&self, place: &mut Place) -> Result<PushingEnd> {
        let (to, from) = (Push::new()?, Pull::new()?);
        to.dial(&*place.hear()?)?;
        from.dial(&*place.hear()?)?;
        Ok(PushingEnd { to, from })
    }

    fn far(&self, place: &mut Place) -> Result<PushingEnd> {
        let (to, from) = (Push::new()?, Pull::new()?);
        let address = from.listen(&*self.transport.free_address(place, "to-far")?)?;
        place.say(&address.to_string())?;
        let address = to.listen(&*self.transport.free_address(place, "to-near")?)?;
        place.say(&address.to_string())?;
        Ok(PushingEnd { to, from })
    }
}

impl End for PushingEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        Ok(self.to.send(data)?)
    }

    fn receive(&mut self, buf: &mut Vec<u8>, _: usize) -> Result<()> {
        Ok(self.from.recv_into(buf, Deadline::NEVER)?)
    }
}
