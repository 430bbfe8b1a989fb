//! `quintet req`.

use crate::args::{EndpointArgs, ReqArgs};
use crate::failure::Failure;
use crate::input::Input;
use crate::record::{self, Format, Printer};
use crate::send::convert;
use crate::socket::SocketEnd;
use crate::verbs;
use std::io::{BufRead, BufReader, IsTerminal, Read};

pub(crate) fn run(mut args: ReqArgs) -> Result<(), Failure> {
    verbs::check("req", &args.address)?;
    let print = args.print();
    let format = match print.format {
        Some(format) => format,
        None if print.json => Format::Json,
        None if std::io::stdout().is_terminal() => Format::Quoted,
        None => Format::Raw,
    };
    let endpoint: EndpointArgs = std::mem::take(&mut args.socket).into();
    let Some(end) = SocketEnd::at(&args.address, &endpoint, false)? else {
        return Err(Failure::Usage("req is for sockets".into()));
    };
    let count = args.data.count;
    let times = count.unwrap_or(if args.data.interval.is_some() { u64::MAX } else { 1 });
    let mut printer = Printer::new(record::output(None)?, format, print.encoding);
    let mut source = printer.source(None);
    let mut input = match &args.text {
        Some(_) => None,
        None => Some(Input::open(args.data.file.as_deref(), end.deadline)?),
    };
    let text = match (&args.text, &mut input) {
        (Some(text), _) => text.clone().into_encoded_bytes(),
        (None, Some(input)) if !args.data.lines => {
            let mut whole = Vec::new();
            let read = input.read_to_end(&mut whole);
            read.map_err(|error| input.failed(&error))?;
            whole
        }
        _ => Vec::new(),
    };
    let req = end.ask()?;
    let mut ask = |question: &[u8]| -> Result<(), Failure> {
        let question = convert(args.data.encoding, question)?;
        let reply = req
            .request_timeout(&*question, end.deadline)
            .map_err(|error| Failure::about(&args.address, error))?;
        printer.print(&mut source, &reply, true)?;
        printer.flush()
    };
    let pause = |number: u64| {
        if let Some(interval) = args.data.interval.filter(|_| number > 0) {
            std::thread::sleep(
                end.deadline
                    .remaining()
                    .map_or(interval, |left| left.min(interval)),
            );
        }
    };
    if !args.data.lines {
        for number in 0..times {
            pause(number);
            ask(&text)?;
        }
        return Ok(());
    }
    let lines: Box<dyn BufRead> = match input {
        Some(input) => Box::new(BufReader::new(input)),
        None => Box::new(std::io::Cursor::new(text)),
    };
    for (number, line) in lines
        .split(b'\n')
        .enumerate()
        .take(count.map_or(usize::MAX, |n| n as usize))
    {
        let line = line.map_err(|error| Failure::Failed(format!("cannot read the questions: {error}")))?;
        pause(number as u64);
        ask(line.strip_suffix(b"\r").unwrap_or(&line))?;
    }
    Ok(())
}
