//! Processes that do not see each other's numbers, or clocks, and share a `/dev/shm`: containers.

use crate::help::{LONG, SHORT, assert_fails, order, owners, semaphore, wait_until_permit_wanted};
use quintet::ErrorKind;
use quintet::sync::Mutex;
use quintet_testkit::{Peer, Test, start, wrapped};
use std::process::Command;

/// A player in namespaces of its own; `None` where that is not allowed.
fn player_apart(t: &Test, how: &[&str]) -> Option<Peer> {
    let allowed = t.run(Command::new("unshare").args(how).arg("true"));
    if !allowed.status.success() {
        eprintln!("skipped: no namespaces {how:?} here");
        return None;
    }
    Some(t.spawn_with("player", &[], |command| {
        *command = wrapped(command, "unshare", how)
    }))
}

const PIDS: [&str; 4] = ["--pid", "--fork", "--kill-child", "--mount-proc"];
/// Their monotonic clock is eleven days ahead of ours.
const CLOCK: [&str; 5] = ["--time", "--monotonic", "1000000", "--fork", "--kill-child"];

#[test]
fn a_holder_whose_number_means_nothing_here_is_shown_without_and_comes_back() {
    let t = start();
    let name = t.name("pids");
    let semaphore = semaphore(&name, 3, 3);
    let ours = semaphore.acquire().unwrap();
    for _ in 0..2 {
        let Some(mut peer) = player_apart(&t, &PIDS) else {
            return;
        };
        order(&mut peer, &format!("sem-open {name}"), "opened");
        order(&mut peer, "acquire", "ok");
        order(&mut peer, "acquire", "ok");
        assert_eq!(owners(&name), [(0, 2), (std::process::id(), 1)]);
        assert_fails(semaphore.acquire_timeout(SHORT * 3), ErrorKind::TimedOut);
        peer.kill();
        let back = [
            semaphore.acquire_timeout(LONG).unwrap(),
            semaphore.acquire_timeout(LONG).unwrap(),
        ];
        assert!(back[0].was_abandoned());
    }
    drop(ours);
    assert_eq!(semaphore.count().unwrap(), 3);
}

#[test]
fn who_dies_out_here_is_found_from_in_there() {
    let t = start();
    let name = t.name("inside");
    let made = semaphore(&name, 1, 1);
    let mutex = Mutex::create_new(&name).unwrap();
    let Some(mut inside) = player_apart(&t, &PIDS) else {
        return;
    };
    order(&mut inside, &format!("sem-open {name}"), "opened");
    order(&mut inside, &format!("mutex-open {name}"), "opened");
    let mut dying = t.spawn("player", &[]);
    order(&mut dying, &format!("sem-open {name}"), "opened");
    order(&mut dying, &format!("mutex-open {name}"), "opened");
    order(&mut dying, "acquire", "ok");
    order(&mut dying, "lock", "ok");
    order(&mut inside, "is-locked", "true");
    inside.tell("acquire");
    wait_until_permit_wanted(&name, 1);
    dying.kill();
    inside.expect("abandoned");
    order(&mut inside, "lock", "abandoned");
    inside.kill();
    assert!(mutex.lock_timeout(LONG).unwrap().was_abandoned());
    assert!(made.acquire_timeout(LONG).unwrap().was_abandoned());
}

// Clock changes: what waits here reads CLOCK_MONOTONIC only, which nobody can set; so setting the time of day has no part in
// it (and cannot be done in a test without doing it to the whole machine). Its one use that others see is the time of
// the last search for the dead, which stands in shared memory; that clocks may disagree about it is tested here.
#[test]
fn clocks_that_disagree_keep_nobody_from_finding_the_dead() {
    let t = start();
    let name = t.name("clock");
    let semaphore = semaphore(&name, 1, 1);
    let Some(mut ahead) = player_apart(&t, &CLOCK) else {
        return;
    };
    order(&mut ahead, &format!("sem-open {name}"), "opened");
    for _ in 0..2 {
        // Both have looked for the dead.
        let permit = semaphore.acquire().unwrap();
        order(&mut ahead, "acquire 60", "TimedOut");
        drop(permit);
        order(&mut ahead, "acquire", "ok");
        assert_fails(semaphore.acquire_timeout(SHORT * 2), ErrorKind::TimedOut);
        order(&mut ahead, "give", "ok");

        let mut dying = t.spawn("player", &[]);
        order(&mut dying, &format!("sem-open {name}"), "opened");
        order(&mut dying, "acquire", "ok");
        ahead.tell("acquire");
        wait_until_permit_wanted(&name, 1);
        dying.kill();
        ahead.expect("abandoned");
        order(&mut ahead, "give", "ok");
        order(&mut ahead, "acquire", "ok");
        order(&mut ahead, "give", "ok");
    }
    order(&mut ahead, "acquire", "ok");
    ahead.kill();
    assert!(semaphore.acquire_timeout(LONG).unwrap().was_abandoned());
}
