use crate::os::semaphore::{Lot, Semaphore as OsSemaphore};
use crate::{Error, ErrorKind, Result};
use std::mem;
use std::process::{Child, Command};
use std::sync::Arc;

/// One permit of a [`Semaphore`](super::Semaphore): it comes back when this is dropped, or when the process ends, by
/// whatever means; exactly once.
///
/// It belongs to the process: any of its threads may hold and drop it. A forked child has a copy that holds nothing.
///
/// ```
/// use quintet::sync::{Permit, Semaphore};
///
/// # let name = format!("permit-doc-{}", std::process::id());
/// let semaphore = Semaphore::create_or_open(&name, 1, 1)?;
/// let permit: Permit<'static> = semaphore.acquire()?.into_owned();
/// assert!(semaphore.try_acquire()?.is_none());
/// std::thread::spawn(move || drop(permit)).join().unwrap();
/// assert!(semaphore.try_acquire()?.is_some());
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a permit that is not kept goes back at once"]
pub struct Permit<'a> {
    semaphore: Holder<'a>,
    /// There until it is given back.
    lot: Option<Lot>,
}

#[derive(Debug)]
enum Holder<'a> {
    Borrowed(&'a Arc<OsSemaphore>),
    Owned(Arc<OsSemaphore>),
}

impl Holder<'_> {
    fn semaphore(&self) -> &OsSemaphore {
        match self {
            Holder::Borrowed(semaphore) => semaphore,
            Holder::Owned(semaphore) => semaphore,
        }
    }
}

impl<'a> Permit<'a> {
    #[inline]
    pub(super) fn new(semaphore: &'a Arc<OsSemaphore>, lot: Lot) -> Self {
        Permit {
            semaphore: Holder::Borrowed(semaphore),
            lot: Some(lot),
        }
    }

    /// Whether permits of a holder that died have come back, and this is the first one acquired since: what it guards may
    /// have been left half done. Of several that came back at once only the first is marked.
    ///
    /// ```
    /// # let name = format!("permit-abandoned-doc-{}", std::process::id());
    /// # let semaphore = quintet::sync::Semaphore::create_or_open(&name, 1, 1)?;
    /// let permit = semaphore.acquire()?;
    /// if permit.was_abandoned() {
    ///     // look at what the last one left
    /// }
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn was_abandoned(&self) -> bool {
        self.lot.as_ref().is_some_and(|lot| lot.abandoned)
    }

    /// The same permit, no longer tied to the semaphore's variable; it keeps the semaphore open.
    pub fn into_owned(mut self) -> Permit<'static> {
        let semaphore = match &self.semaphore {
            Holder::Borrowed(semaphore) => Arc::clone(semaphore),
            Holder::Owned(semaphore) => semaphore.clone(),
        };
        Permit {
            semaphore: Holder::Owned(semaphore),
            lot: self.lot.take(),
        }
    }

    /// Gives it back, as dropping does, and says whether that worked.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if some process has written into the semaphore's memory.
    pub fn release(mut self) -> Result<()> {
        match self.lot.take() {
            Some(lot) => self.semaphore.semaphore().give_back(lot),
            None => Ok(()),
        }
    }

    /// Keeps it taken for good, as after a [`wait`](super::Semaphore::wait): it comes back only when somebody releases one.
    /// (`mem::forget` only keeps it for as long as this process has the semaphore open.)
    ///
    /// # Errors
    /// As [`release`](Self::release).
    pub fn forget(mut self) -> Result<()> {
        match self.lot.take() {
            Some(lot) => self.semaphore.semaphore().forget(lot),
            None => Ok(()),
        }
    }

    /// Starts a child that holds the permit as well: it comes back when both are gone, this `Permit` (dropped, or its
    /// process dead) and the child. If the child is the last, waiters see it within 100 ms of its end.
    ///
    /// The child need not know. On Linux it inherits a descriptor, and as long as it, or a process that inherits it from
    /// there, keeps that open, it holds the permit. On Windows it is given handles, which its own children do not get; the
    /// command's `creation_flags` are replaced. May be called again for more children.
    ///
    /// # Errors
    /// When the child cannot be started, or on Linux without a free descriptor or one of the 1,022 places of the semaphore:
    /// the permit stays as it is.
    ///
    /// ```
    /// # let name = format!("permit-spawn-doc-{}", std::process::id());
    /// # let semaphore = quintet::sync::Semaphore::create_or_open(&name, 1, 1)?;
    /// use std::process::Command;
    /// let mut permit = semaphore.acquire()?;
    /// # #[cfg(windows)]
    /// # let mut worker = { let mut cmd = Command::new("cmd"); cmd.args(["/C", "exit"]); cmd };
    /// # #[cfg(not(windows))]
    /// let mut worker = Command::new("true");
    /// let mut child = permit.spawn(&mut worker)?;
    /// child.wait().unwrap();
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn spawn(&mut self, command: &mut Command) -> Result<Child> {
        match &mut self.lot {
            Some(lot) => self.semaphore.semaphore().spawn(lot, command),
            None => Err(Error::new(ErrorKind::NotFound, "the permit is gone")),
        }
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(lot) = mem::take(&mut self.lot) {
            // It fails only where hostile memory is at work, which the next call on the semaphore says.
            let _ = self.semaphore.semaphore().give_back(lot);
        }
    }
}
