//! A forked child holds nothing of what its parent holds, and keeps nothing alive.

use crate::help::{LONG, SHORT, assert_fails, assert_gone, order, owners, semaphore, stat};
use crate::raw::{open_files, open_objects, open_objects_of};
use quintet::named::Liveness;
use quintet::sync::{Event, Mutex, Permit, Reset, Semaphore, Semaphores, Waitable, wait_all, wait_any};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::{Role, eventually_some, start};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A child made by fork(2). Dropped, it is killed.
struct Forked(libc::pid_t);

impl Forked {
    /// Forks; the child does this and ends.
    fn new(act: impl FnOnce()) -> Self {
        // SAFETY: the child runs on with the one thread that forked. Locks that other threads hold stay locked in it: that
        // the library copes with that is what is tested; the allocator of glibc does.
        match unsafe { libc::fork() } {
            -1 => panic!("{}", std::io::Error::last_os_error()),
            0 => {
                let done = catch_unwind(AssertUnwindSafe(act));
                // SAFETY: it ends the process, without running what the parent has registered for its own end.
                unsafe { libc::_exit(if done.is_ok() { 0 } else { 101 }) }
            }
            pid => Forked(pid),
        }
    }

    /// Waits until it has ended: well.
    #[track_caller]
    fn finish(mut self) {
        let status = eventually_some("the forked child ends", || self.ended());
        assert_eq!(status, 0, "the forked child failed");
    }

    fn ended(&mut self) -> Option<i32> {
        let mut status = 0;
        // SAFETY: `status` is there to be written to.
        let ended = unsafe { libc::waitpid(self.0, &mut status, libc::WNOHANG) };
        (ended == self.0).then(|| {
            self.0 = 0;
            status
        })
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        if self.0 > 0 {
            // SAFETY: it takes numbers only. It is our child and not waited for, so the number is its own.
            unsafe {
                libc::kill(self.0, libc::SIGKILL);
                libc::waitpid(self.0, std::ptr::null_mut(), 0);
            }
        }
    }
}

/// Runs a role that forks, to its end.
fn run(role: &str) {
    let t = start();
    let name = t.name("fork");
    let mut peer = t.spawn(role, &[&name]);
    peer.expect("done");
    peer.finish();
    assert_gone(&name);
}

#[test]
fn a_child_can_do_nothing_with_what_its_parent_opened() {
    run("child_uses");
}

pub(crate) fn child_uses(p: &mut Role) {
    let name = p.arg(0);
    let semaphore = semaphore(name, 3, 3);
    let mutex = Mutex::create_new(name).unwrap();
    let event = Event::builder(name).unwrap().set(true).create_new().unwrap();
    let mut permit = semaphore.acquire().unwrap();
    let guard = mutex.lock().unwrap();
    Forked::new(|| {
        let no = ErrorKind::Unsupported;
        assert_fails(semaphore.wait(), no);
        assert_fails(semaphore.wait_timeout(SHORT), no);
        assert_fails(semaphore.try_wait(), no);
        assert_fails(semaphore.acquire(), no);
        assert_fails(semaphore.try_acquire(), no);
        assert_fails(semaphore.release(1), no);
        assert_fails(mutex.lock(), no);
        assert_fails(mutex.try_lock(), no);
        assert_fails(event.set(), no);
        assert_fails(event.reset(), no);
        assert_fails(event.wait(), no);
        assert_fails(event.try_wait(), no);
        assert_fails(permit.spawn(&mut Command::new("true")), no);
        assert_fails(guard.spawn(&mut Command::new("true")), no);
        for item in [
            Waitable::from(&semaphore),
            Waitable::permit(&semaphore),
            (&mutex).into(),
            (&event).into(),
        ] {
            assert_fails(wait_any(&[item], Deadline::NEVER), no);
            assert_fails(wait_all(&[item], Deadline::now()), no);
        }
        let text = semaphore.wait().unwrap_err().to_string();
        assert!(text.contains("fork") && text.contains(name), "{text}");
    })
    .finish();
    // Nothing has changed.
    assert_eq!(semaphore.count().unwrap(), 2);
    assert!(mutex.is_locked().unwrap() && event.is_set().unwrap());
    permit.release().unwrap();
    guard.unlock().unwrap();
    assert_eq!(semaphore.count().unwrap(), 3);
    p.say("done");
}

#[test]
fn what_a_child_drops_is_a_copy_and_harms_nobody() {
    run("child_drops");
}

pub(crate) fn child_drops(p: &mut Role) {
    let name = p.arg(0).to_owned();
    let semaphore = semaphore(&name, 3, 3);
    let mutex = Mutex::create_new(&name).unwrap();
    let event = Event::create_new(&name, Reset::Manual).unwrap();
    let permits: [Permit<'static>; 2] = [
        semaphore.acquire().unwrap().into_owned(),
        semaphore.acquire().unwrap().into_owned(),
    ];
    let mut all = Some((semaphore, mutex, event, permits));
    for how in 0..2 {
        Forked::new(|| {
            let (semaphore, mutex, event, [first, second]) = all.take().unwrap();
            first.release().unwrap();
            drop(second);
            if how == 1 {
                quintet::cleanup::release_names();
            }
            drop((event, mutex, semaphore));
            assert_eq!(open_objects(), [] as [&std::path::Path; 0]);
        })
        .finish();
        let (semaphore, ..) = all.as_ref().unwrap();
        assert_eq!(semaphore.count().unwrap(), 1);
        assert_eq!(owners(&name), [(std::process::id(), 2)]);
        assert!(!Semaphore::open_existing(&name).unwrap().was_created());
        assert!(!Mutex::open_existing(&name).unwrap().was_created());
        assert!(!Event::open_existing(&name).unwrap().was_created());
    }
    let (semaphore, mutex, event, permits) = all.take().unwrap();
    drop(permits);
    assert_eq!(semaphore.count().unwrap(), 3);
    drop((semaphore, mutex, event));
    p.say("done");
}

#[test]
fn a_child_unlocks_nothing_by_dropping_a_guard() {
    run("child_drops_guard");
}

pub(crate) fn child_drops_guard(p: &mut Role) {
    let mutex = Mutex::create_new(p.arg(0)).unwrap();
    let mut guard = Some(mutex.lock().unwrap());
    Forked::new(|| drop(guard.take())).finish();
    Forked::new(|| guard.take().unwrap().unlock().unwrap()).finish();
    // A thread of the child ends as well, and with it nothing.
    Forked::new(|| {
        std::mem::forget(guard.take());
        thread::spawn(|| {}).join().unwrap();
    })
    .finish();
    thread::scope(|scope| {
        scope.spawn(|| assert!(mutex.try_lock().unwrap().is_none()));
    });
    drop(guard);
    assert!(!mutex.try_lock().unwrap().unwrap().was_abandoned());
    p.say("done");
}

#[test]
fn a_child_can_open_afresh_and_is_a_participant_of_its_own() {
    run("child_opens");
}

pub(crate) fn child_opens(p: &mut Role) {
    let name = p.arg(0);
    let ours = semaphore(name, 3, 3);
    let mutex = Mutex::create_new(name).unwrap();
    let permit = ours.acquire().unwrap();
    let guard = mutex.lock().unwrap();
    let act = |last: bool| {
        let theirs = Semaphore::open_existing(name).unwrap();
        let mutex = Mutex::open_existing(name).unwrap();
        assert_eq!(theirs.count().unwrap(), 2);
        let held = theirs.acquire().unwrap();
        assert_eq!(owners(name).len(), 2);
        assert!(owners(name).contains(&(std::process::id(), 1)));
        // The parent has it, though the child has the same thread.
        assert!(mutex.try_lock().unwrap().is_none());
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let never = Event::create_or_open(format!("{name}-never"), Reset::Auto).unwrap();
        let ready = wait_any(
            &[(&never).into(), (&mutex).into(), Waitable::readable(&reader)],
            LONG,
        );
        assert_eq!(ready.unwrap().index, 2);
        if last {
            // Ends without giving it back.
            std::mem::forget(held);
        }
        drop(never);
    };
    // The parent has a helper thread for descriptors; the child needs one of its own.
    let (reader, _writer) = std::io::pipe().unwrap();
    let spare = Event::create_or_open(format!("{name}-spare"), Reset::Auto).unwrap();
    assert_fails(
        wait_any(&[(&spare).into(), Waitable::readable(&reader)], SHORT),
        ErrorKind::TimedOut,
    );
    Forked::new(|| act(false)).finish();
    assert_eq!(ours.count().unwrap(), 2);
    // And a grandchild.
    Forked::new(|| {
        act(false);
        Forked::new(|| act(true)).finish();
        let again = Semaphore::open_existing(name).unwrap();
        let both = [
            again.acquire_timeout(LONG).unwrap(),
            again.acquire_timeout(LONG).unwrap(),
        ];
        assert!(both[0].was_abandoned());
    })
    .finish();
    assert_eq!(ours.count().unwrap(), 2);
    drop((permit, guard));
    assert_eq!(ours.count().unwrap(), 3);
    p.say("done");
}

#[test]
fn a_child_has_no_descriptor_of_what_its_parent_opened() {
    run("child_counts");
}

pub(crate) fn child_counts(p: &mut Role) {
    let name = p.arg(0);
    let before = open_files();
    let ours = semaphore(name, 3, 3);
    let mutex = Mutex::create_new(name).unwrap();
    assert_eq!(open_objects().len(), 2);
    Forked::new(|| {
        assert_eq!(open_objects(), [] as [&std::path::Path; 0]);
        assert_eq!(open_files(), before);
        // A file of the parent's number is not closed with the copy.
        let mut files = Vec::new();
        for _ in 0..8 {
            files.push(std::fs::File::open("/dev/zero").unwrap());
        }
        drop((ours, mutex));
        for mut file in files {
            file.read_exact(&mut [0; 4]).unwrap();
        }
    })
    .finish();
    let _kept = Semaphore::create_or_open(name, 1, 1).unwrap();
    // A program that was started has none either.
    let mut program = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    program.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    program.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    assert_eq!(
        open_objects_of(&program.id().to_string()),
        [] as [&std::path::Path; 0]
    );
    drop(program.stdin.take());
    program.wait().unwrap();
    p.say("done");
}

/// Takes things, forks a child that lives as long as stdin does, and waits to be killed.
pub(crate) fn forks_and_dies(p: &mut Role) {
    let name = p.arg(0);
    let semaphore = Semaphore::create_or_open(name, 3, 3).unwrap();
    let mutex = Mutex::create_or_open(name).unwrap();
    let _permits = [semaphore.acquire().unwrap(), semaphore.acquire().unwrap()];
    let _guard = mutex.lock().unwrap();
    let _child = Forked::new(|| {
        // SAFETY: both are open in this process, and nobody here uses them any more.
        unsafe {
            libc::close(1);
            libc::close(2);
        }
        // By the number, as the thread that reads the role's stdin may hold the library's lock on it.
        // SAFETY: one byte may be written there, and the descriptor stays open in this process.
        while unsafe { libc::read(0, [0_u8].as_mut_ptr().cast(), 1) } > 0 {}
    });
    p.say("forked");
    p.listen();
}

#[test]
fn a_killed_parent_s_permits_and_mutex_come_back_though_its_child_lives() {
    let t = start();
    let name = t.name("lives");
    let semaphore = semaphore(&name, 3, 3);
    let mutex = Mutex::create_new(&name).unwrap();
    let mut parent = t.spawn("forks_and_dies", &[&name]);
    parent.expect("forked");
    assert_eq!(semaphore.count().unwrap(), 1);
    let stdin = parent.take_stdin();
    parent.signal(libc::SIGKILL);
    let permits: Vec<_> = (0..3).map(|_| semaphore.acquire_timeout(LONG).unwrap()).collect();
    assert!(permits.iter().any(Permit::was_abandoned));
    assert!(mutex.lock_timeout(LONG).unwrap().was_abandoned());
    drop(permits);
    assert_eq!(semaphore.count().unwrap(), 3);
    drop(stdin);
    parent.wait_exit();
}

#[test]
fn a_child_keeps_no_object_alive() {
    let t = start();
    let name = t.name("alive");
    let mut parent = t.spawn("forks_and_dies", &[&name]);
    parent.expect("forked");
    let stdin = parent.take_stdin();
    parent.signal(libc::SIGKILL);
    quintet_testkit::eventually("nobody holds it", || {
        stat(&Semaphores, &name).liveness == Liveness::Stale
    });
    let fresh = semaphore(&name, 5, 5);
    assert_eq!(fresh.count().unwrap(), 5);
    assert!(!Mutex::create_new(&name).unwrap().lock().unwrap().was_abandoned());
    drop(stdin);
    parent.wait_exit();
}

#[test]
fn a_child_of_a_process_whose_other_threads_are_busy_can_use_everything() {
    run("forks_while_busy");
}

pub(crate) fn forks_while_busy(p: &mut Role) {
    let name = p.arg(0).to_owned();
    let stop = AtomicBool::new(false);
    let kept = semaphore(&name, 2, 2);
    thread::scope(|scope| {
        for thread in 0..2 {
            let (name, stop) = (&name, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    drop(Semaphore::open_existing(name).unwrap());
                    drop(Mutex::create_or_open(format!("{name}-{thread}")).unwrap());
                }
            });
        }
        let mut all_well = true;
        let mut handle = Some(Semaphore::open_existing(&name).unwrap());
        for round in 0..60 {
            let mut child = Forked::new(|| {
                // What was inherited goes, and new ones come.
                drop(handle.take());
                let own = Semaphore::open_existing(&name).unwrap();
                let mutex = Mutex::create_or_open(format!("{name}-own-{round}")).unwrap();
                drop(own.acquire_timeout(LONG).unwrap());
                drop(mutex.lock_timeout(LONG).unwrap());
            });
            let ended = std::panic::catch_unwind(AssertUnwindSafe(|| {
                eventually_some("the forked child ends", || child.ended())
            }));
            if !matches!(ended, Ok(0)) {
                all_well = false;
                break;
            }
        }
        // Else the threads would go on for ever.
        stop.store(true, Ordering::Relaxed);
        assert!(all_well, "a forked child hung or failed");
    });
    assert_eq!(kept.count().unwrap(), 2);
    p.say("done");
}

#[test]
fn a_child_that_was_forked_during_its_parent_s_first_wait_can_wait() {
    // When exactly it is forked is chance, so it is tried a few times.
    for _ in 0..5 {
        run("forks_during_first_wait");
    }
}

pub(crate) fn forks_during_first_wait(p: &mut Role) {
    let name = p.arg(0).to_owned();
    let kept = semaphore(&name, 0, 1);
    thread::scope(|scope| {
        let waits = scope.spawn(|| kept.wait_timeout(LONG));
        // The first wait of a process measures for some milliseconds.
        thread::sleep(std::time::Duration::from_micros(700));
        let child = Forked::new(|| {
            let own = Semaphore::open_existing(&name).unwrap();
            assert_fails(own.wait_timeout(SHORT), ErrorKind::TimedOut);
        });
        let finished = catch_unwind(AssertUnwindSafe(|| child.finish()));
        kept.release(1).unwrap();
        waits.join().unwrap().unwrap();
        assert!(finished.is_ok(), "the child hung or failed");
    });
    p.say("done");
}

#[test]
fn a_fork_of_another_thread_does_not_get_what_a_child_is_being_handed() {
    run("forks_while_handing");
}

/// Closes all pipes and sockets: those by which the standard library hears how another thread's child was started would
/// keep that thread waiting as long as we live.
fn close_lines() {
    let fds: Vec<_> = std::fs::read_dir("/proc/self/fd").unwrap().flatten().collect();
    for fd in fds {
        let target = std::fs::read_link(fd.path()).unwrap_or_default();
        let is_line = ["pipe:", "socket:"]
            .iter()
            .any(|kind| target.to_string_lossy().starts_with(kind));
        if let Some(number) = fd.file_name().to_str().filter(|_| is_line) {
            // SAFETY: nobody in this child uses it any more.
            unsafe { libc::close(number.parse().unwrap()) };
        }
    }
}

pub(crate) fn forks_while_handing(p: &mut Role) {
    let slots = semaphore(p.arg(0), 2, 2);
    let handing = AtomicBool::new(true);
    let mut others = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while handing.load(Ordering::Relaxed) {
                let mut permit = slots.acquire_timeout(LONG).unwrap();
                permit.spawn(&mut Command::new("true")).unwrap().wait().unwrap();
                drop(permit);
            }
        });
        for number in 0..40 {
            // At all sorts of moments.
            thread::sleep(std::time::Duration::from_micros(37 * number));
            others.push(Forked::new(|| {
                close_lines();
                loop {
                    // SAFETY: it takes no arguments.
                    unsafe { libc::pause() };
                }
            }));
        }
        handing.store(false, Ordering::Relaxed);
    });
    // They live, and hold nothing: all that did have ended, or given back.
    let deadline = std::time::Duration::from_secs(5);
    let all: Vec<_> = (0..2).map(|_| slots.acquire_timeout(deadline).unwrap()).collect();
    drop(all);
    assert_eq!(slots.count().unwrap(), 2);
    drop(others);
    p.say("done");
}

#[test]
fn a_permit_that_was_handed_over_stays_with_the_child_when_the_parent_gave_it_back() {
    let t = start();
    let name = t.name("handed");
    let semaphore = semaphore(&name, 1, 1);
    let mut parent = t.spawn("player", &[]);
    order(&mut parent, &format!("sem-open {name}"), "opened");
    order(&mut parent, "acquire", "ok");
    order(&mut parent, "permit-spawn", "ok");
    order(&mut parent, "give", "ok");
    assert!(semaphore.try_acquire().unwrap().is_none());
    order(&mut parent, "end-children", "ok");
    drop(semaphore.acquire_timeout(LONG).unwrap());
    crate::help::end(parent);
}
