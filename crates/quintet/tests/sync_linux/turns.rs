//! Who has waited for a while is next, also when the owner locks again at once. (Seen from within: the word says who is
//! next, so nothing here depends on how long anything takes.)

use crate::help::{LONG, end, order, wait_until_lock_wanted};
use crate::raw::{Memory, is_promised};
use quintet::sync::Mutex;
use quintet_testkit::{eventually, start};
use std::thread;

#[test]
fn the_owner_does_not_get_it_again_before_a_process_that_has_waited() {
    let t = start();
    let name = t.name("process");
    let mutex = Mutex::create_new(&name).unwrap();
    let memory = Memory::of("mutex", &name);
    let mut waiting = t.spawn("player", &[]);
    order(&mut waiting, &format!("mutex-open {name}"), "opened");
    for _ in 0..5 {
        let guard = mutex.lock_timeout(LONG).unwrap();
        waiting.tell("lock");
        eventually("it is next", || is_promised(&memory));
        drop(guard);
        assert!(mutex.try_lock().unwrap().is_none());
        waiting.expect("ok");
        assert!(!is_promised(&memory));
        order(&mut waiting, "unlock", "ok");
    }
    end(waiting);
}

#[test]
fn the_owner_does_not_get_it_again_before_a_thread_that_has_waited() {
    let t = start();
    let name = t.name("thread");
    let mutex = Mutex::create_new(&name).unwrap();
    let memory = Memory::of("mutex", &name);
    for _ in 0..5 {
        let guard = mutex.lock_timeout(LONG).unwrap();
        thread::scope(|scope| {
            let (done, may_end) = std::sync::mpsc::channel::<()>();
            let mutex = &mutex;
            scope.spawn(move || {
                let guard = mutex.lock_timeout(LONG).unwrap();
                let _ = may_end.recv();
                drop(guard);
            });
            eventually("it is next", || is_promised(&memory));
            drop(guard);
            assert!(mutex.try_lock().unwrap().is_none());
            drop(done);
        });
        assert!(!is_promised(&memory));
    }
}

#[test]
fn several_that_have_waited_get_it_all_before_the_owner_does_again() {
    let t = start();
    let name = t.name("several");
    let mutex = Mutex::create_new(&name).unwrap();
    let memory = Memory::of("mutex", &name);
    let mut peers: Vec<_> = (0..3).map(|_| t.spawn("player", &[])).collect();
    let guard = mutex.lock().unwrap();
    for peer in &mut peers {
        order(peer, &format!("mutex-open {name}"), "opened");
        peer.tell("lock");
    }
    wait_until_lock_wanted(&name, 3);
    eventually("one is next", || is_promised(&memory));
    drop(guard);
    // The turn of each of them ends when it is told to; whoever it is, it says so.
    let mut left: Vec<_> = peers.iter_mut().collect();
    while !left.is_empty() {
        let mut owner = None;
        eventually("one of them has it", || {
            owner = left.iter_mut().position(|peer| peer.said().len() == 2);
            owner.is_some()
        });
        let peer = left.remove(owner.unwrap());
        peer.expect("ok");
        if !left.is_empty() {
            eventually("the next one is known", || is_promised(&memory));
        }
        order(peer, "unlock", "ok");
        if !left.is_empty() {
            assert!(mutex.try_lock().unwrap().is_none());
        }
    }
    drop(mutex.lock_timeout(LONG).unwrap());
    peers.into_iter().for_each(end);
}

#[test]
fn who_gives_up_its_turn_or_is_killed_promises_nothing() {
    let t = start();
    let name = t.name("gives-up");
    let mutex = Mutex::create_new(&name).unwrap();
    let memory = Memory::of("mutex", &name);
    let guard = mutex.lock().unwrap();
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("mutex-open {name}"), "opened");
    order(&mut peer, "lock 150", "TimedOut");
    assert!(!is_promised(&memory));
    peer.tell("lock");
    eventually("it is next", || is_promised(&memory));
    peer.kill();
    drop(guard);
    drop(mutex.lock_timeout(LONG).unwrap());
    assert!(!is_promised(&memory));
    assert!(mutex.try_lock().unwrap().is_some());
}
