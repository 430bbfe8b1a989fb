use super::writer::Parts;
use crate::shm::bytes::Bytes;
use crate::shm::{Trust, Trusting};
use crate::{Error, ErrorKind, Result};
use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A place in a [`Mailbox`](super::Mailbox) for a value, to be written into and then published. Dropped, it was never there.
///
/// It can be written from a position on ([`write_at`](Self::write_at)), as a stream (`io::Write`), or through a pointer; a
/// [trusting](super::MailboxWriter::trusting) writer's derefs to `[u8]`. What is not written has whatever bytes were there, of
/// some older value or none.
///
/// ```
/// use quintet::shm::Mailbox;
///
/// # let name = format!("loan-doc-{}", std::process::id());
/// let mailbox = Mailbox::create_or_open(&name)?;
/// let mut writer = mailbox.writer()?;
/// let mut frame = writer.loan(8)?;
/// frame.write_at(0, b"head")?;
/// frame.write_at(4, b"tail")?;
/// frame.publish()?;
///
/// let mut value = Vec::new();
/// mailbox.reader()?.read(&mut value)?;
/// assert_eq!(value, b"headtail");
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Loan<'a, T: Trust> {
    parts: &'a mut Parts,
    buffer: usize,
    len: usize,
    written: usize,
    trust: PhantomData<T>,
}

impl<'a, T: Trust> Loan<'a, T> {
    pub(super) fn new(parts: &'a mut Parts, buffer: usize, len: usize) -> Self {
        Loan {
            parts,
            buffer,
            len,
            written: 0,
            trust: PhantomData,
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

    fn bytes(&self) -> Bytes<'_> {
        Bytes::new(self.parts.boxes().body(self.buffer), self.len)
    }

    /// Copies bytes in, from `offset` on.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) if they reach beyond its length; on Linux [`Unsupported`](ErrorKind::Unsupported) in a
    /// forked child. Nothing is copied then.
    pub fn write_at(&mut self, offset: usize, data: impl AsRef<[u8]>) -> Result<()> {
        // It is our parent's, which may be about to publish it.
        self.parts.check_ours()?;
        self.bytes()
            .write_at(offset, data.as_ref())
            .map_err(|error| self.parts.shared.about(error))
    }

    /// Where its bytes begin: at a multiple of 64. To be written to, within its length, until it is published or dropped.
    pub fn as_mut_ptr(&mut self) -> NonNull<u8> {
        self.bytes().start()
    }

    /// Makes it the newest value: its sequence number.
    ///
    /// # Errors
    /// On Linux [`Unsupported`](ErrorKind::Unsupported) in a forked child.
    pub fn publish(self) -> Result<u64> {
        let len = self.len;
        self.publish_len(len)
    }

    /// As [`publish`](Self::publish), of the first `len` bytes only.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) for more than there are, besides those of `publish`; it is not published then.
    pub fn publish_len(self, len: usize) -> Result<u64> {
        if len > self.len {
            let what = format!("{len} bytes of a value that was lent with {}", self.len);
            return Err(self.parts.shared.about(Error::new(ErrorKind::TooLarge, what)));
        }
        self.parts.check_ours()?;
        Ok(self.parts.publish(self.buffer, len))
    }
}

/// Writes one part after the other.
impl<T: Trust> io::Write for Loan<'_, T> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let len = data.len().min(self.len - self.written);
        self.write_at(self.written, &data[..len])?;
        self.written += len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Deref for Loan<'_, Trusting> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `trusting` was told that all processes follow the protocol, by which nobody but the one writer writes these
        // bytes, and this borrows it.
        unsafe { self.bytes().slice() }
    }
}

impl DerefMut for Loan<'_, Trusting> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and this borrows it for itself. Readers, also threads of this process, may still be copying an older
        // value from here, where the compiler does not see it (`os::copy`): they find that it was taken back, and forget the
        // copy without a look at it.
        unsafe { self.bytes().slice_mut() }
    }
}
