//! Pipes seen from outside: what is there, and whether anybody serves it.

use super::path::{self, There};
use crate::named::Liveness;
use crate::os::linux::process::{self, Identity, UserId};
use crate::os::linux::runtime::{self, ClaimView};
use crate::os::types::Found;
use crate::{Error, ErrorKind, Name, Result};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// All pipes in the folder of pipes, by name.
pub(crate) fn list() -> Result<Vec<Found>> {
    path::check_folder()?;
    sweep(path::CLAIM);
    let folder = path::folder();
    let entries = fs::read_dir(&folder)
        .map_err(|error| Error::os(format!("cannot list {}", folder.display()), error))?;
    let sockets = SocketTable::read();
    let mut found = BTreeMap::new();
    for entry in entries.flatten() {
        let Some(name) = path::name_of(&entry.file_name()) else {
            continue;
        };
        // What is gone since it was listed, and what is not a socket, is not a pipe.
        if let Ok(pipe) = look(Kind::Pipe, name.as_str(), &entry.path(), &sockets) {
            found.insert(name, pipe);
        }
    }
    Ok(found.into_values().collect())
}

/// Takes away the claims that begin so and that dead processes left, where no socket is: before they had made one, or it was
/// removed since. Nothing else shows them.
pub(in crate::os::linux) fn sweep(claims: &str) {
    for key in runtime::keys(claims) {
        // Whatever fails here is tried again the next time, and in nobody's way until then.
        let Ok(Some(claim)) = runtime::look(&key) else {
            continue;
        };
        let socket = claim.field("path").map(Path::new);
        let gone = socket.is_none_or(|path| matches!(path::probe(path), Ok(There::Nothing)));
        if !claim.held && gone {
            let _ = runtime::reclaim(&key);
        }
    }
}

/// Whose sockets.
#[derive(Clone, Copy)]
pub(in crate::os::linux) enum Kind {
    Pipe,
    /// Those of `socket`.
    #[cfg(feature = "socket")]
    Plain,
}

impl Kind {
    fn claim_key(self, path: &Path) -> String {
        match self {
            Kind::Pipe => path::claim_key(path),
            #[cfg(feature = "socket")]
            Kind::Plain => path::key_of(path::SOCKET_CLAIM, path),
        }
    }

    fn not_there(self) -> Error {
        let what = match self {
            Kind::Pipe => "there is no pipe of this name",
            #[cfg(feature = "socket")]
            Kind::Plain => "there is nothing at this path",
        };
        Error::new(ErrorKind::NotFound, what)
    }
}

/// One pipe.
pub(crate) fn stat(name: &Name) -> Result<Found> {
    look(Kind::Pipe, name.as_str(), &path::of(name)?, &SocketTable::read())
}

/// Removes what a dead server left.
pub(crate) fn remove(name: &Name) -> Result<()> {
    remove_at(Kind::Pipe, &path::of(name)?)
}

/// All plain sockets that processes of Quintet's have, or left, wherever they are: by the claims.
#[cfg(feature = "socket")]
pub(in crate::os::linux) fn list_plain() -> Vec<Found> {
    sweep(path::SOCKET_CLAIM);
    let sockets = SocketTable::read();
    let mut found = Vec::new();
    for key in runtime::keys(path::SOCKET_CLAIM) {
        let Ok(Some(claim)) = runtime::look(&key) else {
            continue;
        };
        // Whatever its text says, it is the claim of the path that it is called after.
        let path = claim
            .field("path")
            .filter(|path| Kind::Plain.claim_key(Path::new(path)) == key);
        let socket = path.and_then(|path| stat_plain(Path::new(path), &sockets).ok());
        found.extend(socket);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// One of them, or a socket of another program's.
#[cfg(feature = "socket")]
pub(in crate::os::linux) fn stat_plain(path: &Path, sockets: &SocketTable) -> Result<Found> {
    let name = path
        .to_str()
        .ok_or_else(|| Error::new(ErrorKind::InvalidAddress, "its path is not UTF-8"))?;
    let mut found = look(Kind::Plain, name, path, sockets)?;
    // A stream of bytes is what all of them are, whatever goes over it.
    found.details.retain(|(key, _)| *key != "mode");
    Ok(found)
}

/// Removes what a dead server left at a path.
pub(in crate::os::linux) fn remove_at(kind: Kind, path: &Path) -> Result<()> {
    let key = kind.claim_key(path);
    match path::probe(path)? {
        There::Nothing => {
            if runtime::look(&key)?.is_some_and(|claim| !claim.held) {
                runtime::reclaim(&key)?;
                return Ok(());
            }
            Err(kind.not_there())
        }
        There::Live => {
            Err(Error::new(ErrorKind::Busy, "a server holds it")
                .hint("end the server: what it has goes with it"))
        }
        There::Forbidden => Err(Error::new(
            ErrorKind::PermissionDenied,
            format!("{} is a socket of another user", path.display()),
        )),
        There::NotASocket => Err(not_a_socket(path)),
        There::Stale => {
            // With the claim, so that no server of ours is just about to take the name.
            let claim = runtime::Claim::take(&key, "")?
                .ok_or_else(|| Error::new(ErrorKind::Busy, "a server is just being created"))?;
            // One that knows nothing of claims may have come meanwhile.
            if path::probe(path)? != There::Stale {
                return Err(Error::new(ErrorKind::Busy, "a server has just taken the name"));
            }
            let removed = fs::remove_file(path);
            drop(claim);
            removed.map_err(|error| Error::os(format!("cannot remove {}", path.display()), error))
        }
    }
}

fn not_a_socket(path: &Path) -> Error {
    path::not_a_socket(path).hint("another program has put it there; it is left alone")
}

fn look(kind: Kind, name: &str, path: &Path, sockets: &SocketTable) -> Result<Found> {
    let there = path::probe(path)?;
    let claim = match there {
        There::Nothing => return Err(kind.not_there()),
        There::NotASocket => return Err(not_a_socket(path)),
        // Not being able to look at the claim only means that less is known.
        _ => runtime::look(&kind.claim_key(path)).ok().flatten(),
    };
    let claim = claim.filter(|claim| {
        claim
            .field("path")
            .is_some_and(|said| said.as_bytes() == path.as_os_str().as_bytes())
    });
    let meta = fs::symlink_metadata(path).ok();
    let owner = meta.as_ref().map(|meta| UserId::from_uid(meta.uid()));
    let held = claim.as_ref().is_some_and(|claim| claim.held);
    let (liveness, evidence) = match there {
        There::Live if held => (Liveness::Live, "its server holds the lock on its claim"),
        There::Live => (
            Liveness::Foreign,
            "a socket is bound there, by a program that takes no claim",
        ),
        There::Forbidden => (
            Liveness::Foreign,
            "a socket of another user, who does not let us look",
        ),
        _ if held => (Liveness::Live, "its server is just being created"),
        _ => (Liveness::Stale, "no process has the socket any more"),
    };
    let table = sockets.of(path);
    let holders = match (liveness, &claim) {
        (Liveness::Live, Some(claim)) => claim.pid().into_iter().collect(),
        (Liveness::Foreign, _) => table.map(|socket| socket.holders()).unwrap_or_default(),
        _ => Vec::new(),
    };
    let mut details = Vec::new();
    let mode = claim
        .as_ref()
        .filter(|_| held)
        .and_then(|claim| claim.field("mode"))
        .or_else(|| table.and_then(Socket::mode));
    details.extend(mode.map(|mode| ("mode", mode.to_string())));
    if liveness != Liveness::Stale {
        details.extend(table.map(|socket| ("clients", socket.clients.to_string())));
    }
    if let Some(max) = claim
        .as_ref()
        .filter(|_| held)
        .and_then(|claim| claim.field("max_instances"))
    {
        details.push(("max_instances", max.to_string()));
    }
    details.extend(owner.as_ref().map(|owner| ("owner", owner.to_string())));
    details.push(("path", path.display().to_string()));
    Ok(Found {
        name: name.to_string(),
        liveness,
        evidence: evidence.into(),
        holders: holders
            .into_iter()
            .map(|pid| Identity::of_pid(pid, owner.clone()))
            .collect(),
        created: meta.and_then(|meta| meta.modified().ok()),
        owners: Vec::new(),
        size: None,
        details,
    })
}

impl ClaimView {
    /// A line `key=value` of its text.
    fn field(&self, key: &str) -> Option<&str> {
        self.text
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value)
    }

    fn pid(&self) -> Option<u32> {
        self.field("pid")?.parse().ok()
    }
}

/// The kernel's table of Unix sockets (`/proc/net/unix`), those with a path. Empty where it cannot be read.
#[derive(Debug, Default)]
pub(in crate::os::linux) struct SocketTable(HashMap<Vec<u8>, Socket>);

/// What the table says of one path.
#[derive(Debug, Default)]
struct Socket {
    /// SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET of the listening one.
    kind: u32,
    inode: u64,
    clients: usize,
}

impl SocketTable {
    pub(in crate::os::linux) fn read() -> Self {
        fs::read("/proc/net/unix")
            .map(|table| SocketTable::parse(&table))
            .unwrap_or_default()
    }

    /// `Num: RefCount Protocol Flags Type St Inode Path`, numbers in hexadecimal but the inode.
    fn parse(table: &[u8]) -> Self {
        let mut sockets: HashMap<Vec<u8>, Socket> = HashMap::new();
        for line in table.split(|byte| *byte == b'\n').skip(1) {
            // The path is the rest of the line: it may contain spaces.
            let mut fields = line.splitn(8, |byte| *byte == b' ');
            let mut number = |radix| {
                let field = std::str::from_utf8(fields.next()?).ok()?;
                u64::from_str_radix(field, radix).ok()
            };
            let _ = number(16);
            let (_, _, flags, kind, state) = (number(16), number(16), number(16), number(16), number(16));
            let (Some(flags), Some(kind), Some(state)) = (flags, kind, state) else {
                continue;
            };
            // The inode is padded with spaces to five digits.
            let rest = line
                .splitn(7, |byte| *byte == b' ')
                .nth(6)
                .unwrap_or_default()
                .trim_ascii_start();
            let Some((inode, path)) = rest
                .iter()
                .position(|byte| *byte == b' ')
                .map(|at| rest.split_at(at))
            else {
                continue;
            };
            let socket = sockets.entry(path[1..].to_vec()).or_default();
            const LISTENS: u64 = 0x1_0000;
            const CONNECTED: u64 = 3;
            if flags & LISTENS != 0 {
                socket.kind = kind as u32;
                socket.inode = std::str::from_utf8(inode)
                    .ok()
                    .and_then(|inode| inode.parse().ok())
                    .unwrap_or(0);
            } else if state == CONNECTED {
                socket.clients += 1;
            }
        }
        SocketTable(sockets)
    }

    fn of(&self, path: &Path) -> Option<&Socket> {
        self.0
            .get(path.as_os_str().as_bytes())
            .filter(|socket| socket.inode != 0)
    }
}

impl Socket {
    fn mode(&self) -> Option<&'static str> {
        match self.kind {
            1 => Some("byte"),
            5 => Some("message"),
            _ => None,
        }
    }

    /// The processes that have the listening socket open, as far as we may look.
    fn holders(&self) -> Vec<u32> {
        let target = format!("socket:[{}]", self.inode);
        process::with_a_file(|_, link| link.as_os_str() == target.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read_by_path() {
        let table = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            ffff0: 00000002 00000000 00010000 0005 01  1234 /tmp/CoreFxPipe_a b\n\
            ffff1: 00000003 00000000 00000000 0005 03 99999 /tmp/CoreFxPipe_a b\n\
            ffff2: 00000003 00000000 00000000 0001 03 88888\n\
            nonsense\n";
        let table = SocketTable::parse(table);
        let socket = table.of(Path::new("/tmp/CoreFxPipe_a b")).unwrap();
        assert_eq!(
            (socket.mode(), socket.inode, socket.clients),
            (Some("message"), 1234, 1)
        );
        assert!(table.of(Path::new("/tmp/CoreFxPipe_a")).is_none());
    }
}
