//! Sockets as Windows has them: TCP.

use super::process::Identity;
use crate::os::step::call;
use crate::os::types::Access;
use crate::{Deadline, Error, ErrorKind, Result};
use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
use socket2::{SockAddr, Socket};
use std::convert::Infallible;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::windows::io::AsRawSocket;
use std::path::{Path, PathBuf};
use std::time::Duration;
use windows_sys::Win32::Networking::WinSock::{
    POLLRDNORM, POLLWRNORM, SOCKET_ERROR, WSAEINPROGRESS, WSAEMFILE, WSAENOBUFS, WSAEWOULDBLOCK, WSAPOLLFD,
    WSAPoll,
};

/// The poll tells again only after a call that would have blocked.
pub(crate) const SHORT_READ_EMPTIES: bool = false;

/// Whether `read_waiting` and `write_waiting` wait, so that a single peer can be waited for without a poll.
pub(crate) const CALLS_CAN_WAIT: bool = false;

/// How long they would.
pub(crate) const PATIENCE: Duration = Duration::ZERO;

fn no_unix_sockets() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "there are no Unix sockets here; ipc:// is a named pipe on Windows, which Quintet's sockets do not speak yet",
    )
    .hint("use tcp://, or pipe:// for a named pipe")
}

pub(crate) fn local_address(_: &str) -> Result<(SockAddr, Option<PathBuf>)> {
    Err(no_unix_sockets())
}

/// The file of a listening socket: there are none.
#[derive(Debug)]
pub(crate) struct Name(Infallible);

impl Name {
    pub(crate) fn bind(_: &Socket, _: &Path, _: Access) -> Result<Self> {
        Err(no_unix_sockets())
    }

    pub(crate) fn release(&self) {
        match self.0 {}
    }
}

/// Nothing: to reuse an address means here to take it from another.
pub(crate) fn before_bind(_: &Socket) -> io::Result<()> {
    Ok(())
}

pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(WSAEWOULDBLOCK | WSAEINPROGRESS))
}

pub(crate) fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(WSAEMFILE | WSAENOBUFS))
}

/// TCP does not tell who it is, and nobody asks.
pub(crate) fn is_trusted(_: &Socket) -> io::Result<bool> {
    Ok(true)
}

pub(crate) fn peer(_: &Socket) -> io::Result<Identity> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn connect(socket: &Socket, address: &SockAddr, deadline: Deadline) -> io::Result<()> {
    match deadline.remaining() {
        None => call(|| socket.connect(address)),
        Some(left) => socket.connect_timeout(address, left.max(Duration::from_millis(1))),
    }
}

/// Waits until there is something to read (or to accept), or room to write. Whether there is.
pub(crate) fn wait_for(socket: &Socket, writing: bool, deadline: Deadline) -> Result<bool> {
    const LONG: Duration = Duration::from_secs(60);
    let events = if writing { POLLWRNORM } else { POLLRDNORM };
    let mut polled = WSAPOLLFD {
        fd: socket.as_raw_socket() as usize,
        events,
        revents: 0,
    };
    loop {
        let over = deadline.has_passed();
        // Rounded up, so that it does not spin through the last millisecond.
        let left = deadline.slice(LONG).as_nanos().div_ceil(1_000_000);
        // SAFETY: `polled` is one entry, which lives across the call; the socket is open because it is borrowed.
        let ready = unsafe { WSAPoll(&mut polled, 1, i32::try_from(left).unwrap_or(i32::MAX)) };
        if ready == SOCKET_ERROR {
            return Err(Error::os(
                "cannot wait for the socket",
                io::Error::last_os_error(),
            ));
        }
        if ready > 0 {
            return Ok(true);
        }
        if over {
            return Ok(false);
        }
    }
}

/// Writes to a socket that blocks.
pub(crate) fn write(socket: &Socket, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    call(|| socket.send_vectored(parts))
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Io(TcpStream);

impl Io {
    pub(crate) fn new(socket: Socket, _is_local: bool) -> Self {
        Io(TcpStream::from_std(socket.into()))
    }

    pub(crate) fn source(&mut self) -> &mut dyn Source {
        &mut self.0
    }

    pub(crate) fn set_up(&self) -> io::Result<()> {
        let socket = socket2::SockRef::from(&self.0);
        crate::os::socket::set_up(&socket, false)
    }

    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buf)
    }

    pub(crate) fn read_waiting(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.read(buf)
    }

    pub(crate) fn write_waiting(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(parts)
    }

    pub(crate) fn append_to(&self, buf: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let len = buf.len();
        buf.resize(len + most, 0);
        let got = (&self.0).read(&mut buf[len..]);
        buf.truncate(len + got.as_ref().copied().unwrap_or(0));
        got
    }

    pub(crate) fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        (&self.0).write_vectored(parts)
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    pub(crate) fn has_peer(&self) -> io::Result<bool> {
        match self.0.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn is_its_own_peer(&self) -> bool {
        crate::os::socket::is_its_own_peer(&socket2::SockRef::from(&self.0))
    }

    pub(crate) fn is_trusted(&self) -> io::Result<bool> {
        Ok(true)
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    pub(crate) fn peer(&self) -> String {
        self.0
            .peer_addr()
            .map_or_else(|_| "a peer".into(), |address| address.to_string())
    }
}

/// A listening socket.
#[derive(Debug)]
pub(crate) struct DoorIo(TcpListener);

impl DoorIo {
    pub(crate) fn new(socket: Socket, _is_local: bool) -> Self {
        DoorIo(TcpListener::from_std(socket.into()))
    }

    pub(crate) fn source(&mut self) -> &mut dyn Source {
        &mut self.0
    }

    pub(crate) fn accept(&self) -> io::Result<Io> {
        Ok(Io(self.0.accept()?.0))
    }
}
