use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::interop;
use crate::models;
use crate::picture;
use crate::release;
use crate::windows;
use crate::workspace::Workspace;

/// The command line of `cargo xtask`.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "Quintet's own heavy or slow checks, each one command"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what the Windows build needs and make a Wine prefix under target/wine
    WindowsSetup,
    /// Build the tests for Windows and run them under Wine
    WindowsTest {
        /// Run only the tests whose name contains this
        #[arg(long, value_name = "NAME")]
        filter: Option<String>,
        /// Arguments for the test programs
        #[arg(last = true, value_name = "ARGS")]
        extra: Vec<String>,
    },
    /// Clippy for Windows, warnings denied
    WindowsClippy,
    /// Build quintet.exe and run it under Wine
    WindowsRun {
        /// Arguments for quintet.exe
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<String>,
    },
    /// Let foreign programs talk to the quintet command: C# and Python on Linux, Win32 calls under Wine
    Interop {
        /// The Windows part only
        #[arg(long, conflicts_with = "all")]
        windows: bool,
        /// Both parts
        #[arg(long)]
        all: bool,
        /// Run only the cases whose title contains this
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
    },
    /// Try every order of the steps of the lock-free code (loom)
    Models,
    /// Kill processes at random moments and see that the others go on: `chaos -- --help` tells the options
    Chaos {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<String>,
    },
    /// Measure, beside what the bare system calls cost: `bench -- --help` tells the options
    Bench {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<String>,
    },
    /// Draw the README's picture anew: docs/demo.svg, what `quintet demo --kill` prints on this machine
    Picture,
}

impl Cli {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let workspace = Workspace::find()?;
        match self.task {
            Task::WindowsSetup => windows::setup(&workspace)?,
            Task::WindowsTest { filter, extra } => {
                windows::test(&workspace, filter.as_deref(), &extra)?;
            }
            Task::WindowsClippy => windows::clippy(&workspace)?,
            Task::WindowsRun { args } => return windows::run(&workspace, &args),
            Task::Interop { windows, all, only } => {
                return interop::run(&workspace, all || !windows, all || windows, only.as_deref());
            }
            Task::Models => models::run_all(&workspace)?,
            Task::Picture => picture::draw(&workspace)?,
            Task::Chaos { args } => return release::run(&workspace, &["--package", "quintet-chaos"], &args),
            Task::Bench { args } => {
                // `quintet run` is measured too.
                workspace.build(&["--release", "--package", "quintet-cli"], "quintet")?;
                return release::run(&workspace, &["--manifest-path", "bench/Cargo.toml"], &args);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
