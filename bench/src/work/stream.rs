use super::{GO, Link, Pages, ReadSome, wait_for_go};
use crate::harness::Place;
use crate::row::{Batch, Result, Work};
use crate::work::End;
use std::time::{Duration, Instant};

/// Near writes bytes, so many at a time; far reads what there is, at most as many at a time. The time is over when far
/// has got the last.
pub(crate) struct Stream<L> {
    pub(crate) link: L,
    pub(crate) bytes: usize,
}

impl<L: Link<End: ReadSome>> Work for Stream<L> {
    fn before_pinning(&self) -> Result<()> {
        self.link.before_pinning()
    }

    fn near(&self, place: &mut Place) -> Result<Batch> {
        let mut end = self.link.near(place)?;
        let mut data = Pages::new(self.bytes);
        Ok(Box::new(move |count| {
            wait_for_go(&mut end)?;
            let start = Instant::now();
            for _ in 0..count {
                end.send(data.bytes())?;
            }
            wait_for_go(&mut end)?;
            Ok(start.elapsed())
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let mut end = self.link.far(place)?;
        let mut buf = Pages::new(self.bytes);
        Ok(Box::new(move |count| {
            let buf = buf.bytes();
            end.send(GO)?;
            let mut left = count * buf.len() as u64;
            while left > 0 {
                let room = left.min(buf.len() as u64) as usize;
                match end.read_some(&mut buf[..room])? {
                    0 => return Err("near has closed".into()),
                    len => left -= len as u64,
                }
            }
            end.send(GO)?;
            Ok(Duration::ZERO)
        }))
    }
}
