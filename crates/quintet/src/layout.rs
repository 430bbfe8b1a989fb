//! What every shared layout begins with, so that two programs that disagree notice.
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 8 | magic: `QUINTET` and a NUL |
//! | 8 | 4 | version of the layout of this kind |
//! | 12 | 4 | kind: the first four letters of its scheme, NULs after a shorter one |
//! | 16 | 8 | size of the whole layout in bytes |
//! | 24 | 8 | fingerprint: FNV-1a over the text that describes the layout |
//! | 32 | 8 | when it was created, in milliseconds since 1970 |
//! | 40 | 4 | flags: 1 persistent |
//! | 44 | 4 | number of participants that there is room for |
//! | 48 | 8 | parameter, as the kind has one: a semaphore's maximum, an event's kind |
//! | 56 | 4 | the highest participant there ever was, plus one |
//! | 60 | 4 | how many wait, roughly |
//!
//! All numbers are little-endian. Nothing before offset 56 changes once others can see it.

use crate::os::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::{Error, ErrorKind, Result, Scheme};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MAGIC: u64 = u64::from_le_bytes(*b"QUINTET\0");

/// The layout of a kind of object.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) scheme: Scheme,
    pub(crate) version: u32,
    /// All that matters for the meaning of its bytes, in words: whoever changes one changes the other.
    pub(crate) text: &'static str,
    /// Of the whole, or of the part that all objects of this kind begin with.
    pub(crate) size: usize,
    pub(crate) extent: Extent,
    pub(crate) participants: u32,
    /// Of the second piece of memory that such an object has, if it does, for what not everybody may write who uses it.
    pub(crate) data: Option<&'static Layout>,
}

/// Whether objects of a kind differ in size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Fixed,
    /// Behind what they all begin with comes as much as each needs.
    Open,
}

impl Layout {
    const fn fingerprint(&self) -> u64 {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let text = self.text.as_bytes();
        let mut at = 0;
        while at < text.len() {
            hash = (hash ^ text[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            at += 1;
        }
        hash
    }

    fn kind(&self) -> u32 {
        let mut letters = [0; 4];
        for (to, from) in letters.iter_mut().zip(self.scheme.as_str().bytes()) {
            *to = from;
        }
        u32::from_le_bytes(letters)
    }
}

/// The first 64 bytes.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Header {
    magic: AtomicU64,
    version: AtomicU32,
    kind: AtomicU32,
    size: AtomicU64,
    fingerprint: AtomicU64,
    created: AtomicU64,
    flags: AtomicU32,
    participants: AtomicU32,
    parameter: AtomicU64,
    /// The highest participant there ever was, plus one.
    pub(crate) high_water: AtomicU32,
    /// How many wait; too high after a waiter's death, until that is noticed.
    pub(crate) waiting: AtomicU32,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Header>() == 64);

const PERSISTENT: u32 = 1;

impl Header {
    /// Writes it into zeroed memory that nobody else sees yet, or that nobody believes before the magic is there.
    pub(crate) fn write(&self, layout: &Layout, size: usize, persistent: bool, parameter: u64) {
        let order = Ordering::Relaxed;
        self.version.store(layout.version, order);
        self.kind.store(layout.kind(), order);
        self.size.store(size as u64, order);
        self.fingerprint.store(layout.fingerprint(), order);
        self.created.store(now_in_ms(), order);
        self.flags.store(if persistent { PERSISTENT } else { 0 }, order);
        self.participants.store(layout.participants, order);
        self.parameter.store(parameter, order);
        self.magic.store(MAGIC, Ordering::Release);
    }

    /// Whether it has been written.
    #[cfg_attr(
        target_os = "linux",
        expect(dead_code, reason = "there it is written before it has a name")
    )]
    pub(crate) fn is_written(&self) -> bool {
        self.magic.load(Ordering::Acquire) != 0
    }

    /// Checks that it is of this layout, in memory of so many bytes: how many it has of them.
    pub(crate) fn check(&self, layout: &Layout, there: usize) -> Result<usize> {
        let order = Ordering::Relaxed;
        let corrupt = |what: String| Err(Error::new(ErrorKind::Corrupt, what));
        if self.magic.load(Ordering::Acquire) != MAGIC {
            return corrupt("what has this name was not made by Quintet".into());
        }
        let kind = self.kind.load(order);
        if kind != layout.kind() {
            let text = String::from_utf8_lossy(&kind.to_le_bytes())
                .trim_end_matches('\0')
                .to_string();
            return corrupt(format!(
                "what has this name says that it is of another kind ({text:?})"
            ));
        }
        let version = self.version.load(order);
        if version != layout.version {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "it has layout version {version}; this program knows version {}",
                    layout.version
                ),
            )
            .hint("use one version of Quintet in all programs; if none holds it any more, quintet rm removes it"));
        }
        if self.fingerprint.load(order) != layout.fingerprint() {
            return corrupt(format!("its layout is not what version {version} has"));
        }
        let size = usize::try_from(self.size.load(order)).unwrap_or(usize::MAX);
        let fits = match layout.extent {
            Extent::Fixed => size == layout.size,
            Extent::Open => size >= layout.size,
        };
        if !fits || size > there || self.participants.load(order) != layout.participants {
            return Err(Error::new(ErrorKind::Corrupt, "its header gives a wrong size"));
        }
        Ok(size)
    }

    #[cfg_attr(windows, expect(dead_code, reason = "there the kernel's own objects tell"))]
    pub(crate) fn is_persistent(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & PERSISTENT != 0
    }

    pub(crate) fn parameter(&self) -> u64 {
        self.parameter.load(Ordering::Relaxed)
    }

    pub(crate) fn created(&self) -> Option<SystemTime> {
        time_of(self.created.load(Ordering::Relaxed))
    }
}

/// Milliseconds since 1970. For people only: nothing depends on it, so the clock may be wrong.
pub(crate) fn now_in_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}

/// The time that many milliseconds after 1970; `None` for 0 and for what is after the year 9999, which many programs cannot
/// show.
pub(crate) fn time_of(ms: u64) -> Option<SystemTime> {
    const YEAR_10000: u64 = 253_402_300_800_000;
    (1..YEAR_10000)
        .contains(&ms)
        .then(|| UNIX_EPOCH.checked_add(Duration::from_millis(ms)))
        .flatten()
}
