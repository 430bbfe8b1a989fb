//! Unix sockets seen from outside: what is there, and whether anybody serves it.

use super::pipe::{self, Kind, SocketTable};
use super::window;
use crate::os::types::Found;
use crate::{Error, ErrorKind, Result};
use std::path::Path;

/// All that processes of Quintet's listen at, or left, as paths. (Those of windows, of which the mechanism is another one, are
/// taken away if dead processes left them.)
pub(crate) fn list() -> Result<Vec<Found>> {
    window::sweep();
    Ok(pipe::list_plain())
}

/// One socket.
pub(crate) fn stat(path: &str) -> Result<Found> {
    pipe::stat_plain(in_the_file_system(path)?, &SocketTable::read())
}

/// Removes what a dead process left.
pub(crate) fn remove(path: &str) -> Result<()> {
    pipe::remove_at(Kind::Plain, in_the_file_system(path)?)
}

fn in_the_file_system(path: &str) -> Result<&Path> {
    match path.starts_with('@') {
        true => Err(Error::new(
            ErrorKind::Unsupported,
            "an abstract name has no file: it goes with its process",
        )),
        false => Ok(Path::new(path)),
    }
}
