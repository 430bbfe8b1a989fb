//! The FIFO file that this process made, and removes at the end, whatever the end is.

use super::os;
use crate::note;
use quintet::Result;
use quintet::pipe::Access;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locked while a FIFO is made or removed, so that a signal in the middle leaves nothing either.
static STATE: Mutex<State> = Mutex::new(State::Nothing);

enum State {
    Nothing,
    /// The file, and what tells it from another that took its place.
    Made(PathBuf, os::Identity),
    /// The process ends, and makes nothing any more.
    Ending,
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what this process made. For an end at which destructors do not run.
pub(crate) fn release() {
    remove(std::mem::replace(&mut *state(), State::Ending));
}

fn remove(state: State) {
    if let State::Made(path, identity) = state
        && os::identity(&path) == Some(identity)
        && let Err(error) = std::fs::remove_file(&path)
    {
        note::complain(format!("{}: cannot remove the FIFO: {error}", path.display()));
    }
}

/// The FIFO that this process made, there until this is dropped.
#[derive(Debug)]
pub(super) struct Made(());

impl Made {
    /// Makes the FIFO, the only one of this process.
    pub(super) fn create(path: &Path, access: Access) -> Result<Self> {
        let mut state = state();
        if matches!(*state, State::Ending) {
            drop(state);
            loop {
                std::thread::park();
            }
        }
        os::create(path, access)?;
        if let Some(identity) = os::identity(path) {
            *state = State::Made(path.into(), identity);
        }
        Ok(Made(()))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let mut state = state();
        if matches!(*state, State::Made(..)) {
            remove(std::mem::replace(&mut *state, State::Nothing));
        }
    }
}
