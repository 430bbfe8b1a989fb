//! Two processes that wait for each other, by two semaphores, one a direction.

use super::wait_once;
use crate::floors::NAP;
use crate::harness::Place;
use crate::row::{Asleep, Group, Measure, Result, Row, Target};
use crate::work::{Baton, Common, HandOver};
use quintet::sync::{Event, Reset, Semaphore};
use std::time::Duration;

pub(super) fn rows() -> Vec<Row> {
    let semaphores = |what: &str, measure, pause| {
        let name = format!("quintet semaphore, {what}");
        let common = Two {
            open: |name| Ok(Semaphore::create_or_open(name, 0, 1)?),
        };
        Row::new(Group::Sync, name, measure, HandOver { common, pause })
    };
    let events = |what: &str, measure, pause| {
        let name = format!("quintet event, {what}");
        let common = Two {
            open: |name| Ok(Event::create_or_open(name, Reset::Auto)?),
        };
        Row::new(Group::Sync, name, measure, HandOver { common, pause })
    };
    vec![
        semaphores("hand-over, awake", Measure::OneWay, Duration::ZERO)
            .asleep(Asleep::Nobody)
            .target("cache line, fixed, there and back", Target::AtMost(1.25))
            .against("two counters, hand-over"),
        semaphores("round trip, asleep", Measure::RoundTrip, NAP)
            .asleep(Asleep::Both)
            .target("futex round trip, both 120 µs idle", Target::AtMost(1.3))
            .against("sem_t round trip, both 120 µs idle"),
        semaphores("round trip, same core", Measure::RoundTrip, Duration::ZERO)
            .on_one_core()
            .target("futex round trip, same core", Target::AtMost(1.3))
            .against("sem_t round trip, same core"),
        events("hand-over, awake", Measure::OneWay, Duration::ZERO)
            .asleep(Asleep::Nobody)
            .against("cache line, fixed, there and back"),
        events("round trip, asleep", Measure::RoundTrip, NAP)
            .asleep(Asleep::Both)
            .against("futex round trip, both 120 µs idle"),
    ]
}

struct Two<S> {
    open: fn(&str) -> Result<S>,
}

impl<S: 'static> Common for Two<S>
where
    Side<S>: Baton,
{
    type Side = Side<S>;

    fn before_pinning(&self) -> Result<()> {
        wait_once()
    }

    fn near(&self, place: &mut Place) -> Result<Side<S>> {
        let name = place.hear()?;
        Ok(Side {
            give: (self.open)(&to_far(&name))?,
            take: (self.open)(&to_near(&name))?,
        })
    }

    fn far(&self, place: &mut Place) -> Result<Side<S>> {
        let name = place.unique_name();
        let side = Side {
            give: (self.open)(&to_near(&name))?,
            take: (self.open)(&to_far(&name))?,
        };
        place.say(&name)?;
        Ok(side)
    }
}

fn to_far(name: &str) -> String {
    format!("{name}-to-far")
}

fn to_near(name: &str) -> String {
    format!("{name}-to-near")
}

struct Side<S> {
    give: S,
    take: S,
}

impl Baton for Side<Semaphore> {
    fn give(&mut self) -> Result<()> {
        self.give.release(1)?;
        Ok(())
    }

    fn take(&mut self) -> Result<()> {
        Ok(self.take.wait()?)
    }
}

impl Baton for Side<Event> {
    fn give(&mut self) -> Result<()> {
        Ok(self.give.set()?)
    }

    fn take(&mut self) -> Result<()> {
        Ok(self.take.wait()?)
    }
}
