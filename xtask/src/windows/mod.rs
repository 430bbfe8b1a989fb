//! Building for Windows with Debian's Rust and running the result under Wine.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::run::{run as run_command, shown};
use crate::workspace::Workspace;

mod debian_cargo;
mod packages;
mod test_run;
mod test_tally;
mod wine;

pub(crate) use self::debian_cargo::DebianCargo;
pub(crate) use self::wine::{WINE, Wine};

/// What is built and tested for Windows; this package and the benchmark are not.
const CRATES: [&str; 6] = ["-p", "quintet", "-p", "quintet-cli", "-p", "quintet-testkit"];

/// Everything installed, and a Wine prefix that works.
pub(crate) fn prepare(workspace: &Workspace) -> Result<Wine> {
    let packages = packages::require()?;
    Wine::open(workspace, &packages)
}

pub(crate) fn setup(workspace: &Workspace) -> Result<()> {
    prepare(workspace).map(drop)
}

pub(crate) fn test(workspace: &Workspace, filter: Option<&str>, extra: &[String]) -> Result<()> {
    let wine = prepare(workspace)?;
    let mut command = DebianCargo::new(workspace)?.command("test");
    // One failure shall not hide the next crate's.
    command.args(CRATES).arg("--no-fail-fast").args(filter);
    if !extra.is_empty() {
        command.arg("--").args(extra);
    }
    wine.enter(&mut command);
    test_run::run(&mut command)
}

pub(crate) fn clippy(workspace: &Workspace) -> Result<()> {
    // Wine is not needed to compile, but one list of packages is simpler than two.
    packages::require()?;
    let mut command = DebianCargo::new(workspace)?.command("clippy");
    command
        .args(CRATES)
        .args(["--all-targets", "--", "-D", "warnings"]);
    run_command(&mut command)
}

/// Runs quintet.exe with our own stdin and stdout; its exit code becomes ours.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let wine = prepare(workspace)?;
    let program = DebianCargo::new(workspace)?.build_quintet()?;
    let mut command = wine.command(&program);
    command.args(args).stdin(Stdio::inherit());
    let status = status(&mut command)?;
    Ok(ExitCode::from(status))
}

fn status(command: &mut Command) -> Result<u8> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    // Wine passes on the low byte of a Windows exit code; none at all means a signal.
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX))
}
