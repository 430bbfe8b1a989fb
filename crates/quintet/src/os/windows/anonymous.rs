//! One-way pipes between a parent and a child.
//!
//! CreatePipe makes handles that block, which no deadline can end. So a pipe is made as a named one, with a name that
//! nobody else uses, whose parent's end is for overlapped I/O; the child's end blocks, as programs expect their standard
//! input and output to. A child of ours that takes such an end by its number has only that, and waits with deadlines by
//! looking again and again, after at most a millisecond.

use super::event::Event;
use super::operation::Operation;
use super::security::Descriptor;
use super::{call, error, wide};
use crate::os::pipe_types::Direction;
use crate::wait::{self, Spin};
use crate::{Deadline, Error, ErrorKind, Result};
use std::fmt;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::process::{Child, Command, Stdio};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use windows_sys::Wdk::Storage::FileSystem::{
    FILE_ACCESS_INFORMATION, FileAccessInformation, NtQueryInformationFile,
};
use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_OPERATION_ABORTED, ERROR_PIPE_NOT_CONNECTED, HANDLE,
    HANDLE_FLAG_INHERIT, SetHandleInformation,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_GENERIC_READ, FILE_GENERIC_WRITE,
    FILE_READ_DATA, FILE_TYPE_PIPE, FILE_WRITE_DATA, GetFileType, OPEN_EXISTING, PIPE_ACCESS_INBOUND,
    PIPE_ACCESS_OUTBOUND, ReadFile, WriteFile,
};
use windows_sys::Win32::System::IO::{IO_STATUS_BLOCK, IO_STATUS_BLOCK_0};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, PIPE_NOWAIT, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE, PIPE_WAIT, PeekNamedPipe,
    SetNamedPipeHandleState,
};

/// Bytes that can wait in a pipe: as many as in one on Linux.
const BUFFER: u32 = 64 * 1024;

/// How often to look at an end that only blocks.
const LOOK: Duration = Duration::from_millis(1);

/// The end of a pipe that this process uses.
#[derive(Debug)]
pub(crate) struct End {
    pipe: OwnedHandle,
    spin: Spin,
    /// `None`: the handle blocks.
    operation: Option<Mutex<Operation>>,
}

/// The end of a pipe that is for a child.
#[derive(Debug)]
pub(crate) struct ChildEnd(OwnedHandle);

/// A new pipe, of which this process reads (`In`) or writes (`Out`).
pub(crate) fn create(ours: Direction) -> Result<(End, ChildEnd)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let failed = |code| error::of("cannot make a pipe", code);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = wide(&format!(
        r"\\.\pipe\quintet.anonymous.{}.{number}",
        std::process::id()
    ));
    let descriptor = Descriptor::private()?;
    let (our_access, their_access) = if ours.reads() {
        (PIPE_ACCESS_INBOUND, FILE_GENERIC_WRITE)
    } else {
        (PIPE_ACCESS_OUTBOUND, FILE_GENERIC_READ)
    };
    let flags = our_access | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED;
    let attributes = descriptor.attributes();
    // SAFETY: the name ends with NUL, and it and the attributes live across the call; the handle is a new one.
    let pipe = unsafe {
        call::handle(|| {
            CreateNamedPipeW(
                name.as_ptr(),
                flags,
                PIPE_TYPE_BYTE | PIPE_REJECT_REMOTE_CLIENTS,
                1,
                BUFFER,
                BUFFER,
                0,
                &attributes,
            )
        })
    }
    .map_err(failed)?;
    // The only client there can be. Somebody of our own user who guessed the name in between would have it now, and this
    // would fail.
    // SAFETY: as above; no security attributes and no template are allowed.
    let theirs = unsafe {
        call::handle(|| {
            CreateFileW(
                name.as_ptr(),
                their_access,
                0,
                ptr::null(),
                OPEN_EXISTING,
                0,
                ptr::null_mut(),
            )
        })
    }
    .map_err(failed)?;
    let operation = Operation::new(Arc::new(Event::new()?));
    let end = End {
        pipe,
        spin: Spin::default(),
        operation: Some(Mutex::new(operation)),
    };
    Ok((end, ChildEnd(theirs)))
}

impl End {
    /// Takes the end that this process inherited under a number.
    ///
    /// # Safety
    /// Nothing else in this process owns that handle.
    pub(crate) unsafe fn inherited(text: &str, direction: Direction) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(ErrorKind::NotFound, format!("the handle {text:?} {why}"))
                .hint("it has to be passed by pipe::spawn to this very process")
        };
        // 0 and the numbers that mean "this process", "this thread" are no handles of files.
        let number = text
            .parse()
            .ok()
            .filter(|number| (1..=isize::MAX.cast_unsigned()).contains(number));
        let number: usize = number.ok_or_else(|| wrong("is not the number of a handle"))?;
        let handle: HANDLE = ptr::with_exposed_provenance_mut(number);
        // SAFETY: a number that is no handle only makes this fail.
        if unsafe { GetFileType(handle) } != FILE_TYPE_PIPE {
            return Err(wrong("was not inherited, or is not a pipe"));
        }
        let needed = if direction.reads() {
            FILE_READ_DATA
        } else {
            FILE_WRITE_DATA
        };
        // SAFETY: it is a handle of a pipe, as was just seen, and the borrow ends with this call.
        let rights = access(unsafe { BorrowedHandle::borrow_raw(handle) });
        if rights.is_none_or(|rights| rights & (FILE_READ_DATA | FILE_WRITE_DATA) != needed) {
            return Err(wrong("is the other end of a pipe, or of no one-way pipe"));
        }
        // Not for this process's own children.
        // SAFETY: as above.
        call::done(|| unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) })
            .map_err(|code| error::of("cannot keep the handle from children", code))?;
        // SAFETY: it is open and, by this function's contract, nobody else's.
        let pipe = unsafe { OwnedHandle::from_raw_handle(handle) };
        Ok(End {
            pipe,
            spin: Spin::default(),
            operation: None,
        })
    }

    /// Reads what is there, waiting for something; 0 at the end.
    pub(crate) fn read(&self, buf: &mut [u8], deadline: Deadline) -> Result<usize> {
        loop {
            let read = match &self.operation {
                Some(operation) => {
                    let mut operation = operation.lock().unwrap_or_else(PoisonError::into_inner);
                    let outcome = operation.read(self.pipe.as_handle(), buf, &self.spin, deadline);
                    match outcome.code {
                        0 => Ok(outcome.bytes),
                        ERROR_OPERATION_ABORTED if outcome.timed_out => return Err(nothing_came()),
                        code => Err(code),
                    }
                }
                None if deadline.is_never() => self.read_now(buf),
                None => {
                    let there = wait::wait(&self.spin, deadline, LOOK, || Ok(self.has_something()), sleep)?;
                    if there.is_none() {
                        return Err(nothing_came());
                    }
                    self.read_now(buf)
                }
            };
            match read {
                // A program's empty write is nothing, and 0 would mean the end.
                Ok(0) if !buf.is_empty() => {}
                Ok(len) => return Ok(len as usize),
                Err(ERROR_BROKEN_PIPE | ERROR_PIPE_NOT_CONNECTED | ERROR_NO_DATA) => return Ok(0),
                Err(ERROR_OPERATION_ABORTED) => {}
                Err(code) => return Err(error::of("cannot read", code)),
            }
        }
    }

    /// Writes what fits, waiting for room for something.
    pub(crate) fn write(&self, data: &[u8], deadline: Deadline) -> Result<usize> {
        if data.is_empty() {
            return Ok(0);
        }
        // A write that is larger than the buffer ends when it is read, so what may have to be given up is written in
        // parts: of one that is given up the reader has got nothing, or it counts.
        let part = if deadline.is_never() {
            data
        } else {
            &data[..data.len().min(BUFFER as usize / 4)]
        };
        let written = match &self.operation {
            Some(operation) => {
                let mut operation = operation.lock().unwrap_or_else(PoisonError::into_inner);
                let outcome = operation.write(self.pipe.as_handle(), part, &self.spin, deadline);
                match outcome.code {
                    0 => Ok(outcome.bytes),
                    ERROR_OPERATION_ABORTED if outcome.bytes > 0 => Ok(outcome.bytes),
                    ERROR_OPERATION_ABORTED if outcome.timed_out => return Err(no_room()),
                    code => Err(code),
                }
            }
            None if deadline.is_never() => self.write_now(part),
            None => self.write_by(part, deadline),
        };
        match written {
            Ok(0) => Err(no_room()),
            Ok(len) => Ok(len as usize),
            Err(ERROR_BROKEN_PIPE | ERROR_PIPE_NOT_CONNECTED | ERROR_NO_DATA) => Err(Error::new(
                ErrorKind::Disconnected,
                "nobody reads the pipe any more",
            )),
            Err(code) => Err(error::of("cannot write", code)),
        }
    }

    /// Whether a read would not block: there are bytes, or nobody writes any more, which the read will say.
    fn has_something(&self) -> Option<()> {
        let mut bytes = 0;
        // SAFETY: the handle is open as long as `self` lives; the number is put where we say, and nothing where we say
        // null.
        let looked = call::done(|| unsafe {
            PeekNamedPipe(
                self.pipe.as_raw_handle(),
                ptr::null_mut(),
                0,
                ptr::null_mut(),
                &mut bytes,
                ptr::null_mut(),
            )
        });
        (looked.is_err() || bytes > 0).then_some(())
    }

    fn read_now(&self, buf: &mut [u8]) -> std::result::Result<u32, call::Code> {
        let (len, mut read) = (u32::try_from(buf.len()).unwrap_or(u32::MAX), 0);
        // SAFETY: the handle is open as long as `self` lives and blocks, so that the call is over when it returns; at
        // most `len` bytes are written to `buf`, which is that long.
        call::done(|| unsafe {
            ReadFile(
                self.pipe.as_raw_handle(),
                buf.as_mut_ptr(),
                len,
                &mut read,
                ptr::null_mut(),
            )
        })?;
        Ok(read)
    }

    fn write_now(&self, data: &[u8]) -> std::result::Result<u32, call::Code> {
        let (len, mut written) = (u32::try_from(data.len()).unwrap_or(u32::MAX), 0);
        // SAFETY: as in `read_now`; the system only reads from `data`.
        call::done(|| unsafe {
            WriteFile(
                self.pipe.as_raw_handle(),
                data.as_ptr(),
                len,
                &mut written,
                ptr::null_mut(),
            )
        })?;
        Ok(written)
    }

    /// Writes through a handle that blocks, until a deadline: for so long it is made one that does not. 0 when the time
    /// is up.
    fn write_by(&self, data: &[u8], deadline: Deadline) -> std::result::Result<u32, call::Code> {
        self.set_blocking(false)?;
        let written = wait::wait(
            &self.spin,
            deadline,
            LOOK,
            || {
                Ok(match self.write_now(data) {
                    Ok(0) => None,
                    done => Some(done),
                })
            },
            sleep,
        );
        self.set_blocking(true)?;
        // None of the looks and parks fails.
        written.ok().flatten().unwrap_or(Ok(0))
    }

    fn set_blocking(&self, blocking: bool) -> std::result::Result<(), call::Code> {
        let mode = if blocking { PIPE_WAIT } else { PIPE_NOWAIT };
        // SAFETY: the handle is open as long as `self` lives; the mode is only read, and null leaves the rest as it is.
        call::done(|| unsafe {
            SetNamedPipeHandleState(self.pipe.as_raw_handle(), &mode, ptr::null(), ptr::null())
        })
    }
}

fn nothing_came() -> Error {
    Error::new(ErrorKind::TimedOut, "nothing came before the deadline")
}

fn no_room() -> Error {
    Error::new(ErrorKind::TimedOut, "the reader made no room before the deadline")
}

fn sleep(slice: Duration) -> Result<()> {
    std::thread::sleep(slice);
    Ok(())
}

/// What a handle gives the right to.
fn access(handle: BorrowedHandle<'_>) -> Option<u32> {
    let mut status = IO_STATUS_BLOCK {
        Anonymous: IO_STATUS_BLOCK_0 { Status: 0 },
        Information: 0,
    };
    let mut info = FILE_ACCESS_INFORMATION { AccessFlags: 0 };
    // SAFETY: the handle is open because it is borrowed; at most the size of `info`, which is told, is written to it, and
    // any bytes are valid for it. The query is answered at once.
    call::code(|| unsafe {
        NtQueryInformationFile(
            handle.as_raw_handle(),
            &mut status,
            (&raw mut info).cast(),
            size_of_val(&info) as u32,
            FileAccessInformation,
        )
        .cast_unsigned()
    })
    .ok()?;
    Some(info.AccessFlags)
}

impl fmt::Display for ChildEnd {
    /// The number under which a child inherits it, as .NET's `GetClientHandleAsString` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_raw_handle().addr().fmt(f)
    }
}

impl From<ChildEnd> for Stdio {
    fn from(end: ChildEnd) -> Self {
        end.0.into()
    }
}

/// Starts a child that inherits these ends under their numbers, and closes them here.
pub(crate) fn spawn(command: &mut Command, ends: Vec<ChildEnd>) -> io::Result<Child> {
    /// While ends are inheritable no other child is started here, which would inherit them as well.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for end in &ends {
        let flag = HANDLE_FLAG_INHERIT;
        // SAFETY: the handle is open as long as `ends` lives.
        call::done(|| unsafe { SetHandleInformation(end.0.as_raw_handle(), flag, flag) })
            .map_err(|code| io::Error::from_raw_os_error(code.cast_signed()))?;
    }
    let child = command.spawn();
    // Closed before the next child is started.
    drop(ends);
    child
}

impl AsHandle for End {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.pipe.as_handle()
    }
}

impl AsHandle for crate::pipe::PipeReader {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.end().as_handle()
    }
}

impl AsHandle for crate::pipe::PipeWriter {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.end().as_handle()
    }
}
