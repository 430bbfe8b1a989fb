//! What a thread is doing just now, and how the message came that it is working at.
//!
//! `InSendMessageEx` speaks of the thread: of the innermost message that another thread sent to it and that it has not ended with.
//! A procedure may be working at something else: at a message that was posted, or that this thread sent itself, while another
//! procedure further out works at one that was sent. A reply would go to *that* one's sender. So we keep account of what is going on,
//! innermost last:
//!
//! - Our own calls that wait, in which the system brings nothing but what other threads send. What comes there was sent.
//! - Procedures, and the system's own part (DefWindowProcW). In these other code may run a loop (a message box, a menu, the moving
//!   of a window) that takes messages from the queue and brings them itself, and also what is sent meanwhile. Where the system says
//!   that nothing was sent, this is so. Else, with one that was sent further out, it cannot be told, and so nobody is replied to.
//!
//! What windows of other code on the same thread are doing we do not know.

use crate::os::window_types::InSend;
use std::cell::RefCell;
use std::ptr;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    ISMEX_CALLBACK, ISMEX_NOSEND, ISMEX_NOTIFY, ISMEX_REPLIED, ISMEX_SEND, InSendMessageEx, ReplyMessage,
};

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// From another thread, and it was sent. The system knows more.
    Sent,
    /// Through the queue, or from this thread.
    Otherwise,
    /// One of both.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Waiting,
    Working(Came),
}

thread_local! {
    static DOING: RefCell<Vec<Doing>> = RefCell::default();
}

/// What is done with this thread's account. `None` when that is gone already, as the thread is ending.
fn with<T>(act: impl FnOnce(&mut Vec<Doing>) -> T) -> Option<T> {
    DOING.try_with(|doing| act(&mut doing.borrow_mut())).ok()
}

/// Until this is dropped, also by a panic.
#[must_use]
pub(super) struct Until(());

impl Drop for Until {
    fn drop(&mut self) {
        with(Vec::pop);
    }
}

fn begin(doing: Doing) -> Option<Until> {
    with(|all| all.push(doing)).map(Until)
}

/// We are going to call the system, which brings what is sent to this thread meanwhile.
pub(super) fn waiting() -> Option<Until> {
    begin(Doing::Waiting)
}

/// A procedure, or the system, is going to work at a message that came so.
pub(super) fn working(came: Came) -> Option<Until> {
    begin(Doing::Working(came))
}

/// How many procedures are working, one inside another.
pub(super) fn depth() -> usize {
    with(|all| all.iter().filter(|doing| **doing != Doing::Waiting).count()).unwrap_or(0)
}

/// How the message came that the system has just called us with.
pub(super) fn came(was_dispatched: bool) -> Came {
    if was_dispatched || flags() == ISMEX_NOSEND {
        return Came::Otherwise;
    }
    with(|all| came_within(all)).unwrap_or(Came::Unknown)
}

/// How it came, when the system says that something is sent that this thread has not ended with.
fn came_within(all: &[Doing]) -> Came {
    let is_from_outside =
        |doing: &Doing| *doing == Doing::Working(Came::Otherwise) || *doing == Doing::Waiting;
    if all.last() == Some(&Doing::Waiting) || all.iter().all(is_from_outside) {
        Came::Sent
    } else {
        Came::Unknown
    }
}

pub(crate) fn in_send() -> Option<InSend> {
    let innermost = with(|all| all.last().copied()).flatten();
    if innermost != Some(Doing::Working(Came::Sent)) {
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

pub(crate) fn reply(result: isize) -> bool {
    if in_send() != Some(InSend::Waiting) {
        return false;
    }
    // SAFETY: takes a plain value.
    unsafe { ReplyMessage(result) != 0 }
}

fn flags() -> u32 {
    // SAFETY: what it takes is reserved, and null.
    unsafe { InSendMessageEx(ptr::null()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_inside_what_was_sent_is_told_apart_or_not() {
        use Doing::{Waiting, Working};
        let (sent, otherwise, unknown) = (
            Working(Came::Sent),
            Working(Came::Otherwise),
            Working(Came::Unknown),
        );
        for (all, expected) in [
            // A loop of other code's, or ours.
            (&[][..], Came::Sent),
            (&[Waiting], Came::Sent),
            // A procedure that was posted to runs a loop of other code's: only now has something been sent.
            (&[otherwise], Came::Sent),
            // One that was sent to waits for the result of a message of its own.
            (&[Waiting, sent, Waiting], Came::Sent),
            (&[Waiting, sent, otherwise, Waiting], Came::Sent),
            // It runs a loop of other code's.
            (&[Waiting, sent], Came::Unknown),
            (&[Waiting, sent, otherwise], Came::Unknown),
            (&[Waiting, sent, unknown], Came::Unknown),
        ] {
            assert_eq!(came_within(all), expected, "{all:?}");
        }
    }
}
