//! A worker's side of the frames.

use super::AT_ONCE;
use super::payload::{self, Said, Verdict};
use super::worker::Orders;
use crate::failure::Failure;
use quintet::Deadline;
use quintet::pipe::PipeStream;
use quintet::shm::{Producer, Queue, Subscriber, Topic, Trusting};
use quintet::sync::{Process, Semaphore, wait_any};
use std::collections::VecDeque;

/// Where frames come from, and where verdicts go.
pub(super) struct Inspection {
    frames: Subscriber<Trusting>,
    verdicts: Producer,
    /// The main process: if it dies there are no more frames.
    main: Process,
    /// Which of the workers this is.
    index: u8,
}

impl Inspection {
    pub(super) fn open(orders: &Orders, stream: &PipeStream) -> Result<Self, Failure> {
        let frames = Topic::at(&orders.frames)?.open_existing()?.subscriber()?;
        Ok(Inspection {
            // SAFETY: only the processes of this demo open the topic, whose name has the main process's number in it, and
            // they do so with this library.
            frames: unsafe { frames.trusting() },
            verdicts: Queue::at(&orders.verdicts)?.open_existing()?.producer()?,
            main: Process::open(stream.peer()?.pid())?,
            index: orders.index,
        })
    }

    /// Takes its permits, and has one for each frame until it has given its verdict: there are never more frames under way
    /// than that.
    pub(super) fn run(&mut self, permits: &Semaphore) -> Result<(), Failure> {
        let mut taken = VecDeque::new();
        let mut kept = Vec::new();
        let mut keeps_next = false;
        loop {
            while taken.len() < AT_ONCE as usize {
                // There are as many for each worker.
                taken.push_back(permits.acquire_timeout(super::PATIENCE)?);
                self.say(Said::Ready)?;
            }
            let Some(frame) = self.frames.try_receive()? else {
                let woken = wait_any(&[(&self.frames).into(), (&self.main).into()], Deadline::NEVER)?.index;
                if woken == 1 {
                    return Ok(());
                }
                continue;
            };
            if *frame == *payload::END {
                return Ok(());
            }
            if *frame == payload::keep(self.index) {
                keeps_next = true;
                continue;
            }
            let Some(number) = payload::number_of(&frame) else {
                // It is for the other.
                continue;
            };
            if std::mem::take(&mut keeps_next) {
                kept.push(frame);
                self.say(Said::Kept)?;
                continue;
            }
            let verdict = Verdict {
                frame: number,
                // Where it is.
                sum: payload::sum(&frame),
            };
            drop(frame);
            self.say(Said::Verdict(verdict))?;
            drop(taken.pop_front());
        }
    }

    fn say(&mut self, said: Said) -> Result<(), Failure> {
        Ok(self
            .verdicts
            .push_timeout(said.bytes(self.index), super::PATIENCE)?)
    }
}
