//! Messages on their way out.

use super::State;
use crate::socket::connection::Reason;
use crate::socket::protocol::Protocol;
use crate::socket::slots::Id;
use std::time::{Duration, Instant};

/// So much that waits is written at once.
pub(super) const BATCH: usize = 64 * 1024;

/// A message that follows another within this time is one of a burst, whose messages share a write.
const BURST: Duration = Duration::from_micros(4);

impl State {
    /// Whose turn it is to get a message: the next one that has room with the system, or else below its mark.
    pub(in crate::socket) fn pick(&mut self) -> Option<Id> {
        let (count, mark) = (self.open.len(), self.options.send_mark);
        for only_free in [true, false] {
            for step in 0..count {
                let at = (self.turn + step) % count;
                let id = self.open[at];
                let Some(connection) = self.get(id) else {
                    continue;
                };
                let has_room = connection.outgoing.len() < mark && !connection.lent && !connection.is_deaf;
                if has_room && (connection.writable || !only_free) {
                    self.turn = at + 1;
                    return Some(id);
                }
            }
        }
        None
    }

    /// Adds a message to a connection's queue, and writes it now unless more will follow in no time. Whether some of the
    /// queue is left to be written.
    #[inline]
    pub(in crate::socket) fn queue(&mut self, id: Id, prefix: &[u8], body: &[u8], urgent: bool) -> bool {
        let Some(connection) = self.get(id) else {
            return false;
        };
        connection.outgoing.push(prefix, body);
        let now = Instant::now();
        let is_burst = now.duration_since(connection.last_push) < BURST;
        connection.last_push = now;
        let waiting = connection.outgoing.len();
        let is_due = if connection.writable {
            urgent || !is_burst || waiting >= BATCH
        } else {
            // The system had no room. Tried again whenever a good deal more has come together.
            waiting >= BATCH && waiting % BATCH <= prefix.len() + body.len()
        };
        if is_due {
            self.flush(id);
            let Some(connection) = self.get(id) else {
                return false;
            };
            // The write took its time, which is not to look like a pause of the program's.
            connection.last_push = Instant::now();
            if connection.outgoing.is_empty() {
                return false;
            }
        }
        self.leave_for_later(id);
        true
    }

    /// Puts a connection on the list of those that have something to write.
    pub(in crate::socket) fn leave_for_later(&mut self, id: Id) {
        if let Some(connection) = self.get(id)
            && !connection.is_dirty
        {
            connection.is_dirty = true;
            self.dirty.push(id);
        }
    }

    /// Writes what waits for a peer, as far as there is room. Whether some went out.
    pub(in crate::socket) fn flush(&mut self, id: Id) -> bool {
        let mark = self.options.send_mark;
        let Some(connection) = self.get(id) else {
            return false;
        };
        let was_full = connection.outgoing.len() >= mark;
        match connection.flush() {
            Ok(progress) => {
                let is_full = connection.outgoing.len() >= mark;
                if was_full && !is_full {
                    self.pump(id);
                }
                if !self.backlog.is_empty() {
                    self.send_backlog();
                }
                progress
            }
            Err(reason) => {
                self.cannot_write(id, &reason);
                false
            }
        }
    }

    /// Writes what was left for later.
    pub(in crate::socket) fn flush_dirty(&mut self) {
        while let Some(id) = self.dirty.pop() {
            if let Some(connection) = self.get(id) {
                connection.is_dirty = false;
                if connection.writable && !connection.lent {
                    self.has_written |= self.flush(id);
                }
            }
        }
    }

    /// Nothing more can be written to a peer, which may have sent something before it went.
    pub(in crate::socket) fn cannot_write(&mut self, id: Id, reason: &Reason) {
        if !self.protocol.receives() {
            return self.close(id, reason);
        }
        if let Some(connection) = self.get(id) {
            connection.is_deaf = true;
            connection.writable = false;
            connection.readable = true;
            connection.hung_up = true;
            // If it is there still, as when the system was short of memory for the write, it is to know, and to come again.
            connection.ends_when_empty = !connection.wire.end_writing();
            self.keep_unsent(id);
            self.pump(id);
            self.send_backlog();
        }
    }

    /// What becomes of what had not gone out depends on the pattern.
    pub(super) fn keep_unsent(&mut self, id: Id) {
        let keeps = matches!(self.protocol, Protocol::Push | Protocol::Pair0 | Protocol::Pair1);
        let Some(connection) = self.get(id) else {
            return;
        };
        let unsent: Vec<Vec<u8>> = connection.outgoing.unsent().map(<[u8]>::to_vec).collect();
        connection.outgoing.clear();
        if keeps {
            self.backlog.extend(unsent);
        } else {
            self.stats.lost += unsent.len() as u64;
        }
    }

    /// Hands the messages of broken connections to those that stand.
    pub(in crate::socket) fn send_backlog(&mut self) {
        // What is queued may be flushed, or a connection be closed, and both come here: as deep as there are messages.
        if std::mem::replace(&mut self.is_handing_on, true) {
            return;
        }
        while !self.backlog.is_empty()
            && let Some(id) = self.pick()
        {
            let Some(message) = self.backlog.pop_front() else {
                break;
            };
            self.queue(id, &[], &message, false);
        }
        self.is_handing_on = false;
    }

    pub(in crate::socket) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Messages that wait in this process.
    pub(in crate::socket) fn waiting(&mut self) -> u64 {
        let mut waiting = self.backlog.len() as u64;
        for at in 0..self.open.len() {
            if let Some(connection) = self.get(self.open[at]) {
                waiting += connection.outgoing.unsent().count() as u64;
            }
        }
        waiting
    }

    pub(in crate::socket) fn is_drained(&mut self) -> bool {
        self.backlog.is_empty()
            && (0..self.open.len()).all(|at| {
                let id = self.open[at];
                self.get(id)
                    .is_none_or(|connection| connection.outgoing.is_empty() && !connection.lent)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::socket::{Door, Place, poll};
    use crate::socket::options::Options;
    use mio::{Events, Poll};
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::thread;

    /// However many wait for a peer, they are handed over one after the other, and not one inside the other: on a stack that
    /// is far too small for that.
    #[test]
    fn a_backlog_of_any_length_is_handed_over_on_a_small_stack() {
        const STACK: usize = 128 * 1024;
        const MESSAGES: usize = 800;
        let handing_over = || {
            let mut poller = Poll::new().unwrap();
            let registry = poller.registry().try_clone().unwrap();
            // Each goes to the system at once, and none waits for room.
            let options = Options::new().send_mark(usize::MAX);
            let mut state = State::new(Protocol::Push, options, registry);
            let place = Place::tcp("127.0.0.1", 0).unwrap();
            let door = Door::open(&place, crate::os::types::Access::Everyone).unwrap();
            let at = ("127.0.0.1", door.port().unwrap());
            let address = "tcp://127.0.0.1:0".parse().unwrap();
            state.listen(door, address).unwrap();
            state.backlog.extend((0..MESSAGES).map(|_| vec![7; BATCH]));

            let mut peer = TcpStream::connect(at).unwrap();
            peer.write_all(&Protocol::Pull.handshake()).unwrap();
            let reader = thread::spawn(move || {
                let mut all = vec![0; Protocol::Push.handshake().len() + MESSAGES * (8 + BATCH)];
                peer.read_exact(&mut all)
            });
            let mut events = Events::with_capacity(16);
            while state.peers() == 0 || !state.is_drained() {
                poll(&mut poller, &mut events, Duration::from_millis(50)).unwrap();
                state.handle(&events);
            }
            reader.join().unwrap().unwrap();
        };
        let thread = thread::Builder::new().stack_size(STACK).spawn(handing_over);
        thread.unwrap().join().unwrap();
    }
}
