//! A program that a test runs.

use std::process::{ChildStdin, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::thread;

use crate::captured::Stream;
use crate::watched::Watched;

/// A process that its test watches over: what it writes is collected, the watchdog knows it, and it is ended when this
/// value is dropped.
///
/// It comes from [`Test::start_command`](crate::Test::start_command) or
/// [`Test::watch_child`](crate::Test::watch_child); a process that plays a role is a [`Peer`](crate::Peer).
#[derive(Debug)]
pub struct Process {
    watched: Arc<Watched>,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts to read what the child writes.
    pub(crate) fn new(watched: Arc<Watched>, is_role: bool) -> Self {
        let (stdin, stdout, stderr) =
            watched.with_child(|child| (child.stdin.take(), child.stdout.take(), child.stderr.take()));
        if let Some(stdout) = stdout {
            watched.captured.open(Stream::Stdout);
            let watched = Arc::clone(&watched);
            start_reader(move || {
                if is_role {
                    watched.captured.collect_messages(stdout);
                } else {
                    watched.captured.collect(Stream::Stdout, stdout);
                }
            });
        }
        if let Some(stderr) = stderr {
            watched.captured.open(Stream::Stderr);
            let watched = Arc::clone(&watched);
            start_reader(move || watched.captured.collect(Stream::Stderr, stderr));
        }
        Self { watched, stdin }
    }

    pub(crate) fn watched(&self) -> &Arc<Watched> {
        &self.watched
    }

    pub(crate) fn stdin(&mut self) -> Option<&mut ChildStdin> {
        self.stdin.as_mut()
    }

    /// Its process id. It stays this process's own until the test has seen its end.
    pub fn pid(&self) -> u32 {
        self.watched.pid
    }

    /// The pipe to its stdin, once. Dropping it is the end of the program's input.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// What it has written to stdout so far. (Of a role: what is not a message to the test.)
    pub fn stdout(&self) -> Vec<u8> {
        self.watched.captured.look(|written| written.stdout.clone())
    }

    /// What it has written to stderr so far, as text.
    pub fn stderr(&self) -> String {
        self.watched
            .captured
            .look(|written| String::from_utf8_lossy(&written.stderr).into_owned())
    }

    /// Waits until its stdout contains `text`. Panics if it ends without.
    #[track_caller]
    pub fn wait_for_stdout(&self, text: &str) {
        self.wait_for(text, |written| &written.stdout);
    }

    /// Waits until its stderr contains `text`. Panics if it ends without.
    #[track_caller]
    pub fn wait_for_stderr(&self, text: &str) {
        self.wait_for(text, |written| &written.stderr);
    }

    #[track_caller]
    fn wait_for(&self, text: &str, stream: impl Fn(&crate::captured::Written) -> &Vec<u8>) {
        // Only what is new is searched, and as much before it as could belong to the text.
        let mut searched = 0;
        let found = self.watched.captured.wait_for(
            || self.watched.has_ended(),
            |written| {
                let bytes = stream(written);
                let from = searched.min(bytes.len());
                searched = (bytes.len() + 1).saturating_sub(text.len());
                let is_there =
                    text.is_empty() || bytes[from..].windows(text.len()).any(|w| w == text.as_bytes());
                is_there.then_some(())
            },
        );
        if found.is_none() {
            panic!("it ended and had not written {text:?}\n{}", self.describe());
        }
    }

    /// How it ended, if it has.
    pub fn try_exit(&self) -> Option<ExitStatus> {
        let status = self.watched.exit_status();
        if status.is_some() {
            self.watched.set_judged();
        }
        status
    }

    /// Waits until it has ended. Its stdin stays open meanwhile, unless it was taken.
    pub fn wait_exit(&self) -> ExitStatus {
        let status = self.watched.wait();
        self.watched.set_judged();
        status
    }

    /// Ends its input, waits until it has ended, and returns all that it wrote.
    pub fn wait_output(mut self) -> Output {
        self.stdin = None;
        let status = self.wait_exit();
        self.watched.captured.look(|written| Output {
            status,
            stdout: std::mem::take(&mut written.stdout),
            stderr: std::mem::take(&mut written.stderr),
        })
    }

    /// Ends it as `kill -9` does (`TerminateProcess` on Windows), and waits until it is gone. Harmless if it has ended.
    pub fn kill(&mut self) -> ExitStatus {
        self.watched.kill();
        // If it ran the role in a child of its own, that one ends with its input.
        self.stdin = None;
        self.wait_exit()
    }

    /// Stops it in its tracks: it lives, and does nothing until [`Process::cont`].
    #[cfg(target_os = "linux")]
    pub fn stop(&self) {
        self.signal(libc::SIGSTOP);
        // The signal is only sent; its effect is what the test counts on.
        let stopped = || self.watched.has_ended() || crate::os::is_stopped(self.pid());
        crate::eventually(&format!("{} has stopped", self.watched.name), stopped);
    }

    /// Lets it go on after [`Process::stop`].
    #[cfg(target_os = "linux")]
    pub fn cont(&self) {
        self.signal(libc::SIGCONT);
    }

    /// Sends a signal, if it has not ended.
    #[cfg(target_os = "linux")]
    pub fn signal(&self, signal: i32) {
        self.watched.with_child(|child| {
            if matches!(child.try_wait(), Ok(None)) {
                crate::os::send_signal(child.id(), signal);
            }
        });
    }

    /// What it is doing and what it wrote, for the text of a panic.
    pub fn describe(&self) -> String {
        self.watched.describe()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.watched.kill();
        self.stdin = None;
        self.watched.wait();
    }
}

fn start_reader(read: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .name("child's output".to_owned())
        .spawn(read)
        .expect("a thread to read what a child writes");
}

/// The streams as [`Process`] wants them.
pub(crate) fn pipe_all(command: &mut std::process::Command) {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
}
