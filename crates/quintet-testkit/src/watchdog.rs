//! The end of a test that hangs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::os;
use crate::settings::scaled;
use crate::watch_list::WatchList;

/// How long a test may take to notice that its peers are gone before its process is ended.
const GRACE: Duration = Duration::from_secs(5);

/// A thread that ends a test whose deadline has passed.
///
/// First it prints, past the harness's capture, what every process and every thread of ours is doing. Then it kills
/// the test's peers: a test that waits for one of them fails now, as any test fails, and the other tests of the binary
/// go on. A test that is stuck in itself cannot be failed; after a grace period the whole process ends with exit code
/// 101.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// Takes a new deadline; without it, the watchdog is called off.
    line: Option<Sender<Duration>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Watches from now on; `deadline` is for an ordinary run, see [`scaled`].
    pub(crate) fn start(list: Arc<WatchList>, deadline: Duration) -> Self {
        let (line, orders) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || watch(&list, scaled(deadline), &orders))
            .expect("a thread for the watchdog");
        Self {
            line: Some(line),
            thread: Some(thread),
        }
    }

    /// Counts anew from now. Too late once the deadline has passed.
    pub(crate) fn restart(&self, deadline: Duration) {
        if let Some(line) = &self.line {
            let _ = line.send(scaled(deadline));
        }
    }

    /// Calls it off, and waits for it to finish what it is doing.
    pub(crate) fn stop(&mut self) {
        self.line = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop();
    }
}

fn watch(list: &WatchList, mut deadline: Duration, orders: &Receiver<Duration>) {
    loop {
        match orders.recv_timeout(deadline) {
            Ok(other) => deadline = other,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => break,
        }
    }
    list.set_expired();
    bark(&report(list, deadline));
    list.kill_all();
    let grace = Instant::now() + scaled(GRACE);
    loop {
        match orders.recv_timeout(grace.saturating_duration_since(Instant::now())) {
            Ok(_too_late) => {}
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => break,
        }
    }
    bark(&format!(
        "{}: still stuck without its peers; ending this process\n",
        list.title
    ));
    os::exit_now(101)
}

fn report(list: &WatchList, deadline: Duration) -> String {
    let mut text = format!("\n===== {}: not done after {deadline:?} =====\n", list.title);
    let processes = list.all();
    if processes.is_empty() {
        text.push_str("It has no peers.\n");
    }
    for process in processes {
        text.push_str(&process.describe());
        if !process.has_ended() {
            text.push_str(&os::describe_process(process.pid));
        }
    }
    let _ = writeln!(text, "The test's own process (pid {}):", std::process::id());
    text.push_str(&os::describe_process(std::process::id()));
    text.push_str("=====\n");
    text
}

/// Writes to the real stderr: what `eprintln!` writes in a test is kept back until the test has ended, which this one
/// may never do. Tests that time out together take turns.
fn bark(text: &str) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    let _ = std::io::stderr().write_all(text.as_bytes());
}
