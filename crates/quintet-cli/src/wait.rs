//! `quintet wait`.

use crate::args::WaitArgs;
use crate::failure::Failure;
use crate::object::Object;
use crate::patience;
use crate::verbs;

pub(crate) fn run(args: &WaitArgs) -> Result<(), Failure> {
    verbs::check("wait", &args.address)?;
    let what = || args.address.clone().without_options().to_string();
    match Object::existing(&args.address, &args.access)? {
        Object::Semaphore(semaphore) => {
            patience::wait_for(args.time.time(), what, |time| semaphore.wait_timeout(time))?;
        }
        Object::Event(event) => {
            patience::wait_for(args.time.time(), what, |time| event.wait_timeout(time))?;
        }
        Object::Mutex(_) | Object::Memory(_) | Object::Mailbox(_) | Object::Queue(_) => {}
    }
    Ok(())
}
