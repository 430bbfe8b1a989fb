use super::reader::{Pinned, Reading};
use super::reading::Value;
use crate::Result;
use crate::shm::bytes::Bytes;
use crate::shm::{Trust, Trusting};
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;

/// A value of a [`Mailbox`](super::Mailbox), where it is.
///
/// Its bytes stay there while this lives, whatever is written meanwhile. There are only so many
/// [places](super::Mailbox::max_in_place) for that, for all readers together; a reader may have several of them, and send them to other
/// threads. A [trusting](super::MailboxReader::trusting) reader's derefs to `[u8]`.
///
/// ```
/// use quintet::shm::Mailbox;
///
/// # let name = format!("in-place-doc-{}", std::process::id());
/// let mailbox = Mailbox::create_or_open(&name)?;
/// let mut writer = mailbox.writer()?;
/// writer.write(b"P5 640 480 and the pixels")?;
/// let frame = mailbox.reader()?.in_place()?.expect("it was written");
/// writer.write(b"the next one")?;
/// let mut kind = [0; 2];
/// frame.read_at(0, &mut kind)?;
/// assert_eq!(&kind, b"P5");
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct InPlace<T: Trust> {
    pinned: Pinned,
    value: Value,
    trust: PhantomData<T>,
}

impl<T: Trust> InPlace<T> {
    pub(super) fn new(pinned: Pinned, value: Value) -> Self {
        InPlace {
            pinned,
            value,
            trust: PhantomData,
        }
    }

    /// What is known of it.
    pub fn reading(&self) -> Reading {
        Reading::of(&self.value)
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.value.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn bytes(&self) -> Bytes<'_> {
        let boxes = self.pinned.core.boxes();
        Bytes::new(boxes.body(self.value.newest.buffer()), self.len())
    }

    /// Copies bytes out, from `offset` on.
    ///
    /// # Errors
    /// [`TooLarge`](crate::ErrorKind::TooLarge) if they reach beyond its length; nothing is copied then.
    pub fn read_at(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        self.bytes()
            .read_at(offset, buf)
            .map_err(|error| self.pinned.core.shared.about(error))
    }

    /// A copy of all of it.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut copy = Vec::new();
        self.bytes().append_to(&mut copy);
        copy
    }

    /// Where its bytes begin: at a multiple of 64. To be read, within its length, as long as this lives; a process that does not
    /// follow the protocol may change them at any time.
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.bytes().start()
    }
}

impl Deref for InPlace<Trusting> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `trusting` was told that all processes follow the protocol, by which nobody writes these bytes while our pin
        // is on them, which it is as long as `self` lives.
        unsafe { self.bytes().slice() }
    }
}
