//! What the rows of most mechanisms do, once they say how two processes are joined.

mod alone;
mod batches;
#[cfg(target_os = "linux")]
mod contended;
mod hand_over;
mod in_place;
mod messages;
mod pages;
mod round_trip;
mod stream;
mod transport;

pub(crate) use alone::{Alone, Operation};
pub(crate) use batches::{BATCH, Batches, Batching, MESSAGE};
#[cfg(target_os = "linux")]
pub(crate) use contended::{Contended, Lock};
pub(crate) use hand_over::{Baton, HandOver};
pub(crate) use in_place::{Exchange, InPlace};
pub(crate) use messages::Messages;
pub(crate) use pages::{PAGE, Pages};
pub(crate) use round_trip::{Idle, RoundTrip};
pub(crate) use stream::Stream;
pub(crate) use transport::Transport;

use crate::harness::Place;
use crate::row::Result;
use std::time::{Duration, Instant};

/// A way to join two processes.
pub(crate) trait Link {
    type End: End + 'static;

    /// As [`Work::before_pinning`](crate::row::Work::before_pinning).
    fn before_pinning(&self) -> Result<()> {
        Ok(())
    }

    fn near(&self, place: &mut Place) -> Result<Self::End>;

    fn far(&self, place: &mut Place) -> Result<Self::End>;
}

/// Something that both processes have open. Far makes it.
pub(crate) trait Common {
    type Side: 'static;

    /// As [`Work::before_pinning`](crate::row::Work::before_pinning).
    fn before_pinning(&self) -> Result<()> {
        Ok(())
    }

    fn near(&self, place: &mut Place) -> Result<Self::Side>;

    fn far(&self, place: &mut Place) -> Result<Self::Side>;
}

/// Does nothing for so long, without resting: how long it was.
pub(crate) fn busy(duration: Duration) -> Duration {
    let start = Instant::now();
    loop {
        let elapsed = start.elapsed();
        if elapsed >= duration {
            return elapsed;
        }
        std::hint::spin_loop();
    }
}

/// One end of such a joint: messages go both ways.
pub(crate) trait End {
    /// Sends all of `data`, as one message if there are messages.
    fn send(&mut self, data: &[u8]) -> Result<()>;

    /// Makes `buf` the next `len` bytes, which are one message if there are messages.
    fn receive(&mut self, buf: &mut Vec<u8>, len: usize) -> Result<()>;
}

/// An end that can be read without knowing how much comes.
pub(crate) trait ReadSome: End {
    fn read_some(&mut self, buf: &mut [u8]) -> Result<usize>;
}

/// What far sends when it is in its batch, so that near starts its clock then, and when it has got everything.
const GO: &[u8] = b"!";

fn wait_for_go(end: &mut impl End) -> Result<()> {
    let mut buf = Vec::new();
    end.receive(&mut buf, GO.len())?;
    if buf == GO {
        Ok(())
    } else {
        Err(format!("expected far's signal, got {buf:?}").into())
    }
}

/// Marks the message with its number.
pub(crate) fn stamp(message: &mut [u8], number: u64) {
    message[..8].copy_from_slice(&number.to_le_bytes());
}

/// Whether the message is as long as it should be and has the right number: the bytes really went.
pub(crate) fn check(message: &[u8], len: usize, number: u64) -> Result<()> {
    if message.len() == len && message[..8] == number.to_le_bytes() {
        return Ok(());
    }
    Err(format!(
        "message {number} of {len} bytes came as {} bytes beginning with {:?}",
        message.len(),
        &message[..message.len().min(8)]
    )
    .into())
}

/// Reads until `buf` is full.
pub(crate) fn fill(mut buf: &mut [u8], mut read: impl FnMut(&mut [u8]) -> Result<usize>) -> Result<()> {
    while !buf.is_empty() {
        match read(buf)? {
            0 => return Err("the other side has closed".into()),
            len => buf = &mut buf[len..],
        }
    }
    Ok(())
}
