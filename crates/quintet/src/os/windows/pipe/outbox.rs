//! The writing side of a connection.

use super::link::Link;
use crate::os::pipe_types::check_message;
use crate::os::windows::error;
use crate::os::windows::event::Event;
use crate::os::windows::operation::{Operation, Outcome};
use crate::wait::Spin;
use crate::{Deadline, Error, ErrorKind, Result};
use std::sync::Arc;
use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_OPERATION_ABORTED, ERROR_PIPE_NOT_CONNECTED,
};

/// Most bytes of a stream written at once: the kernel copies all of it before the reader gets any.
const MOST_AT_ONCE: usize = 1 << 20;

/// As `MOST_AT_ONCE`, with a deadline, on a pipe in which nothing can wait.
const MOST_UNBUFFERED: usize = 64 * 1024;

/// Writers, one at a time.
#[derive(Debug)]
pub(super) struct Outbox {
    operation: Operation,
    spin: Spin,
    max_message: u64,
}

/// What became of a write.
enum Sent {
    /// So many bytes.
    Some(usize),
    /// The time was up, and nothing of it was sent.
    Nothing,
    /// The time was up, and the reader may have a part of it.
    Unknown,
}

impl Outbox {
    pub(super) fn new(max_message: u64) -> Result<Self> {
        Ok(Outbox {
            operation: Operation::new(Arc::new(Event::new()?)),
            spin: Spin::default(),
            max_message,
        })
    }

    pub(super) fn write_bytes(&mut self, link: &Link, data: &[u8], deadline: Deadline) -> Result<usize> {
        let most = match link.quota() {
            _ if deadline.is_never() => MOST_AT_ONCE,
            0 if deadline.has_passed() => 1,
            0 => MOST_UNBUFFERED,
            // What is cancelled then was not sent: see `send`.
            quota => quota.min(MOST_AT_ONCE),
        };
        let mut part = &data[..data.len().min(most)];
        loop {
            match self.send(link, part, deadline)? {
                Sent::Some(len) => return Ok(len),
                // The time is up: what fits now is sent, and that is found by halving.
                Sent::Nothing if part.len() > 1 => part = &part[..part.len() / 2],
                Sent::Nothing => return Err(not_in_time(link)),
                Sent::Unknown => return Err(cut(link)),
            }
        }
    }

    pub(super) fn write_message(&mut self, link: &Link, message: &[u8], deadline: Deadline) -> Result<()> {
        let total = message.len() as u64;
        check_message(total, self.max_message)?;
        if total > u32::MAX.into() {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "a message of {total} bytes; the system takes at most {}",
                    u32::MAX
                ),
            )
            .hint("use several messages, or mode byte"));
        }
        match self.send(link, message, deadline)? {
            Sent::Some(len) if len == message.len() => Ok(()),
            Sent::Nothing => Err(not_in_time(link)),
            Sent::Some(_) | Sent::Unknown => Err(cut(link)),
        }
    }

    /// One write, which the kernel takes as a whole or waits with.
    ///
    /// # What a write that was cancelled has sent
    /// "Nothing", says the system, whether or not the reader has taken a part. But the kernel lets a write complete as
    /// soon as all of it fits into the pipe's quota together with what is waiting there. So one that has to wait, and
    /// is no longer than the quota, has something older in front of it, and the reader has not come to it. (Should the
    /// kernel say that nothing is in front, the reader has.) A longer one may be first in the queue, and read by parts:
    /// nobody knows how many; so it is not begun before everything older has been read. A single byte has no parts.
    fn send(&mut self, link: &Link, data: &[u8], deadline: Deadline) -> Result<Sent> {
        if let Some(why) = link.why_given_up() {
            return Err(Error::new(ErrorKind::Disconnected, why));
        }
        if data.len() > link.quota().max(1) && !deadline.is_never() {
            // What does not fit does not go at once.
            if deadline.has_passed() {
                return Ok(Sent::Nothing);
            }
            // Where nothing can wait, nothing is waiting.
            if link.quota() > 0 && !link.make_way(deadline)? {
                return Ok(Sent::Nothing);
            }
        }
        let Outcome {
            bytes,
            code,
            timed_out,
        } = link.write(&mut self.operation, data, &self.spin, deadline);
        match code {
            0 => Ok(Sent::Some(bytes as usize)),
            ERROR_OPERATION_ABORTED if bytes > 0 => Ok(Sent::Some(bytes as usize)),
            ERROR_OPERATION_ABORTED if timed_out => {
                let certain = data.len() <= 1 || data.len() <= link.quota() && !link.is_known_empty();
                Ok(if certain { Sent::Nothing } else { Sent::Unknown })
            }
            ERROR_BROKEN_PIPE | ERROR_NO_DATA | ERROR_PIPE_NOT_CONNECTED => Err(Error::new(
                ErrorKind::Disconnected,
                format!("{} has closed the connection or does not read", link.peer_name()),
            )),
            code => Err(error::of("cannot write", code)),
        }
    }
}

/// Nobody knows how much of it has been sent.
fn cut(link: &Link) -> Error {
    link.give_up("a write was cut short by its timeout, which ended the connection");
    not_in_time(link).hint("the peer may have a part of it, so the connection has been ended")
}

fn not_in_time(link: &Link) -> Error {
    Error::new(
        ErrorKind::TimedOut,
        format!("{} did not read in time for more to be written", link.peer_name()),
    )
}
