use super::plain::{bytes_of, value_of};
use super::{MemoryStream, Plain, SharedMemory};
use crate::os::copy;
use crate::{Error, ErrorKind, Result};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// A part of [`SharedMemory`], by offset and length, as .NET's `CreateViewAccessor(offset, size)`: offsets count from where
/// it begins, and nothing beyond its end is reached.
///
/// It costs nothing, since the memory is mapped as a whole: views overlap, are copied, and are anywhere in it, not only at
/// multiples of a page.
///
/// ```
/// use quintet::shm::SharedMemory;
///
/// # let name = format!("view-doc-{}", std::process::id());
/// let memory = SharedMemory::create_or_open(&name, 4096)?;
/// let header = memory.view(0, 64)?;
/// let frame = memory.view(64, 640)?;
/// header.write(8, &1u32)?;
/// frame.write_at(0, [255; 640])?;
/// assert!(header.write_at(60, "beyond its end").is_err());
/// assert_eq!(memory.read::<u8>(64)?, 255);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    memory: &'a SharedMemory,
    /// Together with `len` never beyond the memory's end.
    offset: usize,
    len: usize,
}

impl<'a> View<'a> {
    #[inline]
    pub(super) fn whole(memory: &'a SharedMemory) -> Self {
        View {
            memory,
            offset: 0,
            len: memory.capacity(),
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where it begins in the memory.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The memory that it is a part of.
    pub fn memory(&self) -> &'a SharedMemory {
        self.memory
    }

    /// A part of this part.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if it reaches beyond the end.
    ///
    /// ```
    /// # let memory = quintet::shm::SharedMemory::anonymous(64)?;
    /// let slots = memory.view(16, 32)?;
    /// let second = slots.view(8, 8)?;
    /// second.write(0, &7u64)?;
    /// assert_eq!(memory.read::<u64>(24)?, 7);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn view(&self, offset: u64, len: u64) -> Result<View<'a>> {
        match (self.at(offset, len), usize::try_from(len)) {
            (Some(offset), Ok(len)) => Ok(View {
                memory: self.memory,
                offset,
                len,
            }),
            _ => Err(self.beyond(offset, len)),
        }
    }

    /// The part from an offset to the end.
    ///
    /// # Errors
    /// Those of [`view`](Self::view).
    ///
    /// ```
    /// # let memory = quintet::shm::SharedMemory::anonymous(64)?;
    /// let body = memory.view(0, 32)?.view_from(8)?;
    /// assert_eq!(body.len(), 24);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn view_from(&self, offset: u64) -> Result<View<'a>> {
        self.view(offset, (self.len as u64).saturating_sub(offset))
    }

    /// Copies bytes out, from `offset` on. While another process writes them they may be half old, half new.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if they reach beyond the end; nothing is copied then.
    #[inline]
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let from = self.place(offset, buf.len())?;
        // SAFETY: `place` has made sure that there are as many bytes.
        unsafe { copy::out(from, buf) };
        Ok(())
    }

    /// Copies bytes in, from `offset` on. Others may see them half written.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if they reach beyond the end, and [`ErrorKind::PermissionDenied`] if the memory is mapped for
    /// reading: nothing is copied then.
    #[inline]
    pub fn write_at(&self, offset: u64, data: impl AsRef<[u8]>) -> Result<()> {
        let data = data.as_ref();
        self.memory.check_writes()?;
        let to = self.place(offset, data.len())?;
        // SAFETY: `place` has made sure that there are as many bytes, and they can be written.
        unsafe { copy::into(data, to) };
        Ok(())
    }

    /// Copies a value out.
    ///
    /// # Errors
    /// Those of [`read_at`](Self::read_at).
    pub fn read<T: Plain>(&self, offset: u64) -> Result<T> {
        value_of(|bytes| self.read_at(offset, bytes))
    }

    /// Copies a value in.
    ///
    /// # Errors
    /// Those of [`write_at`](Self::write_at).
    pub fn write<T: Plain>(&self, offset: u64, value: &T) -> Result<()> {
        self.write_at(offset, bytes_of(value))
    }

    /// An atomic in it, for all processes to use at once. Where it is *in the memory* has to be a multiple of 4.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] beyond the end; [`ErrorKind::Unsupported`] at another place; [`ErrorKind::PermissionDenied`] if
    /// the memory is mapped for reading.
    ///
    /// ```
    /// use std::sync::atomic::Ordering;
    /// # let memory = quintet::shm::SharedMemory::anonymous(64)?;
    /// let slot = memory.view(16, 8)?;
    /// slot.atomic_u32(4)?.store(1, Ordering::Release);
    /// assert_eq!(memory.atomic_u32(20)?.load(Ordering::Acquire), 1);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn atomic_u32(&self, offset: u64) -> Result<&'a AtomicU32> {
        let at = self.aligned(offset, size_of::<AtomicU32>())?;
        // SAFETY: there are four bytes, aligned and writable, as long as the memory is borrowed; any bytes are a number.
        // What others do to them meanwhile are atomic accesses or, if they are not, those of other processes, for which
        // the processor's rules hold and not the language's.
        Ok(unsafe { AtomicU32::from_ptr(at.cast().as_ptr()) })
    }

    /// As [`atomic_u32`](Self::atomic_u32), of 64 bits, at a multiple of 8.
    ///
    /// # Errors
    /// Those of `atomic_u32`.
    pub fn atomic_u64(&self, offset: u64) -> Result<&'a AtomicU64> {
        let at = self.aligned(offset, size_of::<AtomicU64>())?;
        // SAFETY: as above, for eight bytes.
        Ok(unsafe { AtomicU64::from_ptr(at.cast().as_ptr()) })
    }

    /// It as a stream with a position, as .NET's `CreateViewStream(offset, size)`.
    ///
    /// ```
    /// use std::io::Write;
    /// # let memory = quintet::shm::SharedMemory::anonymous(64)?;
    /// let mut stream = memory.view(8, 4)?.stream();
    /// assert_eq!(stream.write(b"hello")?, 4); // to its end
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream(&self) -> MemoryStream<'a> {
        MemoryStream::new(*self)
    }

    /// Where its bytes begin, as long as the memory lives. What is done with the pointer is up to the caller, who must expect
    /// other processes to change the bytes at any time. It is aligned as [`offset`](Self::offset) is.
    pub fn as_ptr(&self) -> NonNull<u8> {
        // SAFETY: it does not go beyond the memory's end.
        unsafe { self.memory.as_ptr().add(self.offset) }
    }

    /// The bytes in place.
    ///
    /// # Safety
    /// No process, this one included, writes to them (or makes the memory's file shorter) as long as the slice is used. The
    /// language takes for granted that borrowed bytes do not change; if they do, anything may happen.
    pub unsafe fn as_slice(&self) -> &'a [u8] {
        // SAFETY: there are as many mapped bytes as long as the memory is borrowed; the caller sees to it that they stay
        // as they are.
        unsafe { slice::from_raw_parts(self.as_ptr().as_ptr(), self.len) }
    }

    /// Where in the memory so many bytes begin, if they are there.
    #[inline]
    fn at(&self, offset: u64, len: u64) -> Option<usize> {
        let end = offset.checked_add(len)?;
        if end > self.len as u64 {
            return None;
        }
        // Neither can overflow: it is within the memory.
        usize::try_from(offset).ok().map(|offset| self.offset + offset)
    }

    /// Their address, if they are there.
    #[inline]
    fn place(&self, offset: u64, len: usize) -> Result<NonNull<u8>> {
        match self.at(offset, len as u64) {
            // SAFETY: it does not go beyond the memory's end.
            Some(at) => Ok(unsafe { self.memory.as_ptr().add(at) }),
            None => Err(self.beyond(offset, len as u64)),
        }
    }

    fn aligned(&self, offset: u64, size: usize) -> Result<NonNull<u8>> {
        self.memory.check_writes()?;
        // The memory begins at a page, so what is aligned in it is aligned.
        let in_memory = u128::from(offset) + self.offset as u128;
        if !in_memory.is_multiple_of(size as u128) {
            return Err(self.memory.about(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "an atomic of {size} bytes cannot be at offset {in_memory}, which is no multiple of {size}"
                ),
            )));
        }
        self.place(offset, size)
    }

    #[cold]
    fn beyond(&self, offset: u64, len: u64) -> Error {
        let what = if self.len == self.memory.capacity() {
            "its capacity"
        } else {
            "the view's length"
        };
        self.memory.about(Error::new(
            ErrorKind::TooLarge,
            format!(
                "{len} bytes at offset {offset} reach beyond {what} of {}",
                self.len
            ),
        ))
    }
}
