//! Waiting for all of several things.

use crate::help::{
    LONG, SHORT, assert_fails, end, order, semaphore, stat, wait_until_asleep, wait_until_permit_wanted,
};
use quintet::named::NamedKind;
use quintet::sync::{
    Event, Events, Mutex, Mutexes, Process, Reset, Semaphore, Semaphores, Taken, Waitable, wait_all,
};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::{Role, start};
use std::thread;
use std::time::Duration;

struct Things {
    work: Semaphore,
    slots: Semaphore,
    mutex: Mutex,
    auto: Event,
    manual: Event,
}

impl Things {
    /// All of them there.
    fn new(t: &quintet_testkit::Test) -> Self {
        let event = |reset| {
            Event::builder(t.name("event"))
                .unwrap()
                .reset(reset)
                .set(true)
                .create_new()
                .unwrap()
        };
        Things {
            work: semaphore(&t.name("work"), 1, 1),
            slots: semaphore(&t.name("slots"), 1, 1),
            mutex: Mutex::create_new(t.name("mutex")).unwrap(),
            auto: event(Reset::Auto),
            manual: event(Reset::Manual),
        }
    }

    fn items(&self) -> [Waitable<'_>; 5] {
        [
            Waitable::from(&self.manual),
            Waitable::from(&self.auto),
            Waitable::from(&self.mutex),
            Waitable::permit(&self.slots),
            Waitable::from(&self.work),
        ]
    }

    #[track_caller]
    fn assert_untouched_but(&self, missing: usize) {
        let there = [
            self.manual.is_set().unwrap(),
            self.auto.is_set().unwrap(),
            !self.mutex.is_locked().unwrap(),
            self.slots.count().unwrap() == 1,
            self.work.count().unwrap() == 1,
        ];
        let mut expected = [true; 5];
        expected[missing] = false;
        assert_eq!(there, expected, "with number {missing} missing");
    }
}

#[test]
fn all_are_taken_when_all_are_there_each_in_its_place() {
    let t = start();
    let things = Things::new(&t);
    for deadline in [Deadline::NEVER, LONG.into(), Deadline::now()] {
        let taken = wait_all(&things.items(), deadline).unwrap();
        let kinds = taken.iter().map(|taken| match taken {
            Taken::Nothing => 'n',
            Taken::Permit(_) => 'p',
            Taken::Lock(_) => 'l',
        });
        assert_eq!(kinds.collect::<String>(), "nnlpn");
        assert!(!taken.iter().any(Taken::was_abandoned));
        assert!(things.mutex.is_locked().unwrap() && !things.auto.is_set().unwrap());
        assert_eq!(
            (things.work.count().unwrap(), things.slots.count().unwrap()),
            (0, 0)
        );
        drop(taken);
        assert!(!things.mutex.is_locked().unwrap());
        assert_eq!(things.slots.count().unwrap(), 1);
        // Raw: for somebody else to put back.
        assert_eq!(things.work.release(1).unwrap(), 0);
        things.auto.set().unwrap();
    }
}

#[test]
fn whichever_is_missing_nothing_is_kept_of_the_others() {
    let t = start();
    let things = Things::new(&t);
    for missing in 0..5 {
        for deadline in [Duration::ZERO, SHORT] {
            thread::scope(|scope| {
                let guard = (missing == 2).then(|| things.mutex.lock().unwrap());
                let permit = (missing == 3).then(|| things.slots.acquire().unwrap());
                match missing {
                    0 => things.manual.reset().unwrap(),
                    1 => things.auto.reset().unwrap(),
                    4 => things.work.wait().unwrap(),
                    _ => {}
                }
                let other = scope.spawn(|| wait_all(&things.items(), deadline).map(|_| ()));
                assert_fails(other.join().unwrap(), ErrorKind::TimedOut);
                things.assert_untouched_but(missing);
                drop((guard, permit));
                match missing {
                    0 => things.manual.set().unwrap(),
                    1 => things.auto.set().unwrap(),
                    4 => drop(things.work.release(1).unwrap()),
                    _ => {}
                }
            });
        }
    }
    assert_eq!(wait_all(&things.items(), LONG).unwrap().len(), 5);
}

#[test]
fn others_may_take_what_is_there_while_it_waits_for_the_rest() {
    let t = start();
    let name = t.name("event");
    let slots = semaphore(&t.name("slots"), 1, 1);
    let mutex = Mutex::create_new(t.name("mutex")).unwrap();
    let event = Event::create_new(&name, Reset::Auto).unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let taken = wait_all(
                &[Waitable::permit(&slots), (&mutex).into(), (&event).into()],
                LONG,
            )
            .unwrap();
            assert!(mutex.is_locked().unwrap());
            taken.len()
        });
        wait_until_asleep(&Events, &name, 1);
        for _ in 0..20 {
            drop(slots.acquire_timeout(LONG).unwrap());
            drop(mutex.lock_timeout(LONG).unwrap());
        }
        // Without the permit the event alone is nothing to it.
        let permit = slots.acquire_timeout(LONG).unwrap();
        event.set().unwrap();
        quintet_testkit::eventually("it sleeps on the permit", || {
            !waits.is_finished() && event.is_set().unwrap()
        });
        assert!(!mutex.lock_timeout(LONG).unwrap().was_abandoned());
        drop(permit);
        assert_eq!(waits.join().unwrap(), 3);
    });
    assert!(!event.is_set().unwrap() && !mutex.is_locked().unwrap());
    assert_eq!(slots.count().unwrap(), 1);
}

#[test]
fn two_processes_that_want_the_same_two_things_in_opposite_order_both_get_them() {
    let t = start();
    let (lock, name) = (t.name("lock"), t.name("permit"));
    let mutex = Mutex::create_new(&lock).unwrap();
    let slots = semaphore(&name, 1, 1);
    let mut peers: Vec<_> = (0..2).map(|_| t.spawn("player", &[])).collect();
    for peer in &mut peers {
        order(peer, &format!("sem-open {name}"), "opened");
        order(peer, &format!("mutex-open {lock}"), "opened");
    }
    peers[0].tell("all 150 forth");
    peers[1].tell("all 150 back");
    for mut peer in peers {
        peer.expect("ok");
        end(peer);
    }
    assert!(!mutex.is_locked().unwrap());
    assert_eq!(slots.count().unwrap(), 1);
}

#[test]
fn an_abandoned_mutex_and_a_dead_holder_s_permit_are_marked_among_all() {
    let t = start();
    let (lock, name) = (t.name("lock"), t.name("permit"));
    let mutex = Mutex::create_new(&lock).unwrap();
    let slots = semaphore(&name, 1, 1);
    for asleep in [false, true] {
        let mut dying = t.spawn("player", &[]);
        order(&mut dying, &format!("sem-open {name}"), "opened");
        order(&mut dying, &format!("mutex-open {lock}"), "opened");
        order(&mut dying, "acquire", "ok");
        order(&mut dying, "lock", "ok");
        thread::scope(|scope| {
            if !asleep {
                dying.kill();
            }
            let waits = scope.spawn(|| {
                let taken = wait_all(&[(&mutex).into(), Waitable::permit(&slots)], LONG).unwrap();
                taken.iter().map(Taken::was_abandoned).collect::<Vec<_>>()
            });
            if asleep && cfg!(target_os = "linux") {
                quintet_testkit::eventually("it sleeps on one of them", || {
                    let sleeps = |kind, name| stat(kind, name).detail("waiting") == Some("1");
                    sleeps(&Mutexes as &dyn NamedKind, &lock) || sleeps(&Semaphores, &name)
                });
            }
            if asleep {
                dying.kill();
            }
            assert_eq!(waits.join().unwrap(), [true, true]);
        });
        let again = wait_all(&[(&mutex).into(), Waitable::permit(&slots)], LONG).unwrap();
        assert!(!again.iter().any(Taken::was_abandoned));
    }
}

#[test]
fn a_wait_that_fails_leaves_the_news_of_a_dead_owner_to_the_next() {
    let t = start();
    let lock = t.name("lock");
    let mutex = Mutex::create_new(&lock).unwrap();
    let never = Event::create_new(t.name("never"), Reset::Auto).unwrap();
    let mut dying = t.spawn("player", &[]);
    order(&mut dying, &format!("mutex-open {lock}"), "opened");
    order(&mut dying, "lock", "ok");
    dying.kill();
    for deadline in [Duration::ZERO, SHORT] {
        assert_fails(
            wait_all(&[(&mutex).into(), (&never).into()], deadline),
            ErrorKind::TimedOut,
        );
    }
    assert!(mutex.lock_timeout(LONG).unwrap().was_abandoned());
    assert!(!mutex.lock_timeout(LONG).unwrap().was_abandoned());
}

#[test]
fn a_wait_that_fails_leaves_the_news_of_a_dead_permit_holder_to_the_next() {
    let t = start();
    let name = t.name("permit");
    let slots = semaphore(&name, 1, 1);
    let never = Event::create_new(t.name("never"), Reset::Auto).unwrap();
    let mut dying = t.spawn("player", &[]);
    order(&mut dying, &format!("sem-open {name}"), "opened");
    order(&mut dying, "acquire", "ok");
    dying.kill();
    for deadline in [Duration::ZERO, SHORT] {
        let items = [Waitable::permit(&slots), (&never).into()];
        assert_fails(wait_all(&items, deadline), ErrorKind::TimedOut);
    }
    assert!(slots.acquire_timeout(LONG).unwrap().was_abandoned());
    assert!(!slots.acquire_timeout(LONG).unwrap().was_abandoned());
}

#[test]
fn a_mutex_that_the_thread_has_is_there_and_stays_locked_when_the_rest_is_not() {
    let t = start();
    let mutex = Mutex::create_new(t.name("own")).unwrap();
    let work = semaphore(&t.name("work"), 0, 1);
    let guard = mutex.lock().unwrap();
    assert_fails(
        wait_all(&[(&mutex).into(), (&work).into()], SHORT),
        ErrorKind::TimedOut,
    );
    assert!(mutex.is_locked().unwrap());
    work.release(1).unwrap();
    drop(wait_all(&[(&mutex).into(), (&work).into()], LONG).unwrap());
    assert!(mutex.is_locked().unwrap());
    drop(guard);
    assert!(!mutex.is_locked().unwrap());
}

#[test]
fn the_end_of_a_process_and_a_permit_together() {
    let t = start();
    let name = t.name("slots");
    let slots = semaphore(&name, 0, 1);
    let mut peer = t.spawn("bystander", &[]);
    let process = Process::open(peer.pid()).unwrap();
    let items = [Waitable::permit(&slots), (&process).into()];
    assert_fails(wait_all(&items, SHORT), ErrorKind::TimedOut);
    slots.release(1).unwrap();
    assert_fails(wait_all(&items, SHORT), ErrorKind::TimedOut);
    assert_eq!(slots.count().unwrap(), 1);
    slots.wait().unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| wait_all(&items, LONG).map(|taken| taken.len()));
        peer.kill();
        wait_until_permit_wanted(&name, 1);
        slots.release(1).unwrap();
        assert_eq!(waits.join().unwrap().unwrap(), 2);
    });
    assert_eq!(slots.count().unwrap(), 1);
}

// On Windows a death between the kernel's count and our record of it loses a permit.
#[cfg(target_os = "linux")]
#[test]
fn one_that_is_killed_while_it_waits_keeps_nothing() {
    let t = start();
    let (lock, name) = (t.name("lock"), t.name("permit"));
    let mutex = Mutex::create_new(&lock).unwrap();
    let slots = semaphore(&name, 2, 2);
    for _ in 0..5 {
        let mut peer = t.spawn("takes_all_the_time", &[&lock, &name]);
        peer.expect("begins");
        // Wherever it is by then.
        drop(mutex.lock_timeout(LONG).unwrap());
        peer.kill();
        drop(mutex.lock_timeout(LONG).unwrap());
        let both = [
            slots.acquire_timeout(LONG).unwrap(),
            slots.acquire_timeout(LONG).unwrap(),
        ];
        drop(both);
        assert_eq!(slots.count().unwrap(), 2);
        assert!(!mutex.lock_timeout(LONG).unwrap().was_abandoned());
    }
}

/// Takes a permit and a mutex at once, again and again.
pub(crate) fn takes_all_the_time(p: &mut Role) {
    let mutex = Mutex::open_existing(p.arg(0)).unwrap();
    let slots = Semaphore::open_existing(p.arg(1)).unwrap();
    p.say("begins");
    loop {
        drop(wait_all(&[(&mutex).into(), Waitable::permit(&slots)], LONG).unwrap());
    }
}
