//! `quintet recv`.

use crate::args::RecvArgs;
use crate::connection::{self, Incoming, Messages};
use crate::endpoint::{self, End, Endpoint, PipeEnd};
use crate::failure::Failure;
use crate::fifo;
use crate::input::PIECE;
use crate::lines::Lines;
use crate::note::{self, Progress};
use crate::record::{self, Format, Printer, Source};
use crate::text::Encoding;
use crate::window;
use quintet::pipe::{Direction, PipeMode, PipeServer, PipeStream};
use quintet::socket::Listener;
use quintet::{Deadline, Scheme};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

pub(crate) fn run(args: &RecvArgs) -> Result<(), Failure> {
    if args.address.scheme() == Scheme::Window {
        return window::recv(args);
    }
    endpoint::for_windows(
        &args.address,
        args.window.given().or(args.reply.map(|_| "--reply")),
    )?;
    let endpoint = Endpoint::new(&args.address, &args.endpoint, Direction::In, args.follow)?;
    if let Some(mode) = endpoint.mode {
        check_mode(args, &endpoint, mode)?;
    }
    let mut sources = match &endpoint.end {
        End::Pipe(pipe) if pipe.listens => Sources::Clients(pipe.serve()?, pipe),
        End::Pipe(pipe) => return connect(args, &endpoint, pipe),
        End::Fifo(fifo) => Sources::Writers(fifo.serve()?),
        End::Queue(queue) => return take(&Job::new(args, &endpoint)?, &mut queue.consume()?),
        End::Socket(socket) if socket.mode() == PipeMode::Message => {
            return take(&Job::new(args, &endpoint)?, &mut socket.receive()?);
        }
        End::Socket(socket) if socket.listens => Sources::Streams(socket.serve()?, endpoint.deadline),
        End::Socket(socket) => {
            let incoming = Incoming::Stream(socket.connect()?.into());
            return receive_from(args, &endpoint, incoming);
        }
        End::Topic(topic) => return take(&Job::new(args, &endpoint)?, &mut topic.subscribe(args.depth)?),
    };
    let job = Job::new(args, &endpoint)?;
    if args.follow {
        follow(&job, &mut sources);
    }
    serve(&job, &mut sources)
}

fn check_mode(args: &RecvArgs, endpoint: &Endpoint, mode: PipeMode) -> Result<(), Failure> {
    let what = match mode {
        PipeMode::Byte if args.lines => return Ok(()),
        PipeMode::Byte if args.count.is_some() => "--count counts messages",
        PipeMode::Byte if args.print.format == Some(Format::Lines) => {
            "--format lines puts each message on a line"
        }
        PipeMode::Message if args.lines => {
            return Err(Failure::Usage(
                "--lines is for byte mode: in message mode, and of a queue or a topic, each message is a record already (--format \
                 lines puts a newline after each)"
                    .into(),
            ));
        }
        _ => return Ok(()),
    };
    Err(Failure::Usage(format!(
        "{what}, and in byte mode there are none: add {}",
        endpoint.what_has_records()
    )))
}

/// Receives from a server.
fn connect(args: &RecvArgs, endpoint: &Endpoint, pipe: &PipeEnd) -> Result<(), Failure> {
    receive_from(args, endpoint, Incoming::Pipe(pipe.connect()?.into()))
}

fn receive_from(args: &RecvArgs, endpoint: &Endpoint, incoming: Incoming) -> Result<(), Failure> {
    check_mode(args, endpoint, endpoint.mode_of(&incoming))?;
    let job = Job::new(args, endpoint)?;
    let want = job.want(&incoming);
    let got = job.receive(&incoming, want)?;
    match want {
        Some(want) if got < want => Err(Failure::Failed(format!(
            "{incoming}: the server closed after {got} of {want} {}",
            if args.lines { "lines" } else { "messages" }
        ))),
        _ => Ok(()),
    }
}

/// Takes messages out of a queue, or what is published on a topic.
fn take(job: &Job<'_>, messages: &mut dyn Messages) -> Result<(), Failure> {
    let want = if job.args.follow {
        u64::MAX
    } else {
        job.args.count.unwrap_or(1)
    };
    let mut source = job.with_printer(|printer| printer.source(None));
    let mut message = Vec::new();
    for _ in 0..want {
        messages.next(&mut message, &mut source)?;
        job.with_printer(|printer| {
            printer.print(&mut source, &message, true)?;
            printer.flush()
        })?;
        messages.done();
    }
    Ok(())
}

/// What gives one source of data after the other.
enum Sources<'a> {
    /// Of a server, each by itself.
    Clients(PipeServer, &'a PipeEnd),
    /// Of a FIFO: those who write at the same time cannot be told apart.
    Writers(fifo::Readers),
    /// Of a socket, each by itself.
    Streams(Listener, Deadline),
}

impl Sources<'_> {
    fn accept(&mut self) -> Result<Incoming, Failure> {
        match self {
            Sources::Clients(server, pipe) => Ok(Incoming::Pipe(pipe.accept(server)?.into())),
            Sources::Streams(listener, deadline) => {
                Ok(Incoming::Stream(listener.accept_timeout(*deadline)?.into()))
            }
            Sources::Writers(readers) => Ok(Incoming::Fifo(readers.accept()?)),
        }
    }
}

/// One source after the other, until there is what was asked for.
fn serve(job: &Job<'_>, sources: &mut Sources<'_>) -> Result<(), Failure> {
    let mut missing = None;
    loop {
        let incoming = sources.accept()?;
        missing = missing.or(job.want(&incoming));
        let got = job.receive(&incoming, missing)?;
        match &mut missing {
            Some(missing) => {
                *missing -= got;
                if *missing == 0 {
                    return Ok(());
                }
            }
            None => return Ok(()),
        }
    }
}

/// All sources. Records of several clients come interleaved, whole; bytes that are no records, one client after the other.
///
/// Ends with the process, since some threads wait for clients and for data while another finds a reason to end.
fn follow(job: &Job<'_>, sources: &mut Sources<'_>) -> ! {
    let are_clients = matches!(sources, Sources::Clients(..) | Sources::Streams(..));
    let at_once = are_clients && (job.args.lines || job.endpoint.mode == Some(PipeMode::Message));
    thread::scope(|scope| {
        loop {
            let incoming = match sources.accept() {
                Ok(incoming) => incoming,
                Err(failure) => job.exit(failure),
            };
            let receive = move || match job.receive(&incoming, None) {
                Ok(_) => {}
                // One client's trouble is not the others'.
                Err(Failure::Failed(why)) if are_clients => note::complain(why),
                Err(failure) => job.exit(failure),
            };
            if !at_once {
                receive();
            } else if let Err(error) = thread::Builder::new().spawn_scoped(scope, receive) {
                // The connection went with the thread, so the client knows.
                note::complain(format!("cannot serve another client: {error}"));
            }
        }
    })
}

/// What to do with what comes.
struct Job<'a> {
    args: &'a RecvArgs,
    endpoint: &'a Endpoint,
    printer: Mutex<Printer>,
    to_file: bool,
}

impl<'a> Job<'a> {
    fn new(args: &'a RecvArgs, endpoint: &'a Endpoint) -> Result<Self, Failure> {
        let file = args.print.file.as_deref().filter(|path| *path != Path::new("-"));
        let otherwise = if args.lines { Format::Lines } else { Format::Raw };
        let format = Format::chosen(args.print.format, args.print.json, file.is_some(), otherwise);
        Ok(Job {
            args,
            endpoint,
            printer: Mutex::new(Printer::new(record::output(file)?, format, args.print.encoding)),
            to_file: file.is_some(),
        })
    }

    /// How many records to take; `None`: all there are.
    fn want(&self, incoming: &Incoming) -> Option<u64> {
        match self.endpoint.mode_of(incoming) {
            _ if self.args.follow => None,
            PipeMode::Message => Some(self.args.count.unwrap_or(1)),
            PipeMode::Byte => self.args.count,
        }
    }

    /// Takes records from one source: how many it was.
    fn receive(&self, incoming: &Incoming, want: Option<u64>) -> Result<u64, Failure> {
        let source = self.with_printer(|printer| printer.source(incoming.sender()));
        let want = want.unwrap_or(u64::MAX);
        match incoming {
            Incoming::Pipe(stream) if self.endpoint.mode_of(incoming) == PipeMode::Message => {
                self.receive_messages(stream, source, want)
            }
            _ if self.args.lines => self.receive_lines(incoming, source, want),
            _ => self.receive_bytes(incoming, source),
        }
    }

    fn with_printer<T>(&self, act: impl FnOnce(&mut Printer) -> T) -> T {
        act(&mut self.printer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the process, though not in the middle of a record.
    fn exit(&self, failure: Failure) -> ! {
        self.with_printer(|_| failure.exit())
    }

    fn receive_messages(&self, stream: &PipeStream, mut source: Source, want: u64) -> Result<u64, Failure> {
        let mut message = Vec::new();
        for got in 0..want {
            connection::limit(stream, self.endpoint.deadline);
            if !stream.read_message_into(&mut message)? {
                return Ok(got);
            }
            self.with_printer(|printer| {
                printer.print(&mut source, &message, true)?;
                printer.flush()
            })?;
        }
        Ok(want)
    }

    fn receive_bytes(&self, incoming: &Incoming, mut source: Source) -> Result<u64, Failure> {
        let mut progress = Progress::new(None, self.to_file);
        let mut piece = vec![0; PIECE];
        loop {
            let len = incoming.read(&mut piece, self.endpoint.deadline)?;
            if len == 0 {
                self.with_printer(|printer| printer.end(source))?;
                return Ok(0);
            }
            self.with_printer(|printer| {
                printer.print(&mut source, &piece[..len], false)?;
                printer.flush()
            })?;
            progress.add(len);
        }
    }

    fn receive_lines(&self, incoming: &Incoming, mut source: Source, want: u64) -> Result<u64, Failure> {
        let mut lines = Lines::new(self.args.print.encoding.map_or(1, Encoding::width));
        let mut piece = vec![0; PIECE];
        let mut got = 0;
        loop {
            let len = incoming.read(&mut piece, self.endpoint.deadline)?;
            lines.push(&piece[..len]);
            self.with_printer(|printer| {
                while got < want
                    && let Some(line) = lines.next_line()
                {
                    printer.print(&mut source, line, true)?;
                    got += 1;
                }
                // The last line may lack its newline.
                if len == 0 && got < want && !lines.rest().is_empty() {
                    printer.print(&mut source, lines.rest(), true)?;
                    got += 1;
                }
                printer.flush()
            })?;
            if len == 0 || got == want {
                return Ok(got);
            }
            if lines.rest().len() as u64 > self.endpoint.max_message {
                return Err(Failure::Failed(format!(
                    "{incoming}: a line of more than {} bytes came; raise --max-message if that is meant",
                    self.endpoint.max_message
                )));
            }
        }
    }
}
