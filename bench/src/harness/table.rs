//! The table for people, at most 120 columns wide. (Why a row failed stands below it and takes what it needs.)

use super::report::{Ratio, Report, RowReport};
use super::statistics::Figures;
use std::fmt::{self, Write};

const NAME: usize = 58;
const MEDIAN: usize = 12;
const SPREAD: usize = 19;

/// Prints a report to standard output.
pub(crate) fn print(report: &Report) {
    print!("{}", render(report));
}

fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, report);
    text
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "{}, {}", report.machine.system, report.machine.processor)?;
    match report.cores.far {
        Some(far) => writeln!(out, "near on core {}, far on core {far}", report.cores.near)?,
        None => writeln!(
            out,
            "one core only ({}): rows that need two are left out",
            report.cores.near
        )?,
    }
    writeln!(out, "{} repeats in {:.0} s", report.repeats, report.elapsed_s)?;
    if report.quick {
        writeln!(
            out,
            "a quick run: it shows that everything runs, its figures mean little"
        )?;
    }
    if let Some(switches) = report.involuntary_switches_per_s {
        writeln!(
            out,
            "others took our cores {switches:.0} times a second (a quiet machine: below 10)"
        )?;
    }
    let mut group = "";
    for row in &report.rows {
        if row.group != group {
            group = row.group;
            let (median, spread) = ("median", "min – max");
            writeln!(out, "\n{group:<NAME$} {median:>MEDIAN$} {spread:>SPREAD$}")?;
        }
        write_row(out, row)?;
    }
    if !report.left_out.is_empty() {
        writeln!(out)?;
    }
    for row in &report.left_out {
        writeln!(out, "left out: {}: {}", row.name, row.why)?;
    }
    for row in &report.rows {
        if let Some(why) = &row.failed {
            writeln!(out, "\nFAILED: {}: {why}", row.name)?;
        }
    }
    Ok(())
}

fn write_row(out: &mut String, row: &RowReport) -> fmt::Result {
    let times = [&row.round_trip_ns, &row.one_way_ns, &row.operation_ns];
    let times = times.into_iter().find_map(Option::as_ref);
    let (figures, unit) = match (times, &row.messages_per_s) {
        (Some(times), _) => (Some(times), TIMES),
        (None, Some(messages)) => (Some(messages), MESSAGES),
        (None, None) => (row.bytes_per_s.as_ref(), RATES),
    };
    write_line(
        out,
        &row.name,
        figures.map(|figures| shown(figures, unit)),
        &note(row),
    )?;
    for ratio in &row.against {
        let (name, figures) = match &ratio.messages_per_floor_time {
            Some(figures) => (
                format!("    in {}", ratio.floor),
                Some(shown(figures, IN_FLOOR_TIME)),
            ),
            None => (
                format!("    ÷ {}", ratio.floor),
                ratio.ratio.as_ref().map(|figures| shown(figures, RATIOS)),
            ),
        };
        write_line(out, &name, figures, &verdict(ratio))?;
    }
    Ok(())
}

fn write_line(out: &mut String, name: &str, figures: Option<(String, String)>, note: &str) -> fmt::Result {
    let (median, spread) = figures.unwrap_or_else(|| ("-".into(), String::new()));
    let line = format!("{name:<NAME$} {median:>MEDIAN$} {spread:>SPREAD$}  {note}");
    writeln!(out, "{}", line.trim_end())
}

fn note(row: &RowReport) -> String {
    if row.failed.is_some() {
        return "FAILED".into();
    }
    if row.system_calls == Some(0) {
        return "no system call".into();
    }
    let Some(slept) = &row.slept else {
        return String::new();
    };
    let unproven = slept.proven == Some(false);
    // The repeat that spoils the proof is the one to show.
    let spoilt = |share: &Figures| if slept.claims_sleep { share.min } else { share.max };
    let percent = |share: &Figures| (100.0 * if unproven { spoilt(share) } else { share.median }).round();
    let (near, far) = (percent(&slept.near_share), percent(&slept.far_share));
    let mut text = if near == far {
        format!("slept {near} %")
    } else {
        format!("slept {near}/{far} %")
    };
    if unproven {
        text += ", NOT PROVEN";
    }
    text
}

fn verdict(ratio: &Ratio) -> String {
    let target = match (ratio.target_at_most, ratio.target_at_least) {
        (Some(limit), _) => format!("≤ {limit:.2}"),
        (_, Some(limit)) => format!("≥ {limit:.2}"),
        _ => return String::new(),
    };
    match ratio.met {
        Some(true) => format!("{target} met"),
        Some(false) => format!("{target} MISSED"),
        None => target,
    }
}

/// Units, smallest first: how many of the base unit, and the name.
type Units = &'static [(f64, &'static str)];

const TIMES: Units = &[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")];
const RATES: Units = &[(1.0, "B/s"), (1e3, "kB/s"), (1e6, "MB/s"), (1e9, "GB/s")];
const MESSAGES: Units = &[(1.0, "/s"), (1e3, "k/s"), (1e6, "M/s")];
const IN_FLOOR_TIME: Units = &[(1.0, "msg")];
const RATIOS: Units = &[(1.0, "×")];

/// The median with its unit; the spread in the same unit.
fn shown(figures: &Figures, units: Units) -> (String, String) {
    let (size, unit) = units
        .iter()
        .rev()
        .find(|(size, _)| figures.median >= *size)
        .unwrap_or(&units[0]);
    let digits = |value: f64| {
        let value = value / size;
        // Ratios are compared to targets with two decimals; anything else has three digits.
        let decimals = match value {
            _ if units.len() == 1 => 2,
            100.0.. => 0,
            10.0.. => 1,
            _ => 2,
        };
        format!("{value:.decimals$}")
    };
    (
        format!("{} {unit:<4}", digits(figures.median)),
        format!("{:>8} – {:<8}", digits(figures.min), digits(figures.max)),
    )
}
