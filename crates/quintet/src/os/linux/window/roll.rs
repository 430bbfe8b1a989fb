//! The roll: which threads of this user's processes take part, and which windows they have.
//!
//! It is one piece of shared memory, `/dev/shm/quintet.window.UID`, that lives while a process takes part. A *desk* is a thread's
//! place in it, the thread's own by the kernel's lock on it (`participants.rs`). A window's *entry* says whose it is; its place
//! and how often that was used before are the window's handle. What a dead thread had is free: nobody sees its windows, and
//! who takes its desk next clears them away.

use super::plate;
use super::texts::{Texts, check_title};
use crate::cleanup::Registration;
use crate::doorbell::{Bell, Waiter};
use crate::layout::{Extent, Header, Layout};
use crate::os::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::os::fence::Publisher;
use crate::os::linux::parking::Place;
use crate::os::linux::process::{Identity, UserId};
use crate::os::linux::{clock, runtime};
use crate::os::per_process::PerProcess;
use crate::os::segment::{self, Segment, Spec};
use crate::os::step::step;
use crate::os::token::Token;
use crate::os::types::{Access, ObjectOptions, Opening};
use crate::os::window_types::Making;
use crate::participants::{self, Seat, Slot};
use crate::{Error, ErrorKind, Name, Result, Scheme};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// How many threads there may be.
pub(super) const DESKS: usize = 2048;
/// How many windows: 12 bits of a handle.
const WINDOWS: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 12;
/// How often a place is used before a handle comes again: 18 bits.
const USES: u64 = 1 << 18;
/// This bit of a handle says that other users may reach the window.
pub(super) const IS_OPEN: u32 = 1 << 30;

static LAYOUT: Layout = Layout {
    scheme: Scheme::Window,
    // The lanes between those who share it are of this version, too.
    version: 3,
    text: "header; line: places 4, doubted 4; 2048 slots; 2048 desks of 192 bytes: bell 4, fences 4, knocks 4, epoch 4, left 4, line; posted 8, line; \
        taken 8, looked 8, line; 4096 entries of 832 bytes: tag 8, version 4, class 4, titles 4 4, 128 bytes, 320 bytes twice; \
        tag: uses 18, used bit 20, shown bit 21, message-only bit 22, open bit 23, desk from bit 32",
    size: size_of::<Memory>(),
    extent: Extent::Fixed,
    participants: DESKS as u32,
    data: None,
};

#[repr(C)]
#[derive(Debug)]
struct Memory {
    header: Header,
    control: Control,
    slots: [Slot; DESKS],
    desks: [Desk; DESKS],
    entries: [Entry; WINDOWS],
}

#[repr(C, align(64))]
#[derive(Debug)]
struct Control {
    /// How many places of windows were ever used.
    places: AtomicU32,
    /// Which desks were last looked at for whether their owners live.
    doubted: AtomicU32,
}

/// What others see of a thread. A cache line each for who wakes it, who posts to it, and itself.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Desk {
    line: Ringing,
    posting: Posting,
    own: Own,
}

#[repr(C, align(64))]
#[derive(Debug)]
struct Ringing {
    bell: Bell,
    /// Not 0: who rings has to fence for itself.
    fences: AtomicU32,
    /// How many have connected.
    knocks: AtomicU32,
    /// How many owners the desk had.
    epoch: AtomicU32,
    /// The last epoch whose owner left in order.
    left: AtomicU32,
}

#[repr(C, align(64))]
#[derive(Debug)]
struct Posting {
    /// How many messages were ever posted: the next one's number.
    posted: AtomicU64,
}

#[repr(C, align(64))]
#[derive(Debug)]
struct Own {
    /// How many of those that were posted do not wait any more.
    taken: AtomicU64,
    /// When it last looked for messages: see [`now`].
    looked: AtomicU64,
}

/// A window.
#[repr(C, align(64))]
#[derive(Debug)]
struct Entry {
    tag: AtomicU64,
    texts: Texts,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Desk>() == 192 && size_of::<Entry>() == 832);

const USED: u64 = 1 << 20;
const SHOWN: u64 = 1 << 21;
const MESSAGE_ONLY: u64 = 1 << 22;
/// Other users may reach it: see `plate.rs`.
const OPEN: u64 = 1 << 23;
const DESK: u32 = 32;

/// What an entry's tag says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag(u64);

impl Tag {
    fn handle(self, place: usize) -> u32 {
        // 18 bits and 12 bits, and one.
        let open = if self.0 & OPEN != 0 { IS_OPEN } else { 0 };
        ((self.0 % USES) as u32) << PLACE_BITS | place as u32 | open
    }

    fn is_used(self) -> bool {
        self.0 & USED != 0
    }

    /// `None`: it is no desk's.
    fn desk(self) -> Option<usize> {
        let desk = (self.0 >> DESK) as usize;
        (self.is_used() && desk < DESKS).then_some(desk)
    }
}

/// Opens the roll. One that is not as it should be, of another version perhaps, and that nobody holds, is nobody's.
fn open_segment(spec: &Spec<'_>, opening: Opening) -> Result<(Segment, bool)> {
    let open = || Segment::open(spec, opening, |_| {});
    match open() {
        Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => {
            match segment::remove(spec.layout, spec.name) {
                Ok(()) => open(),
                Err(_) => Err(error),
            }
        }
        opened => opened,
    }
}

/// The number of milliseconds by which desks say when they last looked.
pub(super) fn now() -> u64 {
    clock::coarse_ms()
}

/// After so many milliseconds a thread is hung.
const HUNG: u64 = 5000;

/// Whether a thread is hung that looked for messages at that time, and not since.
pub(super) fn is_long_ago(looked: u64) -> bool {
    now().saturating_sub(looked) > HUNG
}

/// After so many changes by others in between a number is not as it should be.
const PATIENCE: u32 = 1000;

/// What is said of a window.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) handle: u32,
    pub(super) desk: usize,
    pub(super) class: String,
    pub(super) title: String,
    pub(super) message_only: bool,
}

/// The roll, held by this process.
#[derive(Debug)]
pub(super) struct Roll {
    _registration: Registration,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    segment: Segment,
    /// What tells its handles and sockets from those of earlier rolls, as it was when we came.
    seed: u64,
    /// The desks of this process that have a socket.
    sockets: Mutex<Vec<usize>>,
}

impl Inner {
    fn sockets(&self) -> MutexGuard<'_, Vec<usize>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release_names(&self) {
        for desk in self.sockets().drain(..) {
            runtime::remove(&self.socket(desk));
        }
        if self.segment.let_go() {
            // We were the last. Those of the dead are left.
            Inner::clear_folder(|key| key.starts_with(&sockets_of(self.seed)));
        }
    }

    fn socket(&self, desk: usize) -> String {
        format!("{}{desk}", sockets_of(self.seed))
    }

    /// Removes those sockets.
    fn clear_folder(which: impl Fn(&str) -> bool) {
        for key in runtime::keys(SOCKETS) {
            if which(&key) {
                runtime::remove(&key);
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.release_names();
    }
}

/// Removes the sockets of desks if there is no roll any more: all of their processes are dead. Otherwise the next roll does.
#[cfg(feature = "socket")]
pub(in crate::os::linux) fn sweep() {
    plate::sweep();
    // A socket that is listed now and is of a living process has a roll, which is there as long as that lives. So this order.
    let sockets = runtime::keys(SOCKETS);
    if !sockets.is_empty() && matches!(Roll::existing(), Ok(None)) {
        sockets.iter().for_each(|socket| runtime::remove(socket));
    }
}

/// What the names of all desks' sockets begin with, in the runtime folder.
const SOCKETS: &str = "window-";

/// And what those of a roll's do, of that seed.
fn sockets_of(seed: u64) -> String {
    format!("{SOCKETS}{seed:x}-")
}

impl Roll {
    /// The roll that this process holds already, or the one that is there; `None` if there is none.
    pub(super) fn existing() -> Result<Option<Arc<Self>>> {
        match Roll::open(Opening::OpenExisting) {
            Ok(roll) => Ok(Some(roll)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// As [`existing`](Self::existing); made if there is none.
    pub(super) fn join() -> Result<Arc<Self>> {
        Roll::open(Opening::CreateOrOpen)
    }

    fn open(opening: Opening) -> Result<Arc<Self>> {
        static HELD: PerProcess<Mutex<Weak<Roll>>> = PerProcess::new();
        let mut held = HELD.get().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roll) = held.upgrade() {
            return Ok(roll);
        }
        let name = Name::new(UserId::current().to_string())?;
        let spec = Spec {
            layout: &LAYOUT,
            name: &name,
            size: LAYOUT.size,
            options: ObjectOptions::default(),
            // Handles begin somewhere, so that those of an earlier roll are none of this one.
            parameter: clock::since_start().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20,
        };
        let make = || {
            let (segment, is_new) = open_segment(&spec, opening)?;
            let inner = Inner {
                seed: segment.header().parameter(),
                segment,
                sockets: Mutex::default(),
            };
            if is_new {
                // Of earlier rolls nobody is there any more.
                let ours = sockets_of(inner.seed);
                Inner::clear_folder(|key| !key.starts_with(&ours));
                plate::sweep();
            }
            Ok(Arc::new(inner))
        };
        let (inner, registration) = Registration::of(make, Inner::release_names)?;
        let roll = Arc::new(Roll {
            _registration: registration,
            inner,
        });
        *held = Arc::downgrade(&roll);
        Ok(roll)
    }

    fn memory(&self) -> &Memory {
        // SAFETY: the segment has the layout's size, which is this type's, begins at a page, and stays as long as it is
        // borrowed. All of it is atomics, for which any bytes will do and which others may change.
        unsafe { self.inner.segment.start().cast::<Memory>().as_ref() }
    }

    /// Takes a desk, after clearing away what its last owner left if that one died.
    pub(super) fn take_desk(&self) -> Result<Seat> {
        let memory = self.memory();
        let clear = |desk: usize| {
            self.clear(desk);
            Ok(())
        };
        let token = self.inner.segment.spare_token()?;
        self.bury_some(&token)?;
        Seat::take(&memory.header.high_water, &memory.slots, 0, token, clear)
            .map_err(|error| error.hint("end some of the processes that have windows"))
    }

    /// Clears away what a few of the dead left, others each time: so that it never gets much, also where the desks that are
    /// taken are always others.
    fn bury_some(&self, token: &Token) -> Result<()> {
        const SOME: u32 = 8;
        let memory = self.memory();
        let slots = participants::used(&memory.header.high_water, &memory.slots);
        let from = memory.control.doubted.fetch_add(SOME, Ordering::Relaxed) as usize;
        for number in (from..from + SOME as usize).take(slots.len()) {
            let desk = number % slots.len();
            if slots[desk].is_signed() && token.take(desk)? {
                self.clear(desk);
                participants::leave(&slots[desk]);
                token.give_back(desk)?;
            }
        }
        Ok(())
    }

    fn clear(&self, desk: usize) {
        for entry in self.entries() {
            let tag = Tag(entry.tag.load(Ordering::Acquire));
            if tag.desk() == Some(desk) {
                step();
                let free = tag.0 % USES;
                let _ = entry
                    .tag
                    .compare_exchange(tag.0, free, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
        runtime::remove(&self.socket(desk));
        let desk = self.desk(desk);
        desk.own
            .taken
            .store(desk.posting.posted.load(Ordering::Acquire), Ordering::Release);
        desk.line.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Leaves a desk, which has no windows any more.
    pub(super) fn leave_desk(&self, seat: &Seat) {
        self.remove_socket(seat.index());
        seat.leave(&self.memory().slots[seat.index()]);
    }

    /// Says, before the socket closes, that whoever waits there was not left alone by a death.
    pub(super) fn say_left(&self, desk: usize) {
        let desk = self.desk(desk);
        desk.line
            .left
            .store(desk.line.epoch.load(Ordering::Acquire), Ordering::Release);
    }

    pub(super) fn has_left(&self, desk: usize, epoch: u32) -> bool {
        self.desk(desk).line.left.load(Ordering::Acquire) == epoch
    }

    /// What the socket of a desk is called in the runtime folder.
    pub(super) fn socket(&self, desk: usize) -> String {
        self.inner.socket(desk)
    }

    pub(super) fn note_socket(&self, desk: usize) {
        self.inner.sockets().push(desk);
    }

    fn remove_socket(&self, desk: usize) {
        let mut sockets = self.inner.sockets();
        if let Some(at) = sockets.iter().position(|noted| *noted == desk) {
            sockets.swap_remove(at);
            runtime::remove(&self.socket(desk));
        }
    }

    fn entries(&self) -> &[Entry] {
        let memory = self.memory();
        let places = memory.control.places.load(Ordering::Acquire) as usize;
        &memory.entries[..places.min(WINDOWS)]
    }

    fn desk(&self, number: usize) -> &Desk {
        &self.memory().desks[number]
    }

    /// Whether its owner lives, by the kernel's word.
    pub(super) fn is_alive(&self, desk: usize) -> Result<bool> {
        self.inner.segment.token().is_taken(desk)
    }

    pub(super) fn epoch(&self, desk: usize) -> u32 {
        self.desk(desk).line.epoch.load(Ordering::Acquire)
    }

    /// Enters a window of this desk, which nobody sees yet: its handle.
    pub(super) fn enter(&self, desk: usize, making: &Making<'_>) -> Result<u32> {
        check_title(making.title)?;
        let memory = self.memory();
        for swept in [false, true] {
            for (place, entry) in memory.entries.iter().enumerate() {
                let tag = entry.tag.load(Ordering::Acquire);
                if Tag(tag).is_used() {
                    continue;
                }
                let uses = if tag == 0 {
                    self.inner.seed
                } else {
                    tag.wrapping_add(1)
                };
                // Handle 0 is no window.
                let uses = (uses % USES).max(1);
                let mut new = uses | USED | (desk as u64) << DESK;
                if making.message_only {
                    new |= MESSAGE_ONLY;
                }
                if making.access == Access::Everyone {
                    new |= OPEN;
                }
                step();
                if entry
                    .tag
                    .compare_exchange(tag, new, Ordering::AcqRel, Ordering::Relaxed)
                    .is_err()
                {
                    continue;
                }
                let places = u32::try_from(place).unwrap_or(u32::MAX - 1) + 1;
                memory.control.places.fetch_max(places, Ordering::AcqRel);
                entry.texts.write(Some(making.class), making.title);
                return Ok(Tag(new).handle(place));
            }
            if !swept {
                self.sweep()?;
            }
        }
        Err(Error::new(
            ErrorKind::Full,
            format!("this user's processes have {WINDOWS} windows already"),
        ))
    }

    /// Clears away the windows of all who died.
    fn sweep(&self) -> Result<()> {
        let mut alive = Alive::new(self);
        for entry in self.entries() {
            let tag = Tag(entry.tag.load(Ordering::Acquire));
            let is_left = match tag.desk() {
                Some(desk) => !alive.ask(desk)?,
                None => tag.is_used(),
            };
            if is_left {
                step();
                let free = tag.0 % USES;
                let _ = entry
                    .tag
                    .compare_exchange(tag.0, free, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// The window of that handle, if it is entered: its entry, and what its tag is.
    fn entry(&self, handle: u32) -> Option<(&Entry, Tag)> {
        let place = handle as usize % WINDOWS;
        let entry = &self.memory().entries[place];
        let tag = Tag(entry.tag.load(Ordering::Acquire));
        (tag.is_used() && tag.handle(place) == handle).then_some((entry, tag))
    }

    /// Lets others see a window.
    pub(super) fn show(&self, handle: u32) {
        if let Some((entry, _)) = self.entry(handle) {
            step();
            entry.tag.fetch_or(SHOWN, Ordering::AcqRel);
        }
    }

    /// Takes a window of this desk off the roll.
    pub(super) fn strike(&self, handle: u32, desk: usize) {
        if let Some((entry, tag)) = self.entry(handle)
            && tag.desk() == Some(desk)
        {
            step();
            let _ = entry
                .tag
                .compare_exchange(tag.0, tag.0 % USES, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Changes the title of a window of this thread.
    pub(super) fn retitle(&self, handle: u32, title: &str) -> Result<()> {
        check_title(title)?;
        let (entry, _) = self.entry(handle).ok_or_else(no_window)?;
        entry.texts.write(None, title);
        Ok(())
    }

    /// Whose window it is. Whether that thread lives is not asked.
    pub(super) fn owner(&self, handle: u32) -> Option<usize> {
        let (_, tag) = self.entry(handle)?;
        tag.desk().filter(|_| tag.0 & SHOWN != 0)
    }

    /// What is said of a window whose thread lives.
    pub(super) fn look(&self, handle: u32) -> Result<Found> {
        let desk = self.owner(handle).ok_or_else(no_window)?;
        if !self.is_alive(desk)? {
            return Err(no_window());
        }
        self.read(handle as usize % WINDOWS)
            .filter(|found| found.handle == handle)
            .ok_or_else(no_window)
    }

    fn read(&self, place: usize) -> Option<Found> {
        let entry = &self.memory().entries[place];
        let tag = Tag(entry.tag.load(Ordering::Acquire));
        let desk = tag.desk().filter(|_| tag.0 & SHOWN != 0)?;
        let (class, title) = entry.texts.read()?;
        // Another window's by now, with other texts.
        (Tag(entry.tag.load(Ordering::Acquire)) == tag).then(|| Found {
            handle: tag.handle(place),
            desk,
            class,
            title,
            message_only: tag.0 & MESSAGE_ONLY != 0,
        })
    }

    /// Calls `found` for each window whose thread lives and that `is_meant`, until it says no.
    pub(super) fn each(
        &self,
        is_meant: impl Fn(&Found) -> bool,
        found: &mut dyn FnMut(u32) -> bool,
    ) -> Result<()> {
        let mut alive = Alive::new(self);
        for place in 0..self.entries().len() {
            if let Some(window) = self.read(place)
                && is_meant(&window)
                && alive.ask(window.desk)?
                && !found(window.handle)
            {
                break;
            }
        }
        Ok(())
    }

    /// The number of its owner's process, as that one says.
    pub(super) fn pid(&self, desk: usize) -> u32 {
        self.memory().slots[desk].pid()
    }

    /// The process that a desk belongs to, which lives.
    pub(super) fn process(&self, desk: usize) -> Identity {
        Identity::of_pid(self.pid(desk), Some(UserId::current()))
    }

    /// Whether its thread has not looked for messages for long.
    pub(super) fn is_hung(&self, desk: usize) -> bool {
        is_long_ago(self.desk(desk).own.looked.load(Ordering::Relaxed))
    }

    /// Says that this desk's thread looks for messages.
    pub(super) fn say_looked(&self, desk: usize, at: u64) {
        let looked = &self.desk(desk).own.looked;
        if looked.load(Ordering::Relaxed) != at {
            looked.store(at, Ordering::Relaxed);
        }
    }

    /// How many posted messages wait for a desk's thread.
    pub(super) fn queued(&self, desk: usize) -> u64 {
        let desk = self.desk(desk);
        let taken = desk.own.taken.load(Ordering::Acquire);
        desk.posting.posted.load(Ordering::Acquire).saturating_sub(taken)
    }

    /// A number for a message to be posted, if not `most` of them wait. `taken` is how many did not wait any more when the
    /// caller last looked, which is no more than that now.
    pub(super) fn number_post(&self, desk: usize, most: u64, taken: &Cell<u64>) -> Option<u64> {
        let desk = self.desk(desk);
        let posted = &desk.posting.posted;
        let mut next = posted.load(Ordering::Relaxed);
        for _ in 0..PATIENCE {
            if next.saturating_sub(taken.get()) >= most {
                taken.set(desk.own.taken.load(Ordering::Acquire));
                if next.saturating_sub(taken.get()) >= most {
                    return None;
                }
            }
            step();
            match posted.compare_exchange_weak(
                next,
                next.wrapping_add(1),
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(next),
                Err(other) => next = other,
            }
        }
        // Never seen with others that do as we do; the order among them is all that suffers.
        Some(posted.fetch_add(1, Ordering::AcqRel))
    }

    /// Whether a desk's thread sleeps, so that it answers late.
    pub(super) fn sleeps(&self, desk: usize) -> bool {
        self.desk(desk).line.bell.has_sleepers()
    }

    /// How many have been posted to a desk.
    pub(super) fn posted(&self, desk: usize) -> u64 {
        self.desk(desk).posting.posted.load(Ordering::Acquire)
    }

    /// Says how many of those posted do not wait any more.
    pub(super) fn say_taken(&self, desk: usize, taken: u64) {
        let own = &self.desk(desk).own.taken;
        if own.load(Ordering::Relaxed) != taken {
            own.store(taken, Ordering::Release);
        }
    }

    pub(super) fn knocks(&self, desk: usize) -> u32 {
        self.desk(desk).line.knocks.load(Ordering::Acquire)
    }

    /// Says that somebody has connected, and wakes.
    pub(super) fn knock(&self, desk: usize, publisher: Publisher) {
        step();
        self.desk(desk).line.knocks.fetch_add(1, Ordering::AcqRel);
        self.ring(desk, publisher);
    }

    /// Wakes a desk's thread, if it sleeps, after something has been published to it.
    #[inline]
    pub(super) fn ring(&self, desk: usize, publisher: Publisher) {
        let line = &self.desk(desk).line;
        publisher.fence(line.fences.load(Ordering::Relaxed) != 0);
        if line.bell.has_sleepers() {
            self.waiter(desk, &Place::new()).wake(1);
        }
    }

    /// To wait at a desk, for its thread.
    pub(super) fn waiter<'a>(&'a self, desk: usize, place: &'a Place) -> Waiter<'a> {
        let line = &self.desk(desk).line;
        Waiter {
            bell: &line.bell,
            place,
            fences: Some(&line.fences),
            sleepers: None,
            own: None,
        }
    }
}

/// The error of who means a window that is not there.
pub(super) fn no_window() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such window (any more)")
}

/// Who lives, asked once for each.
struct Alive<'a> {
    roll: &'a Roll,
    known: HashMap<usize, bool>,
}

impl<'a> Alive<'a> {
    fn new(roll: &'a Roll) -> Self {
        Alive {
            roll,
            known: HashMap::new(),
        }
    }

    fn ask(&mut self, desk: usize) -> Result<bool> {
        if let Some(known) = self.known.get(&desk) {
            return Ok(*known);
        }
        let alive = self.roll.is_alive(desk)?;
        self.known.insert(desk, alive);
        Ok(alive)
    }
}
