//! Messages that have come, and that are taken.

use super::State;
use crate::os::socket::Wire;
use crate::socket::connection::{Read, Reason};
use crate::socket::protocol::Protocol;
use crate::socket::slots::Id;
use std::io;
use std::sync::Arc;

/// So many messages that nobody wants are dropped before it is time to look at the clock.
const UNWANTED: u32 = 1000;

/// What to do with a message.
#[derive(Debug)]
pub(in crate::socket) enum Verdict<T> {
    /// Take it, without so many of its first bytes.
    Take(T, usize),
    /// It is not for us, as is usual: a topic that nobody asked for.
    Skip,
    /// It is of no use.
    Discard,
}

impl State {
    /// Reads what came on a connection, until there is one message.
    pub(in crate::socket) fn pump(&mut self, id: Id) {
        let (receives, mark) = (self.protocol.receives(), self.options.send_mark);
        let protocol = self.protocol;
        let Some(connection) = self.get(id) else {
            return;
        };
        if !connection.is_open() || connection.is_ready || connection.is_awaited {
            return;
        }
        // Who does not read the replies gets no more requests through.
        if protocol == Protocol::Rep && connection.outgoing.len() >= mark {
            return;
        }
        match connection.read() {
            Ok(Read::Message) if receives => {
                connection.is_ready = true;
                self.ready.push_back(id);
            }
            Ok(Read::Message) => self.close(
                id,
                &Reason::Refused("it sent a message where none is expected".into()),
            ),
            Ok(Read::Nothing) => {}
            Ok(Read::End) => {
                let why = if connection.ends_when_empty {
                    "it could not be written to"
                } else {
                    "it closed the connection"
                };
                self.close(id, &Reason::Gone(why.into()));
            }
            Err(reason) => self.close(id, &reason),
        }
    }

    /// Reads what came on all connections that may have something; of few, even where the poll did not tell.
    pub(in crate::socket) fn pump_all(&mut self, anyway: bool) {
        if anyway {
            for at in (0..self.open.len()).rev() {
                let Some(id) = self.open.get(at).copied() else {
                    continue;
                };
                if let Some(connection) = self.get(id) {
                    connection.readable = true;
                }
                self.pump(id);
            }
            return;
        }
        while let Some(id) = self.hungry.pop() {
            if let Some(connection) = self.get(id) {
                connection.is_hungry = false;
            }
            self.pump(id);
        }
    }

    /// Lends a connection of which nothing is there to a thread that will wait for it in a call of the system's; the only
    /// one unless it is said which.
    pub(in crate::socket) fn await_one(&mut self, which: Option<Id>) -> Option<(Id, Arc<Wire>)> {
        let id = match (which, &self.open[..]) {
            (Some(id), _) => id,
            (None, [only]) => *only,
            _ => return None,
        };
        let connection = self.hearing(id)?;
        let can = connection.is_open()
            && !(connection.is_ready
                || connection.is_awaited
                || connection.hung_up
                || connection.incoming.is_long());
        if !can {
            return None;
        }
        connection.is_awaited = true;
        Some((id, connection.wire.clone()))
    }

    /// Takes it back, with what was read; nothing: the end, or a reason why not.
    pub(in crate::socket) fn awaited(&mut self, id: Id, read: io::Result<&[u8]>) {
        let Some(connection) = self.get(id) else {
            return;
        };
        connection.is_awaited = false;
        match read {
            Ok([]) => {
                connection.readable = true;
                connection.hung_up = true;
            }
            Ok(bytes) => connection.incoming.feed(bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Whoever reads next is told again, or the end.
            Err(_) => connection.readable = true,
        }
        self.pump(id);
    }

    /// Whether there may be messages in this process of which [`next_message`](Self::next_message) has not told.
    pub(in crate::socket) fn has_more(&self) -> bool {
        !self.ready.is_empty() || !self.hungry.is_empty()
    }

    /// Whether some connection has a message, which `judge` takes or drops; those it has dropped are counted. Gives up for
    /// now when there is nothing else but messages to drop.
    pub(in crate::socket) fn next_message<T>(
        &mut self,
        mut judge: impl FnMut(Id, &[u8], &[Vec<u8>]) -> Verdict<T>,
        into: &mut Vec<u8>,
    ) -> Option<T> {
        for _ in 0..UNWANTED {
            let Some(id) = self.ready.pop_front() else {
                if self.hungry.is_empty() {
                    return None;
                }
                self.pump_all(false);
                if self.ready.is_empty() {
                    return None;
                }
                continue;
            };
            let topics = std::mem::take(&mut self.topics);
            let taken = self.take_message(id, &mut judge, &topics, into);
            self.topics = topics;
            if taken.is_some() {
                self.stats.received += 1;
                return taken;
            }
        }
        None
    }

    /// As [`next_message`](Self::next_message), but what `judge` takes stays where it is.
    pub(in crate::socket) fn has_message<T>(
        &mut self,
        mut judge: impl FnMut(Id, &[u8], &[Vec<u8>]) -> Verdict<T>,
    ) -> bool {
        for _ in 0..UNWANTED {
            let Some(id) = self.ready.front().copied() else {
                self.pump_all(false);
                if self.ready.is_empty() {
                    return false;
                }
                continue;
            };
            let topics = std::mem::take(&mut self.topics);
            let message = self.get(id).map(|connection| connection.incoming.message());
            let is_wanted = matches!(message, Some(Ok(Some(message))) if matches!(judge(id, message, &topics), Verdict::Take(..)));
            if !is_wanted {
                self.ready.pop_front();
                self.take_message(id, &mut judge, &topics, &mut Vec::new());
            }
            self.topics = topics;
            if is_wanted {
                return true;
            }
        }
        false
    }

    pub(super) fn take_message<T>(
        &mut self,
        id: Id,
        judge: &mut impl FnMut(Id, &[u8], &[Vec<u8>]) -> Verdict<T>,
        topics: &[Vec<u8>],
        into: &mut Vec<u8>,
    ) -> Option<T> {
        let connection = self.get(id)?;
        connection.is_ready = false;
        let verdict = match connection.incoming.message() {
            Ok(Some(message)) => judge(id, message, topics),
            _ => return None,
        };
        let mut discarded = false;
        let taken = match verdict {
            Verdict::Take(taken, skip) => {
                connection.incoming.take(skip, into);
                Some(taken)
            }
            Verdict::Skip | Verdict::Discard => {
                connection.incoming.drop_message();
                discarded = matches!(verdict, Verdict::Discard);
                None
            }
        };
        let is_whole = matches!(connection.incoming.message(), Ok(Some(_)));
        if is_whole {
            connection.is_ready = true;
            self.ready.push_back(id);
        } else if !connection.is_hungry {
            connection.is_hungry = true;
            self.hungry.push(id);
        }
        self.stats.discarded += u64::from(discarded);
        taken
    }
}
