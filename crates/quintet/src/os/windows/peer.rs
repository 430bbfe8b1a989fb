//! Who is at the other end of a pipe.

use super::call;
use super::process::{self, Identity, UserId};
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Pipes::{GetNamedPipeClientProcessId, GetNamedPipeServerProcessId};
use windows_sys::core::BOOL;

/// Which end of a pipe is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Server,
    Client,
}

/// The process that made the other end. Asked when the connection is made and kept open, so that its number is no other
/// process's as long as we have the connection.
#[derive(Debug)]
pub(super) struct Peer {
    /// 0 when the system does not tell.
    pub(super) pid: u32,
    pub(super) process: Option<OwnedHandle>,
}

impl Peer {
    pub(super) fn of(pipe: BorrowedHandle<'_>, ours: End) -> Self {
        let ask: unsafe extern "system" fn(HANDLE, *mut u32) -> BOOL = match ours {
            End::Server => GetNamedPipeClientProcessId,
            End::Client => GetNamedPipeServerProcessId,
        };
        let mut pid = 0;
        // SAFETY: the pipe is open because it is borrowed; the number is put where we say.
        if call::done(|| unsafe { ask(pipe.as_raw_handle(), &mut pid) }).is_err() {
            pid = 0;
        }
        let process = (pid != 0).then(|| process::open(pid)).flatten();
        Peer { pid, process }
    }

    /// The user it runs as; `None` when it is not ours to look at.
    pub(super) fn user(&self) -> Option<UserId> {
        process::user(self.process.as_ref()?.as_handle())
    }

    /// Everything that can be known of it.
    pub(super) fn identity(&self) -> Identity {
        Identity::of(self.pid, self.process.as_ref())
    }
}
