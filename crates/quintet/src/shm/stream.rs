use super::View;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Shared memory, or a [`View`] of it, as a stream with a position: `Read`, `Write` and `Seek`, as .NET's `CreateViewStream`.
///
/// It ends where the memory or the view does: reading gives 0 there, writing [`io::ErrorKind::WriteZero`] from `write_all`.
///
/// ```
/// use quintet::shm::SharedMemory;
/// use std::io::{Read, Seek, Write};
///
/// let memory = SharedMemory::anonymous(4096)?;
/// let mut stream = memory.stream();
/// stream.write_all(b"hello")?;
/// stream.rewind()?;
/// let mut text = [0; 5];
/// stream.read_exact(&mut text)?;
/// assert_eq!(&text, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MemoryStream<'a> {
    view: View<'a>,
    at: u64,
}

impl<'a> MemoryStream<'a> {
    pub(super) fn new(view: View<'a>) -> Self {
        MemoryStream { view, at: 0 }
    }

    /// How many of so many bytes there are from here on.
    fn fit(&self, len: usize) -> usize {
        let left = (self.view.len() as u64).saturating_sub(self.at);
        usize::try_from(left).map_or(len, |left| left.min(len))
    }
}

impl Read for MemoryStream<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.fit(buf.len());
        if len > 0 {
            self.view.read_at(self.at, &mut buf[..len])?;
            self.at += len as u64;
        }
        Ok(len)
    }
}

impl Write for MemoryStream<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let len = self.fit(buf.len());
        if len > 0 {
            self.view.write_at(self.at, &buf[..len])?;
            self.at += len as u64;
        }
        Ok(len)
    }

    /// What is written is there for the others at once. (For a file's pages on the disk:
    /// [`SharedMemory::flush`](super::SharedMemory::flush).)
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for MemoryStream<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(by) => (self.view.len() as u64, by),
            SeekFrom::Current(by) => (self.at, by),
        };
        self.at = from
            .checked_add_signed(by)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a position before the beginning"))?;
        Ok(self.at)
    }
}
