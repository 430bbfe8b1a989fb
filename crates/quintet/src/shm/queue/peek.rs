use super::Received;
use super::consumer::Parts;
use crate::Result;
use crate::shm::bytes::Bytes;
use crate::shm::lane::Found;
use crate::shm::{Trust, Trusting};
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;

/// A message of a [`Queue`](super::Queue), where it is.
///
/// Its bytes stay there while this lives, whoever takes the message meanwhile: they are not used again before. So hold it
/// for a short time: a producer that runs into it has so much less room. A
/// [trusting](super::Consumer::trusting) consumer's derefs to `[u8]`.
///
/// ```
/// use quintet::shm::Queue;
///
/// # let name = format!("peek-doc-{}", std::process::id());
/// let queue = Queue::create_or_open(&name)?;
/// queue.producer()?.push(b"HEAD and much more")?;
/// let mut consumer = queue.consumer()?;
/// let message = consumer.peek()?;
/// let mut head = [0; 4];
/// message.read_at(0, &mut head)?;
/// assert!(&head == b"HEAD" && message.take());
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Peek<'a, T: Trust> {
    parts: &'a mut Parts,
    received: Received,
    lane: usize,
    found: Found,
    trust: PhantomData<T>,
}

impl<'a, T: Trust> Peek<'a, T> {
    pub(super) fn new(parts: &'a mut Parts, received: Received, lane: usize, found: Found) -> Self {
        Peek {
            parts,
            received,
            lane,
            found,
            trust: PhantomData,
        }
    }

    /// Takes it: whether it is ours now. If not, another consumer has taken it since, and whatever was made of it here is to be
    /// forgotten. A forked child takes nothing of what its parent peeked at.
    #[must_use = "another consumer may have taken it"]
    pub fn take(self) -> bool {
        self.parts.take(self.lane, &self.found)
    }

    /// What is known of it.
    pub fn received(&self) -> Received {
        self.received
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.received.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn bytes(&self) -> Bytes<'_> {
        let lane = self.parts.shared.held.lane(self.lane);
        // Such a message was found there.
        let body = lane.body(self.found.at, self.found.len).unwrap_or_default();
        Bytes::new(body, self.len())
    }

    /// Copies bytes out, from `offset` on.
    ///
    /// # Errors
    /// [`TooLarge`](crate::ErrorKind::TooLarge) if they reach beyond its length; nothing is copied then.
    pub fn read_at(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        self.bytes()
            .read_at(offset, buf)
            .map_err(|error| self.parts.shared.about(error))
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

impl<T: Trust> Drop for Peek<'_, T> {
    fn drop(&mut self) {
        self.parts.let_go(self.lane);
    }
}

impl Deref for Peek<'_, Trusting> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `trusting` was told that all processes follow the protocol, by which nobody writes these bytes while we hold
        // them, which we do as long as `self` lives.
        unsafe { self.bytes().slice() }
    }
}
