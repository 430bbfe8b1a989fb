//! A thread's desk: the procedures of its windows.
//!
//! The desk knows a window by its handle, as the system does that calls us. Only the system brings messages for it, to who has it
//! that moment. For whatever we do by ourselves the handle alone is not enough: other code of this program may have destroyed the
//! window, and the system may have given its handle to another one. That is found out when it matters, by what is documented of
//! windows ([`Owned::is_there`]), and not by WM_NCDESTROY, which every program of the desktop can send.

use super::doing::{self, Came};
use super::{class, look, parcel};
use crate::os::step::step;
use crate::os::window_types::{Arrival, Letter, Procedure, WM_COPYDATA, is_for_procedures};
use crate::{Error, ErrorKind, Result};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::resume_unwind;
use std::{mem, slice};
use windows_sys::Win32::Foundation::{HWND, LPARAM, LRESULT, WPARAM};
use windows_sys::Win32::System::DataExchange::COPYDATASTRUCT;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CREATESTRUCTW, SC_CLOSE, WM_CONTEXTMENU, WM_DESTROY, WM_KEYFIRST, WM_KEYLAST, WM_MOUSEFIRST,
    WM_MOUSELAST, WM_NCCREATE, WM_NCDESTROY, WM_NCMOUSEMOVE, WM_NCXBUTTONDBLCLK, WM_SYSCOMMAND,
};

/// So many procedures may run inside one another, with the system's own part between each two of them: a main thread has a
/// stack of 1 MiB here.
const DEEPEST: usize = 100;

/// The taskbar's, for a window's menu.
const WM_POPUPSYSTEMMENU: u32 = 0x0313;

type Panic = Box<dyn Any + Send>;

/// Which of the windows that this thread has made: 1 is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Birth(usize);

struct Owned {
    born: Birth,
    procedure: Procedure,
    /// Whether it was made to be seen. (Others can show any window.)
    is_for_users: bool,
    /// What says that it is of a class of ours; from when it is made on.
    mark: usize,
}

impl Owned {
    /// Whether the window is what has the handle now: one of this thread, and of a class of ours. If that was destroyed by other code,
    /// one of another thread or class may have the handle; one of both is entered here in its place.
    fn is_there(&self, window: HWND) -> bool {
        look::is_this_threads(window) && class::mark(window) == self.mark
    }
}

#[derive(Default)]
struct Desk {
    windows: RefCell<HashMap<HWND, Owned>>,
    births: Cell<usize>,
    /// Those of the windows that are just being made, which have no handles yet.
    awaited: RefCell<Vec<Owned>>,
    /// The message that has been taken from the queue, on its way through the system to its window.
    dispatched: Cell<Option<(HWND, u32)>>,
    panic: Cell<Option<Panic>>,
    /// How many messages procedures have got.
    served: Cell<u64>,
    /// Whether the end of the loop has been asked for.
    quits: Cell<bool>,
}

thread_local! {
    static DESK: Desk = Desk::default();
}

/// What is done with this thread's desk. `None` when that is gone already, as the thread is ending.
fn with<T>(act: impl FnOnce(&Desk) -> T) -> Option<T> {
    DESK.try_with(act).ok()
}

/// What the desk says of a window that it has, or had, if it does.
fn about<T>(window: HWND, say: impl FnOnce(&Owned) -> T) -> Option<Option<T>> {
    with(|desk| desk.windows.borrow().get(&window).map(say))
}

/// A procedure that waits for its window to be made; no more once this is dropped.
pub(super) struct Awaited(Birth);

impl Awaited {
    /// To be given to the window as the value that it is made with.
    pub(super) fn token(&self) -> usize {
        self.0.0
    }

    pub(super) fn birth(&self) -> Birth {
        self.0
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        drop(take_awaited(self.0.0));
    }
}

/// The window that is made with its token gets that procedure.
pub(super) fn awaits(procedure: Procedure, is_for_users: bool) -> Result<Awaited> {
    with(|desk| {
        let born = Birth(desk.births.get() + 1);
        desk.births.set(born.0);
        desk.awaited.borrow_mut().push(Owned {
            born,
            procedure,
            is_for_users,
            mark: 0,
        });
        Awaited(born)
    })
    .ok_or_else(|| Error::new(ErrorKind::Unsupported, "this thread is just ending"))
}

fn take_awaited(token: usize) -> Option<Owned> {
    with(|desk| {
        let mut awaited = desk.awaited.borrow_mut();
        let at = awaited.iter().position(|owned| owned.born.0 == token)?;
        Some(awaited.swap_remove(at))
    })
    .flatten()
}

/// Whether the window of this thread that was born so has the handle still.
pub(super) fn is_still(window: HWND, born: Birth) -> bool {
    let is_still = about(window, |owned| owned.born == born && owned.is_there(window));
    // When the thread is ending, what is left to be asked is the system.
    is_still.map_or_else(
        || look::is_this_threads(window),
        |is_still| is_still == Some(true),
    )
}

/// Takes the procedure of the window that was born so; it gets nothing more.
pub(super) fn remove(window: HWND, born: Birth) -> Option<Procedure> {
    with(|desk| {
        let mut windows = desk.windows.borrow_mut();
        if windows.get(&window)?.born != born {
            return None;
        }
        Some(windows.remove(&window)?.procedure)
    })
    .flatten()
}

/// Takes away the procedure of a window that came to nothing after it had been entered.
pub(super) fn forget(born: Birth) {
    let known = with(|desk| {
        let windows = desk.windows.borrow();
        let found = windows.iter().find(|(_, owned)| owned.born == born);
        found.map(|(window, _)| *window)
    });
    drop(known.flatten().map(|window| remove(window, born)));
}

/// Whether this thread can ever have a message.
pub(super) fn can_have_messages() -> bool {
    with(|desk| {
        let windows = desk.windows.borrow();
        desk.quits.get() || windows.iter().any(|(window, owned)| owned.is_there(*window))
    })
    .unwrap_or(false)
}

/// Whether that is, or was, a window of this thread.
pub(super) fn has(window: HWND) -> bool {
    about(window, |_| ()).flatten().is_some()
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

/// What is to become of a message that the system has called a window's procedure with.
pub(super) enum Received {
    /// This is the result.
    Served(LRESULT),
    /// The system answers it, while this thread is working at it.
    Systems(Came),
}

/// Takes a message from the system.
///
/// # Safety
/// The system has called the window's procedure with it.
pub(super) unsafe fn receive(window: HWND, number: u32, wparam: WPARAM, lparam: LPARAM) -> Received {
    let was_dispatched = with(|desk| desk.dispatched.take() == Some((window, number))).unwrap_or(false);
    let came = doing::came(was_dispatched);
    match number {
        WM_NCCREATE => {
            // Of a window that has been made it is only said; and none is made without a procedure.
            // SAFETY: as the caller promises.
            let is_new = !has(window) && unsafe { enter(window, lparam) };
            return if is_new {
                Received::Systems(came)
            } else {
                Received::Served(0)
            };
        }
        // A window that we destroy has no procedure any more. These may be true of one that other code destroys, or only said; there
        // is nothing to be done in either case, and what the system would do, it does only if they are true.
        WM_DESTROY | WM_NCDESTROY if has(window) => return Received::Served(0),
        _ if is_of_a_user(number, wparam) && !is_for_users(window) => return Received::Served(0),
        _ if !is_for_procedures(number) => return Received::Systems(came),
        _ => {}
    }
    // Between its making and its end it has one.
    let Some(procedure) = about(window, |owned| owned.procedure.clone()).flatten() else {
        return Received::Served(0);
    };
    // Other code's loop may have dispatched it. What cannot be posted, other code of this thread has sent.
    let posted = was_dispatched || came == Came::Otherwise && number != WM_COPYDATA;
    let letter = |lparam, data| Letter {
        number,
        wparam,
        lparam,
        data,
    };
    let serve = |letter| {
        let arrival = Arrival {
            window: look::number(window),
            letter,
            sender: None,
            posted,
        };
        // Deaths before it is served, and before it is answered.
        step();
        let result = run(&procedure, &arrival, came);
        step();
        // Nobody but this thread could be told of an error.
        Received::Served(result.unwrap_or(0))
    };
    if number != WM_COPYDATA {
        return serve(letter(lparam, None));
    }
    // The system carries this one only by a send, for the length of which the data is there: nobody can have posted it.
    if posted || lparam == 0 {
        return Received::Served(0);
    }
    let _parcel = parcel::in_use(lparam.cast_unsigned());
    // SAFETY: it was sent, so the system has put the description where it says; it is ours to read until we answer.
    let data = unsafe { (lparam as *const COPYDATASTRUCT).read_unaligned() };
    let bytes = if data.lpData.is_null() {
        &[]
    } else {
        // SAFETY: as above, these are so many bytes. They are a copy that the system made for us, which a sender that lies about
        // their count does not get, or, of another thread of this process, a parcel that stays as it is while it is in use.
        unsafe { slice::from_raw_parts(data.lpData.cast::<u8>().cast_const(), data.cbData as usize) }
    };
    serve(letter(data.dwData.cast_signed(), Some(bytes)))
}

/// Enters a window that is just being made, if it is with a procedure that waits for that.
///
/// # Safety
/// The system has called the window's procedure with WM_NCCREATE and that value.
unsafe fn enter(window: HWND, lparam: LPARAM) -> bool {
    if lparam == 0 || with(|desk| desk.awaited.borrow().is_empty()).unwrap_or(true) {
        return false;
    }
    // SAFETY: the message says where that structure is. If another process has sent it, it is a copy that the system made, as it
    // does for all messages of its own that point to something.
    let made_with = unsafe { (lparam as *const CREATESTRUCTW).read_unaligned() }.lpCreateParams;
    let Some(mut owned) = take_awaited(made_with.addr()) else {
        return false;
    };
    owned.mark = class::mark(window);
    // If the handle was that of a window that other code has destroyed, what that one had is dropped now, with nothing borrowed.
    drop(with(|desk| desk.windows.borrow_mut().insert(window, owned)));
    true
}

/// Whether it is what a user does with mouse and keyboard: what the system makes of that may be a loop that ends when the user says so.
fn is_of_a_user(number: u32, wparam: WPARAM) -> bool {
    match number {
        // The lower four bits are the system's.
        WM_SYSCOMMAND => wparam & 0xFFF0 != SC_CLOSE as usize,
        WM_NCMOUSEMOVE..=WM_NCXBUTTONDBLCLK | WM_MOUSEFIRST..=WM_MOUSELAST | WM_KEYFIRST..=WM_KEYLAST => true,
        WM_CONTEXTMENU | WM_POPUPSYSTEMMENU => true,
        _ => false,
    }
}

fn is_for_users(window: HWND) -> bool {
    about(window, |owned| owned.is_for_users).flatten() == Some(true)
}

/// Runs the procedure of a window of this thread for a message that this thread sends; `None` if it is no such window, or the
/// message is the system's to answer.
pub(super) fn run_own(window: HWND, letter: &Letter<'_>) -> Option<Result<isize>> {
    if !is_for_procedures(letter.number) {
        return None;
    }
    let owned = about(window, |owned| {
        owned.is_there(window).then(|| owned.procedure.clone())
    });
    let procedure = owned.flatten().flatten()?;
    let arrival = Arrival {
        window: look::number(window),
        letter: *letter,
        sender: None,
        posted: false,
    };
    Some(run(&procedure, &arrival, Came::Otherwise))
}

fn run(procedure: &Procedure, arrival: &Arrival<'_>, came: Came) -> Result<isize> {
    with(|desk| desk.served.set(desk.served.get() + 1));
    if doing::depth() >= DEEPEST {
        return Err(Error::new(
            ErrorKind::Full,
            format!("{DEEPEST} procedures of the window's thread run inside one another already"),
        )
        .hint("do windows send to each other without end?"));
    }
    let _works = doing::working(came);
    Ok(procedure(arrival))
}
