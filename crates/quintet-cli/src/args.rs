//! The command line.

use crate::record::Format;
use crate::text::Encoding;
use clap::{ArgAction, Parser, Subcommand};
use quintet::pipe::{Access, Direction, PipeMode};
use quintet::{Address, Scheme};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Parser)]
#[command(
    name = "quintet",
    version,
    about = "The classic ways for processes to talk: any of them by its address",
    after_help = "\
Addresses:
  pipe://NAME    a named pipe: bytes or whole messages between a server and its clients

Examples:
  quintet recv pipe://TestPipe                                 receive in one terminal …
  quintet send pipe://TestPipe hello                           … send from another
  quintet ls                                                   what is there

Exit codes: 0 done; 1 failed; 2 usage; 124 the --timeout passed; 130 interrupted."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Send(SendArgs),
    Recv(RecvArgs),
    Ls(LsArgs),
    Stat(StatArgs),
    Rm(RmArgs),
    Demo(DemoArgs),
    #[command(hide = true)]
    DemoWorker(DemoWorkerArgs),
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
#[derive(Debug, clap::Args)]
pub(crate) struct EndpointArgs {
    /// Be the server: create the pipe and wait for a client
    #[arg(long, conflicts_with = "connect")]
    pub(crate) listen: bool,

    /// Be a client: connect to a server, waiting for it to appear
    #[arg(long, visible_alias = "dial")]
    pub(crate) connect: bool,

    /// Give up when this time has passed, in seconds (or 500ms, 2m); exit code 124
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) timeout: Option<Duration>,

    /// Bytes or whole messages: byte or message [default: as the server; a server: byte]
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<PipeMode>,

    /// Which way data goes, seen from this end: in, out or inout
    #[arg(long, value_name = "DIRECTION", hide_short_help = true)]
    pub(crate) direction: Option<Direction>,

    /// How many clients at once a server has, 1 to 254 [default: any number]
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) max_instances: Option<u32>,

    /// Whose processes may be at the other end: user or everyone [default: user]
    #[arg(long, value_name = "WHO", hide_short_help = true)]
    pub(crate) access: Option<Access>,

    /// The longest message in bytes [default: 1 GiB]
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    pub(crate) max_message: Option<u64>,

    /// Bytes for a server to buffer from clients (advice)
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    pub(crate) in_buffer: Option<u32>,

    /// Bytes for a server to buffer towards clients (advice)
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    pub(crate) out_buffer: Option<u32>,

    /// How long a client waits for a server to have room, in seconds [default: as --timeout]
    #[arg(long, value_name = "TIME", value_parser = parse_time, hide_short_help = true)]
    pub(crate) connect_timeout: Option<Duration>,
}

/// Send bytes or messages
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Data is TEXT, or --file, or standard input. In message mode it is one message; with --lines each line is
one. A client (the default) waits for a server to appear. `send` ends when everything is in the pipe,
where the reader still finds it.

Examples:
  quintet send pipe://TestPipe hello                           to a server, as it reads
  quintet send --listen --mode message pipe://TestPipe hello   be the server; one message
  quintet send pipe://frames --file frame.raw                  a whole file
  tail -f app.log | quintet send --lines pipe://log            each line as it comes
  quintet send --encoding gb18030 pipe://TestPipe 成功         for a C# program on a Chinese Windows")]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) endpoint: EndpointArgs,

    /// Each line of the data is a message; in byte mode, is written as it comes
    #[arg(long)]
    pub(crate) lines: bool,

    /// How often to send TEXT or the file; with --lines from standard input, how many lines at most
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,

    /// As a server, go on with the next client when one has been served
    #[arg(long, conflicts_with = "connect")]
    pub(crate) follow: bool,

    /// Take the data from a file
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub(crate) file: Option<PathBuf>,

    /// Convert the text from UTF-8: utf-8, ansi, gb18030 or utf-16le [default: as it is]
    #[arg(long, value_name = "ENCODING")]
    pub(crate) encoding: Option<Encoding>,

    /// Where to: pipe://NAME
    pub(crate) address: Address,

    /// What to send
    pub(crate) text: Option<String>,
}

/// Receive bytes or messages
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A server (the default) takes one client. In byte mode `recv` ends when the other side closes; in message
mode after one message, or --count. With --follow it goes on, a server with further clients.
Bytes come out raw, unless standard output is a terminal: then quoted.

Examples:
  quintet recv pipe://TestPipe                                 be the server; what one client writes
  quintet recv --connect pipe://TestPipe                       one message from a server, or its bytes
  quintet recv --follow --lines pipe://log                     lines of many clients as they come
  quintet recv --mode message --follow --json pipe://TestPipe  time, sequence, length, sender and text
  quintet recv --encoding ansi pipe://TestPipe                 from a C# program's Encoding.Default")]
pub(crate) struct RecvArgs {
    #[command(flatten)]
    pub(crate) endpoint: EndpointArgs,

    /// In byte mode, each line is a record
    #[arg(long)]
    pub(crate) lines: bool,

    /// How many messages (or, with --lines, lines)
    #[arg(long, value_name = "N", conflicts_with = "follow", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Go on until interrupted; as a client, until the server closes
    #[arg(long)]
    pub(crate) follow: bool,

    /// Write the data to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// How to print a record [default: raw, on a terminal quoted]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// The same as --format json
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "format")]
    pub(crate) json: bool,

    /// The data is text in this encoding, to print as UTF-8: utf-8, ansi, gb18030 or utf-16le
    #[arg(long, value_name = "ENCODING")]
    pub(crate) encoding: Option<Encoding>,

    /// Where from: pipe://NAME
    pub(crate) address: Address,
}

/// List what is there
#[derive(Debug, clap::Args)]
#[command(after_help = "\
State: live, held by a Quintet process; foreign, by another program; stale, left by one that died (the next
server replaces it, `quintet rm` removes it).

Examples:
  quintet ls
  quintet ls pipe --json")]
pub(crate) struct LsArgs {
    /// Only this kind: pipe
    #[arg(value_name = "SCHEME")]
    pub(crate) scheme: Option<Scheme>,

    /// A JSON array
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show all that is known of one object
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  quintet stat pipe://TestPipe\n  quintet stat --json pipe://TestPipe")]
pub(crate) struct StatArgs {
    /// A JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Which: pipe://NAME
    pub(crate) address: Address,
}

/// Remove what a process that died left behind
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What a living process holds is not removed (exit code 1): end the process, and it goes with it.

Examples:
  quintet rm pipe://TestPipe")]
pub(crate) struct RmArgs {
    /// Which: pipe://NAME
    pub(crate) address: Address,
}

/// See it work: two processes, a named pipe between them, every message verified
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  quintet demo\n  quintet demo --messages 100000")]
pub(crate) struct DemoArgs {
    /// How many small messages to exchange
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) messages: u64,
}

/// The other process of the demo
#[derive(Debug, clap::Args)]
pub(crate) struct DemoWorkerArgs {
    pub(crate) address: Address,
}

/// Seconds, or a number with a unit.
fn parse_time(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string());
    }
    humantime::parse_duration(text).map_err(|error| format!("{error}; write seconds, or 500ms, 2m, 1h"))
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
}
