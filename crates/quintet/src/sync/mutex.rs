use super::semaphore::unless_late;
use super::{Access, MutexGuard};
use crate::cleanup::Registration;
use crate::os::mutex as os;
use crate::os::types::{ObjectOptions, Opening};
use crate::{Address, Deadline, Error, Name, Result, Scheme};
use std::sync::Arc;

/// A named lock that one thread of all processes has at a time.
///
/// As on Windows, a thread that has it may lock it again, and unlocks it as often; and when its owner ends without
/// unlocking, the process or just the thread, the next one gets it and is told ([`MutexGuard::was_abandoned`]).
/// No waiter starves: on Linux one that has waited for a millisecond is next as soon as it wakes up, which is at the next
/// unlocking or within 50 ms; on Windows the kernel queues them.
///
/// ```
/// use quintet::sync::Mutex;
///
/// # let name = format!("mutex-doc-{}", std::process::id());
/// let mutex = Mutex::create_or_open(&name)?;
/// let guard = mutex.lock()?;
/// if guard.was_abandoned() {
///     // The last owner died in the middle: put in order what the mutex guards.
/// }
/// drop(guard);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Mutex {
    address: Address,
    inner: Arc<os::Mutex>,
    created: bool,
    _registration: Registration,
}

impl Mutex {
    /// Creates a mutex; there must be none of that name.
    ///
    /// # Errors
    /// Those of [`MutexBuilder::create_new`] and of [`Name::new`].
    pub fn create_new<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Mutex::builder(name)?.create_new()
    }

    /// Creates a mutex, or opens the one that is there.
    ///
    /// # Errors
    /// Those of [`MutexBuilder::create_or_open`] and of [`Name::new`].
    pub fn create_or_open<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Mutex::builder(name)?.create_or_open()
    }

    /// Opens a mutex that is there.
    ///
    /// # Errors
    /// Those of [`MutexBuilder::open_existing`] and of [`Name::new`].
    pub fn open_existing<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Mutex::builder(name)?.open_existing()
    }

    /// Says how a mutex is to be: by default for the current user's processes only.
    ///
    /// # Errors
    /// Those of [`Name::new`].
    pub fn builder<N>(name: N) -> Result<MutexBuilder>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Ok(MutexBuilder {
            name: name.try_into()?,
            options: ObjectOptions::default(),
        })
    }

    /// As [`builder`](Self::builder), for an address: `mutex://NAME`. Its options are `access` (`user`, `everyone`) and
    /// `persistent` (`true`, `false`).
    ///
    /// # Errors
    /// [`InvalidAddress`](crate::ErrorKind::InvalidAddress) for an address that is not a mutex's, an unknown option, a value
    /// that makes no sense.
    ///
    /// ```
    /// use quintet::sync::Mutex;
    /// # let name = format!("mutex-at-doc-{}", std::process::id());
    /// let mutex = Mutex::at(&format!("mutex://{name}").parse()?)?.create_or_open()?;
    /// assert!(mutex.was_created());
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn at(address: &Address) -> Result<MutexBuilder> {
        let (name, options) = crate::named::parse(address, Scheme::Mutex, &[])?;
        Ok(MutexBuilder { name, options })
    }

    /// Locks it, waiting as long as it takes. The thread has it until the guard is dropped.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if some process has written into the mutex's memory; on Linux
    /// [`Unsupported`](crate::ErrorKind::Unsupported) in a forked child.
    #[inline]
    pub fn lock(&self) -> Result<MutexGuard<'_>> {
        self.lock_timeout(Deadline::NEVER)
    }

    /// As [`lock`](Self::lock), until a deadline.
    ///
    /// # Errors
    /// [`TimedOut`](crate::ErrorKind::TimedOut) besides those of `lock`.
    #[inline]
    pub fn lock_timeout(&self, deadline: impl Into<Deadline>) -> Result<MutexGuard<'_>> {
        match self.inner.lock(deadline.into()) {
            Ok(abandoned) => Ok(MutexGuard::new(&self.inner, abandoned)),
            Err(error) => Err(self.about(error)),
        }
    }

    /// Locks it if no other thread has it.
    ///
    /// # Errors
    /// Those of [`lock`](Self::lock).
    pub fn try_lock(&self) -> Result<Option<MutexGuard<'_>>> {
        unless_late(self.lock_timeout(Deadline::now()))
    }

    /// Whether a thread of some living process has it now. By the time you read it, that may have changed.
    ///
    /// # Errors
    /// When the system does not tell; on Linux [`Unsupported`](crate::ErrorKind::Unsupported) in a forked child.
    pub fn is_locked(&self) -> Result<bool> {
        self.inner.is_locked().map_err(|error| self.about(error))
    }

    /// Whether this call made it, and not another one before.
    pub fn was_created(&self) -> bool {
        self.created
    }

    /// Its address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn inner(&self) -> &Arc<os::Mutex> {
        &self.inner
    }

    #[cold]
    fn about(&self, error: Error) -> Error {
        error.about(&self.address)
    }
}

/// How a [`Mutex`] is to be.
///
/// ```
/// use quintet::sync::{Access, Mutex};
/// # let name = format!("mutex-builder-doc-{}", std::process::id());
/// let mutex = Mutex::builder(&name)?.access(Access::CurrentUser).create_new()?;
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it creates or opens"]
pub struct MutexBuilder {
    name: Name,
    options: ObjectOptions,
}

impl MutexBuilder {
    /// Whose processes may use it; and, when it is opened, whose it may be.
    pub fn access(mut self, access: Access) -> Self {
        self.options.access = access;
        self
    }

    /// Whether it stays when nobody has it open any more. Linux only; see
    /// [`SemaphoreBuilder::persistent`](super::SemaphoreBuilder::persistent).
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.options.persistent = persistent;
        self
    }

    /// Creates it; there must be none of that name.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if there is one; else as
    /// [`create_or_open`](Self::create_or_open).
    pub fn create_new(self) -> Result<Mutex> {
        self.open(Opening::CreateNew)
    }

    /// Creates it, or opens the one that is there.
    ///
    /// # Errors
    /// As of [`SemaphoreBuilder::create_or_open`](super::SemaphoreBuilder::create_or_open), but for the counts.
    pub fn create_or_open(self) -> Result<Mutex> {
        self.open(Opening::CreateOrOpen)
    }

    /// Opens the one that is there.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is none; else as [`create_or_open`](Self::create_or_open).
    pub fn open_existing(self) -> Result<Mutex> {
        self.open(Opening::OpenExisting)
    }

    fn open(self, opening: Opening) -> Result<Mutex> {
        let address = Address::named(Scheme::Mutex, self.name.clone())?;
        let (inner, created, registration) = Registration::of_opened(
            || os::Mutex::open(&self.name, opening, &self.options),
            os::Mutex::release_name,
        )
        .map_err(|error| error.about(&address))?;
        Ok(Mutex {
            address,
            inner,
            created,
            _registration: registration,
        })
    }
}
