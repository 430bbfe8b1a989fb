//! Shared memory as such: named, of a file, or without a name. Bytes from offset 0, with no header.
//!
//! The named one is POSIX shared memory, `/dev/shm/NAME`, as other programs make and use it (`shm_open`, Python, .NET's
//! `MemoryMappedFile` on that path). Ours goes with its last holder; how, see `named_file.rs`. What others made stays:
//! ours is known by the *sticky bit* in its mode, which means nothing else on a file, and which a persistent one has not.

use super::memory::Map;
use super::named_file::{self, FOLDER, Hold, Kind};
use super::process::{self, UserId};
use super::token::Token;
use super::{no_descriptor, spawn};
use crate::named::Liveness;
use crate::os::step::call;
use crate::os::types::{Access, Found, MapMode, ObjectOptions, Opening};
use crate::{Error, ErrorKind, Name, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::fs::{FallocateFlags, FileType, MemfdFlags, Mode, SealFlags, Stat};
use rustix::io::{Errno, FdFlags};
use rustix::mm::MsyncFlags;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::ptr::NonNull;
use std::time::{Duration, UNIX_EPOCH};

/// In the mode of what goes with its last holder.
const OURS: Mode = Mode::SVTX;

/// A piece of memory, mapped.
#[derive(Debug)]
pub(crate) struct Memory {
    map: Map,
    mode: MapMode,
    hold: Option<Hold>,
    /// Of anonymous memory, to pass on.
    file: Option<OwnedFd>,
}

/// Raw memory of a name.
struct Raw {
    size: Option<u64>,
    mode: MapMode,
    options: ObjectOptions,
}

impl Kind for Raw {
    type Content = Map;

    const FOREIGNERS: bool = true;

    fn access(&self) -> Access {
        self.options.access
    }

    fn size(&self) -> u64 {
        self.size.unwrap_or(0)
    }

    fn mode(&self) -> (Mode, bool) {
        let mode = match self.options.access {
            Access::CurrentUser => Mode::RUSR | Mode::WUSR,
            Access::Everyone => Mode::from_raw_mode(0o666),
        };
        if self.options.persistent {
            (mode, true)
        } else {
            (mode | OURS, false)
        }
    }

    fn fill(&self, token: &Token) -> Result<Map> {
        self.map(token, self.size())
    }

    fn stays(&self, _token: &Token, stat: &Stat) -> Result<bool> {
        Ok(!Mode::from_raw_mode(stat.st_mode).contains(OURS))
    }

    fn content(&self, token: &Token, stat: &Stat) -> Result<Map> {
        let there = u64::try_from(stat.st_size).unwrap_or(0);
        if there == 0 {
            return Err(Error::new(
                ErrorKind::Busy,
                "it has no bytes yet: the program that makes it is not done",
            )
            .hint("try again"));
        }
        if let Some(wanted) = self.size.filter(|wanted| *wanted > there) {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("it has {there} bytes, and {wanted} were asked for"),
            )
            .hint("open it as it is, or remove it and create it anew"));
        }
        self.map(token, there)
    }
}

impl Raw {
    fn map(&self, token: &Token, len: u64) -> Result<Map> {
        let file = named_file::reopen(token)
            .map_err(|error| no_descriptor("cannot open the shared memory again", error))?;
        map(&file, len, self.mode)
    }
}

fn map(file: impl AsFd, len: u64, mode: MapMode) -> Result<Map> {
    let too_large = || {
        Error::new(
            ErrorKind::TooLarge,
            format!("{len} bytes are more than can be mapped"),
        )
    };
    // Beyond this no address is.
    let len = usize::try_from(len)
        .ok()
        .filter(|len| isize::try_from(*len).is_ok())
        .ok_or_else(too_large)?;
    match Map::with(file, len, mode) {
        Ok(map) => Ok(map),
        Err(Errno::NOMEM) => Err(too_large().hint("the process has no room for them: see ulimit -v")),
        Err(error) => Err(Error::os("cannot map the shared memory", error)),
    }
}

impl Memory {
    /// Makes or opens named memory. `size` is what to make, and the least that one that is there must have.
    pub(crate) fn open(
        name: &Name,
        opening: Opening,
        size: Option<u64>,
        mode: MapMode,
        options: &ObjectOptions,
    ) -> Result<(Self, bool)> {
        let raw = Raw {
            size,
            mode,
            options: *options,
        };
        let (map, hold, made) = named_file::open(&raw, &path(name), opening)?;
        let memory = Memory {
            map,
            mode,
            hold: Some(hold),
            file: None,
        };
        Ok((memory, made))
    }

    /// Maps a file as long as it is.
    pub(crate) fn of_file(file: &std::fs::File, mode: MapMode) -> Result<Self> {
        let stat =
            call(|| rustix::fs::fstat(file)).map_err(|error| Error::os("cannot look at the file", error))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "it is not a file with bytes to map",
            ));
        }
        if stat.st_size == 0 {
            return Err(Error::new(ErrorKind::Unsupported, "the file is empty")
                .hint("give it a length first (File::set_len)"));
        }
        let map = map(file, stat.st_size.unsigned_abs(), mode)?;
        Ok(Memory {
            map,
            mode,
            hold: None,
            file: None,
        })
    }

    /// Makes memory without a name, of a fixed size.
    pub(crate) fn anonymous(size: u64) -> Result<Self> {
        // Nothing limits this kind of memory but what there is, and the kernel ends somebody when that is gone.
        let machine = rustix::system::sysinfo();
        let unit = u64::from(machine.mem_unit);
        let most = (machine.totalram + machine.totalswap).saturating_mul(unit);
        if size > most {
            return Err(Error::new(
                ErrorKind::Full,
                format!("there is no memory for {size} bytes: the machine has {most}"),
            ));
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = call(|| rustix::fs::memfd_create("quintet", flags))
            .map_err(|error| no_descriptor("cannot make shared memory", error))?;
        call(|| rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size)).map_err(
            |error| match error {
                Errno::NOSPC | Errno::NOMEM | Errno::FBIG => {
                    Error::new(ErrorKind::Full, format!("there is no memory for {size} bytes"))
                }
                error => Error::os("cannot reserve its memory", error),
            },
        )?;
        // So that nobody can take the bytes away under who has them mapped.
        call(|| rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL))
            .map_err(|error| Error::os("cannot fix its size", error))?;
        Ok(Memory {
            map: map(&file, size, MapMode::ReadWrite)?,
            mode: MapMode::ReadWrite,
            hold: None,
            file: Some(file),
        })
    }

    /// Takes the memory that this process inherited under a number.
    ///
    /// # Safety
    /// Nothing else in this process owns that descriptor.
    pub(crate) unsafe fn inherited(text: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::new(ErrorKind::NotFound, format!("the handle {text:?} {why}"))
                .hint("it has to be passed by shm::spawn to this very process")
        };
        let number = text.parse().ok().filter(|number: &i32| *number >= 0);
        let number = number.ok_or_else(|| wrong("is not the number of a descriptor".into()))?;
        // SAFETY: the number is not negative, and the borrow ends with this function, in which nothing closes it; a
        // descriptor that is not open only makes the calls on it fail.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        let seals = call(|| rustix::fs::fcntl_get_seals(fd))
            .map_err(|error| wrong(format!("is not memory that was inherited: {error}")))?;
        if !seals.contains(SealFlags::SHRINK) {
            return Err(wrong("is memory whose size may change".into()));
        }
        let stat =
            call(|| rustix::fs::fstat(fd)).map_err(|error| wrong(format!("cannot be looked at: {error}")))?;
        // Not for this process's own children, unless they are given it.
        call(|| rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC))
            .map_err(|error| Error::os("cannot keep the handle from children", error))?;
        let map = map(fd, stat.st_size.unsigned_abs(), MapMode::ReadWrite)?;
        Ok(Memory {
            map,
            mode: MapMode::ReadWrite,
            hold: None,
            // SAFETY: it is open, as the calls above have shown, and by this function's contract nobody else's.
            file: Some(unsafe { OwnedFd::from_raw_fd(number) }),
        })
    }

    /// Its handle for a child; only anonymous memory has one.
    pub(crate) fn for_child(&self) -> Result<ForChild> {
        let Some(file) = &self.file else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "only anonymous memory is passed to a child",
            )
            .hint("tell the child the name, or the file"));
        };
        // Not 0, 1 or 2, which the child's standard streams would replace.
        call(|| rustix::io::fcntl_dupfd_cloexec(file, 3))
            .map(ForChild)
            .map_err(|error| no_descriptor("cannot copy the handle", error))
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.map.start()
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn mode(&self) -> MapMode {
        self.mode
    }

    /// Whether its name still leads to it; without a name, yes.
    pub(crate) fn has_the_name(&self) -> bool {
        self.hold.as_ref().is_none_or(Hold::has_the_name)
    }

    /// Writes changes to the file that it is of.
    pub(crate) fn flush(&self) -> Result<()> {
        let (start, len) = (self.map.start().as_ptr(), self.map.len());
        // SAFETY: it is mapped as long as `self` lives, and nothing is changed.
        call(|| unsafe { rustix::mm::msync(start.cast(), len, MsyncFlags::SYNC) })
            .map_err(|error| Error::os("cannot write the changes to the file", error))
    }

    pub(crate) fn release_name(&self) {
        if let Some(hold) = &self.hold {
            hold.let_go();
        }
    }
}

/// Anonymous memory on its way to a child.
#[derive(Debug)]
pub(crate) struct ForChild(OwnedFd);

impl fmt::Display for ForChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_raw_fd().fmt(f)
    }
}

/// Starts a child that inherits these under their numbers, and closes them here.
pub(crate) fn spawn(command: &mut Command, memories: Vec<ForChild>) -> std::io::Result<Child> {
    let fds: Vec<_> = memories.iter().map(|memory| memory.0.as_fd()).collect();
    spawn::inheriting(command, &fds)
}

fn path(name: &Name) -> PathBuf {
    Path::new(FOLDER).join(name.base())
}

pub(crate) fn list() -> Result<Vec<Found>> {
    let entries =
        std::fs::read_dir(FOLDER).map_err(|error| Error::os(format!("cannot list {FOLDER}"), error))?;
    let mut names: Vec<Name> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| Name::new(entry.file_name().to_str()?).ok())
        // Those with a header are objects of other kinds.
        .filter(|name| !name.base().starts_with("quintet."))
        .collect();
    names.sort();
    Ok(names.iter().filter_map(|name| stat(name).ok()).collect())
}

pub(crate) fn stat(name: &Name) -> Result<Found> {
    let (file, stat) = named_file::open_to_look(&path(name))?;
    let is_held =
        Token::is_object_held(&file).map_err(|error| Error::os("cannot ask who holds it", error))?;
    let ours = Mode::from_raw_mode(stat.st_mode).contains(OURS);
    let (liveness, evidence) = match (is_held, ours) {
        (true, _) => (
            Liveness::Live,
            "a Quintet process has it open, by a lock of the kernel",
        ),
        (false, true) => (Liveness::Stale, "no Quintet process holds the lock on it"),
        (false, false) => (
            Liveness::Foreign,
            "another program made it, or it is persistent: it stays until it is removed",
        ),
    };
    let created = Duration::new(
        u64::try_from(stat.st_ctime).unwrap_or(0),
        u32::try_from(stat.st_ctime_nsec).unwrap_or(0),
    );
    Ok(Found {
        name: name.base().to_string(),
        liveness,
        evidence: evidence.into(),
        holders: process::others_with(&file),
        owners: Vec::new(),
        size: u64::try_from(stat.st_size).ok(),
        created: Some(UNIX_EPOCH + created),
        details: vec![
            ("user", UserId::from_uid(stat.st_uid).to_string()),
            ("path", path(name).display().to_string()),
        ],
    })
}

pub(crate) fn remove(name: &Name) -> Result<()> {
    named_file::remove(&path(name), true, None)
}
