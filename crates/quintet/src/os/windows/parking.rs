//! Sleeping on a word of shared memory. Windows does that within a process only (`WaitOnAddress`), so there is a kernel
//! semaphore of a name beside the object: who sleeps waits for it, who wakes releases it.
//!
//! A release that comes between the last look at the word and the wait is not lost: the semaphore keeps it. One that
//! nobody takes, as the sleeper's time was over just then, wakes the next one for nothing. Somebody who comes later may
//! take the release that was for us; he looks, and finds what we would have found. A wake-up that is lost with its sender
//! costs a slice (`wait.rs`).

use super::object;
use super::security::{Descriptor, WAIT_AND_SIGNAL};
use super::sync::wait;
use super::{call, error, wide};
use crate::os::types::Access;
use crate::{Deadline, Result};
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_INVALID_HANDLE, HANDLE};
use windows_sys::Win32::System::Threading::{CreateSemaphoreExW, ReleaseSemaphore};

/// More sleep nowhere.
const MOST: i32 = 4096;

/// Where threads sleep. What it needs of the system it makes when first used.
#[derive(Debug)]
pub(crate) struct Place {
    name: String,
    access: Access,
    semaphore: OnceLock<OwnedHandle>,
}

impl Place {
    pub(super) fn new(beside: &str, number: usize, access: Access) -> Self {
        Place {
            name: format!("{beside}.wake.{number}"),
            access,
            semaphore: OnceLock::new(),
        }
    }

    /// What to wait for.
    pub(in crate::os::windows) fn handle(&self) -> Result<HANDLE> {
        if let Some(open) = self.semaphore.get() {
            return Ok(open.as_raw_handle());
        }
        let made = self.open()?;
        Ok(self.semaphore.get_or_init(|| made).as_raw_handle())
    }

    fn open(&self) -> Result<OwnedHandle> {
        let text = &self.name;
        let name = wide(text);
        let descriptor = Descriptor::of_object(self.access)?;
        let attributes = descriptor.attributes();
        // SAFETY: the name ends with NUL, and the attributes point into `descriptor`, which lives across the call; the
        // handle is a new one.
        unsafe {
            call::handle(|| CreateSemaphoreExW(&attributes, 0, MOST, name.as_ptr(), 0, WAIT_AND_SIGNAL))
        }
        .map_err(|code| match code {
            ERROR_ACCESS_DENIED | ERROR_INVALID_HANDLE => object::in_the_way(text),
            code => error::of(format!("cannot create the semaphore {text}"), code),
        })
    }

    /// Sleeps while the word is that, until somebody wakes us, for at most so long. It may end for no reason.
    pub(crate) fn sleep(&self, word: &AtomicU32, while_it_is: u32, time: Duration) -> Result<()> {
        let handle = self.handle()?;
        if word.load(Ordering::Acquire) == while_it_is {
            wait::until(&[handle], false, Deadline::after(time), &[])?;
        }
        Ok(())
    }

    /// Wakes up to so many of those who sleep; the word is another one now.
    pub(crate) fn wake(&self, _word: &AtomicU32, count: u32) {
        // Who cannot be woken wakes up by himself.
        let Ok(handle) = self.handle() else { return };
        let count = i32::try_from(count).unwrap_or(MOST).min(MOST);
        // SAFETY: the handle is open as long as `self` lives. It fails if it is full, and all who sleep will wake then.
        unsafe { ReleaseSemaphore(handle, count, std::ptr::null_mut()) };
    }
}
