//! `quintet send`.

use crate::args::SendArgs;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::note;
use crate::text::Encoding;
use quintet::pipe::{Direction, PipeMode, PipeStream};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

/// Bytes to take from a file or standard input at a time.
const PIECE: usize = 256 * 1024;

pub(crate) fn run(args: &SendArgs) -> Result<(), Failure> {
    let endpoint = Endpoint::new(&args.address, &args.endpoint, false)?;
    if !endpoint.listens {
        check_known_mode(args, endpoint.address.option("mode"))?;
        if args.follow {
            return Err(Failure::Usage("--follow is for a server: add --listen".into()));
        }
        // What cannot be sent should fail before a server is bothered.
        let data = Data::open(args)?;
        return send(args, data, &endpoint.connect(Direction::Out)?, &endpoint);
    }
    check_known_mode(args, endpoint.address.option("mode").or(Some("byte")))?;
    if args.follow && args.text.is_none() && args.file.is_none() {
        return Err(Failure::Usage(
            "--follow needs TEXT or --file: standard input can be sent only once".into(),
        ));
    }
    let mut data = Data::open(args)?;
    let server = endpoint.serve()?;
    loop {
        let sent = send(args, data, &endpoint.accept(&server)?, &endpoint);
        if !args.follow {
            return sent;
        }
        if let Err(Failure::Failed(why)) = sent {
            eprintln!("quintet: {why}");
        } else {
            sent?;
        }
        data = Data::open(args)?;
    }
}

/// Refuses what makes no sense in the mode, when the mode is known before there is a connection.
fn check_known_mode(args: &SendArgs, mode: Option<&str>) -> Result<(), Failure> {
    match mode {
        Some("byte") => check_mode(args, PipeMode::Byte),
        _ => Ok(()),
    }
}

fn check_mode(args: &SendArgs, mode: PipeMode) -> Result<(), Failure> {
    if mode == PipeMode::Byte && args.count.is_some() && !args.lines {
        return Err(Failure::Usage(
            "--count counts messages, and in byte mode there are none: add --lines, or --mode message".into(),
        ));
    }
    Ok(())
}

/// What to send.
enum Data {
    Text(String),
    Stream {
        from: Box<dyn Read>,
        len: Option<u64>,
        name: String,
    },
}

impl Data {
    fn open(args: &SendArgs) -> Result<Self, Failure> {
        if let Some(text) = &args.text {
            return Ok(Data::Text(text.clone()));
        }
        let Some(path) = &args.file else {
            return Ok(Data::Stream {
                from: Box::new(std::io::stdin()),
                len: None,
                name: "standard input".into(),
            });
        };
        let file = File::open(path).map_err(|error| Failure::file(path, error))?;
        let len = file
            .metadata()
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|meta| meta.len());
        Ok(Data::Stream {
            from: Box::new(file),
            len,
            name: path.display().to_string(),
        })
    }
}

fn send(args: &SendArgs, data: Data, stream: &PipeStream, endpoint: &Endpoint) -> Result<(), Failure> {
    let mode = stream.mode();
    check_mode(args, mode)?;
    let mut out = Out {
        stream,
        endpoint,
        encoding: args.encoding,
        newline: mode == PipeMode::Byte && args.lines,
    };
    match data {
        Data::Text(text) if args.lines => {
            for _ in 0..args.count.unwrap_or(1) {
                for line in text.lines() {
                    out.text(line.as_bytes())?;
                }
            }
            Ok(())
        }
        Data::Text(text) => (0..args.count.unwrap_or(1)).try_for_each(|_| out.text(text.as_bytes())),
        Data::Stream { from, name, .. } if args.lines => send_lines(args, &mut out, from, &name),
        Data::Stream { from, len, name } if mode == PipeMode::Message || args.encoding.is_some() => {
            let whole = read_whole(from, len, &name)?;
            let bar = note::bar(len);
            (0..args.count.unwrap_or(1)).try_for_each(|_| out.text(&whole))?;
            bar.finish_and_clear();
            Ok(())
        }
        Data::Stream { mut from, len, name } => {
            let bar = note::bar(len);
            let mut piece = vec![0; PIECE];
            loop {
                let len = from.read(&mut piece).map_err(|error| unreadable(&name, error))?;
                if len == 0 {
                    bar.finish_and_clear();
                    return Ok(());
                }
                out.bytes(&piece[..len])?;
                bar.inc(len as u64);
            }
        }
    }
}

fn unreadable(name: &str, error: std::io::Error) -> Failure {
    Failure::Failed(format!("cannot read {name}: {error}"))
}

/// A message is sent as a whole, so it has to be read as one.
fn read_whole(mut from: Box<dyn Read>, len: Option<u64>, name: &str) -> Result<Vec<u8>, Failure> {
    let mut whole = Vec::with_capacity(len.and_then(|len| usize::try_from(len).ok()).unwrap_or(0));
    from.read_to_end(&mut whole)
        .map_err(|error| unreadable(name, error))?;
    Ok(whole)
}

fn send_lines(args: &SendArgs, out: &mut Out<'_>, from: Box<dyn Read>, name: &str) -> Result<(), Failure> {
    let mut lines = BufReader::new(from);
    let mut line = Vec::new();
    for _ in 0..args.count.unwrap_or(u64::MAX) {
        line.clear();
        let len = lines
            .read_until(b'\n', &mut line)
            .map_err(|error| unreadable(name, error))?;
        if len == 0 {
            break;
        }
        let end = line.strip_suffix(b"\n").unwrap_or(&line);
        out.text(end.strip_suffix(b"\r").unwrap_or(end))?;
    }
    Ok(())
}

/// The connection, and what happens to data on its way into it.
struct Out<'a> {
    stream: &'a PipeStream,
    endpoint: &'a Endpoint,
    encoding: Option<Encoding>,
    newline: bool,
}

impl Out<'_> {
    /// One message, or one line, or all there is; converted if that was asked for.
    fn text(&mut self, text: &[u8]) -> Result<(), Failure> {
        let mut text = text.to_vec();
        if self.newline {
            text.push(b'\n');
        }
        let Some(encoding) = self.encoding else {
            return self.bytes(&text);
        };
        let text = std::str::from_utf8(&text).map_err(|error| {
            Failure::Failed(format!(
                "--encoding converts from UTF-8, which the data is not: {error}"
            ))
        })?;
        let bytes = encoding
            .encode(text)
            .map_err(|why| Failure::Failed(format!("cannot convert the text: {why}")))?;
        self.bytes(&bytes)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.endpoint.limit(self.stream);
        Ok(self.stream.write_all(bytes)?)
    }
}
