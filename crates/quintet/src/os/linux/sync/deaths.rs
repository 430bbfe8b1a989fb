//! Being woken when a process dies that holds what we wait for.
//!
//! Between two slices a waiter looks for dead holders anyway. One that has slept for a whole slice has time: it has the
//! helper of `bell.rs` watch the processes of the holders (pidfds), and learns of a death at once. What a pid in
//! shared memory says is not believed: a wrong one wakes us for nothing, or does not, and then the slice ends.

use super::bell::Watch;
use super::watch::Process;
use crate::os::linux::futex::Sleep;
use rustix::event::PollFlags;
use rustix::fd::AsFd;

/// More holders than this nobody watches: it would cost more than it gains.
const MOST: usize = 16;

/// The processes of the holders, as they were when this was made.
#[derive(Debug)]
pub(super) struct Deaths {
    pids: Vec<u32>,
    watch: Watch,
    /// Open as long as the watch is there; so after it.
    processes: Vec<Process>,
}

impl Deaths {
    /// Those that live of the processes of these numbers; `None` if there is nobody to watch, or no way to.
    pub(super) fn watch(pids: Vec<u32>) -> Option<Self> {
        let processes: Vec<Process> = pids
            .iter()
            .take(MOST)
            .filter_map(|pid| Process::open(*pid).ok())
            // One that is dead already, and whose locks are still there, would ring all the time.
            .filter(|process| !process.has_ended().unwrap_or(true))
            .collect();
        if processes.is_empty() {
            return None;
        }
        let fds: Vec<_> = processes
            .iter()
            .map(|process| (process.as_fd(), PollFlags::IN))
            .collect();
        let watch = Watch::new(&fds).ok()?;
        Some(Deaths {
            pids,
            watch,
            processes,
        })
    }

    /// Whether it is these that are to be watched, and they live.
    pub(super) fn is_of(&self, pids: &[u32]) -> bool {
        let lives = |process: &Process| !process.has_ended().unwrap_or(true);
        self.pids == pids && self.processes.iter().all(lives)
    }

    /// What to sleep on.
    pub(super) fn sleep(&mut self) -> Sleep<'_> {
        self.watch.arm()
    }
}
