//! Sockets: what both systems do alike, over `socket2` and `mio`. What they do not is in `linux/socket.rs` and
//! `windows/socket.rs`.

#[cfg(target_os = "linux")]
use super::linux::socket as sys;
#[cfg(windows)]
use super::windows::socket as sys;

use super::step::call;
use super::types::Access;
use crate::{Deadline, Error, ErrorKind, Result};
use mio::{Events, Interest, Poll, Registry, Token};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use sys::{CALLS_CAN_WAIT, Name, PATIENCE, SHORT_READ_EMPTIES, peer, wait_for, write};
#[cfg(target_os = "linux")]
pub(crate) use sys::{receive_file, send_file};

/// How many clients the system keeps waiting for us, at most; it may cap that.
const BACKLOG: i32 = 4096;

/// Where a socket is, or should be: addresses that mean the same place.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// None of a pipe.
    addresses: Vec<SockAddr>,
    /// What `ipc://` leads to where that is a named pipe.
    pipe: Option<sys::PipeName>,
    /// The path of a Unix socket; none of an abstract one.
    path: Option<PathBuf>,
    is_local: bool,
}

impl Place {
    /// Looks a host up, which takes as long as the system's resolver does. `*` is every interface of this machine.
    pub(crate) fn tcp(host: &str, port: u16) -> Result<Self> {
        let addresses: Vec<SocketAddr> = if host == "*" {
            vec![
                (IpAddr::V6(Ipv6Addr::UNSPECIFIED), port).into(),
                (IpAddr::V4(Ipv4Addr::UNSPECIFIED), port).into(),
            ]
        } else {
            let found = call(|| (host, port).to_socket_addrs()).map_err(|error| {
                Error::new(
                    ErrorKind::NotFound,
                    format!("the host {host:?} is not known: {error}"),
                )
                .hint("check its spelling, or write the address itself")
            })?;
            found.collect()
        };
        if addresses.is_empty() {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("the host {host:?} has no address"),
            ));
        }
        Ok(Place {
            addresses: addresses.into_iter().map(SockAddr::from).collect(),
            pipe: None,
            path: None,
            is_local: false,
        })
    }

    /// A Unix socket: a path, or `@NAME` for an abstract name.
    pub(crate) fn local(path: &str) -> Result<Self> {
        let (address, path) = sys::local_address(path)?;
        Ok(Place {
            addresses: vec![address],
            pipe: None,
            path,
            is_local: true,
        })
    }

    /// What `ipc://` means to nng: a Unix socket, or a named pipe where there are none.
    pub(crate) fn ipc(path: &str) -> Result<Self> {
        match sys::pipe_name(path)? {
            None => Place::local(path),
            Some(pipe) => Ok(Place {
                addresses: Vec::new(),
                pipe: Some(pipe),
                path: None,
                is_local: true,
            }),
        }
    }

    pub(crate) fn is_local(&self) -> bool {
        self.is_local
    }

    fn is_abstract(&self) -> bool {
        self.is_local && self.path.is_none() && self.pipe.is_none()
    }

    /// Refuses a place at which something else stands, to who wants to connect there.
    pub(crate) fn expect_server(&self) -> Result<()> {
        self.path.as_deref().map_or(Ok(()), sys::expect_socket)
    }

    /// Refuses a pipe, to who wants a socket of the system's.
    fn expect_socket(&self) -> Result<()> {
        match self.pipe {
            None => Ok(()),
            Some(_) => Err(Error::new(
                ErrorKind::Unsupported,
                "ipc:// is a named pipe here, and no stream of a socket",
            )
            .hint("use pipe://, which is made for them, or the sockets of patterns")),
        }
    }
}

fn make(address: &SockAddr) -> Result<Socket> {
    call(|| Socket::new(address.domain(), Type::STREAM, None))
        .map_err(|error| failed("cannot make a socket", error))
}

/// What an error of the system means for a socket.
pub(crate) fn failed(what: &'static str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::new(
            ErrorKind::NotFound,
            format!("{what}: nobody listens there ({error})"),
        )
        .hint("start the other side first, or check the address"),
        io::ErrorKind::AddrInUse => Error::new(
            ErrorKind::AlreadyExists,
            format!("{what}: another socket listens there ({error})"),
        )
        .hint("end the program that has it, or choose another address"),
        _ if sys::is_shortage(&error) => Error::new(ErrorKind::Full, format!("{what}: {error}"))
            .hint("close some files or raise the limit of open files (ulimit -n)"),
        _ => Error::os(what, error),
    }
}

/// A socket that listens. Not blocking: who accepts waits with [`wait_for`], or by a poll.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) socket: Socket,
    /// What to take back in the end: a file.
    pub(crate) name: Option<Name>,
    access: Access,
    /// Whether everybody who knows the name can connect, so that who it is has to be asked.
    asks: bool,
}

pub(crate) fn listen(place: &Place, access: Access) -> Result<Listening> {
    const WHAT: &str = "cannot listen";
    place.expect_socket()?;
    let asks = place.is_local && access == Access::CurrentUser;
    if let Some(path) = &place.path {
        let socket = make(&place.addresses[0])?;
        let name = Name::bind(&socket, path, access)?;
        let ready = call(|| socket.set_nonblocking(true)).and_then(|()| call(|| socket.listen(BACKLOG)));
        ready.map_err(|error| failed(WHAT, error))?;
        return Ok(Listening {
            socket,
            name: Some(name),
            access,
            asks,
        });
    }
    let mut last = None;
    for address in &place.addresses {
        match listen_at(address, place.is_local) {
            Ok(socket) => {
                return Ok(Listening {
                    socket,
                    name: None,
                    access,
                    asks,
                });
            }
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| io::ErrorKind::NotFound.into());
    Err(failed(WHAT, error))
}

fn listen_at(address: &SockAddr, is_local: bool) -> io::Result<Socket> {
    let socket = call(|| Socket::new(address.domain(), Type::STREAM, None))?;
    if !is_local {
        sys::before_bind(&socket)?;
        if address.domain() == Domain::IPV6 {
            // `*` means every interface, of either protocol.
            let any = address
                .as_socket_ipv6()
                .is_some_and(|address| address.ip().is_unspecified());
            call(|| socket.set_only_v6(!any))?;
        }
    }
    call(|| socket.bind(address))?;
    call(|| socket.set_nonblocking(true))?;
    call(|| socket.listen(BACKLOG))?;
    Ok(socket)
}

impl Listening {
    /// A client that waits, if there is one. Its socket blocks.
    pub(crate) fn accept(&self) -> io::Result<Socket> {
        let (socket, _) = call(|| self.socket.accept())?;
        call(|| socket.set_nonblocking(false))?;
        self.admit(&socket)?;
        Ok(socket)
    }

    /// Refuses a stranger.
    fn admit(&self, socket: &Socket) -> io::Result<()> {
        if self.asks && self.access == Access::CurrentUser && !sys::is_trusted(socket)? {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(())
    }

    /// Lets nobody find it any more.
    pub(crate) fn release_name(&self) {
        if let Some(name) = &self.name {
            name.release();
        }
    }

    /// The port that it has, if there are ports.
    pub(crate) fn port(&self) -> Result<Option<u16>> {
        let address = call(|| self.socket.local_addr())
            .map_err(|error| failed("cannot ask which port it is", error))?;
        Ok(address.as_socket().map(|address| address.port()))
    }
}

/// Connects, waiting for that no longer than the deadline. The socket blocks.
pub(crate) fn connect(place: &Place, access: Access, deadline: Deadline) -> Result<Socket> {
    const WHAT: &str = "cannot connect";
    place.expect_socket()?;
    place.expect_server()?;
    let mut last = None;
    for address in &place.addresses {
        let socket = make(address)?;
        match sys::connect(&socket, address, deadline) {
            Ok(()) if is_its_own_peer(&socket) => last = Some(io::ErrorKind::ConnectionRefused.into()),
            Ok(()) => {
                let trusted = check_server(place, access, &socket);
                return trusted.map(|()| socket);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                return Err(Error::new(
                    ErrorKind::TimedOut,
                    "nobody took the connection before the deadline",
                ));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(failed(
        WHAT,
        last.unwrap_or_else(|| io::ErrorKind::NotFound.into()),
    ))
}

/// Whether a socket is connected to itself: who dials a port of this machine at which nobody listens may get that very port
/// for his own end, and TCP takes the two for a connection.
pub(crate) fn is_its_own_peer(socket: &Socket) -> bool {
    match (socket.local_addr(), socket.peer_addr()) {
        (Ok(ours), Ok(theirs)) => (ours.is_ipv4() || ours.is_ipv6()) && ours == theirs,
        _ => false,
    }
}

/// An abstract name is whose program took it first. (A path is kept by its folder's owner.)
fn check_server(place: &Place, access: Access, socket: &Socket) -> Result<()> {
    if !place.is_abstract() || access == Access::Everyone {
        return Ok(());
    }
    match sys::is_trusted(socket) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::new(
            ErrorKind::PermissionDenied,
            "another user's program has this name",
        )
        .hint("set access to everyone if that is meant")),
        Err(error) => Err(Error::os("cannot ask whose the server is", error)),
    }
}

/// Small writes go out at once, and a peer that vanished with its machine is noticed some day.
pub(crate) fn set_up(socket: &Socket, is_local: bool) -> io::Result<()> {
    if is_local {
        return Ok(());
    }
    call(|| socket.set_tcp_nodelay(true))?;
    let alive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10));
    call(|| socket.set_tcp_keepalive(&alive))
}

/// Waits in a poll, for no longer than that. A signal ends it early, with no events.
pub(crate) fn poll(poll: &mut Poll, events: &mut Events, time: Duration) -> io::Result<()> {
    call(|| match poll.poll(events, Some(time)) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        polled => polled,
    })
}

/// A connection that never blocks, for a poll.
#[derive(Debug)]
pub(crate) struct Wire(sys::Io);

/// Where connections come from, for a poll.
#[derive(Debug)]
pub(crate) struct Door {
    io: sys::DoorIo,
    asks: bool,
    is_local: bool,
    name: Option<Name>,
    port: Option<u16>,
}

impl Door {
    pub(crate) fn open(place: &Place, access: Access) -> Result<Self> {
        if let Some(pipe) = &place.pipe {
            let (io, name) = sys::DoorIo::of_pipe(pipe, access)?;
            return Ok(Door {
                io,
                // The pipe itself lets in whom it should.
                asks: false,
                is_local: true,
                name: Some(name),
                port: None,
            });
        }
        let listening = listen(place, access)?;
        Ok(Door {
            port: listening.port()?,
            io: sys::DoorIo::new(listening.socket, place.is_local),
            asks: listening.asks,
            name: listening.name,
            is_local: place.is_local,
        })
    }

    pub(crate) fn is_local(&self) -> bool {
        self.is_local
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }

    /// Lets nobody find it any more.
    pub(crate) fn release_name(&self) {
        if let Some(name) = &self.name {
            name.release();
        }
    }

    /// A client that waits, if there is one; `None` for a stranger, who was sent away.
    pub(crate) fn accept(&mut self) -> io::Result<Option<Wire>> {
        let io = call(|| self.io.accept())?;
        if self.asks && !io.is_trusted()? {
            return Ok(None);
        }
        let wire = Wire(io);
        wire.0.set_up()?;
        Ok(Some(wire))
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        call(|| self.io.register(registry, token))
    }

    /// Takes it off the poll. What the system is still at then is to be waited for.
    pub(crate) fn deregister(self, registry: &Registry) -> Vec<Wire> {
        self.io.deregister(registry).into_iter().map(Wire).collect()
    }
}

impl Wire {
    /// Begins to connect: [`is_connected`](Self::is_connected) tells how it went, once it is writable.
    /// `turn`: which of the addresses.
    pub(crate) fn connect(place: &Place, turn: usize, access: Access) -> io::Result<Self> {
        if let Some(pipe) = &place.pipe {
            return Ok(Wire(call(|| sys::Io::connect(pipe, access))?));
        }
        let address = &place.addresses[turn % place.addresses.len()];
        let socket = call(|| Socket::new(address.domain(), Type::STREAM, None))?;
        call(|| socket.set_nonblocking(true))?;
        match call(|| socket.connect(address)) {
            Ok(()) => {}
            // A Unix socket whose queue is full says so by "would block": it is not being connected.
            Err(error) if !place.is_local && sys::is_in_progress(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(Wire(sys::Io::new(socket, place.is_local)))
    }

    /// Whether connecting failed only because the other side has to let somebody else in first.
    pub(crate) fn is_busy(error: &io::Error) -> bool {
        sys::is_busy(error)
    }

    /// Whether it is connected by now; an error if it cannot be.
    pub(crate) fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.0.take_error()? {
            return Err(error);
        }
        if !self.0.has_peer()? {
            return Ok(false);
        }
        if self.0.is_its_own_peer() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        self.0.set_up()?;
        Ok(true)
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        call(|| self.0.register(registry, token, both))
    }

    /// Takes it off the poll for good. It comes back if the system is still at something, which is to be waited for.
    pub(crate) fn retire(self, registry: &Registry) -> Option<Self> {
        self.0.retire(registry).map(Wire)
    }

    /// Whether the system is still writing on its own what it has taken over, after [`retire`](Self::retire).
    pub(crate) fn is_writing(&self) -> bool {
        self.0.is_writing()
    }

    /// Whether the system is done with it, so that it ends when it is dropped; after [`cut`](Self::cut).
    pub(crate) fn is_idle(&self) -> bool {
        self.0.is_idle()
    }

    /// Waits a few milliseconds at most for something to read: how much; 0 at the end; "would block" if nothing came.
    pub(crate) fn read_waiting(&self, buf: &mut [u8]) -> io::Result<usize> {
        call(|| self.0.read_waiting(buf))
    }

    /// Writes, waiting for room for a few milliseconds at most.
    pub(crate) fn write_waiting(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        call(|| self.0.write_waiting(parts))
    }

    /// Ends it, also under a thread that waits in it.
    pub(crate) fn cut(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }

    /// Reads what is there into `buf`: how much; 0 at the end.
    #[inline]
    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        call(|| self.0.read(buf))
    }

    /// Appends what is there, at most so much.
    pub(crate) fn append_to(&self, buf: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        call(|| self.0.append_to(buf, most))
    }

    /// Writes what there is room for.
    #[inline]
    pub(crate) fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        call(|| self.0.write(parts))
    }

    /// Says that nothing more will come. Whether that can be said: a pipe of Windows has no halves that end by themselves.
    pub(crate) fn end_writing(&self) -> bool {
        let _ = self.0.shutdown(Shutdown::Write);
        self.0.has_halves()
    }

    /// Who is at the other end, for a log: an address, or a process.
    pub(crate) fn peer(&self) -> String {
        self.0.peer()
    }
}

// TCP lets a socket connect to itself on Linux, at any rate.
#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_is_connected_to_itself_is_seen_through() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket
            .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
            .unwrap();
        let itself = socket.local_addr().unwrap();
        socket.connect(&itself).unwrap();
        assert!(is_its_own_peer(&socket));
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener
            .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
            .unwrap();
        listener.listen(1).unwrap();
        let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        other.connect(&listener.local_addr().unwrap()).unwrap();
        assert!(!is_its_own_peer(&other));
    }
}
