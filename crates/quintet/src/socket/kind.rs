use crate::named::{Entry, NamedKind};
use crate::os;
use crate::{Address, Error, ErrorKind, Name, Result, Scheme, Target};

/// Unix sockets as a kind of object that can be listed and looked at, for [`named::kinds`](crate::named::kinds).
///
/// Those with a path, which is their name: [`stat_at`](NamedKind::stat_at) and [`remove_at`](NamedKind::remove_at) take it in an
/// address, also of a socket of another program. Listed are those at which this user's processes listen with this library, and
/// those that such a process left when it was killed. Looking connects to nothing. On Windows there are none.
///
#[cfg_attr(target_os = "linux", doc = "```")]
#[cfg_attr(not(target_os = "linux"), doc = "```no_run")]
/// use quintet::named::{Liveness, NamedKind};
/// use quintet::socket::{Listener, UnixSockets};
///
/// let path = std::env::temp_dir().join(format!("kind-doc-{}", std::process::id()));
/// let listener = Listener::listen(format!("unix://{}", path.display()).as_str())?;
/// let entry = UnixSockets.stat_at(listener.address())?;
/// assert_eq!(entry.liveness, Liveness::Live);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct UnixSockets;

impl NamedKind for UnixSockets {
    fn scheme(&self) -> Scheme {
        Scheme::Unix
    }

    fn list(&self) -> Result<Vec<Entry>> {
        let found = os::unix_socket::list()?;
        Ok(found
            .into_iter()
            .map(|found| Entry::at(Address::unix(found.name.clone()), found))
            .collect())
    }

    /// There is none of a name.
    fn stat(&self, name: &Name) -> Result<Entry> {
        Err(no_name(name))
    }

    fn stat_at(&self, address: &Address) -> Result<Entry> {
        let found = os::unix_socket::stat(path(address)?).map_err(|error| error.about(address))?;
        Ok(Entry::at(address.clone().without_options(), found))
    }

    /// There is none of a name.
    fn remove(&self, name: &Name) -> Result<()> {
        Err(no_name(name))
    }

    fn remove_at(&self, address: &Address) -> Result<()> {
        os::unix_socket::remove(path(address)?).map_err(|error| error.about(address))
    }
}

fn path(address: &Address) -> Result<&str> {
    match address.target() {
        Target::Path(path) if address.scheme() == Scheme::Unix => Ok(path),
        _ => Err(Error::new(
            ErrorKind::InvalidAddress,
            "it is not the address of a Unix socket",
        )
        .about(address)
        .hint("write unix:///PATH")),
    }
}

fn no_name(name: &Name) -> Error {
    Error::new(ErrorKind::InvalidAddress, "a Unix socket has a path and no name")
        .about(name)
        .hint("write unix:///PATH")
}
