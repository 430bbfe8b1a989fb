//! `quintet rm`.

use crate::args::RmArgs;
use crate::failure::Failure;
use crate::verbs;
use quintet::named;

pub(crate) fn run(args: &RmArgs) -> Result<(), Failure> {
    verbs::check("rm", &args.address)?;
    let kind = named::kind(args.address.scheme())?;
    let removed = kind.remove_at(&args.address);
    // That there is nothing to remove, as always on Windows, is not a matter of how the command was used.
    removed.map_err(|error| Failure::from(error).at_the_object())
}
