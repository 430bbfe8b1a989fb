//! What data goes through: a named pipe, one end of a FIFO file, or into a queue or a topic.

use crate::failure::Failure;
use crate::fifo;
use crate::queue;
use crate::record::Source;
use crate::socket;
use crate::text::WIDEST;
use crate::topic;
use quintet::pipe::{PipeMode, PipeStream};
use quintet::socket::Stream;
use quintet::{Deadline, PeerIdentity};
use std::fmt;

/// What `recv` reads.
#[derive(Debug)]
pub(crate) enum Incoming {
    Pipe(Box<PipeStream>),
    Fifo(fifo::Reader),
    Stream(Box<Stream>),
}

impl Incoming {
    pub(crate) fn mode(&self) -> PipeMode {
        match self {
            Incoming::Pipe(stream) => stream.mode(),
            Incoming::Fifo(_) | Incoming::Stream(_) => PipeMode::Byte,
        }
    }

    /// Who is at the other end, where the system tells.
    pub(crate) fn sender(&self) -> Option<PeerIdentity> {
        match self {
            Incoming::Pipe(stream) => stream.peer().ok(),
            Incoming::Fifo(_) => None,
            Incoming::Stream(stream) => stream.peer().ok(),
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
            Incoming::Stream(stream) => {
                if !deadline.is_never() {
                    stream.set_read_timeout(deadline.remaining())?;
                }
                Ok(stream.read(buf)?)
            }
        }
    }
}

impl fmt::Display for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incoming::Pipe(stream) => stream.address().fmt(f),
            Incoming::Fifo(reader) => reader.fmt(f),
            Incoming::Stream(stream) => stream.address().fmt(f),
        }
    }
}

/// What gives one message after the other.
pub(crate) trait Messages {
    /// The next message, and what is known of it.
    fn next(&mut self, message: &mut Vec<u8>, source: &mut Source) -> Result<(), Failure>;

    /// It has gone where it should.
    fn done(&mut self) {}
}

/// What `send` writes.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Pipe(Box<PipeStream>),
    Fifo(fifo::Writer),
    Queue(Box<queue::Inlet>),
    Topic(Box<topic::Inlet>),
    Stream(Box<Stream>),
    Socket(Box<socket::Inlet>),
}

impl Outgoing {
    pub(crate) fn mode(&self) -> PipeMode {
        match self {
            Outgoing::Pipe(stream) => stream.mode(),
            Outgoing::Fifo(_) | Outgoing::Stream(_) => PipeMode::Byte,
            Outgoing::Queue(_) | Outgoing::Topic(_) | Outgoing::Socket(_) => PipeMode::Message,
        }
    }

    /// No record is longer, nor than what the arguments say. `converted`: it may get shorter on its way.
    pub(crate) fn limit(&self, asked: u64, converted: bool) -> u64 {
        let most = match self {
            Outgoing::Pipe(_) | Outgoing::Fifo(_) | Outgoing::Stream(_) | Outgoing::Socket(_) => {
                return asked;
            }
            Outgoing::Queue(inlet) => inlet.max_message(),
            Outgoing::Topic(inlet) => inlet.max_message(),
        };
        if converted {
            most.saturating_mul(WIDEST)
        } else {
            most
        }
    }

    /// What to do about a record that is longer.
    pub(crate) fn help_with_length(&self) -> &'static str {
        match self {
            Outgoing::Pipe(_) | Outgoing::Fifo(_) | Outgoing::Stream(_) | Outgoing::Socket(_) => {
                "raise --max-message on both sides if that is meant"
            }
            Outgoing::Queue(_) => {
                "a queue takes a little less than half its --capacity: create it with a larger one"
            }
            Outgoing::Topic(_) => {
                "a topic takes a little less than half its --capacity: create it with a larger one"
            }
        }
    }

    /// After all that was written, of which `sent` is what came of it: waits for what there is to wait for.
    pub(crate) fn finish(self, sent: Result<(), Failure>, deadline: Deadline) -> Result<(), Failure> {
        match self {
            Outgoing::Pipe(_) | Outgoing::Fifo(_) => sent,
            Outgoing::Stream(stream) => {
                sent?;
                Ok(stream.end_writing()?)
            }
            Outgoing::Socket(inlet) => inlet.finish(sent),
            Outgoing::Queue(inlet) => inlet.finish(sent, deadline),
            Outgoing::Topic(inlet) => inlet.finish(sent),
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
            Outgoing::Queue(inlet) => inlet.push(bytes, deadline),
            Outgoing::Topic(inlet) => inlet.publish(bytes),
            Outgoing::Stream(stream) => {
                if !deadline.is_never() {
                    stream.set_write_timeout(deadline.remaining())?;
                }
                Ok(stream.write_all(bytes)?)
            }
            Outgoing::Socket(inlet) => inlet.write(bytes, deadline),
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
