use crate::named::{Entry, NamedKind};
use crate::os;
use crate::{Address, Name, Result, Scheme};

/// Named shared memory as a kind of named object, for [`named::kinds`](crate::named::kinds).
///
/// On Linux everything in `/dev/shm` that is not of another kind of Quintet's, other programs' memory included; on Windows
/// the sections of this session.
///
/// ```
/// use quintet::named::{Liveness, NamedKind};
/// use quintet::shm::{SharedMemories, SharedMemory};
///
/// # let name = format!("shm-kind-doc-{}", std::process::id());
/// let memory = SharedMemory::create_new(&name, 4096)?;
/// assert_eq!(SharedMemories.stat(&name.parse()?)?.liveness, Liveness::Live);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SharedMemories;

impl NamedKind for SharedMemories {
    fn scheme(&self) -> Scheme {
        Scheme::Shm
    }

    fn list(&self) -> Result<Vec<Entry>> {
        os::shm::list()?
            .into_iter()
            .map(|found| Entry::found(Scheme::Shm, found))
            .collect()
    }

    fn stat(&self, name: &Name) -> Result<Entry> {
        let address = Address::named(Scheme::Shm, name.clone())?;
        os::shm::stat(name)
            .and_then(|found| Entry::found(Scheme::Shm, found))
            .map_err(|error| error.about(address))
    }

    fn remove(&self, name: &Name) -> Result<()> {
        let address = Address::named(Scheme::Shm, name.clone())?;
        os::shm::remove(name).map_err(|error| error.about(address))
    }
}
