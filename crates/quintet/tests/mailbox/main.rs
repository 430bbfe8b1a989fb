//! Mailboxes, between processes.

#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod death;
#[cfg(target_os = "linux")]
mod hostile;
mod model;
mod places;
#[cfg(target_os = "linux")]
mod steps;

use quintet::shm::{Mailbox, Reading};
use quintet::sync::{Event, Reset, Waitable, wait_all, wait_any};
use quintet::{Deadline, Error, ErrorKind};
use quintet_testkit::{Role, eventually, start, start_with_deadline};
use std::fmt::Debug;
use std::io::Write;
use std::time::Duration;

#[cfg(target_os = "linux")]
use crowd::{copies_on, has_no_room, opens_as_another, reads_on, writes_long_on, writes_on};
#[cfg(target_os = "linux")]
use death::{dies_creating, dies_reading, dies_writing};
use places::holds;
#[cfg(target_os = "linux")]
use steps::{fails_at_any_call, forks, lets_go_beside_a_child};
#[cfg(target_os = "linux")]
quintet_testkit::peers!(
    answers,
    copies_on,
    dies_creating,
    dies_reading,
    dies_writing,
    fails_at_any_call,
    forks,
    has_no_room,
    holds,
    is_the_writer,
    lets_go_beside_a_child,
    opens_as_another,
    reads,
    reads_in_place,
    reads_on,
    waits_for_any,
    writes,
    writes_long_on,
    writes_on,
);
#[cfg(windows)]
quintet_testkit::peers!(
    answers,
    holds,
    is_the_writer,
    reads,
    reads_in_place,
    waits_for_any,
    writes
);

const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn fails<T: Debug>(result: Result<T, Error>, kind: ErrorKind) {
    match result {
        Err(error) if error.kind() == kind => {}
        other => panic!("{kind:?} expected, got {other:?}"),
    }
}

/// A little more than the longest that `marked` gives.
const LONGEST: u64 = 34_100;

/// The value with that number: its length and each of its words follow from it. Every fourth is so long that it is read in
/// another way.
fn marked(number: u64) -> Vec<u8> {
    let short = number as usize * 37 % 1000;
    match number % 4 {
        0 => long(number, 33_000 + short),
        _ => long(number, short),
    }
}

/// The same, of any length: a page that follows from the number, again and again.
fn long(number: u64, len: usize) -> Vec<u8> {
    let word = |at: u64| (number ^ at.rotate_left(40)).to_le_bytes();
    let page: Vec<u8> = (0..512).flat_map(word).take(len).collect();
    let mut value = page.repeat(len.div_ceil(4096));
    value.truncate(len);
    value
}

#[track_caller]
fn check(reading: Reading, value: &[u8]) {
    assert_eq!(reading.len, value.len());
    assert!(
        value == marked(reading.sequence),
        "torn, or another one: {reading:?}"
    );
}

/// Writes the next values of mailbox `arg(0)`, up to number `arg(1)`.
fn writes(p: &mut Role) {
    let mut writer = Mailbox::open_existing(p.arg(0)).unwrap().writer().unwrap();
    let last = p.arg(1).parse().unwrap();
    while writer.sequence() < last {
        let number = writer.sequence() + 1;
        let value = marked(number);
        if number.is_multiple_of(3) {
            let mut loan = writer.loan(value.len() + 10).unwrap();
            loan.write_at(0, &value).unwrap();
            assert_eq!(loan.publish_len(value.len()).unwrap(), number);
        } else {
            assert_eq!(writer.write(&value).unwrap(), number);
        }
    }
    p.say("written");
}

/// Reads mailbox `arg(0)` until value number `arg(1)`, by copying.
fn reads(p: &mut Role) {
    let mut reader = Mailbox::open_existing(p.arg(0)).unwrap().reader().unwrap();
    let last = p.arg(1).parse().unwrap();
    p.say("ready");
    let mut value = Vec::new();
    while reader.sequence() < last {
        let before = reader.sequence();
        let reading = reader.next_timeout(&mut value, PATIENCE).unwrap();
        check(reading, &value);
        assert!(reading.sequence > before);
    }
    p.say("read");
}

/// The same in place.
fn reads_in_place(p: &mut Role) {
    let mut reader = Mailbox::open_existing(p.arg(0)).unwrap().reader().unwrap();
    let last = p.arg(1).parse().unwrap();
    p.say("ready");
    let mut before = None;
    while reader.sequence() < last {
        let sequence = reader.sequence();
        let value = reader.next_in_place_timeout(PATIENCE).unwrap();
        assert!(value.reading().sequence > sequence);
        check(value.reading(), &value.to_vec());
        // It stays, while others are written, until we have the next one.
        if let Some(before) = before.replace(value) {
            check(before.reading(), &before.to_vec());
        }
    }
    p.say("read");
}

/// Is the writer of mailbox `arg(0)`, writes `arg(1)` values, and then nothing until it ends.
fn is_the_writer(p: &mut Role) {
    let mailbox = Mailbox::open_existing(p.arg(0)).unwrap();
    let mut writer = mailbox.writer().unwrap();
    for _ in 0..p.arg(1).parse().unwrap() {
        writer.write(marked(writer.sequence() + 1)).unwrap();
    }
    p.say(writer.sequence());
    p.listen();
}

/// For each value of mailbox `arg(0)-there` writes one to `arg(0)-back`, `arg(1)` times.
fn answers(p: &mut Role) {
    let there = Mailbox::open_existing(format!("{}-there", p.arg(0))).unwrap();
    let back = Mailbox::open_existing(format!("{}-back", p.arg(0))).unwrap();
    let (mut reader, mut writer) = (there.reader().unwrap(), back.writer().unwrap());
    let mut value = Vec::new();
    for number in 1..=p.arg(1).parse().unwrap() {
        let reading = reader.next_timeout(&mut value, PATIENCE).unwrap();
        assert_eq!(reading.sequence, number);
        writer.write(&value).unwrap();
    }
}

/// Waits for event `arg(1)` or a value of mailbox `arg(0)`, again and again, and says which came; ends after the event.
fn waits_for_any(p: &mut Role) {
    let mut reader = Mailbox::open_existing(p.arg(0)).unwrap().reader().unwrap();
    let event = Event::open_existing(p.arg(1)).unwrap();
    p.say("ready");
    loop {
        let which = wait_any(&[(&event).into(), (&reader).into()], PATIENCE)
            .unwrap()
            .index;
        if which == 0 {
            break p.say("event");
        }
        let mut value = Vec::new();
        let reading = reader.try_next(&mut value).unwrap().unwrap();
        check(reading, &value);
        p.say(reading.sequence);
    }
}

#[test]
fn values_go_there_and_back() {
    let t = start();
    let name = t.name("m");
    let there = Mailbox::create_new(format!("{name}-there")).unwrap();
    let back = Mailbox::create_new(format!("{name}-back")).unwrap();
    let peer = t.spawn("answers", &[&name, "500"]);
    let (mut writer, mut reader) = (there.writer().unwrap(), back.reader().unwrap());
    let mut value = Vec::new();
    for number in 1..=500 {
        assert_eq!(writer.write(marked(number)).unwrap(), number);
        let reading = reader.next_timeout(&mut value, PATIENCE).unwrap();
        assert_eq!(reading.sequence, number);
        check(reading, &value);
    }
    peer.finish();
    assert!(reader.try_next(&mut value).unwrap().is_none());
    let stats = back.stats();
    assert_eq!(
        (stats.sequence, stats.len, stats.has_writer),
        (500, marked(500).len(), false)
    );
    assert!(stats.age.is_some());
}

#[test]
fn all_who_read_see_whole_values_in_order_and_the_last_one() {
    const LAST: &str = "8000";
    let t = start_with_deadline(Duration::from_secs(200));
    let name = t.name("m");
    let builder = Mailbox::builder(&name).unwrap().size(LONGEST).in_place(6);
    let mailbox = builder.create_new().unwrap();
    let roles = [
        "reads",
        "reads",
        "reads",
        "reads_in_place",
        "reads_in_place",
        "reads_in_place",
    ];
    let mut readers = roles.map(|role| t.spawn(role, &[&name, LAST]));
    readers.iter_mut().for_each(|peer| peer.expect("ready"));
    let mut writer = t.spawn("writes", &[&name, LAST]);
    writer.expect("written");
    writer.finish();
    for mut peer in readers {
        peer.expect("read");
        peer.finish();
    }
    let stats = mailbox.stats();
    assert_eq!(
        (stats.sequence, stats.in_place, stats.has_writer),
        (8000, 0, false)
    );
    eventually("no reader is left", || mailbox.stats().readers == 0);
}

#[test]
fn a_value_may_be_read_often_and_is_new_once() {
    let t = start();
    let mailbox = Mailbox::create_new(t.name("m")).unwrap();
    let mut reader = mailbox.reader().unwrap();
    let mut value = vec![1, 2, 3];
    assert!(reader.read(&mut value).unwrap().is_none() && value.is_empty());
    assert!(reader.try_next(&mut value).unwrap().is_none());
    assert!(reader.in_place().unwrap().is_none());
    assert!(reader.try_next_in_place().unwrap().is_none());
    fails(
        reader.next_timeout(&mut value, Duration::from_millis(1)),
        ErrorKind::TimedOut,
    );
    fails(
        reader.next_timeout(&mut value, Deadline::now()),
        ErrorKind::TimedOut,
    );
    fails(
        reader.next_in_place_timeout(Duration::from_millis(1)),
        ErrorKind::TimedOut,
    );
    let stats = mailbox.stats();
    assert_eq!(
        (stats.sequence, stats.age, stats.len, stats.readers),
        (0, None, 0, 1)
    );

    let mut writer = mailbox.writer().unwrap();
    writer.write("one").unwrap();
    for _ in 0..3 {
        assert_eq!(reader.read(&mut value).unwrap().unwrap().sequence, 1);
        assert_eq!((value.as_slice(), reader.sequence()), (&b"one"[..], 1));
        assert_eq!(reader.in_place().unwrap().unwrap().to_vec(), b"one");
    }
    assert!(reader.try_next(&mut value).unwrap().is_none());
    assert!(reader.try_next_in_place().unwrap().is_none());
    // Another one has not read it.
    let mut late = mailbox.reader().unwrap();
    let found = late.next_in_place_timeout(PATIENCE).unwrap();
    assert_eq!(
        (found.to_vec().as_slice(), found.reading().sequence),
        (&b"one"[..], 1)
    );
    assert!(late.try_next(&mut value).unwrap().is_none());
    // Who was not fast enough gets the newest.
    for number in 2..=9 {
        assert_eq!(writer.write([number]).unwrap(), u64::from(number));
    }
    let reading = reader.next(&mut value).unwrap();
    assert_eq!((reading.sequence, value.as_slice()), (9, &[9][..]));
    assert!(reading.age() <= mailbox.stats().age.unwrap());
    assert_eq!(late.try_next_in_place().unwrap().unwrap().to_vec(), [9]);
    assert_eq!(found.to_vec(), b"one");
}

#[test]
fn sizes_have_their_bounds() {
    let t = start();
    let mailbox = Mailbox::builder(t.name("m"))
        .unwrap()
        .size(4000)
        .create_new()
        .unwrap();
    let (mut writer, mut reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
    let mut value = Vec::new();
    let mut number = 0;
    for _ in 0..10 {
        for len in [4000, 0, 1, 3999] {
            number += 1;
            assert_eq!(writer.write(long(number, len)).unwrap(), number);
            let reading = reader.next_timeout(&mut value, PATIENCE).unwrap();
            assert_eq!((reading.sequence, reading.len), (number, len));
            assert!(value == long(number, len));
            let found = reader.in_place().unwrap().unwrap();
            assert_eq!((found.len(), found.is_empty()), (len, len == 0));
            assert!(found.to_vec() == value);
            let mut end = [0; 1];
            fails(found.read_at(len, &mut end), ErrorKind::TooLarge);
            fails(found.read_at(usize::MAX, &mut end), ErrorKind::TooLarge);
            found.read_at(len, &mut []).unwrap();
        }
    }
    fails(writer.write(vec![0; 4001]), ErrorKind::TooLarge);
    fails(writer.loan(4001), ErrorKind::TooLarge);
    fails(writer.loan(usize::MAX), ErrorKind::TooLarge);
    // What was too long has changed nothing.
    assert_eq!(reader.read(&mut value).unwrap().unwrap().sequence, number);
    let name = || Mailbox::builder(t.name("other")).unwrap();
    fails(name().in_place(63).create_new(), ErrorKind::TooLarge);
    fails(name().in_place(usize::MAX).create_new(), ErrorKind::TooLarge);
    fails(name().size(1 << 48).create_new(), ErrorKind::TooLarge);
    fails(name().size(u64::MAX).create_new(), ErrorKind::TooLarge);
    // More than there is memory for, or addresses.
    let huge = name().size((1 << 48) - 1).in_place(62).create_new().unwrap_err();
    assert!(
        [ErrorKind::Full, ErrorKind::TooLarge].contains(&huge.kind()),
        "{huge:?}"
    );
    let none = name().size(0).in_place(0).create_new().unwrap();
    assert_eq!((none.size(), none.max_in_place()), (0, 0));
    none.writer().unwrap().write([]).unwrap();
    assert_eq!(none.reader().unwrap().next(&mut value).unwrap().len, 0);
    fails(none.reader().unwrap().in_place(), ErrorKind::Full);
}

#[test]
fn a_frame_of_fifty_megabytes() {
    const SIZE: usize = 50 << 20;
    let t = start();
    let builder = Mailbox::builder(t.name("m"))
        .unwrap()
        .size(SIZE as u64)
        .in_place(1);
    let mailbox = builder.create_new().unwrap();
    let (mut writer, mut reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
    writer.write(long(1, SIZE)).unwrap();
    let first = reader.next_in_place_timeout(PATIENCE).unwrap();
    let mut frame = writer.loan(SIZE).unwrap();
    frame.write_all(&long(2, SIZE)).unwrap();
    assert_eq!(frame.write(b"more").unwrap(), 0);
    frame.publish().unwrap();
    let mut value = Vec::new();
    assert_eq!(reader.next_timeout(&mut value, PATIENCE).unwrap().sequence, 2);
    assert!(value == long(2, SIZE));
    assert!(first.to_vec() == long(1, SIZE));
    let mut middle = [0; 16];
    first.read_at(SIZE / 2, &mut middle).unwrap();
    assert_eq!(middle, long(1, SIZE)[SIZE / 2..][..16]);
}

#[test]
fn what_is_lent_and_not_published_was_never_there() {
    let t = start();
    let mailbox = Mailbox::builder(t.name("m"))
        .unwrap()
        .size(100)
        .create_new()
        .unwrap();
    let (mut writer, mut reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
    let mut value = Vec::new();
    for _ in 0..10 {
        let mut loan = writer.loan(100).unwrap();
        loan.write_at(0, "never").unwrap();
    }
    assert!(reader.read(&mut value).unwrap().is_none());
    writer.write("before").unwrap();
    for _ in 0..10 {
        let mut loan = writer.loan(100).unwrap();
        loan.write_at(0, [0xee; 100]).unwrap();
        fails(loan.write_at(99, "ab"), ErrorKind::TooLarge);
        fails(loan.publish_len(101), ErrorKind::TooLarge);
        assert_eq!(reader.read(&mut value).unwrap().unwrap().sequence, 1);
        assert_eq!(value, b"before");
    }
    let mut loan = writer.loan(100).unwrap();
    loan.write_at(0, "after").unwrap();
    assert_eq!(loan.publish_len(5).unwrap(), 2);
    reader.next(&mut value).unwrap();
    assert_eq!(value, b"after");
    writer.loan(10).unwrap().publish_len(0).unwrap();
    assert_eq!(reader.next(&mut value).unwrap().len, 0);
}

#[test]
fn who_trusts_the_others_gets_slices() {
    let t = start();
    let mailbox = Mailbox::create_new(t.name("m")).unwrap();
    // SAFETY: all who have this mailbox open are here, and follow its protocol.
    let (mut writer, mut reader) = unsafe {
        let (writer, reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
        (writer.trusting(), reader.trusting())
    };
    let mut loan = writer.loan(6).unwrap();
    loan.copy_from_slice(b"frame1");
    loan[5] = b'2';
    assert_eq!(&*loan, b"frame2");
    loan.publish().unwrap();
    let found = reader.next_in_place().unwrap();
    for _ in 0..10 {
        writer.write("another").unwrap();
        assert_eq!(&*found, b"frame2");
    }
    assert_eq!(found.as_ptr().as_ptr().addr() % 64, 0);
}

#[test]
fn there_is_one_writer_and_the_next_goes_on() {
    let t = start();
    let name = t.name("m");
    let mailbox = Mailbox::create_new(&name).unwrap();
    let mut peer = t.spawn("is_the_writer", &[&name, "3"]);
    peer.expect("3");
    fails(mailbox.writer(), ErrorKind::Busy);
    assert!(mailbox.stats().has_writer);
    // Nobody waits for a dead one, and what it wrote stays.
    peer.kill();
    let mut writer = mailbox.writer().unwrap();
    assert_eq!(writer.sequence(), 3);
    fails(mailbox.writer(), ErrorKind::Busy);
    let (mut reader, mut value) = (mailbox.reader().unwrap(), Vec::new());
    check(reader.next(&mut value).unwrap(), &value);
    assert_eq!(writer.write(marked(4)).unwrap(), 4);
    drop(writer);
    let mut peer = t.spawn("is_the_writer", &[&name, "1"]);
    peer.expect("5");
    assert_eq!(reader.next_timeout(&mut value, PATIENCE).unwrap().sequence, 5);
    peer.kill();
}

#[test]
fn who_sleeps_is_woken_whoever_writes() {
    let t = start();
    let name = t.name("m");
    let mailbox = Mailbox::create_new(&name).unwrap();
    let mut sleepers = [(); 3].map(|()| t.spawn("reads", &[&name, "2"]));
    sleepers.iter_mut().for_each(|peer| peer.expect("ready"));
    // The writer that they might wait for dies, and another one comes.
    t.spawn("is_the_writer", &[&name, "0"]).kill();
    mailbox.writer().unwrap().write(marked(1)).unwrap();
    mailbox.writer().unwrap().write(marked(2)).unwrap();
    for mut peer in sleepers {
        peer.expect("read");
        peer.finish();
    }
}

#[test]
fn a_mailbox_is_one_of_any_and_not_of_all() {
    let t = start();
    let name = t.name("m");
    let mailbox = Mailbox::create_new(&name).unwrap();
    let event = Event::create_new(&name, Reset::Manual).unwrap();
    let (mut writer, mut reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
    let mut peers = [(); 2].map(|()| t.spawn("waits_for_any", &[&name, &name]));
    peers.iter_mut().for_each(|peer| peer.expect("ready"));
    for number in 1..=20u64 {
        fails(
            wait_any(&[(&reader).into(), (&event).into()], Deadline::now()),
            ErrorKind::TimedOut,
        );
        writer.write(marked(number)).unwrap();
        // It is for all who wait.
        peers.iter_mut().for_each(|peer| peer.expect(&number.to_string()));
        let which = wait_any(&[(&event).into(), (&reader).into()], PATIENCE)
            .unwrap()
            .index;
        assert_eq!(which, 1);
        reader.try_next(&mut Vec::new()).unwrap().unwrap();
    }
    event.set().unwrap();
    for mut peer in peers {
        peer.expect("event");
        peer.finish();
    }
    let both: [Waitable<'_>; 2] = [(&reader).into(), (&event).into()];
    fails(wait_all(&both, PATIENCE), ErrorKind::Unsupported);
}

#[test]
fn it_goes_with_its_last_holder() {
    let t = start();
    let name = t.name("m");
    fails(Mailbox::open_existing(&name), ErrorKind::NotFound);
    let mailbox = Mailbox::builder(&name)
        .unwrap()
        .size(10)
        .in_place(3)
        .create_new()
        .unwrap();
    fails(Mailbox::create_new(&name), ErrorKind::AlreadyExists);
    // One that is there stays as it is.
    let same = Mailbox::builder(&name)
        .unwrap()
        .size(1 << 20)
        .create_or_open()
        .unwrap();
    assert_eq!(
        (same.was_created(), same.size(), same.max_in_place()),
        (false, 10, 3)
    );
    let (mut writer, mut reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
    writer.write("kept").unwrap();
    drop((mailbox, same));
    // A writer holds it as well, and a reader, and what is read in place.
    assert!(!Mailbox::create_or_open(&name).unwrap().was_created());
    drop(writer);
    let found = reader.in_place().unwrap().unwrap();
    drop(reader);
    assert_eq!(Mailbox::open_existing(&name).unwrap().stats().in_place, 1);
    assert_eq!(found.to_vec(), b"kept");
    drop(found);
    fails(Mailbox::open_existing(&name), ErrorKind::NotFound);
    eventually("a new one", || Mailbox::create_new(&name).is_ok());
}
