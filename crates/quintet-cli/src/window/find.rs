//! `quintet find`.

use super::Peer;
use crate::args::FindArgs;
use crate::failure::Failure;
use crate::record;
use crate::stat;
use quintet::window::WindowHandle;
use quintet::{Address, ErrorKind, Scheme, named};

pub(crate) fn find(args: &FindArgs) -> Result<(), Failure> {
    let peer = Peer::at(
        "find",
        &args.address,
        &args.peer,
        args.access.access,
        args.timeout,
    )?;
    // That there is one at all is waited for.
    let first = peer.find()?;
    let mut found = vec![first];
    if args.all {
        found.extend(
            peer.search
                .find_all()?
                .into_iter()
                .filter(|window| *window != first),
        );
    }
    let mut text = String::new();
    for window in found {
        if !args.json {
            text += &format!("{}\n", window.raw());
        } else if let Some(line) = json(window)? {
            text += &line;
        }
    }
    record::print(text.as_bytes())
}

/// What `stat` shows of it, on a line; `None` if it has gone meanwhile.
fn json(window: WindowHandle) -> Result<Option<String>, Failure> {
    let address = Address::window(None).with_option("hwnd", window.raw().to_string());
    match named::kind(Scheme::Window)?.stat_at(&address) {
        Ok(entry) => Ok(Some(format!("{}\n", stat::object(&entry)))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
