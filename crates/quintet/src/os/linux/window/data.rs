//! The bytes of the largest messages, in memory files.
//!
//! What does not go through the shuttle, because it is too long or the shuttle is not free, goes in a file of its own: the sender
//! fills it, seals it so that nobody can ever change it again, and hands it over; the receiver reads it in place. That is one copy, but
//! into fresh pages, which cost several times as much as copying them (writing 1 MiB into such took 0.6 ms where it was
//! tried).

use super::lane::nonsense;
use super::words::check_sealed;
use crate::os::linux::memory::Map;
use crate::os::linux::no_descriptor;
use crate::os::step::call;
use crate::os::types::MapMode;
use crate::{Error, ErrorKind, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, SealFlags, SeekFrom};
use rustix::io::Errno;

/// The most that a receiver takes.
const MOST: u64 = 1 << 30;

const SEALS: SealFlags = SealFlags::WRITE.union(SealFlags::SHRINK).union(SealFlags::GROW);

fn create() -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    call(|| rustix::fs::memfd_create("quintet-data", flags))
        .map_err(|error| no_descriptor("cannot make memory for the data", error))
}

/// Writes bytes to the beginning of a file.
fn write(file: &OwnedFd, bytes: &[u8]) -> Result<()> {
    let mut at = 0;
    while at < bytes.len() {
        at += call(|| rustix::io::pwrite(file, &bytes[at..], at as u64)).map_err(|error| match error {
            Errno::NOSPC | Errno::NOMEM | Errno::FBIG => Error::new(
                ErrorKind::Full,
                format!("there is no memory for {} bytes of data", bytes.len()),
            ),
            error => Error::os("cannot write the data", error),
        })?;
    }
    Ok(())
}

/// A file of these bytes.
pub(super) fn file_of(bytes: &[u8]) -> Result<OwnedFd> {
    let file = create()?;
    write(&file, bytes)?;
    call(|| rustix::fs::fcntl_add_seals(&file, SEALS | SealFlags::SEAL))
        .map_err(|error| Error::os("cannot seal the data", error))?;
    Ok(file)
}

/// Bytes that came with a message.
#[derive(Debug)]
pub(super) enum Data {
    Copied(Vec<u8>),
    /// Of a file that nobody can change.
    Mapped(Map),
}

impl Data {
    /// Takes a file from somebody who may have lied about it.
    pub(super) fn of_file(file: &OwnedFd, len: u64) -> Result<Self> {
        let len = usize::try_from(len)
            .ok()
            .filter(|_| (1..=MOST).contains(&len))
            .ok_or_else(nonsense)?;
        check_sealed(file, SEALS, len)?;
        // A hole would be filled when it is read, at the reader's cost.
        let first_hole = call(|| rustix::fs::seek(file, SeekFrom::Hole(0)));
        if first_hole.map_or(true, |at| at < len as u64) {
            return Err(nonsense());
        }
        // Not shared: before Linux 6.7 the kernel takes any shared mapping of such a file for one that could be written.
        let map = Map::with(file, len, MapMode::CopyOnWrite)
            .map_err(|error| Error::os("cannot map the data", error))?;
        Ok(Data::Mapped(map))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Data::Copied(bytes) => bytes,
            // SAFETY: the map is that long and stays as long as it is borrowed. Its file is sealed, as `of_file` has
            // checked, so that nobody can write to it or take bytes away, ever; and nobody writes through this map, which
            // is not handed out otherwise.
            Data::Mapped(map) => unsafe { std::slice::from_raw_parts(map.start().as_ptr(), map.len()) },
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_if_it_is_whole_and_can_never_change() {
        let bytes = vec![0; 10_000];
        let file = file_of(&bytes).unwrap();
        assert_eq!(Data::of_file(&file, 10_000).unwrap().bytes(), bytes);
        let refused = |file: &OwnedFd, len| {
            assert_eq!(Data::of_file(file, len).unwrap_err().kind(), ErrorKind::Corrupt);
        };
        for len in [0, 1, 9_999, 10_001, MOST + 1, u64::MAX] {
            refused(&file, len);
        }
        let unsealed = create().unwrap();
        write(&unsealed, &bytes).unwrap();
        refused(&unsealed, 10_000);
        // What is missing would be made when it is read.
        let sparse = create().unwrap();
        rustix::fs::ftruncate(&sparse, 1 << 30).unwrap();
        rustix::fs::fcntl_add_seals(&sparse, SEALS).unwrap();
        refused(&sparse, 1 << 30);
    }
}
