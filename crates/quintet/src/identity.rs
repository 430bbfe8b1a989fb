//! Who is on the other side.

use crate::os::process::{Identity, UserId as OsUserId};
use std::fmt;
use std::path::{Path, PathBuf};

/// A user as the kernel knows one: a numeric uid on Linux, a SID on Windows.
///
/// ```
/// let me = quintet::UserId::current();
/// assert_eq!(me, quintet::UserId::current());
/// println!("{me}"); // 1000, or S-1-5-21-…
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserId(pub(crate) OsUserId);

impl UserId {
    /// The user that this process runs as (the effective one).
    pub fn current() -> Self {
        UserId(OsUserId::current())
    }

    /// Whether an object of this user is to be trusted by default: it is our own user, or the one who can do
    /// everything on this machine anyway (root, LocalSystem).
    pub fn is_trusted(&self) -> bool {
        self.0.is_almighty() || *self == UserId::current()
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The process at the other end of a connection, as the kernel tells it: a peer cannot lie about it.
///
/// The pid is that of the process which made the connection (or created the server). If that process handed the
/// connection on, someone else may be reading it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    pub(crate) pid: u32,
    pub(crate) user: Option<UserId>,
    pub(crate) executable: Option<PathBuf>,
}

impl PeerIdentity {
    /// Its process number. 0 when the process is outside our pid namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The user it ran as when the connection was made; `None` where the system does not tell (a process of another
    /// user on Windows that we may not open, or one that has ended).
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// The file it runs, where it still runs and we may know.
    pub fn executable(&self) -> Option<&Path> {
        self.executable.as_deref()
    }
}

impl fmt::Display for PeerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)?;
        if let Some(name) = self.executable().and_then(Path::file_name) {
            write!(f, " ({})", name.to_string_lossy())?;
        }
        Ok(())
    }
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
