//! Calls that the system has no time limit for.

use super::call::{self, Code};
use super::error;
use crate::{Deadline, Error, Result, wait};
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use windows_sys::Win32::Foundation::ERROR_OPERATION_ABORTED;
use windows_sys::Win32::System::IO::CancelSynchronousIo;
use windows_sys::Win32::System::Threading::{GetCurrentThreadId, OpenThread, THREAD_TERMINATE};

/// How often to look whether what was cancelled is over.
const CANCEL_CHECK: Duration = Duration::from_millis(1);

/// Runs a call that blocks, in a thread of its own. When the deadline comes first, or `stop` says so (it is asked now
/// and then), what the call waits for is cancelled: the system tells it `ERROR_OPERATION_ABORTED`, again and again
/// until it returns. A call that has nothing to wait for is never cancelled, however late it comes.
pub(super) fn with_deadline<T: Send>(
    deadline: Deadline,
    stop: impl Fn() -> bool,
    call: impl FnOnce() -> T + Send,
) -> Result<T> {
    thread::scope(|scope| {
        let (send_thread, begun) = mpsc::channel();
        let (send_over, over) = mpsc::channel::<()>();
        let caller = thread::Builder::new()
            .name("quintet-blocking".into())
            .spawn_scoped(scope, move || {
                // Dropped, also by a panic, when this thread is done.
                let _over = send_over;
                let thread = this_thread();
                // Without its handle it could not be told to stop.
                let stoppable = thread.is_ok();
                let _ = send_thread.send(thread);
                stoppable.then(call)
            })
            .map_err(|error| Error::os("cannot start a thread", error))?;
        let thread = begun.recv().unwrap_or(Err(ERROR_OPERATION_ABORTED));
        let thread = thread.map_err(|code| error::of("cannot open a thread", code))?;
        let mut slice = wait::SLICE;
        while let Err(RecvTimeoutError::Timeout) = over.recv_timeout(deadline.slice(slice)) {
            if deadline.has_passed() || stop() {
                // SAFETY: the handle is open. It fails while the thread is not waiting for anything.
                unsafe { CancelSynchronousIo(thread.as_raw_handle()) };
                slice = CANCEL_CHECK;
                // With the deadline over there is no slice of it left to wait.
                if let Err(RecvTimeoutError::Disconnected) = over.recv_timeout(CANCEL_CHECK) {
                    break;
                }
            }
        }
        match caller.join() {
            Ok(Some(done)) => Ok(done),
            Ok(None) => unreachable!("the thread told that it has its handle"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// This thread, for others to cancel what it waits for.
fn this_thread() -> std::result::Result<OwnedHandle, Code> {
    // SAFETY: takes plain values; the handle is a new one.
    unsafe { call::handle(|| OpenThread(THREAD_TERMINATE, 0, GetCurrentThreadId())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_call_that_does_not_wait_returns_what_it_has_even_without_time() {
        for deadline in [Deadline::NEVER, Deadline::now()] {
            assert_eq!(with_deadline(deadline, || false, || 7).unwrap(), 7);
        }
    }

    #[test]
    fn a_panic_in_the_call_comes_out() {
        let panicked =
            std::panic::catch_unwind(|| with_deadline(Deadline::NEVER, || false, || panic!("as asked")));
        assert!(panicked.is_err());
    }

    #[test]
    fn who_is_to_stop_is_asked_while_the_call_takes_its_time() {
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            false
        };
        with_deadline(Deadline::NEVER, stop, || thread::sleep(4 * wait::SLICE)).unwrap();
        assert!(asked.get() > 0);
    }
}
