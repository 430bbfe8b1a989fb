//! Quintet's benchmarks. README.md says how to run them and how to read them.
//!
//! A row of the table is a [`Row`](row::Row): see [`row`] for what it consists of, [`rows`] for Quintet's own, [`floors`]
//! and [`peers`] for what they are compared to, [`harness`] for how they are run.

// Windows has fewer rows so far, and what only the others use is there all the same.
#![cfg_attr(windows, allow(dead_code, unused_imports))]

mod catalog;
mod cli;
mod floors;
mod harness;
mod peers;
mod row;
mod rows;
mod work;

use clap::Parser;
use cli::{Cli, Role};
use harness::{LeftOut, Report, machine};
use row::{Cores, Result};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.role {
        Some(Role::Side {
            side,
            row,
            core,
            folder,
        }) => match catalog::all().iter().find(|known| known.name == *row) {
            // What goes wrong has been reported.
            Some(row) => {
                return ExitCode::from(harness::run_side(row, *side, *core, folder.clone()).is_err() as u8);
            }
            None => Err(format!("there is no row {row:?}").into()),
        },
        None if cli.list => list(),
        None => direct(&cli),
    };
    result.unwrap_or_else(|error| {
        eprintln!("bench: {error}");
        ExitCode::FAILURE
    })
}

fn list() -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    for row in catalog::all() {
        writeln!(out, "{}", row.name)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn direct(cli: &Cli) -> Result<ExitCode> {
    let mut rows = match &cli.only {
        Some(pattern) => catalog::select(catalog::all(), pattern),
        None => catalog::all(),
    };
    if rows.is_empty() {
        return Err("no row has that in its name; --list shows them".into());
    }
    let left_out = rows
        .extract_if(.., |row| row.left_out.is_some())
        .map(|row| LeftOut {
            name: row.name,
            why: row.left_out.unwrap_or_default(),
        })
        .collect();
    let cores = machine::choose_cores()?;
    rows.retain(|row| row.cores == Cores::One || cores.far.is_some());
    let effort = cli.effort();
    let start = Instant::now();
    let shows_progress = std::io::stderr().is_terminal();
    let order = catalog::order(&rows);
    let histories = harness::measure(&rows, &order, cores, effort, |repeat, name| {
        if shows_progress {
            eprint!("\r\x1b[K{}/{} {name}", repeat + 1, effort.repeats);
        }
    });
    if shows_progress {
        eprint!("\r\x1b[K");
    }
    let report = Report::new(
        &rows,
        left_out,
        &histories,
        machine::describe(),
        cores,
        cli.quick,
        start.elapsed(),
    );
    harness::print(&report);
    if let Some(path) = &cli.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(if report.failures() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
