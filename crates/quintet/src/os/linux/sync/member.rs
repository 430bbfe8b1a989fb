//! One process's part in a semaphore, a mutex or an event: its place in the shared memory, and how it waits.
//!
//! # The memory
//! 64 bytes of [`Header`], 64 bytes of state (the first eight are the object's word, the next eight when the dead were
//! last looked for), then a [`Slot`] of 64 bytes for each of up to 1022 participants: 64 KiB, reserved when it is created.

use super::deaths::Deaths;
use crate::layout::{Extent, Header, Layout};
use crate::os::atomic::{AtomicU64, Ordering};
use crate::os::linux::futex::{self, ANYONE, Mask, Sleep, Woken};
use crate::os::linux::segment::{Id, Look, Segment, Spec};
use crate::os::linux::spawn;
use crate::os::linux::token::Token;
use crate::os::per_process::PerProcess;
use crate::os::types::Opening;
use crate::participants::{self, Slot};
use crate::wait::{self, SLICE, Spin};
use crate::{Deadline, Result, Scheme};
use std::cell::Cell;
use std::process::{Child, Command};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

pub(super) const SLOTS: usize = 1022;

/// The memory of an object.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Room {
    pub(super) header: Header,
    pub(super) word: AtomicU64,
    /// When somebody last looked for the dead, in milliseconds of the monotonic clock.
    swept: AtomicU64,
    _line: [AtomicU64; 6],
    pub(super) slots: [Slot; SLOTS],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Room>() == 65536 && std::mem::offset_of!(Room, slots) == 128);

pub(super) const fn layout(scheme: Scheme, text: &'static str) -> Layout {
    Layout {
        scheme,
        version: 1,
        text,
        size: size_of::<Room>(),
        extent: Extent::Fixed,
        participants: SLOTS as u32,
        data: None,
    }
}

/// So long at least lies between two searches for the dead, whoever makes them: of a thousand waiters one is enough.
const SWEEP_EVERY: u64 = SLICE.as_millis() as u64 / 2;

#[inline]
fn room_at(start: NonNull<u8>) -> NonNull<Room> {
    start.cast()
}

/// The memory of an object, seen from outside.
pub(super) fn room_of(look: &Look) -> &Room {
    // SAFETY: a look maps the whole of the layout, which is that of a room, as long as it is borrowed. A room is made of
    // atomics, for which any bytes will do and which others may change.
    unsafe { room_at(look.start()).as_ref() }
}

/// A process's part in an object.
#[derive(Debug)]
pub(super) struct Member {
    segment: Segment,
    slot: usize,
}

impl Member {
    /// Opens the object. Its word is `initial` if it is made.
    pub(super) fn open(spec: &Spec<'_>, opening: Opening, initial: u64) -> Result<(Opened, bool)> {
        let init = |start| {
            // SAFETY: the segment has just mapped that much memory, and nobody else knows it.
            let room: &Room = unsafe { room_at(start).as_ref() };
            room.word.store(initial, Ordering::Relaxed);
        };
        let (segment, made) = Segment::open(spec, opening, init)?;
        Ok((Opened(segment), made))
    }

    #[inline]
    pub(super) fn room(&self) -> &Room {
        room(&self.segment)
    }

    pub(super) fn slots(&self) -> &[Slot] {
        participants::used(&self.room().header.high_water, &self.room().slots)
    }

    #[inline]
    pub(super) fn slot(&self) -> usize {
        self.slot
    }

    pub(super) fn id(&self) -> Id {
        self.segment.id()
    }

    pub(super) fn release_name(&self) {
        self.segment.release_name();
    }

    /// Whether its name has been released.
    pub(super) fn is_released(&self) -> bool {
        self.segment.is_released()
    }

    /// Whether this process opened it, and not one that it was forked from.
    #[inline]
    pub(super) fn is_ours(&self) -> bool {
        self.segment.token().is_ours()
    }

    /// Refuses to go on in a forked child.
    #[inline]
    pub(super) fn check_ours(&self) -> Result<()> {
        if self.is_ours() {
            Ok(())
        } else {
            Err(participants::forked())
        }
    }

    /// Whether the process of a participant has ended.
    pub(super) fn is_gone(&self, slot: usize) -> Result<bool> {
        Ok(slot != self.slot && !self.segment.token().is_taken(slot)?)
    }

    /// Becomes one more participant, for a permit or a mutex that a child is to hold too.
    pub(super) fn second(&self, recover: impl Fn(&Room, usize) -> Result<()>) -> Result<Second> {
        let token = self.segment.new_token()?;
        let room = self.room();
        let slot = participants::join(&room.header.high_water, &room.slots, 0, &token, |slot| {
            room.recover_sleepers(slot);
            recover(room, slot)
        })?;
        Ok(Second { token, slot })
    }

    /// Starts a child that is that participant too, as long as it lives.
    pub(super) fn spawn(&self, second: &Second, command: &mut Command) -> Result<Child> {
        let token = self.segment.new_token()?;
        second.token.lend(second.slot, &token)?;
        let child = spawn::with(command, token.for_child()?)?;
        self.room().slots[second.slot].sign(child.id());
        Ok(child)
    }

    /// Whether it is time to look for the dead. If so, it counts as done.
    pub(super) fn is_sweep_due(&self) -> bool {
        let now = monotonic_ms();
        let swept = self.room().swept.load(Ordering::Relaxed);
        let due = now.wrapping_sub(swept) >= SWEEP_EVERY;
        if due {
            self.room().swept.store(now, Ordering::Relaxed);
        }
        due
    }

    /// The half of the word that sleepers sleep on.
    pub(super) fn sleep_on(&self, while_it_is: u32) -> Sleep<'_> {
        Sleep {
            word: low_half(&self.room().word),
            while_it_is,
        }
    }

    pub(super) fn wake(&self, count: u32, mask: Mask) {
        if count > 0 {
            futex::wake(low_half(&self.room().word), count, mask);
        }
    }

    /// Says, until it is dropped, that a thread sleeps.
    pub(super) fn sleeper(&self) -> Sleeper<'_> {
        // In this order, so that a death in between counts one too many and not one too few.
        self.room().header.waiting.fetch_add(1, Ordering::AcqRel);
        self.room().slots[self.slot]
            .waiting
            .fetch_add(1, Ordering::AcqRel);
        Sleeper(self)
    }

    /// Whether anybody else sleeps, probably.
    pub(super) fn others_sleep(&self) -> bool {
        self.room().header.waiting.load(Ordering::Acquire) > 0
    }

    /// Waits until there is something to take.
    pub(super) fn block<W: Waiting>(
        &self,
        spin: &Spin,
        deadline: Deadline,
        waiting: &W,
    ) -> Result<Option<W::Got>> {
        if let Some(got) = waiting.try_take(false)? {
            return Ok(Some(got));
        }
        if deadline.has_passed() {
            // Who does not wait is not told "no" because of the dead either.
            waiting.sweep(true)?;
            return waiting.try_take(false);
        }
        let slept = Cell::new(false);
        let mut deaths: Option<Deaths> = None;
        wait::wait(
            spin,
            deadline,
            SLICE,
            || waiting.try_take(slept.get() && self.others_sleep()),
            |slice| {
                if !slept.replace(true) {
                    waiting.sweep(false)?;
                }
                let sleeper = self.sleeper();
                let Some(while_it_is) = waiting.before_sleep()? else {
                    return Ok(());
                };
                let word = self.sleep_on(while_it_is);
                let rung = match &mut deaths {
                    None => word.sleep(slice, waiting.mask())? == Woken::Late,
                    // With the two of them nobody is woken by name: whoever wakes all wakes us too.
                    Some(deaths) => {
                        let woken = futex::sleep_on_any(&[word, deaths.sleep()], slice)?;
                        woken == Woken::Late || self.low_half() == while_it_is
                    }
                };
                drop(sleeper);
                if rung {
                    waiting.sweep(deaths.is_some() || deadline.has_passed())?;
                    let holders = waiting.holders();
                    if !deaths.as_ref().is_some_and(|deaths| deaths.is_of(&holders)) {
                        deaths = Deaths::watch(holders);
                    }
                }
                Ok(())
            },
        )
    }

    fn low_half(&self) -> u32 {
        self.room().word.load(Ordering::Acquire) as u32
    }

    /// The processes of those participants, as far as they say who they are; not our own.
    pub(super) fn pids(&self, slots: impl Iterator<Item = usize>) -> Vec<u32> {
        let ours = std::process::id();
        slots
            .filter_map(|slot| Some(self.slots().get(slot)?.pid()))
            .filter(|pid| *pid != 0 && *pid != ours)
            .collect()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.is_ours() {
            participants::leave(&self.room().slots[self.slot]);
        }
    }
}

/// What a thread waits for at an object.
pub(super) trait Waiting {
    type Got;

    /// Takes it if it is there. `others_sleep`: whoever releases next has to wake someone.
    fn try_take(&self, others_sleep: bool) -> Result<Option<Self::Got>>;

    /// Says that this thread is about to sleep: what the low half of the word is while nothing changes, or `None` to try
    /// again.
    fn before_sleep(&self) -> Result<Option<u32>>;

    /// Looks for the dead, and recovers what they held. `now`: also if somebody has done so just before.
    fn sweep(&self, now: bool) -> Result<()>;

    /// Whose death would free it.
    fn holders(&self) -> Vec<u32> {
        Vec::new()
    }

    fn mask(&self) -> Mask {
        ANYONE
    }
}

/// An object that is open, before this process has a slot.
#[derive(Debug)]
pub(super) struct Opened(Segment);

impl Opened {
    pub(super) fn id(&self) -> Id {
        self.0.id()
    }

    pub(super) fn header(&self) -> &Header {
        self.0.header()
    }

    /// Takes a slot, after `recover` has put in order what a dead participant left in it.
    pub(super) fn join(self, recover: impl Fn(&Room, usize) -> Result<()>) -> Result<Member> {
        let room = room(&self.0);
        let slot = participants::join(&room.header.high_water, &room.slots, 0, self.0.token(), |slot| {
            room.recover_sleepers(slot);
            recover(room, slot)
        })?;
        Ok(Member {
            segment: self.0,
            slot,
        })
    }
}

#[inline]
fn room(segment: &Segment) -> &Room {
    // SAFETY: the segment maps the whole of its layout, which is that of a room, as long as it is borrowed. A room is made
    // of atomics , for which any bytes will do and which others may change.
    unsafe { room_at(segment.start()).as_ref() }
}

impl Room {
    /// The threads of a dead participant sleep no more.
    fn recover_sleepers(&self, slot: usize) {
        let slept = self.slots[slot].waiting.swap(0, Ordering::AcqRel);
        // It is a hint; whoever counts gets it from the slots.
        self.header.waiting.fetch_sub(slept, Ordering::AcqRel);
    }
}

/// A thread that sleeps.
#[derive(Debug)]
pub(super) struct Sleeper<'a>(&'a Member);

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        let room = self.0.room();
        room.slots[self.0.slot].waiting.fetch_sub(1, Ordering::AcqRel);
        room.header.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One more participant of this process, which children may be as well.
#[derive(Debug)]
pub(super) struct Second {
    token: Token,
    pub(super) slot: usize,
}

impl Second {
    /// Whether a child is this participant too, and lives.
    pub(super) fn has_child(&self) -> Result<bool> {
        self.token.is_lent(self.slot)
    }
}

fn low_half(word: &AtomicU64) -> &AtomicU32 {
    const { assert!(cfg!(target_endian = "little")) };
    let low: *const AtomicU32 = ptr::from_ref(word).cast();
    // SAFETY: the first four of the eight bytes, aligned as those, and there as long. They are not read or written through
    // this reference: only the kernel looks at them, for which the size does not matter.
    unsafe { &*low }
}

fn monotonic_ms() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0)).as_millis() as u64
}

/// The objects of a kind that this process has open: opening one again gives the same, so that a process is one
/// participant.
#[derive(Debug)]
pub(super) struct Registry<T>(PerProcess<List<T>>);

#[derive(Debug)]
struct List<T>(Mutex<Vec<(Id, Weak<T>)>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Mutex::default())
    }
}

impl<T: 'static> Registry<T> {
    pub(super) const fn new() -> Self {
        Registry(PerProcess::new())
    }

    fn list(&self) -> MutexGuard<'static, Vec<(Id, Weak<T>)>> {
        // The list is whole after every step, so a panic elsewhere while it was locked does not matter.
        self.0.get().0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one of that file, if it is good (`is_good`), or a new one.
    pub(super) fn get_or_make(
        &self,
        id: Id,
        is_good: impl Fn(&T) -> bool,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let mut list = self.list();
        list.retain(|(_, open)| open.strong_count() > 0);
        // No other one is kept alive, not even for this moment: its last user may be closing it.
        let that = list.iter().filter(|(of, _)| *of == id);
        if let Some(open) = that
            .filter_map(|(_, open)| open.upgrade())
            .find(|open| is_good(open))
        {
            return Ok(open);
        }
        let made = Arc::new(make()?);
        list.push((id, Arc::downgrade(&made)));
        Ok(made)
    }

    /// All that are open now.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        self.list()
            .iter()
            .filter_map(|(_, open)| open.upgrade())
            .collect()
    }
}
