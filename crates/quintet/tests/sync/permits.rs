//! Permits: they come back, each exactly once.

use crate::help::{
    LONG, SHORT, assert_fails, assert_gone, end, order, owners, semaphore, wait_until_permit_wanted,
};
use quintet::ErrorKind;
use quintet::sync::{Permit, Semaphore};
use quintet_testkit::{Peer, Test, start};
use std::mem;
use std::thread;

/// A process that has opened the semaphore and acquired so many permits.
fn holder(t: &Test, name: &str, permits: u32) -> Peer {
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-open {name}"), "opened");
    for _ in 0..permits {
        order(&mut peer, "acquire", "ok");
    }
    peer
}

#[test]
fn a_permit_comes_back_when_it_is_dropped_or_released() {
    let t = start();
    let semaphore = semaphore(&t.name("dropped"), 2, 2);
    let first = semaphore.acquire().unwrap();
    let second = semaphore.try_acquire().unwrap().unwrap();
    assert!(!first.was_abandoned() && !second.was_abandoned());
    assert_eq!(semaphore.count().unwrap(), 0);
    drop(first);
    assert_eq!(semaphore.count().unwrap(), 1);
    second.release().unwrap();
    assert_eq!(semaphore.count().unwrap(), 2);
}

#[test]
fn an_owned_permit_may_be_dropped_by_another_thread_and_keeps_the_semaphore_open() {
    let t = start();
    let name = t.name("owned");
    let made = semaphore(&name, 1, 1);
    let permit: Permit<'static> = made.acquire().unwrap().into_owned().into_owned();
    drop(made);
    let again = Semaphore::open_existing(&name).unwrap();
    assert_eq!(again.count().unwrap(), 0);
    drop(again);
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-make {name} 5 5"), "opened");
    order(&mut peer, "acquire 0", "TimedOut");
    peer.tell("acquire");
    wait_until_permit_wanted(&name, 1);
    thread::spawn(move || permit.release().unwrap()).join().unwrap();
    peer.expect("ok");
    end(peer);
    assert_gone(&name);
}

#[test]
fn an_owned_permit_that_is_the_last_of_a_semaphore_takes_the_name_with_it() {
    let t = start();
    let name = t.name("last");
    let permit = semaphore(&name, 1, 1).acquire().unwrap().into_owned();
    let still = Semaphore::open_existing(&name).unwrap();
    assert!(!still.was_created());
    drop(still);
    drop(permit);
    assert_gone(&name);
}

#[test]
fn a_permit_belongs_to_the_process_and_not_to_the_thread() {
    let t = start();
    let semaphore = semaphore(&t.name("thread"), 1, 1);
    thread::scope(|scope| {
        scope.spawn(|| mem::forget(semaphore.acquire().unwrap()));
    });
    assert_fails(semaphore.acquire_timeout(SHORT * 3), ErrorKind::TimedOut);
    assert_eq!(semaphore.count().unwrap(), 0);
    semaphore.release(1).unwrap();
}

#[test]
fn a_forgotten_permit_stays_taken_when_its_process_ends() {
    let t = start();
    let name = t.name("forgotten");
    let semaphore = semaphore(&name, 2, 2);
    let mut peer = holder(&t, &name, 2);
    order(&mut peer, "forget", "ok");
    peer.kill();
    let back = semaphore.acquire_timeout(LONG).unwrap();
    assert!(back.was_abandoned());
    assert_fails(semaphore.acquire_timeout(SHORT * 3), ErrorKind::TimedOut);
    drop(back);
    assert_eq!(semaphore.release(1).unwrap(), 1);
}

#[test]
fn a_permit_that_was_leaked_comes_back_when_its_process_ends() {
    let t = start();
    let name = t.name("leaked");
    let semaphore = semaphore(&name, 2, 2);
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-open {name}"), "opened");
    order(&mut peer, "leak", "ok");
    order(&mut peer, "leak", "ok");
    assert_fails(semaphore.acquire_timeout(SHORT), ErrorKind::TimedOut);
    // In an orderly way, at that.
    end(peer);
    let first = semaphore.acquire_timeout(LONG).unwrap();
    let second = semaphore.acquire_timeout(LONG).unwrap();
    assert!(first.was_abandoned() && !second.was_abandoned());
    drop((first, second));
    assert_eq!(semaphore.count().unwrap(), 2);
}

#[test]
fn a_permit_that_was_leaked_comes_back_when_its_process_has_closed_the_semaphore() {
    let t = start();
    let name = t.name("closed");
    let semaphore = semaphore(&name, 1, 1);
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-open {name}"), "opened");
    order(&mut peer, "leak", "ok");
    order(&mut peer, "sem-close", "ok");
    drop(semaphore.acquire_timeout(LONG).unwrap());
    // It may come again, and does not hold it any more.
    order(&mut peer, &format!("sem-open {name}"), "opened");
    order(&mut peer, "acquire", "ok");
    end(peer);
    assert_eq!(semaphore.count().unwrap(), 1);
}

#[test]
fn a_killed_holders_permit_goes_to_who_waits_and_one_is_told() {
    let t = start();
    let name = t.name("killed");
    let semaphore = semaphore(&name, 1, 1);
    let mut dying = holder(&t, &name, 1);
    let mut heir = holder(&t, &name, 0);
    heir.tell("acquire");
    wait_until_permit_wanted(&name, 1);
    dying.kill();
    heir.expect("abandoned");
    order(&mut heir, "give", "ok");
    order(&mut heir, "acquire", "ok");
    order(&mut heir, "give", "ok");
    assert!(!semaphore.acquire().unwrap().was_abandoned());
    end(heir);
    assert_eq!(semaphore.count().unwrap(), 1);
}

#[test]
fn a_killed_holders_permit_goes_to_a_raw_wait_too_and_the_news_stay_for_the_next_permit() {
    let t = start();
    let name = t.name("news");
    let semaphore = semaphore(&name, 2, 2);
    let mut dying = holder(&t, &name, 2);
    dying.kill();
    semaphore.wait_timeout(LONG).unwrap();
    let permit = semaphore.acquire_timeout(LONG).unwrap();
    assert!(permit.was_abandoned());
    assert!(permit.into_owned().was_abandoned());
    assert_eq!(semaphore.release(1).unwrap(), 1);
    assert!(!semaphore.acquire().unwrap().was_abandoned());
}

#[test]
fn who_only_tries_finds_a_dead_holders_permit_at_once() {
    let t = start();
    let name = t.name("tries");
    let semaphore = semaphore(&name, 1, 1);
    for raw in [false, true] {
        let mut dying = holder(&t, &name, 1);
        // `kill` returns when it has been waited for.
        dying.kill();
        if raw {
            assert!(semaphore.try_wait().unwrap());
            semaphore.release(1).unwrap();
        } else {
            assert!(semaphore.try_acquire().unwrap().unwrap().was_abandoned());
        }
        drop(semaphore.acquire().unwrap());
    }
}

#[test]
fn all_permits_of_a_dead_holder_come_back_once_however_many_wait_for_them() {
    const ALL: u32 = 6;
    let t = start();
    let name = t.name("all");
    let semaphore = semaphore(&name, ALL, ALL);
    let mut survivors: Vec<_> = (0..3).map(|_| holder(&t, &name, 0)).collect();
    for _ in 0..5 {
        let mut dying = holder(&t, &name, ALL);
        for survivor in &mut survivors {
            survivor.tell("acquire");
        }
        wait_until_permit_wanted(&name, 3);
        dying.kill();
        let mut answers: Vec<_> = survivors.iter_mut().map(Peer::hear).collect();
        for survivor in &mut survivors {
            survivor.tell("acquire");
        }
        answers.extend(survivors.iter_mut().map(Peer::hear));
        let abandoned = answers.iter().filter(|answer| *answer == "abandoned").count();
        assert_eq!(abandoned, 1, "{answers:?}");
        assert!(semaphore.try_acquire().unwrap().is_none());
        for survivor in &mut survivors {
            order(survivor, "give", "ok");
            order(survivor, "give", "ok");
        }
        assert_eq!(semaphore.count().unwrap(), ALL);
        assert_fails(semaphore.release(1), ErrorKind::Full);
    }
    survivors.into_iter().for_each(end);
}

#[test]
fn several_dead_holders_are_found_together() {
    let t = start();
    let name = t.name("several");
    let semaphore = semaphore(&name, 4, 4);
    let mut dying: Vec<_> = (0..4).map(|_| holder(&t, &name, 1)).collect();
    for peer in &mut dying {
        peer.kill();
    }
    let permits: Vec<_> = (0..4).map(|_| semaphore.acquire_timeout(LONG).unwrap()).collect();
    assert!(permits[0].was_abandoned());
    assert!(semaphore.try_acquire().unwrap().is_none());
    drop(permits);
    assert_eq!(semaphore.count().unwrap(), 4);
}

#[test]
fn a_living_holder_keeps_its_permit_however_long_others_wait() {
    let t = start();
    let name = t.name("living");
    let semaphore = semaphore(&name, 1, 1);
    let mut living = holder(&t, &name, 1);
    for _ in 0..4 {
        assert_fails(semaphore.acquire_timeout(SHORT * 2), ErrorKind::TimedOut);
        assert!(semaphore.try_acquire().unwrap().is_none());
    }
    order(&mut living, "give", "ok");
    assert!(!semaphore.acquire_timeout(LONG).unwrap().was_abandoned());
    end(living);
}

#[test]
fn holders_that_die_one_after_the_other_lose_nothing() {
    let t = start();
    let name = t.name("chain");
    let semaphore = semaphore(&name, 3, 3);
    let mut last = holder(&t, &name, 2);
    for _ in 0..5 {
        let mut next = holder(&t, &name, 1);
        next.tell("acquire");
        wait_until_permit_wanted(&name, 1);
        last.kill();
        next.expect("abandoned");
        order(&mut next, "give", "ok");
        order(&mut next, "acquire", "ok");
        last = next;
    }
    last.kill();
    let all: Vec<_> = (0..3).map(|_| semaphore.acquire_timeout(LONG).unwrap()).collect();
    drop(all);
    assert_eq!(semaphore.count().unwrap(), 3);
}

#[test]
fn a_waiter_that_is_killed_takes_nothing_with_it() {
    let t = start();
    let name = t.name("waiter");
    let semaphore = semaphore(&name, 0, 2);
    let mut dying = holder(&t, &name, 0);
    let mut other = holder(&t, &name, 0);
    dying.tell("acquire");
    other.tell("acquire");
    wait_until_permit_wanted(&name, 2);
    dying.kill();
    wait_until_permit_wanted(&name, 1);
    semaphore.release(1).unwrap();
    other.expect("ok");
    order(&mut other, "give", "ok");
    assert_eq!(semaphore.count().unwrap(), 1);
    end(other);
}

#[test]
fn two_handles_in_one_process_are_one_participant() {
    let t = start();
    let name = t.name("handles");
    let first = semaphore(&name, 3, 3);
    let second = Semaphore::open_existing(&name).unwrap();
    let third = Semaphore::create_or_open(&name, 1, 1).unwrap();
    let permits = [
        first.acquire().unwrap().into_owned(),
        second.acquire().unwrap().into_owned(),
    ];
    if cfg!(target_os = "linux") {
        assert_eq!(owners(&name), [(std::process::id(), 2)]);
    }
    drop(first);
    drop(second);
    assert_eq!(third.count().unwrap(), 1);
    assert!(!third.acquire_timeout(LONG).unwrap().was_abandoned());
    drop(permits);
    assert_eq!(third.count().unwrap(), 3);
}

#[test]
fn a_permit_above_the_maximum_is_not_given_back() {
    let t = start();
    let semaphore = semaphore(&t.name("above"), 2, 2);
    let permit = semaphore.acquire().unwrap();
    // Somebody releases what he did not take.
    assert_eq!(semaphore.release(1).unwrap(), 1);
    permit.release().unwrap();
    assert_eq!(semaphore.count().unwrap(), 2);
    assert_fails(semaphore.release(1), ErrorKind::Full);
    drop(semaphore.acquire().unwrap());
    assert_eq!(semaphore.count().unwrap(), 2);
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_holds_65535_permits_and_no_more() {
    let t = start();
    let semaphore = semaphore(&t.name("most"), 70_000, 70_000);
    let mut permits: Vec<_> = (0..65_535).map(|_| semaphore.acquire().unwrap()).collect();
    assert_fails(semaphore.acquire(), ErrorKind::Full);
    assert_fails(semaphore.try_acquire(), ErrorKind::Full);
    assert_eq!(semaphore.count().unwrap(), 70_000 - 65_535);
    assert!(semaphore.try_wait().unwrap());
    semaphore.release(1).unwrap();
    permits.pop();
    permits.push(semaphore.acquire().unwrap());
    drop(permits);
    assert_eq!(semaphore.count().unwrap(), 70_000);
}
