//! Counts: made, taken, released.

use crate::help::{
    LONG, SHORT, ask, assert_fails, assert_gone, end, order, semaphore, wait_until_permit_wanted,
};
use quintet::sync::Semaphore;
use quintet::{Deadline, ErrorKind};
use quintet_testkit::start;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

#[test]
fn there_is_one_semaphore_of_a_name() {
    let t = start();
    let name = t.name("one");
    assert_fails(Semaphore::open_existing(&name), ErrorKind::NotFound);
    let first = semaphore(&name, 1, 2);
    assert!(first.was_created());
    assert_fails(Semaphore::create_new(&name, 1, 2), ErrorKind::AlreadyExists);
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-new {name} 1 2"), "AlreadyExists");
    order(&mut peer, &format!("sem-open {name}"), "opened");
    first.release(1).unwrap();
    order(&mut peer, "count", "2");
    order(&mut peer, "wait", "ok");
    assert_eq!(first.count().unwrap(), 1);
    end(peer);
}

#[test]
fn counts_are_for_making_it_and_ignored_when_it_is_there() {
    let t = start();
    let name = t.name("kept");
    let first = semaphore(&name, 1, 5);
    let again = Semaphore::create_or_open(&name, 7, 9).unwrap();
    assert!(!again.was_created());
    assert_eq!((again.count().unwrap(), again.maximum()), (1, 5));
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-make {name} 3 3"), "opened");
    order(&mut peer, "count", "1");
    order(&mut peer, "maximum", "5");
    end(peer);
    drop(first);
    assert_eq!(again.count().unwrap(), 1);
}

#[test]
fn all_permits_are_free_at_first_unless_told() {
    let t = start();
    let plain = Semaphore::builder(t.name("plain")).unwrap().create_new().unwrap();
    assert_eq!((plain.count().unwrap(), plain.maximum()), (1, 1));
    let full = Semaphore::builder(t.name("full"))
        .unwrap()
        .maximum(4)
        .create_new()
        .unwrap();
    assert_eq!(full.count().unwrap(), 4);
}

#[test]
fn counts_that_cannot_be_are_refused_and_leave_nothing() {
    let t = start();
    let name = t.name("counts");
    for (initial, maximum) in [(0, 0), (1, 0), (2, 1), (0, 1 << 31), (0, u32::MAX), (u32::MAX, 5)] {
        let error = assert_fails(
            Semaphore::create_new(&name, initial, maximum),
            ErrorKind::InvalidAddress,
        );
        assert!(error.to_string().contains(&name), "{error}");
        assert_fails(
            Semaphore::create_or_open(&name, initial, maximum),
            ErrorKind::InvalidAddress,
        );
        assert_gone(&name);
    }
}

#[test]
fn the_largest_maximum_can_be_reached_and_not_passed() {
    let t = start();
    let most = i32::MAX.unsigned_abs();
    let semaphore = semaphore(&t.name("largest"), most - 1, most);
    assert_fails(semaphore.release(2), ErrorKind::Full);
    assert_eq!(semaphore.release(1).unwrap(), most - 1);
    assert_fails(semaphore.release(1), ErrorKind::Full);
    assert_fails(semaphore.release(u32::MAX), ErrorKind::Full);
    assert_eq!(semaphore.count().unwrap(), most);
    let permit = semaphore.acquire().unwrap();
    semaphore.wait().unwrap();
    assert_eq!(semaphore.count().unwrap(), most - 2);
    drop(permit);
    assert_eq!(semaphore.release(1).unwrap(), most - 1);
}

#[test]
fn releasing_says_what_the_count_was_and_beyond_the_maximum_changes_nothing() {
    let t = start();
    let semaphore = semaphore(&t.name("release"), 0, 5);
    assert_eq!(semaphore.release(2).unwrap(), 0);
    assert_eq!(semaphore.release(1).unwrap(), 2);
    for too_many in [3, 5, u32::MAX] {
        assert_fails(semaphore.release(too_many), ErrorKind::Full);
        assert_eq!(semaphore.count().unwrap(), 3);
    }
    assert!(semaphore.release(0).is_err());
    assert_eq!(semaphore.count().unwrap(), 3);
    assert_eq!(semaphore.release(2).unwrap(), 3);
    assert_eq!(semaphore.count().unwrap(), 5);
}

#[test]
fn a_wait_without_a_permit_ends_at_its_deadline_and_takes_nothing() {
    let t = start();
    let semaphore = semaphore(&t.name("deadline"), 0, 1);
    for deadline in [SHORT.into(), Deadline::now()] {
        let error = assert_fails(semaphore.wait_timeout(deadline), ErrorKind::TimedOut);
        assert!(error.to_string().contains("sem://"), "{error}");
        assert_fails(semaphore.acquire_timeout(deadline), ErrorKind::TimedOut);
    }
    assert!(!semaphore.try_wait().unwrap());
    assert!(semaphore.try_acquire().unwrap().is_none());
    semaphore.release(1).unwrap();
    // A deadline that has passed does not hinder who need not wait.
    semaphore.wait_timeout(Deadline::now()).unwrap();
    assert_eq!(semaphore.count().unwrap(), 0);
}

#[test]
fn a_waiting_process_is_woken_by_another_that_releases() {
    let t = start();
    let name = t.name("woken");
    let semaphore = semaphore(&name, 0, 1);
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-open {name}"), "opened");
    for round in ["wait", "acquire", "wait", "acquire"] {
        peer.tell(round);
        wait_until_permit_wanted(&name, 1);
        assert_eq!(semaphore.release(1).unwrap(), 0);
        peer.expect("ok");
        if round == "acquire" {
            // Given back and taken by us, or the count would grow.
            order(&mut peer, "give", "ok");
            semaphore.wait_timeout(LONG).unwrap();
        }
        assert_eq!(semaphore.count().unwrap(), 0);
    }
    end(peer);
}

#[test]
fn releasing_several_lets_as_many_through() {
    let t = start();
    let name = t.name("several");
    let semaphore = semaphore(&name, 0, 8);
    let mut peers: Vec<_> = (0..4).map(|_| t.spawn("player", &[])).collect();
    for peer in &mut peers {
        order(peer, &format!("sem-open {name}"), "opened");
        peer.tell("wait");
    }
    wait_until_permit_wanted(&name, 4);
    semaphore.release(3).unwrap();
    quintet_testkit::eventually("three have got one", || {
        peers.iter().filter(|peer| peer.said().len() == 2).count() == 3
    });
    assert_eq!(semaphore.count().unwrap(), 0);
    wait_until_permit_wanted(&name, 1);
    semaphore.release(1).unwrap();
    for mut peer in peers {
        peer.expect("ok");
        end(peer);
    }
    assert_eq!(semaphore.count().unwrap(), 0);
}

#[test]
fn what_a_process_took_by_waiting_stays_taken_when_it_is_killed() {
    let t = start();
    let name = t.name("raw");
    let semaphore = semaphore(&name, 2, 2);
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-open {name}"), "opened");
    order(&mut peer, "wait", "ok");
    order(&mut peer, "wait", "ok");
    peer.kill();
    // A deadline makes it look for the dead.
    assert_fails(semaphore.acquire_timeout(SHORT), ErrorKind::TimedOut);
    assert_fails(semaphore.wait_timeout(SHORT * 3), ErrorKind::TimedOut);
    assert!(!semaphore.try_wait().unwrap());
    assert_eq!(semaphore.count().unwrap(), 0);
    // Whoever likes may release.
    assert_eq!(semaphore.release(2).unwrap(), 0);
}

#[test]
fn an_address_says_how_it_is_to_be() {
    let t = start();
    let name = t.name("at");
    let mut peer = t.spawn("player", &[]);
    order(
        &mut peer,
        &format!("sem-at sem://{name}?max=7&count=2"),
        "created",
    );
    let semaphore = Semaphore::open_existing(&name).unwrap();
    assert_eq!((semaphore.count().unwrap(), semaphore.maximum()), (2, 7));
    assert_eq!(semaphore.address().to_string(), format!("sem://{name}"));
    let wrong = [
        "sem://NAME?max=0",
        "sem://NAME?max=2147483648",
        "sem://NAME?max=2&count=3",
        "sem://NAME?max=-1",
        "sem://NAME?max=",
        "sem://NAME?maximum=3",
        "sem://NAME?reset=manual",
        "sem://NAME?access=all",
        "mutex://NAME",
        "pipe://NAME",
    ];
    for address in wrong {
        order(
            &mut peer,
            &format!("sem-at {}", address.replace("NAME", &t.name("wrong"))),
            "InvalidAddress",
        );
    }
    end(peer);
}

#[test]
fn a_name_in_the_session_is_the_name_and_the_longest_is_long_enough() {
    let t = start();
    let name = t.name("local");
    let plain = semaphore(&name, 0, 1);
    let local = Semaphore::open_existing(format!(r"Local\{name}")).unwrap();
    local.release(1).unwrap();
    assert_eq!(plain.count().unwrap(), 1);
    let longest = format!("{:x<200}", t.name("long"));
    let made = semaphore(&longest, 1, 1);
    assert!(made.try_wait().unwrap());
    assert_fails(
        Semaphore::create_new(format!("{longest}x"), 1, 1),
        ErrorKind::TooLarge,
    );
    for wrong in ["", ".x", "a/b", r"a\b", "a\0b"] {
        assert_fails(Semaphore::create_new(wrong, 1, 1), ErrorKind::InvalidName);
    }
}

#[test]
fn of_many_threads_never_more_than_the_maximum_are_inside() {
    const INSIDE: u32 = 3;
    let t = start();
    let name = t.name("threads");
    let semaphore = semaphore(&name, INSIDE, INSIDE);
    let inside = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for round in 0..300 {
                    let permit = semaphore.acquire_timeout(LONG).unwrap();
                    assert!(!permit.was_abandoned());
                    let before = inside.fetch_add(1, Ordering::SeqCst);
                    assert!(before < INSIDE, "{before} were inside already");
                    if round % 16 == 0 {
                        thread::yield_now();
                    }
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!(semaphore.count().unwrap(), INSIDE);
}

#[test]
fn signals_go_there_and_back_as_often_as_one_likes() {
    let t = start();
    let (there, back) = (t.name("there"), t.name("back"));
    let (there, back) = (semaphore(&there, 0, 1), semaphore(&back, 0, 1));
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..500 {
                there.wait_timeout(LONG).unwrap();
                assert_eq!(back.release(1).unwrap(), 0);
            }
        });
        for _ in 0..500 {
            assert_eq!(there.release(1).unwrap(), 0);
            back.wait_timeout(LONG).unwrap();
        }
    });
}

#[test]
fn several_processes_that_make_one_at_the_same_time_share_it() {
    let t = start();
    let mut peers: Vec<_> = (0..4).map(|_| t.spawn("player", &[])).collect();
    for round in 0..20 {
        let name = t.name("race");
        let how = if round % 2 == 0 { "sem-make" } else { "sem-new" };
        for (maximum, peer) in peers.iter_mut().enumerate() {
            peer.tell(&format!("{how} {name} 1 {}", maximum + 5));
        }
        let answers: Vec<_> = peers.iter_mut().map(quintet_testkit::Peer::hear).collect();
        assert_eq!(
            answers.iter().filter(|answer| *answer == "created").count(),
            1,
            "{answers:?}"
        );
        let others = if round % 2 == 0 { "opened" } else { "AlreadyExists" };
        assert_eq!(
            answers.iter().filter(|answer| *answer == others).count(),
            3,
            "{answers:?}"
        );
        let winner = answers.iter().position(|answer| answer == "created").unwrap();
        for peer in &mut peers {
            order(peer, &format!("sem-open {name}"), "opened");
            order(peer, "maximum", &(winner + 5).to_string());
        }
        // One permit for all of them.
        for peer in &mut peers {
            peer.tell("acquire 0");
        }
        let answers: Vec<_> = peers.iter_mut().map(quintet_testkit::Peer::hear).collect();
        assert_eq!(
            answers.iter().filter(|answer| *answer == "ok").count(),
            1,
            "{answers:?}"
        );
        let owner = answers.iter().position(|answer| answer == "ok").unwrap();
        order(&mut peers[owner], "give", "ok");
        for peer in &mut peers {
            order(peer, "sem-close", "ok");
        }
        assert_gone(&name);
    }
    for mut peer in peers {
        assert_eq!(ask(&mut peer, "sem-open none"), "NotFound");
        end(peer);
    }
}
