use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::stage::{Role, Stage};
use super::suite::Suite;
use super::win32::Win32;

/// Longer than a case may take: what is waited for comes, or the case fails.
const LONG: &str = "1m";
/// The same in the Win32 program's milliseconds.
const LONG_WAIT: &str = "wait 60000";

// The numbers of the errors that the Win32 program is given.
const FILE_NOT_FOUND: &str = "error 2";
const INVALID_HANDLE: &str = "error 6";
const NOT_OWNER: &str = "error 288";
const TOO_MANY_POSTS: &str = "error 298";

/// Who makes the object that both use.
#[derive(Clone, Copy, Debug)]
enum Maker {
    Win32,
    /// `quintet hold`, with the Win32 program as its command.
    Hold,
}

/// A case of quintet.exe and programs that make the Win32 calls, all with one object name.
struct Scene<'a> {
    win32: &'a Win32,
    stage: &'a mut Stage,
}

impl Scene<'_> {
    fn address(&self, scheme: &str) -> String {
        self.stage.address_of(scheme)
    }

    /// The Win32 program, which does what it is told.
    fn peer(&mut self) -> Result<Role> {
        let mut command = self.win32.wine.command(&self.win32.sync);
        command.arg(self.stage.name());
        self.stage.start_for_orders(&mut command)
    }

    /// The same as the command that quintet runs; when it answers, quintet has done what comes before that.
    fn peer_under(&mut self, words: &[&str]) -> Result<Role> {
        let mut command = self.quintet(words);
        self.add_peer(&mut command);
        self.stage.start_for_orders(&mut command)
    }

    /// `quintet … -- win32_sync NAME`, where all that the Win32 program is told is known before.
    fn run(&mut self, words: &[&str], orders: &str) -> Result<Role> {
        let mut command = self.quintet(words);
        self.add_peer(&mut command);
        self.stage.start(&mut command, orders.as_bytes())
    }

    /// The Win32 program makes the object, or opens the one that `quintet hold` has made with `options`.
    fn peer_with(&mut self, maker: Maker, scheme: &str, create: &str, options: &[&str]) -> Result<Role> {
        let kind = if scheme == "sem" { "semaphore" } else { scheme };
        match maker {
            Maker::Win32 => {
                let peer = self.peer()?;
                self.ask(peer, &format!("create {kind} {create}"), "created")?;
                Ok(peer)
            }
            Maker::Hold => {
                let address = self.address(scheme);
                let peer = self.peer_under(&[&["hold", &address], options].concat())?;
                self.ask(peer, &format!("open {kind}"), "opened")?;
                Ok(peer)
            }
        }
    }

    fn quintet(&self, words: &[&str]) -> Command {
        let mut command = self.win32.wine.command(&self.win32.quintet);
        command.args(words);
        command
    }

    fn add_peer(&self, command: &mut Command) {
        let peer = windows_path(&self.win32.sync);
        command.args(["--", &peer, self.stage.name()]);
    }

    fn ask(&mut self, peer: Role, order: &str, expected: &str) -> Result<()> {
        self.stage.ask(peer, order, expected)
    }

    fn start(&mut self, words: &[&str]) -> Result<Role> {
        let mut command = self.quintet(words);
        self.stage.start(&mut command, &[])
    }

    /// Runs quintet to its end, which must be a success that writes `expected`.
    fn gives(&mut self, words: &[&str], expected: &str) -> Result<()> {
        let quintet = self.start(words)?;
        self.stage
            .finish_with(quintet, expected.as_bytes())
            .with_context(|| format!("quintet {}", words.join(" ")))
    }

    /// Runs quintet to its end, which must be a failure with this exit code that says `why`.
    fn fails(&mut self, words: &[&str], code: i32, why: &str) -> Result<()> {
        let quintet = self.start(words)?;
        self.stage
            .finish_saying(quintet, code, why)
            .with_context(|| format!("quintet {}", words.join(" ")))
    }

    /// What `quintet stat --json` must say, among others.
    fn stat(&mut self, scheme: &str, field: &str) -> Result<()> {
        let address = self.address(scheme);
        let quintet = self.start(&["stat", "--json", &address])?;
        let written = String::from_utf8(self.stage.finish(quintet)?)?;
        ensure!(written.contains(field), "stat does not say {field}: {written}");
        Ok(())
    }

    /// Starts quintet, which waits, or soon will.
    fn waits(&mut self, scheme: &str) -> Result<Role> {
        let address = self.address(scheme);
        self.start(&["wait", "--timeout", LONG, &address])
    }
}

/// As Wine's Windows sees one of this machine's files.
fn windows_path(path: &Path) -> String {
    format!("Z:{}", path.display()).replace('/', "\\")
}

/// Semaphores, mutexes and events, made by either side and used by both.
pub(super) fn run(win32: &Win32, suite: &mut Suite) {
    let mut case = |title: &str, body: fn(&mut Scene<'_>) -> Result<()>| {
        suite.case(title, |stage| body(&mut Scene { win32, stage }));
    };

    // No quintet here: when this fails, the Win32 side is to blame.
    case("two Win32 programs share a semaphore", semaphore_without_quintet);
    case("two Win32 programs share a mutex", mutex_without_quintet);

    case("a Win32 program's semaphore: `wait` and `release`", |scene| {
        semaphore(scene, Maker::Win32)
    });
    case("`hold sem://`'s semaphore in a Win32 program", |scene| {
        semaphore(scene, Maker::Hold)
    });
    case(
        "`run sem://` takes a permit of a Win32 program's semaphore",
        permit,
    );
    case(
        "a semaphore that `run sem://` makes, in a Win32 program",
        made_by_run,
    );
    case(
        "`run sem://` is killed: its command keeps the permit",
        permit_of_killed,
    );

    case("a Win32 program's mutex: `run mutex://` waits for it", mutex);
    case("a Win32 program waits for `run mutex://`", mutex_of_run);
    case("ExitProcess of a mutex's owner: `run` is told", |scene| {
        abandoned(scene, "exit 7")
    });
    case("TerminateProcess of a mutex's owner: `run` is told", |scene| {
        abandoned(scene, "terminate 7")
    });
    case(
        "`run mutex://` is killed: a Win32 program is told",
        abandoned_by_quintet,
    );

    case(
        "a Win32 program's manual event: `set`, `reset`, `wait`",
        |scene| manual_event(scene, Maker::Win32),
    );
    case("`hold event://`'s manual event in a Win32 program", |scene| {
        manual_event(scene, Maker::Hold)
    });
    case("a Win32 program's automatic event: `set`, `wait`", |scene| {
        auto_event(scene, Maker::Win32)
    });
    case("`hold event://`'s automatic event in a Win32 program", |scene| {
        auto_event(scene, Maker::Hold)
    });

    case("a Win32 program's objects of another kind", other_kinds);
    case("quintet's objects of another kind, to a Win32 program", |scene| {
        let address = scene.address("sem");
        let peer = scene.peer_under(&["hold", &address])?;
        scene.ask(peer, "create mutex free", INVALID_HANDLE)?;
        scene.ask(peer, "open event", INVALID_HANDLE)?;
        scene.ask(peer, "create semaphore 1 3", "there")?;
        scene.stage.dismiss(peer)
    });
    case("an object is there for as long as either side has it", lifetimes);
}

fn semaphore_without_quintet(scene: &mut Scene<'_>) -> Result<()> {
    let [one, two] = [scene.peer()?, scene.peer()?];
    scene.ask(two, "open semaphore", FILE_NOT_FOUND)?;
    scene.ask(one, "create semaphore 1 3", "created")?;
    scene.ask(two, "open semaphore", "opened")?;
    scene.ask(two, "wait 0", "taken")?;
    scene.ask(one, "wait 0", "timeout")?;
    scene.ask(two, "release 3", "0")?;
    scene.ask(one, "release 1", TOO_MANY_POSTS)?;
    scene.stage.dismiss(two)?;
    scene.stage.dismiss(one)
}

fn mutex_without_quintet(scene: &mut Scene<'_>) -> Result<()> {
    let [one, two] = [scene.peer()?, scene.peer()?];
    scene.ask(one, "create mutex owned", "created")?;
    scene.ask(two, "create mutex owned", "there")?;
    scene.ask(two, "wait 0", "timeout")?;
    scene.ask(two, "unlock", NOT_OWNER)?;
    scene.stage.tell(one, "terminate 7")?;
    scene.ask(two, LONG_WAIT, "abandoned")?;
    scene.stage.finish_as(one, 7)?;
    scene.stage.dismiss(two)
}

/// From a count of 1 with a maximum of 3.
fn semaphore(scene: &mut Scene<'_>, maker: Maker) -> Result<()> {
    let address = scene.address("sem");
    let address = address.as_str();
    let peer = scene.peer_with(maker, "sem", "1 3", &["--max", "3", "--count", "1"])?;
    scene.stat("sem", "\"count\": 1")?;
    scene.stat("sem", "\"maximum\": 3")?;

    // Each takes what the other gives.
    scene.gives(&["wait", "-n", address], "")?;
    scene.ask(peer, "wait 0", "timeout")?;
    scene.fails(&["wait", "-n", address], 124, "no permit came free")?;
    let waiter = scene.waits("sem")?;
    scene.ask(peer, "release 1", "0")?;
    scene.stage.finish_with(waiter, &[])?;
    scene.stage.tell(peer, LONG_WAIT)?;
    scene.gives(&["release", address], "0\n")?;
    scene.stage.answer(peer, "taken")?;

    // Both count the same, and neither passes the maximum.
    scene.gives(&["release", address, "2"], "0\n")?;
    scene.ask(peer, "release 2", TOO_MANY_POSTS)?;
    scene.ask(peer, "release 1", "2")?;
    scene.fails(&["release", address], 1, "maximum of 3")?;
    for _ in 0..3 {
        scene.ask(peer, "wait 0", "taken")?;
    }
    scene.ask(peer, "wait 0", "timeout")?;
    scene.stage.dismiss(peer)
}

fn permit(scene: &mut Scene<'_>) -> Result<()> {
    let address = scene.address("sem");
    let address = address.as_str();
    let owner = scene.peer()?;
    scene.ask(owner, "create semaphore 1 3", "created")?;
    // What is not so is not promised.
    let other = scene.run(&["run", address, "--max", "2"], "")?;
    scene.stage.finish_saying(other, 125, "max 3")?;

    let command = scene.peer_under(&["run", address, "--max", "3"])?;
    scene.ask(command, "open semaphore", "opened")?;
    scene.ask(command, "wait 0", "timeout")?;
    let late = scene.run(&["run", "-n", address], "open semaphore\n")?;
    scene.stage.finish_saying(late, 124, "no permit came free")?;
    scene.stage.dismiss(command)?;
    scene.ask(owner, "release 2", "1")?;
    scene.stage.dismiss(owner)
}

fn made_by_run(scene: &mut Scene<'_>) -> Result<()> {
    let address = scene.address("sem");
    let command = scene.peer_under(&["run", &address, "--max", "2"])?;
    scene.ask(command, "open semaphore", "opened")?;
    let other = scene.peer()?;
    scene.ask(other, "create semaphore 9 9", "there")?;
    scene.ask(command, "wait 0", "taken")?;
    scene.ask(other, "wait 0", "timeout")?;
    scene.ask(other, "release 3", TOO_MANY_POSTS)?;
    scene.ask(other, "release 1", "0")?;
    scene.stage.dismiss(command)?;
    // What `run` had taken has come back.
    scene.ask(other, "wait 0", "taken")?;
    scene.ask(other, "wait 0", "taken")?;
    scene.ask(other, "wait 0", "timeout")?;
    scene.stage.dismiss(other)
}

fn permit_of_killed(scene: &mut Scene<'_>) -> Result<()> {
    let address = scene.address("sem");
    let address = address.as_str();
    // `hold` remembers what the killed one held; a Win32 program alone would keep the semaphore, and not that.
    let owner = scene.peer_with(Maker::Hold, "sem", "1 1", &["--max", "1"])?;
    let command = scene.peer_under(&["run", address])?;
    scene.ask(command, "open semaphore", "opened")?;
    scene.stage.kill(command)?;
    scene.fails(&["wait", "-n", address], 124, "no permit came free")?;
    scene.ask(owner, "wait 0", "timeout")?;
    // The command ends, and who waits through quintet gets the permit. The kernel would not give it back.
    scene.stage.end_orders(command);
    let told = scene.run(&["run", "--timeout", LONG, "--abandoned", "fail", address], "")?;
    scene
        .stage
        .finish_saying(told, 125, "its last holder was killed")?;
    scene.gives(&["wait", "--timeout", LONG, address], "")?;
    scene.ask(owner, "release 1", "0")?;
    scene.stage.dismiss(owner)
}

fn mutex(scene: &mut Scene<'_>) -> Result<()> {
    let address = scene.address("mutex");
    let address = address.as_str();
    let owner = scene.peer()?;
    scene.ask(owner, "create mutex owned", "created")?;
    scene.stat("mutex", "\"locked\": true")?;
    let orders = "open mutex\nwait 0\n";
    let none = scene.run(&["run", "-n", address], orders)?;
    scene.stage.finish_saying(none, 124, "was not unlocked")?;
    let none = scene.run(&["run", "--timeout", "20ms", address], orders)?;
    scene.stage.finish_saying(none, 124, "was not unlocked")?;

    let waiter = scene.run(
        &["run", "--timeout", LONG, "--abandoned", "fail", address],
        orders,
    )?;
    scene.ask(owner, "unlock", "done")?;
    scene.stage.finish_with(waiter, b"opened\ntimeout\n")?;
    scene.ask(owner, "wait 0", "taken")?;
    scene.ask(owner, "unlock", "done")?;
    scene.stat("mutex", "\"locked\": false")?;
    scene.stage.dismiss(owner)
}

fn mutex_of_run(scene: &mut Scene<'_>) -> Result<()> {
    let address = scene.address("mutex");
    let command = scene.peer_under(&["run", &address])?;
    scene.ask(command, "open mutex", "opened")?;
    let other = scene.peer()?;
    scene.ask(other, "create mutex owned", "there")?;
    for peer in [command, other] {
        scene.ask(peer, "wait 0", "timeout")?;
        scene.ask(peer, "unlock", NOT_OWNER)?;
    }
    scene.stage.tell(other, LONG_WAIT)?;
    scene.stage.dismiss(command)?;
    scene.stage.answer(other, "taken")?;
    scene.stage.dismiss(other)
}

/// The owner ends by `order`, while another program has the mutex open.
fn abandoned(scene: &mut Scene<'_>, order: &str) -> Result<()> {
    const WHY: &str = "its last holder was killed";
    let address = scene.address("mutex");
    let address = address.as_str();
    let [owner, other] = [scene.peer()?, scene.peer()?];
    scene.ask(owner, "create mutex owned", "created")?;
    scene.ask(other, "open mutex", "opened")?;
    let careful = ["run", "--timeout", LONG, "--abandoned", "fail", address];
    let orders = "open mutex\nwait 0\n";

    // One that waits, or soon will; then one that comes later.
    let waiter = scene.run(&careful, orders)?;
    scene.stage.tell(owner, order)?;
    scene.stage.finish_as(owner, 7)?;
    scene.stage.finish_saying(waiter, 125, WHY)?;
    let told = scene.run(&careful, orders)?;
    scene.stage.finish_saying(told, 125, WHY)?;
    // It was given back so that a Win32 program is told too. Then all is in order.
    scene.ask(other, LONG_WAIT, "abandoned")?;
    scene.ask(other, "unlock", "done")?;
    let run = scene.run(&careful, orders)?;
    scene.stage.finish_with(run, b"opened\ntimeout\n")?;

    // Once more, with one who goes on in spite of it.
    let owner = scene.peer()?;
    scene.ask(owner, "open mutex", "opened")?;
    scene.ask(owner, "wait 0", "taken")?;
    scene.stage.tell(owner, order)?;
    scene.stage.finish_as(owner, 7)?;
    let run = scene.run(&["run", "--timeout", LONG, address], "exit 5\n")?;
    scene.stage.finish_saying(run, 5, WHY)?;
    scene.ask(other, "wait 0", "taken")?;
    scene.stage.dismiss(other)
}

fn abandoned_by_quintet(scene: &mut Scene<'_>) -> Result<()> {
    let address = scene.address("mutex");
    let command = scene.peer_under(&["run", &address])?;
    scene.ask(command, "open mutex", "opened")?;
    let other = scene.peer()?;
    scene.ask(other, "open mutex", "opened")?;
    scene.ask(other, "wait 0", "timeout")?;
    scene.stage.kill(command)?;
    scene.ask(other, LONG_WAIT, "abandoned")?;
    scene.ask(other, "unlock", "done")?;
    scene.stage.dismiss(other)
}

fn manual_event(scene: &mut Scene<'_>, maker: Maker) -> Result<()> {
    let address = scene.address("event");
    let address = address.as_str();
    let peer = scene.peer_with(maker, "event", "manual", &["--reset", "manual"])?;
    scene.stat("event", "\"reset\": \"manual\"")?;
    scene.ask(peer, "wait 0", "timeout")?;
    scene.fails(&["wait", "-n", address], 124, "was not set")?;

    // Set by quintet, for all, until quintet resets it.
    scene.stage.tell(peer, LONG_WAIT)?;
    scene.gives(&["set", address], "")?;
    scene.stage.answer(peer, "taken")?;
    scene.ask(peer, "wait 0", "taken")?;
    scene.gives(&["reset", address], "")?;
    scene.ask(peer, "wait 0", "timeout")?;

    // The other way round.
    let waiter = scene.waits("event")?;
    scene.ask(peer, "set", "done")?;
    scene.stage.finish_with(waiter, &[])?;
    scene.gives(&["wait", "-n", address], "")?;
    scene.stat("event", "\"set\": true")?;
    scene.ask(peer, "reset", "done")?;
    scene.fails(&["wait", "-n", address], 124, "was not set")?;
    scene.stage.dismiss(peer)
}

fn auto_event(scene: &mut Scene<'_>, maker: Maker) -> Result<()> {
    let address = scene.address("event");
    let address = address.as_str();
    let peer = scene.peer_with(maker, "event", "auto", &["--reset", "auto"])?;
    scene.stat("event", "\"reset\": \"auto\"")?;

    // Set by either, for one of them.
    scene.stage.tell(peer, LONG_WAIT)?;
    scene.gives(&["set", address], "")?;
    scene.stage.answer(peer, "taken")?;
    scene.ask(peer, "wait 0", "timeout")?;
    let waiter = scene.waits("event")?;
    scene.ask(peer, "set", "done")?;
    scene.stage.finish_with(waiter, &[])?;
    scene.fails(&["wait", "-n", address], 124, "was not set")?;

    scene.gives(&["set", address], "")?;
    scene.ask(peer, "reset", "done")?;
    scene.fails(&["wait", "-n", address], 124, "was not set")?;
    scene.ask(peer, "set", "done")?;
    scene.gives(&["reset", address], "")?;
    scene.ask(peer, "wait 0", "timeout")?;
    scene.stage.dismiss(peer)
}

fn other_kinds(scene: &mut Scene<'_>) -> Result<()> {
    const WHY: &str = "another kind of object";
    let [sem, mutex, event] = ["sem", "mutex", "event"].map(|scheme| scene.address(scheme));
    let peer = scene.peer()?;
    scene.ask(peer, "create mutex free", "created")?;
    scene.fails(&["wait", &sem], 1, WHY)?;
    scene.fails(&["release", &sem], 1, WHY)?;
    scene.fails(&["set", &event], 1, WHY)?;
    scene.fails(&["hold", &event], 1, WHY)?;
    scene.fails(&["stat", &sem], 1, WHY)?;
    let run = scene.run(&["run", &sem], "open mutex\n")?;
    scene.stage.finish_saying(run, 125, WHY)?;
    scene.ask(peer, "close", "done")?;
    scene.ask(peer, "create event auto", "created")?;
    let run = scene.run(&["run", &mutex], "open event\n")?;
    scene.stage.finish_saying(run, 125, WHY)?;
    scene.stage.dismiss(peer)
}

fn lifetimes(scene: &mut Scene<'_>) -> Result<()> {
    let address = scene.address("sem");
    let address = address.as_str();
    let peer = scene.peer()?;
    scene.fails(&["wait", address], 1, "there is none")?;
    // `hold` goes, and what it made stays with the Win32 program: a `wait` for it leaves it there too.
    let held = scene.peer_under(&["hold", address, "--max", "3", "--count", "0"])?;
    scene.ask(held, "open semaphore", "opened")?;
    scene.ask(peer, "open semaphore", "opened")?;
    scene.stage.dismiss(held)?;
    scene.ask(peer, "release 2", "0")?;
    scene.gives(&["wait", "-n", address], "")?;
    scene.ask(peer, "release 1", "1")?;
    scene.ask(peer, "close", "done")?;
    scene.ask(peer, "open semaphore", FILE_NOT_FOUND)?;
    scene.fails(&["wait", address], 1, "there is none")?;
    scene.stage.dismiss(peer)
}
