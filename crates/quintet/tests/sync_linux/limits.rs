//! No room, no descriptors, no permission: an error that says so, nothing left, and things go on when there is room again.

use crate::help::{LONG, SHORT, assert_fails, assert_gone, semaphore};
use crate::raw::{open_files, path};
use quintet::sync::{Event, Mutex, Reset, Semaphore, Waitable, wait_any};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::{Peer, Role, Test, start, wrapped};
use rustix::process::{Resource, Rlimit};
use std::fs::File;
use std::process::Command;

/// Starts a role with a `/dev/shm` of its own, mounted with these options; `None` where that is not allowed.
fn spawn_with_own_shm(t: &Test, role: &str, name: &str, options: &str) -> Option<Peer> {
    let mount = format!("mount -t tmpfs -o {options} none /dev/shm");
    let allowed = t.run(Command::new("unshare").args(["--mount", "sh", "-c", &mount]));
    if !allowed.status.success() {
        eprintln!("skipped: only root can mount a /dev/shm of its own");
        return None;
    }
    Some(t.spawn_with(role, &[name], |command| {
        let script = format!("{mount} && exec \"$@\"");
        *command = wrapped(command, "unshare", &["--mount", "sh", "-c", &script, "sh"]);
    }))
}

fn run_with_own_shm(role: &str, options: &str) {
    let t = start();
    let name = t.name("shm");
    let Some(mut peer) = spawn_with_own_shm(&t, role, &name, options) else {
        return;
    };
    peer.expect("done");
    peer.finish();
}

fn nothing_there() {
    assert_eq!(std::fs::read_dir("/dev/shm").unwrap().count(), 0);
}

#[test]
fn a_full_dev_shm_is_an_error_from_create_and_leaves_nothing() {
    run_with_own_shm("no_room", "size=32k,mode=1777");
}

pub(crate) fn no_room(p: &mut Role) {
    let name = p.arg(0);
    let files = open_files();
    for _ in 0..3 {
        let error = assert_fails(Semaphore::create_new(name, 1, 1), ErrorKind::Full);
        assert!(error.to_string().contains("/dev/shm"), "{error}");
        assert_fails(Mutex::create_or_open(name), ErrorKind::Full);
        assert_fails(Event::create_new(name, Reset::Auto), ErrorKind::Full);
        nothing_there();
        assert_fails(Semaphore::open_existing(name), ErrorKind::NotFound);
    }
    assert_eq!(open_files(), files);
    p.say("done");
}

#[test]
fn a_dev_shm_with_room_for_one_has_room_for_the_next_when_that_is_gone() {
    run_with_own_shm("room_for_one", "size=96k,mode=1777");
}

pub(crate) fn room_for_one(p: &mut Role) {
    let name = p.arg(0);
    let first = semaphore(name, 1, 1);
    for _ in 0..3 {
        assert_fails(Mutex::create_new(name), ErrorKind::Full);
        // What is there is complete: its memory is reserved.
        drop(first.acquire().unwrap());
        assert_fails(first.release(1), ErrorKind::Full);
    }
    drop(first);
    let mutex = Mutex::create_new(name).unwrap();
    assert_fails(Semaphore::create_or_open(name, 1, 1), ErrorKind::Full);
    drop(mutex.lock().unwrap());
    drop(mutex);
    nothing_there();
    p.say("done");
}

#[test]
fn a_dev_shm_without_another_file_is_full_too() {
    run_with_own_shm("no_inode", "size=10m,nr_inodes=2,mode=1777");
}

pub(crate) fn no_inode(p: &mut Role) {
    let name = p.arg(0);
    let first = semaphore(name, 1, 1);
    assert_fails(Mutex::create_new(name), ErrorKind::Full);
    drop(first);
    drop(Mutex::create_new(name).unwrap());
    nothing_there();
    p.say("done");
}

#[test]
fn a_dev_shm_that_cannot_be_written_to_is_an_error() {
    run_with_own_shm("read_only", "size=10m,ro,mode=1777");
}

pub(crate) fn read_only(p: &mut Role) {
    let name = p.arg(0);
    let files = open_files();
    assert!(Semaphore::create_new(name, 1, 1).is_err());
    assert_fails(Semaphore::open_existing(name), ErrorKind::NotFound);
    assert_eq!(open_files(), files);
    p.say("done");
}

/// Takes descriptors until there are so many left.
fn leave_free(free: usize) -> Vec<File> {
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    taken.truncate(taken.len() - free);
    taken
}

#[test]
fn without_descriptors_there_is_an_error_nothing_is_left_and_it_goes_on_later() {
    let t = start();
    let name = t.name("descriptors");
    let mut peer = t.spawn("no_descriptors", &[&name]);
    peer.expect("done");
    peer.finish();
    assert_gone(&name);
}

pub(crate) fn no_descriptors(p: &mut Role) {
    let name = p.arg(0).to_owned();
    let limit = Rlimit {
        current: Some(64),
        maximum: rustix::process::getrlimit(Resource::Nofile).maximum,
    };
    let files = open_files();
    let mut errors = 0;
    for free in 0..16 {
        let before = rustix::process::getrlimit(Resource::Nofile);
        rustix::process::setrlimit(Resource::Nofile, limit).unwrap();
        let taken = leave_free(free);
        let made = Semaphore::create_new(&name, 1, 1);
        let outcome = made.as_ref().map(|_| ()).map_err(quintet::Error::kind);
        drop((made, taken));
        rustix::process::setrlimit(Resource::Nofile, before).unwrap();
        assert!(!path("sem", &name).exists(), "with {free} free: {outcome:?}");
        assert_eq!(open_files(), files, "with {free} free: {outcome:?}");
        match outcome {
            Ok(()) => break,
            Err(kind) => assert_eq!(kind, ErrorKind::Full, "with {free} free"),
        }
        errors += 1;
    }
    assert!((1..10).contains(&errors), "{errors} errors");

    // The same for what needs some later.
    let made = semaphore(&name, 2, 2);
    let mutex = Mutex::create_new(&name).unwrap();
    let mut permit = made.acquire().unwrap();
    let guard = mutex.lock().unwrap();
    let (reader, _writer) = std::io::pipe().unwrap();
    let never = Event::create_new(&name, Reset::Auto).unwrap();
    rustix::process::setrlimit(Resource::Nofile, limit).unwrap();
    let taken = leave_free(0);
    assert_fails(Semaphore::open_existing(&name), ErrorKind::Full);
    assert_fails(permit.spawn(&mut Command::new("true")), ErrorKind::Full);
    assert_fails(guard.spawn(&mut Command::new("true")), ErrorKind::Full);
    assert_fails(
        wait_any(&[(&never).into(), Waitable::readable(&reader)], SHORT),
        ErrorKind::Full,
    );
    // What needs none goes on.
    drop(made.acquire_timeout(LONG).unwrap());
    assert_eq!(made.count().unwrap(), 1);
    assert_fails(never.wait_timeout(SHORT), ErrorKind::TimedOut);
    drop(taken);
    assert_fails(
        wait_any(&[(&never).into(), Waitable::readable(&reader)], SHORT),
        ErrorKind::TimedOut,
    );
    permit.spawn(&mut Command::new("true")).unwrap().wait().unwrap();
    guard.spawn(&mut Command::new("true")).unwrap().wait().unwrap();
    drop((permit, guard));
    assert_eq!(made.count().unwrap(), 2);
    assert!(!mutex.is_locked().unwrap());
    p.say("done");
}

#[test]
fn using_an_object_leaves_no_descriptor_open() {
    let t = start();
    let name = t.name("counted");
    let mut peer = t.spawn("counts_descriptors", &[&name]);
    peer.expect("done");
    peer.finish();
}

pub(crate) fn counts_descriptors(p: &mut Role) {
    let name = p.arg(0).to_owned();
    let before = open_files();
    for _ in 0..5 {
        let made = semaphore(&name, 2, 2);
        let mutex = Mutex::create_new(&name).unwrap();
        let event = Event::create_new(&name, Reset::Auto).unwrap();
        assert_eq!(open_files(), before + 3);
        let again: Vec<_> = (0..10)
            .map(|_| Semaphore::open_existing(&name).unwrap())
            .collect();
        let mut permit = made.acquire().unwrap();
        let guard = mutex.lock().unwrap();
        permit.spawn(&mut Command::new("true")).unwrap().wait().unwrap();
        permit.spawn(&mut Command::new("true")).unwrap().wait().unwrap();
        guard.spawn(&mut Command::new("true")).unwrap().wait().unwrap();
        assert!(!event.try_wait().unwrap());
        drop((permit, guard));
        assert_eq!(
            open_files(),
            before + 3 + again.len() * usize::from(open_files() > before + 3)
        );
        drop((made, mutex, event));
        drop(again);
        assert_eq!(open_files(), before);
    }
    // A thread that waited for a descriptor takes its helper along.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let event = Event::create_new(&name, Reset::Auto).unwrap();
            let (reader, _writer) = std::io::pipe().unwrap();
            for _ in 0..3 {
                let items = [Waitable::from(&event), Waitable::readable(&reader)];
                assert_fails(wait_any(&items, SHORT), ErrorKind::TimedOut);
                assert_fails(wait_any(&items, Deadline::now()), ErrorKind::TimedOut);
            }
        });
    });
    quintet_testkit::eventually("all are closed", || open_files() == before);
    p.say("done");
}
