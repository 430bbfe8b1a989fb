//! Sending and posting, and what it means when that fails.

use super::look::{self, hangs, is_there};
use super::parcel::{Parcel, Sending};
use super::{desk, no_window};
use crate::os::step;
use crate::os::window_types::{Letter, SendMode};
use crate::os::windows::call::{self, Code};
use crate::os::windows::error;
use crate::os::windows::event::milliseconds;
use crate::{Deadline, Error, ErrorKind, Result};
use std::os::windows::io::AsRawHandle;
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
        let has_died = match unsafe { call::handle(|| OpenProcess(SYNCHRONIZE, 0, self.pid)) } {
            Ok(process) => {
                // SAFETY: the process is open.
                let woken = unsafe { WaitForSingleObject(process.as_raw_handle(), milliseconds(MOMENT)) };
                woken == WAIT_OBJECT_0
            }
            Err(code) => code == ERROR_INVALID_PARAMETER,
        };
        if has_died {
            Error::new(
                ErrorKind::PeerDied,
                format!("process {}, whose window it was, has died", self.pid),
            )
        } else {
            no_window()
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
        .hint("run both programs as administrator or neither, or let the window admit lower integrity"),
        ERROR_NOT_ENOUGH_QUOTA => Error::new(
            ErrorKind::Full,
            "as many posted messages wait for the window's thread as the system allows",
        )
        .hint("send, which waits"),
        code => error::of(what, code),
    }
}

pub(crate) fn send(window: u32, letter: &Letter<'_>, mode: SendMode, deadline: Deadline) -> Result<isize> {
    let window = look::handle(window)?;
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
        // SAFETY: it stays until it has been served, or never will be.
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
    // and writes to neither.
    unsafe { target.send(number, wparam, place, mode, deadline) }
}

pub(crate) fn send_notify(window: u32, letter: &Letter<'_>) -> Result<()> {
    let window = look::handle(window)?;
    if let Some(result) = desk::run_own(window, letter) {
        return result.map(drop);
    }
    // SAFETY: takes plain values; it carries no pointer, as `send` above.
    call::done(|| unsafe { SendNotifyMessageW(window, letter.number, letter.wparam, letter.lparam) })
        .map_err(|code| failed("cannot send to it", code))
}

pub(crate) fn post(window: u32, letter: &Letter<'_>) -> Result<()> {
    let window = look::handle(window)?;
    // SAFETY: as above.
    call::done(|| unsafe { PostMessageW(window, letter.number, letter.wparam, letter.lparam) })
        .map_err(|code| failed("cannot post to it", code))
}
