//! Memory that processes share: a section, mapped.

use super::call::{self, Code};
use super::error;
use crate::os::types::MapMode;
use crate::{Error, ErrorKind, Result};
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::ptr::NonNull;
use windows_sys::Win32::System::Memory::{
    FILE_MAP_COPY, FILE_MAP_READ, FILE_MAP_WRITE, MEM_COMMIT, MEM_MAPPED, MEMORY_BASIC_INFORMATION,
    MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, UnmapViewOfFile, VirtualQuery,
};

/// A section, mapped. Others may change its bytes at any time, so they are only ever touched as atomics or copied.
#[derive(Debug)]
pub(super) struct View {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: it is an address and a length, and the memory stays mapped, whoever uses it, until it is dropped.
unsafe impl Send for View {}
// SAFETY: as above; what is read and written through it is up to who does so, who must use atomics.
unsafe impl Sync for View {}

impl View {
    /// Maps a section of at least `len` bytes, all of which are there.
    pub(super) fn of(section: &OwnedHandle, len: usize, writable: bool) -> Result<Self> {
        let mode = if writable {
            MapMode::ReadWrite
        } else {
            MapMode::ReadOnly
        };
        let view = View::whole(section.as_handle(), mode)
            .map_err(|code| error::of("cannot map the shared memory", code))?;
        let there = view.len;
        if there < len {
            return Err(Error::new(
                ErrorKind::Corrupt,
                format!("what has this name is {there} bytes long, and should be {len}"),
            ));
        }
        Ok(view)
    }

    /// Maps all of a section, however long it is. Its length is that of the bytes from its beginning that are there: the
    /// system rounds up to pages, and pages that are only reserved could not be touched.
    pub(super) fn whole(section: BorrowedHandle<'_>, mode: MapMode) -> std::result::Result<Self, Code> {
        let access = match mode {
            MapMode::ReadWrite => FILE_MAP_READ | FILE_MAP_WRITE,
            MapMode::ReadOnly => FILE_MAP_READ,
            MapMode::CopyOnWrite => FILE_MAP_COPY,
        };
        let mut start = None;
        call::done(|| {
            // SAFETY: the section is open because it is borrowed; the system chooses the place, so nothing that was mapped
            // before is replaced.
            let view = unsafe { MapViewOfFile(section.as_raw_handle(), access, 0, 0, 0) };
            start = NonNull::new(view.Value.cast());
            start.is_some().into()
        })?;
        let start = start.ok_or_else(error::last_code)?;
        // From here on, whatever fails, it is unmapped.
        let mut view = View { start, len: 0 };
        let mut info = MEMORY_BASIC_INFORMATION::default();
        call::done(|| {
            // SAFETY: it is only asked about the address; at most the size that is told is written to `info`.
            let len = unsafe { VirtualQuery(start.as_ptr().cast(), &mut info, size_of_val(&info)) };
            (len != 0).into()
        })?;
        // Nor is a program's image, parts of which have rights of their own, what anybody means here.
        if info.State == MEM_COMMIT && info.Type == MEM_MAPPED {
            view.len = info.RegionSize;
        }
        Ok(view)
    }

    /// Where it begins, at a page.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let view = MEMORY_MAPPED_VIEW_ADDRESS {
            Value: self.start.as_ptr().cast(),
        };
        // SAFETY: `whole` mapped it, it is unmapped only here, and whoever borrows from it borrows `self`.
        unsafe { UnmapViewOfFile(view) };
    }
}
