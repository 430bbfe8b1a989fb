//! What proves that a process takes part in an object: locks on the object's file.
//!
//! The locks are on an open of the file that is never mapped (a mapping, which a forked child shares, would keep the open
//! file and its locks alive) and that no forked child keeps (`fork.rs`). When the process ends, however it ends, the
//! kernel releases them: at once, also while the process is a zombie that nobody has waited for. A process that is
//! merely stopped keeps them.
//!
//! The bytes that are locked lie far behind the end of the file: one that everybody shares who holds the object, and two
//! for each participant.

use super::fork::PrivateFd;
use super::lock::{self, Range};
use crate::os::step::call;
use crate::{Error, ErrorKind, Result};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::io;

const FAR: i64 = 1 << 62;

/// Locked, shared, by everybody who holds the object; exclusively by who makes sure that nobody does.
const LIFE: Range = Range::byte(FAR);

/// Two bytes for each participant: the first is locked by its process; the second as well, unless children are that
/// participant too: they share it.
fn participant(slot: usize) -> Range {
    Range::bytes(first_byte(slot), 2)
}

fn children(slot: usize) -> Range {
    Range::byte(first_byte(slot) + 1)
}

fn first_byte(slot: usize) -> i64 {
    // There are few participants, so this stays far from the end of the numbers.
    FAR + 2 + 2 * i64::from(u32::try_from(slot).unwrap_or(u32::MAX))
}

/// One open of an object's file, and the locks on it.
#[derive(Debug)]
pub(crate) struct Token(PrivateFd);

impl Token {
    pub(super) fn open(open: impl FnOnce() -> rustix::io::Result<OwnedFd>) -> rustix::io::Result<Self> {
        PrivateFd::open(open).map(Token)
    }

    /// Whether this process has it: not, if an ancestor opened it and forked.
    #[inline]
    pub(crate) fn is_ours(&self) -> bool {
        self.0.is_ours()
    }

    /// Whether nobody else holds the object, and nobody can begin to until this gives it up.
    pub(super) fn try_alone(&self) -> Result<bool> {
        call(|| lock::try_exclusive(&self.0, LIFE)).map_err(failed)
    }

    /// Begins to hold the object, beside others; not while somebody makes sure that nobody does.
    pub(super) fn try_beside_others(&self) -> Result<bool> {
        call(|| lock::try_shared(&self.0, LIFE)).map_err(failed)
    }

    /// Takes the lease on the file: only if nobody else has it open or mapped, in whatever way. Who comes to open it then
    /// waits until it is given back (or the kernel loses its patience).
    pub(super) fn try_lease(&self) -> rustix::io::Result<bool> {
        match call(|| lock::try_lease(&self.0)) {
            Ok(()) => Ok(true),
            Err(Errno::AGAIN | Errno::BUSY) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn end_lease(&self) {
        // It ends with the descriptor at the latest.
        let _ = call(|| lock::end_lease(&self.0));
    }

    /// Ends to hold the object. Participants stay.
    pub(super) fn let_go(&self) {
        // It cannot fail but for the number of locks that a user may have, which giving one back does not raise.
        let _ = call(|| lock::unlock(&self.0, LIFE));
    }

    /// Whether anybody holds the object, through another token.
    pub(super) fn is_object_held(file: impl AsFd) -> io::Result<bool> {
        call(|| lock::is_held(&file, LIFE))
    }

    /// Becomes this participant, for as long as the token is there; not if another token is it.
    pub(crate) fn take(&self, slot: usize) -> Result<bool> {
        call(|| lock::try_exclusive(&self.0, participant(slot))).map_err(failed)
    }

    /// Is this participant no more.
    pub(crate) fn give_back(&self, slot: usize) -> Result<()> {
        call(|| lock::unlock(&self.0, participant(slot))).map_err(failed)
    }

    /// Whether another token is this participant, and its process alive.
    pub(crate) fn is_taken(&self, slot: usize) -> Result<bool> {
        Token::is_participant(&self.0, slot).map_err(failed)
    }

    /// Lets a child be this participant too, which inherits the other token.
    pub(super) fn lend(&self, slot: usize, to: &Token) -> Result<()> {
        // Nobody takes the slot meanwhile, which takes both bytes.
        call(|| lock::unlock(&self.0, children(slot))).map_err(failed)?;
        if call(|| lock::try_shared(&to.0, children(slot))).map_err(failed)? {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::Corrupt, "the place of the child is taken"))
        }
    }

    /// Whether a child is this participant too, and lives.
    pub(super) fn is_lent(&self, slot: usize) -> Result<bool> {
        call(|| lock::is_held(&self.0, children(slot))).map_err(failed)
    }

    pub(super) fn is_participant(file: impl AsFd, slot: usize) -> io::Result<bool> {
        call(|| lock::is_held(&file, participant(slot)))
    }

    /// The same, of a file that others can read only: what they lock does not count.
    pub(super) fn is_participant_who_writes(file: impl AsFd, slot: usize) -> io::Result<bool> {
        call(|| lock::is_held_alone(&file, participant(slot)))
    }

    /// For a child that is to be this participant too.
    pub(super) fn for_child(&self) -> Result<PrivateFd> {
        self.0
            .for_child()
            .map_err(|error| super::no_descriptor("cannot copy the proof of life for the child", error))
    }
}

impl AsFd for Token {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn failed(error: io::Error) -> Error {
    Error::os("cannot lock the object's file", error)
}
