//! Memory that both sides map: a memfd of far's that near opens through /proc, so it has no name to leave behind.

use crate::harness::Place;
use crate::row::Result;
use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::mm::{MapFlags, ProtFlags};
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// Two cache lines, as some processors fetch them in pairs.
pub(crate) const LINE: usize = 128;

#[derive(Debug)]
pub(crate) struct Shared {
    start: NonNull<u8>,
    len: usize,
    /// Near opens it by its number, so it stays open.
    _file: OwnedFd,
}

impl Shared {
    /// Makes it, all zero, and tells near.
    pub(crate) fn far(place: &Place, len: usize) -> Result<Self> {
        let file = rustix::fs::memfd_create("quintet-bench", MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&file, len as u64)?;
        let number = file.as_raw_fd();
        let shared = Shared::map(file, len)?;
        place.say(&format!("/proc/{}/fd/{number}", std::process::id()))?;
        Ok(shared)
    }

    /// Maps what far has made.
    pub(crate) fn near(place: &Place, len: usize) -> Result<Self> {
        let file = rustix::fs::open(place.hear()?, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        Shared::map(file, len)
    }

    fn map(file: OwnedFd, len: usize) -> Result<Self> {
        // SAFETY: a new mapping, at an address of the kernel's choice, of a file that is that long and that nobody
        // shortens.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::POPULATE,
                &file,
                0,
            )
        }?;
        let start = NonNull::new(start.cast()).ok_or("mapped at address 0")?;
        Ok(Shared {
            start,
            len,
            _file: file,
        })
    }

    /// The beginning of a line, as a number.
    pub(crate) fn word(&self, line: usize) -> &AtomicU64 {
        // SAFETY: `at` has checked that the whole line is in the mapping, which lives as long as `self`; a line is
        // aligned for any number, all bits make a valid one, and both processes access it atomically only.
        unsafe { self.at(line * LINE, LINE).cast::<AtomicU64>().as_ref() }
    }

    /// The beginning of a line, as what a futex is.
    pub(crate) fn futex(&self, line: usize) -> &AtomicU32 {
        // SAFETY: as in `word`.
        unsafe { self.at(line * LINE, LINE).cast::<AtomicU32>().as_ref() }
    }

    /// A line, for something that is not a number. It is aligned for anything.
    pub(crate) fn line(&self, line: usize) -> NonNull<u8> {
        self.at(line * LINE, LINE)
    }

    /// Copies `data` to `offset`.
    ///
    /// # Safety
    /// Nobody else, in either process, reads or writes these bytes meanwhile.
    pub(crate) unsafe fn copy_in(&self, offset: usize, data: &[u8]) {
        let to = self.at(offset, data.len());
        // SAFETY: `at` has checked the range; the caller sees to it that nobody else uses it; a slice of ours cannot
        // overlap a mapping that nothing is borrowed from.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(data).cast(), data.len()) }
    }

    /// Fills `data` from `offset`.
    ///
    /// # Safety
    /// Nobody else, in either process, writes these bytes meanwhile.
    pub(crate) unsafe fn copy_out(&self, offset: usize, data: &mut [u8]) {
        let from = self.at(offset, data.len());
        // SAFETY: as in `copy_in`.
        unsafe { from.copy_to_nonoverlapping(NonNull::from(&mut *data).cast(), data.len()) }
    }

    fn at(&self, offset: usize, len: usize) -> NonNull<u8> {
        let end = offset.checked_add(len);
        assert!(end.is_some_and(|end| end <= self.len), "beyond the shared memory");
        // SAFETY: the offset is inside of the mapping, or just behind it if `len` is 0.
        unsafe { self.start.add(offset) }
    }
}

// SAFETY: the mapping is the same for all threads, and everything that accesses it is atomic or `unsafe`.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nothing borrowed from `self` is left.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
