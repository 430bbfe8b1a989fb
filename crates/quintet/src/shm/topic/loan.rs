use super::publisher::Parts;
use crate::shm::bytes::Bytes;
use crate::shm::{Trust, Trusting};
use crate::{Error, ErrorKind, Result};
use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A place in a [`Topic`](super::Topic) for a message, to be written into and then published. Dropped, it was never there.
///
/// It can be written from a position on ([`write_at`](Self::write_at)), as a stream (`io::Write`), or through a pointer; a
/// [trusting](super::Publisher::trusting) publisher's derefs to `[u8]`. What is not written has whatever bytes were there.
///
/// ```
/// use quintet::shm::Topic;
///
/// # let name = format!("sample-loan-doc-{}", std::process::id());
/// let topic = Topic::create_or_open(&name)?;
/// let mut subscriber = topic.subscriber()?;
/// let mut publisher = topic.publisher()?;
/// let mut message = publisher.loan(8)?;
/// message.write_at(0, b"head")?;
/// message.write_at(4, b"tail")?;
/// message.publish()?;
/// assert_eq!(subscriber.receive()?.to_vec(), b"headtail");
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct SampleLoan<'a, T: Trust> {
    parts: &'a mut Parts,
    start: u64,
    len: u32,
    written: usize,
    trust: PhantomData<T>,
}

impl<'a, T: Trust> SampleLoan<'a, T> {
    pub(super) fn new(parts: &'a mut Parts, start: u64, len: u32) -> Self {
        SampleLoan {
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
        Bytes::new(body, self.len())
    }

    /// Copies bytes in, from `offset` on.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) if they reach beyond its length, on Linux [`Unsupported`](ErrorKind::Unsupported) in a
    /// forked child; nothing is copied then.
    pub fn write_at(&mut self, offset: usize, data: impl AsRef<[u8]>) -> Result<()> {
        self.parts.check_ours()?;
        self.bytes()
            .write_at(offset, data.as_ref())
            .map_err(|error| self.parts.shared.about(error))
    }

    /// Where its bytes begin: at a multiple of 8. To be written to, within its length, until it is published or dropped.
    pub fn as_mut_ptr(&mut self) -> NonNull<u8> {
        self.bytes().start()
    }

    /// Publishes it: its sequence number.
    ///
    /// # Errors
    /// On Linux [`Unsupported`](ErrorKind::Unsupported) in a forked child.
    pub fn publish(self) -> Result<u64> {
        let len = self.len();
        self.publish_len(len)
    }

    /// As [`publish`](Self::publish), of the first `len` bytes only.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) for more than there are, besides those of `publish`; it is not published then.
    pub fn publish_len(self, len: usize) -> Result<u64> {
        let within = u32::try_from(len).ok().filter(|len| *len <= self.len);
        let Some(len) = within else {
            let what = format!("{len} bytes of a message that was lent with {}", self.len);
            return Err(self.parts.shared.about(Error::new(ErrorKind::TooLarge, what)));
        };
        self.parts.check_ours()?;
        Ok(self.parts.publish_in_place(self.start, len))
    }
}

/// Writes one part after the other.
impl<T: Trust> io::Write for SampleLoan<'_, T> {
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

impl Deref for SampleLoan<'_, Trusting> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `trusting` was told that all processes follow the protocol, by which nobody but this publisher writes
        // these bytes, and this borrows it.
        unsafe { self.bytes().slice() }
    }
}

impl DerefMut for SampleLoan<'_, Trusting> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and this borrows it for itself. Subscribers that were overtaken may still be copying an older message
        // from here, which the compiler does not see, and forget the copy.
        unsafe { self.bytes().slice_mut() }
    }
}
