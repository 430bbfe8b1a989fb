//! FIFO files.

use super::anonymous::{End, poll};
use super::process::UserId;
use crate::os::pipe_types::Direction;
use crate::os::step::call;
use crate::os::types::Access;
use crate::wait::{self, Spin};
use crate::{Deadline, Error, ErrorKind, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::path::Path;
use std::time::Duration;

/// While nobody has the other end nothing can be slept on, so look again after this.
const PAUSE: Duration = Duration::from_millis(10);

/// Makes a FIFO file for this user alone, or for everyone.
pub(crate) fn create(path: &Path, access: Access) -> Result<()> {
    let mode = match access {
        Access::CurrentUser => Mode::RUSR | Mode::WUSR,
        Access::Everyone => Mode::from_raw_mode(0o666),
    };
    let failed = |error: Errno| Error::os("cannot make the FIFO", error);
    call(|| rustix::fs::mkfifoat(CWD, path, mode)).map_err(failed)?;
    if access == Access::Everyone {
        // What the umask took away. The path may be another's by now, so only through an open file.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = call(|| rustix::fs::open(path, flags, Mode::empty())).map_err(failed)?;
        call(|| rustix::fs::fchmod(&file, mode)).map_err(failed)?;
    }
    Ok(())
}

/// Whether a FIFO is there; something else there is an error.
pub(crate) fn exists(path: &Path) -> Result<bool> {
    match call(|| rustix::fs::stat(path)) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Fifo => Ok(true),
        Ok(_) => Err(not_a_fifo()),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(Error::os("cannot look at it", error)),
    }
}

fn not_a_fifo() -> Error {
    Error::new(ErrorKind::AlreadyExists, "it is not a FIFO; it is left alone").hint("choose another path")
}

/// Opens one end, once the file is there and somebody has the other end.
pub(crate) fn open(path: &Path, direction: Direction, access: Access, deadline: Deadline) -> Result<End> {
    let end = open_end(path, direction, access, deadline)?;
    if direction.reads() {
        await_writer(&end, deadline)?;
    }
    Ok(end)
}

/// As [`open`], but to read it waits for the file alone: who writes finds a reader from then on. [`await_writer`] is the rest.
pub(crate) fn open_end(path: &Path, direction: Direction, access: Access, deadline: Deadline) -> Result<End> {
    let opened = wait::wait(
        &Spin::default(),
        deadline,
        PAUSE,
        || attempt(path, direction, access),
        |slice| {
            std::thread::sleep(slice);
            Ok(())
        },
    )?;
    let Some(fd) = opened else {
        let why = match exists(path)? {
            false => "there is no FIFO",
            true => "nobody has opened the FIFO for reading",
        };
        return Err(match deadline.is_try() {
            true => Error::new(ErrorKind::NotFound, why).hint("wait for it with a timeout"),
            false => Error::new(ErrorKind::TimedOut, format!("{why}, and the deadline has passed")),
        });
    };
    End::new(fd).map_err(|error| Error::os("cannot use the FIFO", error))
}

/// One try; `None` when the file is not there, or a writer finds no reader.
fn attempt(path: &Path, direction: Direction, access: Access) -> Result<Option<OwnedFd>> {
    let mode = if direction.reads() {
        OFlags::RDONLY
    } else {
        OFlags::WRONLY
    };
    // Without NONBLOCK, opening would wait without a deadline, and something that is no FIFO might do worse.
    let flags = mode | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let fd = match call(|| rustix::fs::open(path, flags, Mode::empty())) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(None),
        // A FIFO that nobody reads; or a socket, which cannot be opened at all.
        Err(Errno::NXIO) => return exists(path).map(|_| None),
        Err(error) => return Err(Error::os("cannot open the FIFO", error)),
    };
    let stat =
        call(|| rustix::fs::fstat(&fd)).map_err(|error| Error::os("cannot look at the FIFO", error))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
        return Err(not_a_fifo());
    }
    if access == Access::CurrentUser && !UserId::from_uid(stat.st_uid).is_trusted() {
        return Err(Error::new(
            ErrorKind::PermissionDenied,
            format!("it belongs to another user (uid {})", stat.st_uid),
        )
        .hint("open it with access everyone if that is meant"));
    }
    Ok(Some(fd))
}

/// Waits for a writer to write or to close: until one has come, reading would say "end", but polling does not.
pub(crate) fn await_writer(end: &End, deadline: Deadline) -> Result<()> {
    loop {
        let mut fds = [PollFd::new(end, PollFlags::IN)];
        poll(&mut fds, Some(deadline.slice(Duration::from_secs(3600))))
            .map_err(|error| Error::os("cannot wait for a writer", error))?;
        if !fds[0].revents().is_empty() {
            return Ok(());
        }
        if deadline.has_passed() {
            return Err(Error::new(
                ErrorKind::TimedOut,
                "nobody wrote into the FIFO before the deadline",
            ));
        }
    }
}
