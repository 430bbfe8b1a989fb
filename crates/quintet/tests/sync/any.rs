//! Waiting for any of several things.

use crate::help::{
    LONG, SHORT, assert_fails, end, order, semaphore, wait_until_asleep, wait_until_lock_wanted,
    wait_until_permit_wanted,
};
use quintet::sync::{Event, Events, Mutex, Process, Reset, Semaphore, Taken, Waitable, wait_all, wait_any};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::{Test, start};
use std::process::{Command, Stdio};
use std::thread;

fn event(t: &Test, reset: Reset) -> Event {
    Event::create_new(t.name("event"), reset).unwrap()
}

/// A child that ends when its stdin does.
fn child() -> std::process::Child {
    let mut command: Command = Test::peer_command("bystander", &[]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

#[test]
fn the_first_that_is_there_is_taken_and_no_other() {
    let t = start();
    let work = semaphore(&t.name("work"), 1, 1);
    let slots = semaphore(&t.name("slots"), 2, 2);
    let mutex = Mutex::create_new(t.name("mutex")).unwrap();
    let (auto, manual) = (event(&t, Reset::Auto), event(&t, Reset::Manual));
    auto.set().unwrap();
    manual.set().unwrap();
    let items = [
        Waitable::from(&work),
        Waitable::permit(&slots),
        Waitable::from(&mutex),
        Waitable::from(&auto),
        Waitable::from(&manual),
    ];
    let counts = || {
        (
            work.count().unwrap(),
            slots.count().unwrap(),
            mutex.is_locked().unwrap(),
            auto.is_set().unwrap(),
        )
    };
    let ready = wait_any(&items, Deadline::NEVER).unwrap();
    assert!(ready.index == 0 && matches!(ready.taken, Taken::Nothing));
    assert_eq!(counts(), (0, 2, false, true));

    let first = wait_any(&items, Deadline::now()).unwrap();
    assert!(first.index == 1 && matches!(first.taken, Taken::Permit(_)) && !first.taken.was_abandoned());
    let second = wait_any(&items, Deadline::now()).unwrap();
    assert_eq!(second.index, 1);
    assert_eq!(counts(), (0, 0, false, true));

    let locked = wait_any(&items, LONG).unwrap();
    assert!(locked.index == 2 && matches!(locked.taken, Taken::Lock(_)));
    assert_eq!(counts(), (0, 0, true, true));

    // Other threads come to the events.
    thread::scope(|scope| {
        let other = || wait_any(&items, Deadline::now()).map(|ready| ready.index);
        assert_eq!(scope.spawn(other).join().unwrap().unwrap(), 3);
        assert_eq!(counts(), (0, 0, true, false));
        assert_eq!(scope.spawn(other).join().unwrap().unwrap(), 4);
        assert_eq!(scope.spawn(other).join().unwrap().unwrap(), 4);
        manual.reset().unwrap();
        let late = scope.spawn(other).join().unwrap();
        assert_fails(late, ErrorKind::TimedOut);
    });
    // What was taken goes back.
    drop((first, second, locked));
    assert_eq!(counts(), (0, 2, false, false));
    // A result that nobody keeps does as well.
    assert_eq!(wait_any(&items, LONG).unwrap().index, 1);
    assert_eq!(counts(), (0, 2, false, false));
}

#[test]
fn at_most_64_different_things_can_be_waited_for() {
    let t = start();
    let events: Vec<_> = (0..65).map(|_| event(&t, Reset::Manual)).collect();
    let items: Vec<Waitable<'_>> = events.iter().map(Waitable::from).collect();
    assert_fails(wait_any(&items, Deadline::now()), ErrorKind::TooLarge);
    assert_fails(wait_all(&items, Deadline::now()), ErrorKind::TooLarge);
    assert_fails(wait_any(&[], Deadline::NEVER), ErrorKind::Unsupported);
    assert_fails(wait_all(&[], Deadline::NEVER), ErrorKind::Unsupported);
    let items = &items[..64];
    assert_fails(wait_any(items, SHORT), ErrorKind::TimedOut);
    events[63].set().unwrap();
    assert_eq!(wait_any(items, Deadline::NEVER).unwrap().index, 63);
    assert_fails(wait_all(items, SHORT), ErrorKind::TimedOut);
    for event in &events {
        event.set().unwrap();
    }
    assert_eq!(wait_any(items, Deadline::NEVER).unwrap().index, 0);
    assert_eq!(wait_all(items, Deadline::NEVER).unwrap().len(), 64);
}

#[test]
fn the_last_of_64_wakes_a_sleeper() {
    let t = start();
    let semaphores: Vec<_> = (0..64).map(|_| semaphore(&t.name("many"), 0, 1)).collect();
    let items: Vec<Waitable<'_>> = semaphores.iter().map(Waitable::permit).collect();
    let last = semaphores[63].address().name().unwrap().to_string();
    thread::scope(|scope| {
        let waits = scope.spawn(|| wait_any(&items, LONG).map(|ready| ready.index));
        wait_until_permit_wanted(&last, 1);
        semaphores[63].release(1).unwrap();
        assert_eq!(waits.join().unwrap().unwrap(), 63);
    });
    assert_eq!(semaphores[63].count().unwrap(), 1);
}

// On Windows two handles of one object are two things to wait for.
#[cfg(target_os = "linux")]
#[test]
fn the_same_object_twice_is_an_error_and_takes_nothing() {
    let t = start();
    let name = t.name("twice");
    let (first, again) = (semaphore(&name, 2, 2), Semaphore::open_existing(&name).unwrap());
    let mutex = Mutex::create_new(t.name("mutex")).unwrap();
    let set = event(&t, Reset::Auto);
    set.set().unwrap();
    let twice: [[Waitable<'_>; 2]; 5] = [
        [(&first).into(), (&first).into()],
        [(&first).into(), Waitable::permit(&again)],
        [Waitable::permit(&first), Waitable::permit(&first)],
        [(&mutex).into(), (&mutex).into()],
        [(&set).into(), (&set).into()],
    ];
    for items in &twice {
        assert_fails(wait_any(items, Deadline::NEVER), ErrorKind::Unsupported);
        assert_fails(wait_all(items, Deadline::NEVER), ErrorKind::Unsupported);
    }
    assert_eq!(first.count().unwrap(), 2);
    assert!(set.is_set().unwrap() && !mutex.is_locked().unwrap());
}

#[test]
fn a_sleeper_is_woken_by_each_of_a_mixture_again_and_again() {
    let t = start();
    let names = ["work", "slots", "mutex", "auto", "manual"].map(|name| t.name(name));
    let work = semaphore(&names[0], 0, 1);
    let slots = semaphore(&names[1], 0, 1);
    let mutex = Mutex::create_new(&names[2]).unwrap();
    let auto = Event::create_new(&names[3], Reset::Auto).unwrap();
    let manual = Event::create_new(&names[4], Reset::Manual).unwrap();
    let mut waiting = t.spawn("waits_for_any", &names.each_ref().map(String::as_str));
    let mut held = Some(mutex.lock().unwrap());
    for round in 0..15 {
        waiting.tell("any");
        wait_until_asleep(&Events, &names[4], 1);
        let expected = round % 5;
        match expected {
            0 => drop(work.release(1).unwrap()),
            1 => drop(slots.release(1).unwrap()),
            2 => held = None,
            3 => auto.set().unwrap(),
            _ => manual.set().unwrap(),
        }
        waiting.expect(&format!("{expected} false"));
        manual.reset().unwrap();
        // What it took it has given back by now.
        waiting.tell("given back?");
        waiting.expect("yes");
        match expected {
            1 => slots.wait_timeout(LONG).unwrap(),
            2 => held = Some(mutex.lock_timeout(LONG).unwrap()),
            _ => {}
        }
        assert_eq!((work.count().unwrap(), slots.count().unwrap()), (0, 0));
        assert!(!auto.is_set().unwrap());
    }
    drop(held);
    end(waiting);
}

/// Waits for any of two semaphores (raw, a permit), a mutex and two events, and says which it was and whether it had been
/// abandoned.
pub(crate) fn waits_for_any(p: &mut quintet_testkit::Role) {
    let work = Semaphore::open_existing(p.arg(0)).unwrap();
    let slots = Semaphore::open_existing(p.arg(1)).unwrap();
    let mutex = Mutex::open_existing(p.arg(2)).unwrap();
    let auto = Event::open_existing(p.arg(3)).unwrap();
    let manual = Event::open_existing(p.arg(4)).unwrap();
    let items = [
        Waitable::from(&work),
        Waitable::permit(&slots),
        Waitable::from(&mutex),
        Waitable::from(&auto),
        Waitable::from(&manual),
    ];
    loop {
        match p.listen().as_str() {
            "any" => {
                let ready = wait_any(&items, LONG).unwrap();
                p.say(format!("{} {}", ready.index, ready.taken.was_abandoned()));
            }
            "end" => break,
            _ => p.say("yes"),
        }
    }
}

#[test]
fn a_dead_holder_s_permit_and_a_dead_owner_s_mutex_are_found_while_asleep() {
    let t = start();
    let (name, lock) = (t.name("permit"), t.name("mutex"));
    let slots = semaphore(&name, 1, 1);
    let mutex = Mutex::create_new(&lock).unwrap();
    let never = event(&t, Reset::Manual);
    for tries in [false, true] {
        let mut dying = t.spawn("player", &[]);
        order(&mut dying, &format!("sem-open {name}"), "opened");
        order(&mut dying, "acquire", "ok");
        let mut too = t.spawn("player", &[]);
        order(&mut too, &format!("mutex-open {lock}"), "opened");
        order(&mut too, "lock", "ok");
        let items = [
            Waitable::from(&never),
            Waitable::permit(&slots),
            Waitable::from(&mutex),
        ];
        let deadline = || if tries { Deadline::now() } else { LONG.into() };
        thread::scope(|scope| {
            if tries {
                dying.kill();
            }
            let waits = scope.spawn(|| {
                let ready = wait_any(&items, deadline()).unwrap();
                (ready.index, ready.taken.was_abandoned())
            });
            if !tries {
                wait_until_permit_wanted(&name, 1);
                dying.kill();
            }
            assert_eq!(waits.join().unwrap(), (1, true));
        });
        let held = slots.acquire_timeout(LONG).unwrap();
        assert!(!held.was_abandoned());
        thread::scope(|scope| {
            if tries {
                too.kill();
            }
            let waits = scope.spawn(|| {
                let ready = wait_any(&items, deadline()).unwrap();
                (ready.index, ready.taken.was_abandoned())
            });
            if !tries {
                wait_until_lock_wanted(&lock, 1);
                too.kill();
            }
            assert_eq!(waits.join().unwrap(), (2, true));
        });
        assert!(!mutex.lock_timeout(LONG).unwrap().was_abandoned());
    }
}

#[test]
fn the_end_of_a_child_wakes_who_sleeps_on_semaphores_and_the_other_way_round() {
    let t = start();
    let name = t.name("work");
    let work = semaphore(&name, 0, 1);
    for _ in 0..3 {
        let mut ending = child();
        let process = Process::of_child(&ending).unwrap();
        let items = [Waitable::from(&process), Waitable::from(&work)];
        assert_fails(wait_any(&items, SHORT), ErrorKind::TimedOut);
        thread::scope(|scope| {
            let waits = || scope.spawn(|| wait_any(&items, LONG).map(|ready| ready.index));
            let first = waits();
            wait_until_permit_wanted(&name, 1);
            work.release(1).unwrap();
            assert_eq!(first.join().unwrap().unwrap(), 1);
            let second = waits();
            wait_until_permit_wanted(&name, 1);
            drop(ending.stdin.take());
            assert_eq!(second.join().unwrap().unwrap(), 0);
        });
        // Nobody has waited for it, and it has ended all the same.
        assert!(process.has_ended().unwrap());
        work.release(1).unwrap();
        assert_eq!(wait_any(&items, Deadline::NEVER).unwrap().index, 0);
        work.wait().unwrap();
        ending.wait().unwrap();
        assert!(process.has_ended().unwrap());
        assert_eq!(wait_any(&items, Deadline::now()).unwrap().index, 0);
    }
}

#[test]
fn the_ends_of_processes_alone_can_be_waited_for() {
    let t = start();
    let _ = &t;
    let mut children = [child(), child(), child()];
    let processes = children.each_ref().map(|child| Process::of_child(child).unwrap());
    let items = processes.each_ref().map(Waitable::from);
    assert_fails(wait_any(&items, SHORT), ErrorKind::TimedOut);
    drop(children[1].stdin.take());
    assert_eq!(wait_any(&items, LONG).unwrap().index, 1);
    assert_fails(wait_all(&items, SHORT), ErrorKind::TimedOut);
    thread::scope(|scope| {
        let waits = scope.spawn(|| wait_all(&items, LONG).map(|taken| taken.len()));
        drop(children[0].stdin.take());
        drop(children[2].stdin.take());
        assert_eq!(waits.join().unwrap().unwrap(), 3);
    });
    for child in &mut children {
        child.wait().unwrap();
    }
}

#[test]
fn a_process_is_waited_for_by_number_or_as_a_child() {
    let t = start();
    let mut peer = t.spawn("bystander", &[]);
    let process = Process::open(peer.pid()).unwrap();
    assert_eq!(process.id(), peer.pid());
    assert!(!process.has_ended().unwrap());
    let error = assert_fails(process.wait_timeout(SHORT), ErrorKind::TimedOut);
    assert!(error.to_string().contains(&peer.pid().to_string()), "{error}");
    thread::scope(|scope| {
        let waits = scope.spawn(|| process.wait_timeout(LONG));
        peer.kill();
        waits.join().unwrap().unwrap();
    });
    assert!(process.has_ended().unwrap());
    process.wait_timeout(Deadline::now()).unwrap();
    process.wait().unwrap();
    assert_fails(Process::open(u32::MAX), ErrorKind::NotFound);
    if cfg!(target_os = "linux") {
        assert_fails(Process::open(0), ErrorKind::NotFound);
    }
    let ourselves = Process::open(std::process::id()).unwrap();
    assert!(!ourselves.has_ended().unwrap());
}

#[test]
fn several_sleepers_on_the_same_things_share_what_comes() {
    let t = start();
    let (one, two) = (t.name("one"), t.name("two"));
    let (first, second) = (semaphore(&one, 0, 100), semaphore(&two, 0, 100));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let taken = wait_any(&[(&first).into(), (&second).into()], LONG).unwrap();
                    assert!(taken.index < 2);
                }
            });
        }
        for _ in 0..20 {
            first.release(1).unwrap();
            second.release(1).unwrap();
            thread::yield_now();
        }
    });
    assert_eq!((first.count().unwrap(), second.count().unwrap()), (0, 0));
}

#[test]
#[cfg(windows)]
fn a_handle_of_any_kind_can_be_waited_for() {
    let t = start();
    let work = semaphore(&t.name("work"), 0, 1);
    let mut ending = child();
    assert_fails(
        wait_any(&[(&work).into(), Waitable::signalled(&ending)], SHORT),
        ErrorKind::TimedOut,
    );
    drop(ending.stdin.take());
    let index = wait_any(&[(&work).into(), Waitable::signalled(&ending)], LONG).map(|ready| ready.index);
    assert_eq!(index.unwrap(), 1);
    ending.wait().unwrap();
}
