//! Unix sockets, of which there are none here yet.

use crate::os::types::Found;
use crate::{Error, ErrorKind, Result};

/// All there are.
pub(crate) fn list() -> Result<Vec<Found>> {
    Ok(Vec::new())
}

/// One socket.
pub(crate) fn stat(_: &str) -> Result<Found> {
    Err(unsupported())
}

/// Removes what a dead process left.
pub(crate) fn remove(_: &str) -> Result<()> {
    Err(unsupported())
}

fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, "there are no Unix sockets on Windows yet")
}
