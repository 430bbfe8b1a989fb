//! Who is stopped is not dead: it holds what it holds, and keeps nobody from anything else.

use crate::help::{
    LONG, SHORT, assert_fails, end, order, semaphore, wait_until_lock_wanted, wait_until_permit_wanted,
};
use crate::raw::{Memory, is_promised, path};
use quintet::ErrorKind;
use quintet::sync::{Mutex, Semaphore, Waitable, wait_all};
use quintet_testkit::{Test, start};
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

#[test]
fn a_stopped_holder_keeps_its_permit_and_its_mutex() {
    let t = start();
    let name = t.name("holds");
    let semaphore = semaphore(&name, 1, 1);
    let mutex = Mutex::create_new(&name).unwrap();
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-open {name}"), "opened");
    order(&mut peer, &format!("mutex-open {name}"), "opened");
    order(&mut peer, "acquire", "ok");
    order(&mut peer, "lock", "ok");
    peer.stop();
    for _ in 0..2 {
        assert_fails(semaphore.acquire_timeout(SHORT * 3), ErrorKind::TimedOut);
        assert_fails(mutex.lock_timeout(SHORT * 3), ErrorKind::TimedOut);
        assert!(semaphore.try_acquire().unwrap().is_none() && mutex.try_lock().unwrap().is_none());
    }
    assert!(mutex.is_locked().unwrap());
    peer.cont();
    order(&mut peer, "give", "ok");
    order(&mut peer, "unlock", "ok");
    assert!(!semaphore.acquire_timeout(LONG).unwrap().was_abandoned());
    assert!(!mutex.lock_timeout(LONG).unwrap().was_abandoned());
    // Killed while it is stopped it is as dead as any.
    order(&mut peer, "acquire", "ok");
    order(&mut peer, "lock", "ok");
    peer.stop();
    peer.kill();
    assert!(semaphore.acquire_timeout(LONG).unwrap().was_abandoned());
    assert!(mutex.lock_timeout(LONG).unwrap().was_abandoned());
}

#[test]
fn a_stopped_waiter_that_was_woken_keeps_no_permit_from_the_others() {
    let t = start();
    let name = t.name("woken");
    let semaphore = semaphore(&name, 0, 5);
    let mut peers: Vec<_> = (0..3).map(|_| t.spawn("player", &[])).collect();
    for peer in &mut peers {
        order(peer, &format!("sem-open {name}"), "opened");
        peer.tell("acquire");
    }
    wait_until_permit_wanted(&name, 3);
    // Whichever of them the wake-up goes to.
    peers[0].stop();
    peers[1].stop();
    semaphore.release(1).unwrap();
    peers[2].expect("ok");
    semaphore.release(2).unwrap();
    for peer in &mut peers[..2] {
        peer.cont();
        peer.expect("ok");
    }
    peers.into_iter().for_each(end);
    assert_eq!(semaphore.count().unwrap(), 3);
}

#[test]
fn a_stopped_process_that_was_next_keeps_a_free_mutex_from_nobody() {
    let t = start();
    let name = t.name("next");
    let mutex = Mutex::create_new(&name).unwrap();
    for tries in [false, true] {
        let guard = mutex.lock().unwrap();
        let mut next = t.spawn("player", &[]);
        order(&mut next, &format!("mutex-open {name}"), "opened");
        next.tell("lock");
        wait_until_lock_wanted(&name, 1);
        // It makes itself the next after a while. Stopped too early it is not, and the test shows less.
        thread::sleep(Duration::from_millis(120));
        next.stop();
        drop(guard);
        if tries {
            quintet_testkit::eventually("a try gets it", || mutex.try_lock().unwrap().is_some());
        } else {
            drop(mutex.lock_timeout(LONG).unwrap());
        }
        next.cont();
        next.expect("ok");
        order(&mut next, "unlock", "ok");
        end(next);
    }
}

#[test]
fn who_waits_for_all_keeps_a_free_mutex_from_nobody_while_another_thing_is_missing() {
    let t = start();
    let sem = t.name("sem");
    let slots = semaphore(&sem, 1, 1);
    // Things are taken in the order of their files' numbers: here the semaphore first.
    let (lock, mutex) = (0..100)
        .map(|_| {
            let lock = t.name("lock");
            let mutex = Mutex::create_new(&lock).unwrap();
            (lock, mutex)
        })
        .find(|(lock, _)| inode("mutex", lock) > inode("sem", &sem))
        .expect("a file made later has a higher number");
    thread::scope(|scope| {
        let guard = mutex.lock().unwrap();
        let waits = scope.spawn(|| {
            let taken = wait_all(&[Waitable::permit(&slots), (&mutex).into()], LONG);
            taken.map(|taken| taken.len())
        });
        wait_until_lock_wanted(&lock, 1);
        // It makes itself the next after a while.
        thread::sleep(Duration::from_millis(120));
        let permit = slots.acquire_timeout(LONG).unwrap();
        drop(guard);
        wait_until_permit_wanted(&sem, 1);
        let memory = Memory::of("mutex", &lock);
        let mut got = 0;
        let free = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            quintet_testkit::eventually("it is promised to nobody", || !is_promised(&memory));
            quintet_testkit::eventually("a try gets it, again and again", || {
                got += u32::from(mutex.try_lock().unwrap().is_some());
                got == 20
            });
        }));
        drop(permit);
        assert_eq!(waits.join().unwrap().unwrap(), 2);
        assert!(free.is_ok(), "nobody has it, and nobody gets it");
    });
}

fn inode(kind: &str, name: &str) -> u64 {
    std::fs::metadata(path(kind, name)).unwrap().ino()
}

#[test]
fn a_dead_holder_that_nobody_waited_for_is_dead() {
    let t = start();
    let name = t.name("zombie");
    let semaphore = semaphore(&name, 1, 1);
    let mutex = Mutex::create_new(&name).unwrap();
    let mut command = Test::peer_command("holds", &[&name]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    quintet_testkit::eventually("it holds", || {
        semaphore.count().unwrap() == 0 && mutex.is_locked().unwrap()
    });
    // It is not waited for.
    child.kill().unwrap();
    assert!(semaphore.acquire_timeout(LONG).unwrap().was_abandoned());
    assert!(mutex.lock_timeout(LONG).unwrap().was_abandoned());
    let state = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    assert!(state.contains(") Z "), "{state}");
    child.wait().unwrap();
}

/// Holds a permit and a mutex.
pub(crate) fn holds(p: &mut quintet_testkit::Role) {
    let semaphore = Semaphore::open_existing(p.arg(0)).unwrap();
    let mutex = Mutex::open_existing(p.arg(0)).unwrap();
    let _held = (semaphore.acquire().unwrap(), mutex.lock().unwrap());
    p.listen();
}
