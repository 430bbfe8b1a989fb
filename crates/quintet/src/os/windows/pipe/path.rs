//! Where a pipe is, and whether somebody serves it.

use crate::Name;
use crate::os::windows::claim::Mark;
use crate::os::windows::{call, error, event, wide};
use crate::{Error, Result};
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    ERROR_BAD_PATHNAME, ERROR_FILE_NOT_FOUND, ERROR_HANDLES_CLOSED, ERROR_PATH_NOT_FOUND, ERROR_SEM_TIMEOUT,
};
use windows_sys::Win32::System::Pipes::WaitNamedPipeW;

/// The folder of all pipes.
pub(in crate::os::windows) const FOLDER: &str = r"\\.\pipe\";

/// The path of a name, for people.
pub(super) fn shown(name: &Name) -> String {
    format!("{FOLDER}{name}")
}

/// The path of a name, for the system.
pub(super) fn of(name: &Name) -> Vec<u16> {
    wide(&shown(name))
}

/// The object name of the claim that goes with a pipe.
pub(super) fn claim(name: &Name) -> String {
    format!("{CLAIM_PREFIX}{}", key(name))
}

/// What a claim's object name begins with, in the session's folder of objects.
pub(super) const CLAIM_FOLDER: &str = r"Local\";
pub(super) const CLAIM_PREFIX: &str = r"Local\quintet.pipe.";

/// The object name of the mark that a server and its streams hold: streams live on when their server is gone, and keep
/// the kernel's pipe.
pub(super) fn streams(name: &Name) -> String {
    format!(r"Local\quintet.pipe-streams.{}", key(name))
}

/// Names of pipes know no case and may have a backslash after `Local` or `Global`; names of objects differ in both.
fn key(name: &Name) -> String {
    name.as_str().to_lowercase().replace('\\', "/")
}

/// What one look for an instance found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum There {
    /// No pipe.
    Nothing,
    /// A pipe all of whose instances are taken.
    Busy,
    /// A pipe with an instance that waits for a client.
    Free,
}

/// Waits until the pipe has a free instance, without taking it, for at most `time` (a little more: 2 ms at least).
pub(super) fn wait(path: &[u16], time: Duration) -> Result<There> {
    // 0 and 1 would mean the server's default and not at all.
    let time = event::milliseconds(time).max(2);
    // SAFETY: the path ends with NUL.
    match call::done(|| unsafe { WaitNamedPipeW(path.as_ptr(), time) }) {
        Ok(()) => Ok(There::Free),
        Err(ERROR_SEM_TIMEOUT) => Ok(There::Busy),
        // The last: it went away while this was waiting for it (on Wine).
        Err(ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND | ERROR_BAD_PATHNAME | ERROR_HANDLES_CLOSED) => {
            Ok(There::Nothing)
        }
        Err(code) => Err(error::of("cannot look for the pipe", code)),
    }
}

/// Whether there is a pipe, whoever has it.
#[cfg(feature = "socket")]
pub(in crate::os::windows) fn is_there(path: &[u16]) -> Result<bool> {
    Ok(wait(path, Duration::ZERO)? != There::Nothing)
}

/// Whether a pipe none of whose instances is free, and on which nobody has a claim, is one whose Quintet server is
/// gone: what keeps it are streams that the server accepted.
pub(super) fn is_left_over(name: &Name) -> bool {
    Mark::is_held(&streams(name))
}

/// The error for a name that another program serves.
pub(super) fn busy(why: &'static str) -> Error {
    Error::new(crate::ErrorKind::Busy, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pipe_has_one_claim_however_it_is_written() {
        let of = |name: &str| claim(&Name::new(name).unwrap());
        // Two versions of Quintet must agree on it, so it is written out.
        assert_eq!(of("TestPipe"), r"Local\quintet.pipe.testpipe");
        assert_eq!(of(r"Global\A b"), r"Local\quintet.pipe.global/a b");
        assert_ne!(of(r"Local\a"), of("a"));
    }

    #[test]
    fn the_prefix_is_kept_as_written() {
        let name = Name::new(r"Local\TestPipe").unwrap();
        assert_eq!(shown(&name), r"\\.\pipe\Local\TestPipe");
        assert_eq!(of(&name).last(), Some(&0));
    }

    #[test]
    fn a_pipe_that_is_not_there_is_not_waited_for() {
        let path = wide(r"\\.\pipe\quintet-test-no-such-pipe");
        assert_eq!(wait(&path, Duration::from_secs(10)).unwrap(), There::Nothing);
    }
}
