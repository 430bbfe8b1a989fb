//! The files behind the objects, as a hostile or a foreign program sees them.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// The size of every object's file.
pub(crate) const SIZE: usize = 65536;
/// Where the object's word stands.
pub(crate) const WORD: usize = 64;
/// Where the participants stand, and how many bytes each has.
pub(crate) const SLOTS: usize = 128;
pub(crate) const SLOT: usize = 64;
/// The byte whose lock is the object's life; behind it, a byte for each participant.
pub(crate) const LIFE: i64 = 1 << 62;

pub(crate) fn path(kind: &str, name: &str) -> PathBuf {
    PathBuf::from(format!("/dev/shm/quintet.{kind}.{name}"))
}

pub(crate) fn open(kind: &str, name: &str) -> File {
    File::options()
        .read(true)
        .write(true)
        .open(path(kind, name))
        .unwrap()
}

/// Somebody who writes what he likes.
#[derive(Debug)]
pub(crate) struct Memory(*const AtomicU64);

impl Memory {
    pub(crate) fn of(kind: &str, name: &str) -> Self {
        let file = open(kind, name);
        // SAFETY: the system chooses the place. The file is that long, and nobody makes it shorter.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                SIZE,
                rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE,
                rustix::mm::MapFlags::SHARED,
                &file,
                0,
            )
        };
        Memory(start.unwrap().cast())
    }

    fn at(&self, offset: usize) -> &AtomicU64 {
        assert!(offset < SIZE && offset.is_multiple_of(8));
        // SAFETY: it is inside of the mapping, which stays until `self` is dropped, and aligned; any bytes are a number.
        unsafe { &*self.0.byte_add(offset) }
    }

    pub(crate) fn read(&self, offset: usize) -> u64 {
        self.at(offset).load(Ordering::SeqCst)
    }

    pub(crate) fn write(&self, offset: usize, value: u64) {
        self.at(offset).store(value, Ordering::SeqCst);
    }

    /// Changes four bytes only.
    pub(crate) fn write_half(&self, offset: usize, value: u32) {
        let (whole, shift) = (offset & !7, (offset % 8) * 8);
        let kept = self.read(whole) & !(u64::from(u32::MAX) << shift);
        self.write(whole, kept | u64::from(value) << shift);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `of` mapped it, and whoever borrows from it borrows `self`.
        unsafe { rustix::mm::munmap(self.0.cast_mut().cast(), SIZE) }.unwrap();
    }
}

/// Whether somebody is next to have a mutex, whoever else wants it.
pub(crate) fn is_promised(mutex: &Memory) -> bool {
    (mutex.read(WORD) >> 11) & 0x7ff != 0
}

/// Locks a range of bytes for this open of the file, for itself alone or beside others; whether that was possible.
pub(crate) fn lock(file: &File, start: i64, len: i64, exclusive: bool) -> bool {
    let lock = libc::flock {
        l_type: if exclusive { libc::F_WRLCK } else { libc::F_RDLCK } as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start,
        l_len: len,
        l_pid: 0,
    };
    // SAFETY: `lock` is valid and only read; the descriptor is open while `file` is borrowed.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &lock) == 0 }
}

/// What this process has open in there: who made a file has it open under no name.
pub(crate) fn open_objects() -> Vec<PathBuf> {
    open_objects_of("self")
}

pub(crate) fn open_objects_of(pid: &str) -> Vec<PathBuf> {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|target| target.to_string_lossy().contains("/dev/shm/"))
        .collect()
}

pub(crate) fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
