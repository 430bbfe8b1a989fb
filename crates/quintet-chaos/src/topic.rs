//! Publishers and subscribers of one topic that are killed and stopped.
//!
//! A message begins with a number that its publisher has drawn, and the rest of its bytes and its length follow from that, its
//! lane and its sequence number: so what is put together of two messages shows. What must hold besides: the messages of a lane
//! come in order, none twice, and as many are said to be missed as are missing; what is held in place stays as it is; there is
//! always room for a short message, whoever held what when it died; no wait is without end.

use crate::dice::Dice;
use crate::report;
use quintet::named::NamedKind;
use quintet::shm::{Delivered, Publisher, Sample, Subscriber, Topic, Topics, Wary};
use quintet::sync::wait_any;
use quintet::{Error, ErrorKind, Name};
use std::any::Any;
use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) const WORKERS: &[&str] = &[
    "publisher",
    "publisher",
    "publisher",
    "copier",
    "copier",
    "holder",
    "holder",
    "waiter",
    "newest",
];

/// One more than there are publishers, for the driver.
const LANES: usize = 4;
const CAPACITY: u64 = 1 << 16;

/// What a holder holds at most: two of them, and those that died, leave room for a short one.
const HELD: usize = 4;
/// The longest that a holder keeps.
const KEPT: usize = 1000;

/// Long enough for any honest wait; one that takes longer fails the storm.
const LONG: Duration = Duration::from_secs(20);

/// How often something is done before it is reported.
const ROUND: u32 = 64;

fn name(folder: &Path) -> String {
    format!(
        "{}-topic",
        folder.file_name().unwrap_or_default().to_string_lossy()
    )
}

fn text(error: Error) -> String {
    format!("{:?}: {error}", error.kind())
}

fn open(folder: &Path) -> Result<Topic, String> {
    let builder = Topic::builder(name(folder)).map_err(text)?;
    let builder = builder.publishers(LANES).capacity(CAPACITY);
    builder.create_or_open().map_err(text)
}

/// What the driver holds while the storm lasts.
pub(crate) fn begin(folder: &Path) -> Result<Box<dyn Any>, String> {
    Ok(Box::new(open(folder)?))
}

pub(crate) fn work(kind: &str, seed: u64, folder: &Path) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let topic = open(folder)?;
    if kind == "publisher" {
        loop {
            let mut publisher = topic.publisher().map_err(text)?;
            for _ in 0..1 + dice.roll(8) {
                for _ in 0..ROUND {
                    publish(&mut dice, &mut publisher)?;
                    rest(&mut dice);
                }
                report::done("rounds of messages");
            }
        }
    }
    loop {
        let depth = match kind {
            "newest" => 1 + dice.roll(4),
            _ => u64::MAX,
        };
        let mut following = Following::new(topic.subscriber_with(depth).map_err(text)?);
        let mut held = Vec::new();
        for _ in 0..1 + dice.roll(8) {
            for _ in 0..ROUND {
                match kind {
                    "holder" => following.hold(&mut dice, &mut held)?,
                    "waiter" => following.wait(&mut dice)?,
                    _ => following.copy()?,
                }
                rest(&mut dice);
            }
            report::done(match kind {
                "holder" => "rounds in place",
                "waiter" => "rounds of waits",
                "newest" => "rounds of the newest",
                _ => "rounds of copies",
            });
        }
        // What is held outlives its subscriber.
        drop(following);
        check_held(&held)?;
    }
}

fn publish(dice: &mut Dice, publisher: &mut Publisher) -> Result<(), String> {
    let (lane, number) = (publisher.lane(), publisher.published());
    let message = message(lane, number, dice.next());
    let published = match dice.roll(4) {
        0 => {
            // The first is not published, and so was never there.
            match publisher.loan(message.len() * 2) {
                Ok(mut never) => never.write_at(0, vec![0xee; message.len() * 2]).map_err(text)?,
                Err(error) if error.kind() == ErrorKind::Full => {}
                Err(error) => return Err(text(error)),
            }
            publisher.loan(message.len() + 8).and_then(|mut loan| {
                for (at, part) in message.chunks(64).enumerate() {
                    loan.write_at(at * 64, part)?;
                }
                loan.publish_len(message.len())
            })
        }
        _ => publisher.publish(&message),
    };
    match published {
        Ok(published) if published == number => Ok(()),
        Ok(published) => Err(format!("message {published} of lane {lane} was to be {number}")),
        // What the holders hold is in the way of a long one, never of a short one.
        Err(error) if error.kind() == ErrorKind::Full && message.len() > KEPT => Ok(()),
        Err(error) => Err(text(error)),
    }
}

/// A subscriber, and what is next in each lane, as far as it can know.
struct Following {
    subscriber: Subscriber,
    next: [Option<u64>; LANES],
}

type Held = (Sample<Wary>, Vec<u8>);

impl Following {
    fn new(subscriber: Subscriber) -> Self {
        Following {
            subscriber,
            next: [None; LANES],
        }
    }

    fn check(&mut self, delivered: Delivered, bytes: &[u8]) -> Result<(), String> {
        check(delivered, bytes)?;
        let next = &mut self.next[delivered.lane];
        if next.is_some_and(|next| next + delivered.lost != delivered.sequence) {
            return Err(format!("{delivered:?} came where {next:?} was next"));
        }
        *next = Some(delivered.sequence + 1);
        Ok(())
    }

    fn copy(&mut self) -> Result<(), String> {
        let mut bytes = Vec::new();
        match self.subscriber.try_copy(&mut bytes).map_err(text)? {
            Some(delivered) => self.check(delivered, &bytes),
            None => Ok(()),
        }
    }

    fn wait(&mut self, dice: &mut Dice) -> Result<(), String> {
        let start = Instant::now();
        let mut bytes = Vec::new();
        let delivered = loop {
            let waited = match dice.roll(3) {
                0 => self.subscriber.receive_timeout(LONG).map(|sample| {
                    bytes = sample.to_vec();
                    Some(sample.delivered())
                }),
                1 => {
                    let waited = wait_any(&[(&self.subscriber).into()], LONG).map(drop);
                    waited.and_then(|()| self.subscriber.try_copy(&mut bytes))
                }
                _ => self.subscriber.copy_timeout(&mut bytes, LONG).map(Some),
            };
            match waited {
                Ok(Some(delivered)) => break delivered,
                // Overwritten since.
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::PeerDied => {}
                Err(error) => return Err(text(error)),
            }
            if start.elapsed() > LONG {
                return Err("nothing came".into());
            }
        };
        self.check(delivered, &bytes)
    }

    /// Holds one more in place, and lets go of some.
    fn hold(&mut self, dice: &mut Dice, held: &mut Vec<Held>) -> Result<(), String> {
        if let Some(sample) = self.subscriber.try_receive().map_err(text)? {
            let bytes = sample.to_vec();
            self.check(sample.delivered(), &bytes)?;
            if bytes.len() <= KEPT {
                held.push((sample, bytes));
            }
        }
        rest(dice);
        check_held(held)?;
        if held.len() >= HELD {
            held.swap_remove(dice.roll(HELD as u64) as usize);
        }
        if dice.roll(16) == 0 {
            held.clear();
        }
        Ok(())
    }
}

fn check_held(held: &[Held]) -> Result<(), String> {
    for (sample, bytes) in held {
        if sample.to_vec() != *bytes {
            return Err(format!("{:?} has changed under who holds it", sample.delivered()));
        }
    }
    Ok(())
}

fn rest(dice: &mut Dice) {
    match dice.roll(8) {
        0 => std::thread::sleep(Duration::from_micros(dice.roll(300))),
        1 => (0..dice.roll(5000)).for_each(|_| std::hint::spin_loop()),
        _ => {}
    }
}

/// The message with that number of that lane, of a publisher who has drawn that.
fn message(lane: usize, number: u64, drawn: u64) -> Vec<u8> {
    let mut pattern = Dice::new(number.rotate_left(32) ^ drawn ^ lane as u64);
    let len = match pattern.roll(16) {
        0 => pattern.roll(CAPACITY / 5),
        1 => pattern.roll(4000),
        _ => pattern.roll(300),
    };
    let len = 8 + len as usize;
    let mut bytes = drawn.to_le_bytes().to_vec();
    while bytes.len() < len {
        bytes.extend(pattern.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn check(delivered: Delivered, bytes: &[u8]) -> Result<(), String> {
    let drawn = bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let expected = drawn.map(|drawn| message(delivered.lane, delivered.sequence, drawn));
    if delivered.len != bytes.len() || expected.is_none_or(|expected| bytes != expected) {
        return Err(format!("{delivered:?} is torn, or another one"));
    }
    Ok(())
}

/// When all workers are dead.
pub(crate) fn aftermath(folder: &Path) -> Result<(), String> {
    const EACH: u64 = 500;
    let topic = open(folder)?;
    let before = topic.stats();
    if (before.publishers, before.subscribers) != (0, 0) {
        return Err(format!("all are dead, and it says {before:?}"));
    }
    // Everything is as before: all lanes can be had, each with all its room, and each message comes.
    let mut following = Following::new(topic.subscriber().map_err(text)?);
    let mut publishers = Vec::new();
    for _ in 0..LANES {
        let publisher = topic.publisher();
        publishers.push(publisher.map_err(|error| format!("a lane is missing: {error}"))?);
    }
    let start: u64 = publishers.iter().map(Publisher::published).sum();
    let longest = topic.max_message();
    for step in 0..EACH {
        for publisher in &mut publishers {
            let number = publisher.published();
            let message = message(publisher.lane(), number, step);
            publisher
                .loan(longest)
                .map_err(|error| format!("there is no room: {error}"))?;
            publisher.publish(&message).map_err(text)?;
            let mut bytes = Vec::new();
            let delivered = following
                .subscriber
                .copy_timeout(&mut bytes, LONG)
                .map_err(text)?;
            following.check(delivered, &bytes)?;
            if (delivered.lane, delivered.sequence, delivered.lost) != (publisher.lane(), number, 0) {
                return Err(format!("{number} was published, and {delivered:?} came"));
            }
        }
    }
    let stats = topic.stats();
    if stats.published != start + EACH * LANES as u64 {
        return Err(format!(
            "{start} were published and {EACH} in each lane, and it says {stats:?}"
        ));
    }
    drop((following, publishers));
    let stats = topic.stats();
    if (stats.publishers, stats.subscribers) != (0, 0) {
        return Err(format!("all are gone, and it says {stats:?}"));
    }
    println!("    {start} messages");
    Ok(())
}

/// When the topic is let go as well: nothing is left.
pub(crate) fn nothing_left(folder: &Path) -> Result<(), String> {
    let name: Name = name(folder).parse().map_err(text)?;
    match Topics.stat(&name) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        left => Err(format!("{name} is still there: {left:?}")),
    }
}
