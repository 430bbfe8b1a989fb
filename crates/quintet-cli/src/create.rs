//! `quintet create`.

use crate::args::CreateArgs;
use crate::failure::Failure;
use crate::object::{Flags, Object, Opening};
use crate::verbs;
use quintet::ErrorKind;

pub(crate) fn run(args: &CreateArgs) -> Result<(), Failure> {
    verbs::check("create", &args.address)?;
    if args.address.option("persistent") == Some("false") {
        return Err(Failure::Usage(format!(
            "{}: this command ends at once, and with it what is not persistent: use `quintet hold`",
            args.address
        )));
    }
    let address = Flags::new(&args.make, Some(&args.event), true)
        .with_size(&args.size)
        .with_mailbox(&args.mailbox)
        .with_queue(&args.queue)
        .put_into_one(&args.address)?;
    match Object::open(&address, Opening::CreateNew) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Unsupported => Err(Failure::Usage(format!(
            "{error}; `quintet hold {}` keeps one while it runs",
            address.without_options()
        ))),
        Err(error) => Err(error.into()),
    }
}
