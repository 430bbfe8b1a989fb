//! The worker's side of the frames.

use super::payload::{self, Job, Verdict};
use super::worker::Orders;
use crate::failure::Failure;
use quintet::Deadline;
use quintet::pipe::PipeStream;
use quintet::shm::{Consumer, InPlace, Mailbox, MailboxReader, Queue, Trusting};
use quintet::sync::{Process, Semaphore, wait_any};
use std::collections::VecDeque;

/// Where frames and jobs come from.
pub(super) struct Inspection {
    frames: MailboxReader<Trusting>,
    jobs: Consumer,
    /// The main process: if it dies there are no more jobs.
    main: Process,
}

impl Inspection {
    pub(super) fn open(orders: &Orders, stream: &PipeStream) -> Result<Self, Failure> {
        let frames = Mailbox::at(&orders.frames)?.open_existing()?.reader()?;
        Ok(Inspection {
            // SAFETY: only the processes of this demo open the mailbox, whose name has the main process's number in it, and
            // they do so with this library.
            frames: unsafe { frames.trusting() },
            jobs: Queue::at(&orders.jobs)?.open_existing()?.consumer()?,
            main: Process::open(stream.peer()?.pid())?,
        })
    }

    /// Asks for a job for each permit that it gets, and has the permit until it has given its verdict: there are never more
    /// frames under way than permits.
    pub(super) fn run(&mut self, stream: &PipeStream, permits: &Semaphore) -> Result<(), Failure> {
        let mut taken = VecDeque::new();
        let mut kept = Vec::new();
        let mut job = Vec::new();
        loop {
            while let Some(permit) = permits.try_acquire()? {
                taken.push_back(permit);
                stream.write_message(payload::READY)?;
            }
            let woken = wait_any(&[(&self.jobs).into(), (&self.main).into()], Deadline::NEVER)?.index;
            if self.jobs.try_pop(&mut job)?.is_none() {
                if woken == 1 {
                    return Ok(());
                }
                continue;
            }
            match Job::read(&job) {
                Some(Job::Inspect { number }) => {
                    stream.write_message(self.inspect(number)?.bytes())?;
                    self.jobs.done();
                    drop(taken.pop_front());
                }
                Some(Job::Keep { .. }) => {
                    kept.push(self.frame()?);
                    stream.write_message(payload::KEPT)?;
                }
                Some(Job::End) => return Ok(()),
                None => return Err(Failure::Failed("the worker got a job that makes no sense".into())),
            }
        }
    }

    /// Looks at the newest frame, where it is.
    fn inspect(&mut self, job: u64) -> Result<Verdict, Failure> {
        let frame = self.frame()?;
        Ok(Verdict {
            job,
            frame: payload::number_of(&frame)
                .ok_or_else(|| Failure::Failed("what is in the mailbox is no frame".into()))?,
            sum: payload::sum(&frame),
        })
    }

    fn frame(&mut self) -> Result<InPlace<Trusting>, Failure> {
        let frame = self.frames.in_place()?;
        frame.ok_or_else(|| Failure::Failed("there is a job, and no frame".into()))
    }
}
