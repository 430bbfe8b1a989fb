//! What runs when: every row once a repeat, again and again, each with a warm-up of its own.

use super::machine::Chosen;
use super::pair::Pair;
use super::wire::{Ran, Switches};
use crate::row::{Result, Row};
use std::time::{Duration, Instant};

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) repeats: u32,
    /// Spent in unmeasured batches by every pair of processes.
    pub(crate) warm_up: Duration,
    /// How long a measured batch should take; one operation takes as long as it takes.
    pub(crate) batch: Duration,
    /// For one row in one repeat, from the start of its processes to its figure. Beyond it, it counts as hanging.
    pub(crate) deadline: Duration,
    /// When no new repeat begins, except the first.
    pub(crate) enough: Option<Duration>,
}

/// What a row did in all repeats.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// One a repeat, until it failed.
    pub(crate) samples: Vec<Sample>,
    pub(crate) failed: Option<String>,
}

/// What a row did in one repeat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Nanoseconds, or bytes a second.
    pub(crate) value: f64,
    pub(crate) operations: u64,
    pub(crate) wall: Duration,
    /// Near's and far's.
    pub(crate) switches: Option<(Switches, Switches)>,
}

impl Sample {
    /// In what share of the operations near slept, and far.
    pub(crate) fn slept(&self) -> Option<(f64, f64)> {
        let share = |switches: Switches| (switches.voluntary as f64 / self.operations as f64).min(1.0);
        self.switches.map(|(near, far)| (share(near), share(far)))
    }
}

/// Runs all `rows`, in the order of `order`, in every repeat. The histories are in the order of `rows`.
///
/// The floors that a row is judged against should come shortly before it: a machine's speed drifts.
pub(crate) fn measure(
    rows: &[Row],
    order: &[usize],
    cores: Chosen,
    effort: Effort,
    mut progress: impl FnMut(u32, &str),
) -> Vec<History> {
    let start = Instant::now();
    let mut histories: Vec<History> = rows.iter().map(|_| History::default()).collect();
    for repeat in 0..effort.repeats {
        if repeat > 0 && effort.enough.is_some_and(|enough| start.elapsed() >= enough) {
            break;
        }
        for &index in order {
            let (row, history) = (&rows[index], &mut histories[index]);
            if history.failed.is_some() {
                continue;
            }
            progress(repeat, &row.name);
            match sample(row, cores, effort) {
                Ok(sample) => history.samples.push(sample),
                Err(why) => history.failed = Some(why.to_string()),
            }
        }
    }
    histories
}

fn sample(row: &Row, cores: Chosen, effort: Effort) -> Result<Sample> {
    let mut pair = Pair::start(row, cores, Instant::now() + effort.deadline)?;
    let per_operation = warm_up(effort.warm_up, |count| Ok(wall(&pair.run(count)?)))?;
    let operations = (effort.batch.as_secs_f64() / per_operation).max(1.0) as u64;
    let ran = pair.run(operations)?;
    pair.end()?;
    let (near, far) = ran;
    Ok(Sample {
        value: row.measure.value(near.elapsed as f64 / operations as f64),
        operations,
        wall: wall(&ran),
        switches: near.switches.zip(far.switches),
    })
}

fn wall((near, far): &(Ran, Ran)) -> Duration {
    Duration::from_nanos(near.wall.max(far.wall))
}

/// Runs ever more operations until they take long enough to be worth something: the seconds that one takes.
fn warm_up(enough: Duration, mut run: impl FnMut(u64) -> Result<Duration>) -> Result<f64> {
    let mut spent = Duration::ZERO;
    let mut count = 1_u64;
    // The very first includes page faults and cold caches, so it never counts.
    run(count)?;
    loop {
        let took = run(count)?;
        spent += took;
        if took >= enough / 2 && spent >= enough {
            return Ok(took.as_secs_f64() / count as f64);
        }
        if took < enough / 2 {
            let factor = enough.as_secs_f64() / took.as_secs_f64().max(1e-9);
            count = count.saturating_mul(factor.clamp(2.0, 10.0) as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warming_up_takes_about_as_long_as_it_should_and_finds_the_time_of_an_operation() {
        for nanoseconds in [40_u64, 5_000, 1_000_000, 300_000_000] {
            let mut spent = Duration::ZERO;
            let run = |count| {
                let took = Duration::from_nanos(count * nanoseconds);
                spent += took;
                Ok(took)
            };
            let enough = Duration::from_millis(20);
            let found = warm_up(enough, run).unwrap();
            assert!((found * 1e9 - nanoseconds as f64).abs() < 1e-3, "{found}");
            let least = 2 * Duration::from_nanos(nanoseconds);
            assert!(spent <= least.max(enough * 3), "{spent:?} at {nanoseconds} ns");
        }
    }
}
