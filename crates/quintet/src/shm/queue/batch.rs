use super::Received;
use crate::os::atomic::AtomicU64;
use crate::os::copy;

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
    bytes: Vec<u8>,
    messages: Vec<Received>,
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
        let mut rest = &self.bytes[..];
        self.messages.iter().map(move |received| {
            let (message, more) = rest.split_at(received.len);
            rest = more;
            (*received, message)
        })
    }

    /// Takes all messages out of it. It keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.messages.clear();
    }

    #[inline]
    pub(super) fn add(&mut self, body: &[AtomicU64], received: Received) {
        copy::append(body, received.len, &mut self.bytes);
        self.messages.push(received);
    }

    pub(super) fn is_large(&self) -> bool {
        self.bytes.len() >= Self::LARGE
    }

    /// Takes out all but the first so many.
    pub(super) fn truncate(&mut self, len: usize) {
        let cut: usize = self.messages.drain(len..).map(|message| message.len).sum();
        self.bytes.truncate(self.bytes.len() - cut);
    }
}
