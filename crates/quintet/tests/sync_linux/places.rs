//! Who takes the place of a dead participant, or gets its number, takes over nothing.

use crate::help::{LONG, order, owners, semaphore};
use crate::raw::{Memory, SLOT, SLOTS};
use quintet::sync::Mutex;
use quintet_testkit::start;

/// Makes all used places look free, so that the next one to come tries them first.
fn look_free(kind: &str, name: &str) {
    let memory = Memory::of(kind, name);
    for slot in 0..8 {
        memory.write_half(SLOTS + slot * SLOT + 40, 0);
    }
}

// (A pid that is used again matters to nobody: numbers are for people to read, and who lives is asked of the kernel by a
// lock. Here even the place in the table is used again.)
#[test]
fn the_next_in_a_dead_holder_s_place_gives_its_permits_back_first() {
    let t = start();
    for _ in 0..3 {
        let name = t.name("sem");
        let semaphore = semaphore(&name, 3, 3);
        let mut dying = t.spawn("player", &[]);
        order(&mut dying, &format!("sem-open {name}"), "opened");
        order(&mut dying, "acquire", "ok");
        order(&mut dying, "acquire", "ok");
        dying.kill();
        look_free("sem", &name);
        let mut next = t.spawn("player", &[]);
        order(&mut next, &format!("sem-open {name}"), "opened");
        // Nobody else has looked for the dead.
        order(&mut next, "count", "3");
        order(&mut next, "acquire", "abandoned");
        assert_eq!(owners(&name), [(next.pid(), 1)]);
        order(&mut next, "acquire", "ok");
        next.kill();
        let all: Vec<_> = (0..3).map(|_| semaphore.acquire_timeout(LONG).unwrap()).collect();
        drop(all);
        assert_eq!(semaphore.count().unwrap(), 3);
    }
}

#[test]
fn the_next_in_a_dead_owner_s_place_does_not_own_its_mutex() {
    let t = start();
    for _ in 0..3 {
        let name = t.name("mutex");
        let mutex = Mutex::create_new(&name).unwrap();
        let mut dying = t.spawn("player", &[]);
        order(&mut dying, &format!("mutex-open {name}"), "opened");
        order(&mut dying, "lock", "ok");
        dying.kill();
        look_free("mutex", &name);
        let mut next = t.spawn("player", &[]);
        order(&mut next, &format!("mutex-open {name}"), "opened");
        order(&mut next, "is-locked", "false");
        assert!(mutex.try_lock().unwrap().unwrap().was_abandoned());
        order(&mut next, "lock", "ok");
        assert!(mutex.try_lock().unwrap().is_none());
        next.kill();
        assert!(mutex.lock_timeout(LONG).unwrap().was_abandoned());
    }
}

#[test]
fn a_place_that_looks_free_and_is_not_is_nobody_else_s() {
    let t = start();
    let name = t.name("living");
    let semaphore = semaphore(&name, 3, 3);
    let permit = semaphore.acquire().unwrap();
    look_free("sem", &name);
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-open {name}"), "opened");
    order(&mut peer, "count", "2");
    order(&mut peer, "acquire", "ok");
    peer.kill();
    drop(semaphore.acquire_timeout(LONG).unwrap());
    drop(permit);
    let all: Vec<_> = (0..3).map(|_| semaphore.acquire_timeout(LONG).unwrap()).collect();
    drop(all);
    assert_eq!(semaphore.count().unwrap(), 3);
}
