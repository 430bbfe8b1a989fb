//! What there is for a thread to serve, and how it waits for that: the part of a desk that `wait_any` sees too.

use super::incoming::{Post, Posted, Senders, Sent};
use super::roll::{self, Roll};
use crate::Result;
use crate::doorbell::{Readiness, Waiter};
use crate::os::linux::parking::Place;
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
    pub(super) fn next_sent(
        &self,
        has_room: &mut dyn FnMut() -> bool,
        put: &mut dyn FnMut(Posted),
    ) -> Option<Sent> {
        let knocks = self.roll.knocks(self.desk);
        self.senders()
            .next(&self.roll, knocks, &mut Post { has_room, put })
    }

    /// Whether something has come that has not been looked at.
    pub(super) fn have_come(&self) -> bool {
        self.senders().have_come(self.roll.knocks(self.desk))
    }

    pub(super) fn tidy(&self) {
        self.senders().tidy(roll::now());
    }

    /// Closes all connections.
    pub(super) fn close(&self) {
        *self.senders() = Senders::default();
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
