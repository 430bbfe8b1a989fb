//! `quintet post`.

use super::{Peer, number};
use crate::args::PostArgs;
use crate::failure::Failure;

pub(crate) fn post(args: &PostArgs) -> Result<(), Failure> {
    let peer = Peer::at(
        "post",
        &args.address,
        &args.peer,
        args.access.access,
        args.timeout,
    )?;
    let Some(number) = number(&args.message)? else {
        return Err(Failure::Usage("post needs --msg or --registered".into()));
    };
    let numbers = args.message.numbers;
    let window = peer.find()?;
    for _ in 0..args.count.unwrap_or(1) {
        window.post(number, numbers.wparam(), numbers.lparam())?;
    }
    Ok(())
}
