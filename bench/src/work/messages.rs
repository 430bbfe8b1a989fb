use super::{GO, Link, check, stamp, wait_for_go};
use crate::harness::Place;
use crate::row::{Batch, Result, Work};
use crate::work::End;
use std::time::{Duration, Instant};

/// Near sends messages one after the other; the time is over when far has got the last.
pub(crate) struct Messages<L> {
    pub(crate) link: L,
    pub(crate) bytes: usize,
}

impl<L: Link> Work for Messages<L> {
    fn before_pinning(&self) -> Result<()> {
        self.link.before_pinning()
    }

    fn near(&self, place: &mut Place) -> Result<Batch> {
        let mut end = self.link.near(place)?;
        let mut message = vec![7; self.bytes];
        Ok(Box::new(move |count| {
            wait_for_go(&mut end)?;
            let start = Instant::now();
            for number in 0..count {
                stamp(&mut message, number);
                end.send(&message)?;
            }
            wait_for_go(&mut end)?;
            Ok(start.elapsed())
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let mut end = self.link.far(place)?;
        let bytes = self.bytes;
        let mut message = Vec::new();
        Ok(Box::new(move |count| {
            end.send(GO)?;
            for number in 0..count {
                end.receive(&mut message, bytes)?;
                check(&message, bytes, number)?;
            }
            end.send(GO)?;
            Ok(Duration::ZERO)
        }))
    }
}
