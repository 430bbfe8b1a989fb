use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::stage::{Role, Stage};
use super::suite::Suite;
use super::win32::Win32;
use crate::apt::Apt;
use crate::run;
use crate::workspace::Workspace;

/// nng by its Python binding, the version that all this was seen to work with.
const PYNNG: &str = "pynng==0.9.0";

/// Lengths of messages: none, small, around the buffers, beyond what the system takes at once.
const LENGTHS: [usize; 6] = [0, 1, 64, 5000, 70_000, 3_000_000];

/// The two ends of each pattern, and what the first of them does.
const PATTERNS: [(&str, &str, Act); 8] = [
    ("push", "pull", Act::Sends),
    ("pull", "push", Act::Receives),
    ("pub", "sub", Act::Publishes),
    ("sub", "pub", Act::Subscribes),
    ("req", "rep", Act::Asks),
    ("rep", "req", Act::Answers),
    ("pair", "pair", Act::Talks),
    ("pair1", "pair1", Act::Talks),
];

#[derive(Clone, Copy)]
enum Act {
    Sends,
    Receives,
    Publishes,
    Subscribes,
    Asks,
    Answers,
    Talks,
}

/// How each side is started, for a pattern.
struct Sides<'a> {
    ours: &'a dyn Fn(&str) -> Command,
    theirs: &'a dyn Fn(&str) -> Command,
}

/// Sockets of nng against those of the library.
pub(super) fn run(workspace: &Workspace, suite: &mut Suite) -> Result<()> {
    Apt::read()?.require(&["python3", "python3-venv"], &[])?;
    let folder = workspace.target("pynng");
    let python = folder.join("bin/python");
    if !python.exists() || run::output(Command::new(&python).args(["-c", "import pynng"])).is_err() {
        run::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", PYNNG]))
            .context("pynng cannot be installed")?;
    }
    let script = workspace.path("xtask/interop/sockets.py");
    let sockets = workspace.build(&["-p", "xtask", "--example", "sockets"], "examples/sockets")?;
    let sides = Sides {
        ours: &|pattern| with_pattern(Command::new(&sockets), pattern),
        theirs: &|pattern| {
            let mut command = Command::new(&python);
            command.arg(&script);
            with_pattern(command, pattern)
        },
    };
    cases(suite, &sides, "", |stage| {
        stage.folder().join("socket").display().to_string()
    });
    Ok(())
}

/// The same under Wine, where nng's `ipc://` is a named pipe.
pub(super) fn run_windows(win32: &Win32, suite: &mut Suite) {
    let sides = Sides {
        ours: &|pattern| with_pattern(win32.wine.command(&win32.sockets), pattern),
        theirs: &|pattern| with_pattern(win32.wine.command(&win32.nng), pattern),
    };
    cases(suite, &sides, " on Windows", |stage| stage.name().to_owned());
}

fn with_pattern(mut command: Command, pattern: &str) -> Command {
    command.arg(pattern);
    command
}

/// Every pattern, over both transports, with either side listening. `path` is what comes after `ipc://`.
fn cases(suite: &mut Suite, sides: &Sides<'_>, system: &str, path: impl Fn(&Stage) -> String) {
    for (ours, theirs, act) in PATTERNS {
        for transport in ["tcp", "ipc"] {
            for we_listen in [true, false] {
                let side = if we_listen { "listens" } else { "dials" };
                let title = format!("{ours} that {side} over {transport}, with {theirs} of nng{system}");
                suite.case(&title, |stage| {
                    let path = path(stage);
                    let address = match transport {
                        "tcp" => free_port()?,
                        _ => format!("ipc://{path}"),
                    };
                    let done = perform(sides, stage, &address, (ours, theirs, act), we_listen);
                    // What a case that failed in the middle may leave there; and nng leaves it anyway. (A pipe is no file.)
                    if Path::new(&path).is_absolute() {
                        let _ = fs::remove_file(path);
                    }
                    done
                });
            }
        }
    }
}

/// An address at which nobody listens.
fn free_port() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("tcp://{}", listener.local_addr()?))
}

fn perform(
    sides: &Sides<'_>,
    stage: &mut Stage,
    address: &str,
    (ours, theirs, act): (&str, &str, Act),
    we_listen: bool,
) -> Result<()> {
    let us = stage.start_for_orders(&mut (sides.ours)(ours))?;
    let them = stage.start_for_orders(&mut (sides.theirs)(theirs))?;
    if matches!(act, Act::Publishes) {
        stage.ask(them, "subscribe a.", "subscribed")?;
    }
    if matches!(act, Act::Subscribes) {
        stage.ask(us, "subscribe a.", "subscribed")?;
    }
    let (first, second) = if we_listen { (us, them) } else { (them, us) };
    stage.ask(first, &format!("listen {address}"), "listening")?;
    stage.ask(second, &format!("dial {address}"), "dialed")?;
    for role in [us, them] {
        stage.ask(role, "peers 1", "there")?;
    }
    for len in LENGTHS {
        match act {
            Act::Sends => passes(stage, us, them, len)?,
            Act::Receives => passes(stage, them, us, len)?,
            Act::Publishes => publishes(stage, us, them, len)?,
            Act::Subscribes => publishes(stage, them, us, len)?,
            Act::Asks => asks(stage, us, them, len)?,
            Act::Answers => asks(stage, them, us, len)?,
            Act::Talks => {
                passes(stage, us, them, len)?;
                passes(stage, them, us, len)?;
            }
        }
    }
    for role in [us, them] {
        stage.ask(role, "close", "closed")?;
        stage.dismiss(role)?;
    }
    Ok(())
}

/// The answer to a message that has come.
fn described(len: usize, topic: &str) -> String {
    let sum: usize = (0..len).map(|at| (at * 31 + len) % 256).sum();
    let topic_sum: usize = topic.bytes().map(usize::from).sum();
    format!("{} {}", len + topic.len(), sum + topic_sum)
}

fn passes(stage: &mut Stage, from: Role, to: Role, len: usize) -> Result<()> {
    stage.tell(from, &format!("send {len}"))?;
    stage.ask(to, "recv", &described(len, ""))?;
    stage.answer(from, "sent")
}

fn publishes(stage: &mut Stage, from: Role, to: Role, len: usize) -> Result<()> {
    stage.ask(from, &format!("send {len} b."), "sent")?;
    stage.ask(from, &format!("send {len} a."), "sent")?;
    stage.ask(to, "recv", &described(len, "a."))
}

fn asks(stage: &mut Stage, from: Role, to: Role, len: usize) -> Result<()> {
    stage.tell(from, &format!("request {len}"))?;
    stage.ask(to, "reply", &described(len, ""))?;
    stage.answer(from, &described(len, ""))
}
