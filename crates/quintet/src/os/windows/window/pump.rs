//! A thread's loop.

use super::{desk, doing, parcel};
use crate::os::step;
use crate::os::window_types::{Pumped, WM_QUIT};
use crate::os::windows::call::Code;
use crate::os::windows::error;
use crate::os::windows::event::milliseconds;
use crate::{Deadline, Error, ErrorKind, Result};
use std::ptr;
use windows_sys::Win32::Foundation::WAIT_FAILED;
use windows_sys::Win32::System::Threading::INFINITE;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    DispatchMessageW, MSG, MWMO_INPUTAVAILABLE, MsgWaitForMultipleObjectsEx, PM_REMOVE, PeekMessageW,
    PostQuitMessage, QS_ALLINPUT, TranslateMessage, WM_TIMER,
};

/// A timer of the system's own.
const WM_SYSTIMER: u32 = 0x0118;

/// So many posted messages are served by one `pump`.
const MOST_SERVED: usize = 10_000;

/// Serves what there is, after waiting for the first of it. What the system answers by itself does not count.
pub(crate) fn pump(deadline: Deadline) -> Result<Pumped> {
    if !desk::can_have_messages() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "this thread has no window, and will never have a message",
        ));
    }
    let before = desk::served();
    loop {
        let over = deadline.has_passed();
        for _ in 0..MOST_SERVED {
            match serve_next()? {
                Next::Nothing => break,
                Next::Served => {}
                Next::Quit(code) => return Ok(Pumped::Quit(code)),
            }
        }
        if desk::served() != before {
            return Ok(Pumped::Served);
        }
        if over {
            return Ok(Pumped::Nothing);
        }
        sleep(deadline)?;
    }
}

enum Next {
    Nothing,
    Served,
    Quit(i32),
}

/// Serves what was sent, then one message that was posted, if there is one. Goes on with the panic of a procedure; what was taken
/// from the queue is served before that.
fn serve_next() -> Result<Next> {
    let mut message = MSG::default();
    let leavings = parcel::leavings();
    let waits = doing::waiting();
    let peeked = step::call(|| {
        // SAFETY: a message is written to a place of ours. What has been sent is served by this call.
        Ok::<_, Code>(unsafe { PeekMessageW(&mut message, ptr::null_mut(), 0, 0, PM_REMOVE) } != 0)
    });
    drop(waits);
    if !peeked.map_err(|code| error::of("cannot look for messages", code))? {
        if let Some(leavings) = leavings.filter(|_| doing::depth() == 0) {
            parcel::all_served(leavings, desk::has);
        }
        desk::resume_panic();
        return Ok(Next::Nothing);
    }
    if message.message == WM_QUIT {
        let code = message.wParam as i32;
        if desk::has_panic() {
            // It is for the next one to find.
            post_quit(code);
        } else {
            desk::note_quits(false);
        }
        desk::resume_panic();
        return Ok(Next::Quit(code));
    }
    if matches!(message.message, WM_TIMER | WM_SYSTIMER) && message.lParam != 0 && desk::has(message.hwnd) {
        // To bring it would be to call what is at that place; and for a window of ours nobody has asked for that.
        return Ok(Next::Served);
    }
    desk::note_dispatched(Some((message.hwnd, message.message)));
    // SAFETY: the message is as the system has given it to us.
    unsafe {
        TranslateMessage(&message);
        DispatchMessageW(&message);
    }
    desk::note_dispatched(None);
    desk::resume_panic();
    Ok(Next::Served)
}

fn sleep(deadline: Deadline) -> Result<()> {
    let time = deadline.remaining().map_or(INFINITE, milliseconds);
    step::call(|| {
        // SAFETY: there are no objects to wait for, only messages.
        let woken =
            unsafe { MsgWaitForMultipleObjectsEx(0, ptr::null(), time, QS_ALLINPUT, MWMO_INPUTAVAILABLE) };
        match woken {
            WAIT_FAILED => Err(error::last_code()),
            _ => Ok(()),
        }
    })
    .map_err(|code| error::of("cannot wait for messages", code))
}

pub(crate) fn post_quit(code: i32) {
    desk::note_quits(true);
    // SAFETY: takes a plain value.
    unsafe { PostQuitMessage(code) };
}
