//! Mutexes.

use super::member::{Member, Registry, Room, Second, Waiting, layout, room_of};
use super::ownership::{self, Attempt, FAIR_AFTER, Ownership, Wake, Word};
use crate::layout::Layout;
use crate::os::atomic::Ordering;
use crate::os::linux::futex::Mask;
use crate::os::linux::look;
use crate::os::linux::segment::Spec;
use crate::os::types::{Found, ObjectOptions, Opening};
use crate::participants;
use crate::wait::{SLICE, Spin};
use crate::{Deadline, Error, ErrorKind, Name, Result, Scheme};
use std::cell::Cell;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Instant;

static LAYOUT: Layout = layout(
    Scheme::Mutex,
    "1: header 64; word u64 at 64: owner 11, heir 11, 8 unused, abandoned 1, waiters 1, number 32; swept u64 at 72; \
     1022 slots of 64 at 128: held u64 unused, aux u64 unused, since u64, since_of u64, space u64, pid u32, waiting u32; \
     locks at 2^62: life 1, 1 unused, 2 a slot",
);

static OPEN: Registry<Mutex> = Registry::new();

/// A mutex, of which this process is one participant, and its threads are told apart here.
#[derive(Debug)]
pub(crate) struct Mutex {
    member: Member,
    spin: Spin,
    /// The thread of this process that has it; 0: none.
    owner: AtomicU64,
    /// How often that thread has locked it. Only that thread changes it.
    depth: AtomicU32,
    /// The thread for whom this process became the heir.
    heir: AtomicU64,
    /// The participant that has it in our place, when a child has it too; and whether there is one, so that not everybody
    /// has to ask.
    second: Lock<Option<Second>>,
    has_second: AtomicBool,
    /// Since when it is free and its heir does not come.
    lying: Lock<Option<(Word, Instant)>>,
}

/// Abandons, when a thread ends, the mutexes that it has.
struct AtEnd(u64);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if OWNED.get() == 0 {
            return;
        }
        for mutex in OPEN.all() {
            if mutex.owner.load(Ordering::Relaxed) == self.0 {
                // Corrupt memory is the next one's to complain of.
                let _ = mutex.unlock_all(true);
            }
        }
    }
}

thread_local! {
    /// The number of the thread, which is no other thread's, ever; 0: it has none yet.
    static NUMBER: Cell<u64> = const { Cell::new(0) };
    /// How many mutexes it has.
    static OWNED: Cell<u32> = const { Cell::new(0) };
    static AT_END: Cell<Option<AtEnd>> = const { Cell::new(None) };
}

#[inline]
fn this_thread() -> u64 {
    match NUMBER.get() {
        0 => number_thread(),
        number => number,
    }
}

#[cold]
fn number_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    NUMBER.set(number);
    // In a thread that is just ending, what it locks from now on is abandoned with the process.
    let _ = AT_END.try_with(|at_end| at_end.set(Some(AtEnd(number))));
    number
}

impl Mutex {
    pub(crate) fn open(name: &Name, opening: Opening, options: &ObjectOptions) -> Result<(Arc<Self>, bool)> {
        let spec = Spec {
            layout: &LAYOUT,
            name,
            options: *options,
            size: LAYOUT.size,
            parameter: 0,
        };
        let (opened, made) = Member::open(&spec, opening, 0)?;
        let id = opened.id();
        let mutex = OPEN.get_or_make(
            id,
            |open| !open.member.is_released(),
            || {
                Ok(Mutex {
                    member: opened.join(recover_slot)?,
                    spin: Spin::default(),
                    owner: AtomicU64::new(0),
                    depth: AtomicU32::new(0),
                    heir: AtomicU64::new(0),
                    second: Lock::new(None),
                    has_second: AtomicBool::new(false),
                    lying: Lock::new(None),
                })
            },
        )?;
        Ok((mutex, made))
    }

    pub(crate) fn release_name(&self) {
        self.member.release_name();
    }

    #[inline]
    fn word(&self) -> Ownership<'_> {
        Ownership(&self.member.room().word)
    }

    fn wake(&self, wake: Wake) {
        self.member.wake(wake.count, wake.mask);
    }

    /// Locks it, once more if this thread has it. Whether the last owner ended without unlocking.
    #[inline]
    pub(crate) fn lock(&self, deadline: Deadline) -> Result<bool> {
        if self.member.is_ours() && self.word().lock_alone(self.member.slot()) {
            self.begin(this_thread());
            return Ok(false);
        }
        self.lock_among_others(deadline)
    }

    /// This thread has it now.
    #[inline]
    fn begin(&self, thread: u64) {
        self.owner.store(thread, Ordering::Relaxed);
        self.depth.store(1, Ordering::Relaxed);
        OWNED.set(OWNED.get().wrapping_add(1));
    }

    /// This thread is about to have it no longer. Before the word says so: after that these are the next owner's.
    #[inline]
    fn end(&self) {
        self.depth.store(0, Ordering::Relaxed);
        self.owner.store(0, Ordering::Relaxed);
        OWNED.set(OWNED.get().wrapping_sub(1));
    }

    #[cold]
    fn lock_among_others(&self, deadline: Deadline) -> Result<bool> {
        self.member.check_ours()?;
        self.member
            .block(&self.spin, deadline, &ForLock::new(self))?
            .ok_or_else(|| Error::new(ErrorKind::TimedOut, "it was not unlocked in time"))
    }

    /// Takes back one lock of this thread.
    #[inline]
    pub(crate) fn unlock(&self) -> Result<()> {
        let once =
            self.depth.load(Ordering::Relaxed) == 1 && self.owner.load(Ordering::Relaxed) == this_thread();
        if once && self.member.is_ours() && !self.has_second.load(Ordering::Relaxed) {
            self.end();
            if self.word().unlock_alone(self.member.slot()) {
                return Ok(());
            }
            self.wake(self.word().unlock(self.member.slot(), false)?);
            return Ok(());
        }
        self.unlock_among_others()
    }

    #[cold]
    fn unlock_among_others(&self) -> Result<()> {
        if !self.member.is_ours() {
            // A copy of the guard in a forked child: it has nothing.
            return Ok(());
        }
        if self.owner.load(Ordering::Relaxed) != this_thread() {
            return Err(Error::new(
                ErrorKind::PermissionDenied,
                "another thread has locked it, or none",
            ));
        }
        let depth = self.depth.load(Ordering::Relaxed);
        if depth > 1 {
            self.depth.store(depth - 1, Ordering::Relaxed);
            return Ok(());
        }
        self.unlock_all(false)
    }

    fn unlock_all(&self, abandon: bool) -> Result<()> {
        self.end();
        if let Some(second) = self.take_second() {
            // If the child still lives, it is the owner now, and whoever waits finds out when it is not.
            if !second.has_child()? {
                self.wake(self.word().unlock(second.slot, abandon)?);
                participants::leave(&self.member.room().slots[second.slot]);
            }
            return Ok(());
        }
        self.wake(self.word().unlock(self.member.slot(), abandon)?);
        Ok(())
    }

    #[inline]
    fn take_second(&self) -> Option<Second> {
        // Set by the thread that has the mutex, which is this one.
        if !self.has_second.load(Ordering::Relaxed) {
            return None;
        }
        self.has_second.store(false, Ordering::Relaxed);
        self.second.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn is_locked(&self) -> Result<bool> {
        self.member.check_ours()?;
        match self.word().look().owner() {
            Some(owner) => Ok(owner == self.member.slot() || !self.member.is_gone(owner)?),
            None => Ok(false),
        }
    }

    /// Starts a child that has it too, for which this thread must have it.
    pub(crate) fn spawn(&self, command: &mut Command) -> Result<Child> {
        self.member.check_ours()?;
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.is_none() {
            let new = self.member.second(recover_slot)?;
            let slots = &self.member.room().slots;
            let (from, to) = (self.member.slot(), new.slot);
            self.word().hand_over(from, to)?;
            let number = self.word().look().number();
            slots[to].stamp_as(&slots[from], number, number);
            *second = Some(new);
            self.has_second.store(true, Ordering::Relaxed);
        }
        match &*second {
            Some(second) => self.member.spawn(second, command),
            None => Err(Error::new(ErrorKind::Corrupt, "there is no one to hand it to")),
        }
    }

    /// Frees it from an owner that is dead, and from an heir.
    fn sweep_owner(&self) -> Result<()> {
        let word = self.word().look();
        if let Some(owner) = word.owner() {
            if self.member.is_gone(owner)? {
                self.wake(self.word().free_dead(word));
            } else if let Some(slot) = self.member.slots().get(owner) {
                // Whoever waits may want to know for whom, and for how long already.
                slot.stamp(word.number());
            }
        } else if let Some(heir) = word.heir()
            && self.member.is_gone(heir)?
        {
            self.wake(self.word().pass_over(word));
        }
        Ok(())
    }

    /// Whether its heir has not come for a whole slice, as far as this process has looked.
    fn is_left_lying(&self, word: Word) -> bool {
        let mut lying = self.lying.lock().unwrap_or_else(PoisonError::into_inner);
        match *lying {
            // A slice may end a little early.
            Some((then, since)) if then == word => since.elapsed() >= SLICE * 3 / 4,
            _ => {
                *lying = Some((word, Instant::now()));
                false
            }
        }
    }

    #[inline]
    fn try_once(&self, others_sleep: bool) -> Result<Option<bool>> {
        let thread = this_thread();
        if self.owner.load(Ordering::Relaxed) == thread {
            let depth = self.depth.load(Ordering::Relaxed);
            let deeper = depth
                .checked_add(1)
                .ok_or_else(|| Error::new(ErrorKind::Full, "this thread has locked it too often"))?;
            self.depth.store(deeper, Ordering::Relaxed);
            return Ok(Some(false));
        }
        let is_heir = self.heir.load(Ordering::Relaxed) == thread;
        match self.word().try_lock(self.member.slot(), is_heir, others_sleep)? {
            Attempt::NotNow(_) => Ok(None),
            Attempt::Locked { abandoned } => {
                self.begin(thread);
                Ok(Some(abandoned))
            }
        }
    }

    pub(super) fn member(&self) -> &Member {
        &self.member
    }

    /// Whether it is to be had.
    pub(super) fn is_there(&self) -> bool {
        self.word().look().owner().is_none()
    }

    /// Takes back a lock as if it had not been: whether the mutex was abandoned is the next one's to know again.
    pub(super) fn undo(&self, abandoned: bool) -> Result<()> {
        if abandoned {
            self.unlock_all(true)
        } else {
            self.unlock()
        }
    }
}

/// A thread that waits for a mutex.
pub(super) struct ForLock<'a> {
    mutex: &'a Mutex,
    /// Since when it sleeps again and again.
    begun: Cell<Option<Instant>>,
    is_heir: Cell<bool>,
}

impl<'a> ForLock<'a> {
    pub(super) fn new(mutex: &'a Mutex) -> Self {
        ForLock {
            mutex,
            begun: Cell::new(None),
            is_heir: Cell::new(false),
        }
    }

    /// Whether the mutex, free or not, is kept for another.
    fn is_for_another(&self, word: Word) -> bool {
        word.heir()
            .is_some_and(|heir| heir != self.mutex.member.slot() || !self.is_heir.get())
    }
}

impl Waiting for ForLock<'_> {
    type Got = bool;

    #[inline]
    fn try_take(&self, others_sleep: bool) -> Result<Option<bool>> {
        let locked = self.mutex.try_once(others_sleep)?;
        if locked.is_some() {
            self.is_heir.set(false);
        }
        Ok(locked)
    }

    fn before_sleep(&self) -> Result<Option<u32>> {
        let begun = self.begun.get().unwrap_or_else(Instant::now);
        self.begun.set(Some(begun));
        let slot = self.mutex.member.slot();
        if !self.is_heir.get() && begun.elapsed() >= FAIR_AFTER && self.mutex.word().become_heir(slot) {
            self.mutex.heir.store(this_thread(), Ordering::Relaxed);
            self.is_heir.set(true);
        }
        let word = self.mutex.word().look();
        if word.heir() != Some(slot) || self.mutex.heir.load(Ordering::Relaxed) != this_thread() {
            // Somebody thought that we would not come; and perhaps another thread of ours is the heir now.
            self.is_heir.set(false);
        }
        if word.owner().is_none() && !self.is_for_another(word) {
            return Ok(None);
        }
        Ok(self.mutex.word().announce_sleeper(word))
    }

    fn sweep(&self, _now: bool) -> Result<()> {
        self.mutex.sweep_owner()?;
        let word = self.mutex.word().look();
        if word.owner().is_none() && self.is_for_another(word) && self.mutex.is_left_lying(word) {
            self.mutex.wake(self.mutex.word().pass_over(word));
        }
        Ok(())
    }

    fn holders(&self) -> Vec<u32> {
        let owner = self.mutex.word().look().owner();
        self.mutex.member.pids(owner.into_iter())
    }

    fn mask(&self) -> Mask {
        ownership::mask(self.mutex.member.slot())
    }
}

impl ForLock<'_> {
    /// Is the heir no longer: it was not to be, so the next one may.
    pub(super) fn forgo(&self) {
        if !self.is_heir.replace(false) {
            return;
        }
        // Should the word change all the time, others pass us over.
        for _ in 0..1000 {
            let word = self.mutex.word().look();
            if word.heir() != Some(self.mutex.member.slot()) {
                return;
            }
            self.mutex.wake(self.mutex.word().pass_over(word));
        }
    }
}

impl Drop for ForLock<'_> {
    fn drop(&mut self) {
        self.forgo();
    }
}

/// For who takes the slot: its last participant is dead.
fn recover_slot(room: &Room, slot: usize) -> Result<()> {
    // Sleepers wake up by themselves, which is soon enough here.
    Ownership(&room.word).recover(slot).map(drop)
}

pub(crate) fn list() -> Result<Vec<Found>> {
    look::list(&LAYOUT, stat)
}

pub(crate) fn stat(name: &Name) -> Result<Found> {
    look::stat(&LAYOUT, name, |look| {
        let room = room_of(look);
        let word = Ownership(&room.word).look();
        let seen = participants::see(look, &room.header.high_water, &room.slots, 0, |index, slot| {
            let owns = word.owner() == Some(index);
            (owns.into(), slot.since(word.number()))
        });
        let locked = if seen.1.is_empty() { "no" } else { "yes" };
        Ok((seen, vec![("locked", locked.into())]))
    })
}

pub(crate) fn remove(name: &Name) -> Result<()> {
    look::remove(&LAYOUT, name)
}
