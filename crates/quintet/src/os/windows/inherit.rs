//! Handles that children inherit, under the numbers that they have here.

use super::call::{self, Code};
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, OwnedHandle};
use std::process::{Child, Command};
use std::ptr;
use std::sync::{Mutex, PoisonError};
use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE_FLAG_INHERIT, SetHandleInformation,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

/// Starts a child that inherits these handles.
///
/// A handle is inheritable or not for all children alike; so there is one such child at a time, and in between none of them
/// is. (What another thread starts by other means at that very moment inherits them too: of that the system has no notion.)
pub(super) fn spawn(command: &mut Command, handles: &[BorrowedHandle<'_>]) -> io::Result<Child> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let set = |inheritable| {
        handles
            .iter()
            .try_for_each(|handle| set_inheritable(*handle, inheritable))
    };
    let child = match set(true) {
        Ok(()) => command.spawn(),
        Err(code) => Err(io::Error::from_raw_os_error(code.cast_signed())),
    };
    // They are closed next, but perhaps not before the next child starts. It cannot fail on handles of our own.
    let _ = set(false);
    child
}

pub(super) fn set_inheritable(
    handle: BorrowedHandle<'_>,
    inheritable: bool,
) -> std::result::Result<(), Code> {
    let flags = if inheritable { HANDLE_FLAG_INHERIT } else { 0 };
    // SAFETY: the handle is open because it is borrowed.
    call::done(|| unsafe { SetHandleInformation(handle.as_raw_handle(), HANDLE_FLAG_INHERIT, flags) })
}

/// Another handle to the same, which no child inherits.
pub(super) fn copy(handle: BorrowedHandle<'_>) -> std::result::Result<OwnedHandle, Code> {
    let duplicate = || {
        let mut copy = ptr::null_mut();
        // SAFETY: the handle is open because it is borrowed; the new one is put where we say, and stays null on failure.
        unsafe {
            DuplicateHandle(
                GetCurrentProcess(),
                handle.as_raw_handle(),
                GetCurrentProcess(),
                &mut copy,
                0,
                0,
                DUPLICATE_SAME_ACCESS,
            )
        };
        copy
    };
    // SAFETY: what the system has put there is a new handle.
    unsafe { call::handle(duplicate) }
}
