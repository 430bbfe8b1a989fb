use crate::os::shm as os;
use crate::{Error, Result};
use std::fmt;
use std::process::{Child, Command};

/// Anonymous memory on its way to a child: see [`SharedMemory::for_child`](super::SharedMemory::for_child). It displays as
/// the number under which the child has it.
#[derive(Debug)]
pub struct ChildMemory(os::ForChild);

impl ChildMemory {
    pub(super) fn new(memory: os::ForChild) -> Self {
        ChildMemory(memory)
    }
}

impl fmt::Display for ChildMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Starts a child that is given these memories besides its standard streams.
///
/// The child finds one by its number: give it as an argument, and take it there with
/// [`SharedMemory::inherited`](super::SharedMemory::inherited). No other child gets it; on Windows with the same exception as
/// for pipes ([`pipe::spawn`](crate::pipe::spawn)): one that another thread starts by other means in the very moment.
///
/// ```no_run
/// use quintet::shm::{self, SharedMemory};
/// use std::process::Command;
///
/// let frame = SharedMemory::anonymous(1920 * 1080)?;
/// let theirs = frame.for_child()?;
/// let mut command = Command::new("worker");
/// command.arg(theirs.to_string());
/// let child = shm::spawn(&mut command, [theirs])?;
/// # Ok::<(), quintet::Error>(())
/// ```
///
/// # Errors
/// Those of [`Command::spawn`].
pub fn spawn(command: &mut Command, memories: impl IntoIterator<Item = ChildMemory>) -> Result<Child> {
    os::spawn(command, memories.into_iter().map(|memory| memory.0).collect()).map_err(|error| {
        Error::os(
            format!("cannot start {}", command.get_program().to_string_lossy()),
            error,
        )
    })
}
