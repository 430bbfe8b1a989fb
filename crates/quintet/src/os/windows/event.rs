//! Events: what a thread sleeps on.

use super::{call, error};
use crate::Result;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::ptr;
use std::time::Duration;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Threading::{CreateEventW, ResetEvent, SetEvent, WaitForSingleObject};

/// An event without a name that stays set until it is reset.
#[derive(Debug)]
pub(super) struct Event(OwnedHandle);

impl Event {
    pub(super) fn new() -> Result<Self> {
        // SAFETY: no security attributes and no name are allowed; the handle is a new one.
        unsafe { call::handle(|| CreateEventW(ptr::null(), 1, 0, ptr::null())) }
            .map(Event)
            .map_err(|code| error::of("cannot create an event", code))
    }

    pub(super) fn handle(&self) -> HANDLE {
        self.0.as_raw_handle()
    }

    pub(super) fn set(&self) {
        // SAFETY: the handle is open as long as `self` lives. It cannot fail on an event of our own.
        unsafe { SetEvent(self.handle()) };
    }

    pub(super) fn reset(&self) {
        // SAFETY: as above.
        unsafe { ResetEvent(self.handle()) };
    }

    /// Sleeps until the event is set, for at most `time` (a little more: the system counts whole milliseconds).
    pub(super) fn wait(&self, time: Duration) {
        // SAFETY: as above.
        unsafe { WaitForSingleObject(self.handle(), milliseconds(time)) };
    }
}

/// Whole milliseconds, rounded up, and never so many that they would mean "forever".
pub(super) fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_nanos().div_ceil(1_000_000)).map_or(u32::MAX - 1, |time| time.min(u32::MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_cut_to_nothing_or_grows_to_forever() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_millis(50)), 50);
        assert_eq!(milliseconds(Duration::MAX), u32::MAX - 1);
    }
}
