//! Memory that two threads share: files in memory that can be neither shortened nor lengthened.

use crate::doorbell::Bell;
use crate::os::atomic::AtomicU64;
#[cfg(not(loom))]
use crate::os::linux::memory::Map;
use crate::os::linux::no_descriptor;
use crate::os::step::call;
use crate::os::types::MapMode;
use crate::{Error, ErrorKind, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::io::Errno;
use std::ops::Range;
use std::sync::Arc;

/// Memory as words, of which any may be another's at any time.
#[derive(Clone, Debug)]
pub(super) struct Words {
    #[cfg(not(loom))]
    map: Arc<Map>,
    /// What a model has in place of a map.
    #[cfg(loom)]
    map: Arc<Vec<AtomicU64>>,
    start: usize,
    len: usize,
}

impl Words {
    /// Makes a memory file of so many words, which can neither shrink nor grow. There is memory for the first `reserved` of
    /// them; for more it is [reserved](reserve) later.
    pub(super) fn make(len: usize, reserved: usize) -> Result<(Self, OwnedFd)> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = call(|| rustix::fs::memfd_create("quintet-window", flags))
            .map_err(|error| no_descriptor("cannot make memory to send through", error))?;
        let os = |error| Error::os("cannot make memory to send through", error);
        call(|| rustix::fs::ftruncate(&file, (len * 8) as u64)).map_err(os)?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        call(|| rustix::fs::fcntl_add_seals(&file, seals)).map_err(os)?;
        reserve(&file, 0..reserved)?;
        Ok((Words::map(&file, len, MapMode::ReadWrite)?, file))
    }

    /// Takes a memory file of that many words from somebody who may have lied about it.
    pub(super) fn take(file: &OwnedFd, len: usize, mode: MapMode) -> Result<Self> {
        check_sealed(file, SealFlags::SHRINK, len * 8)?;
        Words::map(file, len, mode)
    }

    #[cfg(not(loom))]
    fn map(file: impl AsFd, len: usize, mode: MapMode) -> Result<Self> {
        let map = Map::with(file, len * 8, mode)
            .map_err(|error| Error::os("cannot map the memory to send through", error))?;
        Ok(Words {
            map: Arc::new(map),
            start: 0,
            len,
        })
    }

    #[cfg(loom)]
    fn map(_file: impl AsFd, len: usize, _mode: MapMode) -> Result<Self> {
        Ok(Words::model(len))
    }

    #[cfg(loom)]
    pub(super) fn model(len: usize) -> Self {
        Words {
            map: Arc::new((0..len).map(|_| AtomicU64::new(0)).collect()),
            start: 0,
            len,
        }
    }

    /// A part of it.
    pub(super) fn part(&self, start: usize, len: usize) -> Self {
        assert!(start + len <= self.len);
        Words {
            map: self.map.clone(),
            start: self.start + start,
            len,
        }
    }

    /// The first word, as a bell.
    #[cfg(not(loom))]
    pub(super) fn bell(&self) -> &Bell {
        let word: *const AtomicU64 = &self.all()[0];
        // SAFETY: a bell is one atomic number of half a word's size, for which any bytes will do, and which is aligned as the word is
        // at least. It stays as long as `self` is borrowed, as the word does. That word is used as a bell alone, by both sides, so
        // nobody goes there with another size.
        unsafe { &*word.cast::<Bell>() }
    }

    #[cfg(loom)]
    pub(super) fn bell(&self) -> &Bell {
        unreachable!("in the models all have desks")
    }

    #[cfg(loom)]
    pub(super) fn all(&self) -> &[AtomicU64] {
        &self.map[self.start..self.start + self.len]
    }

    #[cfg(not(loom))]
    #[inline(always)]
    pub(super) fn all(&self) -> &[AtomicU64] {
        assert!((self.start + self.len) * 8 <= self.map.len());
        // SAFETY: the map begins at a page, is that long, as has just been checked, and stays as long as it is borrowed;
        // its file cannot shrink. Any bytes are atomics' values, which others may change. (Where it is mapped for reading alone
        // nobody stores anything.)
        unsafe {
            std::slice::from_raw_parts(
                self.map.start().as_ptr().cast::<AtomicU64>().add(self.start),
                self.len,
            )
        }
    }
}

/// Sees to it that there is memory for these words of a file, so that nobody's store fails.
pub(super) fn reserve(file: &OwnedFd, words: Range<usize>) -> Result<()> {
    let (at, len) = ((words.start * 8) as u64, (words.len() * 8) as u64);
    call(|| rustix::fs::fallocate(file, FallocateFlags::empty(), at, len)).map_err(|error| match error {
        Errno::NOSPC | Errno::NOMEM => Error::new(ErrorKind::Full, "there is no memory to send through"),
        error => Error::os("cannot reserve memory to send through", error),
    })
}

/// Gives the memory of these words back to the system. They are 0 from then on.
pub(super) fn give_back(file: &OwnedFd, words: Range<usize>) -> Result<()> {
    let (at, len) = ((words.start * 8) as u64, (words.len() * 8) as u64);
    let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    call(|| rustix::fs::fallocate(file, how, at, len))
        .map_err(|error| Error::os("cannot give memory back", error))
}

/// Checks that a file is memory, sealed like that, and of that size.
pub(super) fn check_sealed(file: &OwnedFd, seals: SealFlags, size: usize) -> Result<()> {
    let corrupt = |what: &'static str| Error::new(ErrorKind::Corrupt, what);
    // Only files in memory have seals.
    match call(|| rustix::fs::fcntl_get_seals(file)) {
        Ok(there) if there.contains(seals) => {}
        _ => return Err(corrupt("what it hands over is not sealed memory")),
    }
    match call(|| rustix::fs::fstat(file)) {
        Ok(stat) if u64::try_from(stat.st_size) == Ok(size as u64) => Ok(()),
        _ => Err(corrupt("what it hands over has another size than it says")),
    }
}
