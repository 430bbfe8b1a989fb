//! The one background thread of a process that has sockets: it moves what has to move while nobody is in a call. Clients
//! are let in, broken connections made again, the messages of a burst sent off.
//!
//! It looks at all sockets in turn, without waiting for any: ten thousand times a second while there is something to do, and
//! every 20 ms when there has not been for a while. It is on nobody's way: who is in a call does all this himself.

use super::core::Core;
use crate::os::per_process::PerProcess;
use crate::{Error, Result};
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
}

#[derive(Default)]
struct Sockets {
    all: Vec<Weak<Core>>,
    /// The thread, while there is one.
    thread: Option<Thread>,
}

static TICKER: PerProcess<Ticker> = PerProcess::new();

impl Ticker {
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

#[cold]
fn wake(ticker: &Ticker) {
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
        drop(sockets);
        if had_to_do || (pause > SHORTEST && ticker.is_awake.load(Ordering::Acquire)) {
            pause = SHORTEST;
            ticker.is_awake.store(true, Ordering::Release);
        } else {
            // Who has something to be written from here on wakes this thread; who has had before, within this pause,
            // has it written after it.
            pause = (pause * 2).min(LONGEST);
            ticker.is_awake.store(false, Ordering::Release);
        }
        thread::park_timeout(pause);
    }
}
