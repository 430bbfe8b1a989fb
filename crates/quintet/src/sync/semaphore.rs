use super::{Access, Permit};
use crate::cleanup::Registration;
use crate::os::semaphore as os;
use crate::os::types::{ObjectOptions, Opening};
use crate::{Address, Deadline, Error, ErrorKind, Name, Result, Scheme};
use std::sync::Arc;

/// A named count of permits with a maximum.
///
/// [`wait`](Self::wait) takes one and [`release`](Self::release) adds some, as on Windows: whoever likes may release, so
/// it can carry signals. What [`acquire`](Self::acquire) takes belongs to this process and comes back when it is dropped or
/// the process dies.
///
/// Threads may use one semaphore at the same time; opening the same one twice in a process gives two handles of one.
/// Nobody is served in order of arrival, but nobody is forgotten.
///
/// ```
/// use quintet::sync::Semaphore;
/// use std::time::Duration;
///
/// # let name = format!("semaphore-doc-{}", std::process::id());
/// let frames = Semaphore::create_or_open(&name, 3, 3)?;
/// let permit = frames.acquire()?;             // comes back, whatever happens to this process
/// assert_eq!(frames.count()?, 2);
/// drop(permit);
///
/// frames.wait_timeout(Duration::from_secs(1))?; // a raw wait: stays taken ...
/// assert_eq!(frames.release(1)?, 2);            // ... until somebody releases
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Semaphore {
    address: Address,
    inner: Arc<os::Semaphore>,
    created: bool,
    _registration: Registration,
}

impl Semaphore {
    /// Creates a semaphore with a count and a maximum; there must be none of that name.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`], besides those of [`SemaphoreBuilder::create_or_open`] and of [`Name::new`].
    pub fn create_new<N>(name: N, initial: u32, maximum: u32) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        let builder = Semaphore::builder(name)?;
        builder.maximum(maximum).initial(initial).create_new()
    }

    /// Creates a semaphore with a count and a maximum, or opens the one that is there, whose count and maximum stay as they
    /// are.
    ///
    /// # Errors
    /// Those of [`SemaphoreBuilder::create_or_open`] and of [`Name::new`].
    pub fn create_or_open<N>(name: N, initial: u32, maximum: u32) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        let builder = Semaphore::builder(name)?;
        builder.maximum(maximum).initial(initial).create_or_open()
    }

    /// Opens a semaphore that is there.
    ///
    /// # Errors
    /// Those of [`SemaphoreBuilder::open_existing`] and of [`Name::new`].
    pub fn open_existing<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Semaphore::builder(name)?.open_existing()
    }

    /// Says how a semaphore is to be: by default with one permit, which is free, for the current user's processes only.
    ///
    /// # Errors
    /// Those of [`Name::new`].
    ///
    /// ```
    /// use quintet::sync::Semaphore;
    /// # let name = format!("semaphore-builder-doc-{}", std::process::id());
    /// let semaphore = Semaphore::builder(&name)?.maximum(8).initial(0).create_new()?;
    /// assert_eq!((semaphore.count()?, semaphore.maximum()), (0, 8));
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn builder<N>(name: N) -> Result<SemaphoreBuilder>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Ok(SemaphoreBuilder {
            name: name.try_into()?,
            maximum: 1,
            initial: None,
            options: ObjectOptions::default(),
        })
    }

    /// As [`builder`](Self::builder), for an address: `sem://NAME?max=3&count=0`. Its options are `max`, `count`, `access` (`user`,
    /// `everyone`) and `persistent` (`true`, `false`).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidAddress`] for an address that is not a semaphore's, an unknown option, a value that makes no
    /// sense.
    ///
    /// ```
    /// use quintet::sync::Semaphore;
    /// # let name = format!("semaphore-at-doc-{}", std::process::id());
    /// let semaphore = Semaphore::at(&format!("sem://{name}?max=3").parse()?)?.create_or_open()?;
    /// assert_eq!(semaphore.maximum(), 3);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn at(address: &Address) -> Result<SemaphoreBuilder> {
        let (name, options) = crate::named::parse(address, Scheme::Sem, &["max", "count"])?;
        Ok(SemaphoreBuilder {
            name,
            maximum: address.parse_option("max")?.unwrap_or(1),
            initial: address.parse_option("count")?,
            options,
        })
    }

    /// Takes a permit, waiting for one as long as it takes. It stays taken until somebody [releases](Self::release) one:
    /// that this process ends is no reason, since what it took may have been a signal.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if some process has written into the semaphore's memory; on Linux
    /// [`ErrorKind::Unsupported`] in a forked child.
    #[inline]
    pub fn wait(&self) -> Result<()> {
        self.wait_timeout(Deadline::NEVER)
    }

    /// As [`wait`](Self::wait), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `wait`.
    #[inline]
    pub fn wait_timeout(&self, deadline: impl Into<Deadline>) -> Result<()> {
        self.inner
            .wait(deadline.into())
            .map_err(|error| self.about(error))
    }

    /// Takes a permit if there is one; whether there was.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait).
    pub fn try_wait(&self) -> Result<bool> {
        unless_late(self.wait_timeout(Deadline::now())).map(|taken| taken.is_some())
    }

    /// Adds `permits` to the count, and says what it was before. If that would pass the maximum, nothing changes.
    ///
    /// # Errors
    /// [`ErrorKind::Full`] if it would pass the maximum; those of [`wait`](Self::wait).
    #[inline]
    pub fn release(&self, permits: u32) -> Result<u32> {
        if permits == 0 {
            return Err(self.about(Error::new(
                ErrorKind::Unsupported,
                "releasing no permit at all: release at least 1",
            )));
        }
        self.inner.release(permits).map_err(|error| self.about(error))
    }

    /// Takes a permit for this process, waiting for one as long as it takes. It comes back when it is dropped or when the
    /// process ends, in whatever way.
    ///
    /// # Errors
    /// [`ErrorKind::Full`] if this process holds 65,535 of them; those of [`wait`](Self::wait).
    #[inline]
    pub fn acquire(&self) -> Result<Permit<'_>> {
        self.acquire_timeout(Deadline::NEVER)
    }

    /// As [`acquire`](Self::acquire), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `acquire`.
    #[inline]
    pub fn acquire_timeout(&self, deadline: impl Into<Deadline>) -> Result<Permit<'_>> {
        match self.inner.acquire(deadline.into()) {
            Ok(lot) => Ok(Permit::new(&self.inner, lot)),
            Err(error) => Err(self.about(error)),
        }
    }

    /// Takes a permit for this process if there is one.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire).
    pub fn try_acquire(&self) -> Result<Option<Permit<'_>>> {
        unless_late(self.acquire_timeout(Deadline::now()))
    }

    /// How many permits are free now, those included that processes held which have died. By the time you read it, it may be
    /// another number.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if some process has written into the semaphore's memory.
    pub fn count(&self) -> Result<u32> {
        self.inner.count().map_err(|error| self.about(error))
    }

    /// The most permits that there can be.
    pub fn maximum(&self) -> u32 {
        self.inner.maximum()
    }

    /// Whether this call made it, and not another one before.
    pub fn was_created(&self) -> bool {
        self.created
    }

    /// Its address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn inner(&self) -> &Arc<os::Semaphore> {
        &self.inner
    }

    #[cold]
    fn about(&self, error: Error) -> Error {
        error.about(&self.address)
    }
}

/// Turns "the deadline passed" into nothing.
pub(super) fn unless_late<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
        Err(error) => Err(error),
    }
}

/// How a [`Semaphore`] is to be.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it creates or opens"]
pub struct SemaphoreBuilder {
    name: Name,
    maximum: u32,
    initial: Option<u32>,
    options: ObjectOptions,
}

impl SemaphoreBuilder {
    /// The most permits that there can be, 1 (unless told) to 2,147,483,647.
    pub fn maximum(mut self, permits: u32) -> Self {
        self.maximum = permits;
        self
    }

    /// How many are free at first; all of them unless told.
    pub fn initial(mut self, permits: u32) -> Self {
        self.initial = Some(permits);
        self
    }

    /// Whose processes may use it; and, when it is opened, whose it may be. With
    /// [`Access::Everyone`] other users can take and release permits; on Linux they can write anything into its memory, and
    /// end whoever uses it by making its file shorter.
    pub fn access(mut self, access: Access) -> Self {
        self.options.access = access;
        self
    }

    /// Whether it stays when nobody has it open any more, until it is removed
    /// ([`NamedKind::remove`](crate::named::NamedKind::remove), `quintet rm`) or the machine starts again. Linux only.
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.options.persistent = persistent;
        self
    }

    /// Creates it; there must be none of that name.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if there is one; else as [`create_or_open`](Self::create_or_open).
    pub fn create_new(self) -> Result<Semaphore> {
        self.open(Opening::CreateNew)
    }

    /// Creates it, or opens the one that is there, whose count and maximum stay as they are.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidAddress`] for a maximum of 0 or beyond 2,147,483,647, or an initial count above the maximum;
    /// [`ErrorKind::PermissionDenied`] if it is another user's; [`ErrorKind::AlreadyExists`] if an object of another kind
    /// (Windows), or something that is not a file (Linux), has the name; [`ErrorKind::Corrupt`] if what has it is no
    /// semaphore of Quintet's (Linux); [`ErrorKind::Full`] if there is no room in `/dev/shm`, or 1,022 processes have it
    /// open; [`ErrorKind::Unsupported`] for another layout version, and for a persistent one on Windows.
    pub fn create_or_open(self) -> Result<Semaphore> {
        self.open(Opening::CreateOrOpen)
    }

    /// Opens the one that is there.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; else as [`create_or_open`](Self::create_or_open).
    pub fn open_existing(self) -> Result<Semaphore> {
        self.open(Opening::OpenExisting)
    }

    fn open(self, opening: Opening) -> Result<Semaphore> {
        let address = Address::named(Scheme::Sem, self.name.clone())?;
        let about = |error: Error| error.about(&address);
        let initial = self.initial.unwrap_or(self.maximum);
        if opening != Opening::OpenExisting {
            check_counts(initial, self.maximum).map_err(about)?;
        }
        let (inner, created, registration) = Registration::of_opened(
            || os::Semaphore::open(&self.name, opening, initial, self.maximum, &self.options),
            os::Semaphore::release_name,
        )
        .map_err(about)?;
        Ok(Semaphore {
            address,
            inner,
            created,
            _registration: registration,
        })
    }
}

fn check_counts(initial: u32, maximum: u32) -> Result<()> {
    let wrong =
        |what: String, hint: &'static str| Err(Error::new(ErrorKind::InvalidAddress, what).hint(hint));
    if !(1..=i32::MAX.unsigned_abs()).contains(&maximum) {
        return wrong(format!("a maximum of {maximum}"), "it can be 1 to 2147483647");
    }
    if initial > maximum {
        return wrong(
            format!("a count of {initial} is above the maximum of {maximum}"),
            "raise the maximum (max) or begin with fewer (count)",
        );
    }
    Ok(())
}
