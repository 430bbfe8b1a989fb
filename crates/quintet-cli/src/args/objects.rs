//! The command line of semaphores, mutexes and events.

use super::{MailboxArgs, QueueArgs, SizeArgs, parse_time, words};
use clap::{ValueHint, value_parser};
use quintet::Address;
use quintet::sync::{Access, Reset};
use std::ffi::OsString;
use std::time::Duration;

/// The most permits that there can be, as on Windows.
const MOST: i64 = i32::MAX as i64;

/// How an object is to be, if this makes it.
#[derive(Debug, clap::Args)]
pub(crate) struct MakeArgs {
    /// Of a semaphore: the most permits that there can be [default: 1]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=MOST))]
    pub(crate) max: Option<u32>,

    /// Of a semaphore: how many permits are free at first [default: all]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(0..=MOST))]
    pub(crate) count: Option<u32>,

    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

/// Who may use an object.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct AccessArgs {
    /// Whose processes may use it; and if it is there, whose it may be [default: user]
    #[arg(long, value_name = "WHO", value_parser = words::<Access>(["user", "everyone"]))]
    pub(crate) access: Option<Access>,
}

impl AccessArgs {
    /// The option of an address that this is, if it was given.
    pub(crate) fn option(&self) -> Option<String> {
        self.access.map(|access| access.to_string())
    }
}

/// How an event is to be, if this makes it.
#[derive(Debug, clap::Args)]
pub(crate) struct EventArgs {
    /// Of an event: when it is no longer set: after one waiter, or when it is reset [default: auto]
    #[arg(long, value_name = "WHEN", value_parser = words::<Reset>(["auto", "manual"]))]
    pub(crate) reset: Option<Reset>,

    /// Of an event: it is set at first
    #[arg(long)]
    pub(crate) set: bool,
}

/// How long to wait.
#[derive(Debug, clap::Args)]
pub(crate) struct TimeArgs {
    /// Give up when this time has passed, in seconds (or 500ms, 2m); exit code 124
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_negative_numbers = true)]
    timeout: Option<Duration>,

    /// Do not wait at all: the same as --timeout 0
    #[arg(short, long, conflicts_with = "timeout")]
    no_wait: bool,
}

impl TimeArgs {
    /// How long; `None`: as long as it takes.
    pub(crate) fn time(&self) -> Option<Duration> {
        if self.no_wait {
            Some(Duration::ZERO)
        } else {
            self.timeout
        }
    }
}

/// Run a command while holding a permit or a mutex
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Waits for a permit (or the mutex), runs COMMAND and gives it back when COMMAND has ended: what flock(1) and GNU sem do. \
Nothing needs to be created before. COMMAND itself is a holder: if quintet is killed, the permit comes back when \
COMMAND has ended. (A mutex on Windows is a thread's alone: there COMMAND is ended with quintet.) Signals are passed on \
to COMMAND.

If the last holder did not come to its end (it was killed, or its COMMAND was, by a signal), what it worked on may be half \
done. --abandoned continue says so and goes on; --abandoned fail runs nothing, and so will the next one with it until \
somebody goes on. Only an object that outlives its holders remembers: one that others wait for or hold, or one \
made to stay (quintet create, --persistent).

Exit codes: COMMAND's own; 124 the --timeout passed (also of --no-wait); 125 a failure of quintet's; 126 COMMAND cannot be \
started; 127 it is not there; 128+N signal N ended it; 2 usage.

Examples:
  # One at a time
  quintet run mutex://backup -- make backup
  # Three at a time
  quintet run sem://jobs --max 3 -- make job
  # Not at all if it runs already
  quintet run -n mutex://backup -- make backup
  # At most a minute of waiting; not after one that was killed
  quintet run --timeout 1m --abandoned fail mutex://backup -- make backup")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) time: TimeArgs,

    /// What to do if the last holder was killed in the middle
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Abandoned::Continue)]
    pub(crate) abandoned: Abandoned,

    #[command(flatten)]
    pub(crate) make: MakeArgs,

    /// If this makes it, it stays until `quintet rm` (Linux only)
    #[arg(long)]
    pub(crate) persistent: bool,

    /// What to hold: sem://NAME or mutex://NAME
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,

    /// What to run
    #[arg(last = true, required = true, value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<OsString>,
}

/// What to do about a holder that was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Abandoned {
    /// Run the command, and say so
    Continue,
    /// Do not run it
    Fail,
}

/// Make an object that stays: a semaphore, a mutex, an event, shared memory, a mailbox, a queue
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It stays until `quintet rm`, or until the machine starts again. On Linux only: on Windows an object is there as \
long as a process holds it, so use `quintet hold` there. If there is one already, that is a failure.

Examples:
  quintet create sem://jobs --max 3
  quintet create sem://items --max 100 --count 0
  quintet create mutex://backup
  quintet create event://ready --reset manual
  quintet create shm://frame --size 64K
  quintet create mailbox://position
  quintet create queue://jobs --capacity 1M")]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) make: MakeArgs,

    #[command(flatten)]
    pub(crate) event: EventArgs,

    #[command(flatten)]
    pub(crate) size: SizeArgs,

    #[command(flatten)]
    pub(crate) mailbox: MailboxArgs,

    #[command(flatten)]
    pub(crate) queue: QueueArgs,

    /// What to make: sem://NAME, mutex://NAME, event://NAME, shm://NAME, mailbox://NAME or queue://NAME
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,
}

/// Keep objects there until interrupted, or while a command runs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Makes each object or opens the one that is there, and takes nothing of it: it is only there, for others to use. Without \
COMMAND until Ctrl-C or another signal ends it. With COMMAND until that has ended, and the exit codes are those of \
`quintet run`; signals are passed on.

Examples:
  quintet hold sem://jobs --max 3
  quintet hold shm://frame --size 64K
  # For values of up to 6 MB
  quintet hold mailbox://camera --size 6M
  quintet hold queue://jobs
  # Two objects for as long as a script runs
  quintet hold event://ready mutex://backup -- make all")]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    pub(crate) make: MakeArgs,

    #[command(flatten)]
    pub(crate) event: EventArgs,

    #[command(flatten)]
    pub(crate) size: SizeArgs,

    #[command(flatten)]
    pub(crate) mailbox: MailboxArgs,

    #[command(flatten)]
    pub(crate) queue: QueueArgs,

    /// What this makes stays until `quintet rm` (Linux only)
    #[arg(long)]
    pub(crate) persistent: bool,

    /// What to hold: sem://NAME, mutex://NAME, event://NAME, shm://NAME, mailbox://NAME or queue://NAME
    #[arg(required = true, value_name = "ADDRESS", value_hint = ValueHint::Other)]
    pub(crate) addresses: Vec<Address>,

    /// What to run meanwhile
    #[arg(last = true, value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<OsString>,
}

/// Wait for a permit or an event
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Of a semaphore one permit is taken, and stays taken until somebody releases one: it may be a signal. (To hold a permit while \
something runs: quintet run.) An event is waited for until it is set; with automatic reset it is not set then. There \
has to be one: a name that is not there is a failure, and not for ever.

Examples:
  quintet wait event://ready --timeout 10
  # Take one if there is one
  quintet wait -n sem://items")]
pub(crate) struct WaitArgs {
    #[command(flatten)]
    pub(crate) time: TimeArgs,

    #[command(flatten)]
    pub(crate) access: AccessArgs,

    /// What to wait for: sem://NAME or event://NAME
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,
}

/// Release permits of a semaphore
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints how many were free before. If there would be more than the maximum, nothing is released (exit code 1).

Examples:
  quintet release sem://items
  quintet release sem://items 5")]
pub(crate) struct ReleaseArgs {
    #[command(flatten)]
    pub(crate) access: AccessArgs,

    /// Of what: sem://NAME
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,

    /// How many
    #[arg(value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=MOST))]
    pub(crate) permits: u32,
}

/// Set an event
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Lets through who waits for it: with automatic reset one, now or the next to come; with manual reset all, until it is reset.

Examples:
  quintet set event://ready")]
pub(crate) struct SetArgs {
    #[command(flatten)]
    pub(crate) access: AccessArgs,

    /// Which: event://NAME
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,
}

/// Reset an event
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It is not set then: who waits for it has to wait.

Examples:
  quintet reset event://ready")]
pub(crate) struct ResetArgs {
    #[command(flatten)]
    pub(crate) access: AccessArgs,

    /// Which: event://NAME
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,
}
