use super::Received;
use crate::os::copy;
use crate::shm::lane::{Found, Head, Kind, Lane, Seen, extent};

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

    /// Copies messages of one lane, from the first one there on, until there are none, or `most`, or the batch is large: where
    /// the next one begins. What is copied is right if all can be taken after that. `received`: what is to be said of each.
    pub(super) fn copy_from(
        &mut self,
        lane: Lane<'_>,
        first: &Found,
        most: usize,
        mut received: impl FnMut(&Found) -> Received,
    ) -> u64 {
        let before = self.len();
        let mut end = first.head;
        let mut next = Some(*first);
        while let Some(found) = next {
            let left = most - (self.len() - before);
            end = match self.copy_run(lane, &found, left, &mut received) {
                Some(end) => end,
                // It is not noted yet, or longer than what is wanted.
                None => match lane.body(found.at, found.len) {
                    Some(body) => {
                        let at = self.bytes.len();
                        copy::append(body, found.len as usize, &mut self.bytes);
                        let received = received(&found);
                        self.messages.push(Popped { received, at });
                        found.end()
                    }
                    None => break,
                },
            };
            if self.len() - before >= most || self.room() == 0 {
                break;
            }
            next = match lane.seen(end, first.head) {
                Seen::Message(found) => Some(found),
                Seen::Nothing | Seen::Nonsense => None,
            };
        }
        end
    }

    /// Copies, as it stands, what is known to be published, and looks for the messages in it when nobody can change it any more:
    /// one copy that the processor can fetch ahead for, where each message's place would else be known only when the one before
    /// it has come. `None` if there is no whole message in it.
    fn copy_run(
        &mut self,
        lane: Lane<'_>,
        first: &Found,
        most: usize,
        received: &mut impl FnMut(&Found) -> Received,
    ) -> Option<u64> {
        // As many as there would be if all were as long as the first.
        let wanted = extent(first.len.into())
            .saturating_mul(most as u64)
            .min(self.room() as u64);
        let words = lane.published(first.at, wanted);
        let (before, start) = (self.len(), self.bytes.len());
        copy::append(words, size_of_val(words), &mut self.bytes);
        let run = &self.bytes[start..];
        let (mut at, mut end) = (0, 0);
        while self.messages.len() - before < most
            && let Some((head, rest)) = run.get(at..).and_then(<[u8]>::split_first_chunk)
        {
            match Head(u64::from_ne_bytes(*head)).kind() {
                Kind::Message { len, number } if rest.len() >= len as usize => {
                    let found = Found {
                        at: first.at.wrapping_add(at as u64),
                        len,
                        number,
                        ..*first
                    };
                    self.messages.push(Popped {
                        received: received(&found),
                        at: start + at + size_of_val(head),
                    });
                    at += extent(len.into()) as usize;
                    end = at;
                }
                Kind::Pad(bytes) => at = at.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX)),
                // It goes on behind what was copied, or makes no sense: who looks there finds out.
                Kind::Message { .. } | Kind::Nothing | Kind::Nonsense => break,
            }
        }
        self.bytes.truncate(start + end);
        (end > 0).then(|| first.at.wrapping_add(end as u64))
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
