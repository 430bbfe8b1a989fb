//! Sending and posting, and what it means when that fails.

use super::look::{self, hangs, is_there};
use super::parcel::{Parcel, Sending};
use super::{desk, doing, no_window};
use crate::os::step;
use crate::os::window_types::{Handle, Letter, SendMode};
use crate::os::windows::call::{self, Code};
use crate::os::windows::error;
use crate::os::windows::event::milliseconds;
use crate::{Deadline, Error, ErrorKind, Result};
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::thread::sleep;
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER, ERROR_INVALID_WINDOW_HANDLE, ERROR_NOT_ENOUGH_QUOTA,
    ERROR_TIMEOUT, HWND, LPARAM, SetLastError, WAIT_OBJECT_0,
};
use windows_sys::Win32::Storage::FileSystem::SYNCHRONIZE;
use windows_sys::Win32::System::DataExchange::COPYDATASTRUCT;
use windows_sys::Win32::System::Threading::{OpenProcess, WaitForSingleObject};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    PostMessageW, SMTO_ABORTIFHUNG, SMTO_BLOCK, SMTO_ERRORONEXIT, SMTO_NORMAL, SendMessageTimeoutW,
    SendNotifyMessageW,
};

/// A window is gone a moment before its process is seen to have ended: so long we wait for that, to say which of both it is.
const MOMENT: Duration = Duration::from_millis(30);

/// The longest time that a send can wait, in milliseconds (24 days): there is no "for ever" but with a call that does not tell a
/// result from an error.
const LONGEST: u32 = i32::MAX as u32;

/// A window that is not one of this thread's, and whose it is.
struct Target {
    window: HWND,
    pid: u32,
}

impl Target {
    fn of(window: HWND) -> Result<Self> {
        let (_, pid) = look::owner(window)?;
        Ok(Target { window, pid })
    }

    fn is_in_this_process(&self) -> bool {
        self.pid == std::process::id()
    }

    /// Sends a message, and waits for the result.
    ///
    /// # Safety
    /// What `lparam` points to, if that is what the message's number says, stays there until the system has a copy, or, in
    /// this process, until the message has been served.
    unsafe fn send(
        &self,
        number: u32,
        wparam: usize,
        lparam: LPARAM,
        mode: SendMode,
        deadline: Deadline,
    ) -> Result<isize> {
        if mode == SendMode::AbortIfHung && hangs(self.window) {
            return Err(hung());
        }
        let how = SMTO_ERRORONEXIT
            | match mode {
                SendMode::Normal => SMTO_NORMAL,
                SendMode::Block => SMTO_BLOCK,
                SendMode::AbortIfHung => SMTO_ABORTIFHUNG,
            };
        let time = deadline.remaining().map_or(LONGEST, milliseconds);
        let mut result = 0;
        let waits = doing::waiting();
        let sent = step::call(|| {
            // Without an error's number it was the time that was over, on older systems.
            // SAFETY: takes a plain value.
            unsafe { SetLastError(0) };
            // SAFETY: as the caller promises; the result is written to a number of ours.
            let sent = unsafe {
                SendMessageTimeoutW(
                    self.window,
                    number,
                    wparam,
                    lparam,
                    how,
                    time.clamp(1, LONGEST),
                    &mut result,
                )
            };
            match sent {
                0 => Err(error::last_code()),
                _ => Ok(()),
            }
        });
        drop(waits);
        // Those that were served meanwhile may have panicked.
        desk::resume_panic();
        match sent {
            // A result of 0 is one like any other.
            Ok(()) => Ok(result.cast_signed()),
            Err(code) => Err(self.why_not_sent(code, mode, deadline)),
        }
    }

    fn why_not_sent(&self, code: Code, mode: SendMode, deadline: Deadline) -> Error {
        if !is_there(self.window) {
            return self.why_gone();
        }
        match code {
            0 | ERROR_TIMEOUT if mode == SendMode::AbortIfHung && hangs(self.window) => hung(),
            ERROR_TIMEOUT => late(),
            0 if deadline.has_passed() => late(),
            // It has ended while it served, and is not quite gone.
            0 => self.why_gone(),
            code => failed("cannot send to it", code),
        }
    }

    /// Why a window is gone that was there just now.
    fn why_gone(&self) -> Error {
        if self.is_in_this_process() {
            return no_window();
        }
        // SAFETY: takes plain values; the handle is a new one.
        let open = || unsafe { call::handle(|| OpenProcess(SYNCHRONIZE, 0, self.pid)) };
        if has_died(open) {
            Error::new(
                ErrorKind::PeerDied,
                format!("process {}, whose window it was, has died", self.pid),
            )
        } else {
            no_window()
        }
    }
}

/// Whether a process ends in a moment, or has ended. One that we may not open (another user's) has when there is nothing to be opened
/// any more; as long as somebody else has it open that is not to be seen.
fn has_died(mut open: impl FnMut() -> std::result::Result<OwnedHandle, Code>) -> bool {
    let moment = Deadline::after(MOMENT);
    loop {
        match open() {
            Ok(process) => {
                let time = moment.remaining().map_or(0, milliseconds);
                // SAFETY: the process is open.
                return unsafe { WaitForSingleObject(process.as_raw_handle(), time) } == WAIT_OBJECT_0;
            }
            Err(ERROR_INVALID_PARAMETER) => return true,
            Err(ERROR_ACCESS_DENIED) if !moment.has_passed() => sleep(Duration::from_millis(1)),
            Err(_) => return false,
        }
    }
}

fn hung() -> Error {
    Error::new(
        ErrorKind::TimedOut,
        "the window's thread is hung: it has served nothing for 5 s",
    )
}

fn late() -> Error {
    Error::new(
        ErrorKind::TimedOut,
        "the window's thread did not answer before the deadline",
    )
}

/// What that number means, of a call about a window.
pub(super) fn failed(what: &'static str, code: Code) -> Error {
    match code {
        ERROR_INVALID_WINDOW_HANDLE => no_window(),
        ERROR_ACCESS_DENIED => Error::new(
            ErrorKind::PermissionDenied,
            format!("{what}: the system lets no messages through to a process of higher integrity"),
        )
        .hint("run both programs as administrator or neither, or make the window with admit_lower_integrity"),
        ERROR_NOT_ENOUGH_QUOTA => Error::new(
            ErrorKind::Full,
            "as many posted messages wait for the window's thread as the system allows (10,000)",
        )
        .hint("send, which waits; or post fewer until it has served some"),
        code => error::of(what, code),
    }
}

pub(crate) fn send(window: Handle, letter: &Letter<'_>, mode: SendMode, deadline: Deadline) -> Result<isize> {
    let window = look::handle(window.number)?;
    if let Some(result) = desk::run_own(window, letter) {
        return result;
    }
    let target = Target::of(window)?;
    let Letter {
        number,
        wparam,
        lparam,
        data,
    } = *letter;
    let Some(bytes) = data else {
        // SAFETY: the numbers of the system's messages that point to something are not sent so: see `carries_more`. (What a
        // control of the system in this process makes of its own numbers, from WM_USER on, the caller has to know: the docs of
        // `send` say so.)
        return unsafe { target.send(number, wparam, lparam, mode, deadline) };
    };
    if target.is_in_this_process() {
        let parcel = Parcel::new(window, lparam.cast_unsigned(), bytes);
        let place = parcel.place().cast_signed();
        let sending = Sending::new(parcel);
        // SAFETY: it stays until it has been served, or never will be. A procedure that replies before it ends: one of ours has noted
        // that it uses the parcel, which then stays. Of one of other code in this program we do not see when it ends, but to who sends,
        // a reply is as if the procedure had returned, says ReplyMessage's documentation. So what the message points to is the
        // sender's again from then on, as with SendMessage itself, and who replies first copies what he wants to keep.
        let result = unsafe { target.send(number, wparam, place, mode, deadline) }?;
        sending.was_answered();
        return Ok(result);
    }
    let mut description = COPYDATASTRUCT {
        dwData: lparam.cast_unsigned(),
        // The callers send 1 GiB at most.
        cbData: bytes.len() as u32,
        lpData: bytes.as_ptr().cast_mut().cast(),
    };
    let place = &raw mut description as LPARAM;
    // SAFETY: description and bytes are there while we send. The system copies both to the other process before we come back,
    // and writes to neither. (That the window's handle has become that of one of this process, since we asked whose it is, would take
    // 65,536 windows in between: so often a handle's upper half changes.)
    unsafe { target.send(number, wparam, place, mode, deadline) }
}

pub(crate) fn send_notify(window: Handle, letter: &Letter<'_>) -> Result<()> {
    let window = look::handle(window.number)?;
    if let Some(result) = desk::run_own(window, letter) {
        return result.map(drop);
    }
    // SAFETY: takes plain values; it carries no pointer, as `send` above.
    call::done(|| unsafe { SendNotifyMessageW(window, letter.number, letter.wparam, letter.lparam) })
        .map_err(|code| failed("cannot send to it", code))
}

pub(crate) fn post(window: Handle, letter: &Letter<'_>) -> Result<()> {
    let window = look::handle(window.number)?;
    // SAFETY: as above.
    call::done(|| unsafe { PostMessageW(window, letter.number, letter.wparam, letter.lparam) })
        .map_err(|code| failed("cannot post to it", code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::os::windows::io::AsHandle;
    use std::process::{Command, Stdio};

    /// User Interface Privilege Isolation, which Wine does not have: "When a message is blocked by UIPI the last error … is set to 5
    /// (access denied)." A full queue, which it has neither: "ERROR_NOT_ENOUGH_QUOTA … when the message limit is hit."
    #[test]
    fn errors_of_the_system_say_what_they_mean_and_what_helps() {
        for (code, kind, words) in [
            (5, ErrorKind::PermissionDenied, "admit_lower_integrity"),
            (5, ErrorKind::PermissionDenied, "administrator"),
            (1816, ErrorKind::Full, "10,000"),
            (1400, ErrorKind::NotFound, "no such window"),
        ] {
            let error = failed("cannot send to it", code);
            assert_eq!(error.kind(), kind, "{code}");
            let text = error.to_string();
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn a_process_has_died_if_it_ends_in_a_moment_or_is_not_there() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--list")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = child.as_handle().try_clone_to_owned().unwrap();
        child.wait().unwrap();
        assert!(has_died(|| Ok(process.try_clone().unwrap())));
        assert!(has_died(|| Err(ERROR_INVALID_PARAMETER)));
        // One that we may not open, and that then is there no more.
        let looks = Cell::new(0);
        assert!(has_died(|| {
            looks.set(looks.get() + 1);
            Err(if looks.get() < 3 {
                ERROR_ACCESS_DENIED
            } else {
                ERROR_INVALID_PARAMETER
            })
        }));
        assert_eq!(looks.get(), 3);
    }

    #[test]
    fn a_process_that_lives_or_may_not_be_looked_at_has_not_died() {
        // SAFETY: takes plain values; the handle is a new one.
        let this = || unsafe { call::handle(|| OpenProcess(SYNCHRONIZE, 0, std::process::id())) };
        assert!(!has_died(this));
        assert!(!has_died(|| Err(ERROR_ACCESS_DENIED)));
        assert!(!has_died(|| Err(
            windows_sys::Win32::Foundation::ERROR_NOT_ENOUGH_MEMORY
        )));
    }
}
