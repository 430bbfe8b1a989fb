use super::{GO, Link, check, stamp, wait_for_go};
use crate::harness::Place;
use crate::row::{Batch, Result, Work};
use crate::work::End;
use std::time::{Duration, Instant};

/// How long messages are where it matters how many they are.
pub(crate) const MESSAGE: usize = 64;

/// How many go at a time.
pub(crate) const BATCH: usize = 64;

/// An end that sends and receives several messages with one call.
pub(crate) trait Batching: End {
    fn send_all(&mut self, messages: &[[u8; MESSAGE]]) -> Result<()>;

    /// Calls `each` for those that are there, at most so many, as soon as there is one: how many they were.
    fn receive_some(&mut self, most: usize, each: impl FnMut(&[u8]) -> Result<()>) -> Result<usize>;
}

/// As [`Messages`](super::Messages), so many at a time. One operation is one message all the same.
pub(crate) struct Batches<L> {
    pub(crate) link: L,
}

impl<L: Link<End: Batching>> Work for Batches<L> {
    fn before_pinning(&self) -> Result<()> {
        self.link.before_pinning()
    }

    fn near(&self, place: &mut Place) -> Result<Batch> {
        let mut end = self.link.near(place)?;
        let mut messages = [[7; MESSAGE]; BATCH];
        Ok(Box::new(move |count| {
            wait_for_go(&mut end)?;
            let start = Instant::now();
            let mut number = 0;
            while number < count {
                let len = (count - number).min(BATCH as u64) as usize;
                for message in &mut messages[..len] {
                    stamp(message, number);
                    number += 1;
                }
                end.send_all(&messages[..len])?;
            }
            wait_for_go(&mut end)?;
            Ok(start.elapsed())
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let mut end = self.link.far(place)?;
        Ok(Box::new(move |count| {
            end.send(GO)?;
            let mut number = 0;
            while number < count {
                let most = (count - number).min(BATCH as u64) as usize;
                end.receive_some(most, |message| {
                    check(message, MESSAGE, number)?;
                    number += 1;
                    Ok(())
                })?;
            }
            end.send(GO)?;
            Ok(Duration::ZERO)
        }))
    }
}
