//! All that a socket knows, changed by whoever has locked it: who is connected, what came, what waits to go out. Nothing
//! here waits.

mod connections;
mod endpoints;
mod sending;
mod taking;

pub(super) use taking::Verdict;

use super::connection::{Connection, Phase, Reason};
use super::framing::Framing;
use super::options::Options;
use super::protocol::Protocol;
use super::slots::{Id, Slots};
use super::stats::Stats;
use crate::os::socket::Wire;
use crate::{Error, ErrorKind};
use endpoints::{Dialer, Listening};
use mio::Registry;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Instant;

#[derive(Debug)]
pub(super) struct State {
    pub(super) protocol: Protocol,
    pub(super) options: Options,
    registry: Registry,
    doors: Vec<Listening>,
    dialers: Vec<Dialer>,
    connections: Slots<Connection>,
    pending: VecDeque<Id>,
    /// Those whose handshake is done, in the order of their turns.
    open: Vec<Id>,
    /// How many of them came by themselves.
    let_in: usize,
    turn: usize,
    /// Those that have a message; those that may have one in the system's buffer; those that have something to write.
    ready: VecDeque<Id>,
    hungry: Vec<Id>,
    dirty: Vec<Id>,
    /// Messages of a connection that broke, for the next one.
    backlog: VecDeque<Vec<u8>>,
    /// Whether somebody down the stack does that.
    is_handing_on: bool,
    pub(super) stats: Stats,
    /// What a subscriber wants to hear.
    pub(super) topics: Vec<Vec<u8>>,
    pub(super) waiters: usize,
    /// What the system is still at, of a socket that has ended.
    pub(super) leaving: Vec<Wire>,
    /// Whether something was written since the background thread last looked.
    pub(super) has_written: bool,
}

impl State {
    pub(super) fn new(protocol: Protocol, options: Options, registry: Registry) -> Self {
        State {
            protocol,
            options,
            registry,
            doors: Vec::new(),
            dialers: Vec::new(),
            connections: Slots::new(),
            pending: VecDeque::new(),
            open: Vec::new(),
            let_in: 0,
            turn: 0,
            ready: VecDeque::new(),
            hungry: Vec::new(),
            dirty: Vec::new(),
            backlog: VecDeque::new(),
            is_handing_on: false,
            stats: Stats::default(),
            topics: Vec::new(),
            waiters: 0,
            leaving: Vec::new(),
            has_written: false,
        }
    }

    // Who is there.

    #[inline]
    pub(super) fn get(&mut self, id: Id) -> Option<&mut Connection> {
        self.connections.get(id)
    }

    /// As [`get`](Self::get), if it can be sent to.
    pub(super) fn hearing(&mut self, id: Id) -> Option<&mut Connection> {
        self.get(id).filter(|connection| !connection.is_deaf)
    }

    fn insert(&mut self, mut wire: Wire, phase: Phase, framing: Framing) -> io::Result<Id> {
        let id = self.connections.insert(|token| {
            // It is not taken off the poll again: that it is closed, when nobody uses it any more, does that.
            wire.register(&self.registry, token)?;
            let max = self.options.max_message;
            Ok(Connection::new(wire, phase, framing, max, Instant::now()))
        })?;
        self.pending.push_back(id);
        Ok(id)
    }

    pub(super) fn peers(&self) -> usize {
        self.open.len()
    }

    pub(super) fn open(&self) -> &[Id] {
        &self.open
    }

    pub(super) fn snapshot(&self) -> Stats {
        Stats {
            peers: self.open.len(),
            pending: self.pending.len(),
            ..self.stats.clone()
        }
    }

    /// What went wrong last, for the end of an error's text.
    pub(super) fn why(&self) -> String {
        let trouble = self.stats.last_trouble.as_deref();
        trouble.map_or_else(String::new, |trouble| format!(" (last: {trouble})"))
    }

    fn trouble(&mut self, what: String) {
        self.stats.last_trouble = Some(what);
    }

    // Time.

    /// Does what is due: accepts again, dials again, gives up on who says nothing.
    pub(super) fn pass_time(&mut self) {
        let now = Instant::now();
        for number in 0..self.doors.len() {
            if self.doors[number].retry.is_some_and(|at| at <= now) {
                self.accept(number);
            }
        }
        for number in 0..self.dialers.len() {
            if self.dialers[number].at.is_some_and(|at| at <= now) {
                self.start_dialing(number);
            }
        }
        for at in (0..self.pending.len()).rev() {
            let Some(id) = self.pending.get(at).copied() else {
                continue;
            };
            let Some(connection) = self.get(id) else {
                continue;
            };
            match connection.phase {
                Phase::Connecting { until } if until <= now => {
                    self.close(id, &Reason::Gone("it took too long".into()));
                }
                Phase::Handshake { until, .. } if until <= now => {
                    self.close(id, &Reason::Refused("it did not say in time what it is".into()));
                }
                _ => {}
            }
        }
    }

    /// When something will be due.
    pub(super) fn next_time(&mut self) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let mut note = |at: Instant| next = Some(next.map_or(at, |next| next.min(at)));
        self.doors
            .iter()
            .filter_map(|door| door.retry)
            .for_each(&mut note);
        self.dialers
            .iter()
            .filter_map(|dialer| dialer.at)
            .for_each(&mut note);
        for at in 0..self.pending.len() {
            if let Some(connection) = self.get(self.pending[at]) {
                match connection.phase {
                    Phase::Connecting { until } | Phase::Handshake { until, .. } => note(until),
                    Phase::Open => {}
                }
            }
        }
        next
    }

    // The end.

    /// Closes everything: how many messages did not get out.
    pub(super) fn shut(&mut self) -> u64 {
        let lost = self.waiting();
        self.stats.lost += lost;
        self.backlog.clear();
        for listening in self.doors.drain(..) {
            self.leaving.extend(listening.door.deregister(&self.registry));
        }
        for connection in self.connections.remove_all() {
            connection.wire.end_writing();
            // What is read here is not wanted any more; unread, it would make the system withdraw what was sent.
            // A peer that sends faster than that is not waited for.
            for _ in 0..256 {
                if !matches!(connection.wire.read(&mut [0; 4096]), Ok(1..)) {
                    break;
                }
            }
            self.leaving
                .extend(Arc::into_inner(connection.wire).and_then(|wire| wire.retire(&self.registry)));
        }
        self.open.clear();
        self.pending.clear();
        self.dialers.clear();
        lost
    }

    /// Lets nobody find it any more.
    pub(super) fn release_names(&self) {
        for listening in &self.doors {
            listening.door.release_name();
        }
    }
}

/// The error of a socket that has no peer to send to, or none that has room, in time.
pub(super) fn no_peer(state: &State) -> Error {
    if state.peers() > 0 {
        return Error::new(
            ErrorKind::TimedOut,
            "no peer had room for the message before the deadline",
        );
    }
    Error::new(
        ErrorKind::TimedOut,
        format!("no peer was connected before the deadline{}", state.why()),
    )
}
