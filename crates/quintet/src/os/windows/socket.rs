//! Sockets as Windows has them: TCP, and what nng has in place of Unix sockets, named pipes.
//!
//! A pipe here is a server's or client's end whose reads and writes the poll's completion port tells of. There is always a read
//! under way, and a write goes on by itself after the call has taken the bytes over. So who ends has to wait for both.

use super::claim::Claim;
use super::peer::{End, Peer};
use super::pipe::{self, Plan};
use super::process::Identity;
use crate::os::hash;
use crate::os::step::call;
use crate::os::types::Access;
use crate::{Deadline, Error, ErrorKind, Result};
use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
use mio::windows::NamedPipe;
use mio::{Interest, Registry, Token};
use socket2::{SockAddr, Socket};
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::windows::io::{AsHandle, AsRawHandle, AsRawSocket, FromRawHandle, IntoRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use windows_sys::Win32::Foundation::{ERROR_PIPE_BUSY, HANDLE};
use windows_sys::Win32::Networking::WinSock::{
    POLLRDNORM, POLLWRNORM, SOCKET_ERROR, WSAEINPROGRESS, WSAEMFILE, WSAENOBUFS, WSAEWOULDBLOCK, WSAPOLLFD,
    WSAPoll,
};
use windows_sys::Win32::System::IO::CancelIoEx;

/// The poll tells again only after a call that would have blocked.
pub(crate) const SHORT_READ_EMPTIES: bool = false;

/// Whether `read_waiting` and `write_waiting` wait, so that a single peer can be waited for without a poll.
pub(crate) const CALLS_CAN_WAIT: bool = false;

/// How long they would.
pub(crate) const PATIENCE: Duration = Duration::ZERO;

fn no_unix_sockets() -> Error {
    Error::new(ErrorKind::Unsupported, "there are no Unix sockets here")
        .hint("use tcp://, or ipc://, which is a named pipe here")
}

/// No socket has a path here.
pub(crate) fn expect_socket(_: &Path) -> Result<()> {
    Ok(())
}

pub(crate) fn local_address(_: &str) -> Result<(SockAddr, Option<PathBuf>)> {
    Err(no_unix_sockets())
}

/// The path of a pipe, as nng makes it: the folder of all pipes, and what the address says.
#[derive(Clone, Debug)]
pub(crate) struct PipeName(String);

/// The longest that the system takes.
const LONGEST: usize = 256;

pub(crate) fn pipe_name(path: &str) -> Result<Option<PipeName>> {
    let whole = format!("{}{path}", pipe::FOLDER);
    if path.is_empty() || path.contains('\0') {
        return Err(Error::new(
            ErrorKind::InvalidAddress,
            "the path of a pipe is not empty, and has no NUL in it",
        ));
    }
    let len = whole.encode_utf16().count();
    if len > LONGEST {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("its pipe path {whole} has {len} characters, the system takes at most {LONGEST}"),
        )
        .hint("choose a shorter path"));
    }
    Ok(Some(PipeName(whole)))
}

impl PipeName {
    fn wide(&self) -> Vec<u16> {
        super::wide(&self.0)
    }

    /// The object name of the claim that goes with it. Names of pipes know no case; names of objects have no backslashes.
    fn claim(&self) -> String {
        let key = self.0[pipe::FOLDER.len()..].to_lowercase().replace('\\', "/");
        if CLAIM.len() + key.encode_utf16().count() <= LONGEST {
            return format!("{CLAIM}{key}");
        }
        // A pipe's path may be nearly as long as any name, and a claim's has more before it.
        let start: String = key.chars().take(100).collect();
        format!("{CLAIM}{start}.{:016x}", hash::of(key.as_bytes()))
    }
}

const CLAIM: &str = r"Local\quintet.ipc.";

/// All instances of the pipe have a client, and the server has yet to make another.
pub(crate) fn is_busy(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_PIPE_BUSY.cast_signed())
}

/// That this process is the one that listens at a pipe's name. The pipe itself goes with its last end.
#[derive(Debug)]
pub(crate) struct Name(Mutex<Option<Claim>>);

impl Name {
    pub(crate) fn bind(_: &Socket, _: &Path, _: Access) -> Result<Self> {
        Err(no_unix_sockets())
    }

    pub(crate) fn release(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
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
pub(crate) enum Io {
    Tcp(TcpStream),
    Pipe { pipe: NamedPipe, peer: u32 },
}

/// So much of a long message is read at a time; a pipe gives no more.
const PIECE: usize = 64 * 1024;

/// So much of a message is handed to the system at a time. (It is copied for that.)
const AT_ONCE: usize = 256 * 1024;

impl Io {
    pub(crate) fn new(socket: Socket, _is_local: bool) -> Self {
        Io::Tcp(TcpStream::from_std(socket.into()))
    }

    fn of_pipe(pipe: OwnedHandle) -> NamedPipe {
        // SAFETY: the handle is an open pipe's, made for overlapped I/O, and handed over.
        unsafe { NamedPipe::from_raw_handle(pipe.into_raw_handle()) }
    }

    /// Connects to a server that has room, at once.
    pub(crate) fn connect(name: &PipeName, access: Access) -> io::Result<Self> {
        let pipe = pipe::open_both_ways(&name.wide())
            .map_err(|code| io::Error::from_raw_os_error(code.cast_signed()))?;
        let peer = Peer::of(pipe.as_handle(), End::Client);
        pipe::check_server(pipe.as_handle(), &peer, access).map_err(io::Error::other)?;
        Ok(Io::Pipe {
            pipe: Io::of_pipe(pipe),
            peer: peer.pid,
        })
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token, what: Interest) -> io::Result<()> {
        match self {
            Io::Tcp(stream) => stream.register(registry, token, what),
            // A server's end was watched already, for its client.
            Io::Pipe { pipe, .. } => match pipe.register(registry, token, what) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    pipe.reregister(registry, token, what)
                }
                done => done,
            },
        }
    }

    /// A pipe comes back, as its read, if nothing else, is still under way.
    pub(crate) fn retire(mut self, registry: &Registry) -> Option<Self> {
        match &mut self {
            Io::Tcp(_) => None,
            Io::Pipe { pipe, .. } => pipe.deregister(registry).ok().map(|()| self),
        }
    }

    /// Whether what a call has taken over is on its way; of one that was retired.
    pub(crate) fn is_writing(&self) -> bool {
        match self {
            Io::Tcp(_) => false,
            // It takes nothing any more, and says so unless there is another reason.
            Io::Pipe { pipe, .. } => would_block((&*pipe).write(&[])),
        }
    }

    /// Whether nothing is under way; of one that was retired.
    pub(crate) fn is_idle(&self) -> bool {
        let Io::Pipe { pipe, .. } = self else {
            return true;
        };
        let mut unwanted = [0; 4096];
        let is_reading = loop {
            match (&*pipe).read(&mut unwanted) {
                Ok(1..) => {}
                read => break would_block(read),
            }
        };
        !(is_reading || self.is_writing() || would_block(pipe.connect()))
    }

    pub(crate) fn set_up(&self) -> io::Result<()> {
        match self {
            Io::Tcp(stream) => crate::os::socket::set_up(&socket2::SockRef::from(stream), false),
            Io::Pipe { .. } => Ok(()),
        }
    }

    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Io::Tcp(stream) => (&*stream).read(buf),
            Io::Pipe { pipe, .. } => (&*pipe).read(buf),
        }
    }

    pub(crate) fn read_waiting(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.read(buf)
    }

    pub(crate) fn write_waiting(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(parts)
    }

    pub(crate) fn append_to(&self, buf: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        // Bytes have to be something before they are read to. Of a long message's memory, which is larger by far than what
        // comes at a time, that would be most of the work.
        let mut some = [0; PIECE];
        let got = self.read(&mut some[..most.min(PIECE)])?;
        buf.extend_from_slice(&some[..got]);
        Ok(got)
    }

    pub(crate) fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Io::Tcp(stream) => (&*stream).write_vectored(parts),
            Io::Pipe { pipe, .. } => {
                let mut left = AT_ONCE;
                let some: Vec<IoSlice<'_>> = parts
                    .iter()
                    .map(|part| {
                        let len = part.len().min(left);
                        left -= len;
                        IoSlice::new(&part[..len])
                    })
                    .collect();
                (&*pipe).write_vectored(&some)
            }
        }
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self {
            Io::Tcp(stream) => stream.take_error(),
            Io::Pipe { pipe, .. } => pipe.take_error(),
        }
    }

    pub(crate) fn has_peer(&self) -> io::Result<bool> {
        let Io::Tcp(stream) = self else {
            return Ok(true);
        };
        match stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn is_its_own_peer(&self) -> bool {
        match self {
            Io::Tcp(stream) => crate::os::socket::is_its_own_peer(&socket2::SockRef::from(stream)),
            Io::Pipe { .. } => false,
        }
    }

    pub(crate) fn is_trusted(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// Whether one direction can end without the other.
    pub(crate) fn has_halves(&self) -> bool {
        matches!(self, Io::Tcp(_))
    }

    /// Nothing for one half of a pipe.
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match (self, how) {
            (Io::Tcp(stream), how) => stream.shutdown(how),
            (Io::Pipe { pipe, .. }, Shutdown::Both) => {
                // SAFETY: the pipe is open; all its operations are meant.
                let done = unsafe { CancelIoEx(pipe.as_raw_handle() as HANDLE, std::ptr::null()) };
                match done {
                    0 => Err(io::Error::last_os_error()),
                    _ => Ok(()),
                }
            }
            (Io::Pipe { .. }, _) => Ok(()),
        }
    }

    pub(crate) fn peer(&self) -> String {
        match self {
            Io::Tcp(stream) => stream
                .peer_addr()
                .map_or_else(|_| "a peer".into(), |address| address.to_string()),
            Io::Pipe { peer: 0, .. } => "a peer".into(),
            Io::Pipe { peer, .. } => format!("pid {peer}"),
        }
    }
}

fn would_block<T>(done: io::Result<T>) -> bool {
    done.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// What listens.
#[derive(Debug)]
pub(crate) enum DoorIo {
    Tcp(TcpListener),
    Pipe(PipeDoor),
}

/// The instances of a pipe that wait for clients, of which there are always some: who comes while there is none is told
/// that the pipe is busy.
#[derive(Debug)]
pub(crate) struct PipeDoor {
    plan: Plan,
    ready: Vec<NamedPipe>,
    /// Where the poll tells of them, as soon as it does.
    poll: Option<(Registry, Token)>,
}

/// So many clients can connect at the same moment.
const READY: usize = 8;

impl PipeDoor {
    /// Makes the instances that are missing, and has the poll tell of their clients. Whether one has a client already.
    fn fill(&mut self) -> io::Result<()> {
        let Some((registry, token)) = &self.poll else {
            return Ok(());
        };
        while self.ready.len() < READY {
            let pipe = self.plan.make_another().map_err(io::Error::other)?;
            let mut pipe = Io::of_pipe(pipe);
            pipe.register(registry, *token, Interest::WRITABLE)?;
            self.ready.push(pipe);
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<Io> {
        // Without a free one the name may be lost with the next client that goes.
        self.fill()?;
        for at in 0..self.ready.len() {
            match self.ready[at].connect() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                done => {
                    let pipe = self.ready.swap_remove(at);
                    done?;
                    // Told before as a part of what failed.
                    if let Some(error) = pipe.take_error()? {
                        return Err(error);
                    }
                    let peer = Peer::of(borrowed(&pipe), End::Server).pid;
                    return Ok(Io::Pipe { pipe, peer });
                }
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// The handle, as long as the pipe is there.
fn borrowed(pipe: &NamedPipe) -> std::os::windows::io::BorrowedHandle<'_> {
    // SAFETY: the pipe keeps its handle open, and is borrowed for as long.
    unsafe { std::os::windows::io::BorrowedHandle::borrow_raw(pipe.as_raw_handle()) }
}

impl DoorIo {
    pub(crate) fn new(socket: Socket, _is_local: bool) -> Self {
        DoorIo::Tcp(TcpListener::from_std(socket.into()))
    }

    /// Takes the name, and makes the pipe.
    pub(crate) fn of_pipe(name: &PipeName, access: Access) -> Result<(Self, Name)> {
        let path = name.wide();
        let text = format!("path={}\npid={}\n", name.0, std::process::id());
        let claim = Claim::take(&name.claim(), &text, || pipe::is_there(&path))?.ok_or_else(taken)?;
        let plan = Plan::of_socket(path, access)?;
        let first = plan.make_first(|| false).map_err(|error| match error.kind() {
            ErrorKind::Busy => taken(),
            _ => error,
        })?;
        let door = PipeDoor {
            plan,
            ready: vec![Io::of_pipe(first)],
            poll: None,
        };
        Ok((DoorIo::Pipe(door), Name(Mutex::new(Some(claim)))))
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            DoorIo::Tcp(listener) => listener.register(registry, token, Interest::READABLE),
            DoorIo::Pipe(door) => {
                for pipe in &mut door.ready {
                    pipe.register(registry, token, Interest::WRITABLE)?;
                }
                door.poll = Some((registry.try_clone()?, token));
                Ok(())
            }
        }
    }

    /// The instances that wait for clients, until they are known not to.
    pub(crate) fn deregister(self, registry: &Registry) -> Vec<Io> {
        match self {
            DoorIo::Tcp(mut listener) => {
                let _ = listener.deregister(registry);
                Vec::new()
            }
            DoorIo::Pipe(door) => door
                .ready
                .into_iter()
                .filter_map(|pipe| Io::Pipe { pipe, peer: 0 }.retire(registry))
                .collect(),
        }
    }

    pub(crate) fn accept(&mut self) -> io::Result<Io> {
        match self {
            DoorIo::Tcp(listener) => Ok(Io::Tcp(listener.accept()?.0)),
            DoorIo::Pipe(door) => door.accept(),
        }
    }
}

fn taken() -> Error {
    Error::new(ErrorKind::AlreadyExists, "another program listens there")
        .hint("end the program that has it, or choose another address")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(path: &str) -> String {
        pipe_name(path).unwrap().unwrap().claim()
    }

    #[test]
    fn claims_are_as_different_as_pipes_and_no_longer_than_names_may_be() {
        assert_eq!(claim(r"Folder\Name"), r"Local\quintet.ipc.folder/name");
        for letter in ["x", "é", "🦀"] {
            let most = (LONGEST - pipe::FOLDER.len()) / letter.encode_utf16().count();
            let mut seen = Vec::new();
            for len in 1..=most {
                let claim = claim(&letter.repeat(len));
                assert!(claim.encode_utf16().count() <= LONGEST);
                assert!(!seen.contains(&claim));
                seen.push(claim);
            }
        }
        let long = "Ab".repeat((LONGEST - pipe::FOLDER.len()) / 2);
        assert_eq!(claim(&long), claim(&long.to_uppercase()));
    }
}
