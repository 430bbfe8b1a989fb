//! What a person sees at a terminal, and a program does not.
#![cfg(target_os = "linux")]

mod common;

use common::*;
use quintet_testkit::{Process, Test, start as start_test};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::Read;
use std::process::Stdio;

/// A program at a terminal of its own.
struct Terminal {
    process: Process,
    screen: File,
    seen: String,
}

impl Terminal {
    /// Starts the command with all three streams at a terminal.
    fn start(t: &Test, args: &[&str]) -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let path = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
        let end = || Stdio::from(File::options().read(true).write(true).open(&path).unwrap());
        let mut command = quintet(args);
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
fn who_waits_is_told_so() {
    let t = start_test();
    let address = pipe(&t);
    let mut client = Terminal::start(&t, &["recv", "--connect", &address]);
    client.wait_for(&format!("waiting for {address}"));
    run(&t, &["send", "--listen", &address, "hello"]).succeeded();
    says(&client.finish(), &["\"hello\""]);
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
