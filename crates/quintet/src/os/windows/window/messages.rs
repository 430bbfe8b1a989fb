//! A thread's messages, for who waits for them and other things at once.

use crate::{Error, ErrorKind, Result};
use windows_sys::Win32::System::Threading::GetCurrentThreadId;
use windows_sys::Win32::UI::WindowsAndMessaging::{GetQueueStatus, QS_ALLINPUT};

/// The messages of the thread of that number.
#[derive(Debug)]
pub(crate) struct Messages(u32);

impl Messages {
    pub(super) fn of_this_thread() -> Self {
        // SAFETY: takes nothing.
        Messages(unsafe { GetCurrentThreadId() })
    }

    /// Whether something has come for this thread, whose they have to be: nobody can wait for another's.
    pub(crate) fn are_there(&self) -> Result<bool> {
        if Messages::of_this_thread().0 != self.0 {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a window's messages can be waited for on its own thread only",
            ));
        }
        // SAFETY: takes a plain value. In the upper half of the answer is what is there, in the lower what is new.
        Ok(unsafe { GetQueueStatus(QS_ALLINPUT) } >> 16 != 0)
    }
}
