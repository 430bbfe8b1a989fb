//! The *plate* of a window that other users may reach: what they see of it.
//!
//! Other users have nothing of the roll. For a window that is opened to them there is a file,
//! `/dev/shm/quintet.windowplate.HANDLE`, which everybody can read and only its user can write: class, title, process, when
//! its thread last looked for messages, and at which socket (an abstract one, which has no file) others connect to that. As
//! there is one file of a name, no two users have such windows of one handle.
//!
//! A window is there as long as its process holds a lock on the plate that only somebody can take who may write it, so what others
//! lock pretends nothing. A plate that a death left is removed when its user opens another
//! window, or lists what there is.
//!
//! Who reads another user's plate does not touch it as memory: its owner could take the bytes away, and end him so. He copies
//! them. What he has mapped is for the kernel alone, which finds a thread by it that sleeps.

use super::roll;
use super::texts::Texts;
use crate::cleanup::Registration;
use crate::doorbell::Bell;
use crate::layout::{Extent, Header, Layout};
use crate::os::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::os::linux::memory::Map;
use crate::os::linux::named_file::{self, FOLDER, Hold, Kind};
use crate::os::linux::process::{Identity, UserId};
use crate::os::linux::token::Token;
use crate::os::linux::{futex, no_descriptor};
use crate::os::step::{call, step};
use crate::os::types::{Access, MapMode, Opening};
use crate::os::window_types::Making;
use crate::{Error, ErrorKind, Result, Scheme};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, Stat};
use std::mem::offset_of;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

static LAYOUT: Layout = Layout {
    scheme: Scheme::Window,
    // The lanes between those who meet by it are of this version, too.
    version: 3,
    text: "plate: header; line: bell 4, left 4, socket 8, looked 8, pid 4, message-only 4; texts: version 4, class 4, titles 4 4, \
        128 bytes, 320 bytes twice",
    size: size_of::<Memory>(),
    extent: Extent::Fixed,
    participants: 1,
    data: None,
};

#[repr(C, align(64))]
#[derive(Debug)]
struct Memory {
    header: Header,
    state: State,
    texts: Texts,
}

#[repr(C, align(64))]
#[derive(Debug)]
struct State {
    /// Others cannot write it. They wake who sleeps there, and he looks.
    bell: Bell,
    /// Not 0: the window is destroyed, and its process has not died.
    left: AtomicU32,
    socket: AtomicU64,
    looked: AtomicU64,
    pid: AtomicU32,
    message_only: AtomicU32,
}

/// A plate of this process.
#[derive(Debug)]
pub(super) struct Plate {
    map: Map,
    hold: Hold,
    path: PathBuf,
}

/// A plate to be made.
struct New<'a> {
    making: &'a Making<'a>,
    socket: u64,
}

impl Kind for New<'_> {
    type Content = Map;

    const FOREIGNERS: bool = false;

    fn access(&self) -> Access {
        Access::CurrentUser
    }

    fn size(&self) -> u64 {
        LAYOUT.size as u64
    }

    fn mode(&self) -> (Mode, bool) {
        (Mode::from_raw_mode(0o644), false)
    }

    fn fill(&self, token: &Token) -> Result<Map> {
        token.take(0)?;
        let file = named_file::reopen(token)
            .map_err(|error| no_descriptor("cannot open the window's plate again", error))?;
        let map = Map::with(&file, LAYOUT.size, MapMode::ReadWrite)
            .map_err(|error| Error::os("cannot map the window's plate", error))?;
        let memory = memory(&map);
        let order = Ordering::Relaxed;
        memory.state.socket.store(self.socket, order);
        memory.state.looked.store(roll::now(), order);
        memory.state.pid.store(std::process::id(), order);
        memory
            .state
            .message_only
            .store(self.making.message_only.into(), order);
        memory.texts.write(Some(self.making.class), self.making.title);
        memory.header.write(&LAYOUT, LAYOUT.size, false, 0);
        Ok(map)
    }

    fn stays(&self, _token: &Token, _stat: &Stat) -> Result<bool> {
        Ok(false)
    }

    fn content(&self, _token: &Token, _stat: &Stat) -> Result<Map> {
        // Nobody joins a plate.
        Err(Error::new(ErrorKind::AlreadyExists, "it exists already"))
    }
}

impl Plate {
    /// Makes the plate of a window of this handle, whose thread listens at that socket; `None` if another window has that.
    pub(super) fn make(
        handle: u32,
        socket: u64,
        making: &Making<'_>,
    ) -> Result<Option<(Arc<Plate>, Registration)>> {
        let path = path(handle);
        // What another user has put there he may also keep us from opening.
        if owner(&path).is_some_and(|owner| owner != UserId::current()) {
            return Ok(None);
        }
        let new = New { making, socket };
        let make = || {
            let (map, hold, _) = named_file::open(&new, &path, Opening::CreateNew)?;
            let path = path.clone();
            Ok(Arc::new(Plate { map, hold, path }))
        };
        match Registration::of(make, Plate::take_down) {
            Ok(made) => Ok(Some(made)),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::AlreadyExists | ErrorKind::PermissionDenied
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error.about(path.display())),
        }
    }

    fn state(&self) -> &State {
        &memory(&self.map).state
    }

    pub(super) fn retitle(&self, title: &str) {
        memory(&self.map).texts.write(None, title);
    }

    /// Says that its thread looks for messages.
    pub(super) fn say_looked(&self, at: u64) {
        self.state().looked.store(at, Ordering::Relaxed);
    }

    /// Says, before the window goes, that it was not left alone by a death.
    pub(super) fn say_left(&self) {
        // A forked child, which drops what it has of ours, is not asked.
        if self.hold.token.is_ours() {
            self.state().left.store(1, Ordering::Release);
            // Who connects from here on, and is not told in his lane, sees it.
            fence(Ordering::SeqCst);
        }
    }

    fn take_down(&self) {
        // Also when another user makes as if he held it: see `Hold`. We do hold it, so the name cannot be another plate's.
        if self.hold.token.is_ours() && !self.hold.has_let_go() && self.hold.has_the_name() {
            step();
            let _ = call(|| rustix::fs::unlink(&self.path));
        }
        self.hold.let_go();
    }
}

impl AsRef<Bell> for Plate {
    fn as_ref(&self) -> &Bell {
        &self.state().bell
    }
}

impl Drop for Plate {
    fn drop(&mut self) {
        self.take_down();
    }
}

/// The plate of a window of another user.
#[derive(Debug)]
pub(super) struct Seen {
    file: OwnedFd,
    /// For the kernel alone.
    map: Map,
    /// Whose it is, and nobody else's: a plate is its file's owner's.
    pub(super) user: u32,
}

/// What a plate says.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) class: String,
    pub(super) title: String,
    pub(super) message_only: bool,
    pub(super) is_hung: bool,
    pid: u32,
}

impl Seen {
    /// The plate of this handle, if a living process has it.
    pub(super) fn open(handle: u32) -> Result<Option<Seen>> {
        let path = path(handle);
        let about = |error: Error| error.about(path.display());
        let Some((file, stat)) = named_file::open_to_read(&path)? else {
            return Ok(None);
        };
        if u64::try_from(stat.st_size) != Ok(LAYOUT.size as u64) {
            let error = Error::new(ErrorKind::Corrupt, "it is not as long as a window's plate");
            return Err(about(error));
        }
        let cannot = |error| about(Error::os("cannot map a window's plate", error));
        let map = Map::with(&file, LAYOUT.size, MapMode::ReadOnly).map_err(cannot)?;
        let seen = Seen {
            file,
            map,
            user: stat.st_uid,
        };
        if !seen.is_alive()? {
            return Ok(None);
        }
        let copy = seen.copy()?;
        memory(&copy).header.check(&LAYOUT, copy.len()).map_err(about)?;
        Ok(Some(seen))
    }

    /// The plate of that handle, if it is that user's. Whatever else is there is no window of his.
    pub(super) fn of_user(handle: u32, user: u32) -> Option<Seen> {
        Seen::open(handle)
            .ok()
            .flatten()
            .filter(|plate| plate.user == user)
    }

    /// Whether its process lives, by the kernel's word.
    pub(super) fn is_alive(&self) -> Result<bool> {
        Token::is_participant_who_writes(&self.file, 0)
            .map_err(|error| Error::os("cannot ask whether a window's process lives", error))
    }

    fn copy(&self) -> Result<Map> {
        Map::copy_of(&self.file, LAYOUT.size)
            .map_err(|error| Error::os("cannot read a window's plate", error))
    }

    /// What it says; `None` if the title changes again and again.
    pub(super) fn read(&self) -> Result<Option<Words>> {
        const TRIES: u32 = 100;
        for _ in 0..TRIES {
            let copies = [self.copy()?, self.copy()?, self.copy()?];
            let [before, memory, after] = copies.each_ref().map(memory);
            if let Some((class, title)) = memory.texts.read_copy([&before.texts, &after.texts]) {
                return Ok(Some(Words {
                    class,
                    title,
                    message_only: memory.state.message_only.load(Ordering::Relaxed) != 0,
                    is_hung: roll::is_long_ago(memory.state.looked.load(Ordering::Relaxed)),
                    pid: memory.state.pid.load(Ordering::Relaxed),
                }));
            }
        }
        Ok(None)
    }

    pub(super) fn is_hung(&self) -> bool {
        let hung = |copy: Map| roll::is_long_ago(memory(&copy).state.looked.load(Ordering::Relaxed));
        self.copy().is_ok_and(hung)
    }

    pub(super) fn has_left(&self) -> bool {
        let left = |copy: Map| memory(&copy).state.left.load(Ordering::Relaxed) != 0;
        self.copy().is_ok_and(left)
    }

    /// Where to connect to its thread.
    pub(super) fn socket(&self) -> Result<u64> {
        Ok(memory(&self.copy()?).state.socket.load(Ordering::Relaxed))
    }

    /// The process that it says it is of, if that is one of its user's.
    pub(super) fn process(&self, words: &Words) -> Identity {
        let user = UserId::from_uid(self.user);
        let is_his = std::fs::metadata(format!("/proc/{}", words.pid)).is_ok_and(|of| of.uid() == self.user);
        if is_his {
            return Identity::of_pid(words.pid, Some(user));
        }
        Identity {
            pid: 0,
            user: Some(user),
            executable: None,
        }
    }

    /// Wakes its thread, after we have connected. If it is just about to sleep, it looks within a slice.
    pub(super) fn knock(&self) {
        step();
        futex::wake_at(
            self.map.start(),
            offset_of!(Memory, state) + offset_of!(State, bell),
        );
    }
}

/// The handles of all windows that have a plate, also of those that are dead.
pub(super) fn handles() -> Result<Vec<u32>> {
    let entries =
        std::fs::read_dir(FOLDER).map_err(|error| Error::os(format!("cannot list {FOLDER}"), error))?;
    Ok(entries
        .flatten()
        .filter_map(|entry| handle_in(entry.file_name().to_str()?))
        .collect())
}

/// Removes the plates of this user that deaths have left.
pub(super) fn sweep() {
    for handle in handles().unwrap_or_default() {
        // What cannot be looked at or removed takes a page, and nobody takes it for a window.
        let path = path(handle);
        if owner(&path) == Some(UserId::current())
            && let Ok(Some((file, _))) = named_file::open_to_read(&path)
            && Token::is_participant_who_writes(&file, 0).is_ok_and(|lives| !lives)
        {
            let _ = named_file::remove(&path, false, None);
        }
    }
}

// No scheme is called that, so no object's file is.
const PREFIX: &str = "quintet.windowplate.";

fn path(handle: u32) -> PathBuf {
    Path::new(FOLDER).join(format!("{PREFIX}{handle}"))
}

/// Whose a file is, whatever it is.
fn owner(path: &Path) -> Option<UserId> {
    let there = call(|| rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW));
    there.ok().map(|stat| UserId::from_uid(stat.st_uid))
}

fn handle_in(name: &str) -> Option<u32> {
    let handle = name.strip_prefix(PREFIX)?.parse().ok()?;
    (format!("{PREFIX}{handle}") == name && is_open(handle)).then_some(handle)
}

/// Whether windows of that handle have a plate.
pub(super) fn is_open(handle: u32) -> bool {
    handle & roll::IS_OPEN != 0
}

fn memory(map: &Map) -> &Memory {
    assert!(map.len() >= size_of::<Memory>());
    // SAFETY: the map is long enough, begins at a page, and stays as long as it is borrowed. All of it is atomics, for which
    // any bytes will do and which others may change. It is our own plate, which this user's processes alone can take bytes away
    // from (see the threat model), or a copy of another's: never the map of another's, which `Seen` keeps for the kernel.
    unsafe { map.start().cast::<Memory>().as_ref() }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::Deadline;
    use crate::window::{Window, WindowHandle, WindowSearch};
    use proptest::prelude::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    fn making(title: &str) -> Making<'_> {
        Making {
            class: "Plate",
            title,
            message_only: true,
            visible: false,
            admit_lower_integrity: false,
            access: Access::Everyone,
        }
    }

    /// Handles from here on are those of tests of this process.
    fn first_handle() -> u32 {
        roll::IS_OPEN | std::process::id() << 12 & (roll::IS_OPEN - 1)
    }

    /// The plate of a handle that nobody has.
    fn make(title: &str) -> (u32, Arc<Plate>, Registration) {
        let from = first_handle();
        for handle in from.. {
            if let Some((plate, registration)) = Plate::make(handle, 5, &making(title)).unwrap() {
                return (handle, plate, registration);
            }
        }
        unreachable!("there are 2^31 more")
    }

    #[test]
    fn a_plate_says_what_its_window_is_called_until_it_goes() {
        let (handle, plate, _registration) = make("one");
        let seen = Seen::open(handle).unwrap().unwrap();
        let says = seen.read().unwrap().unwrap();
        assert_eq!((says.class.as_str(), says.title.as_str()), ("Plate", "one"));
        assert!(says.message_only && !says.is_hung && !seen.has_left());
        assert_eq!(
            (says.pid, seen.process(&says).pid),
            (std::process::id(), std::process::id())
        );
        for title in ["two", "", "成功"] {
            plate.retitle(title);
            assert_eq!(seen.read().unwrap().unwrap().title, title);
        }
        assert!(Plate::make(handle, 5, &making("three")).unwrap().is_none());
        assert!(handles().unwrap().contains(&handle));
        plate.say_looked(roll::now().saturating_sub(6000));
        assert!(seen.is_hung() && seen.read().unwrap().unwrap().is_hung);
        plate.say_left();
        assert!(seen.has_left() && seen.is_alive().unwrap());
        drop(plate);
        assert!(!seen.is_alive().unwrap());
        assert!(Seen::open(handle).unwrap().is_none() && !handles().unwrap().contains(&handle));
    }

    /// Others can read the file, and so lock it, shared.
    #[test]
    fn what_others_lock_keeps_no_plate_there() {
        use crate::os::linux::lock::{Range, try_shared};
        let (handle, plate, _registration) = make("locked");
        let (file, _) = named_file::open_to_read(&path(handle)).unwrap().unwrap();
        assert!(try_shared(&file, Range::byte(1 << 62)).unwrap());
        drop(plate);
        assert!(!fs::exists(path(handle)).unwrap());
        assert!(try_shared(&file, Range::WHOLE_FILE).unwrap());
        assert!(!Token::is_participant_who_writes(&file, 0).unwrap());
    }

    #[test]
    fn what_is_no_plate_is_no_window() {
        let class = "what is no plate";
        let window = Window::builder("").class(class).access(Access::Everyone);
        let window = window.create(|_| 0).unwrap();
        // Not one that the other tests get to.
        let handle = first_handle() + 2000;
        let path = path(handle);
        let found = || {
            let search = WindowSearch::new().access(Access::Everyone);
            let all = search.find_all().unwrap();
            assert!(all.contains(&window.handle()));
            all.contains(&WindowHandle::from_raw(handle))
        };
        let is_none = || {
            let opened = Seen::open(handle);
            let none = !matches!(opened, Ok(Some(_))) && !found();
            sweep();
            none
        };
        symlink("/etc/passwd", &path).unwrap();
        assert!(is_none());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(is_none());
        fs::remove_dir(&path).unwrap();
        for len in [0, 1, LAYOUT.size - 1, LAYOUT.size, LAYOUT.size + 1, 1 << 16] {
            fs::write(&path, vec![1; len]).unwrap();
            assert!(is_none(), "{len}");
            // Nobody holds it, so it is removed; by another test's thread perhaps, which is just at it.
            let end = Deadline::after(Duration::from_secs(60));
            while fs::exists(&path).unwrap() {
                assert!(!end.has_passed(), "{len}");
                sweep();
            }
        }
        assert!(handle_in("quintet.windowplate.1").is_none());
        assert!(handle_in("quintet.windowplate.01073741825").is_none());
        assert_eq!(handle_in("quintet.windowplate.1073741825"), Some(1_073_741_825));
        assert!(handle_in("quintet.windowplate.99999999999").is_none());
    }

    proptest! {
        /// Its owner may write anything there, at any time.
        #[test]
        fn any_words_are_an_error_at_worst(
            writes in proptest::collection::vec((0..LAYOUT.size / 8, prop_oneof![0..500u64, any::<u64>()]), 0..40),
        ) {
            let (handle, plate, _registration) = make("any");
            let seen = Seen::open(handle).unwrap().unwrap();
            // SAFETY: the map is that long, and all of it is atomics, of which any of that size will do for a test.
            let words = unsafe {
                std::slice::from_raw_parts(plate.map.start().as_ptr().cast::<AtomicU64>(), LAYOUT.size / 8)
            };
            for (at, value) in writes {
                words[at].store(value, Ordering::Relaxed);
                if let Ok(Some(says)) = seen.read() {
                    seen.process(&says);
                }
                let _ = (seen.is_hung(), seen.has_left(), seen.socket());
                seen.knock();
                if let Err(error) = Seen::open(handle) {
                    prop_assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported));
                }
            }
        }
    }
}
