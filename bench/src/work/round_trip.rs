use super::{GO, Link, busy, check, stamp, wait_for_go};
use crate::harness::Place;
use crate::row::{Batch, Result, Work};
use crate::work::End;
use std::time::{Duration, Instant};

/// Near sends a message, far sends it back.
pub(crate) struct RoundTrip<L> {
    pub(crate) link: L,
    pub(crate) bytes: usize,
    pub(crate) idle: Option<Idle>,
}

/// Who is busy with something else for how long before it sends, so that the other has gone to sleep. It is not counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Idle {
    Near(Duration),
    Both(Duration),
}

impl<L: Link> Work for RoundTrip<L> {
    fn before_pinning(&self) -> Result<()> {
        self.link.before_pinning()
    }

    fn near(&self, place: &mut Place) -> Result<Batch> {
        let mut end = self.link.near(place)?;
        let mut message = vec![7; self.bytes];
        let mut answer = Vec::new();
        let mut exchange = move |end: &mut L::End, number| {
            stamp(&mut message, number);
            end.send(&message)?;
            end.receive(&mut answer, message.len())?;
            check(&answer, message.len(), number)
        };
        let (near_idle, far_idle) = match self.idle {
            Some(Idle::Near(near)) => (near, Duration::ZERO),
            Some(Idle::Both(each)) => (each, each),
            None => (Duration::ZERO, Duration::ZERO),
        };
        if near_idle.is_zero() {
            return Ok(Box::new(move |count| {
                wait_for_go(&mut end)?;
                let start = Instant::now();
                for number in 0..count {
                    exchange(&mut end, number)?;
                }
                Ok(start.elapsed())
            }));
        }
        Ok(Box::new(move |count| {
            wait_for_go(&mut end)?;
            let mut elapsed = Duration::ZERO;
            for number in 0..count {
                busy(near_idle);
                let start = Instant::now();
                exchange(&mut end, number)?;
                elapsed += start.elapsed().saturating_sub(far_idle);
            }
            Ok(elapsed)
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let mut end = self.link.far(place)?;
        let bytes = self.bytes;
        let idle = match self.idle {
            Some(Idle::Both(each)) => Some(each),
            _ => None,
        };
        let mut message = Vec::new();
        Ok(Box::new(move |count| {
            end.send(GO)?;
            for _ in 0..count {
                end.receive(&mut message, bytes)?;
                if let Some(idle) = idle {
                    busy(idle);
                }
                end.send(&message)?;
            }
            Ok(Duration::ZERO)
        }))
    }
}
