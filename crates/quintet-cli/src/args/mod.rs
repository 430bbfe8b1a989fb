//! The command line.

mod doctor;
mod hz;
mod mailbox;
mod memory;
mod objects;
mod queue;
mod socket;
mod topic;
mod window;

pub(crate) use doctor::DoctorArgs;
pub(crate) use hz::HzArgs;
pub(crate) use mailbox::MailboxArgs;
pub(crate) use memory::{ReadArgs, SizeArgs, WriteArgs};
pub(crate) use objects::{
    Abandoned, AccessArgs, CreateArgs, EventArgs, HoldArgs, MakeArgs, ReleaseArgs, ResetArgs, RunArgs,
    SetArgs, WaitArgs,
};
pub(crate) use queue::{DrainArgs, PullArgs, PushArgs, QueueArgs};
pub(crate) use socket::{RepArgs, ReqArgs};
pub(crate) use topic::{PubArgs, SubArgs, TopicArgs};
pub(crate) use window::{
    AskArgs, BroadcastArgs, FindArgs, MessageArgs, PeerArgs, PostArgs, WindowArgs, parse_word,
};

use crate::record::Format;
use crate::text::Encoding;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Parser, Subcommand, ValueHint, value_parser};
use quintet::pipe::{Access, Direction, PipeMode};
use quintet::{Address, Scheme, named};
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

#[derive(Debug, Parser)]
#[command(
    name = "quintet",
    version,
    about = "Pipes, shared memory, window messages, semaphores, sockets: any of them by its address",
    long_about = "\
Pipes, shared memory, window messages, semaphores, sockets: any of them by its address. The address says what, the verb \
says what to do with it. In one terminal, and in another:

  quintet recv pipe://TestPipe
  quintet send pipe://TestPipe hello

`quintet demo` shows all of them at work, `quintet VERB --help` what a verb does, with examples.",
    override_usage = "quintet VERB ADDRESS [OPTIONS]",
    subcommand_help_heading = "Verbs",
    after_help = "\
Addresses:
  pipe://NAME     a named pipe: bytes or whole messages between a server and its clients
  fifo:///PATH    a FIFO file, on Linux: bytes in one direction, for programs that open files
  sem://NAME      a semaphore: so many permits, to be taken and given back
  mutex://NAME    a mutex: one owner at a time
  event://NAME    an event: set or not, for others to wait for
  shm://NAME      shared memory: bytes that several processes have
  mailbox://NAME  a mailbox in shared memory: the newest value, whole, for any number of readers
  queue://NAME    a queue in shared memory: each message to one of those who take them
  topic://NAME    a topic in shared memory: each message to all who subscribe
  tcp://HOST:PORT, unix:///PATH, ipc://PATH
                  a socket: bytes, or messages as nng has them, also to other machines
  window://TITLE  a window: messages that are sent to it, and answered with a number, or posted

Examples:
  # Receive in one terminal, send from another
  quintet recv pipe://TestPipe
  quintet send pipe://TestPipe hello
  # Receive what a script writes with: echo hello > /tmp/fifo
  quintet recv fifo:///tmp/fifo
  # Run a command while nobody else does, or at most 3 at a time
  quintet run mutex://backup -- make backup
  quintet run sem://jobs --max 3 -- make job
  # Hand out work, take it
  quintet push queue://jobs frame-7.raw
  quintet pull queue://jobs
  # Tell everybody who listens; listen
  quintet pub topic://news hello
  quintet sub --format lines topic://news
  # The newest value: keep a place for it, write it, read it
  quintet hold mailbox://position
  quintet write mailbox://position 120,45
  quintet read mailbox://position
  # Send to a window, and get its procedure's result
  quintet rep window://TestWindow --reply 0
  quintet send window://TestWindow success
  # See what is there
  quintet ls

Exit codes: 0 done; 1 failed; 2 usage; 124 the --timeout passed; 130 interrupted. A command that is run gives its \
own; then 125 is a failure of quintet's, 126 and 127 that the command cannot be started or is not there, 128+N that \
signal N ended it."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Send(SendArgs),
    Recv(RecvArgs),
    Push(PushArgs),
    Pull(PullArgs),
    Pub(PubArgs),
    Sub(SubArgs),
    Req(ReqArgs),
    Rep(RepArgs),
    Post(PostArgs),
    Broadcast(BroadcastArgs),
    Find(FindArgs),
    Run(RunArgs),
    Create(CreateArgs),
    Hold(HoldArgs),
    Wait(WaitArgs),
    Release(ReleaseArgs),
    Set(SetArgs),
    Reset(ResetArgs),
    Read(ReadArgs),
    Write(WriteArgs),
    Ls(LsArgs),
    Hz(HzArgs),
    Stat(StatArgs),
    Rm(RmArgs),
    Doctor(DoctorArgs),
    Demo(DemoArgs),
    /// What the demo's worker does, with the handle of its orders.
    #[command(skip)]
    Work(String),
    /// Print a script that completes this command in a shell
    #[command(after_help = "\
Examples:
  quintet completions bash > ~/.local/share/bash-completion/completions/quintet
  quintet completions powershell >> $PROFILE")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Which end to be, and how: what `send` and `recv` have in common.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct EndpointArgs {
    /// Be the server: create the pipe, or listen at the socket's address, and wait for a client
    #[arg(long, conflicts_with = "connect")]
    pub(crate) listen: bool,

    /// Be a client: connect to a server, waiting for it to appear
    #[arg(long, visible_alias = "dial")]
    pub(crate) connect: bool,

    /// Give up when this time has passed, in seconds (or 500ms, 2m); exit code 124
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_negative_numbers = true)]
    pub(crate) timeout: Option<Duration>,

    /// Bytes or whole messages [default: as the server; a server: byte]
    #[arg(long, value_name = "MODE", value_parser = words::<PipeMode>(["byte", "message"]))]
    pub(crate) mode: Option<PipeMode>,

    /// Which way data goes, seen from this end [default: a client's as it needs it; a server's inout]
    #[arg(
        long,
        value_name = "DIRECTION",
        value_parser = words::<Direction>(["in", "out", "inout"]),
        hide_short_help = true
    )]
    pub(crate) direction: Option<Direction>,

    /// How many clients at once a server has, 1 to 254 [default: 1; recv --follow: any number]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=254), hide_short_help = true)]
    pub(crate) max_instances: Option<u32>,

    /// Whose processes may be at the other end [default: user]
    #[arg(long, value_name = "WHO", value_parser = words::<Access>(["user", "everyone"]), hide_short_help = true)]
    pub(crate) access: Option<Access>,

    /// The longest message, or line, in bytes [default: 1 GiB]
    #[arg(long, value_name = "BYTES", value_parser = value_parser!(u64).range(1..), hide_short_help = true)]
    pub(crate) max_message: Option<u64>,

    /// Bytes for a server to buffer from clients (advice)
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    pub(crate) in_buffer: Option<u32>,

    /// Bytes for a server to buffer towards clients (advice)
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    pub(crate) out_buffer: Option<u32>,

    /// How long a client waits for a server to have room [default: as --timeout]
    #[arg(
        long,
        value_name = "TIME",
        value_parser = parse_time,
        allow_negative_numbers = true,
        hide_short_help = true
    )]
    pub(crate) connect_timeout: Option<Duration>,

    #[command(flatten)]
    pub(crate) queue: QueueArgs,

    #[command(flatten)]
    pub(crate) topic: TopicArgs,

    /// If this makes a queue or a topic, it stays until `quintet rm` (Linux only)
    #[arg(long)]
    pub(crate) persistent: bool,

    /// What the messages of a socket are. (`push`, `pull`, `pub` and `sub` say.)
    #[arg(skip)]
    pub(crate) pattern: Option<Pattern>,

    /// What a subscriber wants to hear over a socket. (`sub` says.)
    #[arg(skip)]
    pub(crate) topics: Vec<OsString>,
}

/// What the messages of a socket are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Work: each to one.
    Work,
    /// News: each to all.
    News,
}

/// Which side of a socket to be.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct SideArgs {
    /// Of a socket: listen at the address
    #[arg(long, conflicts_with = "connect")]
    pub(crate) listen: bool,

    /// Of a socket: connect to the address, and again when the connection is lost
    #[arg(long, visible_alias = "dial")]
    pub(crate) connect: bool,
}

impl EndpointArgs {
    /// Of the flags that are for named pipes only, one that was given.
    pub(crate) fn for_pipes(&self) -> Option<&'static str> {
        given(&[
            ("--listen", self.listen),
            ("--connect", self.connect),
            ("--mode", self.mode.is_some()),
            ("--direction", self.direction.is_some()),
            ("--max-instances", self.max_instances.is_some()),
            ("--in-buffer", self.in_buffer.is_some()),
            ("--out-buffer", self.out_buffer.is_some()),
            ("--connect-timeout", self.connect_timeout.is_some()),
        ])
    }

    /// Of the flags that are for queues and topics only, one that was given, and what it is for.
    pub(crate) fn for_queues(&self) -> Option<String> {
        const QUEUE: &str = "queue://";
        const TOPIC: &str = "topic://";
        let flags: [(&str, bool, &[&str]); 5] = [
            ("--capacity", self.queue.capacity.is_some(), &[QUEUE, TOPIC]),
            ("--producers", self.queue.producers.is_some(), &[QUEUE]),
            ("--publishers", self.topic.publishers.is_some(), &[TOPIC]),
            ("--subscribe", self.topic.subscribe.is_some(), &[TOPIC]),
            ("--persistent", self.persistent, &[QUEUE, TOPIC]),
        ];
        flags
            .into_iter()
            .find(|(_, given, _)| *given)
            .map(|(flag, _, schemes)| format!("{flag} is for {}", schemes.join(", ")))
    }
}

fn given(flags: &[(&'static str, bool)]) -> Option<&'static str> {
    flags.iter().find(|(_, given)| *given).map(|(flag, _)| *flag)
}

/// What to send, but for TEXT.
#[derive(Debug, clap::Args)]
pub(crate) struct DataArgs {
    /// Each line of the data is a message; in byte mode, is written as it comes
    #[arg(long)]
    pub(crate) lines: bool,

    /// How many messages: TEXT or the file so many times; with --lines, so many lines of the file or standard input at
    /// most
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Pause so long between the messages, in seconds (or 500ms, 2m); without --count, go on until interrupted
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_negative_numbers = true)]
    pub(crate) interval: Option<Duration>,

    /// Take the data from a file; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub(crate) file: Option<PathBuf>,

    /// Convert the text from UTF-8 [default: as it is]
    #[arg(long, value_enum, value_name = "ENCODING", ignore_case = true)]
    pub(crate) encoding: Option<Encoding>,
}

/// How to print what was received, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct PrintArgs {
    /// Write the data to a file; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// How to print a record [default: raw; with --lines lines; on a terminal quoted]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// The same as --format json
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "format")]
    pub(crate) json: bool,

    /// The data is text in this encoding, to print as UTF-8
    #[arg(long, value_enum, value_name = "ENCODING", ignore_case = true)]
    pub(crate) encoding: Option<Encoding>,
}

/// Send bytes or messages
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Data is TEXT, or --file, or standard input. In message mode it is one message; with --lines each line is one. \
A client (the default) waits for a server to appear. `send` ends when everything is in the pipe, where the \
reader still finds it. Into a FIFO file it goes when somebody reads it. Into a queue see `quintet push --help`. On \
a topic it waits for a subscriber and publishes: see `quintet pub --help`. Over a socket it sends bytes, as nc(1) does, \
or with --mode message what `quintet push` sends. To a window it sends a message with the data (WM_COPYDATA), or one of two \
numbers, waits for the procedure and prints its result. With --encoding the data is text, with the NUL at its end that C# \
and C programs read to. Without such a window it fails (1), or with --timeout waits so long for one. Of several of that \
title one gets it.

Examples:
  # To a server, as it reads: bytes, or a message
  quintet send pipe://TestPipe hello
  # Be the server; one message to the first client
  quintet send --listen --mode message pipe://TestPipe hello
  # A whole file
  quintet send pipe://frames --file frame.raw
  # Each line as it comes
  tail -f app.log | quintet send --lines pipe://log
  # For a C# program on a Chinese Windows
  quintet send --encoding gb18030 pipe://TestPipe 成功
  # A file to another machine, where runs: quintet recv tcp://*:5555 > file
  quintet send tcp://localhost:5555 --file frame.raw
  # To a program that reads a FIFO file, such as: cat /tmp/fifo (on Linux)
  quintet send fifo:///tmp/fifo hello
  # To a C# program's window; to one of a class; a message without data
  quintet send --encoding ansi --id 100 window://TestWindow success
  quintet send --class Worker window:// --file frame.raw
  quintet send window://TestWindow --msg WM_APP+1 --wparam 7")]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) endpoint: EndpointArgs,

    #[command(flatten)]
    pub(crate) drain: DrainArgs,

    /// On a topic: for how many subscribers to wait. (`pub` says.)
    #[arg(skip = 1usize)]
    pub(crate) wait_subscriber: usize,

    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// As a server, go on with the next client when one has been served
    #[arg(long, conflicts_with = "connect")]
    pub(crate) follow: bool,

    #[command(flatten)]
    pub(crate) window: AskArgs,

    /// Where to: pipe://NAME, queue://NAME, topic://NAME, fifo:///PATH, tcp://HOST:PORT, unix:///PATH or window://TITLE
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,

    /// What to send
    #[arg(value_hint = ValueHint::Other, allow_negative_numbers = true)]
    pub(crate) text: Option<OsString>,
}

/// Receive bytes or messages
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A server (the default) takes one client. In byte mode `recv` ends when the other side closes; in message mode \
after one message, or --count. With --follow it goes on, a server with further clients. Bytes come out raw, \
unless standard output is a terminal: then quoted. A FIFO file is created unless it is there; `recv` ends when all \
writers have closed. From a queue comes one message, or --count: see `quintet pull --help`; from a \
topic as well, of what is published from now on: see `quintet sub --help`. From a socket come bytes, as of nc(1), or with \
--mode message what `quintet pull` takes. With window:// it makes a window, and prints one message that comes to it, or \
--count, or --follow until the window is closed (WM_CLOSE): the data, with --encoding as text up to the first NUL; of a \
message without data, on a line, its number and the two that go along. Who sent it gets 0 as the result, or --reply.

Examples:
  # Be the server; what one client writes
  quintet recv pipe://TestPipe
  # One message from a server, or its bytes
  quintet recv --connect pipe://TestPipe
  # Lines of many clients as they come
  quintet recv --follow --lines pipe://log
  # Messages with their time, sequence, length and sender
  quintet recv --mode message --follow --json pipe://TestPipe
  # From a C# program's Encoding.Default
  quintet recv --encoding ansi pipe://TestPipe
  # What comes over a socket, from one client after the other
  quintet recv --follow tcp://localhost:5555
  # Lines that programs write into a FIFO file (on Linux)
  quintet recv --follow --lines fifo:///tmp/fifo
  # What is sent to a window of this title, by C# programs as well
  quintet recv --follow --encoding ansi --format lines window://TestWindow")]
pub(crate) struct RecvArgs {
    #[command(flatten)]
    pub(crate) endpoint: EndpointArgs,

    /// In byte mode, each line is a record
    #[arg(long)]
    pub(crate) lines: bool,

    /// How many messages (or, with --lines, lines)
    #[arg(long, value_name = "N", conflicts_with = "follow", value_parser = value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Go on until interrupted, with further clients or writers; as a client, until the server closes
    #[arg(long)]
    pub(crate) follow: bool,

    /// Of a topic: how far to fall behind. (`sub` says.)
    #[arg(skip)]
    pub(crate) depth: Option<u64>,

    #[command(flatten)]
    pub(crate) print: PrintArgs,

    #[command(flatten)]
    pub(crate) window: WindowArgs,

    /// The result of each message, a number [default: 0]
    #[arg(
        long,
        value_name = "N",
        value_parser = parse_word,
        allow_negative_numbers = true,
        help_heading = window::HEADING
    )]
    pub(crate) reply: Option<i64>,

    /// Where from: pipe://NAME, queue://NAME, topic://NAME, fifo:///PATH, tcp://HOST:PORT, unix:///PATH or window://TITLE
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,
}

/// List what is there
#[derive(Debug, clap::Args)]
#[command(after_help = "\
State: live, held by a Quintet process, or made to stay; foreign, held by another program; stale, left by one that \
died (the next open replaces it, `quintet rm` and `quintet doctor --fix` remove it); unknown, of another version, or damaged.

With --watch it goes on until interrupted: at a terminal the table is always the newest (on Linux), and otherwise there is a line for what is there, and for each object that has come, gone, or changed its state or its holders.

Examples:
  quintet ls
  quintet ls sem
  quintet ls window
  quintet ls pipe --json
  quintet ls --watch")]
pub(crate) struct LsArgs {
    /// Only this kind
    #[arg(value_name = "SCHEME", value_parser = words::<Scheme>(schemes()))]
    pub(crate) scheme: Option<Scheme>,

    /// A JSON array; with --watch a JSON object a line
    #[arg(long)]
    pub(crate) json: bool,

    /// Go on looking
    #[arg(long)]
    pub(crate) watch: bool,

    /// How often to look, in seconds (or 500ms, 2m)
    #[arg(long, value_name = "TIME", default_value = "1", value_parser = hz::parse_interval, allow_negative_numbers = true, requires = "watch")]
    pub(crate) interval: Duration,
}

/// Show all that is known of one object
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Of a semaphore or a mutex: who has taken it, since when, and how many wait.

Examples:
  quintet stat pipe://TestPipe
  quintet stat --json pipe://TestPipe
  # Who has the lock?
  quintet stat mutex://backup
  # Whose window is it, and does it serve its messages?
  quintet stat window://TestWindow")]
pub(crate) struct StatArgs {
    /// A JSON object
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) window: PeerArgs,

    /// Which: pipe://NAME, shm://NAME, mailbox://NAME, queue://NAME, topic://NAME, window://TITLE, unix:///PATH, sem://NAME, mutex://NAME or event://NAME
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,
}

/// Remove what `create` made, or what a process that died left behind
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What a living process holds is not removed (exit code 1): end the process, and it goes with it.

Examples:
  quintet rm pipe://TestPipe
  quintet rm sem://jobs")]
pub(crate) struct RmArgs {
    /// Which: pipe://NAME, shm://NAME, mailbox://NAME, queue://NAME, topic://NAME, unix:///PATH, sem://NAME, mutex://NAME or event://NAME
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,
}

/// See it work: four processes, with all five mechanisms between them, every message verified
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  quintet demo
  quintet demo --messages 100000
  # Kill one of them in the middle, and see the line go on
  quintet demo --kill")]
pub(crate) struct DemoArgs {
    /// How many small messages to exchange
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = value_parser!(u64).range(1..=10_000_000))]
    pub(crate) messages: u64,

    /// Kill the other process while it has permits and a frame in its hands, and go on with a new one
    #[arg(long)]
    pub(crate) kill: bool,
}

/// Parses one of the words of a library's type, in a way that completions and messages can name them all.
fn words<T>(known: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = quintet::Error> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(known).try_map(|word| word.parse::<T>())
}

/// The schemes whose objects can be listed.
fn schemes() -> impl Iterator<Item = &'static str> {
    named::kinds().iter().map(|kind| kind.scheme().as_str())
}

/// Seconds, or a number with a unit.
fn parse_time(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
    match seconds {
        Some(seconds) if seconds.is_sign_negative() => Err("a time cannot be negative".into()),
        // What is too long for the clock is for ever.
        Some(seconds) => Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)),
        None => humantime::parse_duration(text)
            .map_err(|_| "write seconds, such as 1.5, or with a unit: 500ms, 2m, 1h".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_time_is_seconds_or_has_a_unit() {
        assert_eq!(parse_time("2"), Ok(Duration::from_secs(2)));
        assert_eq!(parse_time("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_time("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "-1", "x", "5 parsecs", "inf", "nan"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }

    /// The command in each example line of a help, without the programs around it.
    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let own = help
            .lines()
            .filter_map(|line| line.strip_prefix("  "))
            .filter_map(|line| Some(line[line.find("quintet ")?..].split('>').next()?.to_string()));
        own.chain(command.get_subcommands().flat_map(examples)).collect()
    }

    #[test]
    fn every_example_is_understood() {
        let examples = examples(&Args::command());
        assert!(examples.len() > 15, "{examples:?}");
        for example in examples {
            if let Err(error) = Args::try_parse_from(example.split_whitespace()) {
                panic!("{example}: {error}");
            }
        }
    }
}
