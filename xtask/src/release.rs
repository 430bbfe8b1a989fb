//! Programs of the project that xtask only builds, as a release, and runs.

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::run::shown;
use crate::workspace::Workspace;

/// Runs the program that `selection` selects, with its output as ours: its exit code.
pub(crate) fn run(workspace: &Workspace, selection: &[&str], args: &[String]) -> Result<ExitCode> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo
        .current_dir(workspace.root())
        // The benchmark is a workspace of its own; what `cargo run` said of ours is not for it.
        .env_remove("CARGO_MANIFEST_DIR")
        .args(["run", "--quiet", "--release"])
        .args(selection)
        .arg("--")
        .args(args);
    let status = cargo
        .status()
        .with_context(|| format!("cannot start {}", shown(&cargo)))?;
    Ok(match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    })
}
