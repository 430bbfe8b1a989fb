//! The main process's side of the frames: it writes one and pushes the job to inspect it whenever the worker has asked for
//! one, so several are under way at a time, and takes the worker's verdicts.

use super::payload::{self, Job, Verdict};
use super::table::{Row, count};
use super::{AT_ONCE, Demo, FRAME, say};
use crate::failure::Failure;
use std::collections::VecDeque;
use std::time::Instant;

/// How the frames, and the jobs that are about them, went.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) frames: Row,
    pub(super) jobs: Row,
}

/// What is under way.
struct Sent {
    number: u64,
    since: Instant,
}

impl Demo<'_> {
    /// Has so many frames inspected, and notes how that went.
    pub(super) fn send_frames(&mut self, frames: u64, rows: &mut Rows) -> Result<(), Failure> {
        say(&format!(
            "main    writes {} {} and pushes a job for each, at most {AT_ONCE} under way … ",
            count(frames as usize),
            rows.frames.what
        ))?;
        let start = Instant::now();
        let overtaken = self.inspect(frames, rows).inspect_err(|_| {
            // The line is not finished. What the failure is, is said on standard error.
            let _ = say("failed\n");
        })?;
        say(&format!("done in {:.1} s\n", start.elapsed().as_secs_f64()))?;
        if overtaken > 0 {
            say(&format!(
                "worker  inspected {overtaken} times a frame newer than its job's: a mailbox has the newest\n"
            ))?;
        }
        Ok(())
    }

    /// How many frames were overtaken by a newer one before the worker came to them.
    fn inspect(&mut self, frames: u64, rows: &mut Rows) -> Result<usize, Failure> {
        self.tell(payload::FRAMES)?;
        let (first, end) = (self.number, self.number + frames);
        let mut sums = Vec::new();
        let mut sent: VecDeque<Sent> = VecDeque::new();
        let mut overtaken = 0;
        let mut said = Vec::new();
        while self.number < end || !sent.is_empty() {
            self.worker.hear(&self.stream, &mut said)?;
            if said == payload::READY {
                self.ready += 1;
            } else {
                let verdict = Verdict::read(&said).ok_or_else(out_of_turn)?;
                let job = sent.pop_front().filter(|job| job.number == verdict.job);
                let job = job.ok_or_else(out_of_turn)?;
                let newer = verdict.frame.checked_sub(job.number).ok_or_else(out_of_turn)?;
                let sum = sums.get((verdict.frame - first) as usize);
                if sum != Some(&verdict.sum) {
                    return Err(Failure::Failed(format!(
                        "the worker did not see frame {} as it was written",
                        verdict.frame
                    )));
                }
                rows.jobs.note(job.since.elapsed(), Job::LEN + Verdict::LEN);
                overtaken += usize::from(newer > 0);
            }
            while self.ready > 0 && self.number < end {
                if sent.len() >= AT_ONCE as usize {
                    return Err(Failure::Failed(
                        "the worker asks for more frames than there are permits".into(),
                    ));
                }
                let since = Instant::now();
                sums.push(self.write_frame(rows)?);
                let number = self.push(|number| Job::Inspect { number })?;
                sent.push_back(Sent { number, since });
                self.number += 1;
            }
        }
        Ok(overtaken)
    }

    /// Writes the next frame: what its bytes add up to.
    fn write_frame(&mut self, rows: &mut Rows) -> Result<u64, Failure> {
        let frame = payload::message(self.number, FRAME);
        self.frames.write(&frame)?;
        rows.frames.note_one_way(frame.len());
        Ok(payload::sum(&frame))
    }

    /// Pushes a job, for a permit that the worker has.
    fn push(&mut self, job: impl Fn(u64) -> Job) -> Result<u64, Failure> {
        self.jobs
            .push_timeout(job(self.number).bytes(), super::PATIENCE)?;
        self.ready = self.ready.saturating_sub(1);
        Ok(self.number)
    }

    /// Waits until the worker has all permits, and gives it a frame that it keeps in its hands.
    pub(super) fn hand_over_a_frame(&mut self, rows: &mut Rows) -> Result<(), Failure> {
        while self.ready < AT_ONCE {
            self.hear(payload::READY)?;
            self.ready += 1;
        }
        self.write_frame(rows)?;
        self.push(|number| Job::Keep { number })?;
        self.hear(payload::KEPT)
    }

    /// Tells the worker that there are no more frames.
    pub(super) fn end_frames(&mut self) -> Result<(), Failure> {
        Ok(self.jobs.push_timeout(Job::End.bytes(), super::PATIENCE)?)
    }

    fn tell(&mut self, message: &[u8]) -> Result<(), Failure> {
        match self.stream.write_message(message) {
            Ok(()) => Ok(()),
            Err(error) => self.worker.trouble(&error),
        }
    }

    fn hear(&mut self, signal: &[u8]) -> Result<(), Failure> {
        let mut said = Vec::new();
        self.worker.hear(&self.stream, &mut said)?;
        if said == signal {
            Ok(())
        } else {
            Err(out_of_turn())
        }
    }
}

fn out_of_turn() -> Failure {
    Failure::Failed("the worker's answer is not what it should be".into())
}
