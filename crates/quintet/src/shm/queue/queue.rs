use super::room::{Held, LAYOUT, Shape};
use super::stats::QueueStats;
use super::{Consumer, Producer};
use crate::cleanup::Registration;
use crate::named;
use crate::os::segment::{Segment, Spec};
use crate::os::types::{Access, ObjectOptions, Opening};
use crate::shm::prefault;
use crate::{Address, Error, Name, Result, Scheme};
use std::sync::Arc;

/// A named queue: every message once, first in first out from each producer, bounded.
///
/// Any number of processes push and pull, up to 256 each. Every producer has a *lane*, a ring of its own, so a producer that is
/// stopped or dies in the middle of anything holds up nobody. Messages have 0 bytes to [`max_message`](Self::max_message).
///
/// ```
/// use quintet::shm::Queue;
///
/// # let name = format!("queue-doc-{}", std::process::id());
/// let queue = Queue::create_or_open(&name)?;
/// queue.producer()?.push(b"inspect frame 7")?;
///
/// let mut jobs = Queue::open_existing(&name)?.consumer()?; // usually in another process
/// let mut job = Vec::new();
/// jobs.pop(&mut job)?;
/// assert_eq!(job, b"inspect frame 7");
/// # Ok::<(), quintet::Error>(())
/// ```
///
/// # Lifetime
/// It lives, with what is in it, while a process has it open, and goes with the last one; `persistent(true)` keeps it (Linux).
#[derive(Debug)]
pub struct Queue {
    shared: Arc<Shared>,
    created: bool,
}

/// An open queue, which its producers and consumers keep open.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) address: Address,
    pub(super) held: Arc<Held>,
    _registration: Registration,
}

impl Shared {
    #[cold]
    pub(super) fn about(&self, error: Error) -> Error {
        error.about(&self.address)
    }
}

impl Queue {
    /// Creates a queue; there must be none of that name.
    ///
    /// # Errors
    /// Those of [`QueueBuilder::create_new`] and of [`Name::new`].
    pub fn create_new<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Queue::builder(name)?.create_new()
    }

    /// Creates a queue, or opens the one that is there, which stays as it is.
    ///
    /// # Errors
    /// Those of [`QueueBuilder::create_or_open`] and of [`Name::new`].
    pub fn create_or_open<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Queue::builder(name)?.create_or_open()
    }

    /// Opens a queue that is there.
    ///
    /// # Errors
    /// Those of [`QueueBuilder::open_existing`] and of [`Name::new`].
    pub fn open_existing<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Queue::builder(name)?.open_existing()
    }

    /// Says how a queue is to be: by default for 64 producers with 64 KiB each, for the current user's processes only.
    ///
    /// # Errors
    /// Those of [`Name::new`].
    pub fn builder<N>(name: N) -> Result<QueueBuilder>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Ok(QueueBuilder {
            name: name.try_into()?,
            capacity: QueueBuilder::CAPACITY,
            producers: QueueBuilder::PRODUCERS,
            options: ObjectOptions::default(),
        })
    }

    /// As [`builder`](Self::builder), for an address: `queue://NAME?capacity=1048576&producers=8`. Its options are
    /// `capacity`, `producers`, `access` (`user`, `everyone`) and `persistent` (`true`, `false`).
    ///
    /// # Errors
    /// [`InvalidAddress`](crate::ErrorKind::InvalidAddress) for an address that is not a queue's, an unknown option, a value that makes no
    /// sense.
    ///
    /// ```
    /// use quintet::shm::Queue;
    /// # let name = format!("queue-at-doc-{}", std::process::id());
    /// let queue = Queue::at(&format!("queue://{name}?capacity=1000000").parse()?)?.create_new()?;
    /// assert_eq!(queue.capacity(), 1 << 20);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn at(address: &Address) -> Result<QueueBuilder> {
        let (name, options) = named::parse(address, Scheme::Queue, &["capacity", "producers"])?;
        Ok(QueueBuilder {
            name,
            capacity: address
                .parse_option("capacity")?
                .unwrap_or(QueueBuilder::CAPACITY),
            producers: address
                .parse_option("producers")?
                .unwrap_or(QueueBuilder::PRODUCERS),
            options,
        })
    }

    /// Becomes a producer of it, with a lane of its own. A thread needs one for itself; a process may have several.
    ///
    /// # Errors
    /// [`Full`](crate::ErrorKind::Full) when all lanes have a living producer; [`Corrupt`](crate::ErrorKind::Corrupt) when of
    /// all others some process has written into the memory; or without a free descriptor.
    pub fn producer(&self) -> Result<Producer> {
        Producer::new(&self.shared).map_err(|error| self.shared.about(error))
    }

    /// Becomes a consumer of it. Each message goes to one of them.
    ///
    /// # Errors
    /// [`Full`](crate::ErrorKind::Full) when there are 256 living ones; or without a free descriptor.
    pub fn consumer(&self) -> Result<Consumer> {
        Consumer::new(&self.shared).map_err(|error| self.shared.about(error))
    }

    /// How many bytes each producer has for what was not taken yet; every message takes 8 more than its length, rounded up
    /// to a multiple of 8. One that was there keeps what it was made with.
    pub fn capacity(&self) -> usize {
        self.shared.held.shape.ring
    }

    /// The longest message, in bytes: a little less than half of the [`capacity`](Self::capacity).
    pub fn max_message(&self) -> usize {
        self.shared.held.shape.longest()
    }

    /// How many producers there may be at a time.
    pub fn max_producers(&self) -> usize {
        self.shared.held.shape.lanes
    }

    /// What has gone through it, and what became of it. While others use it the numbers are of nearly the same moment.
    pub fn stats(&self) -> QueueStats {
        QueueStats::of_held(&self.shared.held)
    }

    /// Touches every page of its lanes, so that no push or pop waits for the system to find one.
    ///
    /// ```
    /// # let name = format!("queue-prefault-doc-{}", std::process::id());
    /// let queue = quintet::shm::Queue::builder(&name)?.producers(1).capacity(4 << 20).create_new()?;
    /// queue.prefault();
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn prefault(&self) {
        let held = &self.shared.held;
        for lane in 0..held.shape.lanes {
            prefault::touch(held.lane(lane).ring);
        }
    }

    /// Whether this call made it, and not another one before.
    pub fn was_created(&self) -> bool {
        self.created
    }

    /// Its address.
    pub fn address(&self) -> &Address {
        &self.shared.address
    }
}

/// How a [`Queue`] is to be.
///
/// ```
/// use quintet::shm::Queue;
/// # let name = format!("queue-builder-doc-{}", std::process::id());
/// let frames = Queue::builder(&name)?.producers(2).capacity(16 << 20).create_new()?;
/// assert!(frames.max_message() > 8_000_000);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it creates or opens"]
pub struct QueueBuilder {
    name: Name,
    capacity: u64,
    producers: usize,
    options: ObjectOptions,
}

impl QueueBuilder {
    const CAPACITY: u64 = 64 << 10;
    const PRODUCERS: usize = 64;

    /// How many bytes each producer has: 4 KiB to 4 GiB, rounded up to a power of two. The memory of all lanes is reserved
    /// when the queue is made.
    pub fn capacity(mut self, bytes: u64) -> Self {
        self.capacity = bytes;
        self
    }

    /// How many producers there may be at a time: 1 to 256.
    pub fn producers(mut self, producers: usize) -> Self {
        self.producers = producers;
        self
    }

    /// Whose processes may use it; and, when it is opened, whose it may be.
    pub fn access(mut self, access: Access) -> Self {
        self.options.access = access;
        self
    }

    /// Whether it stays, with what is in it, when nobody has it open any more. Linux only; see
    /// [`SemaphoreBuilder::persistent`](crate::sync::SemaphoreBuilder::persistent).
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.options.persistent = persistent;
        self
    }

    /// Creates it; there must be none of that name.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if there is one; else as [`create_or_open`](Self::create_or_open).
    pub fn create_new(self) -> Result<Queue> {
        self.open(Opening::CreateNew)
    }

    /// Creates it, or opens the one that is there, which stays as it is.
    ///
    /// # Errors
    /// [`Full`](crate::ErrorKind::Full) if there is no memory for it; [`TooLarge`](crate::ErrorKind::TooLarge) for numbers beyond the bounds;
    /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied) if it is another user's; [`Corrupt`](crate::ErrorKind::Corrupt) if what has the name is no
    /// queue; [`Unsupported`](crate::ErrorKind::Unsupported) if another version of this library made it, and for a persistent one on Windows.
    pub fn create_or_open(self) -> Result<Queue> {
        self.open(Opening::CreateOrOpen)
    }

    /// Opens the one that is there.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is none; else as [`create_or_open`](Self::create_or_open).
    pub fn open_existing(self) -> Result<Queue> {
        self.open(Opening::OpenExisting)
    }

    fn open(self, opening: Opening) -> Result<Queue> {
        let address = Address::named(Scheme::Queue, self.name.clone())?;
        let about = |error: Error| error.about(&address);
        let shape = Shape::new(self.producers, self.capacity).map_err(about)?;
        let spec = Spec {
            layout: &LAYOUT,
            name: &self.name,
            size: shape.size().unwrap_or(usize::MAX),
            options: self.options,
            parameter: shape.parameter(),
        };
        let (held, created, registration) = Registration::of_opened(
            || {
                let (segment, made) = Segment::open(&spec, opening, |_| {})?;
                Ok((Arc::new(Held::new(segment)?), made))
            },
            |held: &Held| held.segment().release_name(),
        )
        .map_err(about)?;
        Ok(Queue {
            shared: Arc::new(Shared {
                address,
                held,
                _registration: registration,
            }),
            created,
        })
    }
}
