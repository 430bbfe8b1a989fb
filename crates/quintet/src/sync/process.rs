use crate::os::watch::Process as OsProcess;
use crate::{Deadline, Result};
use std::process::Child;

/// Another process, to wait for its end.
///
/// It stays that process: when it has ended, whoever gets its number is not meant.
///
/// ```
/// use quintet::sync::Process;
/// use std::process::Command;
///
/// # #[cfg(windows)]
/// # let mut worker = { let mut cmd = Command::new("cmd"); cmd.args(["/C", "exit"]); cmd };
/// # #[cfg(not(windows))]
/// let mut worker = Command::new("true");
/// let mut child = worker.spawn().unwrap();
/// let process = Process::of_child(&child)?;
/// process.wait()?; // the child is still a zombie on Linux: collect it
/// assert!(process.has_ended()?);
/// child.wait().unwrap();
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Process(OsProcess);

impl Process {
    /// The process that has this number now.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is none;
    /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied) on Windows if it is not ours to look at.
    pub fn open(pid: u32) -> Result<Self> {
        OsProcess::open(pid).map(Process)
    }

    /// A child of this process that has not been waited for (so that its number is its own).
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) on Linux if it has been waited for.
    pub fn of_child(child: &Child) -> Result<Self> {
        OsProcess::of_child(child).map(Process)
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended. On Linux that includes a zombie: one whose parent has not waited for it yet.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn has_ended(&self) -> Result<bool> {
        self.0.has_ended()
    }

    /// Waits until it ends, as long as it takes.
    ///
    /// # Errors
    /// When the system does not let us wait.
    pub fn wait(&self) -> Result<()> {
        self.wait_timeout(Deadline::NEVER)
    }

    /// As [`wait`](Self::wait), until a deadline.
    ///
    /// # Errors
    /// [`TimedOut`](crate::ErrorKind::TimedOut) besides those of `wait`.
    pub fn wait_timeout(&self, deadline: impl Into<Deadline>) -> Result<()> {
        self.0
            .wait(deadline.into())
            .map_err(|error| error.about(format_args!("process {}", self.id())))
    }

    pub(crate) fn inner(&self) -> &OsProcess {
        &self.0
    }
}
