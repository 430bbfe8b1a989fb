//! All that a socket knows, changed by whoever has locked it: who is connected, what came, what waits to go out. Nothing
//! here waits.

use super::connection::{Connection, Phase, Read, Reason};
use super::framing::Framing;
use super::options::Options;
use super::place;
use super::protocol::Protocol;
use super::slots::{Id, Slots};
use super::stats::Stats;
use crate::os::socket::{Door, Place, Wire};
use crate::{Address, Error, ErrorKind, Result};
use mio::{Events, Registry, Token};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So much that waits is written at once.
pub(super) const BATCH: usize = 64 * 1024;

/// A message that follows another within this time is one of a burst, whose messages share a write.
const BURST: Duration = Duration::from_micros(4);

/// At most so many connections have not said what they are. Who comes then takes the place of the oldest.
const PENDING: usize = 256;

/// How long accepting pauses when there are no descriptors left.
const SHORTAGE: Duration = Duration::from_millis(100);

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection that lasted so long was a good one: the next pause of its dialer is the shortest again.
const GOOD: Duration = Duration::from_secs(1);

/// So many messages that nobody wants are dropped before it is time to look at the clock.
const UNWANTED: u32 = 1000;

#[derive(Debug)]
struct Listening {
    door: Door,
    address: Address,
    /// Whether somebody may be waiting.
    acceptable: bool,
    retry: Option<Instant>,
}

#[derive(Debug)]
struct Dialer {
    place: Place,
    address: Address,
    turn: usize,
    pause: Duration,
    /// When to dial; `None` while there is a connection.
    at: Option<Instant>,
}

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

    fn trouble(&mut self, what: String) {
        self.stats.last_trouble = Some(what);
    }

    // Endpoints.

    pub(super) fn listen(&mut self, mut door: Door, address: Address) -> Result<()> {
        let token = Token(usize::MAX - self.doors.len());
        door.register(&self.registry, token)
            .map_err(|error| Error::os("cannot watch the socket", error))?;
        self.doors.push(Listening {
            door,
            address,
            acceptable: true,
            retry: None,
        });
        // Somebody may have come before it was watched; and a pipe waits for nobody before it is asked.
        self.accept(self.doors.len() - 1);
        Ok(())
    }

    pub(super) fn dial(&mut self, place: Place, address: Address) {
        self.dialers.push(Dialer {
            place,
            address,
            turn: 0,
            pause: self.options.reconnect.0,
            at: None,
        });
        self.start_dialing(self.dialers.len() - 1);
    }

    fn start_dialing(&mut self, number: usize) {
        let dialer = &mut self.dialers[number];
        dialer.at = None;
        let is_local = dialer.place.is_local();
        let begun = Wire::connect(&dialer.place, dialer.turn, self.options.access);
        dialer.turn += 1;
        if begun.as_ref().is_err_and(Wire::is_busy) {
            // Somebody is there.
            dialer.pause = self.options.reconnect.0;
        }
        let until = Instant::now() + CONNECT;
        let begun =
            begun.and_then(|wire| self.insert(wire, Phase::Connecting { until }, place::framing(is_local)));
        match begun {
            Ok(id) => {
                if let Some(connection) = self.get(id) {
                    connection.dialer = Some(number);
                    // The poll says when it is connected, or not.
                    connection.writable = false;
                }
                // It may be already.
                if is_local {
                    if let Some(connection) = self.get(id) {
                        connection.writable = true;
                    }
                    self.advance(id);
                }
            }
            Err(error) => self.dial_failed(number, &error.to_string()),
        }
    }

    fn dial_failed(&mut self, number: usize, why: &str) {
        let dialer = &mut self.dialers[number];
        let what = format!("{}: cannot connect: {why}", dialer.address);
        tracing::debug!("{what}");
        dialer.at = Some(Instant::now() + dialer.pause);
        dialer.pause = (dialer.pause * 2).min(self.options.reconnect.1);
        self.stats.dial_failures += 1;
        self.trouble(what);
    }

    fn accept(&mut self, number: usize) {
        while let Some(listening) = self.doors.get_mut(number)
            && listening.acceptable
        {
            listening.retry = None;
            let is_local = listening.door.is_local();
            match listening.door.accept() {
                Ok(Some(wire)) => {
                    if self.pending.len() >= PENDING
                        && let Some(oldest) = self.pending.front().copied()
                    {
                        self.close(
                            oldest,
                            &Reason::Refused("too many others came before it said what it is".into()),
                        );
                    }
                    let until = Instant::now() + self.options.handshake;
                    let phase = Phase::Connecting { until };
                    match self.insert(wire, phase, place::framing(is_local)) {
                        Ok(id) => self.receive(id, until),
                        Err(error) => self.accept_failed(number, &error),
                    }
                }
                Ok(None) => {
                    self.stats.refused += 1;
                    self.trouble("a process of another user was sent away".into());
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => listening.acceptable = false,
                    // Its client has gone before we looked.
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset => {}
                    _ => return self.accept_failed(number, &error),
                },
            }
        }
    }

    fn accept_failed(&mut self, number: usize, error: &io::Error) {
        let listening = &mut self.doors[number];
        let what = format!("{}: cannot accept a connection: {error}", listening.address);
        tracing::warn!("{what}");
        listening.retry = Some(Instant::now() + SHORTAGE);
        self.stats.accept_failures += 1;
        self.trouble(what);
    }

    // The life of a connection.

    /// What the poll has told.
    pub(super) fn handle(&mut self, events: &Events) {
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
    pub(super) fn advance(&mut self, id: Id) {
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
    fn greet(&mut self, id: Id) {
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
    fn receive(&mut self, id: Id, until: Instant) {
        if let Some(connection) = self.get(id) {
            connection.begin_to_hear(until);
            self.hear(id);
        }
    }

    fn hear(&mut self, id: Id) {
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
            Ok(true) => {
                if matches!(protocol, Protocol::Pair0 | Protocol::Pair1) && !self.open.is_empty() {
                    return self.close(id, &Reason::Refused("this pair has its peer already".into()));
                }
                if is_let_in && self.let_in >= self.options.max_peers {
                    return self.close(
                        id,
                        &Reason::Refused("there are as many peers as may be let in".into()),
                    );
                }
                if is_let_in
                    && let Some(connection) = self.get(id)
                    && let Err(reason) = connection.say_hello(protocol)
                {
                    return self.close(id, &reason);
                }
                self.let_in += usize::from(is_let_in);
                self.pending.retain(|other| *other != id);
                self.open.push(id);
                self.stats.connected += 1;
                tracing::debug!(
                    peer = self.get(id).map(|connection| connection.wire.peer()),
                    "connected"
                );
                self.send_backlog();
                self.pump(id);
            }
        }
    }

    /// Reads what came on a connection, until there is one message.
    pub(super) fn pump(&mut self, id: Id) {
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

    /// Lends a connection of which nothing is there to a thread that will wait for it in a call of the system's; the only
    /// one unless it is said which.
    pub(super) fn await_one(&mut self, which: Option<Id>) -> Option<(Id, Arc<Wire>)> {
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
    pub(super) fn awaited(&mut self, id: Id, read: io::Result<&[u8]>) {
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

    /// Reads what came on all connections that may have something; of few, even where the poll did not tell.
    pub(super) fn pump_all(&mut self, anyway: bool) {
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

    /// Writes what waits for a peer, as far as there is room. Whether some went out.
    pub(super) fn flush(&mut self, id: Id) -> bool {
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

    /// Nothing more can be written to a peer, which may have sent something before it went.
    pub(super) fn cannot_write(&mut self, id: Id, reason: &Reason) {
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
    fn keep_unsent(&mut self, id: Id) {
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

    /// Writes what was left for later.
    pub(super) fn flush_dirty(&mut self) {
        while let Some(id) = self.dirty.pop() {
            if let Some(connection) = self.get(id) {
                connection.is_dirty = false;
                if connection.writable && !connection.lent {
                    self.has_written |= self.flush(id);
                }
            }
        }
    }

    /// Ends a connection.
    pub(super) fn close(&mut self, id: Id, reason: &Reason) {
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
            let first = self.options.reconnect.0;
            let most = self.options.reconnect.1;
            let dialer = &mut self.dialers[number];
            if connection.since.elapsed() >= GOOD {
                dialer.pause = first;
            }
            dialer.at = Some(Instant::now() + dialer.pause);
            dialer.pause = (dialer.pause * 2).min(most);
        }
        self.send_backlog();
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

    // Messages out.

    /// Whose turn it is to get a message: the next one that has room with the system, or else below its mark.
    pub(super) fn pick(&mut self) -> Option<Id> {
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
    pub(super) fn queue(&mut self, id: Id, prefix: &[u8], body: &[u8], urgent: bool) -> bool {
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
    pub(super) fn leave_for_later(&mut self, id: Id) {
        if let Some(connection) = self.get(id)
            && !connection.is_dirty
        {
            connection.is_dirty = true;
            self.dirty.push(id);
        }
    }

    /// Hands the messages of broken connections to those that stand.
    pub(super) fn send_backlog(&mut self) {
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

    pub(super) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Messages that wait in this process.
    pub(super) fn waiting(&mut self) -> u64 {
        let mut waiting = self.backlog.len() as u64;
        for at in 0..self.open.len() {
            if let Some(connection) = self.get(self.open[at]) {
                waiting += connection.outgoing.unsent().count() as u64;
            }
        }
        waiting
    }

    pub(super) fn is_drained(&mut self) -> bool {
        self.backlog.is_empty()
            && (0..self.open.len()).all(|at| {
                let id = self.open[at];
                self.get(id)
                    .is_none_or(|connection| connection.outgoing.is_empty() && !connection.lent)
            })
    }

    // Messages in.

    /// Whether there may be messages in this process of which [`next_message`](Self::next_message) has not told.
    pub(super) fn has_more(&self) -> bool {
        !self.ready.is_empty() || !self.hungry.is_empty()
    }

    /// Whether some connection has a message, which `judge` takes or drops; those it has dropped are counted. Gives up for
    /// now when there is nothing else but messages to drop.
    pub(super) fn next_message<T>(
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
    pub(super) fn has_message<T>(
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

    fn take_message<T>(
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

/// What to do with a message.
#[derive(Debug)]
pub(super) enum Verdict<T> {
    /// Take it, without so many of its first bytes.
    Take(T, usize),
    /// It is not for us, as is usual: a topic that nobody asked for.
    Skip,
    /// It is of no use.
    Discard,
}

/// The error of a socket that has no peer to send to, or none that has room, in time.
pub(super) fn no_peer(state: &State) -> Error {
    if state.peers() > 0 {
        return Error::new(
            ErrorKind::TimedOut,
            "no peer had room for the message before the deadline",
        );
    }
    let trouble = state.stats.last_trouble.as_deref();
    let why = trouble.map_or_else(String::new, |trouble| format!(" (last: {trouble})"));
    Error::new(
        ErrorKind::TimedOut,
        format!("no peer was connected before the deadline{why}"),
    )
}
