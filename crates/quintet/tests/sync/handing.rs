//! Permits and mutexes that a child holds too: they come back when both are gone.

use crate::help::{LONG, SHORT, assert_fails, assert_gone, end, order, owners, semaphore};
use quintet::ErrorKind;
use quintet::sync::{Mutex, Permit};
use quintet_testkit::{Peer, Test, start};
use std::io;
use std::process::Command;

fn spawn(t: &Test, permit: &mut Permit<'_>) -> Peer {
    t.spawn_through("player", &[], |command| {
        permit.spawn(command).map_err(io::Error::from)
    })
}

#[test]
fn a_permit_comes_back_with_the_child_if_the_parent_dropped_it_first() {
    let t = start();
    let name = t.name("parent");
    let semaphore = semaphore(&name, 2, 2);
    let mut permit = semaphore.acquire().unwrap();
    let child = spawn(&t, &mut permit);
    if cfg!(target_os = "linux") {
        assert_eq!(owners(&name), [(child.pid(), 1)]);
    }
    drop(permit);
    assert_eq!(semaphore.count().unwrap(), 1);
    let other = semaphore.acquire().unwrap();
    assert_fails(semaphore.acquire_timeout(SHORT * 3), ErrorKind::TimedOut);
    end(child);
    let back = semaphore.acquire_timeout(LONG).unwrap();
    drop((back, other));
    assert_eq!(semaphore.count().unwrap(), 2);
    assert_fails(semaphore.release(1), ErrorKind::Full);
}

#[test]
fn a_permit_comes_back_with_the_parent_s_if_the_child_ended_first() {
    let t = start();
    let semaphore = semaphore(&t.name("child"), 1, 1);
    let mut permit = semaphore.acquire().unwrap();
    end(spawn(&t, &mut permit));
    assert_fails(semaphore.acquire_timeout(SHORT * 3), ErrorKind::TimedOut);
    assert_eq!(semaphore.count().unwrap(), 0);
    permit.release().unwrap();
    assert_eq!(semaphore.count().unwrap(), 1);
    // It was given back in an orderly way.
    assert!(!semaphore.acquire_timeout(LONG).unwrap().was_abandoned());
}

#[test]
fn a_permit_outlives_its_killed_parent_with_the_child() {
    let t = start();
    let name = t.name("outlives");
    let semaphore = semaphore(&name, 2, 2);
    let mut parent = t.spawn("player", &[]);
    order(&mut parent, &format!("sem-open {name}"), "opened");
    order(&mut parent, "acquire", "ok");
    order(&mut parent, "acquire", "ok");
    order(&mut parent, "permit-spawn", "ok");
    // The child reads from there.
    let stdin = parent.take_stdin();
    parent.kill();
    let first = semaphore.acquire_timeout(LONG).unwrap();
    assert!(first.was_abandoned());
    assert_fails(semaphore.acquire_timeout(SHORT * 3), ErrorKind::TimedOut);
    assert!(semaphore.try_acquire().unwrap().is_none());
    drop(stdin);
    let second = semaphore.acquire_timeout(LONG).unwrap();
    drop((first, second));
    assert_eq!(semaphore.count().unwrap(), 2);
}

#[test]
fn a_permit_of_several_children_comes_back_with_the_last() {
    let t = start();
    let semaphore = semaphore(&t.name("several"), 1, 1);
    let mut permit = semaphore.acquire().unwrap();
    let mut children: Vec<_> = (0..3).map(|_| spawn(&t, &mut permit)).collect();
    end(children.remove(1));
    drop(permit);
    children.remove(0).kill();
    assert_fails(semaphore.acquire_timeout(SHORT * 3), ErrorKind::TimedOut);
    end(children.remove(0));
    drop(semaphore.acquire_timeout(LONG).unwrap());
    assert_eq!(semaphore.count().unwrap(), 1);
}

#[test]
fn several_permits_with_a_child_each_come_back_each_with_its_own() {
    let t = start();
    let semaphore = semaphore(&t.name("each"), 3, 3);
    let mut permits: Vec<_> = (0..3)
        .map(|_| semaphore.acquire().unwrap().into_owned())
        .collect();
    let mut children: Vec<_> = permits.iter_mut().map(|permit| spawn(&t, permit)).collect();
    assert_eq!(semaphore.count().unwrap(), 0);
    drop(permits);
    for _ in 0..3 {
        assert_fails(semaphore.acquire_timeout(SHORT), ErrorKind::TimedOut);
        children.pop().unwrap().kill();
        semaphore.wait_timeout(LONG).unwrap();
    }
    assert_eq!(semaphore.release(3).unwrap(), 0);
}

#[test]
fn a_child_that_cannot_be_started_leaves_the_permit_as_it_is() {
    let t = start();
    let name = t.name("fails");
    let semaphore = semaphore(&name, 1, 1);
    let mut permit = semaphore.acquire().unwrap();
    for _ in 0..3 {
        let error = permit.spawn(&mut Command::new("/no/such/program")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(semaphore.try_acquire().unwrap().is_none());
    }
    end(spawn(&t, &mut permit));
    assert!(semaphore.try_acquire().unwrap().is_none());
    permit.release().unwrap();
    assert_eq!(semaphore.count().unwrap(), 1);
    drop(semaphore);
    assert_gone(&name);
}

#[test]
fn a_permit_with_a_child_may_be_forgotten() {
    let t = start();
    let semaphore = semaphore(&t.name("forget"), 1, 1);
    let mut permit = semaphore.acquire().unwrap();
    let child = spawn(&t, &mut permit);
    permit.forget().unwrap();
    end(child);
    assert_fails(semaphore.acquire_timeout(SHORT * 3), ErrorKind::TimedOut);
    assert_eq!(semaphore.release(1).unwrap(), 0);
}

#[test]
fn a_child_is_a_user_of_its_own_besides() {
    let t = start();
    let name = t.name("besides");
    let semaphore = semaphore(&name, 3, 3);
    let mut permit = semaphore.acquire().unwrap();
    let mut child = spawn(&t, &mut permit);
    order(&mut child, &format!("sem-open {name}"), "opened");
    order(&mut child, "acquire", "ok");
    order(&mut child, "count", "1");
    permit.release().unwrap();
    order(&mut child, "give", "ok");
    // What it inherited it still holds.
    order(&mut child, "count", "2");
    order(&mut child, "acquire", "ok");
    child.kill();
    let all: Vec<_> = (0..3).map(|_| semaphore.acquire_timeout(LONG).unwrap()).collect();
    drop(all);
    assert_eq!(semaphore.count().unwrap(), 3);
}

#[test]
#[cfg(target_os = "linux")]
fn a_semaphore_lives_as_long_as_a_child_holds_a_permit_of_it() {
    let t = start();
    let name = t.name("lives");
    let made = semaphore(&name, 2, 2);
    let mut permit = made.acquire().unwrap();
    let child = spawn(&t, &mut permit);
    drop(permit);
    drop(made);
    let again = quintet::sync::Semaphore::open_existing(&name).unwrap();
    assert_eq!(again.count().unwrap(), 1);
    drop(again);
    end(child);
    // Nobody was there to remove the name, and nobody sees the old one.
    let fresh = quintet::sync::Semaphore::create_or_open(&name, 7, 7).unwrap();
    assert!(fresh.was_created());
    assert_eq!(fresh.count().unwrap(), 7);
}

#[test]
fn a_mutex_with_a_child_is_locked_until_its_owner_unlocks_it_after_the_child() {
    let t = start();
    let name = t.name("guard");
    let mutex = Mutex::create_new(&name).unwrap();
    let mut other = t.spawn("player", &[]);
    order(&mut other, &format!("mutex-open {name}"), "opened");
    for _ in 0..3 {
        let guard = mutex.lock().unwrap();
        assert!(!guard.was_abandoned());
        let child = t.spawn_through("player", &[], |command| {
            guard.spawn(command).map_err(io::Error::from)
        });
        order(&mut other, "lock 0", "TimedOut");
        order(&mut other, "is-locked", "true");
        // The same thread may lock it again.
        drop(mutex.lock().unwrap());
        end(child);
        order(&mut other, "lock 60", "TimedOut");
        guard.unlock().unwrap();
        order(&mut other, "lock", "ok");
        order(&mut other, "unlock", "ok");
    }
    end(other);
}

#[test]
fn a_mutex_outlives_its_killed_owner_with_the_child_and_is_abandoned_then() {
    let t = start();
    let name = t.name("owner");
    let mutex = Mutex::create_new(&name).unwrap();
    let mut owner = t.spawn("player", &[]);
    order(&mut owner, &format!("mutex-open {name}"), "opened");
    order(&mut owner, "lock", "ok");
    order(&mut owner, "guard-spawn", "ok");
    let stdin = owner.take_stdin();
    owner.kill();
    if cfg!(target_os = "linux") {
        assert!(mutex.try_lock().unwrap().is_none());
        assert_fails(mutex.lock_timeout(SHORT * 3), ErrorKind::TimedOut);
        assert!(mutex.is_locked().unwrap());
    }
    drop(stdin);
    assert!(mutex.lock_timeout(LONG).unwrap().was_abandoned());
    assert!(!mutex.lock().unwrap().was_abandoned());
}

#[test]
#[cfg(target_os = "linux")]
fn a_mutex_whose_guard_is_dropped_is_its_child_s() {
    let t = start();
    let name = t.name("childs");
    let mutex = Mutex::create_new(&name).unwrap();
    let guard = mutex.lock().unwrap();
    let child = t.spawn_through("player", &[], |command| {
        guard.spawn(command).map_err(io::Error::from)
    });
    let second = t.spawn_through("player", &[], |command| {
        guard.spawn(command).map_err(io::Error::from)
    });
    drop(guard);
    // Not even this thread has it now.
    assert!(mutex.try_lock().unwrap().is_none());
    end(child);
    assert!(mutex.try_lock().unwrap().is_none());
    end(second);
    let guard = mutex.lock_timeout(LONG).unwrap();
    assert!(guard.was_abandoned());
    drop(guard);
    assert!(!mutex.lock().unwrap().was_abandoned());
}

#[test]
fn a_child_that_cannot_be_started_leaves_the_mutex_locked() {
    let t = start();
    let name = t.name("fails");
    let mutex = Mutex::create_new(&name).unwrap();
    let mut other = t.spawn("player", &[]);
    order(&mut other, &format!("mutex-open {name}"), "opened");
    let guard = mutex.lock().unwrap();
    for _ in 0..3 {
        let error = guard.spawn(&mut Command::new("/no/such/program")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        order(&mut other, "lock 0", "TimedOut");
    }
    drop(guard);
    order(&mut other, "lock", "ok");
    end(other);
}
