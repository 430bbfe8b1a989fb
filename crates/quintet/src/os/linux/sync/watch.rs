//! Other processes, to wait for their end.

use super::super::anonymous::poll;
use crate::os::linux::no_descriptor;
use crate::os::step::call;
use crate::{Deadline, Error, ErrorKind, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};
use std::process::Child;
use std::time::Duration;

/// The longest single sleep; the kernel loses no wake-up.
pub(super) const LONG: Duration = Duration::from_secs(3600);

/// Another process, by a descriptor that stays its, whoever gets its number after it.
#[derive(Debug)]
pub(crate) struct Process {
    pidfd: OwnedFd,
    pid: u32,
}

impl Process {
    pub(crate) fn open(pid: u32) -> Result<Self> {
        let none = || Error::new(ErrorKind::NotFound, format!("there is no process {pid}"));
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(none)?;
        match call(|| rustix::process::pidfd_open(number, PidfdFlags::empty())) {
            Ok(pidfd) => Ok(Process { pidfd, pid }),
            Err(Errno::SRCH | Errno::INVAL) => Err(none()),
            Err(error) => Err(no_descriptor(format!("cannot watch process {pid}"), error)),
        }
    }

    /// A child that has not been waited for; so its number is still its own.
    pub(crate) fn of_child(child: &Child) -> Result<Self> {
        Process::open(child.id())
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid
    }

    pub(crate) fn has_ended(&self) -> Result<bool> {
        self.poll(Duration::ZERO)
    }

    pub(crate) fn wait(&self, deadline: Deadline) -> Result<()> {
        loop {
            let over = deadline.has_passed();
            if self.poll(deadline.slice(LONG))? {
                return Ok(());
            }
            if over {
                return Err(Error::new(
                    ErrorKind::TimedOut,
                    "it did not end before the deadline",
                ));
            }
        }
    }

    fn poll(&self, time: Duration) -> Result<bool> {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        call(|| poll(&mut fds, Some(time)))
            .map_err(|error| Error::os("cannot wait for the process", error))?;
        Ok(!fds[0].revents().is_empty())
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl AsFd for crate::sync::Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner().as_fd()
    }
}
