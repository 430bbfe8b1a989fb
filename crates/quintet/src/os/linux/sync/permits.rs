//! How many permits there are and who holds them: a word that all change, and a word for each participant.
//!
//! # The words
//! The *state*, 64 bits:
//!
//! | bits | what |
//! |---|---|
//! | 0–30 | count: free permits |
//! | 31 | somebody sleeps; only with a count of 0 |
//! | 32–41 | whose permits the last change is about |
//! | 42–44 | pending: what happens to them. 0 nothing, 1 one more, 2 one less, 3 none left, 4 one goes to another |
//! | 45 | permits of a dead holder have come back and nobody has acquired since |
//! | 46–63 | the low bits of that participant's number of changes before it |
//!
//! Each participant's *holding*, 64 bits: 0–15 how many permits it holds, 16–63 how often that changed.
//!
//! # The protocol
//! A permit moves between the count and a holding, two words that no instruction changes together. So every operation
//! (but a raw wait and a raw release, which move nothing) changes the state first, in one compare-and-swap that changes
//! the count *and* says, as pending, what is to happen to whose holding; then it changes the holding. Whoever wants to
//! change the state after that first makes sure that what is pending has happened (*finishes* it), by the same
//! compare-and-swap on the holding. It counts its changes, and the pending change says from which number, so it is done
//! once, by whoever is first; the others see that the number has moved on.
//!
//! To finish: read the state, read the holding. Another number: it is done. The same number: make sure that the state is
//! still the same (else someone has finished it and gone on), then swap the holding. A swap that succeeds found a
//! holding that had not changed since the state was seen with this change pending, so the change had not been made; and
//! numbers are not used again (48 bits).
//!
//! # Deaths
//! Before the state changes: nothing has happened. After it: the change is pending, and the next operation, or recovery,
//! finishes it. So for everybody who looks, the two words change together, and count plus holdings is what it was.
//!
//! *Recovery* of a participant that died with permits is one more operation: all its permits go to the count, its holding
//! becomes empty. It reads the state, then the holding, then makes sure that the participant is dead, then swaps the state.
//! If the place has a new participant since, that one has recovered it before anything else, so the state has changed
//! and the swap fails. Any number of survivors may try; one succeeds, once.
//!
//! A raw wait or release leaves in the state whose the last change was, and its number, so that the state is never again
//! what it was before a change of anybody's permits.
//!
//! A swap of the state can mistake a state for another one that looks the same. For that its owner must stop between
//! reading and swapping while exactly a multiple of 2^18 changes of the same participant go by, and that participant
//! must die between its last two swaps: then that last permit is lost, or given twice. Nothing smaller can happen.
//!
//! # Sleeping
//! Who finds no permit sets bit 31 and sleeps while the low half of the state is just that. Who releases clears the bit
//! and wakes as many as it released. Who was woken and takes the last permit sets it again if others sleep; who leaves
//! more behind wakes the next. So only a death, or a stop, leaves a sleeper asleep beside a permit, until its slice ends.
//!
//! # Hostile memory
//! Every field is masked or compared before it is used as an index or a number of permits. What cannot be (a count above
//! the maximum, giving back what is not held) is the error *corrupt*, as is a word that somebody changes all the time.

use crate::os::atomic::{AtomicU64, Ordering};
use crate::os::step::step;
use crate::participants::Slot;
use crate::{Error, ErrorKind, Result};

/// The most that there can be, as on Windows.
pub(super) const MOST: u32 = i32::MAX as u32;

/// The most that one participant can hold.
const MOST_HELD: u64 = 0xffff;

/// How often a word may be another's before we give up. Honest participants can be in each other's way, but one of them
/// always succeeds.
const PATIENCE: u32 = 1 << 22;

const WAITERS: u64 = 1 << 31;
const ORPHAN: u64 = 1 << 45;
const SLOT_SHIFT: u32 = 32;
const SLOT_MASK: u64 = 0x3ff;
const CHANGE_SHIFT: u32 = 42;
const TAG_SHIFT: u32 = 46;
const TAG_MASK: u64 = 0x3_ffff;
const CHANGE: u64 = 7 << CHANGE_SHIFT;
/// Whose the last change was, and its number.
const LAST: u64 = SLOT_MASK << SLOT_SHIFT | TAG_MASK << TAG_SHIFT;

/// What is to happen to a holding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    OneMore,
    OneLess,
    NoneLeft,
    OneToAnother,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State(u64);

impl State {
    fn count(self) -> u32 {
        (self.0 & u64::from(MOST)) as u32
    }

    fn has_waiters(self) -> bool {
        self.0 & WAITERS != 0
    }

    fn has_orphan(self) -> bool {
        self.0 & ORPHAN != 0
    }

    /// What is pending, whose, and from which number of changes.
    fn pending(self) -> Option<(Change, usize, u64)> {
        let change = match (self.0 >> CHANGE_SHIFT) & 7 {
            1 => Change::OneMore,
            2 => Change::OneLess,
            3 => Change::NoneLeft,
            4 => Change::OneToAnother,
            _ => return None,
        };
        let slot = (self.0 >> SLOT_SHIFT) & SLOT_MASK;
        Some((change, slot as usize, self.0 >> TAG_SHIFT))
    }

    /// This state with nothing pending and no waiters.
    fn settled(self, count: u32) -> State {
        State(u64::from(count) | self.0 & (ORPHAN | LAST))
    }

    #[inline]
    fn with_pending(self, change: Change, slot: usize, holding: Holding) -> State {
        let change: u64 = match change {
            Change::OneMore => 1,
            Change::OneLess => 2,
            Change::NoneLeft => 3,
            Change::OneToAnother => 4,
        };
        State(
            self.0 & !(LAST | CHANGE)
                | change << CHANGE_SHIFT
                | (slot as u64 & SLOT_MASK) << SLOT_SHIFT
                | holding.tag() << TAG_SHIFT,
        )
    }

    fn with_orphan(self, orphan: bool) -> State {
        State(if orphan { self.0 | ORPHAN } else { self.0 })
    }

    fn with_waiters(self, waiters: bool) -> State {
        State(if waiters {
            self.0 | WAITERS
        } else {
            self.0 & !WAITERS
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holding(u64);

impl Holding {
    fn held(self) -> u64 {
        self.0 & MOST_HELD
    }

    fn tag(self) -> u64 {
        (self.0 >> 16) & TAG_MASK
    }

    fn changed_to(self, held: u64) -> Holding {
        Holding(((self.0 >> 16).wrapping_add(1) << 16) | held)
    }

    /// A change that cannot be (of hostile memory) changes the number alone.
    #[inline]
    fn after(self, change: Change) -> Holding {
        self.changed_to(match change {
            Change::OneMore => (self.held() + 1).min(MOST_HELD),
            Change::OneLess | Change::OneToAnother => self.held().saturating_sub(1),
            Change::NoneLeft => 0,
        })
    }
}

/// A change of the state, and of whose holding.
struct Step {
    state: State,
    own: Option<(Change, usize, Holding)>,
}

impl Step {
    fn raw(state: State) -> Self {
        Step { state, own: None }
    }

    #[inline]
    fn of(state: State, change: Change, slot: usize, holding: Holding) -> Self {
        Step {
            state: state.with_pending(change, slot, holding),
            own: Some((change, slot, holding)),
        }
    }
}

/// What a raw release did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Released {
    pub(super) previous: u32,
    pub(super) wake: u32,
}

/// What taking one permit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Whether it is the first since a dead holder's permits came back.
    pub(super) abandoned: bool,
    pub(super) wake: u32,
}

/// The words of one semaphore.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permits<'a> {
    pub(super) state: &'a AtomicU64,
    pub(super) slots: &'a [Slot],
    pub(super) maximum: u32,
}

impl Permits<'_> {
    /// The state of a semaphore that has just been made.
    pub(super) fn initial(count: u32) -> u64 {
        // As after a change of participant 0 before its first.
        u64::from(count) | TAG_MASK << TAG_SHIFT
    }

    /// The value of the state's low half while nothing is to be had and somebody sleeps.
    pub(super) const ASLEEP: u32 = WAITERS as u32;

    pub(super) fn count(&self) -> Result<u32> {
        self.checked(State(self.state.load(Ordering::Acquire)))
            .map(State::count)
    }

    /// Takes a permit that never comes back by itself. `others_sleep`: whoever releases next has to wake someone.
    #[inline]
    pub(super) fn try_wait(&self, others_sleep: bool) -> Result<Option<Taken>> {
        self.change(|state| {
            let Some(left) = state.count().checked_sub(1) else {
                return Ok(None);
            };
            let (waiters, wake) = go_on(left, state, others_sleep);
            let taken = Taken {
                abandoned: false,
                wake,
            };
            Ok(Some((
                Step::raw(state.settled(left).with_waiters(waiters)),
                taken,
            )))
        })
    }

    /// Takes a permit for a participant.
    #[inline]
    pub(super) fn try_acquire(&self, slot: usize, others_sleep: bool) -> Result<Option<Taken>> {
        self.change(|state| {
            let Some(left) = state.count().checked_sub(1) else {
                return Ok(None);
            };
            let holding = self.holding(slot);
            if holding.held() == MOST_HELD {
                return Err(too_many());
            }
            let (waiters, wake) = go_on(left, state, others_sleep);
            let taken = Taken {
                abandoned: state.has_orphan(),
                wake,
            };
            let next = State(state.settled(left).0 & !ORPHAN).with_waiters(waiters);
            Ok(Some((Step::of(next, Change::OneMore, slot, holding), taken)))
        })
    }

    /// Adds permits, none if it would be more than the maximum.
    #[inline]
    pub(super) fn release(&self, permits: u32) -> Result<Released> {
        let done = self.change(|state| {
            let previous = state.count();
            let count = previous
                .checked_add(permits)
                .filter(|count| *count <= self.maximum);
            let Some(count) = count else {
                return Err(beyond(previous, permits, self.maximum));
            };
            let wake = if state.has_waiters() { permits } else { 0 };
            Ok(Some((
                Step::raw(state.settled(count)),
                Released { previous, wake },
            )))
        })?;
        done.ok_or_else(never)
    }

    /// A participant gives a permit back: how many sleepers to wake. `abandoned`: it was the first after a dead holder's,
    /// and is again.
    pub(super) fn give_back(&self, slot: usize, abandoned: bool) -> Result<u32> {
        self.part_with_one(slot, 1, abandoned)
    }

    /// A participant keeps a permit for ever: it holds one less, and the count stays.
    pub(super) fn forget(&self, slot: usize) -> Result<()> {
        self.part_with_one(slot, 0, false).map(drop)
    }

    fn part_with_one(&self, slot: usize, returned: u32, abandoned: bool) -> Result<u32> {
        let done = self.change(|state| {
            let holding = self.holding(slot);
            if holding.held() == 0 {
                return Err(corrupt("this process's permit is not in the table"));
            }
            // Somebody may have released what he did not hold: there are never more than the maximum.
            let count = state.count().saturating_add(returned).min(self.maximum);
            let wake = if state.has_waiters() { returned } else { 0 };
            let next = state
                .settled(count)
                .with_waiters(state.has_waiters() && returned == 0)
                .with_orphan(abandoned);
            Ok(Some((Step::of(next, Change::OneLess, slot, holding), wake)))
        })?;
        done.ok_or_else(never)
    }

    /// Gives back all that a participant held, if `is_gone` says that it is: how many sleepers to wake, `None` if there was
    /// nothing to give back. `died`: whether the next owner is to know.
    pub(super) fn recover(
        &self,
        slot: usize,
        died: bool,
        mut is_gone: impl FnMut() -> Result<bool>,
    ) -> Result<Option<u32>> {
        self.change(|state| {
            let holding = self.holding(slot);
            // In this order: see above.
            if holding.held() == 0 || !is_gone()? {
                return Ok(None);
            }
            let returned = holding.held() as u32;
            let count = state.count().saturating_add(returned).min(self.maximum);
            let wake = if state.has_waiters() { returned } else { 0 };
            let next = state.settled(count).with_orphan(died);
            Ok(Some((Step::of(next, Change::NoneLeft, slot, holding), wake)))
        })
    }

    /// One of a participant's permits becomes that of another, which holds none.
    pub(super) fn hand_over(&self, from: usize, to: usize) -> Result<()> {
        let Some(slot) = self.slots.get(from) else {
            return Err(never());
        };
        // Who reads it found that this change is pending, so it is there.
        slot.aux.store(to as u64, Ordering::Release);
        let done = self.change(|state| {
            let holding = self.holding(from);
            if holding.held() == 0 || self.holding(to).held() != 0 {
                return Err(corrupt("the permit to hand over is not in the table"));
            }
            let next = state.settled(state.count()).with_waiters(state.has_waiters());
            Ok(Some((Step::of(next, Change::OneToAnother, from, holding), ())))
        })?;
        done.ok_or_else(never)
    }

    /// The count, for somebody who only looks.
    pub(super) fn seen_count(&self) -> u32 {
        State(self.state.load(Ordering::Acquire)).count()
    }

    /// Makes sure that nothing is pending.
    pub(super) fn settle(&self) -> Result<()> {
        self.finish(State(self.state.load(Ordering::Acquire)))
    }

    /// A number that each change of what a participant holds changes.
    pub(super) fn holding_number(&self, slot: usize) -> u64 {
        self.holding(slot).0
    }

    /// How many permits a participant holds, for somebody who only looks: what is pending may not have happened.
    pub(super) fn seen_held(&self, slot: usize) -> u32 {
        let state = State(self.state.load(Ordering::Acquire));
        let holding = self.holding(slot);
        let held = match state.pending() {
            Some((change, about, tag)) if about == slot && tag == holding.tag() => {
                holding.after(change).held()
            }
            Some((Change::OneToAnother, from, tag)) if tag == self.holding(from).tag() => {
                let to = self.slots.get(from).map(|from| from.aux.load(Ordering::Acquire));
                holding.held().max((to == Some(slot as u64)).into())
            }
            _ => holding.held(),
        };
        held as u32
    }

    // The four operations where they meet nobody: the same steps, with all that is rare left to the above. `false` (or
    // `None`) means nothing but that.

    #[inline]
    pub(super) fn wait_alone(&self) -> bool {
        let state = self.state.load(Ordering::Acquire);
        let count = state as u32;
        // A count with waiters is beyond every maximum.
        state & CHANGE == 0
            && count.wrapping_sub(1) < self.maximum
            && self.swap(State(state), State(state - 1))
    }

    #[inline]
    pub(super) fn release_alone(&self, permits: u32) -> Option<u32> {
        let state = self.state.load(Ordering::Acquire);
        let count = state as u32;
        // The sum of two that are below 2^31 fits.
        let fits = state & CHANGE == 0 && (count | permits) <= MOST && count + permits <= self.maximum;
        (fits && self.swap(State(state), State(state + u64::from(permits)))).then_some(count)
    }

    #[inline]
    pub(super) fn acquire_alone(&self, slot: usize) -> bool {
        self.alone(slot, Change::OneMore, |count, holding| {
            (count.wrapping_sub(1) < self.maximum && holding.held() != MOST_HELD).then(|| count - 1)
        })
    }

    #[inline]
    pub(super) fn give_back_alone(&self, slot: usize) -> bool {
        self.alone(slot, Change::OneLess, |count, holding| {
            (count < self.maximum && holding.held() != 0).then(|| count + 1)
        })
    }

    /// Moves a permit if the last change was this participant's too, and is done, and nobody sleeps.
    #[inline]
    fn alone(&self, slot: usize, change: Change, next: impl FnOnce(u32, Holding) -> Option<u32>) -> bool {
        let state = State(self.state.load(Ordering::Acquire));
        let Some(holder) = self.slots.get(slot) else {
            return false;
        };
        let holding = Holding(holder.held.load(Ordering::Acquire));
        let ours = (state.0 >> SLOT_SHIFT) & (SLOT_MASK | ORPHAN >> SLOT_SHIFT) == slot as u64;
        if !ours || state.0 >> TAG_SHIFT == holding.tag() {
            return false;
        }
        // With waiters, it is beyond every maximum.
        let Some(count) = next(state.0 as u32, holding) else {
            return false;
        };
        let after = State(count.into()).with_pending(change, slot, holding);
        // If the second fails, somebody else has done it.
        self.swap(state, after) && {
            swap_held(holder, holding, holding.after(change));
            true
        }
    }

    /// Says that somebody is about to sleep. Whether he may: not if there is something to be had.
    pub(super) fn announce_sleeper(&self) -> Result<bool> {
        for _ in 0..PATIENCE {
            let state = self.checked(State(self.state.load(Ordering::Acquire)))?;
            if state.count() > 0 {
                return Ok(false);
            }
            if state.has_waiters() {
                return Ok(true);
            }
            // What is pending stays so.
            if self.swap(state, state.with_waiters(true)) {
                return Ok(true);
            }
        }
        Err(restless())
    }

    /// Changes the state by one step, and then the holding that it is about.
    #[inline]
    fn change<T>(&self, mut next: impl FnMut(State) -> Result<Option<(Step, T)>>) -> Result<Option<T>> {
        for _ in 0..PATIENCE {
            let state = State(self.state.load(Ordering::Acquire));
            self.finish(state)?;
            self.checked(state)?;
            let Some((Step { state: after, own }, done)) = next(state)? else {
                return Ok(None);
            };
            if self.swap(state, after) {
                match own {
                    None => {}
                    // If that fails, somebody else has done it.
                    Some((Change::OneToAnother, ..)) => self.finish(after)?,
                    Some((change, slot, holding)) => {
                        _ = self.swap_holding(slot, holding, holding.after(change))
                    }
                }
                return Ok(Some(done));
            }
        }
        Err(restless())
    }

    #[inline]
    fn swap(&self, from: State, to: State) -> bool {
        step();
        self.state
            .compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Makes sure that what is pending in this state has happened, if it is still the state.
    #[inline]
    fn finish(&self, state: State) -> Result<()> {
        let Some((change, slot, tag)) = state.pending() else {
            return Ok(());
        };
        let Some(holder) = self.slots.get(slot) else {
            return Err(corrupt("the pending change is of a participant that cannot be"));
        };
        if Holding(holder.held.load(Ordering::Acquire)).tag() != tag {
            return Ok(());
        }
        self.finish_for(state, change, holder, tag)
    }

    #[cold]
    fn finish_for(&self, state: State, change: Change, holder: &Slot, tag: u64) -> Result<()> {
        for _ in 0..PATIENCE {
            let holding = Holding(holder.held.load(Ordering::Acquire));
            if holding.tag() != tag || !self.is_still(state) {
                return Ok(());
            }
            if change == Change::OneToAnother && !self.receive(holder, state, tag)? {
                continue;
            }
            if swap_held(holder, holding, holding.after(change)) {
                return Ok(());
            }
        }
        Err(restless())
    }

    #[inline]
    fn swap_holding(&self, slot: usize, from: Holding, to: Holding) -> bool {
        self.slots
            .get(slot)
            .is_some_and(|holder| swap_held(holder, from, to))
    }

    /// Gives the one permit to whom it is handed over. He holds none while that is pending, so holding one means that it
    /// has happened. Whether it has.
    fn receive(&self, from: &Slot, state: State, tag: u64) -> Result<bool> {
        let to = usize::try_from(from.aux.load(Ordering::Acquire)).unwrap_or(usize::MAX);
        // It is another's to receive only after this change has been made.
        if Holding(from.held.load(Ordering::Acquire)).tag() != tag {
            return Ok(false);
        }
        let Some(to) = self.slots.get(to).filter(|to| !std::ptr::eq(*to, from)) else {
            return Err(corrupt("a permit is handed to a participant that cannot be"));
        };
        let holding = Holding(to.held.load(Ordering::Acquire));
        if holding.held() != 0 {
            return Ok(true);
        }
        if !self.is_still(state) {
            return Ok(false);
        }
        Ok(swap_held(to, holding, holding.changed_to(1)))
    }

    /// Whether the state is the same but for sleepers, whom announcing changes nothing else.
    fn is_still(&self, state: State) -> bool {
        (self.state.load(Ordering::Acquire) ^ state.0) & !WAITERS == 0
    }

    fn holding(&self, slot: usize) -> Holding {
        // A slot that cannot be holds nothing.
        Holding(
            self.slots
                .get(slot)
                .map_or(0, |slot| slot.held.load(Ordering::Acquire)),
        )
    }

    fn checked(&self, state: State) -> Result<State> {
        if state.count() > self.maximum {
            return Err(corrupt("its count is above its maximum"));
        }
        Ok(state)
    }
}

#[inline]
fn swap_held(holder: &Slot, from: Holding, to: Holding) -> bool {
    step();
    holder
        .held
        .compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Acquire)
        .is_ok()
}

/// Whether sleepers are to be noted after a permit was taken and so many are left, and how many to wake.
fn go_on(left: u32, state: State, others_sleep: bool) -> (bool, u32) {
    if left == 0 {
        (state.has_waiters() || others_sleep, 0)
    } else {
        (false, others_sleep.into())
    }
}

#[cold]
fn too_many() -> Error {
    Error::new(
        ErrorKind::Full,
        format!("this process holds {MOST_HELD} permits, the most that it can"),
    )
}

#[cold]
fn beyond(previous: u32, permits: u32, maximum: u32) -> Error {
    Error::new(
        ErrorKind::Full,
        format!("{previous} are free, and {permits} more would pass its maximum of {maximum}"),
    )
}

#[cold]
fn corrupt(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what).hint("some process has written into the semaphore's memory")
}

#[cold]
fn restless() -> Error {
    corrupt("its state changes all the time and lets nobody through")
}

/// An error for what the code around it rules out.
#[cold]
fn never() -> Error {
    corrupt("it is in a state that cannot be")
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Room {
        state: AtomicU64,
        slots: Vec<Slot>,
    }

    impl Room {
        fn new(state: u64, held: &[u64], aux: u64) -> Self {
            let slots: Vec<Slot> = held.iter().map(|_| Slot::new()).collect();
            for (slot, held) in slots.iter().zip(held) {
                slot.held.store(*held, Ordering::Relaxed);
                slot.aux.store(aux, Ordering::Relaxed);
            }
            Room {
                state: AtomicU64::new(state),
                slots,
            }
        }

        fn permits(&self, maximum: u32) -> Permits<'_> {
            Permits {
                state: &self.state,
                slots: &self.slots,
                maximum,
            }
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Op {
        Wait,
        Release(u32),
        Acquire(usize),
        GiveBack(usize),
        Forget(usize),
        Recover(usize),
        HandOver(usize, usize),
        Announce,
    }

    fn op() -> impl Strategy<Value = Op> {
        let slot = 0..3usize;
        prop_oneof![
            Just(Op::Wait),
            (1..4u32).prop_map(Op::Release),
            slot.clone().prop_map(Op::Acquire),
            slot.clone().prop_map(Op::GiveBack),
            slot.clone().prop_map(Op::Forget),
            slot.clone().prop_map(Op::Recover),
            (slot.clone(), slot).prop_map(|(from, to)| Op::HandOver(from, to)),
            Just(Op::Announce),
        ]
    }

    /// As the operations of `Semaphore` do it: whether it was done.
    fn apply(permits: Permits<'_>, op: Op) -> Result<bool> {
        match op {
            Op::Wait => Ok(permits.wait_alone() || permits.try_wait(false)?.is_some()),
            Op::Release(count) => match permits.release_alone(count) {
                Some(_) => Ok(true),
                None => permits.release(count).map(|_| true),
            },
            Op::Acquire(slot) => {
                Ok(permits.acquire_alone(slot) || permits.try_acquire(slot, false)?.is_some())
            }
            Op::GiveBack(slot) if permits.give_back_alone(slot) => Ok(true),
            Op::GiveBack(slot) => permits.give_back(slot, false).map(|_| true),
            Op::Forget(slot) => permits.forget(slot).map(|()| true),
            Op::Recover(slot) => Ok(permits.recover(slot, true, || Ok(true))?.is_some()),
            Op::HandOver(from, to) => permits.hand_over(from, to).map(|()| true),
            Op::Announce => permits.announce_sleeper(),
        }
    }

    proptest! {
        #[test]
        fn any_memory_gives_an_error_at_worst(
            state: u64,
            held in prop::collection::vec(any::<u64>(), 3),
            aux: u64,
            maximum in 1..=MOST,
            ops in prop::collection::vec(op(), 1..20),
        ) {
            let room = Room::new(state, &held, aux);
            for op in ops {
                if let Err(error) = apply(room.permits(maximum), op) {
                    prop_assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Full));
                }
                for slot in 0..4 {
                    room.permits(maximum).seen_held(slot);
                }
            }
        }

        /// Against the obvious: a count and three numbers.
        #[test]
        fn it_counts(maximum in 1..6u32, ops in prop::collection::vec(op(), 1..60)) {
            let room = Room::new(Permits::initial(maximum), &[0; 3], 0);
            let (mut count, mut held) = (maximum, [0u32; 3]);
            for op in ops {
                let done = apply(room.permits(maximum), op);
                let expected = match op {
                    Op::Wait if count > 0 => { count -= 1; true }
                    Op::Release(more) if count + more <= maximum => { count += more; true }
                    Op::Acquire(slot) if count > 0 => { count -= 1; held[slot] += 1; true }
                    Op::GiveBack(slot) if held[slot] > 0 => {
                        count = (count + 1).min(maximum);
                        held[slot] -= 1;
                        true
                    }
                    Op::Forget(slot) if held[slot] > 0 => { held[slot] -= 1; true }
                    Op::Recover(slot) if held[slot] > 0 => {
                        count = (count + held[slot]).min(maximum);
                        held[slot] = 0;
                        true
                    }
                    Op::HandOver(from, to) if held[from] > 0 && held[to] == 0 => {
                        held[from] -= 1;
                        held[to] += 1;
                        true
                    }
                    Op::Announce => count == 0,
                    _ => false,
                };
                prop_assert_eq!(done.unwrap_or(false), expected, "{:?}", op);
                prop_assert_eq!(room.permits(maximum).count().unwrap(), count);
                for (slot, held) in held.iter().enumerate() {
                    prop_assert_eq!(room.permits(maximum).seen_held(slot), *held);
                }
            }
        }
    }

    #[test]
    fn a_participant_holds_only_so_many() {
        let room = Room::new(Permits::initial(MOST), &[MOST_HELD], 0);
        let error = apply(room.permits(MOST), Op::Acquire(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full);
    }
}
