//! Overlapped I/O: operations that the system carries on with while the caller waits for as long as it likes.

use super::event::Event;
use super::{call, error};
use crate::Deadline;
use crate::wait::{self, Spin};
use std::cell::UnsafeCell;
use std::fmt;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, ERROR_MORE_DATA, ERROR_OPERATION_ABORTED, HANDLE, STATUS_PENDING,
};
use windows_sys::Win32::Storage::FileSystem::{ReadFile, WriteFile};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::ConnectNamedPipe;
use windows_sys::core::BOOL;

/// The longest single sleep; the system does not lose wake-ups, so this only keeps numbers small.
const LONG: Duration = Duration::from_secs(3600);

/// How often to look whether a cancelled operation is over, if its event should tell of another one.
const CANCEL_CHECK: Duration = Duration::from_millis(10);

/// A place for one operation at a time.
///
/// # Why the system never writes where nothing of ours is any more
/// While an operation is under way, the system may at any moment write into its `OVERLAPPED` and its buffer. The
/// `OVERLAPPED` is in a box of its own, which is freed only by `drop`, and `drop` first ends the operation (`settle`:
/// cancels it, then waits until the system says that it is over). A buffer is borrowed by `read` and `write` for the
/// whole call, and these settle before they return, in a guard's `drop`, and so also when a panic unwinds through them.
/// A place that is leaked keeps its box, too.
pub(super) struct Operation {
    overlapped: Box<UnsafeCell<OVERLAPPED>>,
    event: Arc<Event>,
    /// The pipe that an operation is under way on: a handle as a number.
    under_way: Option<usize>,
}

// SAFETY: the pointers in an OVERLAPPED are the event's handle, which is no thread's own, and the null of an unused
// union. Whoever has the `Operation` may settle it: cancelling and waiting work from any thread.
unsafe impl Send for Operation {}

/// What an operation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Bytes transferred.
    pub(super) bytes: u32,
    /// 0, or the number of an error; `ERROR_MORE_DATA` came with bytes.
    pub(super) code: u32,
    /// The deadline passed first, and it was cancelled: what `bytes` says may have been transferred by then.
    pub(super) timed_out: bool,
}

impl Operation {
    /// `event` may be shared by several operations: it is set when any of them is over.
    pub(super) fn new(event: Arc<Event>) -> Self {
        Operation {
            overlapped: Box::new(UnsafeCell::new(OVERLAPPED::default())),
            event,
            under_way: None,
        }
    }

    /// Reads from a pipe opened for overlapped I/O; at most 4 GiB.
    pub(super) fn read(
        &mut self,
        pipe: BorrowedHandle<'_>,
        buf: &mut [u8],
        spin: &Spin,
        deadline: Deadline,
    ) -> Outcome {
        let (bytes, len) = (buf.as_mut_ptr(), u32::try_from(buf.len()).unwrap_or(u32::MAX));
        // SAFETY: `pipe` and `buf` are borrowed until `run` returns or unwinds, by when the operation is settled; `len`
        // is at most the length of `buf`.
        unsafe {
            self.run(pipe, spin, deadline, |pipe, overlapped| {
                ReadFile(pipe, bytes, len, ptr::null_mut(), overlapped)
            })
        }
    }

    /// Writes to a pipe opened for overlapped I/O; at most 4 GiB.
    pub(super) fn write(
        &mut self,
        pipe: BorrowedHandle<'_>,
        data: &[u8],
        spin: &Spin,
        deadline: Deadline,
    ) -> Outcome {
        let (bytes, len) = (data.as_ptr(), u32::try_from(data.len()).unwrap_or(u32::MAX));
        // SAFETY: as in `read`; the system only reads from `data`.
        unsafe {
            self.run(pipe, spin, deadline, |pipe, overlapped| {
                WriteFile(pipe, bytes, len, ptr::null_mut(), overlapped)
            })
        }
    }

    /// Begins to read, and panics.
    #[cfg(test)]
    pub(super) fn read_and_panic(&mut self, pipe: BorrowedHandle<'_>, buf: &mut [u8]) {
        let (bytes, len) = (buf.as_mut_ptr(), buf.len() as u32);
        // SAFETY: as in `read`.
        unsafe {
            self.start(pipe, |pipe, overlapped| {
                ReadFile(pipe, bytes, len, ptr::null_mut(), overlapped)
            })
        };
        let _settling = Settling(self);
        panic!("as asked");
    }

    /// Begins to wait for a client on a pipe's instance; 0, `ERROR_IO_PENDING` or another error.
    ///
    /// # Safety
    /// `pipe` is open until the operation is settled.
    pub(super) unsafe fn listen(&mut self, pipe: BorrowedHandle<'_>) -> u32 {
        // SAFETY: as the caller promises; there is no buffer.
        unsafe { self.start(pipe, |pipe, overlapped| ConnectNamedPipe(pipe, overlapped)) }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether the system has nothing more to do for it.
    pub(super) fn is_over(&self) -> bool {
        // SAFETY: the box lives as long as `self`. While an operation is under way the system writes this field at a
        // moment of its choice, which an atomic read may meet; Acquire, so that what it wrote before (the bytes, their
        // number) is seen after. The status is the lower half of the field: the system writes no more than that.
        let status = unsafe { AtomicUsize::from_ptr(&raw mut (*self.overlapped.get()).Internal) };
        status.load(Ordering::Acquire) as u32 != STATUS_PENDING.cast_unsigned()
    }

    /// Ends the operation that is under way, cancelling it unless it is over already, and says what it came to: that
    /// may well be success, if it was over before it could be cancelled.
    pub(super) fn settle(&mut self) -> Outcome {
        let Some(pipe) = self.under_way else {
            return Outcome {
                bytes: 0,
                code: 0,
                timed_out: false,
            };
        };
        let pipe: HANDLE = ptr::with_exposed_provenance_mut(pipe);
        let overlapped = self.overlapped.get();
        if !self.is_over() {
            // SAFETY: who started the operation keeps the pipe open until here. It fails if the operation is over by
            // now.
            unsafe { CancelIoEx(pipe, overlapped) };
            while !self.is_over() {
                self.event.wait(CANCEL_CHECK);
            }
        }
        self.under_way = None;
        let mut bytes = 0;
        // SAFETY: as above; the operation is over, so that nothing is waited for, and nobody writes to it any more.
        let done = unsafe { GetOverlappedResult(pipe, overlapped, &mut bytes, 0) };
        let code = if done == 0 { error::last_code() } else { 0 };
        Outcome {
            bytes,
            code,
            timed_out: false,
        }
    }

    /// # Safety
    /// `begin` begins at most one operation on the pipe with the `OVERLAPPED` it is given, and returns what the system
    /// said. The pipe is open, and buffers that the operation uses are there and used by nobody else, until it is
    /// settled.
    unsafe fn start(
        &mut self,
        pipe: BorrowedHandle<'_>,
        mut begin: impl FnMut(HANDLE, *mut OVERLAPPED) -> BOOL,
    ) -> u32 {
        self.settle();
        let overlapped = self.overlapped.get();
        // SAFETY: nothing is under way, so the box is ours alone.
        unsafe {
            *overlapped = OVERLAPPED {
                hEvent: self.event.handle(),
                ..OVERLAPPED::default()
            };
        }
        let code = call::done(|| begin(pipe.as_raw_handle(), overlapped))
            .err()
            .unwrap_or(0);
        if code == ERROR_IO_PENDING {
            self.under_way = Some(pipe.as_raw_handle().expose_provenance());
        }
        code
    }

    /// # Safety
    /// As for `start`, where "settled" comes before this returns or unwinds.
    unsafe fn run(
        &mut self,
        pipe: BorrowedHandle<'_>,
        spin: &Spin,
        deadline: Deadline,
        begin: impl FnMut(HANDLE, *mut OVERLAPPED) -> BOOL,
    ) -> Outcome {
        // SAFETY: as the caller promises.
        let code = unsafe { self.start(pipe, begin) };
        match code {
            ERROR_IO_PENDING => {}
            0 | ERROR_MORE_DATA => {
                return Outcome {
                    // SAFETY: the operation is over, so the box is ours alone.
                    bytes: unsafe { (*self.overlapped.get()).InternalHigh } as u32,
                    code,
                    timed_out: false,
                };
            }
            // It was never begun, and the OVERLAPPED says nothing; or the handle is one that blocks, and the call was
            // cancelled from outside when its time was up.
            _ => {
                return Outcome {
                    bytes: 0,
                    code,
                    timed_out: code == ERROR_OPERATION_ABORTED && deadline.has_passed(),
                };
            }
        }
        let settling = Settling(self);
        let in_time = wait::wait(
            spin,
            deadline,
            LONG,
            || Ok(settling.0.is_over().then_some(())),
            |slice| {
                settling.0.event.wait(slice);
                Ok(())
            },
        );
        let outcome = settling.0.settle();
        Outcome {
            timed_out: !matches!(in_time, Ok(Some(()))) && outcome.code == ERROR_OPERATION_ABORTED,
            ..outcome
        }
    }
}

/// Settles when it drops, however that comes about.
struct Settling<'a>(&'a mut Operation);

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        self.0.settle();
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.settle();
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("under_way", &self.under_way.is_some())
            .finish_non_exhaustive()
    }
}
