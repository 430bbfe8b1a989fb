//! What a window is called, in memory that others read: its class, and its title, which may change.

use crate::os::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::os::copy;
use crate::os::step::step;
use crate::{Error, ErrorKind, Result};
use std::time::{Duration, Instant};

/// Bytes of a class and a title.
const CLASS: usize = 128;
const TITLE: usize = 320;

/// After so many changes in between they are not as they should be.
const PATIENCE: u32 = 1000;

/// So long a title stays at least: several times as long as it takes to read it.
const REST: Duration = Duration::from_micros(2);

#[repr(C)]
#[derive(Debug)]
pub(super) struct Texts {
    /// How often the title was changed: the last bit says which of the two it is now, and the next one goes to the other. So
    /// nobody waits for a thread that is stopped while it changes it.
    version: AtomicU32,
    class_len: AtomicU32,
    title_lens: [AtomicU32; 2],
    class: [AtomicU64; CLASS / 8],
    titles: [[AtomicU64; TITLE / 8]; 2],
}

impl Texts {
    /// For the window's own thread; a class while nobody sees it yet.
    pub(super) fn write(&self, class: Option<&str>, title: &str) {
        if let Some(class) = class {
            copy::into_words(class.as_bytes(), &self.class);
            self.class_len.store(class.len() as u32, Ordering::Relaxed);
        }
        let next = self.version.load(Ordering::Relaxed).wrapping_add(1);
        let which = next as usize % 2;
        // Who still reads what was there before sees that there has been another since.
        fence(Ordering::SeqCst);
        step();
        copy::into_words(title.as_bytes(), &self.titles[which]);
        self.title_lens[which].store(title.len() as u32, Ordering::Relaxed);
        step();
        self.version.store(next, Ordering::Release);
        if class.is_none() {
            // Who changes titles without a pause would keep others from ever reading one.
            let since = Instant::now();
            while since.elapsed() < REST {
                std::hint::spin_loop();
            }
        }
    }

    /// Class and title; `None` if the title changes again and again.
    pub(super) fn read(&self) -> Option<(String, String)> {
        let mut bytes = Vec::with_capacity(TITLE);
        for _ in 0..PATIENCE {
            bytes.clear();
            let version = self.version.load(Ordering::Acquire);
            let which = version as usize % 2;
            append_text(&self.titles[which], &self.title_lens[which], &mut bytes);
            fence(Ordering::SeqCst);
            if self.version.load(Ordering::Relaxed) == version {
                return Some((self.class(), String::from_utf8_lossy(&bytes).into_owned()));
            }
            std::thread::yield_now();
        }
        None
    }

    /// The same, of a copy that was made while the title may have been changed, with others that were made before it and after it.
    pub(super) fn read_copy(&self, around: [&Texts; 2]) -> Option<(String, String)> {
        let [version, after] = around.map(|copy| copy.version.load(Ordering::Relaxed));
        // The words of a title are changed only when the next one is there already.
        (version == after).then(|| (self.class(), self.title_of(version)))
    }

    fn class(&self) -> String {
        read_text(&self.class, &self.class_len)
    }

    fn title_of(&self, version: u32) -> String {
        let which = version as usize % 2;
        read_text(&self.titles[which], &self.title_lens[which])
    }
}

fn read_text(from: &[AtomicU64], len: &AtomicU32) -> String {
    let mut bytes = Vec::new();
    append_text(from, len, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn append_text(from: &[AtomicU64], len: &AtomicU32, bytes: &mut Vec<u8>) {
    let len = (len.load(Ordering::Relaxed) as usize).min(from.len() * 8);
    copy::append(from, len, bytes);
}

pub(super) fn check_title(title: &str) -> Result<()> {
    if title.len() > TITLE {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "the title of a window has at most {TITLE} bytes, not {}",
                title.len()
            ),
        ));
    }
    Ok(())
}
