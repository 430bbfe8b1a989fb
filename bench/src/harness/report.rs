//! The result of a run: what the table shows and what the JSON file has. README.md describes the file.

use super::machine::{Chosen, Description};
use super::schedule::{History, Sample};
use super::statistics::Figures;
use crate::row::{Against, Asleep, Cores, Measure, Row, Target};
use serde::Serialize;
use std::time::Duration;

/// Changes when a key changes its meaning or goes away.
const FORMAT: u32 = 1;

/// A row that says "asleep" must have slept in at least this share of its operations, in every repeat.
const PROOF: f64 = 0.95;

/// And one that says "awake" in at most this share: a virtual machine takes its cores away now and then.
const AWAKE: f64 = 0.01;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    format: u32,
    pub(crate) quick: bool,
    pub(crate) repeats: usize,
    pub(crate) elapsed_s: f64,
    pub(crate) machine: Description,
    pub(crate) cores: Chosen,
    /// Over all measured batches of rows on two cores: how often the system ran somebody else there.
    pub(crate) involuntary_switches_per_s: Option<f64>,
    pub(crate) rows: Vec<RowReport>,
    /// What did not run for lack of something.
    pub(crate) left_out: Vec<LeftOut>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct LeftOut {
    pub(crate) name: String,
    pub(crate) why: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RowReport {
    pub(crate) name: String,
    pub(crate) group: &'static str,
    /// One of the five is there, unless the row failed in its first repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) round_trip_ns: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) one_way_ns: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation_ns: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_per_s: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) messages_per_s: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_per_operation: Option<u64>,
    /// In a measured batch, one figure a repeat.
    pub(crate) operations: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) slept: Option<Slept>,
    /// How many an operation makes: for rows that say that it is none, which was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) system_calls: Option<u64>,
    pub(crate) against: Vec<Ratio>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
}

/// In what share of the operations each side gave up its core to wait.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Slept {
    pub(crate) near_share: Figures,
    pub(crate) far_share: Figures,
    /// Whether the row says that somebody slept, and not that nobody did.
    #[serde(skip)]
    pub(crate) claims_sleep: bool,
    /// For a row that says that somebody slept, or nobody: whether it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proven: Option<bool>,
}

/// A row's figure beside its floor's, repeat by repeat.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ratio {
    pub(crate) floor: String,
    /// The one divided by the other. `None` if the floor or the row has none, or if they are not of a kind.
    pub(crate) ratio: Option<Figures>,
    /// For messages a second against a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) messages_per_floor_time: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_at_most: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_at_least: Option<f64>,
    /// Whether the median of either is on the right side of the target; not told of a quick run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) met: Option<bool>,
}

impl Report {
    pub(crate) fn new(
        rows: &[Row],
        left_out: Vec<LeftOut>,
        histories: &[History],
        machine: Description,
        cores: Chosen,
        quick: bool,
        elapsed: Duration,
    ) -> Self {
        Report {
            format: FORMAT,
            quick,
            repeats: histories
                .iter()
                .map(|history| history.samples.len())
                .max()
                .unwrap_or(0),
            elapsed_s: elapsed.as_secs_f64(),
            machine,
            cores,
            involuntary_switches_per_s: disturbance(rows, histories),
            rows: rows
                .iter()
                .zip(histories)
                .map(|(row, history)| {
                    // A floor that this system does not have is not told of.
                    let against = row.against.iter().filter_map(|against| {
                        let floor = rows.iter().position(|floor| floor.name == against.floor)?;
                        Some(ratio(
                            against,
                            (row.measure, history),
                            (rows[floor].measure, &histories[floor]),
                            quick,
                        ))
                    });
                    let against = against.collect();
                    row_report(row, history, against)
                })
                .collect(),
            left_out,
        }
    }

    pub(crate) fn failures(&self) -> usize {
        self.rows.iter().filter(|row| row.failed.is_some()).count()
    }
}

fn row_report(row: &Row, history: &History, against: Vec<Ratio>) -> RowReport {
    let figures = Figures::of(history.samples.iter().map(|sample| sample.value).collect());
    let mut report = RowReport {
        name: row.name.clone(),
        group: row.group.word(),
        round_trip_ns: None,
        one_way_ns: None,
        operation_ns: None,
        bytes_per_s: None,
        messages_per_s: None,
        bytes_per_operation: None,
        operations: history.samples.iter().map(|sample| sample.operations).collect(),
        slept: None,
        system_calls: (row.silent && cfg!(target_os = "linux")).then_some(0),
        against,
        failed: history.failed.clone(),
    };
    match row.measure {
        Measure::RoundTrip => {
            report.round_trip_ns = figures;
            report.slept = slept(row.asleep, history);
        }
        Measure::OneWay => {
            report.one_way_ns = figures;
            if row.asleep != Asleep::NotClaimed {
                report.slept = slept(row.asleep, history);
            }
        }
        Measure::Operation { .. } => report.operation_ns = figures,
        Measure::Throughput { bytes } => {
            report.bytes_per_s = figures;
            report.bytes_per_operation = Some(bytes);
        }
        Measure::Messages => report.messages_per_s = figures,
    }
    report
}

fn slept(claim: Asleep, history: &History) -> Option<Slept> {
    let shares: Option<Vec<_>> = history.samples.iter().map(Sample::slept).collect();
    let (near, far) = shares?.into_iter().unzip();
    let (near_share, far_share) = (Figures::of(near)?, Figures::of(far)?);
    let proven = match claim {
        Asleep::NotClaimed => None,
        Asleep::Nobody => Some(near_share.max.max(far_share.max) <= AWAKE),
        Asleep::Both => Some(near_share.min.min(far_share.min) >= PROOF),
        Asleep::Far => Some(far_share.min >= PROOF),
    };
    Some(Slept {
        near_share,
        far_share,
        claims_sleep: claim != Asleep::Nobody,
        proven,
    })
}

fn ratio(
    against: &Against,
    (measure, history): (Measure, &History),
    (floors, floor): (Measure, &History),
    quick: bool,
) -> Ratio {
    let is_rate_in_time = !measure.is_time() && floors.is_time();
    let figures = Figures::of(
        history
            .samples
            .iter()
            .zip(&floor.samples)
            .map(|(sample, floor)| match is_rate_in_time {
                true => sample.value * floor.value / 1e9,
                false => sample.value / floor.value,
            })
            .collect(),
    );
    let met = against
        .target
        .zip(figures.as_ref())
        .filter(|_| !quick)
        .map(|(target, figures)| target.is_met_by(figures.median));
    let (ratio, messages_per_floor_time) = match is_rate_in_time {
        true => (None, figures),
        false => (figures, None),
    };
    let (target_at_most, target_at_least) = match against.target {
        Some(Target::AtMost(limit)) => (Some(limit), None),
        Some(Target::AtLeast(limit)) => (None, Some(limit)),
        None => (None, None),
    };
    Ratio {
        floor: against.floor.clone(),
        ratio,
        messages_per_floor_time,
        target_at_most,
        target_at_least,
        met,
    }
}

/// Rows on one core are left out: there the two sides take it from each other.
fn disturbance(rows: &[Row], histories: &[History]) -> Option<f64> {
    let samples = || {
        rows.iter()
            .zip(histories)
            .filter(|(row, _)| row.cores == Cores::Two)
            .flat_map(|(_, history)| &history.samples)
    };
    let seconds: f64 = samples().map(|sample| sample.wall.as_secs_f64()).sum();
    let switches: Option<u64> = samples()
        .map(|sample| {
            sample
                .switches
                .map(|(near, far)| near.involuntary + far.involuntary)
        })
        .sum();
    switches
        .filter(|_| seconds > 0.0)
        .map(|switches| switches as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(value: f64) -> History {
        let sample = Sample {
            value,
            operations: 1,
            wall: Duration::ZERO,
            switches: None,
        };
        History {
            samples: vec![sample],
            failed: None,
        }
    }

    #[test]
    fn messages_a_second_are_counted_in_the_time_of_a_floor_and_divided_by_its_rate() {
        let against = Against {
            floor: "floor".into(),
            target: Some(Target::AtLeast(3.0)),
        };
        let sixty_million = history(60e6);
        let row = (Measure::Messages, &sixty_million);
        let in_time = ratio(&against, row, (Measure::OneWay, &history(50.0)), false);
        assert_eq!(in_time.ratio, None);
        assert_eq!(in_time.messages_per_floor_time.unwrap().median, 3.0);
        assert_eq!(in_time.met, Some(true));
        let divided = ratio(&against, row, (Measure::Messages, &history(30e6)), false);
        assert_eq!(divided.ratio.unwrap().median, 2.0);
        assert_eq!(divided.messages_per_floor_time, None);
        assert_eq!(divided.met, Some(false));
    }
}
