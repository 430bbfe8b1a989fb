//! The other process of the demo.

use super::payload;
use crate::failure::Failure;
use quintet::Address;
use quintet::pipe::{PipeClient, PipeStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The environment variable that makes `quintet demo` the worker for this pipe. (A flag, however hidden, would turn up in
/// completions.)
pub(super) const ADDRESS: &str = "QUINTET_DEMO_WORKER";

/// How long to wait for the worker's process to end, once its pipe has ended.
const FAREWELL: Duration = Duration::from_secs(5);

/// What the worker does: answers messages, until the main process closes the pipe.
pub(super) fn work(address: &Address) -> Result<(), Failure> {
    let stream = PipeClient::at(address)?
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

/// The worker's process, as the main process sees it; killed if the demo ends early.
#[derive(Debug)]
pub(super) struct Worker(Child);

impl Worker {
    /// Starts this program again, as a worker.
    pub(super) fn start(address: &Address) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|error| {
            Failure::Failed(format!("cannot find this program to start it again: {error}"))
        })?;
        Command::new(program)
            .arg("demo")
            .env(ADDRESS, address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map(Worker)
            .map_err(|error| Failure::Failed(format!("cannot start the worker: {error}")))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// How it has ended, if it has.
    pub(super) fn try_wait(&mut self) -> Result<Option<ExitStatus>, Failure> {
        self.0
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
            Err(error) if error.kind() == quintet::ErrorKind::TimedOut => {
                Err(Failure::Failed(error.to_string()))
            }
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
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
