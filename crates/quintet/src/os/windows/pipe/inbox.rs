//! The reading side of a connection.

use super::link::Link;
use crate::os::pipe_types::Chunk;
use crate::os::windows::error;
use crate::os::windows::event::Event;
use crate::os::windows::operation::Operation;
use crate::wait::Spin;
use crate::{Deadline, Error, ErrorKind, Result};
use std::sync::Arc;
use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_MORE_DATA, ERROR_NO_DATA, ERROR_OPERATION_ABORTED, ERROR_PIPE_NOT_CONNECTED,
};

/// Readers, one at a time, and the message being read.
#[derive(Debug)]
pub(super) struct Inbox {
    operation: Operation,
    spin: Spin,
    /// Whether reads stop at the end of a message.
    bounded: bool,
    max_message: u64,
    /// The last read stopped in the middle of a message: so much of it has been read, so much is known to be left.
    unfinished: bool,
    arrived: u64,
    left: u64,
    /// Nothing more can be read; why.
    broken: Option<(ErrorKind, String)>,
}

impl Inbox {
    pub(super) fn new(bounded: bool, max_message: u64) -> Result<Self> {
        Ok(Inbox {
            operation: Operation::new(Arc::new(Event::new()?)),
            spin: Spin::default(),
            bounded,
            max_message,
            unfinished: false,
            arrived: 0,
            left: 0,
            broken: None,
        })
    }

    /// How many bytes of the message being read are known to be left.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    pub(super) fn read(&mut self, link: &Link, buf: &mut [u8], deadline: Deadline) -> Result<Chunk> {
        loop {
            if let Some((kind, why)) = &self.broken {
                return Err(Error::new(*kind, why.clone()));
            }
            let outcome = link.read(&mut self.operation, buf, &self.spin, deadline);
            let len = outcome.bytes as usize;
            match outcome.code {
                0 | ERROR_MORE_DATA if self.bounded => {
                    let complete = outcome.code == 0;
                    self.note(link, len, complete)?;
                    return Ok(Chunk::Data { len, complete });
                }
                // Without boundaries an empty message is nothing at all (nor is a Win32 program's empty write in byte
                // mode), and 0 would mean the end.
                0 | ERROR_MORE_DATA if len == 0 && !buf.is_empty() => {}
                0 | ERROR_MORE_DATA => return Ok(Chunk::Data { len, complete: true }),
                ERROR_BROKEN_PIPE | ERROR_NO_DATA | ERROR_PIPE_NOT_CONNECTED if self.unfinished => {
                    let why = format!(
                        "{} went away in the middle of a message, after {} of its bytes",
                        link.peer_name(),
                        self.arrived
                    );
                    return Err(self.fail(ErrorKind::Disconnected, why));
                }
                ERROR_BROKEN_PIPE | ERROR_NO_DATA | ERROR_PIPE_NOT_CONNECTED => {
                    return match link.why_given_up() {
                        Some(why) => Err(Error::new(ErrorKind::Disconnected, why)),
                        None => Ok(Chunk::End),
                    };
                }
                ERROR_OPERATION_ABORTED if outcome.timed_out => {
                    return Err(Error::new(
                        ErrorKind::TimedOut,
                        "nothing came before the deadline",
                    ));
                }
                // The caller cancels everything on the handle.
                ERROR_OPERATION_ABORTED => {}
                code => return Err(error::of("cannot read", code)),
            }
        }
    }

    /// Takes account of a part of a message.
    fn note(&mut self, link: &Link, len: usize, complete: bool) -> Result<()> {
        self.arrived += len as u64;
        self.left = if complete { 0 } else { link.message_left() };
        let total = self.arrived + self.left;
        if total > self.max_message {
            let why = format!(
                "{} sent a message of {total} bytes; the limit here is {}",
                link.peer_name(),
                self.max_message
            );
            // The peer may be waiting for us to read the rest.
            link.give_up("a message was longer than the limit here, which ended the connection");
            return Err(self.fail(ErrorKind::TooLarge, why));
        }
        self.unfinished = !complete;
        if complete {
            self.arrived = 0;
        }
        Ok(())
    }

    fn fail(&mut self, kind: ErrorKind, why: String) -> Error {
        self.left = 0;
        self.broken = Some((kind, why.clone()));
        Error::new(kind, why)
    }
}
