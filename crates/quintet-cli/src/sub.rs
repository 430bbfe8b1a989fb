//! `quintet sub`.

use crate::args::SubArgs;
use crate::failure::Failure;
use crate::recv;
use crate::verbs;

/// What `recv` does on a topic, but that it goes on.
pub(crate) fn run(args: SubArgs) -> Result<(), Failure> {
    verbs::check("sub", &args.address)?;
    recv::run(&args.into())
}
