//! The closing table.

use std::fmt::Write as _;
use std::time::Duration;

/// One kind of exchange: how many, how much, how fast.
#[derive(Debug)]
pub(super) struct Row {
    there: &'static str,
    back: &'static str,
    times: Vec<Duration>,
    bytes_there: usize,
    bytes_back: usize,
}

impl Row {
    pub(super) fn new(there: &'static str, back: &'static str) -> Self {
        Row {
            there,
            back,
            times: Vec::new(),
            bytes_there: 0,
            bytes_back: 0,
        }
    }

    pub(super) fn note(&mut self, time: Duration, there: usize, back: usize) {
        self.times.push(time);
        self.bytes_there += there;
        self.bytes_back += back;
    }

    /// The time that a share of the exchanges did not exceed.
    fn percentile(&mut self, share: f64) -> Duration {
        self.times.sort_unstable();
        let last = self.times.len().saturating_sub(1);
        self.times
            .get((last as f64 * share).ceil() as usize)
            .copied()
            .unwrap_or_default()
    }
}

/// Draws the table.
pub(super) fn draw(rows: &mut [Row]) -> String {
    let mut text = format!(
        "{:<8}{:<22}{:<18}{:>9}  {:>10}  {:>10}  {:>13}  {:>13}\n",
        "", "main → worker", "worker → main", "messages", "there", "back", "round trip", "99.9 %"
    );
    for row in rows {
        let (median, tail) = (row.percentile(0.5), row.percentile(0.999));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<8}{:<22}{:<18}{:>9}  {:>10}  {:>10}  {:>13}  {:>13}",
            "pipe",
            row.there,
            row.back,
            2 * row.times.len(),
            bytes(row.bytes_there),
            bytes(row.bytes_back),
            micros(median),
            micros(tail),
        );
    }
    text
}

fn bytes(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let mut row = Row::new("", "");
        for micros in (1..=1000).rev() {
            row.note(Duration::from_micros(micros), 1, 1);
        }
        assert_eq!(row.percentile(0.0), Duration::from_micros(1));
        assert_eq!(row.percentile(0.999), Duration::from_micros(1000));
        assert_eq!(Row::new("", "").percentile(0.5), Duration::ZERO);
    }
}
