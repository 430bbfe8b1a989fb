//! Waiting for kernel objects.

use super::semaphore::Semaphore;
use crate::os::step;
use crate::os::windows::call::Code;
use crate::os::windows::error;
use crate::os::windows::event::milliseconds;
use crate::wait::SLICE;
use crate::{Deadline, Result};
use std::time::Duration;
use windows_sys::Win32::Foundation::{HANDLE, WAIT_ABANDONED_0, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{INFINITE, WaitForMultipleObjects};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    MWMO_INPUTAVAILABLE, MsgWaitForMultipleObjectsEx, QS_ALLINPUT,
};

/// What ended a wait: which of the objects. In a wait for all of them the number means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::os::windows) enum Woken {
    By(usize),
    /// A mutex whose owner ended without unlocking it. In a wait for all: at least one of them was such a mutex.
    ByAbandoned(usize),
}

/// Waits for one of the objects, the first in the list that can be had, or for all of them at once; `None` once the
/// deadline has passed.
///
/// This is done by the calling thread itself, because a mutex becomes its own.
///
/// `semaphores` are those among the objects, if any: permits of processes that died are looked for before the thread sleeps
/// and then every [`SLICE`], since the kernel does not give them back.
pub(in crate::os::windows) fn until(
    handles: &[HANDLE],
    all: bool,
    deadline: Deadline,
    semaphores: &[&Semaphore],
) -> Result<Option<Woken>> {
    again_and_again(deadline, semaphores, |time| once(handles, all, time))
}

/// As [`until`], for one of the objects, at most 63, or messages of this thread, which come behind all objects. They are not served.
pub(super) fn until_or_messages(
    handles: &[HANDLE],
    deadline: Deadline,
    semaphores: &[&Semaphore],
) -> Result<Option<Woken>> {
    again_and_again(deadline, semaphores, |time| once_or_messages(handles, time))
}

fn again_and_again(
    deadline: Deadline,
    semaphores: &[&Semaphore],
    once: impl Fn(Option<Duration>) -> std::result::Result<Woken, Code>,
) -> Result<Option<Woken>> {
    let failed = |code| error::of("cannot wait for it", code);
    match once(Some(Duration::ZERO)) {
        Err(WAIT_TIMEOUT) => {}
        woken => return woken.map(Some).map_err(failed),
    }
    semaphores.iter().try_for_each(|semaphore| semaphore.recover())?;
    let _waiting: Vec<_> = semaphores.iter().map(|semaphore| semaphore.waiting()).collect();
    loop {
        // Asked before the wait, so that there is always one after the deadline: what came in time is found.
        let over = deadline.has_passed();
        let time = if semaphores.is_empty() {
            deadline.remaining()
        } else {
            Some(deadline.slice(SLICE))
        };
        match once(time) {
            // The system's clock and ours need not agree on when the time is over.
            Err(WAIT_TIMEOUT) if !over => {}
            Err(WAIT_TIMEOUT) => return Ok(None),
            woken => return woken.map(Some).map_err(failed),
        }
        semaphores.iter().try_for_each(|semaphore| semaphore.recover())?;
    }
}

/// One wait, of at most `time`; without one, for ever.
fn once(handles: &[HANDLE], all: bool, time: Option<Duration>) -> std::result::Result<Woken, Code> {
    let time = time.map_or(INFINITE, milliseconds);
    // More than the system takes is for the system to refuse.
    let count = u32::try_from(handles.len()).unwrap_or(u32::MAX);
    step::call(|| {
        // SAFETY: there are so many handles. That they are open is up to the caller; one that is not makes it fail.
        let woken = unsafe { WaitForMultipleObjects(count, handles.as_ptr(), all.into(), time) };
        meaning(woken, count)
    })
}

fn once_or_messages(handles: &[HANDLE], time: Option<Duration>) -> std::result::Result<Woken, Code> {
    let time = time.map_or(INFINITE, milliseconds);
    let count = u32::try_from(handles.len()).unwrap_or(u32::MAX);
    step::call(|| {
        // SAFETY: as above. Messages that have been seen before count as well.
        let woken = unsafe {
            MsgWaitForMultipleObjectsEx(count, handles.as_ptr(), time, QS_ALLINPUT, MWMO_INPUTAVAILABLE)
        };
        meaning(woken, count.saturating_add(1))
    })
}

/// What the system's word after a wait for so many means.
fn meaning(woken: u32, count: u32) -> std::result::Result<Woken, Code> {
    let which = |first: u32| woken.checked_sub(first).filter(|which| *which < count);
    if let Some(which) = which(WAIT_OBJECT_0) {
        Ok(Woken::By(which as usize))
    } else if let Some(which) = which(WAIT_ABANDONED_0) {
        Ok(Woken::ByAbandoned(which as usize))
    } else if woken == WAIT_TIMEOUT {
        Err(WAIT_TIMEOUT)
    } else {
        Err(error::last_code())
    }
}
