//! `quintet reset`.

use crate::args::ResetArgs;
use crate::failure::Failure;
use crate::object::Object;
use crate::verbs;

pub(crate) fn run(args: &ResetArgs) -> Result<(), Failure> {
    verbs::check("reset", &args.address)?;
    if let Object::Event(event) = Object::existing(&args.address, &args.access)? {
        event.reset()?;
    }
    Ok(())
}
