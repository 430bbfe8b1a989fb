//! Processes that hold permits and a mutex, and are killed, stopped and forked while they do.
//!
//! What must hold: never more permits out than there are, never two owners of the mutex, no wait without end; when all are
//! dead, every permit is there, exactly once. That there are not too many holders is seen by locks on files, which the
//! kernel takes away just before it takes away what proves that a holder lives.
//!
//! Two storms: in `sync` the driver keeps the objects open, so what the dead held must come back in place; in `names` nobody
//! does, and every worker opens and closes all the time, so the objects themselves come and go.

use crate::dice::Dice;
use crate::report;
use quintet::ErrorKind::{AlreadyExists, NotFound};
use quintet::named::NamedKind;
use quintet::sync::{Mutex, Mutexes, Permit, Semaphore, Semaphores, Waitable, wait_any};
use quintet::{Error, Name};
use std::any::Any;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

pub(crate) const WORKERS: &[&str] = &[
    "holder", "holder", "holder", "chooser", "owner", "owner", "owner", "forker",
];
pub(crate) const OPENERS: &[&str] = &["opener", "opener", "opener"];

const PERMITS: u32 = 3;

/// Long enough for any honest wait; one that takes longer fails the storm.
const LONG: Duration = Duration::from_secs(20);

fn name(folder: &Path, what: &str) -> String {
    format!(
        "{}-{what}",
        folder.file_name().unwrap_or_default().to_string_lossy()
    )
}

fn semaphore(folder: &Path) -> Result<Semaphore, String> {
    Semaphore::create_or_open(name(folder, "permits"), PERMITS, PERMITS).map_err(text)
}

fn mutex(folder: &Path) -> Result<Mutex, String> {
    Mutex::create_or_open(name(folder, "mutex")).map_err(text)
}

/// What the driver holds while the storm lasts.
pub(crate) fn begin(folder: &Path) -> Result<Box<dyn Any>, String> {
    Ok(Box::new((semaphore(folder)?, mutex(folder)?)))
}

pub(crate) fn work(kind: &str, seed: u64, folder: &Path) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    if kind == "opener" {
        loop {
            open_and_close(&mut dice, folder)?;
        }
    }
    let (semaphore, mutex) = (semaphore(folder)?, mutex(folder)?);
    loop {
        match kind {
            "holder" => hold(&mut dice, folder, &semaphore)?,
            "chooser" => choose(&mut dice, folder, &semaphore, &mutex)?,
            "owner" => own(&mut dice, folder, &mutex)?,
            _ => fork(&mut dice, folder, &semaphore)?,
        }
    }
}

fn hold(dice: &mut Dice, folder: &Path, semaphore: &Semaphore) -> Result<(), String> {
    let permit = semaphore.acquire_timeout(LONG).map_err(text)?;
    check_and_work(dice, folder, permit)
}

fn check_and_work(dice: &mut Dice, folder: &Path, permit: Permit<'_>) -> Result<(), String> {
    // Opened after what proves that we live: see `pipe.rs`.
    let lock = (0..PERMITS)
        .map(|place| try_lock(folder, &format!("place {place}")))
        .find_map(Result::transpose)
        .ok_or("more permits are out than there are")??;
    report::done(if permit.was_abandoned() {
        "permits of the dead"
    } else {
        "permits"
    });
    rest(dice);
    // Before the permit is another's.
    drop(lock);
    permit.release().map_err(text)
}

fn own(dice: &mut Dice, folder: &Path, mutex: &Mutex) -> Result<(), String> {
    let guard = mutex.lock_timeout(LONG).map_err(text)?;
    let lock = try_lock(folder, "the one owner")?.ok_or("two own the mutex at the same time")?;
    report::done(if guard.was_abandoned() {
        "mutexes of the dead"
    } else {
        "locks"
    });
    rest(dice);
    drop(lock);
    guard.unlock().map_err(text)
}

/// Takes whatever comes first.
fn choose(dice: &mut Dice, folder: &Path, semaphore: &Semaphore, mutex: &Mutex) -> Result<(), String> {
    let items = [Waitable::permit(semaphore), mutex.into()];
    let ready = wait_any(&items[..1 + dice.roll(2) as usize], LONG).map_err(text)?;
    match ready.taken {
        quintet::sync::Taken::Permit(permit) => check_and_work(dice, folder, permit),
        taken => {
            drop(taken);
            Ok(())
        }
    }
}

/// Holds a permit beside a forked child, which outlives us if we are killed, and must not hold it.
#[cfg(target_os = "linux")]
fn fork(dice: &mut Dice, folder: &Path, semaphore: &Semaphore) -> Result<(), String> {
    let permit = semaphore.acquire_timeout(LONG).map_err(text)?;
    let life = dice.roll(30_000) as u32;
    // SAFETY: this process has one thread, so the child has all that it had. It sleeps and ends by `_exit`, and runs
    // nothing else.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: both take plain values.
        unsafe {
            libc::usleep(life);
            libc::_exit(0);
        }
    }
    check_and_work(dice, folder, permit)?;
    // SAFETY: it waits for the child and writes its status nowhere.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    report::done("forks");
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn fork(dice: &mut Dice, folder: &Path, semaphore: &Semaphore) -> Result<(), String> {
    hold(dice, folder, semaphore)
}

fn open_and_close(dice: &mut Dice, folder: &Path) -> Result<(), String> {
    let name = name(folder, "one");
    let semaphore = match dice.roll(4) {
        0 => Semaphore::create_new(&name, 1, 1),
        1 => Semaphore::open_existing(&name),
        _ => Semaphore::create_or_open(&name, 1, 1),
    };
    let semaphore = match semaphore {
        Ok(semaphore) => semaphore,
        Err(error) if matches!(error.kind(), AlreadyExists | NotFound) => return Ok(()),
        Err(error) => return Err(text(error)),
    };
    if dice.roll(4) == 0 {
        report::done("opens and closes");
        return Ok(());
    }
    let permit = semaphore.acquire_timeout(LONG).map_err(text)?;
    // Two objects of one name would have a permit each.
    let lock = try_lock(folder, "the one holder")?.ok_or("two hold the one permit")?;
    report::done(if semaphore.was_created() {
        "new objects"
    } else {
        "old objects"
    });
    rest(dice);
    drop(lock);
    drop(permit);
    drop(semaphore);
    // So that now and then nobody has it.
    rest(dice);
    Ok(())
}

/// The lock on a file of the storm, until it is dropped; `None` if another process has it.
fn try_lock(folder: &Path, what: &str) -> Result<Option<File>, String> {
    let file = File::create(folder.join(what)).map_err(|error| error.to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error.to_string()),
    }
}

fn rest(dice: &mut Dice) {
    match dice.roll(4) {
        0 => {}
        1 => std::thread::sleep(Duration::from_micros(dice.roll(300))),
        _ => (0..dice.roll(5000)).for_each(|_| std::hint::spin_loop()),
    }
}

fn text(error: Error) -> String {
    format!("{:?}: {error}", error.kind())
}

/// When all workers are dead.
pub(crate) fn aftermath(folder: &Path) -> Result<(), String> {
    let semaphore = semaphore(folder)?;
    let permits = (0..PERMITS)
        .map(|_| semaphore.acquire_timeout(LONG))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("a permit is missing: {error}"))?;
    if semaphore.try_acquire().map_err(text)?.is_some() {
        return Err("there is a permit too many".into());
    }
    drop(permits);
    let count = semaphore.count().map_err(text)?;
    if count != PERMITS {
        return Err(format!("the count is {count} and not {PERMITS}"));
    }
    drop(mutex(folder)?.lock_timeout(LONG).map_err(text)?);
    Ok(())
}

/// When the objects are let go as well: nothing is left.
pub(crate) fn nothing_left(folder: &Path) -> Result<(), String> {
    // Of the last that were killed something may be, until the next open.
    drop(Semaphore::create_or_open(name(folder, "one"), 1, 1).map_err(text)?);
    for (kind, name) in [
        (&Semaphores as &dyn NamedKind, name(folder, "permits")),
        (&Semaphores, name(folder, "one")),
        (&Mutexes, name(folder, "mutex")),
    ] {
        let name: Name = name.parse().map_err(text)?;
        match kind.stat(&name) {
            Err(error) if error.kind() == NotFound => {}
            left => return Err(format!("{name} is still there: {left:?}")),
        }
    }
    Ok(())
}
