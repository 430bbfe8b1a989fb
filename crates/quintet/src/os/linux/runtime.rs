//! The runtime folder: where this user's processes tell each other what they hold.
//!
//! It is `/dev/shm/quintet-UID`, because that is one place for a login, a cron job and a service of the same user,
//! which `$XDG_RUNTIME_DIR` is not. Anybody can make a folder of that name first, so owner and mode are checked at
//! every use, on the open folder and not on its path. It exists only while something is in it.
//!
//! What is in it are *claims*: one file per held name, locked by its holder for as long as it lives. The lock is the
//! proof of life; the text in the file is for people and for `ls`.
//!
//! # Protocol of a claim
//! Take: open or create the file, lock it exclusively without waiting (held: somebody lives, *busy*), then check that
//! the name still leads to the file that was locked, since its last holder may have removed it between our open and our
//! lock; if not, start again. Write the text. Give back: remove the name, while still holding the lock, then close.
//!
//! A death leaves: before the lock, an empty file that nobody holds; after it, a file whose lock the kernel has
//! released. The next taker locks the same file either way, so neither needs repair. Two takers never both pass: who
//! holds the lock on the file that the name leads to has the claim, and only its holder removes the name.
//!
//! Taking away what a death left is taking the claim and giving it back at once. A server that comes in that moment must
//! not be told *busy*: who takes away empties the text first, and who finds a lock held looks at the text and tries again.

use super::fork::PrivateFd;
use super::lock;
use super::no_descriptor;
use crate::os::step::call;
use crate::{Error, ErrorKind, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PARENT: &str = "/dev/shm";

/// After so many milliseconds a claim that is held, with a text, counts as held: its text may be that of a dead server,
/// whose claim is just being taken away.
const FEW_TRIES: u32 = 20;

/// After so many milliseconds a claim that is held without a text counts as held.
const MOST_TRIES: u32 = 200;

/// No honest claim's text is longer.
const MAX_TEXT: usize = 16 * 1024;

/// Where the folder is, whether or not it exists now.
pub(super) fn path() -> PathBuf {
    Path::new(PARENT).join(format!("quintet-{}", rustix::process::geteuid().as_raw()))
}

/// Opens the folder; `None` if there is none.
fn open() -> Result<Option<OwnedFd>> {
    let path = path();
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let folder = match call(|| rustix::fs::open(&path, flags, Mode::empty())) {
        Ok(folder) => folder,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::NOTDIR | Errno::LOOP) => {
            return Err(planted(&path, "it is not a folder"));
        }
        Err(error) => {
            return Err(no_descriptor("cannot open the runtime folder", error).about(path.display()));
        }
    };
    let stat = call(|| rustix::fs::fstat(&folder))
        .map_err(|error| Error::os("cannot look at the runtime folder", error).about(path.display()))?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(planted(&path, &format!("it belongs to uid {}", stat.st_uid)));
    }
    if stat.st_mode & 0o077 != 0 {
        return Err(planted(
            &path,
            &format!("its mode is {:04o}, not 0700", stat.st_mode & 0o7777),
        ));
    }
    Ok(Some(folder))
}

fn planted(path: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::PermissionDenied,
        format!("cannot use it as the runtime folder: {why}"),
    )
    .about(path.display())
    .hint("remove it, or have its owner remove it")
}

/// Opens the folder, making it first if need be.
fn open_or_create() -> Result<OwnedFd> {
    let path = path();
    loop {
        match call(|| rustix::fs::mkdir(&path, Mode::RWXU)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => {
                return Err(Error::os("cannot make the runtime folder", error).about(path.display()));
            }
        }
        // Its last user may have removed it in between.
        if let Some(folder) = open()? {
            return Ok(folder);
        }
    }
}

/// A name held by this process, in the runtime folder.
#[derive(Debug)]
pub(super) struct Claim {
    folder: OwnedFd,
    /// Not a forked child's, which must not keep the name from others.
    file: PrivateFd,
    key: String,
}

impl Claim {
    /// Takes the claim `key`; `None` if a living process has it.
    pub(super) fn take(key: &str, text: &str) -> Result<Option<Claim>> {
        let about = |error: Error| error.about(path().join(key).display());
        let mut tries = 0;
        loop {
            let folder = open_or_create()?;
            let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = match PrivateFd::open(|| {
                call(|| rustix::fs::openat(&folder, key, flags, Mode::RUSR | Mode::WUSR))
            }) {
                Ok(file) => file,
                // The folder itself was removed after we opened it.
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(about(no_descriptor("cannot open the claim", error))),
            };
            let locked = call(|| lock::try_exclusive(&file, lock::Range::WHOLE_FILE))
                .map_err(|error| about(Error::os("cannot lock the claim", error)))?;
            if !locked {
                // By a server, which has written who it is; or for a moment by somebody who takes away what a dead one
                // left, and empties it first.
                let by_a_server = read_text(&file).is_ok_and(|text| !text.is_empty());
                tries += 1;
                if (by_a_server && tries > FEW_TRIES) || tries > MOST_TRIES {
                    return Ok(None);
                }
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            if !leads_to(&folder, key, &file) {
                continue;
            }
            let written = write_text(&file, text);
            let claim = Claim {
                folder,
                file,
                key: key.to_string(),
            };
            // On failure the claim is given back as it drops.
            written.map_err(|error| about(Error::os("cannot write the claim", error)))?;
            return Ok(Some(claim));
        }
    }

    /// Whether it is this process's, not one's that forked it.
    #[cfg(feature = "socket")]
    pub(super) fn is_ours(&self) -> bool {
        self.file.is_ours()
    }

    /// Removes the name. The lock stays until this is dropped.
    pub(super) fn release_name(&self) {
        // Only what is still ours: `release_name` may come twice, and the name be another's by then; and a forked child has
        // nothing of its parent's.
        if self.file.is_ours() && leads_to(&self.folder, &self.key, &self.file) {
            let _ = call(|| rustix::fs::unlinkat(&self.folder, &self.key, AtFlags::empty()));
            // Fails while anything else is in it, which is right.
            let _ = call(|| rustix::fs::rmdir(path()));
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.release_name();
    }
}

/// Whether `key` in `folder` is the file that we have open.
fn leads_to(folder: &OwnedFd, key: &str, file: impl AsFd) -> bool {
    let there = call(|| rustix::fs::statat(folder, key, AtFlags::SYMLINK_NOFOLLOW));
    let ours = call(|| rustix::fs::fstat(&file));
    matches!((there, ours), (Ok(there), Ok(ours)) if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino))
}

/// What a claim looks like from outside.
#[derive(Debug)]
pub(super) struct ClaimView {
    pub(super) held: bool,
    pub(super) text: String,
}

/// Looks at a claim without taking it.
pub(super) fn look(key: &str) -> Result<Option<ClaimView>> {
    let Some(folder) = open()? else {
        return Ok(None);
    };
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match call(|| rustix::fs::openat(&folder, key, flags, Mode::empty())) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => {
            return Err(no_descriptor("cannot open the claim", error).about(path().join(key).display()));
        }
    };
    let about = |error: std::io::Error| {
        Error::os("cannot look at the claim", error).about(path().join(key).display())
    };
    let held = call(|| lock::is_held(&file, lock::Range::WHOLE_FILE)).map_err(about)?;
    let text = read_text(&file).map_err(|error| about(error.into()))?;
    Ok(Some(ClaimView { held, text }))
}

/// Of a file that nobody has read from yet.
fn read_text(file: impl AsFd) -> rustix::io::Result<String> {
    let mut text = Vec::new();
    let mut chunk = [0; 1024];
    while text.len() < MAX_TEXT {
        match call(|| rustix::io::pread(&file, &mut chunk, text.len() as u64))? {
            0 => break,
            len => text.extend_from_slice(&chunk[..len]),
        }
    }
    text.truncate(MAX_TEXT);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn write_text(file: impl AsFd, text: &str) -> rustix::io::Result<()> {
    call(|| rustix::fs::ftruncate(&file, 0))?;
    let mut at = 0;
    while let Some(rest) = text.as_bytes().get(at..).filter(|rest| !rest.is_empty()) {
        at += call(|| rustix::io::pwrite(&file, rest, at as u64))?;
    }
    Ok(())
}

/// The claims there are whose keys begin so.
pub(super) fn keys(prefix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(path()).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|key| key.starts_with(prefix))
        .collect()
}

/// Removes a claim that nobody holds; whether it is gone.
pub(super) fn reclaim(key: &str) -> Result<bool> {
    Ok(look(key)?.is_none() || Claim::take(key, "")?.is_some())
}

/// Binds a socket to a name in the folder, in place of what is there.
pub(super) fn bind(socket: impl AsFd, key: &str) -> Result<()> {
    let path = path().join(key);
    let address = rustix::net::SocketAddrUnix::new(&path)
        .map_err(|error| Error::os("its path does not fit a socket address", error).about(path.display()))?;
    loop {
        open_or_create()?;
        match call(|| rustix::net::bind(&socket, &address)) {
            Ok(()) => return Ok(()),
            // The folder itself was removed after we opened it.
            Err(Errno::NOENT) => {}
            Err(Errno::ADDRINUSE) => match call(|| rustix::fs::unlink(&path)) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => {
                    return Err(
                        Error::os("cannot remove what an earlier process left", error).about(path.display())
                    );
                }
            },
            Err(error) => return Err(Error::os("cannot bind to it", error).about(path.display())),
        }
    }
}

/// Removes a name from the folder, if it is there, and the folder if nothing else is in it.
pub(super) fn remove(key: &str) {
    // What cannot be removed is replaced by who comes next.
    if call(|| rustix::fs::unlink(path().join(key))).is_ok() {
        let _ = call(|| rustix::fs::rmdir(path()));
    }
}

/// Opens a file of the folder that all processes of the user keep together, made if it is not there; the folder as well. A
/// forked child does not have it, nor its locks.
pub(super) fn open_file(key: &str) -> Result<PrivateFd> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    loop {
        let folder = open_or_create()?;
        let open = || call(|| rustix::fs::openat(&folder, key, flags, Mode::RUSR | Mode::WUSR));
        match PrivateFd::open(open) {
            Ok(file) => return Ok(file),
            // The folder itself was removed after we opened it.
            Err(Errno::NOENT) => {}
            Err(error) => {
                return Err(no_descriptor("cannot open it", error).about(path().join(key).display()));
            }
        }
    }
}

/// Whether `key` is still the file that we have open.
pub(super) fn leads_to_file(key: &str, file: &PrivateFd) -> Result<bool> {
    Ok(open()?.is_some_and(|folder| leads_to(&folder, key, file)))
}
