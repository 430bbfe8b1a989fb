//! The operations that are tried, what is there before, and what must hold after.

use crate::help::{LONG, SHORT, assert_fails, order};
use quintet::named::NamedKind;
use quintet::sync::{
    Event, Events, Mutex, Mutexes, Reset, Semaphore, Semaphores, Waitable, wait_all, wait_any,
};
use quintet::{Deadline, Error, ErrorKind, Name, Result};
use quintet_testkit::{Peer, Test, eventually};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How many permits there are.
pub(crate) const ALL: u32 = 3;

macro_rules! operations {
    ($($operation:ident: $what:literal,)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operation {
            $(#[doc = $what] $operation,)+
        }

        impl Operation {
            const EVERY: &[Operation] = &[$(Operation::$operation,)+];
        }
    };
}

operations! {
    Create: "Creates one of each kind that nobody else has, and closes them.",
    CreatePersistent: "Creates a semaphore that stays.",
    Open: "Opens one of each kind that somebody else has, and closes them.",
    Reclaim: "Opens what a dead process left, and closes it.",
    Remove: "Removes what a dead process left.",
    ReleaseNames: "Creates one of each kind, and takes their names back.",
    Look: "Looks at one of each kind that somebody else has.",
    Acquire: "Acquires a permit and gives it back.",
    Forget: "Acquires a permit and forgets it.",
    Wait: "Waits and releases.",
    WaitAsleep: "Acquires a permit that others hold at first.",
    WaitInVain: "Waits for a permit until a deadline.",
    Release: "Releases a permit for which another one sleeps.",
    Recover: "Acquires permits of which a dead process held some.",
    Lock: "Locks and unlocks.",
    LockAsleep: "Locks what another one has at first.",
    LockInVain: "Waits for a mutex until a deadline, and becomes the next in turn meanwhile.",
    Unlock: "Unlocks what another one waits for.",
    TakeOver: "Locks what a dead process had.",
    Set: "Sets an event for which another one sleeps.",
    Reset: "Sets and resets an event.",
    Consume: "Waits for an event that is set.",
    ConsumeAsleep: "Waits for an event that is set later.",
    HandOver: "Has a child hold a permit too.",
    HandOverLock: "Has a child hold a mutex too.",
    Any: "Waits for any of a permit, a mutex and an event that are all there.",
    AnyAsleep: "Waits for any of a permit, an event and a process, and the permit comes later.",
    All: "Waits for all of a permit, a mutex and an event.",
    AllRaw: "Waits for all of a raw permit and an event.",
    AllInVain: "Waits for all of them and one is missing.",
}

pub(crate) fn names(name: &str) -> [String; 3] {
    ["s", "m", "e"].map(|kind| format!("{name}-{kind}"))
}

/// One of each kind.
#[derive(Debug)]
pub(crate) struct Objects {
    pub(crate) semaphore: Semaphore,
    pub(crate) mutex: Mutex,
    pub(crate) event: Event,
}

impl Objects {
    pub(crate) fn open(name: &str) -> Result<Self> {
        let [semaphore, mutex, event] = names(name);
        Ok(Objects {
            semaphore: Semaphore::open_existing(semaphore)?,
            mutex: Mutex::open_existing(mutex)?,
            event: Event::open_existing(event)?,
        })
    }

    fn create(name: &str) -> Result<Self> {
        let [semaphore, mutex, event] = names(name);
        Ok(Objects {
            semaphore: Semaphore::create_new(semaphore, ALL, ALL)?,
            mutex: Mutex::create_new(mutex)?,
            event: Event::create_new(event, Reset::Auto)?,
        })
    }
}

/// What the other side keeps while the operation runs.
pub(crate) struct Kept {
    objects: Option<Arc<Objects>>,
    /// One that waits for what the operation gives, if anything: what it waits for in the end it has got.
    waiter: Option<JoinHandle<Result<()>>>,
}

/// A child that ends at once by itself, for the want of an input.
fn brief_child() -> Command {
    let mut command = Test::peer_command("bystander", &[]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

impl Operation {
    pub(crate) fn named(name: &str) -> Self {
        *Operation::EVERY
            .iter()
            .find(|operation| format!("{operation:?}") == name)
            .unwrap()
    }

    /// Whether nobody else has the objects.
    pub(crate) fn is_alone(self) -> bool {
        use Operation::{Create, CreatePersistent, Reclaim, ReleaseNames, Remove};
        matches!(self, Create | CreatePersistent | Reclaim | Remove | ReleaseNames)
    }

    /// Whether a dead process is needed each time.
    pub(crate) fn needs_dead(self) -> bool {
        use Operation::{Reclaim, Recover, Remove, TakeOver};
        matches!(self, Recover | TakeOver | Reclaim | Remove)
    }

    /// Makes what it needs.
    pub(crate) fn prepare(self, t: &Test, name: &str) -> Kept {
        use Operation::{Consume, Release, Set};
        if self.is_alone() {
            if self.needs_dead() {
                leave_dead(t, name, false);
            }
            return Kept {
                objects: None,
                waiter: None,
            };
        }
        let objects = Arc::new(Objects::create(name).unwrap());
        if self.needs_dead() {
            leave_dead(t, name, true);
        }
        if matches!(
            self,
            Consume | Operation::Any | Operation::All | Operation::AllRaw
        ) {
            objects.event.set().unwrap();
        }
        if self == Release {
            for _ in 0..ALL {
                objects.semaphore.wait().unwrap();
            }
        }
        let waiting = |wait: fn(&Objects) -> Result<()>| {
            let objects = objects.clone();
            Some(thread::spawn(move || wait(&objects)))
        };
        let waiter = match self {
            Release => waiting(|objects| objects.semaphore.wait_timeout(LONG)),
            Set => waiting(|objects| objects.event.wait_timeout(LONG)),
            _ => None,
        };
        Kept {
            objects: Some(objects),
            waiter,
        }
    }

    /// Does it. `arm` is called when it begins.
    pub(crate) fn run(self, name: &str, arm: impl FnOnce()) -> Result<()> {
        let [semaphore, mutex, event] = names(name);
        match self {
            Operation::Create => {
                arm();
                return Objects::create(name).map(drop);
            }
            Operation::CreatePersistent => {
                arm();
                let builder = Semaphore::builder(semaphore)?.maximum(ALL).persistent(true);
                return builder.create_or_open().map(drop);
            }
            Operation::Open => {
                arm();
                return Objects::open(name).map(drop);
            }
            Operation::Reclaim => {
                arm();
                let fresh = Semaphore::create_or_open(semaphore, ALL, ALL)?;
                assert!(fresh.was_created());
                assert_eq!(fresh.count()?, ALL);
                assert!(Mutex::create_or_open(mutex)?.was_created());
                return Ok(());
            }
            Operation::Remove => {
                arm();
                if cfg!(target_os = "linux") {
                    Semaphores.remove(&Name::new(semaphore)?)?;
                    Mutexes.remove(&Name::new(mutex)?)?;
                }
                return Ok(());
            }
            Operation::ReleaseNames => {
                arm();
                let objects = Objects::create(name)?;
                quintet::cleanup::release_names();
                drop(objects);
                return Ok(());
            }
            Operation::Look => {
                arm();
                let entry = Semaphores.stat(&Name::new(semaphore)?)?;
                assert_eq!(entry.address.scheme(), quintet::Scheme::Sem);
                Mutexes.stat(&Name::new(mutex)?)?;
                Events.stat(&Name::new(event)?)?;
                return Ok(());
            }
            _ => {}
        }
        let objects = Objects::open(name)?;
        arm();
        self.act(&objects)
    }

    fn act(self, objects: &Objects) -> Result<()> {
        let Objects {
            semaphore,
            mutex,
            event,
        } = objects;
        match self {
            Operation::Acquire | Operation::WaitAsleep => semaphore.acquire_timeout(LONG)?.release(),
            Operation::Forget => semaphore.acquire_timeout(LONG)?.forget(),
            Operation::Wait => {
                semaphore.wait_timeout(LONG)?;
                semaphore.release(1).map(drop)
            }
            Operation::WaitInVain => {
                let all = (0..ALL)
                    .map(|_| semaphore.acquire_timeout(LONG))
                    .collect::<Result<Vec<_>>>()?;
                in_vain(semaphore.wait_timeout(Duration::from_millis(60)))?;
                drop(all);
                Ok(())
            }
            Operation::Release => semaphore.release(1).map(drop),
            Operation::Recover => {
                let all = (0..ALL)
                    .map(|_| semaphore.acquire_timeout(LONG))
                    .collect::<Result<Vec<_>>>()?;
                drop(all);
                Ok(())
            }
            Operation::Lock | Operation::LockAsleep | Operation::TakeOver => {
                let guard = mutex.lock_timeout(LONG)?;
                drop(mutex.lock_timeout(LONG)?);
                guard.unlock()
            }
            Operation::LockInVain => in_vain(mutex.lock_timeout(Duration::from_millis(120)).map(drop)),
            Operation::Unlock => mutex.lock_timeout(LONG)?.unlock(),
            Operation::Set => event.set(),
            Operation::Reset => {
                event.set()?;
                event.reset()
            }
            Operation::Consume | Operation::ConsumeAsleep => event.wait_timeout(LONG),
            Operation::HandOver => {
                let mut permit = semaphore.acquire_timeout(LONG)?;
                let other = semaphore.acquire_timeout(LONG)?;
                let mut first = permit.spawn(&mut brief_child())?;
                // Whoever is started is waited for, also when the second fails.
                let second = permit.spawn(&mut brief_child());
                first.wait().unwrap();
                second?.wait().unwrap();
                drop(other);
                permit.release()
            }
            Operation::HandOverLock => {
                let guard = mutex.lock_timeout(LONG)?;
                guard.spawn(&mut brief_child())?.wait().unwrap();
                guard.unlock()
            }
            Operation::Any => {
                let items = [Waitable::permit(semaphore), mutex.into(), event.into()];
                assert_eq!(wait_any(&items, LONG)?.index, 0);
                assert_eq!(wait_any(&items[1..], LONG)?.index, 0);
                Ok(())
            }
            Operation::AnyAsleep => {
                let ourselves = quintet::sync::Process::open(std::process::id())?;
                let items = [Waitable::permit(semaphore), event.into(), (&ourselves).into()];
                assert_eq!(wait_any(&items, LONG)?.index, 0);
                Ok(())
            }
            Operation::All => {
                let items = [Waitable::permit(semaphore), mutex.into(), event.into()];
                let taken = wait_all(&items, LONG)?;
                event.set()?;
                drop(taken);
                Ok(())
            }
            Operation::AllRaw => {
                wait_all(&[semaphore.into(), event.into()], LONG)?;
                event.set()?;
                semaphore.release(1).map(drop)
            }
            Operation::AllInVain => {
                let items = [Waitable::permit(semaphore), mutex.into(), event.into()];
                in_vain(wait_all(&items, Deadline::now()).map(drop))?;
                in_vain(wait_all(&items, SHORT).map(drop))
            }
            alone => unreachable!("{alone:?} opens what it needs itself"),
        }
    }

    /// The other side, when the operation has begun: takes what it is to wait for, before; then, as soon as it waits, or
    /// `is_over`, gives it.
    pub(crate) fn start_peer(
        self,
        kept: &Kept,
        name: &str,
        start: impl FnOnce() -> Peer,
        is_over: impl Fn(&Peer) -> bool,
    ) -> Peer {
        let Some(objects) = &kept.objects else {
            return start();
        };
        let [semaphore, mutex, event] = names(name);
        let asleep = |peer: &Peer, kind: &dyn NamedKind, name: &str| {
            let name = Name::new(name).unwrap();
            eventually("it waits, or is over", || {
                let waits = || kind.stat(&name).unwrap().detail("waiting") == Some("1");
                is_over(peer) || !cfg!(target_os = "linux") || waits()
            });
        };
        match self {
            Operation::WaitAsleep | Operation::AnyAsleep => {
                let permits: Vec<_> = (0..ALL).map(|_| objects.semaphore.acquire().unwrap()).collect();
                let peer = start();
                asleep(&peer, &Semaphores, &semaphore);
                drop(permits);
                peer
            }
            Operation::LockAsleep => {
                let guard = objects.mutex.lock().unwrap();
                let peer = start();
                asleep(&peer, &Mutexes, &mutex);
                drop(guard);
                peer
            }
            Operation::LockInVain => {
                let guard = objects.mutex.lock().unwrap();
                let mut peer = start();
                // It is over when it has given up, or is dead.
                let _ = peer.hear_or_end();
                drop(guard);
                peer
            }
            Operation::ConsumeAsleep => {
                let peer = start();
                asleep(&peer, &Events, &event);
                objects.event.set().unwrap();
                peer
            }
            _ => start(),
        }
    }

    /// What must hold after it, whether it passed or died in the middle.
    pub(crate) fn check(self, kept: Kept, name: &str, passed: bool) {
        let [semaphore, mutex, event] = names(name);
        if let Some(objects) = kept.objects {
            if let Some(waiter) = kept.waiter {
                self.relieve(&objects, &waiter);
                waiter.join().unwrap().unwrap();
            }
            self.check_permits(&objects.semaphore, passed);
            // (A dead process may have left it abandoned before.)
            check_mutex(&objects.mutex, passed && self != Operation::Recover);
            check_event(&objects.event);
            drop(objects);
        } else if self == Operation::CreatePersistent {
            let builder = Semaphore::builder(&semaphore)
                .unwrap()
                .maximum(ALL)
                .persistent(true);
            let again = builder.create_or_open().unwrap();
            assert!(!(passed && again.was_created()));
            assert_eq!(again.count().unwrap(), ALL);
            drop(again);
            Semaphores.remove(&Name::new(&*semaphore).unwrap()).unwrap();
        }
        // Their names are free, and nobody sees what they were.
        let fresh = Semaphore::create_new(&semaphore, 1, 1).unwrap();
        assert_eq!(fresh.count().unwrap(), 1);
        let fresh = (
            fresh,
            Mutex::create_new(&mutex).unwrap(),
            Event::create_new(&event, Reset::Auto).unwrap(),
        );
        assert!(!fresh.1.try_lock().unwrap().unwrap().was_abandoned());
        drop(fresh);
        assert_fails(Semaphore::open_existing(&semaphore), ErrorKind::NotFound);
    }

    /// Gives a waiter what the one who died did not give any more; but not if it did and only the wake-up is missing.
    fn relieve(self, objects: &Objects, waiter: &JoinHandle<Result<()>>) {
        let is_there = || match self {
            Operation::Release => objects.semaphore.count().unwrap() > 0,
            _ => objects.event.is_set().unwrap(),
        };
        if is_there() || waiter.is_finished() {
            return;
        }
        match self {
            Operation::Release => drop(objects.semaphore.release(1).unwrap()),
            _ => objects.event.set().unwrap(),
        }
    }

    fn check_permits(self, semaphore: &Semaphore, passed: bool) {
        if self == Operation::Release {
            // All were taken raw, and one may have come too many.
            let count = semaphore.count().unwrap();
            assert!(count <= 1, "{count}");
            return;
        }
        // What was taken raw stays so.
        let lost = match self {
            Operation::Forget if passed => 1..2,
            Operation::Forget | Operation::Wait | Operation::AllRaw if !passed => 0..2,
            _ => 0..1,
        };
        let mut permits = Vec::new();
        while permits.len() < (ALL + 1 - lost.end) as usize {
            permits.push(
                semaphore
                    .acquire_timeout(LONG)
                    .expect("all that died have given back"),
            );
        }
        while let Some(permit) = semaphore.try_acquire().unwrap() {
            permits.push(permit);
        }
        let there = permits.len() as u32;
        assert!(lost.contains(&(ALL - there)), "{there} permits of {ALL}");
        drop(permits);
        assert_eq!(semaphore.count().unwrap(), there);
        if lost.end == 1 {
            assert_fails(semaphore.release(1), ErrorKind::Full);
        }
    }
}

/// Somebody has the mutex when it was locked at last, and after that it is as good as new.
fn check_mutex(mutex: &Mutex, unlocked: bool) {
    let guard = mutex.lock_timeout(LONG).expect("nobody living has it");
    assert!(!(unlocked && guard.was_abandoned()));
    drop(guard);
    let guard = mutex.try_lock().unwrap().expect("nobody has it");
    assert!(!guard.was_abandoned());
    drop(guard);
    thread::scope(|scope| {
        let other = scope.spawn(|| drop(mutex.try_lock().unwrap().expect("nobody has it")));
        // To its very end, where it may still look at the mutexes that are open.
        other.join().unwrap();
    });
}

fn check_event(event: &Event) {
    let _ = event.try_wait().unwrap();
    event.set().unwrap();
    assert!(event.try_wait().unwrap());
    assert!(!event.try_wait().unwrap());
}

/// An operation that is to be late.
fn in_vain(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::TimedOut => Ok(()),
        Err(error) => Err(error),
        Ok(()) => panic!("it was not to be had"),
    }
}

/// Whether it says what the system said, and not something else.
pub(crate) fn is_honest(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Os | ErrorKind::Full | ErrorKind::PermissionDenied
    )
}

/// A process that died with two permits and the mutex. `beside`: of objects that we have.
pub(crate) fn leave_dead(t: &Test, name: &str, beside: bool) {
    let [semaphore, mutex, _] = names(name);
    let made = if beside { "opened" } else { "created" };
    let mut dead = t.spawn("player", &[]);
    order(&mut dead, &format!("sem-make {semaphore} {ALL} {ALL}"), made);
    order(&mut dead, &format!("mutex-make {mutex}"), made);
    order(&mut dead, "acquire", "ok");
    order(&mut dead, "acquire", "ok");
    order(&mut dead, "lock", "ok");
    dead.kill();
}
