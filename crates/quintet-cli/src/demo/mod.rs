//! `quintet demo`: what Quintet does, shown between two real processes, every message verified.
//!
//! The main process serves a named pipe in message mode and starts a worker, which is this program again. Over an anonymous
//! pipe it tells the worker where to connect; then it sends small commands, each answered before the next, and large
//! frames, of which a semaphore bounds how many are under way. With `--kill` the worker dies in the middle of that.

mod frames;
mod payload;
mod table;
mod worker;

use crate::args::DemoArgs;
use crate::failure::Failure;
use crate::record;
use quintet::pipe::{PipeMode, PipeServer, PipeStream};
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
const FRAME: usize = 1 << 20;
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
    say(&format!(
        "main    (pid {pid}) serves {} in message mode\n",
        server.address()
    ))?;
    let mut worker = Worker::start()?;
    let told = order(&mut worker, &server, &permits, 0)?;
    let orders = Row::one_way("anonymous pipe", "order to connect", told);
    say(&format!(
        "main    has told its worker over an anonymous pipe to connect there: {told} bytes\n"
    ))?;
    let stream = accept(&server, &mut worker)?;
    let mut demo = Demo {
        worker,
        stream,
        number: 0,
        ready: 0,
    };
    let commands = demo.exchange(args.messages, COMMAND, Row::new("pipe", "commands of 64 B"))?;
    let mut frames = Row::new("pipe", "frames of 1 MiB");
    say(&format!(
        "worker  takes a permit of {} for each frame; there are {AT_ONCE}\n",
        permits.address()
    ))?;
    if args.kill {
        demo.send_frames(FRAMES / 2, &mut frames)?;
        demo = demo.replace_worker(&server, &permits)?;
        demo.send_frames(FRAMES - FRAMES / 2, &mut frames)?;
    } else {
        demo.send_frames(FRAMES, &mut frames)?;
    }

    // The end of the stream is what tells the worker to go.
    drop(demo.stream);
    let status = demo.worker.wait()?;
    if !status.success() {
        return Err(Failure::Failed(format!("the worker has failed: {status}")));
    }
    say(&format!(
        "all {} messages were what they should be{}\n\n",
        count(commands.messages() + frames.messages()),
        match args.kill {
            true => ", and the worker that was killed has left nothing undone",
            false => "",
        }
    ))?;
    say(&table::draw(&mut [orders, commands, frames]))
}

/// Prints at once, also into a pipe.
fn say(text: &str) -> Result<(), Failure> {
    record::print(text.as_bytes())
}

/// Tells the worker what to do: how many bytes that was.
fn order(
    worker: &mut Worker,
    server: &PipeServer,
    permits: &Semaphore,
    number: u64,
) -> Result<usize, Failure> {
    let orders = Orders {
        pipe: server.address().clone(),
        permits: permits.address().clone(),
        number,
    };
    let line = orders.line();
    worker.order(&line)?;
    Ok(line.len())
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
struct Demo {
    worker: Worker,
    stream: PipeStream,
    /// Of the next message.
    number: u64,
    /// How many frames the worker has asked for that are not sent.
    ready: u32,
}

impl Demo {
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
    fn replace_worker(mut self, server: &PipeServer, permits: &Semaphore) -> Result<Self, Failure> {
        self.hand_over_a_frame()?;
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
        // The server has room for one client.
        drop(self.stream);
        let mut worker = Worker::start()?;
        order(&mut worker, server, permits, self.number)?;
        Ok(Demo {
            stream: accept(server, &mut worker)?,
            worker,
            number: self.number,
            ready: 0,
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
