//! Writers and readers of one mailbox that are killed and stopped.
//!
//! A value begins with a number that its writer has drawn, and the rest of its bytes and its length follow from that and from
//! its sequence number: so what is put together of two values shows, also of two that a dead writer and the next one wrote
//! under the same number. Whoever has seen a value notes its number where all can see it; nobody may get an older one from
//! then on. What must hold besides: what is read in place stays as it is, and no wait is without end.

use crate::dice::Dice;
use crate::report;
use quintet::named::NamedKind;
use quintet::shm::{InPlace, Mailbox, MailboxReader, Mailboxes, Reading, SharedMemories, SharedMemory, Wary};
use quintet::sync::wait_any;
use quintet::{Error, ErrorKind, Name};
use std::any::Any;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub(crate) const WORKERS: &[&str] = &[
    "writer", "writer", "copier", "copier", "holder", "holder", "waiter",
];

/// Fewer than the holders want.
const PLACES: usize = 3;
/// Some are so long that they are read in another way.
const SIZE: usize = 40_000;

/// Long enough for any honest wait; one that takes longer fails the storm.
const LONG: Duration = Duration::from_secs(20);

/// How often something is done before it is reported.
const ROUND: u32 = 64;

fn name(folder: &Path) -> String {
    format!(
        "{}-mailbox",
        folder.file_name().unwrap_or_default().to_string_lossy()
    )
}

fn text(error: Error) -> String {
    format!("{:?}: {error}", error.kind())
}

/// The mailbox, and the highest number that anybody has seen of it.
struct Scene {
    mailbox: Mailbox,
    seen: SharedMemory,
}

impl Scene {
    fn open(folder: &Path) -> Result<Self, String> {
        let name = name(folder);
        let builder = Mailbox::builder(&name).map_err(text)?;
        let builder = builder.size(SIZE as u64).in_place(PLACES);
        Ok(Scene {
            mailbox: builder.create_or_open().map_err(text)?,
            seen: SharedMemory::create_or_open(&name, 8).map_err(text)?,
        })
    }

    fn highest(&self) -> Result<u64, String> {
        Ok(self.seen.atomic_u64(0).map_err(text)?.load(Ordering::SeqCst))
    }

    /// Notes a number, got after `before` was the highest.
    fn note(&self, number: u64, before: u64) -> Result<(), String> {
        if number < before {
            return Err(format!("value {number} came after somebody had seen {before}"));
        }
        let seen = self.seen.atomic_u64(0).map_err(text)?;
        seen.fetch_max(number, Ordering::SeqCst);
        Ok(())
    }
}

/// What the driver holds while the storm lasts.
pub(crate) fn begin(folder: &Path) -> Result<Box<dyn Any>, String> {
    Ok(Box::new(Scene::open(folder)?))
}

pub(crate) fn work(kind: &str, seed: u64, folder: &Path) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let scene = Scene::open(folder)?;
    if kind == "writer" {
        loop {
            write(&mut dice, &scene)?;
            report::done("rounds of writes");
            // For the other one.
            std::thread::sleep(Duration::from_micros(500));
        }
    }
    let mut reader = scene.mailbox.reader().map_err(text)?;
    let mut held = Vec::new();
    loop {
        for _ in 0..ROUND {
            match kind {
                "copier" => copy(&mut dice, &scene, &mut reader)?,
                "holder" => hold(&mut dice, &scene, &mut reader, &mut held)?,
                _ => wait(&mut dice, &scene, &mut reader)?,
            }
            rest(&mut dice);
        }
        report::done(match kind {
            "copier" => "rounds of copies",
            "holder" => "rounds in place",
            _ => "rounds of waits",
        });
    }
}

/// Becomes the writer, once nobody else is, for a round.
fn write(dice: &mut Dice, scene: &Scene) -> Result<(), String> {
    let start = Instant::now();
    let mut writer = loop {
        match scene.mailbox.writer() {
            Err(error) if error.kind() == ErrorKind::Busy && start.elapsed() < LONG => {
                std::thread::sleep(Duration::from_micros(dice.roll(200)));
            }
            writer => break writer.map_err(text)?,
        }
    };
    for _ in 0..ROUND {
        let before = scene.highest()?;
        let value = value(writer.sequence() + 1, dice.next());
        let number = match dice.roll(4) {
            0 => {
                // The first is not published, and so was never there.
                let mut never = writer.loan(SIZE).map_err(text)?;
                never.write_at(0, [0xee; SIZE]).map_err(text)?;
                let mut loan = writer.loan(value.len() + 8).map_err(text)?;
                for (at, part) in value.chunks(64).enumerate() {
                    loan.write_at(at * 64, part).map_err(text)?;
                }
                loan.publish_len(value.len()).map_err(text)?
            }
            _ => writer.write(&value).map_err(text)?,
        };
        if number <= before {
            return Err(format!(
                "value {number} was written after somebody had seen {before}"
            ));
        }
        scene.note(number, before)?;
        rest(dice);
    }
    Ok(())
}

fn copy(dice: &mut Dice, scene: &Scene, reader: &mut MailboxReader) -> Result<(), String> {
    let before = scene.highest()?;
    let (last, mut value) = (reader.sequence(), Vec::new());
    let reading = match dice.roll(3) {
        0 => reader.try_next(&mut value).map_err(text)?,
        _ => reader.read(&mut value).map_err(text)?,
    };
    match reading {
        Some(reading) => {
            check(reading, &value)?;
            scene.note(reading.sequence, before)
        }
        None if before > last => Err(format!("nothing is there, and somebody has seen {before}")),
        None => Ok(()),
    }
}

fn wait(dice: &mut Dice, scene: &Scene, reader: &mut MailboxReader) -> Result<(), String> {
    let (before, last) = (scene.highest()?, reader.sequence());
    let mut value = Vec::new();
    let reading = match dice.roll(3) {
        0 => {
            let found = reader.next_in_place_timeout(LONG);
            match found {
                Err(error) if error.kind() == ErrorKind::Full => return Ok(()),
                found => {
                    let found = found.map_err(text)?;
                    value = found.to_vec();
                    found.reading()
                }
            }
        }
        1 => {
            wait_any(&[(&*reader).into()], LONG).map_err(text)?;
            let found = reader.try_next(&mut value).map_err(text)?;
            found.ok_or("what was waited for is not there")?
        }
        _ => reader.next_timeout(&mut value, LONG).map_err(text)?,
    };
    check(reading, &value)?;
    if reading.sequence <= last {
        return Err(format!("{reading:?} was read twice, or after {last}"));
    }
    scene.note(reading.sequence, before)
}

/// Holds one more in place, if there is a place, and lets go of some.
fn hold(
    dice: &mut Dice,
    scene: &Scene,
    reader: &mut MailboxReader,
    held: &mut Vec<(InPlace<Wary>, Vec<u8>)>,
) -> Result<(), String> {
    let before = scene.highest()?;
    match reader.in_place() {
        Err(error) if error.kind() == ErrorKind::Full => {}
        found => {
            if let Some(found) = found.map_err(text)? {
                let bytes = found.to_vec();
                check(found.reading(), &bytes)?;
                scene.note(found.reading().sequence, before)?;
                held.push((found, bytes));
            } else if before > 0 {
                return Err(format!("nothing is there, and somebody has seen {before}"));
            }
        }
    }
    rest(dice);
    for (found, bytes) in &*held {
        if found.to_vec() != *bytes {
            return Err(format!("{:?} has changed under who holds it", found.reading()));
        }
    }
    if held.len() > 1 || dice.roll(3) == 0 {
        held.clear();
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

/// The value with that number, of a writer who has drawn that.
fn value(number: u64, drawn: u64) -> Vec<u8> {
    let mut pattern = Dice::new(number.rotate_left(32) ^ drawn);
    let len = match pattern.roll(8) {
        0 => pattern.roll(SIZE as u64 - 16) as usize,
        1 => SIZE - 1000 + pattern.roll(900) as usize,
        _ => pattern.roll(100) as usize,
    };
    let mut bytes = drawn.to_le_bytes().to_vec();
    while bytes.len() < 8 + len {
        bytes.extend(pattern.next().to_le_bytes());
    }
    bytes.truncate(8 + len);
    bytes
}

fn check(reading: Reading, bytes: &[u8]) -> Result<(), String> {
    let drawn = bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let expected = drawn.map(|drawn| value(reading.sequence, drawn));
    if reading.len != bytes.len() || expected.is_none_or(|expected| bytes != expected) {
        return Err(format!("{reading:?} is torn, or another one"));
    }
    Ok(())
}

/// When all workers are dead.
pub(crate) fn aftermath(folder: &Path) -> Result<(), String> {
    const EACH: u64 = 2000;
    let scene = Scene::open(folder)?;
    let mailbox = &scene.mailbox;
    // Who was killed between its store and its note had written one more.
    let (highest, stats) = (scene.highest()?, mailbox.stats());
    if stats.sequence != highest && stats.sequence != highest + 1 {
        return Err(format!("{highest} was seen, and it has {stats:?}"));
    }
    if (stats.has_writer, stats.readers, stats.in_place) != (false, 0, 0) {
        return Err(format!("all are dead, and it says {stats:?}"));
    }
    let mut writer = mailbox
        .writer()
        .map_err(|error| format!("there cannot be a writer: {error}"))?;
    let mut reader = mailbox.reader().map_err(text)?;
    let mut bytes = Vec::new();
    let reading = reader.read(&mut bytes).map_err(text)?.ok_or("it is empty")?;
    check(reading, &bytes)?;
    // Everything is as before: each value comes, all places can be had, and what is held stays.
    let mut held = Vec::new();
    for step in 0..EACH {
        let number = writer.write(value(writer.sequence() + 1, step)).map_err(text)?;
        let reading = reader.next_timeout(&mut bytes, LONG).map_err(text)?;
        check(reading, &bytes)?;
        if reading.sequence != number || number != stats.sequence + 1 + step {
            return Err(format!("{number} was written, and read was {reading:?}"));
        }
        if held.len() == PLACES {
            match reader.in_place() {
                Err(error) if error.kind() == ErrorKind::Full => {}
                more => return Err(format!("{PLACES} places are taken, and then came {more:?}")),
            }
            held.remove(0);
        }
        let found = reader
            .in_place()
            .map_err(|error| format!("place {} is missing: {error}", held.len()))?;
        held.extend(found);
        for found in &held {
            check(found.reading(), &found.to_vec())?;
        }
    }
    drop((held, reader, writer));
    let stats = mailbox.stats();
    if (stats.has_writer, stats.readers, stats.in_place) != (false, 0, 0) {
        return Err(format!("all are gone, and it says {stats:?}"));
    }
    println!("    {highest} values");
    Ok(())
}

/// When the mailbox is let go as well: nothing is left.
pub(crate) fn nothing_left(folder: &Path) -> Result<(), String> {
    let name: Name = name(folder).parse().map_err(text)?;
    for kind in [&Mailboxes as &dyn NamedKind, &SharedMemories] {
        match kind.stat(&name) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            left => return Err(format!("{name} is still there: {left:?}")),
        }
    }
    Ok(())
}
