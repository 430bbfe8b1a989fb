//! `quintet recv`.

use crate::args::RecvArgs;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::note;
use crate::record::{self, Format, Printer, Source};
use quintet::pipe::{Direction, PipeMode, PipeServer, PipeStream};
use std::fs::File;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

/// Bytes to read at a time in byte mode.
const PIECE: usize = 256 * 1024;

pub(crate) fn run(args: &RecvArgs) -> Result<(), Failure> {
    let endpoint = Endpoint::new(&args.address, &args.endpoint, true)?;
    let mode = endpoint.address.option("mode");
    match mode.or(endpoint.listens.then_some("byte")) {
        Some("byte") => check_mode(args, PipeMode::Byte)?,
        Some("message") => check_mode(args, PipeMode::Message)?,
        _ => {}
    }
    if endpoint.listens {
        let server = endpoint.serve()?;
        let job = Job::new(args, &endpoint)?;
        return if args.follow {
            follow(&job, &server)
        } else {
            serve(&job, &server)
        };
    }
    let stream = endpoint.connect(Direction::In)?;
    check_mode(args, stream.mode())?;
    let job = Job::new(args, &endpoint)?;
    let want = job.want(&stream);
    let got = job.receive(&stream, want)?;
    match args.count {
        Some(count) if got < count => Err(Failure::Failed(format!(
            "{}: the server closed after {got} of {count}",
            stream.address()
        ))),
        None if want.is_some() && got == 0 => Err(Failure::Failed(format!(
            "{}: the server closed without a message",
            stream.address()
        ))),
        _ => Ok(()),
    }
}

fn check_mode(args: &RecvArgs, mode: PipeMode) -> Result<(), Failure> {
    match mode {
        PipeMode::Byte if args.count.is_some() && !args.lines => Err(Failure::Usage(
            "--count counts messages, and in byte mode there are none: add --lines, or --mode message".into(),
        )),
        PipeMode::Message if args.lines => Err(Failure::Usage(
            "--lines is for byte mode: in message mode each message is a record already (--format lines \
             puts a newline after each)"
                .into(),
        )),
        _ => Ok(()),
    }
}

/// One client after the other, until there is what was asked for.
fn serve(job: &Job<'_>, server: &PipeServer) -> Result<(), Failure> {
    let mut missing = None;
    loop {
        let stream = job.endpoint.accept(server)?;
        missing = missing.or(job.want(&stream));
        let got = job.receive(&stream, missing)?;
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

/// All clients. Records of several come interleaved, whole; bytes that are no records, one client after the other.
fn follow(job: &Job<'_>, server: &PipeServer) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        loop {
            let stream = job.endpoint.accept(server)?;
            let receive = move || match job.receive(&stream, None) {
                Ok(_) => {}
                // One client's trouble is not the others'.
                Err(Failure::Failed(why)) => eprintln!("quintet: {why}"),
                // Ends the process from this thread, since the other one waits for clients.
                Err(fatal) => {
                    quintet::cleanup::release_names();
                    end(fatal)
                }
            };
            if job.args.lines || stream_has_records(job) {
                scope.spawn(receive);
            } else {
                receive();
            }
        }
    })
}

fn stream_has_records(job: &Job<'_>) -> bool {
    job.endpoint.address.option("mode") == Some("message")
}

fn end(failure: Failure) -> ! {
    let code = match &failure {
        Failure::Deadline(_) => 124,
        Failure::OutputClosed => 0,
        _ => 1,
    };
    failure.report();
    std::process::exit(code)
}

/// What to do with what comes.
struct Job<'a> {
    args: &'a RecvArgs,
    endpoint: &'a Endpoint,
    printer: Mutex<Printer>,
}

impl<'a> Job<'a> {
    fn new(args: &'a RecvArgs, endpoint: &'a Endpoint) -> Result<Self, Failure> {
        let out = match &args.file {
            Some(path) => Box::new(File::create(path).map_err(|error| Failure::file(path, error))?),
            None => record::stdout(),
        };
        let for_people = args.file.is_none() && std::io::stdout().is_terminal();
        let format = match args.format {
            Some(format) => format,
            None if args.json => Format::Json,
            None if for_people => Format::Quoted,
            None if args.lines => Format::Lines,
            None => Format::Raw,
        };
        Ok(Job {
            args,
            endpoint,
            printer: Mutex::new(Printer::new(out, format, args.encoding)),
        })
    }

    /// How many records to take; `None`: all there are.
    fn want(&self, stream: &PipeStream) -> Option<u64> {
        match stream.mode() {
            _ if self.args.follow => None,
            PipeMode::Message => Some(self.args.count.unwrap_or(1)),
            PipeMode::Byte => self.args.count,
        }
    }

    /// Takes records from one connection: how many it was.
    fn receive(&self, stream: &PipeStream, want: Option<u64>) -> Result<u64, Failure> {
        let mut source = self.with_printer(|printer| printer.source(stream.peer().ok()));
        match stream.mode() {
            PipeMode::Message => self.receive_messages(stream, &mut source, want),
            PipeMode::Byte if self.args.lines => self.receive_lines(stream, &mut source, want),
            PipeMode::Byte => self.receive_bytes(stream, &mut source),
        }
    }

    fn with_printer<T>(&self, act: impl FnOnce(&mut Printer) -> T) -> T {
        act(&mut self.printer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn receive_messages(
        &self,
        stream: &PipeStream,
        source: &mut Source,
        want: Option<u64>,
    ) -> Result<u64, Failure> {
        let mut message = Vec::new();
        for got in 0..want.unwrap_or(u64::MAX) {
            self.endpoint.limit(stream);
            if !stream.read_message_into(&mut message)? {
                return Ok(got);
            }
            self.with_printer(|printer| printer.print(source, &message, true))?;
        }
        Ok(want.unwrap_or(u64::MAX))
    }

    fn receive_bytes(&self, stream: &PipeStream, source: &mut Source) -> Result<u64, Failure> {
        let bar = note::bar(None);
        let mut piece = vec![0; PIECE];
        loop {
            self.endpoint.limit(stream);
            let len = stream.read(&mut piece)?;
            if len == 0 {
                bar.finish_and_clear();
                self.with_printer(|printer| printer.end(source))?;
                return Ok(0);
            }
            self.with_printer(|printer| printer.print(source, &piece[..len], false))?;
            bar.inc(len as u64);
        }
    }

    fn receive_lines(
        &self,
        stream: &PipeStream,
        source: &mut Source,
        want: Option<u64>,
    ) -> Result<u64, Failure> {
        let mut pending = Vec::new();
        let mut piece = vec![0; PIECE];
        let mut got = 0;
        loop {
            self.endpoint.limit(stream);
            let len = stream.read(&mut piece)?;
            let searched = pending.len();
            pending.extend_from_slice(&piece[..len]);
            let mut start = 0;
            let ends = pending[searched..]
                .iter()
                .enumerate()
                .filter(|(_, byte)| **byte == b'\n');
            for end in ends.map(|(at, _)| searched + at) {
                let line = &pending[start..end];
                start = end + 1;
                self.with_printer(|printer| {
                    printer.print(source, line.strip_suffix(b"\r").unwrap_or(line), true)
                })?;
                got += 1;
                if Some(got) == want {
                    return Ok(got);
                }
            }
            pending.drain(..start);
            if len == 0 {
                // The last line may lack its newline.
                if !pending.is_empty() {
                    self.with_printer(|printer| printer.print(source, &pending, true))?;
                    got += 1;
                }
                return Ok(got);
            }
        }
    }
}
