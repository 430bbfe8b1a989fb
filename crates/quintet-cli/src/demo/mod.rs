//! `quintet demo`: what Quintet does, shown between four real processes, every message verified.
//!
//! The main process serves a named pipe in message mode and starts two workers, which are this program again. Over an
//! anonymous pipe it tells each where to connect; then it sends small commands to the first, each answered before the next.
//! Large frames go through a topic to both: made where they are published, and inspected there, so nothing is copied. The
//! workers' verdicts come through a queue; a semaphore bounds how many frames are under way. With `--kill` a worker dies in the
//! middle of that. Each verdict that is right goes on over a socket, to a reader, the fourth process. At the end each worker
//! reports to the main process's window, and is answered.

mod frames;
mod inspection;
mod paint;
mod payload;
mod reports;
mod results;
mod table;
mod worker;

use crate::args::DemoArgs;
use crate::failure::Failure;
use crate::record;
use frames::{Rows, Sent};
use quintet::pipe::{PipeMode, PipeServer, PipeStream};
use quintet::shm::{Consumer, PeerChange, PeerEvent, Publisher, Queue, Topic, Trusting};
use quintet::sync::{Permit, Process, Semaphore};
use quintet::{Address, ErrorKind, PeerIdentity, named};
use reports::Reports;
use results::Results;
use std::collections::VecDeque;
use std::ops::Range;
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
const WORKERS: usize = 2;
/// So many frames at most are under way, and so many permits has each worker.
const AT_ONCE: u32 = 3;
/// Of the topic: more than twice what is under way, so that nobody misses a frame.
const ROOM: u64 = 16 << 20;

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let pid = std::process::id();
    let name = format!("quintet-demo-{pid}");
    let server = PipeServer::builder(&name)?
        .mode(PipeMode::Message)
        // The connection of a worker that died is there until another takes its place.
        .max_instances(WORKERS as u32 + 1)
        .create()?;
    let all = AT_ONCE * WORKERS as u32;
    let permits = Semaphore::create_new(&name, all, all)?;
    let topic = Topic::builder(&name)?.publishers(1).capacity(ROOM).create_new()?;
    let queue = Queue::builder(&name)?.producers(WORKERS).create_new()?;
    let window = Address::window(Some(&name));
    let shared = Shared {
        server: &server,
        permits: &permits,
        topic: &topic,
        queue: &queue,
        window: &window,
    };
    say(&format!(
        "main    (pid {pid}) serves {} in message mode\n",
        server.address()
    ))?;
    let mut orders = Row::new("anonymous pipe", "order to connect");
    let peers = [
        Peer::start(shared, 0, &mut orders)?,
        Peer::start(shared, 1, &mut orders)?,
    ];
    let results = Results::start(&mut orders)?;
    let mut demo = Demo {
        shared,
        // SAFETY: only the processes of this demo open the topic, whose name has this one's number in it, and they do so with
        // this library.
        frames: unsafe { topic.publisher()?.trusting() },
        verdicts: queue.consumer()?,
        peers,
        results,
        number: 0,
        kept: None,
        is_kept_used_again: false,
    };
    let commands = demo.exchange(args.messages, COMMAND, Row::new("pipe", "commands of 64 B"))?;
    let mut rows = Rows {
        frames: Row::new("topic", "frames 1920×1080"),
        verdicts: Row::new("queue", "verdicts of 18 B"),
    };
    say(&format!(
        "workers take a permit of {} for each frame; each has {AT_ONCE}\n",
        permits.address()
    ))?;
    demo.start_frames(&[0, 1])?;
    if args.kill {
        demo.send_frames(FRAMES / 2, &mut rows)?;
        demo.replace_worker(&mut orders, &mut rows)?;
        demo.send_frames(FRAMES - FRAMES / 2, &mut rows)?;
        if !demo.is_kept_used_again {
            return Err(Failure::Failed(
                "where the frame was that the dead worker held is still not used again".into(),
            ));
        }
        say("main    has used the place again of the frame that died with its worker\n")?;
    } else {
        demo.send_frames(FRAMES, &mut rows)?;
    }
    // Not before it is served.
    let reports = Reports::open(&name)?;
    demo.end_frames()?;
    let reports = reports.take(demo.peers.iter_mut().map(|peer| &mut peer.worker))?;
    for peer in &mut demo.peers {
        let status = peer.worker.wait()?;
        if !status.success() {
            return Err(Failure::Failed(format!("a worker has failed: {status}")));
        }
    }
    let results = demo.results.end()?;
    say(&format!(
        "all {} messages were what they should be{}\n\n",
        count(
            commands.messages()
                + rows.frames.messages()
                + rows.verdicts.messages()
                + results.messages()
                + reports.messages()
        ),
        match args.kill {
            true => ", and the worker that was killed has left nothing undone",
            false => "",
        }
    ))?;
    say(&table::draw(&mut [
        orders,
        commands,
        rows.frames,
        rows.verdicts,
        results,
        reports,
    ]))
}

/// Prints at once, also into a pipe; at a terminal in colours.
fn say(text: &str) -> Result<(), Failure> {
    record::print(paint::paint(text, console::colors_enabled()).as_bytes())
}

/// What all processes have.
#[derive(Clone, Copy)]
struct Shared<'a> {
    server: &'a PipeServer,
    permits: &'a Semaphore,
    topic: &'a Topic,
    queue: &'a Queue,
    /// Of the main window.
    window: &'a Address,
}

/// A worker, connected.
struct Peer {
    worker: Worker,
    stream: PipeStream,
    process: Process,
    /// How many frames it is ready for that are not published.
    ready: u32,
    /// What it has not given its verdict on.
    sent: VecDeque<Sent>,
    /// Whether it has the frame in its hands that it was told to keep.
    keeps: bool,
}

impl Peer {
    /// Starts one, tells it where to connect, and takes its connection.
    fn start(shared: Shared<'_>, index: u8, row: &mut Row) -> Result<Self, Failure> {
        let mut worker = Worker::start()?;
        let orders = Orders {
            pipe: shared.server.address().clone(),
            permits: shared.permits.address().clone(),
            frames: shared.topic.address().clone(),
            verdicts: shared.queue.address().clone(),
            reports: shared.window.clone(),
            index,
        };
        let line = orders.line();
        worker.order(&line)?;
        row.note_one_way(line.len());
        say(&format!(
            "main    has told a worker over an anonymous pipe to connect there: {} bytes\n",
            line.len()
        ))?;
        Ok(Peer {
            stream: accept(shared.server, &mut worker)?,
            process: Process::open(worker.pid())?,
            worker,
            ready: 0,
            sent: VecDeque::new(),
            keeps: false,
        })
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
    frames: Publisher<Trusting>,
    verdicts: Consumer,
    peers: [Peer; WORKERS],
    results: Results,
    /// Of the next message.
    number: u64,
    /// Where the frame is that a worker was told to keep.
    kept: Option<Range<usize>>,
    /// Whether another frame has been there since.
    is_kept_used_again: bool,
}

impl Demo<'_> {
    /// Sends so many messages, each answered before the next, and notes how that went.
    fn exchange(&mut self, messages: u64, len: usize, mut row: Row) -> Result<Row, Failure> {
        say(&format!(
            "main    sends {} {} to the first, each answered before the next … ",
            count(messages as usize),
            row.what
        ))?;
        let start = Instant::now();
        let mut answer = Vec::new();
        for _ in 0..messages {
            let message = payload::message(self.number, len);
            let Peer { worker, stream, .. } = &mut self.peers[0];
            let asked = worker.ask(stream, &message, &mut answer);
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

    /// Has these workers begin with the frames, once all have subscribed.
    fn start_frames(&mut self, which: &[usize]) -> Result<(), Failure> {
        self.frames.wait_for_subscribers(WORKERS, PATIENCE)?;
        for index in which {
            let Peer { worker, stream, .. } = &mut self.peers[*index];
            if let Err(error) = stream.write_message(payload::FRAMES) {
                return worker.trouble(&error);
            }
        }
        Ok(())
    }

    /// Kills the first worker while it has all its permits, and a frame in its hands; goes on with a new one.
    fn replace_worker(&mut self, orders: &mut Row, rows: &mut Rows) -> Result<(), Failure> {
        let Shared { permits, .. } = self.shared;
        self.frames.peer_events()?;
        self.hand_over_a_frame(0, rows)?;
        let pid = self.peers[0].worker.pid();
        check_owner(permits, pid)?;
        say(&format!(
            "worker  (pid {pid}) has {AT_ONCE} permits and a frame in its hands, and is killed\n"
        ))?;
        self.peers[0].worker.kill()?;
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
        let events = self.frames.wait_for_peer_events(PATIENCE)?;
        let is_it = |event: &PeerEvent| (event.change, event.pid) == (PeerChange::Died, Some(pid));
        if !events.iter().all(is_it) || self.frames.subscribers() != WORKERS - 1 {
            return Err(Failure::Failed(format!(
                "the topic does not know that pid {pid} died, and nobody else: {events:?}"
            )));
        }
        say("main    is told by the topic that this subscriber died; the other one is still there\n")?;
        self.peers[0] = Peer::start(self.shared, 0, orders)?;
        self.start_frames(&[0])
    }
}

/// Checks that the system knows who has the permits, where it tells.
fn check_owner(permits: &Semaphore, pid: u32) -> Result<(), Failure> {
    let address = permits.address();
    let owners = named::kind(address.scheme())?.stat(address.name()?)?.owners;
    let mut owners_here = owners.iter();
    let has_them = owners_here.any(|owner| (owner.process.pid(), owner.count) == (pid, AT_ONCE));
    if has_them || (owners.is_empty() && cfg!(windows)) {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "pid {pid} does not have its permits: {owners:?}"
    )))
}
