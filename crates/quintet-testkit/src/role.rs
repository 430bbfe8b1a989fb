//! The other process's side of a test.

use std::env;
use std::fmt::Display;
use std::io::{self, BufRead, Write};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::{os, wire};

/// The role that this process plays.
pub(crate) const ROLE: &str = "QUINTET_PEER_ROLE";
/// Its arguments.
pub(crate) const ARGS: &str = "QUINTET_PEER_ARGS";
/// Set when the thread that started this process lives as long as the test.
pub(crate) const TIED: &str = "QUINTET_PEER_TIED";
/// Set when this process has its stdin in common with the role that started it, and must leave it what it is told.
pub(crate) const DEAF: &str = "QUINTET_PEER_DEAF";

/// What a role has: its arguments, and its test at the other end of a line.
///
/// The process ends when its test does, even in the middle of something: a role needs no deadline of its own.
#[derive(Debug)]
pub struct Role {
    name: String,
    args: Vec<String>,
    told: Receiver<String>,
}

impl Role {
    /// The role that this process was started for, if any.
    pub(crate) fn from_environment() -> Option<Self> {
        let name = env::var(ROLE).ok()?;
        let args = env::var(ARGS).unwrap_or_default();
        if env::var_os(TIED).is_some() {
            os::tie_to_parent();
        }
        let (tell, told) = mpsc::channel();
        thread::Builder::new()
            .name("role's stdin".to_owned())
            .spawn(move || {
                if env::var_os(DEAF).is_some() {
                    os::wait_for_the_end_of_stdin();
                    os::die();
                }
                for line in io::stdin().lock().lines() {
                    let Some(text) = line.ok().and_then(|line| wire::unescape(&line)) else {
                        break;
                    };
                    // The role may have stopped listening.
                    let _ = tell.send(text);
                }
                // The test is gone, or has no use for this process any more.
                os::die()
            })
            .expect("a thread for stdin");
        let args = wire::split(&args).expect("arguments as Test::spawn writes them");
        Some(Self { name, args, told })
    }

    /// The name of the role.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the test gave to [`Test::spawn`](crate::Test::spawn).
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// The argument number `n`, counted from 0.
    #[track_caller]
    pub fn arg(&self, n: usize) -> &str {
        match self.args.get(n) {
            Some(arg) => arg,
            None => panic!(
                "the role {} was given no argument {n}, only {:?}",
                self.name, self.args
            ),
        }
    }

    /// Says something to the test: any text, also with line breaks.
    pub fn say(&mut self, text: impl Display) {
        write_line(&format!("{}{}", wire::SAYS, wire::escape(&text.to_string())));
    }

    pub(crate) fn say_hello(&mut self) {
        write_line(&format!("{}{}", wire::HELLO, self.name));
    }

    /// Waits for the next thing that the test tells.
    pub fn listen(&mut self) -> String {
        match self.told.recv() {
            Ok(text) => text,
            // The thread that reads stdin is about to end this process.
            Err(_) => os::die(),
        }
    }

    /// Waits for the next thing that the test tells, which must be `text`.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        let told = self.listen();
        assert_eq!(
            told, text,
            "the role {} expected to be told something else",
            self.name
        );
    }

    /// Ends this process as `kill -9` does: no destructor, no flush, no last word.
    pub fn die(&mut self) -> ! {
        os::die()
    }
}

/// Writes one line of its own, whatever stands before it on stdout.
fn write_line(line: &str) {
    let mut stdout = io::stdout().lock();
    let done = stdout
        .write_all(format!("\n{line}\n").as_bytes())
        .and_then(|()| stdout.flush());
    if done.is_err() {
        // The test is gone.
        os::die();
    }
}
