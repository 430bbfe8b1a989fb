//! Many at once, and some killed wherever they are: at the end everything is back.

use crate::help::{LONG, assert_gone, order, semaphore};
use quintet::sync::{
    Event, Mutex, MutexGuard, Permit, Reset, Semaphore, Taken, Waitable, wait_all, wait_any,
};
use quintet::{Error, ErrorKind};
use quintet_testkit::{Role, Test, start, started};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const ALL: u32 = 3;

/// Does `arg(3)` with the semaphore `arg(0)`, the mutex `arg(1)` and the event `arg(2)`, until it is killed.
pub(crate) fn toils(p: &mut Role) {
    let slots = Semaphore::open_existing(p.arg(0)).unwrap();
    let mutex = Mutex::open_existing(p.arg(1)).unwrap();
    let event = Event::open_existing(p.arg(2)).unwrap();
    let what = p.arg(3).to_owned();
    let mut round = 0;
    loop {
        match what.as_str() {
            "acquire" => drop(slots.acquire_timeout(LONG).unwrap()),
            "lock" => drop(mutex.lock_timeout(LONG).unwrap()),
            "all" => drop(wait_all(&[Waitable::permit(&slots), (&mutex).into()], LONG).unwrap()),
            "any" => {
                let ready = wait_any(
                    &[Waitable::permit(&slots), (&mutex).into(), (&event).into()],
                    LONG,
                );
                if let Taken::Nothing = ready.unwrap().taken {
                    event.set().unwrap();
                }
            }
            "open" => {
                let again = Semaphore::open_existing(p.arg(0)).unwrap();
                drop(again.acquire_timeout(LONG).unwrap());
            }
            "spawn" => {
                let mut permit = slots.acquire_timeout(LONG).unwrap();
                let mut child = brief_child_with(&mut permit);
                drop(permit);
                child.wait().unwrap();
            }
            other => panic!("{other}"),
        }
        round += 1;
        if round == 2 {
            p.say("toils");
        }
    }
}

/// A child that ends at once by itself, for the want of an input.
fn brief_child_with(permit: &mut Permit<'_>) -> Child {
    started(|| permit.spawn(&mut brief_child()), Error::raw_os_error).unwrap()
}

fn brief_child() -> Command {
    let mut command = Test::peer_command("bystander", &[]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Kills those who toil again and again, while two go on for ever.
fn storm(what: &[&str], rounds: usize) {
    let t = start();
    let names = ["sem", "mutex", "event"].map(|name| t.name(name));
    let slots = semaphore(&names[0], ALL, ALL);
    let mutex = Mutex::create_new(&names[1]).unwrap();
    let event = Event::create_new(&names[2], Reset::Auto).unwrap();
    event.set().unwrap();
    let toiler = |what: &str| {
        let mut args: Vec<&str> = names.iter().map(String::as_str).collect();
        args.push(what);
        t.spawn("toils", &args)
    };
    let mut steady: Vec<_> = what.iter().take(2).map(|what| toiler(what)).collect();
    for peer in &mut steady {
        peer.expect("toils");
    }
    for round in 0..rounds {
        let mut dying = toiler(what[round % what.len()]);
        dying.expect("toils");
        dying.kill();
    }
    for peer in &mut steady {
        peer.kill();
    }
    let permits: Vec<_> = (0..ALL).map(|_| slots.acquire_timeout(LONG).unwrap()).collect();
    assert!(slots.try_acquire().unwrap().is_none());
    drop(permits);
    assert_eq!(slots.count().unwrap(), ALL);
    assert_eq!(slots.release(1).unwrap_err().kind(), ErrorKind::Full);
    drop(mutex.lock_timeout(LONG).unwrap());
    assert!(!mutex.try_lock().unwrap().unwrap().was_abandoned());
    drop((slots, mutex, event));
    names.iter().for_each(|name| assert_gone(name));
}

// On Windows a death between the kernel's count and our record of it loses a permit.
#[cfg(target_os = "linux")]
#[test]
fn killed_acquirers_lose_nothing() {
    storm(&["acquire", "open"], 16);
}

#[test]
fn killed_lockers_lose_nothing() {
    storm(&["lock"], 16);
}

// On Windows a death between the kernel's count and our record of it loses a permit.
#[cfg(target_os = "linux")]
#[test]
fn killed_takers_of_all_and_any_lose_nothing() {
    storm(&["all", "any", "acquire", "lock"], 16);
}

// On Windows a death between the kernel's count and our record of it loses a permit.
#[cfg(target_os = "linux")]
#[test]
fn killed_parents_of_holders_lose_nothing() {
    storm(&["spawn", "acquire"], 10);
}

#[test]
fn threads_that_open_and_close_one_name_share_it_while_one_of_them_has_it() {
    let t = start();
    let name = t.name("threads");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..150 {
                    let semaphore = Semaphore::create_or_open(&name, 1, 1).unwrap();
                    let again = Semaphore::open_existing(&name).expect("it is there while we have it");
                    let permit = semaphore.acquire_timeout(LONG).unwrap();
                    assert!(!permit.was_abandoned());
                    assert!(again.try_acquire().unwrap().is_none());
                }
            });
        }
    });
    assert_gone(&name);
}

#[test]
fn threads_that_hand_permits_to_children_at_the_same_time_get_all_back() {
    let t = start();
    let slots = semaphore(&t.name("hand"), 4, 4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..4 {
                    let mut permit = slots.acquire_timeout(LONG).unwrap();
                    let mut children = [brief_child_with(&mut permit), brief_child_with(&mut permit)];
                    let permit = (round % 2 == 0).then_some(permit);
                    for child in &mut children {
                        child.wait().unwrap();
                    }
                    drop(permit);
                }
            });
        }
    });
    let all: Vec<_> = (0..4).map(|_| slots.acquire_timeout(LONG).unwrap()).collect();
    drop(all);
    assert_eq!(slots.count().unwrap(), 4);
}

// On Windows a mutex is its thread's until that ends.
#[cfg(target_os = "linux")]
#[test]
fn a_guard_that_was_leaked_is_abandoned_when_its_process_closes_the_mutex() {
    let t = start();
    let name = t.name("leaked");
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("mutex-make {name}"), "created");
    let mutex = Mutex::open_existing(&name).unwrap();
    std::mem::forget(mutex.lock().unwrap());
    order(&mut peer, "lock 0", "TimedOut");
    drop(mutex);
    order(&mut peer, "lock", "abandoned");
    order(&mut peer, "unlock", "ok");
    let again = Mutex::open_existing(&name).unwrap();
    assert!(!again.lock_timeout(LONG).unwrap().was_abandoned());
    drop(again);
    crate::help::end(peer);
}

#[test]
fn what_is_opened_after_the_names_were_taken_back_is_held_again() {
    let t = start();
    let name = t.name("again");
    let mut peer = t.spawn("opens_again", &[&name]);
    let mut other = t.spawn("player", &[]);
    peer.expect("made");
    order(&mut other, &format!("sem-open {name}"), "opened");
    peer.tell("again");
    peer.expect("opened");
    order(&mut other, "sem-close", "ok");
    // Somebody has it who opened it by its name.
    order(&mut other, &format!("sem-open {name}"), "opened");
    order(&mut other, "sem-close", "ok");
    peer.tell("end");
    peer.finish();
    assert_gone(&name);
    crate::help::end(other);
}

pub(crate) fn opens_again(p: &mut Role) {
    let made = semaphore(p.arg(0), 1, 1);
    p.say("made");
    p.expect("again");
    quintet::cleanup::release_names();
    let again = Semaphore::open_existing(p.arg(0)).unwrap();
    assert!(!again.was_created());
    drop(made);
    p.say("opened");
    p.expect("end");
}

#[test]
fn all_but_guards_may_go_from_thread_to_thread() {
    fn anywhere<T: Send + Sync>() {}
    anywhere::<Semaphore>();
    anywhere::<Mutex>();
    anywhere::<Event>();
    anywhere::<quintet::sync::Process>();
    anywhere::<Permit<'static>>();
    anywhere::<Waitable<'static>>();

    /// Has one meaning for what can be sent and two for what cannot.
    trait Meaning<A> {
        fn one() {}
    }
    struct Sendable;
    impl<T: ?Sized> Meaning<()> for T {}
    impl<T: ?Sized + Send> Meaning<Sendable> for T {}
    // This would not compile if a guard could be sent.
    <MutexGuard<'static> as Meaning<_>>::one();
    <Taken<'static> as Meaning<_>>::one();
}

#[test]
fn opening_one_keeps_no_other_alive() {
    let t = start();
    let (busy, name) = (t.name("busy"), t.name("other"));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..2 {
            let (busy, stop) = (format!("{busy}-{thread}"), &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    drop(Semaphore::create_or_open(&busy, 1, 1));
                }
            });
        }
        // When the last handle is dropped the name is free, at once.
        let made: Result<(), _> = (0..1500).try_for_each(|_| Semaphore::create_new(&name, 1, 1).map(drop));
        stop.store(true, Ordering::Relaxed);
        made.unwrap();
    });
}

#[test]
fn a_thread_that_is_just_ending_keeps_no_mutex_alive() {
    let t = start();
    let name = t.name("mutex");
    for _ in 0..400 {
        let mutex = Mutex::create_new(&name).expect("the last one is gone");
        thread::scope(|scope| {
            // What a scope waits for is that the thread's function returns; it ends a little later.
            scope.spawn(|| drop(mutex.lock().unwrap()));
        });
    }
    assert_gone(&name);
}
