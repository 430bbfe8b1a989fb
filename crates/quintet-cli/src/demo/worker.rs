//! The other process of the demo.

use super::payload;
use crate::failure::Failure;
use quintet::pipe::{self, PipeClient, PipeReader, PipeStream, PipeWriter};
use quintet::{Address, Error, ErrorKind};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The environment variable that makes `quintet demo HANDLE` the worker. (An argument that clap knows, however hidden,
/// would turn up in completions.)
const WORKER: &str = "QUINTET_DEMO_WORKER";

/// No order is longer.
const LONGEST_ORDER: u64 = 1024;

/// How long to wait for the worker's process to end, once its pipe has ended.
const FAREWELL: Duration = Duration::from_secs(5);

/// If this process is the worker, the handle of the pipe from which it takes its orders.
pub(crate) fn orders() -> Option<String> {
    std::env::var_os(WORKER)?;
    let mut args = std::env::args_os().skip(1);
    args.next().filter(|verb| verb == "demo")?;
    args.next()?.into_string().ok()
}

/// What the worker does: connects to where it is told, and answers messages until the main process closes the pipe.
pub(crate) fn work(orders: &str) -> Result<(), Failure> {
    // SAFETY: the main process has passed this handle for this, as its variable says, and it is taken this once.
    let orders = unsafe { PipeReader::inherited(orders) }?;
    let stream = PipeClient::at(&address(orders)?)?
        .connect_timeout(super::PATIENCE)
        .connect()?;
    let mut message = Vec::new();
    let mut number = 0;
    while stream.read_message_into(&mut message)? {
        if !payload::is_message(&message, number) {
            return Err(Failure::Failed(format!(
                "the worker got a message that is not the one with number {number}"
            )));
        }
        payload::into_answer(&mut message);
        stream.write_message(&message)?;
        number += 1;
    }
    Ok(())
}

/// The one order there is, a line: the address to connect to.
fn address(orders: PipeReader) -> Result<Address, Failure> {
    orders.set_read_timeout(Some(super::PATIENCE));
    let mut line = String::new();
    BufReader::new(orders.take(LONGEST_ORDER))
        .read_line(&mut line)
        .map_err(Error::from_io)?;
    match line.strip_suffix('\n') {
        Some(address) => Ok(address.parse()?),
        None => Err(Failure::Failed(
            "the main process has ended before it told its worker where to connect".into(),
        )),
    }
}

/// The worker's process, as the main process sees it; killed if the demo ends early.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    orders: PipeWriter,
}

impl Worker {
    /// Starts this program again, as a worker that waits for its orders.
    pub(super) fn start() -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|error| {
            Failure::Failed(format!("cannot find this program to start it again: {error}"))
        })?;
        let (orders, theirs) = pipe::to_child()?;
        orders.set_write_timeout(Some(super::PATIENCE));
        let mut command = Command::new(program);
        command
            .arg("demo")
            .arg(theirs.to_string())
            .env(WORKER, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let child = pipe::spawn(&mut command, [theirs])?;
        Ok(Worker { child, orders })
    }

    /// Tells it what to do.
    pub(super) fn order(&mut self, order: &str) -> Result<(), Failure> {
        match self.orders.write_all(order) {
            Err(error) if error.kind() == ErrorKind::Disconnected => self.gone(&error.to_string()),
            done => Ok(done?),
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it has ended, if it has.
    pub(super) fn try_wait(&mut self) -> Result<Option<ExitStatus>, Failure> {
        self.child
            .try_wait()
            .map_err(|error| Failure::Failed(format!("cannot ask how the worker is: {error}")))
    }

    /// Waits until it has ended. It should, when its pipe has.
    pub(super) fn wait(&mut self) -> Result<ExitStatus, Failure> {
        let start = Instant::now();
        loop {
            match self.try_wait()? {
                Some(status) => return Ok(status),
                None if start.elapsed() > FAREWELL => {
                    return Err(Failure::Failed(format!(
                        "the worker (pid {}) does not end; it is killed",
                        self.pid()
                    )));
                }
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Sends a message and takes its answer: what it took, for both.
    pub(super) fn ask(
        &mut self,
        stream: &PipeStream,
        message: &[u8],
        answer: &mut Vec<u8>,
    ) -> Result<Duration, Failure> {
        let start = Instant::now();
        let answered = stream
            .write_message(message)
            .and_then(|()| stream.read_message_into(answer));
        let time = start.elapsed();
        match answered {
            Ok(true) if payload::is_answer(answer, message) => Ok(time),
            Ok(true) => Err(Failure::Failed(
                "the worker's answer is not what it should be".into(),
            )),
            Ok(false) => self.gone("it has closed the pipe"),
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(Failure::Failed(error.to_string())),
            Err(error) => self.gone(&error.to_string()),
        }
    }

    /// The failure for a worker that does not go on.
    fn gone<T>(&mut self, why: &str) -> Result<T, Failure> {
        let pid = self.pid();
        let status = self.wait()?;
        Err(Failure::Failed(format!(
            "the worker (pid {pid}) has ended in the middle of the demo ({status}): {why}"
        )))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Of one that has ended there is nothing left to kill, which is what the error says.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
