//! Who takes part in an object that several processes share: to join, to prove that one lives, to find who died.
//!
//! An object has a table of slots in its shared memory. A process that opens it becomes a *participant*: it takes a slot by
//! a lock that the kernel releases when the process ends, however it ends ([`Token`]). That lock is the only proof of
//! life: what stands in the slot, a pid included, is for people to read. Slots of dead participants are found by asking
//! for their locks. What they held is recovered by whoever finds them, or by who takes the slot next, before it does
//! anything else; how, is each kind's own (it must be safe to do twice, and to die doing it).

use crate::layout::{now_in_ms, time_of};
use crate::os::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::os::process;
use crate::os::segment::Look;
use crate::os::token::Token;
use crate::os::types::Owner;
use crate::{Error, ErrorKind, Result};
use std::time::SystemTime;

/// What one participant shows to the others.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Slot {
    /// What it holds, as its kind has it.
    pub(crate) held: AtomicU64,
    /// More of that.
    pub(crate) aux: AtomicU64,
    /// Since when it holds that, in milliseconds since 1970, as far as somebody has noticed (taking a clock's time costs
    /// more than taking a permit) ...
    since: AtomicU64,
    /// ... and which state of its holding that is about: see [`stamp`](Self::stamp).
    since_of: AtomicU64,
    /// Which pid namespace the pid is of.
    space: AtomicU64,
    /// 0: nobody, probably.
    pid: AtomicU32,
    /// How many of its threads wait.
    pub(crate) waiting: AtomicU32,
    /// What it has in hand, as its kind has it.
    pub(crate) in_hand: AtomicU64,
    _room: AtomicU64,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Slot>() == 64);

impl Slot {
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        Slot {
            held: AtomicU64::new(0),
            aux: AtomicU64::new(0),
            since: AtomicU64::new(0),
            space: AtomicU64::new(0),
            pid: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            since_of: AtomicU64::new(0),
            in_hand: AtomicU64::new(0),
            _room: AtomicU64::new(0),
        }
    }

    /// Notes the time, unless that has been done for this `holding`, a number that each change of what it holds changes.
    pub(crate) fn stamp(&self, holding: u64) {
        if self.since_of.load(Ordering::Acquire) != holding {
            self.since.store(now_in_ms(), Ordering::Relaxed);
            self.since_of.store(holding, Ordering::Release);
        }
    }

    /// Since when it is in this state, if that was noted.
    pub(crate) fn since(&self, holding: u64) -> Option<SystemTime> {
        let noted = self.since_of.load(Ordering::Acquire) == holding;
        noted
            .then(|| time_of(self.since.load(Ordering::Relaxed)))
            .flatten()
    }

    /// As another slot, whose `theirs` goes on as `ours` here.
    pub(crate) fn stamp_as(&self, other: &Slot, theirs: u64, ours: u64) {
        if other.since_of.load(Ordering::Acquire) == theirs {
            self.since
                .store(other.since.load(Ordering::Relaxed), Ordering::Relaxed);
            self.since_of.store(ours, Ordering::Release);
        } else {
            self.stamp(ours);
        }
    }

    /// Says who has it.
    pub(crate) fn sign(&self, pid: u32) {
        self.space.store(process::pid_space(), Ordering::Relaxed);
        self.pid.store(pid, Ordering::Relaxed);
    }

    /// Whether somebody said that he has it, and did not say that he left.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_signed(&self) -> bool {
        self.pid.load(Ordering::Relaxed) != 0
    }

    /// The pid of who has it; 0 if that is a number of another pid namespace.
    pub(crate) fn pid(&self) -> u32 {
        if self.space.load(Ordering::Relaxed) == process::pid_space() {
            self.pid.load(Ordering::Relaxed)
        } else {
            0
        }
    }
}

/// Takes a free one of `slots` for `token`, to which the first of them is participant number `first`. `recover` puts in
/// order what its last participant left, if that one died. A slot of which it says that it is [`ErrorKind::Corrupt`] is
/// given back, and another one taken.
///
/// # Errors
/// [`ErrorKind::Full`] when there is no free one; [`ErrorKind::Corrupt`] when only corrupt ones are free.
pub(crate) fn join(
    high_water: &AtomicU32,
    slots: &[Slot],
    first: usize,
    token: &Token,
    mut recover: impl FnMut(usize) -> Result<()>,
) -> Result<usize> {
    let mut corrupt = None;
    // Those that look free first: most of them are.
    for everyone in [false, true] {
        for (index, slot) in slots.iter().enumerate() {
            if !everyone && slot.pid.load(Ordering::Relaxed) != 0 {
                continue;
            }
            if token.take(first + index)? {
                match recover(index) {
                    Err(error) if error.kind() == ErrorKind::Corrupt => {
                        token.give_back(first + index)?;
                        corrupt.get_or_insert(error);
                        continue;
                    }
                    recovered => recovered?,
                }
                slot.sign(std::process::id());
                high_water.fetch_max(u32::try_from(index).unwrap_or(u32::MAX - 1) + 1, Ordering::AcqRel);
                return Ok(index);
            }
        }
    }
    Err(corrupt.unwrap_or_else(|| {
        Error::new(
            ErrorKind::Full,
            format!("all {} places for participants are taken", slots.len()),
        )
    }))
}

/// A slot that is ours as long as this is there.
#[derive(Debug)]
pub(crate) struct Seat {
    token: Token,
    index: usize,
    /// Its participant's number.
    participant: usize,
}

impl Seat {
    /// Takes a free one of `slots`: see [`join`].
    pub(crate) fn take(
        high_water: &AtomicU32,
        slots: &[Slot],
        first: usize,
        token: Token,
        recover: impl FnMut(usize) -> Result<()>,
    ) -> Result<Self> {
        let index = join(high_water, slots, first, &token, recover)?;
        Ok(Seat {
            token,
            index,
            participant: first + index,
        })
    }

    /// Which of the slots.
    #[inline]
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Whether this process took it, and not one that it was forked from.
    #[inline(always)]
    pub(crate) fn is_ours(&self) -> bool {
        self.token.is_ours()
    }

    /// Refuses to go on in a process that was forked from the one that took it.
    #[inline]
    pub(crate) fn check_ours(&self) -> Result<()> {
        if self.token.is_ours() {
            Ok(())
        } else {
            Err(forked())
        }
    }

    /// Gives the slot back: from here on it may be another's.
    pub(crate) fn leave(&self, slot: &Slot) {
        if self.token.is_ours() {
            leave(slot);
            // If it fails it ends with the token, which is dropped next. That alone is not enough: a child that is just being
            // started may have the descriptor, and with it the lock, until it runs its program.
            let _ = self.token.give_back(self.participant);
        }
    }
}

/// The error of who goes on in a forked child with what its parent opened.
#[cold]
pub(crate) fn forked() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "this process was forked from the one that opened it, and holds nothing of it",
    )
    .hint("open it again after the fork")
}

/// Says that the slot is free; its token is dropped next.
pub(crate) fn leave(slot: &Slot) {
    slot.pid.store(0, Ordering::Relaxed);
}

/// The slots that somebody may ever have had.
pub(crate) fn used<'a>(high_water: &AtomicU32, slots: &'a [Slot]) -> &'a [Slot] {
    let high_water = high_water.load(Ordering::Acquire) as usize;
    &slots[..high_water.min(slots.len())]
}

/// Who takes part, as somebody sees it who does not: those that live and, of them, what they own. `owned` reads how much
/// from a slot, and since when.
pub(crate) fn see(
    look: &Look,
    high_water: &AtomicU32,
    slots: &[Slot],
    first: usize,
    owned: impl Fn(usize, &Slot) -> (u32, Option<SystemTime>),
) -> (Vec<process::Identity>, Vec<Owner>, u32) {
    let (mut holders, mut owners, mut waiting) = (Vec::new(), Vec::new(), 0u32);
    for (index, slot) in used(high_water, slots).iter().enumerate() {
        if !look.is_participant(first + index) {
            continue;
        }
        let process = look.identity(slot.pid());
        let (count, since) = owned(index, slot);
        if count > 0 {
            owners.push(Owner {
                process: process.clone(),
                count,
                since,
            });
        }
        waiting = waiting.saturating_add(slot.waiting.load(Ordering::Relaxed));
        holders.push(process);
    }
    (holders, owners, waiting)
}
