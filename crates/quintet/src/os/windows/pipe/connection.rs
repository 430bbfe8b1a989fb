//! A connected pipe.

use super::inbox::Inbox;
use super::instances::PipeEnd;
use super::link::Link;
use super::outbox::Outbox;
use crate::os::pipe_types::{Chunk, Direction, PipeMode};
use crate::os::process::Identity;
use crate::os::windows::peer::Peer;
use crate::{Deadline, Result};
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One end of a connected pipe.
#[derive(Debug)]
pub(crate) struct Connection {
    mode: PipeMode,
    direction: Direction,
    /// Whether reads see the boundaries of messages; in message mode a client may choose not to.
    bounded: bool,
    inbox: Mutex<Inbox>,
    outbox: Mutex<Outbox>,
    /// Declared last: nothing is under way on it when it closes.
    link: Link,
}

/// What a connection is made with.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) mode: PipeMode,
    pub(super) bounded: bool,
    pub(super) direction: Direction,
    pub(super) max_message: u64,
    /// Bytes that can wait in the kernel towards the other end.
    pub(super) quota: u32,
}

impl Connection {
    pub(super) fn new(pipe: PipeEnd, peer: Peer, terms: &Terms) -> Result<Self> {
        Ok(Connection {
            mode: terms.mode,
            direction: terms.direction,
            bounded: terms.bounded,
            inbox: Mutex::new(Inbox::new(terms.bounded, terms.max_message)?),
            outbox: Mutex::new(Outbox::new(terms.max_message)?),
            link: Link::new(pipe, peer, terms.quota),
        })
    }

    /// What the server's pipe is.
    pub(crate) fn mode(&self) -> PipeMode {
        self.mode
    }

    /// Whether reads stop at the end of a message.
    pub(crate) fn is_bounded(&self) -> bool {
        self.bounded
    }

    /// Who is at the other end.
    pub(crate) fn peer(&self) -> Result<Identity> {
        self.link.peer()
    }

    /// Reads some bytes, in message mode of one message.
    pub(crate) fn read(&self, buf: &mut [u8], deadline: Deadline) -> Result<Chunk> {
        self.direction.check_reads()?;
        if self.mode == PipeMode::Byte && buf.is_empty() {
            return Ok(Chunk::Data {
                len: 0,
                complete: true,
            });
        }
        lock(&self.inbox).read(&self.link, buf, deadline)
    }

    /// How many bytes of the current message are known to be still to come; 0 between messages.
    pub(crate) fn message_left(&self) -> u64 {
        lock(&self.inbox).left()
    }

    /// Writes: in byte mode at least one byte unless `data` is empty, in message mode `data` as one message.
    pub(crate) fn write(&self, data: &[u8], deadline: Deadline) -> Result<usize> {
        self.direction.check_writes()?;
        match self.mode {
            PipeMode::Byte if data.is_empty() => Ok(0),
            PipeMode::Byte => lock(&self.outbox).write_bytes(&self.link, data, deadline),
            PipeMode::Message => {
                lock(&self.outbox).write_message(&self.link, data, deadline)?;
                Ok(data.len())
            }
        }
    }

    /// Waits until the peer has read everything that was written.
    pub(crate) fn drain(&self, deadline: Deadline) -> Result<()> {
        if !self.direction.writes() {
            return Ok(());
        }
        self.link.drain(deadline)
    }

    /// Ends the connection for both sides, while others may be using it. What the peer has not read yet is lost, unless
    /// this is the client's end.
    pub(crate) fn disconnect(&self) -> Result<()> {
        self.link.disconnect()
    }
}

impl AsHandle for Connection {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.link.as_handle()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of a caller runs under these locks, and each step leaves the state as the pipe is.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsHandle for crate::pipe::PipeStream {
    /// The pipe, opened for overlapped I/O, for a foreign event loop to use. Reading or writing it directly bypasses
    /// what is known here of the message being read. Once it has been asked for, a client's end stays open until the
    /// stream is dropped: [`disconnect`](Self::disconnect) refuses. After a `disconnect` it is a handle of no pipe.
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.connection().as_handle()
    }
}
