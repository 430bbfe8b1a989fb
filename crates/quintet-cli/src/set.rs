//! `quintet set`.

use crate::args::SetArgs;
use crate::failure::Failure;
use crate::object::Object;
use crate::verbs;

pub(crate) fn run(args: &SetArgs) -> Result<(), Failure> {
    verbs::check("set", &args.address)?;
    if let Object::Event(event) = Object::existing(&args.address, &args.access)? {
        event.set()?;
    }
    Ok(())
}
