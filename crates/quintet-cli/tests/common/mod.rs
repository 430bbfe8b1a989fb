//! What the tests of the command share.
#![allow(dead_code, reason = "each test file needs its own part")]

use quintet_testkit::{Process, Test, loopback};
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The command, to be run with these arguments.
pub(crate) fn quintet(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quintet"));
    command.args(args);
    command
}

/// A pipe that nobody else uses.
pub(crate) fn pipe(t: &Test) -> String {
    format!("pipe://{}", t.name("pipe"))
}

/// A TCP port that the system chooses, at an address that is this call's alone.
pub(crate) fn any_port() -> String {
    format!("tcp://{}:0", loopback())
}

/// Runs the command to its end.
#[track_caller]
pub(crate) fn run(t: &Test, args: &[&str]) -> Output {
    t.run(&mut quintet(args))
}

/// Runs the command to its end with something on its standard input.
#[track_caller]
pub(crate) fn run_with_input(t: &Test, args: &[&str], input: impl AsRef<[u8]>) -> Output {
    t.run_with_input(&mut quintet(args), input.as_ref())
}

/// Runs the command with a standard output, or standard error, that nobody reads.
pub(crate) fn unread(t: &Test, args: &[&str], change: impl FnOnce(&mut Command, Stdio)) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = quintet(args);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    change(&mut command, writer.into());
    let child = command.spawn().unwrap();
    t.watch_child("quintet", child).wait_output()
}

/// Starts the command, its standard input left open.
#[track_caller]
pub(crate) fn start(t: &Test, args: &[&str]) -> Process {
    t.start_command(&mut quintet(args))
}

/// Starts `send --lines`; what is written to the result is its input.
pub(crate) fn start_sender(t: &Test, args: &[&str]) -> Sender {
    let mut process = start(t, &[&["send", "--lines"], args].concat());
    let stdin = process.take_stdin();
    Sender { process, stdin }
}

/// A client that sends what it is told, when it is told.
pub(crate) struct Sender {
    pub(crate) process: Process,
    stdin: Option<std::process::ChildStdin>,
}

impl Sender {
    #[track_caller]
    pub(crate) fn line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("its input is open");
        writeln!(stdin, "{line}").expect("it reads");
    }

    /// Ends its input, and waits until it has sent everything.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        self.stdin = None;
        self.process.wait_output().succeeded();
    }
}

/// The command that has a shell run this; what is in it has to mean the same in both systems' shells.
pub(crate) fn shell(script: &str) -> [&str; 3] {
    if cfg!(windows) {
        ["cmd", "/C", script]
    } else {
        ["sh", "-c", script]
    }
}

/// What a command prints, which is JSON.
#[track_caller]
pub(crate) fn json(t: &Test, args: &[&str]) -> serde_json::Value {
    let printed = run(t, args).succeeded();
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// This object in what `ls --json` prints; there may be others, of other tests.
#[track_caller]
pub(crate) fn listed(t: &Test, args: &[&str], address: &str) -> Option<serde_json::Value> {
    let list = json(t, args);
    let list = list.as_array().expect("an array");
    list.iter().find(|object| object["address"] == address).cloned()
}

/// Nothing of this test is left.
#[track_caller]
pub(crate) fn nothing_is_left(t: &Test) {
    assert_eq!(t.leaks(), Vec::<std::path::PathBuf>::new());
}

/// Ends a server as its user would, so that nothing is left of it.
#[track_caller]
pub(crate) fn interrupt(process: Process) -> Output {
    #[cfg(target_os = "linux")]
    {
        process.signal(SIGINT);
        let output = process.wait_output();
        output.failed(130);
        output
    }
    // On Windows the kernel takes back what it held.
    #[cfg(not(target_os = "linux"))]
    {
        let mut process = process;
        process.kill();
        process.wait_output()
    }
}

pub(crate) const SIGHUP: i32 = 1;
pub(crate) const SIGINT: i32 = 2;
pub(crate) const SIGQUIT: i32 = 3;
pub(crate) const SIGUSR1: i32 = 10;
pub(crate) const SIGUSR2: i32 = 12;
pub(crate) const SIGTERM: i32 = 15;

/// What tests want to know of a run.
pub(crate) trait Outcome {
    fn errors(&self) -> String;
    /// It ended with 0 and had nothing to complain about: what it wrote.
    #[track_caller]
    fn succeeded(self) -> String;
    /// As `succeeded`, and it wrote this.
    #[track_caller]
    fn succeeded_with(self, text: &str);
    /// It ended with this code: what it said about it.
    #[track_caller]
    fn failed(&self, code: i32) -> String;
}

impl Outcome for Output {
    fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    fn succeeded(self) -> String {
        let errors = self.errors();
        assert!(
            self.status.success() && errors.is_empty(),
            "{}: {errors}",
            self.status
        );
        String::from_utf8(self.stdout).expect("text")
    }

    fn succeeded_with(self, text: &str) {
        assert_eq!(self.succeeded(), text);
    }

    fn failed(&self, code: i32) -> String {
        let errors = self.errors();
        assert_eq!(self.status.code(), Some(code), "{}: {errors}", self.status);
        assert!(
            !errors.contains("panicked") && !errors.contains("backtrace"),
            "{errors}"
        );
        errors
    }
}

/// Whether every one of the words is in the text; if not, the text is the failure.
#[track_caller]
pub(crate) fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

/// A copy of the command that another user may run; `None` where nobody else can be.
#[cfg(target_os = "linux")]
pub(crate) fn for_nobody(t: &Test) -> Option<std::path::PathBuf> {
    let can = t.run(Command::new("setpriv").args(["--reuid=65534", "--clear-groups", "true"]));
    if !can.status.success() {
        return None;
    }
    let folder = t.temp_dir();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&folder, open).unwrap();
    let program = folder.join("quintet");
    // By another process: while this one had it open to write, a child of another test's could have it open as well, and
    // nobody can run what is open to be written.
    t.run(
        Command::new("install")
            .args(["-m", "755", env!("CARGO_BIN_EXE_quintet")])
            .arg(&program),
    )
    .succeeded();
    Some(program)
}

/// That command, to be run by another user.
#[cfg(target_os = "linux")]
pub(crate) fn as_nobody(program: &std::path::Path, args: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program)
        .args(args);
    command
}
