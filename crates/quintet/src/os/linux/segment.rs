//! Named shared memory with a header: the file `/dev/shm/quintet.KIND.NAME`, mapped.
//!
//! It lives while somebody holds it, by the kernel's word (`token.rs`), and no later open sees it when the last holder
//! is gone, however that one went; a *persistent* one stays until it is removed.
//!
//! # Protocol
//! - **Create**: make a file without a name (`O_TMPFILE`), hold it, reserve its memory, write it, and only then give it
//!   the name (`linkat`), which fails if there is one. A death on the way leaves nothing; after it, an object that
//!   nobody holds.
//! - **Open**: open the file; try to be alone. If that succeeds, whoever held it is gone: unless it is persistent, remove
//!   the name and start again. If not, begin to hold it beside the others; if even that fails, somebody is just finding
//!   out whether he is alone: start again. Then check that the name still leads to this file, since who was alone may
//!   have removed it in between; if not, start again.
//! - **Close**: let go; try to be alone; if so, check that the name still leads here, and remove it. Of several who let go
//!   at the same time the last to try is alone. A death between letting go and removing leaves an object that nobody
//!   holds, which the next open removes.
//!
//! The name is only ever removed by who is alone on the very file that it leads to, and nobody can begin to hold that
//! file meanwhile. So no name is removed from under a holder, and no two objects of one name have holders at a time who
//! both opened it by name.

use super::memory::Map;
use super::no_descriptor;
use super::process::{Identity, UserId};
use super::token::Token;
use crate::layout::{Header, Layout};
use crate::os::step::call;
use crate::os::types::{Access, ObjectOptions, Opening};
use crate::{Error, ErrorKind, Name, Result};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FallocateFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const FOLDER: &str = "/dev/shm";

/// For so many milliseconds at least we try again while somebody finds out whether he is alone, which takes him
/// microseconds unless he is stopped in the middle.
const MOST_TRIES: u32 = 2000;

/// Which object, and how it is made.
#[derive(Debug)]
pub(crate) struct Spec<'a> {
    pub(crate) layout: &'static Layout,
    pub(crate) name: &'a Name,
    pub(crate) options: ObjectOptions,
    /// See [`Header`].
    pub(crate) parameter: u64,
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

/// A named piece of shared memory that this process holds.
#[derive(Debug)]
pub(crate) struct Segment {
    map: Map,
    hold: Hold,
}

impl Segment {
    /// Makes or opens it. `init` writes what stands behind the header, into zeroed memory that nobody else sees yet.
    /// Also says whether it was made.
    pub(crate) fn open(
        spec: &Spec<'_>,
        opening: Opening,
        init: impl Fn(NonNull<u8>),
    ) -> Result<(Segment, bool)> {
        let path = path(spec.layout, spec.name);
        let mut tries = 0;
        loop {
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            match Token::open(|| call(|| rustix::fs::open(&path, flags, Mode::empty()))) {
                Ok(token) => match Segment::join(spec, opening, &path, token)? {
                    Joined::Yes(segment) => return Ok((segment, false)),
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
                    if let Some(segment) = Segment::create(spec, &path, &init)? {
                        return Ok((segment, true));
                    }
                }
                Err(error) => return Err(cannot_open(&path, error)),
            }
        }
    }

    /// `None` if somebody else was faster.
    fn create(spec: &Spec<'_>, path: &Path, init: &impl Fn(NonNull<u8>)) -> Result<Option<Segment>> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let token = Token::open(|| call(|| rustix::fs::open(FOLDER, flags, Mode::RUSR | Mode::WUSR)))
            .map_err(|error| no_descriptor(format!("cannot make shared memory in {FOLDER}"), error))?;
        if spec.options.access == Access::Everyone {
            // By itself, as a mode given to open(2) is cut by the umask.
            call(|| rustix::fs::fchmod(&token, Mode::from_raw_mode(0o666)))
                .map_err(|error| Error::os("cannot let others use it", error))?;
        }
        // Nobody else can have the file, so this cannot fail for that.
        token.try_beside_others()?;
        let size = spec.layout.size;
        call(|| rustix::fs::fallocate(&token, FallocateFlags::empty(), 0, size as u64)).map_err(|error| {
            match error {
                Errno::NOSPC | Errno::NOMEM | Errno::DQUOT => Error::new(
                    ErrorKind::Full,
                    format!("{FOLDER} has no room for {size} bytes"),
                )
                .hint("remove what is stale (quintet ls), or make it larger: mount -o remount,size=SIZE /dev/shm"),
                error => Error::os("cannot reserve its memory", error),
            }
        })?;
        let map = map(&token, size, true)?;
        init(map.start());
        header(&map).write(spec.layout, spec.options.persistent, spec.parameter);
        let stat = fstat(&token)?;
        match call(|| rustix::fs::linkat(CWD, proc_path(&token), CWD, path, AtFlags::SYMLINK_FOLLOW)) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(None),
            Err(error) => return Err(Error::os("cannot give it its name", error)),
        }
        let hold = Hold::new(token, path, Id::of(&stat));
        hold.keep.store(spec.options.persistent, Ordering::Relaxed);
        Ok(Some(Segment { map, hold }))
    }

    fn join(spec: &Spec<'_>, opening: Opening, path: &Path, token: Token) -> Result<Joined> {
        let stat = check_file(&token, path, spec.options.access)?;
        let alone = token.try_alone()?;
        if !alone && !token.try_beside_others()? {
            return Ok(Joined::NotNow);
        }
        // From here on, whatever fails, it is let go as whoever holds it lets it go.
        let hold = Hold::new(token, path, Id::of(&stat));
        if !hold.has_the_name() {
            return Ok(Joined::Stale);
        }
        let size = spec.layout.size;
        if stat.st_size != size as i64 {
            return Err(Error::new(
                ErrorKind::Corrupt,
                format!(
                    "what has this name is {} bytes long, and should be {size}",
                    stat.st_size
                ),
            ));
        }
        let map = map(&hold.token, size, true)?;
        header(&map).check(spec.layout)?;
        let persistent = header(&map).is_persistent();
        hold.keep.store(persistent, Ordering::Relaxed);
        if alone && !persistent {
            return match hold.remove_name() {
                Ok(()) => Ok(Joined::Stale),
                Err(error) => Err(Error::os(
                    "a process that died left it, and it cannot be removed",
                    error,
                )),
            };
        }
        if opening == Opening::CreateNew {
            return Err(Error::new(ErrorKind::AlreadyExists, "it exists already"));
        }
        if alone && !hold.token.try_beside_others()? {
            return Ok(Joined::NotNow);
        }
        Ok(Joined::Yes(Segment { map, hold }))
    }

    pub(crate) fn id(&self) -> Id {
        self.hold.id
    }

    pub(crate) fn header(&self) -> &Header {
        header(&self.map)
    }

    /// Where its bytes begin. They stay there as long as `self` does.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.map.start()
    }

    pub(crate) fn token(&self) -> &Token {
        &self.hold.token
    }

    /// Another token, which holds the object for itself and can be another participant.
    pub(crate) fn new_token(&self) -> Result<Token> {
        let token = Token::open(|| reopen(&self.hold.token))
            .map_err(|error| no_descriptor("cannot open the object's file again", error))?;
        // We hold it, so nobody can be alone and this cannot fail for that.
        token.try_beside_others()?;
        Ok(token)
    }

    /// As closing it, but it stays usable: for a process that is about to end.
    pub(crate) fn release_name(&self) {
        self.hold.let_go();
    }
}

enum Joined {
    Yes(Segment),
    /// What was there is gone now.
    Stale,
    /// Somebody finds out whether he is alone.
    NotNow,
}

/// That this process holds an object; when dropped, no longer.
#[derive(Debug)]
struct Hold {
    token: Token,
    path: PathBuf,
    id: Id,
    /// Whether the name stays when nobody holds it.
    keep: AtomicBool,
    let_go: AtomicBool,
}

impl Hold {
    fn new(token: Token, path: &Path, id: Id) -> Self {
        Hold {
            token,
            path: path.into(),
            id,
            // Until it is known to be ours to remove.
            keep: AtomicBool::new(true),
            let_go: AtomicBool::new(false),
        }
    }

    fn has_the_name(&self) -> bool {
        let there = call(|| rustix::fs::statat(CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW));
        there.is_ok_and(|there| Id::of(&there) == self.id)
    }

    /// For who is alone.
    fn remove_name(&self) -> rustix::io::Result<()> {
        match call(|| rustix::fs::unlink(&self.path)) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn let_go(&self) {
        // Once: a second time the object could be another's that has the same name.
        if !self.token.is_ours() || self.let_go.swap(true, Ordering::Relaxed) {
            return;
        }
        self.token.let_go();
        if self.keep.load(Ordering::Relaxed) {
            return;
        }
        if self.token.try_alone().unwrap_or(false) && self.has_the_name() {
            // If it fails, the next open sees that nobody holds it.
            let _ = self.remove_name();
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.let_go();
    }
}

fn path(layout: &Layout, name: &Name) -> PathBuf {
    Path::new(FOLDER).join(format!("quintet.{}.{}", layout.scheme, name.base()))
}

fn proc_path(file: &Token) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

/// Opens the same file once more, by no name that could lead elsewhere by now.
fn reopen(file: &Token) -> rustix::io::Result<OwnedFd> {
    let path = proc_path(file);
    call(|| {
        rustix::fs::open(
            &path,
            OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC,
            Mode::empty(),
        )
    })
}

/// Maps the file, through an open of its own: see `token.rs`.
fn map(token: &Token, len: usize, writable: bool) -> Result<Map> {
    let file = reopen(token).map_err(|error| no_descriptor("cannot open the shared memory again", error))?;
    Map::of(&file, len, writable).map_err(|error| Error::os("cannot map the shared memory", error))
}

fn header(map: &Map) -> &Header {
    assert!(map.len() >= size_of::<Header>());
    // SAFETY: the map is long enough, begins at a page, and stays as long as it is borrowed. A header is made of atomics
    // only, for which any bytes will do and which others may change.
    unsafe { map.start().cast::<Header>().as_ref() }
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

/// An object seen by somebody who does not hold it.
#[derive(Debug)]
pub(crate) struct Look {
    map: Map,
    file: OwnedFd,
    pub(crate) is_held: bool,
    pub(crate) owner: UserId,
}

impl Look {
    pub(crate) fn header(&self) -> &Header {
        header(&self.map)
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.map.start()
    }

    pub(crate) fn is_participant(&self, slot: usize) -> bool {
        Token::is_participant(&self.file, slot).unwrap_or(false)
    }

    /// What is known of the process behind a participant.
    pub(crate) fn identity(&self, pid: u32) -> Identity {
        Identity::of_pid(pid, Some(self.owner.clone()))
    }
}

/// Looks at an object, unnoticed. Its header is for the caller to check.
pub(crate) fn look(layout: &'static Layout, name: &Name) -> Result<Look> {
    let path = path(layout, name);
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match call(|| rustix::fs::open(&path, flags, Mode::empty())) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Err(Error::new(ErrorKind::NotFound, "there is none")),
        Err(error) => return Err(cannot_open(&path, error)),
    };
    let stat = check_file(&file, &path, Access::Everyone)?;
    let corrupt = || {
        Error::new(
            ErrorKind::Corrupt,
            format!(
                "what has this name is {} bytes long, and should be {}",
                stat.st_size, layout.size
            ),
        )
    };
    if stat.st_size != layout.size as i64 {
        return Err(corrupt());
    }
    let is_held =
        Token::is_object_held(&file).map_err(|error| Error::os("cannot ask who holds it", error))?;
    // No lock is ever taken through this open, so that it is mapped does no harm.
    let map = Map::of(&file, layout.size, false)
        .map_err(|error| Error::os("cannot map the shared memory", error))?;
    Ok(Look {
        map,
        file,
        is_held,
        owner: UserId::from_uid(stat.st_uid),
    })
}

/// The names of the objects there are of a kind.
pub(crate) fn names(layout: &'static Layout) -> Result<Vec<Name>> {
    let prefix = format!("quintet.{}.", layout.scheme);
    let entries =
        std::fs::read_dir(FOLDER).map_err(|error| Error::os(format!("cannot list {FOLDER}"), error))?;
    let mut names: Vec<Name> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let base = name.as_bytes().strip_prefix(prefix.as_bytes())?;
            Name::new(OsStr::from_bytes(base).to_str()?).ok()
        })
        .collect();
    names.sort();
    Ok(names)
}

/// Removes an object that nobody holds.
pub(crate) fn remove(layout: &'static Layout, name: &Name) -> Result<()> {
    let path = path(layout, name);
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let token = match Token::open(|| call(|| rustix::fs::open(&path, flags, Mode::empty()))) {
        Ok(token) => token,
        Err(Errno::NOENT) => return Err(Error::new(ErrorKind::NotFound, "there is none")),
        Err(error) => return Err(cannot_open(&path, error)),
    };
    let stat = check_file(&token, &path, Access::CurrentUser)?;
    if !token.try_alone()? {
        return Err(Error::new(ErrorKind::Busy, "a living process holds it")
            .hint("end the process, and it goes with it unless it is persistent"));
    }
    let hold = Hold::new(token, &path, Id::of(&stat));
    if hold.has_the_name() {
        hold.remove_name()
            .map_err(|error| Error::os("cannot remove it", error))?;
    }
    Ok(())
}
