//! The pipe of a connection: what is done with it as a whole, and everything that can end it.

use super::instances::PipeEnd;
use super::kernel;
use crate::os::windows::blocking;
use crate::os::windows::call::{self, Code};
use crate::os::windows::event::Event;
use crate::os::windows::operation::{Operation, Outcome};
use crate::os::windows::peer::Peer;
use crate::os::windows::{error, process};
use crate::wait::Spin;
use crate::{Deadline, Error, ErrorKind, Result};
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, RawHandle};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, TryLockError};
use std::thread;
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_OPERATION_ABORTED, ERROR_PIPE_NOT_CONNECTED,
};
use windows_sys::Win32::Storage::FileSystem::FlushFileBuffers;
use windows_sys::Win32::System::IO::CancelIoEx;
use windows_sys::Win32::System::Pipes::DisconnectNamedPipe;

/// How often to look whether what was cancelled is over.
const CANCEL_CHECK: Duration = Duration::from_millis(1);

/// A connected pipe.
///
/// A client's end can be ended before it is dropped only by closing it. So whatever uses the handle holds `pipe` for
/// reading as long as it does so, and who closes it, for writing. But a handle that has been lent to the caller
/// (`as_handle`) stays open until the drop.
#[derive(Debug)]
pub(super) struct Link {
    pipe: RwLock<Option<PipeEnd>>,
    /// `disconnect` was called.
    ended: AtomicBool,
    /// Why it was called, if that is our own doing.
    given_up: OnceLock<&'static str>,
    lent: AtomicBool,
    peer: Peer,
    /// Bytes that can wait in the kernel towards the other end.
    quota: usize,
    /// Writes so far, and how many of them are known to have been read.
    written: AtomicU64,
    read: AtomicU64,
}

impl Link {
    pub(super) fn new(pipe: PipeEnd, peer: Peer, quota: u32) -> Self {
        Link {
            pipe: RwLock::new(Some(pipe)),
            ended: AtomicBool::new(false),
            given_up: OnceLock::new(),
            lent: AtomicBool::new(false),
            peer,
            quota: quota as usize,
            written: AtomicU64::new(0),
            read: AtomicU64::new(0),
        }
    }

    /// Who is at the other end.
    pub(super) fn peer(&self) -> Result<process::Identity> {
        if self.peer.pid == 0 {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the system does not tell who the peer is",
            ));
        }
        Ok(self.peer.identity())
    }

    /// The peer as errors name it.
    pub(super) fn peer_name(&self) -> String {
        match self.peer.pid {
            0 => "the peer".into(),
            pid => format!("the peer (pid {pid})"),
        }
    }

    /// How many bytes can wait in the kernel for the peer to read them.
    pub(super) fn quota(&self) -> usize {
        self.quota
    }

    fn lock(&self) -> RwLockReadGuard<'_, Option<PipeEnd>> {
        // It is only ever emptied, at once.
        self.pipe.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs what uses the handle; `None` when `disconnect` was called, before or meanwhile.
    fn with_pipe<T>(&self, act: impl FnOnce(BorrowedHandle<'_>) -> T) -> Option<T> {
        let pipe = self.lock();
        let pipe = pipe.as_ref().filter(|_| !self.is_ended())?;
        Some(act(pipe.as_handle()))
    }

    fn is_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    pub(super) fn read(
        &self,
        operation: &mut Operation,
        buf: &mut [u8],
        spin: &Spin,
        deadline: Deadline,
    ) -> Outcome {
        self.transfer(|pipe| operation.read(pipe, buf, spin, deadline))
    }

    pub(super) fn write(
        &self,
        operation: &mut Operation,
        data: &[u8],
        spin: &Spin,
        deadline: Deadline,
    ) -> Outcome {
        let outcome = self.transfer(|pipe| operation.write(pipe, data, spin, deadline));
        if outcome.code == 0 {
            self.written.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    fn transfer(&self, transfer: impl FnOnce(BorrowedHandle<'_>) -> Outcome) -> Outcome {
        match self.with_pipe(transfer) {
            // Ended by another thread of ours, which cancelled it.
            Some(outcome) if outcome.code == ERROR_OPERATION_ABORTED && self.is_ended() => Outcome::GONE,
            Some(outcome) => outcome,
            None => Outcome::GONE,
        }
    }

    /// What the kernel has of the message that the next read would go on with.
    pub(super) fn message_left(&self) -> u64 {
        self.with_pipe(kernel::message_left).unwrap_or(0)
    }

    /// Whether it is known that nothing waits for the peer to read it: see [`kernel::State`].
    pub(super) fn is_known_empty(&self) -> bool {
        self.with_pipe(kernel::state)
            .flatten()
            .is_some_and(|state| state.empty)
    }

    /// Waits until nothing waits for the peer to read it, whether that has been read or was dropped: 0 or the number of
    /// an error; `None` when the deadline came first, or `disconnect`.
    fn wait_until_empty(&self, deadline: Deadline) -> Result<Option<Code>> {
        if self.is_known_empty() {
            return Ok(Some(0));
        }
        let code = self.with_pipe(|pipe| {
            let flush = || {
                // SAFETY: the pipe is open because it is borrowed.
                let done = call::done(|| unsafe { FlushFileBuffers(pipe.as_raw_handle()) });
                done.err().unwrap_or(0)
            };
            blocking::with_deadline(deadline, || self.is_ended(), flush)
        });
        Ok(code.transpose()?.filter(|code| *code != ERROR_OPERATION_ABORTED))
    }

    /// Waits until nothing is in front of what is written next: whether it came to that before the deadline. What is
    /// wrong with the pipe otherwise the write will say.
    pub(super) fn make_way(&self, deadline: Deadline) -> Result<bool> {
        Ok(self.wait_until_empty(deadline)?.is_some() || self.is_ended())
    }

    /// Waits until the peer has read everything that was written.
    pub(super) fn drain(&self, deadline: Deadline) -> Result<()> {
        let written = self.written.load(Ordering::Relaxed);
        match self.wait_until_empty(deadline)? {
            None if self.is_ended() => Err(self.unread("is disconnected without having read everything")),
            None => Err(Error::new(
                ErrorKind::TimedOut,
                format!("{} has not read everything before the deadline", self.peer_name()),
            )),
            // The kernel's queue is empty: it has been read, or it was dropped because the peer closed.
            Some(0) if self.read.load(Ordering::Relaxed) >= written => Ok(()),
            Some(0) if self.is_connected() => {
                self.read.fetch_max(written, Ordering::Relaxed);
                Ok(())
            }
            Some(0) => Err(self.unread(
                "has closed the connection, and the system does not tell whether it read everything",
            )),
            Some(ERROR_BROKEN_PIPE | ERROR_NO_DATA | ERROR_PIPE_NOT_CONNECTED) => {
                Err(self.unread("has closed the connection without reading everything"))
            }
            Some(code) => Err(error::of("cannot wait for the peer to read", code)),
        }
    }

    fn unread(&self, what: &str) -> Error {
        Error::new(ErrorKind::Disconnected, format!("{} {what}", self.peer_name()))
    }

    /// Whether the peer has the connection open still.
    fn is_connected(&self) -> bool {
        self.with_pipe(|pipe| match kernel::state(pipe) {
            Some(state) => state.connected,
            // An `Out` server's. To wait for a client on it fails at once, in different ways.
            None => Event::new().is_ok_and(|event| {
                let mut operation = Operation::new(Arc::new(event));
                // SAFETY: the pipe is open until this ends, and the operation is settled as it drops, before.
                unsafe { operation.listen(pipe) != ERROR_NO_DATA }
            }),
        })
        .unwrap_or(false)
    }

    /// Ends the connection because nothing sensible can follow in one of its directions. The peer must not wait for the
    /// rest of a message, nor for this end to read on, and can be told in no other way.
    pub(super) fn give_up(&self, why: &'static str) {
        let _ = self.given_up.set(why);
        // A client's end whose handle has been lent ends when it is dropped.
        let _ = self.disconnect();
    }

    /// Why nothing can be read or written any more, if this end has given up.
    pub(super) fn why_given_up(&self) -> Option<&'static str> {
        self.given_up.get().copied()
    }

    /// Ends the connection for both sides, while others may be using it.
    pub(super) fn disconnect(&self) -> Result<()> {
        if let Some(pipe) = self.lock().as_ref().filter(|pipe| pipe.is_server()) {
            self.ended.store(true, Ordering::SeqCst);
            // SAFETY: the pipe is open because it is borrowed. Operations that are under way end with an error.
            return match call::done(|| unsafe { DisconnectNamedPipe(pipe.as_handle().as_raw_handle()) }) {
                Ok(()) | Err(ERROR_PIPE_NOT_CONNECTED) => Ok(()),
                Err(code) => Err(error::of("cannot disconnect", code)),
            };
        }
        loop {
            let closed = match self.pipe.try_write() {
                Ok(pipe) => Some(pipe),
                Err(TryLockError::Poisoned(pipe)) => Some(pipe.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            if self.lent.load(Ordering::SeqCst) {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "a client's end is disconnected by closing it, and its handle has been lent out",
                )
                .hint("drop the stream, or do without as_handle"));
            }
            // Nobody begins anything any more,
            self.ended.store(true, Ordering::SeqCst);
            if let Some(mut pipe) = closed {
                pipe.take();
                return Ok(());
            }
            // and what is under way ends.
            if let Some(pipe) = &*self.lock() {
                // SAFETY: the pipe is open because it is borrowed. It fails if there is nothing to cancel.
                unsafe { CancelIoEx(pipe.as_handle().as_raw_handle(), ptr::null()) };
            }
            thread::sleep(CANCEL_CHECK);
        }
    }
}

impl Outcome {
    /// What becomes of an operation on a connection that is not one any more.
    const GONE: Outcome = Outcome {
        bytes: 0,
        code: ERROR_PIPE_NOT_CONNECTED,
        timed_out: false,
    };
}

impl AsHandle for Link {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        // The handle that stands for this process: a valid one, with which nothing can be read or written.
        const NO_PIPE: RawHandle = ptr::without_provenance_mut(usize::MAX);
        let pipe = self.lock();
        let handle = match &*pipe {
            Some(pipe) => {
                self.lent.store(true, Ordering::SeqCst);
                pipe.as_handle().as_raw_handle()
            }
            None => NO_PIPE,
        };
        // SAFETY: a handle that is lent, which was noted under the lock, is not closed before `self` drops:
        // `disconnect` looks at the note under the lock too. The other one is always valid.
        unsafe { BorrowedHandle::borrow_raw(handle) }
    }
}
