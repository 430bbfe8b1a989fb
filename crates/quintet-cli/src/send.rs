//! `quintet send`.

use crate::args::SendArgs;
use crate::connection::Outgoing;
use crate::endpoint::{self, End, Endpoint};
use crate::failure::Failure;
use crate::input::{Input, PIECE};
use crate::lines;
use crate::note::{self, Progress};
use crate::socket::SocketEnd;
use crate::text::Encoding;
use crate::window;
use quintet::Scheme;
use quintet::pipe::{Direction, PipeMode};
use std::borrow::Cow;
use std::cell::Cell;
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

pub(crate) fn run(args: &SendArgs) -> Result<(), Failure> {
    if args.address.scheme() == Scheme::Window {
        return window::send(args);
    }
    endpoint::for_windows(&args.address, args.window.given())?;
    let endpoint = Endpoint::new(&args.address, &args.endpoint, Direction::Out, false)?;
    if let Some(mode) = endpoint.mode {
        check_mode(args, &endpoint, mode)?;
    }
    let from_stdin = args.text.is_none() && args.data.file.as_ref().is_none_or(|path| path == "-");
    match &endpoint.end {
        End::Pipe(pipe) if args.follow && !pipe.listens => {
            return Err(Failure::Usage("--follow is for a server: add --listen".into()));
        }
        End::Fifo(_) if args.follow => {
            return Err(Failure::Usage(
                "--follow is for a server, and nobody is the server of a FIFO file".into(),
            ));
        }
        End::Queue(_) if args.follow => {
            return Err(Failure::Usage(
                "--follow is for a server, and nobody is the server of a queue".into(),
            ));
        }
        End::Topic(_) if args.follow => {
            return Err(Failure::Usage(
                "--follow is for a server, and nobody is the server of a topic".into(),
            ));
        }
        End::Socket(socket) if args.follow && !(socket.listens && socket.mode() == PipeMode::Byte) => {
            return Err(Failure::Usage(
                "--follow is for a server of bytes: add --listen, without --mode message".into(),
            ));
        }
        End::Queue(_) => {}
        _ if args.drain.no_drain => return Err(Failure::Usage("--no-drain is for queue://".into())),
        _ => {}
    }
    if args.follow && from_stdin {
        return Err(Failure::Usage(
            "--follow needs TEXT or --file: standard input can be sent only once".into(),
        ));
    }
    // What cannot be sent should fail before anybody else is bothered.
    let mut data = Data::open(args, &endpoint)?;
    let pipe = match &endpoint.end {
        End::Pipe(pipe) => pipe,
        End::Fifo(fifo) => return send(args, data, &Outgoing::Fifo(fifo.connect()?), &endpoint),
        End::Queue(queue) => {
            let to = Outgoing::Queue(Box::new(queue.produce(!args.drain.no_drain)?));
            let sent = send(args, data, &to, &endpoint);
            return to.finish(sent, endpoint.deadline);
        }
        End::Socket(socket) => return send_through(args, data, socket, &endpoint),
        End::Topic(topic) => {
            let to = Outgoing::Topic(Box::new(topic.publish(args.wait_subscriber)?));
            let sent = send(args, data, &to, &endpoint);
            return to.finish(sent, endpoint.deadline);
        }
    };
    if !pipe.listens {
        return send(args, data, &Outgoing::Pipe(pipe.connect()?.into()), &endpoint);
    }
    let server = pipe.serve()?;
    loop {
        match send(
            args,
            data,
            &Outgoing::Pipe(pipe.accept(&server)?.into()),
            &endpoint,
        ) {
            sent if !args.follow => return sent,
            // One client's trouble is not the next one's.
            Err(Failure::Failed(why)) => note::complain(why),
            sent => sent?,
        }
        data = Data::open(args, &endpoint)?;
    }
}

/// Through a socket: messages, or bytes to a server or to clients.
fn send_through(
    args: &SendArgs,
    mut data: Data,
    socket: &SocketEnd,
    endpoint: &Endpoint,
) -> Result<(), Failure> {
    let deliver = |data, to: Outgoing| {
        let sent = send(args, data, &to, endpoint);
        to.finish(sent, endpoint.deadline)
    };
    if socket.mode() == PipeMode::Message {
        return deliver(data, Outgoing::Socket(socket.send(args.wait_subscriber)?.into()));
    }
    if !socket.listens {
        return deliver(data, Outgoing::Stream(socket.connect()?.into()));
    }
    let listener = socket.serve()?;
    loop {
        let stream = listener.accept_timeout(endpoint.deadline)?;
        match deliver(data, Outgoing::Stream(stream.into())) {
            sent if !args.follow => return sent,
            // One client's trouble is not the next one's.
            Err(Failure::Failed(why)) => note::complain(why),
            sent => sent?,
        }
        data = Data::open(args, endpoint)?;
    }
}

fn check_mode(args: &SendArgs, endpoint: &Endpoint, mode: PipeMode) -> Result<(), Failure> {
    if mode == PipeMode::Byte && args.data.count.is_some() && !args.data.lines {
        return Err(Failure::Usage(format!(
            "--count counts messages, and in byte mode there are none: add {}",
            endpoint.what_has_records()
        )));
    }
    Ok(())
}

/// What to send.
enum Data {
    Text(Vec<u8>),
    Input(Input),
}

impl Data {
    fn open(args: &SendArgs, endpoint: &Endpoint) -> Result<Self, Failure> {
        let Some(text) = &args.text else {
            return Ok(Data::Input(Input::open(
                args.data.file.as_deref(),
                endpoint.deadline,
            )?));
        };
        // On Linux an argument is any bytes, and those are sent; on Windows this is its text in UTF-8.
        let text = text.clone().into_encoded_bytes();
        convert(args.data.encoding, &text)?;
        Ok(Data::Text(text))
    }
}

fn send(args: &SendArgs, data: Data, to: &Outgoing, endpoint: &Endpoint) -> Result<(), Failure> {
    let mode = to.mode();
    check_mode(args, endpoint, mode)?;
    let endless = if args.data.interval.is_some() { u64::MAX } else { 1 };
    let times = args.data.count.unwrap_or(endless);
    let out = Out {
        to,
        endpoint,
        interval: args.data.interval,
        is_first: Cell::new(true),
        encoding: args.data.encoding,
        newline: (mode == PipeMode::Byte && args.data.lines)
            .then(|| lines::newline(args.data.encoding.map_or(1, Encoding::width))),
    };
    match data {
        Data::Text(text) if args.data.lines => (0..times).try_for_each(|_| {
            let text = text.strip_suffix(b"\n").unwrap_or(&text);
            text.split(|byte| *byte == b'\n')
                .try_for_each(|line| out.record(line.strip_suffix(b"\r").unwrap_or(line)))
        }),
        Data::Text(text) => (0..times).try_for_each(|_| out.record(&text)),
        Data::Input(input) if args.data.lines => out.lines(input, args.data.count.unwrap_or(u64::MAX)),
        Data::Input(input) if mode == PipeMode::Byte => out.stream(input),
        Data::Input(input) => {
            let message = whole(input, &out)?;
            (0..times).try_for_each(|_| out.record(&message))
        }
    }
}

/// A message is sent as a whole, so it has to be read as one; not much more of it than is allowed.
fn whole(mut input: Input, out: &Out<'_>) -> Result<Vec<u8>, Failure> {
    let limit = out.limit();
    let expected = input.len.unwrap_or(0).min(limit);
    let mut whole = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
    let read = (&mut input).take(limit.saturating_add(1)).read_to_end(&mut whole);
    read.map_err(|error| input.failed(&error))?;
    out.check_len(&whole, "message")?;
    Ok(whole)
}

/// The text in the encoding that was asked for.
pub(crate) fn convert(encoding: Option<Encoding>, text: &[u8]) -> Result<Cow<'_, [u8]>, Failure> {
    match encoding {
        Some(encoding) => encoding
            .encoder()
            .encode(text, true)
            .map(Cow::Owned)
            .map_err(cannot_convert),
        None => Ok(Cow::Borrowed(text)),
    }
}

fn cannot_convert(why: String) -> Failure {
    Failure::Failed(format!("cannot convert the text: {why}"))
}

/// The connection, and what happens to data on its way into it.
struct Out<'a> {
    to: &'a Outgoing,
    endpoint: &'a Endpoint,
    /// How long to pause before each record but the first.
    interval: Option<Duration>,
    is_first: Cell<bool>,
    encoding: Option<Encoding>,
    /// What ends each record in a stream of bytes.
    newline: Option<&'static [u8]>,
}

impl Out<'_> {
    /// One message, or one line, or the only text there is.
    fn record(&self, text: &[u8]) -> Result<(), Failure> {
        self.pause();
        self.bytes(&self.finished(text)?)
    }

    fn pause(&self) {
        if let Some(interval) = self.interval.filter(|_| !self.is_first.replace(false)) {
            let left = self.endpoint.deadline.remaining();
            std::thread::sleep(left.map_or(interval, |left| left.min(interval)));
        }
    }

    /// No record is longer, before it is converted.
    fn limit(&self) -> u64 {
        self.to.limit(self.endpoint.max_message, self.encoding.is_some())
    }

    fn check_len(&self, record: &[u8], what: &str) -> Result<(), Failure> {
        let limit = self.limit();
        if record.len() as u64 > limit {
            let help = self.to.help_with_length();
            return Err(Failure::Failed(format!(
                "this is a {what} of more than {limit} bytes; {help}"
            )));
        }
        Ok(())
    }

    /// A record as it goes into the pipe.
    fn finished<'t>(&self, text: &'t [u8]) -> Result<Cow<'t, [u8]>, Failure> {
        let mut bytes = convert(self.encoding, text)?;
        if let Some(newline) = self.newline {
            bytes.to_mut().extend_from_slice(newline);
        }
        Ok(bytes)
    }

    /// Lines, each as it comes.
    fn lines(&self, input: Input, most: u64) -> Result<(), Failure> {
        let mut ready = Vec::new();
        let done = self.take_lines(input, most, &mut ready);
        // The lines before one that cannot be sent are sent.
        if !ready.is_empty() {
            self.bytes(&ready)?;
        }
        done
    }

    /// Sends lines, but keeps in `ready` what need not go yet: in a stream of bytes nobody can tell whether lines that came
    /// together were written together.
    fn take_lines(&self, input: Input, most: u64, ready: &mut Vec<u8>) -> Result<(), Failure> {
        let mut input = BufReader::with_capacity(PIECE, input);
        let mut line = Vec::new();
        let limit = self.limit();
        for _ in 0..most {
            line.clear();
            let mut limited = (&mut input).take(limit.saturating_add(1));
            let read = limited.read_until(b'\n', &mut line);
            if read.map_err(|error| input.get_ref().failed(&error))? == 0 {
                break;
            }
            let end = line.strip_suffix(b"\n").unwrap_or(&line);
            self.check_len(end, "line")?;
            let end = end.strip_suffix(b"\r").unwrap_or(end);
            if self.newline.is_none() {
                self.record(end)?;
                continue;
            }
            if self.interval.is_some() {
                self.record(end)?;
                continue;
            }
            ready.extend_from_slice(&self.finished(end)?);
            if ready.len() >= PIECE || !input.buffer().contains(&b'\n') {
                self.bytes(ready)?;
                ready.clear();
            }
        }
        Ok(())
    }

    /// All there is, in pieces that have no meaning.
    fn stream(&self, mut input: Input) -> Result<(), Failure> {
        let mut progress = Progress::new(input.len, input.len.is_some());
        let mut encoder = self.encoding.map(Encoding::encoder);
        let mut piece = vec![0; PIECE];
        loop {
            let len = input.read(&mut piece).map_err(|error| input.failed(&error))?;
            match &mut encoder {
                Some(encoder) => {
                    let converted = encoder.encode(&piece[..len], len == 0);
                    self.bytes(&converted.map_err(cannot_convert)?)?;
                }
                None => self.bytes(&piece[..len])?,
            }
            if len == 0 {
                return Ok(());
            }
            progress.add(len);
        }
    }

    fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.to.write_all(bytes, self.endpoint.deadline)
    }
}
