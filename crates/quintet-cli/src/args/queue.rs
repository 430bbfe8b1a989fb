//! The command line of queues.

use super::memory::parse_some;
use super::objects::TimeArgs;
use super::{
    AccessArgs, AskArgs, DataArgs, EndpointArgs, Pattern, PrintArgs, RecvArgs, SendArgs, SideArgs,
    WindowArgs, parse_time,
};
use clap::{ValueHint, value_parser};
use quintet::Address;
use std::ffi::OsString;
use std::time::Duration;

/// How large a queue is, if this makes it.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct QueueArgs {
    /// Of a queue: how many bytes each producer has, of a topic each publisher; or with K, M, G; if it is there, how many at
    /// least [default: 64K; of a topic 1M]
    #[arg(long, value_name = "N", value_parser = parse_some)]
    pub(crate) capacity: Option<u64>,

    /// Of a queue: how many producers there can be at a time; if it is there, how many at least [default: 64]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=256))]
    pub(crate) producers: Option<u32>,
}

/// Of verbs that are for queues only.
const CAPACITY: &str = "How many bytes each producer has, or with K, M, G; if the queue is there, how many at least [default: 64K]";

/// Put messages into a queue, each for one of those who pull
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Data is TEXT, or --file, or standard input: one message, or with --lines each line. The queue is made unless it is there; \
it goes, with what is in it, with the last process that has it open. So `push` ends when all that it put in is taken, or \
with exit code 124 when the --timeout has passed; at once if the queue is persistent (quintet create). With --no-drain at \
once as well: somebody has to have the queue open then. A message has at most a little less than half of the --capacity. \
`quintet send` does the same. Over a socket, which connects unless it is to --listen, each message goes to one of the pull \
sockets that are there, Quintet's or nng's; `push` waits for one.

Examples:
  quintet push queue://jobs frame-7.raw
  # Each line is a message
  ls | quintet push --lines queue://jobs
  # Larger messages need a larger queue; both sides say so, as either may make it
  quintet push queue://frames --capacity 16M --file frame.raw
  # Leave it there for who comes later, in a queue that somebody else has open
  quintet push --no-drain queue://jobs frame-7.raw
  # To another machine, where runs: quintet pull --follow tcp://*:5555
  quintet push tcp://localhost:5555 frame-7.raw")]
// There are no bytes without messages here, as `send` has them.
#[command(mut_arg("lines", |lines| lines.help("Each line of the data is a message")))]
#[command(mut_arg("capacity", |capacity| capacity.help(CAPACITY)))]
pub(crate) struct PushArgs {
    /// Give up when this time has passed, in seconds (or 500ms, 2m); exit code 124
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_negative_numbers = true)]
    timeout: Option<Duration>,

    #[command(flatten)]
    side: SideArgs,

    #[command(flatten)]
    drain: DrainArgs,

    #[command(flatten)]
    queue: QueueArgs,

    #[command(flatten)]
    access: AccessArgs,

    /// If this makes the queue, it stays until `quintet rm` (Linux only)
    #[arg(long)]
    persistent: bool,

    #[command(flatten)]
    data: DataArgs,

    /// Which: queue://NAME, or where: tcp://HOST:PORT, unix:///PATH, ipc://PATH
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,

    /// What to put in
    #[arg(value_hint = ValueHint::Other, allow_negative_numbers = true)]
    text: Option<OsString>,
}

/// When to end.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct DrainArgs {
    /// Into a queue that somebody else has open: end when everything is in it, taken or not
    #[arg(long)]
    pub(crate) no_drain: bool,
}

impl From<PushArgs> for SendArgs {
    fn from(args: PushArgs) -> Self {
        SendArgs {
            endpoint: EndpointArgs {
                listen: args.side.listen,
                connect: args.side.connect,
                timeout: args.timeout,
                access: args.access.access,
                queue: args.queue,
                persistent: args.persistent,
                pattern: Some(Pattern::Work),
                ..EndpointArgs::default()
            },
            drain: args.drain,
            wait_subscriber: 0,
            data: args.data,
            follow: false,
            window: AskArgs::default(),
            address: args.address,
            text: args.text,
        }
    }
}

/// Take messages out of a queue
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Takes one message, or --count, or with --follow what comes until interrupted. Each message goes to one of those who pull. \
The queue is made unless it is there, so either side can start first. Bytes come out raw, unless standard output is a \
terminal: then quoted. `quintet recv` does the same. A socket listens unless it is to --connect, and takes what push \
sockets send, Quintet's or nng's.

Examples:
  # One message, as soon as there is one
  quintet pull queue://jobs
  # If there is one now
  quintet pull -n queue://jobs
  # Each on a line, until interrupted
  quintet pull --follow --format lines queue://jobs
  # With their time, number, length and lane (a producer's place)
  quintet pull --count 2 --json queue://jobs
  # From other machines
  quintet pull --follow --format lines tcp://*:5555")]
// And here no lines within bytes, as `recv` has them.
#[command(mut_arg("format", |format| format.help("How to print a message [default: raw; on a terminal quoted]")))]
#[command(mut_arg("capacity", |capacity| capacity.help(CAPACITY)))]
pub(crate) struct PullArgs {
    #[command(flatten)]
    side: SideArgs,

    #[command(flatten)]
    time: TimeArgs,

    #[command(flatten)]
    queue: QueueArgs,

    #[command(flatten)]
    access: AccessArgs,

    /// If this makes the queue, it stays until `quintet rm` (Linux only)
    #[arg(long)]
    persistent: bool,

    /// How many messages [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "follow", value_parser = value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Go on until interrupted
    #[arg(long)]
    follow: bool,

    #[command(flatten)]
    print: PrintArgs,

    /// Which: queue://NAME, or where: tcp://HOST:PORT, unix:///PATH, ipc://PATH
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,
}

impl From<PullArgs> for RecvArgs {
    fn from(args: PullArgs) -> Self {
        RecvArgs {
            endpoint: EndpointArgs {
                listen: args.side.listen,
                connect: args.side.connect,
                timeout: args.time.time(),
                access: args.access.access,
                queue: args.queue,
                persistent: args.persistent,
                pattern: Some(Pattern::Work),
                ..EndpointArgs::default()
            },
            lines: false,
            count: args.count,
            follow: args.follow,
            depth: None,
            print: args.print,
            window: WindowArgs::default(),
            reply: None,
            address: args.address,
        }
    }
}
