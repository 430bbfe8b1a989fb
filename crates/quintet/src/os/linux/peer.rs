//! Who is at the other end of a Unix socket.

use super::process::{Identity, UserId};
use crate::os::step::call;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::io;

/// Pid (0 if it is outside our pid namespace), uid and gid of the process that connected, or that listened, as they
/// were then.
pub(super) fn credentials(socket: impl AsFd) -> io::Result<libc::ucred> {
    let unknown = libc::ucred {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };
    // SAFETY: SO_PEERCRED writes a `ucred`, a plain struct of integers that any bytes are valid for.
    call(|| unsafe { socket_option(socket.as_fd(), libc::SO_PEERCRED, unknown) })
}

/// Asks for an option of a socket, of level SOL_SOCKET.
///
/// # Safety
/// Any bytes that the kernel writes for this option are a valid `T`.
unsafe fn socket_option<T>(socket: BorrowedFd<'_>, option: libc::c_int, mut value: T) -> io::Result<T> {
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the descriptor is open because it is borrowed; the kernel writes at most `len` bytes, which is the size of
    // `value`; both live across the call, and what is written is a `T` by this function's contract.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw mut value).cast(),
            &mut len,
        )
    };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(value)
    }
}

/// Bytes that were sent into this socket and not been read at the other end yet.
pub(super) fn unread_by_peer(socket: impl AsFd) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open because it is borrowed; SIOCOUTQ (which is TIOCOUTQ) writes one int, which lives
    // across the call.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &mut bytes) };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(usize::try_from(bytes).unwrap_or(0))
    }
}

/// Takes the error that the kernel keeps for the next call on this socket; 0 for none.
pub(super) fn take_error(socket: impl AsFd) -> io::Result<i32> {
    // SAFETY: SO_ERROR writes an int.
    unsafe { socket_option(socket.as_fd(), libc::SO_ERROR, 0) }
}

/// The user of a peer.
pub(super) fn user(peer: &libc::ucred) -> UserId {
    UserId::from_uid(peer.uid)
}

/// Everything that can be known of the peer.
pub(super) fn identity(socket: impl AsFd) -> io::Result<Identity> {
    let peer = credentials(&socket)?;
    let mut identity = Identity::of_pid(peer.pid.cast_unsigned(), Some(user(&peer)));
    // The pid may be another process's by now, whose executable that would be. Where the kernel has a handle of the
    // peer (Linux 6.5), it tells whether the peer was alive until after we looked.
    match pidfd(&socket) {
        Ok(handle) if is_alive(&handle) => {}
        // A kernel without such handles: it is most probably the peer.
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => {}
        // It has ended, or may have.
        _ => identity.executable = None,
    }
    Ok(identity)
}

/// The kernel's handle of the peer process.
fn pidfd(socket: impl AsFd) -> io::Result<OwnedFd> {
    // SAFETY: SO_PEERPIDFD writes an int.
    let fd = unsafe { socket_option(socket.as_fd(), libc::SO_PEERPIDFD, -1) }?;
    if fd < 0 {
        return Err(io::ErrorKind::NotFound.into());
    }
    // SAFETY: the kernel has just installed this descriptor for us, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A handle of a process becomes readable when the process ends.
fn is_alive(handle: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(handle, PollFlags::IN)];
    rustix::event::poll(
        &mut fds,
        Some(&Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    ) == Ok(0)
}
