//! A child process that a test started.

use std::fmt::Write;
use std::process::{Child, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::captured::Captured;

/// How many lines of each stream a report shows.
const FIRST_LINES: usize = 40;
const LAST_LINES: usize = 40;
/// What the harness makes of a panic in a test: the exit code of a role that panicked.
const PANICKED: i32 = 101;

/// A child with all that is known of it, shared by its handle, the test and the watchdog.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) pid: u32,
    /// Never locked across a wait, so the watchdog gets at it at any time.
    child: Mutex<Child>,
    pub(crate) captured: Captured,
    /// We ended it ourselves.
    killed: AtomicBool,
    /// The test has seen how it ended.
    judged: AtomicBool,
}

impl Watched {
    pub(crate) fn new(name: String, child: Child) -> Self {
        Self {
            name,
            pid: child.id(),
            child: Mutex::new(child),
            captured: Captured::default(),
            killed: AtomicBool::new(false),
            judged: AtomicBool::new(false),
        }
    }

    pub(crate) fn with_child<T>(&self, work: impl FnOnce(&mut Child) -> T) -> T {
        work(&mut self.child.lock().unwrap())
    }

    /// How it ended, if it has.
    pub(crate) fn exit_status(&self) -> Option<ExitStatus> {
        self.with_child(|child| child.try_wait())
            .expect("a child can be waited for")
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.exit_status().is_some()
    }

    /// Waits until it has ended and everything that it wrote has been read.
    pub(crate) fn wait(&self) -> ExitStatus {
        let mut pause = Duration::from_micros(50);
        loop {
            if let Some(status) = self.exit_status() {
                self.captured.wait_for_end();
                return status;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(5));
        }
    }

    /// Ends it at once, if it has not ended; [`Self::wait`] sees it go.
    pub(crate) fn kill(&self) {
        self.with_child(|child| {
            if !matches!(child.try_wait(), Ok(Some(_))) {
                self.killed.store(true, Ordering::Relaxed);
                // It may have ended in between; then there is nothing to kill.
                let _ = child.kill();
            }
        });
    }

    /// Says that the test knows how this process ended and wants no judgement on it.
    pub(crate) fn set_judged(&self) {
        self.judged.store(true, Ordering::Relaxed);
    }

    /// It is a role that panicked, and the test has not noticed.
    pub(crate) fn panicked_unnoticed(&self) -> bool {
        !self.judged.load(Ordering::Relaxed)
            && !self.killed.load(Ordering::Relaxed)
            && self.captured.look(|written| written.hello)
            && self
                .exit_status()
                .is_some_and(|status| status.code() == Some(PANICKED))
    }

    /// What it is or was doing and what it wrote, for a person to read.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("`{}` (pid {}): ", self.name, self.pid);
        match self.exit_status() {
            None => text.push_str("running\n"),
            Some(status) if self.killed.load(Ordering::Relaxed) => {
                let _ = writeln!(text, "ended by the test ({status})");
            }
            Some(status) => {
                let _ = writeln!(text, "{status}");
            }
        }
        self.captured.look(|written| {
            let skipped = written.said.len().saturating_sub(LAST_LINES);
            if skipped > 0 {
                let _ = writeln!(text, "  said: … {skipped} messages before these");
            }
            for (index, message) in written.said.iter().enumerate().skip(skipped) {
                let heard = if index < written.heard {
                    ""
                } else {
                    "  (not heard yet)"
                };
                let _ = writeln!(text, "  said: {message:?}{heard}");
            }
            some_lines(&mut text, "stdout", &written.stdout);
            some_lines(&mut text, "stderr", &written.stderr);
        });
        text
    }
}

/// The first and the last lines: a panic's reason comes before its backtrace, and what it is doing now comes last.
fn some_lines(text: &mut String, stream: &str, bytes: &[u8]) {
    let written = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = written.lines().collect();
    let skipped = FIRST_LINES..lines.len().saturating_sub(LAST_LINES);
    for (index, line) in lines.iter().enumerate() {
        if !skipped.contains(&index) {
            let _ = writeln!(text, "  {stream}: {line}");
        } else if index == skipped.start {
            let _ = writeln!(text, "  {stream}: … {} lines left out", skipped.len());
        }
    }
}
