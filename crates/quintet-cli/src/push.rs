//! `quintet push`.

use crate::args::PushArgs;
use crate::failure::Failure;
use crate::send;
use crate::verbs;

/// Of a queue it is what `send` does.
pub(crate) fn run(args: PushArgs) -> Result<(), Failure> {
    verbs::check("push", &args.address)?;
    send::run(&args.into())
}
