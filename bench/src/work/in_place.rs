use super::{Link, stamp};
use crate::harness::Place;
use crate::row::{Batch, Result, Work};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// An end whose messages are written where they are read.
pub(crate) trait InPlace {
    /// Sends a message of so many bytes, which `write` writes as much of as it likes.
    fn send_in_place(&mut self, len: usize, write: impl FnOnce(&mut [u8])) -> Result<()>;

    /// Calls `read` for the next message, as soon as there is one: once for each that receives on this side.
    fn receive_in_place(&mut self, read: impl FnMut(&[u8]) -> Result<()>) -> Result<()>;
}

/// Near sends a message, far receives it and sends one as long.
pub(crate) struct Exchange<L> {
    pub(crate) link: L,
    pub(crate) bytes: usize,
    /// Whether every byte is written and read. If not, only the number at the beginning is.
    pub(crate) touched: bool,
}

impl<L: Link<End: InPlace>> Work for Exchange<L> {
    fn before_pinning(&self) -> Result<()> {
        self.link.before_pinning()
    }

    fn near(&self, place: &mut Place) -> Result<Batch> {
        let mut end = self.link.near(place)?;
        let payload = self.payload();
        Ok(Box::new(move |count| {
            payload.receive(&mut end, GO)?;
            let start = Instant::now();
            for number in 0..count {
                payload.send(&mut end, number)?;
                payload.receive(&mut end, number)?;
            }
            Ok(start.elapsed())
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let mut end = self.link.far(place)?;
        let payload = self.payload();
        Ok(Box::new(move |count| {
            payload.send(&mut end, GO)?;
            for number in 0..count {
                payload.receive(&mut end, number)?;
                payload.send(&mut end, number)?;
            }
            Ok(Duration::ZERO)
        }))
    }
}

/// The number of the message with which far says that it is there.
const GO: u64 = u64::MAX;

#[derive(Clone, Copy)]
struct Payload {
    bytes: usize,
    touched: bool,
}

impl<L> Exchange<L> {
    fn payload(&self) -> Payload {
        Payload {
            bytes: self.bytes,
            touched: self.touched,
        }
    }
}

impl Payload {
    fn send(self, end: &mut impl InPlace, number: u64) -> Result<()> {
        end.send_in_place(self.bytes, |message| {
            if self.touched {
                message.fill(number as u8);
            }
            stamp(message, number);
        })
    }

    fn receive(self, end: &mut impl InPlace, number: u64) -> Result<()> {
        end.receive_in_place(|message| {
            super::check(message, self.bytes, number)?;
            if self.touched {
                // As many bytes at a time as a processor likes.
                let sum = message
                    .as_chunks::<8>()
                    .0
                    .iter()
                    .fold(0, |sum: u64, word| sum.wrapping_add(u64::from_le_bytes(*word)));
                black_box(sum);
                if message.len() > 8 && message.last() != Some(&(number as u8)) {
                    return Err(format!("message {number} ends with {:?}", message.last()).into());
                }
            }
            Ok(())
        })
    }
}
