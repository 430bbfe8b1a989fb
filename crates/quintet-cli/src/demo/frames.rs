//! The main process's side of the frames: sent when the worker asks for them, several under way at a time.

use super::table::{Row, count};
use super::worker::Worker;
use super::{AT_ONCE, Demo, FRAME, payload, say};
use crate::failure::Failure;
use quintet::pipe::PipeStream;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

/// A frame that is under way, and since when.
type Sent = (Arc<Vec<u8>>, Instant);

impl Demo {
    /// Sends so many frames, and notes how that went.
    pub(super) fn send_frames(&mut self, frames: u64, row: &mut Row) -> Result<(), Failure> {
        say(&format!(
            "main    sends {} {}, at most {AT_ONCE} under way … ",
            count(frames as usize),
            row.what
        ))?;
        let start = Instant::now();
        self.tell(payload::FRAMES)?;
        let numbers = self.number..self.number + frames;
        let (ask, asked) = mpsc::channel();
        let (send, sent) = mpsc::channel();
        let Demo {
            worker,
            stream,
            ready,
            ..
        } = self;
        let stream = &*stream;
        let frames = numbers.clone();
        let done = thread::scope(|scope| {
            // On a thread of its own: if both sides wrote at the same time, neither would read. It ends with `ask`.
            scope.spawn(move || send_all(stream, &asked, &send));
            Answers { worker, stream, sent }.take(frames, ready, row, ask)
        });
        done.inspect_err(|_| {
            // The line is not finished. What the failure is, is said on standard error.
            let _ = say("failed\n");
        })?;
        self.number = numbers.end;
        say(&format!("done in {:.1} s\n", start.elapsed().as_secs_f64()))
    }

    /// Waits until the worker has all permits, and gives it a frame that it does not answer.
    pub(super) fn hand_over_a_frame(&mut self) -> Result<(), Failure> {
        while self.ready < AT_ONCE {
            self.hear(payload::READY)?;
            self.ready += 1;
        }
        self.tell(payload::KEEP)?;
        self.tell(&payload::message(self.number, FRAME))?;
        self.hear(payload::KEPT)
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

fn send_all(stream: &PipeStream, asked: &Receiver<u64>, send: &Sender<Sent>) {
    for number in asked {
        let frame = Arc::new(payload::message(number, FRAME));
        // If nobody wants to know, or the pipe has ended, the other thread has found out why.
        let known = send.send((frame.clone(), Instant::now()));
        if known.is_err() || stream.write_message(&*frame).is_err() {
            return;
        }
    }
}

/// Where the answers come from.
struct Answers<'a> {
    worker: &'a mut Worker,
    stream: &'a PipeStream,
    sent: Receiver<Sent>,
}

impl Answers<'_> {
    /// Has these frames sent as the worker asks for them, and takes their answers.
    fn take(
        self,
        frames: Range<u64>,
        ready: &mut u32,
        row: &mut Row,
        ask: Sender<u64>,
    ) -> Result<(), Failure> {
        let (mut next, mut answered) = (frames.clone(), frames);
        let mut said = Vec::new();
        while !answered.is_empty() {
            self.worker.hear(self.stream, &mut said)?;
            if said == payload::READY {
                *ready += 1;
            } else {
                let (frame, start) = self.sent.try_recv().map_err(|_| out_of_turn())?;
                if !payload::is_answer(&said, &frame) {
                    return Err(out_of_turn());
                }
                row.note(start.elapsed(), 2 * FRAME);
                answered.next();
            }
            while *ready > 0
                && let Some(number) = next.next()
            {
                *ready -= 1;
                if next.start - answered.start > AT_ONCE.into() {
                    return Err(Failure::Failed(
                        "the worker asks for more frames than there are permits".into(),
                    ));
                }
                // It fails if the pipe has ended, which is what will be heard next.
                let _ = ask.send(number);
            }
        }
        Ok(())
    }
}

fn out_of_turn() -> Failure {
    Failure::Failed("the worker's answer is not what it should be".into())
}
