use super::core::Handle;
use super::options::Options;
use super::pattern::pattern;
use super::protocol::Protocol;
use super::receiving::receiving;
use super::state::Verdict;
use crate::Result;

/// Takes work that [`Push`](super::Push) sockets hand out, of each by turns.
///
/// It takes from the system what it is asked for, and some bytes ahead (128 KiB a peer at most): who does not call leaves
/// the messages where they are, and its peers give them to others once they are at their marks.
///
/// ```
/// use quintet::socket::{Pull, Push};
/// use std::time::Duration;
///
/// let push = Push::new()?;
/// let address = push.listen("tcp://127.0.0.1:0")?;
/// let pull = Pull::new()?;
/// pull.dial(&address)?;
/// assert!(pull.recv_timeout(Duration::ZERO).is_err());
/// push.send("work")?;
/// let mut message = Vec::new();
/// pull.recv_into(&mut message, Duration::from_secs(10))?;
/// assert_eq!(message, b"work");
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Pull {
    handle: Handle,
}

pattern!(Pull);
receiving!(Pull, |_, _, _| Verdict::Take((), 0));

impl Pull {
    /// As [`new`](Self::new), otherwise than by default.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with(options: &Options) -> Result<Self> {
        let handle = Handle::new(Protocol::Pull, options)?;
        Ok(Pull { handle })
    }
}
