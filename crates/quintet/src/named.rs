//! What all kinds of named objects have in common: they can be listed, looked at and removed.
//!
//! `ls`, `stat` and `rm` of the command go through [`kinds`]; a mechanism takes part by implementing [`NamedKind`].

use crate::os::types::{Found, ObjectOptions};
use crate::{Address, Error, ErrorKind, Name, PeerIdentity, Result, Scheme};
use std::fmt;
use std::time::SystemTime;

/// Whether anybody still holds an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Liveness {
    /// A Quintet process holds it, by the kernel's word.
    Live,
    /// Nobody holds it: what a process that died left behind. The next open replaces it; removing it is safe.
    Stale,
    /// A program that is not Quintet holds it.
    Foreign,
    /// What has its name is not what this version knows: it is another version's, or damaged. It is left alone, and nobody can say
    /// whether somebody has it.
    Unknown,
}

impl fmt::Display for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Liveness::Live => "live",
            Liveness::Stale => "stale",
            Liveness::Foreign => "foreign",
            Liveness::Unknown => "unknown",
        })
    }
}

/// A process that has taken something of an object: permits of a semaphore, a mutex.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Owner {
    /// Which process.
    pub process: PeerIdentity,
    /// How many permits; 1 of a mutex.
    pub count: u32,
    /// Since when, where that is known.
    pub since: Option<SystemTime>,
}

/// One named object, as [`NamedKind::list`] and [`NamedKind::stat`] see it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// Its address.
    pub address: Address,
    /// Whether anybody holds it.
    pub liveness: Liveness,
    /// What the liveness was concluded from, in words.
    pub evidence: String,
    /// The processes that hold it, where the system tells.
    pub holders: Vec<PeerIdentity>,
    /// Those of them that own a part of it now, and which part.
    pub owners: Vec<Owner>,
    /// Its size in bytes, for kinds that have one.
    pub size: Option<u64>,
    /// When it was created.
    pub created: Option<SystemTime>,
    /// What else its kind knows, as key and value: `mode`, `clients`, `path`.
    pub details: Vec<(&'static str, String)>,
}

impl Entry {
    /// What the system shows of an object of that scheme.
    pub(crate) fn found(scheme: Scheme, found: Found) -> Result<Self> {
        Ok(Entry::at(Address::named(scheme, found.name.as_str())?, found))
    }

    /// What the system shows of what is at an address.
    pub(crate) fn at(address: Address, found: Found) -> Self {
        Entry {
            address,
            liveness: found.liveness,
            evidence: found.evidence,
            holders: found.holders.into_iter().map(PeerIdentity::from).collect(),
            owners: found
                .owners
                .into_iter()
                .map(|owner| Owner {
                    process: owner.process.into(),
                    count: owner.count,
                    since: owner.since,
                })
                .collect(),
            size: found.size,
            created: found.created,
            details: found.details,
        }
    }

    /// The value of one of the [`details`](Self::details).
    pub fn detail(&self, key: &str) -> Option<&str> {
        self.details
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value.as_str())
    }
}

/// A kind of named object.
pub trait NamedKind: fmt::Debug + Sync {
    /// The scheme its objects are addressed by.
    fn scheme(&self) -> Scheme;

    /// All objects of this kind that this user can see, by name. An object that comes or goes meanwhile may be
    /// missing or still there. What [`stat`](Self::stat) says of one that is [`Unknown`](Liveness::Unknown) is an error.
    ///
    /// # Errors
    /// When the place where they are listed cannot be read.
    fn list(&self) -> Result<Vec<Entry>>;

    /// One object, without touching it: nobody who holds it notices.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; [`ErrorKind::Corrupt`] if something else has its name.
    fn stat(&self, name: &Name) -> Result<Entry>;

    /// As [`stat`](Self::stat), for whatever an address of this scheme says of an object.
    ///
    /// # Errors
    /// Those of [`stat`](Self::stat); [`ErrorKind::InvalidAddress`] for an address that does not say which object.
    fn stat_at(&self, address: &Address) -> Result<Entry> {
        self.stat(address.name()?)
    }

    /// Removes a stale object.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; [`ErrorKind::Busy`] if somebody holds it;
    /// [`ErrorKind::Unsupported`] where objects go by themselves with their last holder, as on Windows.
    fn remove(&self, name: &Name) -> Result<()>;

    /// As [`remove`](Self::remove), for whatever an address of this scheme says of an object.
    ///
    /// # Errors
    /// Those of [`remove`](Self::remove); [`ErrorKind::InvalidAddress`] for an address that does not say which object.
    fn remove_at(&self, address: &Address) -> Result<()> {
        self.remove(address.name()?)
    }
}

/// All kinds that this version has.
///
/// ```
/// for kind in quintet::named::kinds() {
///     println!("{}: {} objects", kind.scheme(), kind.list()?.len());
/// }
/// # Ok::<(), quintet::Error>(())
/// ```
pub fn kinds() -> &'static [&'static dyn NamedKind] {
    &[
        &crate::pipe::Pipes,
        &crate::shm::SharedMemories,
        &crate::shm::Mailboxes,
        &crate::shm::Queues,
        &crate::shm::Topics,
        &crate::window::Windows,
        #[cfg(feature = "socket")]
        &crate::socket::UnixSockets,
        &crate::sync::Semaphores,
        &crate::sync::Mutexes,
        &crate::sync::Events,
    ]
}

/// The kind that a scheme's objects are of.
///
/// # Errors
/// [`ErrorKind::Unsupported`] if the scheme has no named objects in this version.
///
/// ```
/// use quintet::{Scheme, named};
/// assert_eq!(named::kind(Scheme::Pipe)?.scheme(), Scheme::Pipe);
/// # Ok::<(), quintet::Error>(())
/// ```
pub fn kind(scheme: Scheme) -> Result<&'static dyn NamedKind> {
    kinds()
        .iter()
        .copied()
        .find(|kind| kind.scheme() == scheme)
        .ok_or_else(|| unsupported_scheme(scheme))
}

/// The error for a scheme that the address grammar knows and this version does nothing with.
pub(crate) fn unsupported_scheme(scheme: Scheme) -> Error {
    let have: Vec<String> = kinds()
        .iter()
        .map(|kind| format!("{}://", kind.scheme()))
        .collect();
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "{scheme}:// has nothing to list or to look into in version {}",
            env!("CARGO_PKG_VERSION")
        ),
    )
    .hint(format!("it has {}", have.join(", ")))
}

/// The name in an address of this scheme, and the options that all kinds have; `more` are the kind's own.
pub(crate) fn parse(address: &Address, scheme: Scheme, more: &[&str]) -> Result<(Name, ObjectOptions)> {
    if address.scheme() != scheme {
        return Err(Error::new(
            ErrorKind::InvalidAddress,
            format!("it is not the address of a {scheme}"),
        )
        .about(address)
        .hint(format!("write {scheme}://NAME")));
    }
    let known: Vec<&str> = ["access", "persistent"].iter().chain(more).copied().collect();
    address.expect_options(&known)?;
    let options = ObjectOptions {
        access: address.parse_option("access")?.unwrap_or_default(),
        persistent: address.parse_option("persistent")?.unwrap_or_default(),
    };
    Ok((address.name()?.clone(), options))
}
