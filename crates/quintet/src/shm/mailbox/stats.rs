use super::room::{FIRST_READER, Held, Room, Shape, WRITER};
use crate::os::atomic::{AtomicU64, Ordering};
use crate::os::clock;
use crate::participants;
use std::time::Duration;

use super::newest::Newest;
use super::pins::Pin;

/// What is in a [`Mailbox`](super::Mailbox), and who uses it.
///
/// ```
/// # let mailbox = quintet::shm::Mailbox::create_or_open(&format!("mailbox-stats-doc-{}", std::process::id()))?;
/// let mut writer = mailbox.writer()?;
/// writer.write("one")?;
/// writer.write("three")?;
/// let stats = mailbox.stats();
/// assert_eq!((stats.sequence, stats.len, stats.has_writer, stats.readers, stats.in_place), (2, 5, true, 0, 0));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailboxStats {
    /// How many values were written.
    pub sequence: u64,
    /// The length of the newest, in bytes.
    pub len: usize,
    /// How long ago it was written; `None` if nothing was.
    pub age: Option<Duration>,
    /// Whether there is a writer.
    pub has_writer: bool,
    /// How many readers there are; of more than 255 those that found a slot.
    pub readers: usize,
    /// How many values are being read in place.
    pub in_place: usize,
}

impl MailboxStats {
    pub(super) fn of_held(held: &Held) -> Self {
        let (token, room) = (held.segment().token(), held.room());
        let is_ours = token.is_ours();
        MailboxStats::of(room, held.shape, |slot| {
            if is_ours {
                return token.is_taken(slot).unwrap_or(false);
            }
            // A forked child has no way to ask the kernel.
            let mut slots = room.writer.iter().chain(&room.readers);
            slots.nth(slot).is_some_and(|slot| slot.pid() != 0)
        })
    }

    /// `is_alive` says whether a participant is.
    pub(super) fn of(room: &Room, shape: Shape, is_alive: impl Fn(usize) -> bool) -> Self {
        let newest = Newest(room.state.newest.load(Ordering::Acquire));
        let head = room.heads.get(newest.buffer()).filter(|_| !newest.is_none());
        let of_head =
            |word: fn(&super::room::Head) -> &AtomicU64| head.map(|head| word(head).load(Ordering::Acquire));
        let len = of_head(|head| &head.len).unwrap_or(0).min(shape.size as u64);
        let readers = participants::used(&room.state.readers_high, &room.readers);
        let is_reader_alive = |reader: usize| is_alive(FIRST_READER + reader);
        MailboxStats {
            sequence: newest.number(),
            len: len as usize,
            age: of_head(|head| &head.written)
                .map(|written| Duration::from_nanos(clock::since_start().saturating_sub(written))),
            has_writer: is_alive(WRITER),
            readers: (0..readers.len())
                .filter(|reader| is_reader_alive(*reader))
                .count(),
            in_place: room.pins[..shape.pins]
                .iter()
                .map(Pin::load)
                .filter(|pin| !pin.only_copies() && pin.reader().is_some_and(is_reader_alive))
                .count(),
        }
    }
}
