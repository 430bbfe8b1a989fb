use super::core::Handle;
use super::options::Options;
use super::pattern::pattern;
use super::protocol::Protocol;
use crate::{Deadline, Result};

/// Hands out work: each message to one of the [`Pull`](super::Pull) sockets that are connected, by turns, and to one that
/// has room before one that has not.
///
/// At the mark (every peer has [`Options::send_mark`] bytes waiting), and without a peer, sending waits. If a connection
/// breaks, what had not left this process goes to another peer; what the system had taken may be lost.
///
/// ```
/// use quintet::socket::{Pull, Push};
///
/// let pull = Pull::new()?;
/// let address = pull.listen("tcp://127.0.0.1:0")?;
/// let push = Push::new()?;
/// push.dial(&address)?;
/// push.send("a piece of work")?;
/// assert_eq!(pull.recv()?, b"a piece of work");
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Push {
    handle: Handle,
}

pattern!(Push);

impl Push {
    /// As [`new`](Self::new), otherwise than by default.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with(options: &Options) -> Result<Self> {
        let handle = Handle::new(Protocol::Push, options)?;
        Ok(Push { handle })
    }

    /// Sends to one of the peers, and waits for one, or for room, as long as it takes.
    ///
    /// Messages that follow each other within microseconds share a write: the last of them is on its way 0.2 ms later,
    /// though nothing more is called.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge).
    pub fn send(&self, message: impl AsRef<[u8]>) -> Result<()> {
        self.send_timeout(message, Deadline::NEVER)
    }

    /// As [`send`](Self::send), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut): it was not sent, and will not be.
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge).
    #[inline]
    pub fn send_timeout(&self, message: impl AsRef<[u8]>, deadline: impl Into<Deadline>) -> Result<()> {
        self.handle
            .core
            .send(&[], message.as_ref(), deadline.into(), false)
            .map(drop)
    }
}
