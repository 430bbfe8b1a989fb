//! A mailbox whose memory somebody writes into.

use super::long;
use quintet::named::NamedKind;
use quintet::shm::{InPlace, Mailbox, Mailboxes, Reading, Wary};
use quintet::{Error, ErrorKind};
use quintet_testkit::{start, start_with_deadline};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SIZE: usize = 1000;
const PLACES: u64 = 2;
/// What the header says of a mailbox of that size and so many places.
const PARAMETER: u64 = PLACES << 48 | SIZE as u64;

// Where things are, as the layout says.
const NEWEST: u64 = 64;
const BELL: u64 = 72;
const READERS_HIGH: u64 = 76;
const PINS: u64 = 128;
const SLOTS: u64 = 640;
const HEADS: u64 = 17_024;
const BODIES: u64 = 22_528;

/// Numbers that follow no pattern, the same each time.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Numbers of which all sorts of parts are likely.
fn number(state: &mut u64) -> u64 {
    let (kind, any) = (next(state) % 8, next(state));
    match kind {
        0 => 0,
        1 => u64::MAX - any % 16,
        2 => 1 << (any % 64),
        // A value and a buffer.
        3 => (((any >> 8) % 300) << 8) | (any % 5),
        4 => (((any >> 8) % 300) << 8) | (any & 0xff),
        // A pin.
        5 => (any << 16) | (((any >> 20) % 4) << 8) | ((any >> 40) % 5),
        // A length, or a head's number.
        6 => any % (2 * SIZE as u64),
        _ => any,
    }
}

/// A place of everything that counts.
fn place(state: &mut u64) -> u64 {
    let (kind, any) = (next(state) % 6, next(state));
    match kind {
        0 => 56,
        1 => NEWEST,
        2 => BELL,
        3 => PINS + any % (PLACES + 1) * 8,
        4 => SLOTS + any % 24 * 8,
        _ => HEADS + any % (PLACES + 2) * 64 + (any >> 20) % 3 * 8,
    }
}

fn create(name: &str) -> Mailbox {
    let builder = Mailbox::builder(name)
        .unwrap()
        .size(SIZE as u64)
        .in_place(PLACES as usize);
    builder.create_new().unwrap()
}

fn file_of(name: &str) -> File {
    let path = format!("/dev/shm/quintet.mailbox.{name}");
    File::options().read(true).write(true).open(path).unwrap()
}

#[track_caller]
fn ends<T>(result: Result<T, Error>) -> Option<T> {
    use ErrorKind::{Busy, Corrupt, Full, TimedOut};
    match result {
        Ok(found) => Some(found),
        Err(error) => {
            assert!(
                [Corrupt, Full, TimedOut, Busy].contains(&error.kind()),
                "{error:?}"
            );
            None
        }
    }
}

#[track_caller]
fn is_sane(reading: Reading, len: usize) {
    assert!(
        reading.sequence != 0 && reading.len == len && len <= SIZE,
        "{reading:?}"
    );
    reading.age();
}

#[track_caller]
fn is_sane_in_place(found: &InPlace<Wary>) {
    is_sane(found.reading(), found.to_vec().len());
    let mut bytes = [0; 8];
    assert_eq!(found.read_at(0, &mut bytes).is_ok(), found.len() >= 8);
}

fn use_it(mailbox: &Mailbox, name: &str, state: &mut u64, rounds: u32) {
    let mut writer = ends(mailbox.writer());
    let mut reader = ends(mailbox.reader());
    let mut other = ends(mailbox.reader());
    let mut value = Vec::new();
    let soon = Duration::from_millis(1);
    let mut held = Vec::new();
    for round in 0..rounds {
        let len = (next(state) % (SIZE as u64 + 1)) as usize;
        if let Some(writer) = &mut writer {
            ends(writer.write(vec![3; len]));
            if let Some(mut loan) = ends(writer.loan(len)) {
                ends(loan.write_at(0, vec![4; len]));
                ends(loan.publish());
            }
        }
        for reader in [&mut reader, &mut other].into_iter().flatten() {
            if let Some(reading) = ends(reader.read(&mut value)).flatten() {
                is_sane(reading, value.len());
            }
            if let Some(reading) = ends(reader.try_next(&mut value)).flatten() {
                is_sane(reading, value.len());
            }
            let found = ends(reader.in_place()).flatten();
            found.iter().for_each(is_sane_in_place);
            held.extend(found);
            let found = ends(reader.try_next_in_place()).flatten();
            found.iter().for_each(is_sane_in_place);
            if round % 16 == 0 {
                ends(reader.next_timeout(&mut value, soon));
                ends(reader.next_in_place_timeout(soon));
                ends(quintet::sync::wait_any(&[(&*reader).into()], soon));
            }
        }
        if next(state).is_multiple_of(3) {
            held.clear();
        }
        mailbox.stats();
        if round % 16 == 0 {
            let _ = Mailboxes.stat(&name.parse().unwrap());
            if let Ok(again) = Mailbox::open_existing(name) {
                ends(again.reader());
                ends(again.writer());
            }
        }
    }
}

#[test]
fn words_that_change_at_any_moment_give_errors_at_worst() {
    let t = start_with_deadline(Duration::from_secs(200));
    let name = t.name("m");
    for seed in 1..=12u64 {
        let mailbox = create(&name);
        let file = file_of(&name);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut state = seed << 32 | 7;
                while !over.load(Ordering::Relaxed) {
                    let (at, value) = (place(&mut state), number(&mut state));
                    file.write_all_at(&value.to_le_bytes(), at).unwrap();
                }
            });
            let mut state = seed << 16 | 3;
            use_it(&mailbox, &name, &mut state, 200);
            over.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn every_word_may_be_anything() {
    let t = start_with_deadline(Duration::from_secs(200));
    let name = t.name("m");
    let heads = (0..PLACES + 2).flat_map(|buffer| [0, 8, 16].map(|at| HEADS + buffer * 64 + at));
    let slots = [0, 8, 32, 40, 48].map(|at| SLOTS + at).into_iter();
    let readers = [0, 40].map(|at| SLOTS + 64 + at).into_iter();
    let places = [56, NEWEST, BELL, READERS_HIGH, PINS, PINS + 8, PINS + 16];
    let places: Vec<_> = places
        .into_iter()
        .chain(heads)
        .chain(slots)
        .chain(readers)
        .collect();
    let mut state = 11;
    for at in places {
        for value in [
            0,
            1,
            1 << 8 | 1,
            2 << 8 | 3,
            2 << 8 | 4,
            3 << 8 | 0xff,
            1 << 16 | 1 << 8,
            SIZE as u64 + 1,
            1 << 31,
            u64::MAX << 8,
            u64::MAX << 16,
            u64::MAX,
            u64::MAX - 1,
        ] {
            let mailbox = create(&name);
            let mut writer = mailbox.writer().unwrap();
            let mut reader = mailbox.reader().unwrap();
            writer.write([1; 10]).unwrap();
            writer.write([2; 900]).unwrap();
            let held = reader.in_place().unwrap();
            file_of(&name).write_all_at(&value.to_le_bytes(), at).unwrap();
            let mut bytes = Vec::new();
            if let Some(reading) = ends(reader.read(&mut bytes)).flatten() {
                is_sane(reading, bytes.len());
            }
            if let Some(found) = ends(reader.in_place()).flatten() {
                is_sane_in_place(&found);
            }
            drop((held, reader));
            ends(writer.write([3; 20]));
            drop(writer);
            use_it(&mailbox, &name, &mut state, 2);
        }
    }
}

/// Who writes by the rules is not to be confused by hostile pins: it has a buffer for each value, and never that of the newest.
#[test]
fn pins_that_are_lies_cost_places_and_nothing_else() {
    let t = start();
    let name = t.name("m");
    let mailbox = create(&name);
    let file = file_of(&name);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut state = 77;
            while !over.load(Ordering::Relaxed) {
                let at = PINS + next(&mut state) % PLACES * 8;
                let value = number(&mut state);
                file.write_all_at(&value.to_le_bytes(), at).unwrap();
            }
        });
        let (mut writer, mut reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
        let mut value = Vec::new();
        for number in 1..=20_000u64 {
            let sent = long(number, number as usize % SIZE);
            assert_eq!(writer.write(&sent).unwrap(), number);
            assert_eq!(reader.read(&mut value).unwrap().unwrap().sequence, number);
            assert!(value == sent, "torn");
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_header_that_says_anything_is_refused() {
    let t = start();
    let name = t.name("m");
    let mailbox = create(&name);
    let file = file_of(&name);
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0).unwrap();
    assert_eq!(header[48..56], PARAMETER.to_le_bytes());
    for bad in [
        63 << 48,
        63 << 48 | SIZE as u64,
        3 << 48 | SIZE as u64,
        PLACES << 48 | 4096,
        PLACES << 48 | ((1 << 48) - 1),
        0xffff << 48,
        u64::MAX,
    ] {
        file.write_all_at(&u64::to_le_bytes(bad), 48).unwrap();
        let error = Mailbox::open_existing(&name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{bad:#x}: {error}");
        assert!(Mailboxes.stat(&name.parse().unwrap()).is_err(), "{bad:#x}");
    }
    file.write_all_at(&header, 0).unwrap();
    // Every other word that does not change once it is there: magic, version and kind, size, fingerprint, participants.
    for at in [0, 8, 16, 24, 40] {
        for bad in [0, 1, u64::MAX, 1 << 63] {
            file.write_all_at(&u64::to_le_bytes(bad), at).unwrap();
            let error = Mailbox::open_existing(&name).unwrap_err();
            assert!(
                [ErrorKind::Corrupt, ErrorKind::Unsupported].contains(&error.kind()),
                "{bad:#x} at {at}: {error:?}"
            );
            file.write_all_at(&header, 0).unwrap();
        }
    }
    // A smaller one than it is: within its memory.
    file.write_all_at(&u64::to_le_bytes(1 << 48 | 10), 48).unwrap();
    let smaller = Mailbox::open_existing(&name).unwrap();
    assert_eq!((smaller.size(), smaller.max_in_place()), (10, 1));
    smaller.writer().unwrap().write("0123456789").unwrap();
    drop(smaller);
    file.write_all_at(&header, 0).unwrap();
    drop(Mailbox::open_existing(&name).unwrap());
    drop(mailbox);
    assert!(BODIES + (PLACES + 2) * 1024 == file.metadata().unwrap().len());
}
