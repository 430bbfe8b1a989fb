//! The command line of topics.

use super::memory::parse_some;
use super::{
    AccessArgs, AskArgs, DataArgs, DrainArgs, EndpointArgs, Pattern, PrintArgs, QueueArgs, RecvArgs,
    SendArgs, SideArgs, WindowArgs, parse_time, words,
};
use clap::{ValueHint, value_parser};
use quintet::Address;
use quintet::shm::Access;
use std::ffi::OsString;
use std::time::Duration;

/// How many may publish, if this makes the topic.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct TopicArgs {
    /// Of a topic: how many publishers there can be at a time; if it is there, how many at least [default: 8]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=64))]
    pub(crate) publishers: Option<u32>,

    /// Of a topic: whose processes may subscribe besides those that may publish (--access); and if it is there, whose it may be
    /// [default: user]
    #[arg(long, value_name = "WHO", value_parser = words::<Access>(["user", "everyone"]))]
    pub(crate) subscribe: Option<Access>,
}

/// How a topic is to be, and how long to wait: what `pub` and `sub` have in common.
#[derive(Debug, clap::Args)]
// They are for nothing but topics.
#[command(mut_arg("publishers", |publishers| {
    publishers.help("How many publishers there can be at a time; if the topic is there, how many at least [default: 8]")
}))]
#[command(mut_arg("subscribe", |subscribe| {
    subscribe.help("Whose processes may subscribe besides those that may publish (--access); and if it is there, whose it may be [default: user]")
}))]
pub(crate) struct TopicEndArgs {
    #[command(flatten)]
    side: SideArgs,

    /// Give up when this time has passed, in seconds (or 500ms, 2m); exit code 124
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_negative_numbers = true)]
    timeout: Option<Duration>,

    /// How many bytes each publisher has for what it published last, or with K, M, G; if the topic is there, how many at least
    /// [default: 1M]
    #[arg(long, value_name = "N", value_parser = parse_some)]
    capacity: Option<u64>,

    #[command(flatten)]
    topic: TopicArgs,

    #[command(flatten)]
    access: AccessArgs,

    /// If this makes the topic, it stays until `quintet rm` (Linux only)
    #[arg(long)]
    persistent: bool,
}

impl From<TopicEndArgs> for EndpointArgs {
    fn from(args: TopicEndArgs) -> Self {
        EndpointArgs {
            listen: args.side.listen,
            connect: args.side.connect,
            pattern: Some(Pattern::News),
            timeout: args.timeout,
            access: args.access.access,
            queue: QueueArgs {
                capacity: args.capacity,
                producers: None,
            },
            topic: args.topic,
            persistent: args.persistent,
            ..EndpointArgs::default()
        }
    }
}

/// Publish messages on a topic, for all who subscribe
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Data is TEXT, or --file, or standard input: one message, or with --lines each line as it comes. Everybody who subscribes at \
that moment gets it; `pub` waits for none of them, and if there is none nobody gets it, which is no failure. With \
--wait-subscriber the first message waits until somebody subscribes, and so does `quintet send`. The topic is made unless it \
is there. A message has at most a little less than half of the --capacity. Over a socket, which connects unless it is to \
--listen, it goes to all sub sockets that are there, Quintet's or nng's; who connects waits for the connection first.

Examples:
  quintet pub topic://news hello
  # When somebody is there to get it, at most 5 seconds
  quintet pub --wait-subscriber --timeout 5 topic://news hello
  # When all three are there
  quintet pub --wait-subscriber=3 topic://news hello
  # Each line as it comes
  tail -f app.log | quintet pub --lines topic://log
  # Larger messages need a larger topic; both sides say so, as either may make it
  quintet pub topic://camera --capacity 16M --publishers 1 --file frame.raw
  # Every second, to whoever is connected; they run: quintet sub --connect tcp://HOST:5555
  quintet pub --listen tcp://*:5555 --interval 1 tick")]
// There are no bytes without messages here, as `send` has them.
#[command(mut_arg("lines", |lines| lines.help("Each line of the data is a message, as it comes")))]
pub(crate) struct PubArgs {
    /// Wait until somebody subscribes, or so many do, and then publish
    #[arg(short, long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "1",
          value_parser = value_parser!(u8).range(1..))]
    wait_subscriber: Option<u8>,

    #[command(flatten)]
    end: TopicEndArgs,

    #[command(flatten)]
    data: DataArgs,

    /// Which: topic://NAME, or where: tcp://HOST:PORT, unix:///PATH, ipc://PATH
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,

    /// What to publish
    #[arg(value_hint = ValueHint::Other, allow_negative_numbers = true)]
    text: Option<OsString>,
}

impl From<PubArgs> for SendArgs {
    fn from(args: PubArgs) -> Self {
        SendArgs {
            endpoint: args.end.into(),
            drain: DrainArgs { no_drain: false },
            wait_subscriber: args.wait_subscriber.unwrap_or(0).into(),
            data: args.data,
            follow: false,
            window: AskArgs::default(),
            address: args.address,
            text: args.text,
        }
    }
}

/// Print what is published on a topic
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each message that is published from now on, until interrupted or --count. Every subscriber gets every message; nobody waits \
for one, so who is too slow loses the oldest, and is told how many. Those of one publisher come in their order. When a \
publisher is killed that is said, and `sub` goes on. The topic is made unless it is there, so either side can start first. \
Bytes come out raw, unless standard output is a terminal: then quoted. `quintet recv` does the same for one message. A \
socket listens unless it is to --connect, and prints what pub sockets send, Quintet's or nng's, if it begins with a --topic.

Examples:
  # Each on a line, until interrupted
  quintet sub --format lines topic://news
  # The next two, with their time, number, length and lane (a publisher's place), and how many were lost before
  quintet sub --count 2 --json topic://news
  # Only the newest, when it has fallen behind
  quintet sub --depth 1 --format hex topic://position
  # The next frame, at most 5 seconds of waiting
  quintet sub topic://camera --capacity 16M --publishers 1 --count 1 --timeout 5 --file frame.raw
  # Of a publisher on another machine, only what begins with one of two words
  quintet sub --connect tcp://localhost:5555 --topic weather --topic sports --format lines")]
// And here no lines within bytes, as `recv` has them.
#[command(mut_arg("format", |format| format.help("How to print a message [default: raw; on a terminal quoted]")))]
pub(crate) struct SubArgs {
    #[command(flatten)]
    end: TopicEndArgs,

    /// How many messages [default: until interrupted]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// When it has fallen behind further than so many messages of a publisher, go on with these
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    depth: Option<u64>,

    /// Of a socket: only messages that begin with this; more than one can be given [default: all messages]
    #[arg(long = "topic", value_name = "TEXT")]
    topics: Vec<OsString>,

    #[command(flatten)]
    print: PrintArgs,

    /// Which: topic://NAME, or where: tcp://HOST:PORT, unix:///PATH, ipc://PATH
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,
}

impl From<SubArgs> for RecvArgs {
    fn from(args: SubArgs) -> Self {
        RecvArgs {
            endpoint: EndpointArgs {
                topics: args.topics,
                ..args.end.into()
            },
            lines: false,
            count: args.count,
            follow: args.count.is_none(),
            depth: args.depth,
            print: args.print,
            window: WindowArgs::default(),
            reply: None,
            address: args.address,
        }
    }
}
