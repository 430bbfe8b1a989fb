//! The sockets by which a sender comes to a receiver: to say who it is, by the kernel's word, and to hand over memory.

use super::closing::{self, Connection};
use super::roll;
use crate::os::linux::anonymous::poll;
use crate::os::linux::fork::PrivateFd;
use crate::os::linux::pipe::message;
use crate::os::linux::process::{Identity, UserId};
use crate::os::linux::{clock, no_descriptor, peer, runtime};
use crate::os::step::call;
use crate::os::types::Access;
use crate::{Deadline, Error, ErrorKind, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::Mode;
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType,
};
use std::mem::MaybeUninit;
use std::time::Duration;

/// How many may have connected and not been heard yet. The kernel may have a lower limit.
pub(super) const BACKLOG: i32 = 4096;

/// Bytes of a packet.
const PACKET: usize = 16;
const HELLO: u64 = u64::from_le_bytes(*b"QUINTETw");
const NO_DESK: u64 = u64::MAX;

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

fn new() -> Result<PrivateFd> {
    PrivateFd::open(|| {
        call(|| rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None))
    })
    .map_err(|error| no_descriptor("cannot make a socket", error))
}

/// Lets others connect to a desk, which is ours, by that name in the runtime folder.
pub(super) fn listen(key: &str) -> Result<PrivateFd> {
    let socket = new()?;
    // The file that bind makes has the mode of the open socket.
    call(|| rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR))
        .map_err(|error| Error::os("cannot set the socket's mode", error))?;
    runtime::bind(&socket, key)?;
    call(|| rustix::net::listen(&socket, BACKLOG)).map_err(|error| Error::os("cannot listen", error))?;
    Ok(socket)
}

/// Lets other users connect: the number of the socket, by which they find it. It is a name in no folder, which is gone with the
/// process. (So both have to be in one network namespace.)
pub(super) fn listen_openly() -> Result<(PrivateFd, u64)> {
    const TRIES: u64 = 1000;
    let socket = new()?;
    // Somebody may have taken one name or the other, but not all: who connects asks whose it is.
    let first = clock::since_start() ^ u64::from(std::process::id()) << 32;
    for number in (0..TRIES).map(|more| first.wrapping_add(more)) {
        match call(|| rustix::net::bind(&socket, &open_address(number)?)) {
            Ok(()) => {
                let listening = call(|| rustix::net::listen(&socket, BACKLOG));
                listening.map_err(|error| Error::os("cannot listen", error))?;
                return Ok((socket, number));
            }
            Err(Errno::ADDRINUSE) => {}
            Err(error) => return Err(Error::os("cannot name a socket for other users", error)),
        }
    }
    Err(Error::new(
        ErrorKind::Full,
        "all names for a socket for other users are taken",
    ))
}

fn open_address(number: u64) -> rustix::io::Result<SocketAddrUnix> {
    SocketAddrUnix::new_abstract_name(format!("quintet-window-{number:016x}").as_bytes())
}

/// One who has connected, and who it is; `None` if there is nobody. Those to whom it is not open are turned away.
pub(super) fn accept(listener: &PrivateFd, access: Access) -> Result<Option<(Connection, Identity)>> {
    loop {
        let accept = || call(|| rustix::net::accept_with(listener, FLAGS));
        let socket = match PrivateFd::open(accept) {
            Ok(socket) => socket,
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::CONNABORTED) => continue,
            Err(error) => return Err(no_descriptor("cannot accept a sender", error)),
        };
        let user = peer::credentials(&socket).map_or(closing::SOMEBODY, |there| there.uid);
        let socket = Connection::new(socket, (access == Access::Everyone).then_some(user));
        let Ok(identity) = peer::identity(&*socket) else {
            continue;
        };
        if access == Access::Everyone || identity.user.as_ref().is_some_and(|user| user.is_trusted()) {
            return Ok(Some((socket, identity)));
        }
    }
}

/// Connects to a desk: `None` if nobody is there.
pub(super) fn connect(key: &str, deadline: Deadline) -> Result<Option<Connection>> {
    let path = runtime::path().join(key);
    let address = SocketAddrUnix::new(&path)
        .map_err(|error| Error::os("its path does not fit a socket address", error))?;
    connect_to(&address, None, deadline)
}

/// Connects to the thread of another user that listens openly.
pub(super) fn connect_openly(number: u64, user: u32, deadline: Deadline) -> Result<Option<Connection>> {
    let address = open_address(number).map_err(|error| Error::os("cannot address its socket", error))?;
    connect_to(&address, Some(user), deadline)
}

/// Connects, if it is that user who answers, or one whom we trust.
fn connect_to(address: &SocketAddrUnix, user: Option<u32>, deadline: Deadline) -> Result<Option<Connection>> {
    let socket = Connection::new(new()?, user);
    let is_he = |there: &UserId| match user {
        Some(user) => *there == UserId::from_uid(user),
        None => there.is_trusted(),
    };
    // While too many have connected and wait nothing can be slept on. That many are never seen unless the machine's limit
    // is low, or the thread is stopped and somebody means harm.
    const TRIES: u32 = 2000;
    for _ in 0..TRIES {
        match call(|| rustix::net::connect(&*socket, address)) {
            Ok(()) => {
                let cannot = |error| Error::os("cannot see whose window it is", error);
                let there = call(|| peer::credentials(&*socket)).map_err(cannot)?;
                if !is_he(&peer::user(&there)) {
                    return Err(Error::new(
                        ErrorKind::PermissionDenied,
                        format!("who answers there is another user (uid {})", there.uid),
                    ));
                }
                return Ok(Some(socket));
            }
            Err(Errno::NOENT | Errno::CONNREFUSED) => return Ok(None),
            Err(Errno::AGAIN) if deadline.is_try() => break,
            Err(Errno::AGAIN) if deadline.has_passed() => {
                return Err(Error::new(
                    ErrorKind::TimedOut,
                    "there was no place before the deadline to connect to the window's thread",
                ));
            }
            Err(Errno::AGAIN) => std::thread::sleep(deadline.slice(Duration::from_millis(1))),
            Err(error) => return Err(Error::os("cannot connect to the window's thread", error)),
        }
    }
    Err(Error::new(
        ErrorKind::Full,
        "too many have connected to the window's thread, which does not hear them",
    ))
}

/// Says hello: from which desk (none of another user's that has one), and with which lane.
pub(super) fn say_hello(socket: &PrivateFd, desk: Option<usize>, lane: &OwnedFd) -> Result<()> {
    hand_over(socket, HELLO, desk.map_or(NO_DESK, |desk| desk as u64), lane)
}

/// Hands over a file that the record of that number speaks of, before that.
pub(super) fn attach(socket: &PrivateFd, number: u64, file: &OwnedFd) -> Result<()> {
    hand_over(socket, number, 0, file)
}

fn hand_over(socket: &PrivateFd, first: u64, second: u64, file: &OwnedFd) -> Result<()> {
    use rustix::fd::AsFd;
    let mut packet = [0; PACKET];
    packet[..8].copy_from_slice(&first.to_le_bytes());
    packet[8..].copy_from_slice(&second.to_le_bytes());
    let fds: [BorrowedFd<'_>; 1] = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let sent = call(|| {
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        rustix::net::sendmsg(
            socket,
            &[IoSlice::new(&packet)],
            &mut control,
            SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        )
    });
    match sent {
        Ok(_) => Ok(()),
        Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => Err(roll::no_window()),
        Err(Errno::AGAIN | Errno::TOOMANYREFS | Errno::NOBUFS) => Err(Error::new(
            ErrorKind::Full,
            "too much has been handed over to the window's thread that it has not taken",
        )),
        Err(error) => Err(Error::os("cannot hand memory over to the window's thread", error)),
    }
}

/// What a sender said first.
#[derive(Debug)]
pub(super) enum Hello {
    /// Its desk, if it has one, and its lane.
    From(Option<usize>, OwnedFd),
    /// Nothing yet.
    NotYet,
    /// Nothing that makes sense; or it has gone.
    No,
}

pub(super) fn hear_hello(socket: &Connection) -> Hello {
    match take(socket) {
        Ok(Some((HELLO, NO_DESK, lane))) => Hello::From(None, lane),
        Ok(Some((HELLO, desk, lane))) if desk < roll::DESKS as u64 => Hello::From(Some(desk as usize), lane),
        Ok(None) => Hello::NotYet,
        _ => Hello::No,
    }
}

/// The file that the record of that number speaks of; `None` if the next one handed over is another.
pub(super) fn take_attached(socket: &Connection, number: u64) -> Option<OwnedFd> {
    match take(socket) {
        Ok(Some((first, _, file))) if first == number => Some(file),
        _ => None,
    }
}

/// The next packet and what came with it; `None` if there is none. What makes no sense stays there: for who closes the connection.
fn take(socket: &Connection) -> Result<Option<(u64, u64, OwnedFd)>> {
    let mut packet = [0; PACKET];
    let mut receive = |flags| {
        call(|| {
            let mut parts = [IoSliceMut::new(&mut packet)];
            message::receive(&**socket, &mut parts, flags | RecvFlags::DONTWAIT)
        })
    };
    // Looked at first: what there may be besides what is taken would be closed by taking it.
    let received = match receive(RecvFlags::PEEK) {
        Ok(received) => received,
        Err(Errno::AGAIN) => return Ok(None),
        Err(error) => return Err(Error::os("cannot hear a sender", error)),
    };
    let is_one = received.fds.len() == 1 && received.len == PACKET && !received.cut && !received.lost;
    let mut file = None;
    for other in received.fds {
        match (other, socket.stranger()) {
            (memory, _) if is_one && is_sealed_memory(&memory) => file = Some(memory),
            (other, Some(user)) => closing::close(user, other),
            (_, None) => {}
        }
    }
    let file = file.ok_or_else(super::lane::nonsense)?;
    // The same one: nobody else takes any.
    receive(RecvFlags::empty()).map_err(|error| Error::os("cannot hear a sender", error))?;
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&packet[at..at + 8]);
        u64::from_le_bytes(word)
    };
    Ok(Some((word(0), word(8), file)))
}

/// Whether it is a file in memory, of the kind that can be sealed, and small pages: a store to those does not fail where there is room for
/// them.
fn is_sealed_memory(file: &OwnedFd) -> bool {
    // In this order: the first asks no file system of the other's.
    call(|| rustix::fs::fcntl_get_seals(file)).is_ok()
        && call(|| rustix::fs::fstatfs(file)).is_ok_and(|of| of.f_type as u64 == libc::TMPFS_MAGIC as u64)
}

/// Whether the other side has closed, as all do that die.
pub(super) fn is_hung_up(socket: &PrivateFd) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::empty())];
    match call(|| poll(&mut fds, Some(Duration::ZERO))) {
        Ok(()) => fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR),
        Err(_) => false,
    }
}
