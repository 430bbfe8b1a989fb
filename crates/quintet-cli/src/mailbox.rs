//! `read` and `write` of a mailbox: its newest value.

use crate::args::{AccessArgs, ReadArgs, WriteArgs};
use crate::failure::Failure;
use crate::image::Image;
use crate::input::{Input, PIECE};
use crate::note;
use crate::object;
use crate::patience;
use crate::read;
use crate::send;
use crate::text::WIDEST;
use crate::write;
use quintet::shm::{Mailbox, MailboxReader, MailboxWriter, Reading};
use quintet::{Address, Deadline, ErrorKind};
use std::io::{BufRead, BufReader, Read};
use std::thread;
use std::time::Duration;

/// So long another writer is waited for in any case: those of a shell write one value and end.
const MOMENT: Duration = Duration::from_millis(500);

/// How often to look whether it has ended.
const AGAIN: Duration = Duration::from_millis(1);

/// Prints the newest value, or several.
pub(crate) fn read(args: &ReadArgs) -> Result<(), Failure> {
    let mut values = Values::of(args)?;
    let mut value = Vec::new();
    let mut reading = values.next(&mut value)?;
    // What is not there touches no file.
    let mut part = cut(args, &value)?;
    if let Some(image) = args.image {
        return image.save(part.to_vec(), args.to_file());
    }
    let mut printer = read::printer(args)?;
    let mut source = printer.source(None);
    let mut left = match args.count {
        _ if args.follow => u64::MAX,
        count => count.unwrap_or(1),
    };
    loop {
        source.number(reading.sequence);
        source.age(reading.age());
        printer.print(&mut source, part, true)?;
        printer.flush()?;
        left -= 1;
        if left == 0 {
            return Ok(());
        }
        reading = values.next(&mut value)?;
        part = cut(args, &value)?;
    }
}

/// The values of a mailbox, each newer than the one before.
struct Values {
    reader: MailboxReader,
    address: Address,
    deadline: Deadline,
    /// Whether to wait for the first, if there is none.
    waits: bool,
    has_begun: bool,
}

impl Values {
    fn of(args: &ReadArgs) -> Result<Self, Failure> {
        let mailbox = open(&args.address, &args.access)?;
        Ok(Values {
            reader: mailbox.reader()?,
            address: mailbox.address().clone(),
            deadline: args.timeout.into(),
            waits: args.for_mailboxes().is_some(),
            has_begun: false,
        })
    }

    /// A person is told what the first is waited for.
    fn next(&mut self, value: &mut Vec<u8>) -> Result<Reading, Failure> {
        let (reader, address) = (&mut self.reader, &self.address);
        if self.has_begun {
            return Ok(reader.next_timeout(value, self.deadline)?);
        }
        self.has_begun = true;
        if self.waits {
            let what = || address.to_string();
            return Ok(patience::wait_for(self.deadline.remaining(), what, |time| {
                reader.next_timeout(value, time)
            })?);
        }
        reader.read(value)?.ok_or_else(|| {
            Failure::Failed(format!(
                "{address}: nothing was written yet; --timeout TIME, or --count 1, waits for the first value"
            ))
        })
    }
}

/// What was asked for of a value.
fn cut<'v>(args: &ReadArgs, value: &'v [u8]) -> Result<&'v [u8], Failure> {
    let from = usize::try_from(args.offset).unwrap_or(usize::MAX);
    let len = args.image.map(Image::len).or(args.len);
    let part = value.get(from..).and_then(|rest| match len {
        Some(len) => rest.get(..usize::try_from(len).ok()?),
        None => Some(rest),
    });
    part.ok_or_else(|| {
        let what = match (args.image, len) {
            (Some(image), Some(len)) => format!("{len} bytes of {image}"),
            (_, Some(len)) => format!("{len} bytes"),
            _ => "bytes".into(),
        };
        Failure::Failed(format!(
            "{}: {what} at offset {} reach beyond the value's length of {}",
            args.address.clone().without_options(),
            args.offset,
            value.len()
        ))
    })
}

/// Makes the data the newest value, or each line of it.
pub(crate) fn write(args: &WriteArgs) -> Result<(), Failure> {
    if args.offset.is_some() {
        return Err(Failure::Usage(
            "--offset is not for mailbox://: a value is written as a whole".into(),
        ));
    }
    let deadline = args.timeout.into();
    let mailbox = open(&args.address, &args.access)?;
    if args.lines {
        return write_lines(args, &mailbox, deadline);
    }
    let too_long = || too_long(&mailbox, "this is a value");
    let data = write::data(args, mailbox.size() as u64, deadline)?.ok_or_else(too_long)?;
    let data = send::convert(args.encoding, &data)?;
    if data.len() > mailbox.size() {
        return Err(too_long());
    }
    // Only now: nobody else can write while we are the writer.
    writer(&mailbox, deadline)?.write(&data)?;
    Ok(())
}

fn write_lines(args: &WriteArgs, mailbox: &Mailbox, deadline: Deadline) -> Result<(), Failure> {
    let mut writer = writer(mailbox, deadline)?;
    let input = Input::open(args.file.as_deref(), deadline)?;
    let mut input = BufReader::with_capacity(PIECE, input);
    let size = mailbox.size() as u64;
    let most = match args.encoding {
        Some(_) => size.saturating_mul(WIDEST),
        None => size,
    };
    let too_long = || too_long(mailbox, "this is a line");
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut input).take(most.saturating_add(2));
        let read = limited.read_until(b'\n', &mut line);
        if read.map_err(|error| input.get_ref().failed(&error))? == 0 {
            return Ok(());
        }
        let end = line.strip_suffix(b"\n").unwrap_or(&line);
        let end = end.strip_suffix(b"\r").unwrap_or(end);
        if end.len() as u64 > most {
            return Err(too_long());
        }
        let value = send::convert(args.encoding, end)?;
        if value.len() as u64 > size {
            return Err(too_long());
        }
        writer.write(&value)?;
    }
}

/// Becomes its writer, as soon as there is no other.
fn writer(mailbox: &Mailbox, deadline: Deadline) -> Result<MailboxWriter, Failure> {
    let moment = Deadline::after(MOMENT);
    let mut told = false;
    loop {
        match mailbox.writer() {
            Err(error) if error.kind() != ErrorKind::Busy => return Err(error.into()),
            Err(error) if deadline.has_passed() => return Err(Failure::Deadline(error.to_string())),
            Err(error) if deadline.is_never() && moment.has_passed() => return Err(error.into()),
            Err(error) => {
                if !told && moment.has_passed() {
                    told = true;
                    note::say(|| format!("{error} (waiting for it; Ctrl-C to stop)"));
                }
                thread::sleep(deadline.remaining().map_or(AGAIN, |left| left.min(AGAIN)));
            }
            Ok(writer) => return Ok(writer),
        }
    }
}

fn too_long(mailbox: &Mailbox, what: &str) -> Failure {
    Failure::Failed(format!(
        "{}: {what} of more than {} bytes, the longest that it is for; make it with a larger --size",
        mailbox.address(),
        mailbox.size()
    ))
}

/// Opens the one that has to be there.
fn open(address: &Address, access: &AccessArgs) -> Result<Mailbox, Failure> {
    let mailbox = object::existing(address, access, |address| Mailbox::at(address)?.open_existing())?;
    object::check_mailbox(&mailbox, address)?;
    Ok(mailbox)
}
