//! Named shared memory with a header: the file `/dev/shm/quintet.KIND.NAME`, mapped. How it comes and goes, see
//! `named_file.rs`.

use super::memory::Map;
use super::named_file::{self, FOLDER, Hold, Kind};
use super::no_descriptor;
use super::parking::Place;
use super::process::{self, Identity, UserId};
use super::token::Token;
use crate::layout::{Extent, Header, Layout};
use crate::os::step::call;
use crate::os::types::{Access, MapMode, ObjectOptions, Opening};
use crate::{Error, ErrorKind, Name, Result};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

pub(super) use super::named_file::Id;

/// Which object, and how it is made.
#[derive(Debug)]
pub(crate) struct Spec<'a> {
    pub(crate) layout: &'static Layout,
    pub(crate) name: &'a Name,
    /// Of one that is made.
    pub(crate) size: usize,
    pub(crate) options: ObjectOptions,
    /// See [`Header`].
    pub(crate) parameter: u64,
}

/// How the second piece of memory is made that an object has if its layout says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DataSpec {
    pub(crate) size: usize,
    /// Whose processes may write it. To read it, those may who may use the object.
    pub(crate) writers: Access,
    pub(crate) parameter: u64,
}

/// A file of that layout, and how to begin it.
struct Laid<'a, F> {
    spec: &'a Spec<'a>,
    data: Option<(&'static Layout, DataSpec, PathBuf)>,
    init: F,
}

impl<F> Laid<'_, F> {
    /// The second file that belongs to a first one, if there is one.
    fn open_data(&self, first: &Stat) -> Result<Option<Data>> {
        let Some((layout, _, path)) = &self.data else {
            return Ok(None);
        };
        let Some((file, stat)) = named_file::open_second(path, first)? else {
            return Ok(None);
        };
        let map = Map::with(&file, check_size(layout, &stat)?, MapMode::ReadOnly)
            .map_err(|error| Error::os("cannot map the shared memory", error))?;
        header(&map).check(layout, map.len())?;
        Ok(Some(Data { map, file }))
    }
}

impl<F: Fn(NonNull<u8>)> Kind for Laid<'_, F> {
    type Content = (Map, Option<Data>);

    const FOREIGNERS: bool = false;

    fn access(&self) -> Access {
        self.spec.options.access
    }

    fn size(&self) -> u64 {
        self.spec.size as u64
    }

    fn mode(&self) -> (Mode, bool) {
        let mode = match self.spec.options.access {
            Access::CurrentUser => Mode::RUSR | Mode::WUSR,
            Access::Everyone => Mode::from_raw_mode(0o666),
        };
        (mode, self.spec.options.persistent)
    }

    fn fill(&self, token: &Token) -> Result<Self::Content> {
        let map = map(token, self.spec.size)?;
        (self.init)(map.start());
        let persistent = self.spec.options.persistent;
        header(&map).write(self.spec.layout, self.spec.size, persistent, self.spec.parameter);
        let Some((layout, data, _)) = &self.data else {
            return Ok((map, None));
        };
        let mode = match (self.spec.options.access, data.writers) {
            (Access::CurrentUser, _) => Mode::RUSR | Mode::WUSR,
            (Access::Everyone, Access::CurrentUser) => Mode::from_raw_mode(0o644),
            (Access::Everyone, Access::Everyone) => Mode::from_raw_mode(0o666),
        };
        let file = named_file::make_second(mode, data.size as u64)?;
        let cannot_map = |error| Error::os("cannot map the shared memory", error);
        let written = Map::with(&file, data.size, MapMode::ReadWrite).map_err(cannot_map)?;
        header(&written).write(layout, data.size, persistent, data.parameter);
        let read = Map::with(&file, data.size, MapMode::ReadOnly).map_err(cannot_map)?;
        Ok((map, Some(Data { map: read, file })))
    }

    fn stays(&self, token: &Token, stat: &Stat) -> Result<bool> {
        let map = self.control(token, stat)?;
        let stays = header(&map).is_persistent();
        // Whoever made or removed it may have died before both parts had their names, or after one had none any more.
        Ok(stays && (self.data.is_none() || self.open_data(stat)?.is_some()))
    }

    fn content(&self, token: &Token, stat: &Stat) -> Result<Self::Content> {
        let map = self.control(token, stat)?;
        let data = self.open_data(stat)?;
        if data.is_none() && self.data.is_some() {
            return Err(
                Error::new(ErrorKind::Corrupt, "somebody has removed a part of it")
                    .hint("end the processes that hold it"),
            );
        }
        Ok((map, data))
    }

    fn second(&self) -> Option<&Path> {
        self.data.as_ref().map(|(_, _, path)| path.as_path())
    }

    fn name_second(&self, content: &Self::Content) -> Result<()> {
        match (&content.1, &self.data) {
            (Some(data), Some((_, _, path))) => named_file::name_second(&data.file, path),
            _ => Ok(()),
        }
    }
}

impl<F> Laid<'_, F> {
    fn control(&self, token: &Token, stat: &Stat) -> Result<Map> {
        let layout = self.spec.layout;
        let map = map(token, check_size(layout, stat)?)?;
        header(&map).check(layout, map.len())?;
        Ok(map)
    }
}

fn check_size(layout: &Layout, stat: &Stat) -> Result<usize> {
    let there = usize::try_from(stat.st_size).unwrap_or(0);
    match layout.extent {
        Extent::Fixed if there == layout.size => Ok(there),
        Extent::Open if there >= layout.size && isize::try_from(there).is_ok() => Ok(there),
        _ => Err(Error::new(
            ErrorKind::Corrupt,
            format!(
                "what has this name is {there} bytes long, and should be {}",
                layout.size
            ),
        )),
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
        let data = None;
        let ((map, _), hold, made) = named_file::open(&Laid { spec, data, init }, &path, opening)?;
        Ok((Segment { map, hold }, made))
    }

    /// As [`open`](Self::open), of an object with a second piece of memory, which needs `self` to stay what it is.
    pub(crate) fn open_both(
        spec: &Spec<'_>,
        data: DataSpec,
        opening: Opening,
        init: impl Fn(NonNull<u8>),
    ) -> Result<(Segment, Data, bool)> {
        let paths = (path(spec.layout, spec.name), data_path(spec.layout, spec.name));
        let data = spec
            .layout
            .data
            .zip(paths.1)
            .map(|(layout, path)| (layout, data, path));
        let laid = Laid { spec, data, init };
        let ((map, data), hold, made) = named_file::open(&laid, &paths.0, opening)?;
        let data = data.ok_or_else(|| Error::new(ErrorKind::Os, "its layout has one part only"))?;
        Ok((Segment { map, hold }, data, made))
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

    /// How many bytes there are: at least the layout's size.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn token(&self) -> &Token {
        &self.hold.token
    }

    /// A place to sleep at: see `parking.rs`.
    #[expect(clippy::unused_self, reason = "it is the object's on Windows")]
    pub(crate) fn parking(&self, _number: usize) -> Place {
        Place::new()
    }

    /// As [`parking`](Self::parking), where all who sleep are woken at once.
    pub(crate) fn parking_for_all(&self, number: usize) -> Place {
        self.parking(number)
    }

    /// Another token, which holds the object for itself and can be another participant.
    pub(crate) fn new_token(&self) -> Result<Token> {
        self.hold.new_token()
    }

    /// Another token, which does not hold the object, as `self` does, and can be another participant.
    pub(crate) fn spare_token(&self) -> Result<Token> {
        self.hold.spare_token()
    }

    /// As closing it, but it stays usable: for a process that is about to end.
    pub(crate) fn release_name(&self) {
        self.let_go();
    }

    /// The same: whether nobody else had it, so that its name is gone now.
    pub(super) fn let_go(&self) -> bool {
        self.hold.let_go()
    }

    pub(super) fn is_released(&self) -> bool {
        self.hold.has_let_go()
    }
}

/// The second piece of memory of an object, mapped to be read.
#[derive(Debug)]
pub(crate) struct Data {
    map: Map,
    file: OwnedFd,
}

impl Data {
    pub(crate) fn header(&self) -> &Header {
        header(&self.map)
    }

    /// Where its bytes begin, of which none can be written there. They stay there as long as `self` does.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.map.start()
    }

    /// How many bytes there are: at least its layout's size.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// It once more, to be written.
    pub(crate) fn to_write(&self) -> Result<Writable> {
        let file = named_file::reopen(&self.file).map_err(|error| match error {
            Errno::ACCESS | Errno::PERM => Error::new(
                ErrorKind::PermissionDenied,
                "it belongs to another user, who has opened it to be read only",
            ),
            error => no_descriptor("cannot open the shared memory again", error),
        })?;
        Map::with(&file, self.len(), MapMode::ReadWrite)
            .map(Writable)
            .map_err(|error| Error::os("cannot map the shared memory", error))
    }
}

/// The same, mapped to be written.
#[derive(Debug)]
pub(crate) struct Writable(Map);

impl Writable {
    /// Where its bytes begin, which are as many. They stay there as long as `self` does.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.0.start()
    }
}

fn path(layout: &Layout, name: &Name) -> PathBuf {
    Path::new(FOLDER).join(format!("quintet.{}.{}", layout.scheme, name.base()))
}

/// Of the second file, if such objects have one. No scheme has that name, so no object's first file has it.
fn data_path(layout: &Layout, name: &Name) -> Option<PathBuf> {
    layout
        .data
        .map(|_| Path::new(FOLDER).join(format!("quintet.{}data.{}", layout.scheme, name.base())))
}

/// Maps the file, through an open of its own: see `token.rs`.
fn map(token: &Token, len: usize) -> Result<Map> {
    let file = named_file::reopen(token)
        .map_err(|error| no_descriptor("cannot open the shared memory again", error))?;
    Map::with(&file, len, MapMode::ReadWrite)
        .map_err(|error| Error::os("cannot map the shared memory", error))
}

fn header(map: &Map) -> &Header {
    assert!(map.len() >= size_of::<Header>());
    // SAFETY: the map is long enough, begins at a page, and stays as long as it is borrowed. A header is made of atomics
    // only, for which any bytes will do and which others may change.
    unsafe { map.start().cast::<Header>().as_ref() }
}

/// An object as it was at one moment, seen by somebody who does not hold it: the part that all of its kind begin with.
#[derive(Debug)]
pub(crate) struct Look {
    map: Map,
    /// Of the second piece, if it has one, and the size of that.
    data: Option<(Map, usize)>,
    file: OwnedFd,
    /// The size of the whole, without the second piece.
    pub(crate) size: usize,
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

    /// Where the part begins that the second pieces of all of its kind begin with, and how large all of that piece is. It has its
    /// layout; `None` if there is none, as who made or removed it has died.
    pub(crate) fn data(&self) -> Option<(NonNull<u8>, usize)> {
        self.data.as_ref().map(|(map, size)| (map.start(), *size))
    }

    /// Copies what stands at a place, which may be behind that part: how much there was.
    pub(crate) fn read_at(&self, offset: u64, buf: &mut [u8]) -> usize {
        call(|| rustix::io::pread(&self.file, &mut *buf, offset)).unwrap_or(0)
    }

    pub(crate) fn is_participant(&self, slot: usize) -> bool {
        Token::is_participant(&self.file, slot).unwrap_or(false)
    }

    /// The other processes that have it open, whether they take part or not.
    pub(super) fn others(&self) -> Vec<Identity> {
        process::others_with(&self.file)
    }

    /// What is known of the process behind a participant.
    pub(crate) fn identity(&self, pid: u32) -> Identity {
        Identity::of_pid(pid, Some(self.owner.clone()))
    }
}

/// Looks at an object, unnoticed. Its header is for the caller to check.
pub(crate) fn look(layout: &'static Layout, name: &Name) -> Result<Look> {
    let (file, stat) = named_file::open_to_look(&path(layout, name))?;
    let size = check_size(layout, &stat)?;
    let is_held =
        Token::is_object_held(&file).map_err(|error| Error::os("cannot ask who holds it", error))?;
    // Not mapped: it may be another user's, who could take the bytes away while we read.
    let copy = |file: &OwnedFd, size| {
        Map::copy_of(file, size).map_err(|error| Error::os("cannot read the shared memory", error))
    };
    let map = copy(&file, layout.size)?;
    let mut data = None;
    if let Some((layout, path)) = layout.data.zip(data_path(layout, name))
        && let Some((file, stat)) = named_file::open_second(&path, &stat)?
    {
        let there = check_size(layout, &stat)?;
        let map = copy(&file, layout.size)?;
        header(&map).check(layout, there)?;
        data = Some((map, there));
    }
    Ok(Look {
        map,
        data,
        file,
        size,
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
    let second = data_path(layout, name);
    named_file::remove(&path(layout, name), false, second.as_deref())
}
