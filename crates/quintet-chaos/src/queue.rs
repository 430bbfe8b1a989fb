//! Producers and consumers of one queue that are killed and stopped.
//!
//! Every message says which it is: its lane and its number there, and its bytes follow from these. A consumer writes down
//! what it took, and again when it is done with it. So in the end it is known of every message that was pushed what became
//! of it. What must hold: nothing torn, nothing twice, each consumer gets a lane's messages in order, no wait without end; and
//! what nobody wrote down is no more than what the queue says was lost with dead consumers, which in turn is no more than what
//! nobody was done with. Afterwards as many messages pass as before, how fast is printed, and nothing is left.

use crate::dice::Dice;
use crate::quiet::{self, Pace};
use crate::report;
use quintet::named::NamedKind;
use quintet::shm::{Batch, Consumer, Producer, Queue, Queues, Received};
use quintet::{Error, ErrorKind, Name};
use std::any::Any;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

pub(crate) const WORKERS: &[&str] = &[
    "producer", "producer", "producer", "popper", "popper", "batcher", "peeker",
];

/// As many as there are producers: a dead one's lane has to be free at once.
const LANES: usize = 3;
const CAPACITY: u64 = 16 << 10;

/// Long enough for any honest wait; one that takes longer fails the storm.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// How often something is done before it is reported.
const ROUND: u32 = 16;

fn name(folder: &Path) -> String {
    format!(
        "{}-queue",
        folder.file_name().unwrap_or_default().to_string_lossy()
    )
}

fn queue(folder: &Path) -> Result<Queue, String> {
    let builder = Queue::builder(name(folder)).map_err(text)?;
    let builder = builder.producers(LANES).capacity(CAPACITY);
    builder.create_or_open().map_err(text)
}

pub(crate) fn text(error: Error) -> String {
    format!("{:?}: {error}", error.kind())
}

/// What the driver holds while the storm lasts.
pub(crate) fn begin(folder: &Path) -> Result<Box<dyn Any>, String> {
    let queue = queue(folder)?;
    let (before, got) = quiet::pace(&queue)?;
    let mut diary = Diary::new(folder, 0)?;
    diary.taken = got.into_iter().map(entry).collect();
    diary.write(0)?;
    diary.did()?;
    Ok(Box::new(Held {
        _queue: queue,
        before,
    }))
}

struct Held {
    _queue: Queue,
    before: Pace,
}

pub(crate) fn work(kind: &str, seed: u64, folder: &Path) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let queue = queue(folder)?;
    if kind == "producer" {
        let mut producer = queue.producer().map_err(text)?;
        loop {
            for _ in 0..ROUND {
                push(&mut dice, &mut producer)?;
            }
            report::done("rounds of pushes");
        }
    }
    let mut diary = Diary::new(folder, seed)?;
    let mut consumer = queue.consumer().map_err(text)?;
    let (mut message, mut batch) = (Vec::new(), Batch::new());
    loop {
        for _ in 0..ROUND {
            match kind {
                "popper" => {
                    let received = consumer.pop_timeout(&mut message, LONG).map_err(text)?;
                    diary.took(&[(received, &message)])?;
                }
                "batcher" => {
                    batch.clear();
                    let most = 1 + dice.roll(8) as usize;
                    consumer.pop_batch_timeout(&mut batch, most, LONG).map_err(text)?;
                    diary.took(&batch.iter().collect::<Vec<_>>())?;
                }
                _ => peek(&mut dice, &mut consumer, &mut diary)?,
            }
            rest(&mut dice);
            consumer.done();
            diary.did()?;
        }
        report::done(match kind {
            "popper" => "rounds of pops",
            "batcher" => "rounds of batches",
            _ => "rounds of peeks",
        });
    }
}

/// One message or several, of any length that there may be.
fn push(dice: &mut Dice, producer: &mut Producer) -> Result<(), String> {
    let (lane, number) = (producer.lane(), producer.pushed());
    let mut len = || match dice.roll(8) {
        0 => dice.roll(CAPACITY / 2 - 32) as usize,
        1 => 0,
        _ => dice.roll(100) as usize,
    };
    let next = message(lane, number, len());
    let more = [message(lane, number + 1, len()), message(lane, number + 2, len())];
    match dice.roll(4) {
        0 => {
            let all = [&next, &more[0], &more[1]];
            producer.push_all_timeout(all, LONG).map(drop).map_err(text)?;
        }
        1 => {
            // The first is not committed, and so was never there.
            let mut never = producer.reserve_timeout(200, LONG).map_err(text)?;
            never.write_at(0, [0xee; 200]).map_err(text)?;
            let mut place = producer.reserve_timeout(next.len(), LONG).map_err(text)?;
            place.write_at(0, &next).map_err(text)?;
            place.commit().map_err(text)?;
        }
        _ => producer.push_timeout(&next, LONG).map_err(text)?,
    }
    rest(dice);
    Ok(())
}

fn peek(dice: &mut Dice, consumer: &mut Consumer, diary: &mut Diary) -> Result<(), String> {
    let peeked = consumer.peek_timeout(LONG).map_err(text)?;
    let (received, bytes) = (peeked.received(), peeked.to_vec());
    check(received, &bytes)?;
    rest(dice);
    if peeked.to_vec() != bytes {
        return Err(format!("{received:?} has changed under a peek"));
    }
    if dice.roll(4) > 0 && peeked.take() {
        diary.took(&[(received, &bytes)])?;
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

/// Lane and number, and bytes that follow from them.
pub(crate) fn message(lane: usize, number: u64, len: usize) -> Vec<u8> {
    let mut bytes = [(lane as u64).to_le_bytes(), number.to_le_bytes()].concat();
    let mut pattern = Dice::new(number << 8 | lane as u64);
    while bytes.len() < 16 + len {
        bytes.extend(pattern.next().to_le_bytes());
    }
    bytes.truncate(16 + len);
    bytes
}

pub(crate) fn check(received: Received, bytes: &[u8]) -> Result<(), String> {
    let len = bytes.len().saturating_sub(16);
    if received.len != bytes.len() || bytes != message(received.lane, received.sequence, len) {
        return Err(format!("{received:?} is torn, or another one"));
    }
    Ok(())
}

/// What a consumer writes down, in one file each: 8 bytes a message, appended by one call. They are there when that has
/// returned, whoever is killed then.
struct Diary {
    file: File,
    /// What was taken last, and is not done yet.
    taken: Vec<u64>,
    /// The last number from each lane.
    last: [Option<u64>; LANES],
}

const DONE: u64 = 1 << 63;
const LANE_AT: u32 = 48;

fn entry(received: Received) -> u64 {
    (received.lane as u64) << LANE_AT | received.sequence
}

impl Diary {
    fn new(folder: &Path, seed: u64) -> Result<Self, String> {
        let path = folder.join(format!("diary-{}-{seed}", std::process::id()));
        Ok(Diary {
            file: File::create_new(path).map_err(|error| error.to_string())?,
            taken: Vec::new(),
            last: [None; LANES],
        })
    }

    fn took(&mut self, messages: &[(Received, impl AsRef<[u8]>)]) -> Result<(), String> {
        for (received, bytes) in messages {
            check(*received, bytes.as_ref())?;
            let last = &mut self.last[received.lane];
            if last.is_some_and(|last| last >= received.sequence) {
                return Err(format!("{received:?} after number {last:?}"));
            }
            *last = Some(received.sequence);
            self.taken.push(entry(*received));
        }
        self.write(0)
    }

    fn did(&mut self) -> Result<(), String> {
        self.write(DONE)?;
        self.taken.clear();
        Ok(())
    }

    fn write(&mut self, mark: u64) -> Result<(), String> {
        let entries = self.taken.iter().map(|entry| (entry | mark).to_le_bytes());
        let bytes: Vec<u8> = entries.flatten().collect();
        self.file.write_all(&bytes).map_err(|error| error.to_string())
    }
}

/// What became of the messages of all lanes, by their numbers.
#[derive(Default)]
struct Fates {
    taken: Vec<Vec<bool>>,
    done: u64,
}

impl Fates {
    fn read(folder: &Path) -> Result<Self, String> {
        let mut fates = Fates::default();
        for entry in std::fs::read_dir(folder).map_err(|error| error.to_string())? {
            let path = entry.map_err(|error| error.to_string())?.path();
            if !path.to_string_lossy().contains("diary-") {
                continue;
            }
            let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
            for entry in bytes.as_chunks::<8>().0 {
                let entry = u64::from_le_bytes(*entry);
                if entry & DONE == 0 {
                    fates.took((entry >> LANE_AT) as usize, entry & ((1 << LANE_AT) - 1))?;
                } else {
                    fates.done += 1;
                }
            }
        }
        Ok(fates)
    }

    fn took(&mut self, lane: usize, number: u64) -> Result<(), String> {
        self.taken.resize_with(LANES, Vec::new);
        let (taken, number) = (&mut self.taken[lane], number as usize);
        taken.resize(taken.len().max(number + 1), false);
        if std::mem::replace(&mut taken[number], true) {
            return Err(format!("message {number} of lane {lane} was taken twice"));
        }
        Ok(())
    }

    fn count(&self) -> u64 {
        self.taken.iter().flatten().filter(|taken| **taken).count() as u64
    }
}

/// When all workers are dead.
pub(crate) fn aftermath(folder: &Path, held: &dyn Any) -> Result<(), String> {
    const EACH: u64 = 300;
    let queue = queue(folder)?;
    let mut fates = Fates::read(folder)?;
    let mut consumer = queue.consumer().map_err(text)?;
    let mut got = Vec::new();
    let mut take = |consumer: &mut Consumer, fates: &mut Fates, wait: Duration| {
        let received = match consumer.pop_timeout(&mut got, wait) {
            Err(error) if error.kind() == ErrorKind::TimedOut && wait.is_zero() => return Ok(false),
            received => received.map_err(text)?,
        };
        check(received, &got)?;
        fates.took(received.lane, received.sequence)?;
        fates.done += 1;
        Ok::<_, String>(true)
    };
    while take(&mut consumer, &mut fates, Duration::ZERO)? {}
    // Everything flows as before, in every lane, by what needs more room than is ever left beside something held.
    let mut producers = (0..LANES)
        .map(|_| queue.producer())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("a lane is missing: {error}"))?;
    for _ in 0..EACH {
        for producer in &mut producers {
            let next = message(producer.lane(), producer.pushed(), queue.max_message() - 16);
            producer.push_timeout(&next, LONG).map_err(text)?;
            take(&mut consumer, &mut fates, LONG)?;
        }
    }
    drop((producers, consumer));
    let (after, got) = quiet::pace(&queue)?;
    for received in got {
        fates.took(received.lane, received.sequence)?;
        fates.done += 1;
    }
    let producers = (0..LANES).map(|_| queue.producer().map_err(text));
    let producers = producers.collect::<Result<Vec<_>, _>>()?;
    let pushed: u64 = producers.iter().map(Producer::pushed).sum();
    drop(producers);
    let stats = queue.stats();
    let unknown = pushed - fates.count();
    if stats.pushed != pushed || stats.taken != pushed || stats.waiting != 0 || stats.in_hand != 0 {
        return Err(format!(
            "{pushed} were pushed and all taken, and it says {stats:?}"
        ));
    }
    if !(unknown..=pushed - fates.done).contains(&stats.lost) {
        return Err(format!(
            "of {pushed} pushed, {unknown} are unaccounted for and {} were not done with; {} are said to be lost",
            pushed - fates.done,
            stats.lost
        ));
    }
    println!(
        "    {pushed} messages, {} lost, {unknown} of them seen by nobody",
        stats.lost
    );
    if let Some(Held { before, .. }) = held.downcast_ref() {
        println!("    pace before {before}; after {after}");
    }
    Ok(())
}

/// When the queue is let go as well: nothing is left.
pub(crate) fn nothing_left(folder: &Path) -> Result<(), String> {
    let name: Name = name(folder).parse().map_err(text)?;
    match Queues.stat(&name) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        left => return Err(format!("{name} is still there: {left:?}")),
    }
    // Nor under any other name.
    for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        let left = entry.file_name();
        if left.to_string_lossy().contains(&name.to_string()) {
            return Err(format!("{} is left in /dev/shm", left.display()));
        }
    }
    Ok(())
}
