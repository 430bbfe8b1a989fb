//! The one background thread of a process that has sockets: it moves what has to move while nobody is in a call. Clients
//! are let in, broken connections made again, the messages of a burst sent off.
//!
//! It looks at all sockets in turn, without waiting for any: ten thousand times a second while there is something to do, and
//! every 20 ms when there has not been for a while. It is on nobody's way: who is in a call does all this himself. While a thread
//! sleeps in `wait_any` for a socket, it spends its pauses in that socket's poll.

use super::core::Core;
use crate::os::per_process::PerProcess;
use crate::{Error, Result};
use mio::Waker;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

const SHORTEST: Duration = Duration::from_micros(100);
const LONGEST: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Ticker {
    sockets: Mutex<Sockets>,
    /// Whether it looks again within two of its shortest pauses.
    is_awake: AtomicBool,
    /// What ends its pause, if it spends it in a poll.
    in_poll: Mutex<Option<Arc<Waker>>>,
}

#[derive(Default)]
struct Sockets {
    all: Vec<Weak<Core>>,
    /// The thread, while there is one.
    thread: Option<Thread>,
}

static TICKER: PerProcess<Ticker> = PerProcess::new();

/// For how long it is in one of several polls.
const TURN: Duration = Duration::from_millis(1);

impl Ticker {
    fn in_poll(&self) -> MutexGuard<'_, Option<Arc<Waker>>> {
        self.in_poll.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits in the polls of those for which somebody sleeps elsewhere. Whether there was one.
    fn pause_in_polls(&self, sockets: &[Arc<Core>], pause: Duration) -> bool {
        let watched = || sockets.iter().filter(|core| core.watch().is_watched());
        let time = if watched().count() > 1 { TURN } else { pause };
        let has_waited = watched().fold(false, |has_waited, core| {
            let waited = core.stand_in(time, |waker| {
                *self.in_poll() = Some(waker.clone());
                // Who has something to be written since then sees the waker.
                !self.is_awake.load(Ordering::Acquire)
            });
            waited | has_waited
        });
        *self.in_poll() = None;
        has_waited
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has a socket looked after as long as it lives.
pub(super) fn add(core: &Arc<Core>) -> Result<()> {
    let ticker = TICKER.get();
    let mut sockets = ticker.sockets();
    sockets.all.push(Arc::downgrade(core));
    if sockets.thread.is_none() {
        let thread = thread::Builder::new()
            .name("quintet-sockets".into())
            .spawn(|| run(ticker))
            .map_err(|error| Error::os("cannot start a thread", error))?;
        sockets.thread = Some(thread.thread().clone());
    }
    Ok(())
}

/// Has all sockets looked at soon, since something waits to be written.
#[inline]
pub(super) fn soon() {
    let ticker = TICKER.get();
    if !ticker.is_awake.load(Ordering::Acquire) && !ticker.is_awake.swap(true, Ordering::AcqRel) {
        wake(ticker);
    }
}

/// Has it spend its pauses in the poll of a socket for which somebody is about to sleep elsewhere.
pub(super) fn stand_in(core: &Core) {
    let ticker = TICKER.get();
    let is_in_it = |waker: &Arc<Waker>| core.watch().is_woken_by(waker);
    let is_there = ticker.in_poll().as_ref().is_some_and(is_in_it);
    if !is_there {
        wake(ticker);
    }
}

#[cold]
fn wake(ticker: &Ticker) {
    if let Some(waker) = &*ticker.in_poll() {
        // The pause is not long.
        let _ = waker.wake();
    }
    if let Some(thread) = &ticker.sockets().thread {
        thread.unpark();
    }
}

fn run(ticker: &Ticker) {
    let mut pause = SHORTEST;
    loop {
        let sockets: Vec<Arc<Core>> = {
            let mut sockets = ticker.sockets();
            sockets.all.retain(|core| core.strong_count() > 0);
            if sockets.all.is_empty() {
                sockets.thread = None;
                return;
            }
            sockets.all.iter().filter_map(Weak::upgrade).collect()
        };
        let had_to_do = sockets.iter().fold(false, |had, core| core.tick() | had);
        if had_to_do || (pause > SHORTEST && ticker.is_awake.load(Ordering::Acquire)) {
            pause = SHORTEST;
            ticker.is_awake.store(true, Ordering::Release);
        } else {
            // Who has something to be written from here on wakes this thread; who has had before, within this pause,
            // has it written after it.
            pause = (pause * 2).min(LONGEST);
            ticker.is_awake.store(false, Ordering::Release);
            if ticker.pause_in_polls(&sockets, pause) {
                continue;
            }
        }
        drop(sockets);
        thread::park_timeout(pause);
    }
}
