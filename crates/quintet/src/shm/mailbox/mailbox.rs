use super::room::{Held, LAYOUT, Shape};
use super::stats::MailboxStats;
use super::{MailboxReader, MailboxWriter};
use crate::cleanup::Registration;
use crate::named;
use crate::os::segment::{Segment, Spec};
use crate::os::types::{Access, ObjectOptions, Opening};
use crate::shm::prefault;
use crate::{Address, Error, Name, Result, Scheme};
use std::sync::Arc;

/// A named mailbox: the newest value, always whole.
///
/// One process writes, any number read. The writer never waits for a reader, and a reader never sees half of a value, whoever is
/// stopped or dies when: what a sensor measured last, where a robot is, the newest frame of a camera.
///
/// ```
/// use quintet::shm::Mailbox;
///
/// # let name = format!("mailbox-doc-{}", std::process::id());
/// let mailbox = Mailbox::create_or_open(&name)?;
/// mailbox.writer()?.write(b"x=120 y=45")?;
///
/// let mut position = Mailbox::open_existing(&name)?.reader()?; // usually in another process
/// let mut value = Vec::new();
/// let reading = position.next(&mut value)?;
/// assert_eq!((value.as_slice(), reading.sequence), (&b"x=120 y=45"[..], 1));
/// # Ok::<(), quintet::Error>(())
/// ```
///
/// # Lifetime
/// It lives, with what is in it, while a process has it open, and goes with the last one; `persistent(true)` keeps it (Linux).
#[derive(Debug)]
pub struct Mailbox {
    shared: Arc<Shared>,
    created: bool,
}

/// An open mailbox, which its writer and its readers keep open.
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

impl Mailbox {
    /// Creates a mailbox; there must be none of that name.
    ///
    /// # Errors
    /// Those of [`MailboxBuilder::create_new`] and of [`Name::new`].
    pub fn create_new<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Mailbox::builder(name)?.create_new()
    }

    /// Creates a mailbox, or opens the one that is there, which stays as it is.
    ///
    /// # Errors
    /// Those of [`MailboxBuilder::create_or_open`] and of [`Name::new`].
    pub fn create_or_open<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Mailbox::builder(name)?.create_or_open()
    }

    /// Opens a mailbox that is there.
    ///
    /// # Errors
    /// Those of [`MailboxBuilder::open_existing`] and of [`Name::new`].
    pub fn open_existing<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Mailbox::builder(name)?.open_existing()
    }

    /// Says how a mailbox is to be: by default for values of up to 64 KiB, two of which may be read in place at a time, for the
    /// current user's processes only.
    ///
    /// # Errors
    /// Those of [`Name::new`].
    pub fn builder<N>(name: N) -> Result<MailboxBuilder>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Ok(MailboxBuilder {
            name: name.try_into()?,
            size: MailboxBuilder::SIZE,
            in_place: MailboxBuilder::IN_PLACE,
            options: ObjectOptions::default(),
        })
    }

    /// As [`builder`](Self::builder), for an address: `mailbox://NAME?size=6220800&in_place=4`. Its options are `size`,
    /// `in_place`, `access` (`user`, `everyone`) and `persistent` (`true`, `false`).
    ///
    /// # Errors
    /// [`InvalidAddress`](crate::ErrorKind::InvalidAddress) for an address that is not a mailbox's, an unknown option, a value that
    /// makes no sense.
    ///
    /// ```
    /// use quintet::shm::Mailbox;
    /// # let name = format!("mailbox-at-doc-{}", std::process::id());
    /// let mailbox = Mailbox::at(&format!("mailbox://{name}?size=6220800").parse()?)?.create_new()?;
    /// assert_eq!(mailbox.size(), 1920 * 1080 * 3);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn at(address: &Address) -> Result<MailboxBuilder> {
        let (name, options) = named::parse(address, Scheme::Mailbox, &["size", "in_place"])?;
        Ok(MailboxBuilder {
            name,
            size: address.parse_option("size")?.unwrap_or(MailboxBuilder::SIZE),
            in_place: address
                .parse_option("in_place")?
                .unwrap_or(MailboxBuilder::IN_PLACE),
            options,
        })
    }

    /// Becomes its writer. A mailbox has one at a time, in all processes together; when it is dropped, or its process ends
    /// however it ends, there may be another one at once, which goes on with the numbers.
    ///
    /// # Errors
    /// [`Busy`](crate::ErrorKind::Busy) if it has one; or without a free descriptor.
    pub fn writer(&self) -> Result<MailboxWriter> {
        MailboxWriter::new(&self.shared).map_err(|error| self.shared.about(error))
    }

    /// Becomes a reader of it, one of any number. The first 255 are seen by [`stats`](Self::stats) and can read in place.
    ///
    /// # Errors
    /// Without a free descriptor.
    pub fn reader(&self) -> Result<MailboxReader> {
        MailboxReader::new(&self.shared).map_err(|error| self.shared.about(error))
    }

    /// The longest value it is for, in bytes. One that was there keeps what it was made with.
    pub fn size(&self) -> usize {
        self.shared.held.shape.size
    }

    /// How many values may be read in place at a time, by all readers together.
    pub fn max_in_place(&self) -> usize {
        self.shared.held.shape.pins
    }

    /// What is in it, and who uses it. While others use it the numbers are of nearly the same moment.
    pub fn stats(&self) -> MailboxStats {
        MailboxStats::of_held(&self.shared.held)
    }

    /// Touches every page that values lie in, so that no write or read waits for the system to find one.
    ///
    /// ```
    /// # let name = format!("mailbox-prefault-doc-{}", std::process::id());
    /// let mailbox = quintet::shm::Mailbox::builder(&name)?.size(1 << 20).create_new()?;
    /// mailbox.prefault();
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn prefault(&self) {
        prefault::touch(self.shared.held.boxes().bodies);
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

/// How a [`Mailbox`] is to be.
///
/// ```
/// use quintet::shm::Mailbox;
/// # let name = format!("mailbox-builder-doc-{}", std::process::id());
/// let frames = Mailbox::builder(&name)?.size(1920 * 1080 * 3).in_place(4).create_new()?;
/// assert_eq!((frames.size(), frames.max_in_place()), (6_220_800, 4));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it creates or opens"]
pub struct MailboxBuilder {
    name: Name,
    size: u64,
    in_place: usize,
    options: ObjectOptions,
}

impl MailboxBuilder {
    const SIZE: u64 = 64 << 10;
    const IN_PLACE: usize = 2;

    /// The longest value it is for, in bytes: less than 2⁴⁸. Memory for two values of that length, and one more for each place
    /// to read [in place](Self::in_place), is reserved when the mailbox is made.
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = bytes;
        self
    }

    /// How many values may be read in place at a time, by all readers together: 0 to 62. Each makes it larger by one value. With
    /// none, who copies a value while many are written may have to try often.
    pub fn in_place(mut self, places: usize) -> Self {
        self.in_place = places;
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
    pub fn create_new(self) -> Result<Mailbox> {
        self.open(Opening::CreateNew)
    }

    /// Creates it, or opens the one that is there, which stays as it is.
    ///
    /// # Errors
    /// [`Full`](crate::ErrorKind::Full) if there is no memory for it; [`TooLarge`](crate::ErrorKind::TooLarge) for numbers beyond the bounds;
    /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied) if it is another user's; [`Corrupt`](crate::ErrorKind::Corrupt) if what has the name is no
    /// mailbox; [`Unsupported`](crate::ErrorKind::Unsupported) if another version of this library made it, and for a persistent one on Windows.
    pub fn create_or_open(self) -> Result<Mailbox> {
        self.open(Opening::CreateOrOpen)
    }

    /// Opens the one that is there.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is none; else as [`create_or_open`](Self::create_or_open).
    pub fn open_existing(self) -> Result<Mailbox> {
        self.open(Opening::OpenExisting)
    }

    fn open(self, opening: Opening) -> Result<Mailbox> {
        let address = Address::named(Scheme::Mailbox, self.name.clone())?;
        let about = |error: Error| error.about(&address);
        let shape = Shape::new(self.size, self.in_place).map_err(about)?;
        let spec = Spec {
            layout: &LAYOUT,
            name: &self.name,
            size: shape.whole().unwrap_or(usize::MAX),
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
        Ok(Mailbox {
            shared: Arc::new(Shared {
                address,
                held,
                _registration: registration,
            }),
            created,
        })
    }
}
