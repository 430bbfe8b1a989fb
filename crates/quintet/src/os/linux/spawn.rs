//! Starting a child that inherits a descriptor.

use super::fork::PrivateFd;
use crate::{Error, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::io::FdFlags;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Starts the child with the descriptors, under their numbers.
pub(super) fn inheriting(command: &mut Command, fds: &[BorrowedFd<'_>]) -> std::io::Result<Child> {
    let fds: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    // The command may outlive the descriptors and be spawned again, when the numbers may be other files'.
    let armed = Arc::new(AtomicBool::new(true));
    let inherit = {
        let armed = armed.clone();
        move || {
            for fd in fds.iter().filter(|_| armed.load(Ordering::Relaxed)) {
                // SAFETY: the descriptor is open: while `armed`, it is borrowed in the parent, and this runs in the child
                // right after the fork, which has a copy of it.
                let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
                rustix::io::fcntl_setfd(fd, FdFlags::empty())?;
            }
            Ok(())
        }
    };
    // SAFETY: between fork and exec the closure only makes a system call; it takes no lock and no memory, and touches
    // nothing but integers that the parent's other threads do not change.
    unsafe { command.pre_exec(inherit) };
    let child = command.spawn();
    armed.store(false, Ordering::Relaxed);
    child
}

/// Starts the child with one descriptor that no other child has, and closes that here.
pub(super) fn with(command: &mut Command, fd: PrivateFd) -> Result<Child> {
    let started = fd.lend(|| inheriting(command, &[fd.as_fd()]));
    started.map_err(|error| {
        let program = command.get_program().to_string_lossy().into_owned();
        Error::os("cannot start it", error).about(program)
    })
}
