//! How `wait_any` waits for the messages of a socket, which may be in this process already, where no descriptor tells of them.
//!
//! Who waits so sleeps at a bell. The background thread stands in for it meanwhile: it waits in the socket's poll, lets in what
//! comes, and rings. So it is woken one thread later than who calls `recv`.

use crate::doorbell::{Bell, Waiter};
use crate::os::atomic::{self, AtomicU32, Ordering};
use crate::os::parking::Place;
use mio::{Registry, Token, Waker};
use std::io;
use std::sync::{Arc, OnceLock};

/// A token that no connection and no door has.
const WAKER: Token = Token(usize::MAX >> 1);

/// Those who wait for a socket together with other things.
#[derive(Debug)]
pub(super) struct Watch {
    bell: Bell,
    place: Place,
    sleepers: AtomicU32,
    /// Ends a wait in the poll.
    waker: OnceLock<Arc<Waker>>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Watch {
            bell: Bell::new(),
            place: Place::of_process(),
            sleepers: AtomicU32::new(0),
            waker: OnceLock::new(),
        }
    }

    pub(super) fn waiter(&self) -> Waiter<'_> {
        Waiter {
            bell: &self.bell,
            place: &self.place,
            // Who rings does.
            fences: None,
            // All are woken each time.
            sleepers: None,
            own: Some(&self.sleepers),
        }
    }

    /// Whether anybody sleeps, or is about to.
    pub(super) fn is_watched(&self) -> bool {
        self.sleepers.load(Ordering::Acquire) > 0
    }

    pub(super) fn is_woken_by(&self, waker: &Arc<Waker>) -> bool {
        self.waker.get().is_some_and(|ours| Arc::ptr_eq(ours, waker))
    }

    /// Wakes all who sleep, as there may be a message.
    pub(super) fn ring(&self) {
        atomic::fence(Ordering::SeqCst);
        if self.bell.has_sleepers() {
            self.waiter().wake(u32::MAX);
        }
    }

    /// What ends a wait in this poll, the socket's.
    pub(super) fn waker(&self, registry: &Registry) -> io::Result<&Arc<Waker>> {
        if let Some(waker) = self.waker.get() {
            return Ok(waker);
        }
        // Only who is at the poll comes here, so there is never a second one.
        let waker = Arc::new(Waker::new(registry, WAKER)?);
        Ok(self.waker.get_or_init(|| waker))
    }
}

/// Makes a pattern one that `wait_any` takes; `$judge` says which messages of `$socket` it is about.
macro_rules! waitable {
    ($type:ident, |$socket:ident| $judge:expr) => {
        impl crate::doorbell::Readiness for $type {
            fn is_ready(&self) -> crate::Result<bool> {
                let $socket = self;
                Ok($socket.handle.core.has_message($judge))
            }

            fn waiter(&self) -> crate::doorbell::Waiter<'_> {
                self.handle.core.watch().waiter()
            }
        }

        /// A message that can be received, of which nothing is taken: whoever receives first has it.
        impl<'a> From<&'a $type> for crate::sync::Waitable<'a> {
            fn from(socket: &'a $type) -> Self {
                crate::sync::Waitable::ready(socket)
            }
        }
    };
}
pub(super) use waitable;
