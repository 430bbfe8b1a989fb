//! Foreign programs against the `quintet` command: C# as the notes have it, the Win32 calls behind that C#, Python, and
//! nng.

use std::process::ExitCode;

use anyhow::{Context, Result};

use self::suite::Suite;
use self::win32::Win32;
use crate::workspace::Workspace;

mod csharp;
mod nng;
mod peer;
mod python;
mod sockets;
mod stage;
mod suite;
mod win32;
mod win32_sync;
mod win32_window;

/// Runs the chosen parts, or of them the cases with `only` in their titles; prints a line a case, and a last line that
/// counts them.
pub(crate) fn run(workspace: &Workspace, linux: bool, windows: bool, only: Option<&str>) -> Result<ExitCode> {
    let mut suite = Suite::new(workspace, only)?;
    let mut unusable = Ok(());
    if linux {
        unusable = csharp::run(workspace, &mut suite)
            .context("C# on Linux")
            .and_then(|()| python::run(workspace, &mut suite).context("Python on Linux"))
            .and_then(|()| sockets::run(workspace, &mut suite).context("nng on Linux"));
    }
    if windows && unusable.is_ok() {
        unusable = Win32::build(workspace)
            .map(|win32| {
                win32::run(&win32, &mut suite);
                win32_sync::run(&win32, &mut suite);
                win32_window::run(&win32, &mut suite);
                sockets::run_windows(&win32, &mut suite);
            })
            .context("Win32 under Wine");
    }
    let passed = suite.finish();
    unusable?;
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
