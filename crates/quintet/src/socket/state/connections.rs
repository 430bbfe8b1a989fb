//! The life of a connection: made, greeted, let in, at its end.

use super::State;
use crate::socket::connection::{Phase, Reason};
use crate::socket::protocol::Protocol;
use crate::socket::slots::Id;
use mio::{Events, Token};
use std::time::Instant;

impl State {
    /// What the poll has told.
    pub(in crate::socket) fn handle(&mut self, events: &Events) {
        for event in events {
            let Token(token) = event.token();
            if let Some(number) = Some(usize::MAX - token).filter(|number| *number < self.doors.len()) {
                self.doors[number].acceptable = true;
                self.accept(number);
                continue;
            }
            let Some(id) = self.connections.told(event.token()) else {
                continue;
            };
            let Some(connection) = self.get(id) else {
                continue;
            };
            let failed = event.is_error();
            connection.readable |= event.is_readable() || event.is_read_closed() || failed;
            connection.writable |= event.is_writable() || event.is_write_closed() || failed;
            connection.hung_up |= event.is_read_closed() || failed;
            self.advance(id);
        }
    }

    /// Does what can be done for a connection now.
    pub(in crate::socket) fn advance(&mut self, id: Id) {
        let Some(connection) = self.get(id) else {
            return;
        };
        match connection.phase {
            Phase::Connecting { .. } if connection.writable => match connection.wire.is_connected() {
                Ok(true) => self.greet(id),
                Ok(false) => {}
                Err(error) => self.close(id, &Reason::Gone(error.to_string())),
            },
            Phase::Connecting { .. } => {}
            Phase::Handshake { .. } => self.hear(id),
            Phase::Open => {
                if connection.writable && !connection.outgoing.is_empty() && !connection.lent {
                    self.has_written |= self.flush(id);
                }
                self.pump(id);
            }
        }
    }

    /// Who dials says first what he is.
    pub(super) fn greet(&mut self, id: Id) {
        let until = Instant::now() + self.options.handshake;
        let protocol = self.protocol;
        let Some(connection) = self.get(id) else {
            return;
        };
        connection.begin_to_hear(until);
        match connection.say_hello(protocol) {
            Ok(()) => self.hear(id),
            Err(reason) => self.close(id, &reason),
        }
    }

    /// Who listens says it when he has heard that, and lets the other in: so nobody sends a message to who sends him away.
    pub(super) fn receive(&mut self, id: Id, until: Instant) {
        if let Some(connection) = self.get(id) {
            connection.begin_to_hear(until);
            self.hear(id);
        }
    }

    pub(super) fn hear(&mut self, id: Id) {
        let protocol = self.protocol;
        let Some(connection) = self.get(id) else {
            return;
        };
        let is_let_in = connection.dialer.is_none();
        match connection.hear_hello(protocol) {
            Ok(false) => {}
            Err(reason) => {
                if is_let_in && matches!(reason, Reason::Refused(_)) {
                    // It is to know with whom it has got mixed up.
                    let _ = connection.say_hello(protocol);
                }
                self.close(id, &reason);
            }
            Ok(true) => match self.let_in(id, is_let_in) {
                Ok(()) => {
                    self.send_backlog();
                    self.pump(id);
                }
                Err(reason) => self.close(id, &reason),
            },
        }
    }

    /// Makes one that has said what it is a peer, and tells it so if it is the one that came.
    fn let_in(&mut self, id: Id, is_let_in: bool) -> Result<(), Reason> {
        let protocol = self.protocol;
        if matches!(protocol, Protocol::Pair0 | Protocol::Pair1) && !self.open.is_empty() {
            return Err(Reason::Refused("this pair has its peer already".into()));
        }
        if is_let_in && self.let_in >= self.options.max_peers {
            return Err(Reason::Refused("there are as many peers as may be let in".into()));
        }
        let Some(connection) = self.get(id) else {
            return Ok(());
        };
        if is_let_in {
            connection.say_hello(protocol)?;
        }
        tracing::debug!(peer = connection.wire.peer(), "connected");
        self.let_in += usize::from(is_let_in);
        self.pending.retain(|other| *other != id);
        self.open.push(id);
        self.stats.connected += 1;
        Ok(())
    }

    /// Ends a connection.
    pub(in crate::socket) fn close(&mut self, id: Id, reason: &Reason) {
        self.keep_unsent(id);
        let Some(connection) = self.connections.remove(id) else {
            return;
        };
        // Who was let in and breaks the format: what is still being written to him would keep a pipe of Windows open.
        let is_sent_away = connection.is_open() && matches!(reason, Reason::Refused(_));
        if connection.lent || connection.is_awaited || is_sent_away {
            connection.wire.cut();
        }
        let peer = connection.wire.peer();
        let was_open = connection.is_open() && self.open.contains(&id);
        if was_open {
            self.open.retain(|other| *other != id);
            self.let_in -= usize::from(connection.dialer.is_none());
            self.stats.disconnected += 1;
            self.stats.broken += u64::from(connection.incoming.is_in_the_middle());
        } else {
            self.pending.retain(|other| *other != id);
        }
        match reason {
            Reason::Refused(why) => {
                self.stats.refused += 1;
                tracing::warn!(peer, "connection closed: {why}");
                self.trouble(format!("{peer} was disconnected: {why}"));
            }
            Reason::Gone(why) => tracing::debug!(peer, "disconnected: {why}"),
        }
        if let Some(number) = connection.dialer {
            if !was_open {
                let (Reason::Gone(why) | Reason::Refused(why)) = reason;
                return self.dial_failed(number, why);
            }
            self.dial_again(number, connection.since);
        }
        self.send_backlog();
    }
}
