use crate::identity::{PeerIdentity, UserId};
use crate::named::{Entry, NamedKind};
use crate::os::pipe_types::Found;
use crate::os::{self, process::Identity};
use crate::{Address, Name, Result, Scheme};

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
        os::pipe::list()?.into_iter().map(entry).collect()
    }

    fn stat(&self, name: &Name) -> Result<Entry> {
        with_address(name, os::pipe::stat).and_then(entry)
    }

    fn remove(&self, name: &Name) -> Result<()> {
        with_address(name, os::pipe::remove)
    }
}

fn with_address<T>(name: &Name, act: impl FnOnce(&Name) -> Result<T>) -> Result<T> {
    let address = super::address_of(name)?;
    act(name).map_err(|error| error.about(address))
}

fn entry(found: Found) -> Result<Entry> {
    let address = Address::named(Scheme::Pipe, found.name)?;
    let mut entry = Entry::new(address, found.liveness, found.evidence);
    entry.holders = found.holders.into_iter().map(PeerIdentity::from).collect();
    entry.created = found.created;
    entry.details = found.details;
    Ok(entry)
}

impl From<Identity> for PeerIdentity {
    fn from(identity: Identity) -> Self {
        PeerIdentity {
            pid: identity.pid,
            user: identity.user.map(UserId),
            executable: identity.executable,
        }
    }
}
