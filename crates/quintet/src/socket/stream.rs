use super::{Access, place};
use crate::identity::PeerIdentity;
use crate::os::socket as os;
use crate::{Address, Deadline, Error, ErrorKind, Result};
use socket2::Socket;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

/// A connection that carries bytes.
///
/// All calls take `&self`, so threads can share it: one may read while another writes. [`Read`] and [`Write`] are there for it
/// and for `&Stream`. Reads and writes wait without a limit unless [`set_read_timeout`](Self::set_read_timeout) and
/// [`set_write_timeout`](Self::set_write_timeout) set one.
///
/// Over TCP, small writes go out at once (no delay), and after a minute of silence the system asks whether the other machine is
/// still there (keep-alive), every 10 s. If the peer dies, reading gives what it had sent, and then the end, or an error of
/// kind [`Disconnected`](ErrorKind::Disconnected) if something was on its way to it. What was written may be lost then, and
/// nobody tells how much.
///
/// On Linux it can be waited for together with other things: `Waitable::readable(&stream)` of [`sync`](crate::sync).
///
/// ```
/// use quintet::socket::{Listener, Stream};
/// use quintet::ErrorKind;
/// use std::time::Duration;
///
/// let listener = Listener::listen("tcp://127.0.0.1:0")?;
/// let client = Stream::connect_timeout(listener.address(), Duration::from_secs(5))?;
/// let server = listener.accept()?;
/// client.write_all("ping")?;
/// let mut four = [0; 4];
/// server.read_exact(&mut four)?;
/// assert_eq!(&four, b"ping");
/// server.set_read_timeout(Some(Duration::from_millis(1)))?;
/// assert_eq!(server.read(&mut four).unwrap_err().kind(), ErrorKind::TimedOut);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Stream {
    address: Address,
    socket: Socket,
    is_local: bool,
}

impl Stream {
    pub(super) fn new(address: Address, socket: Socket, is_local: bool) -> Result<Self> {
        os::set_up(&socket, is_local).map_err(|error| Error::os("cannot set the socket up", error))?;
        Ok(Stream {
            address,
            socket,
            is_local,
        })
    }

    /// Connects, without a limit of time but the system's own (minutes, where a machine does not answer).
    ///
    /// # Errors
    /// Those of [`connect_timeout`](Self::connect_timeout).
    pub fn connect<A>(address: A) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        Stream::connect_timeout(address, Deadline::NEVER)
    }

    /// As [`connect`](Self::connect), until a deadline, which does not count for looking the host up. A host's addresses are
    /// tried one after the other.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if nobody listens there, or the host is not known; [`ErrorKind::TimedOut`];
    /// [`ErrorKind::PermissionDenied`]; [`ErrorKind::InvalidAddress`]; [`ErrorKind::TooLarge`] for a path of more than 107
    /// bytes; [`ErrorKind::Corrupt`] for one at which something stands that is no socket; [`ErrorKind::Full`] without a free
    /// descriptor; [`ErrorKind::Unsupported`] for `unix://` and `ipc://` on Windows.
    pub fn connect_timeout<A>(address: A, deadline: impl Into<Deadline>) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        Stream::connect_to(address, Access::CurrentUser, deadline)
    }

    /// As [`connect_timeout`](Self::connect_timeout), and says whose program may be behind an abstract name, which anybody can
    /// take. (Who is behind a path the path's owner decides.)
    ///
    /// # Errors
    /// Those of [`connect_timeout`](Self::connect_timeout).
    pub fn connect_to<A>(address: A, access: Access, deadline: impl Into<Deadline>) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        let address = address.try_into()?;
        let place = place::of(&address, false)?;
        os::connect(&place, access, deadline.into())
            .and_then(|socket| Stream::new(address.clone(), socket, place.is_local()))
            .map_err(|error| error.about(&address))
    }

    /// The address that it was connected or accepted at.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The peer's address, of a TCP connection.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.socket.peer_addr().ok()?.as_socket()
    }

    /// The process at the other end of a Unix socket, by the kernel's word.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for TCP, whose other end may be anywhere.
    pub fn peer(&self) -> Result<PeerIdentity> {
        if !self.is_local {
            return Err(self.about(Error::new(
                ErrorKind::Unsupported,
                "TCP does not tell which process is at the other end",
            )));
        }
        os::peer(&self.socket)
            .map(PeerIdentity::from)
            .map_err(|error| self.failed("cannot ask who the peer is", error))
    }

    /// Limits how long one read may wait; `None`, the default, for no limit. A time below 1 ms is one of 1 ms.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> Result<()> {
        self.socket
            .set_read_timeout(timeout.map(at_least_a_moment))
            .map_err(|error| self.failed("cannot set the timeout", error))
    }

    /// As [`set_read_timeout`](Self::set_read_timeout), for writes.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> Result<()> {
        self.socket
            .set_write_timeout(timeout.map(at_least_a_moment))
            .map_err(|error| self.failed("cannot set the timeout", error))
    }

    /// Whether small writes may wait for more (off at first). TCP only.
    ///
    /// # Errors
    /// When the system refuses, as for a Unix socket.
    pub fn set_delay(&self, delay: bool) -> Result<()> {
        self.socket
            .set_tcp_nodelay(!delay)
            .map_err(|error| self.failed("cannot set the delay", error))
    }

    /// After how long a silence the system asks whether the other machine is there, 1 s at least; `None`: never. TCP only.
    ///
    /// # Errors
    /// When the system refuses, as for a Unix socket.
    pub fn set_keep_alive(&self, time: Option<Duration>) -> Result<()> {
        match time {
            None => self.socket.set_keepalive(false),
            Some(time) => {
                let alive = socket2::TcpKeepalive::new().with_time(time.max(Duration::from_secs(1)));
                self.socket.set_tcp_keepalive(&alive)
            }
        }
        .map_err(|error| self.failed("cannot set the keep-alive", error))
    }

    /// Reads some bytes: how many; 0 when the peer has ended its writing, or closed.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`]: nothing was taken; [`ErrorKind::Disconnected`].
    pub fn read(&self, buf: &mut [u8]) -> Result<usize> {
        loop {
            match (&self.socket).read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed("cannot read", error)),
                Ok(len) => return Ok(len),
            }
        }
    }

    /// Reads until the buffer is full. The timeout counts for each of the reads that takes.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), where a part may have been taken by then; [`ErrorKind::Disconnected`] if the end comes
    /// first.
    pub fn read_exact(&self, mut buf: &mut [u8]) -> Result<()> {
        while !buf.is_empty() {
            match self.read(buf)? {
                0 => {
                    return Err(self.about(Error::new(
                        ErrorKind::Disconnected,
                        "the peer closed in the middle",
                    )));
                }
                len => buf = &mut buf[len..],
            }
        }
        Ok(())
    }

    /// Writes some bytes: how many.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`]: nothing was written; [`ErrorKind::Disconnected`].
    pub fn write(&self, data: impl AsRef<[u8]>) -> Result<usize> {
        self.write_parts(&[IoSlice::new(data.as_ref())])
    }

    /// Writes all bytes. The timeout counts for each of the writes that takes.
    ///
    /// # Errors
    /// Those of [`write`](Self::write), where a part may have been written by then.
    pub fn write_all(&self, data: impl AsRef<[u8]>) -> Result<()> {
        let mut data = data.as_ref();
        while !data.is_empty() {
            let len = self.write(data)?;
            data = &data[len..];
        }
        Ok(())
    }

    fn write_parts(&self, parts: &[IoSlice<'_>]) -> Result<usize> {
        loop {
            match os::write(&self.socket, parts) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed("cannot write", error)),
                Ok(len) => return Ok(len),
            }
        }
    }

    /// Says that nothing more will be written: the peer reads what there is and then the end. Reading goes on.
    ///
    /// # Errors
    /// [`ErrorKind::Disconnected`] if the connection has ended.
    pub fn end_writing(&self) -> Result<()> {
        self.shutdown(Shutdown::Write)
    }

    /// Ends the connection for both sides at once, also under threads that are reading or writing: their calls end. What the
    /// peer has not read yet may be lost to it.
    ///
    /// # Errors
    /// [`ErrorKind::Disconnected`] if the connection has ended.
    pub fn disconnect(&self) -> Result<()> {
        self.shutdown(Shutdown::Both)
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        self.socket
            .shutdown(how)
            .map_err(|error| self.failed("cannot end the connection", error))
    }

    /// Passes an open file to the process at the other end of a Unix socket, which takes it with
    /// [`receive_file`](Self::receive_file): a regular file, a pipe, a socket, a memory file. A byte 0 goes with it through the
    /// stream. Linux only.
    ///
    /// # Errors
    /// Those of [`write`](Self::write); [`ErrorKind::Unsupported`] for TCP.
    ///
    /// ```
    /// use quintet::socket::{Listener, Stream};
    /// use std::io::{Read, Write};
    ///
    /// # let name = format!("unix://@quintet-file-doc-{}", std::process::id());
    /// let listener = Listener::listen(&name)?;
    /// let client = Stream::connect(&name)?;
    /// let server = listener.accept()?;
    /// let (mut reader, writer) = std::io::pipe()?;
    /// client.send_file(&writer)?;
    /// drop(writer);
    /// let mut writer = std::fs::File::from(server.receive_file()?);
    /// writer.write_all(b"through a pipe that came through a socket")?;
    /// drop(writer);
    /// let mut text = String::new();
    /// reader.read_to_string(&mut text)?;
    /// assert_eq!(text, "through a pipe that came through a socket");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(target_os = "linux")]
    pub fn send_file(&self, file: &impl std::os::fd::AsFd) -> Result<()> {
        self.check_passes_files()?;
        os::send_file(&self.socket, file.as_fd()).map_err(|error| self.failed("cannot pass the file", error))
    }

    /// Takes a file that the peer passes. Linux only.
    ///
    /// # Errors
    /// Those of [`read`](Self::read); [`ErrorKind::Disconnected`] at the end of the stream; [`ErrorKind::Corrupt`] if the next
    /// byte came without a file; [`ErrorKind::Full`] without a free descriptor, when the file is lost;
    /// [`ErrorKind::Unsupported`] for TCP.
    #[cfg(target_os = "linux")]
    pub fn receive_file(&self) -> Result<std::os::fd::OwnedFd> {
        self.check_passes_files()?;
        let received = os::receive_file(&self.socket);
        match received.map_err(|error| self.failed("cannot take a file", error))? {
            Some(file) => Ok(file),
            None => Err(self.about(Error::new(
                ErrorKind::Disconnected,
                "the peer closed before it passed a file",
            ))),
        }
    }

    #[cfg(target_os = "linux")]
    fn check_passes_files(&self) -> Result<()> {
        if self.is_local {
            return Ok(());
        }
        Err(self.about(
            Error::new(ErrorKind::Unsupported, "files pass through Unix sockets only")
                .hint("connect with unix:///PATH"),
        ))
    }

    fn failed(&self, what: &'static str, error: io::Error) -> Error {
        let error = match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::new(
                ErrorKind::TimedOut,
                format!("{what}: the peer was not ready before the deadline"),
            ),
            _ => os::failed(what, error),
        };
        self.about(error)
    }

    fn about(&self, error: Error) -> Error {
        error.about(&self.address)
    }
}

/// Zero means no limit to the system.
fn at_least_a_moment(time: Duration) -> Duration {
    time.max(Duration::from_millis(1))
}

impl Read for &Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(Stream::read(self, buf)?)
    }
}

impl Write for &Stream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(Stream::write(self, data)?)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.write_parts(parts)?)
    }

    /// Nothing is buffered in this process.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(Stream::read(self, buf)?)
    }
}

impl Write for Stream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(Stream::write(self, data)?)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.write_parts(parts)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(target_os = "linux")]
impl std::os::fd::AsFd for Stream {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for Stream {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.socket.as_socket()
    }
}
