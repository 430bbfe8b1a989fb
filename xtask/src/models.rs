//! The models of lock-free code: unit tests that loom runs in every order of their steps.

use std::env;
use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

use crate::run::run;
use crate::workspace::Workspace;

/// Runs them, with a target folder of their own, as the flag makes everything another build.
pub(crate) fn run_all(workspace: &Workspace) -> Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo
        .current_dir(workspace.root())
        .env("RUSTFLAGS", "--cfg loom")
        .env("CARGO_TARGET_DIR", workspace.target("loom"))
        .args(["test", "--package", "quintet", "--lib", "--release", "models"]);
    run(&mut cargo)
}
