//! What there is for a thread to serve, and how it waits for that: the part of a desk that `wait_any` sees too.

use super::incoming::{Senders, Sent};
use super::lane::LaneBell;
use super::own::Own;
use super::queue::Queue;
use super::roll::{self, Roll};
use crate::doorbell::{Other, Readiness, Waiter};
use crate::os::linux::futex::{self, Sleep, announce_at};
use crate::os::linux::parking::Place;
use crate::os::window_types::Making;
use crate::{Error, ErrorKind, Result};
use std::cell::RefMut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// So many bells besides its own a thread sleeps at, with room for others that it waits for, of the 128 that the kernel takes. It looks by itself
/// for what comes beyond them.
const MOST_OTHERS: usize = 110;

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
        self.senders().next((&self.roll, self.desk), knocks, queue)
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

    /// Lets other users reach a window of that handle; not if another one has it, which may be another user's.
    pub(super) fn open(&self, handle: u32, making: &Making<'_>) -> Result<bool> {
        self.senders().open_door()?.put_up(handle, making)
    }

    /// A window goes.
    pub(super) fn shut(&self, handle: u32) {
        let mut senders = self.senders();
        if senders.door().is_some_and(|door| door.take_down(handle)) {
            senders.say_closed();
        }
    }

    pub(super) fn retitle(&self, handle: u32, title: &str) {
        if let Some(door) = self.senders().door() {
            door.retitle(handle, title);
        }
    }

    /// Says that its thread looks for messages.
    pub(super) fn say_looked(&self, at: u64) {
        self.roll.say_looked(self.desk, at);
        if let Some(door) = self.senders().door() {
            door.say_looked(at);
        }
    }

    /// Sleeps until something may have come, or for so long. `own`: a bell that may ring for this thread as well.
    pub(super) fn sleep(
        &self,
        slice: Duration,
        own: Option<&Arc<LaneBell>>,
        is_there: impl Fn() -> Result<bool>,
    ) -> Result<()> {
        let waiter = self.waiter();
        let mut others = self.others();
        others.extend(own.map(|bell| bell.clone() as Other));
        if others.is_empty() {
            return match waiter.before_sleep(is_there)? {
                Some(word) => waiter.place.sleep(waiter.bell.word(), word, slice),
                None => Ok(()),
            };
        }
        let mut words = announce_at(&others);
        let Some(while_it_is) = waiter.before_sleep(is_there)? else {
            return Ok(());
        };
        let word = waiter.bell.word_for_kernel();
        words.push(Sleep { word, while_it_is });
        futex::sleep_on_any(&words, slice).map(drop)
    }

    pub(super) fn shut_door(&self) {
        self.senders().shut_door();
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
        self.say_looked(roll::now());
        Ok(
            self.waiting.load(Ordering::Relaxed) > 0
                || self.quits.load(Ordering::Relaxed)
                || self.have_come(),
        )
    }

    fn waiter(&self) -> Waiter<'_> {
        self.roll.waiter(self.desk, &self.place)
    }

    fn let_in(&self) {
        if let Some(senders) = self.senders.get() {
            senders.borrow_mut().let_in();
        }
    }

    fn others(&self) -> Vec<Other> {
        // Most have none, and pay nothing for it.
        let Some(senders) = self.senders.get() else {
            return Vec::new();
        };
        let mut senders = senders.borrow_mut();
        if senders.door().is_none() {
            return Vec::new();
        }
        senders.let_in();
        let mut others: Vec<Other> = senders.outside().map(|bell| bell.clone() as Other).collect();
        if let Some(door) = senders.door() {
            others.extend(door.plates().map(|plate| plate.clone() as Other));
        }
        others.truncate(MOST_OTHERS);
        others
    }
}
