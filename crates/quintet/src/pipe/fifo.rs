//! FIFO files: pipes with a path, as mkfifo(1) makes them. Linux only: Windows has no such files.
//!
//! Any program that can open a file is a peer. Bytes only, one direction, and no way to tell the writers apart: for a
//! conversation take a named pipe.
//!
//! A FIFO is a file like others: it stays until somebody removes it ([`std::fs::remove_file`]), whoever dies. What was
//! written and not read is gone when both ends have closed.
//!
//! ```
//! use quintet::pipe::{Access, fifo};
//! use std::time::Duration;
//!
//! let path = std::env::temp_dir().join(format!("fifo-doc-{}", std::process::id()));
//! fifo::create(&path, Access::CurrentUser)?;
//! let reader = std::thread::spawn({
//!     let path = path.clone();
//!     move || {
//!         let mut text = String::new();
//!         let mut reader = fifo::open_reader(&path, Access::CurrentUser, Duration::from_secs(30))?;
//!         std::io::Read::read_to_string(&mut reader, &mut text).map_err(quintet::Error::from_io)?;
//!         quintet::Result::Ok(text)
//!     }
//! });
//! fifo::open_writer(&path, Access::CurrentUser, Duration::from_secs(30))?.write_all("hello")?;
//! assert_eq!(reader.join().unwrap()?, "hello");
//! std::fs::remove_file(&path).unwrap();
//! # Ok::<(), quintet::Error>(())
//! ```

use super::{Access, Direction, PipeReader, PipeWriter};
use crate::os::fifo as os;
use crate::{Deadline, Result};
use std::path::Path;

/// Makes a FIFO file: mode 0600, or 0666 for everyone.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists) if anything is at the path;
/// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) without its folder.
pub fn create(path: impl AsRef<Path>, access: Access) -> Result<()> {
    let path = path.as_ref();
    os::create(path, access).map_err(|error| error.about(path.display()))
}

/// Whether a FIFO file is at the path.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists) if something else is.
pub fn exists(path: impl AsRef<Path>) -> Result<bool> {
    let path = path.as_ref();
    os::exists(path).map_err(|error| error.about(path.display()))
}

/// Opens a FIFO for reading: waits for the file to be there, and for a writer to write something or to close.
///
/// `access` says whose FIFO is acceptable.
///
/// # Errors
/// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) (`NotFound` if there was no time to wait);
/// [`ErrorKind::PermissionDenied`](crate::ErrorKind::PermissionDenied) for another user's FIFO;
/// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists) if it is something else.
pub fn open_reader(
    path: impl AsRef<Path>,
    access: Access,
    deadline: impl Into<Deadline>,
) -> Result<PipeReader> {
    let path = path.as_ref();
    os::open(path, Direction::In, access, deadline.into())
        .map(PipeReader::new)
        .map_err(|error| error.about(path.display()))
}

/// Opens a FIFO for writing: waits for the file to be there, and for a reader to have it open.
///
/// # Errors
/// Those of [`open_reader`].
pub fn open_writer(
    path: impl AsRef<Path>,
    access: Access,
    deadline: impl Into<Deadline>,
) -> Result<PipeWriter> {
    let path = path.as_ref();
    os::open(path, Direction::Out, access, deadline.into())
        .map(PipeWriter::new)
        .map_err(|error| error.about(path.display()))
}
