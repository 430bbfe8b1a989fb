//! Waiting for descriptors and words of memory at once.
//!
//! No system call that is allowed everywhere waits for both (io_uring does, from Linux 6.7; containers tend to forbid
//! it). So while a thread sleeps on words, a helper thread polls the descriptors for it and, when one is ready, *rings*: it
//! changes a word of its own, on which the sleeper sleeps as well. Words wake the sleeper as fast as ever; descriptors by
//! one thread more. A thread gets its helper at its first wait for both, and keeps it.

use super::super::anonymous::poll;
use crate::os::linux::futex::{self, ANYONE, Sleep};
use crate::os::linux::{fork, no_descriptor};
use crate::os::step::call;
use crate::{Error, Result};
use rustix::event::{EventfdFlags, PollFd, PollFlags};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Watched = Vec<(RawFd, PollFlags)>;

#[derive(Debug, Default)]
struct Orders {
    /// What to poll; nothing: wait for orders.
    watched: Watched,
    quit: bool,
}

#[derive(Debug)]
struct Shared {
    word: AtomicU32,
    orders: Mutex<Orders>,
    /// Ready when there are new orders.
    poke: OwnedFd,
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poke(&self) {
        // It fails only when it is ready already.
        let _ = call(|| rustix::io::write(&self.poke, &1u64.to_ne_bytes()));
    }

    /// What the helper does.
    fn help(&self) {
        let mut watched = Watched::new();
        loop {
            let ready = self.poll(&watched);
            if self.was_poked() {
                let orders = self.orders();
                if orders.quit {
                    return;
                }
                watched.clone_from(&orders.watched);
            } else if ready {
                // Once: who is woken looks, and gives the same orders again if that was not it.
                watched.clear();
                self.word.fetch_add(1, Ordering::AcqRel);
                futex::wake(&self.word, 1, ANYONE);
            }
        }
    }

    /// Waits for the descriptors and for new orders. Whether a descriptor is ready; what cannot be polled is.
    fn poll(&self, watched: &Watched) -> bool {
        let mut fds = vec![PollFd::new(&self.poke, PollFlags::IN)];
        fds.extend(watched.iter().map(|(fd, events)| {
            // SAFETY: the thread that waits borrows the descriptor until it takes its orders back, and is heard within
            // the time of a wake-up. Should its owner close it in that time, the helper polls another file of that number,
            // or none, which does nothing to it: at worst it rings in vain.
            let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
            PollFd::from_borrowed_fd(fd, *events)
        }));
        let polled = call(|| poll(&mut fds, None));
        polled.is_err() || fds.iter().skip(1).any(|fd| !fd.revents().is_empty())
    }

    /// Whether there are new orders; they count as seen.
    fn was_poked(&self) -> bool {
        let mut count = [0; 8];
        rustix::io::read(&self.poke, &mut count).is_ok()
    }
}

/// A thread's helper.
#[derive(Debug)]
struct Bell {
    shared: Arc<Shared>,
    generation: u32,
}

thread_local! {
    static BELL: RefCell<Option<Bell>> = const { RefCell::new(None) };
}

impl Bell {
    fn new() -> Result<Self> {
        let poke = call(|| rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK))
            .map_err(|error| no_descriptor("cannot make an event descriptor", error))?;
        let shared = Arc::new(Shared {
            word: AtomicU32::new(0),
            orders: Mutex::default(),
            poke,
        });
        std::thread::Builder::new()
            .name("quintet-bell".into())
            .spawn({
                let shared = shared.clone();
                move || shared.help()
            })
            .map_err(|error| Error::os("cannot start a thread", error))?;
        Ok(Bell {
            shared,
            generation: fork::generation(),
        })
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // In a forked child there is no helper.
        if self.generation == fork::generation() {
            self.shared.orders().quit = true;
            self.shared.poke();
        }
    }
}

/// A wait of this thread, as far as descriptors are concerned. When it is dropped nothing is polled any more.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    watched: Watched,
    /// The word when the helper was last told.
    told_at: Option<u32>,
    /// A helper for this wait alone.
    _own: Option<Bell>,
}

impl Watch {
    /// These descriptors, whose owner keeps them open as long as this lives.
    pub(super) fn new(fds: &[(BorrowedFd<'_>, PollFlags)]) -> Result<Self> {
        let threads = BELL.try_with(|bell| -> Result<_> {
            let mut bell = bell.borrow_mut();
            if let Some(bell) = bell.as_ref().filter(|bell| bell.generation == fork::generation()) {
                return Ok(bell.shared.clone());
            }
            let new = Bell::new()?;
            let shared = new.shared.clone();
            *bell = Some(new);
            Ok(shared)
        });
        let (shared, own) = match threads {
            Ok(shared) => (shared?, None),
            // The thread is just ending, and its helper has ended.
            Err(_) => {
                let own = Bell::new()?;
                (own.shared.clone(), Some(own))
            }
        };
        Ok(Watch {
            shared,
            watched: fds.iter().map(|(fd, events)| (fd.as_raw_fd(), *events)).collect(),
            told_at: None,
            _own: own,
        })
    }

    /// Has the helper ring when one of them is ready: what to sleep on.
    pub(super) fn arm(&mut self) -> Sleep<'_> {
        let now = self.shared.word.load(Ordering::Acquire);
        if self.told_at != Some(now) {
            // It has not been told yet, or has rung since.
            self.shared.orders().watched = self.watched.clone();
            self.shared.poke();
            self.told_at = Some(now);
        }
        Sleep {
            word: &self.shared.word,
            while_it_is: now,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.told_at.is_some() {
            self.shared.orders().watched.clear();
            self.shared.poke();
        }
    }
}
