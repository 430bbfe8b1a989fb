//! What a named pipe can be asked for and what it answers: the part of the surface that is plain data.

use super::types::{Access, words};
use crate::{Error, ErrorKind};
use std::fmt;
use std::str::FromStr;

/// Whether a pipe carries a stream of bytes or whole messages. The server decides.
///
/// ```
/// use quintet::pipe::PipeMode;
/// assert_eq!("message".parse::<PipeMode>()?, PipeMode::Message);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum PipeMode {
    /// A stream of bytes; what one write wrote may take several reads, and the other way round.
    #[default]
    Byte,
    /// Messages with boundaries: one write is one message.
    Message,
}

/// Which way data goes, seen from the end that says it.
///
/// ```
/// use quintet::pipe::Direction;
/// assert!(Direction::InOut.reads() && Direction::InOut.writes());
/// assert!(!Direction::In.writes());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// This end only reads.
    In,
    /// This end only writes.
    Out,
    /// Both.
    #[default]
    InOut,
}

impl Direction {
    /// Whether this end reads.
    pub fn reads(self) -> bool {
        self != Direction::Out
    }

    /// Whether this end writes.
    pub fn writes(self) -> bool {
        self != Direction::In
    }
}

words!(PipeMode, "mode", Byte = "byte", Message = "message");
words!(Direction, "direction", In = "in", Out = "out", InOut = "inout");

/// What a server is created with.
#[derive(Clone, Debug)]
pub(crate) struct ServerOptions {
    pub(crate) direction: Direction,
    pub(crate) mode: PipeMode,
    /// `None`: as many as the system has.
    pub(crate) max_instances: Option<u32>,
    pub(crate) in_buffer: Option<u32>,
    pub(crate) out_buffer: Option<u32>,
    pub(crate) access: Access,
    pub(crate) max_message: u64,
}

/// What a client connects with.
#[derive(Clone, Debug)]
pub(crate) struct ClientOptions {
    pub(crate) direction: Direction,
    /// How to read; `None`: as the server's pipe is.
    pub(crate) mode: Option<PipeMode>,
    /// Whose server is acceptable.
    pub(crate) access: Access,
    pub(crate) max_message: u64,
}

/// The default for the longest message: 1 GiB.
pub(crate) const DEFAULT_MAX_MESSAGE: u64 = 1 << 30;

impl Direction {
    /// Refuses to read from an end that only writes.
    pub(crate) fn check_reads(self) -> Result<(), Error> {
        if self.reads() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unsupported, "this end is for writing only")
            .hint("open it with direction in or inout"))
    }

    /// Refuses to write into an end that only reads.
    pub(crate) fn check_writes(self) -> Result<(), Error> {
        if self.writes() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unsupported, "this end is for reading only")
            .hint("open it with direction out or inout"))
    }
}

/// Refuses to send a message beyond the limit.
pub(crate) fn check_message(len: u64, max: u64) -> Result<(), Error> {
    if len <= max {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TooLarge,
        format!("a message of {len} bytes; the limit here is {max}"),
    )
    .hint("raise max_message on both sides"))
}

/// Why a client has no connection yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotYet {
    NoServer,
    Busy,
}

impl NotYet {
    /// The error for a client that waits no longer, or was asked not to wait at all.
    pub(crate) fn into_error(self, asked_not_to_wait: bool) -> Error {
        let (kind, reason, hint) = match self {
            NotYet::NoServer => (
                ErrorKind::NotFound,
                "there is no server",
                "start one, or wait with connect_timeout",
            ),
            NotYet::Busy => (
                ErrorKind::Busy,
                "all instances are busy",
                "raise max_instances on the server or wait with connect_timeout",
            ),
        };
        if asked_not_to_wait {
            Error::new(kind, reason).hint(hint)
        } else {
            Error::new(
                ErrorKind::TimedOut,
                format!("{reason}, and none came before the deadline"),
            )
        }
    }
}

/// What one read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// So many bytes. `complete`: they end a message (in byte mode, always).
    Data { len: usize, complete: bool },
    /// The other side writes nothing more, and everything it wrote has been read.
    End,
}
