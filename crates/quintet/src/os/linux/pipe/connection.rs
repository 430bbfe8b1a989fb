//! A connected pipe.

use super::inbox::Inbox;
use super::instances::Instance;
use super::link::Link;
use super::outbox::Outbox;
use crate::os::linux::peer;
use crate::os::pipe_types::{Chunk, Direction, PipeMode};
use crate::os::process::Identity;
use crate::os::step::call;
use crate::{Deadline, Error, ErrorKind, Result};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::Shutdown;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// How many empty messages in a row a read without boundaries passes over, with the deadline passed.
const MOST_EMPTY: u32 = 1000;

/// One end of a connected pipe.
#[derive(Debug)]
pub(crate) struct Connection {
    link: Link,
    mode: PipeMode,
    direction: Direction,
    inbox: Mutex<Inbox>,
    outbox: Mutex<Outbox>,
    /// Whether reads see the boundaries of messages; in message mode a client may choose not to.
    bounded: bool,
    /// On the server's side. Declared last: the socket is closed before the place is free.
    _instance: Option<Instance>,
}

/// What a connection is made with.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) mode: PipeMode,
    pub(super) bounded: bool,
    pub(super) direction: Direction,
    pub(super) max_message: u64,
    pub(super) out_buffer: Option<u32>,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd, terms: &Terms, instance: Option<Instance>) -> Result<Self> {
        if let Some(bytes) = terms.out_buffer {
            // The call takes no more; the system cuts it much lower.
            let bytes = bytes.min(i32::MAX as u32) as usize;
            call(|| rustix::net::sockopt::set_socket_send_buffer_size(&socket, bytes))
                .map_err(|error| Error::os("cannot set the size of the buffer", error))?;
        }
        let outbox = match terms.mode {
            PipeMode::Byte => Outbox::new(usize::MAX, terms.max_message),
            PipeMode::Message => {
                let buffer = call(|| rustix::net::sockopt::socket_send_buffer_size(&socket))
                    .map_err(|error| Error::os("cannot ask for the size of the buffer", error))?;
                Outbox::new(buffer, terms.max_message)
            }
        };
        // Not being told who it is counts as being somebody else.
        let trusted = terms.mode == PipeMode::Message
            && peer::credentials(&socket).is_ok_and(|peer| peer::user(&peer).is_trusted());
        let link = Link::new(socket);
        // As .NET does: what is not used is shut down, so that the other side notices instead of waiting.
        match terms.direction {
            Direction::In => link.shutdown(Shutdown::Write)?,
            Direction::Out => link.shutdown(Shutdown::Read)?,
            Direction::InOut => {}
        }
        Ok(Connection {
            link,
            mode: terms.mode,
            direction: terms.direction,
            inbox: Mutex::new(Inbox::new(terms.max_message, trusted)),
            outbox: Mutex::new(outbox),
            bounded: terms.bounded,
            _instance: instance,
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
        peer::identity(&self.link).map_err(|error| Error::os("cannot ask who the peer is", error))
    }

    /// Reads some bytes, in message mode of one message.
    pub(crate) fn read(&self, buf: &mut [u8], deadline: Deadline) -> Result<Chunk> {
        self.direction.check_reads()?;
        match self.mode {
            PipeMode::Byte if buf.is_empty() => Ok(Chunk::Data {
                len: 0,
                complete: true,
            }),
            PipeMode::Byte => {
                let len = self.link.receive(deadline, |flags| {
                    rustix::net::recv(&self.link, &mut *buf, flags).map(|(_, len)| len)
                })?;
                Ok(if len == 0 {
                    Chunk::End
                } else {
                    Chunk::Data { len, complete: true }
                })
            }
            PipeMode::Message if self.bounded => lock(&self.inbox).read(&self.link, buf, deadline),
            PipeMode::Message => {
                let mut inbox = lock(&self.inbox);
                let mut empty = 0;
                loop {
                    match inbox.read(&self.link, buf, deadline)? {
                        // Without boundaries an empty message is nothing at all, and 0 would mean the end.
                        Chunk::Data { len: 0, .. } if !buf.is_empty() => {
                            // A peer that sends nothing else must not keep us beyond the deadline.
                            empty += 1;
                            if empty >= MOST_EMPTY && deadline.has_passed() {
                                let reason = "nothing but empty messages came before the deadline";
                                return Err(Error::new(ErrorKind::TimedOut, reason));
                            }
                        }
                        Chunk::Data { len, .. } => return Ok(Chunk::Data { len, complete: true }),
                        Chunk::End => return Ok(Chunk::End),
                    }
                }
            }
        }
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
            PipeMode::Byte => self
                .link
                .transmit(deadline, |flags| rustix::net::send(&self.link, data, flags)),
            PipeMode::Message => {
                lock(&self.outbox).write(&self.link, data, deadline)?;
                Ok(data.len())
            }
        }
    }

    /// Waits until the peer has read everything that was written.
    pub(crate) fn drain(&self, deadline: Deadline) -> Result<()> {
        self.link.drain(deadline, || match self.outbox.try_lock() {
            Ok(mut outbox) => outbox.is_drained(),
            Err(TryLockError::Poisoned(outbox)) => outbox.into_inner().is_drained(),
            // Somebody is writing, and may be waiting for the peer without a deadline.
            Err(TryLockError::WouldBlock) => Ok(false),
        })
    }

    /// Ends the connection for both sides, while others may be using it. What the peer has not read yet it still can.
    pub(crate) fn disconnect(&self) -> Result<()> {
        self.link.shutdown(Shutdown::Both)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of a caller runs under these locks, and each step leaves the state as the socket is.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsFd for crate::pipe::PipeStream {
    /// The socket, for a foreign event loop to wait on. Reading or writing it directly bypasses the framing of message
    /// mode.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection().as_fd()
    }
}
