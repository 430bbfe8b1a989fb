//! What calls of all mechanisms take and return: the part of the surface that is plain data.

use super::process::Identity;
use crate::named::Liveness;
use crate::{Error, ErrorKind};
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

macro_rules! words {
    ($type:ident, $what:literal, $($variant:ident = $word:literal),+) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($type::$variant => $word),+ })
            }
        }

        impl FromStr for $type {
            type Err = Error;

            fn from_str(word: &str) -> std::result::Result<Self, Error> {
                match word {
                    $($word => Ok($type::$variant),)+
                    _ => Err(Error::new(
                        ErrorKind::InvalidAddress,
                        format!(concat!("there is no ", $what, " {:?}"), word),
                    )
                    .hint(concat!("there are", $(" ", $word),+))),
                }
            }
        }
    };
}
pub(crate) use words;

/// Whose processes an object is for, or the other end of a connection may be of.
///
/// The administrator of the machine (root, LocalSystem) is always let through: it could not be kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Access {
    /// Only the user of this process. The default.
    #[default]
    CurrentUser,
    /// Every user of this machine.
    Everyone,
}

words!(Access, "access", CurrentUser = "user", Everyone = "everyone");

/// How memory is mapped.
///
/// ```
/// use quintet::shm::MapMode;
/// assert_eq!("read".parse::<MapMode>()?, MapMode::ReadOnly);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum MapMode {
    /// To read and to write. The default.
    #[default]
    ReadWrite,
    /// To read. Writing is refused, by us and by the hardware.
    ReadOnly,
    /// To read and to write, where what is written stays in this process.
    CopyOnWrite,
}

impl MapMode {
    /// Whether its bytes can be written here.
    pub fn writes(self) -> bool {
        self != MapMode::ReadOnly
    }
}

words!(
    MapMode,
    "mode",
    ReadWrite = "readwrite",
    ReadOnly = "read",
    CopyOnWrite = "copy"
);

/// What to do about an object that is there already, or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Make it; there must be none.
    CreateNew,
    /// Make it, or join the one that is there.
    CreateOrOpen,
    /// Join the one that is there.
    OpenExisting,
}

/// How a named object is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ObjectOptions {
    pub(crate) access: Access,
    /// Whether it stays when nobody holds it any more.
    pub(crate) persistent: bool,
}

/// A process that has taken something of an object, and what.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) process: Identity,
    /// How many permits of a semaphore; 1 of a mutex.
    pub(crate) count: u32,
    pub(crate) since: Option<SystemTime>,
}

/// An object as the system shows it to somebody who neither holds nor uses it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) liveness: Liveness,
    pub(crate) evidence: String,
    pub(crate) holders: Vec<Identity>,
    /// Of what they hold, who owns how much of it.
    pub(crate) owners: Vec<Owner>,
    pub(crate) size: Option<u64>,
    pub(crate) created: Option<SystemTime>,
    pub(crate) details: Vec<(&'static str, String)>,
}
