//! How the command ends when it fails. Exit codes as timeout(1): 1 failed, 2 usage, 124 deadline.

use crate::note;
use quintet::{Error, ErrorKind};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Ended by Ctrl-C: 128 + SIGINT, as shells have it.
pub(crate) const INTERRUPTED: i32 = 130;

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const DEADLINE: i32 = 124;
/// Failed, where any other code may be that of the command that was to be run.
const FAILED_ITSELF: i32 = 125;

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
    /// A command that was to be run was not, or not to its end: why, and the exit code for it.
    NotRun(String, i32),
    /// The command that was run has ended with this code, and said itself what there is to say.
    Ended(i32),
}

impl Failure {
    /// Tells the person at the terminal; what to tell the shell.
    pub(crate) fn report(self) -> i32 {
        let (text, code) = match self {
            Failure::OutputClosed => return 0,
            Failure::Ended(code) => return code,
            Failure::NotRun(text, code) => (text, code),
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
        std::process::exit(self.report())
    }

    /// The same where a command was to be run, whose exit codes are not to be taken for ours.
    pub(crate) fn instead_of_command(self) -> Self {
        match self {
            Failure::Failed(text) | Failure::NoOutput(text) => Failure::NotRun(text, FAILED_ITSELF),
            failure => failure,
        }
    }

    /// The same, of which the arguments are not the reason.
    pub(crate) fn at_the_object(self) -> Self {
        match self {
            Failure::Usage(text) => Failure::Failed(text),
            failure => failure,
        }
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
    crate::hold::let_go();
    quintet::cleanup::release_names();
    crate::fifo::release();
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::TimedOut => Failure::Deadline(in_flags(&error)),
            // Its options are those of an address, in which they are written like this.
            ErrorKind::InvalidAddress | ErrorKind::InvalidName => Failure::Usage(error.to_string()),
            // Another version's object is as it is, whatever the arguments are.
            ErrorKind::Unsupported if error.to_string().contains("layout version") => {
                Failure::Failed(error.to_string())
            }
            ErrorKind::Unsupported => Failure::Usage(in_flags(&error)),
            _ => Failure::Failed(in_flags(&error)),
        }
    }
}

/// The error's text. What the library calls an option is a flag here.
fn in_flags(error: &Error) -> String {
    const FLAGS: [(&str, &str); 9] = [
        ("max_instances", "--max-instances"),
        ("max_message", "--max-message"),
        ("mode message", "--mode message"),
        ("without a mode", "without --mode"),
        ("access everyone", "--access everyone"),
        ("larger capacity", "larger --capacity"),
        ("larger size", "larger --size"),
        ("with more publishers", "with more --publishers"),
        ("more places to read in place", "a larger --in-place"),
    ];
    let text = error.to_string();
    let (object, text) = text.split_at(error.object().map_or(0, str::len));
    let text = FLAGS.iter().fold(text.to_string(), |text, (option, flag)| {
        text.replace(option, flag)
    });
    format!("{object}{text}")
}
