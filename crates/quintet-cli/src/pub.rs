//! `quintet pub`.

use crate::args::PubArgs;
use crate::failure::Failure;
use crate::send;
use crate::verbs;

/// What `send` does on a topic, but that it need not wait for a subscriber.
pub(crate) fn run(args: PubArgs) -> Result<(), Failure> {
    verbs::check("pub", &args.address)?;
    send::run(&args.into())
}
