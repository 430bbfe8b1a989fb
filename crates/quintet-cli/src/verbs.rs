//! Which verbs a scheme has.

use crate::failure::Failure;
use quintet::{Address, Scheme, named};

fn of(scheme: Scheme) -> &'static [&'static str] {
    match scheme {
        Scheme::Pipe => &["send", "recv", "stat", "rm", "ls"],
        Scheme::Fifo => &["send", "recv"],
        Scheme::Sem => &["run", "create", "hold", "wait", "release", "stat", "rm", "ls"],
        Scheme::Mutex => &["run", "create", "hold", "stat", "rm", "ls"],
        Scheme::Event => &["create", "hold", "wait", "set", "reset", "stat", "rm", "ls"],
        Scheme::Shm => &["create", "hold", "read", "write", "stat", "rm", "ls"],
        Scheme::Mailbox => &["read", "write", "hz", "create", "hold", "stat", "rm", "ls"],
        Scheme::Queue => &[
            "push", "pull", "send", "recv", "hz", "create", "hold", "stat", "rm", "ls",
        ],
        _ => &["stat", "rm", "ls"],
    }
}

/// Refuses an address that this verb does nothing with.
pub(crate) fn check(verb: &str, address: &Address) -> Result<(), Failure> {
    let scheme = address.scheme();
    if scheme != Scheme::Fifo {
        // Says which schemes there are.
        named::kind(scheme)?;
    }
    if of(scheme).contains(&verb) {
        return Ok(());
    }
    let why = match (verb, scheme) {
        ("wait", Scheme::Mutex) => {
            " (what a shell command has locked is unlocked when it ends: to hold it, give `run` the command that needs it)"
        }
        ("release", Scheme::Mutex) => " (only who has locked it can unlock it: `run` does both)",
        ("send" | "push", Scheme::Mailbox) => " (`write` makes it the newest value)",
        ("recv" | "pull", Scheme::Mailbox) => {
            " (`read` prints the newest value, and with --follow each newer one as it comes)"
        }
        ("wait", Scheme::Mailbox) => " (`read --timeout TIME` waits for the first value)",
        ("run", Scheme::Event) => " (there is nothing of it to hold: `wait` for it first)",
        _ => "",
    };
    Err(Failure::Usage(format!(
        "{}: there is no {verb} for {scheme}://, which has {}{why}",
        address.clone().without_options(),
        of(scheme).join(", ")
    )))
}
