use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::test_tally::TestTally;
use crate::run::shown;

/// Runs `cargo test`, passing its output on as it comes. A run in which no test passed is a failure too: that is how a
/// runner that starts nothing looks.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    let mut lines = BufReader::new(child.stdout.take().context("cargo has no stdout")?);

    let mut tally = TestTally::default();
    let mut line = Vec::new();
    let mut stdout = io::stdout();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        stdout.write_all(&line)?;
        stdout.flush()?;
        tally.line(&String::from_utf8_lossy(&line));
    }
    let status = child.wait()?;

    println!(
        "\nwindows-test: {} passed, {} failed, {} ignored in {} test programs",
        tally.passed, tally.failed, tally.ignored, tally.programs
    );
    ensure!(status.success(), "the tests failed ({status})");
    ensure!(tally.failed == 0, "{} tests failed", tally.failed);
    ensure!(tally.passed > 0, "no test ran");
    Ok(())
}
