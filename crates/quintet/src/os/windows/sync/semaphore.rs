//! Semaphores: the kernel's, and beside it a record of who holds permits.
//!
//! The kernel counts, queues the waiters and wakes them. Whose a permit is it does not know, and it cannot change its count
//! and a record of ours in one step. So there is a section beside it (`quintet.sem.NAME`), in which every process that has
//! the semaphore open through Quintet has a slot with the number of the permits that it holds.
//!
//! # Protocol
//! The order of the two steps is always the one in which a death in between loses a permit and never makes one:
//! - **Acquire**: wait for the kernel's semaphore, then count one more in our slot. After a death in between nobody knows
//!   whose the permit was: it is lost.
//! - **Give back**: count one less in our slot, then release the kernel's semaphore. After a death in between: lost.
//! - **Recover** what a dead participant held: see a count in a slot, ask whether its participant lives, take the count
//!   from exactly the word that was seen (`permits.rs`), then release so many. After a death in between: lost.
//! - **Join**: whoever takes a slot recovers it first, whatever it says, and gives its word a new number.
//! - **Hand over** to a child: count one less in our slot, then one more in the new one. After a death in between: lost.
//!
//! A permit is recovered by those who need it: who waits looks for dead participants before it sleeps and every 50 ms.
//! "Lost" means until the semaphore itself is gone, which is when nobody has it open any more.
//!
//! # When the semaphore is new and the section is not
//! A process that is killed closes its handles in any order, so for a moment there may be a section with counts of a
//! semaphore that is gone. Those must not be recovered into a new one. So a semaphore is made, and its section opened, under
//! the guard of the name, and whoever made the semaphore clears all counts; who drops a semaphore lets the section go before
//! it. Children that hold a permit have handles to both. The other way round, a semaphore without a section may be one of a
//! process that is just being killed, which is waited for a little.
//!
//! # Others
//! A program that is not Quintet shares the kernel's semaphore and has no slot: what it takes and does not give back is
//! lost, as always on Windows. If it releases more than it took, a permit that comes back may find the semaphore full, and
//! is dropped. The section's bytes are checked as they are read; wrong ones can lose permits or, as any process that may use
//! the semaphore can anyway, give too many, up to its maximum.

use super::look;
use super::permits::{self, Changed, Held};
use super::wait::{self, Woken};
use crate::layout::{Extent, Header, Layout};
use crate::os::atomic::{AtomicU32, Ordering};
use crate::os::types::{Found, ObjectOptions, Opening};
use crate::os::windows::guard::Guard;
use crate::os::windows::object::{self, RIGHTS};
use crate::os::windows::segment::{self, Look, Segment, Spec};
use crate::os::windows::token::Token;
use crate::os::windows::{call, error, nt, suspended, wide};
use crate::participants::{self, Slot};
use crate::{Deadline, Error, ErrorKind, Name, Result, Scheme};
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;
use windows_sys::Win32::Foundation::ERROR_TOO_MANY_POSTS;
use windows_sys::Win32::System::Threading::{CreateSemaphoreExW, OpenSemaphoreW, ReleaseSemaphore};

/// How many processes and handed-over permits there is room for, as on Linux.
const PARTICIPANTS: usize = 1022;

static LAYOUT: Layout = Layout {
    scheme: Scheme::Sem,
    version: 1,
    text: "1, Windows: header 64; returned u32 at 64: 1 somebody died; 1022 slots of 64 at 128: held u64 (permits 32, \
           changes 32), aux u64 (1 given back while a child holds it), since u64, since_of u64, space u64, pid u32, waiting \
           u32",
    size: size_of::<Room>(),
    extent: Extent::Fixed,
    participants: PARTICIPANTS as u32,
    data: None,
};

/// The section.
#[repr(C, align(64))]
#[derive(Debug)]
struct Room {
    header: Header,
    /// 1: permits of a participant that died have come back, and nobody was told yet.
    returned: AtomicU32,
    _room: [u32; 15],
    slots: [Slot; PARTICIPANTS],
}

/// How often to look, a millisecond or so apart, whether a semaphore without a section is about to go.
const TRIES: u32 = 5;

/// In a slot's `aux`: who held the permit has given it back, and only waits for the child to end.
const GIVEN_BACK: u64 = 1;

/// A semaphore, of which this process is one participant. The fields are dropped in this order.
#[derive(Debug)]
pub(crate) struct Semaphore {
    segment: Segment,
    kernel: OwnedHandle,
    maximum: u32,
    /// Our participant; none until it has joined.
    place: usize,
}

/// One permit.
#[derive(Debug)]
pub(crate) struct Lot {
    /// Whether it is the first one taken since those of a dead holder came back.
    pub(crate) abandoned: bool,
    /// Which participant holds it, if not the semaphore's own.
    second: Option<Second>,
}

/// A participant for one permit, which children are as well.
#[derive(Debug)]
struct Second {
    token: Token,
    place: usize,
    children: Vec<OwnedHandle>,
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
        if options.persistent {
            return Err(object::not_persistent());
        }
        let _guard = Guard::lock(&object::beside(Scheme::Sem, name), options.access)?;
        let mut tries = 0;
        loop {
            let (mut semaphore, made, fresh) = Semaphore::try_open(name, opening, initial, maximum, options)?;
            // Either its only users are foreign, or one of ours is just being killed and the section was the first of its
            // handles to be closed, so that what it holds is nowhere written any more. Then the semaphore goes too.
            if !made && fresh && tries < TRIES {
                tries += 1;
                drop(semaphore);
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            if made {
                semaphore.clear()?;
            }
            semaphore.place = semaphore.join(semaphore.segment.token())?;
            return Ok((Arc::new(semaphore), made));
        }
    }

    /// Without a participant. Also says whether the semaphore was made, and whether the section was.
    fn try_open(
        name: &Name,
        opening: Opening,
        initial: u32,
        maximum: u32,
        options: &ObjectOptions,
    ) -> Result<(Self, bool, bool)> {
        let text = wide(&object::itself(name));
        let (initial, most) = (initial.cast_signed(), maximum.cast_signed());
        // SAFETY: the name ends with NUL, and the attributes are valid where they are given; the handles are new ones.
        let (kernel, made) = unsafe {
            object::open(
                opening,
                options.access,
                |attributes| CreateSemaphoreExW(attributes, initial, most, text.as_ptr(), 0, RIGHTS),
                || OpenSemaphoreW(RIGHTS, 0, text.as_ptr()),
            )
        }?;
        let maximum = state(kernel.as_handle())?.1;
        let spec = Spec {
            layout: &LAYOUT,
            name,
            options: *options,
            size: LAYOUT.size,
            parameter: maximum.into(),
        };
        let (segment, fresh) = Segment::open(&spec, Opening::CreateOrOpen, |_| {})?;
        let semaphore = Semaphore {
            segment,
            kernel,
            maximum,
            place: usize::MAX,
        };
        Ok((semaphore, made, fresh))
    }

    pub(crate) fn maximum(&self) -> u32 {
        self.maximum
    }

    pub(crate) fn count(&self) -> Result<u32> {
        // What the dead held counts as well.
        self.recover()?;
        Ok(state(self.kernel.as_handle())?.0)
    }

    /// The name goes by itself when the process ends.
    pub(crate) fn release_name(&self) {}

    /// Takes a permit that never comes back by itself.
    pub(crate) fn wait(&self, deadline: Deadline) -> Result<()> {
        match wait::until(&[self.kernel.as_raw_handle()], false, deadline, &[self])? {
            Some(Woken::By(_) | Woken::ByAbandoned(_)) => Ok(()),
            None => Err(Error::new(ErrorKind::TimedOut, "no permit came free in time")),
        }
    }

    /// Adds permits; how many there were.
    pub(crate) fn release(&self, permits: u32) -> Result<u32> {
        if permits == 0 {
            // The system takes that for a mistake.
            return Ok(state(self.kernel.as_handle())?.0);
        }
        match self.release_kernel(permits) {
            Ok(previous) => Ok(previous),
            Err(ERROR_TOO_MANY_POSTS) => Err(Error::new(
                ErrorKind::Full,
                format!(
                    "with {permits} more there would be more than its maximum of {}",
                    self.maximum
                ),
            )),
            Err(code) => Err(error::of("cannot release it", code)),
        }
    }

    /// Takes a permit that comes back when this process ends.
    pub(crate) fn acquire(&self, deadline: Deadline) -> Result<Lot> {
        self.wait(deadline)?;
        self.taken()
    }

    /// What has been taken from the kernel becomes a permit of ours.
    pub(super) fn taken(&self) -> Result<Lot> {
        let slot = self.slot(self.place);
        let added = permits::add(slot).inspect_err(|_| {
            // It is nobody's then, so somebody else may have it. If this fails, it is lost.
            let _ = self.release_kernel(1);
        })?;
        slot.stamp(added.after.number());
        let returned = &self.room().returned;
        // Mostly nobody died, and reading it is cheap.
        let abandoned = returned.load(Ordering::Relaxed) != 0 && returned.swap(0, Ordering::AcqRel) != 0;
        Ok(Lot {
            abandoned,
            second: None,
        })
    }

    pub(crate) fn give_back(&self, lot: Lot) -> Result<()> {
        let Some(second) = lot.second else {
            return self.give_back_of(self.place);
        };
        let slot = self.slot(second.place);
        if second.children.iter().all(has_ended) {
            self.give_back_of(second.place)?;
            participants::leave(slot);
        } else {
            // They are the holders now. Whoever needs the permit finds out when they are not.
            slot.aux.store(GIVEN_BACK, Ordering::Release);
        }
        drop(second);
        Ok(())
    }

    fn give_back_of(&self, place: usize) -> Result<()> {
        let slot = self.slot(place);
        let Changed { before, after } = permits::part_with_one(slot)?;
        if after.count() > 0 {
            slot.stamp_as(slot, before.number(), after.number());
        }
        match self.release_kernel(1) {
            // Others have released what they did not take, and it is full.
            Ok(_) | Err(ERROR_TOO_MANY_POSTS) => Ok(()),
            Err(code) => {
                // So it comes back when this process ends.
                let _ = permits::add(slot);
                Err(error::of("cannot give the permit back", code))
            }
        }
    }

    pub(crate) fn forget(&self, lot: Lot) -> Result<()> {
        let place = lot.second.as_ref().map_or(self.place, |second| second.place);
        permits::part_with_one(self.slot(place))?;
        if lot.second.is_some() {
            participants::leave(self.slot(place));
        }
        Ok(())
    }

    /// Starts a child that holds the permit too.
    pub(crate) fn spawn(&self, lot: &mut Lot, command: &mut Command) -> Result<Child> {
        let second = match lot.second.take() {
            Some(second) => second,
            None => self.hand_over()?,
        };
        let second = lot.second.insert(second);
        let mut handle = None;
        let child = suspended::spawn(command, |process| {
            let own = process.try_clone_to_owned();
            handle = Some(own.map_err(|error| Error::os("cannot keep an eye on the child", error))?);
            // As long as the child holds the permit, there is what it is a permit of.
            suspended::give(self.kernel.as_handle(), process)?;
            self.segment.give_to(process)?;
            second.token.give_to(process)
        })?;
        second.children.extend(handle);
        self.slot(second.place).sign(child.id());
        Ok(child)
    }

    /// Makes one of this participant's permits that of a new one.
    fn hand_over(&self) -> Result<Second> {
        let token = self.segment.new_token()?;
        let place = self.join(&token)?;
        let (from, to) = (self.slot(self.place), self.slot(place));
        let moved = permits::part_with_one(from).and_then(|less| {
            let more = permits::add(to).inspect_err(|_| {
                // It stays ours.
                let _ = permits::add(from);
            })?;
            Ok((less, more))
        });
        let (less, more) = moved.inspect_err(|_| participants::leave(to))?;
        to.stamp_as(from, less.before.number(), more.after.number());
        Ok(Second {
            token,
            place,
            children: Vec::new(),
        })
    }

    /// Takes a slot, after putting in order what its last participant left.
    fn join(&self, token: &Token) -> Result<usize> {
        participants::join(
            &self.segment.header().high_water,
            &self.room().slots,
            0,
            token,
            |place| {
                let slot = self.slot(place);
                let died = slot.aux.load(Ordering::Acquire) != GIVEN_BACK;
                let held = permits::take_all(slot)?;
                slot.aux.store(0, Ordering::Relaxed);
                slot.waiting.store(0, Ordering::Relaxed);
                // If this fails they are lost: there is no slot that they could be left in.
                self.let_return(held, died)
            },
        )
    }

    /// For who has made the semaphore: nobody can hold permits of it yet, whatever the section says.
    fn clear(&self) -> Result<()> {
        for slot in &self.room().slots {
            permits::take_all(slot)?;
        }
        self.room().returned.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Gives back what participants held that are dead.
    pub(super) fn recover(&self) -> Result<()> {
        let slots = participants::used(&self.segment.header().high_water, &self.room().slots);
        for (place, slot) in slots.iter().enumerate() {
            let held = Held::of(slot);
            // Before it is known whether it is dead, and before the word is taken: who is next has another word.
            let died = slot.aux.load(Ordering::Acquire) != GIVEN_BACK;
            if place == self.place || held.count() == 0 || self.segment.token().is_taken(place)? {
                continue;
            }
            let Some(taken) = held.replace(slot, 0) else {
                continue;
            };
            if let Err(error) = self.let_return(held.count(), died) {
                // For the next who looks.
                taken.replace(slot, held.count());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Releases what somebody held who is gone.
    fn let_return(&self, held: u32, died: bool) -> Result<()> {
        // More than there can be of them was never held.
        let held = held.min(self.maximum);
        if held == 0 {
            return Ok(());
        }
        if died {
            // First: whoever gets one of them is to know.
            self.room().returned.store(1, Ordering::Release);
        }
        match self.release_kernel(held) {
            Ok(_) => return Ok(()),
            Err(ERROR_TOO_MANY_POSTS) => {}
            Err(code) => return Err(error::of("cannot return what a process held that died", code)),
        }
        // Others have released what they did not take: as many as there is room for.
        let (count, maximum) = state(self.kernel.as_handle())?;
        match held.min(maximum.saturating_sub(count)) {
            0 => Ok(()),
            room => {
                // If somebody was faster, there is even less room, and what is dropped here is lost.
                let _ = self.release_kernel(room);
                Ok(())
            }
        }
    }

    fn release_kernel(&self, permits: u32) -> std::result::Result<u32, u32> {
        let Ok(permits) = i32::try_from(permits) else {
            return Err(ERROR_TOO_MANY_POSTS);
        };
        let mut previous = 0;
        // SAFETY: the handle is open as long as `self` lives; the number is put where we say.
        call::done(|| unsafe { ReleaseSemaphore(self.kernel.as_raw_handle(), permits, &mut previous) })?;
        Ok(previous.cast_unsigned())
    }

    /// Counts one waiting thread, until what it returns is dropped.
    pub(super) fn waiting(&self) -> impl Drop {
        Waiting::new(&self.slot(self.place).waiting)
    }

    fn room(&self) -> &Room {
        // SAFETY: the segment has the size of this layout and stays as long as it is borrowed.
        unsafe { room(&self.segment) }
    }

    /// What a hostile process may do.
    #[cfg(test)]
    pub(super) fn fill_for_test(&self, byte: u8) {
        for at in size_of::<Header>()..LAYOUT.size {
            // SAFETY: it is in the segment, and touched as an atomic.
            let there =
                unsafe { std::sync::atomic::AtomicU8::from_ptr(self.segment.start().as_ptr().add(at)) };
            there.store(byte, Ordering::Relaxed);
        }
        self.segment
            .header()
            .high_water
            .store(u32::MAX, Ordering::Relaxed);
    }

    fn slot(&self, place: usize) -> &Slot {
        &self.room().slots[place]
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        // None, if it was not opened to the end.
        if let Some(slot) = self.room().slots.get(self.place) {
            participants::leave(slot);
        }
    }
}

impl AsHandle for Semaphore {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.kernel.as_handle()
    }
}

/// # Safety
/// The segment is of `LAYOUT`.
unsafe fn room(segment: &Segment) -> &Room {
    // SAFETY: it has the size of a room, as the caller promises, begins at a page, and stays as long as the segment is
    // borrowed. A room is made of atomics and numbers that nobody reads, for which any bytes will do and which others may
    // change.
    unsafe { segment.start().cast::<Room>().as_ref() }
}

/// As `room`, for who only looks.
///
/// # Safety
/// The look is at a segment of `LAYOUT`.
unsafe fn room_of(look: &Look) -> &Room {
    // SAFETY: as above; it is only read.
    unsafe { look.start().cast::<Room>().as_ref() }
}

/// One thread that waits.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn has_ended(process: &OwnedHandle) -> bool {
    let over = wait::until(&[process.as_raw_handle()], false, Deadline::now(), &[]);
    matches!(over, Ok(Some(_)))
}

/// Its count and its maximum.
fn state(kernel: BorrowedHandle<'_>) -> Result<(u32, u32)> {
    let state = nt::semaphore(kernel).map_err(|code| error::of("cannot ask for its count", code))?;
    let number = |number: i32| u32::try_from(number).unwrap_or(0);
    Ok((number(state.count), number(state.maximum)))
}

pub(crate) fn list() -> Result<Vec<Found>> {
    Ok(look::list("Semaphore", Scheme::Sem, stat))
}

pub(crate) fn stat(name: &Name) -> Result<Found> {
    let text = wide(&object::itself(name));
    // SAFETY: the name ends with NUL; the handle is a new one.
    let open = || unsafe { OpenSemaphoreW(RIGHTS, 0, text.as_ptr()) };
    // SAFETY: as above.
    let (count, maximum) = unsafe { look::at(Scheme::Sem, name, open, |kernel| state(kernel.as_handle())) }?;
    let mut found = look::found(name);
    found.details = vec![("count", count.to_string()), ("maximum", maximum.to_string())];
    let Ok(seen) = segment::look(&LAYOUT, name) else {
        // No Quintet has it open.
        return Ok(found);
    };
    if !seen.is_held {
        return Ok(found);
    }
    look::mark_live(&mut found);
    if seen.check.is_ok() {
        // SAFETY: it has been checked.
        let room = unsafe { room_of(&seen) };
        let (holders, owners, waiting) =
            participants::see(&seen, &seen.header().high_water, &room.slots, 0, |_, slot| {
                let held = Held::of(slot);
                (held.count().min(maximum), slot.since(held.number()))
            });
        found.details.push(("waiting", waiting.to_string()));
        found.created = seen.header().created();
        (found.holders, found.owners) = (holders, owners);
    }
    Ok(found)
}

pub(crate) fn remove(name: &Name) -> Result<()> {
    stat(name)?;
    Err(object::not_removable())
}
