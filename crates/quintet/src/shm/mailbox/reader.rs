use super::InPlace;
use super::mailbox::Shared;
use super::pins::To;
use super::reading::Value;
use super::room::Boxes;
use crate::doorbell::{Readiness, Waiter};
use crate::os::clock;
use crate::participants::Seat;
use crate::shm::{Trust, Trusting, Wary};
use crate::sync::Waitable;
use crate::wait::Spin;
use crate::{Deadline, Error, ErrorKind, Result};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// How often to copy before a pin is put on the newest value, so that it stays while it is copied.
const COPIES: u32 = 4;

/// How often to try when there is no pin left either.
const TRIES: u32 = 1000;

/// One who reads a [`Mailbox`](super::Mailbox).
///
/// There may be any number; none of them disturbs the writer or each other. A value is read whole or not at all.
///
/// ```
/// use quintet::shm::Mailbox;
///
/// # let name = format!("reader-doc-{}", std::process::id());
/// let mailbox = Mailbox::create_or_open(&name)?;
/// let mut reader = mailbox.reader()?;
/// let mut value = Vec::new();
/// assert!(reader.read(&mut value)?.is_none()); // nothing was written yet
///
/// let mut writer = mailbox.writer()?;
/// writer.write(b"21.5 C")?;
/// writer.write(b"21.6 C")?;
/// let reading = reader.next(&mut value)?; // waits for one that this reader has not seen
/// assert_eq!((value.as_slice(), reading.sequence), (&b"21.6 C"[..], 2));
/// assert!(reader.try_next(&mut value)?.is_none());
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct MailboxReader<T: Trust = Wary> {
    core: Arc<Core>,
    /// The number of the value that was read last.
    last: u64,
    trust: PhantomData<T>,
}

/// What is known of a value that was read.
///
/// ```
/// # let mailbox = quintet::shm::Mailbox::create_or_open(&format!("reading-doc-{}", std::process::id()))?;
/// mailbox.writer()?.write("abc")?;
/// let reading = mailbox.reader()?.read(&mut Vec::new())?.expect("it was written");
/// assert_eq!((reading.sequence, reading.len), (1, 3));
/// println!("written {:?} ago", reading.age());
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading {
    /// How many values were written up to this one. What is missing between two readings was overwritten before it was read.
    pub sequence: u64,
    /// Its length in bytes.
    pub len: usize,
    written: u64,
}

impl Reading {
    pub(super) fn of(value: &Value) -> Self {
        Reading {
            sequence: value.newest.number(),
            len: value.len,
            written: value.written,
        }
    }

    /// How long ago it was written, by a clock that all processes of a machine share and that nobody sets. (Of one that was
    /// written in another time namespace of Linux, a container's, it may be wrong.)
    pub fn age(&self) -> Duration {
        Duration::from_nanos(clock::since_start().saturating_sub(self.written))
    }
}

/// What a reader, and what it reads in place, keep.
#[derive(Debug)]
pub(super) struct Core {
    /// `None`: all were taken. Then it reads by copying only. It goes before the mailbox does: who makes one of the same name
    /// next must not find it taken.
    seat: Option<Seat>,
    pub(super) shared: Arc<Shared>,
    spin: Spin,
}

impl MailboxReader {
    pub(super) fn new(shared: &Arc<Shared>) -> Result<Self> {
        let seat = match shared.held.sit_as_reader() {
            Ok(seat) => Some(seat),
            Err(error) if error.kind() == ErrorKind::Full => None,
            Err(error) => return Err(error),
        };
        Ok(MailboxReader {
            core: Arc::new(Core {
                shared: shared.clone(),
                seat,
                spin: Spin::default(),
            }),
            last: 0,
            trust: PhantomData,
        })
    }

    /// Takes the other processes at their word, so that what is read [in place](Self::in_place) can be read as a slice.
    ///
    /// # Safety
    /// As of [`MailboxWriter::trusting`](super::MailboxWriter::trusting), as long as this or anything that it reads in place lives.
    pub unsafe fn trusting(self) -> MailboxReader<Trusting> {
        MailboxReader {
            core: self.core,
            last: self.last,
            trust: PhantomData,
        }
    }
}

impl<T: Trust> MailboxReader<T> {
    /// Reads the newest value, whether it was read before or not; its bytes become those of `value`. `None` if nothing was
    /// written yet.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if some process has written what it should not; [`ErrorKind::Busy`] if it was overwritten a
    /// thousand times while it was being copied, and all places to hold a value in place are taken; on Linux
    /// [`ErrorKind::Unsupported`] in a forked child.
    #[inline]
    pub fn read(&mut self, value: &mut Vec<u8>) -> Result<Option<Reading>> {
        let found = self
            .core
            .read(value)
            .map_err(|error| self.core.shared.about(error))?;
        Ok(self.note(found))
    }

    /// As [`read`](Self::read), if it is another than what this reader has read last.
    ///
    /// # Errors
    /// Those of `read`.
    #[inline]
    pub fn try_next(&mut self, value: &mut Vec<u8>) -> Result<Option<Reading>> {
        let found = self
            .core
            .read_other(self.last, value)
            .map_err(|error| self.core.shared.about(error))?;
        Ok(self.note(found))
    }

    /// As [`read`](Self::read), as soon as there is another than what this reader has read last.
    ///
    /// Whoever writes may come and go: if the writer dies, this waits for the next one's value.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn next(&mut self, value: &mut Vec<u8>) -> Result<Reading> {
        self.next_timeout(value, Deadline::NEVER)
    }

    /// As [`next`](Self::next), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `read`.
    pub fn next_timeout(&mut self, value: &mut Vec<u8>, deadline: impl Into<Deadline>) -> Result<Reading> {
        if let Some(reading) = self.try_next(value)? {
            return Ok(reading);
        }
        let (core, last) = (&self.core, self.last);
        let found = core.wait(last, deadline.into(), || core.read_other(last, value))?;
        self.last = found.newest.number();
        Ok(Reading::of(&found))
    }

    /// The newest value where it is, whether it was read before or not. `None` if nothing was written yet.
    ///
    /// # Errors
    /// [`ErrorKind::Full`] if all [places](super::Mailbox::max_in_place) are taken, or there are more than 255 readers;
    /// besides those of [`read`](Self::read).
    pub fn in_place(&mut self) -> Result<Option<InPlace<T>>> {
        let found = Core::pin(&self.core).map_err(|error| self.core.shared.about(error))?;
        Ok(self.note_in_place(found))
    }

    /// As [`in_place`](Self::in_place), if it is another than what this reader has read last.
    ///
    /// # Errors
    /// Those of `in_place`.
    pub fn try_next_in_place(&mut self) -> Result<Option<InPlace<T>>> {
        let found = Core::pin_other(&self.core, self.last).map_err(|error| self.core.shared.about(error))?;
        Ok(self.note_in_place(found))
    }

    /// As [`in_place`](Self::in_place), as soon as there is another than what this reader has read last.
    ///
    /// # Errors
    /// Those of `in_place`.
    pub fn next_in_place(&mut self) -> Result<InPlace<T>> {
        self.next_in_place_timeout(Deadline::NEVER)
    }

    /// As [`next_in_place`](Self::next_in_place), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `in_place`.
    pub fn next_in_place_timeout(&mut self, deadline: impl Into<Deadline>) -> Result<InPlace<T>> {
        let (core, last) = (&self.core, self.last);
        let (pinned, value) = core.wait(last, deadline.into(), || Core::pin_other(core, last))?;
        self.last = value.newest.number();
        Ok(InPlace::new(pinned, value))
    }

    /// The sequence number of what this reader has read last; 0: nothing.
    pub fn sequence(&self) -> u64 {
        self.last
    }

    #[inline]
    fn note(&mut self, found: Option<Value>) -> Option<Reading> {
        found.map(|value| {
            self.last = value.newest.number();
            Reading::of(&value)
        })
    }

    fn note_in_place(&mut self, found: Option<(Pinned, Value)>) -> Option<InPlace<T>> {
        found.map(|(pinned, value)| {
            self.last = value.newest.number();
            InPlace::new(pinned, value)
        })
    }
}

/// Until there is a value that this reader has not read.
///
/// ```
/// use quintet::Deadline;
/// use quintet::shm::Mailbox;
/// use quintet::sync::{Event, Reset, wait_any};
///
/// # let name = format!("mailbox-any-doc-{}", std::process::id());
/// let mailbox = Mailbox::create_or_open(&name)?;
/// let quit = Event::create_or_open(&name, Reset::Manual)?;
/// let mut temperature = mailbox.reader()?;
/// mailbox.writer()?.write(b"21.5 C")?;
/// assert_eq!(wait_any(&[(&quit).into(), (&temperature).into()], Deadline::NEVER)?.index, 1);
/// assert!(temperature.try_next(&mut Vec::new())?.is_some());
/// # Ok::<(), quintet::Error>(())
/// ```
impl<'a, T: Trust> From<&'a MailboxReader<T>> for Waitable<'a> {
    fn from(reader: &'a MailboxReader<T>) -> Self {
        Waitable::ready(reader)
    }
}

impl<T: Trust> Readiness for MailboxReader<T> {
    fn is_ready(&self) -> Result<bool> {
        self.core.check_ours()?;
        Ok(self.core.boxes().is_newer(self.last))
    }

    fn waiter(&self) -> Waiter<'_> {
        self.core.waiter()
    }
}

impl Core {
    #[inline(always)]
    pub(super) fn boxes(&self) -> Boxes<'_> {
        self.shared.held.boxes()
    }

    fn waiter(&self) -> Waiter<'_> {
        self.shared.held.waiter(self.seat.as_ref().map(Seat::index))
    }

    /// Refuses to go on in a process that was forked from the one whose it is.
    #[inline(always)]
    fn check_ours(&self) -> Result<()> {
        match &self.seat {
            Some(seat) => seat.check_ours(),
            None => self.shared.held.check_ours(),
        }
    }

    #[inline]
    fn read_other(&self, last: u64, value: &mut Vec<u8>) -> Result<Option<Value>> {
        if self.boxes().is_newer(last) {
            self.read(value)
        } else {
            self.check_ours()?;
            Ok(None)
        }
    }

    #[inline(always)]
    fn read(&self, value: &mut Vec<u8>) -> Result<Option<Value>> {
        self.check_ours()?;
        let boxes = self.boxes();
        value.clear();
        for _ in 0..COPIES {
            let newest = boxes.newest();
            if newest.is_none() {
                return Ok(None);
            }
            if boxes.is_long(newest) {
                break;
            }
            if let Some(found) = boxes.try_copy(newest, value)? {
                return Ok(Some(found));
            }
        }
        self.read_what_stays(value)
    }

    /// For who was overtaken a few times, or would lose much by it.
    #[cold]
    fn read_what_stays(&self, value: &mut Vec<u8>) -> Result<Option<Value>> {
        let boxes = self.boxes();
        for tries in 0..TRIES {
            // To ask the kernel who lives costs more than most copies.
            let is_alive = |reader| Ok(tries == 0 || self.shared.held.is_reader_alive(reader)?);
            if let Some(seat) = &self.seat
                && let Some(mut claim) = boxes.claim(seat.index(), To::Copy, is_alive)?
            {
                let found = match boxes.pin_newest(&mut claim) {
                    Ok(Some(newest)) => boxes.try_copy(newest, value),
                    Ok(None) => Ok(None),
                    Err(error) => Err(error),
                };
                boxes.unpin(claim);
                if let Some(found) = found? {
                    return Ok(Some(found));
                }
            }
            let newest = boxes.newest();
            if newest.is_none() {
                // There was one, so somebody has written what he should not. But that is what it says.
                return Ok(None);
            }
            if let Some(found) = boxes.try_copy(newest, value)? {
                return Ok(Some(found));
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            format!("it was overwritten {TRIES} times while it was being read"),
        )
        .hint("make it with more places to read in place"))
    }

    fn pin_other(core: &Arc<Self>, last: u64) -> Result<Option<(Pinned, Value)>> {
        if core.boxes().is_newer(last) {
            Core::pin(core)
        } else {
            core.check_ours()?;
            Ok(None)
        }
    }

    /// Puts a pin on the newest value.
    fn pin(core: &Arc<Self>) -> Result<Option<(Pinned, Value)>> {
        core.check_ours()?;
        let boxes = core.boxes();
        if boxes.newest().is_none() {
            return Ok(None);
        }
        let Some(seat) = &core.seat else {
            return Err(Error::new(
                ErrorKind::Full,
                "it has more readers than can read in place",
            ));
        };
        let held = &core.shared.held;
        let Some(claim) = boxes.claim(seat.index(), To::Keep, |reader| held.is_reader_alive(reader))? else {
            return Err(Error::new(
                ErrorKind::Full,
                format!("all {} places to read in place are taken", held.shape.pins),
            )
            .hint("drop what is not needed any more, make it with more places, or read by copying"));
        };
        let mut pinned = Pinned {
            core: core.clone(),
            claim: Some(claim),
        };
        let Some(claim) = &mut pinned.claim else {
            return Ok(None);
        };
        match boxes.pin(claim)? {
            Some(value) => Ok(Some((pinned, value))),
            None => Err(Error::new(
                ErrorKind::Busy,
                "there was a newer value each time it was to be held",
            )),
        }
    }

    fn wait<R>(&self, last: u64, deadline: Deadline, take: impl FnMut() -> Result<Option<R>>) -> Result<R> {
        let is_there = || Ok(self.boxes().is_newer(last));
        let taken = self.waiter().wait(&self.spin, deadline, take, is_there);
        match taken {
            Ok(Some(taken)) => Ok(taken),
            Ok(None) => {
                let what = match last {
                    0 => "nothing was written in time",
                    _ => "there was no newer value in time",
                };
                Err(self.shared.about(Error::new(ErrorKind::TimedOut, what)))
            }
            Err(error) => Err(self.shared.about(error)),
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if let Some(seat) = &self.seat {
            seat.leave(&self.shared.held.room().readers[seat.index()]);
        }
    }
}

/// A pin of a reader, which it keeps.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) core: Arc<Core>,
    claim: Option<super::pins::Claim>,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // A forked child has none: it is its parent's.
        if let Some(claim) = self.claim.take()
            && self.core.check_ours().is_ok()
        {
            self.core.boxes().unpin(claim);
        }
    }
}
