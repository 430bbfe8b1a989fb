//! Large messages: their bytes go through memory that both sides have open, and only their packets through the socket.
//!
//! A byte in a SEQPACKET socket is copied twice, like one through this memory, but each packet needs fresh kernel memory
//! and at most two or three fit into the socket's buffer, so that writer and reader wait for each other all the time. In
//! the pool the pages stay, and writer and reader copy at the same time.
//!
//! # Protocol
//! The writer of the first large message makes a memory file (memfd) of 2,048 + `slots` × `slot` bytes, sealed so that it can
//! neither grow nor shrink, and a pair of sockets, and sends the file and one of the sockets along in a packet. The
//! receiver checks them and answers with one byte on its socket for every slot: a *credit*. For each part of a message
//! the writer takes a credit, writes the part into the next slot, around in a circle, and sends a packet that says how
//! long it is. The receiver copies it from the slot next in its own circle, and sends the credit back.
//!
//! Nobody has to take part. A receiver that cannot (its table of descriptors is full, so that the kernel dropped what was
//! sent) has closed its socket thereby; the writer sees that and sends everything in packets. So it does as long as the
//! first credit has not come, since the receiver may not be reading yet.
//!
//! # Crashes and lies
//! Both die with their process: files and sockets close, the other side notices by the connection itself. A receiver that
//! never gives credits back stops only its own writer, until that one's deadline. The receiver copies with pread(2), so
//! what the writer does to the memory meanwhile changes bytes of that message and nothing else; the file cannot fault
//! or end early, because only a sealed one is accepted; and a credit is sent without waiting, whatever kind of socket it
//! was that came.

use super::link::{LONG, Link};
use super::packet::Packet;
use crate::os::linux::anonymous::poll;
use crate::os::step::call;
use crate::wait::{self, Spin};
use crate::{Deadline, Error, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::{Errno, IoSlice};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Bytes of a slot. Two processes copy fastest in pieces of about this size (tried: 128 KiB to 1 MiB).
const SLOT: u32 = 1024 * 1024;
const SLOTS: u32 = 4;

/// Where the first slot begins. Processors copy six times slower (2.6 instead of 15 GB/s where it was measured) when the
/// destination lies a few bytes after the source, counted within a page (16 bytes do it, 64 do not), as then each load
/// seems to depend on the store before it. Large buffers from malloc lie 16 bytes into a page, so slots had better not
/// begin with one.
const BASE: u64 = 2048;

/// The largest pool that a receiver accepts from its peer: 64 slots of 16 MiB. It costs the receiver nothing.
const MAX_SLOT: u32 = 16 << 20;
const MAX_SLOTS: u32 = 64;

/// The writer's side of a pool.
#[derive(Debug)]
pub(super) enum Lent {
    /// There was no large message yet.
    Unused,
    /// The receiver has it, if it could take it.
    Shared(Shared),
    /// The receiver did not take it, or there is no memory.
    Unavailable,
}

#[derive(Debug)]
pub(super) struct Shared {
    memory: OwnedFd,
    credits: OwnedFd,
    /// Slots that are ours to write.
    free: u32,
    /// The receiver has taken part.
    answered: bool,
    next: u32,
    spin: Spin,
}

impl Lent {
    /// Makes the pool and sends it to the receiver, once. Failing is no error: then there is none.
    pub(super) fn offer(&mut self, link: &Link, deadline: Deadline) {
        if matches!(self, Lent::Unused) {
            *self = Shared::offer(link, deadline).map_or(Lent::Unavailable, Lent::Shared);
        }
    }

    /// Puts the beginning of `rest` into the next slot: how many bytes; `None` if they have to go through the socket.
    pub(super) fn put(&mut self, link: &Link, rest: &[u8], deadline: Deadline) -> Result<Option<usize>> {
        let Lent::Shared(shared) = self else {
            return Ok(None);
        };
        let put = match shared.take_credit(link, deadline)? {
            Credit::Taken => shared.fill(rest),
            Credit::NotYet => return Ok(None),
            Credit::Never => None,
        };
        if put.is_none() {
            *self = Lent::Unavailable;
        }
        Ok(put)
    }

    /// Undoes the last `put`, of which the receiver was not told: it goes on with the same slot.
    pub(super) fn take_back(&mut self) {
        if let Lent::Shared(shared) = self {
            shared.next = (shared.next + SLOTS - 1) % SLOTS;
            shared.free += 1;
        }
    }
}

impl Lent {
    /// Whether the receiver has given back all slots, or has nothing in any.
    pub(super) fn is_drained(&mut self) -> Result<bool> {
        let Lent::Shared(shared) = self else {
            return Ok(true);
        };
        if shared.answered
            && shared.free < SLOTS
            && let Some(credits) = shared.collect()?
        {
            if credits == 0 {
                return Err(Error::new(
                    crate::ErrorKind::Disconnected,
                    "the peer has closed the connection without reading everything",
                ));
            }
            shared.free += credits;
        }
        Ok(!shared.answered || shared.free >= SLOTS)
    }
}

enum Credit {
    Taken,
    /// The receiver has not answered yet.
    NotYet,
    /// The receiver takes no part, or is gone.
    Never,
}

impl Shared {
    fn offer(link: &Link, deadline: Deadline) -> Result<Self> {
        let os = |error: Errno| Error::os("cannot make memory for large messages", error);
        let size = BASE + u64::from(SLOT) * u64::from(SLOTS);
        // Beyond the limit on the size of files it would not be an error but a signal that ends the process.
        let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize);
        if limit.current.is_some_and(|limit| limit < size) {
            return Err(Error::new(
                crate::ErrorKind::Full,
                "no file may be as large as the pool",
            ));
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = call(|| rustix::fs::memfd_create("quintet-pipe", flags)).map_err(os)?;
        call(|| rustix::fs::ftruncate(&memory, size)).map_err(os)?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        call(|| rustix::fs::fcntl_add_seals(&memory, seals)).map_err(os)?;
        let (credits, theirs) = call(|| {
            rustix::net::socketpair(
                AddressFamily::UNIX,
                SocketType::STREAM,
                SocketFlags::CLOEXEC,
                None,
            )
        })
        .map_err(os)?;
        let header = Packet::Pool {
            slot: SLOT,
            slots: SLOTS,
        }
        .encode();
        let fds = [memory.as_fd(), theirs.as_fd()];
        link.transmit(deadline, |flags| {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(&fds));
            rustix::net::sendmsg(link, &[IoSlice::new(&header)], &mut control, flags)
        })?;
        Ok(Shared {
            memory,
            credits,
            free: 0,
            answered: false,
            next: 0,
            spin: Spin::default(),
        })
    }

    fn take_credit(&mut self, link: &Link, deadline: Deadline) -> Result<Credit> {
        if self.free == 0 {
            let look = || self.collect();
            let collected = if self.answered {
                wait::wait(&self.spin, deadline, LONG, look, |slice| self.park(link, slice))?
            } else {
                look()?
            };
            match collected {
                Some(0) => return Ok(Credit::Never),
                Some(credits) => (self.free, self.answered) = (credits, true),
                None if self.answered => {
                    return Err(Error::new(
                        crate::ErrorKind::TimedOut,
                        format!("{} did not read in time for more to be written", link.peer()),
                    ));
                }
                None => return Ok(Credit::NotYet),
            }
        }
        self.free -= 1;
        Ok(Credit::Taken)
    }

    /// The credits that have come; 0 if none will come any more.
    fn collect(&self) -> Result<Option<u32>> {
        let mut bytes = [0; SLOTS as usize];
        match call(|| rustix::net::recv(&self.credits, &mut bytes, RecvFlags::DONTWAIT)) {
            // A receiver that gives more than it has hurts its own messages only.
            Ok((_, len)) => Ok(Some(len as u32)),
            Err(Errno::AGAIN) => Ok(None),
            Err(_) => Ok(Some(0)),
        }
    }

    /// Sleeps until there are credits, or the connection ends, which one of our own threads may do.
    fn park(&self, link: &Link, slice: std::time::Duration) -> Result<()> {
        let mut fds = [
            PollFd::new(&self.credits, PollFlags::IN),
            PollFd::new(link, PollFlags::empty()),
        ];
        call(|| poll(&mut fds, Some(slice))).map_err(|error| Error::os("cannot wait for the peer", error))?;
        if fds[1].revents().contains(PollFlags::HUP) {
            return Err(link.disconnected());
        }
        Ok(())
    }

    /// Writes into the next slot; `None` if the memory cannot be had.
    fn fill(&mut self, rest: &[u8]) -> Option<usize> {
        let len = rest.len().min(SLOT as usize);
        let start = BASE + u64::from(self.next) * u64::from(SLOT);
        let mut done = 0;
        while done < len {
            match call(|| rustix::io::pwrite(&self.memory, &rest[done..len], start + done as u64)) {
                Ok(0) => return None,
                Ok(written) => done += written,
                Err(_) => return None,
            }
        }
        self.next = (self.next + 1) % SLOTS;
        Some(len)
    }
}

/// The receiver's side of a pool.
#[derive(Debug)]
pub(super) struct Borrowed {
    memory: OwnedFd,
    credits: OwnedFd,
    slot: u32,
    slots: u32,
    next: u32,
}

impl Borrowed {
    /// Takes what the peer sent, if it is what it should be; `None` if it did not arrive.
    pub(super) fn accept(
        slot: u32,
        slots: u32,
        fds: Vec<OwnedFd>,
    ) -> std::result::Result<Option<Self>, String> {
        let Ok([memory, credits]) = <[OwnedFd; 2]>::try_from(fds) else {
            return Ok(None);
        };
        if !(1..=MAX_SLOT).contains(&slot) || !(1..=MAX_SLOTS).contains(&slots) {
            return Err(format!("a pool of {slots} slots of {slot} bytes"));
        }
        // Only files in memory have seals: so this is none that could block, and it stays as long as it is.
        match call(|| rustix::fs::fcntl_get_seals(&memory)) {
            Ok(seals) if seals.contains(SealFlags::SHRINK) => {}
            Ok(_) | Err(Errno::INVAL) => return Err("a pool that is not sealed memory".into()),
            Err(_) => return Ok(None),
        }
        // Not before: of another file even this may wait for somebody.
        let Ok(stat) = call(|| rustix::fs::fstat(&memory)) else {
            return Ok(None);
        };
        if stat.st_size < BASE as i64 + i64::from(slot) * i64::from(slots) {
            return Err(format!(
                "a pool of {} bytes for {slots} slots of {slot}",
                stat.st_size
            ));
        }
        let pool = Borrowed {
            memory,
            credits,
            slot,
            slots,
            next: 0,
        };
        pool.send_credits(slots);
        Ok(Some(pool))
    }

    /// Where in the memory the next part is.
    pub(super) fn slot_of(&mut self, len: u32) -> std::result::Result<Range<u64>, String> {
        if len > self.slot {
            return Err(format!("a part of {len} bytes in a slot of {}", self.slot));
        }
        let start = BASE + u64::from(self.next) * u64::from(self.slot);
        self.next = (self.next + 1) % self.slots;
        Ok(start..start + u64::from(len))
    }

    /// Copies from the memory: how many bytes.
    pub(super) fn read(&self, buf: &mut [u8], at: u64) -> rustix::io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match call(|| rustix::io::pread(&self.memory, &mut buf[done..], at + done as u64)) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// The slot read last is the writer's again.
    pub(super) fn give_back(&mut self) {
        self.send_credits(1);
    }

    fn send_credits(&self, count: u32) {
        let credits = [0; MAX_SLOTS as usize];
        // Full or closed: the writer does not want them.
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let _ = call(|| rustix::net::send(&self.credits, &credits[..count as usize], flags));
    }
}
