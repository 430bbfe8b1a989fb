//! `quintet run`.

use crate::args::{Abandoned, RunArgs};
use crate::command;
use crate::failure::Failure;
use crate::note;
use crate::object::{self, Flags, Object};
use crate::patience;
use crate::verbs;
use quintet::sync::Taken;
use quintet::{Address, Error, ErrorKind, named};
use std::mem;
use std::process::{Child, Command};
use std::thread;

pub(crate) fn run(args: &RunArgs) -> Result<(), Failure> {
    verbs::check("run", &args.address)?;
    let address = Flags::new(&args.make, None, args.persistent).put_into_one(&args.address)?;
    hold(args, &address).map_err(Failure::instead_of_command)
}

fn hold(args: &RunArgs, address: &Address) -> Result<(), Failure> {
    let object = Object::made(address)?;
    let address = address.clone().without_options();
    // A mutex is a thread's, and is abandoned by a thread that ends: see `abandon`.
    let held = thread::scope(|scope| scope.spawn(|| hold_and_run(args, &address, &object)).join());
    held.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn hold_and_run(args: &RunArgs, address: &Address, object: &Object) -> Result<(), Failure> {
    let mut held = take(args, address, object)?;
    let was_abandoned = held.was_abandoned();
    if was_abandoned {
        let what = format!("{address}: its last holder was killed, so what it worked on may be half done");
        match args.abandoned {
            Abandoned::Continue => note::complain(what),
            Abandoned::Fail => {
                abandon(held, address, None);
                return Err(Failure::Failed(format!(
                    "{what}; the command is not run (when that is in order: --abandoned continue)"
                )));
            }
        }
    }
    let mut pid = None;
    let ended = command::run(&args.command, |command| {
        let child = start(&mut held, command)?;
        pid = Some(child.id());
        Ok(child)
    });
    // One that could not be started has put nothing in order either.
    if ended
        .as_ref()
        .map_or(was_abandoned, |status| command::was_killed(*status))
    {
        abandon(held, address, pid);
    } else {
        give_back(held).map_err(|error| Failure::about(address, error))?;
    }
    command::outcome(ended?)
}

fn take<'a>(args: &RunArgs, address: &Address, object: &'a Object) -> Result<Taken<'a>, Failure> {
    let what = || match object::taken_by(address) {
        Some(taken) => format!("{address}, {taken}"),
        None => address.to_string(),
    };
    let taken = patience::wait_for(args.time.time(), what, |time| match object {
        Object::Semaphore(semaphore) => semaphore.acquire_timeout(time).map(Taken::Permit),
        Object::Mutex(mutex) => mutex.lock_timeout(time).map(Taken::Lock),
        Object::Event(_) | Object::Memory(_) | Object::Mailbox(_) | Object::Queue(_) => Ok(Taken::Nothing),
    });
    taken.map_err(|error| match (error.kind(), object::taken_by(address)) {
        (ErrorKind::TimedOut, Some(taken)) => Failure::Deadline(format!("{error}; {taken}")),
        _ => error.into(),
    })
}

fn start(held: &mut Taken<'_>, command: &mut Command) -> quintet::Result<Child> {
    match held {
        Taken::Permit(permit) => permit.spawn(command),
        Taken::Lock(guard) => guard.spawn(command),
        Taken::Nothing => command.spawn().map_err(Error::from_io),
    }
}

fn give_back(held: Taken<'_>) -> quintet::Result<()> {
    match held {
        Taken::Permit(permit) => permit.release(),
        Taken::Lock(guard) => guard.unlock(),
        Taken::Nothing => Ok(()),
    }
}

/// Gives it back as if this process had died with it: the next one is told.
fn abandon(held: Taken<'_>, address: &Address, command: Option<u32>) {
    match held {
        // This thread ends, and has not unlocked it.
        Taken::Lock(guard) => mem::forget(guard),
        // This process ends, and has not given it back. With nobody there to be told, it is given back instead: what
        // nobody holds is gone, and should not leave its file.
        Taken::Permit(permit) if outlives_us(address, command) => mem::forget(permit),
        Taken::Permit(_) | Taken::Nothing => {}
    }
}

/// Whether the object will be there when this process and its command are not.
fn outlives_us(address: &Address, command: Option<u32>) -> bool {
    let look = || {
        named::kind(address.scheme())
            .ok()?
            .stat(address.name().ok()?)
            .ok()
    };
    look().is_some_and(|entry| {
        let ours = |pid| pid == std::process::id() || Some(pid) == command;
        entry.detail("persistent") == Some("yes") || entry.holders.iter().any(|holder| !ours(holder.pid()))
    })
}
