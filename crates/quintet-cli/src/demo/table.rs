//! The closing table.

use std::fmt::Write as _;
use std::time::Duration;

/// One kind of message: how many, how much, and how fast an answer comes.
#[derive(Debug)]
pub(super) struct Row {
    mechanism: &'static str,
    pub(super) what: &'static str,
    /// Of round trips.
    times: Vec<Duration>,
    messages: usize,
    bytes: usize,
}

impl Row {
    pub(super) fn new(mechanism: &'static str, what: &'static str) -> Self {
        Row {
            mechanism,
            what,
            times: Vec::new(),
            messages: 0,
            bytes: 0,
        }
    }

    /// A message without an answer.
    pub(super) fn note_one_way(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    /// The answer to a message that was noted by itself: what it took, from that on.
    pub(super) fn note_answer(&mut self, time: Duration, bytes: usize) {
        self.times.push(time);
        self.note_one_way(bytes);
    }

    /// A round trip: what it took, and the bytes of both ways.
    pub(super) fn note(&mut self, time: Duration, bytes: usize) {
        self.times.push(time);
        self.messages += 2;
        self.bytes += bytes;
    }

    /// How many, answers included.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// The time that so many thousandths of the round trips did not exceed; `None` without any.
    fn permille(&mut self, share: usize) -> Option<Duration> {
        self.times.sort_unstable();
        let rank = (self.times.len() * share).div_ceil(1000).max(1);
        self.times.get(rank - 1).copied()
    }
}

/// Draws the table.
pub(super) fn draw(rows: &mut [Row]) -> String {
    let mut text = format!(
        "{:<16}{:<17}{:>10}{:>12}{:>13}{:>12}\n",
        "", "", "messages", "bytes", "median", "99.9 %"
    );
    for row in rows {
        let (median, tail) = (row.permille(500), row.permille(999));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<16}{:<17}{:>10}{:>12}{:>13}{:>12}",
            row.mechanism,
            row.what,
            count(row.messages()),
            bytes(row.bytes),
            micros(median),
            micros(tail),
        );
    }
    text + "median and 99.9th percentile of a round trip: a message there and its answer back\n"
}

/// A number with its thousands set apart.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn micros(time: Option<Duration>) -> String {
    time.map_or("-".into(), |time| format!("{:.1} µs", time.as_secs_f64() * 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let mut row = Row::new("", "");
        for micros in (1..=1000).rev() {
            row.note(Duration::from_micros(micros), 1);
        }
        for (share, micros) in [(500, 500), (999, 999), (0, 1), (1000, 1000)] {
            assert_eq!(row.permille(share), Some(Duration::from_micros(micros)));
        }
        assert_eq!(Row::new("", "").permille(500), None);
    }

    #[test]
    fn columns_are_aligned_and_narrow() {
        let mut small = Row::new("pipe", "commands of 64 B");
        small.note(Duration::from_nanos(4_321), 128);
        let mut large = Row::new("pipe", "frames of 1 MiB");
        for _ in 0..1_000_000 {
            large.note(Duration::from_secs(1), 2 << 20);
        }
        let mut single = Row::new("anonymous pipe", "order to connect");
        single.note_one_way(33);
        let text = draw(&mut [single, small, large]);
        let widths: Vec<usize> = text.lines().take(4).map(|line| line.chars().count()).collect();
        assert_eq!(widths, [widths[0]; 4], "{text}");
        assert!(widths[0] <= 80, "{text}");
        assert!(
            text.contains("2,000,000") && text.contains("4.3 µs") && text.contains("1000000.0 µs"),
            "{text}"
        );
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
    }
}
