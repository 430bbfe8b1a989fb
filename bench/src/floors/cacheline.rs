//! A cache line that goes from core to core: what shared memory can do at best.

use super::shared::Shared;
use crate::harness::Place;
use crate::row::{Batch, Group, Measure, Result, Row, Work};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(super) fn rows() -> Vec<Row> {
    [
        ("cache line, fixed", Measure::OneWay, 1),
        ("cache line, one a direction", Measure::OneWay, 2),
        ("cache line, rotating over 64 slots", Measure::OneWay, 64),
        ("cache line, fixed, there and back", Measure::RoundTrip, 1),
        (
            "cache line, one a direction, there and back",
            Measure::RoundTrip,
            2,
        ),
    ]
    .into_iter()
    .map(|(name, measure, lines)| Row::new(Group::Floor, name, measure, Bounce { lines }))
    .collect()
}

/// The sides take turns in storing the next number, each in the next of so many lines, and wait for the other's without
/// ever resting. (Of two lines each side writes one.)
struct Bounce {
    lines: usize,
}

impl Work for Bounce {
    fn near(&self, place: &mut Place) -> Result<Batch> {
        let mut turns = Turns::new(Shared::near(place, Turns::size(self.lines))?, self.lines);
        Ok(Box::new(move |count| {
            // One turn that is not counted: far is there then.
            turns.give();
            turns.take();
            let start = Instant::now();
            for _ in 0..count {
                turns.give();
                turns.take();
            }
            Ok(start.elapsed())
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let mut turns = Turns::new(Shared::far(place, Turns::size(self.lines))?, self.lines);
        Ok(Box::new(move |count| {
            for _ in 0..=count {
                turns.take();
                turns.give();
            }
            Ok(Duration::ZERO)
        }))
    }
}

struct Turns {
    shared: Shared,
    lines: usize,
    number: u64,
}

impl Turns {
    fn size(lines: usize) -> usize {
        lines * super::shared::LINE
    }

    fn new(shared: Shared, lines: usize) -> Self {
        Turns {
            shared,
            lines,
            number: 0,
        }
    }

    fn next(&mut self) -> (&AtomicU64, u64) {
        self.number += 1;
        (self.shared.word(self.number as usize % self.lines), self.number)
    }

    fn give(&mut self) {
        let (word, number) = self.next();
        word.store(number, Ordering::Release);
    }

    fn take(&mut self) {
        let (word, number) = self.next();
        // No `spin_loop` hint: on some processors it costs as much as the line's way.
        while word.load(Ordering::Acquire) != number {}
    }
}
