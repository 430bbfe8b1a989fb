//! The reading side of message mode.

use super::link::Link;
use super::message::{self, Received};
use super::packet::{HEADER, MAX_PAYLOAD, Packet};
use super::pool::Borrowed;
use crate::os::pipe_types::Chunk;
use crate::{Deadline, Error, ErrorKind, Result};
use rustix::fd::OwnedFd;
use rustix::io::IoSliceMut;
use rustix::net::{RecvFlags, Shutdown};
use std::ops::Range;

/// Packets with more bytes of a message than this are large.
const SMALL: usize = 2048;

/// The message being read.
#[derive(Debug)]
pub(super) struct Inbox {
    max_message: u64,
    /// What a descriptor leads to may hold up whoever looks at it or only closes it (a file system of the peer's own).
    /// So those of another user's peer never arrive: its large messages come in packets.
    trusted: bool,
    /// The whole message, and how much of it has come in, what is still `waiting` included.
    total: u64,
    arrived: u64,
    waiting: Waiting,
    /// What a packet carried beyond the reader's buffer.
    spill: Vec<u8>,
    /// The last packet was a large one.
    large: bool,
    /// The memory that the peer offered for large messages, once, and whether it has.
    pool: Option<Borrowed>,
    offered: bool,
    /// The stream of packets makes no sense any more; why.
    broken: Option<(ErrorKind, String)>,
}

/// Where the bytes are that have come and not been read.
#[derive(Debug)]
enum Waiting {
    /// In this part of the spill; empty when everything has been read.
    Spilled(Range<usize>),
    /// In this part of the pool's current slot.
    Pooled(Range<u64>),
}

impl Waiting {
    fn len(&self) -> u64 {
        match self {
            Waiting::Spilled(range) => range.len() as u64,
            Waiting::Pooled(range) => range.end - range.start,
        }
    }
}

impl Inbox {
    /// `trusted`: the peer is one whose descriptors may come in here.
    pub(super) fn new(max_message: u64, trusted: bool) -> Self {
        Inbox {
            trusted,
            max_message,
            total: 0,
            arrived: 0,
            waiting: Waiting::Spilled(0..0),
            spill: Vec::new(),
            // Nothing is known yet; and an offer that comes first is to arrive.
            large: true,
            pool: None,
            offered: false,
            broken: None,
        }
    }

    /// How many bytes of the message are known to be still to be read.
    pub(super) fn left(&self) -> u64 {
        self.total - self.arrived + self.waiting.len()
    }

    /// Reads some of one message; `complete` when it was the last of it.
    pub(super) fn read(&mut self, link: &Link, buf: &mut [u8], deadline: Deadline) -> Result<Chunk> {
        if let Some((kind, why)) = &self.broken {
            return Err(Error::new(*kind, why.clone()));
        }
        let len = if self.waiting.len() > 0 {
            self.take_waiting(link, buf)?
        } else {
            match self.receive(link, buf, deadline)? {
                Some(len) => len,
                None => return Ok(Chunk::End),
            }
        };
        Ok(Chunk::Data {
            len,
            complete: self.left() == 0,
        })
    }

    fn take_waiting(&mut self, link: &Link, buf: &mut [u8]) -> Result<usize> {
        match &mut self.waiting {
            Waiting::Spilled(range) => {
                let len = buf.len().min(range.len());
                buf[..len].copy_from_slice(&self.spill[range.start..range.start + len]);
                range.start += len;
                Ok(len)
            }
            Waiting::Pooled(range) => {
                let len = buf.len().min((range.end - range.start) as usize);
                let pool = self.pool.as_mut();
                let read = pool.map_or(Ok(0), |pool| pool.read(&mut buf[..len], range.start));
                match read {
                    Ok(read) if read == len => {
                        range.start += len as u64;
                        if range.is_empty()
                            && let Some(pool) = &mut self.pool
                        {
                            pool.give_back();
                        }
                        Ok(len)
                    }
                    Ok(_) => {
                        let why = format!("the memory that {} shares has ended", link.peer());
                        Err(self.fail(link, ErrorKind::Corrupt, why))
                    }
                    Err(error) => {
                        let why = format!("cannot read the memory that {} shares: {error}", link.peer());
                        Err(self.fail(link, ErrorKind::Os, why))
                    }
                }
            }
        }
    }

    /// Receives packets until one has bytes or ends a message: how many bytes are in `buf`, others being `waiting`;
    /// `None` at the end of the stream.
    fn receive(&mut self, link: &Link, buf: &mut [u8], deadline: Deadline) -> Result<Option<usize>> {
        loop {
            // Small packets come into the spill as a whole and by the plainest of calls, which costs the kernel the least.
            // After a large one the next is expected to be large too, and comes into the caller's buffer.
            let plain = !self.trusted || (!self.large && self.arrived == self.total);
            let room = if plain { 0 } else { buf.len().min(MAX_PAYLOAD) };
            // One byte more than the format allows, so that the kernel's cutting a longer packet is noticed.
            let spill_needed = HEADER + MAX_PAYLOAD + 1 - room;
            if self.spill.len() < spill_needed {
                self.spill = vec![0; spill_needed];
            }
            let mut header = [0; HEADER];
            let spill = &mut self.spill[..spill_needed];
            let received = if plain {
                let received = receive_plainly(link, spill, deadline)?;
                header.copy_from_slice(&spill[..HEADER]);
                received
            } else {
                let spill = IoSliceMut::new(&mut spill[HEADER..]);
                let mut parts = [
                    IoSliceMut::new(&mut header),
                    IoSliceMut::new(&mut buf[..room]),
                    spill,
                ];
                link.receive(deadline, |flags| message::receive(link, &mut parts, flags))?
            };
            if received.len == 0 {
                if self.arrived == self.total {
                    return Ok(None);
                }
                let why = format!(
                    "{} went away in the middle of a message, after {} of its {} bytes",
                    link.peer(),
                    self.arrived,
                    self.total
                );
                return Err(self.fail(link, ErrorKind::Disconnected, why));
            }
            let noted = if received.len < HEADER || received.cut {
                Err((ErrorKind::Corrupt, "a packet that no message can be in".into()))
            } else {
                Packet::decode(&header, received.len - HEADER)
                    .map_err(|why| (ErrorKind::Corrupt, why))
                    .and_then(|packet| self.note(packet, received.fds))
            };
            match noted {
                Ok(Noted::Inline(len)) => {
                    self.large = len > SMALL;
                    self.waiting = Waiting::Spilled(HEADER..HEADER + len.saturating_sub(room));
                    return if plain {
                        self.take_waiting(link, buf).map(Some)
                    } else {
                        Ok(Some(len.min(room)))
                    };
                }
                Ok(Noted::Pooled(range)) => {
                    self.waiting = Waiting::Pooled(range);
                    return self.take_waiting(link, buf).map(Some);
                }
                Ok(Noted::NoData) => {}
                Err((kind, why)) => return Err(self.fail(link, kind, format!("{} sent {why}", link.peer()))),
            }
        }
    }

    /// Takes account of a packet, if it may come now.
    fn note(&mut self, packet: Packet, fds: Vec<OwnedFd>) -> std::result::Result<Noted, (ErrorKind, String)> {
        let corrupt = |why: String| (ErrorKind::Corrupt, why);
        let (payload, pooled) = match packet {
            Packet::Pool { slot, slots } => {
                // Also if the first did not arrive: nothing but offers would keep the reader beyond its deadline.
                if std::mem::replace(&mut self.offered, true) {
                    return Err(corrupt("a second pool".into()));
                }
                self.pool = Borrowed::accept(slot, slots, fds).map_err(corrupt)?;
                return Ok(Noted::NoData);
            }
            Packet::First { .. } if self.arrived != self.total => {
                return Err(corrupt(format!(
                    "a new message after {} of {} bytes of one",
                    self.arrived, self.total
                )));
            }
            Packet::First { total, .. } if total > self.max_message => {
                return Err((
                    ErrorKind::TooLarge,
                    format!(
                        "a message of {total} bytes; the limit here is {}",
                        self.max_message
                    ),
                ));
            }
            Packet::First {
                payload,
                total,
                pooled,
            } => {
                (self.arrived, self.total) = (0, total);
                (payload, pooled)
            }
            Packet::Later { payload, before, .. }
                if before != self.arrived || u64::from(payload) > self.total - self.arrived =>
            {
                return Err(corrupt(format!(
                    "bytes {before} to {} of a message when {} of {} had come",
                    before.wrapping_add(payload.into()),
                    self.arrived,
                    self.total
                )));
            }
            Packet::Later { payload, pooled, .. } => (payload, pooled),
        };
        let noted = if pooled {
            let pool = self
                .pool
                .as_mut()
                .ok_or_else(|| corrupt("a part in a pool that there is not".into()))?;
            Noted::Pooled(pool.slot_of(payload).map_err(corrupt)?)
        } else {
            Noted::Inline(payload as usize)
        };
        self.arrived += u64::from(payload);
        Ok(noted)
    }

    /// Nothing more can be read. The peer is told, since it may be waiting for us to read, or for credits of the pool.
    fn fail(&mut self, link: &Link, kind: ErrorKind, why: String) -> Error {
        self.broken = Some((kind, why.clone()));
        let _ = link.shutdown(Shutdown::Read);
        self.pool = None;
        Error::new(kind, why)
    }
}

/// What a packet was for.
enum Noted {
    /// So many bytes of the message came with it.
    Inline(usize),
    /// Bytes of the message are here in the pool.
    Pooled(Range<u64>),
    NoData,
}

/// Receives one packet, and no descriptors that came with it: the kernel closes them.
fn receive_plainly(link: &Link, spill: &mut [u8], deadline: Deadline) -> Result<Received> {
    let room = spill.len();
    let len = link.receive(deadline, |flags| {
        // With TRUNC it says how long the packet was, cut or not.
        rustix::net::recv(link, &mut *spill, flags | RecvFlags::TRUNC).map(|(_, len)| len)
    })?;
    Ok(Received {
        len: len.min(room),
        cut: len > room,
        lost: false,
        fds: Vec::new(),
    })
}
