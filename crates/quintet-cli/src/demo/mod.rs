//! `quintet demo`: what Quintet does, shown between two real processes, every message verified.
//!
//! The main process serves a named pipe in message mode and starts a worker, which is this program again. It sends
//! small commands, each answered before the next, and then frames, whose checksums come back. Both sides make every
//! message from its number, so that each can tell whether what came is what was sent.

mod payload;
mod table;
mod worker;

use crate::args::DemoArgs;
use crate::failure::Failure;
use payload::Kind;
use quintet::pipe::{PipeMode, PipeServer, PipeStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use table::Row;

pub(crate) use worker::run as worker;

/// The worker connects within this, or something is wrong.
const START: Duration = Duration::from_secs(30);

/// No answer takes longer, or something is wrong.
const ANSWER: Duration = Duration::from_secs(30);

const FRAMES: u64 = 100;

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let name = format!("quintet-demo-{}", std::process::id());
    let server = PipeServer::builder(&name)?
        .mode(PipeMode::Message)
        .max_instances(1)
        .create()?;
    println!(
        "main    pid {:>7}  serves {} in message mode",
        std::process::id(),
        server.address()
    );
    let mut worker = Worker::start(&server)?;
    let stream = worker.connected(&server)?;
    println!(
        "worker  pid {:>7}  has connected; the kernel says that it is {}",
        worker.0.id(),
        stream.peer()?
    );
    stream.set_read_timeout(Some(ANSWER));
    stream.set_write_timeout(Some(ANSWER));

    println!(
        "main    sends {} commands of 64 bytes, each answered before the next",
        args.messages
    );
    let mut commands = Row::new("commands, 64 B", "answers, 64 B");
    for number in 0..args.messages {
        exchange(&stream, Kind::Command, number, 64, &mut commands)?;
    }
    println!("main    sends {FRAMES} frames of 1 B to 1 MiB, each answered with its checksum");
    let mut frames = Row::new("frames, 1 B – 1 MiB", "checksums");
    for number in 0..FRAMES {
        exchange(
            &stream,
            Kind::Frame,
            number,
            payload::frame_len(number, FRAMES),
            &mut frames,
        )?;
    }
    // The end of the stream is what tells the worker to go.
    drop(stream);
    worker.finish()?;
    println!("worker  has ended; every message was what it should be, on both sides\n");
    print!("{}", table::draw(&mut [commands, frames]));
    Ok(())
}

/// One message there, its answer back.
fn exchange(stream: &PipeStream, kind: Kind, number: u64, len: usize, row: &mut Row) -> Result<(), Failure> {
    let message = payload::make(kind, number, len);
    let start = Instant::now();
    stream.write_message(&message)?;
    let answer = stream.read_message()?;
    row.note(
        start.elapsed(),
        message.len(),
        answer.as_ref().map_or(0, Vec::len),
    );
    let expected = payload::answer(kind, number, &message);
    if answer.as_ref() != Some(&expected) {
        return Err(Failure::Failed(format!(
            "the answer to message {number} is not what it should be"
        )));
    }
    Ok(())
}

/// The worker process; killed if the demo ends early.
struct Worker(Child);

impl Worker {
    fn start(server: &PipeServer) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|error| {
            Failure::Failed(format!("cannot find this program to start it again: {error}"))
        })?;
        Command::new(program)
            .arg("demo-worker")
            .arg(server.address().to_string())
            .stdin(Stdio::null())
            .spawn()
            .map(Worker)
            .map_err(|error| Failure::Failed(format!("cannot start the worker: {error}")))
    }

    fn connected(&mut self, server: &PipeServer) -> Result<PipeStream, Failure> {
        let stream = server.accept_timeout(START)?;
        let pid = stream.peer()?.pid();
        if pid != self.0.id() {
            return Err(Failure::Failed(format!(
                "pid {pid} has connected, which is not the worker"
            )));
        }
        Ok(stream)
    }

    fn finish(mut self) -> Result<(), Failure> {
        match self.0.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::Failed(format!("the worker has failed: {status}"))),
            Err(error) => Err(Failure::Failed(format!("cannot wait for the worker: {error}"))),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // After `finish` there is nothing left to kill, which is what the error says.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
