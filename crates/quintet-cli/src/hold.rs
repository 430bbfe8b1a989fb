//! `quintet hold`.

use crate::args::HoldArgs;
use crate::command;
use crate::failure::Failure;
use crate::note;
use crate::object::{Flags, Object};
use crate::signals;
use crate::verbs;
use quintet::{Address, Error};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is there until a signal comes.
static HELD: Mutex<Vec<Object>> = Mutex::new(Vec::new());

fn held() -> MutexGuard<'static, Vec<Object>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drops what is held. Mapped memory keeps its name until then, as who has it mapped might be anybody.
pub(crate) fn let_go() {
    held().clear();
}

pub(crate) fn run(args: &HoldArgs) -> Result<(), Failure> {
    for address in &args.addresses {
        verbs::check("hold", address)?;
    }
    let addresses = Flags::new(&args.make, Some(&args.event), args.persistent)
        .with_size(&args.size)
        .with_mailbox(&args.mailbox)
        .with_queue(&args.queue)
        .put_into(&args.addresses)?;
    if args.command.is_empty() {
        let mut held = held();
        // Locked until all are in it: a signal meanwhile waits for them.
        open(&addresses).map(|objects| held.extend(objects))?;
        drop(held);
        let names: Vec<String> = args.addresses.iter().map(ToString::to_string).collect();
        note::say(|| format!("holding {} (Ctrl-C to stop)", names.join(", ")));
        signals::wait()
    } else {
        hold_and_run(args, &addresses).map_err(Failure::instead_of_command)
    }
}

fn open(addresses: &[Address]) -> Result<Vec<Object>, Failure> {
    addresses.iter().map(Object::made).collect()
}

fn hold_and_run(args: &HoldArgs, addresses: &[Address]) -> Result<(), Failure> {
    let objects = open(addresses)?;
    let status = command::run(&args.command, |command| command.spawn().map_err(Error::from_io))?;
    drop(objects);
    command::outcome(status)
}
