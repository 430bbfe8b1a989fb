//! Several producers, or several consumers.

use super::link::wait_once;
use crate::floors::LINE_THERE;
use crate::harness::Place;
use crate::row::{Batch, Group, Measure, Result, Row, Work};
use crate::work::MESSAGE;
use quintet::shm::{Consumer, Producer, Queue};
use std::thread;
use std::time::{Duration, Instant};

pub(super) fn rows() -> impl Iterator<Item = Row> {
    [(2, 1), (4, 1), (1, 2), (1, 4)]
        .into_iter()
        .map(|(producers, consumers)| {
            let work = Crowd { producers, consumers };
            let name = format!("quintet queue, messages of 64 B, {producers} to {consumers}");
            Row::new(Group::Queue, name, Measure::Messages, work).against(LINE_THERE)
        })
}

/// Near has the producers and far the consumers of one queue, each on a thread of its own. All threads of a side are on its
/// core, so they take turns there.
struct Crowd {
    producers: u64,
    consumers: u64,
}

/// The number of the last messages: each producer pushes one for each consumer, and a consumer that has got as many as
/// there are producers is done. (They may all be of one lane: what counts is that there are no others then.)
const END: u64 = u64::MAX;

impl Crowd {
    /// How many of `count` messages the producer of that index pushes.
    fn share(&self, count: u64, producer: u64) -> u64 {
        count / self.producers + u64::from(producer < count % self.producers)
    }

    /// The sum of all numbers that are pushed.
    fn sum(&self, count: u64) -> u64 {
        (0..self.producers)
            .map(|producer| (0..self.share(count, producer)).fold(0, u64::wrapping_add))
            .fold(0, u64::wrapping_add)
    }
}

impl Work for Crowd {
    fn before_pinning(&self) -> Result<()> {
        wait_once()
    }

    fn near(&self, place: &mut Place) -> Result<Batch> {
        let name = place.hear()?;
        let queue = Queue::open_existing(&name)?;
        let mut done = Queue::open_existing(signals(&name))?.consumer()?;
        let mut producers = (0..self.producers)
            .map(|_| queue.producer())
            .collect::<quintet::Result<Vec<_>>>()?;
        let crowd = Crowd { ..*self };
        Ok(Box::new(move |count| {
            let mut signal = Vec::new();
            done.pop(&mut signal)?;
            let start = Instant::now();
            let tasks = producers.iter_mut().enumerate().map(|(index, producer)| {
                let share = crowd.share(count, index as u64);
                let ends = crowd.consumers;
                move || produce(producer, share, ends)
            });
            all(tasks)?;
            done.pop(&mut signal)?;
            Ok(start.elapsed())
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let name = place.unique_name();
        let queue = Queue::builder(&name)?
            .producers(self.producers as usize)
            .create_new()?;
        let mut done = Queue::builder(signals(&name))?
            .producers(1)
            .create_new()?
            .producer()?;
        let mut consumers = (0..self.consumers)
            .map(|_| queue.consumer())
            .collect::<quintet::Result<Vec<_>>>()?;
        place.say(&name)?;
        let crowd = Crowd { ..*self };
        Ok(Box::new(move |count| {
            done.push(b"!")?;
            let tasks = consumers
                .iter_mut()
                .map(|consumer| move || consume(consumer, crowd.producers));
            let sums = all(tasks)?;
            done.push(b"!")?;
            let sum = sums.into_iter().fold(0, u64::wrapping_add);
            if sum != crowd.sum(count) {
                return Err(format!("{count} messages came with numbers that make {sum}").into());
            }
            Ok(Duration::ZERO)
        }))
    }
}

/// The queue by which far tells when it begins and when it has got everything.
fn signals(name: &str) -> String {
    format!("{name}-signals")
}

/// Does all of them at once, the first on this thread.
fn all<T: Send>(mut tasks: impl Iterator<Item = impl FnOnce() -> Result<T> + Send>) -> Result<Vec<T>> {
    let first = tasks.next();
    thread::scope(|scope| {
        let threads: Vec<_> = tasks.map(|task| scope.spawn(task)).collect();
        let first = first.map(|task| task());
        let others = threads.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err("a thread has panicked".into()))
        });
        first.into_iter().chain(others).collect()
    })
}

fn produce(producer: &mut Producer, count: u64, ends: u64) -> Result<()> {
    let mut message = [7; MESSAGE];
    for number in (0..count).chain((0..ends).map(|_| END)) {
        message[..8].copy_from_slice(&number.to_le_bytes());
        producer.push(message)?;
    }
    Ok(())
}

/// The sum of the numbers of what it got.
fn consume(consumer: &mut Consumer, ends: u64) -> Result<u64> {
    let mut message = Vec::new();
    let (mut left, mut sum) = (ends, 0_u64);
    while left > 0 {
        consumer.pop(&mut message)?;
        let number = match message.first_chunk() {
            Some(number) if message.len() == MESSAGE => u64::from_le_bytes(*number),
            _ => return Err(format!("a message of 64 B came as one of {} bytes", message.len()).into()),
        };
        match number {
            END => left -= 1,
            number => sum = sum.wrapping_add(number),
        }
    }
    Ok(sum)
}
