//! `quintet write`.

use crate::args::WriteArgs;
use crate::failure::Failure;
use crate::input::Input;
use crate::mailbox;
use crate::object;
use crate::send;
use crate::text::WIDEST;
use crate::verbs;
use quintet::{Deadline, Scheme};
use std::io::Read;

pub(crate) fn run(args: &WriteArgs) -> Result<(), Failure> {
    verbs::check("write", &args.address)?;
    if args.address.scheme() == Scheme::Mailbox {
        return mailbox::write(args);
    }
    if let Some(flag) = args.for_mailboxes() {
        return Err(Failure::Usage(format!("{flag} is for mailbox://")));
    }
    if args.address.option("mode") == Some("copy") {
        return Err(Failure::Usage(format!(
            "{}: what is written with mode copy is seen by this process only, which ends at once",
            args.address
        )));
    }
    let memory = object::memory(&args.address, &args.access)?;
    let offset = args.offset.unwrap_or(0);
    let room = object::room(&memory, &args.address, offset)?;
    let too_long = || {
        let what = format_args!("more than {room} bytes");
        object::too_long(&memory, &args.address, what, offset)
    };
    let data = data(args, room, Deadline::NEVER)?.ok_or_else(too_long)?;
    let data = send::convert(args.encoding, &data)?;
    if data.len() as u64 > room {
        return Err(too_long());
    }
    Ok(memory.write_at(offset, &data)?)
}

/// All that is to be written; `None` if it does not fit, whatever it is converted to.
pub(crate) fn data(args: &WriteArgs, room: u64, deadline: Deadline) -> Result<Option<Vec<u8>>, Failure> {
    if let Some(text) = &args.text {
        return Ok(Some(text.clone().into_encoded_bytes()));
    }
    let mut input = Input::open(args.file.as_deref(), deadline)?;
    let most = match args.encoding {
        Some(_) => room.saturating_mul(WIDEST),
        None => room,
    };
    let mut data = Vec::new();
    let read = (&mut input).take(most.saturating_add(1)).read_to_end(&mut data);
    read.map_err(|error| input.failed(&error))?;
    Ok((data.len() as u64 <= most).then_some(data))
}
