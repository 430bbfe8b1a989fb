use crate::os::atomic::AtomicU64;
use crate::os::copy;
use crate::{Error, ErrorKind, Result};
use std::ptr::NonNull;

/// Some bytes of an object's memory, which other processes may change at any time whatever they should.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a> {
    words: &'a [AtomicU64],
    len: usize,
}

impl<'a> Bytes<'a> {
    /// The first `len` bytes of some words.
    pub(super) fn new(words: &'a [AtomicU64], len: usize) -> Self {
        assert!(len <= size_of_val(words));
        Bytes { words, len }
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        NonNull::from(self.words).cast()
    }

    fn place(&self, offset: usize, len: usize) -> Result<NonNull<u8>> {
        if offset.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("{len} bytes from {offset} on reach beyond its {} bytes", self.len),
            ));
        }
        // SAFETY: it is not beyond the end of the words, as they have at least `len` bytes.
        Ok(unsafe { self.start().add(offset) })
    }

    pub(super) fn read_at(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        let from = self.place(offset, buf.len())?;
        // SAFETY: `place` has made sure that there are as many bytes.
        unsafe { copy::out(from, buf) };
        Ok(())
    }

    /// They have to be of memory that is mapped for writing.
    pub(super) fn write_at(&self, offset: usize, data: &[u8]) -> Result<()> {
        let to = self.place(offset, data.len())?;
        // SAFETY: `place` has made sure that there are as many bytes; atomics may be written through a shared reference.
        unsafe { copy::into(data, to) };
        Ok(())
    }

    pub(super) fn append_to(&self, buf: &mut Vec<u8>) {
        copy::append(self.words, self.len, buf);
    }

    /// # Safety
    /// Nobody writes them while the slice lives.
    pub(super) unsafe fn slice(&self) -> &'a [u8] {
        // SAFETY: there are so many bytes, mapped as long as the words are borrowed, and the caller says that they do not
        // change.
        unsafe { std::slice::from_raw_parts(self.start().as_ptr(), self.len) }
    }

    /// # Safety
    /// Nobody else reads or writes them while the slice lives.
    pub(super) unsafe fn slice_mut(&self) -> &'a mut [u8] {
        // SAFETY: there are so many bytes, mapped as long as the words are borrowed, atomics and so not read-only to the
        // compiler, and the caller says that nobody else touches them.
        unsafe { std::slice::from_raw_parts_mut(self.start().as_ptr(), self.len) }
    }
}
