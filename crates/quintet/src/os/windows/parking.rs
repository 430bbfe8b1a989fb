//! Sleeping on a word of shared memory. Windows does that within a process only (`WaitOnAddress`), so there are kernel
//! objects of a name beside the object.
//!
//! Where one of those who sleep is woken, that is a semaphore: who sleeps waits for it, who wakes releases it.
//!
//! A release that comes between the last look at the word and the wait is not lost: the semaphore keeps it. One that
//! nobody takes, as the sleeper's time was over just then, wakes the next one for nothing. Somebody who comes later may
//! take the release that was for us; he looks, and finds what we would have found. A wake-up that is lost with its sender
//! costs a slice (`wait.rs`).
//!
//! Where all are woken, somebody who comes later must not take it from any of them. So there are four events, used in turn each
//! time the word rings: who wakes sets the one that they wait for, where it stays set, and resets the one that is used
//! the time after next. Who is so late that this has been used again since he looked at the word sleeps for a slice.

use super::object;
use super::security::{Descriptor, WAIT_AND_SIGNAL};
use super::sync::wait;
use super::{call, error, wide};
use crate::doorbell::Bell;
use crate::os::types::Access;
use crate::{Deadline, Result};
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_INVALID_HANDLE, HANDLE};
use windows_sys::Win32::System::Threading::{
    CREATE_EVENT_MANUAL_RESET, CreateEventExW, CreateSemaphoreExW, ReleaseSemaphore, ResetEvent, SetEvent,
};

/// More sleep nowhere.
const MOST: i32 = 4096;

/// How many events there are where all are woken.
const TURNS: u32 = 4;

/// Where threads sleep. What it needs of the system it makes when first used.
#[derive(Debug)]
pub(crate) struct Place {
    name: String,
    access: Access,
    beds: Beds,
}

#[derive(Debug)]
enum Beds {
    /// A semaphore.
    One(OnceLock<OwnedHandle>),
    /// Events.
    All([OnceLock<OwnedHandle>; TURNS as usize]),
}

impl Place {
    pub(super) fn new(beside: &str, number: usize, access: Access) -> Self {
        Place {
            name: format!("{beside}.wake.{number}"),
            access,
            beds: Beds::One(OnceLock::new()),
        }
    }

    pub(super) fn for_all(beside: &str, number: usize, access: Access) -> Self {
        Place {
            beds: Beds::All(Default::default()),
            ..Place::new(beside, number, access)
        }
    }

    /// What to wait for while the word is that.
    pub(in crate::os::windows) fn handle(&self, word: u32) -> Result<HANDLE> {
        let (bed, turn) = match &self.beds {
            Beds::One(semaphore) => (semaphore, None),
            Beds::All(events) => {
                let turn = Bell::rings(word) % TURNS;
                (&events[turn as usize], Some(turn))
            }
        };
        if let Some(open) = bed.get() {
            return Ok(open.as_raw_handle());
        }
        let made = self.open(turn)?;
        Ok(bed.get_or_init(|| made).as_raw_handle())
    }

    fn open(&self, turn: Option<u32>) -> Result<OwnedHandle> {
        let text = match turn {
            Some(turn) => format!("{}.{turn}", self.name),
            None => self.name.clone(),
        };
        let name = wide(&text);
        let descriptor = Descriptor::of_object(self.access)?;
        let attributes = descriptor.attributes();
        // SAFETY: the name ends with NUL, and the attributes point into `descriptor`, which lives across the call; the
        // handle is a new one.
        unsafe {
            call::handle(|| match turn {
                Some(_) => CreateEventExW(
                    &attributes,
                    name.as_ptr(),
                    CREATE_EVENT_MANUAL_RESET,
                    WAIT_AND_SIGNAL,
                ),
                None => CreateSemaphoreExW(&attributes, 0, MOST, name.as_ptr(), 0, WAIT_AND_SIGNAL),
            })
        }
        .map_err(|code| match code {
            ERROR_ACCESS_DENIED | ERROR_INVALID_HANDLE => object::in_the_way(&text),
            code => error::of(format!("cannot create what sleepers wait for, {text}"), code),
        })
    }

    /// Sleeps while the word is that, until somebody wakes us, for at most so long. It may end for no reason.
    pub(crate) fn sleep(&self, word: &AtomicU32, while_it_is: u32, time: Duration) -> Result<()> {
        let handle = self.handle(while_it_is)?;
        if word.load(Ordering::Acquire) != while_it_is {
            return Ok(());
        }
        let woken = wait::until(&[handle], false, Deadline::after(time), &[])?;
        if let Beds::All(_) = &self.beds
            && woken.is_some()
            && word.load(Ordering::Acquire) == while_it_is
        {
            // Nobody rang. Who should have reset it died before: it would wake everybody again and again.
            // SAFETY: the handle is open as long as `self` lives.
            unsafe { ResetEvent(handle) };
        }
        Ok(())
    }

    /// Wakes up to so many of those who sleep since the word was that; it is another one now.
    pub(crate) fn wake(&self, _word: &AtomicU32, was: u32, count: u32) {
        // Who cannot be woken wakes up by himself.
        let Ok(handle) = self.handle(was) else { return };
        match &self.beds {
            Beds::One(_) => {
                let count = i32::try_from(count).unwrap_or(MOST).min(MOST);
                // SAFETY: the handle is open as long as `self` lives. It fails if it is full, and all who sleep will
                // wake then.
                unsafe { ReleaseSemaphore(handle, count, std::ptr::null_mut()) };
            }
            Beds::All(_) => {
                // SAFETY: as above. It cannot fail on an event that was opened to be set.
                unsafe { SetEvent(handle) };
                if let Ok(next_but_one) = self.handle(Bell::after_two_more(was)) {
                    // SAFETY: as above.
                    unsafe { ResetEvent(next_but_one) };
                }
            }
        }
    }
}
