use super::framing::Framing;
use super::incoming::{Fault, Incoming, Space};
use super::outgoing::Outgoing;
use super::protocol::{HANDSHAKE, Protocol};
use crate::os::socket::{SHORT_READ_EMPTIES, Wire};
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Instant;

/// How far a connection is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    Connecting {
        until: Instant,
    },
    Handshake {
        said: [u8; HANDSHAKE],
        len: usize,
        until: Instant,
    },
    Open,
}

/// What reading came to.
#[derive(Debug)]
pub(super) enum Read {
    /// There is a message.
    Message,
    /// There is no more for now.
    Nothing,
    /// It has ended, or is to.
    End,
}

/// Why a connection has to be closed.
#[derive(Debug)]
pub(super) enum Reason {
    /// The other side has closed it, or the system says that it is gone.
    Gone(String),
    /// The other side does what it must not.
    Refused(String),
}

/// One peer, or who may become one.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) wire: Arc<Wire>,
    pub(super) phase: Phase,
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
    /// Whether there may be something to read, and room to write. The poll says when; a call that would block, when not.
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// Whether the poll has said that the peer sends nothing more: it will not say so again.
    pub(super) hung_up: bool,
    /// Whether nothing can be written to it any more.
    pub(super) is_deaf: bool,
    /// Whether it is to end when all that has come is read, since the other side cannot be told that it is deaf.
    pub(super) ends_when_empty: bool,
    /// Whether it is on the list of those that have a message, of those that may, of those that have something to write.
    pub(super) is_ready: bool,
    pub(super) is_hungry: bool,
    pub(super) is_dirty: bool,
    /// Whether a thread is in the middle of writing a message to it.
    pub(super) lent: bool,
    /// Whether a thread waits in a call of the system's for something to read, which nobody else may read then.
    pub(super) is_awaited: bool,
    /// Who dialed it.
    pub(super) dialer: Option<usize>,
    pub(super) since: Instant,
    pub(super) last_push: Instant,
}

impl Connection {
    pub(super) fn new(wire: Wire, phase: Phase, framing: Framing, max: u64, now: Instant) -> Self {
        Connection {
            wire: Arc::new(wire),
            phase,
            incoming: Incoming::new(framing, max),
            outgoing: Outgoing::new(framing),
            readable: true,
            writable: true,
            hung_up: false,
            is_deaf: false,
            ends_when_empty: false,
            is_ready: false,
            is_hungry: false,
            is_dirty: false,
            lent: false,
            is_awaited: false,
            dialer: None,
            since: now,
            last_push: now,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// From now on it has so long to say what it is.
    pub(super) fn begin_to_hear(&mut self, until: Instant) {
        self.phase = Phase::Handshake {
            said: [0; HANDSHAKE],
            len: 0,
            until,
        };
    }

    /// Says which pattern this is. Nothing was written before, so there is room.
    pub(super) fn say_hello(&mut self, protocol: Protocol) -> Result<(), Reason> {
        match self.wire.write(&[IoSlice::new(&protocol.handshake())]) {
            Ok(HANDSHAKE) => Ok(()),
            Ok(_) => Err(Reason::Gone("it takes no handshake".into())),
            Err(error) => Err(Reason::Gone(format!("it takes no handshake: {error}"))),
        }
    }

    /// Reads what the other side says first. Whether it has said all.
    pub(super) fn hear_hello(&mut self, protocol: Protocol) -> Result<bool, Reason> {
        let Phase::Handshake { said, len, .. } = &mut self.phase else {
            return Ok(true);
        };
        while self.readable && *len < HANDSHAKE {
            match self.wire.read(&mut said[*len..]) {
                Ok(0) => return Err(Reason::Gone("it closed before its handshake".into())),
                Ok(got) => *len += got,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(error) => return Err(Reason::Gone(error.to_string())),
            }
        }
        if *len < HANDSHAKE {
            return Ok(false);
        }
        protocol.check(said).map_err(Reason::Refused)?;
        self.phase = Phase::Open;
        Ok(true)
    }

    /// Reads until there is a message, or nothing more.
    pub(super) fn read(&mut self) -> Result<Read, Reason> {
        loop {
            match self.incoming.message() {
                Ok(Some(_)) => return Ok(Read::Message),
                Ok(None) => {}
                Err(Fault::NotAMessage(byte)) => {
                    return Err(Reason::Refused(format!(
                        "it sent a message of unknown type {byte}"
                    )));
                }
                Err(Fault::TooLong(len)) => {
                    return Err(Reason::Refused(format!(
                        "it announced a message of {len} bytes, beyond the limit"
                    )));
                }
            }
            if !self.readable {
                return Ok(if self.ends_when_empty {
                    Read::End
                } else {
                    Read::Nothing
                });
            }
            let (room, got) = match self.incoming.space() {
                Space::Buffer(buffer) => (buffer.len(), self.wire.read(buffer)),
                Space::Long(body, most) => (most, self.wire.append_to(body, most)),
            };
            match got {
                Ok(0) => return Ok(Read::End),
                Ok(got) => {
                    self.incoming.filled(got);
                    if SHORT_READ_EMPTIES && got < room && !self.hung_up {
                        self.readable = false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(error) => return Err(Reason::Gone(error.to_string())),
            }
        }
    }

    /// Writes what waits, as far as there is room. Whether some went out.
    pub(super) fn flush(&mut self) -> Result<bool, Reason> {
        let mut progress = false;
        while !self.outgoing.is_empty() {
            match self.wire.write(&[IoSlice::new(self.outgoing.waiting())]) {
                Ok(wrote) => {
                    progress |= wrote > 0;
                    self.outgoing.wrote(wrote);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writable = false;
                    break;
                }
                Err(error) => return Err(Reason::Gone(error.to_string())),
            }
        }
        Ok(progress)
    }

    /// How long the frame of a message is.
    pub(super) fn frame_len(&self, prefix: &[u8], body: &[u8]) -> usize {
        self.outgoing.framing().header() + prefix.len() + body.len()
    }

    /// Writes a message's frame from byte `written` on, past the empty queue, as far as there is room: how much of it is
    /// with the system then.
    pub(super) fn write_past(
        &mut self,
        prefix: &[u8],
        body: &[u8],
        mut written: usize,
    ) -> Result<usize, Reason> {
        let framing = self.outgoing.framing();
        let total = self.frame_len(prefix, body);
        while written < total {
            match with_rest(framing, prefix, body, written, |parts| self.wire.write(parts)) {
                Ok(wrote) => written += wrote,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writable = false;
                    break;
                }
                Err(error) => return Err(Reason::Gone(error.to_string())),
            }
        }
        Ok(written)
    }
}

/// Calls with the parts of a message's frame from byte `written` on.
pub(super) fn with_rest<T>(
    framing: Framing,
    prefix: &[u8],
    body: &[u8],
    written: usize,
    write: impl FnOnce(&[IoSlice<'_>]) -> T,
) -> T {
    let header = framing.encode((prefix.len() + body.len()) as u64);
    let header = &header[header.len() - framing.header()..];
    let mut skip = written;
    let parts = [header, prefix, body].map(|part| {
        let skipped = skip.min(part.len());
        skip -= skipped;
        IoSlice::new(&part[skipped..])
    });
    write(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// What the documentation promises. (A pipe of Windows has a buffer of 4 KiB besides, which its read is under way into.)
    #[test]
    fn a_connection_that_has_said_nothing_costs_less_than_a_kibibyte() {
        let counts = 2 * size_of::<AtomicUsize>();
        let boxed = size_of::<Connection>() + size_of::<Wire>() + counts;
        assert!(boxed < 1024 - 64, "{boxed}");
        // And nothing beside: the bytes of the handshake are read into place.
        assert_eq!(Incoming::new(Framing::Tcp, u64::MAX).memory(), 0);
        assert_eq!(Outgoing::new(Framing::Tcp).memory(), 0);
    }
}
