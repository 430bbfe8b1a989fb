use super::Access;
use super::semaphore::unless_late;
use crate::cleanup::Registration;
use crate::os::event as os;
use crate::os::types::{ObjectOptions, Opening, words};
use crate::{Address, Deadline, Error, ErrorKind, Name, Result, Scheme};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// When an [`Event`] that was set is no longer.
///
/// ```
/// use quintet::sync::Reset;
/// assert_eq!("manual".parse::<Reset>()?, Reset::Manual);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Reset {
    /// When one waiter has been let through. The default.
    #[default]
    Auto,
    /// When somebody resets it; until then it lets everybody through.
    Manual,
}

words!(Reset, "reset", Auto = "auto", Manual = "manual");

/// A named event: set or not.
///
/// With [automatic reset](Reset::Auto), setting it lets one waiter through, now or when the first comes; set twice before
/// that it lets one through all the same, as on Windows. With [manual reset](Reset::Manual) it lets everybody
/// through until it is reset; who was waiting when it was set is let through even if it is reset right after.
///
/// ```
/// use quintet::sync::{Event, Reset};
/// use std::time::Duration;
///
/// # let name = format!("event-doc-{}", std::process::id());
/// let ready = Event::create_or_open(&name, Reset::Manual)?;
/// assert!(!ready.try_wait()?);
/// ready.set()?;
/// ready.wait_timeout(Duration::from_secs(1))?;
/// ready.reset()?;
/// assert!(!ready.is_set()?);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Event {
    address: Address,
    inner: Arc<os::Event>,
    created: bool,
    _registration: Registration,
}

impl Event {
    /// Creates an event that is not set; there must be none of that name.
    ///
    /// # Errors
    /// Those of [`EventBuilder::create_new`] and of [`Name::new`].
    pub fn create_new<N>(name: N, reset: Reset) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Event::builder(name)?.reset(reset).create_new()
    }

    /// Creates an event that is not set, or opens the one that is there, which stays as it is.
    ///
    /// # Errors
    /// Those of [`EventBuilder::create_or_open`] and of [`Name::new`].
    pub fn create_or_open<N>(name: N, reset: Reset) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Event::builder(name)?.reset(reset).create_or_open()
    }

    /// Opens an event that is there.
    ///
    /// # Errors
    /// Those of [`EventBuilder::open_existing`] and of [`Name::new`].
    pub fn open_existing<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Event::builder(name)?.open_existing()
    }

    /// Says how an event is to be: by default with automatic reset, not set, for the current user's processes only.
    ///
    /// # Errors
    /// Those of [`Name::new`].
    pub fn builder<N>(name: N) -> Result<EventBuilder>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Ok(EventBuilder {
            name: name.try_into()?,
            reset: Reset::default(),
            set: false,
            options: ObjectOptions::default(),
        })
    }

    /// As [`builder`](Self::builder), for an address: `event://NAME?reset=manual`. Its options are `reset` (`auto`,
    /// `manual`), `set` (`true`, `false`), `access` (`user`, `everyone`) and `persistent` (`true`, `false`).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidAddress`] for an address that is not an event's, an unknown option, a value that makes no
    /// sense.
    ///
    /// ```
    /// use quintet::sync::{Event, Reset};
    /// # let name = format!("event-at-doc-{}", std::process::id());
    /// let event = Event::at(&format!("event://{name}?reset=manual&set=true").parse()?)?.create_new()?;
    /// assert!(event.is_set()? && event.reset_kind() == Reset::Manual);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn at(address: &Address) -> Result<EventBuilder> {
        let (name, options) = crate::named::parse(address, Scheme::Event, &["reset", "set"])?;
        Ok(EventBuilder {
            name,
            reset: address.parse_option("reset")?.unwrap_or_default(),
            set: address.parse_option("set")?.unwrap_or_default(),
            options,
        })
    }

    /// Sets it.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if some process has written into the event's memory; on Linux [`ErrorKind::Unsupported`] in a
    /// forked child.
    pub fn set(&self) -> Result<()> {
        self.inner.set().map_err(|error| self.about(error))
    }

    /// Makes it not set.
    ///
    /// # Errors
    /// Those of [`set`](Self::set).
    pub fn reset(&self) -> Result<()> {
        self.inner.reset().map_err(|error| self.about(error))
    }

    /// Waits until it is set, as long as it takes.
    ///
    /// # Errors
    /// Those of [`set`](Self::set).
    pub fn wait(&self) -> Result<()> {
        self.wait_timeout(Deadline::NEVER)
    }

    /// As [`wait`](Self::wait), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `wait`.
    pub fn wait_timeout(&self, deadline: impl Into<Deadline>) -> Result<()> {
        self.inner
            .wait(deadline.into())
            .map_err(|error| self.about(error))
    }

    /// Whether a wait would be let through now; with automatic reset, it is.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait).
    pub fn try_wait(&self) -> Result<bool> {
        unless_late(self.wait_timeout(Deadline::now())).map(|through| through.is_some())
    }

    /// Whether it is set, without consuming that.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn is_set(&self) -> Result<bool> {
        self.inner.is_set().map_err(|error| self.about(error))
    }

    /// How it is reset. One that was there already keeps what it was made with. (On Windows a foreign program's is
    /// told by the system.)
    pub fn reset_kind(&self) -> Reset {
        if self.inner.is_manual() {
            Reset::Manual
        } else {
            Reset::Auto
        }
    }

    /// Whether this call made it, and not another one before.
    pub fn was_created(&self) -> bool {
        self.created
    }

    /// Its address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn inner(&self) -> &Arc<os::Event> {
        &self.inner
    }

    #[cold]
    fn about(&self, error: Error) -> Error {
        error.about(&self.address)
    }
}

/// How an [`Event`] is to be.
///
/// ```
/// use quintet::sync::{Event, Reset};
/// # let name = format!("event-builder-doc-{}", std::process::id());
/// let event = Event::builder(&name)?.reset(Reset::Manual).set(true).create_new()?;
/// assert!(event.is_set()?);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it creates or opens"]
pub struct EventBuilder {
    name: Name,
    reset: Reset,
    set: bool,
    options: ObjectOptions,
}

impl EventBuilder {
    /// When it is no longer set.
    pub fn reset(mut self, reset: Reset) -> Self {
        self.reset = reset;
        self
    }

    /// Whether it is set at first; not unless told.
    pub fn set(mut self, set: bool) -> Self {
        self.set = set;
        self
    }

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
    /// [`ErrorKind::AlreadyExists`] if there is one; else as [`create_or_open`](Self::create_or_open).
    pub fn create_new(self) -> Result<Event> {
        self.open(Opening::CreateNew)
    }

    /// Creates it, or opens the one that is there, which stays as it is.
    ///
    /// # Errors
    /// As of [`SemaphoreBuilder::create_or_open`](super::SemaphoreBuilder::create_or_open), but for the counts.
    pub fn create_or_open(self) -> Result<Event> {
        self.open(Opening::CreateOrOpen)
    }

    /// Opens the one that is there.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; else as [`create_or_open`](Self::create_or_open).
    pub fn open_existing(self) -> Result<Event> {
        self.open(Opening::OpenExisting)
    }

    fn open(self, opening: Opening) -> Result<Event> {
        let address = Address::named(Scheme::Event, self.name.clone())?;
        let manual = self.reset == Reset::Manual;
        let (inner, created, registration) = Registration::of_opened(
            || os::Event::open(&self.name, opening, manual, self.set, &self.options),
            os::Event::release_name,
        )
        .map_err(|error| error.about(&address))?;
        Ok(Event {
            address,
            inner,
            created,
            _registration: registration,
        })
    }
}
