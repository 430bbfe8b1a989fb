//! Mutexes: one owner at a time, and who comes after one that died is told.

use crate::help::{LONG, SHORT, ask, assert_fails, assert_gone, end, order, wait_until_lock_wanted};
use quintet::ErrorKind;
use quintet::sync::Mutex;
use quintet_testkit::{Peer, Role, Test, start};
use std::fs;
use std::mem;
use std::sync::mpsc;
use std::thread;

fn user(t: &Test, name: &str) -> Peer {
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("mutex-open {name}"), "opened");
    peer
}

#[test]
fn there_is_one_mutex_of_a_name() {
    let t = start();
    let name = t.name("one");
    assert_fails(Mutex::open_existing(&name), ErrorKind::NotFound);
    let mutex = Mutex::create_new(&name).unwrap();
    assert!(mutex.was_created());
    assert_fails(Mutex::create_new(&name), ErrorKind::AlreadyExists);
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("mutex-make {name}"), "opened");
    let at = Mutex::at(&format!("mutex://{name}").parse().unwrap()).unwrap();
    assert!(!at.create_or_open().unwrap().was_created());
    assert_fails(
        Mutex::at(&format!("sem://{name}").parse().unwrap()),
        ErrorKind::InvalidAddress,
    );
    assert_fails(
        Mutex::at(&format!("mutex://{name}?max=1").parse().unwrap()),
        ErrorKind::InvalidAddress,
    );
    end(peer);
    drop(mutex);
    assert_gone(&name);
}

#[test]
fn one_process_has_it_at_a_time() {
    let t = start();
    let name = t.name("process");
    let mutex = Mutex::create_new(&name).unwrap();
    let mut peer = user(&t, &name);
    assert!(!mutex.is_locked().unwrap());
    let guard = mutex.lock().unwrap();
    order(&mut peer, "is-locked", "true");
    order(&mut peer, "lock 0", "TimedOut");
    order(&mut peer, "lock 30", "TimedOut");
    peer.tell("lock");
    wait_until_lock_wanted(&name, 1);
    guard.unlock().unwrap();
    peer.expect("ok");
    assert!(mutex.is_locked().unwrap());
    assert!(mutex.try_lock().unwrap().is_none());
    let error = assert_fails(mutex.lock_timeout(SHORT), ErrorKind::TimedOut);
    assert!(error.to_string().contains("mutex://"), "{error}");
    order(&mut peer, "unlock", "ok");
    assert!(!mutex.lock_timeout(LONG).unwrap().was_abandoned());
    end(peer);
}

#[test]
fn one_thread_has_it_at_a_time_also_through_two_handles() {
    let t = start();
    let name = t.name("thread");
    let first = Mutex::create_new(&name).unwrap();
    let second = Mutex::open_existing(&name).unwrap();
    let guard = first.lock().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(first.try_lock().unwrap().is_none());
            assert!(second.try_lock().unwrap().is_none());
            assert_fails(second.lock_timeout(SHORT), ErrorKind::TimedOut);
        });
    });
    // The same thread goes deeper, by either.
    let deeper = second.lock().unwrap();
    drop(guard);
    thread::scope(|scope| {
        scope.spawn(|| assert!(first.try_lock().unwrap().is_none()));
    });
    drop(deeper);
    thread::scope(|scope| {
        scope.spawn(|| assert!(!first.try_lock().unwrap().unwrap().was_abandoned()));
    });
}

#[test]
fn it_is_unlocked_as_often_as_it_was_locked() {
    let t = start();
    let name = t.name("depth");
    let mutex = Mutex::create_new(&name).unwrap();
    let mut peer = user(&t, &name);
    let mut guards: Vec<_> = (0..100).map(|_| mutex.lock().unwrap()).collect();
    while guards.pop().is_some() {
        let expected = if guards.is_empty() { "ok" } else { "TimedOut" };
        order(&mut peer, "lock 0", expected);
    }
    order(&mut peer, "lock 0", "ok");
    order(&mut peer, "unlock", "ok");
    assert!(mutex.try_lock().unwrap().is_none());
    order(&mut peer, "unlock", "ok");
    assert!(mutex.try_lock().unwrap().is_some());
    end(peer);
}

#[test]
fn a_counter_that_it_guards_counts_all_of_every_process() {
    const ROUNDS: usize = 150;
    let t = start();
    let name = t.name("counter");
    let file = t.temp_dir().join("counter");
    fs::write(&file, "0").unwrap();
    let args = [name.as_str(), file.to_str().unwrap()];
    let mutex = Mutex::create_new(&name).unwrap();
    let mut peers: Vec<_> = (0..3).map(|_| t.spawn("counts", &args)).collect();
    for peer in &mut peers {
        peer.tell(&ROUNDS.to_string());
    }
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| count(&mutex, args[1], ROUNDS));
        }
    });
    for peer in peers {
        peer.finish();
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), (5 * ROUNDS).to_string());
}

fn count(mutex: &Mutex, file: &str, rounds: usize) {
    for _ in 0..rounds {
        let guard = mutex.lock_timeout(LONG).unwrap();
        assert!(!guard.was_abandoned());
        let count: usize = fs::read_to_string(file).unwrap().parse().unwrap();
        fs::write(file, (count + 1).to_string()).unwrap();
    }
}

pub(crate) fn counts(p: &mut Role) {
    let mutex = Mutex::open_existing(p.arg(0)).unwrap();
    let rounds = p.listen().parse().unwrap();
    count(&mutex, p.arg(1), rounds);
}

#[test]
fn a_killed_owner_s_mutex_goes_to_the_next_who_is_told_once() {
    let t = start();
    let name = t.name("killed");
    let mutex = Mutex::create_new(&name).unwrap();
    for _ in 0..3 {
        let mut dying = user(&t, &name);
        // At any depth.
        order(&mut dying, "lock", "ok");
        order(&mut dying, "lock", "ok");
        let mut next = user(&t, &name);
        next.tell("lock");
        wait_until_lock_wanted(&name, 1);
        dying.kill();
        next.expect("abandoned");
        assert!(mutex.is_locked().unwrap());
        // Deeper is no news.
        order(&mut next, "lock", "ok");
        order(&mut next, "unlock", "ok");
        order(&mut next, "unlock", "ok");
        assert!(!mutex.lock_timeout(LONG).unwrap().was_abandoned());
        end(next);
    }
}

#[test]
fn who_only_tries_finds_a_dead_owner_at_once() {
    let t = start();
    let name = t.name("tries");
    let mutex = Mutex::create_new(&name).unwrap();
    let mut dying = user(&t, &name);
    order(&mut dying, "lock", "ok");
    dying.kill();
    assert!(!mutex.is_locked().unwrap());
    assert!(mutex.try_lock().unwrap().unwrap().was_abandoned());
    assert!(!mutex.try_lock().unwrap().unwrap().was_abandoned());
}

#[test]
fn an_owner_that_was_told_and_dies_too_leaves_the_news_to_the_next() {
    let t = start();
    let name = t.name("too");
    let mutex = Mutex::create_new(&name).unwrap();
    let mut first = user(&t, &name);
    order(&mut first, "lock", "ok");
    first.kill();
    for _ in 0..3 {
        let mut next = user(&t, &name);
        order(&mut next, "lock", "abandoned");
        next.kill();
    }
    assert!(mutex.lock_timeout(LONG).unwrap().was_abandoned());
    assert!(!mutex.lock().unwrap().was_abandoned());
}

#[test]
fn a_thread_that_ends_without_unlocking_abandons_it() {
    let t = start();
    let name = t.name("thread");
    let mutex = Mutex::create_new(&name).unwrap();
    let mut peer = user(&t, &name);
    for depth in [1, 3] {
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..depth {
                    mem::forget(mutex.lock().unwrap());
                }
            });
        });
        assert_eq!(ask(&mut peer, "lock"), "abandoned");
        order(&mut peer, "unlock", "ok");
        thread::scope(|scope| {
            scope.spawn(|| mem::forget(mutex.lock().unwrap()));
        });
        assert!(mutex.lock_timeout(LONG).unwrap().was_abandoned());
        assert!(!mutex.lock_timeout(LONG).unwrap().was_abandoned());
    }
    end(peer);
}

#[test]
fn who_waits_is_told_when_a_thread_ends_without_unlocking() {
    let t = start();
    let name = t.name("waits");
    let mutex = Mutex::create_new(&name).unwrap();
    let mut peer = user(&t, &name);
    let (end_it, told) = mpsc::channel();
    thread::scope(|scope| {
        let mutex = &mutex;
        scope.spawn(move || {
            mem::forget(mutex.lock().unwrap());
            told.recv().unwrap();
        });
        quintet_testkit::eventually("it is locked", || mutex.is_locked().unwrap());
        peer.tell("lock");
        wait_until_lock_wanted(&name, 1);
        end_it.send(()).unwrap();
        peer.expect("abandoned");
    });
    order(&mut peer, "unlock", "ok");
    assert!(!mutex.lock().unwrap().was_abandoned());
    end(peer);
}

#[test]
fn a_panic_unlocks_it_in_an_orderly_way() {
    let t = start();
    let mutex = Mutex::create_new(t.name("panic")).unwrap();
    let panicked = thread::scope(|scope| {
        scope
            .spawn(|| {
                let _guard = mutex.lock().unwrap();
                std::panic::resume_unwind(Box::new("unwinds"));
            })
            .join()
    });
    assert!(panicked.is_err());
    assert!(!mutex.try_lock().unwrap().unwrap().was_abandoned());
}

#[test]
fn a_killed_waiter_is_not_missed() {
    let t = start();
    let name = t.name("waiter");
    let mutex = Mutex::create_new(&name).unwrap();
    let guard = mutex.lock().unwrap();
    let mut peers: Vec<_> = (0..3).map(|_| user(&t, &name)).collect();
    for peer in &mut peers {
        peer.tell("lock");
    }
    wait_until_lock_wanted(&name, 3);
    // Long enough for one of them to be the next; whichever it is.
    assert!(mutex.lock_timeout(SHORT).is_ok());
    peers.remove(0).kill();
    peers.remove(0).kill();
    drop(guard);
    let mut last = peers.remove(0);
    last.expect("ok");
    order(&mut last, "unlock", "ok");
    assert!(!mutex.lock_timeout(LONG).unwrap().was_abandoned());
    end(last);
}
