//! Locks on open files: what the kernel releases, at once and whatever happens, when their holder is gone.
//!
//! "OFD" locks (`F_OFD_SETLK`, fcntl(2)) belong to the open file description. They do not conflict with the flock(2)
//! that .NET takes, do not vanish when some other descriptor of the file is closed, and are held as long as any
//! descriptor of that description lives, one inherited by a forked child included.

use rustix::fd::{AsFd, AsRawFd};
use std::io;

/// Takes an exclusive lock on the whole file if nobody has one: whether it was got.
pub(super) fn try_exclusive(file: impl AsFd) -> io::Result<bool> {
    let lock = whole_file(libc::F_WRLCK);
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

/// Whether somebody holds a lock on the file (through another open than `file`).
pub(super) fn is_held(file: impl AsFd) -> io::Result<bool> {
    let mut lock = whole_file(libc::F_WRLCK);
    // SAFETY: `lock` is a valid `flock` that lives across the call, exclusively borrowed for F_OFD_GETLK to write its
    // answer to; the descriptor is open because it is borrowed.
    let result = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), libc::F_OFD_GETLK, &mut lock) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
}

fn whole_file(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        // OFD locks require 0 here.
        l_pid: 0,
    }
}
