//! Memory that processes share: a file, mapped.

use crate::os::step::call;
use rustix::fd::AsFd;
use rustix::mm::{MapFlags, ProtFlags};
use std::ptr::NonNull;

/// A mapped file. Others may change its bytes at any time, so they are only ever touched as atomics or copied.
#[derive(Debug)]
pub(super) struct Map {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: it is an address and a length, and the memory stays mapped, whoever uses it, until it is dropped.
unsafe impl Send for Map {}
// SAFETY: as above; what is read and written through it is up to who does so, who must use atomics.
unsafe impl Sync for Map {}

impl Map {
    /// Maps the first `len` bytes of a file, which is that long.
    pub(super) fn of(file: impl AsFd, len: usize, writable: bool) -> rustix::io::Result<Self> {
        let protection = if writable {
            ProtFlags::READ | ProtFlags::WRITE
        } else {
            ProtFlags::READ
        };
        // SAFETY: the system chooses the place, so nothing that was mapped before is replaced.
        let start = call(|| unsafe {
            rustix::mm::mmap(std::ptr::null_mut(), len, protection, MapFlags::SHARED, &file, 0)
        })?;
        let start = NonNull::new(start.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Map { start, len })
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: `of` mapped it, it is unmapped only here, and whoever borrows from it borrows `self`.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
