//! What the system has of FIFO files, which is nothing but on Linux.

pub(super) use here::*;

#[cfg(target_os = "linux")]
mod here {
    pub(in crate::fifo) use quintet::pipe::fifo::{create, exists, open_reader, open_writer};
    use std::os::unix::fs::{FileTypeExt, MetadataExt};

    /// Device and inode.
    pub(in crate::fifo) type Identity = (u64, u64);

    /// Whether there are FIFOs at all.
    pub(in crate::fifo) fn check() -> quintet::Result<()> {
        Ok(())
    }

    /// Which FIFO is there.
    pub(in crate::fifo) fn identity(path: &std::path::Path) -> Option<Identity> {
        let meta = std::fs::symlink_metadata(path).ok()?;
        meta.file_type().is_fifo().then(|| (meta.dev(), meta.ino()))
    }
}

#[cfg(not(target_os = "linux"))]
mod here {
    use quintet::pipe::{Access, PipeReader, PipeWriter};
    use quintet::{Error, Result};
    use std::io;
    use std::path::Path;
    use std::time::Duration;

    pub(in crate::fifo) type Identity = ();

    /// The same for everything that could be asked for.
    fn unsupported<T>() -> Result<T> {
        let why = "unsupported: FIFO files exist on Linux only";
        Err(Error::from_io(io::Error::new(io::ErrorKind::Unsupported, why)))
    }

    pub(in crate::fifo) fn check() -> Result<()> {
        unsupported()
    }

    pub(in crate::fifo) fn create(_: &Path, _: Access) -> Result<()> {
        unsupported()
    }

    pub(in crate::fifo) fn exists(_: &Path) -> Result<bool> {
        unsupported()
    }

    pub(in crate::fifo) fn open_reader(_: &Path, _: Access, _: Option<Duration>) -> Result<PipeReader> {
        unsupported()
    }

    pub(in crate::fifo) fn open_writer(_: &Path, _: Access, _: Option<Duration>) -> Result<PipeWriter> {
        unsupported()
    }

    pub(in crate::fifo) fn identity(_: &Path) -> Option<Identity> {
        None
    }
}
