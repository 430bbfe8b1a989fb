//! The test's side of another process that plays a role.

use std::io::Write;
use std::ops::{Deref, DerefMut};

use crate::process::Process;
use crate::wire;

/// Another process, which runs one of the functions that the test file's [`peers!`](crate::peers) names.
///
/// It is a [`Process`] with a line to its [`Role`](crate::Role): what is told here is listened to there, and what is
/// said there is heard here, in order. Waiting ends when the other process does: then the panic shows what it said and
/// what it wrote to stderr, which includes its own panic.
///
/// A peer that is dropped is killed. One that had panicked by itself, and nobody noticed, fails the test at its end.
#[derive(Debug)]
pub struct Peer {
    process: Process,
}

impl Peer {
    /// Waits until the role runs.
    #[track_caller]
    pub(crate) fn new(process: Process) -> Self {
        let watched = process.watched();
        let hello = watched
            .captured
            .wait_for(|| watched.has_ended(), |written| written.hello.then_some(()));
        if hello.is_none() {
            watched.wait();
            watched.set_judged();
            panic!(
                "the role did not start; is quintet_testkit::peers!({}) at the root of this test file?\n{}",
                watched.name,
                watched.describe()
            );
        }
        Self { process }
    }

    /// Waits for the next thing that the role says.
    #[track_caller]
    pub fn hear(&mut self) -> String {
        match self.hear_or_end() {
            Some(message) => message,
            None => panic!("it ended, and said nothing more\n{}", self.describe()),
        }
    }

    /// Waits for the next thing that the role says, which must be `text`.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        match self.hear_or_end() {
            Some(message) if message == text => {}
            Some(message) => panic!(
                "expected to hear {text:?}, and heard {message:?}\n{}",
                self.describe()
            ),
            None => panic!("expected to hear {text:?}, but it ended\n{}", self.describe()),
        }
    }

    /// Waits for the next thing that the role says; `None` when it has ended and everything was heard.
    pub fn hear_or_end(&mut self) -> Option<String> {
        let watched = self.process.watched();
        let message = watched
            .captured
            .wait_for(|| watched.has_ended(), |written| written.next_message());
        if message.is_none() {
            // For what is shown of it: how it ended, and its last words.
            watched.wait();
            watched.set_judged();
        }
        message
    }

    /// The next thing that the role has said already, if any.
    pub fn try_hear(&mut self) -> Option<String> {
        self.process
            .watched()
            .captured
            .look(|written| written.next_message())
    }

    /// Everything that it said so far, heard or not.
    pub fn said(&self) -> Vec<String> {
        self.process
            .watched()
            .captured
            .look(|written| written.said.clone())
    }

    /// Tells the role something: any text, also with line breaks.
    #[track_caller]
    pub fn tell(&mut self, text: &str) {
        let line = format!("{}\n", wire::escape(text));
        let Some(stdin) = self.process.stdin() else {
            panic!("cannot tell {text:?}: it was killed, or its stdin taken")
        };
        if let Err(error) = stdin.write_all(line.as_bytes()) {
            self.process.wait_exit();
            panic!("cannot tell {text:?}: {error}\n{}", self.describe());
        }
    }

    /// Waits until the role has returned. Panics if it failed.
    #[track_caller]
    pub fn finish(self) {
        let status = self.wait_exit();
        assert!(status.success(), "it failed\n{}", self.describe());
    }
}

impl Deref for Peer {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Peer {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}
