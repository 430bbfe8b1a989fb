//! Linux.

pub(crate) mod anonymous;
pub(crate) mod clock;
pub(crate) mod fence;
pub(crate) mod fifo;
mod fork;
mod futex;
pub(crate) mod limits;
mod lock;
pub(crate) mod look;
mod memory;
mod named_file;
pub(crate) mod parking;
mod peer;
pub(crate) mod pipe;
pub(crate) mod process;
mod runtime;
pub(crate) mod segment;
pub(crate) mod shm;
#[cfg(feature = "socket")]
pub(super) mod socket;
mod spawn;
mod sync;
pub(crate) mod token;
#[cfg(feature = "socket")]
pub(crate) mod unix_socket;
pub(crate) mod window;

pub(crate) use sync::{event, many, mutex, semaphore, watch};

use crate::{Error, ErrorKind};
use rustix::io::Errno;
use std::borrow::Cow;

/// The error of a call that makes a descriptor: when there are none left, that is what it says.
fn no_descriptor(what: impl Into<Cow<'static, str>>, error: Errno) -> Error {
    match error {
        Errno::MFILE | Errno::NFILE => Error::new(ErrorKind::Full, format!("{}: {error}", what.into()))
            .hint("close some files or raise the limit of open files (ulimit -n)"),
        error => Error::os(what, error),
    }
}
