use super::{Common, busy};
use crate::harness::Place;
use crate::row::{Batch, Result, Work};
use std::time::{Duration, Instant};

/// One side of a game of ping-pong in which nothing moves but whose turn it is.
pub(crate) trait Baton {
    fn give(&mut self) -> Result<()>;

    fn take(&mut self) -> Result<()>;
}

/// Near hands over to far and far hands back.
pub(crate) struct HandOver<C> {
    pub(crate) common: C,
    /// How long each side is busy before it hands over: the other has gone to sleep then. It is not counted.
    pub(crate) pause: Duration,
}

impl<C: Common<Side: Baton>> Work for HandOver<C> {
    fn before_pinning(&self) -> Result<()> {
        self.common.before_pinning()
    }

    fn near(&self, place: &mut Place) -> Result<Batch> {
        let mut side = self.common.near(place)?;
        let pause = self.pause;
        Ok(Box::new(move |count| {
            // One turn that is not counted: far is there then.
            side.give()?;
            side.take()?;
            let start = Instant::now();
            let mut not_counted = Duration::ZERO;
            for _ in 0..count {
                if !pause.is_zero() {
                    not_counted += busy(pause) + pause;
                }
                side.give()?;
                side.take()?;
            }
            Ok(start.elapsed().saturating_sub(not_counted))
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let mut side = self.common.far(place)?;
        let pause = self.pause;
        Ok(Box::new(move |count| {
            for _ in 0..=count {
                side.take()?;
                if !pause.is_zero() {
                    busy(pause);
                }
                side.give()?;
            }
            Ok(Duration::ZERO)
        }))
    }
}
