//! A socket: its state, its poll, and how threads wait for either.
//!
//! The state is behind one lock, which nobody holds while he waits. One of those who wait waits in the poll and does what
//! it tells for all; the others wait for him. Who ends his wait wakes them, and one of them takes his place.

use super::connection::{Reason, with_rest};
use super::options::Options;
use super::protocol::Protocol;
use super::slots::Id;
use super::state::{State, Verdict, no_peer};
use super::stats::Stats;
use super::watch::Watch;
use super::{place, ticker};
use crate::cleanup::Registration;
use crate::os::socket::{self, CALLS_CAN_WAIT, Door, PATIENCE, Wire};
use crate::wait::{SLICE, Spin};
use crate::{Address, Deadline, Error, ErrorKind, Result};
use mio::{Events, Poll, Waker};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// A longer message is written from where it is, by whoever sends it, and not copied into a queue first.
const LARGE: usize = 64 * 1024;

/// With more peers than that, looking at each of them again and again costs more than a wake-up.
const FEW: usize = 4;

/// How often to look whether the system is done with a socket that ends, and how long it may take after everything was
/// cancelled.
const LOOK: Duration = Duration::from_millis(5);
const FAREWELL: Duration = Duration::from_secs(1);

/// What the poll tells at a time.
const EVENTS: usize = 256;

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    /// Nothing that comes from a peer.
    Nothing,
    /// A message from whomever.
    Anyone,
    /// A message from this one.
    Peer(Id),
}

/// What became of a message that was written from where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// The peer gets it, as far as the system can tell.
    Taken,
    /// Nobody has got it: the peer has gone, or has no room, and another one may.
    Refused,
    /// Nobody has got it, since the system took nothing before the deadline.
    Late,
}

#[derive(Debug)]
struct Driver {
    poll: Poll,
    events: Events,
}

/// What all patterns are made of.
#[derive(Debug)]
pub(super) struct Core {
    state: Mutex<State>,
    driver: Mutex<Driver>,
    changed: Condvar,
    watch: Watch,
    spin: Spin,
    linger: Duration,
    max_message: u64,
}

/// A core, and that its names are taken back when the process ends.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) core: Arc<Core>,
    _registration: Registration,
}

impl Handle {
    pub(super) fn new(protocol: Protocol, options: &Options) -> Result<Self> {
        let (core, registration) = Registration::of(
            || Core::new(protocol, options).map(Arc::new),
            |core: &Core| core.lock().release_names(),
        )?;
        ticker::add(&core)?;
        Ok(Handle {
            core,
            _registration: registration,
        })
    }

    /// Ends the socket; waits for what is to go out as long as it is to linger.
    pub(super) fn close(&self) -> Result<()> {
        self.core.close(Deadline::after(self.core.linger))
    }

    /// As [`close`](Self::close), but waits until a deadline.
    pub(super) fn close_by(&self, deadline: Deadline) -> Result<()> {
        self.core.close(deadline)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!("{error}");
        }
    }
}

impl Core {
    fn new(protocol: Protocol, options: &Options) -> Result<Self> {
        let failed = |error| socket::failed("cannot make a poll", error);
        let poll = Poll::new().map_err(failed)?;
        let registry = poll.registry().try_clone().map_err(failed)?;
        Ok(Core {
            state: Mutex::new(State::new(protocol, options.clone(), registry)),
            driver: Mutex::new(Driver {
                poll,
                events: Events::with_capacity(EVENTS),
            }),
            changed: Condvar::new(),
            watch: Watch::new(),
            spin: Spin::default(),
            linger: options.linger,
            max_message: options.max_message,
        })
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in it is left half done by a panic that could be one of ours.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Endpoints.

    pub(super) fn listen(&self, address: &Address) -> Result<Address> {
        let place = place::of(address, true)?;
        // From before it has a name, which who ends the process takes back by what is known here.
        let mut state = self.lock();
        let door = Door::open(&place, state.options.access).map_err(|error| error.about(address))?;
        let at = place::with_port(address, door.port())?;
        state
            .listen(door, at.clone())
            .map_err(|error| error.about(address))?;
        Ok(at)
    }

    pub(super) fn dial(&self, address: &Address) -> Result<()> {
        let place = place::of(address, false)?;
        place.expect_server().map_err(|error| error.about(address))?;
        self.lock().dial(place, address.clone());
        Ok(())
    }

    pub(super) fn wait_for_peers(&self, count: usize, deadline: Deadline) -> Result<()> {
        let done = self.block(deadline, |state| Ok((state.peers() >= count).then_some(())))?;
        done.ok_or_else(|| {
            let state = self.lock();
            let (peers, why) = (state.peers(), state.why());
            Error::new(
                ErrorKind::TimedOut,
                format!("{peers} of {count} peers were connected before the deadline{why}"),
            )
        })
    }

    pub(super) fn stats(&self) -> Stats {
        self.lock().snapshot()
    }

    pub(super) fn subscribe(&self, topic: Vec<u8>) {
        self.lock().topics.push(topic);
    }

    /// Whether it was there.
    pub(super) fn unsubscribe(&self, topic: &[u8]) -> bool {
        let mut state = self.lock();
        let at = state.topics.iter().position(|known| known == topic);
        at.map(|at| state.topics.swap_remove(at)).is_some()
    }

    // Waiting.

    /// Looks until it finds something, as [`block_with`](Self::block_with), which nothing that comes to this socket is.
    fn block<T>(
        &self,
        deadline: Deadline,
        look: impl FnMut(&mut State) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        self.block_with(deadline, Awaits::Nothing, look)
    }

    /// Looks until it finds something; `None` when the deadline has passed and a last look found nothing.
    pub(super) fn block_with<T>(
        &self,
        deadline: Deadline,
        awaits: Awaits,
        mut look: impl FnMut(&mut State) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let mut state = self.lock();
        if let Some(found) = look(&mut state)? {
            return Ok(Some(found));
        }
        state.flush_dirty();
        let is_reading = awaits != Awaits::Nothing && CALLS_CAN_WAIT;
        if is_reading && (1..=FEW).contains(&state.peers()) && !deadline.has_passed() {
            drop(state);
            let found = self.spin.until(deadline, || {
                let mut state = self.lock();
                state.pump_all(true);
                look(&mut state)
            })?;
            if found.is_some() {
                return Ok(found);
            }
            state = self.lock();
        }
        // For a moment in a call of the system's on the one peer that counts, which is the quickest to return. What else
        // happens the background thread sees to; after that moment it is better done here.
        if is_reading && deadline.remaining().is_none_or(|left| left > 2 * PATIENCE) {
            let which = if let Awaits::Peer(id) = awaits {
                Some(id)
            } else {
                None
            };
            while let Some((id, wire)) = state.await_one(which) {
                drop(state);
                let mut bytes = [0; 4096];
                let read = wire.read_waiting(&mut bytes);
                let has_come = read.is_ok();
                state = self.lock();
                state.awaited(id, read.map(|len| &bytes[..len]));
                self.tell(&mut state);
                if let Some(found) = look(&mut state)? {
                    return Ok(Some(found));
                }
                if !has_come || deadline.has_passed() {
                    break;
                }
            }
        }
        loop {
            let over = deadline.has_passed();
            state = self.wait(state, deadline, awaits);
            if let Some(found) = look(&mut state)? {
                return Ok(Some(found));
            }
            if over {
                return Ok(None);
            }
        }
    }

    /// Waits until something has happened, or for a moment; once the deadline has passed, only takes in what has happened.
    fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        deadline: Deadline,
        awaits: Awaits,
    ) -> MutexGuard<'a, State> {
        let mut time = deadline.slice(4 * SLICE);
        match self.try_driver() {
            Some(mut driver) => {
                if awaits != Awaits::Nothing && state.has_more() {
                    time = Duration::ZERO;
                } else if let Some(next) = state.next_time() {
                    time = time.min(next.saturating_duration_since(Instant::now()));
                }
                drop(state);
                let mut state = self.drive(&mut driver, time);
                self.tell(&mut state);
                // Before the state: who finds the poll taken waits to be told.
                drop(driver);
                state
            }
            None => {
                state.waiters += 1;
                let waited = self.changed.wait_timeout(state, time.min(SLICE));
                let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
                state.waiters -= 1;
                state
            }
        }
    }

    /// Lets the others look, of whom one will wait in the poll.
    fn tell(&self, state: &mut State) {
        if state.waiters > 0 {
            self.changed.notify_all();
        }
        if state.has_more() {
            self.watch.ring();
        }
    }

    // Waiting together with other things.

    /// Whether there is a message that `judge` takes; it stays. Drops those that it does not take.
    pub(super) fn has_message<T>(&self, judge: impl FnMut(Id, &[u8], &[Vec<u8>]) -> Verdict<T>) -> bool {
        // Who else is at the poll tells this thread, which looks again.
        let mut state = match self.try_driver() {
            Some(mut driver) => {
                let mut state = self.drive(&mut driver, Duration::ZERO);
                self.tell(&mut state);
                state
            }
            None => self.lock(),
        };
        let has_message = state.has_message(judge);
        drop(state);
        if !has_message && self.watch.is_watched() {
            ticker::stand_in(self);
        }
        has_message
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Waits in the poll, if nobody else does, for so long, or until it is woken; unless `begin` says that this is not the time.
    /// Whether it has waited.
    pub(super) fn stand_in(&self, time: Duration, begin: impl FnOnce(&Arc<Waker>) -> bool) -> bool {
        let Some(mut driver) = self.try_driver() else {
            return false;
        };
        let waker = self.watch.waker(driver.poll.registry());
        if !waker.is_ok_and(begin) {
            return false;
        }
        let mut state = self.drive(&mut driver, time);
        self.tell(&mut state);
        drop(driver);
        true
    }

    /// The poll, unless another thread is at it. A panic there has left it as it was.
    fn try_driver(&self) -> Option<MutexGuard<'_, Driver>> {
        match self.driver.try_lock() {
            Ok(driver) => Some(driver),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Waits in the poll and does what it tells.
    fn drive(&self, driver: &mut Driver, time: Duration) -> MutexGuard<'_, State> {
        let Driver { poll, events } = driver;
        let polled = socket::poll(poll, events, time);
        let mut state = self.lock();
        take_in(&mut state, polled, events, time);
        state
    }

    /// What the background thread does when nobody is at it. Whether something was written, so that there may soon be more.
    ///
    /// Who has the state is in a call. He is not waited for, as all other sockets would have to wait with us, perhaps for long: who
    /// sends without a pause hardly ever lets go of it.
    pub(super) fn tick(&self) -> bool {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        if let Some(mut driver) = self.try_driver() {
            let Driver { poll, events } = &mut *driver;
            let polled = socket::poll(poll, events, Duration::ZERO);
            take_in(&mut state, polled, events, Duration::ZERO);
            self.tell(&mut state);
        }
        state.flush_dirty();
        mem::take(&mut state.has_written)
    }

    // Sending.

    fn check_len(&self, prefix: &[u8], body: &[u8]) -> Result<()> {
        let len = (prefix.len() + body.len()) as u64;
        if len <= self.max_message {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "a message of {len} bytes is beyond the limit of {}",
                self.max_message
            ),
        )
        .hint("raise max_message on both sides if that is meant"))
    }

    /// Sends to one of the peers, when one has room: which.
    #[inline]
    pub(super) fn send(&self, prefix: &[u8], body: &[u8], deadline: Deadline, urgent: bool) -> Result<Id> {
        self.check_len(prefix, body)?;
        if body.len() >= LARGE {
            return self.send_large(prefix, body, deadline);
        }
        let sent = self.block(deadline, |state| {
            if state.has_backlog() {
                state.send_backlog();
                if state.has_backlog() {
                    return Ok(None);
                }
            }
            let Some(id) = state.pick() else {
                return Ok(None);
            };
            state.stats.sent += 1;
            Ok(Some((id, state.queue(id, prefix, body, urgent))))
        })?;
        let (id, is_left) = sent.ok_or_else(|| no_peer(&self.lock()))?;
        if is_left {
            ticker::soon();
        }
        Ok(id)
    }

    /// As [`send`](Self::send), from where the message is. To the only peer, that takes as long as it takes to read nearly all of it.
    fn send_large(&self, prefix: &[u8], body: &[u8], deadline: Deadline) -> Result<Id> {
        loop {
            let begun = self.block(deadline, |state| {
                state.send_backlog();
                if state.has_backlog() {
                    return Ok(None);
                }
                let Some(id) = state.pick() else {
                    return Ok(None);
                };
                state.flush(id);
                let is_only = state.peers() == 1;
                let Some(connection) = state.hearing(id) else {
                    return Ok(None);
                };
                if connection.outgoing.is_empty() {
                    if !is_only && !connection.writable {
                        return Ok(None);
                    }
                    connection.lent = true;
                    return Ok(Some((id, true)));
                }
                state.stats.sent += 1;
                state.queue(id, prefix, body, true);
                Ok(Some((id, false)))
            })?;
            match begun.ok_or_else(|| no_peer(&self.lock()))? {
                (id, true) => match self.write_through(id, prefix, body, deadline) {
                    Written::Taken => return Ok(id),
                    Written::Refused => {}
                    Written::Late => return Err(no_peer(&self.lock())),
                },
                (id, false) => {
                    ticker::soon();
                    return Ok(id);
                }
            }
        }
    }

    /// Writes a message to a connection that is lent to this thread.
    fn write_through(&self, id: Id, prefix: &[u8], body: &[u8], deadline: Deadline) -> Written {
        let mut written = 0;
        let mut state = self.lock();
        loop {
            // One of several who has stopped reading is not to keep messages from the others: of what it does not take now,
            // nothing is begun, and what was begun waits for it in its queue.
            let is_only = state.peers() == 1;
            let Some(connection) = state.hearing(id) else {
                return Written::Refused;
            };
            let mut wrote = Ok(written);
            if is_only && CALLS_CAN_WAIT && deadline.remaining().is_none_or(|left| left > 2 * PATIENCE) {
                let (wire, framing) = (connection.wire.clone(), connection.outgoing.framing());
                drop(state);
                let now = with_rest(framing, prefix, body, written, |parts| wire.write_waiting(parts));
                state = self.lock();
                wrote = match now {
                    Ok(more) => Ok(written + more),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(written),
                    Err(error) => Err(Reason::Gone(error.to_string())),
                };
            } else if connection.writable {
                wrote = connection.write_past(prefix, body, written);
            }
            let Some(connection) = state.hearing(id) else {
                return Written::Refused;
            };
            match wrote {
                Ok(0) if !is_only => {
                    connection.lent = false;
                    self.tell(&mut state);
                    return Written::Refused;
                }
                Ok(now) => written = now,
                Err(reason) => {
                    connection.lent = false;
                    state.cannot_write(id, &reason);
                    return Written::Refused;
                }
            }
            let is_whole = written == connection.frame_len(prefix, body);
            if is_whole || !is_only || deadline.has_passed() {
                connection.lent = false;
                if written == 0 {
                    self.tell(&mut state);
                    return Written::Late;
                }
                if !is_whole {
                    connection.outgoing.push_rest(prefix, body, written);
                    state.leave_for_later(id);
                    ticker::soon();
                }
                state.stats.sent += 1;
                self.tell(&mut state);
                return Written::Taken;
            }
            if !CALLS_CAN_WAIT || deadline.remaining().is_some_and(|left| left <= 2 * PATIENCE) {
                state = self.wait(state, deadline, Awaits::Nothing);
            }
        }
    }

    /// Sends to one peer, whatever waits for it already. Whether it is there.
    pub(super) fn send_to(&self, id: Id, prefix: &[u8], body: &[u8]) -> Result<bool> {
        self.check_len(prefix, body)?;
        let mut state = self.lock();
        if state.hearing(id).is_none() {
            return Ok(false);
        }
        let is_left = put(&mut state, id, prefix, body, true);
        drop(state);
        if is_left {
            ticker::soon();
        }
        Ok(true)
    }

    /// Sends to all peers that are below their mark.
    pub(super) fn send_to_all(&self, body: &[u8]) -> Result<()> {
        self.check_len(&[], body)?;
        let mut state = self.lock();
        if state.peers() == 0 {
            // Whoever is just coming may be let in: the state is looked at, and nothing is waited for.
            state = self.wait(state, Deadline::now(), Awaits::Nothing);
        }
        let mark = state.options.send_mark;
        let mut is_left = false;
        for at in (0..state.peers()).rev() {
            let Some(id) = state.open().get(at).copied() else {
                continue;
            };
            match state.get(id) {
                Some(connection) if connection.outgoing.len() < mark => {
                    is_left |= put(&mut state, id, &[], body, false);
                }
                Some(_) => state.stats.dropped += 1,
                None => {}
            }
        }
        drop(state);
        if is_left {
            ticker::soon();
        }
        Ok(())
    }

    // The end.

    pub(super) fn drain(&self, deadline: Deadline) -> Result<()> {
        match self.drained(deadline)? {
            Some(()) => Ok(()),
            None => Err(Error::new(
                ErrorKind::TimedOut,
                "not all was taken by the peers in time",
            )),
        }
    }

    fn drained(&self, deadline: Deadline) -> Result<Option<()>> {
        self.block(deadline, |state| Ok(state.is_drained().then_some(())))
    }

    fn close(&self, deadline: Deadline) -> Result<()> {
        let drained = self.drained(deadline);
        let mut lost = self.lock().shut();
        let cut_off = self.settle(deadline);
        if cut_off > 0 {
            self.lock().stats.lost += cut_off;
            lost += cut_off;
        }
        match drained {
            Err(error) => Err(error),
            Ok(_) if lost == 0 => Ok(()),
            Ok(_) => Err(Error::new(
                ErrorKind::TimedOut,
                format!("{lost} messages were not taken by the peers before the end"),
            )
            .hint("set a longer linger if the peers are slow")),
        }
    }

    /// Waits until the system is done with what it does on its own for this socket. (Where it does that.) How many connections
    /// were still being written to, each a message or several that were not taken.
    fn settle(&self, deadline: Deadline) -> u64 {
        let leaving = mem::take(&mut self.lock().leaving);
        if leaving.is_empty() {
            return 0;
        }
        let mut driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        let Driver { poll, events } = &mut *driver;
        let mut poll_while = |deadline: Deadline, is_busy: fn(&Wire) -> bool| {
            while leaving.iter().any(is_busy) && !deadline.has_passed() {
                if socket::poll(poll, events, deadline.slice(LOOK)).is_err() {
                    return;
                }
            }
        };
        poll_while(deadline, Wire::is_writing);
        let cut_off = leaving.iter().filter(|wire| wire.is_writing()).count() as u64;
        leaving.iter().for_each(Wire::cut);
        poll_while(Deadline::after(FAREWELL), |wire| !wire.is_idle());
        cut_off
    }
}

/// Does what a poll of at most that time has told, and what is due.
fn take_in(state: &mut State, polled: std::io::Result<()>, events: &Events, time: Duration) {
    match polled {
        Ok(()) => state.handle(events),
        Err(error) => {
            tracing::error!("cannot poll: {error}");
            std::thread::sleep(time.min(SLICE));
        }
    }
    state.pass_time();
}

/// Adds a message to a connection's queue; a large one past it, as far as there is room. Whether some is left to be written.
fn put(state: &mut State, id: Id, prefix: &[u8], body: &[u8], urgent: bool) -> bool {
    state.stats.sent += 1;
    if body.len() >= LARGE
        && let Some(connection) = state.get(id)
        && connection.outgoing.is_empty()
        && connection.writable
    {
        return match connection.write_past(prefix, body, 0) {
            Ok(written) if written == connection.frame_len(prefix, body) => false,
            Ok(written) => {
                connection.outgoing.push_rest(prefix, body, written);
                state.leave_for_later(id);
                true
            }
            Err(reason) => {
                state.stats.lost += 1;
                state.cannot_write(id, &reason);
                false
            }
        };
    }
    state.queue(id, prefix, body, urgent)
}
