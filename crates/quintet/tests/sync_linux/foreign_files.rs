//! What has an object's name and is none: said clearly, never removed, never waited for.

use crate::help::{SHORT, assert_fails, order, semaphore};
use crate::raw::{Memory, open, path};
use quintet::named::{Liveness, NamedKind};
use quintet::sync::{Event, Mutex, Reset, Semaphore, Semaphores};
use quintet::{ErrorKind, Name};
use quintet_testkit::start;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;

/// Every way to open it fails like that, and the file stays what it is.
#[track_caller]
fn refuses(name: &str, kind: ErrorKind) {
    let before = fs::symlink_metadata(path("sem", name)).unwrap();
    for opened in [
        Semaphore::open_existing(name),
        Semaphore::create_or_open(name, 1, 1),
    ] {
        let error = assert_fails(opened, kind);
        assert!(error.to_string().contains(name), "{error}");
    }
    let new = Semaphore::create_new(name, 1, 1).unwrap_err().kind();
    assert!(new == kind || new == ErrorKind::AlreadyExists, "{new:?}");
    assert!(Semaphores.stat(&Name::new(name).unwrap()).is_err());
    let listed = Semaphores.list().unwrap();
    let listed = listed
        .iter()
        .find(|entry| entry.address.name().unwrap().as_str() == name);
    // A file that says what cannot be is shown as that; what is no file is none of ours.
    let is_file = matches!(kind, ErrorKind::Corrupt | ErrorKind::Unsupported);
    assert_eq!(
        listed.map(|entry| entry.liveness),
        is_file.then_some(Liveness::Unknown)
    );
    let after = fs::symlink_metadata(path("sem", name)).unwrap();
    assert_eq!((before.ino(), before.len()), (after.ino(), after.len()));
}

fn remove(name: &str) {
    fs::remove_file(path("sem", name)).unwrap();
}

#[test]
fn a_file_of_another_size_is_corrupt() {
    let t = start();
    for size in [0, 1, 63, 64, 4096, 65535, 65537, 1 << 20] {
        let name = t.name("size");
        fs::write(path("sem", &name), vec![0; size]).unwrap();
        refuses(&name, ErrorKind::Corrupt);
        remove(&name);
    }
}

#[test]
fn a_file_of_the_right_size_that_was_not_made_by_quintet_is_corrupt() {
    let t = start();
    for byte in [0, 0xff, b'Q'] {
        let name = t.name("garbage");
        fs::write(path("sem", &name), vec![byte; crate::raw::SIZE]).unwrap();
        refuses(&name, ErrorKind::Corrupt);
        remove(&name);
    }
}

#[test]
fn another_kind_s_object_is_corrupt() {
    let t = start();
    let name = t.name("kind");
    let other = t.name("other");
    let mutex = Mutex::create_new(&other).unwrap();
    fs::copy(path("mutex", &other), path("sem", &name)).unwrap();
    refuses(&name, ErrorKind::Corrupt);
    let error = Semaphore::open_existing(&name).unwrap_err();
    assert!(error.to_string().contains("mute"), "{error}");
    remove(&name);
    drop(mutex);
    let event = Event::create_new(&other, Reset::Auto).unwrap();
    fs::copy(path("event", &other), path("sem", &name)).unwrap();
    refuses(&name, ErrorKind::Corrupt);
    remove(&name);
    drop(event);
    // A second name of the very same file is nobody's way to it.
    let mutex = Mutex::create_new(&other).unwrap();
    fs::hard_link(path("mutex", &other), path("sem", &name)).unwrap();
    refuses(&name, ErrorKind::AlreadyExists);
    assert!(mutex.try_lock().unwrap().is_some());
    remove(&name);
}

#[test]
fn links_are_not_followed() {
    let t = start();
    let (name, target) = (t.name("link"), t.name("target"));
    let there = semaphore(&target, 1, 1);
    symlink(path("sem", &target), path("sem", &name)).unwrap();
    refuses(&name, ErrorKind::AlreadyExists);
    remove(&name);
    symlink("/nowhere", path("sem", &name)).unwrap();
    refuses(&name, ErrorKind::AlreadyExists);
    remove(&name);
    assert!(there.try_wait().unwrap());
}

#[test]
fn what_is_not_a_file_is_in_the_way() {
    let t = start();
    let name = t.name("fifo");
    let status = t.run(std::process::Command::new("mkfifo").arg(path("sem", &name)));
    assert!(status.status.success());
    refuses(&name, ErrorKind::AlreadyExists);
    remove(&name);

    let name = t.name("folder");
    fs::create_dir(path("sem", &name)).unwrap();
    refuses(&name, ErrorKind::AlreadyExists);
    fs::remove_dir(path("sem", &name)).unwrap();

    let name = t.name("socket");
    let socket = UnixListener::bind(path("sem", &name)).unwrap();
    refuses(&name, ErrorKind::AlreadyExists);
    drop(socket);
    remove(&name);
}

/// Field by field of the header, with a living holder and with none.
#[test]
fn a_header_that_is_not_ours_is_said_so_whether_or_not_somebody_holds_it() {
    let t = start();
    let fields: [(usize, ErrorKind); 9] = [
        (0, ErrorKind::Corrupt),
        (4, ErrorKind::Corrupt),
        (8, ErrorKind::Unsupported),
        (12, ErrorKind::Corrupt),
        (16, ErrorKind::Corrupt),
        (20, ErrorKind::Corrupt),
        (24, ErrorKind::Corrupt),
        (28, ErrorKind::Corrupt),
        (44, ErrorKind::Corrupt),
    ];
    for (field, kind) in fields {
        let name = t.name("header");
        let mut peer = t.spawn("player", &[]);
        order(&mut peer, &format!("sem-new {name} 2 2"), "created");
        let memory = Memory::of("sem", &name);
        memory.write_half(field, 7);
        refuses(&name, kind);
        // Who has it open already goes on.
        order(&mut peer, "wait", "ok");
        order(&mut peer, "count", "1");
        peer.kill();
        refuses(&name, kind);
        // Whoever asks for that gets rid of it.
        Semaphores.remove(&Name::new(&*name).unwrap()).unwrap();
        assert!(!path("sem", &name).exists());
    }
}

#[test]
fn a_maximum_that_cannot_be_is_corrupt() {
    let t = start();
    for maximum in [0, 1 << 31, u64::from(u32::MAX), 1 << 32, u64::MAX] {
        let name = t.name("maximum");
        let mut peer = t.spawn("player", &[]);
        order(&mut peer, &format!("sem-new {name} 2 2"), "created");
        Memory::of("sem", &name).write(48, maximum);
        assert_fails(Semaphore::open_existing(&name), ErrorKind::Corrupt);
        assert_fails(Semaphore::create_or_open(&name, 1, 1), ErrorKind::Corrupt);
        order(&mut peer, "maximum", "2");
        order(&mut peer, "release 1", "Full");
        crate::help::end(peer);
        assert!(!path("sem", &name).exists());
    }
}

#[test]
fn a_foreign_lock_on_everything_is_said_and_not_waited_for_without_end() {
    let t = start();
    let name = t.name("locked");
    let made = semaphore(&name, 1, 1);
    let foreign = open("sem", &name);
    // All places for participants.
    assert!(crate::raw::lock(&foreign, crate::raw::LIFE + 4, 2 * 1021, true));
    drop(made);
    // The name is gone with its last user, whatever a foreigner holds.
    assert!(!path("sem", &name).exists());

    let made = semaphore(&name, 1, 1);
    let foreign = open("sem", &name);
    assert!(crate::raw::lock(&foreign, crate::raw::LIFE + 4, 2 * 1021, true));
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-open {name}"), "Full");
    order(&mut peer, &format!("sem-make {name} 1 1"), "Full");
    // The one who was in time is not disturbed; but it cannot hand a permit over.
    let mut permit = made.acquire().unwrap();
    let error = permit.spawn(&mut std::process::Command::new("true")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert!(made.try_acquire().unwrap().is_none());
    drop(permit);
    assert_eq!(made.count().unwrap(), 1);
    drop(foreign);
    order(&mut peer, &format!("sem-open {name}"), "opened");
    order(&mut peer, "acquire", "ok");
    crate::help::end(peer);
}

#[test]
fn who_keeps_everybody_from_opening_is_said_to_be_busy() {
    let t = start();
    let name = t.name("busy");
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-new {name} 2 2"), "created");
    peer.kill();
    let foreign = open("sem", &name);
    // As one does that finds out whether it is alone, and is stopped in the middle.
    assert!(crate::raw::lock(&foreign, crate::raw::LIFE, 1, true));
    let error = assert_fails(Semaphore::create_or_open(&name, 1, 1), ErrorKind::Busy);
    assert!(error.to_string().contains("stopped"), "{error}");
    drop(foreign);
    assert!(Semaphore::create_or_open(&name, 1, 1).unwrap().was_created());
    assert_fails(semaphore(&name, 0, 1).wait_timeout(SHORT), ErrorKind::TimedOut);
}

#[test]
fn locks_that_foreign_programs_take_do_not_matter() {
    let t = start();
    let name = t.name("flock");
    let made = semaphore(&name, 1, 1);
    let foreign = open("sem", &name);
    // As .NET does, and as others do.
    rustix::fs::flock(&foreign, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert!(crate::raw::lock(&foreign, 0, 65536, true));
    let again = Semaphore::open_existing(&name).unwrap();
    drop(again.acquire_timeout(SHORT).unwrap());
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-open {name}"), "opened");
    order(&mut peer, "acquire", "ok");
    crate::help::end(peer);
    drop((made, again));
    assert!(!path("sem", &name).exists());
}

#[test]
fn a_name_that_was_removed_or_replaced_under_its_users_is_not_theirs_to_remove() {
    let t = start();
    let name = t.name("replaced");
    let old = semaphore(&name, 3, 3);
    remove(&name);
    let new = semaphore(&name, 2, 2);
    // Two objects now, each for its users.
    assert!(old.try_wait().unwrap());
    assert_eq!((old.count().unwrap(), new.count().unwrap()), (2, 2));
    drop(old);
    assert_eq!(Semaphore::open_existing(&name).unwrap().count().unwrap(), 2);
    fs::rename(path("sem", &name), path("sem", &t.name("away"))).unwrap();
    fs::write(path("sem", &name), "mine").unwrap();
    drop(new);
    assert_eq!(fs::read(path("sem", &name)).unwrap(), b"mine");
    remove(&name);
    for left in t.leaks() {
        fs::remove_file(left).unwrap();
    }
}

#[test]
fn names_that_are_none_are_left_out_of_the_list() {
    use std::os::unix::ffi::OsStrExt;
    let t = start();
    let tag = t.tag();
    let odd: [Vec<u8>; 3] = [
        [b"/dev/shm/quintet.sem.\xff", tag.as_bytes()].concat(),
        [b"/dev/shm/quintet.sem..", tag.as_bytes()].concat(),
        [b"/dev/shm/quintet.sem.a\\", tag.as_bytes()].concat(),
    ];
    for path in &odd {
        fs::write(std::ffi::OsStr::from_bytes(path), "x").unwrap();
    }
    let name = t.name("listed");
    let _there = semaphore(&name, 1, 1);
    let listed = Semaphores.list().unwrap();
    let ours: Vec<_> = listed
        .iter()
        .filter(|entry| entry.address.to_string().contains(tag))
        .collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    for path in &odd {
        fs::remove_file(std::ffi::OsStr::from_bytes(path)).unwrap();
    }
}
