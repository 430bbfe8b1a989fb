//! An object lives while some process has it open, and no longer.

use crate::help::{LONG, assert_fails, assert_gone, end, order, semaphore, stat};
use quintet::named::{Liveness, NamedKind};
use quintet::sync::{Event, Events, Mutex, Mutexes, Reset, Semaphore, Semaphores};
use quintet::{ErrorKind, Name};
use quintet_testkit::start;

#[test]
fn the_last_to_close_it_takes_the_name_along() {
    let t = start();
    let name = t.name("last");
    let first = semaphore(&name, 3, 3);
    first.wait().unwrap();
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-open {name}"), "opened");
    drop(first);
    // Who made it is gone, and it is the same.
    order(&mut peer, "count", "2");
    let again = Semaphore::open_existing(&name).unwrap();
    assert_eq!(again.count().unwrap(), 2);
    drop(again);
    order(&mut peer, "sem-close", "ok");
    assert_gone(&name);
    let fresh = semaphore(&name, 3, 3);
    assert_eq!(fresh.count().unwrap(), 3);
    drop(fresh);
    assert_gone(&name);
    end(peer);
}

#[test]
fn mutexes_and_events_go_with_their_last_user_too() {
    let t = start();
    let name = t.name("kinds");
    let (mutex, event) = (t.name("mutex"), t.name("event"));
    drop(Mutex::create_new(&mutex).unwrap());
    assert_fails(Mutex::open_existing(&mutex), ErrorKind::NotFound);
    drop(Event::create_new(&event, Reset::Manual).unwrap());
    assert_fails(Event::open_existing(&event), ErrorKind::NotFound);
    for name in [&name, &mutex, &event] {
        assert_gone(name);
    }
}

#[test]
fn what_a_killed_last_user_left_is_not_seen_again() {
    let t = start();
    let name = t.name("killed");
    for _ in 0..3 {
        let mut peer = t.spawn("player", &[]);
        order(&mut peer, &format!("sem-new {name} 5 5"), "created");
        order(&mut peer, "wait", "ok");
        order(&mut peer, "acquire", "ok");
        peer.kill();
        if cfg!(target_os = "linux") {
            assert_eq!(stat(&Semaphores, &name).liveness, Liveness::Stale);
        }
        let fresh = Semaphore::create_or_open(&name, 2, 4).unwrap();
        assert!(fresh.was_created());
        assert_eq!((fresh.count().unwrap(), fresh.maximum()), (2, 4));
        assert!(!fresh.acquire().unwrap().was_abandoned());
    }
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-new {name} 5 5"), "created");
    peer.kill();
    assert_fails(Semaphore::open_existing(&name), ErrorKind::NotFound);
    assert_gone(&name);
}

#[test]
fn what_a_killed_owner_of_a_mutex_left_is_not_seen_again_by_itself() {
    let t = start();
    let name = t.name("mutex");
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("mutex-make {name}"), "created");
    order(&mut peer, "lock", "ok");
    peer.kill();
    let fresh = Mutex::create_new(&name).unwrap();
    assert!(!fresh.lock().unwrap().was_abandoned());
}

#[test]
fn a_killed_user_does_not_take_it_from_the_others() {
    let t = start();
    let name = t.name("others");
    let mut first = t.spawn("player", &[]);
    order(&mut first, &format!("sem-new {name} 5 5"), "created");
    order(&mut first, "wait", "ok");
    let mut second = t.spawn("player", &[]);
    order(&mut second, &format!("sem-open {name}"), "opened");
    first.kill();
    let third = Semaphore::open_existing(&name).unwrap();
    assert_eq!(third.count().unwrap(), 4);
    end(second);
    drop(third);
    assert_gone(&name);
}

#[test]
fn one_kind_s_name_is_not_another_kind_s_object() {
    let t = start();
    let name = t.name("kinds");
    let semaphore = semaphore(&name, 1, 1);
    if cfg!(target_os = "linux") {
        let mutex = Mutex::create_new(&name).unwrap();
        let event = Event::create_new(&name, Reset::Auto).unwrap();
        assert!(mutex.try_lock().unwrap().is_some());
        assert!(!event.try_wait().unwrap());
    } else {
        // There it is one namespace for all.
        assert!(Mutex::create_new(&name).is_err());
        assert!(Event::create_or_open(&name, Reset::Auto).is_err());
        assert!(Mutex::open_existing(&name).is_err());
    }
    assert!(semaphore.try_wait().unwrap());
}

#[test]
fn what_somebody_holds_cannot_be_removed() {
    let t = start();
    let name = t.name("held");
    let kinds: [&dyn NamedKind; 3] = [&Semaphores, &Mutexes, &Events];
    if cfg!(target_os = "linux") {
        for kind in kinds {
            assert_fails(kind.remove(&Name::new(&*name).unwrap()), ErrorKind::NotFound);
            assert_fails(kind.stat(&Name::new(&*name).unwrap()), ErrorKind::NotFound);
        }
    }
    let semaphore = semaphore(&name, 1, 1);
    let expected = if cfg!(target_os = "linux") {
        ErrorKind::Busy
    } else {
        ErrorKind::Unsupported
    };
    assert_fails(Semaphores.remove(&Name::new(&*name).unwrap()), expected);
    assert!(semaphore.try_wait().unwrap());
    assert_eq!(Semaphore::open_existing(&name).unwrap().count().unwrap(), 0);
}

#[test]
#[cfg(target_os = "linux")]
fn what_a_killed_process_left_can_be_removed() {
    let t = start();
    let name = t.name("left");
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-new {name} 5 5"), "created");
    order(&mut peer, &format!("mutex-make {name}"), "created");
    order(&mut peer, &format!("event-make {name} auto"), "created");
    peer.kill();
    let name_ = Name::new(&*name).unwrap();
    let kinds: [&dyn NamedKind; 3] = [&Semaphores, &Mutexes, &Events];
    for kind in kinds {
        let entry = kind.stat(&name_).unwrap();
        assert_eq!(entry.liveness, Liveness::Stale);
        assert!(entry.holders.is_empty() && entry.owners.is_empty(), "{entry:?}");
        kind.remove(&name_).unwrap();
        assert_fails(kind.remove(&name_), ErrorKind::NotFound);
    }
    assert_gone(&name);
}

#[test]
#[cfg(windows)]
fn there_are_no_persistent_ones() {
    let t = start();
    let name = t.name("persistent");
    let builder = Semaphore::builder(&name).unwrap().persistent(true);
    assert_fails(builder.create_new(), ErrorKind::Unsupported);
    assert_gone(&name);
}

#[test]
#[cfg(target_os = "linux")]
fn a_persistent_one_stays_until_it_is_removed() {
    let t = start();
    let name = t.name("persistent");
    let name_ = Name::new(&*name).unwrap();
    let builder = Semaphore::builder(&name).unwrap().maximum(4).persistent(true);
    let made = builder.clone().create_new().unwrap();
    made.wait().unwrap();
    assert_fails(Semaphores.remove(&name_), ErrorKind::Busy);
    drop(made);
    assert_eq!(stat(&Semaphores, &name).liveness, Liveness::Live);
    assert_fails(Semaphore::create_new(&name, 1, 1), ErrorKind::AlreadyExists);
    assert_fails(builder.create_new(), ErrorKind::AlreadyExists);

    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-open {name}"), "opened");
    order(&mut peer, "count", "3");
    order(&mut peer, "acquire", "ok");
    order(&mut peer, "acquire", "ok");
    order(&mut peer, "wait", "ok");
    // The last holder, with two permits of its own.
    peer.kill();

    let again = Semaphore::open_existing(&name).unwrap();
    let back = [
        again.acquire_timeout(LONG).unwrap(),
        again.acquire_timeout(LONG).unwrap(),
    ];
    assert!(back[0].was_abandoned());
    assert!(again.try_acquire().unwrap().is_none());
    drop(back);
    assert_eq!(again.count().unwrap(), 2);
    drop(again);
    Semaphores.remove(&name_).unwrap();
    assert_gone(&name);
    // The next one is like any other.
    drop(semaphore(&name, 1, 1));
    assert_gone(&name);
}

#[test]
#[cfg(target_os = "linux")]
fn persistent_mutexes_and_events_keep_their_state() {
    let t = start();
    let name = t.name("persistent");
    let name_ = Name::new(&*name).unwrap();
    drop(
        Mutex::builder(&name)
            .unwrap()
            .persistent(true)
            .create_new()
            .unwrap(),
    );
    let event = Event::builder(&name)
        .unwrap()
        .reset(Reset::Manual)
        .persistent(true);
    event.create_new().unwrap().set().unwrap();
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("mutex-open {name}"), "opened");
    order(&mut peer, "lock", "ok");
    peer.kill();
    let mutex = Mutex::create_or_open(&name).unwrap();
    assert!(!mutex.was_created());
    assert!(!mutex.is_locked().unwrap());
    assert!(mutex.lock_timeout(LONG).unwrap().was_abandoned());
    assert!(!mutex.lock_timeout(LONG).unwrap().was_abandoned());
    let event = Event::open_existing(&name).unwrap();
    assert_eq!(event.reset_kind(), Reset::Manual);
    assert!(event.is_set().unwrap());
    drop((mutex, event));
    Mutexes.remove(&name_).unwrap();
    Events.remove(&name_).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn whoever_opens_it_does_not_make_it_persistent() {
    let t = start();
    let name = t.name("opener");
    let plain = semaphore(&name, 1, 1);
    let again = Semaphore::builder(&name)
        .unwrap()
        .persistent(true)
        .create_or_open()
        .unwrap();
    drop(plain);
    drop(again);
    assert_gone(&name);
}

#[test]
fn before_it_exits_a_process_can_take_its_names_back() {
    let t = start();
    let name = t.name("exits");
    let mut peer = t.spawn("exits", &[&name]);
    peer.expect("ready");
    peer.tell("go");
    assert_eq!(peer.wait_exit().code(), Some(7));
    assert_gone(&name);
}

/// Opens some, takes their names back, and exits without dropping anything.
pub(crate) fn exits(p: &mut quintet_testkit::Role) {
    let name = p.arg(0);
    let semaphore = semaphore(name, 1, 1);
    let permit = semaphore.acquire().unwrap();
    p.say("ready");
    p.expect("go");
    quintet::cleanup::release_names();
    // It stays usable.
    drop(permit);
    assert!(semaphore.try_wait().unwrap());
    std::process::exit(7);
}

#[test]
fn opening_and_closing_at_the_same_time_never_loses_a_name_under_a_user() {
    let t = start();
    let name = t.name("churn");
    let mut peers: Vec<_> = (0..3)
        .map(|_| t.spawn("opens_and_closes", &[&name, "300"]))
        .collect();
    let mut unlucky = t.spawn("opens_and_closes", &[&name, "1000000"]);
    for peer in &mut peers {
        peer.tell("go");
    }
    unlucky.tell("go");
    unlucky.expect("100");
    unlucky.kill();
    for mut peer in peers {
        peer.expect("100");
        peer.expect("done");
        peer.finish();
    }
    drop(Semaphore::create_or_open(&name, 1, 1).unwrap());
    assert_gone(&name);
}

/// Opens and closes a semaphore of one permit again and again. While it has it open, everybody has the same one.
pub(crate) fn opens_and_closes(p: &mut quintet_testkit::Role) {
    let name = p.arg(0).to_owned();
    let rounds: u32 = p.arg(1).parse().unwrap();
    p.expect("go");
    for round in 1..=rounds {
        let semaphore = Semaphore::create_or_open(&name, 1, 1).unwrap();
        let again = Semaphore::open_existing(&name).expect("it is there while we have it");
        assert!(!again.was_created());
        let permit = semaphore.acquire_timeout(LONG).unwrap();
        assert!(again.try_acquire().unwrap().is_none());
        drop(permit);
        if round == 100 {
            p.say(round);
        }
    }
    p.say("done");
}

#[test]
#[cfg(target_os = "linux")]
fn looking_at_it_shows_who_holds_how_much_since_when_and_who_waits() {
    let t = start();
    let name = t.name("look");
    let before = std::time::SystemTime::now() - std::time::Duration::from_secs(1);
    let semaphore = semaphore(&name, 3, 3);
    let permits = [semaphore.acquire().unwrap(), semaphore.acquire().unwrap()];
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("sem-open {name}"), "opened");
    order(&mut peer, "acquire", "ok");
    peer.tell("acquire");
    crate::help::wait_until_permit_wanted(&name, 1);

    let entry = stat(&Semaphores, &name);
    assert_eq!(entry.liveness, Liveness::Live);
    assert_eq!(entry.address.to_string(), format!("sem://{name}"));
    assert_eq!(
        (entry.detail("count"), entry.detail("maximum")),
        (Some("0"), Some("3"))
    );
    assert_eq!(
        (entry.detail("waiting"), entry.detail("persistent")),
        (Some("1"), Some("no"))
    );
    let after = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
    assert!((before..after).contains(&entry.created.unwrap()), "{entry:?}");
    let mut pids = [std::process::id(), peer.pid()];
    let mut holders: Vec<_> = entry.holders.iter().map(quintet::PeerIdentity::pid).collect();
    holders.sort_unstable();
    pids.sort_unstable();
    assert_eq!(holders, pids);
    for owner in &entry.owners {
        let ours = owner.process.pid() == std::process::id();
        assert_eq!(owner.count, if ours { 2 } else { 1 });
        assert!((before..after).contains(&owner.since.unwrap()), "{owner:?}");
        assert_eq!(
            owner.process.executable(),
            Some(&*std::env::current_exe().unwrap())
        );
    }
    let listed = Semaphores.list().unwrap();
    assert!(listed.iter().any(|listed| listed.address == entry.address));

    drop(permits);
    peer.expect("ok");
    assert_eq!(crate::help::owners(&name), [(peer.pid(), 2)]);
    peer.kill();
    // Dead holders are not shown, whether or not somebody has recovered what they held.
    assert_eq!(crate::help::owners(&name), []);
    assert_eq!(stat(&Semaphores, &name).detail("waiting"), Some("0"));
}

#[test]
#[cfg(target_os = "linux")]
fn looking_at_a_mutex_shows_its_owner_and_at_an_event_whether_it_is_set() {
    let t = start();
    let name = t.name("look");
    let mutex = Mutex::create_new(&name).unwrap();
    assert_eq!(stat(&Mutexes, &name).detail("locked"), Some("no"));
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("mutex-open {name}"), "opened");
    order(&mut peer, "lock", "ok");
    let entry = stat(&Mutexes, &name);
    assert_eq!(entry.detail("locked"), Some("yes"));
    assert_eq!(entry.owners.len(), 1);
    assert_eq!(
        (entry.owners[0].process.pid(), entry.owners[0].count),
        (peer.pid(), 1)
    );
    peer.kill();
    let entry = stat(&Mutexes, &name);
    assert_eq!((entry.detail("locked"), entry.owners.len()), (Some("no"), 0));
    drop(mutex);

    let event = Event::create_new(&name, Reset::Manual).unwrap();
    let seen = || {
        let entry = stat(&Events, &name);
        (
            entry.detail("set").map(str::to_owned),
            entry.detail("reset").map(str::to_owned),
        )
    };
    assert_eq!(seen(), (Some("no".into()), Some("manual".into())));
    event.set().unwrap();
    assert_eq!(seen(), (Some("yes".into()), Some("manual".into())));
    // Nobody noticed.
    assert!(event.is_set().unwrap());
}
