//! Over a socket, in nng's format: `Push` to `Pull`, or a `Pair`.

use super::settings::{Pattern, Purpose, Settings};
use super::waiting::{Presence, Sight};
use crate::socket::{Options, Pair, Pull, Push, Stats};
use crate::{Address, Deadline, Error, ErrorKind, Result};
use std::sync::Arc;

#[derive(Debug)]
enum Kind {
    Push(Push),
    Pull(Pull),
    Pair(Arc<Pair>),
}

/// Does the same with the socket of whatever pattern.
macro_rules! any {
    ($kind:expr, $socket:ident => $does:expr) => {
        match $kind {
            Kind::Push($socket) => $does,
            Kind::Pull($socket) => $does,
            Kind::Pair($socket) => $does,
        }
    };
}

#[derive(Debug)]
pub(super) struct Socket {
    kind: Kind,
    presence: Presence,
    /// With the port that the system chose.
    address: Option<Address>,
}

impl Socket {
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let mut options = Options::new().access(settings.access);
        if let Some(longest) = settings.max_message {
            options = options.max_message(longest);
        }
        if let Some(linger) = settings.linger {
            options = options.linger(linger);
        }
        let kind = match (settings.pattern, settings.purpose) {
            (Pattern::Pair, _) | (_, Purpose::Both) => Kind::Pair(Arc::new(Pair::with(&options)?)),
            (Pattern::Push, Purpose::Send) => Kind::Push(Push::with(&options)?),
            (Pattern::Push, Purpose::Receive) => Kind::Pull(Pull::with(&options)?),
        };
        let at = &settings.plain;
        let address = match settings.listens() {
            true => Some(any!(&kind, socket => socket.listen(at))?),
            false => {
                any!(&kind, socket => socket.dial(at))?;
                None
            }
        };
        Ok(Socket {
            presence: Presence::new(sight(&any!(&kind, socket => socket.stats()))),
            kind,
            address,
        })
    }

    pub(super) fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    pub(super) fn send(&mut self, message: &[u8], deadline: Deadline) -> Result<()> {
        let kind = &self.kind;
        self.presence.wait(
            deadline,
            |slice| match kind {
                Kind::Push(socket) => socket.send_timeout(message, slice),
                Kind::Pair(socket) => socket.send_timeout(message, slice),
                Kind::Pull(_) => Err(one_way()),
            },
            || sight(&any!(kind, socket => socket.stats())),
        )
    }

    pub(super) fn recv(&mut self, message: &mut Vec<u8>, deadline: Deadline) -> Result<()> {
        let kind = &self.kind;
        self.presence.wait(
            deadline,
            |slice| match kind {
                Kind::Pull(socket) => socket.recv_into(message, slice),
                Kind::Pair(socket) => socket.recv_into(message, slice),
                Kind::Push(_) => Err(one_way()),
            },
            || sight(&any!(kind, socket => socket.stats())),
        )
    }

    pub(super) fn wait_for_peer(&mut self, deadline: Deadline) -> Result<()> {
        any!(&self.kind, socket => socket.wait_for_peers(1, deadline))
    }

    pub(super) fn close(self, deadline: Deadline) -> Result<()> {
        match self.kind {
            Kind::Push(socket) => socket.close_timeout(deadline),
            Kind::Pull(socket) => socket.close_timeout(deadline),
            Kind::Pair(socket) => {
                let drained = socket.drain(deadline);
                // Unless the other half goes on with it.
                match Arc::into_inner(socket) {
                    Some(socket) => socket.close_timeout(deadline),
                    None => drained,
                }
            }
        }
    }

    pub(super) fn split(self) -> Result<(Self, Self)> {
        let Kind::Pair(pair) = self.kind else {
            return Err(one_way());
        };
        let half = || Socket {
            presence: Presence::new(sight(&pair.stats())),
            kind: Kind::Pair(pair.clone()),
            address: self.address.clone(),
        };
        Ok((half(), half()))
    }
}

fn one_way() -> Error {
    Error::new(ErrorKind::Unsupported, "this end is for the other direction")
}

fn sight(stats: &Stats) -> Sight {
    Sight {
        is_there: stats.peers > 0,
        trace: stats.connected,
    }
}
