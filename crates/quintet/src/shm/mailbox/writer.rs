use super::Loan;
use super::mailbox::Shared;
use super::room::{Boxes, WRITER};
use super::writing::Writing;
use crate::os::{clock, copy};
use crate::participants::{self, Seat};
use crate::shm::{Trust, Trusting, Wary};
use crate::{Error, ErrorKind, Result};
use std::marker::PhantomData;
use std::sync::Arc;

/// The one who writes into a [`Mailbox`](super::Mailbox).
///
/// It never waits: neither for readers nor for anybody else. What it wrote last stays when it is dropped, or dies; what it was
/// just writing then was never there.
///
/// ```
/// use quintet::shm::Mailbox;
///
/// # let name = format!("writer-doc-{}", std::process::id());
/// let mailbox = Mailbox::create_or_open(&name)?;
/// let mut writer = mailbox.writer()?;
/// assert_eq!(writer.write(b"21.5 C")?, 1);
/// assert_eq!(writer.write(b"21.6 C")?, 2);
/// assert!(mailbox.writer().is_err()); // there is one
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct MailboxWriter<T: Trust = Wary> {
    parts: Parts,
    trust: PhantomData<T>,
}

#[derive(Debug)]
pub(super) struct Parts {
    /// Goes before the mailbox does: who makes one of the same name next must not find it taken.
    seat: Seat,
    pub(super) shared: Arc<Shared>,
    writing: Writing,
}

impl MailboxWriter {
    pub(super) fn new(shared: &Arc<Shared>) -> Result<Self> {
        let seat = shared.held.sit_as_writer()?;
        Ok(MailboxWriter {
            parts: Parts {
                shared: shared.clone(),
                seat,
                writing: Writing::resume(shared.held.boxes()),
            },
            trust: PhantomData,
        })
    }

    /// Takes the other processes at their word, so that what is [lent](Self::loan) can be written as a slice.
    ///
    /// # Safety
    /// As long as it lives, every process that has the mailbox's memory open follows its protocol: through this library, or as
    /// the memory's layout says. A forked child leaves alone what its parent has borrowed, or reads in place.
    pub unsafe fn trusting(self) -> MailboxWriter<Trusting> {
        MailboxWriter {
            parts: self.parts,
            trust: PhantomData,
        }
    }
}

impl<T: Trust> MailboxWriter<T> {
    /// Makes that the newest value: its sequence number, the first's is 1. Who waits for it is woken.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if it is longer than [`Mailbox::size`](super::Mailbox::size); on Linux
    /// [`ErrorKind::Unsupported`] in a forked child. The newest value is the same as before then.
    #[inline]
    pub fn write(&mut self, value: impl AsRef<[u8]>) -> Result<u64> {
        let value = value.as_ref();
        let parts = &mut self.parts;
        parts.check(value.len())?;
        let boxes = parts.shared.held.boxes();
        let buffer = parts.writing.begin(boxes, value.len());
        copy::into_words(value, boxes.body(buffer));
        Ok(parts.publish(buffer, value.len()))
    }

    /// A place in the mailbox to write a value of that length into: nobody sees it before it is [published](Loan::publish).
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn loan(&mut self, len: usize) -> Result<Loan<'_, T>> {
        let parts = &mut self.parts;
        parts.check(len)?;
        let buffer = parts.writing.begin(parts.shared.held.boxes(), len);
        Ok(Loan::new(parts, buffer, len))
    }

    /// The sequence number of what was written last, by the writers before it as well; 0: nothing.
    pub fn sequence(&self) -> u64 {
        self.parts.writing.number()
    }
}

impl Parts {
    pub(super) fn boxes(&self) -> Boxes<'_> {
        self.shared.held.boxes()
    }

    #[inline(always)]
    fn check(&self, len: usize) -> Result<()> {
        self.check_ours()?;
        if len <= self.shared.held.shape.size {
            Ok(())
        } else {
            Err(self.too_long(len))
        }
    }

    /// Refuses to go on in a process that was forked from the one whose it is.
    #[inline(always)]
    pub(super) fn check_ours(&self) -> Result<()> {
        if self.seat.is_ours() {
            Ok(())
        } else {
            Err(self.shared.about(participants::forked()))
        }
    }

    #[cold]
    fn too_long(&self, len: usize) -> Error {
        let size = self.shared.held.shape.size;
        self.shared.about(
            Error::new(
                ErrorKind::TooLarge,
                format!("a value of {len} bytes; it is for up to {size}"),
            )
            .hint("make it with a larger size"),
        )
    }

    #[inline]
    pub(super) fn publish(&mut self, buffer: usize, len: usize) -> u64 {
        let held = &self.shared.held;
        let boxes = held.boxes();
        let number = self.writing.publish(boxes, buffer, len, clock::since_start());
        if boxes.state.bell.has_sleepers() {
            held.waiter(None).wake(u32::MAX);
        }
        number
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.seat.leave(&self.shared.held.room().writer[WRITER]);
    }
}
