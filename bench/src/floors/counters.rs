//! Two processes that hand over by two counters, each on its own line: a semaphore with nothing to it.

use super::shared::{LINE, Shared};
use crate::harness::Place;
use crate::row::{Group, Measure, Result, Row};
use crate::work::{Baton, Common, HandOver};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(super) fn rows() -> Vec<Row> {
    let work = HandOver {
        common: Counters,
        pause: Duration::ZERO,
    };
    vec![Row::new(
        Group::Floor,
        "two counters, hand-over",
        Measure::OneWay,
        work,
    )]
}

struct Counters;

const TO_FAR: usize = 0;
const TO_NEAR: usize = 1;

impl Common for Counters {
    type Side = Side;

    fn near(&self, place: &mut Place) -> Result<Side> {
        Ok(Side {
            shared: Shared::near(place, 2 * LINE)?,
            give: TO_FAR,
            take: TO_NEAR,
        })
    }

    fn far(&self, place: &mut Place) -> Result<Side> {
        Ok(Side {
            shared: Shared::far(place, 2 * LINE)?,
            give: TO_NEAR,
            take: TO_FAR,
        })
    }
}

struct Side {
    shared: Shared,
    give: usize,
    take: usize,
}

impl Side {
    fn counter(&self, which: usize) -> &AtomicU64 {
        self.shared.word(which)
    }
}

impl Baton for Side {
    fn give(&mut self) -> Result<()> {
        self.counter(self.give).fetch_add(1, Ordering::Release);
        Ok(())
    }

    fn take(&mut self) -> Result<()> {
        let counter = self.counter(self.take);
        // No `spin_loop` hint, as in cacheline.rs.
        while counter.load(Ordering::Acquire) == 0 {}
        counter.fetch_sub(1, Ordering::Acquire);
        Ok(())
    }
}
