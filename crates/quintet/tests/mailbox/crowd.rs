//! Some stopped; no room; other users; what stays, and what has another's name.

use super::{LONGEST, PATIENCE, check, fails, marked};
use quintet::ErrorKind;
use quintet::named::{Liveness, NamedKind};
use quintet::shm::{Access, Mailbox, Mailboxes, Queue};
use quintet_testkit::{Role, eventually, start, start_with_deadline, wrapped};
use std::process::Command;
use std::time::Duration;

/// Writes to mailbox `arg(0)` until it is killed.
pub(crate) fn writes_on(p: &mut Role) {
    let mut writer = Mailbox::open_existing(p.arg(0)).unwrap().writer().unwrap();
    p.say("ready");
    loop {
        writer.write(marked(writer.sequence() + 1)).unwrap();
    }
}

/// Reads mailbox `arg(0)` until it is killed, in place or by copying, as `arg(1)` says.
pub(crate) fn reads_on(p: &mut Role) {
    let mut reader = Mailbox::open_existing(p.arg(0)).unwrap().reader().unwrap();
    let in_place = p.arg(1) == "in place";
    let mut value = Vec::new();
    p.say("ready");
    loop {
        if in_place {
            let found = reader.next_in_place().unwrap();
            check(found.reading(), &found.to_vec());
        } else {
            check(reader.next(&mut value).unwrap(), &value);
        }
    }
}

#[test]
fn a_stopped_reader_does_not_hold_up_the_writer_and_keeps_what_it_has() {
    let t = start();
    let name = t.name("m");
    let builder = Mailbox::builder(&name).unwrap().size(LONGEST).in_place(2);
    let mailbox = builder.create_new().unwrap();
    let (mut writer, mut reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
    let mut value = Vec::new();
    let mut round = || {
        for _ in 0..200 {
            let number = writer.write(marked(writer.sequence() + 1)).unwrap();
            let reading = reader.next_timeout(&mut value, PATIENCE).unwrap();
            assert_eq!(reading.sequence, number);
            check(reading, &value);
            let found = reader.in_place().unwrap().unwrap();
            check(found.reading(), &found.to_vec());
        }
    };
    round();
    let mut peer = t.spawn("holds", &[&name, "1"]);
    peer.expect("holds");
    peer.stop();
    round();
    assert_eq!(mailbox.stats().in_place, 1);
    peer.cont();
    peer.tell("go on");
    peer.expect("holds");
    peer.stop();
    // One that is stopped can be killed, too.
    peer.kill();
    round();
    eventually("it is gone", || mailbox.stats().in_place == 0);
}

#[test]
fn who_is_stopped_anywhere_disturbs_nobody() {
    let t = start_with_deadline(Duration::from_secs(200));
    let name = t.name("m");
    let builder = Mailbox::builder(&name).unwrap().size(LONGEST).in_place(3);
    let mailbox = builder.create_new().unwrap();
    let mut reader = mailbox.reader().unwrap();
    let mut value = Vec::new();
    let mut writer = t.spawn("writes_on", &[&name]);
    let mut readers = ["in place", "in place", "copy", "copy"].map(|how| t.spawn("reads_on", &[&name, how]));
    writer.expect("ready");
    readers.iter_mut().for_each(|peer| peer.expect("ready"));
    for round in 0..30 {
        readers.iter().for_each(|peer| peer.stop());
        // The writer goes on beside stopped readers, wherever they are.
        for _ in 0..20 {
            check(reader.next_timeout(&mut value, PATIENCE).unwrap(), &value);
        }
        writer.stop();
        // The newest is whole, wherever the writer is, and can be read again and again, in all ways.
        let reading = reader.read(&mut value).unwrap().unwrap();
        check(reading, &value);
        for _ in 0..20 {
            assert_eq!(
                reader.read(&mut value).unwrap().unwrap().sequence,
                reading.sequence
            );
            check(reading, &value);
            let found = reader.in_place().unwrap().unwrap();
            assert_eq!(found.reading().sequence, reading.sequence);
            check(found.reading(), &found.to_vec());
        }
        assert!(reader.try_next(&mut value).unwrap().is_none());
        fails(mailbox.writer(), ErrorKind::Busy);
        writer.cont();
        readers.iter().for_each(|peer| peer.cont());
        if round % 10 == 9 {
            writer.stop();
            writer.kill();
            let before = reader.read(&mut value).unwrap().unwrap();
            check(before, &value);
            writer = t.spawn("writes_on", &[&name]);
            writer.expect("ready");
        }
    }
    writer.kill();
    readers.into_iter().for_each(|mut peer| {
        peer.kill();
    });
    eventually("all are gone", || {
        let stats = mailbox.stats();
        (stats.has_writer, stats.readers, stats.in_place) == (false, 1, 0)
    });
}

/// Copies the newest value of mailbox `arg(0)`, in which all bytes are the same, until it is killed.
pub(crate) fn copies_on(p: &mut Role) {
    let mut reader = Mailbox::open_existing(p.arg(0)).unwrap().reader().unwrap();
    let mut value = Vec::new();
    p.say("ready");
    loop {
        reader.read(&mut value).unwrap().unwrap();
        assert!(value == vec![value[0]; value.len()], "torn");
    }
}

#[test]
fn who_copies_takes_no_place_from_who_reads_in_place() {
    const SIZE: usize = 8 << 20;
    let t = start_with_deadline(Duration::from_secs(200));
    let name = t.name("m");
    let builder = Mailbox::builder(&name).unwrap().size(SIZE as u64).in_place(1);
    let mailbox = builder.create_new().unwrap();
    let (mut writer, mut reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
    writer.write(vec![0; SIZE]).unwrap();
    let mut peer = t.spawn("copies_on", &[&name]);
    peer.expect("ready");
    let mut other = mailbox.reader().unwrap();
    for number in 1..=20u8 {
        // Most probably in the middle of a copy.
        peer.stop();
        assert_eq!(mailbox.stats().in_place, 0);
        let held = reader.in_place().unwrap().unwrap();
        assert_eq!(mailbox.stats().in_place, 1);
        fails(other.in_place(), ErrorKind::Full);
        for _ in 0..3 {
            writer.write(vec![number; SIZE]).unwrap();
        }
        assert!(held.to_vec() == vec![number - 1; SIZE]);
        // It goes on with what it copied, which is not there any more.
        peer.cont();
        drop(held);
        std::thread::sleep(Duration::from_millis(3));
    }
    peer.kill();
}

/// Writes values of `arg(1)` bytes to mailbox `arg(0)`, all bytes of each the same, until it is killed.
pub(crate) fn writes_long_on(p: &mut Role) {
    let mut writer = Mailbox::open_existing(p.arg(0)).unwrap().writer().unwrap();
    let mut value = vec![0; p.arg(1).parse().unwrap()];
    writer.write(&value).unwrap();
    p.say("ready");
    loop {
        value.fill((writer.sequence() + 1) as u8);
        writer.write(&value).unwrap();
    }
}

#[test]
fn a_writer_that_is_stopped_in_the_middle_of_a_value_leaves_the_one_before() {
    const SIZE: usize = 8 << 20;
    let t = start_with_deadline(Duration::from_secs(200));
    let name = t.name("m");
    let builder = Mailbox::builder(&name).unwrap().size(SIZE as u64).in_place(1);
    let mailbox = builder.create_new().unwrap();
    let mut reader = mailbox.reader().unwrap();
    let mut value = Vec::new();
    for round in 0..4 {
        let mut writer = t.spawn("writes_long_on", &[&name, &SIZE.to_string()]);
        writer.expect("ready");
        for _ in 0..5 {
            writer.stop();
            let newest = mailbox.stats().sequence;
            let held = reader.in_place().unwrap().unwrap();
            let reading = reader.read(&mut value).unwrap().unwrap();
            assert_eq!((held.reading(), reading.sequence), (reading, newest));
            let whole = vec![value[0]; SIZE];
            assert!(value == whole && held.to_vec() == whole, "torn");
            writer.cont();
            // The next one, whatever was held.
            let next = reader.next_timeout(&mut value, PATIENCE).unwrap();
            assert!(
                next.sequence > newest && value == vec![next.sequence as u8; SIZE],
                "torn"
            );
            assert!(held.to_vec() == whole);
        }
        // Killed there, it has not written that one at all.
        writer.stop();
        let newest = mailbox.stats().sequence;
        writer.kill();
        assert_eq!(
            reader.read(&mut value).unwrap().unwrap().sequence,
            newest,
            "in round {round}"
        );
        assert!(value == vec![value[0]; SIZE], "torn");
    }
}

#[test]
fn a_persistent_mailbox_stays_with_what_is_in_it() {
    let t = start();
    let name = t.name("m");
    let open = || {
        let builder = Mailbox::builder(&name).unwrap().persistent(true);
        builder.create_or_open().unwrap()
    };
    open().writer().unwrap().write("stays").unwrap();
    let mailbox = open();
    let mut value = Vec::new();
    assert!(!mailbox.was_created());
    assert_eq!(mailbox.reader().unwrap().next(&mut value).unwrap().sequence, 1);
    assert_eq!(value, b"stays");
    assert_eq!(mailbox.writer().unwrap().write("more").unwrap(), 2);
    drop(mailbox);
    Mailboxes.remove(&name.parse().unwrap()).unwrap();
    fails(Mailbox::open_existing(&name), ErrorKind::NotFound);
}

#[test]
fn who_looks_sees_who_writes_and_who_reads() {
    let t = start();
    let name = t.name("m");
    let mailbox = Mailbox::builder(&name)
        .unwrap()
        .size(LONGEST)
        .create_new()
        .unwrap();
    let mut writer = t.spawn("is_the_writer", &[&name, "3"]);
    writer.expect("3");
    let mut peer = t.spawn("holds", &[&name, "2"]);
    peer.expect("holds");
    let entry = Mailboxes.stat(&name.parse().unwrap()).unwrap();
    let detail = |key| entry.detail(key).unwrap().to_string();
    assert_eq!(entry.liveness, Liveness::Live);
    assert_eq!(detail("writer"), writer.pid().to_string());
    assert_eq!(
        (detail("sequence"), detail("length")),
        ("3".into(), marked(3).len().to_string())
    );
    assert_eq!(
        (detail("readers"), detail("read_in_place")),
        ("1".into(), "2".into())
    );
    let pids: Vec<u32> = entry.holders.iter().map(|holder| holder.pid()).collect();
    assert_eq!(pids, [writer.pid(), peer.pid()]);
    writer.kill();
    peer.kill();
    eventually("nobody is seen", || {
        let entry = Mailboxes.stat(&name.parse().unwrap()).unwrap();
        entry.holders.is_empty() && entry.detail("writer") == Some("none")
    });
    let listed = Mailboxes.list().unwrap();
    assert!(
        listed
            .iter()
            .any(|entry| entry.address.name().unwrap().to_string() == name)
    );
    fails(Mailboxes.remove(&name.parse().unwrap()), ErrorKind::Busy);
    drop(mailbox);
}

#[test]
fn what_has_the_name_and_is_no_mailbox_is_left_alone() {
    let t = start();
    let name = t.name("m");
    let path = format!("/dev/shm/quintet.mailbox.{name}");
    let queue = Queue::create_new(&name).unwrap();
    // A queue of the same name is something else.
    drop(Mailbox::create_new(&name).unwrap());
    // But not under a mailbox's name.
    std::fs::copy(format!("/dev/shm/quintet.queue.{name}"), &path).unwrap();
    fails(Mailbox::open_existing(&name), ErrorKind::Corrupt);
    fails(Mailbox::create_or_open(&name), ErrorKind::Corrupt);
    assert!(Mailboxes.stat(&name.parse().unwrap()).is_err());
    std::fs::remove_file(&path).unwrap();
    drop(queue);
    for bytes in [Vec::new(), vec![7; 100], vec![0; 100_000]] {
        std::fs::write(&path, &bytes).unwrap();
        let error = Mailbox::open_existing(&name).unwrap_err();
        assert!(
            [ErrorKind::Corrupt, ErrorKind::NotFound].contains(&error.kind()),
            "{error:?}"
        );
        assert!(std::fs::read(&path).unwrap() == bytes);
        std::fs::remove_file(&path).unwrap();
    }
}

/// Makes mailbox `arg(0)` where there is no room for it.
pub(crate) fn has_no_room(p: &mut Role) {
    let builder = || Mailbox::builder(p.arg(0)).unwrap();
    for _ in 0..3 {
        fails(builder().size(1 << 20).create_new(), ErrorKind::Full);
        fails(
            builder().size(1).in_place(62).size(100 << 10).create_new(),
            ErrorKind::Full,
        );
        assert_eq!(std::fs::read_dir("/dev/shm").unwrap().count(), 0);
    }
    // What there is room for is reserved, and can be filled.
    let mailbox = builder().size(100 << 10).in_place(2).create_new().unwrap();
    let (mut writer, mut reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
    let mut held = Vec::new();
    for number in 0..5 {
        writer.write([number; 100 << 10]).unwrap();
        held.extend(reader.in_place().ok().flatten());
    }
    assert_eq!(held[1].to_vec(), [1; 100 << 10]);
    drop((held, writer, reader, mailbox));
    p.say("passed");
}

#[test]
fn a_full_dev_shm_is_an_error_from_create() {
    let t = start();
    let mount = "mount -t tmpfs -o size=512k,mode=1777 none /dev/shm";
    let allowed = t.run(Command::new("unshare").args(["--mount", "sh", "-c", mount]));
    if !allowed.status.success() {
        eprintln!("skipped: only root can mount a /dev/shm of its own");
        return;
    }
    let mut peer = t.spawn_with("has_no_room", &[&t.name("m")], |command| {
        let script = format!("{mount} && exec \"$@\"");
        *command = wrapped(command, "unshare", &["--mount", "sh", "-c", &script, "sh"]);
    });
    peer.expect("passed");
    peer.finish();
}

/// Opens the closed mailbox `arg(0)` and the open one `arg(1)` as another user.
pub(crate) fn opens_as_another(p: &mut Role) {
    fails(Mailbox::open_existing(p.arg(0)), ErrorKind::PermissionDenied);
    fails(Mailbox::create_or_open(p.arg(0)), ErrorKind::PermissionDenied);
    let builder = Mailbox::builder(p.arg(1)).unwrap().access(Access::Everyone);
    let mailbox = builder.open_existing().unwrap();
    let mut reader = mailbox.reader().unwrap();
    let found = reader.next_in_place_timeout(PATIENCE).unwrap();
    assert_eq!(found.to_vec(), b"for another");
    fails(mailbox.writer(), ErrorKind::Busy);
    p.say("read");
    p.expect("write");
    mailbox.writer().unwrap().write("from another").unwrap();
    assert_eq!(found.to_vec(), b"for another");
    p.say("written");
    p.listen();
}

#[test]
fn another_user_is_kept_out_unless_it_is_for_everyone() {
    let t = start();
    let closed = Mailbox::create_new(t.name("closed")).unwrap();
    let builder = Mailbox::builder(t.name("open")).unwrap().access(Access::Everyone);
    let open = builder.create_new().unwrap();
    let [closed_name, open_name] =
        [&closed, &open].map(|mailbox| mailbox.address().name().unwrap().to_string());
    let mut writer = open.writer().unwrap();
    writer.write("for another").unwrap();
    let Some(mut peer) = t.spawn_as_nobody("opens_as_another", &[&closed_name, &open_name]) else {
        eprintln!("skipped: only root can start a process of another user");
        return;
    };
    peer.expect("read");
    drop(writer);
    peer.tell("write");
    peer.expect("written");
    let (mut reader, mut value) = (open.reader().unwrap(), Vec::new());
    assert_eq!(reader.next_timeout(&mut value, PATIENCE).unwrap().sequence, 2);
    assert_eq!(value, b"from another");
    peer.kill();
    // Its place comes back, whoever had it.
    let held = [(); 2].map(|()| reader.in_place().unwrap().unwrap());
    assert_eq!(held[1].to_vec(), b"from another");
}
