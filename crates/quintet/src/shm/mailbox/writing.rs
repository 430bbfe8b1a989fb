//! To write a value.

use super::newest::Newest;
use super::reading::LONG;
use super::room::Boxes;
use crate::os::atomic::{Ordering, fence};
use crate::os::step::step;

/// What the writer knows.
#[derive(Debug)]
pub(super) struct Writing {
    newest: Newest,
}

impl Writing {
    /// Goes on where the last writer stopped.
    pub(super) fn resume(boxes: Boxes<'_>) -> Self {
        Writing {
            newest: boxes.newest(),
        }
    }

    /// How many values were written.
    pub(super) fn number(&self) -> u64 {
        self.newest.number()
    }

    /// A buffer to write the next value into, which will have that length. Nobody reads it any more who would not notice.
    #[inline]
    pub(super) fn begin(&self, boxes: Boxes<'_>, len: usize) -> usize {
        let pinned = boxes.pinned_buffers();
        let count = boxes.heads.len();
        // There are two more than can be pinned, so one is left beside the newest.
        let newest = self.newest.buffer() % count;
        // Short ones in turn, so that each stays for as long as possible: who reads them copies them. Who reads long ones pins
        // them, so the fewer buffers are used, the more of them are in the processor's cache.
        let mut buffer = if len < LONG { newest } else { count - 1 };
        for _ in 0..count {
            buffer = if buffer + 1 < count { buffer + 1 } else { 0 };
            if buffer != newest && pinned >> buffer & 1 == 0 {
                break;
            }
        }
        step();
        // Who sees that also sees that another is the newest.
        boxes.heads[buffer].number.store(0, Ordering::Release);
        // And who sees anything of what is written from here on, sees that.
        fence(Ordering::Release);
        step();
        buffer
    }

    /// Makes what was written there the newest value: its number.
    #[inline]
    pub(super) fn publish(&mut self, boxes: Boxes<'_>, buffer: usize, len: usize, now: u64) -> u64 {
        let newest = self.newest.next(buffer);
        let head = &boxes.heads[buffer];
        head.len.store(len as u64, Ordering::Relaxed);
        head.written.store(now, Ordering::Relaxed);
        step();
        head.number.store(newest.number(), Ordering::Release);
        step();
        self.newest = newest;
        // Before the look at the bell, and at the pins for the next value: see `pins.rs`.
        boxes.state.newest.swap(newest.0, Ordering::SeqCst);
        #[cfg(loom)]
        fence(Ordering::SeqCst);
        step();
        newest.number()
    }
}
