//! What proves that a process takes part in an object: an event for each participant, which has a name and is there as long
//! as a handle to it is open.
//!
//! When the process ends, however it ends, the kernel closes its handles, and the event is gone with the last one. A process
//! that is merely stopped keeps them. Who looks for the event does not open it (see [`object::is_event_there`]), so that
//! looking never makes a dead participant seem alive.

use super::object;
use super::suspended;
use crate::Result;
use crate::os::types::Access;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The participants of an object that this process is, or some of them.
#[derive(Debug)]
pub(crate) struct Token {
    /// What the names of the object's own objects begin with.
    beside: String,
    access: Access,
    events: Mutex<Vec<(usize, OwnedHandle)>>,
}

impl Token {
    pub(super) fn new(beside: &str, access: Access) -> Self {
        Token {
            beside: beside.into(),
            access,
            events: Mutex::new(Vec::new()),
        }
    }

    /// Whether this process has it: always, where no process is forked.
    #[inline]
    #[expect(clippy::unused_self, reason = "it has to be asked on Linux")]
    pub(crate) fn is_ours(&self) -> bool {
        true
    }

    /// Becomes this participant, for as long as the token is there; not if anybody is it.
    pub(crate) fn take(&self, slot: usize) -> Result<bool> {
        let name = event(&self.beside, slot);
        // Who finds the event by making it keeps it for a moment; so ask first.
        if object::is_event_there(&name)? {
            return Ok(false);
        }
        let (event, made) = object::hold(&name, self.access)?;
        if made {
            self.events().push((slot, event));
        }
        Ok(made)
    }

    /// Is this participant no more.
    #[expect(clippy::unnecessary_wraps, reason = "on Linux it may fail")]
    pub(crate) fn give_back(&self, slot: usize) -> Result<()> {
        self.events().retain(|(taken, _)| *taken != slot);
        Ok(())
    }

    /// Whether a living process, which may be this one, is this participant.
    pub(crate) fn is_taken(&self, slot: usize) -> Result<bool> {
        is_participant(&self.beside, slot)
    }

    /// Lets a child be the same participants, until it ends.
    pub(super) fn give_to(&self, process: BorrowedHandle<'_>) -> Result<()> {
        self.events()
            .iter()
            .try_for_each(|(_, event)| suspended::give(event.as_handle(), process))
    }

    fn events(&self) -> MutexGuard<'_, Vec<(usize, OwnedHandle)>> {
        // Whole after every step, so a panic elsewhere while it was locked does not matter.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a living process is this participant of the object.
pub(super) fn is_participant(beside: &str, slot: usize) -> Result<bool> {
    object::is_event_there(&event(beside, slot))
}

fn event(beside: &str, slot: usize) -> String {
    format!("{beside}.alive.{slot}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_taken_once_and_free_when_its_token_is_gone() {
        let beside = format!(r"Local\quintet.test.token.{}", std::process::id());
        let ours = Token::new(&beside, Access::CurrentUser);
        let theirs = Token::new(&beside, Access::CurrentUser);
        assert!(!theirs.is_taken(3).unwrap());
        assert!(ours.take(3).unwrap());
        assert!(!theirs.take(3).unwrap());
        assert!(!ours.take(3).unwrap());
        assert!(theirs.take(4).unwrap());
        assert!(theirs.is_taken(3).unwrap() && ours.is_taken(3).unwrap());
        theirs.give_back(4).unwrap();
        assert!(ours.take(4).unwrap());
        drop(ours);
        assert!(!theirs.is_taken(3).unwrap());
        assert!(theirs.take(3).unwrap());
    }
}
