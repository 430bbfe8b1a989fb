//! The crate `rtrb`: a ring for two threads. It is for one process, and so what can be had at best without any between them.

use crate::floors::LINE_THERE;
use crate::harness::{Place, machine};
use crate::row::{Batch, Group, Measure, Result, Row, Work};
use crate::work::{BATCH, Batching, End, MESSAGE, check, stamp};
use rtrb::{Consumer, Producer, RingBuffer};
use std::thread;
use std::time::{Duration, Instant};

pub(super) fn rows() -> Vec<Row> {
    let batches = format!("rtrb, two threads, messages of 64 B, {BATCH} at a time");
    vec![
        Row::new(
            Group::Peer,
            "rtrb, two threads, one way 64 B",
            Measure::OneWay,
            Threads(Game::RoundTrip),
        )
        .against(LINE_THERE),
        super::small_messages("rtrb, two threads", Threads(Game::Messages)),
        Row::new(Group::Peer, batches, Measure::Messages, Threads(Game::Batches))
            .against(LINE_THERE)
            .against(format!("bare ring, messages of 64 B, {BATCH} at a time")),
    ]
}

/// Near does both sides' work, on two threads, of which one is on far's core. Far does nothing.
struct Threads(Game);

/// As the works of the same name, between processes.
#[derive(Clone, Copy)]
enum Game {
    RoundTrip,
    Messages,
    Batches,
}

/// As many as fit into a queue's usual ring, or nearly so.
const CAPACITY: usize = 1024;

impl Work for Threads {
    fn near(&self, place: &mut Place) -> Result<Batch> {
        let far_core = place.hear()?.parse()?;
        let ((to, far_from), (far_to, from)) = (RingBuffer::new(CAPACITY), RingBuffer::new(CAPACITY));
        let mut near = Ends { to, from };
        let mut far = Ends {
            to: far_to,
            from: far_from,
        };
        let game = self.0;
        Ok(Box::new(move |count| {
            thread::scope(|scope| {
                let other = scope.spawn(|| {
                    machine::pin(far_core)?;
                    game.far(&mut far, count)
                });
                let elapsed = game.near(&mut near, count)?;
                other.join().map_err(|_| "a thread has panicked")??;
                Ok(elapsed)
            })
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        // It is on it, and on no other.
        place.say(&machine::choose_cores()?.near.to_string())?;
        Ok(Box::new(|_| Ok(Duration::ZERO)))
    }
}

impl Game {
    fn near(self, end: &mut Ends, count: u64) -> Result<Duration> {
        let (mut message, mut answer) = ([7; MESSAGE], Vec::new());
        end.receive(&mut answer, MESSAGE)?;
        let start = Instant::now();
        match self {
            Game::RoundTrip => {
                for number in 0..count {
                    stamp(&mut message, number);
                    end.send(&message)?;
                    end.receive(&mut answer, MESSAGE)?;
                    check(&answer, MESSAGE, number)?;
                }
            }
            Game::Messages => {
                for number in 0..count {
                    stamp(&mut message, number);
                    end.send(&message)?;
                }
            }
            Game::Batches => {
                let mut messages = [message; BATCH];
                let mut number = 0;
                while number < count {
                    let len = (count - number).min(BATCH as u64) as usize;
                    for message in &mut messages[..len] {
                        stamp(message, number);
                        number += 1;
                    }
                    end.send_all(&messages[..len])?;
                }
            }
        }
        end.receive(&mut answer, MESSAGE)?;
        Ok(start.elapsed())
    }

    fn far(self, end: &mut Ends, count: u64) -> Result<()> {
        let go = [b'!'; MESSAGE];
        let mut message = Vec::new();
        end.send(&go)?;
        match self {
            Game::RoundTrip => {
                for _ in 0..count {
                    end.receive(&mut message, MESSAGE)?;
                    end.send(&message)?;
                }
            }
            Game::Messages => {
                for number in 0..count {
                    end.receive(&mut message, MESSAGE)?;
                    check(&message, MESSAGE, number)?;
                }
            }
            Game::Batches => {
                let mut number = 0;
                while number < count {
                    let most = (count - number).min(BATCH as u64) as usize;
                    end.receive_some(most, |message| {
                        check(message, MESSAGE, number)?;
                        number += 1;
                        Ok(())
                    })?;
                }
            }
        }
        end.send(&go)
    }
}

/// One thread's ends of two rings.
struct Ends {
    to: Producer<[u8; MESSAGE]>,
    from: Consumer<[u8; MESSAGE]>,
}

impl End for Ends {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        let message = data.try_into()?;
        while self.to.push(message).is_err() {
            std::hint::spin_loop();
        }
        Ok(())
    }

    fn receive(&mut self, buf: &mut Vec<u8>, _: usize) -> Result<()> {
        loop {
            if let Ok(message) = self.from.pop() {
                buf.clear();
                buf.extend_from_slice(&message);
                return Ok(());
            }
            std::hint::spin_loop();
        }
    }
}

impl Batching for Ends {
    fn send_all(&mut self, mut messages: &[[u8; MESSAGE]]) -> Result<()> {
        while !messages.is_empty() {
            (_, messages) = self.to.push_partial_slice(messages);
        }
        Ok(())
    }

    fn receive_some(&mut self, most: usize, each: impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
        let mut messages = [[0; MESSAGE]; BATCH];
        let mut each = each;
        loop {
            let (popped, _) = self.from.pop_partial_slice(&mut messages[..most.min(BATCH)]);
            if !popped.is_empty() {
                popped.iter().try_for_each(|message| each(message))?;
                return Ok(popped.len());
            }
            std::hint::spin_loop();
        }
    }
}
