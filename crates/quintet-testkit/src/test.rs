//! One test, from its first line to its last.

use std::env;
use std::fs;
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::eventually::within;
use crate::peer::Peer;
use crate::process::{self, Process};
use crate::tag::Tag;
use crate::watch_list::WatchList;
use crate::watchdog::Watchdog;
use crate::watched::Watched;
use crate::{leaks, os, role, settings, wire};

const DEADLINE: Duration = Duration::from_secs(60);
/// How long something may still be there that is about to go, such as files of a child's child that is ending.
const VANISHING: Duration = Duration::from_secs(1);

/// What a test has: unique names, peers, and a watchdog. Its first line is `let t = quintet_testkit::start();`, and
/// the end of it, where `t` is dropped, makes sure that nothing is left.
///
/// At the end all processes of the test are ended. If it has not failed already, it fails when
/// - its deadline had passed,
/// - a peer had panicked and nobody noticed,
/// - a file with the test's tag is still there ([`Test::leaks`]).
///
/// If it has failed, what its processes said and wrote is printed with the failure.
#[derive(Debug)]
pub struct Test {
    tag: Tag,
    list: Arc<WatchList>,
    watchdog: Watchdog,
    thread: ThreadId,
    folders: Mutex<Vec<PathBuf>>,
    allowed: Mutex<Vec<PathBuf>>,
    #[cfg(target_os = "linux")]
    pub(crate) readable_binary: std::sync::OnceLock<PathBuf>,
}

/// Starts a test that takes at most a minute.
#[track_caller]
pub fn start() -> Test {
    start_with_deadline(DEADLINE)
}

/// Starts a test that takes at most this long (times `QUINTET_TEST_SLOW`).
#[track_caller]
pub fn start_with_deadline(deadline: Duration) -> Test {
    let list = Arc::new(WatchList::new(title(Location::caller())));
    Test {
        tag: Tag::new(),
        watchdog: Watchdog::start(Arc::clone(&list), deadline),
        list,
        thread: thread::current().id(),
        folders: Mutex::default(),
        allowed: Mutex::default(),
        #[cfg(target_os = "linux")]
        readable_binary: std::sync::OnceLock::new(),
    }
}

impl Test {
    /// A name that no other test has, in this run or any other, and that this call alone gives: at most 40 bytes of
    /// `[a-z0-9-]`. `label` is for the reader.
    pub fn name(&self, label: &str) -> String {
        self.tag.name(label)
    }

    /// What all names of this test contain, and those of no other.
    pub fn tag(&self) -> &str {
        self.tag.as_str()
    }

    /// A new, empty folder; it is removed at the end of the test with all that is in it.
    pub fn temp_dir(&self) -> PathBuf {
        let path = env::temp_dir().join(self.name("dir"));
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.folders.lock().unwrap().push(path.clone());
        path
    }

    /// Starts another process that plays a role of this test file, and waits until the role runs.
    #[track_caller]
    pub fn spawn(&self, role: &str, args: &[&str]) -> Peer {
        self.spawn_with(role, args, |_| {})
    }

    /// As [`Test::spawn`], with a change to the command that starts the process: its environment, its user, or
    /// another program altogether that runs it (see [`wrapped`]).
    #[track_caller]
    pub fn spawn_with(&self, role: &str, args: &[&str], change: impl FnOnce(&mut Command)) -> Peer {
        let mut command = Self::peer_command(role, args);
        change(&mut command);
        match self.try_spawn(role, command) {
            Ok(peer) => peer,
            Err(error) => panic!("cannot start the role {role}: {error}"),
        }
    }

    /// As [`Test::spawn`], started by `start` in place of [`Command::spawn`]: by a function that is itself under test.
    #[track_caller]
    pub fn spawn_through(
        &self,
        role: &str,
        args: &[&str],
        start: impl FnOnce(&mut Command) -> io::Result<Child>,
    ) -> Peer {
        let mut command = Self::peer_command(role, args);
        process::pipe_all(&mut command);
        match start(&mut command) {
            Ok(child) => Peer::new(self.watch(role, child, true)),
            Err(error) => panic!("cannot start the role {role}: {error}"),
        }
    }

    #[track_caller]
    pub(crate) fn try_spawn(&self, role: &str, mut command: Command) -> io::Result<Peer> {
        process::pipe_all(&mut command);
        if self.is_on_its_thread() {
            command.env(role::TIED, "1");
        }
        let child = os::spawn(&mut command)?;
        Ok(Peer::new(self.watch(role, child, true)))
    }

    /// The command that starts this test binary as a peer. It is what [`Test::spawn`] uses; by itself it is for
    /// programs that start programs.
    pub fn peer_command(role: &str, args: &[&str]) -> Command {
        let binary = env::current_exe().expect("a test binary knows its path");
        let mut command = Command::new(binary);
        command
            .args(["--exact", "peer_process", "--nocapture", "--test-threads=1"])
            .env(role::ROLE, role)
            .env(role::ARGS, wire::join(args))
            .env_remove(role::TIED)
            .env_remove(role::DEAF);
        command
    }

    /// As [`peer_command`](Self::peer_command), for a role that starts a child which has the same stdin: the child ends when
    /// that does, and does not take away what the role is told.
    pub fn deaf_peer_command(role: &str) -> Command {
        let mut command = Self::peer_command(role, &[]);
        command.env(role::DEAF, "1");
        command
    }

    /// Starts any program. Its stdin is a pipe that stays open until [`Process::take_stdin`] or
    /// [`Process::wait_output`]; its output is collected.
    #[track_caller]
    pub fn start_command(&self, command: &mut Command) -> Process {
        process::pipe_all(command);
        if self.is_on_its_thread() {
            os::tie_to_us(command);
        }
        let name = command.get_program().to_string_lossy().into_owned();
        match os::spawn(command) {
            Ok(child) => self.watch(&name, child, false),
            Err(error) => panic!("cannot start {name}: {error}"),
        }
    }

    /// Runs any program with no input, and returns what it wrote. The watchdog ends it if it hangs.
    #[track_caller]
    pub fn run(&self, command: &mut Command) -> Output {
        self.run_with_input(command, b"")
    }

    /// Runs any program with this input, and returns what it wrote.
    #[track_caller]
    pub fn run_with_input(&self, command: &mut Command, input: &[u8]) -> Output {
        let mut process = self.start_command(command);
        if let Some(mut stdin) = process.take_stdin() {
            // A program need not read its input, and may have ended.
            let _ = io::Write::write_all(&mut stdin, input);
        }
        process.wait_output()
    }

    /// Takes over a child that was started otherwise. Its streams are collected if they are pipes that are still there:
    /// take out of the `Child` first what the test wants for itself.
    #[track_caller]
    pub fn watch_child(&self, name: &str, child: Child) -> Process {
        self.watch(name, child, false)
    }

    #[track_caller]
    fn watch(&self, name: &str, child: Child, is_role: bool) -> Process {
        os::adopt(&child);
        let watched = Arc::new(Watched::new(name.to_owned(), child));
        let is_in_time = self.list.add(Arc::clone(&watched));
        let process = Process::new(watched, is_role);
        assert!(is_in_time, "{}: the deadline has passed", self.list.title);
        process
    }

    /// The files with this test's tag that are there now: named objects that were not removed, temporary files, and
    /// registrations in a runtime folder.
    pub fn leaks(&self) -> Vec<PathBuf> {
        leaks::find(self.tag())
    }

    /// Gives the test this long from now (times `QUINTET_TEST_SLOW`), whatever its deadline was.
    pub fn set_deadline(&self, from_now: Duration) {
        self.watchdog.restart(from_now);
    }

    /// Says that this file may be there at the end, as what was held by a process that was killed: it is removed then
    /// if it is. On the command line, that is what `quintet doctor` is for.
    pub fn allow_leak(&self, path: impl AsRef<Path>) {
        self.allowed.lock().unwrap().push(path.as_ref().to_owned());
    }

    /// Linux can end a process with the *thread* that started it. That is of use when the thread outlives the test.
    fn is_on_its_thread(&self) -> bool {
        thread::current().id() == self.thread
    }

    fn remove_folders(&self) -> Option<String> {
        let mut problems = Vec::new();
        for folder in self.folders.lock().unwrap().drain(..) {
            let mut result = Ok(());
            // On Windows a file stays for a moment after its last user has ended.
            within(VANISHING, || {
                result = leaks::remove_any(&folder);
                match &result {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => None,
                    _ => Some(()),
                }
            });
            match result {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    problems.push(format!("{}: {error}", folder.display()));
                }
                _ => {}
            }
        }
        (!problems.is_empty()).then(|| format!("cannot remove its folders: {}", problems.join("; ")))
    }

    fn judge_leaks(&self) -> Option<String> {
        let allowed = self.allowed.lock().unwrap();
        for path in allowed.iter() {
            // It may be there: that is all that was said.
            let _ = leaks::remove_any(path);
        }
        let mut left = Vec::new();
        within(VANISHING, || {
            left = self.leaks();
            left.is_empty().then_some(())
        });
        leaks::remove(&left, self.tag());
        let lines: String = left
            .iter()
            .map(|path| format!("\n  {}", path.display()))
            .collect();
        (!left.is_empty()).then(|| format!("it left behind{lines}"))
    }

    fn judge_peers(&self) -> Vec<String> {
        let list = self.list.all();
        let panicked = list.iter().filter(|process| process.panicked_unnoticed());
        panicked
            .map(|process| {
                format!(
                    "a role panicked, and the test did not notice\n{}",
                    process.describe()
                )
            })
            .collect()
    }
}

impl Drop for Test {
    fn drop(&mut self) {
        let has_failed = thread::panicking();
        if has_failed {
            for process in self.list.all() {
                eprint!("{}", process.describe());
            }
        }
        let mut problems = self.judge_peers();
        self.list.kill_all();
        self.watchdog.stop();
        if has_failed {
            if settings::keep_files() {
                eprintln!("kept: {:?}", self.leaks());
            } else {
                self.remove_folders();
                leaks::remove(&self.leaks(), self.tag());
            }
            return;
        }
        if self.list.has_expired() {
            problems.push("its deadline has passed".to_owned());
        }
        problems.extend(self.remove_folders());
        problems.extend(self.judge_leaks());
        if !problems.is_empty() {
            panic!("{}: {}", self.list.title, problems.join("\n"));
        }
    }
}

/// The command that runs `command` by another program, such as `setpriv`: `program`, `args`, and then the old program
/// and its arguments; environment and working folder are kept.
///
/// ```no_run
/// # use quintet_testkit::wrapped;
/// # let t = quintet_testkit::start();
/// let peer = t.spawn_with("reader", &[], |command| {
///     *command = wrapped(command, "setpriv", &["--no-new-privs"]);
/// });
/// ```
pub fn wrapped(command: &Command, program: &str, args: &[&str]) -> Command {
    let mut wrapper = Command::new(program);
    wrapper
        .args(args)
        .arg(command.get_program())
        .args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => wrapper.env(key, value),
            None => wrapper.env_remove(key),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        wrapper.current_dir(folder);
    }
    wrapper
}

/// How a report calls this test: the harness names its threads for their tests.
fn title(location: &Location<'_>) -> String {
    let thread = thread::current();
    let name = match env::var(role::ROLE) {
        Ok(role) => format!("the role {role}"),
        Err(_) => thread.name().unwrap_or("a test").to_owned(),
    };
    format!("{name} ({}:{})", location.file(), location.line())
}
