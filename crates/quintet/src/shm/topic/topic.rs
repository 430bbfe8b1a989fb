use super::room::{Held, Shape};
use super::stats::TopicStats;
use super::typed::{self, TypedTopicBuilder};
use super::{Publisher, Subscriber};
use crate::cleanup::Registration;
use crate::named;
use crate::os::atomic::Ordering;
use crate::os::types::{Access, ObjectOptions, Opening};
use crate::shm::{Plain, prefault};
use crate::{Address, Error, ErrorKind, Name, Result, Scheme};
use std::sync::Arc;

/// A named topic: every message to every subscriber, written and read where it is.
///
/// Up to 64 publishers and 255 subscribers come and go as they like. A publisher never waits: who is too slow misses the oldest,
/// and is told how many. What publishing costs depends neither on the length of a message nor on how many subscribe; it is for
/// the frames of a camera, point clouds, anything that several programs want to see.
///
/// ```
/// use quintet::shm::Topic;
///
/// # let name = format!("topic-doc-{}", std::process::id());
/// let topic = Topic::create_or_open(&name)?;
/// let mut subscriber = Topic::open_existing(&name)?.subscriber()?; // usually in another process
/// topic.publisher()?.publish(b"frame 7")?;
/// assert_eq!(subscriber.receive()?.to_vec(), b"frame 7");
/// # Ok::<(), quintet::Error>(())
/// ```
///
/// # Lifetime
/// It lives, with what is in it, while a process has it open, and goes with the last one; `persistent(true)` keeps it (Linux).
#[derive(Debug)]
pub struct Topic {
    shared: Arc<Shared>,
    created: bool,
}

/// An open topic, which its publishers and subscribers keep open.
#[derive(Debug)]
pub(super) struct Shared {
    address: Address,
    pub(super) held: Arc<Held>,
    _registration: Registration,
}

impl Shared {
    #[cold]
    pub(super) fn about(&self, error: Error) -> Error {
        error.about(&self.address)
    }
}

impl Topic {
    /// Creates a topic; there must be none of that name.
    ///
    /// # Errors
    /// Those of [`TopicBuilder::create_new`] and of [`Name::new`].
    pub fn create_new<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Topic::builder(name)?.create_new()
    }

    /// Creates a topic, or opens the one that is there, which stays as it is.
    ///
    /// # Errors
    /// Those of [`TopicBuilder::create_or_open`] and of [`Name::new`].
    pub fn create_or_open<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Topic::builder(name)?.create_or_open()
    }

    /// Opens a topic that is there.
    ///
    /// # Errors
    /// Those of [`TopicBuilder::open_existing`] and of [`Name::new`].
    pub fn open_existing<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Topic::builder(name)?.open_existing()
    }

    /// Says how a topic is to be: by default for 8 publishers with 1 MiB each, for the current user's processes only.
    ///
    /// # Errors
    /// Those of [`Name::new`].
    pub fn builder<N>(name: N) -> Result<TopicBuilder>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Ok(TopicBuilder {
            name: name.try_into()?,
            capacity: TopicBuilder::CAPACITY,
            publishers: TopicBuilder::PUBLISHERS,
            of_type: 0,
            needed: 0,
            options: ObjectOptions::default(),
            subscribe: Access::default(),
        })
    }

    /// As [`builder`](Self::builder), for an address: `topic://NAME?capacity=67108864&publishers=2`. Its options are
    /// `capacity`, `publishers`, `access` and `subscribe` (`user`, `everyone`) and `persistent` (`true`, `false`).
    ///
    /// # Errors
    /// [`InvalidAddress`](crate::ErrorKind::InvalidAddress) for an address that is not a topic's, an unknown option, a value that
    /// makes no sense.
    ///
    /// ```
    /// use quintet::shm::Topic;
    /// # let name = format!("topic-at-doc-{}", std::process::id());
    /// let topic = Topic::at(&format!("topic://{name}?capacity=1000000&publishers=1").parse()?)?.create_new()?;
    /// assert_eq!(topic.capacity(), 1 << 20);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn at(address: &Address) -> Result<TopicBuilder> {
        let (name, options) = named::parse(address, Scheme::Topic, &["capacity", "publishers", "subscribe"])?;
        Ok(TopicBuilder {
            name,
            capacity: address
                .parse_option("capacity")?
                .unwrap_or(TopicBuilder::CAPACITY),
            publishers: address
                .parse_option("publishers")?
                .unwrap_or(TopicBuilder::PUBLISHERS),
            of_type: 0,
            needed: 0,
            options,
            subscribe: address.parse_option("subscribe")?.unwrap_or_default(),
        })
    }

    /// Becomes a publisher on it, with a lane of its own.
    ///
    /// # Errors
    /// [`Full`](crate::ErrorKind::Full) when all lanes have a living publisher;
    /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied) if it is another user's, who lets others
    /// [subscribe](TopicBuilder::subscribe_access) only; or without a free descriptor.
    pub fn publisher(&self) -> Result<Publisher> {
        Publisher::new(&self.shared).map_err(|error| self.shared.about(error))
    }

    /// Becomes a subscriber of it, for what is published from now on.
    ///
    /// # Errors
    /// [`Full`](crate::ErrorKind::Full) when there are 255 living ones; or without a free descriptor.
    pub fn subscriber(&self) -> Result<Subscriber> {
        self.subscriber_with(u64::MAX)
    }

    /// As [`subscriber`](Self::subscriber), which passes over all but the last `depth` messages of a lane when it has fallen
    /// behind further: it misses more, and sees what is newer.
    ///
    /// # Errors
    /// Those of `subscriber`.
    ///
    /// ```
    /// # use quintet::shm::Topic;
    /// # let topic = Topic::create_or_open(&format!("depth-doc-{}", std::process::id()))?;
    /// let mut newest = topic.subscriber_with(1)?;
    /// let mut publisher = topic.publisher()?;
    /// for message in ["one", "two", "three"] {
    ///     publisher.publish(message)?;
    /// }
    /// let message = newest.receive()?;
    /// assert_eq!((message.to_vec(), newest.lost()), (b"three".to_vec(), 2));
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn subscriber_with(&self, depth: u64) -> Result<Subscriber> {
        Subscriber::new(&self.shared, depth.max(1)).map_err(|error| self.shared.about(error))
    }

    /// How many bytes each publisher has for what it published last; every message takes 8 more than its length, rounded up to
    /// a multiple of 8. A topic that was there keeps what it was made with.
    pub fn capacity(&self) -> usize {
        self.shared.held.shape.ring
    }

    /// The longest message, in bytes: a little less than half of the [`capacity`](Self::capacity).
    pub fn max_message(&self) -> usize {
        self.shared.held.shape.longest()
    }

    /// How many publishers there may be at a time.
    pub fn max_publishers(&self) -> usize {
        self.shared.held.shape.lanes
    }

    /// Makes it a topic of that type, if it is of none yet and nothing was published on it: of which it is then. 0: any bytes.
    pub(super) fn claim_type(&self, fingerprint: u32) -> u32 {
        let held = &self.shared.held;
        let of_type = &held.room().of_type;
        if self.stats().published > 0 {
            return of_type.load(Ordering::Relaxed);
        }
        match of_type.compare_exchange(0, fingerprint, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => fingerprint,
            Err(other) => other,
        }
    }

    /// What was published on it, and who uses it. While others use it the numbers are of nearly the same moment.
    pub fn stats(&self) -> TopicStats {
        TopicStats::of_held(&self.shared.held)
    }

    /// Touches every page of what is published, as this process sees it to read: so that subscribers do not wait for the system
    /// to find one when a message is the first to lie there. Publishers see it as other pages:
    /// for those there is [one of their own](Publisher::prefault).
    ///
    /// ```
    /// use quintet::shm::Topic;
    ///
    /// # let name = format!("prefault-doc-{}", std::process::id());
    /// let topic = Topic::builder(&name)?.publishers(1).capacity(4 << 20).create_new()?;
    /// topic.prefault();
    /// let publisher = topic.publisher()?;
    /// publisher.prefault();
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

/// How a [`Topic`] is to be.
///
/// ```
/// use quintet::shm::Topic;
/// # let name = format!("topic-builder-doc-{}", std::process::id());
/// let frames = Topic::builder(&name)?.publishers(1).capacity(64 << 20).create_new()?;
/// assert!(frames.max_message() > 30_000_000);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it creates or opens"]
pub struct TopicBuilder {
    name: Name,
    capacity: u64,
    publishers: usize,
    /// The fingerprint of the type of its messages; 0: any bytes.
    of_type: u32,
    /// The longest message that has to fit.
    needed: usize,
    options: ObjectOptions,
    subscribe: Access,
}

impl TopicBuilder {
    const CAPACITY: u64 = 1 << 20;
    const PUBLISHERS: usize = 8;

    /// How many bytes each publisher has for what it published last: 4 KiB to 4 GiB, rounded up to a power of two. The memory
    /// of all lanes is reserved when the topic is made. Twice as much as the longest message, and as much as subscribers hold in
    /// place and are to be behind.
    pub fn capacity(mut self, bytes: u64) -> Self {
        self.capacity = bytes;
        self
    }

    /// How many publishers there may be at a time: 1 to 64.
    pub fn publishers(mut self, publishers: usize) -> Self {
        self.publishers = publishers;
        self
    }

    /// A topic of values of one type: see [`TypedTopic`](super::TypedTopic).
    pub fn typed<V: Plain>(mut self) -> TypedTopicBuilder<V> {
        self.of_type = typed::fingerprint::<V>();
        self.needed = size_of::<V>();
        TypedTopicBuilder::new(self)
    }

    /// Whose processes may use it, to publish and to subscribe; and, when it is opened, whose it may be.
    pub fn access(mut self, access: Access) -> Self {
        self.options.access = access;
        self
    }

    /// Whose processes may subscribe besides those that may [publish](Self::access); and, when it is opened, whose it may be.
    ///
    /// What is published can then be read by others and not changed: their processes get that memory to read only, by the
    /// system's word. What they have to write, where each says that it is there and what it holds in place, is apart from it;
    /// and there they can do each other harm: keep others from being woken up at once, from taking part at all, from holding a
    /// message in place (publishers are told `Full`), or say in the place of another that nothing is held, so that what
    /// that one has in place changes. What is received by [copying](Subscriber::copy) is what was published, whatever they
    /// do. (Memory that they can write they can also make shorter, on Linux, by which processes end that use it.)
    ///
    /// ```
    /// use quintet::shm::{Access, Topic};
    ///
    /// # let name = format!("subscribe-access-doc-{}", std::process::id());
    /// let frames = Topic::builder(&name)?.subscribe_access(Access::Everyone).create_new()?;
    /// # drop(Topic::builder(&name)?.subscribe_access(Access::Everyone).open_existing()?); // as another user would
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn subscribe_access(mut self, access: Access) -> Self {
        self.subscribe = access;
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
    pub fn create_new(self) -> Result<Topic> {
        self.open(Opening::CreateNew)
    }

    /// Creates it, or opens the one that is there, which stays as it is.
    ///
    /// # Errors
    /// [`Full`](crate::ErrorKind::Full) if there is no memory for it; [`TooLarge`](crate::ErrorKind::TooLarge) for numbers beyond the bounds;
    /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied) if it is another user's; [`Corrupt`](crate::ErrorKind::Corrupt) if what has the name is no
    /// topic; [`Unsupported`](crate::ErrorKind::Unsupported) if another version of this library made it, and for a persistent one on Windows.
    pub fn create_or_open(self) -> Result<Topic> {
        self.open(Opening::CreateOrOpen)
    }

    /// Opens the one that is there.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is none; else as [`create_or_open`](Self::create_or_open).
    pub fn open_existing(self) -> Result<Topic> {
        self.open(Opening::OpenExisting)
    }

    fn open(self, opening: Opening) -> Result<Topic> {
        let address = Address::named(Scheme::Topic, self.name.clone())?;
        let about = |error: Error| error.about(&address);
        let shape = Shape::new(self.publishers, self.capacity).map_err(about)?;
        let too_small = shape.longest() < self.needed;
        if too_small && opening == Opening::CreateNew {
            return Err(about(typed::too_long(self.needed, shape.longest())));
        }
        let creates = opening != Opening::OpenExisting;
        // One that is there may have more.
        let opening = if too_small { Opening::OpenExisting } else { opening };
        let (held, created, registration) = Registration::of_opened(
            || {
                let writers = self.options.access;
                let mut options = self.options;
                if self.subscribe == Access::Everyone {
                    options.access = Access::Everyone;
                }
                let (held, made) = Held::open(&self.name, shape, self.of_type, options, writers, opening)?;
                Ok((Arc::new(held), made))
            },
            |held: &Held| held.segment().release_name(),
        )
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound if too_small && creates => typed::too_long(self.needed, shape.longest()),
            _ => error,
        })
        .map_err(about)?;
        Ok(Topic {
            shared: Arc::new(Shared {
                address,
                held,
                _registration: registration,
            }),
            created,
        })
    }
}
