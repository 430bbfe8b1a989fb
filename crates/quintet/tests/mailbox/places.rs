//! Places to read in place: how many there are, and whose.

use super::{LONGEST, PATIENCE, check, fails, marked};
use quintet::ErrorKind;
use quintet::shm::{InPlace, Mailbox};
use quintet_testkit::{Role, eventually, start, start_with_deadline};
use std::time::Duration;

/// Holds `arg(1)` values of mailbox `arg(0)` in place until it ends; when told anything, says whether they are as they were.
pub(crate) fn holds(p: &mut Role) {
    let mut reader = Mailbox::open_existing(p.arg(0)).unwrap().reader().unwrap();
    let count = p.arg(1).parse().unwrap();
    let held: Vec<_> = (0..count).map(|_| reader.in_place().unwrap().unwrap()).collect();
    loop {
        held.iter()
            .for_each(|value| check(value.reading(), &value.to_vec()));
        p.say("holds");
        p.listen();
    }
}

#[test]
fn values_in_place_go_to_other_threads_and_stay() {
    let t = start();
    let builder = Mailbox::builder(t.name("m")).unwrap().size(LONGEST).in_place(5);
    let mailbox = builder.create_new().unwrap();
    let (mut writer, mut reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
    let mut held: Vec<InPlace<_>> = Vec::new();
    for _ in 0..5 {
        writer.write(marked(writer.sequence() + 1)).unwrap();
        held.push(reader.try_next_in_place().unwrap().unwrap());
    }
    fails(reader.in_place(), ErrorKind::Full);
    fails(mailbox.reader().unwrap().in_place(), ErrorKind::Full);
    // Who copies needs none.
    let mut value = Vec::new();
    check(reader.read(&mut value).unwrap().unwrap(), &value);
    assert_eq!(mailbox.stats().in_place, 5);
    std::thread::scope(|scope| {
        let threads: Vec<_> = held
            .into_iter()
            .map(|value| {
                scope.spawn(move || {
                    for _ in 0..300 {
                        check(value.reading(), &value.to_vec());
                    }
                })
            })
            .collect();
        for _ in 0..1000 {
            writer.write(marked(writer.sequence() + 1)).unwrap();
        }
        drop(reader);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let stats = mailbox.stats();
    assert_eq!((stats.in_place, stats.sequence), (0, 1005));
}

#[test]
fn a_place_that_is_dropped_is_another_s() {
    let t = start();
    let mailbox = Mailbox::builder(t.name("m"))
        .unwrap()
        .in_place(2)
        .create_new()
        .unwrap();
    let (mut one, mut other) = (mailbox.reader().unwrap(), mailbox.reader().unwrap());
    // With nothing to read nobody needs any.
    assert!(one.in_place().unwrap().is_none());
    assert_eq!(mailbox.stats().in_place, 0);
    let mut writer = mailbox.writer().unwrap();
    writer.write(marked(1)).unwrap();
    let (first, _second) = (
        one.in_place().unwrap().unwrap(),
        other.in_place().unwrap().unwrap(),
    );
    for number in 2..200 {
        fails(one.in_place(), ErrorKind::Full);
        fails(
            other.next_in_place_timeout(Duration::from_millis(1)),
            if number == 2 {
                ErrorKind::TimedOut
            } else {
                ErrorKind::Full
            },
        );
        writer.write(marked(number)).unwrap();
    }
    drop(first);
    let third = other.in_place().unwrap().unwrap();
    assert_eq!(third.reading().sequence, 199);
    fails(one.in_place(), ErrorKind::Full);
}

#[test]
fn places_of_dead_readers_come_back() {
    let t = start();
    let name = t.name("m");
    let builder = Mailbox::builder(&name).unwrap().size(LONGEST).in_place(3);
    let mailbox = builder.create_new().unwrap();
    let (mut writer, mut reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
    writer.write(marked(1)).unwrap();
    for _ in 0..3 {
        let mut one = t.spawn("holds", &[&name, "1"]);
        let mut two = t.spawn("holds", &[&name, "2"]);
        one.expect("holds");
        two.expect("holds");
        assert_eq!(mailbox.stats().in_place, 3);
        fails(reader.in_place(), ErrorKind::Full);
        two.kill();
        // Those of the dead one, and not those of the other.
        eventually("it is gone", || mailbox.stats().in_place == 1);
        let held = [(); 2].map(|()| reader.in_place().unwrap().unwrap());
        fails(reader.in_place(), ErrorKind::Full);
        for _ in 0..10 {
            writer.write(marked(writer.sequence() + 1)).unwrap();
        }
        one.tell("go on");
        one.expect("holds");
        held.iter()
            .for_each(|value| check(value.reading(), &value.to_vec()));
        one.kill();
        drop(held);
    }
    drop(reader);
    // Nobody has asked for the last one's place; who has its slot now has not got it.
    let mut readers = [(); 3].map(|()| mailbox.reader().unwrap());
    eventually("they are gone", || mailbox.stats().in_place == 0);
    let held = readers
        .each_mut()
        .map(|reader| reader.in_place().unwrap().unwrap());
    held.iter()
        .for_each(|value| check(value.reading(), &value.to_vec()));
}

#[test]
fn three_hundred_readers_read_and_255_of_them_in_place() {
    let t = start_with_deadline(Duration::from_secs(200));
    let mailbox = Mailbox::builder(t.name("m"))
        .unwrap()
        .in_place(1)
        .create_new()
        .unwrap();
    let mut readers: Vec<_> = (0..300).map(|_| mailbox.reader().unwrap()).collect();
    assert_eq!(mailbox.stats().readers, 255);
    let mut writer = mailbox.writer().unwrap();
    let mut value = Vec::new();
    std::thread::scope(|scope| {
        // One that has no slot sleeps and is woken as any other.
        let last = readers.last_mut().unwrap();
        let sleeper = scope.spawn(|| {
            let mut value = Vec::new();
            let reading = last.next_timeout(&mut value, PATIENCE).unwrap();
            check(reading, &value);
        });
        writer.write(marked(1)).unwrap();
        sleeper.join().unwrap();
    });
    for number in 2..5 {
        writer.write(marked(number)).unwrap();
        for reader in &mut readers {
            let reading = reader.next_timeout(&mut value, PATIENCE).unwrap();
            assert_eq!(reading.sequence, number);
            check(reading, &value);
        }
    }
    for (index, reader) in readers.iter_mut().enumerate() {
        if index < 255 {
            assert!(reader.in_place().unwrap().is_some());
        } else {
            fails(reader.in_place(), ErrorKind::Full);
        }
    }
    drop(readers);
    eventually("their slots are free", || mailbox.stats().readers == 0);
    assert!(mailbox.reader().unwrap().in_place().unwrap().is_some());
}
