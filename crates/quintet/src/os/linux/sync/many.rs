//! Waiting for any or for all of several things.
//!
//! **Any**: look at each in order; if there is nothing, sleep on all of them at once (`futex_waitv`; descriptors by
//! `bell.rs`), in slices, and look again.
//!
//! **All**: no instruction takes several. So they are taken one after the other; when one is not to be had, those taken
//! are given back, and the thread sleeps until that one changes. All threads take in the same order (files and processes
//! first, of which nothing is taken; then semaphores and mutexes, then events, each by their identity), so two that want
//! the same things are not in each other's way for ever. Permits are taken as permits of this process, so that a death in
//! the middle gives them back, and become raw ones at the end. A death after an automatic event was consumed loses that,
//! as a death after any wait does.

use super::super::anonymous::poll;
use super::bell::Watch;
use super::event::{Event, ForSignal};
use super::member::{Member, Sleeper, Waiting};
use super::mutex::{ForLock, Mutex};
use super::semaphore::{ForOne, ForPermit, Lot, Semaphore};
use super::watch::{LONG, Process};
use crate::doorbell::{self, Other, Readiness};
use crate::os::linux::futex::{self, ANYONE, MOST_WORDS, Sleep, Woken};
use crate::os::linux::window::Messages;
use crate::os::step::call;
use crate::wait::{self, SLICE, Spin};
use crate::{Deadline, Error, ErrorKind, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsFd, BorrowedFd};
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// What may be waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    Wait(&'a Semaphore),
    Acquire(&'a Semaphore),
    Lock(&'a Mutex),
    Event(&'a Event),
    Process(&'a Process),
    Ready(&'a dyn Readiness),
    Messages(&'a Messages),
    Readable(BorrowedFd<'a>),
    Writable(BorrowedFd<'a>),
}

/// What was taken of it.
#[derive(Debug)]
pub(crate) enum Got {
    Nothing,
    Permit(Lot),
    Lock { abandoned: bool },
}

/// One of them, being waited for.
enum Part<'a> {
    One(ForOne<'a>, &'a Semaphore),
    Permit(ForPermit<'a>, &'a Semaphore),
    Lock(ForLock<'a>, &'a Mutex),
    Signal(ForSignal<'a>, &'a Event),
    Ready(&'a dyn Readiness),
    File(BorrowedFd<'a>, PollFlags),
}

impl<'a> Part<'a> {
    /// `all`: whether it is to be there at the same time as others.
    fn of(source: &Source<'a>, all: bool) -> Result<Self> {
        let part = match *source {
            // See above.
            Source::Wait(semaphore) if all => Part::Permit(ForPermit(semaphore), semaphore),
            Source::Wait(semaphore) => Part::One(ForOne(semaphore), semaphore),
            Source::Acquire(semaphore) => Part::Permit(ForPermit(semaphore), semaphore),
            Source::Lock(mutex) => Part::Lock(ForLock::new(mutex), mutex),
            Source::Event(event) if all => Part::Signal(ForSignal::now(event), event),
            Source::Event(event) => Part::Signal(ForSignal::new(event), event),
            Source::Ready(_) | Source::Messages(_) if all => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "a queue, a mailbox or a window cannot be one of all",
                )
                .hint("wait for any"));
            }
            Source::Ready(ready) => Part::Ready(ready),
            Source::Messages(messages) => Part::Ready(messages),
            Source::Process(process) => Part::File(process.as_fd(), PollFlags::IN),
            Source::Readable(fd) => Part::File(fd, PollFlags::IN),
            Source::Writable(fd) => Part::File(fd, PollFlags::OUT),
        };
        if let Some(member) = part.member() {
            member.check_ours()?;
        }
        Ok(part)
    }

    fn member(&self) -> Option<&'a Member> {
        match self {
            Part::One(_, semaphore) | Part::Permit(_, semaphore) => Some(semaphore.member()),
            Part::Lock(_, mutex) => Some(mutex.member()),
            Part::Signal(_, event) => Some(event.member()),
            Part::Ready(_) | Part::File(..) => None,
        }
    }

    /// Whether it is something in memory.
    fn is_word(&self) -> bool {
        self.file().is_none()
    }

    fn sleeper(&self) -> (Option<Sleeper<'a>>, Option<doorbell::Sleeper<'a>>) {
        match self {
            Part::Ready(ready) => (None, Some(ready.waiter().sleeper())),
            _ => (self.member().map(Member::sleeper), None),
        }
    }

    fn sleep_on(&self, while_it_is: u32) -> Option<Sleep<'a>> {
        match self {
            Part::Ready(ready) => Some(Sleep {
                word: ready.waiter().bell.word_for_kernel(),
                while_it_is,
            }),
            _ => Some(self.member()?.sleep_on(while_it_is)),
        }
    }

    fn others(&self) -> Vec<Other> {
        match self {
            Part::Ready(ready) => ready.others(),
            _ => Vec::new(),
        }
    }

    fn file(&self) -> Option<(BorrowedFd<'a>, PollFlags)> {
        match self {
            Part::File(fd, events) => Some((*fd, *events)),
            _ => None,
        }
    }

    /// Takes it if it is there. `slept`: whether this thread has slept, and others may with it.
    fn try_take(&self, slept: bool) -> Result<Option<Got>> {
        let others_sleep = slept && self.member().is_some_and(Member::others_sleep);
        Ok(match self {
            Part::One(waiting, _) => waiting.try_take(others_sleep)?.map(|()| Got::Nothing),
            Part::Permit(waiting, _) => waiting.try_take(others_sleep)?.map(Got::Permit),
            Part::Lock(waiting, _) => waiting
                .try_take(others_sleep)?
                .map(|abandoned| Got::Lock { abandoned }),
            Part::Signal(waiting, _) => waiting.try_take(others_sleep)?.map(|()| Got::Nothing),
            Part::Ready(ready) => {
                if slept {
                    ready.waiter().stand_in();
                }
                ready.let_in();
                // Nothing is taken, so others hear of it too: see `pass_on`, which follows each look after a sleep.
                ready.is_ready()?.then_some(Got::Nothing)
            }
            Part::File(fd, events) => {
                let mut fds = [PollFd::from_borrowed_fd(*fd, *events)];
                poll_for(&mut fds, Duration::ZERO)?;
                (!fds[0].revents().is_empty()).then_some(Got::Nothing)
            }
        })
    }

    /// Gives back what `try_take` gave.
    fn undo(&self, got: Got) -> Result<()> {
        match (self, got) {
            (Part::One(_, semaphore), _) => semaphore.release(1).map(drop),
            (Part::Permit(_, semaphore), Got::Permit(lot)) => semaphore.undo(lot),
            (Part::Lock(_, mutex), Got::Lock { abandoned }) => mutex.undo(abandoned),
            (Part::Signal(_, event), _) if !event.is_manual() => event.set(),
            _ => Ok(()),
        }
    }

    fn before_sleep(&self) -> Result<Option<u32>> {
        match self {
            Part::One(waiting, _) => waiting.before_sleep(),
            Part::Permit(waiting, _) => waiting.before_sleep(),
            Part::Lock(waiting, _) => waiting.before_sleep(),
            Part::Signal(waiting, _) => waiting.before_sleep(),
            Part::Ready(ready) => ready.waiter().before_sleep(|| ready.is_ready()),
            Part::File(..) => Ok(None),
        }
    }

    fn sweep(&self, now: bool) -> Result<()> {
        match self {
            Part::One(waiting, _) => waiting.sweep(now),
            Part::Permit(waiting, _) => waiting.sweep(now),
            Part::Lock(waiting, _) => waiting.sweep(now),
            Part::Signal(waiting, _) => waiting.sweep(now),
            Part::Ready(_) | Part::File(..) => Ok(()),
        }
    }

    /// This thread was woken, perhaps for this one, and has not taken it. If it is there, somebody else may want it. (One who
    /// comes too late has woken up for nothing, finds nothing, and passes nothing on.)
    fn pass_on(&self) {
        if let Part::Ready(ready) = self {
            // One that cannot be looked at is nobody's.
            let _ = ready.waiter().pass_on(|| ready.is_ready());
            return;
        }
        let is_there = match self {
            Part::One(_, semaphore) | Part::Permit(_, semaphore) => semaphore.is_there(),
            Part::Lock(_, mutex) => mutex.is_there(),
            Part::Signal(_, event) => event.is_set().unwrap_or(false),
            Part::Ready(_) | Part::File(..) => false,
        };
        if let Some(member) = self.member().filter(|member| is_there && member.others_sleep()) {
            member.wake(1, ANYONE);
        }
    }

    /// This thread sleeps on something else for now.
    fn forgo(&self) {
        if let Part::Lock(waiting, _) = self {
            waiting.forgo();
        }
    }

    /// The order in which `all` takes.
    fn rank(&self) -> (u8, u64, u64) {
        let class = match self {
            Part::File(..) => 0,
            Part::Signal(..) => 2,
            _ => 1,
        };
        let (device, inode) = self.member().map_or((0, 0), |member| member.id().numbers());
        (class, device, inode)
    }
}

/// Waits until one of them is there, and takes it; of several the first.
pub(crate) fn any(sources: &[Source<'_>], deadline: Deadline) -> Result<(usize, Got)> {
    let parts: Vec<_> = sources
        .iter()
        .map(|source| Part::of(source, false))
        .collect::<Result<_>>()?;
    let every: Vec<usize> = (0..parts.len()).collect();
    let sleeper = Sleepers::new(&parts);
    sleeper
        .until(deadline, &every, |slept| {
            for (index, part) in parts.iter().enumerate() {
                if let Some(got) = part.try_take(slept)? {
                    return Ok(Ok((index, got)));
                }
            }
            Ok(Err(None))
        })?
        .ok_or_else(|| Error::new(ErrorKind::TimedOut, "none of them was there before the deadline"))
}

/// Waits until all of them are there, and takes them.
pub(crate) fn all(sources: &[Source<'_>], deadline: Deadline) -> Result<Vec<Got>> {
    let parts: Vec<_> = sources
        .iter()
        .map(|source| Part::of(source, true))
        .collect::<Result<_>>()?;
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|index| parts[*index].rank());
    let sleeper = Sleepers::new(&parts);
    let mut taken = sleeper
        .until(deadline, &[], |slept| take_all(&parts, &order, slept))?
        .ok_or_else(|| {
            Error::new(
                ErrorKind::TimedOut,
                "not all of them were there before the deadline",
            )
        })?;
    taken.sort_by_key(|(index, _)| *index);
    let mut got = Vec::with_capacity(taken.len());
    let mut taken = taken.into_iter();
    while let Some((index, one)) = taken.next() {
        match (&sources[index], one) {
            (Source::Wait(semaphore), Got::Permit(lot)) => {
                if let Err(error) = semaphore.forget(lot) {
                    // What is left goes back; what became a raw wait before cannot.
                    let before = (0..).zip(got).filter(|(_, got)| !matches!(got, Got::Nothing));
                    undo_all(&parts, before.chain(taken).collect())?;
                    return Err(error);
                }
                got.push(Got::Nothing);
            }
            (_, one) => got.push(one),
        }
    }
    Ok(got)
}

/// Gives all of them back, also if one cannot be.
fn undo_all(parts: &[Part<'_>], taken: Taken) -> Result<()> {
    let mut done = Ok(());
    for (index, got) in taken.into_iter().rev() {
        done = done.and(parts[index].undo(got));
    }
    done
}

type Taken = Vec<(usize, Got)>;

/// Takes all of them, or none and says which one is missing.
fn take_all(
    parts: &[Part<'_>],
    order: &[usize],
    slept: bool,
) -> Result<std::result::Result<Taken, Option<usize>>> {
    let mut taken = Taken::with_capacity(parts.len());
    for index in order {
        let missing = match parts[*index].try_take(slept) {
            Ok(Some(got)) => {
                taken.push((*index, got));
                continue;
            }
            Ok(None) => Ok(Err(Some(*index))),
            Err(error) => Err(error),
        };
        return undo_all(parts, taken).and(missing);
    }
    Ok(Ok(taken))
}

/// A thread that sleeps on several things.
struct Sleepers<'p, 'a> {
    parts: &'p [Part<'a>],
    watch: RefCell<Option<Watch>>,
    /// What it slept on before the last look.
    slept_on: RefCell<Vec<usize>>,
}

impl<'p, 'a> Sleepers<'p, 'a> {
    fn new(parts: &'p [Part<'a>]) -> Self {
        Sleepers {
            parts,
            watch: RefCell::new(None),
            slept_on: RefCell::default(),
        }
    }

    /// Looks and sleeps until a look finds something. One that does not may say which part is missing; else those of `on`
    /// are slept on.
    fn until<T>(
        &self,
        deadline: Deadline,
        on: &[usize],
        look: impl Fn(bool) -> Result<std::result::Result<T, Option<usize>>>,
    ) -> Result<Option<T>> {
        let missing = Cell::new(None);
        let slept = Cell::new(false);
        let look = || {
            let looked = look(slept.get());
            // What was taken is not there any more; if it is, then another one.
            for index in self.slept_on.take() {
                self.parts[index].pass_on();
            }
            Ok(match looked? {
                Ok(found) => Some(found),
                Err(which) => {
                    missing.set(which);
                    None
                }
            })
        };
        if deadline.has_passed() {
            if let Some(found) = look()? {
                return Ok(Some(found));
            }
            self.parts.iter().try_for_each(|part| part.sweep(true))?;
            return look();
        }
        // The kernel loses no wake-up of a file.
        let slice = if self.parts.iter().any(Part::is_word) {
            SLICE
        } else {
            LONG
        };
        wait::wait(&Spin::default(), deadline, slice, look, |slice| {
            if !slept.replace(true) {
                self.parts.iter().try_for_each(|part| part.sweep(false))?;
            }
            let one = missing.get().map(|which| [which]);
            let on = one.as_ref().map_or(on, |one| &one[..]);
            self.slept_on.replace(on.to_vec());
            self.sleep(on, slice, deadline)
        })
    }

    fn sleep(&self, on: &[usize], slice: Duration, deadline: Deadline) -> Result<()> {
        let parts = || on.iter().map(|index| &self.parts[*index]);
        let others = self
            .parts
            .iter()
            .enumerate()
            .filter(|(index, _)| !on.contains(index));
        others.for_each(|(_, part)| part.forgo());
        let _sleepers: Vec<_> = parts().map(Part::sleeper).collect();
        let bells: Vec<Other> = parts().flat_map(Part::others).collect();
        let others = if bells.is_empty() {
            Vec::new()
        } else {
            futex::announce_at(&bells)
        };
        let mut words: Vec<Sleep<'_>> = Vec::with_capacity(on.len() + others.len() + 1);
        for part in parts() {
            if !part.is_word() {
                continue;
            }
            let Some(while_it_is) = part.before_sleep()? else {
                return Ok(());
            };
            words.extend(part.sleep_on(while_it_is));
        }
        // What is more than the kernel takes is looked at by itself, after the slice.
        words.extend(others);
        words.truncate(MOST_WORDS - 1);
        let files: Vec<_> = parts().filter_map(Part::file).collect();
        let woken = match (&words[..], &files[..]) {
            ([], files) => {
                let mut fds: Vec<_> = files
                    .iter()
                    .map(|(fd, events)| PollFd::from_borrowed_fd(*fd, *events))
                    .collect();
                poll_for(&mut fds, slice)?;
                Woken::Up
            }
            ([word], []) => word.sleep(slice, ANYONE)?,
            (words, []) => futex::sleep_on_any(words, slice)?,
            (_, files) => {
                let mut watch = self.watch.borrow_mut();
                let watch = match &mut *watch {
                    Some(watch) => watch,
                    none => none.insert(Watch::new(files)?),
                };
                let mut words = words;
                words.push(watch.arm());
                futex::sleep_on_any(&words, slice)?
            }
        };
        if woken == Woken::Late {
            parts().try_for_each(|part| part.sweep(deadline.has_passed()))?;
        }
        Ok(())
    }
}

fn poll_for(fds: &mut [PollFd<'_>], time: Duration) -> Result<()> {
    call(|| poll(fds, Some(time))).map_err(|error| Error::os("cannot wait for the descriptors", error))
}
