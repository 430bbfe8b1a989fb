//! Writers, readers and makers that die at any step.

use super::{LONGEST, PATIENCE, check, marked};
use quintet::shm::{Mailbox, MailboxReader};
use quintet::test_hooks;
use quintet_testkit::{Role, start_with_deadline};
use std::fs;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(300);

/// Writes two values to mailbox `arg(0)`, one of them in place; dies before its step number `arg(1)`.
pub(crate) fn dies_writing(p: &mut Role) {
    let mailbox = Mailbox::open_existing(p.arg(0)).unwrap();
    test_hooks::die_at(p.arg(1).parse().unwrap());
    let mut writer = mailbox.writer().unwrap();
    writer.write(marked(writer.sequence() + 1)).unwrap();
    let value = marked(writer.sequence() + 1);
    let mut loan = writer.loan(value.len()).unwrap();
    loan.write_at(0, &value).unwrap();
    loan.publish().unwrap();
    drop(writer);
    test_hooks::disarm();
    p.say("passed");
}

/// Reads mailbox `arg(0)` in the way `arg(1)`; dies before its step number `arg(2)`.
pub(crate) fn dies_reading(p: &mut Role) {
    let mailbox = Mailbox::open_existing(p.arg(0)).unwrap();
    let mut value = Vec::new();
    test_hooks::die_at(p.arg(2).parse().unwrap());
    let mut reader = mailbox.reader().unwrap();
    let last: u64 = 2;
    match p.arg(1) {
        "copy" | "long copy" => check(reader.read(&mut value).unwrap().unwrap(), &value),
        "in place" => {
            let one = reader.in_place().unwrap().unwrap();
            let two = reader.in_place().unwrap().unwrap();
            for found in [one, two] {
                check(found.reading(), &found.to_vec());
            }
        }
        // Nobody writes: it sleeps, and is late.
        _ => {
            while reader.sequence() < last {
                check(reader.next(&mut value).unwrap(), &value);
            }
            let soon = Duration::from_millis(1);
            reader.next_timeout(&mut value, soon).unwrap_err();
            reader.next_in_place_timeout(soon).unwrap_err();
        }
    }
    drop(reader);
    test_hooks::disarm();
    p.say("passed");
}

/// Makes mailbox `arg(0)`, writes a value, and goes; dies before its step number `arg(1)`.
pub(crate) fn dies_creating(p: &mut Role) {
    test_hooks::die_at(p.arg(1).parse().unwrap());
    let mailbox = Mailbox::create_or_open(p.arg(0)).unwrap();
    mailbox.writer().unwrap().write(marked(1)).unwrap();
    drop(mailbox);
    test_hooks::disarm();
    p.say("passed");
}

/// The newest value is whole; a writer and readers do as ever.
#[track_caller]
fn works(mailbox: &Mailbox, reader: &mut MailboxReader) {
    let mut value = Vec::new();
    if let Some(reading) = reader.read(&mut value).unwrap() {
        check(reading, &value);
    }
    let mut writer = mailbox.writer().unwrap();
    let mut held = Vec::new();
    for _ in 0..8 {
        let number = writer.write(marked(writer.sequence() + 1)).unwrap();
        let reading = reader.next_timeout(&mut value, PATIENCE).unwrap();
        assert_eq!(reading.sequence, number);
        check(reading, &value);
        if held.len() < mailbox.max_in_place() {
            held.push(reader.in_place().unwrap().unwrap());
        }
    }
    held.iter()
        .for_each(|found| check(found.reading(), &found.to_vec()));
}

#[test]
fn a_writer_that_dies_at_any_step_has_written_a_whole_value_or_none() {
    let t = start_with_deadline(LONG);
    let name = t.name("m");
    let builder = Mailbox::builder(&name).unwrap().size(LONGEST).in_place(1);
    let mailbox = builder.create_new().unwrap();
    let mut reader = mailbox.reader().unwrap();
    let mut value = Vec::new();
    for step in 0.. {
        let before = mailbox.stats().sequence;
        let mut peer = t.spawn("dies_writing", &[&name, &step.to_string()]);
        let passed = peer.hear_or_end().is_some();
        peer.wait_exit();
        let written = mailbox.stats().sequence - before;
        assert!(
            written <= 2 && (!passed || written == 2),
            "{written} at step {step}"
        );
        if let Some(reading) = reader.try_next(&mut value).unwrap() {
            check(reading, &value);
            assert_eq!((reading.sequence, written > 0), (before + written, true));
        }
        assert!(!mailbox.stats().has_writer);
        works(&mailbox, &mut reader);
        if passed {
            assert!(step > 10, "it makes only {step} steps: are the hooks there?");
            break;
        }
    }
}

fn a_reader_dies(way: &str) {
    let t = start_with_deadline(LONG);
    let name = t.name("m");
    let builder = Mailbox::builder(&name).unwrap().size(LONGEST).in_place(3);
    let mailbox = builder.create_new().unwrap();
    let mut reader = mailbox.reader().unwrap();
    // `works` writes eight, so the newest stays a long one, or a short one.
    let mut writer = mailbox.writer().unwrap();
    while writer.sequence() < if way == "long copy" { 4 } else { 2 } {
        writer.write(marked(writer.sequence() + 1)).unwrap();
    }
    drop(writer);
    for step in 0.. {
        let mut peer = t.spawn("dies_reading", &[&name, way, &step.to_string()]);
        let passed = peer.hear_or_end().is_some();
        peer.wait_exit();
        let stats = mailbox.stats();
        assert_eq!((stats.readers, stats.in_place), (1, 0), "at step {step}");
        works(&mailbox, &mut reader);
        // Who has its slot now has none of its places.
        let mut next = mailbox.reader().unwrap();
        let held: Vec<_> = (0..3).map(|_| next.in_place().unwrap().unwrap()).collect();
        assert_eq!(mailbox.stats().in_place, 3);
        drop(held);
        if passed {
            assert!(step > 1, "it makes only {step} steps: are the hooks there?");
            break;
        }
    }
}

#[test]
fn a_reader_that_dies_at_any_step_of_copying_leaves_nothing() {
    a_reader_dies("copy");
}

#[test]
fn a_reader_that_dies_at_any_step_of_copying_what_is_long_leaves_nothing() {
    a_reader_dies("long copy");
}

#[test]
fn a_reader_that_dies_at_any_step_of_reading_in_place_leaves_nothing() {
    a_reader_dies("in place");
}

#[test]
fn a_reader_that_dies_at_any_step_of_waiting_leaves_nothing() {
    a_reader_dies("wait");
}

#[test]
fn who_dies_at_any_step_of_making_one_leaves_the_name_free() {
    let t = start_with_deadline(LONG);
    let name = t.name("m");
    for step in 0.. {
        let mut peer = t.spawn("dies_creating", &[&name, &step.to_string()]);
        let passed = peer.hear_or_end().is_some();
        peer.wait_exit();
        // Nobody sees what it may have written.
        let mailbox = Mailbox::create_new(&name).unwrap();
        assert_eq!(mailbox.stats().sequence, 0, "at step {step}");
        works(&mailbox, &mut mailbox.reader().unwrap());
        drop(mailbox);
        assert!(fs::metadata(format!("/dev/shm/quintet.mailbox.{name}")).is_err());
        if passed {
            assert!(step > 10, "it makes only {step} steps: are the hooks there?");
            break;
        }
    }
}

/// One whose writer and readers die while others sleep.
#[test]
fn who_sleeps_goes_on_when_the_writer_dies_before_it_wakes_anybody() {
    let t = start_with_deadline(LONG);
    let name = t.name("m");
    let mailbox = Mailbox::create_new(&name).unwrap();
    for step in 0.. {
        let before = mailbox.stats().sequence;
        let mut reader = mailbox.reader().unwrap();
        let mut value = Vec::new();
        reader.read(&mut value).unwrap();
        let passed = std::thread::scope(|scope| {
            let sleeper = scope.spawn(move || {
                let reading = reader.next_timeout(&mut value, PATIENCE).unwrap();
                check(reading, &value);
                reading.sequence
            });
            let mut peer = t.spawn("dies_writing", &[&name, &step.to_string()]);
            let passed = peer.hear_or_end().is_some();
            peer.wait_exit();
            if mailbox.stats().sequence == before {
                mailbox.writer().unwrap().write(marked(before + 1)).unwrap();
            }
            assert!(sleeper.join().unwrap() > before);
            passed
        });
        if passed {
            break;
        }
    }
}
