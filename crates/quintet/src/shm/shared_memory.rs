use super::prefault::PAGE;
use super::{Access, ChildMemory, MapMode, MemoryStream, Plain, View};
use crate::cleanup::Registration;
use crate::os::shm::Memory;
use crate::os::types::{ObjectOptions, Opening};
use crate::{Address, Error, ErrorKind, Name, Result, Scheme};
use std::fs::File;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

/// A region of memory that several processes have: raw bytes from offset 0.
///
/// ```
/// use quintet::shm::SharedMemory;
///
/// # let name = format!("shm-doc-{}", std::process::id());
/// let memory = SharedMemory::create_or_open(&name, 4096)?;
/// memory.write_at(0, b"hello")?;
///
/// let other = SharedMemory::open_existing(&name)?; // usually in another process
/// let mut text = [0; 5];
/// other.read_at(0, &mut text)?;
/// assert_eq!(&text, b"hello");
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct SharedMemory {
    address: Option<Address>,
    memory: Arc<Memory>,
    created: bool,
    _registration: Option<Registration>,
}

impl SharedMemory {
    /// Creates named memory of so many bytes, all zero; there must be none of that name.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`], besides those of [`SharedMemoryBuilder::create_or_open`] and of [`Name::new`].
    pub fn create_new<N>(name: N, size: u64) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        SharedMemory::builder(name)?.size(size).create_new()
    }

    /// Creates named memory of so many bytes, or opens what is there, which must have at least as many.
    ///
    /// # Errors
    /// Those of [`SharedMemoryBuilder::create_or_open`] and of [`Name::new`].
    pub fn create_or_open<N>(name: N, size: u64) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        SharedMemory::builder(name)?.size(size).create_or_open()
    }

    /// Opens named memory that is there, all of it, to read and to write.
    ///
    /// # Errors
    /// Those of [`SharedMemoryBuilder::open_existing`] and of [`Name::new`].
    pub fn open_existing<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        SharedMemory::builder(name)?.open_existing()
    }

    /// Says how named memory is to be: by default to read and to write, for the current user's processes only, going with
    /// its last holder.
    ///
    /// # Errors
    /// Those of [`Name::new`].
    pub fn builder<N>(name: N) -> Result<SharedMemoryBuilder>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Ok(SharedMemoryBuilder {
            name: name.try_into()?,
            size: None,
            mode: MapMode::default(),
            prefault: false,
            options: ObjectOptions::default(),
        })
    }

    /// As [`builder`](Self::builder), for an address: `shm://NAME?size=4096&mode=read`. Its options are `size`, `mode` (`readwrite`,
    /// `read`, `copy`), `access` (`user`, `everyone`) and `persistent` (`true`, `false`).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidAddress`] for an address that is not shared memory's, an unknown option, a value that makes no
    /// sense.
    ///
    /// ```
    /// use quintet::shm::SharedMemory;
    /// # let name = format!("shm-at-doc-{}", std::process::id());
    /// let memory = SharedMemory::at(&format!("shm://{name}?size=100").parse()?)?.create_new()?;
    /// assert!(memory.capacity() >= 100);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn at(address: &Address) -> Result<SharedMemoryBuilder> {
        if address.scheme() != Scheme::Shm {
            return Err(Error::new(
                ErrorKind::InvalidAddress,
                "it is not the address of shared memory",
            )
            .about(address)
            .hint("write shm://NAME"));
        }
        address.expect_options(&["size", "mode", "access", "persistent"])?;
        Ok(SharedMemoryBuilder {
            name: address.name()?.clone(),
            size: address.parse_option("size")?,
            mode: address.parse_option("mode")?.unwrap_or_default(),
            prefault: false,
            options: ObjectOptions {
                access: address.parse_option("access")?.unwrap_or_default(),
                persistent: address.parse_option("persistent")?.unwrap_or_default(),
            },
        })
    }

    /// Maps a file, as long as it is now: what is written gets into the file, at the latest with [`flush`](Self::flush), and
    /// is seen by everybody who maps it. For writing the file must be open for both.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for an empty file, and for what is no file; [`ErrorKind::PermissionDenied`] if the file is
    /// not open as the mode needs it.
    ///
    /// ```
    /// use quintet::shm::{MapMode, SharedMemory};
    /// # let path = std::env::temp_dir().join(format!("quintet-shm-file-doc-{}", std::process::id()));
    /// let file = std::fs::File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    /// file.set_len(4096)?;
    /// let memory = SharedMemory::from_file(&file, MapMode::ReadWrite)?;
    /// memory.write_at(0, b"stays")?;
    /// memory.flush()?;
    /// assert!(std::fs::read(&path)?.starts_with(b"stays"));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_file(file: &File, mode: MapMode) -> Result<Self> {
        Memory::of_file(file, mode).map(SharedMemory::unnamed)
    }

    /// Makes memory without a name, all zero, to hand to a child ([`for_child`](Self::for_child)). On Linux its size is sealed:
    /// no process can make it shorter.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a size of 0; [`ErrorKind::TooLarge`] for one beyond all addresses; [`ErrorKind::Full`]
    /// for more memory than the machine has, or without a free descriptor. (What other processes need of it is not
    /// known: on Linux the kernel ends a process when there is none left.)
    pub fn anonymous(size: u64) -> Result<Self> {
        check_size(size)?;
        Memory::anonymous(size).map(SharedMemory::unnamed)
    }

    fn unnamed(memory: Memory) -> Self {
        SharedMemory {
            address: None,
            memory: Arc::new(memory),
            created: true,
            _registration: None,
        }
    }

    /// This memory for a child, which [`spawn`](super::spawn) starts; only anonymous memory, others have a name.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if it has a name; [`ErrorKind::Full`] without a free descriptor.
    pub fn for_child(&self) -> Result<ChildMemory> {
        match self.memory.for_child() {
            Ok(memory) => Ok(ChildMemory::new(memory)),
            Err(error) => Err(self.about(error)),
        }
    }

    /// Takes the memory that the parent passed to this process, by the number that its [`ChildMemory`] displayed.
    ///
    /// # Safety
    /// Nothing else in this process owns that descriptor or handle: the number was passed for this, and is taken once.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it is not the number of memory that was inherited.
    ///
    /// ```no_run
    /// use quintet::shm::SharedMemory;
    /// let number = std::env::args().nth(1).unwrap();
    /// // SAFETY: the parent passed it to us, and it is taken here only.
    /// let memory = unsafe { SharedMemory::inherited(&number)? };
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub unsafe fn inherited(number: &str) -> Result<Self> {
        // SAFETY: the same contract.
        unsafe { Memory::inherited(number) }.map(SharedMemory::unnamed)
    }

    /// How many bytes there are. On Windows that is what was asked for, rounded up to whole pages (4,096), since the system
    /// does not tell more; on Linux it is exact.
    pub fn capacity(&self) -> usize {
        self.memory.len()
    }

    /// How it is mapped.
    pub fn mode(&self) -> MapMode {
        self.memory.mode()
    }

    /// Whether this call made it, and not another one before.
    pub fn was_created(&self) -> bool {
        self.created
    }

    /// Its address; of named memory.
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    /// Whether its name still leads to it. It does not when another program has removed the name, as Python does at its exit
    /// unless it attached with `track=False`: then whoever opens it now gets another memory. (Always true without a name, and on Windows.)
    pub fn has_name(&self) -> bool {
        self.memory.has_the_name()
    }

    /// A part of it, by offset and length, as .NET's `CreateViewAccessor(offset, size)`.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if it reaches beyond the capacity.
    ///
    /// ```
    /// # let memory = quintet::shm::SharedMemory::anonymous(4096)?;
    /// let frame = memory.view(64, 640 * 3)?;
    /// frame.write_at(0, "pixels")?;
    /// assert_eq!(memory.read::<u8>(64)?, b'p');
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn view(&self, offset: u64, len: u64) -> Result<View<'_>> {
        self.whole().view(offset, len)
    }

    /// The part from an offset to the end: on Windows, of the last page.
    ///
    /// # Errors
    /// Those of [`view`](Self::view).
    ///
    /// ```
    /// # let memory = quintet::shm::SharedMemory::anonymous(4096)?;
    /// assert_eq!(memory.view_from(64)?.len(), 4032);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn view_from(&self, offset: u64) -> Result<View<'_>> {
        self.whole().view_from(offset)
    }

    /// Copies bytes out, from `offset` on. While another process writes them they may be half old, half new.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if they reach beyond the capacity; nothing is copied then.
    #[inline]
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.whole().read_at(offset, buf)
    }

    /// Copies bytes in, from `offset` on. Others may see them half written.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if they reach beyond the capacity, and [`ErrorKind::PermissionDenied`] if it is mapped for
    /// reading: nothing is copied then.
    #[inline]
    pub fn write_at(&self, offset: u64, data: impl AsRef<[u8]>) -> Result<()> {
        self.whole().write_at(offset, data)
    }

    /// Copies a value out.
    ///
    /// # Errors
    /// Those of [`read_at`](Self::read_at).
    ///
    /// ```
    /// # let memory = quintet::shm::SharedMemory::anonymous(64)?;
    /// memory.write(8, &[1.5f32, 2.5])?;
    /// assert_eq!(memory.read::<[f32; 2]>(8)?, [1.5, 2.5]);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn read<T: Plain>(&self, offset: u64) -> Result<T> {
        self.whole().read(offset)
    }

    /// Copies a value in.
    ///
    /// # Errors
    /// Those of [`write_at`](Self::write_at).
    pub fn write<T: Plain>(&self, offset: u64, value: &T) -> Result<()> {
        self.whole().write(offset, value)
    }

    /// An atomic in it, at an offset that is a multiple of 4. All processes may use it at once; that is what they are for.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] beyond the capacity; [`ErrorKind::Unsupported`] at another offset;
    /// [`ErrorKind::PermissionDenied`] if it is mapped for reading.
    ///
    /// ```
    /// use std::sync::atomic::Ordering;
    /// # let memory = quintet::shm::SharedMemory::anonymous(64)?;
    /// let frames = memory.atomic_u32(4)?;
    /// frames.fetch_add(1, Ordering::Release);
    /// assert_eq!(frames.load(Ordering::Acquire), 1);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn atomic_u32(&self, offset: u64) -> Result<&AtomicU32> {
        self.whole().atomic_u32(offset)
    }

    /// As [`atomic_u32`](Self::atomic_u32), of 64 bits, at an offset that is a multiple of 8.
    ///
    /// # Errors
    /// Those of `atomic_u32`.
    pub fn atomic_u64(&self, offset: u64) -> Result<&AtomicU64> {
        self.whole().atomic_u64(offset)
    }

    /// The memory as a stream with a position.
    pub fn stream(&self) -> MemoryStream<'_> {
        self.whole().stream()
    }

    /// Where its bytes begin, as long as this lives. What is done with the pointer is up to the caller, who must expect
    /// other processes to change the bytes at any time.
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.memory.start()
    }

    /// The bytes in place.
    ///
    /// # Safety
    /// No process, this one included, writes to the memory (or makes its file shorter) as long as the slice is used. The
    /// language takes for granted that borrowed bytes do not change; if they do, anything may happen.
    pub unsafe fn as_slice(&self) -> &[u8] {
        // SAFETY: the same contract.
        unsafe { self.whole().as_slice() }
    }

    /// The bytes in place, to write.
    ///
    /// # Safety
    /// No process, and no other part of this one, reads or writes the memory (or makes its file shorter) as long as the
    /// slice is used.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] if it is mapped for reading.
    pub unsafe fn as_mut_slice(&mut self) -> Result<&mut [u8]> {
        self.check_writes()?;
        // SAFETY: there are as many mapped, writable bytes as long as `self` is borrowed; the caller sees to it that they
        // are nobody else's meanwhile.
        Ok(unsafe { slice::from_raw_parts_mut(self.memory.start().as_ptr(), self.memory.len()) })
    }

    /// Touches every page, so that no later access has to wait for the system to find one.
    pub fn prefault(&self) {
        for at in (0..self.memory.len()).step_by(PAGE) {
            // SAFETY: it lies within the memory, which is mapped as long as `self` is borrowed; a byte needs no alignment.
            let byte = unsafe { AtomicU8::from_ptr(self.memory.start().as_ptr().add(at)) };
            byte.load(std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Writes changes to the disk, of memory [from a file](Self::from_file); else it does nothing. Blocks until it is done.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&self) -> Result<()> {
        self.memory.flush().map_err(|error| self.about(error))
    }

    #[inline]
    fn whole(&self) -> View<'_> {
        View::whole(self)
    }

    #[inline]
    pub(super) fn check_writes(&self) -> Result<()> {
        if self.memory.mode().writes() {
            return Ok(());
        }
        Err(self.about(
            Error::new(ErrorKind::PermissionDenied, "it is mapped for reading")
                .hint("open it with mode readwrite"),
        ))
    }

    #[cold]
    pub(super) fn about(&self, error: Error) -> Error {
        match &self.address {
            Some(address) => error.about(address),
            None => error,
        }
    }
}

fn check_size(size: u64) -> Result<()> {
    if size == 0 {
        return Err(Error::new(ErrorKind::Unsupported, "memory of no size at all")
            .hint("give it a size of at least 1"));
    }
    if isize::try_from(size).is_err() {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("{size} bytes are more than can be mapped"),
        ));
    }
    Ok(())
}

/// How named [`SharedMemory`] is to be.
///
/// ```
/// use quintet::shm::{MapMode, SharedMemory};
///
/// # let name = format!("shm-builder-doc-{}", std::process::id());
/// let writer = SharedMemory::builder(&name)?.size(1 << 20).prefault(true).create_new()?;
/// let reader = SharedMemory::builder(&name)?.mode(MapMode::ReadOnly).open_existing()?;
/// assert!(reader.write_at(0, b"no").is_err());
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it creates or opens"]
pub struct SharedMemoryBuilder {
    name: Name,
    size: Option<u64>,
    mode: MapMode,
    prefault: bool,
    options: ObjectOptions,
}

impl SharedMemoryBuilder {
    /// How many bytes to make; and how many at least there have to be when it is there already.
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// How to map it.
    pub fn mode(mut self, mode: MapMode) -> Self {
        self.mode = mode;
        self
    }

    /// Whether to touch every page at once: see [`SharedMemory::prefault`].
    pub fn prefault(mut self, prefault: bool) -> Self {
        self.prefault = prefault;
        self
    }

    /// Whose processes may use it; and, when it is opened, whose it may be.
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

    /// Creates it, all zero; there must be none of that name.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if there is one; else as [`create_or_open`](Self::create_or_open).
    pub fn create_new(self) -> Result<SharedMemory> {
        self.open(Opening::CreateNew)
    }

    /// Creates it, all zero, or opens what is there.
    ///
    /// All of its memory is reserved when it is created: there is no fault later because there is none left.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if what is there has fewer bytes than were asked for, or the process has no room for it;
    /// [`ErrorKind::Full`] if `/dev/shm` has no room; [`ErrorKind::Unsupported`] without a size, and for a persistent one on
    /// Windows; [`ErrorKind::PermissionDenied`] if it is another user's; [`ErrorKind::AlreadyExists`] if something else has
    /// the name; [`ErrorKind::Busy`] if the program that makes it has not given it a size yet.
    pub fn create_or_open(self) -> Result<SharedMemory> {
        self.open(Opening::CreateOrOpen)
    }

    /// Opens what is there, all of it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; else as [`create_or_open`](Self::create_or_open).
    pub fn open_existing(self) -> Result<SharedMemory> {
        self.open(Opening::OpenExisting)
    }

    fn open(self, opening: Opening) -> Result<SharedMemory> {
        let address = Address::named(Scheme::Shm, self.name.clone())?;
        let about = |error: Error| error.about(&address);
        if opening != Opening::OpenExisting {
            check_size(self.size.unwrap_or(0)).map_err(about)?;
        }
        let (memory, created, registration) = Registration::of_opened(
            || {
                let (memory, made) = Memory::open(&self.name, opening, self.size, self.mode, &self.options)?;
                Ok((Arc::new(memory), made))
            },
            Memory::release_name,
        )
        .map_err(about)?;
        let memory = SharedMemory {
            address: Some(address),
            memory,
            created,
            _registration: Some(registration),
        };
        if self.prefault {
            memory.prefault();
        }
        Ok(memory)
    }
}
