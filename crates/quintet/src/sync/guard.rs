use crate::Result;
use crate::os::mutex::Mutex as OsMutex;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::process::{Child, Command};
use std::sync::Arc;

/// That this thread has a [`Mutex`](super::Mutex); dropped, it has not (once for each time that it locked it).
///
/// It belongs to the thread, so it cannot be sent to another one. If it is leaked, the mutex is abandoned when the
/// thread ends.
///
/// ```
/// # let name = format!("guard-doc-{}", std::process::id());
/// let mutex = quintet::sync::Mutex::create_or_open(&name)?;
/// let first = mutex.lock()?;
/// let again = mutex.lock()?; // the same thread
/// drop(again);
/// assert!(mutex.is_locked()?);
/// drop(first);
/// assert!(!mutex.is_locked()?);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a guard that is not kept unlocks at once"]
pub struct MutexGuard<'a> {
    mutex: &'a Arc<OsMutex>,
    abandoned: bool,
    _of_this_thread: PhantomData<*const ()>,
}

impl<'a> MutexGuard<'a> {
    #[inline]
    pub(super) fn new(mutex: &'a Arc<OsMutex>, abandoned: bool) -> Self {
        MutexGuard {
            mutex,
            abandoned,
            _of_this_thread: PhantomData,
        }
    }

    /// Whether the last owner, a process or a thread, ended without unlocking: what the mutex guards may be half done.
    /// This thread has the mutex all the same; once it unlocks, the mutex is as good as new.
    pub fn was_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Unlocks it, as dropping does, and says whether that worked.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if some process has written into the mutex's memory.
    pub fn unlock(self) -> Result<()> {
        ManuallyDrop::new(self).mutex.unlock()
    }

    /// Starts a child that never runs without the mutex being held: should this process die, the mutex is not free until
    /// the child has ended too.
    ///
    /// On Linux the child inherits a descriptor and holds the mutex as long as that is open; unlocking while it runs leaves
    /// the mutex to the child, and when that ends, the next owner is told that it was abandoned.
    ///
    /// On Windows a mutex is a thread's and nobody else's. So there the child, with its own children, is put into a job and
    /// *ended* when this thread unlocks the mutex for the last time, or ends, or its process does. Wait for the child first.
    /// The command's `creation_flags` are replaced.
    ///
    /// # Errors
    /// When the child cannot be started: the mutex stays locked by this thread.
    ///
    /// ```
    /// # let name = format!("guard-spawn-doc-{}", std::process::id());
    /// # let mutex = quintet::sync::Mutex::create_or_open(&name)?;
    /// use std::process::Command;
    /// let guard = mutex.lock()?;
    /// # #[cfg(windows)]
    /// # let mut worker = { let mut cmd = Command::new("cmd"); cmd.args(["/C", "exit"]); cmd };
    /// # #[cfg(not(windows))]
    /// let mut worker = Command::new("true");
    /// let mut child = guard.spawn(&mut worker)?;
    /// child.wait().unwrap();
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn spawn(&self, command: &mut Command) -> Result<Child> {
        self.mutex.spawn(command)
    }
}

impl Drop for MutexGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // It fails only where hostile memory is at work, which the next call on the mutex says.
        let _ = self.mutex.unlock();
    }
}
