//! Which verbs a scheme has.

use crate::failure::Failure;
use quintet::{Address, Scheme, named};

fn of(scheme: Scheme) -> &'static [&'static str] {
    match scheme {
        Scheme::Pipe => &["send", "recv", "stat", "rm", "ls"],
        Scheme::Fifo => &["send", "recv"],
        Scheme::Tcp | Scheme::Ipc => &["send", "recv", "push", "pull", "pub", "sub", "req", "rep"],
        Scheme::Unix => &[
            "send", "recv", "push", "pull", "pub", "sub", "req", "rep", "stat", "rm", "ls",
        ],
        Scheme::Sem => &["run", "create", "hold", "wait", "release", "stat", "rm", "ls"],
        Scheme::Mutex => &["run", "create", "hold", "stat", "rm", "ls"],
        Scheme::Event => &["create", "hold", "wait", "set", "reset", "stat", "rm", "ls"],
        Scheme::Shm => &["create", "hold", "read", "write", "stat", "rm", "ls"],
        Scheme::Mailbox => &["read", "write", "hz", "create", "hold", "stat", "rm", "ls"],
        Scheme::Queue => &[
            "push", "pull", "send", "recv", "hz", "create", "hold", "stat", "rm", "ls",
        ],
        Scheme::Topic => &[
            "pub", "sub", "send", "recv", "hz", "create", "hold", "stat", "rm", "ls",
        ],
        Scheme::Window => &[
            "send",
            "req",
            "recv",
            "rep",
            "post",
            "broadcast",
            "find",
            "stat",
            "ls",
        ],
        _ => &["stat", "rm", "ls"],
    }
}

/// Refuses an address that this verb does nothing with.
pub(crate) fn check(verb: &str, address: &Address) -> Result<(), Failure> {
    let scheme = address.scheme();
    if !matches!(scheme, Scheme::Fifo | Scheme::Tcp | Scheme::Unix | Scheme::Ipc) {
        // Says which schemes there are.
        named::kind(scheme)?;
    }
    // It looks at what has a state, and removes what is stale.
    let needed = if verb == "doctor" { "stat" } else { verb };
    if of(scheme).contains(&needed) {
        return Ok(());
    }
    let why = match (verb, scheme) {
        ("wait", Scheme::Mutex) => {
            " (what a shell command has locked is unlocked when it ends: to hold it, give `run` the command that needs it)"
        }
        ("release", Scheme::Mutex) => " (only who has locked it can unlock it: `run` does both)",
        ("send" | "push" | "pub", Scheme::Mailbox) => " (`write` makes it the newest value)",
        ("recv" | "pull" | "sub", Scheme::Mailbox) => {
            " (`read` prints the newest value, and with --follow each newer one as it comes)"
        }
        ("wait", Scheme::Mailbox) => " (`read --timeout TIME` waits for the first value)",
        ("pub", Scheme::Queue) => {
            " (`push` gives each message to one of those who pull; topic:// gives it to all)"
        }
        ("sub", Scheme::Queue) => {
            " (`pull --follow` takes messages as they come; on topic:// all get all of them)"
        }
        ("push" | "write", Scheme::Topic) => " (`pub` gives a message to all who subscribe)",
        ("pull" | "read", Scheme::Topic) => " (`sub` prints what is published from now on)",
        ("wait", Scheme::Topic) => {
            " (`pub --wait-subscriber` waits for a subscriber, `sub --count 1` for a message)"
        }
        ("pub", Scheme::Pipe | Scheme::Fifo) => {
            " (`send` goes to one reader; topic:// goes to all who subscribe)"
        }
        ("sub", Scheme::Pipe | Scheme::Fifo) => " (`recv --follow` prints what comes until interrupted)",
        ("req" | "rep", Scheme::Pipe | Scheme::Queue | Scheme::Topic) => {
            " (sockets and windows have questions and answers: tcp://, ipc://, window://)"
        }
        ("push" | "pub" | "write", Scheme::Window) => {
            " (`send` waits for the procedure, `post` does not; `broadcast` goes to all windows)"
        }
        ("pull" | "sub" | "read" | "create" | "hold", Scheme::Window) => {
            " (`recv` and `rep` have a window as long as they run)"
        }
        ("rm", Scheme::Window) => " (a window goes with its program: `post --msg WM_CLOSE` asks for that)",
        ("post" | "find" | "broadcast", _) => " (windows have it: window://)",
        ("stat" | "rm" | "doctor", Scheme::Tcp) => {
            " (it is gone when its process is; `ss -tlp` shows who listens)"
        }
        ("stat" | "rm" | "doctor", Scheme::Ipc) => " (on Linux it is a Unix socket, and has that as unix://)",
        ("stat" | "rm" | "doctor", Scheme::Fifo) => " (it is a file: stat(1) and rm(1) do that)",
        ("run", Scheme::Event) => " (there is nothing of it to hold: `wait` for it first)",
        _ => "",
    };
    Err(Failure::Usage(format!(
        "{}: there is no {verb} for {scheme}://, which has {}{why}",
        address.clone().without_options(),
        of(scheme).join(", ")
    )))
}
