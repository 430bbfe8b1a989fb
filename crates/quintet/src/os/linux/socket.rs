//! Sockets as Linux has them, Unix sockets with them.

use super::anonymous::poll;
use super::pipe::path::{self, SocketName};
use super::process::Identity;
use super::runtime::Claim;
use super::{peer as credentials, pipe};
use crate::os::step::call;
use crate::os::types::Access;
use crate::wait;
use crate::{Deadline, Error, ErrorKind, Result};
use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use socket2::{SockAddr, Socket};
use std::convert::Infallible;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether a read of less than there was room for has emptied the socket, so that the poll will tell of what comes next.
pub(crate) const SHORT_READ_EMPTIES: bool = true;

/// Whether `read_waiting` and `write_waiting` wait, so that a single peer can be waited for without a poll.
pub(crate) const CALLS_CAN_WAIT: bool = true;

/// How long they wait at most. The clock that the system counts this with may be one of 4 ms.
pub(crate) const PATIENCE: Duration = Duration::from_millis(5);

/// The address of a Unix socket, and its path if it has one.
pub(crate) fn local_address(text: &str) -> Result<(SockAddr, Option<PathBuf>)> {
    let unusable = |error| Error::os("it is no address of a Unix socket", error);
    path::check(Path::new(text)).map_err(|error| error.hint("choose a shorter path"))?;
    match text.strip_prefix('@') {
        Some(name) => {
            let address = SockAddr::unix(format!("\0{name}")).map_err(unusable)?;
            Ok((address, None))
        }
        None => {
            let path = PathBuf::from(text);
            let address = SockAddr::unix(&path).map_err(unusable)?;
            Ok((address, Some(path)))
        }
    }
}

pub(in crate::os) use super::pipe::path::expect_socket;

/// The name of a pipe that `ipc://` would be: it is a Unix socket here.
pub(crate) type PipeName = Infallible;

pub(crate) fn pipe_name(_: &str) -> Result<Option<PipeName>> {
    Ok(None)
}

/// A Unix socket whose queue is full says so by "would block".
pub(crate) fn is_busy(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// The file of a listening socket.
#[derive(Debug)]
pub(crate) struct Name {
    name: SocketName,
    claim: Claim,
    released: AtomicBool,
}

impl Name {
    /// Binds to a path as a pipe's server does: see `pipe/listener.rs` for the protocol.
    pub(crate) fn bind(socket: &Socket, path: &Path, access: Access) -> Result<Self> {
        let path =
            std::path::absolute(path).map_err(|error| Error::os("cannot find the current folder", error))?;
        path::check(&path)
            .map_err(|error| error.hint("write a shorter path, or move to a folder with one"))?;
        // No path that is used once has to be listened at again for that.
        pipe::sweep(path::SOCKET_CLAIM);
        let text = format!("path={}\npid={}\n", path.display(), std::process::id());
        let claim = Claim::take(&path::key_of(path::SOCKET_CLAIM, &path), &text)?.ok_or_else(|| {
            Error::new(ErrorKind::AlreadyExists, "another process listens there")
                .hint("end the program that has it, or choose another address")
        })?;
        // The file that bind makes has the mode of the open socket.
        call(|| rustix::fs::fchmod(socket, Mode::RUSR | Mode::WUSR))
            .map_err(|error| Error::os("cannot set the socket's mode", error))?;
        pipe::bind(socket.as_fd(), &path).map_err(|error| match error.kind() {
            ErrorKind::Busy => Error::new(ErrorKind::AlreadyExists, "another program listens there")
                .hint("end the program that has it, or choose another address"),
            _ => error,
        })?;
        let name = SocketName::of(path.clone());
        let opened = name.map_err(|error| Error::os("cannot look at the new socket", error));
        let name = opened
            .and_then(|name| pipe::open_to(&path, access).map(|()| name))
            .inspect_err(|_| {
                let _ = call(|| std::fs::remove_file(&path));
            })?;
        Ok(Name {
            name,
            claim,
            released: AtomicBool::new(false),
        })
    }

    /// Removes the file, if it is still ours.
    pub(crate) fn release(&self) {
        if !self.released.swap(true, Ordering::Relaxed) && self.claim.is_ours() {
            if self.name.leads_to_us().unwrap_or(false) {
                let _ = call(|| std::fs::remove_file(&self.name.path));
            }
            self.claim.release_name();
        }
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        self.release();
    }
}

/// A server that starts again need not wait until the system has forgotten its old connections.
pub(crate) fn before_bind(socket: &Socket) -> io::Result<()> {
    call(|| socket.set_reuse_address(true))
}

pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

pub(crate) fn is_shortage(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

pub(crate) fn is_trusted(socket: impl AsFd) -> io::Result<bool> {
    Ok(credentials::user(&credentials::credentials(socket)?).is_trusted())
}

/// Who is at the other end of a Unix socket.
pub(crate) fn peer(socket: &Socket) -> io::Result<Identity> {
    credentials::identity(socket)
}

pub(crate) fn connect(socket: &Socket, address: &SockAddr, deadline: Deadline) -> io::Result<()> {
    /// A Unix socket's full queue is waited for by the call itself, in slices.
    const SLICE: Duration = Duration::from_millis(500);
    if address.is_unix() {
        loop {
            let slice = deadline.slice(SLICE).max(Duration::from_millis(1));
            call(|| socket.set_write_timeout(Some(slice)))?;
            match call(|| socket.connect(address)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !deadline.has_passed() => {}
                done => {
                    done?;
                    return call(|| socket.set_write_timeout(None));
                }
            }
        }
    }
    match deadline.remaining() {
        None => call(|| socket.connect(address)),
        Some(left) => socket.connect_timeout(address, left.max(Duration::from_millis(1))),
    }
}

/// Waits until there is something to read (or to accept), or room to write. Whether there is.
pub(crate) fn wait_for(socket: &Socket, writing: bool, deadline: Deadline) -> Result<bool> {
    let what = if writing { PollFlags::OUT } else { PollFlags::IN };
    let mut fds = [PollFd::new(socket, what)];
    loop {
        let over = deadline.has_passed();
        call(|| poll(&mut fds, Some(deadline.slice(wait::SLICE * 1000))))
            .map_err(|error| Error::os("cannot wait for the socket", error))?;
        if !fds[0].revents().is_empty() {
            return Ok(true);
        }
        if over {
            return Ok(false);
        }
    }
}

/// Writes to a socket that blocks.
pub(crate) fn write(socket: &Socket, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    Ok(call(|| match parts {
        [one] => rustix::net::send(socket, one, SendFlags::NOSIGNAL),
        _ => rustix::net::sendmsg(
            socket,
            parts,
            &mut SendAncillaryBuffer::default(),
            SendFlags::NOSIGNAL,
        ),
    })?)
}

/// Sends one byte, and an open file with it.
pub(crate) fn send_file(socket: &Socket, file: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = [file];
    control.push(SendAncillaryMessage::ScmRights(&files));
    call(|| rustix::net::sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// Receives one byte and the file that came with it; `None` at the end of the stream.
pub(crate) fn receive_file(socket: &Socket) -> io::Result<Option<OwnedFd>> {
    let mut byte = [0; 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = call(|| {
        rustix::net::recvmsg(
            socket,
            &mut [IoSliceMut::new(&mut byte)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    // What more came with it is closed as it drops.
    let file = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    if got.bytes == 0 {
        return Ok(None);
    }
    match file {
        Some(file) => Ok(Some(file)),
        None if got.flags.contains(rustix::net::ReturnFlags::CTRUNC) => Err(Errno::MFILE.into()),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// A connection of either kind.
#[derive(Debug)]
pub(crate) enum Io {
    Tcp(TcpStream),
    Local(UnixStream),
}

impl Io {
    pub(crate) fn new(socket: Socket, is_local: bool) -> Self {
        if is_local {
            Io::Local(UnixStream::from_std(OwnedFd::from(socket).into()))
        } else {
            Io::Tcp(TcpStream::from_std(socket.into()))
        }
    }

    pub(crate) fn connect(pipe: &PipeName, _: Access) -> io::Result<Self> {
        match *pipe {}
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token, what: Interest) -> io::Result<()> {
        let source: &mut dyn Source = match self {
            Io::Tcp(stream) => stream,
            Io::Local(stream) => stream,
        };
        source.register(registry, token, what)
    }

    /// Nothing is left to be waited for; that it is closed takes it off the poll.
    pub(crate) fn retire(self, _: &Registry) -> Option<Self> {
        None
    }

    /// Never: what a call has written is with the system, and no longer here.
    pub(crate) fn is_writing(&self) -> bool {
        false
    }

    pub(crate) fn is_idle(&self) -> bool {
        true
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Io::Tcp(stream) => stream.as_fd(),
            Io::Local(stream) => stream.as_fd(),
        }
    }

    pub(crate) fn set_up(&self) -> io::Result<()> {
        let socket = socket2::SockRef::from(self);
        // Calls that must not wait say so themselves, with a flag; two of them may, for so long.
        call(|| socket.set_nonblocking(false))?;
        call(|| socket.set_read_timeout(Some(PATIENCE)))?;
        call(|| socket.set_write_timeout(Some(PATIENCE)))?;
        crate::os::socket::set_up(&socket, matches!(self, Io::Local(_)))
    }

    pub(crate) fn read_waiting(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(|| Ok(rustix::net::recv(self.fd(), &mut *buf, RecvFlags::empty())?.0))
    }

    pub(crate) fn write_waiting(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let control = &mut SendAncillaryBuffer::default();
        Ok(rustix::net::sendmsg(
            self.fd(),
            parts,
            control,
            SendFlags::NOSIGNAL,
        )?)
    }

    #[inline]
    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(|| Ok(rustix::net::recv(self.fd(), &mut *buf, RecvFlags::DONTWAIT)?.0))
    }

    pub(crate) fn append_to(&self, buf: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        buf.reserve(most);
        let got = self.receive(|| {
            let room = &mut buf.spare_capacity_mut()[..most];
            let (got, _) = rustix::net::recv(self.fd(), room, RecvFlags::DONTWAIT)?;
            Ok(got.0.len())
        })?;
        // SAFETY: the kernel has written `got` bytes, at most `most`, behind the vector's end, where `reserve` made room
        // for `most`.
        unsafe { buf.set_len(buf.len() + got) };
        Ok(got)
    }

    /// On a Unix socket "reset" says, once, that the peer closed without reading all that we sent; what it had sent us
    /// itself is there still.
    #[inline]
    fn receive(&self, mut receive: impl FnMut() -> rustix::io::Result<usize>) -> io::Result<usize> {
        match receive() {
            Ok(got) => Ok(got),
            Err(Errno::CONNRESET) if matches!(self, Io::Local(_)) => Ok(receive()?),
            Err(error) => Err(error.into()),
        }
    }

    #[inline]
    pub(crate) fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let sent = match parts {
            [one] => rustix::net::send(self.fd(), one, flags),
            _ => rustix::net::sendmsg(self.fd(), parts, &mut SendAncillaryBuffer::default(), flags),
        };
        Ok(sent?)
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self {
            Io::Tcp(stream) => stream.take_error(),
            Io::Local(stream) => stream.take_error(),
        }
    }

    pub(crate) fn has_peer(&self) -> io::Result<bool> {
        let peer = match self {
            Io::Tcp(stream) => stream.peer_addr().map(drop),
            Io::Local(stream) => stream.peer_addr().map(drop),
        };
        match peer {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn is_its_own_peer(&self) -> bool {
        crate::os::socket::is_its_own_peer(&socket2::SockRef::from(self))
    }

    pub(crate) fn is_trusted(&self) -> io::Result<bool> {
        is_trusted(self.fd())
    }

    /// Whether one direction can end without the other.
    pub(crate) fn has_halves(&self) -> bool {
        true
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Io::Tcp(stream) => stream.shutdown(how),
            Io::Local(stream) => stream.shutdown(how),
        }
    }

    pub(crate) fn peer(&self) -> String {
        match self {
            Io::Tcp(stream) => stream
                .peer_addr()
                .map_or_else(|_| "a peer".into(), |address| address.to_string()),
            Io::Local(stream) => match credentials::credentials(stream) {
                Ok(peer) if peer.pid != 0 => format!("pid {}", peer.pid),
                _ => "a peer".into(),
            },
        }
    }
}

impl AsFd for Io {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd()
    }
}

/// A listening socket of either kind.
#[derive(Debug)]
pub(crate) enum DoorIo {
    Tcp(TcpListener),
    Local(UnixListener),
}

impl DoorIo {
    pub(crate) fn new(socket: Socket, is_local: bool) -> Self {
        if is_local {
            DoorIo::Local(UnixListener::from_std(OwnedFd::from(socket).into()))
        } else {
            DoorIo::Tcp(TcpListener::from_std(socket.into()))
        }
    }

    pub(crate) fn of_pipe(pipe: &PipeName, _: Access) -> Result<(Self, Name)> {
        match *pipe {}
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            DoorIo::Tcp(listener) => listener,
            DoorIo::Local(listener) => listener,
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(self.source(), token, Interest::READABLE)
    }

    /// Nothing is left to be waited for.
    pub(crate) fn deregister(mut self, registry: &Registry) -> Option<Io> {
        let _ = registry.deregister(self.source());
        None
    }

    pub(crate) fn accept(&mut self) -> io::Result<Io> {
        Ok(match self {
            DoorIo::Tcp(listener) => Io::Tcp(listener.accept()?.0),
            DoorIo::Local(listener) => Io::Local(listener.accept()?.0),
        })
    }
}
