//! What there is for a thread to serve, and how it waits for that: the part of a desk that `wait_any` sees too.

use super::incoming::{Senders, Sent};
use super::own::Own;
use super::queue::Queue;
use super::roll::{self, Roll};
use crate::doorbell::{Readiness, Waiter};
use crate::os::linux::parking::Place;
use crate::{Error, ErrorKind, Result};
use std::cell::RefMut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The messages of a thread.
#[derive(Debug)]
pub(crate) struct Messages {
    roll: Arc<Roll>,
    desk: usize,
    place: Place,
    senders: Own<Senders>,
    /// How many posted messages its thread has put away.
    pub(super) waiting: AtomicUsize,
    /// Whether the end of the loop has been asked for.
    pub(super) quits: AtomicBool,
}

impl Messages {
    pub(super) fn new(roll: Arc<Roll>, desk: usize) -> Self {
        Messages {
            roll,
            desk,
            place: Place::new(),
            senders: Own::new(Senders::default()),
            waiting: AtomicUsize::new(0),
            quits: AtomicBool::new(false),
        }
    }

    /// For its own thread, which is the only one that has its desk.
    #[inline(always)]
    fn senders(&self) -> RefMut<'_, Senders> {
        self.senders.get().expect("this is its thread").borrow_mut()
    }

    /// Lets others connect, from the first window on.
    pub(super) fn listen(&self) -> Result<()> {
        let mut senders = self.senders();
        if !senders.is_listening() {
            senders.listen(&self.roll.socket(self.desk))?;
            self.roll.note_socket(self.desk);
        }
        Ok(())
    }

    /// The next message that was sent: see [`Senders::next`].
    #[inline]
    pub(super) fn next_sent(&self, queue: &mut Queue) -> Option<Sent> {
        let knocks = self.roll.knocks(self.desk);
        self.senders().next(&self.roll, knocks, queue)
    }

    /// Whether something has come that has not been looked at.
    pub(super) fn have_come(&self) -> bool {
        self.senders().have_come(&self.roll, self.roll.knocks(self.desk))
    }

    /// Whether something may have been sent: see [`Senders::are_urgent`].
    #[inline]
    pub(super) fn are_urgent(&self) -> bool {
        self.senders().are_urgent(self.roll.knocks(self.desk))
    }

    /// Whether it is worth to look.
    #[inline(always)]
    pub(super) fn glance(&self) -> bool {
        self.senders().glance(self.roll.knocks(self.desk))
    }

    /// Whether more of a message's bytes has come since that was last asked.
    pub(super) fn have_grown(&self) -> bool {
        self.senders().have_grown()
    }

    /// Takes the memory of a message's bytes back.
    pub(super) fn keep(&self, bytes: Vec<u8>) {
        self.senders().keep(bytes);
    }

    pub(super) fn tidy(&self) {
        self.senders().tidy(&self.roll);
    }

    /// Closes all connections.
    pub(super) fn close(&self) {
        *self.senders() = Senders::default();
    }
}

impl Readiness for Messages {
    fn is_ready(&self) -> Result<bool> {
        if self.senders.get().is_none() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a window's messages can be waited for on its own thread only",
            ));
        }
        self.roll.say_looked(self.desk, roll::now());
        Ok(
            self.waiting.load(Ordering::Relaxed) > 0
                || self.quits.load(Ordering::Relaxed)
                || self.have_come(),
        )
    }

    fn waiter(&self) -> Waiter<'_> {
        self.roll.waiter(self.desk, &self.place)
    }
}
