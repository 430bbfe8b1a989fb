//! One-way pipes without a name, pipe(2), and FIFO files, which are the same with a name.

use super::{no_descriptor, spawn};
use crate::os::pipe_types::Direction;
use crate::os::step::call;
use crate::wait::{self, Spin};
use crate::{Deadline, Error, ErrorKind, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::fs::{FileType, OFlags};
use rustix::io::{Errno, FdFlags};
use rustix::pipe::PipeFlags;
use std::fmt;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The longest single sleep; a pipe cannot lose a wake-up.
const LONG: Duration = Duration::from_secs(3600);

/// The end of a pipe that this process uses. Non-blocking: who waits here waits in poll(2), with a deadline.
#[derive(Debug)]
pub(crate) struct End {
    fd: OwnedFd,
    spin: Spin,
}

/// The end of a pipe that is for a child: blocking, as programs expect their standard input and output to be.
#[derive(Debug)]
pub(crate) struct ChildEnd(OwnedFd);

/// A new pipe, of which this process reads (`In`) or writes (`Out`).
pub(crate) fn create(ours: Direction) -> Result<(End, ChildEnd)> {
    let failed = |error: Errno| no_descriptor("cannot make a pipe", error);
    let (reader, writer) = call(|| rustix::pipe::pipe_with(PipeFlags::CLOEXEC)).map_err(failed)?;
    let (ours, theirs) = if ours.reads() {
        (reader, writer)
    } else {
        (writer, reader)
    };
    // Not 0, 1 or 2, which a child's own standard streams would replace.
    let theirs = match theirs.as_raw_fd() {
        0..=2 => call(|| rustix::io::fcntl_dupfd_cloexec(&theirs, 3)).map_err(failed)?,
        _ => theirs,
    };
    Ok((End::new(ours).map_err(failed)?, ChildEnd(theirs)))
}

impl End {
    pub(super) fn new(fd: OwnedFd) -> rustix::io::Result<Self> {
        let flags = call(|| rustix::fs::fcntl_getfl(&fd))?;
        call(|| rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK))?;
        Ok(End {
            fd,
            spin: Spin::default(),
        })
    }

    /// Takes the end that this process inherited under a number.
    ///
    /// # Safety
    /// Nothing else in this process owns that descriptor.
    pub(crate) unsafe fn inherited(text: &str, direction: Direction) -> Result<Self> {
        let wrong = |why: String| {
            Error::new(ErrorKind::NotFound, format!("the handle {text:?} {why}"))
                .hint("it has to be passed by pipe::spawn to this very process")
        };
        let number = text.parse().ok().filter(|number: &i32| *number >= 0);
        let number = number.ok_or_else(|| wrong("is not the number of a descriptor".into()))?;
        // SAFETY: the number is not negative, and the borrow ends with this function, in which nothing closes it; a
        // descriptor that is not open only makes the calls on it fail.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        let flags = call(|| rustix::fs::fcntl_getfl(fd))
            .map_err(|error| wrong(format!("was not inherited: {error}")))?;
        let stat =
            call(|| rustix::fs::fstat(fd)).map_err(|error| wrong(format!("cannot be looked at: {error}")))?;
        let mode = if direction.reads() {
            OFlags::RDONLY
        } else {
            OFlags::WRONLY
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
            return Err(wrong("is not a pipe".into()));
        }
        if flags & OFlags::RWMODE != mode {
            return Err(wrong(format!(
                "is the other end of a pipe than the {direction} end"
            )));
        }
        // Not for this process's own children.
        call(|| rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC))
            .map_err(|error| Error::os("cannot keep the handle from children", error))?;
        // SAFETY: it is open, as the calls above have shown, and by this function's contract nobody else's.
        End::new(unsafe { OwnedFd::from_raw_fd(number) })
            .map_err(|error| Error::os("cannot use the handle", error))
    }

    /// Reads what is there, waiting for something; 0 at the end.
    pub(crate) fn read(&self, buf: &mut [u8], deadline: Deadline) -> Result<usize> {
        let read = wait::wait(
            &self.spin,
            deadline,
            LONG,
            || match call(|| rustix::io::read(&self.fd, &mut *buf)) {
                Ok(len) => Ok(Some(len)),
                Err(Errno::AGAIN) => Ok(None),
                Err(error) => Err(Error::os("cannot read", error)),
            },
            |slice| self.park(PollFlags::IN, slice),
        )?;
        read.ok_or_else(|| Error::new(ErrorKind::TimedOut, "nothing came before the deadline"))
    }

    /// Writes what fits, waiting for room for something.
    pub(crate) fn write(&self, data: &[u8], deadline: Deadline) -> Result<usize> {
        let written = wait::wait(
            &self.spin,
            deadline,
            LONG,
            || match call(|| rustix::io::write(&self.fd, data)) {
                Ok(len) => Ok(Some(len)),
                Err(Errno::AGAIN) => Ok(None),
                Err(Errno::PIPE) => Err(Error::new(
                    ErrorKind::Disconnected,
                    "nobody reads the pipe any more",
                )),
                Err(error) => Err(Error::os("cannot write", error)),
            },
            |slice| self.park(PollFlags::OUT, slice),
        )?;
        written.ok_or_else(|| Error::new(ErrorKind::TimedOut, "the reader made no room before the deadline"))
    }

    pub(super) fn park(&self, what: PollFlags, slice: Duration) -> Result<()> {
        call(|| poll(&mut [PollFd::new(&self.fd, what)], Some(slice)))
            .map_err(|error| Error::os("cannot wait for the pipe", error))
    }
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl fmt::Display for ChildEnd {
    /// The number under which a child inherits it, as .NET's `GetClientHandleAsString` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_raw_fd().fmt(f)
    }
}

impl From<ChildEnd> for Stdio {
    fn from(end: ChildEnd) -> Self {
        end.0.into()
    }
}

/// Starts a child that inherits these ends under their numbers, and closes them here.
pub(crate) fn spawn(command: &mut Command, ends: Vec<ChildEnd>) -> io::Result<Child> {
    let fds: Vec<_> = ends.iter().map(|end| end.0.as_fd()).collect();
    spawn::inheriting(command, &fds)
}

/// poll(2), where being interrupted counts as having slept.
pub(super) fn poll(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> rustix::io::Result<()> {
    let timeout = timeout.map(|timeout| Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    match rustix::event::poll(fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error),
    }
}

impl AsFd for crate::pipe::PipeReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end().as_fd()
    }
}

impl AsFd for crate::pipe::PipeWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end().as_fd()
    }
}
