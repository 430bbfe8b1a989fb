//! `quintet read`.

use crate::args::ReadArgs;
use crate::failure::Failure;
use crate::image::{self, Image};
use crate::input::PIECE;
use crate::mailbox;
use crate::note::Progress;
use crate::object;
use crate::record::{self, Format, Printer};
use crate::verbs;
use quintet::Scheme;
use quintet::shm::SharedMemory;

pub(crate) fn run(args: &ReadArgs) -> Result<(), Failure> {
    verbs::check("read", &args.address)?;
    let is_mailbox = args.address.scheme() == Scheme::Mailbox;
    if let Some(flag) = args.for_mailboxes()
        && !is_mailbox
    {
        return Err(Failure::Usage(format!("{flag} is for mailbox://")));
    }
    if args.image.is_some() {
        image::check_output(args.to_file())?;
    }
    if is_mailbox {
        mailbox::read(args)
    } else {
        memory(args)
    }
}

fn memory(args: &ReadArgs) -> Result<(), Failure> {
    let mut address = args.address.clone();
    if address.option("mode").is_none() {
        address = address.with_option("mode", "read");
    }
    let memory = object::memory(&address, &args.access)?;
    let room = object::room(&memory, &address, args.offset)?;
    let len = args.image.map(Image::len).or(args.len).unwrap_or(room);
    if len > room {
        let what = match args.image {
            Some(image) => format!("{len} bytes of {image}"),
            None => format!("{len} bytes"),
        };
        return Err(object::too_long(
            &memory,
            &address,
            format_args!("{what}"),
            args.offset,
        ));
    }
    if let Some(image) = args.image {
        return image.save(copied(&memory, args.offset, len)?, args.to_file());
    }
    let printer = printer(args)?;
    if format(args) == Format::Raw {
        pieces(&memory, args.offset, len, printer, args.to_file().is_some())
    } else {
        whole(&memory, args.offset, len, printer)
    }
}

/// What prints the records; makes the file that they go to.
pub(crate) fn printer(args: &ReadArgs) -> Result<Printer, Failure> {
    Ok(Printer::new(
        record::output(args.to_file())?,
        format(args),
        args.encoding,
    ))
}

fn format(args: &ReadArgs) -> Format {
    Format::chosen(args.format, args.json, args.to_file().is_some(), Format::Raw)
}

/// Prints bytes that nobody needs at once.
fn pieces(
    memory: &SharedMemory,
    offset: u64,
    len: u64,
    mut printer: Printer,
    to_file: bool,
) -> Result<(), Failure> {
    let mut source = printer.source(None);
    let mut progress = Progress::new(Some(len), to_file);
    let mut piece = vec![0; PIECE];
    let end = offset + len;
    let mut at = offset;
    while at < end {
        let most = usize::try_from(end - at).map_or(PIECE, |left| left.min(PIECE));
        memory.read_at(at, &mut piece[..most])?;
        printer.print(&mut source, &piece[..most], false)?;
        at += most as u64;
        progress.add(most);
    }
    printer.end(source)
}

/// Prints one record.
fn whole(memory: &SharedMemory, offset: u64, len: u64, mut printer: Printer) -> Result<(), Failure> {
    let bytes = copied(memory, offset, len)?;
    let mut source = printer.source(None);
    printer.print(&mut source, &bytes, true)?;
    printer.flush()
}

fn copied(memory: &SharedMemory, offset: u64, len: u64) -> Result<Vec<u8>, Failure> {
    // It is within the memory, so it is no more than can be.
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    memory.read_at(offset, &mut bytes)?;
    Ok(bytes)
}
