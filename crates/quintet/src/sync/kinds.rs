use crate::named::{Entry, NamedKind};
use crate::os;
use crate::{Address, Name, Result, Scheme};

macro_rules! kind {
    ($kind:ident, $scheme:ident, $module:ident, $what:literal) => {
        #[doc = concat!($what, " as a kind of named object, for [`named::kinds`](crate::named::kinds).")]
        ///
        /// On Linux those in `/dev/shm`; on Windows those of this session. Looking at one opens nothing for long and takes
        /// nothing, so nobody notices.
        ///
        /// ```
        #[doc = concat!("use quintet::{named::NamedKind, sync::", stringify!($kind), "};")]
        #[doc = concat!("for entry in ", stringify!($kind), ".list()? {")]
        ///     println!("{} {}", entry.address, entry.liveness);
        /// }
        /// # Ok::<(), quintet::Error>(())
        /// ```
        #[derive(Clone, Copy, Debug)]
        pub struct $kind;

        impl NamedKind for $kind {
            fn scheme(&self) -> Scheme {
                Scheme::$scheme
            }

            fn list(&self) -> Result<Vec<Entry>> {
                os::$module::list()?
                    .into_iter()
                    .map(|found| Entry::found(Scheme::$scheme, found))
                    .collect()
            }

            fn stat(&self, name: &Name) -> Result<Entry> {
                let address = Address::named(Scheme::$scheme, name.clone())?;
                os::$module::stat(name)
                    .and_then(|found| Entry::found(Scheme::$scheme, found))
                    .map_err(|error| error.about(address))
            }

            fn remove(&self, name: &Name) -> Result<()> {
                let address = Address::named(Scheme::$scheme, name.clone())?;
                os::$module::remove(name).map_err(|error| error.about(address))
            }
        }
    };
}

kind!(Semaphores, Sem, semaphore, "Semaphores");
kind!(Mutexes, Mutex, mutex, "Mutexes");
kind!(Events, Event, event, "Events");
