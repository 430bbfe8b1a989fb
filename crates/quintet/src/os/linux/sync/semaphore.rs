//! Semaphores.

use super::member::{Member, Registry, Room, Second, Waiting, layout, room_of};
use super::permits::{Permits, Taken};
use crate::layout::Layout;
use crate::os::atomic::Ordering;
use crate::os::linux::futex::ANYONE;
use crate::os::linux::look;
use crate::os::linux::segment::Spec;
use crate::os::types::{Found, ObjectOptions, Opening};
use crate::participants::{self, Slot};
use crate::wait::Spin;
use crate::{Deadline, Error, ErrorKind, Name, Result, Scheme};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};

static LAYOUT: Layout = layout(
    Scheme::Sem,
    "1: header 64; state u64 at 64: count 31, waiters 1, slot 10, change 3, orphan 1, tag 18; swept u64 at 72; \
     1022 slots of 64 at 128: held u64 (permits 16, changes 48), aux u64 (handed to, or all ones: given back), \
     since u64, since_of u64, space u64, pid u32, waiting u32; locks at 2^62: life 1, 1 unused, 2 a slot",
);

/// In the `aux` of a slot that a child holds: the process that lent it has given the permit back. (It is no slot's number.)
const GIVEN_BACK: u64 = u64::MAX;

static OPEN: Registry<Semaphore> = Registry::new();

/// A semaphore, of which this process is one participant.
#[derive(Debug)]
pub(crate) struct Semaphore {
    member: Member,
    maximum: u32,
    spin: Spin,
    /// Handing a permit over takes two steps in our own slot.
    handing: Mutex<()>,
}

/// One permit.
#[derive(Debug)]
pub(crate) struct Lot {
    /// Whether it is the first one taken since those of a dead holder came back.
    pub(crate) abandoned: bool,
    /// Which participant holds it, if not the process's first.
    second: Option<Box<Second>>,
}

impl Semaphore {
    /// Makes or opens it; the counts are for making it.
    pub(crate) fn open(
        name: &Name,
        opening: Opening,
        initial: u32,
        maximum: u32,
        options: &ObjectOptions,
    ) -> Result<(Arc<Self>, bool)> {
        let spec = Spec {
            layout: &LAYOUT,
            name,
            options: *options,
            size: LAYOUT.size,
            parameter: maximum.into(),
        };
        let (opened, made) = Member::open(&spec, opening, Permits::initial(initial))?;
        let maximum = u32::try_from(opened.header().parameter())
            .ok()
            .filter(|maximum| (1..=super::permits::MOST).contains(maximum))
            .ok_or_else(|| Error::new(ErrorKind::Corrupt, "its header gives an impossible maximum"))?;
        let id = opened.id();
        let semaphore = OPEN.get_or_make(
            id,
            |open| !open.member.is_released(),
            || {
                Ok(Semaphore {
                    member: opened.join(|room, slot| recover_slot(room, maximum, slot))?,
                    maximum,
                    spin: Spin::default(),
                    handing: Mutex::new(()),
                })
            },
        )?;
        Ok((semaphore, made))
    }

    pub(crate) fn maximum(&self) -> u32 {
        self.maximum
    }

    pub(crate) fn count(&self) -> Result<u32> {
        if self.member.is_ours() {
            // What the dead held is free.
            self.sweep(false)?;
        }
        self.permits().count()
    }

    pub(crate) fn release_name(&self) {
        self.member.release_name();
    }

    #[inline]
    fn permits(&self) -> Permits<'_> {
        permits(self.member.room(), self.maximum)
    }

    /// Takes a permit that never comes back by itself.
    #[inline]
    pub(crate) fn wait(&self, deadline: Deadline) -> Result<()> {
        if self.member.is_ours() && self.permits().wait_alone() {
            return Ok(());
        }
        self.wait_among_others(deadline)
    }

    #[cold]
    fn wait_among_others(&self, deadline: Deadline) -> Result<()> {
        self.member.check_ours()?;
        self.member
            .block(&self.spin, deadline, &ForOne(self))?
            .ok_or_else(no_permit)
    }

    /// Adds permits; how many there were.
    #[inline]
    pub(crate) fn release(&self, permits: u32) -> Result<u32> {
        if self.member.is_ours()
            && let Some(previous) = self.permits().release_alone(permits)
        {
            return Ok(previous);
        }
        self.release_among_others(permits)
    }

    #[cold]
    fn release_among_others(&self, permits: u32) -> Result<u32> {
        self.member.check_ours()?;
        let released = self.permits().release(permits)?;
        self.member.wake(released.wake, ANYONE);
        Ok(released.previous)
    }

    /// Takes a permit that comes back when this process ends.
    #[inline]
    pub(crate) fn acquire(&self, deadline: Deadline) -> Result<Lot> {
        if self.member.is_ours() && self.permits().acquire_alone(self.member.slot()) {
            return Ok(Lot {
                abandoned: false,
                second: None,
            });
        }
        self.acquire_among_others(deadline)
    }

    #[cold]
    fn acquire_among_others(&self, deadline: Deadline) -> Result<Lot> {
        self.member.check_ours()?;
        self.member
            .block(&self.spin, deadline, &ForPermit(self))?
            .ok_or_else(no_permit)
    }

    #[inline]
    pub(crate) fn give_back(&self, lot: Lot) -> Result<()> {
        let first = lot.second.is_none();
        if first && self.member.is_ours() && self.permits().give_back_alone(self.member.slot()) {
            return Ok(());
        }
        self.give_back_among_others(lot)
    }

    #[cold]
    fn give_back_among_others(&self, lot: Lot) -> Result<()> {
        if !self.member.is_ours() {
            // A copy of the permit in a forked child: it holds nothing.
            return Ok(());
        }
        let Some(second) = lot.second else {
            let wake = self.permits().give_back(self.member.slot(), false)?;
            self.member.wake(wake, ANYONE);
            return Ok(());
        };
        let slot = &self.member.room().slots[second.slot];
        if second.has_child()? {
            // It is the holder now, and whoever needs the permit finds out when it is not.
            slot.aux.store(GIVEN_BACK, Ordering::Release);
            return Ok(());
        }
        let wake = self.permits().give_back(second.slot, false)?;
        self.member.wake(wake, ANYONE);
        participants::leave(slot);
        Ok(())
    }

    /// Gives a permit back as if it had not been taken: whether the holder before died is the next one's to know again.
    pub(super) fn undo(&self, lot: Lot) -> Result<()> {
        let wake = self.permits().give_back(self.member.slot(), lot.abandoned)?;
        self.member.wake(wake, ANYONE);
        Ok(())
    }

    pub(crate) fn forget(&self, lot: Lot) -> Result<()> {
        self.member.check_ours()?;
        let slot = lot
            .second
            .as_ref()
            .map_or(self.member.slot(), |second| second.slot);
        self.permits().forget(slot)?;
        if let Some(second) = &lot.second
            && !second.has_child()?
        {
            participants::leave(&self.member.room().slots[second.slot]);
        }
        Ok(())
    }

    /// Starts a child that holds the permit too.
    pub(crate) fn spawn(&self, lot: &mut Lot, command: &mut Command) -> Result<Child> {
        self.member.check_ours()?;
        let second = match lot.second.take() {
            Some(second) => second,
            None => self.hand_over().map(Box::new)?,
        };
        self.member.spawn(lot.second.insert(second), command)
    }

    /// Makes one of this participant's permits that of a new one.
    fn hand_over(&self) -> Result<Second> {
        let second = self
            .member
            .second(|room, slot| recover_slot(room, self.maximum, slot))?;
        let _handing = self.handing.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, to) = (self.member.slot(), second.slot);
        let before = self.permits().holding_number(from);
        if let Err(error) = self.permits().hand_over(from, to) {
            participants::leave(&self.member.room().slots[to]);
            return Err(error);
        }
        let slots = &self.member.room().slots;
        slots[to].stamp_as(&slots[from], before, self.permits().holding_number(to));
        Ok(second)
    }

    /// Gives back what a participant held, if it is gone.
    fn recover(&self, slot: usize) -> Result<()> {
        let recovered = self
            .permits()
            .recover(slot, died(self.member.room(), slot), || self.member.is_gone(slot))?;
        self.member.wake(recovered.unwrap_or(0), ANYONE);
        Ok(())
    }

    fn sweep(&self, now: bool) -> Result<()> {
        if !self.member.is_sweep_due() && !now {
            return Ok(());
        }
        // One that died in the middle holds what is pending.
        self.permits().settle()?;
        for (slot, holding) in self.member.slots().iter().enumerate() {
            if holds_some(holding) {
                self.recover(slot)?;
                // Whoever waits may want to know for whom, and for how long already.
                holding.stamp(self.permits().holding_number(slot));
            }
        }
        Ok(())
    }

    fn holders(&self) -> Vec<u32> {
        let slots = self.member.slots().iter().enumerate();
        let holding = slots.filter(|(_, slot)| holds_some(slot));
        self.member.pids(holding.map(|(index, _)| index))
    }

    fn before_sleep(&self) -> Result<Option<u32>> {
        Ok(self.permits().announce_sleeper()?.then_some(Permits::ASLEEP))
    }
}

/// A thread that waits for a permit that does not come back.
pub(super) struct ForOne<'a>(pub(super) &'a Semaphore);

impl Waiting for ForOne<'_> {
    type Got = ();

    #[inline]
    fn try_take(&self, others_sleep: bool) -> Result<Option<()>> {
        let taken = self.0.permits().try_wait(others_sleep)?;
        Ok(taken.map(|Taken { wake, .. }| self.0.member.wake(wake, ANYONE)))
    }

    fn before_sleep(&self) -> Result<Option<u32>> {
        self.0.before_sleep()
    }

    fn sweep(&self, now: bool) -> Result<()> {
        self.0.sweep(now)
    }

    fn holders(&self) -> Vec<u32> {
        self.0.holders()
    }
}

/// A thread that waits for a permit of its process.
pub(super) struct ForPermit<'a>(pub(super) &'a Semaphore);

impl Waiting for ForPermit<'_> {
    type Got = Lot;

    #[inline]
    fn try_take(&self, others_sleep: bool) -> Result<Option<Lot>> {
        let slot = self.0.member.slot();
        let Some(Taken { abandoned, wake }) = self.0.permits().try_acquire(slot, others_sleep)? else {
            return Ok(None);
        };
        self.0.member.wake(wake, ANYONE);
        Ok(Some(Lot {
            abandoned,
            second: None,
        }))
    }

    fn before_sleep(&self) -> Result<Option<u32>> {
        self.0.before_sleep()
    }

    fn sweep(&self, now: bool) -> Result<()> {
        self.0.sweep(now)
    }

    fn holders(&self) -> Vec<u32> {
        self.0.holders()
    }
}

impl Semaphore {
    pub(super) fn member(&self) -> &Member {
        &self.member
    }

    /// Whether there is one to be had.
    pub(super) fn is_there(&self) -> bool {
        self.permits().seen_count() > 0
    }
}

#[inline]
fn permits(room: &Room, maximum: u32) -> Permits<'_> {
    Permits {
        state: &room.word,
        slots: &room.slots,
        maximum,
    }
}

/// Whether it looks as if that participant held something, or is about to.
fn holds_some(slot: &Slot) -> bool {
    slot.held.load(Ordering::Relaxed) & 0xffff != 0
}

/// Whether a participant that is gone, died; and did not just hold on to what had been given back.
fn died(room: &Room, slot: usize) -> bool {
    room.slots
        .get(slot)
        .is_none_or(|slot| slot.aux.load(Ordering::Acquire) != GIVEN_BACK)
}

/// For who takes the slot: its last participant is dead.
fn recover_slot(room: &Room, maximum: u32, slot: usize) -> Result<()> {
    // Sleepers wake up by themselves, which is soon enough here.
    permits(room, maximum)
        .recover(slot, died(room, slot), || Ok(true))
        .map(drop)?;
    room.slots[slot].aux.store(0, Ordering::Release);
    Ok(())
}

#[cold]
fn no_permit() -> Error {
    Error::new(ErrorKind::TimedOut, "no permit came free in time")
}

pub(crate) fn list() -> Result<Vec<Found>> {
    look::list(&LAYOUT, stat)
}

pub(crate) fn stat(name: &Name) -> Result<Found> {
    look::stat(&LAYOUT, name, |look| {
        let room = room_of(look);
        let maximum = u32::try_from(look.header().parameter()).unwrap_or(0);
        let permits = permits(room, maximum);
        let seen = participants::see(look, &room.header.high_water, &room.slots, 0, |index, slot| {
            (
                permits.seen_held(index),
                slot.since(permits.holding_number(index)),
            )
        });
        let details = vec![
            ("count", permits.seen_count().to_string()),
            ("maximum", maximum.to_string()),
        ];
        Ok((seen, details))
    })
}

pub(crate) fn remove(name: &Name) -> Result<()> {
    look::remove(&LAYOUT, name)
}
