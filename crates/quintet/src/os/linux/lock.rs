//! Locks on open files: what the kernel releases, at once and whatever happens, when their holder is gone.
//!
//! "OFD" locks (`F_OFD_SETLK`, fcntl(2)) belong to the open file description. They do not conflict with the flock(2)
//! that .NET takes, do not vanish when some other descriptor of the file is closed, and are held as long as any
//! descriptor of that description lives, one inherited by a forked child included.

use rustix::fd::{AsFd, AsRawFd};
use std::io;

/// Which bytes of the file. They need not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    start: i64,
    /// 0: to the end, however far that is.
    len: i64,
}

impl Range {
    pub(super) const WHOLE_FILE: Range = Range { start: 0, len: 0 };

    pub(super) const fn byte(at: i64) -> Self {
        Range::bytes(at, 1)
    }

    pub(super) const fn bytes(start: i64, len: i64) -> Self {
        Range { start, len }
    }
}

/// Takes an exclusive lock if nobody else has any: whether it was got. A shared one of our own becomes exclusive, and
/// stays shared if that fails.
pub(super) fn try_exclusive(file: impl AsFd, range: Range) -> io::Result<bool> {
    set(file, libc::F_WRLCK, range)
}

/// Takes a shared lock if nobody else has an exclusive one: whether it was got. An exclusive one of our own becomes
/// shared.
pub(super) fn try_shared(file: impl AsFd, range: Range) -> io::Result<bool> {
    set(file, libc::F_RDLCK, range)
}

/// Gives a lock back.
pub(super) fn unlock(file: impl AsFd, range: Range) -> io::Result<()> {
    set(file, libc::F_UNLCK, range).map(drop)
}

fn set(file: impl AsFd, kind: libc::c_int, range: Range) -> io::Result<bool> {
    let lock = request(kind, range);
    // SAFETY: `lock` is a valid `flock` that lives across the call, and F_OFD_SETLK only reads it; the descriptor is
    // open because it is borrowed.
    let result = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), libc::F_OFD_SETLK, &lock) };
    if result == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

/// Whether somebody holds a lock on it (through another open than `file`).
pub(super) fn is_held(file: impl AsFd, range: Range) -> io::Result<bool> {
    conflicts(file, libc::F_WRLCK, range)
}

/// Whether somebody holds an exclusive lock on it, as only those can who may write the file.
pub(super) fn is_held_alone(file: impl AsFd, range: Range) -> io::Result<bool> {
    conflicts(file, libc::F_RDLCK, range)
}

/// Whether somebody has a lock beside which there cannot be one of that kind.
fn conflicts(file: impl AsFd, kind: libc::c_int, range: Range) -> io::Result<bool> {
    let mut lock = request(kind, range);
    // SAFETY: `lock` is a valid `flock` that lives across the call, exclusively borrowed for F_OFD_GETLK to write its
    // answer to; the descriptor is open because it is borrowed.
    let result = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), libc::F_OFD_GETLK, &mut lock) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
}

/// Takes a write lease, fcntl(2): `EAGAIN` if anybody else has the file open.
pub(super) fn try_lease(file: impl AsFd) -> rustix::io::Result<()> {
    let fd = file.as_fd().as_raw_fd();
    // Whoever opens the file makes the kernel send us a signal: one that is ignored unless somebody handles it.
    // SAFETY: both calls take plain values; the descriptor is open because it is borrowed.
    let done = unsafe {
        libc::fcntl(fd, F_SETSIG, libc::SIGURG) == 0 && libc::fcntl(fd, libc::F_SETLEASE, libc::F_WRLCK) == 0
    };
    if done { Ok(()) } else { Err(last_errno()) }
}

/// Gives the lease back.
pub(super) fn end_lease(file: impl AsFd) -> rustix::io::Result<()> {
    // SAFETY: takes plain values; the descriptor is open because it is borrowed.
    let done = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) };
    if done == 0 { Ok(()) } else { Err(last_errno()) }
}

fn last_errno() -> rustix::io::Errno {
    rustix::io::Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(rustix::io::Errno::IO)
}

/// From asm-generic/fcntl.h; the libc crate does not have it for all targets.
const F_SETSIG: libc::c_int = 10;

fn request(kind: libc::c_int, range: Range) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: range.start,
        l_len: range.len,
        // OFD locks require 0 here.
        l_pid: 0,
    }
}
