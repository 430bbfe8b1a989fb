//! Errors of the system.

use crate::{Error, ErrorKind};
use std::borrow::Cow;
use std::io;
use windows_sys::Win32::Foundation::{
    ERROR_BAD_PATHNAME, ERROR_BAD_PIPE, ERROR_BROKEN_PIPE, ERROR_COMMITMENT_LIMIT,
    ERROR_FILENAME_EXCED_RANGE, ERROR_INVALID_NAME, ERROR_NO_DATA, ERROR_NO_MORE_USER_HANDLES,
    ERROR_NO_SYSTEM_RESOURCES, ERROR_NOT_ENOUGH_MEMORY, ERROR_NOT_ENOUGH_QUOTA, ERROR_OPERATION_ABORTED,
    ERROR_OUTOFMEMORY, ERROR_PIPE_BUSY, ERROR_PIPE_NOT_CONNECTED, ERROR_TOO_MANY_OPEN_FILES,
    ERROR_WORKING_SET_QUOTA,
};

/// The number of the error that the last call of this thread met.
pub(super) fn last_code() -> u32 {
    io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or_default()
        .cast_unsigned()
}

/// The error that the last call of this thread met while doing `what`.
pub(super) fn last(what: impl Into<Cow<'static, str>>) -> Error {
    of(what, last_code())
}

/// The error with that number, met while doing `what`.
pub(super) fn of(what: impl Into<Cow<'static, str>>, code: u32) -> Error {
    let source = io::Error::from_raw_os_error(code.cast_signed());
    match kind(code) {
        Some(kind) => Error::new(kind, format!("{}: {source}", what.into())),
        None => Error::os(what, source),
    }
}

/// The kind of the numbers that `std::io` has no kind for, or not the one that they mean here.
fn kind(code: u32) -> Option<ErrorKind> {
    Some(match code {
        ERROR_PIPE_BUSY => ErrorKind::Busy,
        ERROR_BROKEN_PIPE | ERROR_NO_DATA | ERROR_PIPE_NOT_CONNECTED | ERROR_BAD_PIPE => {
            ErrorKind::Disconnected
        }
        ERROR_NO_SYSTEM_RESOURCES
        | ERROR_NOT_ENOUGH_MEMORY
        | ERROR_OUTOFMEMORY
        | ERROR_NOT_ENOUGH_QUOTA
        | ERROR_WORKING_SET_QUOTA
        | ERROR_COMMITMENT_LIMIT
        | ERROR_NO_MORE_USER_HANDLES
        | ERROR_TOO_MANY_OPEN_FILES => ErrorKind::Full,
        ERROR_INVALID_NAME | ERROR_BAD_PATHNAME => ErrorKind::InvalidName,
        ERROR_FILENAME_EXCED_RANGE => ErrorKind::TooLarge,
        // Somebody cancelled it; std takes that for a timeout.
        ERROR_OPERATION_ABORTED => ErrorKind::Os,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND, ERROR_GEN_FAILURE};

    #[test]
    fn numbers_become_the_kinds_that_they_mean_for_pipes() {
        for (code, kind) in [
            (ERROR_PIPE_BUSY, ErrorKind::Busy),
            (ERROR_BROKEN_PIPE, ErrorKind::Disconnected),
            (ERROR_NO_DATA, ErrorKind::Disconnected),
            (ERROR_PIPE_NOT_CONNECTED, ErrorKind::Disconnected),
            (ERROR_NO_SYSTEM_RESOURCES, ErrorKind::Full),
            (ERROR_OPERATION_ABORTED, ErrorKind::Os),
            (ERROR_ACCESS_DENIED, ErrorKind::PermissionDenied),
            (ERROR_FILE_NOT_FOUND, ErrorKind::NotFound),
            (ERROR_GEN_FAILURE, ErrorKind::Os),
        ] {
            let error = of("cannot do it", code);
            assert_eq!(error.kind(), kind, "{code}");
            assert!(error.to_string().starts_with("cannot do it: "), "{error}");
            assert!(error.to_string().contains(&code.to_string()), "{error}");
        }
    }
}
