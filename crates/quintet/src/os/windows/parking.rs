//! Sleeping on a word of shared memory. Windows does that within a process only (`WaitOnAddress`), so there is a kernel
//! semaphore of a name beside the object: who sleeps waits for it, who wakes releases it.
//!
//! A release that comes between the last look at the word and the wait is not lost: the semaphore keeps it. One that
//! nobody takes, as the sleeper's time was over just then, wakes the next one for nothing. Two things must not happen:
//! - Somebody who comes later takes the release that was for us. Where one of many is woken, it does not matter who: who
//!   takes it looks, and finds what we would have found. Where *all* are woken, it does. So there are four semaphores in
//!   turn then, as the word goes on, and who comes after the word has changed sleeps on another one.
//! - A wake-up is lost with its sender, or because the semaphore is full: that costs a slice (`wait.rs`).

use super::object;
use super::security::{Descriptor, WAIT_AND_SIGNAL};
use super::sync::wait;
use super::{call, error, wide};
use crate::os::types::{Access, How};
use crate::{Deadline, Result};
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_INVALID_HANDLE, HANDLE};
use windows_sys::Win32::System::Threading::{CreateSemaphoreExW, ReleaseSemaphore};

/// More sleep nowhere.
const MOST: i32 = 4096;

const TURNS: usize = 4;

/// Where threads sleep. What it needs of the system it makes when first used.
#[derive(Debug)]
pub(crate) struct Place {
    name: String,
    how: How,
    access: Access,
    semaphores: [OnceLock<OwnedHandle>; TURNS],
}

impl Place {
    pub(super) fn new(beside: &str, number: usize, how: How, access: Access) -> Self {
        Place {
            name: format!("{beside}.wake.{number}"),
            how,
            access,
            semaphores: Default::default(),
        }
    }

    /// What to wait for while the word is that.
    pub(in crate::os::windows) fn handle(&self, while_it_is: u32) -> Result<HANDLE> {
        // The lowest bit says that somebody sleeps (`doorbell.rs`); the others are how often it rang.
        let turn = match self.how {
            How::Some => 0,
            How::All => (while_it_is >> 1) as usize % TURNS,
        };
        let semaphore = &self.semaphores[turn];
        if let Some(open) = semaphore.get() {
            return Ok(open.as_raw_handle());
        }
        let made = self.open(turn)?;
        Ok(semaphore.get_or_init(|| made).as_raw_handle())
    }

    fn open(&self, turn: usize) -> Result<OwnedHandle> {
        let text = format!("{}.{turn}", self.name);
        let name = wide(&text);
        let descriptor = Descriptor::of_object(self.access)?;
        let attributes = descriptor.attributes();
        // SAFETY: the name ends with NUL, and the attributes point into `descriptor`, which lives across the call; the
        // handle is a new one.
        unsafe {
            call::handle(|| CreateSemaphoreExW(&attributes, 0, MOST, name.as_ptr(), 0, WAIT_AND_SIGNAL))
        }
        .map_err(|code| match code {
            ERROR_ACCESS_DENIED | ERROR_INVALID_HANDLE => object::in_the_way(&text),
            code => error::of(format!("cannot create the semaphore {text}"), code),
        })
    }

    /// Sleeps while the word is that, until somebody wakes us, for at most so long. It may end for no reason.
    pub(crate) fn sleep(&self, word: &AtomicU32, while_it_is: u32, time: Duration) -> Result<()> {
        let handle = self.handle(while_it_is)?;
        if word.load(Ordering::Acquire) == while_it_is {
            wait::until(&[handle], false, Deadline::after(time), &[])?;
        }
        Ok(())
    }

    /// Wakes up to so many of those who sleep since the word `was` that; it is another one now.
    pub(crate) fn wake(&self, _word: &AtomicU32, was: u32, count: u32) {
        // Who cannot be woken wakes up by himself.
        let Ok(handle) = self.handle(was) else { return };
        let count = i32::try_from(count).unwrap_or(MOST).min(MOST);
        // SAFETY: the handle is open as long as `self` lives. It fails if it is full, and all who sleep will wake then.
        unsafe { ReleaseSemaphore(handle, count, std::ptr::null_mut()) };
    }
}
