//! All processes of one test.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::watched::Watched;

/// How many processes that have ended are kept, for the report of a failure.
const KEPT: usize = 64;

/// What a test shares with its watchdog.
#[derive(Debug)]
pub(crate) struct WatchList {
    /// Which test this is: its name, and where it started.
    pub(crate) title: String,
    processes: Mutex<Vec<Arc<Watched>>>,
    expired: AtomicBool,
}

impl WatchList {
    pub(crate) fn new(title: String) -> Self {
        Self {
            title,
            processes: Mutex::default(),
            expired: AtomicBool::new(false),
        }
    }

    /// Adds a process. `false`: the deadline has passed, so nobody would watch it.
    pub(crate) fn add(&self, process: Arc<Watched>) -> bool {
        let mut processes = self.processes.lock().unwrap();
        if processes.len() >= KEPT
            && let Some(index) = processes
                .iter()
                .position(|old| old.has_ended() && !old.panicked_unnoticed())
        {
            processes.remove(index);
        }
        processes.push(process);
        !self.has_expired()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Watched>> {
        self.processes.lock().unwrap().clone()
    }

    /// Ends them all; those that have ended stay listed.
    pub(crate) fn kill_all(&self) {
        let processes = self.all();
        processes.iter().for_each(|process| process.kill());
        processes.iter().for_each(|process| _ = process.wait());
    }

    /// From now on [`Self::add`] refuses. What was added before is seen by [`Self::all`] after this.
    pub(crate) fn set_expired(&self) {
        let _processes = self.processes.lock().unwrap();
        self.expired.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_expired(&self) -> bool {
        self.expired.load(Ordering::Relaxed)
    }
}
