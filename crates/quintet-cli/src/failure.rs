//! How the command ends when it fails. Exit codes as timeout(1): 1 failed, 2 usage, 124 deadline.

use crate::note;
use quintet::{Error, ErrorKind};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

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
    /// What was tried failed; with another peer it may succeed.
    Failed(String),
    /// What is received can be written nowhere.
    NoOutput(String),
    /// The time was up.
    Deadline(String),
    /// Nobody reads our output any more: no reason to say anything.
    OutputClosed,
}

impl Failure {
    /// Tells the person at the terminal; what to tell the shell.
    pub(crate) fn report(self) -> u8 {
        let (text, code) = match self {
            Failure::OutputClosed => return 0,
            Failure::Usage(text) => (text + "\n\nFor more information, try '--help'.", USAGE),
            Failure::Failed(text) | Failure::NoOutput(text) => (text, FAILED),
            Failure::Deadline(text) => (text, DEADLINE),
        };
        note::complain(text);
        code
    }

    /// Ends the process from any of its threads.
    pub(crate) fn exit(self) -> ! {
        static FIRST: Mutex<()> = Mutex::new(());
        // Never released: a second thread has nothing to add, and waits here for the end.
        let _first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
        take_back();
        std::process::exit(self.report().into())
    }

    /// An error while writing the command's own output.
    pub(crate) fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::NoOutput(format!("cannot write the output: {error}")),
        }
    }

    /// An error that does not say itself what it is about.
    pub(crate) fn about(object: impl fmt::Display, error: Error) -> Self {
        let about = |text| format!("{object}: {text}");
        match error.into() {
            Failure::Usage(text) => Failure::Usage(about(text)),
            Failure::Failed(text) => Failure::Failed(about(text)),
            Failure::Deadline(text) => Failure::Deadline(about(text)),
            failure => failure,
        }
    }

    /// An error with a file that the command line names.
    pub(crate) fn file(path: &Path, error: io::Error) -> Self {
        Failure::Failed(format!("{}: {error}", path.display()))
    }
}

/// Takes back all names that this process has made, as destructors would at another end.
pub(crate) fn take_back() {
    quintet::cleanup::release_names();
    crate::fifo::release();
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::TimedOut => Failure::Deadline(in_flags(&error)),
            // Its options are those of an address, in which they are written like this.
            ErrorKind::InvalidAddress | ErrorKind::InvalidName => Failure::Usage(error.to_string()),
            ErrorKind::Unsupported => Failure::Usage(in_flags(&error)),
            _ => Failure::Failed(in_flags(&error)),
        }
    }
}

/// The error's text. What the library calls an option is a flag here.
fn in_flags(error: &Error) -> String {
    const FLAGS: [(&str, &str); 5] = [
        ("max_instances", "--max-instances"),
        ("max_message", "--max-message"),
        ("mode message", "--mode message"),
        ("without a mode", "without --mode"),
        ("access everyone", "--access everyone"),
    ];
    let text = error.to_string();
    let (object, text) = text.split_at(error.object().map_or(0, str::len));
    let text = FLAGS.iter().fold(text.to_string(), |text, (option, flag)| {
        text.replace(option, flag)
    });
    format!("{object}{text}")
}
