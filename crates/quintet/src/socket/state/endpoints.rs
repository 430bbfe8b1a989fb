//! Where a socket listens and whom it dials.

use super::State;
use crate::os::socket::{Door, Place, Wire};
use crate::socket::connection::{Phase, Reason};
use crate::socket::place;
use crate::{Address, Error, Result};
use mio::Token;
use std::io;
use std::time::{Duration, Instant};

/// At most so many connections have not said what they are. Who comes then takes the place of the oldest.
const PENDING: usize = 256;

/// How long accepting pauses when there are no descriptors left.
const SHORTAGE: Duration = Duration::from_millis(100);

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection that lasted so long was a good one: the next pause of its dialer is the shortest again.
const GOOD: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Listening {
    pub(super) door: Door,
    address: Address,
    /// Whether somebody may be waiting.
    pub(super) acceptable: bool,
    pub(super) retry: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Dialer {
    place: Place,
    address: Address,
    turn: usize,
    pause: Duration,
    /// When to dial; `None` while there is a connection.
    pub(super) at: Option<Instant>,
}

impl State {
    pub(in crate::socket) fn listen(&mut self, mut door: Door, address: Address) -> Result<()> {
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

    pub(in crate::socket) fn dial(&mut self, place: Place, address: Address) {
        self.dialers.push(Dialer {
            place,
            address,
            turn: 0,
            pause: self.options.reconnect.0,
            at: None,
        });
        self.start_dialing(self.dialers.len() - 1);
    }

    pub(super) fn start_dialing(&mut self, number: usize) {
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

    pub(super) fn dial_failed(&mut self, number: usize, why: &str) {
        let what = format!("{}: cannot connect: {why}", self.dialers[number].address);
        tracing::debug!("{what}");
        self.pause_dialing(number);
        self.stats.dial_failures += 1;
        self.trouble(what);
    }

    /// Makes a connection again that was there since then.
    pub(super) fn dial_again(&mut self, number: usize, since: Instant) {
        if since.elapsed() >= GOOD {
            self.dialers[number].pause = self.options.reconnect.0;
        }
        self.pause_dialing(number);
    }

    fn pause_dialing(&mut self, number: usize) {
        let dialer = &mut self.dialers[number];
        dialer.at = Some(Instant::now() + dialer.pause);
        dialer.pause = (dialer.pause * 2).min(self.options.reconnect.1);
    }

    pub(super) fn accept(&mut self, number: usize) {
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

    pub(super) fn accept_failed(&mut self, number: usize, error: &io::Error) {
        let listening = &mut self.doors[number];
        let what = format!("{}: cannot accept a connection: {error}", listening.address);
        tracing::warn!("{what}");
        listening.retry = Some(Instant::now() + SHORTAGE);
        self.stats.accept_failures += 1;
        self.trouble(what);
    }
}
