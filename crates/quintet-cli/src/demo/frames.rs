//! The main process's side of the frames: it makes each where the workers will see it, publishes it whenever both have a
//! permit for one more, so several are under way at a time, and takes their verdicts.

use super::payload::{self, Said, Verdict};
use super::table::{Row, count};
use super::{AT_ONCE, Demo, FRAME, PATIENCE, say};
use crate::failure::Failure;
use quintet::Deadline;
use quintet::sync::wait_any;
use std::ops::Range;
use std::time::Instant;

/// How the frames, and the verdicts on them, went.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) frames: Row,
    pub(super) verdicts: Row,
}

/// A frame that a worker has not given its verdict on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    number: u64,
    /// What its bytes add up to.
    sum: u64,
    since: Instant,
}

impl Demo<'_> {
    /// Has so many frames inspected by both workers, and notes how that went.
    pub(super) fn send_frames(&mut self, frames: u64, rows: &mut Rows) -> Result<(), Failure> {
        say(&format!(
            "main    publishes {} {} to both, at most {AT_ONCE} under way, no copies … ",
            count(frames as usize),
            rows.frames.what
        ))?;
        let start = Instant::now();
        self.inspect(frames, rows).inspect_err(|_| {
            // The line is not finished. What the failure is, is said on standard error.
            let _ = say("failed\n");
        })?;
        say(&format!("done in {:.1} s\n", start.elapsed().as_secs_f64()))
    }

    fn inspect(&mut self, frames: u64, rows: &mut Rows) -> Result<(), Failure> {
        let end = self.number + frames;
        while self.number < end || self.peers.iter().any(|peer| !peer.sent.is_empty()) {
            while self.number < end && self.peers.iter().all(|peer| peer.ready > 0) {
                self.publish_frame(rows)?;
            }
            self.hear(rows)?;
        }
        match self.shared.topic.stats().lost {
            0 => Ok(()),
            lost => Err(Failure::Failed(format!("the workers have missed {lost} frames"))),
        }
    }

    /// Makes the next frame in the topic itself, and publishes it: where it is.
    fn publish_frame(&mut self, rows: &mut Rows) -> Result<Range<usize>, Failure> {
        let mut frame = self.frames.loan(FRAME)?;
        payload::write_message(self.number, &mut frame);
        let sum = payload::sum(&frame);
        let start = frame.as_mut_ptr().addr().get();
        let place = start..start + frame.len();
        let sent = Sent {
            number: self.number,
            sum,
            since: Instant::now(),
        };
        frame.publish()?;
        rows.frames.note_one_way(FRAME);
        for peer in &mut self.peers {
            peer.ready = peer.ready.saturating_sub(1);
            peer.sent.push_back(sent);
        }
        self.number += 1;
        // No loan is ever where a living subscriber holds a message.
        if let Some(kept) = &self.kept {
            self.is_kept_used_again |= place.start < kept.end && kept.start < place.end;
        }
        Ok(place)
    }

    /// Takes what one of the workers says next.
    fn hear(&mut self, rows: &mut Rows) -> Result<(), Failure> {
        let mut said = Vec::new();
        // Twice, as who has died may have said something before.
        let mut dead = None;
        while self.verdicts.try_pop(&mut said)?.is_none() {
            if let Some(index) = dead {
                let peer: &mut super::Peer = &mut self.peers[index];
                return peer.worker.gone("the frames are not all inspected");
            }
            let [one, other] = &self.peers;
            let of_interest = [
                (&self.verdicts).into(),
                (&one.process).into(),
                (&other.process).into(),
            ];
            let woken = wait_any(&of_interest, Deadline::after(PATIENCE))?.index;
            dead = woken.checked_sub(1);
        }
        let (index, said) = Said::read(&said).ok_or_else(out_of_turn)?;
        let peer = self.peers.get_mut(usize::from(index)).ok_or_else(out_of_turn)?;
        match said {
            Said::Ready if peer.ready < AT_ONCE => peer.ready += 1,
            Said::Kept if !peer.keeps => peer.keeps = true,
            Said::Verdict(verdict @ Verdict { frame, sum }) => {
                let sent = peer.sent.pop_front().filter(|sent| sent.number == frame);
                let sent = sent.ok_or_else(out_of_turn)?;
                if sum != sent.sum {
                    return Err(Failure::Failed(format!(
                        "a worker did not see frame {frame} as it was written"
                    )));
                }
                rows.verdicts.note_answer(sent.since.elapsed(), Verdict::LEN);
                self.results.send(index, verdict)?;
            }
            _ => return Err(out_of_turn()),
        }
        Ok(())
    }

    /// Waits until both workers have all their permits, and publishes a frame that one keeps in its hands, while the other
    /// inspects it as any other.
    pub(super) fn hand_over_a_frame(&mut self, keeper: u8, rows: &mut Rows) -> Result<(), Failure> {
        while self.peers.iter().any(|peer| peer.ready < AT_ONCE) {
            self.hear(rows)?;
        }
        self.frames.publish(payload::keep(keeper))?;
        self.kept = Some(self.publish_frame(rows)?);
        let keeper = usize::from(keeper);
        let other = 1 - keeper;
        while !self.peers[keeper].keeps || self.peers[other].ready < AT_ONCE {
            self.hear(rows)?;
        }
        Ok(())
    }

    /// Tells both workers that there are no more frames.
    pub(super) fn end_frames(&mut self) -> Result<(), Failure> {
        self.frames.publish(payload::END)?;
        Ok(())
    }
}

fn out_of_turn() -> Failure {
    Failure::Failed("what a worker says is not what it should be".into())
}
