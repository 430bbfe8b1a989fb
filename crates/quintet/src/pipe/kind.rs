use crate::named::{Entry, NamedKind};
use crate::os;
use crate::{Name, Result, Scheme};

/// Named pipes as a kind of named object, for [`named::kinds`](crate::named::kinds).
///
/// On Linux these are the pipes in `${TMPDIR:-/tmp}`, those of .NET programs included; on Windows all pipes of the
/// machine. Looking connects to nothing, so no server notices.
///
/// ```
/// use quintet::named::{Liveness, NamedKind};
/// use quintet::pipe::{PipeServer, Pipes};
///
/// let name = format!("kind-doc-{}", std::process::id());
/// let server = PipeServer::create(&name)?;
/// let entry = Pipes.stat(&name.parse()?)?;
/// assert_eq!(entry.liveness, Liveness::Live);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pipes;

impl NamedKind for Pipes {
    fn scheme(&self) -> Scheme {
        Scheme::Pipe
    }

    fn list(&self) -> Result<Vec<Entry>> {
        os::pipe::list()?
            .into_iter()
            .map(|found| Entry::found(Scheme::Pipe, found))
            .collect()
    }

    fn stat(&self, name: &Name) -> Result<Entry> {
        with_address(name, os::pipe::stat).and_then(|found| Entry::found(Scheme::Pipe, found))
    }

    fn remove(&self, name: &Name) -> Result<()> {
        with_address(name, os::pipe::remove)
    }
}

fn with_address<T>(name: &Name, act: impl FnOnce(&Name) -> Result<T>) -> Result<T> {
    let address = super::address_of(name)?;
    act(name).map_err(|error| error.about(address))
}
