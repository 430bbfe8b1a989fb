//! Where a pipe's socket is, and whether something lives there.

use crate::os::hash;
use crate::os::linux::no_descriptor;
use crate::os::step::call;
use crate::{Error, ErrorKind, Name, Result};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What .NET puts before a pipe's name.
const PREFIX: &str = "CoreFxPipe_";

/// What the claims of pipes begin with.
pub(super) const CLAIM: &str = "pipe.";

/// The same, of the sockets of `socket`.
#[cfg(feature = "socket")]
pub(in crate::os::linux) const SOCKET_CLAIM: &str = "unix.";

/// `sun_path` has 108 bytes, the last of them for the NUL.
const MAX_PATH: usize = 107;

/// The folder of all pipes: `$TMPDIR`, or `/tmp`, as .NET's `Path.GetTempPath`. Absolute, so that it stays the same
/// wherever this process goes, and is the same for all who mean it.
pub(super) fn folder() -> PathBuf {
    let folder = std::env::var_os("TMPDIR")
        .filter(|folder| !folder.is_empty())
        .map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    std::path::absolute(&folder).unwrap_or(folder)
}

/// The socket's path for a name, checked to fit into a socket address.
pub(super) fn of(name: &Name) -> Result<PathBuf> {
    let path = folder().join(format!("{PREFIX}{name}"));
    check(&path).map_err(|error| error.hint("choose a shorter name or a shorter TMPDIR"))?;
    Ok(path)
}

/// Whether a path fits into a socket address.
pub(in crate::os::linux) fn check(path: &Path) -> Result<()> {
    match path.as_os_str().len() {
        ..=MAX_PATH => Ok(()),
        len => Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "its socket path {} has {len} bytes, the system takes at most {MAX_PATH}",
                path.display()
            ),
        )),
    }
}

/// The longest name that a pipe can have here, in bytes.
pub(in crate::os::linux) fn longest_name() -> usize {
    MAX_PATH.saturating_sub(folder().join(PREFIX).as_os_str().len())
}

/// The name of the pipe whose socket has this file name.
pub(super) fn name_of(file_name: &std::ffi::OsStr) -> Option<Name> {
    Name::new(file_name.to_str()?.strip_prefix(PREFIX)?).ok()
}

/// The claim (in the runtime folder) that goes with a socket path: one for each path, since two values of TMPDIR make
/// two pipes of one name.
pub(super) fn claim_key(path: &Path) -> String {
    key_of(CLAIM, path)
}

/// The claim of such a kind that goes with a path.
pub(in crate::os::linux) fn key_of(kind: &str, path: &Path) -> String {
    format!("{kind}{:016x}", hash::of(path.as_os_str().as_bytes()))
}

pub(super) fn address(path: &Path) -> Result<SocketAddrUnix> {
    SocketAddrUnix::new(path).map_err(|error| Error::os("its path does not fit a socket address", error))
}

/// The name of a bound socket, which others may take from it.
#[derive(Debug)]
pub(in crate::os::linux) struct SocketName {
    pub(in crate::os::linux) path: PathBuf,
    /// Device and inode; the socket keeps its inode even when the name is gone, so no other has the same.
    inode: (u64, u64),
}

impl SocketName {
    /// For a socket just bound.
    pub(in crate::os::linux) fn of(path: PathBuf) -> std::io::Result<Self> {
        let inode = inode(&path)?;
        Ok(SocketName { path, inode })
    }

    /// Whether it is still this socket that is found under the name.
    pub(in crate::os::linux) fn leads_to_us(&self) -> std::io::Result<bool> {
        Ok(inode(&self.path)? == self.inode)
    }
}

fn inode(path: &Path) -> std::io::Result<(u64, u64)> {
    let meta = call(|| std::fs::symlink_metadata(path))?;
    Ok((meta.dev(), meta.ino()))
}

/// What is found at a socket path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum There {
    /// Nothing.
    Nothing,
    /// A socket that some process has bound and holds.
    Live,
    /// A socket that nobody holds any more.
    Stale,
    /// A socket that this user may not connect to.
    Forbidden,
    /// Not a socket.
    NotASocket,
}

/// Looks without being noticed: a datagram socket is refused by the *type* of a live one (EPROTOTYPE) before anything
/// is queued there, and for want of a socket (ECONNREFUSED) by a stale one.
pub(super) fn probe(path: &Path) -> Result<There> {
    let failed = |error: Errno| no_descriptor(format!("cannot look at {}", path.display()), error);
    match call(|| std::fs::symlink_metadata(path)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(There::Nothing),
        Err(error) => return Err(Error::os(format!("cannot look at {}", path.display()), error)),
        Ok(meta) if !meta.file_type().is_socket() => return Ok(There::NotASocket),
        Ok(_) => {}
    }
    let probe =
        call(|| rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None))
            .map_err(failed)?;
    let address = address(path)?;
    match call(|| rustix::net::connect(&probe, &address)) {
        // A datagram socket lives there, of some other program.
        Ok(()) | Err(Errno::PROTOTYPE) => Ok(There::Live),
        Err(Errno::CONNREFUSED) => Ok(There::Stale),
        Err(Errno::NOENT) => Ok(There::Nothing),
        Err(Errno::ACCESS | Errno::PERM) => Ok(There::Forbidden),
        Err(error) => Err(failed(error)),
    }
}

/// Refuses a path at which something else stands, to who wants to connect: as long as it does, no server will be there.
pub(in crate::os) fn expect_socket(path: &Path) -> Result<()> {
    // A link may lead to one. What cannot be looked at is for who connects to find out.
    match call(|| std::fs::metadata(path)) {
        Ok(meta) if !meta.file_type().is_socket() => {
            Err(not_a_socket(path).hint("another program has put it there; remove it or choose another name"))
        }
        _ => Ok(()),
    }
}

pub(super) fn not_a_socket(path: &Path) -> Error {
    Error::new(ErrorKind::Corrupt, format!("{} is not a socket", path.display()))
}

/// The error for a folder of pipes that is not there.
pub(super) fn check_folder() -> Result<()> {
    let folder = folder();
    match call(|| std::fs::metadata(&folder)) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(missing(&folder, "is not a folder")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(missing(&folder, "does not exist")),
        Err(error) => Err(Error::os(format!("cannot look at {}", folder.display()), error)),
    }
}

fn missing(folder: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("the folder for pipes, {}, {why}", folder.display()),
    )
    .hint("set TMPDIR to a folder that exists, the same for both sides")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_claim_key_tells_paths_apart_and_never_changes() {
        // Two versions of Quintet must agree on it, so the number is written out.
        assert_eq!(
            claim_key(Path::new("/tmp/CoreFxPipe_TestPipe")),
            "pipe.7fa43b7032dc97fe"
        );
        assert_ne!(
            claim_key(Path::new("/tmp/CoreFxPipe_a")),
            claim_key(Path::new("/tmp/CoreFxPipe_b"))
        );
    }

    #[test]
    fn only_file_names_with_the_prefix_are_pipes() {
        assert_eq!(name_of("CoreFxPipe_a.b".as_ref()).unwrap().as_str(), "a.b");
        assert!(name_of("CoreFxPipe_".as_ref()).is_none());
        assert!(name_of("clr-debug-pipe".as_ref()).is_none());
    }
}
