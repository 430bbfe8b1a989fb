//! `quintet pull`.

use crate::args::PullArgs;
use crate::failure::Failure;
use crate::recv;
use crate::verbs;

/// Of a queue it is what `recv` does.
pub(crate) fn run(args: PullArgs) -> Result<(), Failure> {
    verbs::check("pull", &args.address)?;
    recv::run(&args.into())
}
