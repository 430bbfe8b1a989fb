//! What the kernel tells of a pipe to whoever has it open.

use crate::os::windows::call::{self, Code};
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr;
use windows_sys::Wdk::Storage::FileSystem::{
    FILE_PIPE_CLOSING_STATE, FILE_PIPE_CONNECTED_STATE, FILE_PIPE_LOCAL_INFORMATION, FILE_PIPE_SERVER_END,
    FilePipeLocalInformation, NtQueryInformationFile,
};
use windows_sys::Win32::System::IO::{IO_STATUS_BLOCK, IO_STATUS_BLOCK_0};
use windows_sys::Win32::System::Pipes::{GetNamedPipeInfo, PIPE_TYPE_MESSAGE, PeekNamedPipe};

/// What a pipe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Info {
    /// `PIPE_TYPE_MESSAGE`, or 0 for bytes.
    pub(super) kind: u32,
    /// Bytes that can wait in the kernel towards the other end: at least as many as this. The documentation does not
    /// say clearly which of two numbers is for which direction, so it is the smaller one.
    pub(super) quota: u32,
}

/// Fails where the handle does not give the right to ask.
pub(super) fn info(pipe: BorrowedHandle<'_>) -> Result<Info, Code> {
    let (mut flags, mut out, mut into) = (0, 0, 0);
    // SAFETY: the pipe is open because it is borrowed; numbers are put where we say, and nothing where we say null.
    call::done(|| unsafe {
        GetNamedPipeInfo(
            pipe.as_raw_handle(),
            &mut flags,
            &mut out,
            &mut into,
            ptr::null_mut(),
        )
    })?;
    Ok(Info {
        kind: flags & PIPE_TYPE_MESSAGE,
        quota: out.min(into),
    })
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Neither end has closed it.
    pub(super) connected: bool,
    /// Nothing that this end wrote waits in the kernel. False also when the other end waits for data to come, and
    /// always on Wine.
    pub(super) empty: bool,
}

/// `None` where the handle does not give the right to ask (an `Out` server's).
///
/// Win32 has no function for it, so this is the system call behind those that it has.
pub(super) fn state(pipe: BorrowedHandle<'_>) -> Option<State> {
    let mut status = IO_STATUS_BLOCK {
        Anonymous: IO_STATUS_BLOCK_0 { Status: 0 },
        Information: 0,
    };
    let mut info = FILE_PIPE_LOCAL_INFORMATION::default();
    // SAFETY: the pipe is open because it is borrowed; at most the size of `info`, which is told, is written to it, and
    // any bytes are valid for it. The query is answered at once, on handles for overlapped I/O too.
    call::code(|| unsafe {
        NtQueryInformationFile(
            pipe.as_raw_handle(),
            &mut status,
            (&raw mut info).cast(),
            size_of_val(&info) as u32,
            FilePipeLocalInformation,
        )
        .cast_unsigned()
    })
    .ok()?;
    if !(FILE_PIPE_CONNECTED_STATE..=FILE_PIPE_CLOSING_STATE).contains(&info.NamedPipeState) {
        return None;
    }
    let quota = if info.NamedPipeEnd == FILE_PIPE_SERVER_END {
        info.OutboundQuota
    } else {
        info.InboundQuota
    };
    Some(State {
        connected: info.NamedPipeState == FILE_PIPE_CONNECTED_STATE,
        empty: info.WriteQuotaAvailable >= quota,
    })
}

/// What the kernel has of the message that the next read would go on with.
pub(super) fn message_left(pipe: BorrowedHandle<'_>) -> u64 {
    let mut left = 0;
    // SAFETY: the pipe is open because it is borrowed; the number is put where we say, and nothing where we say null.
    let done = call::done(|| unsafe {
        PeekNamedPipe(
            pipe.as_raw_handle(),
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            ptr::null_mut(),
            &mut left,
        )
    });
    done.map_or(0, |()| left.into())
}
