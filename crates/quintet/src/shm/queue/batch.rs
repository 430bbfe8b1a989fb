use super::Received;
use crate::os::atomic::AtomicU64;
use crate::os::copy;
use crate::shm::lane::{Head, Kind, extent};

/// Messages that were popped together: see [`Consumer::pop_batch`](super::Consumer::pop_batch). To be used again and again, so
/// that its memory is.
///
/// ```
/// use quintet::shm::{Batch, Queue};
///
/// # let name = format!("batch-doc-{}", std::process::id());
/// let queue = Queue::create_or_open(&name)?;
/// queue.producer()?.push_all(["a", "bc", ""])?;
/// let mut batch = Batch::new();
/// queue.consumer()?.pop_batch(&mut batch, 100)?;
/// let texts: Vec<&[u8]> = batch.iter().map(|(_, message)| message).collect();
/// assert_eq!(texts, [&b"a"[..], b"bc", b""]);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The messages, with what stood between them in the ring where they were copied together.
    bytes: Vec<u8>,
    messages: Vec<Popped>,
}

#[derive(Clone, Copy, Debug)]
struct Popped {
    received: Received,
    /// Where it begins in `bytes`.
    at: usize,
}

impl Batch {
    /// When so many bytes are in it, no more are added by one call.
    const LARGE: usize = 1 << 20;

    /// An empty one.
    pub fn new() -> Self {
        Batch::default()
    }

    /// How many messages are in it.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The messages, as they were taken: those of one producer in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Received, &[u8])> {
        self.messages.iter().map(|popped| {
            let message = &self.bytes[popped.at..][..popped.received.len];
            (popped.received, message)
        })
    }

    /// Takes all messages out of it. It keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.messages.clear();
    }

    #[inline]
    pub(super) fn add(&mut self, body: &[AtomicU64], received: Received) {
        let at = self.bytes.len();
        copy::append(body, received.len, &mut self.bytes);
        self.messages.push(Popped { received, at });
    }

    /// Adds messages as they stand one behind the other in a ring, no more than `most`: by one copy, of which the parts are
    /// looked at when nobody else can change them any more. `number` makes each one's out of the low bits. Up to where in
    /// `words`, in bytes, they were added; the rest is as if it had not been there.
    ///
    /// All of `words` must have been published, or be about to be found taken by others.
    pub(super) fn add_run(
        &mut self,
        words: &[AtomicU64],
        most: usize,
        mut received: impl FnMut(u64, u32, u32) -> Received,
    ) -> u64 {
        let start = self.bytes.len();
        copy::append(words, size_of_val(words), &mut self.bytes);
        let run = &self.bytes[start..];
        let (mut at, mut end) = (0, 0);
        let mut left = most;
        while left > 0
            && let Some((head, rest)) = run.get(at..).and_then(<[u8]>::split_first_chunk)
        {
            match Head(u64::from_ne_bytes(*head)).kind() {
                Kind::Message { len, number } if rest.len() >= len as usize => {
                    let received = received(at as u64, len, number);
                    self.messages.push(Popped {
                        received,
                        at: start + at + size_of_val(head),
                    });
                    at += extent(len.into()) as usize;
                    end = at;
                    left -= 1;
                }
                Kind::Pad(bytes) => at = at.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX)),
                // It goes on behind what was copied, or makes no sense: who looks there finds out.
                Kind::Message { .. } | Kind::Nothing | Kind::Nonsense => break,
            }
        }
        self.bytes.truncate(start + end);
        end as u64
    }

    /// How many bytes may be added yet.
    pub(super) fn room(&self) -> usize {
        Self::LARGE.saturating_sub(self.bytes.len())
    }

    /// Takes out all but the first so many.
    pub(super) fn truncate(&mut self, len: usize) {
        if let Some(first) = self.messages.get(len) {
            self.bytes.truncate(first.at);
            self.messages.truncate(len);
        }
    }
}
