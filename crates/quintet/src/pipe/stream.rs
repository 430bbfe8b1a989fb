use super::timeout::Timeout;
use super::{PipeMode, ReadHalf, WriteHalf};
use crate::identity::PeerIdentity;
use crate::os::pipe::Connection;
use crate::os::pipe_types::Chunk;
use crate::{Address, Deadline, Error, ErrorKind, Result};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How much a buffer grows at a time for a message whose sender says how long it will be: the sender may lie.
const GROWTH: u64 = 1 << 20;

/// The room for a message of which nothing is known yet.
const ROOM: u64 = 4096;

/// A connected pipe, either end.
///
/// All methods take `&self`, so threads can share it: one may read while another writes, and neither waits for the
/// other. Reads among themselves, and writes of messages among themselves, take turns.
///
/// [`io::Read`] and [`io::Write`] are there for it and for `&PipeStream`. In message mode one `write` is one message, and
/// one `read` gives at most the rest of one message; an empty message reads as `Ok(0)`, which `Read` also says at the end:
/// use [`read_message`](Self::read_message) where messages may be empty.
///
/// Reads and writes wait without a limit unless [`set_read_timeout`](Self::set_read_timeout) and
/// [`set_write_timeout`](Self::set_write_timeout) set one. The limit counts from when it is a call's turn: behind another
/// thread's read or write of a message, which may have no limit, it has to wait first. A read that times out has taken nothing. A write that times
/// out has written nothing, or else says so: when a message was cut short, the connection is closed for writing and the
/// peer gets an error instead of the rest.
///
/// ```
/// use quintet::pipe::{PipeClient, PipeServer};
/// use std::io::{Read, Write};
///
/// # let name = format!("stream-doc-{}", std::process::id());
/// let server = PipeServer::create(&name)?;
/// let mut client = PipeClient::connect(&name)?;
/// let mut stream = server.accept()?;
/// client.write_all(b"over here")?;
/// drop(client);
/// let mut text = String::new();
/// stream.read_to_string(&mut text)?;
/// assert_eq!(text, "over here");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PipeStream {
    address: Address,
    connection: Connection,
    max_message: u64,
    complete: AtomicBool,
    /// Held by whoever reads a message, until it is whole. In it is what `read_message` had read of one when its time was
    /// up: read again before anything new.
    stash: Mutex<VecDeque<u8>>,
    read_timeout: Timeout,
    write_timeout: Timeout,
}

impl PipeStream {
    pub(super) fn new(address: Address, connection: Connection, max_message: u64) -> Self {
        PipeStream {
            address,
            connection,
            max_message,
            complete: AtomicBool::new(true),
            stash: Mutex::default(),
            read_timeout: Timeout::none(),
            write_timeout: Timeout::none(),
        }
    }

    /// The pipe's address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether the pipe carries bytes or messages, as its server decided.
    pub fn mode(&self) -> PipeMode {
        self.connection.mode()
    }

    /// Who is at the other end, by the kernel's word.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn peer(&self) -> Result<PeerIdentity> {
        self.connection
            .peer()
            .map(PeerIdentity::from)
            .map_err(|error| self.about(error))
    }

    /// Limits how long one read may wait; `None`, the default, for no limit. Zero makes reads take only what is there.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) {
        self.read_timeout.set(timeout);
    }

    /// Limits how long one write may wait; `None`, the default, for no limit. Zero makes writes send only what fits at
    /// once.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) {
        self.write_timeout.set(timeout);
    }

    /// Reads some bytes: how many. 0 at the end of the stream. In message mode never more than the rest of the message;
    /// [`is_message_complete`](Self::is_message_complete) tells whether there is more of it.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`]; [`ErrorKind::Disconnected`] if the peer went away in the middle of a message;
    /// [`ErrorKind::Corrupt`] or [`ErrorKind::TooLarge`] if the peer sends what is no message or too long a one, after
    /// which nothing can be read any more; [`ErrorKind::Unsupported`] on an `Out` end.
    pub fn read(&self, buf: &mut [u8]) -> Result<usize> {
        let deadline = self.read_timeout.deadline();
        let chunk = if self.connection.is_bounded() {
            let mut stash = self.take_turn();
            if stash.is_empty() {
                self.read_chunk(buf, deadline)?
            } else {
                self.complete.store(false, Ordering::Relaxed);
                return io::Read::read(&mut *stash, buf).map_err(Error::from_io);
            }
        } else {
            self.read_chunk(buf, deadline)?
        };
        Ok(match chunk {
            Chunk::Data { len, .. } => len,
            Chunk::End => 0,
        })
    }

    /// Waits until no other thread is in the middle of reading a message.
    fn take_turn(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.stash.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_chunk(&self, buf: &mut [u8], deadline: Deadline) -> Result<Chunk> {
        let chunk = self.connection.read(buf, deadline);
        let chunk = chunk.map_err(|error| self.about(error))?;
        let complete = !matches!(chunk, Chunk::Data { complete: false, .. });
        self.complete.store(complete, Ordering::Relaxed);
        Ok(chunk)
    }

    /// Whether the last read got to the end of its message. True before the first read and in byte mode.
    ///
    /// With several threads reading, it tells of any of them.
    pub fn is_message_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// Reads one whole message, or what is left of one that [`read`](Self::read) began; `None` when the peer has closed
    /// and everything has been read.
    ///
    /// # Errors
    /// Those of [`read`](Self::read). [`ErrorKind::Unsupported`] in byte mode, where there are no messages. If the
    /// timeout passes in the middle of a message, the next read begins it again: nothing is lost.
    pub fn read_message(&self) -> Result<Option<Vec<u8>>> {
        let mut message = Vec::new();
        Ok(self.read_message_into(&mut message)?.then_some(message))
    }

    /// As [`read_message`](Self::read_message), into a buffer whose old contents are dropped and whose memory is used
    /// again: whether there was a message.
    ///
    /// # Errors
    /// Those of [`read_message`](Self::read_message).
    pub fn read_message_into(&self, message: &mut Vec<u8>) -> Result<bool> {
        if !self.connection.is_bounded() {
            return Err(self.no_messages());
        }
        let deadline = self.read_timeout.deadline();
        let mut stash = self.take_turn();
        let mut len = stash.len();
        if len > 0 {
            message.clear();
            message.extend(stash.drain(..));
        }
        loop {
            // What the buffer held before is memory to read into. Only what it lacks is filled first, which takes about as
            // long as reading it: so no more than is known to come, and of that a limited part at a time.
            let room = self.connection.message_left().clamp(ROOM, GROWTH) as usize;
            if message.len() < len + room {
                message.resize(len + room, 0);
            }
            let chunk = self.read_chunk(&mut message[len..], deadline);
            if let Ok(Chunk::Data { len: got, .. }) = chunk {
                len += got;
            }
            let goes_on = matches!(chunk, Ok(Chunk::Data { complete: false, .. }));
            if !goes_on {
                message.truncate(len);
            }
            match chunk.inspect_err(|error| {
                use ErrorKind::{Corrupt, Disconnected, TooLarge};
                // After these nothing can be read any more; after any other the rest may come, and is not a message.
                if !matches!(error.kind(), Disconnected | Corrupt | TooLarge) {
                    stash.extend(message.drain(..));
                }
            })? {
                Chunk::End => return Ok(false),
                Chunk::Data { .. } if len as u64 > self.max_message => {
                    message.truncate(len);
                    return Err(self.about(Error::new(
                        ErrorKind::TooLarge,
                        format!("the peer sent a message of more than {} bytes", self.max_message),
                    )));
                }
                Chunk::Data { complete: true, .. } => return Ok(true),
                Chunk::Data { complete: false, .. } => {}
            }
        }
    }

    /// Writes some bytes: how many. In message mode the whole of `data`, as one message.
    ///
    /// # Errors
    /// [`ErrorKind::Disconnected`] if the peer has closed or does not read; [`ErrorKind::TimedOut`];
    /// [`ErrorKind::TooLarge`] for a message beyond the limit (nothing is sent); [`ErrorKind::Unsupported`] on an `In`
    /// end.
    pub fn write(&self, data: impl AsRef<[u8]>) -> Result<usize> {
        self.connection
            .write(data.as_ref(), self.write_timeout.deadline())
            .map_err(|error| self.about(error))
    }

    /// Writes all bytes, however many writes that takes. In message mode the same as [`write`](Self::write).
    ///
    /// # Errors
    /// Those of [`write`](Self::write). In byte mode a part may have been written by then. The timeout counts for all
    /// of it.
    pub fn write_all(&self, data: impl AsRef<[u8]>) -> Result<()> {
        let mut data = data.as_ref();
        let deadline = self.write_timeout.deadline();
        loop {
            let len = self
                .connection
                .write(data, deadline)
                .map_err(|error| self.about(error))?;
            data = &data[len..];
            if data.is_empty() {
                return Ok(());
            }
        }
    }

    /// Writes one message, which may be empty.
    ///
    /// # Errors
    /// Those of [`write`](Self::write). [`ErrorKind::Unsupported`] in byte mode, where there are no messages.
    pub fn write_message(&self, message: impl AsRef<[u8]>) -> Result<()> {
        if self.mode() == PipeMode::Byte {
            return Err(self.no_messages());
        }
        self.write(message).map(drop)
    }

    /// Waits until the peer has read everything that was written here: .NET's `WaitForPipeDrain`.
    ///
    /// Not needed before dropping the stream: what was written stays readable. On Linux, a message of which the peer has
    /// read the beginning counts as read: the rest of it, up to 64 KiB, is in the peer's memory already.
    ///
    /// # Errors
    /// [`ErrorKind::Disconnected`] if the peer closed without reading everything (or, on Windows, closed before this call,
    /// as the system does not tell then what it had read); [`ErrorKind::TimedOut`].
    ///
    /// ```
    /// # use quintet::pipe::{PipeClient, PipeServer};
    /// # use quintet::{Deadline, ErrorKind};
    /// # let name = format!("drain-doc-{}", std::process::id());
    /// let server = PipeServer::create(&name)?;
    /// let client = PipeClient::connect(&name)?;
    /// let stream = server.accept()?;
    /// stream.write_all("x")?;
    /// assert_eq!(stream.wait_for_drain(Deadline::now()).unwrap_err().kind(), ErrorKind::TimedOut);
    /// client.read(&mut [0; 1])?;
    /// stream.wait_for_drain(Deadline::NEVER)?;
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn wait_for_drain(&self, deadline: impl Into<Deadline>) -> Result<()> {
        self.connection
            .drain(deadline.into())
            .map_err(|error| self.about(error))
    }

    /// Ends the connection for both sides at once, also under threads that are reading or writing: their calls end.
    ///
    /// What the peer has not read yet is lost on Windows and still readable on Linux; drop the stream instead, or
    /// [wait](Self::wait_for_drain) first, where that matters. The server has a free instance again when the stream is
    /// dropped.
    ///
    /// # Errors
    /// When the system refuses; [`ErrorKind::Unsupported`] on Windows for a client whose handle has been lent out
    /// (`AsHandle`), since to disconnect it is to close it.
    pub fn disconnect(&self) -> Result<()> {
        self.connection.disconnect().map_err(|error| self.about(error))
    }

    /// Two halves, to be moved to two threads: one to read, one to write. The connection ends when both are dropped.
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        let stream = Arc::new(self);
        (ReadHalf::new(stream.clone()), WriteHalf::new(stream))
    }

    fn no_messages(&self) -> Error {
        self.about(
            Error::new(
                ErrorKind::Unsupported,
                "the pipe is read as bytes, which have no messages",
            )
            .hint("create the server with mode message"),
        )
    }

    fn about(&self, error: Error) -> Error {
        error.about(&self.address)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl io::Read for &PipeStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(PipeStream::read(self, buf)?)
    }
}

impl io::Write for &PipeStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(PipeStream::write(self, data)?)
    }

    /// Nothing is buffered in this process.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Read for PipeStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(PipeStream::read(self, buf)?)
    }
}

impl io::Write for PipeStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(PipeStream::write(self, data)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
