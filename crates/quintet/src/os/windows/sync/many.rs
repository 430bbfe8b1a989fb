//! Waiting for any or all of several things: `WaitForMultipleObjects`.
//!
//! The kernel does it as one step: of the objects that were not waited for successfully nothing is taken, and a wait for all
//! takes nothing from any of them before it can take from all. What it does not know is done right after it: a semaphore's
//! permit is counted as ours (see `semaphore.rs` for a death in between).

use super::event::Event;
use super::mutex::Mutex;
use super::semaphore::{Lot, Semaphore};
use super::wait::{self, Woken};
use super::watch::Process;
use crate::doorbell::{Readiness, Sleeper};
use crate::os::windows::window::Messages;
use crate::wait::SLICE;
use crate::{Deadline, Error, ErrorKind, Result};
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle};
use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, HANDLE};

/// What to wait for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// Until a permit can be taken, which does not come back by itself.
    Wait(&'a Semaphore),
    /// Until a permit can be taken, which comes back when this process ends.
    Acquire(&'a Semaphore),
    /// Until it can be locked.
    Lock(&'a Mutex),
    /// Until it is set.
    Event(&'a Event),
    /// Until it ends.
    Process(&'a Process),
    /// Until it is there.
    Ready(&'a dyn Readiness),
    /// Until there are some.
    Messages(&'a Messages),
    /// Until the system calls it signalled.
    Signalled(BorrowedHandle<'a>),
}

/// What was got by waiting.
#[derive(Debug)]
pub(crate) enum Got {
    Nothing,
    Permit(Lot),
    Lock { abandoned: bool },
}

impl<'a> Source<'a> {
    /// What the system waits for; not what it knows nothing of.
    fn handle(&self) -> Option<HANDLE> {
        let handle = match self {
            Source::Wait(semaphore) | Source::Acquire(semaphore) => semaphore.as_handle(),
            Source::Lock(mutex) => mutex.as_handle(),
            Source::Event(event) => event.as_handle(),
            Source::Process(process) => process.as_handle(),
            Source::Signalled(handle) => handle.as_handle(),
            Source::Ready(_) | Source::Messages(_) => return None,
        };
        Some(handle.as_raw_handle())
    }

    fn semaphore(&self) -> Option<&'a Semaphore> {
        match self {
            Source::Wait(semaphore) | Source::Acquire(semaphore) => Some(semaphore),
            _ => None,
        }
    }

    fn sleeper(&self) -> Option<Sleeper<'a>> {
        match self {
            Source::Ready(ready) => Some(ready.waiter().sleeper()),
            _ => None,
        }
    }

    /// Gives back what the system has said that this thread got; what was `got` of it, if it has come to that. What it was
    /// that somebody else's handle was of is not known, so nothing of that is given back.
    fn undo(&self, got: Option<Got>) -> Result<()> {
        match (self, got) {
            (Source::Acquire(semaphore), Some(Got::Permit(lot))) => semaphore.give_back(lot),
            (Source::Wait(semaphore) | Source::Acquire(semaphore), _) => semaphore.release(1).map(drop),
            (Source::Lock(mutex), _) => mutex.unlock(),
            (Source::Event(event), _) if !event.is_manual() => event.set(),
            _ => Ok(()),
        }
    }

    /// What was got, once the system has said that it was. If this fails, it is given back.
    fn got(&self, abandoned: bool) -> Result<Got> {
        Ok(match self {
            Source::Acquire(semaphore) => Got::Permit(semaphore.taken()?),
            Source::Lock(_) => Got::Lock { abandoned },
            _ => Got::Nothing,
        })
    }
}

/// Waits for one of them: the first in the list that there is, if there are several.
pub(crate) fn any(sources: &[Source<'_>], deadline: Deadline) -> Result<(usize, Got)> {
    if sources.iter().any(|source| source.handle().is_none()) {
        return any_ready(sources, deadline);
    }
    let (which, abandoned) = match until(sources, false, deadline)? {
        Some(Woken::By(which)) => (which, false),
        Some(Woken::ByAbandoned(which)) => (which, true),
        None => return Err(none_came()),
    };
    Ok((which, sources[which].got(abandoned)?))
}

fn none_came() -> Error {
    Error::new(ErrorKind::TimedOut, "none of them came before the deadline")
}

/// As `any`, where some are only known to who looks: for these the thread waits at the semaphores where it is woken, and for
/// messages at its queue. (Of both there may be several; a queue is one.)
fn any_ready(sources: &[Source<'_>], deadline: Deadline) -> Result<(usize, Got)> {
    let mut woken_for: Option<&dyn Readiness> = None;
    loop {
        let over = deadline.has_passed();
        let found = first(sources);
        // What we were woken for and do not take may be another's.
        if let Some(ready) = woken_for.take() {
            ready.waiter().pass_on(|| ready.is_ready())?;
        }
        if let Some(found) = found? {
            return Ok(found);
        }
        if over {
            return Err(none_came());
        }
        let sleepers: Vec<_> = sources.iter().filter_map(Source::sleeper).collect();
        let mut handles = Vec::with_capacity(sources.len());
        // For each of the handles, of which source it is, and its word.
        let mut places = Vec::with_capacity(sources.len());
        let (mut has_messages, mut is_there) = (false, false);
        for (which, source) in sources.iter().enumerate() {
            match (source, source.handle()) {
                (_, Some(handle)) => {
                    handles.push(handle);
                    places.push((which, 0));
                }
                (Source::Ready(ready), None) => {
                    let waiter = ready.waiter();
                    match waiter.before_sleep(|| ready.is_ready())? {
                        Some(word) => {
                            handles.push(waiter.place.handle(word)?);
                            places.push((which, word));
                        }
                        None => is_there = true,
                    }
                }
                _ => has_messages = true,
            }
            if is_there {
                break;
            }
        }
        if is_there {
            continue;
        }
        let semaphores: Vec<&Semaphore> = sources.iter().filter_map(Source::semaphore).collect();
        let slice = Deadline::after(deadline.slice(SLICE));
        let woken = if has_messages {
            wait::until_or_messages(&handles, slice, &semaphores)?
        } else {
            wait::until(&handles, false, slice, &semaphores)?
        };
        drop(sleepers);
        let (which, abandoned) = match woken {
            Some(Woken::By(which)) => (which, false),
            Some(Woken::ByAbandoned(which)) => (which, true),
            None => continue,
        };
        // Messages come behind all handles, and are found by looking.
        let Some(&(which, word)) = places.get(which) else {
            continue;
        };
        match sources[which] {
            Source::Ready(ready) => {
                let waiter = ready.waiter();
                waiter.place.woken(waiter.bell.word(), word);
                waiter.stand_in();
                woken_for = Some(ready);
            }
            _ => return Ok((which, sources[which].got(abandoned)?)),
        }
    }
}

/// The first that is there now, which is taken.
fn first(sources: &[Source<'_>]) -> Result<Option<(usize, Got)>> {
    for (which, source) in sources.iter().enumerate() {
        let Some(handle) = source.handle() else {
            let is_there = match source {
                Source::Ready(ready) => ready.is_ready()?,
                Source::Messages(messages) => messages.are_there()?,
                _ => false,
            };
            if is_there {
                return Ok(Some((which, Got::Nothing)));
            }
            continue;
        };
        let semaphore = source.semaphore();
        match wait::until(&[handle], false, Deadline::now(), semaphore.as_slice())? {
            Some(Woken::By(_)) => return Ok(Some((which, source.got(false)?))),
            Some(Woken::ByAbandoned(_)) => return Ok(Some((which, source.got(true)?))),
            None => {}
        }
    }
    Ok(None)
}

/// Waits for all of them at once, and takes nothing before that. Others may see and take each of them until then.
///
/// When one of several mutexes is abandoned, the system does not say which: then all of them are said to be.
///
/// If what was taken cannot be noted as ours, everything is given back. (That a mutex was abandoned is not said again then.)
pub(crate) fn all(sources: &[Source<'_>], deadline: Deadline) -> Result<Vec<Got>> {
    if sources.iter().any(|source| source.handle().is_none()) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "a queue, a mailbox or a window cannot be one of all",
        )
        .hint("wait for any"));
    }
    let Some(woken) = until(sources, true, deadline)? else {
        return Err(Error::new(
            ErrorKind::TimedOut,
            "not all of them came before the deadline",
        ));
    };
    let abandoned = matches!(woken, Woken::ByAbandoned(_));
    let mut all = Vec::with_capacity(sources.len());
    for source in sources {
        match source.got(abandoned) {
            Ok(got) => all.push(got),
            Err(error) => {
                give_back(sources, all);
                return Err(error);
            }
        }
    }
    Ok(all)
}

/// Gives back what was got, and what comes behind the one that was not, which has been given back.
fn give_back(sources: &[Source<'_>], got: Vec<Got>) {
    let failed = got.len();
    let mut got = got.into_iter();
    for (place, source) in sources.iter().enumerate().filter(|(place, _)| *place != failed) {
        let got = if place < failed { got.next() } else { None };
        // One that cannot be given back must not keep the others.
        let _ = source.undo(got);
    }
}

fn until(sources: &[Source<'_>], all: bool, deadline: Deadline) -> Result<Option<Woken>> {
    // They stay open: the sources are borrowed.
    let handles: Vec<HANDLE> = sources.iter().filter_map(Source::handle).collect();
    let semaphores: Vec<&Semaphore> = sources.iter().filter_map(Source::semaphore).collect();
    wait::until(&handles, all, deadline, &semaphores).map_err(|error| match error.raw_os_error() {
        Some(code) if all && code.cast_unsigned() == ERROR_INVALID_PARAMETER => Error::new(
            ErrorKind::Unsupported,
            "the same object is to be waited for twice",
        ),
        _ => error,
    })
}
