//! `quintet release`.

use crate::args::ReleaseArgs;
use crate::failure::Failure;
use crate::object::Object;
use crate::record;
use crate::verbs;

pub(crate) fn run(args: &ReleaseArgs) -> Result<(), Failure> {
    verbs::check("release", &args.address)?;
    let Object::Semaphore(semaphore) = Object::existing(&args.address, &args.access)? else {
        return Ok(());
    };
    let previous = semaphore.release(args.permits)?;
    record::print(format!("{previous}\n").as_bytes())
}
