//! What a person sees at a terminal, and a program does not.
#![cfg(target_os = "linux")]

mod common;

use common::*;
use quintet_testkit::{Process, Test, start as start_test};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

/// A program at a terminal of its own.
struct Terminal {
    process: Process,
    screen: File,
    seen: String,
}

impl Terminal {
    /// Starts the command with all three streams at a terminal.
    fn start(t: &Test, args: &[&str]) -> Self {
        Terminal::start_command(t, quintet(args))
    }

    fn start_command(t: &Test, mut command: Command) -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let path = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
        let end = || Stdio::from(File::options().read(true).write(true).open(&path).unwrap());
        command
            .env("TERM", "xterm")
            .stdin(end())
            .stdout(end())
            .stderr(end());
        let child = command.spawn().unwrap();
        Terminal {
            process: t.watch_child("quintet", child),
            screen: File::from(screen),
            seen: String::new(),
        }
    }

    /// Reads on until this is on the screen.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        while !self.seen.contains(text) {
            assert!(self.read(), "no {text:?} in: {}", self.seen);
        }
    }

    fn read(&mut self) -> bool {
        let mut piece = [0; 4096];
        // When the last program at the terminal has ended, reading fails.
        match self.screen.read(&mut piece) {
            Ok(0) | Err(_) => false,
            Ok(len) => {
                self.seen += &String::from_utf8_lossy(&piece[..len]);
                true
            }
        }
    }

    /// All that was seen when the program has ended, by itself and well.
    #[track_caller]
    fn finish(mut self) -> String {
        while self.read() {}
        assert!(self.process.wait_exit().success(), "{}", self.seen);
        self.seen
    }
}

/// A file that is worth a progress bar, with nothing in it.
fn large_file(t: &Test) -> String {
    let path = t.temp_dir().join("large");
    File::create(&path).unwrap().set_len(32 << 20).unwrap();
    path.to_str().unwrap().to_string()
}

#[test]
fn records_are_quoted_at_a_terminal() {
    let t = start_test();
    let address = pipe(&t);
    let mut server = Terminal::start(&t, &["recv", &address]);
    server.wait_for(&format!("listening at {address}"));
    run(&t, &["send", &address, "hello\u{1b}[31m\n成功"]).succeeded();
    let seen = server.finish();
    says(&seen, &["\"hello\\u{1b}[31m\\n成功\"\r\n"]);
    assert!(!seen.contains('\u{1b}'), "{seen:?}");
}

#[test]
fn memory_is_quoted_at_a_terminal() {
    let t = start_test();
    let memory = quintet::shm::SharedMemory::create_new(&*t.name("shm"), 8).unwrap();
    memory.write_at(0, b"a\x1b[m\n").unwrap();
    let address = memory.address().unwrap().to_string();
    let seen = Terminal::start(&t, &["read", &address]).finish();
    assert_eq!(seen, "\"a\\u{1b}[m\\n\\0\\0\\0\"\r\n");
}

#[test]
fn who_waits_is_told_so() {
    let t = start_test();
    let address = pipe(&t);
    let mut client = Terminal::start(&t, &["recv", "--connect", &address]);
    client.wait_for(&format!("waiting for {address}"));
    run(&t, &["send", "--listen", &address, "hello"]).succeeded();
    says(&client.finish(), &["\"hello\""]);
}

#[test]
fn who_waits_for_the_first_value_is_told_so() {
    let t = start_test();
    let mailbox = quintet::shm::Mailbox::create_new(&*t.name("mailbox")).unwrap();
    let address = mailbox.address().to_string();
    let mut reader = Terminal::start(&t, &["read", "--count", "1", &address]);
    reader.wait_for(&format!("waiting for {address}"));
    run(&t, &["write", &address, "hello"]).succeeded_with("");
    says(&reader.finish(), &["\"hello\""]);
}

#[test]
fn what_is_typed_is_sent() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["recv", "--lines", &address]);
    let mut client = Terminal::start(&t, &["send", &address]);
    client.wait_for("sending what is typed here");
    std::io::Write::write_all(&mut client.screen, b"hello\n").unwrap();
    server.wait_for_stdout("hello\n");
    // Ctrl-D.
    std::io::Write::write_all(&mut client.screen, b"\x04").unwrap();
    client.finish();
    assert_eq!(server.wait_output().succeeded(), "hello\n");
}

#[test]
fn a_large_file_has_a_progress_bar() {
    let t = start_test();
    let (address, file) = (pipe(&t), large_file(&t));
    let copy = t.temp_dir().join("copy");
    let mut server = Terminal::start(&t, &["recv", "--file", copy.to_str().unwrap(), &address]);
    server.wait_for("listening");
    let client = Terminal::start(&t, &["send", "--file", &file, &address]);
    says(&client.finish(), &["of 32.00 MiB", "MiB/s", "left"]);
    says(&server.finish(), &["MiB/s"]);
    assert_eq!(copy.metadata().unwrap().len(), 32 << 20);
}

#[test]
fn there_is_no_progress_bar_for_what_is_over_at_once() {
    let t = start_test();
    let address = pipe(&t);
    let file = t.temp_dir().join("small");
    std::fs::write(&file, "small").unwrap();
    let server = start(&t, &["recv", &address]);
    let client = Terminal::start(&t, &["send", "--file", file.to_str().unwrap(), &address]);
    assert_eq!(client.finish(), "");
    server.wait_output().succeeded();
}

#[test]
fn programs_are_told_nothing() {
    let t = start_test();
    let (address, file) = (pipe(&t), large_file(&t));
    let server = start(&t, &["recv", "--file", "/dev/null", &address]);
    assert_eq!(run(&t, &["send", "--file", &file, &address]).succeeded(), "");
    assert_eq!(server.wait_output().succeeded(), "");
}

#[test]
fn an_interrupt_at_the_terminal_leaves_nothing() {
    let t = start_test();
    let address = pipe(&t);
    let mut server = Terminal::start(&t, &["recv", &address]);
    server.wait_for("listening");
    server.process.signal(SIGINT);
    assert_eq!(server.process.wait_exit().code(), Some(130));
    assert_eq!(t.leaks(), Vec::<std::path::PathBuf>::new());
}

/// `run` of a shell that does this and then waits for ever, in a session of its own: its terminal's keys are signals.
fn session(mutex: &str, script: &str) -> Command {
    let mut command = Command::new("setsid");
    command.args(["--ctty", env!("CARGO_BIN_EXE_quintet"), "run", mutex, "--"]);
    command.args(["sh", "-c", &format!("{script}; echo ready; while :; do :; done")]);
    command
}

#[test]
fn ctrl_c_reaches_the_command_once() {
    let t = start_test();
    let mutex = format!("mutex://{}", t.name("mutex"));
    let command = session(
        &mutex,
        "trap 'n=$((n+1)); echo int $n' INT; trap 'echo term $n; exit 5' TERM",
    );
    let mut terminal = Terminal::start_command(&t, command);
    terminal.wait_for("ready");
    for count in 1..=3 {
        std::io::Write::write_all(&mut terminal.screen, b"\x03").unwrap();
        terminal.wait_for(&format!("int {count}"));
    }
    // The same signal from elsewhere would be lost in one that quintet has not looked at yet.
    let status = format!("/proc/{}/status", terminal.process.pid());
    quintet_testkit::eventually("quintet has seen them all", || {
        let status = std::fs::read_to_string(&status).unwrap();
        let pending = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"));
        pending.unwrap().trim().bytes().all(|digit| digit == b'0')
    });
    // What another process sends is passed on.
    terminal.process.signal(SIGINT);
    terminal.wait_for("int 4");
    terminal.process.signal(SIGTERM);
    terminal.wait_for("term 4");
    while terminal.read() {}
    assert_eq!(terminal.process.wait_exit().code(), Some(5));
}

#[test]
fn a_terminal_that_is_closed_ends_the_command() {
    let t = start_test();
    let mutex = format!("mutex://{}", t.name("mutex"));
    let mut terminal = Terminal::start_command(&t, session(&mutex, "trap 'exit 6' HUP"));
    terminal.wait_for("ready");
    drop(terminal.screen);
    // The kernel tells the leader of the session, which is quintet.
    assert_eq!(terminal.process.wait_exit().code(), Some(6));
}

#[test]
fn who_waits_for_a_lock_is_told_who_has_it() {
    let t = start_test();
    let mutex = quintet::sync::Mutex::create_new(&*t.name("mutex")).unwrap();
    let guard = mutex.lock().unwrap();
    let address = mutex.address().to_string();
    let mut waiter = Terminal::start(&t, &["run", &address, "--", "true"]);
    waiter.wait_for(&format!(
        "waiting for {address}, taken by pid {}",
        std::process::id()
    ));
    drop(guard);
    waiter.finish();
    let mut holder = Terminal::start(&t, &["hold", &address]);
    holder.wait_for(&format!("holding {address} (Ctrl-C to stop)"));
    holder.process.signal(SIGINT);
    assert_eq!(holder.process.wait_exit().code(), Some(130));
}

#[test]
fn a_picture_is_not_printed_on_a_terminal() {
    let t = start_test();
    let memory = quintet::shm::SharedMemory::create_new(&*t.name("shm"), 4096).unwrap();
    let address = memory.address().unwrap().to_string();
    for file in [&[][..], &["-o", "-"]] {
        let args = ["read", &address, "--image", "8x8:gray8"];
        let mut terminal = Terminal::start(&t, &[&args, file].concat());
        terminal.wait_for("nothing for a terminal");
        assert!(!terminal.seen.contains("PNG\r"), "{}", terminal.seen);
        assert_eq!(terminal.process.wait_exit().code(), Some(2));
    }
}
