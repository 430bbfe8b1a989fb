//! `quintet demo`: what Quintet does, shown between two real processes, every message verified.
//!
//! The main process serves a named pipe in message mode and starts a worker, which is this program again. Over an anonymous
//! pipe it tells the worker where to connect; then it sends small commands and large frames, each answered before the
//! next.

mod payload;
mod table;
mod worker;

use crate::args::DemoArgs;
use crate::failure::Failure;
use crate::record;
use quintet::pipe::{PipeMode, PipeServer, PipeStream};
use quintet::{ErrorKind, PeerIdentity};
use std::time::{Duration, Instant};
use table::{Row, count};
use worker::Worker;

pub(crate) use worker::{orders, work};

/// The worker connects within this, and gives each answer within it, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often to look, while waiting for the worker to connect, whether it still can.
const LOOK: Duration = Duration::from_millis(50);

const COMMAND: usize = 64;
const FRAMES: u64 = 100;
const FRAME: usize = 1 << 20;

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let pid = std::process::id();
    let server = PipeServer::builder(format!("quintet-demo-{pid}"))?
        .mode(PipeMode::Message)
        .max_instances(1)
        .create()?;
    say(&format!(
        "main    (pid {pid}) serves {} in message mode\n",
        server.address()
    ))?;
    let mut worker = Worker::start()?;
    let order = format!("{}\n", server.address());
    worker.order(&order)?;
    let orders = Row::one_way("anonymous pipe", "order to connect", order.len());
    say(&format!(
        "main    has told its worker over an anonymous pipe to connect there: {} bytes\n",
        order.len()
    ))?;
    let (stream, peer) = accept(&server, &mut worker)?;
    say(&format!(
        "worker  (pid {}) has connected; the kernel says that it is {peer}\n",
        worker.pid()
    ))?;

    let mut demo = Demo {
        worker,
        stream,
        number: 0,
    };
    let commands = demo.exchange(args.messages, COMMAND, Row::new("pipe", "commands of 64 B"))?;
    let frames = demo.exchange(FRAMES, FRAME, Row::new("pipe", "frames of 1 MiB"))?;

    // The end of the stream is what tells the worker to go.
    drop(demo.stream);
    let status = demo.worker.wait()?;
    if !status.success() {
        return Err(Failure::Failed(format!("the worker has failed: {status}")));
    }
    let messages = commands.messages() + frames.messages();
    say(&format!(
        "all {} messages were what they should be\n\n",
        count(messages)
    ))?;
    say(&table::draw(&mut [orders, commands, frames]))
}

/// Prints at once, also into a pipe.
fn say(text: &str) -> Result<(), Failure> {
    record::print(text.as_bytes())
}

/// Takes the worker's connection, and nobody else's.
fn accept(server: &PipeServer, worker: &mut Worker) -> Result<(PipeStream, PeerIdentity), Failure> {
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
    let peer = stream.peer()?;
    if peer.pid() != worker.pid() {
        return Err(Failure::Failed(format!(
            "{peer} has connected, which is not the worker"
        )));
    }
    stream.set_read_timeout(Some(PATIENCE));
    stream.set_write_timeout(Some(PATIENCE));
    Ok((stream, peer))
}

/// The main process's side, connected.
struct Demo {
    worker: Worker,
    stream: PipeStream,
    /// Of the next message.
    number: u64,
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
}
