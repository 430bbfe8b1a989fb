//! Signals, for verbs that run a command: until the command has started they end this process, then they are the command's.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "windows.rs")]
mod os;

use crate::failure;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The command that signals are for. Locked while it is started, so that a signal either comes before it and it never
/// starts, or is passed on.
static COMMAND: Mutex<Option<os::Process>> = Mutex::new(None);

fn running() -> MutexGuard<'static, Option<os::Process>> {
    COMMAND.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to handle signals. Before any other thread is started.
pub(crate) fn handle() -> Result<(), String> {
    os::handle()
}

/// Starts the command.
pub(crate) fn start<E>(
    command: &mut Command,
    start: impl FnOnce(&mut Command) -> Result<Child, E>,
) -> Result<Child, E> {
    let mut running = running();
    os::prepare(command);
    let child = start(command)?;
    *running = Some(os::Process::of(&child));
    Ok(child)
}

/// Waits for the signal that ends this process.
pub(crate) fn wait() -> ! {
    loop {
        std::thread::park();
    }
}

/// Ends this process. `_running`: that there is no command, and none will be started.
fn end(_running: MutexGuard<'_, Option<os::Process>>, code: i32) -> ! {
    // Destructors do not run on the way out, so names have to be taken back here.
    failure::take_back();
    std::process::exit(code)
}
