//! Memory that processes share: a file, mapped.

use crate::os::step::call;
use crate::os::types::MapMode;
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
    pub(super) fn with(file: impl AsFd, len: usize, mode: MapMode) -> rustix::io::Result<Self> {
        let (protection, flags) = match mode {
            MapMode::ReadWrite => (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED),
            MapMode::ReadOnly => (ProtFlags::READ, MapFlags::SHARED),
            MapMode::CopyOnWrite => (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE),
        };
        // SAFETY: the system chooses the place, so nothing that was mapped before is replaced.
        let start =
            call(|| unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, protection, flags, &file, 0) })?;
        let start = NonNull::new(start.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Map { start, len })
    }

    /// A copy of the first `len` bytes of a file, which is that long: others change it, or take it away, without effect here.
    pub(super) fn copy_of(file: impl AsFd, len: usize) -> rustix::io::Result<Self> {
        // SAFETY: the system chooses the place, so nothing that was mapped before is replaced.
        let start = call(|| unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        })?;
        let start = NonNull::new(start.cast::<u8>()).ok_or(rustix::io::Errno::NOMEM)?;
        let map = Map { start, len };
        // SAFETY: it has just been mapped, is that long, all zero, and nobody else's.
        let bytes = unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), len) };
        let mut done = 0;
        while done < len {
            match call(|| rustix::io::pread(&file, &mut bytes[done..], done as u64))? {
                // Shorter than it was: what is missing is zero, which no header is.
                0 => break,
                more => done += more,
            }
        }
        Ok(map)
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
