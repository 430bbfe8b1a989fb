//! The command line of questions and answers: of sockets, where they have more than others, and windows.

use super::{AccessArgs, AskArgs, DataArgs, EndpointArgs, PrintArgs, SideArgs, WindowArgs, parse_time};
use crate::text::Encoding;
use clap::{ValueHint, value_parser};
use quintet::Address;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How a socket is to be: what `req` and `rep` have in common.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct SocketArgs {
    #[command(flatten)]
    side: SideArgs,

    /// Give up when this time has passed, in seconds (or 500ms, 2m); exit code 124
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_negative_numbers = true)]
    timeout: Option<Duration>,

    #[command(flatten)]
    access: AccessArgs,

    /// The longest message in bytes [default: 64 MiB]
    #[arg(long, value_name = "BYTES", value_parser = value_parser!(u64).range(1..), hide_short_help = true)]
    max_message: Option<u64>,
}

impl From<SocketArgs> for EndpointArgs {
    fn from(args: SocketArgs) -> Self {
        EndpointArgs {
            listen: args.side.listen,
            connect: args.side.connect,
            timeout: args.timeout,
            access: args.access.access,
            max_message: args.max_message,
            ..EndpointArgs::default()
        }
    }
}

/// Ask over a socket, or a window, and print the reply
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The question is TEXT, or --file, or standard input, or with --lines each line. Connects (the default) and waits for a server. \
If the server goes before it has replied, or says nothing for a minute, the question is asked again. The other side is \
`quintet rep`, or a rep socket of nng in any language. To a window it is what `quintet send` does: prints the result.

Examples:
  quintet req tcp://localhost:5555 status
  quintet req --timeout 5 ipc:///tmp/server hello
  # Every 10 seconds, three times
  quintet req --interval 10 --count 3 tcp://localhost:5555 status
  # A window
  quintet req --json window://TestWindow status")]
#[command(mut_arg("lines", |lines| lines.help("Each line of the data is a question")))]
#[command(mut_arg("count", |count| count.help("How many questions: TEXT or the file so many times; with --lines, so many lines at most")))]
pub(crate) struct ReqArgs {
    #[command(flatten)]
    pub(crate) socket: SocketArgs,

    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// How to print a reply [default: raw; on a terminal quoted]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<crate::record::Format>,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) window: AskArgs,

    /// Where: tcp://HOST:PORT, unix:///PATH, ipc://PATH or window://TITLE
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,

    /// What to ask
    #[arg(value_hint = ValueHint::Other, allow_negative_numbers = true)]
    pub(crate) text: Option<OsString>,
}

impl ReqArgs {
    /// How to print replies.
    pub(crate) fn print(&self) -> PrintArgs {
        PrintArgs {
            file: None,
            format: self.format,
            json: self.json,
            encoding: self.data.encoding,
        }
    }
}

/// Answer what is asked over a socket, or of a window
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Listens (the default) and answers every question, until interrupted or --count: with --reply, or with what COMMAND prints, \
which has the question on its standard input and is run anew for each. The other side is `quintet req`, or a req socket of nng in any language. With window:// it makes a \
window; the answer to a message is a number: --reply, or the exit code of COMMAND, which has the data on its standard \
input. It also ends when the window is closed (WM_CLOSE).

Examples:
  quintet rep tcp://*:5555 --reply hello
  # One question, answered by a program
  quintet rep --count 1 ipc:///tmp/server -- tr a-z A-Z
  # A window that says yes to all; one that says 0 if it finds OK in the data, and 1 if not
  quintet rep window://TestWindow --reply 1
  quintet rep window://Check -- grep -q OK")]
#[command(group(clap::ArgGroup::new("answer").required(true).args(["reply", "reply_file", "command"])))]
pub(crate) struct RepArgs {
    #[command(flatten)]
    pub(crate) socket: SocketArgs,

    /// How many questions to answer [default: until interrupted]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// The answer; of a window a number
    #[arg(long, value_name = "TEXT", allow_negative_numbers = true)]
    pub(crate) reply: Option<OsString>,

    /// A file that is the answer, read anew for each question
    #[arg(long, value_name = "FILE")]
    pub(crate) reply_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) window: WindowArgs,

    /// The data is text in this encoding, which COMMAND gets in UTF-8, up to the first NUL
    #[arg(
        long,
        value_enum,
        value_name = "ENCODING",
        ignore_case = true,
        help_heading = super::window::HEADING
    )]
    pub(crate) encoding: Option<Encoding>,

    /// Where: tcp://HOST:PORT, unix:///PATH, ipc://PATH or window://TITLE
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,

    /// What answers: a program and its arguments
    #[arg(last = true, value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<OsString>,
}
