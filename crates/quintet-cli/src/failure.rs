//! How the command ends when it fails. Exit codes as timeout(1): 1 failed, 2 usage, 124 deadline.

use quintet::{Error, ErrorKind};
use std::io;
use std::process::ExitCode;

/// Ended by Ctrl-C: 128 + SIGINT, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const DEADLINE: u8 = 124;

/// Why the command ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments do not fit together, or not the object.
    Usage(String),
    /// What was tried failed.
    Failed(String),
    /// The time was up.
    Deadline(String),
    /// Nobody reads our output any more: no reason to say anything.
    OutputClosed,
}

impl Failure {
    /// Tells the person at the terminal, and the shell.
    pub(crate) fn report(self) -> ExitCode {
        let (text, code) = match self {
            Failure::OutputClosed => return ExitCode::SUCCESS,
            Failure::Usage(text) => (text + "\n\nFor more information, try '--help'.", USAGE),
            Failure::Failed(text) => (text, FAILED),
            Failure::Deadline(text) => (text, DEADLINE),
        };
        eprintln!("quintet: {text}");
        ExitCode::from(code)
    }

    /// An error while writing the command's own output.
    pub(crate) fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::Failed(format!("cannot write the output: {error}")),
        }
    }

    /// An error with a file that the command line names.
    pub(crate) fn file(path: &std::path::Path, error: io::Error) -> Self {
        Failure::Failed(format!("{}: {error}", path.display()))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::TimedOut => Failure::Deadline(error.to_string()),
            ErrorKind::InvalidAddress | ErrorKind::InvalidName => Failure::Usage(error.to_string()),
            _ => Failure::Failed(error.to_string()),
        }
    }
}
