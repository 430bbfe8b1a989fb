//! Window messages: user32 itself.
//!
//! - **A thread's windows** (`desk.rs`): the procedures of a thread's windows, and what a panic of one left. They are the thread's own;
//!   the system brings what is for them.
//! - **The class** (`class.rs`): window classes that all have one function of ours as their procedure, `receive`. It looks the
//!   window up at the desk, and leaves to the system what is the system's.
//! - **What goes on** (`doing.rs`): which procedures are running, inside one another, and how the messages came that they have.
//! - **Sending** (`sending.rs`): SendMessageTimeoutW and its like, and what their errors mean.
//! - **Parcels** (`parcel.rs`): data for other threads of this process, to whom the system passes where it is and no copy.
//!
//! # Panics
//! No panic may unwind through the system. So `receive` catches it, answers 0, as the system knows no other answer, and keeps
//! the panic for who called the system on this thread: `pump`, or `send`, which go on with it when the system has come back. Until then
//! the thread may run other procedures.
//!
//! # What a peer can do
//! All programs of the desktop may send, but for those of lower integrity. What comes in is numbers; with WM_COPYDATA the system
//! itself has copied the bytes to us and says where. It refuses to carry that message in any other way than by a send.
//!
//! Who sends what only the system says (that a window is made, or destroyed) is not believed: `desk.rs`. What the user does with mouse
//! and keyboard comes by messages as well, and the system may answer it by a loop that ends when the user says so; windows that were
//! not made to be seen do not pass it on. Posted timers may carry the place of a function; `pump` calls none for a window of ours.

mod class;
mod desk;
mod doing;
mod look;
mod messages;
mod parcel;
mod pump;
mod sending;
#[cfg(test)]
mod tests;
mod text;

use class::Class;
use desk::Birth;
pub(crate) use doing::{in_send, reply};
pub(crate) use look::{find, is_alive, is_hung, others_have_one, resolve, sight};
pub(crate) use messages::Messages;
pub(crate) use pump::{post_quit, pump};
pub(crate) use sending::{post, send, send_notify};
pub(crate) use text::{from_ansi, to_ansi};

use super::{call, error, wide};
use crate::os::window_types::{Making, Procedure, WM_CLOSE, WM_COMMAND, WM_COPYDATA, WM_USER};
use crate::{Error, ErrorKind, Result};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use windows_sys::Win32::Foundation::HWND;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    ChangeWindowMessageFilterEx, DestroyWindow, MSGFLT_ALLOW, RegisterWindowMessageW, SW_SHOWNA,
    SetWindowTextW, ShowWindow,
};

/// The numbers of messages that this process has registered.
static REGISTERED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Of the numbers of a window's class and of the program's own, so many from the first on get through from programs of
/// lower integrity: each is a rule of its own to the system.
const ADMITTED: u32 = 1024;
const WM_APP: u32 = 0x8000;
/// The first of the numbers of registered messages.
const FIRST_REGISTERED: u32 = 0xC000;

/// A window of this thread; dropping it destroys it.
#[derive(Debug)]
pub(crate) struct Window {
    /// A pointer to the compiler, so this stays with its thread, as the system wants it.
    hwnd: HWND,
    /// It is the window while the handle is that of the one that was born so.
    born: Birth,
    /// Goes after it.
    _class: Class,
    messages: Messages,
}

impl Window {
    pub(crate) fn create(making: &Making<'_>, procedure: Procedure) -> Result<Self> {
        let class = Class::of(making.class)?;
        let (hwnd, born) = class::create(&class, making, procedure)?;
        // From here on dropping it cleans up.
        let window = Window {
            hwnd,
            born,
            _class: class,
            messages: Messages::of_this_thread(),
        };
        if making.admit_lower_integrity {
            window.admit_lower_integrity()?;
        }
        if making.visible && !making.message_only {
            // SAFETY: takes plain values. What it returns says only how the window was before.
            unsafe { ShowWindow(hwnd, SW_SHOWNA) };
        }
        Ok(window)
    }

    pub(crate) fn handle(&self) -> u32 {
        look::number(self.hwnd)
    }

    pub(crate) fn set_title(&self, title: &str) -> Result<()> {
        if !desk::is_still(self.hwnd, self.born) {
            return Err(no_window());
        }
        let title = wide(title);
        // SAFETY: the title ends with a NUL. The window is this thread's, so this calls its procedure and waits for nobody.
        call::done(|| unsafe { SetWindowTextW(self.hwnd, title.as_ptr()) })
            .map_err(|code| sending::failed("cannot change its title", code))
    }

    /// What `wait_any` waits for: that its thread has messages.
    pub(crate) fn messages(&self) -> &Messages {
        &self.messages
    }

    fn admit_lower_integrity(&self) -> Result<()> {
        let registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers = [WM_CLOSE, WM_COPYDATA, WM_COMMAND]
            .into_iter()
            .chain(WM_USER..WM_USER + ADMITTED)
            .chain(WM_APP..WM_APP + ADMITTED)
            .chain(registered.iter().copied());
        for number in numbers {
            // SAFETY: takes plain values; no details of what it did are wanted.
            call::done(|| unsafe {
                ChangeWindowMessageFilterEx(self.hwnd, number, MSGFLT_ALLOW, std::ptr::null_mut())
            })
            .map_err(|code| error::of("cannot let programs of lower integrity send to the window", code))?;
        }
        Ok(())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // If other code of this program has destroyed it, the handle may be another window's by now.
        let is_there = desk::is_still(self.hwnd, self.born);
        // Before it is destroyed, so that what it holds is dropped by nobody who is called by the system.
        let procedure = desk::remove(self.hwnd, self.born);
        if is_there {
            // SAFETY: takes a plain value.
            unsafe { DestroyWindow(self.hwnd) };
        }
        parcel::clear();
        drop(procedure);
    }
}

pub(crate) fn register_message(name: &str) -> Result<u32> {
    let text = wide(name);
    let mut number = 0;
    call::done(|| {
        // SAFETY: the name ends with a NUL.
        number = unsafe { RegisterWindowMessageW(text.as_ptr()) };
        number.cast_signed()
    })
    .map_err(|code| error::of(format!("cannot register the message {name:?}"), code))?;
    if number < FIRST_REGISTERED {
        // The system takes "#1234" for a number.
        return Err(Error::new(
            ErrorKind::InvalidName,
            format!("{name:?} is no name of a message to the system"),
        ));
    }
    REGISTERED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(number);
    Ok(number)
}

fn no_window() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such window (any more)")
}
