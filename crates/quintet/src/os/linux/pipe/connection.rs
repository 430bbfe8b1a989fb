//! A connected pipe.

use super::instances::Instance;
use super::packet::{HEADER, MAX_PAYLOAD, Packet};
use super::path::{self, There};
use crate::os::linux::peer;
use crate::os::pipe_types::{Access, Chunk, ClientOptions, Direction, PipeMode};
use crate::os::process::Identity;
use crate::wait::{self, Spin};
use crate::{Deadline, Error, ErrorKind, Name, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::sockopt::Timeout;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendFlags, Shutdown,
    SocketFlags, SocketType,
};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest single sleep; waits on sockets cannot lose their wake-up, so this only keeps numbers small.
const LONG: Duration = Duration::from_secs(3600);

/// One end of a connected pipe.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: OwnedFd,
    mode: PipeMode,
    /// Whether reads see the boundaries of messages; in message mode a client may choose not to.
    bounded: bool,
    direction: Direction,
    max_message: u64,
    spin: Spin,
    inbox: Mutex<Inbox>,
    outbox: Mutex<Outbox>,
    /// On the server's side. Declared last: the socket is closed before the place is free.
    _instance: Option<Instance>,
}

/// The message being read.
#[derive(Debug, Default)]
struct Inbox {
    /// What a packet carried beyond the reader's buffer.
    spill: Vec<u8>,
    spilled: std::ops::Range<usize>,
    /// The whole message, and how much of it has come in, the spilled part included.
    total: u64,
    arrived: u64,
    /// The stream of packets makes no sense any more; why.
    broken: Option<(ErrorKind, String)>,
}

/// Writers of messages, one at a time.
#[derive(Debug)]
struct Outbox {
    /// A message was cut short, so nothing may follow it.
    broken: bool,
    /// Most bytes of a message in one packet: fewer than the format allows where the socket's buffer is small.
    payload: usize,
}

impl Connection {
    /// The server's end.
    pub(super) fn accepted(
        socket: OwnedFd,
        instance: Instance,
        mode: PipeMode,
        direction: Direction,
        max_message: u64,
        out_buffer: Option<u32>,
    ) -> Result<Self> {
        if let Some(bytes) = out_buffer {
            rustix::net::sockopt::set_socket_send_buffer_size(&socket, bytes as usize)
                .map_err(|error| Error::os("cannot set the size of the buffer", error))?;
        }
        let bounded = mode == PipeMode::Message;
        Connection::new(socket, Some(instance), mode, bounded, direction, max_message)
    }

    fn new(
        socket: OwnedFd,
        instance: Option<Instance>,
        mode: PipeMode,
        bounded: bool,
        direction: Direction,
        max_message: u64,
    ) -> Result<Self> {
        // As .NET does: what is not used is shut down, so that the other side notices instead of waiting.
        let unused = match direction {
            Direction::In => Some(Shutdown::Write),
            Direction::Out => Some(Shutdown::Read),
            Direction::InOut => None,
        };
        if let Some(unused) = unused {
            match rustix::net::shutdown(&socket, unused) {
                // Not connected: the other side is gone already, which the first read or write will say.
                Ok(()) | Err(Errno::NOTCONN) => {}
                Err(error) => return Err(Error::os("cannot shut the unused direction", error)),
            }
        }
        let mut payload = MAX_PAYLOAD;
        if mode == PipeMode::Message {
            let buffer = rustix::net::sockopt::socket_send_buffer_size(&socket)
                .map_err(|error| Error::os("cannot ask for the size of the buffer", error))?;
            // unix_dgram_sendmsg refuses a packet beyond the buffer less 32 bytes; the smallest buffer is 4,608.
            payload = payload.min(buffer.saturating_sub(32 + HEADER).max(1));
        }
        Ok(Connection {
            socket,
            mode,
            bounded,
            direction,
            max_message,
            spin: Spin::default(),
            inbox: Mutex::default(),
            outbox: Mutex::new(Outbox {
                broken: false,
                payload,
            }),
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
        peer::identity(&self.socket).map_err(|error| Error::os("cannot ask who the peer is", error))
    }

    fn peer_pid(&self) -> String {
        match peer::credentials(&self.socket) {
            Ok(peer) if peer.pid != 0 => format!("the peer (pid {})", peer.pid),
            _ => "the peer".into(),
        }
    }

    /// Reads some bytes, in message mode of one message.
    pub(crate) fn read(&self, buf: &mut [u8], deadline: Deadline) -> Result<Chunk> {
        if !self.direction.reads() {
            return Err(Error::new(ErrorKind::Unsupported, "this end is for writing only")
                .hint("open it with direction in or inout"));
        }
        match self.mode {
            PipeMode::Byte if buf.is_empty() => Ok(Chunk::Data {
                len: 0,
                complete: true,
            }),
            PipeMode::Byte => {
                let received = self.receive(deadline, |flags| {
                    rustix::net::recv(&self.socket, &mut *buf, flags).map(|(_, len)| len)
                })?;
                Ok(match received {
                    0 => Chunk::End,
                    len => Chunk::Data { len, complete: true },
                })
            }
            PipeMode::Message => lock(&self.inbox).read(self, buf, deadline),
        }
    }

    /// How many bytes of the current message are known to be still to come; 0 between messages.
    pub(crate) fn message_left(&self) -> u64 {
        let inbox = lock(&self.inbox);
        inbox.total - inbox.arrived + inbox.spilled.len() as u64
    }

    /// Writes: in byte mode at least one byte unless `data` is empty, in message mode `data` as one message.
    pub(crate) fn write(&self, data: &[u8], deadline: Deadline) -> Result<usize> {
        if !self.direction.writes() {
            return Err(Error::new(ErrorKind::Unsupported, "this end is for reading only")
                .hint("open it with direction out or inout"));
        }
        match self.mode {
            PipeMode::Byte if data.is_empty() => Ok(0),
            PipeMode::Byte => self.transmit(deadline, |flags| rustix::net::send(&self.socket, data, flags)),
            PipeMode::Message => {
                lock(&self.outbox).write(self, data, deadline)?;
                Ok(data.len())
            }
        }
    }

    /// Runs a receiving call until it has something. 0 is what it says at the end of the stream.
    fn receive<T: Default>(
        &self,
        deadline: Deadline,
        mut call: impl FnMut(RecvFlags) -> rustix::io::Result<T>,
    ) -> Result<T> {
        let mut look = |flags: RecvFlags| {
            // The peer closed without reading what we sent it: reported once, before what it sent us itself.
            for _ in 0..2 {
                match call(flags) {
                    Ok(received) => return Ok(Some(received)),
                    Err(Errno::AGAIN) if flags.contains(RecvFlags::DONTWAIT) => return Ok(None),
                    Err(Errno::INTR | Errno::AGAIN) => return Ok(None),
                    Err(Errno::CONNRESET) => {}
                    Err(error) => return Err(Error::os("cannot read", error)),
                }
            }
            Ok(Some(T::default()))
        };
        if deadline.is_never() {
            if let Some(received) = self.spin.until(deadline, || look(RecvFlags::DONTWAIT))? {
                return Ok(received);
            }
            loop {
                if let Some(received) = look(RecvFlags::empty())? {
                    return Ok(received);
                }
            }
        }
        wait::wait(
            &self.spin,
            deadline,
            LONG,
            || look(RecvFlags::DONTWAIT),
            |slice| self.park(PollFlags::IN, slice),
        )?
        .ok_or_else(|| Error::new(ErrorKind::TimedOut, "nothing came before the deadline"))
    }

    /// Runs a sending call until the kernel took something.
    fn transmit<T>(
        &self,
        deadline: Deadline,
        mut call: impl FnMut(SendFlags) -> rustix::io::Result<T>,
    ) -> Result<T> {
        loop {
            let wait = if deadline.is_never() {
                SendFlags::empty()
            } else {
                SendFlags::DONTWAIT
            };
            match call(wait | SendFlags::NOSIGNAL) {
                Ok(sent) => return Ok(sent),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if deadline.has_passed() => {
                    return Err(Error::new(
                        ErrorKind::TimedOut,
                        format!("{} did not read in time for more to be written", self.peer_pid()),
                    ));
                }
                Err(Errno::AGAIN) => self.park(PollFlags::OUT, deadline.slice(LONG))?,
                Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => {
                    return Err(Error::new(
                        ErrorKind::Disconnected,
                        format!("{} has closed the connection or does not read", self.peer_pid()),
                    ));
                }
                Err(error) => return Err(Error::os("cannot write", error)),
            }
        }
    }

    fn park(&self, what: PollFlags, slice: Duration) -> Result<()> {
        poll(&mut [PollFd::new(&self.socket, what)], Some(slice))
            .map_err(|error| Error::os("cannot wait for the peer", error))
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Inbox {
    fn read(&mut self, connection: &Connection, buf: &mut [u8], deadline: Deadline) -> Result<Chunk> {
        loop {
            if let Some((kind, why)) = &self.broken {
                return Err(Error::new(*kind, why.clone()));
            }
            let len = if self.spilled.is_empty() {
                match self.receive(connection, buf, deadline)? {
                    Some(len) => len,
                    None => return Ok(Chunk::End),
                }
            } else {
                self.take_spilled(buf)
            };
            let complete = self.spilled.is_empty() && self.arrived == self.total;
            if connection.bounded {
                return Ok(Chunk::Data { len, complete });
            }
            // Without boundaries an empty message is nothing at all, and 0 would mean the end.
            if len > 0 || buf.is_empty() {
                return Ok(Chunk::Data { len, complete: true });
            }
        }
    }

    fn take_spilled(&mut self, buf: &mut [u8]) -> usize {
        let len = buf.len().min(self.spilled.len());
        let from = self.spilled.start;
        buf[..len].copy_from_slice(&self.spill[from..from + len]);
        self.spilled.start += len;
        len
    }

    /// Receives one packet: how many of its bytes are in `buf`, the rest being in the spill; `None` at the end.
    fn receive(
        &mut self,
        connection: &Connection,
        buf: &mut [u8],
        deadline: Deadline,
    ) -> Result<Option<usize>> {
        let room = buf.len().min(MAX_PAYLOAD);
        // One byte more than the format allows, so that the kernel's cutting a longer packet is noticed.
        let spill_needed = MAX_PAYLOAD + 1 - room;
        if self.spill.len() < spill_needed {
            self.spill.resize(spill_needed, 0);
        }
        let mut header = [0; HEADER];
        let spill = &mut self.spill[..spill_needed];
        let buf = &mut buf[..room];
        let (len, cut) = connection.receive(deadline, |flags| {
            let mut parts = [
                IoSliceMut::new(&mut header),
                IoSliceMut::new(buf),
                IoSliceMut::new(spill),
            ];
            let received = rustix::net::recvmsg(
                &connection.socket,
                &mut parts,
                // No room for descriptors: the kernel closes what a hostile peer passes.
                &mut RecvAncillaryBuffer::default(),
                flags,
            )?;
            Ok((received.bytes, received.flags.contains(ReturnFlags::TRUNC)))
        })?;
        if len == 0 {
            if self.arrived == self.total {
                return Ok(None);
            }
            let why = format!(
                "{} went away in the middle of a message, after {} of its {} bytes",
                connection.peer_pid(),
                self.arrived,
                self.total
            );
            return Err(self.fail(ErrorKind::Disconnected, why));
        }
        if len < HEADER || cut {
            let why = format!(
                "{} sent a packet that no message can be in",
                connection.peer_pid()
            );
            return Err(self.fail(ErrorKind::Corrupt, why));
        }
        let payload = len - HEADER;
        self.note(&header, payload, connection.max_message)
            .map_err(|(kind, why)| self.fail(kind, format!("{} sent {why}", connection.peer_pid())))?;
        let in_buf = payload.min(room);
        self.spilled = 0..payload - in_buf;
        Ok(Some(in_buf))
    }

    /// Takes account of a packet, if it may come now.
    fn note(
        &mut self,
        header: &[u8; HEADER],
        payload: usize,
        max_message: u64,
    ) -> std::result::Result<(), (ErrorKind, String)> {
        let corrupt = |why: String| (ErrorKind::Corrupt, why);
        match Packet::decode(header, payload).map_err(corrupt)? {
            Packet::First { .. } if self.arrived != self.total => Err(corrupt(format!(
                "a new message after {} of {} bytes of one",
                self.arrived, self.total
            ))),
            Packet::First { total, .. } if total > max_message => Err((
                ErrorKind::TooLarge,
                format!("a message of {total} bytes; the limit here is {max_message}"),
            )),
            Packet::First { payload, total } => {
                (self.arrived, self.total) = (payload.into(), total);
                Ok(())
            }
            Packet::Later { payload, before }
                if before != self.arrived || u64::from(payload) > self.total - self.arrived =>
            {
                Err(corrupt(format!(
                    "bytes {before} to {} of a message when {} of {} had come",
                    before.wrapping_add(payload.into()),
                    self.arrived,
                    self.total
                )))
            }
            Packet::Later { payload, .. } => {
                self.arrived += u64::from(payload);
                Ok(())
            }
        }
    }

    fn fail(&mut self, kind: ErrorKind, why: String) -> Error {
        self.broken = Some((kind, why.clone()));
        Error::new(kind, why)
    }
}

impl Outbox {
    fn write(&mut self, connection: &Connection, message: &[u8], deadline: Deadline) -> Result<()> {
        let total = message.len() as u64;
        if total > connection.max_message {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "a message of {total} bytes; the limit here is {}",
                    connection.max_message
                ),
            )
            .hint("raise max_message on both sides"));
        }
        if self.broken {
            return Err(Error::new(
                ErrorKind::Disconnected,
                "an earlier message was cut short, so nothing can follow it",
            ));
        }
        let mut sent = 0;
        loop {
            let part = &message[sent..(sent + self.payload).min(message.len())];
            // At most MAX_PAYLOAD, so it fits.
            let payload = part.len() as u32;
            let header = if sent == 0 {
                Packet::First { payload, total }
            } else {
                Packet::Later {
                    payload,
                    before: sent as u64,
                }
            }
            .encode();
            let done = connection.transmit(deadline, |flags| {
                rustix::net::sendmsg(
                    &connection.socket,
                    &[IoSlice::new(&header), IoSlice::new(part)],
                    &mut SendAncillaryBuffer::default(),
                    flags,
                )
            });
            if let Err(error) = done {
                if sent > 0 {
                    self.broken = true;
                    // The reader must not wait for the rest: it is told that the message ends here, unfinished.
                    let _ = rustix::net::shutdown(&connection.socket, Shutdown::Write);
                    return Err(error.hint(format!(
                        "{sent} of the {total} bytes had been sent: the connection is closed for writing"
                    )));
                }
                return Err(error);
            }
            sent += part.len();
            if sent == message.len() {
                return Ok(());
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of a caller runs under these locks, and each step leaves the state as the socket is.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// poll(2), where being interrupted counts as having slept.
pub(super) fn poll(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> rustix::io::Result<()> {
    let timeout = timeout.map(|timeout| Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    match rustix::event::poll(fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Why there is no connection yet.
enum NotYet {
    NoServer,
    Busy,
}

/// Connects to a server, waiting for one to appear or to have a free instance.
pub(crate) fn connect(name: &Name, options: &ClientOptions, deadline: Deadline) -> Result<Connection> {
    let path = path::of(name)?;
    path::check_folder()?;
    let asked_not_to_wait = deadline.has_passed();
    // While there is no server nothing can be slept on, so look again after a time that grows from 1 to 20 ms.
    let mut pause = Duration::from_millis(1);
    loop {
        let why = match attempt(&path, options, deadline)? {
            Ok(connection) => return Ok(connection),
            Err(why) => why,
        };
        if deadline.has_passed() {
            let (kind, reason, hint) = match why {
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
            return Err(if asked_not_to_wait {
                Error::new(kind, reason).hint(hint)
            } else {
                Error::new(
                    ErrorKind::TimedOut,
                    format!("{reason}, and none came before the deadline"),
                )
            });
        }
        if matches!(why, NotYet::NoServer) {
            std::thread::sleep(deadline.slice(pause));
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

fn attempt(
    path: &Path,
    options: &ClientOptions,
    deadline: Deadline,
) -> Result<std::result::Result<Connection, NotYet>> {
    for kind in [SocketType::STREAM, SocketType::SEQPACKET] {
        if kind == SocketType::STREAM && options.mode == Some(PipeMode::Message) {
            continue;
        }
        let socket = match attempt_type(path, kind, deadline)? {
            Some(Ok(socket)) => socket,
            Some(Err(why)) => return Ok(Err(why)),
            None => continue,
        };
        check_server(&socket, options.access)?;
        let mode = if kind == SocketType::STREAM {
            PipeMode::Byte
        } else {
            PipeMode::Message
        };
        let bounded = mode == PipeMode::Message && options.mode != Some(PipeMode::Byte);
        return Connection::new(
            socket,
            None,
            mode,
            bounded,
            options.direction,
            options.max_message,
        )
        .map(Ok);
    }
    Err(match options.mode {
        Some(PipeMode::Message) => Error::new(ErrorKind::Unsupported, "the server's pipe is in byte mode")
            .hint("connect without a mode to follow the server's"),
        _ => Error::new(
            ErrorKind::Corrupt,
            "what is at its path is neither a stream nor a message socket",
        ),
    })
}

/// One try with one type of socket; `None` when the server's is of another type.
fn attempt_type(
    path: &Path,
    kind: SocketType,
    deadline: Deadline,
) -> Result<Option<std::result::Result<OwnedFd, NotYet>>> {
    let os = |error: Errno| Error::os("cannot connect", error);
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).map_err(os)?;
    // The kernel itself waits for a free place in the server's queue, so the wake-up comes at once.
    let patience = deadline.remaining();
    let wait = patience.is_none_or(|left| !left.is_zero());
    if wait {
        // A timeout of 0 would mean none.
        let patience = patience.map(|left| left.clamp(Duration::from_millis(1), LONG));
        rustix::net::sockopt::set_socket_timeout(&socket, Timeout::Send, patience).map_err(os)?;
    } else {
        rustix::io::ioctl_fionbio(&socket, true).map_err(os)?;
    }
    match rustix::net::connect(&socket, &path::address(path)?) {
        Ok(()) => {
            if wait {
                rustix::net::sockopt::set_socket_timeout(&socket, Timeout::Send, None).map_err(os)?;
            } else {
                rustix::io::ioctl_fionbio(&socket, false).map_err(os)?;
            }
            Ok(Some(Ok(socket)))
        }
        Err(Errno::PROTOTYPE) => Ok(None),
        Err(Errno::AGAIN | Errno::INTR) => Ok(Some(Err(NotYet::Busy))),
        Err(Errno::NOENT) => Ok(Some(Err(NotYet::NoServer))),
        Err(Errno::CONNREFUSED) if path::probe(path)? == There::NotASocket => Err(Error::new(
            ErrorKind::Corrupt,
            format!("{} is not a socket", path.display()),
        )
        .hint("another program has put it there; remove it or choose another name")),
        // Left by a server that died, or about to listen.
        Err(Errno::CONNREFUSED) => Ok(Some(Err(NotYet::NoServer))),
        Err(error @ (Errno::ACCESS | Errno::PERM)) => {
            Err(os(error)
                .hint("the server lets in only its own user; it can be created with access everyone"))
        }
        Err(error) => Err(os(error)),
    }
}

/// Refuses a server of somebody else: anybody can put a socket into /tmp under any name.
fn check_server(socket: &OwnedFd, access: Access) -> Result<()> {
    let server =
        peer::credentials(socket).map_err(|error| Error::os("cannot ask who the server is", error))?;
    if access == Access::Everyone || peer::user(&server).is_trusted() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::PermissionDenied,
        format!(
            "its server runs as another user (uid {}, pid {})",
            server.uid, server.pid
        ),
    )
    .hint("somebody else has taken the name; connect with access everyone if that is meant"))
}

impl AsFd for crate::pipe::PipeStream {
    /// The socket, for a foreign event loop to wait on. Reading or writing it directly bypasses the framing of message
    /// mode.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection().as_fd()
    }
}
