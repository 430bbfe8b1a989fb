//! What there is for a thread to serve, and how it waits for that: the part of a desk that `wait_any` sees too.

use super::incoming::{Senders, Sent};
use super::queue::Queue;
use super::roll::{self, Roll};
use crate::Result;
use crate::doorbell::{Readiness, Waiter};
use crate::os::linux::parking::Place;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The messages of a thread.
#[derive(Debug)]
pub(crate) struct Messages {
    roll: Arc<Roll>,
    desk: usize,
    place: Place,
    /// Locked for moments only, and hardly ever by another thread than its own.
    senders: Mutex<Senders>,
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
            senders: Mutex::default(),
            waiting: AtomicUsize::new(0),
            quits: AtomicBool::new(false),
        }
    }

    fn senders(&self) -> MutexGuard<'_, Senders> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// To glance at what comes, again and again.
    pub(super) fn glances(&self) -> Glances<'_> {
        Glances {
            messages: self,
            senders: Cell::new(None),
        }
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

/// A thread that glances. Meanwhile, which is no longer than it spins, others are locked out: a lock for each glance would cost
/// more than what it sees.
pub(super) struct Glances<'a> {
    messages: &'a Messages,
    senders: Cell<Option<MutexGuard<'a, Senders>>>,
}

impl Glances<'_> {
    /// Whether it is worth to look.
    #[inline(always)]
    pub(super) fn glance(&self) -> bool {
        let senders = self.senders.take().unwrap_or_else(|| self.messages.senders());
        let news = senders.glance(self.messages.roll.knocks(self.messages.desk));
        self.senders.set(Some(senders));
        news
    }

    /// Before it looks, or sleeps.
    #[inline(always)]
    pub(super) fn end(&self) {
        self.senders.take();
    }
}

impl Readiness for Messages {
    fn is_ready(&self) -> Result<bool> {
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
