use super::subscriber::{Core, Delivered};
use crate::os::atomic::AtomicU64;
use crate::shm::bytes::Bytes;
use crate::shm::lane::Found;
use crate::shm::{Trust, Trusting};
use crate::{Error, ErrorKind, Result};
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

/// A message of a [`Topic`](super::Topic), where it is.
///
/// Its bytes stay there while this lives, whatever is published meanwhile. A subscriber can hold 8 of them at a time, and send
/// them to other threads. A [trusting](super::Subscriber::trusting) subscriber's derefs to `[u8]`.
///
/// ```
/// use quintet::shm::Topic;
///
/// # let name = format!("sample-doc-{}", std::process::id());
/// let topic = Topic::create_or_open(&name)?;
/// let mut subscriber = topic.subscriber()?;
/// topic.publisher()?.publish(b"P5 640 480 and the pixels")?;
/// let frame = subscriber.receive()?;
/// let mut kind = [0; 2];
/// frame.read_at(0, &mut kind)?;
/// assert_eq!((&kind, frame.len()), (b"P5", 25));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Sample<T: Trust> {
    hold: Hold,
    delivered: Delivered,
    trust: PhantomData<T>,
}

impl<T: Trust> Sample<T> {
    pub(super) fn new(hold: Hold, delivered: Delivered) -> Self {
        Sample {
            hold,
            delivered,
            trust: PhantomData,
        }
    }

    /// What is known of it.
    pub fn delivered(&self) -> Delivered {
        self.delivered
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.delivered.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn bytes(&self) -> Bytes<'_> {
        self.hold.bytes()
    }

    /// Copies bytes out, from `offset` on.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) if they reach beyond its length; nothing is copied then.
    pub fn read_at(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        self.bytes()
            .read_at(offset, buf)
            .map_err(|error| self.hold.core.shared.about(error))
    }

    /// A copy of all of it.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut copy = Vec::new();
        self.bytes().append_to(&mut copy);
        copy
    }

    /// Where its bytes begin: at a multiple of 8. To be read, within its length, as long as this lives; a process that does not
    /// follow the protocol may change them at any time.
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.bytes().start()
    }
}

impl Deref for Sample<Trusting> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `trusting` was told that all processes follow the protocol, by which nobody writes these bytes while we hold
        // them, which we do as long as `self` lives.
        unsafe { self.bytes().slice() }
    }
}

/// One of the words in which a subscriber says what it holds, which is ours as long as this is there.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) core: Arc<Core>,
    index: u32,
    /// Which message, when it is known; until then one of no bytes.
    lane: u32,
    at: u64,
    len: u32,
}

impl Hold {
    /// Takes one that is free.
    pub(super) fn take(core: &Arc<Core>) -> Result<Self> {
        match core.take_word() {
            Some(index) => Ok(Hold::new(core, index, 0, 0, 0)),
            None => Err(Error::new(
                ErrorKind::Full,
                format!(
                    "this subscriber holds {} messages in place already",
                    super::room::HOLDS
                ),
            )
            .hint("drop those that are not needed any more, or copy")),
        }
    }

    /// With a word that was [taken](Core::take_word).
    #[inline(always)]
    pub(super) fn new(core: &Arc<Core>, index: u32, lane: usize, at: u64, len: u32) -> Self {
        Hold {
            core: core.clone(),
            index,
            lane: lane as u32,
            at,
            len,
        }
    }

    /// Where it says what is held.
    pub(super) fn word(&self) -> &AtomicU64 {
        self.core.word(self.index)
    }

    /// What it holds now.
    pub(super) fn of(mut self, lane: usize, found: Found) -> Self {
        (self.lane, self.at, self.len) = (lane as u32, found.at, found.len);
        self
    }

    /// Its bytes, of which nothing changes while this is there.
    pub(super) fn bytes(&self) -> Bytes<'_> {
        // Such a message was found there.
        let body = self
            .core
            .shared
            .held
            .lane(self.lane as usize)
            .body(self.at, self.len);
        let body = body.unwrap_or_default();
        Bytes::new(body, (self.len as usize).min(size_of_val(body)))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.core.give_back(self.index);
    }
}
