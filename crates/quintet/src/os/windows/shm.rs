//! Shared memory as such: named, of a file, or without a name. Bytes from offset 0, with no header.
//!
//! The named one is the section `Local\NAME`, as other programs make and use it (`CreateFileMapping`, `OpenFileMapping`,
//! .NET's `MemoryMappedFile`). The kernel makes it zero, and removes it with its last handle, whoever has that. Who of us
//! has it open holds an event beside it too, `….held`, by which ours are told from other programs'.
//!
//! Whoever only looks at a section keeps it for that moment, and who makes it anew just then would find the old bytes. So
//! both happen under the guard of the name (`guard.rs`), which other programs know nothing of.

use super::call::{self, Code};
use super::guard::Guard;
use super::object;
use super::section::View;
use super::security::{self, Descriptor};
use super::sync::look;
use super::{error, inherit, nt, wide};
use crate::os::types::{Access, Found, MapMode, ObjectOptions, Opening};
use crate::{Error, ErrorKind, Name, Result, Scheme, Scope};
use std::fmt;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::process::{Child, Command};
use std::ptr::{self, NonNull};
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_ALREADY_EXISTS, ERROR_COMMITMENT_LIMIT, ERROR_DISK_FULL, ERROR_FILE_INVALID,
    ERROR_FILE_NOT_FOUND, ERROR_FILE_TOO_LARGE, ERROR_HANDLE_DISK_FULL, ERROR_LOCK_VIOLATION,
    ERROR_NO_SYSTEM_RESOURCES, ERROR_NOT_ENOUGH_MEMORY, ERROR_NOT_ENOUGH_QUOTA, ERROR_OUTOFMEMORY,
    ERROR_PATH_NOT_FOUND, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_DIRECTORY, FILE_TYPE_DISK, FlushFileBuffers,
    GetFileInformationByHandle, GetFileType, READ_CONTROL,
};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, FlushViewOfFile, OpenFileMappingW, PAGE_READONLY,
    PAGE_READWRITE, PAGE_WRITECOPY, SECTION_QUERY,
};

#[cfg(test)]
mod tests;

/// A piece of memory, mapped. The fields are dropped in this order.
#[derive(Debug)]
pub(crate) struct Memory {
    view: View,
    /// How many bytes of the view are meant.
    len: usize,
    mode: MapMode,
    behind: Behind,
}

/// What it is of.
#[derive(Debug)]
enum Behind {
    /// Which keep the name: a view alone does not.
    Named {
        #[expect(dead_code, reason = "held, not used")]
        section: OwnedHandle,
        #[expect(dead_code, reason = "held, not used")]
        mark: OwnedHandle,
    },
    /// To pass on.
    Anonymous(OwnedHandle),
    /// To flush; none if nothing is written to it.
    File(Option<OwnedHandle>),
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
        if options.persistent {
            return Err(object::not_persistent());
        }
        let access = options.access;
        let beside = object::beside(Scheme::Shm, name);
        let _guard = Guard::lock(&beside, access)?;
        let (section, made) = section_of(name, opening, size.unwrap_or(0), mode, access)?;
        let view = map(section.as_handle(), mode)?;
        let len = view.len();
        if let Some(wanted) = size.filter(|wanted| *wanted > len as u64) {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("it has {len} bytes, and {wanted} were asked for"),
            )
            .hint("open it as it is, or end the programs that hold it"));
        }
        let (mark, _) = object::hold(&object::mark(&beside), access)?;
        let memory = Memory {
            view,
            len,
            mode,
            behind: Behind::Named { section, mark },
        };
        Ok((memory, made))
    }

    /// Maps a file as long as it is.
    pub(crate) fn of_file(file: &std::fs::File, mode: MapMode) -> Result<Self> {
        let len = file_len(file.as_handle())?;
        let protection = match mode {
            MapMode::ReadWrite => PAGE_READWRITE,
            MapMode::ReadOnly => PAGE_READONLY,
            MapMode::CopyOnWrite => PAGE_WRITECOPY,
        };
        // SAFETY: the file is open because it is borrowed; no security attributes and no name are allowed. The handle is a
        // new one.
        let section = unsafe {
            call::handle(|| {
                CreateFileMappingW(file.as_raw_handle(), ptr::null(), protection, 0, 0, ptr::null())
            })
        };
        let section = section.map_err(|code| match code {
            ERROR_FILE_INVALID => empty_file(),
            ERROR_NOT_ENOUGH_MEMORY => too_large(len),
            code => error::of("cannot map the shared memory", code),
        })?;
        let view = map(section.as_handle(), mode)?;
        let file = match mode {
            MapMode::ReadWrite => Some(inherit::copy(file.as_handle()).map_err(cannot_copy)?),
            MapMode::ReadOnly | MapMode::CopyOnWrite => None,
        };
        Ok(Memory {
            // The view goes on to the end of a page, and what is written behind the file's end is lost. It ends before if
            // somebody has made the file shorter since it was asked; once it is mapped, nobody can.
            len: usize::try_from(len).map_or(view.len(), |len| len.min(view.len())),
            view,
            mode,
            behind: Behind::File(file),
        })
    }

    /// Makes memory without a name. Of a fixed size, as sections without a file are.
    pub(crate) fn anonymous(size: u64) -> Result<Self> {
        let (section, _) =
            create(None, size, Access::CurrentUser)?.map_err(|code| cannot_make(code, size))?;
        let mode = MapMode::ReadWrite;
        let view = map(section.as_handle(), mode)?;
        Ok(Memory {
            len: view.len(),
            view,
            mode,
            behind: Behind::Anonymous(section),
        })
    }

    /// Takes the memory that this process inherited under a number.
    ///
    /// # Safety
    /// Nothing else in this process owns that handle.
    pub(crate) unsafe fn inherited(text: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::new(ErrorKind::NotFound, format!("the handle {text:?} {why}"))
                .hint("it has to be passed by shm::spawn to this very process")
        };
        let unusable = |code: Code| {
            let error = io::Error::from_raw_os_error(code.cast_signed());
            wrong(format!("is not memory that was inherited: {error}"))
        };
        let number: usize = text
            .parse()
            .map_err(|_| wrong("is not the number of a handle".into()))?;
        let handle: RawHandle = ptr::with_exposed_provenance_mut(number);
        let state = nt::section(handle).map_err(unusable)?;
        if state.is_of_file() {
            return Err(wrong("is memory of a file".into()));
        }
        // SAFETY: it is open, as the call above has shown, and the borrow ends with this function, in which nothing closes
        // it.
        let section = unsafe { BorrowedHandle::borrow_raw(handle) };
        // Not for this process's own children, unless they are given it.
        inherit::set_inheritable(section, false)
            .map_err(|code| error::of("cannot keep the handle from children", code))?;
        let mode = MapMode::ReadWrite;
        let view = View::whole(section, mode).map_err(unusable)?;
        if view.len() == 0 {
            return Err(wrong("is memory whose bytes are only reserved".into()));
        }
        Ok(Memory {
            len: view.len(),
            view,
            mode,
            // SAFETY: it is open and, by this function's contract, nobody else's.
            behind: Behind::Anonymous(unsafe { OwnedHandle::from_raw_handle(handle) }),
        })
    }

    /// Its handle for a child; only anonymous memory has one.
    pub(crate) fn for_child(&self) -> Result<ForChild> {
        let Behind::Anonymous(section) = &self.behind else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "only anonymous memory is passed to a child",
            )
            .hint("tell the child the name, or the file"));
        };
        inherit::copy(section.as_handle())
            .map(ForChild)
            .map_err(cannot_copy)
    }

    #[inline]
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.view.start()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn mode(&self) -> MapMode {
        self.mode
    }

    /// Whether its name still leads to it: nobody can take it away.
    #[expect(clippy::unused_self, reason = "on Linux it can change")]
    pub(crate) fn has_the_name(&self) -> bool {
        true
    }

    /// Writes changes to the file that it is of.
    pub(crate) fn flush(&self) -> Result<()> {
        let Behind::File(Some(file)) = &self.behind else {
            return Ok(());
        };
        let failed = |code| error::of("cannot write the changes to the file", code);
        self.flush_view().map_err(failed)?;
        // Those were only told to the disk.
        // SAFETY: the file is open as long as `self` lives.
        call::done(|| unsafe { FlushFileBuffers(file.as_raw_handle()) }).map_err(failed)
    }

    fn flush_view(&self) -> std::result::Result<(), Code> {
        // NTFS now and then says that somebody has locked the file, which passes; .NET tries again too.
        const TRIES: u32 = 10;
        let mut tries = 0;
        loop {
            let start = self.view.start().as_ptr();
            // SAFETY: it is mapped as long as `self` lives, and nothing is changed. 0 means all of it.
            match call::done(|| unsafe { FlushViewOfFile(start.cast(), 0) }) {
                Err(ERROR_LOCK_VIOLATION) if tries < TRIES => {
                    std::thread::sleep(Duration::from_millis(1 << tries));
                    tries += 1;
                }
                flushed => return flushed,
            }
        }
    }

    /// The name goes by itself when the process ends.
    pub(crate) fn release_name(&self) {}
}

/// Anonymous memory on its way to a child.
#[derive(Debug)]
pub(crate) struct ForChild(OwnedHandle);

impl fmt::Display for ForChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_raw_handle().expose_provenance().fmt(f)
    }
}

/// Starts a child that inherits these under their numbers, and closes them here.
pub(crate) fn spawn(command: &mut Command, memories: Vec<ForChild>) -> io::Result<Child> {
    let handles: Vec<_> = memories.iter().map(|memory| memory.0.as_handle()).collect();
    inherit::spawn(command, &handles)
}

/// Makes or opens the section of a name. Also says whether it was made.
fn section_of(
    name: &Name,
    opening: Opening,
    size: u64,
    mode: MapMode,
    access: Access,
) -> Result<(OwnedHandle, bool)> {
    let text = wide(&object::itself(name));
    let there = |section: OwnedHandle| {
        if opening == Opening::CreateNew {
            return Err(object::exists_already());
        }
        object::check_owner(section.as_handle(), access)?;
        Ok((section, false))
    };
    // First, because who makes what is there asks for more rights than its owner may have given.
    // SAFETY: the name ends with NUL; the handle is a new one.
    match unsafe { call::handle(|| OpenFileMappingW(rights(mode), 0, text.as_ptr())) } {
        Ok(section) => return there(section),
        Err(ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND) if opening != Opening::OpenExisting => {}
        Err(code) => return Err(object::cannot_open(code)),
    }
    match create(Some(&text), size, access)? {
        Ok((section, true)) => Ok((section, true)),
        // Another program, which knows nothing of the guard, was faster.
        Ok((section, false)) => there(section),
        Err(ERROR_ACCESS_DENIED) if name.scope() == Some(Scope::Global) => {
            Err(object::not_for_all_sessions())
        }
        Err(code) if is_full(code) => Err(cannot_make(code, size)),
        Err(code) => Err(object::cannot_open(code)),
    }
}

/// What is asked of a section: to map it, and whose and how large it is.
fn rights(mode: MapMode) -> u32 {
    let map = match mode {
        MapMode::ReadWrite => FILE_MAP_READ | FILE_MAP_WRITE,
        MapMode::ReadOnly | MapMode::CopyOnWrite => FILE_MAP_READ,
    };
    map | SECTION_QUERY | READ_CONTROL
}

/// Makes a section, of that name or of none, or opens the one that is there. Also says whether it was made.
fn create(
    name: Option<&[u16]>,
    size: u64,
    access: Access,
) -> Result<std::result::Result<(OwnedHandle, bool), Code>> {
    // Beyond this no address is, and the system rounds up to pages, of whatever size.
    if size > isize::MAX as u64 - u64::from(u16::MAX) {
        return Err(too_large(size));
    }
    let descriptor = Descriptor::of_section(access)?;
    let attributes = descriptor.attributes();
    let name = name.map_or(ptr::null(), <[u16]>::as_ptr);
    // Its memory is reserved now: that is what a section without further flags does.
    // SAFETY: a section without a file is asked for by that handle; the name, if any, ends with NUL, and the attributes point
    // into `descriptor`, which lives across the call. The handle is a new one.
    let section = unsafe {
        call::handle(|| {
            CreateFileMappingW(
                INVALID_HANDLE_VALUE,
                &attributes,
                PAGE_READWRITE,
                (size >> 32) as u32,
                size as u32,
                name,
            )
        })
    };
    let was_there = error::last_code() == ERROR_ALREADY_EXISTS;
    Ok(section.map(|section| (section, !was_there)))
}

fn map(section: BorrowedHandle<'_>, mode: MapMode) -> Result<View> {
    let view = View::whole(section, mode).map_err(|code| match code {
        ERROR_NOT_ENOUGH_MEMORY => match nt::section(section.as_raw_handle()) {
            Ok(state) => too_large(state.size()),
            Err(_) => error::of("cannot map the shared memory", code),
        },
        code => error::of("cannot map the shared memory", code),
    })?;
    if view.len() == 0 {
        return Err(Error::new(
            ErrorKind::Busy,
            "it has no bytes yet: the program that makes it is not done",
        )
        .hint("try again"));
    }
    Ok(view)
}

/// How long a file is that can be mapped.
fn file_len(file: BorrowedHandle<'_>) -> Result<u64> {
    let is_disk = || {
        // SAFETY: the file is open because it is borrowed.
        (unsafe { GetFileType(file.as_raw_handle()) } == FILE_TYPE_DISK).into()
    };
    let no_file = || Error::new(ErrorKind::Unsupported, "it is not a file with bytes to map");
    call::done(is_disk).map_err(|_| no_file())?;
    let mut info = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the file is open because it is borrowed; what is known of it is put where we say.
    call::done(|| unsafe { GetFileInformationByHandle(file.as_raw_handle(), &mut info) })
        .map_err(|code| error::of("cannot look at the file", code))?;
    if info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY != 0 {
        return Err(no_file());
    }
    match u64::from(info.nFileSizeHigh) << 32 | u64::from(info.nFileSizeLow) {
        0 => Err(empty_file()),
        len => Ok(len),
    }
}

fn empty_file() -> Error {
    Error::new(ErrorKind::Unsupported, "the file is empty").hint("give it a length first (File::set_len)")
}

fn too_large(len: u64) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("{len} bytes are more than can be mapped"),
    )
    .hint("the process has no room for them")
}

/// Whether a section cannot be made because of its size. (Too large for the system, and for its memory, are the same number.)
fn is_full(code: Code) -> bool {
    matches!(
        code,
        ERROR_NOT_ENOUGH_MEMORY
            | ERROR_OUTOFMEMORY
            | ERROR_NO_SYSTEM_RESOURCES
            | ERROR_NOT_ENOUGH_QUOTA
            | ERROR_COMMITMENT_LIMIT
            | ERROR_DISK_FULL
            | ERROR_HANDLE_DISK_FULL
            | ERROR_FILE_TOO_LARGE
    )
}

fn cannot_make(code: Code, size: u64) -> Error {
    if is_full(code) {
        return Error::new(ErrorKind::Full, format!("there is no memory for {size} bytes"))
            .hint("end programs that use much, or make the page file larger");
    }
    error::of("cannot make shared memory", code)
}

fn cannot_copy(code: Code) -> Error {
    error::of("cannot copy the handle", code)
}

pub(crate) fn list() -> Result<Vec<Found>> {
    Ok(look::list("Section", Scheme::Shm, stat))
}

pub(crate) fn stat(name: &Name) -> Result<Found> {
    let text = wide(&object::itself(name));
    // SAFETY: the name ends with NUL; the handle is a new one.
    let open = || -> HANDLE { unsafe { OpenFileMappingW(SECTION_QUERY | READ_CONTROL, 0, text.as_ptr()) } };
    // SAFETY: as above.
    let (size, owner) = unsafe {
        look::at(Scheme::Shm, name, open, |section| {
            let state = nt::section(section.as_raw_handle()).map_err(look::no_answer)?;
            Ok((state.size(), security::owner(section.as_handle())))
        })
    }?;
    let mut found = look::found(name);
    found.size = Some(size);
    found.details = owner
        .map(|owner| ("user", owner.to_string()))
        .into_iter()
        .collect();
    look::see_mark(&mut found, Scheme::Shm, name)?;
    Ok(found)
}

pub(crate) fn remove(name: &Name) -> Result<()> {
    stat(name)?;
    Err(object::not_removable())
}
