//! How whole messages are received, for the patterns that give them to the program as they are.

use super::core::{Awaits, Core};
use super::state::Verdict;
use crate::{Deadline, Error, ErrorKind, Result};

/// Receives one message that `judge` takes; `into` is overwritten.
pub(super) fn receive<T>(
    core: &Core,
    deadline: Deadline,
    into: &mut Vec<u8>,
    mut judge: impl FnMut(super::slots::Id, &[u8], &[Vec<u8>]) -> Verdict<T>,
) -> Result<T> {
    let got = core.block_with(deadline, Awaits::Anyone, |state| {
        Ok(state.next_message(&mut judge, into))
    })?;
    got.ok_or_else(|| Error::new(ErrorKind::TimedOut, "no message came before the deadline"))
}

/// Gives a type with a field `handle` the calls to receive with; `$judge` says which messages.
macro_rules! receiving {
    ($type:ident, $judge:expr) => {
        impl $type {
            /// Waits for a message and takes it.
            ///
            /// # Errors
            /// When the system refuses to wait. A peer's misbehaviour is no error: it is disconnected, and counted in
            /// [`stats`](Self::stats).
            pub fn recv(&self) -> crate::Result<Vec<u8>> {
                self.recv_timeout(crate::Deadline::NEVER)
            }

            /// As [`recv`](Self::recv), until a deadline. A zero duration takes a message that is there already.
            ///
            /// # Errors
            /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut): nothing was taken.
            pub fn recv_timeout(&self, deadline: impl Into<crate::Deadline>) -> crate::Result<Vec<u8>> {
                let mut message = Vec::new();
                self.recv_into(&mut message, deadline)?;
                Ok(message)
            }

            /// As [`recv_timeout`](Self::recv_timeout), into a buffer whose old contents are dropped and whose memory is used
            /// again, for this message or another.
            ///
            /// # Errors
            /// Those of [`recv_timeout`](Self::recv_timeout).
            #[inline]
            pub fn recv_into(
                &self,
                message: &mut Vec<u8>,
                deadline: impl Into<crate::Deadline>,
            ) -> crate::Result<()> {
                super::receiving::receive(&self.handle.core, deadline.into(), message, $judge)
            }
        }

        super::watch::waitable!($type, |socket| $judge);
    };
}
pub(super) use receiving;
