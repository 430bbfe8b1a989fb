//! Nobody is forgotten: with others that lock a mutex all the time, whoever waits gets his turn. Counted in their turns, not
//! in time.

use crate::help::{LONG, order, wait_until_lock_wanted};
use quintet::sync::{Mutex, Semaphore};
use quintet_testkit::{Role, start};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// So many turns of the others, each of a millisecond at least, are far more than it takes.
const MANY: u32 = 3000;

/// Locks the mutex all the time, for a millisecond each, so that it is hardly ever free; counts its turns in a semaphore.
fn locks_all_the_time(mutex: &Mutex, turns: &Semaphore, stop: impl Fn() -> bool) {
    while !stop() {
        let guard = mutex.lock_timeout(LONG).unwrap();
        turns.release(1).unwrap();
        thread::sleep(Duration::from_millis(1));
        drop(guard);
    }
}

/// Does that with the mutex and the semaphore `arg(0)`, until it is killed.
pub(crate) fn hot(p: &mut Role) {
    let mutex = Mutex::open_existing(p.arg(0)).unwrap();
    let turns = Semaphore::open_existing(p.arg(1)).unwrap();
    p.say("hot");
    locks_all_the_time(&mutex, &turns, || false);
}

#[test]
fn a_third_process_gets_its_turn_with_two_that_lock_all_the_time() {
    let t = start();
    let (name, turns) = (t.name("mutex"), t.name("turns"));
    let mutex = Mutex::create_new(&name).unwrap();
    let turns_ = Semaphore::create_new(&turns, 0, 1 << 30).unwrap();
    let mut hot: Vec<_> = (0..2).map(|_| t.spawn("hot", &[&name, &turns])).collect();
    for peer in &mut hot {
        peer.expect("hot");
    }
    let mut third = t.spawn("player", &[]);
    order(&mut third, &format!("mutex-open {name}"), "opened");
    for _ in 0..5 {
        turns_.wait_timeout(LONG).unwrap();
        let before = turns_.count().unwrap();
        order(&mut third, "lock", "ok");
        order(&mut third, "unlock", "ok");
        let while_it_waited = turns_.count().unwrap() - before;
        assert!(
            while_it_waited < MANY,
            "they had {while_it_waited} turns meanwhile"
        );
    }
    for peer in &mut hot {
        peer.kill();
    }
    drop(mutex.lock_timeout(LONG).unwrap());
    crate::help::end(third);
}

#[test]
fn a_third_thread_gets_its_turn_with_two_that_lock_all_the_time() {
    let t = start();
    let mutex = Mutex::create_new(t.name("mutex")).unwrap();
    let turns = Semaphore::create_new(t.name("turns"), 0, 1 << 30).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| locks_all_the_time(&mutex, &turns, || stop.load(Ordering::Relaxed)));
        }
        for _ in 0..5 {
            turns.wait_timeout(LONG).unwrap();
            let before = turns.count().unwrap();
            let locked = mutex.lock_timeout(LONG);
            let while_we_waited = turns.count().unwrap() - before;
            // Else the threads would go on for ever when this one panics.
            if locked.is_err() || while_we_waited >= MANY {
                stop.store(true, Ordering::Relaxed);
            }
            drop(locked.unwrap());
            assert!(
                while_we_waited < MANY,
                "they had {while_we_waited} turns meanwhile"
            );
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn of_many_waiters_each_gets_its_turn() {
    const EACH: u32 = 20;
    let t = start();
    let mutex = Mutex::create_new(t.name("mutex")).unwrap();
    let done = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let guard = mutex.lock_timeout(LONG).unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                    thread::yield_now();
                    drop(guard);
                }
            });
        }
    });
    assert_eq!(done.into_inner(), 12 * EACH);
    assert!(!mutex.is_locked().unwrap());
}

#[test]
fn the_next_in_turn_that_is_killed_is_passed_over() {
    let t = start();
    let name = t.name("heir");
    let mutex = Mutex::create_new(&name).unwrap();
    for _ in 0..3 {
        let guard = mutex.lock().unwrap();
        let mut heir = t.spawn("player", &[]);
        order(&mut heir, &format!("mutex-open {name}"), "opened");
        heir.tell("lock");
        wait_until_lock_wanted(&name, 1);
        // It has slept again and again by then, so it is the next; a time that is too short tests less and fails nothing.
        thread::sleep(Duration::from_millis(120));
        let mut other = t.spawn("player", &[]);
        order(&mut other, &format!("mutex-open {name}"), "opened");
        other.tell("lock");
        wait_until_lock_wanted(&name, 2);
        heir.kill();
        drop(guard);
        other.expect("ok");
        order(&mut other, "unlock", "ok");
        crate::help::end(other);
    }
}

#[test]
fn a_waiter_that_gives_up_does_not_keep_the_mutex_from_others() {
    let t = start();
    let name = t.name("gives-up");
    let mutex = Mutex::create_new(&name).unwrap();
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("mutex-open {name}"), "opened");
    let guard = mutex.lock().unwrap();
    // Long enough to become the next.
    order(&mut peer, "lock 120", "TimedOut");
    drop(guard);
    assert!(mutex.try_lock().unwrap().is_some());
    assert!(mutex.try_lock().unwrap().is_some());
    thread::scope(|scope| {
        let guard = mutex.lock().unwrap();
        scope
            .spawn(|| assert!(mutex.lock_timeout(Duration::from_millis(120)).is_err()))
            .join()
            .unwrap();
        drop(guard);
        scope.spawn(|| assert!(mutex.try_lock().unwrap().is_some()));
    });
    crate::help::end(peer);
}
