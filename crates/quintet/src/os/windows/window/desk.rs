//! A thread's desk: the procedures of its windows, and those that are running.

use super::parcel;
use crate::os::step::step;
use crate::os::window_types::{Arrival, InSend, Letter, Procedure, WM_COPYDATA, is_for_procedures};
use crate::{Error, ErrorKind, Result};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::resume_unwind;
use std::{mem, ptr, slice};
use windows_sys::Win32::Foundation::{HWND, LPARAM, LRESULT, WPARAM};
use windows_sys::Win32::System::DataExchange::COPYDATASTRUCT;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    ISMEX_CALLBACK, ISMEX_NOSEND, ISMEX_NOTIFY, ISMEX_REPLIED, ISMEX_SEND, InSendMessageEx, WM_NCCREATE,
    WM_NCDESTROY,
};

/// So many procedures may run inside one another, with the system's own part between each two of them: a main thread has a
/// stack of 1 MiB here.
const DEEPEST: usize = 100;

type Panic = Box<dyn Any + Send>;

#[derive(Default)]
struct Desk {
    windows: RefCell<HashMap<HWND, Procedure>>,
    /// That of the window that is just being made, which has no handle yet.
    awaited: Cell<Option<Procedure>>,
    /// The procedures that are running, the innermost last.
    running: RefCell<Vec<Came>>,
    /// The message that has been taken from the queue, on its way through the system to its window.
    dispatched: Cell<Option<(HWND, u32)>>,
    panic: Cell<Option<Panic>>,
    /// How many messages procedures have got.
    served: Cell<u64>,
    /// Whether the end of the loop has been asked for.
    quits: Cell<bool>,
}

/// How the message came that a procedure is working at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// From another thread. The system knows more.
    Sent,
    /// Through the queue, or from this thread.
    Otherwise,
}

thread_local! {
    static DESK: Desk = Desk::default();
}

/// What is done with this thread's desk. `None` when that is gone already, as the thread is ending.
fn with<T>(act: impl FnOnce(&Desk) -> T) -> Option<T> {
    DESK.try_with(act).ok()
}

/// A procedure that waits for its window to be made; no more once this is dropped.
pub(super) struct Awaited;

impl Drop for Awaited {
    fn drop(&mut self) {
        drop(with(|desk| desk.awaited.take()));
    }
}

/// The next window that is made on this thread gets that procedure.
pub(super) fn awaits(procedure: Procedure) -> Result<Awaited> {
    with(|desk| desk.awaited.set(Some(procedure)))
        .map(|()| Awaited)
        .ok_or_else(|| Error::new(ErrorKind::Unsupported, "this thread is just ending"))
}

/// Takes the procedure of a window, which gets nothing more, if it is there. `None` when nothing is, as the thread is ending.
pub(super) fn remove(window: HWND) -> Option<Option<Procedure>> {
    with(|desk| desk.windows.borrow_mut().remove(&window))
}

/// Whether this thread can ever have a message.
pub(super) fn can_have_messages() -> bool {
    with(|desk| desk.quits.get() || !desk.windows.borrow().is_empty()).unwrap_or(false)
}

/// Whether that is a window of this thread.
pub(super) fn has(window: HWND) -> bool {
    with(|desk| desk.windows.borrow().contains_key(&window)).unwrap_or(false)
}

/// Whether no procedure is running.
pub(super) fn is_idle() -> bool {
    with(|desk| desk.running.borrow().is_empty()).unwrap_or(false)
}

/// Notes whether the end of the loop has been asked for.
pub(super) fn note_quits(quits: bool) {
    with(|desk| desk.quits.set(quits));
}

/// How many messages procedures of this thread have got so far.
pub(super) fn served() -> u64 {
    with(|desk| desk.served.get()).unwrap_or(0)
}

/// Says which message the system is now asked to bring to its window, or that this is done.
pub(super) fn note_dispatched(message: Option<(HWND, u32)>) {
    with(|desk| desk.dispatched.set(message));
}

/// Keeps a panic that must not unwind through the system. Of several the first is told.
pub(super) fn keep_panic(panic: Panic) {
    let mut panic = Some(panic);
    with(|desk| {
        let first = desk.panic.take().or_else(|| panic.take());
        desk.panic.set(first);
    });
    // What it carries might panic when it is dropped, and that would unwind through the system.
    mem::forget(panic);
}

/// Goes on with a panic that was kept while the system called us.
pub(super) fn resume_panic() {
    // A second one would end the process; this one waits.
    if std::thread::panicking() {
        return;
    }
    if let Some(panic) = with(|desk| desk.panic.take()).flatten() {
        resume_unwind(panic);
    }
}

pub(super) fn has_panic() -> bool {
    with(|desk| {
        let panic = desk.panic.take();
        let is_there = panic.is_some();
        desk.panic.set(panic);
        is_there
    })
    .unwrap_or(false)
}

pub(super) fn in_send() -> Option<InSend> {
    let came = with(|desk| desk.running.borrow().last().copied()).flatten()?;
    if came == Came::Otherwise {
        return None;
    }
    match flags() {
        ISMEX_NOSEND => None,
        flags if flags & ISMEX_REPLIED != 0 => Some(InSend::Replied),
        // Who has asked to be called back does wait for the result.
        flags if flags & (ISMEX_SEND | ISMEX_CALLBACK) != 0 => Some(InSend::Waiting),
        flags if flags & ISMEX_NOTIFY != 0 => Some(InSend::Notified),
        _ => None,
    }
}

fn flags() -> u32 {
    // SAFETY: what it takes is reserved, and null.
    unsafe { InSendMessageEx(ptr::null()) }
}

/// Takes a message from the system; `None` for one that is the system's to answer.
///
/// # Safety
/// The system has called the window's procedure with it.
pub(super) unsafe fn receive(window: HWND, number: u32, wparam: WPARAM, lparam: LPARAM) -> Option<LRESULT> {
    match number {
        WM_NCCREATE => {
            with(|desk| {
                if let Some(procedure) = desk.awaited.take() {
                    desk.windows.borrow_mut().insert(window, procedure);
                }
            });
            return None;
        }
        WM_NCDESTROY => {
            // Only of a window that was not dropped, but destroyed by other code of this program. Anybody can send that number,
            // or post it; the system itself does neither.
            let is_posted = with(|desk| desk.dispatched.get()).flatten() == Some((window, number));
            if !is_posted && flags() == ISMEX_NOSEND {
                drop(remove(window));
            }
            return None;
        }
        _ if !is_for_procedures(number) => return None,
        _ => {}
    }
    let (procedure, dispatched) = with(|desk| {
        let procedure = desk.windows.borrow().get(&window).cloned()?;
        Some((procedure, desk.dispatched.take() == Some((window, number))))
    })
    .flatten()?;
    let came = if dispatched || flags() == ISMEX_NOSEND {
        Came::Otherwise
    } else {
        Came::Sent
    };
    // Other code's loop may have dispatched it. What cannot be posted, other code of this thread has sent.
    let posted = dispatched || came == Came::Otherwise && number != WM_COPYDATA;
    let letter = |lparam, data| Letter {
        number,
        wparam,
        lparam,
        data,
    };
    let serve = |letter| {
        let arrival = Arrival {
            window: super::look::number(window),
            letter,
            sender: None,
            posted,
        };
        // Deaths before it is served, and before it is answered.
        step();
        let result = run(&procedure, &arrival, came);
        step();
        // Nobody but this thread could be told of an error.
        result.unwrap_or(0)
    };
    if number != WM_COPYDATA {
        return Some(serve(letter(lparam, None)));
    }
    // The system carries this one only by a send, for the length of which the data is there: nobody can have posted it.
    if posted || lparam == 0 {
        return Some(0);
    }
    let _parcel = parcel::in_use(lparam.cast_unsigned());
    // SAFETY: it was sent, so the system has put the description where it says; it is ours to read until we answer.
    let data = unsafe { (lparam as *const COPYDATASTRUCT).read_unaligned() };
    let bytes = if data.lpData.is_null() {
        &[]
    } else {
        // SAFETY: as above, these are so many bytes. They are a copy that the system made for us, or, of another thread
        // of this process, a parcel that stays as it is while it is in use.
        unsafe { slice::from_raw_parts(data.lpData.cast::<u8>().cast_const(), data.cbData as usize) }
    };
    Some(serve(letter(data.dwData.cast_signed(), Some(bytes))))
}

/// Runs the procedure of a window of this thread for a message that this thread sends; `None` if it is no such window, or the
/// message is the system's to answer.
pub(super) fn run_own(window: HWND, letter: &Letter<'_>) -> Option<Result<isize>> {
    if !is_for_procedures(letter.number) {
        return None;
    }
    let procedure = with(|desk| desk.windows.borrow().get(&window).cloned()).flatten()?;
    let arrival = Arrival {
        window: super::look::number(window),
        letter: *letter,
        sender: None,
        posted: false,
    };
    Some(run(&procedure, &arrival, Came::Otherwise))
}

fn run(procedure: &Procedure, arrival: &Arrival<'_>, came: Came) -> Result<isize> {
    /// Also when the procedure panics.
    struct Runs;
    impl Drop for Runs {
        fn drop(&mut self) {
            with(|desk| desk.running.borrow_mut().pop());
        }
    }
    let depth = with(|desk| {
        desk.served.set(desk.served.get() + 1);
        let mut running = desk.running.borrow_mut();
        running.push(came);
        running.len()
    });
    let _runs = depth.map(|_| Runs);
    if depth.is_some_and(|depth| depth > DEEPEST) {
        return Err(Error::new(
            ErrorKind::Full,
            format!("{DEEPEST} procedures of the window's thread run inside one another already"),
        )
        .hint("do windows send to each other without end?"));
    }
    Ok(procedure(arrival))
}
