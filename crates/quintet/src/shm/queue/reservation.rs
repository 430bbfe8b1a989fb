use super::producer::Parts;
use crate::Result;
use crate::shm::bytes::Bytes;
use crate::shm::{Trust, Trusting};
use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A place in a [`Queue`](super::Queue) for a message, to be written into and then committed. Dropped, it was never there.
///
/// It can be written from a position on ([`write_at`](Self::write_at)), as a stream (`io::Write`), or through a pointer; a
/// [trusting](super::Producer::trusting) producer's derefs to `[u8]`. What is not written has whatever bytes were there.
///
/// ```
/// use quintet::shm::Queue;
///
/// # let name = format!("reserve-doc-{}", std::process::id());
/// let queue = Queue::create_or_open(&name)?;
/// let mut producer = queue.producer()?;
/// let mut place = producer.reserve(8)?;
/// place.write_at(0, b"head")?;
/// place.write_at(4, b"tail")?;
/// place.commit()?;
///
/// let mut message = Vec::new();
/// queue.consumer()?.pop(&mut message)?;
/// assert_eq!(message, b"headtail");
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Reservation<'a, T: Trust> {
    parts: &'a mut Parts,
    start: u64,
    len: u32,
    written: usize,
    trust: PhantomData<T>,
}

impl<'a, T: Trust> Reservation<'a, T> {
    pub(super) fn new(parts: &'a mut Parts, start: u64, len: u32) -> Self {
        Reservation {
            parts,
            start,
            len,
            written: 0,
            trust: PhantomData,
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn bytes(&self) -> Bytes<'_> {
        // It was placed where it fits.
        let body = self.parts.lane().body(self.start, self.len).unwrap_or_default();
        Bytes::new(body, self.len as usize)
    }

    /// Copies bytes in, from `offset` on.
    ///
    /// # Errors
    /// [`TooLarge`](crate::ErrorKind::TooLarge) if they reach beyond its length; on Linux
    /// [`Unsupported`](crate::ErrorKind::Unsupported) in a forked child. Nothing is copied then.
    pub fn write_at(&mut self, offset: usize, data: impl AsRef<[u8]>) -> Result<()> {
        // It is our parent's, which may be about to commit it.
        self.parts.check_ours()?;
        self.bytes()
            .write_at(offset, data.as_ref())
            .map_err(|error| self.parts.about(error))
    }

    /// Where its bytes begin: at a multiple of 8. To be written to, within its length, until it is committed or dropped.
    pub fn as_mut_ptr(&mut self) -> NonNull<u8> {
        self.bytes().start()
    }

    /// Puts the message into the queue.
    ///
    /// # Errors
    /// On Linux [`Unsupported`](crate::ErrorKind::Unsupported) in a forked child.
    pub fn commit(self) -> Result<()> {
        let len = self.len();
        self.commit_len(len)
    }

    /// As [`commit`](Self::commit), of the first `len` bytes only.
    ///
    /// # Errors
    /// [`TooLarge`](crate::ErrorKind::TooLarge) for more than there are, besides those of `commit`; it is not pushed then.
    pub fn commit_len(self, len: usize) -> Result<()> {
        let within = u32::try_from(len).ok().filter(|len| *len <= self.len);
        let Some(len) = within else {
            let error = crate::Error::new(
                crate::ErrorKind::TooLarge,
                format!("{len} bytes of a message that was reserved with {}", self.len),
            );
            return Err(self.parts.about(error));
        };
        self.parts.check_ours()?;
        self.parts.draft(self.start, len);
        self.parts.publish();
        Ok(())
    }
}

/// Writes one part after the other.
impl<T: Trust> io::Write for Reservation<'_, T> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let len = data.len().min(self.len() - self.written);
        self.write_at(self.written, &data[..len])?;
        self.written += len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Deref for Reservation<'_, Trusting> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `trusting` was told that all processes follow the protocol, by which nobody but this producer touches
        // these bytes, and this borrows it.
        unsafe { self.bytes().slice() }
    }
}

impl DerefMut for Reservation<'_, Trusting> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and this borrows it for itself.
        unsafe { self.bytes().slice_mut() }
    }
}
