//! A command that is run: how it is started and how it has ended.

use crate::failure::Failure;
use crate::signals;
use quintet::{Error, ErrorKind};
use std::ffi::{OsStr, OsString};
use std::process::{Child, Command, ExitStatus};

/// As timeout(1) and shells have it.
const CANNOT_START: i32 = 126;
const NOT_THERE: i32 = 127;

/// Runs a command, which `start` starts, to its end; passes signals on to it.
pub(crate) fn run(
    words: &[OsString],
    start: impl FnOnce(&mut Command) -> quintet::Result<Child>,
) -> Result<ExitStatus, Failure> {
    let Some((program, args)) = words.split_first() else {
        return Err(Failure::Usage("there is no command to run".into()));
    };
    if program.is_empty() {
        return Err(Failure::NotRun(
            "cannot start a command without a name".into(),
            NOT_THERE,
        ));
    }
    let mut command = Command::new(program);
    command.args(args);
    let mut child = signals::start(&mut command, start).map_err(|error| not_started(program, error))?;
    child
        .wait()
        .map_err(|error| Failure::Failed(format!("cannot wait for the command: {error}")))
}

/// How quintet ends after it: as the command has.
pub(crate) fn outcome(status: ExitStatus) -> Result<(), Failure> {
    match exit_code(status) {
        0 => Ok(()),
        code => Err(Failure::Ended(code)),
    }
}

pub(crate) fn not_started(program: &OsStr, error: Error) -> Failure {
    let text = match error.object() {
        Some(_) => error.to_string(),
        None => format!("{}: cannot start it: {error}", program.to_string_lossy()),
    };
    match error.raw_os_error() {
        _ if error.kind() == ErrorKind::NotFound => Failure::NotRun(text, NOT_THERE),
        Some(number) if !is_shortage(number) => Failure::NotRun(text, CANNOT_START),
        // It was not even tried.
        _ => Failure::Failed(text),
    }
}

#[cfg(target_os = "linux")]
fn is_shortage(error: i32) -> bool {
    use rustix::io::Errno;
    [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE].contains(&Errno::from_raw_os_error(error))
}

#[cfg(target_os = "linux")]
pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    let signal = status.signal().map(|signal| 128 + signal);
    status.code().or(signal).unwrap_or(CANNOT_START)
}

/// Whether it did not end by itself, so that what it did may be half done.
#[cfg(target_os = "linux")]
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.code().is_none()
}

#[cfg(not(target_os = "linux"))]
fn is_shortage(_: i32) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(CANNOT_START)
}

/// Whether it did not end by itself: by an exception, or Ctrl-C. (Of who is terminated the code can be any.)
#[cfg(not(target_os = "linux"))]
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    const FIRST_EXCEPTION: u32 = 0xc000_0000;
    status
        .code()
        .is_some_and(|code| code.cast_unsigned() >= FIRST_EXCEPTION)
}
