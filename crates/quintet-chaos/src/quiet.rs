//! How fast a queue is while nobody dies: before a storm, and after it.
//!
//! It is for people to compare. What must be the same is that all of it passes, each message once.

use crate::queue::{LONG, check, message, text};
use quintet::shm::{Consumer, Producer, Queue, Received};
use std::fmt;
use std::thread;
use std::time::Instant;

/// How many messages each producer pushes as fast as it can, and how many one by one, each when the last one was taken.
const FLOWING: u64 = 40_000;
const SINGLY: u64 = 3_000;

/// Of each message. With 16 that say which it is.
const LEN: usize = 48;

const CONSUMERS: u64 = 2;

/// Messages a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    flowing: f64,
    singly: f64,
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} a second, singly {:.0}", self.flowing, self.singly)
    }
}

/// Passes messages through all lanes: how fast, and which.
pub(crate) fn pace(queue: &Queue) -> Result<(Pace, Vec<Received>), String> {
    let mut producers = (0..queue.max_producers())
        .map(|_| queue.producer())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("a lane is missing: {error}"))?;
    let mut consumers = (0..CONSUMERS)
        .map(|_| queue.consumer())
        .collect::<Result<Vec<_>, _>>()
        .map_err(text)?;
    let (flowing, mut got) = pass(&mut producers, &mut consumers, FLOWING, |_| Ok(()))?;
    // All sleep in between: whoever is woken for nobody is paid for here.
    let one = &mut producers[..1];
    let (singly, more) = pass(one, &mut consumers, SINGLY, |producer| {
        producer.wait_for_drain_timeout(LONG).map_err(text)
    })?;
    got.extend(more);
    Ok((Pace { flowing, singly }, got))
}

/// `each` of each producer, of which each consumer takes as many: how many a second, and which.
fn pass(
    producers: &mut [Producer],
    consumers: &mut [Consumer],
    each: u64,
    then: impl Fn(&mut Producer) -> Result<(), String> + Sync,
) -> Result<(f64, Vec<Received>), String> {
    let all = each * producers.len() as u64;
    let share = all / consumers.len() as u64;
    let begun = Instant::now();
    let got = thread::scope(|scope| {
        let takers: Vec<_> = consumers
            .iter_mut()
            .map(|consumer| scope.spawn(move || (0..share).map(|_| take(consumer)).collect()))
            .collect();
        let pushers: Vec<_> = producers
            .iter_mut()
            .map(|producer| {
                scope.spawn(|| {
                    (0..each).try_for_each(|_| {
                        let next = message(producer.lane(), producer.pushed(), LEN);
                        producer.push_timeout(&next, LONG).map_err(text)?;
                        then(producer)
                    })
                })
            })
            .collect();
        for pusher in pushers {
            pusher.join().map_err(|_| "a producer panicked")??;
        }
        let mut got = Vec::new();
        for taker in takers {
            let taken: Result<Vec<Received>, String> = taker.join().map_err(|_| "a consumer panicked")?;
            got.extend(taken?);
        }
        Ok::<_, String>(got)
    })?;
    Ok((all as f64 / begun.elapsed().as_secs_f64(), got))
}

fn take(consumer: &mut Consumer) -> Result<Received, String> {
    let mut bytes = Vec::new();
    let received = consumer.pop_timeout(&mut bytes, LONG).map_err(text)?;
    check(received, &bytes)?;
    Ok(received)
}
