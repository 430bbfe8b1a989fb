//! What only Windows has, or can get wrong in a way of its own. What the objects mean is tested in `tests/sync`, here as on
//! Linux.

use super::event::Event;
use super::many::{self, Got, Source};
use super::mutex::{self, Mutex};
use super::semaphore::{self, Lot, Semaphore};
use super::watch::Process;
use crate::named::Liveness;
use crate::os::step::hooks;
use crate::os::types::{Access, ObjectOptions, Opening};
use crate::os::windows::{call, object, wide};
use crate::{Deadline, ErrorKind, Name, Result};
use quintet_testkit::{Test, eventually, start};
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use windows_sys::Win32::System::Threading::{CreateEventW, CreateSemaphoreW, OpenSemaphoreW};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(30);

const PRIVATE: ObjectOptions = ObjectOptions {
    access: Access::CurrentUser,
    persistent: false,
};

/// What a child of these tests is told to do, and with which objects.
const ACT: &str = "QUINTET_TEST_SYNC_ACT";
const NAMES: &str = "QUINTET_TEST_SYNC_NAMES";
/// Before which step it dies.
const STEP: &str = "QUINTET_TEST_SYNC_STEP";

/// The exit code of a child that died as it was told to.
const DIED: i32 = 137;

fn name(t: &Test, what: &str) -> Name {
    Name::new(t.name(what)).unwrap()
}

fn semaphore(name: &Name, initial: u32, maximum: u32) -> Arc<Semaphore> {
    Semaphore::open(name, Opening::CreateOrOpen, initial, maximum, &PRIVATE)
        .unwrap()
        .0
}

fn mutex(name: &Name) -> Arc<Mutex> {
    Mutex::open(name, Opening::CreateOrOpen, &PRIVATE).unwrap().0
}

fn event(name: &Name) -> Arc<Event> {
    Event::open(name, Opening::CreateOrOpen, true, false, &PRIVATE)
        .unwrap()
        .0
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// This test program, to do `act` with an object and then, if it comes to that, to set the event `….done` and wait to be
/// killed.
fn command(act: &str, name: &Name) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "os::windows::sync::tests::child", "--nocapture"])
        .env(ACT, act)
        .env(NAMES, name.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

fn done(name: &Name) -> Arc<Event> {
    event(&Name::new(format!("{name}.done")).unwrap())
}

fn begin(act: &str, name: &Name) -> Child {
    begin_at(act, name, u64::MAX)
}

fn begin_at(act: &str, name: &Name, step: u64) -> Child {
    command(act, name).env(STEP, step.to_string()).spawn().unwrap()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Runs a child until it has done what it was told to, then kills it.
fn after_death_of(act: &str, name: &Name) {
    let done = done(name);
    let child = begin(act, name);
    done.wait(LONG.into()).unwrap();
    kill(child);
}

/// What the children do.
#[test]
fn child() {
    let (Ok(act), Ok(name)) = (std::env::var(ACT), std::env::var(NAMES)) else {
        return;
    };
    let name = Name::new(name).unwrap();
    let step = std::env::var(STEP).map_or(u64::MAX, |step| step.parse().unwrap());
    let now = Deadline::now();
    match act.as_str() {
        "hold-two" => {
            let semaphore = semaphore(&name, 0, 1);
            let lots = [(); 2].map(|()| semaphore.acquire(LONG.into()).unwrap());
            stay(&name, (semaphore, lots));
        }
        "wait-two" => {
            let semaphore = semaphore(&name, 0, 1);
            for _ in 0..2 {
                semaphore.wait(now).unwrap();
            }
            stay(&name, semaphore);
        }
        "lock" => {
            let mutex = mutex(&name);
            mutex.lock(LONG.into()).unwrap();
            stay(&name, mutex);
        }
        // A parent that dies; the child that it started tells that it runs.
        "spawn-with-permit" => {
            let semaphore = semaphore(&name, 0, 1);
            let mut lot = semaphore.acquire(LONG.into()).unwrap();
            let child = semaphore.spawn(&mut lot, &mut command("stay", &name)).unwrap();
            stay_quietly((semaphore, lot, child));
        }
        "spawn-with-mutex" => {
            let mutex = mutex(&name);
            mutex.lock(LONG.into()).unwrap();
            let child = mutex.spawn(&mut command("stay", &name)).unwrap();
            stay_quietly((mutex, child));
        }
        "stay" => stay(&name, ()),
        "die-in-open" => {
            hooks::die_at(step);
            let opened = semaphore(&name, 3, 10);
            hooks::disarm();
            drop(opened);
        }
        "die-in-acquire" => {
            let semaphore = semaphore(&name, 0, 1);
            hooks::die_at(step);
            let lot = semaphore.acquire(LONG.into()).unwrap();
            hooks::disarm();
            semaphore.give_back(lot).unwrap();
        }
        "die-in-give-back" => {
            let semaphore = semaphore(&name, 0, 1);
            let lot = semaphore.acquire(LONG.into()).unwrap();
            hooks::die_at(step);
            semaphore.give_back(lot).unwrap();
            hooks::disarm();
        }
        "die-in-recovery" => {
            let semaphore = semaphore(&name, 0, 1);
            hooks::die_at(step);
            semaphore.count().unwrap();
            hooks::disarm();
        }
        "die-in-hand-over" => {
            let semaphore = semaphore(&name, 0, 1);
            let mut lot = semaphore.acquire(LONG.into()).unwrap();
            hooks::die_at(step);
            let mut child = semaphore.spawn(&mut lot, &mut command("nothing", &name)).unwrap();
            hooks::disarm();
            child.wait().unwrap();
            semaphore.give_back(lot).unwrap();
        }
        "nothing" => {}
        act => panic!("no child can {act}"),
    }
}

fn stay<T>(name: &Name, held: T) -> ! {
    done(name).set().unwrap();
    stay_quietly(held)
}

fn stay_quietly<T>(_held: T) -> ! {
    loop {
        std::thread::park();
    }
}

#[test]
fn creating_and_opening_are_told_apart() {
    let t = start();
    let name = name(&t, "opening");
    let open = |opening| Semaphore::open(&name, opening, 2, 3, &PRIVATE);
    assert_eq!(kind(open(Opening::OpenExisting)), Some(ErrorKind::NotFound));
    let (first, made) = open(Opening::CreateNew).unwrap();
    assert!(made);
    assert_eq!(kind(open(Opening::CreateNew)), Some(ErrorKind::AlreadyExists));
    for opening in [Opening::CreateOrOpen, Opening::OpenExisting] {
        let (again, made) = Semaphore::open(&name, opening, 1, 9, &PRIVATE).unwrap();
        assert!(!made);
        assert_eq!((again.count().unwrap(), again.maximum()), (2, 3));
    }
    drop(first);
    assert_eq!(kind(open(Opening::OpenExisting)), Some(ErrorKind::NotFound));
    assert!(open(Opening::CreateNew).unwrap().1);
    let persistent = ObjectOptions {
        persistent: true,
        ..PRIVATE
    };
    let refused = Semaphore::open(&name, Opening::CreateOrOpen, 1, 1, &persistent);
    assert_eq!(kind(refused), Some(ErrorKind::Unsupported));
}

#[test]
fn another_kind_of_object_has_the_name() {
    let t = start();
    let name = name(&t, "kinds");
    let _semaphore = semaphore(&name, 1, 1);
    for opening in [Opening::CreateNew, Opening::CreateOrOpen, Opening::OpenExisting] {
        let refused = Mutex::open(&name, opening, &PRIVATE);
        assert_eq!(kind(refused), Some(ErrorKind::AlreadyExists));
    }
    assert_eq!(kind(mutex::stat(&name)), Some(ErrorKind::Corrupt));
}

#[test]
fn a_foreign_program_shares_it() {
    let t = start();
    let name = name(&t, "foreign");
    let text = wide(&object::itself(&name));
    // SAFETY: the name ends with NUL; no security attributes are allowed; the handle is a new one.
    let foreign =
        unsafe { call::handle(|| CreateSemaphoreW(std::ptr::null(), 1, 5, text.as_ptr())) }.unwrap();
    assert_eq!(semaphore::stat(&name).unwrap().liveness, Liveness::Foreign);
    let ours = semaphore(&name, 3, 3);
    assert_eq!((ours.count().unwrap(), ours.maximum()), (1, 5));
    assert_eq!(semaphore::stat(&name).unwrap().liveness, Liveness::Live);
    ours.release(4).unwrap();
    drop(ours);
    assert_eq!(semaphore(&name, 3, 3).count().unwrap(), 5);
    drop(foreign);
}

#[test]
fn permits_of_the_dead_come_back_once_and_are_marked_once() {
    let t = start();
    let name = name(&t, "dead");
    let semaphore = semaphore(&name, 3, 10);
    after_death_of("hold-two", &name);
    assert_eq!(semaphore.count().unwrap(), 3);
    let first = semaphore.acquire(Deadline::now()).unwrap();
    let second = semaphore.acquire(Deadline::now()).unwrap();
    assert!(first.abandoned && !second.abandoned);
    for lot in [first, second] {
        semaphore.give_back(lot).unwrap();
    }
    assert_eq!(semaphore.count().unwrap(), 3);
}

#[test]
fn a_waiter_gets_the_permit_of_a_holder_that_dies_meanwhile() {
    let t = start();
    let name = name(&t, "meanwhile");
    let semaphore = semaphore(&name, 2, 2);
    let done = done(&name);
    let holder = begin("hold-two", &name);
    done.wait(LONG.into()).unwrap();
    assert_eq!(
        kind(semaphore.acquire(Deadline::now())),
        Some(ErrorKind::TimedOut)
    );
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| semaphore.acquire(LONG.into()));
        eventually("a waiter", || waiting(&name) == 1);
        kill(holder);
        assert!(waiter.join().unwrap().unwrap().abandoned);
    });
    assert_eq!(waiting(&name), 0);
}

fn waiting(name: &Name) -> u32 {
    let found = semaphore::stat(name).unwrap();
    let (_, waiting) = found.details.iter().find(|(key, _)| *key == "waiting").unwrap();
    waiting.parse().unwrap()
}

#[test]
fn what_was_waited_for_does_not_come_back() {
    let t = start();
    let name = name(&t, "raw");
    let semaphore = semaphore(&name, 3, 3);
    after_death_of("wait-two", &name);
    assert_eq!(semaphore.count().unwrap(), 1);
    assert_eq!(semaphore.release(2).unwrap(), 1);
    assert_eq!(kind(semaphore.release(1)), Some(ErrorKind::Full));
    assert_eq!(semaphore.release(0).unwrap(), 3);
}

#[test]
fn a_forgotten_permit_does_not_come_back() {
    let t = start();
    let name = name(&t, "forgotten");
    let ours = semaphore(&name, 2, 2);
    let other = semaphore(&name, 2, 2);
    let lot = other.acquire(Deadline::now()).unwrap();
    other.forget(lot).unwrap();
    // One that is neither given back nor forgotten comes back with its participant.
    let lot = other.acquire(Deadline::now()).unwrap();
    assert_eq!(ours.count().unwrap(), 0);
    drop((lot, other));
    assert_eq!(ours.count().unwrap(), 1);
}

/// Lets children die before each of the steps of an operation in turn; the number of permits that must be there is never
/// exceeded, and at most `most_lost` are lost.
fn die_everywhere(act: &str, most_lost: u32, prepare: impl Fn(&Name)) {
    let t = quintet_testkit::start_with_deadline(Duration::from_secs(300));
    let name = name(&t, act);
    let semaphore = semaphore(&name, 3, 10);
    for step in 0.. {
        prepare(&name);
        let status = begin_at(act, &name, step).wait().unwrap();
        let count = semaphore.count().unwrap();
        assert!((3 - most_lost..=3).contains(&count), "step {step}: {count}");
        if status.success() {
            assert!(step > 1, "it has steps");
            assert_eq!(count, 3);
            return;
        }
        assert_eq!(status.code(), Some(DIED), "step {step}");
        semaphore.release(3 - count).unwrap();
    }
}

#[test]
fn a_death_in_open_loses_nothing() {
    die_everywhere("die-in-open", 0, |_| {});
}

#[test]
fn a_death_in_acquire_loses_a_permit_at_worst() {
    die_everywhere("die-in-acquire", 1, |_| {});
}

#[test]
fn a_death_in_give_back_loses_a_permit_at_worst() {
    die_everywhere("die-in-give-back", 1, |_| {});
}

#[test]
fn a_death_in_a_recovery_loses_what_is_recovered_at_worst() {
    die_everywhere("die-in-recovery", 2, |name| {
        let done = done(name);
        done.reset().unwrap();
        after_death_of("hold-two", name);
    });
}

#[test]
fn a_death_in_a_hand_over_loses_a_permit_at_worst() {
    die_everywhere("die-in-hand-over", 1, |_| {});
}

#[test]
fn a_call_that_fails_leaves_the_count_right() {
    let t = start();
    let name = name(&t, "failing");
    let semaphore = semaphore(&name, 3, 10);
    // Anything that nothing expects.
    const ERROR_GEN_FAILURE: i32 = 31;
    let operations: [(&str, &dyn Fn() -> Result<()>); 4] = [
        ("open", &|| {
            Semaphore::open(&name, Opening::OpenExisting, 1, 1, &PRIVATE).map(drop)
        }),
        ("acquire", &|| {
            semaphore.give_back(semaphore.acquire(LONG.into())?)
        }),
        ("try", &|| {
            semaphore
                .wait(LONG.into())
                .and_then(|()| semaphore.release(1).map(drop))
        }),
        ("spawn", &|| {
            let mut lot = semaphore.acquire(LONG.into())?;
            let spawned = semaphore.spawn(&mut lot, &mut command("nothing", &name));
            hooks::disarm();
            if let Ok(mut child) = spawned {
                child.wait().unwrap();
            }
            semaphore.give_back(lot)
        }),
    ];
    for (what, operation) in operations {
        for at in 0.. {
            hooks::fail_at(at, ERROR_GEN_FAILURE);
            let _ = operation();
            let passed = hooks::disarm();
            let count = semaphore.count().unwrap();
            let held: u32 = semaphore::stat(&name)
                .unwrap()
                .owners
                .iter()
                .map(|owner| owner.count)
                .sum();
            // A permit that could not be given back is still ours, and comes back with us; a raw one stays taken.
            if what == "try" {
                semaphore.release(3 - held - count).unwrap();
            } else {
                assert_eq!(count + held, 3, "{what} {at}");
            }
            if passed <= at && what != "spawn" || at == 40 {
                break;
            }
        }
    }
}

#[test]
fn a_child_holds_the_permit_when_its_parent_has_died() {
    let t = start();
    let name = name(&t, "orphan");
    let done = done(&name);
    // Nobody else holds the semaphore meanwhile: the child has to keep it.
    let parent = {
        let semaphore = semaphore(&name, 1, 5);
        let parent = begin("spawn-with-permit", &name);
        done.wait(LONG.into()).unwrap();
        assert_eq!(semaphore.count().unwrap(), 0);
        parent
    };
    kill(parent);
    let semaphore = Semaphore::open(&name, Opening::OpenExisting, 0, 1, &PRIVATE)
        .unwrap()
        .0;
    assert_eq!((semaphore.count().unwrap(), semaphore.maximum()), (0, 5));
    let owners = semaphore::stat(&name).unwrap().owners;
    assert_eq!(owners.len(), 1);
    let child = Process::open(owners[0].process.pid).unwrap();
    assert_eq!(kind(semaphore.acquire(SHORT.into())), Some(ErrorKind::TimedOut));
    Command::new("taskkill")
        .args(["/f", "/pid", &child.id().to_string()])
        .output()
        .unwrap();
    child.wait(LONG.into()).unwrap();
    assert!(semaphore.acquire(LONG.into()).unwrap().abandoned);
}

#[test]
fn a_handed_over_permit_comes_back_when_both_are_gone() {
    let t = start();
    let name = name(&t, "both");
    let semaphore = semaphore(&name, 2, 5);
    let done = done(&name);
    let spawn = |lot: &mut Lot| {
        done.reset().unwrap();
        let child = semaphore.spawn(lot, &mut command("stay", &name)).unwrap();
        done.wait(LONG.into()).unwrap();
        child
    };
    // The child ends first.
    let mut lot = semaphore.acquire(Deadline::now()).unwrap();
    let (child, second) = (spawn(&mut lot), spawn(&mut lot));
    kill(child);
    assert_eq!(semaphore.count().unwrap(), 1);
    kill(second);
    assert_eq!(semaphore.count().unwrap(), 1);
    semaphore.give_back(lot).unwrap();
    assert_eq!(semaphore.count().unwrap(), 2);

    // The parent gives it back first.
    let mut lot = semaphore.acquire(Deadline::now()).unwrap();
    assert!(!lot.abandoned);
    let child = spawn(&mut lot);
    semaphore.give_back(lot).unwrap();
    assert_eq!(semaphore.count().unwrap(), 1);
    kill(child);
    assert_eq!(semaphore.count().unwrap(), 2);
    let lot = semaphore.acquire(Deadline::now()).unwrap();
    assert!(!lot.abandoned, "nobody died");
    semaphore.give_back(lot).unwrap();

    // Forgotten: never.
    let mut lot = semaphore.acquire(Deadline::now()).unwrap();
    let child = spawn(&mut lot);
    semaphore.forget(lot).unwrap();
    kill(child);
    assert_eq!(semaphore.count().unwrap(), 1);

    // A child that cannot be started changes nothing.
    let mut lot = semaphore.acquire(Deadline::now()).unwrap();
    let failed = semaphore.spawn(&mut lot, &mut Command::new("quintet-no-such-program"));
    assert_eq!(kind(failed), Some(ErrorKind::NotFound));
    semaphore.give_back(lot).unwrap();
    assert_eq!(semaphore.count().unwrap(), 1);
}

#[test]
fn a_child_outlives_the_job_that_it_was_started_in() {
    let t = start();
    let name = name(&t, "outlives");
    let semaphore = semaphore(&name, 1, 1);
    let mut lot = semaphore.acquire(Deadline::now()).unwrap();
    let mut child = semaphore.spawn(&mut lot, &mut command("nothing", &name)).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_mutex_is_abandoned_and_says_so_once() {
    let t = start();
    let name = name(&t, "abandoned");
    let mutex = mutex(&name);
    after_death_of("lock", &name);
    assert!(!mutex.is_locked().unwrap());
    assert!(mutex.lock(LONG.into()).unwrap());
    assert!(mutex.is_locked().unwrap());
    assert!(!mutex.lock(LONG.into()).unwrap());
    mutex.unlock().unwrap();
    assert!(mutex.is_locked().unwrap());
    mutex.unlock().unwrap();
    assert_eq!(kind(mutex.unlock()), Some(ErrorKind::PermissionDenied));
    // Also by a thread.
    std::thread::scope(|scope| scope.spawn(|| mutex.lock(LONG.into()).unwrap()).join().unwrap());
    assert!(mutex.lock(LONG.into()).unwrap());
    std::thread::scope(|scope| {
        let elsewhere = scope.spawn(|| (kind(mutex.unlock()), kind(mutex.lock(SHORT.into()))));
        let expected = (Some(ErrorKind::PermissionDenied), Some(ErrorKind::TimedOut));
        assert_eq!(elsewhere.join().unwrap(), expected);
    });
    mutex.unlock().unwrap();
}

#[test]
fn a_child_of_a_mutex_ends_before_the_mutex_is_free() {
    let t = start();
    let name = name(&t, "bound");
    let mutex = mutex(&name);
    let done = done(&name);
    let spawn = || {
        done.reset().unwrap();
        let child = mutex.spawn(&mut command("stay", &name)).unwrap();
        done.wait(LONG.into()).unwrap();
        child
    };
    let has_ended = |child: &Child| Process::of_child(child).unwrap().has_ended().unwrap();
    // By the last unlock.
    mutex.lock(LONG.into()).unwrap();
    mutex.lock(LONG.into()).unwrap();
    let mut child = spawn();
    mutex.unlock().unwrap();
    assert!(!has_ended(&child));
    mutex.unlock().unwrap();
    assert!(has_ended(&child));
    child.wait().unwrap();
    // By the end of the thread.
    let mut child = std::thread::scope(|scope| {
        let owner = scope.spawn(|| {
            mutex.lock(LONG.into()).unwrap();
            spawn()
        });
        owner.join().unwrap()
    });
    assert!(mutex.lock(LONG.into()).unwrap());
    assert!(has_ended(&child));
    child.wait().unwrap();
    mutex.unlock().unwrap();
    // By the death of the process.
    done.reset().unwrap();
    let parent = begin("spawn-with-mutex", &name);
    done.wait(LONG.into()).unwrap();
    kill(parent);
    assert!(mutex.lock(LONG.into()).unwrap());
    mutex.unlock().unwrap();
}

#[test]
fn any_takes_the_first_and_no_other() {
    let t = start();
    let (jobs, other) = (
        semaphore(&name(&t, "jobs"), 0, 5),
        semaphore(&name(&t, "other"), 0, 5),
    );
    let (lock, stop) = (mutex(&name(&t, "lock")), event(&name(&t, "stop")));
    // SAFETY: no security attributes and no name are allowed; the handle is a new one.
    let signal: OwnedHandle =
        unsafe { call::handle(|| CreateEventW(std::ptr::null(), 1, 1, std::ptr::null())) }.unwrap();
    let us = Process::open(std::process::id()).unwrap();
    let sources = [
        Source::Process(&us),
        Source::Acquire(&jobs),
        Source::Wait(&other),
        Source::Event(&stop),
        Source::Lock(&lock),
        Source::Signalled(signal.as_handle()),
    ];
    assert_eq!(
        kind(many::any(&sources[..4], SHORT.into())),
        Some(ErrorKind::TimedOut)
    );
    assert!(matches!(
        many::any(&sources, SHORT.into()),
        Ok((4, Got::Lock { abandoned: false }))
    ));
    assert!(matches!(
        many::any(&sources[5..], Deadline::now()),
        Ok((0, Got::Nothing))
    ));
    other.release(1).unwrap();
    jobs.release(1).unwrap();
    let Ok((1, Got::Permit(lot))) = many::any(&sources, Deadline::NEVER) else {
        panic!("it is the permit's turn");
    };
    assert_eq!((jobs.count().unwrap(), other.count().unwrap()), (0, 1));
    jobs.give_back(lot).unwrap();
    lock.unlock().unwrap();
    assert!(!lock.is_locked().unwrap());
}

#[test]
fn all_takes_nothing_until_it_takes_everything() {
    let t = start();
    let (jobs, lock) = (semaphore(&name(&t, "jobs"), 1, 5), mutex(&name(&t, "lock")));
    let stop = event(&name(&t, "stop"));
    let sources = [Source::Acquire(&jobs), Source::Lock(&lock), Source::Event(&stop)];
    assert_eq!(kind(many::all(&sources, SHORT.into())), Some(ErrorKind::TimedOut));
    assert!(jobs.count().unwrap() == 1 && !lock.is_locked().unwrap());
    stop.set().unwrap();
    let mut got = many::all(&sources, Deadline::NEVER).unwrap();
    assert!(jobs.count().unwrap() == 0 && lock.is_locked().unwrap());
    assert!(matches!(
        got[..],
        [Got::Permit(_), Got::Lock { abandoned: false }, Got::Nothing]
    ));
    lock.unlock().unwrap();
    if let Got::Permit(lot) = got.swap_remove(0) {
        jobs.give_back(lot).unwrap();
    }
    std::thread::scope(|scope| scope.spawn(|| lock.lock(LONG.into()).unwrap()).join().unwrap());
    let got = many::all(&sources, Deadline::NEVER).unwrap();
    assert!(matches!(got[1], Got::Lock { abandoned: true }));
}

#[test]
fn all_gives_everything_back_when_one_cannot_be_noted() {
    let t = start();
    let names = ["first", "hostile", "last", "raw"].map(|what| name(&t, what));
    let [first, hostile, last, raw] = names.each_ref().map(|name| semaphore(name, 1, 5));
    let (lock, other_lock) = (mutex(&name(&t, "lock")), mutex(&name(&t, "other-lock")));
    let (stop, _) = Event::open(&name(&t, "auto"), Opening::CreateNew, false, true, &PRIVATE).unwrap();
    // Its record says that this process has as many permits as can be told.
    hostile.fill_for_test(0xff);
    let sources = [
        Source::Acquire(&first),
        Source::Lock(&lock),
        Source::Acquire(&hostile),
        Source::Acquire(&last),
        Source::Wait(&raw),
        Source::Lock(&other_lock),
        Source::Event(&stop),
    ];
    let refused = many::all(&sources, Deadline::now());
    assert_eq!(kind(refused), Some(ErrorKind::Corrupt));
    for name in &names {
        let found = semaphore::stat(name).unwrap();
        assert_eq!(found.details[0], ("count", "1".to_string()), "{name}");
        if name.as_str() != names[1].as_str() {
            assert!(found.owners.is_empty(), "{name}");
        }
    }
    assert!(!lock.is_locked().unwrap() && !other_lock.is_locked().unwrap());
    assert!(stop.is_set().unwrap());
    // The same where only one is waited for.
    assert_eq!(kind(hostile.acquire(Deadline::now())), Some(ErrorKind::Corrupt));
    assert_eq!(
        semaphore::stat(&names[1]).unwrap().details[0],
        ("count", "1".to_string())
    );
}

#[test]
fn several_waits_see_the_dead_too() {
    let t = start();
    let name = name(&t, "several");
    let semaphore = semaphore(&name, 2, 2);
    let done = done(&name);
    let holder = begin("hold-two", &name);
    done.wait(LONG.into()).unwrap();
    let sources = [Source::Acquire(&semaphore)];
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| many::all(&sources, LONG.into()).map(|got| got.len()));
        eventually("a waiter", || waiting(&name) == 1);
        kill(holder);
        assert_eq!(waiter.join().unwrap().unwrap(), 1);
    });
}

#[test]
fn what_is_seen_from_outside() {
    let t = start();
    let (sem, lock) = (name(&t, "seen"), name(&t, "seen-lock"));
    assert_eq!(kind(semaphore::stat(&sem)), Some(ErrorKind::NotFound));
    assert_eq!(kind(semaphore::remove(&sem)), Some(ErrorKind::NotFound));
    let (ours, mutex) = (semaphore(&sem, 2, 3), mutex(&lock));
    let lot = ours.acquire(Deadline::now()).unwrap();
    let found = semaphore::stat(&sem).unwrap();
    assert_eq!(
        found.details,
        [("count", "1"), ("maximum", "3"), ("waiting", "0")].map(|(key, value)| (key, value.to_string()))
    );
    assert_eq!(found.liveness, Liveness::Live);
    assert!(found.created.is_some());
    let pids = |of: &[crate::os::process::Identity]| of.iter().map(|it| it.pid).collect::<Vec<_>>();
    assert_eq!(pids(&found.holders), [std::process::id()]);
    assert_eq!((found.owners.len(), found.owners[0].count), (1, 1));
    assert_eq!(kind(semaphore::remove(&sem)), Some(ErrorKind::Unsupported));
    mutex.lock(LONG.into()).unwrap();
    assert_eq!(
        mutex::stat(&lock).unwrap().details,
        [("locked", "yes".to_string())]
    );
    mutex.unlock().unwrap();
    assert_eq!(
        mutex::stat(&lock).unwrap().details,
        [("locked", "no".to_string())]
    );
    let listed = semaphore::list().unwrap();
    let listed = listed.iter().find(|found| found.name == sem.as_str()).unwrap();
    assert_eq!(listed.liveness, Liveness::Live);
    assert!(
        mutex::list()
            .unwrap()
            .iter()
            .any(|found| found.name == lock.as_str())
    );
    assert!(
        semaphore::list()
            .unwrap()
            .iter()
            .all(|found| found.name != lock.as_str())
    );
    ours.give_back(lot).unwrap();
}

#[test]
fn hostile_bytes_beside_a_semaphore_are_errors_at_worst() {
    let t = start();
    let name = name(&t, "hostile");
    let semaphore = semaphore(&name, 2, 3);
    let lot = semaphore.acquire(Deadline::now()).unwrap();
    for byte in [0xff, 0x01, 0x80, 0x00] {
        semaphore.fill_for_test(byte);
        let _ = semaphore.count();
        let _ = semaphore.acquire(Deadline::now());
        let _ = semaphore::stat(&name);
        let _ = semaphore::list();
        let _ = Semaphore::open(&name, Opening::CreateOrOpen, 1, 1, &PRIVATE);
    }
    semaphore.fill_for_test(0);
    assert_eq!(kind(semaphore.give_back(lot)), Some(ErrorKind::Corrupt));
}

#[test]
fn the_global_namespace_is_another_one() {
    let t = start();
    let local = name(&t, "scope");
    let global = Name::new(format!(r"Global\{local}")).unwrap();
    match Semaphore::open(&global, Opening::CreateNew, 1, 1, &PRIVATE) {
        Ok((semaphore, made)) => {
            assert!(made);
            let text = wide(&object::itself(&global));
            // SAFETY: the name ends with NUL; the handle is a new one.
            assert!(unsafe { call::handle(|| OpenSemaphoreW(1, 0, text.as_ptr())) }.is_ok());
            drop(semaphore);
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
    }
}
