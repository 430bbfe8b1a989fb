//! What data goes through: a named pipe, or one end of a FIFO file.

use crate::failure::Failure;
use crate::fifo;
use quintet::pipe::{PipeMode, PipeStream};
use quintet::{Deadline, PeerIdentity};
use std::fmt;

/// What `recv` reads.
#[derive(Debug)]
pub(crate) enum Incoming {
    Pipe(Box<PipeStream>),
    Fifo(fifo::Reader),
}

impl Incoming {
    pub(crate) fn mode(&self) -> PipeMode {
        match self {
            Incoming::Pipe(stream) => stream.mode(),
            Incoming::Fifo(_) => PipeMode::Byte,
        }
    }

    /// Who is at the other end, where the system tells.
    pub(crate) fn sender(&self) -> Option<PeerIdentity> {
        match self {
            Incoming::Pipe(stream) => stream.peer().ok(),
            Incoming::Fifo(_) => None,
        }
    }

    /// Reads some bytes: how many; 0 at the end.
    pub(crate) fn read(&self, buf: &mut [u8], deadline: Deadline) -> Result<usize, Failure> {
        match self {
            Incoming::Pipe(stream) => {
                limit(stream, deadline);
                Ok(stream.read(buf)?)
            }
            Incoming::Fifo(reader) => reader.read(buf, deadline),
        }
    }
}

impl fmt::Display for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incoming::Pipe(stream) => stream.address().fmt(f),
            Incoming::Fifo(reader) => reader.fmt(f),
        }
    }
}

/// What `send` writes.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Pipe(Box<PipeStream>),
    Fifo(fifo::Writer),
}

impl Outgoing {
    pub(crate) fn mode(&self) -> PipeMode {
        match self {
            Outgoing::Pipe(stream) => stream.mode(),
            Outgoing::Fifo(_) => PipeMode::Byte,
        }
    }

    /// Writes all of it, in message mode as one message.
    pub(crate) fn write_all(&self, bytes: &[u8], deadline: Deadline) -> Result<(), Failure> {
        match self {
            Outgoing::Pipe(stream) => {
                limit(stream, deadline);
                Ok(stream.write_all(bytes)?)
            }
            Outgoing::Fifo(writer) => writer.write_all(bytes, deadline),
        }
    }
}

/// Lets no read or write go on beyond the command's deadline.
pub(crate) fn limit(stream: &PipeStream, deadline: Deadline) {
    if !deadline.is_never() {
        stream.set_read_timeout(deadline.remaining());
        stream.set_write_timeout(deadline.remaining());
    }
}
