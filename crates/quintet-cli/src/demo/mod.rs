//! `quintet demo`: what Quintet does, shown between two real processes, every message verified.
//!
//! The main process serves a named pipe in message mode and starts a worker, which is this program again. Over an anonymous
//! pipe it tells the worker where to connect; then it sends small commands, each answered before the next. Large frames go
//! through a mailbox and the jobs to inspect them through a queue; a semaphore bounds how many are under way. With `--kill`
//! the worker dies in the middle of that.

mod frames;
mod inspection;
mod payload;
mod table;
mod worker;

use crate::args::DemoArgs;
use crate::failure::Failure;
use crate::record;
use frames::Rows;
use quintet::pipe::{PipeMode, PipeServer, PipeStream};
use quintet::shm::{Mailbox, MailboxWriter, Producer, Queue};
use quintet::sync::{Permit, Semaphore};
use quintet::{ErrorKind, PeerIdentity, named};
use std::time::{Duration, Instant};
use table::{Row, count};
use worker::{Orders, Worker};

pub(crate) use worker::{orders, work};

/// The worker connects within this, and gives each answer within it, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often to look, while waiting for the worker to connect, whether it still can.
const LOOK: Duration = Duration::from_millis(50);

const COMMAND: usize = 64;
const FRAMES: u64 = 100;
/// Of 1920 by 1080 grey pixels.
const FRAME: usize = 1920 * 1080;
/// So many frames at most are under way.
const AT_ONCE: u32 = 3;

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let pid = std::process::id();
    let name = format!("quintet-demo-{pid}");
    let server = PipeServer::builder(&name)?
        .mode(PipeMode::Message)
        .max_instances(1)
        .create()?;
    let permits = Semaphore::create_new(&name, AT_ONCE, AT_ONCE)?;
    let mailbox = Mailbox::builder(&name)?.size(FRAME as u64).create_new()?;
    let queue = Queue::builder(&name)?.producers(1).create_new()?;
    let shared = Shared {
        server: &server,
        permits: &permits,
        mailbox: &mailbox,
        queue: &queue,
    };
    say(&format!(
        "main    (pid {pid}) serves {} in message mode\n",
        server.address()
    ))?;
    let mut worker = Worker::start()?;
    let told = shared.order(&mut worker, 0)?;
    let mut orders = Row::new("anonymous pipe", "order to connect");
    orders.note_one_way(told);
    say(&format!(
        "main    has told its worker over an anonymous pipe to connect there: {told} bytes\n"
    ))?;
    let stream = accept(&server, &mut worker)?;
    let mut demo = Demo {
        shared,
        frames: mailbox.writer()?,
        jobs: queue.producer()?,
        worker,
        stream,
        number: 0,
        ready: 0,
    };
    let commands = demo.exchange(args.messages, COMMAND, Row::new("pipe", "commands of 64 B"))?;
    let mut rows = Rows {
        frames: Row::new("mailbox", "frames 1920×1080"),
        jobs: Row::new("queue", "jobs of 9 B"),
    };
    say(&format!(
        "worker  takes a permit of {} for each frame; there are {AT_ONCE}\n",
        permits.address()
    ))?;
    if args.kill {
        demo.send_frames(FRAMES / 2, &mut rows)?;
        demo = demo.replace_worker(&mut rows)?;
        demo.send_frames(FRAMES - FRAMES / 2, &mut rows)?;
    } else {
        demo.send_frames(FRAMES, &mut rows)?;
    }
    demo.end_frames()?;
    let status = demo.worker.wait()?;
    if !status.success() {
        return Err(Failure::Failed(format!("the worker has failed: {status}")));
    }
    say(&format!(
        "all {} messages were what they should be{}\n\n",
        count(commands.messages() + rows.frames.messages() + rows.jobs.messages()),
        match args.kill {
            true => ", and the worker that was killed has left nothing undone",
            false => "",
        }
    ))?;
    say(&table::draw(&mut [orders, commands, rows.frames, rows.jobs]))
}

/// Prints at once, also into a pipe.
fn say(text: &str) -> Result<(), Failure> {
    record::print(text.as_bytes())
}

/// What both processes have.
#[derive(Clone, Copy)]
struct Shared<'a> {
    server: &'a PipeServer,
    permits: &'a Semaphore,
    mailbox: &'a Mailbox,
    queue: &'a Queue,
}

impl Shared<'_> {
    /// Tells the worker what to do: how many bytes that was.
    fn order(&self, worker: &mut Worker, number: u64) -> Result<usize, Failure> {
        let orders = Orders {
            pipe: self.server.address().clone(),
            permits: self.permits.address().clone(),
            frames: self.mailbox.address().clone(),
            jobs: self.queue.address().clone(),
            number,
        };
        let line = orders.line();
        worker.order(&line)?;
        Ok(line.len())
    }
}

/// Takes the worker's connection, and nobody else's.
fn accept(server: &PipeServer, worker: &mut Worker) -> Result<PipeStream, Failure> {
    let start = Instant::now();
    let stream = loop {
        match server.accept_timeout(LOOK) {
            Err(error) if error.kind() == ErrorKind::TimedOut && start.elapsed() < PATIENCE => {
                if let Some(status) = worker.try_wait()? {
                    return Err(Failure::Failed(format!(
                        "the worker has ended without connecting: {status}"
                    )));
                }
            }
            accepted => break accepted?,
        }
    };
    let peer: PeerIdentity = stream.peer()?;
    if peer.pid() != worker.pid() {
        return Err(Failure::Failed(format!(
            "{peer} has connected, which is not the worker"
        )));
    }
    stream.set_read_timeout(Some(PATIENCE));
    stream.set_write_timeout(Some(PATIENCE));
    say(&format!(
        "worker  (pid {}) has connected; the kernel says that it is {peer}\n",
        worker.pid()
    ))?;
    Ok(stream)
}

/// The main process's side, connected.
struct Demo<'a> {
    shared: Shared<'a>,
    frames: MailboxWriter,
    jobs: Producer,
    worker: Worker,
    stream: PipeStream,
    /// Of the next message.
    number: u64,
    /// How many frames the worker has asked for that are not written.
    ready: u32,
}

impl Demo<'_> {
    /// Sends so many messages, each answered before the next, and notes how that went.
    fn exchange(&mut self, messages: u64, len: usize, mut row: Row) -> Result<Row, Failure> {
        say(&format!(
            "main    sends {} {}, each answered before the next … ",
            count(messages as usize),
            row.what
        ))?;
        let start = Instant::now();
        let mut answer = Vec::new();
        for _ in 0..messages {
            let message = payload::message(self.number, len);
            let asked = self.worker.ask(&self.stream, &message, &mut answer);
            let time = asked.inspect_err(|_| {
                // The line is not finished. What the failure is, is said on standard error.
                let _ = say("failed\n");
            })?;
            row.note(time, 2 * len);
            self.number += 1;
        }
        say(&format!("done in {:.1} s\n", start.elapsed().as_secs_f64()))?;
        Ok(row)
    }

    /// Kills the worker while it has all permits, and a frame in its hands; goes on with a new one.
    fn replace_worker(mut self, rows: &mut Rows) -> Result<Self, Failure> {
        let Shared {
            permits,
            mailbox,
            queue,
            server,
        } = self.shared;
        self.hand_over_a_frame(rows)?;
        check_owner(permits, self.worker.pid())?;
        say(&format!(
            "worker  (pid {}) has {AT_ONCE} permits and a frame in its hands, and is killed\n",
            self.worker.pid()
        ))?;
        self.worker.kill()?;
        let start = Instant::now();
        let back = (0..AT_ONCE)
            .map(|_| permits.acquire_timeout(PATIENCE))
            .collect::<quintet::Result<Vec<Permit<'_>>>>()?;
        let time = start.elapsed();
        if !back.iter().any(Permit::was_abandoned) {
            return Err(Failure::Failed(
                "nobody was told that who had the permits has died".into(),
            ));
        }
        say(&format!(
            "main    has got the permits back {:.1} ms later, and was told that who had them died\n",
            time.as_secs_f64() * 1e3
        ))?;
        drop(back);
        let (lost, in_place) = (queue.stats().lost, mailbox.stats().in_place);
        if (lost, in_place) != (1, 0) {
            return Err(Failure::Failed(format!(
                "of what died with the worker, {lost} jobs are known to be lost, and {in_place} frames still held"
            )));
        }
        say("main    knows that one job died with it, and nobody holds its frame\n")?;
        // The server has room for one client.
        drop(self.stream);
        let mut worker = Worker::start()?;
        self.shared.order(&mut worker, self.number)?;
        Ok(Demo {
            stream: accept(server, &mut worker)?,
            worker,
            ready: 0,
            ..self
        })
    }
}

/// Checks that the system knows who has the permits, where it tells.
fn check_owner(permits: &Semaphore, pid: u32) -> Result<(), Failure> {
    let address = permits.address();
    let owners = named::kind(address.scheme())?.stat(address.name()?)?.owners;
    let is_right = owners
        .iter()
        .all(|owner| (owner.process.pid(), owner.count) == (pid, AT_ONCE));
    if is_right && (!owners.is_empty() || cfg!(windows)) {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "it is not pid {pid} that has the permits: {owners:?}"
    )))
}
