//! The writing side of message mode.

use super::link::Link;
use super::packet::{HEADER, MAX_PAYLOAD, Packet};
use super::pool::Lent;
use crate::os::pipe_types::check_message;
use crate::{Deadline, Error, ErrorKind, Result};
use rustix::io::IoSlice;
use rustix::net::{SendAncillaryBuffer, Shutdown};

/// Shorter messages go through the socket alone.
const LARGE: usize = 192 * 1024;

/// Parts of up to so many bytes are copied to stand behind their header.
const SMALL: usize = 1024;

/// Writers of messages, one at a time.
#[derive(Debug)]
pub(super) struct Outbox {
    max_message: u64,
    /// Most bytes of a message in one packet: fewer than the format allows where the socket's buffer is small.
    payload: usize,
    /// The memory for large messages.
    pool: Lent,
    /// A message was cut short, so nothing may follow it.
    broken: bool,
}

impl Outbox {
    /// For a socket with a buffer of so many bytes.
    pub(super) fn new(buffer: usize, max_message: u64) -> Self {
        Outbox {
            max_message,
            // unix_dgram_sendmsg refuses a packet beyond the buffer less 32 bytes; the smallest buffer is 4,608.
            payload: MAX_PAYLOAD.min(buffer.saturating_sub(32 + HEADER).max(1)),
            pool: Lent::Unused,
            broken: false,
        }
    }

    pub(super) fn write(&mut self, link: &Link, message: &[u8], deadline: Deadline) -> Result<()> {
        let total = message.len() as u64;
        check_message(total, self.max_message)?;
        if self.broken {
            return Err(Error::new(
                ErrorKind::Disconnected,
                "an earlier message was cut short, so nothing can follow it",
            ));
        }
        let mut sent = 0;
        loop {
            match self.send_part(link, message, sent, deadline) {
                Ok(len) => sent += len,
                Err(error) if sent == 0 => return Err(error),
                Err(error) => {
                    self.broken = true;
                    // The reader must not wait for the rest: it is told that the message ends here, unfinished.
                    let _ = link.shutdown(Shutdown::Write);
                    return Err(error.hint(format!(
                        "{sent} of the {total} bytes had been sent: the connection is closed for writing"
                    )));
                }
            }
            if sent == message.len() {
                return Ok(());
            }
        }
    }

    /// Whether nothing in the pool is still to be read.
    pub(super) fn is_drained(&mut self) -> Result<bool> {
        self.pool.is_drained()
    }

    /// Sends the next packet: how many bytes of the message are with it.
    fn send_part(&mut self, link: &Link, message: &[u8], sent: usize, deadline: Deadline) -> Result<usize> {
        let rest = &message[sent..];
        if message.len() >= LARGE && sent > 0 {
            // In the middle of a message, where a reader looks for it.
            self.pool.offer(link, deadline);
        }
        if message.len() >= LARGE
            && let Some(len) = self.pool.put(link, rest, deadline)?
        {
            let packet = Packet::part(len, sent as u64, message.len() as u64, true);
            if let Err(error) = send_packet(link, packet, &[], deadline) {
                self.pool.take_back();
                return Err(error);
            }
            return Ok(len);
        }
        let part = &rest[..rest.len().min(self.payload)];
        send_packet(
            link,
            Packet::part(part.len(), sent as u64, message.len() as u64, false),
            part,
            deadline,
        )?;
        Ok(part.len())
    }
}

fn send_packet(link: &Link, packet: Packet, part: &[u8], deadline: Deadline) -> Result<()> {
    let header = packet.encode();
    if part.len() <= SMALL {
        // One plain buffer costs the kernel less than two parts.
        let mut whole = [0; HEADER + SMALL];
        let len = HEADER + part.len();
        whole[..HEADER].copy_from_slice(&header);
        whole[HEADER..len].copy_from_slice(part);
        return link
            .transmit(deadline, |flags| rustix::net::send(link, &whole[..len], flags))
            .map(drop);
    }
    link.transmit(deadline, |flags| {
        rustix::net::sendmsg(
            link,
            &[IoSlice::new(&header), IoSlice::new(part)],
            &mut SendAncillaryBuffer::default(),
            flags,
        )
    })
    .map(drop)
}
