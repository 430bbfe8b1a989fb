//! Who is at the other end of a Unix socket.

use super::process::{Identity, UserId};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::io;

/// Pid (0 if it is outside our pid namespace), uid and gid of the process that connected, or that listened, as they
/// were then.
pub(super) fn credentials(socket: impl AsFd) -> io::Result<libc::ucred> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };
    let mut len = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the descriptor is open because it is borrowed; SO_PEERCRED writes at most `len` bytes, which is the size
    // of `peer`, a plain struct of integers that any bytes are valid for; both live across the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &mut len,
        )
    };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(peer)
    }
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
    if let Some(handle) = pidfd(&socket)
        && !is_alive(&handle)
    {
        identity.executable = None;
    }
    Ok(identity)
}

/// The kernel's handle of the peer process; `None` where it has none to give.
fn pidfd(socket: impl AsFd) -> Option<OwnedFd> {
    let mut fd: libc::c_int = -1;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: as for SO_PEERCRED above, with an int.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERPIDFD,
            (&raw mut fd).cast(),
            &mut len,
        )
    };
    // SAFETY: on success the kernel has just installed this descriptor for us, so nothing else owns it.
    (result == 0 && fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
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
