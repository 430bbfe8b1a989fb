//! Calls of the system, each of which passes the place where a test can let it fail.

use super::error;
use crate::os::step::{self, Failure};
use std::os::windows::io::{FromRawHandle, OwnedHandle};
use windows_sys::Win32::Foundation::{
    ERROR_FILE_NOT_FOUND, ERROR_PIPE_BUSY, ERROR_SEM_TIMEOUT, HANDLE, INVALID_HANDLE_VALUE, WAIT_TIMEOUT,
};
use windows_sys::core::BOOL;

/// The number of an error of the system.
pub(super) type Code = u32;

impl Failure for Code {
    fn from_number(number: i32) -> Self {
        number.cast_unsigned()
    }

    /// No signal interrupts a call here.
    fn is_interruption(&self) -> bool {
        false
    }

    /// Those after which a client, or who waits in slices, tries again.
    fn would_block(&self) -> bool {
        matches!(
            *self,
            ERROR_FILE_NOT_FOUND | ERROR_PIPE_BUSY | ERROR_SEM_TIMEOUT | WAIT_TIMEOUT
        )
    }
}

/// Runs a call that says whether it was done.
pub(super) fn done(mut call: impl FnMut() -> BOOL) -> Result<(), Code> {
    step::call(|| match call() {
        0 => Err(error::last_code()),
        _ => Ok(()),
    })
}

/// Runs a call that says what went wrong, or 0.
pub(super) fn code(mut call: impl FnMut() -> u32) -> Result<(), Code> {
    step::call(|| match call() {
        0 => Ok(()),
        code => Err(code),
    })
}

/// Runs a call that opens or makes something. What it says besides (that the object was there already) is in
/// [`error::last_code`] afterwards, until the next call.
///
/// # Safety
/// A handle that it returns is new and nobody else's.
pub(super) unsafe fn handle(mut call: impl FnMut() -> HANDLE) -> Result<OwnedHandle, Code> {
    step::call(|| {
        let handle = call();
        if handle.is_null() || handle == INVALID_HANDLE_VALUE {
            return Err(error::last_code());
        }
        // SAFETY: it is a handle and, as the caller promises, nobody else's.
        Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
    })
}
