use super::core::Handle;
use super::options::Options;
use super::pattern::pattern;
use super::protocol::Protocol;
use super::receiving::receiving;
use super::state::Verdict;
use crate::Result;

/// Receives what [`Pub`](super::Pub) sockets publish: of all that comes, the messages that begin with a topic it has
/// [subscribed](Self::subscribe) to; at first to none.
///
/// Topics are picked out here, as nng does it: publishers send everything. Who does not call leaves the messages where they
/// are, and misses newer ones once its publishers are at their marks.
///
/// ```
/// let subscriber = quintet::socket::Sub::new()?;
/// subscriber.subscribe("weather.");
/// subscriber.subscribe("sports.");
/// assert!(subscriber.unsubscribe("sports.") && !subscriber.unsubscribe("sports."));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Sub {
    handle: Handle,
}

pattern!(Sub);
receiving!(Sub, |_, message: &[u8], topics: &[Vec<u8>]| {
    if topics.iter().any(|topic| message.starts_with(topic)) {
        Verdict::Take((), 0)
    } else {
        Verdict::Skip
    }
});

impl Sub {
    /// As [`new`](Self::new), otherwise than by default.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with(options: &Options) -> Result<Self> {
        let handle = Handle::new(Protocol::Sub, options)?;
        Ok(Sub { handle })
    }

    /// Wants all messages that begin with these bytes; with none, all messages.
    pub fn subscribe(&self, topic: impl AsRef<[u8]>) {
        self.handle.core.subscribe(topic.as_ref().to_vec());
    }

    /// Takes one [`subscribe`](Self::subscribe) back. Whether there was one of this topic.
    pub fn unsubscribe(&self, topic: impl AsRef<[u8]>) -> bool {
        self.handle.core.unsubscribe(topic.as_ref())
    }
}
