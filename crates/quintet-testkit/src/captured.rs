//! What a process wrote, collected while it runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::wire;

/// How long a stream is still read after its process ended, in case a child of that process holds it open.
const AFTERMATH: Duration = Duration::from_secs(2);
/// How often a wait for output looks whether the process still lives. Output itself is noticed at once.
const LOOK: Duration = Duration::from_millis(10);

/// The output of one process. Threads of their own read it, so the process never waits for room in a pipe.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    written: Mutex<Written>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// The role announced itself.
    pub(crate) hello: bool,
    /// Everything the role said.
    pub(crate) said: Vec<String>,
    /// How much of that the test has heard.
    pub(crate) heard: usize,
    stdout_open: bool,
    stderr_open: bool,
}

/// Which of the two streams a thread reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

impl Captured {
    /// Says that somebody is going to read this stream. To be called before the thread that does so starts.
    pub(crate) fn open(&self, stream: Stream) {
        *self.written.lock().unwrap().is_open(stream) = true;
    }

    /// Reads `source` to its end, as bytes.
    pub(crate) fn collect(&self, stream: Stream, mut source: impl Read) {
        let mut buffer = vec![0; 64 * 1024];
        // An error ends the stream, as the end does: the process's exit status tells the rest.
        while let Ok(length @ 1..) = source.read(&mut buffer) {
            self.written
                .lock()
                .unwrap()
                .bytes(stream)
                .extend_from_slice(&buffer[..length]);
            self.changed.notify_all();
        }
        self.close(stream);
    }

    /// Reads a role's stdout to its end: its messages, and what the harness and `println!` write between them.
    pub(crate) fn collect_messages(&self, source: impl Read) {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        while let Ok(1..) = source.read_until(b'\n', &mut line) {
            self.written.lock().unwrap().take_line(&line);
            self.changed.notify_all();
            line.clear();
        }
        self.close(Stream::Stdout);
    }

    fn close(&self, stream: Stream) {
        *self.written.lock().unwrap().is_open(stream) = false;
        self.changed.notify_all();
    }

    pub(crate) fn look<T>(&self, at: impl FnOnce(&mut Written) -> T) -> T {
        at(&mut self.written.lock().unwrap())
    }

    /// Waits until `find` finds something. `None`: it never will, for the process has ended (`ended` says so) and
    /// everything that it wrote has been looked at.
    pub(crate) fn wait_for<T>(
        &self,
        ended: impl Fn() -> bool,
        mut find: impl FnMut(&mut Written) -> Option<T>,
    ) -> Option<T> {
        let mut ended_at = None;
        let mut written = self.written.lock().unwrap();
        loop {
            if let Some(found) = find(&mut written) {
                return Some(found);
            }
            if !written.stdout_open && !written.stderr_open {
                return None;
            }
            written = self.changed.wait_timeout(written, LOOK).unwrap().0;
            if ended() && ended_at.get_or_insert_with(Instant::now).elapsed() > AFTERMATH {
                return find(&mut written);
            }
        }
    }

    /// Waits until everything that an ended process wrote has been read.
    pub(crate) fn wait_for_end(&self) {
        self.wait_for(|| true, |_| None::<()>);
    }
}

impl Written {
    fn is_open(&mut self, stream: Stream) -> &mut bool {
        match stream {
            Stream::Stdout => &mut self.stdout_open,
            Stream::Stderr => &mut self.stderr_open,
        }
    }

    fn bytes(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn take_line(&mut self, line: &[u8]) {
        if let Ok(text) = str::from_utf8(line) {
            let text = text.trim_end_matches(['\r', '\n']);
            if let Some(message) = text.strip_prefix(wire::SAYS).and_then(wire::unescape) {
                self.said.push(message);
                return;
            }
            if text.starts_with(wire::HELLO) {
                self.hello = true;
                return;
            }
        }
        // Every message starts with a new line; the empty lines that this makes are not the role's.
        if line != b"\n" {
            self.stdout.extend_from_slice(line);
        }
    }

    /// The next message that the test has not heard.
    pub(crate) fn next_message(&mut self) -> Option<String> {
        let message = self.said.get(self.heard)?.clone();
        self.heard += 1;
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_from_noise() {
        let captured = Captured::default();
        let stdout = "running 1 test\ntest peer_process ... \nquintet-peer hello x\n\nquintet-peer says a\\nb\n\
                      noise\n\nquintet-peer says \n ok\n";
        captured.collect_messages(stdout.as_bytes());
        captured.look(|written| {
            assert!(written.hello);
            assert_eq!(written.said, ["a\nb", ""]);
            assert_eq!(written.next_message().as_deref(), Some("a\nb"));
            assert_eq!(written.next_message().as_deref(), Some(""));
            assert_eq!(written.next_message(), None);
            assert_eq!(
                written.stdout,
                b"running 1 test\ntest peer_process ... \nnoise\n ok\n"
            );
        });
    }
}
