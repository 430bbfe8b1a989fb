//! Named files in `/dev/shm`: made, opened and closed so that they live while somebody holds them.
//!
//! A file lives while somebody holds it, by the kernel's word (`token.rs`), and no later open sees it when the last holder
//! is gone, however that one went; what *stays* by its kind's rules stays until it is removed.
//!
//! # Protocol
//! - **Create**: make a file without a name (`O_TMPFILE`), hold it, reserve its memory, write it, and only then give it
//!   the name (`linkat`), which fails if there is one. A death on the way leaves nothing; after it, a file that nobody
//!   holds.
//! - **Open**: open the file; try to be alone. If that succeeds, whoever held it is gone: unless it stays, remove the name
//!   and start again. If not, begin to hold it beside the others; if even that fails, somebody is just finding out
//!   whether he is alone: start again. Then check that the name still leads to this file, since who was alone may have
//!   removed it in between; if not, start again.
//! - **Close**: let go; try to be alone; if so, check that the name still leads here, and remove it. Of several who let go
//!   at the same time the last to try is alone. A death between letting go and removing leaves a file that nobody holds,
//!   which the next open removes.
//!
//! The name is only ever removed by who is alone on the very file that it leads to, and nobody can begin to hold that
//! file meanwhile. So no name is removed from under a holder, and no two files of one name have holders at a time who
//! both opened it by name.
//!
//! # Two files
//! An object may have a second file, for what not everybody may write who holds it. Nobody locks that one: it belongs to the
//! first, and its name comes and goes only while somebody is alone on the file that the first name leads to. Who creates is alone
//! until both have their names, the first one first; who removes takes the second away first. So whoever holds the first file
//! finds the second one; and a death in between leaves a first file that nobody holds, which counts as one that does not stay.
//!
//! # Foreigners
//! Other programs take no locks. Where a kind has such users, who is alone also takes a *lease* before the name is removed
//! (`F_SETLEASE`, fcntl(2)), which the kernel grants only if nobody else at all has the file open or mapped. (One that has
//! looked the name up and not yet opened it may still get a file without a name.)

use super::no_descriptor;
use super::process::UserId;
use super::token::Token;
use crate::os::step::call;
use crate::os::types::{Access, Opening};
use crate::{Error, ErrorKind, Result};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FallocateFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(super) const FOLDER: &str = "/dev/shm";

/// For so many milliseconds at least we try again while somebody finds out whether he is alone, which takes him
/// microseconds unless he is stopped in the middle.
const MOST_TRIES: u32 = 2000;

/// What kinds of files have each their own way of.
pub(super) trait Kind {
    /// What a holder gets of the file.
    type Content;

    fn access(&self) -> Access;

    /// The bytes to reserve for a new file.
    fn size(&self) -> u64;

    /// The mode of a new file, and whether it stays when nobody holds it.
    fn mode(&self) -> (Mode, bool);

    /// Writes a new file, which nobody else sees yet and which is all zeros.
    fn fill(&self, token: &Token) -> Result<Self::Content>;

    /// Whether a file that is there stays when nobody holds it; an error if it is none of this kind.
    fn stays(&self, token: &Token, stat: &Stat) -> Result<bool>;

    /// What we get of a file that is there, and that we hold.
    fn content(&self, token: &Token, stat: &Stat) -> Result<Self::Content>;

    /// Whether programs use such files that take no locks.
    const FOREIGNERS: bool;

    /// The name of the second file, if such an object has two.
    fn second(&self) -> Option<&Path> {
        None
    }

    /// Gives the second file, which is made with the first one's content, that name. Nobody holds the object meanwhile.
    fn name_second(&self, _content: &Self::Content) -> Result<()> {
        Ok(())
    }
}

/// What tells a file from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    device: u64,
    inode: u64,
}

impl Id {
    pub(super) fn numbers(self) -> (u64, u64) {
        (self.device, self.inode)
    }

    fn of(stat: &Stat) -> Self {
        Id {
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }
}

/// Makes or opens a file. Also says whether it was made.
pub(super) fn open<K: Kind>(kind: &K, path: &Path, opening: Opening) -> Result<(K::Content, Hold, bool)> {
    let mut tries = 0;
    loop {
        match Token::open(|| call(|| rustix::fs::open(path, OPEN, Mode::empty()))) {
            Ok(token) => match join(kind, opening, path, token)? {
                Joined::Yes(content, hold) => return Ok((content, hold, false)),
                Joined::Stale => {}
                Joined::NotNow if tries < MOST_TRIES => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Joined::NotNow => {
                    return Err(Error::new(
                        ErrorKind::Busy,
                        "another process is opening or removing it and does not come to an end",
                    )
                    .hint("is that process stopped?"));
                }
            },
            Err(Errno::NOENT) if opening == Opening::OpenExisting => {
                return Err(Error::new(ErrorKind::NotFound, "there is none"));
            }
            Err(Errno::NOENT) => {
                if let Some((content, hold)) = create(kind, path)? {
                    return Ok((content, hold, true));
                }
            }
            // Somebody is removing it, with a lease.
            Err(Errno::AGAIN) if tries < MOST_TRIES => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(cannot_open(path, error)),
        }
    }
}

/// How a file that is there is opened.
const OPEN: OFlags = OFlags::RDWR
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// `None` if somebody else was faster.
fn create<K: Kind>(kind: &K, path: &Path) -> Result<Option<(K::Content, Hold)>> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let token = Token::open(|| call(|| rustix::fs::open(FOLDER, flags, Mode::RUSR | Mode::WUSR)))
        .map_err(|error| no_descriptor(format!("cannot make shared memory in {FOLDER}"), error))?;
    let (mode, stays) = kind.mode();
    if mode != Mode::RUSR | Mode::WUSR {
        // By itself, as a mode given to open(2) is cut by the umask.
        call(|| rustix::fs::fchmod(&token, mode))
            .map_err(|error| Error::os("cannot set who may use it", error))?;
    }
    // Nobody else can have the file, so this cannot fail for that.
    match kind.second() {
        None => token.try_beside_others()?,
        Some(_) => token.try_alone()?,
    };
    reserve(&token, kind.size())?;
    let content = kind.fill(&token)?;
    let stat = fstat(&token)?;
    match call(|| rustix::fs::linkat(CWD, proc_path(&token), CWD, path, AtFlags::SYMLINK_FOLLOW)) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(None),
        Err(error) => return Err(Error::os("cannot give it its name", error)),
    }
    let hold = Hold::new(kind, token, path, Id::of(&stat));
    if kind.second().is_some() {
        // Whatever fails, it does not stay without.
        hold.keep.store(false, Ordering::Relaxed);
        kind.name_second(&content)?;
        // Nobody else holds it, so this cannot fail for that.
        hold.token.try_beside_others()?;
    }
    hold.keep.store(stays, Ordering::Relaxed);
    Ok(Some((content, hold)))
}

/// Reserves a new file's memory, which is all zeros.
fn reserve(file: impl AsFd, size: u64) -> Result<()> {
    call(|| rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size))
        .map_err(|error| no_room(size, error))
}

/// Makes a second file, which has no name yet.
pub(super) fn make_second(mode: Mode, size: u64) -> Result<OwnedFd> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = call(|| rustix::fs::open(FOLDER, flags, Mode::RUSR | Mode::WUSR))
        .map_err(|error| no_descriptor(format!("cannot make shared memory in {FOLDER}"), error))?;
    call(|| rustix::fs::fchmod(&file, mode))
        .map_err(|error| Error::os("cannot set who may use it", error))?;
    reserve(&file, size)?;
    Ok(file)
}

/// Gives a second file its name. For who is alone on the first one: so whatever has the name is nobody's.
pub(super) fn name_second(file: impl AsFd, path: &Path) -> Result<()> {
    let link = || call(|| rustix::fs::linkat(CWD, proc_path(&file), CWD, path, AtFlags::SYMLINK_FOLLOW));
    let linked = match link() {
        Err(Errno::EXIST) => call(|| rustix::fs::unlink(path)).and_then(|()| link()),
        linked => linked,
    };
    linked.map_err(|error| Error::os("cannot give its second part its name", error))
}

/// Opens a file that may be anybody's, to read it; `None` if there is none.
pub(super) fn open_to_read(path: &Path) -> Result<Option<(OwnedFd, Stat)>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match call(|| rustix::fs::open(path, flags, Mode::empty())) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(cannot_open(path, error)),
    };
    let stat = check_file(&file, path, Access::Everyone)?;
    Ok(Some((file, stat)))
}

/// Opens a second file, of an object whose first one has that owner; `None` if there is none.
pub(super) fn open_second(path: &Path, first: &Stat) -> Result<Option<(OwnedFd, Stat)>> {
    let Some((file, stat)) = open_to_read(path)? else {
        return Ok(None);
    };
    if stat.st_uid != first.st_uid {
        return Err(in_the_way(path, "it is another user's"));
    }
    Ok(Some((file, stat)))
}

fn no_room(size: u64, error: Errno) -> Error {
    match error {
        Errno::NOSPC | Errno::NOMEM | Errno::DQUOT | Errno::FBIG => {
            Error::new(ErrorKind::Full, format!("{FOLDER} has no room for {size} bytes")).hint(
                "remove what is stale (quintet ls), or make it larger: mount -o remount,size=SIZE /dev/shm",
            )
        }
        error => Error::os("cannot reserve its memory", error),
    }
}

enum Joined<C> {
    Yes(C, Hold),
    /// What was there is gone now.
    Stale,
    /// Somebody finds out whether he is alone.
    NotNow,
}

fn join<K: Kind>(kind: &K, opening: Opening, path: &Path, token: Token) -> Result<Joined<K::Content>> {
    let stat = check_file(&token, path, kind.access())?;
    let alone = token.try_alone()?;
    if !alone && !token.try_beside_others()? {
        return Ok(Joined::NotNow);
    }
    // From here on, whatever fails, it is let go as whoever holds it lets it go.
    let hold = Hold::new(kind, token, path, Id::of(&stat));
    if !hold.check_name()? {
        return Ok(Joined::Stale);
    }
    let stays = kind.stays(&hold.token, &stat)?;
    hold.keep.store(stays, Ordering::Relaxed);
    if alone && !stays {
        match hold.remove_name() {
            Ok(true) => return Ok(Joined::Stale),
            // A foreigner has it: so it lives.
            Ok(false) => {}
            Err(error) => {
                return Err(Error::os(
                    "a process that died left it, and it cannot be removed",
                    error,
                ));
            }
        }
    }
    if opening == Opening::CreateNew {
        return Err(Error::new(ErrorKind::AlreadyExists, "it exists already"));
    }
    if alone && !hold.token.try_beside_others()? {
        return Ok(Joined::NotNow);
    }
    let content = kind.content(&hold.token, &stat)?;
    Ok(Joined::Yes(content, hold))
}

/// That this process holds a file; when dropped, no longer.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) token: Token,
    path: PathBuf,
    pub(super) id: Id,
    /// Whether the name stays when nobody holds it.
    keep: AtomicBool,
    foreigners: bool,
    second: Option<PathBuf>,
    let_go: AtomicBool,
}

impl Hold {
    fn new<K: Kind>(kind: &K, token: Token, path: &Path, id: Id) -> Self {
        Hold::of(token, path, id, K::FOREIGNERS, kind.second())
    }

    fn of(token: Token, path: &Path, id: Id, foreigners: bool, second: Option<&Path>) -> Self {
        Hold {
            token,
            path: path.into(),
            id,
            // Until it is known to be ours to remove.
            keep: AtomicBool::new(true),
            foreigners,
            second: second.map(Path::to_path_buf),
            let_go: AtomicBool::new(false),
        }
    }

    /// Whether the name leads to this file, as far as can be seen.
    pub(super) fn has_the_name(&self) -> bool {
        self.check_name().unwrap_or(false)
    }

    /// The same for who must not take a failure for a no.
    fn check_name(&self) -> Result<bool> {
        match call(|| rustix::fs::statat(CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW)) {
            Ok(there) => Ok(Id::of(&there) == self.id),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(Error::os("cannot see what its name leads to", error)),
        }
    }

    /// For who is alone: whether it was removed, which it is not from under a foreigner.
    fn remove_name(&self) -> rustix::io::Result<bool> {
        if self.foreigners && !self.lease()? {
            return Ok(false);
        }
        let unlink = |path: &Path| match call(|| rustix::fs::unlink(path)) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(error) => Err(error),
        };
        // The first one last: nobody can hold it without the other.
        let second = self.second.as_deref().map_or(Ok(true), unlink);
        let removed = second.and_then(|_| unlink(&self.path));
        if self.foreigners {
            self.token.end_lease();
        }
        removed
    }

    /// Takes the lease, if no foreigner has the file. Quintet's own looks open it too, for an instant, which is waited for.
    fn lease(&self) -> rustix::io::Result<bool> {
        /// Together 63 ms: who looks may have lost the processor in the middle of it.
        const PAUSES: [u64; 6] = [1, 2, 4, 8, 16, 32];
        for pause in PAUSES {
            if self.token.try_lease()? {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(pause));
        }
        self.token.try_lease()
    }

    /// Another token on the same file, which does not hold it.
    pub(super) fn spare_token(&self) -> Result<Token> {
        Token::open(|| reopen(&self.token))
            .map_err(|error| no_descriptor("cannot open the object's file again", error))
    }

    /// Another token on the same file, which holds it for itself.
    pub(super) fn new_token(&self) -> Result<Token> {
        let token = self.spare_token()?;
        // We hold it, so nobody can be alone and this cannot fail for that.
        token.try_beside_others()?;
        Ok(token)
    }

    pub(super) fn has_let_go(&self) -> bool {
        self.let_go.load(Ordering::Relaxed)
    }

    pub(super) fn let_go(&self) -> bool {
        // Once: a second time the object could be another's that has the same name.
        if !self.token.is_ours() || self.let_go.swap(true, Ordering::Relaxed) {
            return false;
        }
        self.token.let_go();
        if self.keep.load(Ordering::Relaxed) {
            return false;
        }
        // If it fails, the next open sees that nobody holds it.
        self.token.try_alone().unwrap_or(false) && self.has_the_name() && self.remove_name().unwrap_or(false)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Removes a file that nobody holds, whether it stays or not; not one that a foreigner uses.
pub(super) fn remove(path: &Path, foreigners: bool, second: Option<&Path>) -> Result<()> {
    let token = match Token::open(|| call(|| rustix::fs::open(path, OPEN, Mode::empty()))) {
        Ok(token) => token,
        Err(Errno::NOENT) => return Err(Error::new(ErrorKind::NotFound, "there is none")),
        Err(error) => return Err(cannot_open(path, error)),
    };
    let stat = check_file(&token, path, Access::CurrentUser)?;
    let busy = |who| {
        Error::new(ErrorKind::Busy, format!("{who} holds it"))
            .hint("end the process, and it goes with it unless it is persistent")
    };
    if !token.try_alone()? {
        return Err(busy("a living process"));
    }
    let hold = Hold::of(token, path, Id::of(&stat), foreigners, second);
    if hold.check_name()? {
        let removed = hold
            .remove_name()
            .map_err(|error| Error::os("cannot remove it", error))?;
        if !removed {
            return Err(busy("a program that is not Quintet's"));
        }
    }
    Ok(())
}

/// Opens a file to look at it; it is not held.
pub(super) fn open_to_look(path: &Path) -> Result<(OwnedFd, Stat)> {
    let file = match call(|| rustix::fs::open(path, OPEN, Mode::empty())) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Err(Error::new(ErrorKind::NotFound, "there is none")),
        Err(error) => return Err(cannot_open(path, error)),
    };
    let stat = check_file(&file, path, Access::Everyone)?;
    Ok((file, stat))
}

fn proc_path(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

/// Opens the same file once more, by no name that could lead elsewhere by now.
pub(super) fn reopen(file: impl AsFd) -> rustix::io::Result<OwnedFd> {
    let path = proc_path(file);
    call(|| {
        rustix::fs::open(
            &path,
            OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC,
            Mode::empty(),
        )
    })
}

fn fstat(file: impl AsFd) -> Result<Stat> {
    call(|| rustix::fs::fstat(&file)).map_err(|error| Error::os("cannot look at the shared memory", error))
}

/// Checks what a name leads to before anything in it is believed.
fn check_file(file: impl AsFd, path: &Path, access: Access) -> Result<Stat> {
    let stat = fstat(file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(in_the_way(path, "it is not a file"));
    }
    // A second name, which another user may have given to a file of ours that he can write.
    if stat.st_nlink > 1 {
        return Err(in_the_way(path, "it is a file with several names"));
    }
    let owner = UserId::from_uid(stat.st_uid);
    if access != Access::Everyone && !owner.is_trusted() {
        return Err(Error::new(
            ErrorKind::PermissionDenied,
            format!("it belongs to another user (uid {owner})"),
        )
        .hint("choose another name, or open it with access everyone"));
    }
    Ok(stat)
}

fn cannot_open(path: &Path, error: Errno) -> Error {
    match error {
        Errno::LOOP => in_the_way(path, "it is a link"),
        Errno::ISDIR => in_the_way(path, "it is a folder"),
        Errno::NXIO => in_the_way(path, "it is a socket"),
        Errno::ACCESS | Errno::PERM => Error::new(
            ErrorKind::PermissionDenied,
            "it belongs to another user, who has not opened it to others",
        )
        .hint("choose another name, or have its owner create it with access everyone"),
        error => no_descriptor("cannot open the shared memory", error),
    }
}

fn in_the_way(path: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!("{} is in the way: {why}", path.display()),
    )
}
