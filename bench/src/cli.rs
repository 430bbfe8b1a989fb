//! The command line.

use crate::harness::{Effort, Side};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Measures Quintet beside the floors that it is judged against: two processes, each on its own core.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench",
    after_help = "bench/README.md says how to read the table."
)]
pub(crate) struct Cli {
    /// Less of everything: shows that it runs, in less than a minute
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only the rows with this in their name (and their floors, and the floors that every run has)
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Option<String>,
    /// How often to measure each row
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) repeats: Option<u32>,
    /// Write the results to this file, as JSON
    #[arg(long, value_name = "F")]
    pub(crate) json: Option<PathBuf>,
    /// Print the names of all rows and stop
    #[arg(long)]
    pub(crate) list: bool,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// One of a row's two processes; this program starts them itself
    #[command(hide = true)]
    Side {
        side: Side,
        row: String,
        core: usize,
        folder: PathBuf,
    },
}

impl Cli {
    pub(crate) fn effort(&self) -> Effort {
        let repeats = |usual| self.repeats.unwrap_or(usual);
        if self.quick {
            Effort {
                repeats: repeats(3),
                warm_up: Duration::from_millis(15),
                batch: Duration::from_millis(30),
                deadline: Duration::from_secs(20),
                enough: Some(Duration::from_secs(25)),
            }
        } else {
            Effort {
                repeats: repeats(7),
                warm_up: Duration::from_millis(80),
                batch: Duration::from_millis(250),
                deadline: Duration::from_secs(60),
                enough: None,
            }
        }
    }
}
