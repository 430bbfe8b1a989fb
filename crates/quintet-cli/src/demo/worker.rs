//! The other processes of the demo.

use super::inspection::Inspection;
use super::{payload, reports, results};
use crate::failure::Failure;
use quintet::pipe::{self, PipeClient, PipeReader, PipeStream, PipeWriter};
use quintet::sync::Semaphore;
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

const CLOSED: &str = "it has closed the pipe";

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
    let line = read_line(orders)?;
    if let Some(order) = results::order(&line) {
        return results::read(order);
    }
    let orders = Orders::parse(&line)?;
    let permits = Semaphore::at(&orders.permits)?.open_existing()?;
    let stream = PipeClient::at(&orders.pipe)?
        .connect_timeout(super::PATIENCE)
        .connect()?;
    let mut inspection = Inspection::open(&orders, &stream)?;
    let mut work = Work {
        stream,
        message: Vec::new(),
        number: 0,
    };
    while work.next()? {
        if work.message == payload::FRAMES {
            inspection.run(&permits)?;
            return reports::report(&orders.reports, orders.index);
        }
        work.check()?;
        work.answer()?;
    }
    Ok(())
}

/// The line in which the main process says what is to be done.
fn read_line(from: PipeReader) -> Result<String, Failure> {
    from.set_read_timeout(Some(super::PATIENCE));
    let mut line = String::new();
    BufReader::new(from.take(LONGEST_ORDER))
        .read_line(&mut line)
        .map_err(Error::from_io)?;
    match line.strip_suffix('\n') {
        Some(line) => Ok(line.into()),
        None => Err(Failure::Failed(
            "the main process has ended before it told its worker where to connect".into(),
        )),
    }
}

struct Work {
    stream: PipeStream,
    message: Vec<u8>,
    /// Of the message that comes next.
    number: u64,
}

impl Work {
    /// Whether there is another message.
    fn next(&mut self) -> Result<bool, Failure> {
        Ok(self.stream.read_message_into(&mut self.message)?)
    }

    fn check(&mut self) -> Result<(), Failure> {
        if !payload::is_message(&self.message, self.number) {
            return Err(Failure::Failed(format!(
                "the worker got a message that is not the one with number {}",
                self.number
            )));
        }
        self.number += 1;
        Ok(())
    }

    fn answer(&mut self) -> Result<(), Failure> {
        payload::into_answer(&mut self.message);
        Ok(self.stream.write_message(&self.message)?)
    }
}

/// What the main process tells a worker, in a line.
#[derive(Debug)]
pub(super) struct Orders {
    /// Where to connect.
    pub(super) pipe: Address,
    /// What to take permits of.
    pub(super) permits: Address,
    /// Where the frames are published.
    pub(super) frames: Address,
    /// Where the verdicts go.
    pub(super) verdicts: Address,
    /// Whom to report to at the end.
    pub(super) reports: Address,
    /// Which of the workers it is: 0 or 1.
    pub(super) index: u8,
}

impl Orders {
    pub(super) fn line(&self) -> String {
        let Orders {
            pipe,
            permits,
            frames,
            verdicts,
            reports,
            index,
        } = self;
        format!("{pipe} {permits} {frames} {verdicts} {reports} {index}\n")
    }

    fn parse(line: &str) -> Result<Self, Failure> {
        let mut words = line.split(' ');
        let mut next = || words.next().unwrap_or_default();
        Ok(Orders {
            pipe: next().parse()?,
            permits: next().parse()?,
            frames: next().parse()?,
            verdicts: next().parse()?,
            reports: next().parse()?,
            index: next()
                .parse()
                .map_err(|_| Failure::Failed("the worker was not told which it is".into()))?,
        })
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
            Ok(false) => self.gone(CLOSED),
            Err(error) => self.trouble(&error),
        }
    }

    /// The failure for an error with its pipe.
    pub(super) fn trouble<T>(&mut self, error: &Error) -> Result<T, Failure> {
        match error.kind() {
            ErrorKind::TimedOut => Err(Failure::Failed(error.to_string())),
            _ => self.gone(&error.to_string()),
        }
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) -> Result<(), Failure> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed
            .map(drop)
            .map_err(|error| Failure::Failed(format!("cannot kill the worker: {error}")))
    }

    /// The failure for a worker that does not go on.
    pub(super) fn gone<T>(&mut self, why: &str) -> Result<T, Failure> {
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
