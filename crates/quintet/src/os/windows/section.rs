//! Memory that processes share: a section without a file, mapped.

use super::call;
use super::error;
use crate::{Error, ErrorKind, Result};
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::ptr::NonNull;
use windows_sys::Win32::System::Memory::{
    FILE_MAP_READ, FILE_MAP_WRITE, MEM_COMMIT, MEMORY_BASIC_INFORMATION, MEMORY_MAPPED_VIEW_ADDRESS,
    MapViewOfFile, UnmapViewOfFile, VirtualQuery,
};

/// A section, mapped. Others may change its bytes at any time, so they are only ever touched as atomics or copied.
#[derive(Debug)]
pub(super) struct View {
    start: NonNull<u8>,
}

// SAFETY: it is an address, and the memory stays mapped, whoever uses it, until it is dropped.
unsafe impl Send for View {}
// SAFETY: as above; what is read and written through it is up to who does so, who must use atomics.
unsafe impl Sync for View {}

impl View {
    /// Maps a section of at least `len` bytes, all of which are there.
    pub(super) fn of(section: &OwnedHandle, len: usize, writable: bool) -> Result<Self> {
        let access = if writable {
            FILE_MAP_READ | FILE_MAP_WRITE
        } else {
            FILE_MAP_READ
        };
        let mut view = MEMORY_MAPPED_VIEW_ADDRESS::default();
        call::done(|| {
            // SAFETY: the section is open; the system chooses the place. All of it is mapped, however long it is.
            view = unsafe { MapViewOfFile(section.as_raw_handle(), access, 0, 0, 0) };
            (!view.Value.is_null()).into()
        })
        .map_err(|code| error::of("cannot map the shared memory", code))?;
        let Some(start) = NonNull::new(view.Value.cast()) else {
            return Err(Error::new(ErrorKind::Os, "cannot map the shared memory"));
        };
        // From here on, whatever fails, it is unmapped.
        let view = View { start };
        let mut info = MEMORY_BASIC_INFORMATION::default();
        call::done(|| {
            // SAFETY: it is only asked about the address; at most the size that is told is written to `info`.
            let len = unsafe { VirtualQuery(start.as_ptr().cast(), &mut info, size_of_val(&info)) };
            (len != 0).into()
        })
        .map_err(|code| error::of("cannot look at the shared memory", code))?;
        // Pages that are only reserved could not be touched.
        let there = if info.State == MEM_COMMIT {
            info.RegionSize
        } else {
            0
        };
        if there < len {
            return Err(Error::new(
                ErrorKind::Corrupt,
                format!("what has this name is {there} bytes long, and should be {len}"),
            ));
        }
        Ok(view)
    }

    /// Where it begins, at a page.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let view = MEMORY_MAPPED_VIEW_ADDRESS {
            Value: self.start.as_ptr().cast(),
        };
        // SAFETY: `of` mapped it, it is unmapped only here, and whoever borrows from it borrows `self`.
        unsafe { UnmapViewOfFile(view) };
    }
}
