//! `quintet rm`.

use crate::args::RmArgs;
use crate::failure::Failure;
use quintet::named;

pub(crate) fn run(args: &RmArgs) -> Result<(), Failure> {
    Ok(named::kind(args.address.scheme())?.remove(args.address.name()?)?)
}
