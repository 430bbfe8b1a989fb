use super::core::Handle;
use super::options::Options;
use super::pattern::pattern;
use super::protocol::Protocol;
use super::receiving::receive;
use super::state::Verdict;
use super::watch::waitable;
use crate::{Deadline, Result};

/// How many sockets a message of version 1 has passed; this is the first.
const FIRST_HOP: [u8; 4] = [0, 0, 0, 1];

/// A conversation between two: each sends and receives as it likes. Who comes while there is a peer is sent away.
///
/// At the mark ([`Options::send_mark`] bytes wait for the peer), and without a peer, sending waits. If the connection breaks,
/// what had not left this process goes to the next peer, in its order; what the system had taken may be lost.
///
/// ```
/// use quintet::socket::Pair;
///
/// let one = Pair::new()?;
/// let address = one.listen("tcp://127.0.0.1:0")?;
/// let other = Pair::new()?;
/// other.dial(&address)?;
/// other.send("ping")?;
/// assert_eq!(one.recv()?, b"ping");
/// one.send("pong")?;
/// assert_eq!(other.recv()?, b"pong");
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Pair {
    handle: Handle,
    /// What stands before each message.
    header: &'static [u8],
}

pattern!(Pair);

impl Pair {
    /// Waits until what was sent is in the system's hands.
    pub(crate) fn drain(&self, deadline: Deadline) -> Result<()> {
        self.handle.core.drain(deadline)
    }

    /// As [`new`](Self::new), otherwise than by default.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with(options: &Options) -> Result<Self> {
        let (protocol, header): (_, &[u8]) = if options.version1 {
            (Protocol::Pair1, &FIRST_HOP)
        } else {
            (Protocol::Pair0, &[])
        };
        let handle = Handle::new(protocol, options)?;
        Ok(Pair { handle, header })
    }

    /// Sends to the peer, and waits for one, or for room, as long as it takes. Messages that follow each other within
    /// microseconds share a write, as [`Push::send`](super::Push::send) says.
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
    pub fn send_timeout(&self, message: impl AsRef<[u8]>, deadline: impl Into<Deadline>) -> Result<()> {
        self.handle
            .core
            .send(self.header, message.as_ref(), deadline.into(), false)
            .map(drop)
    }

    /// Waits for a message and takes it.
    ///
    /// # Errors
    /// When the system refuses to wait. A peer's misbehaviour is no error: it is disconnected, and counted in
    /// [`stats`](Self::stats).
    pub fn recv(&self) -> Result<Vec<u8>> {
        self.recv_timeout(Deadline::NEVER)
    }

    /// As [`recv`](Self::recv), until a deadline. A zero duration takes a message that is there already.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut): nothing was taken.
    pub fn recv_timeout(&self, deadline: impl Into<Deadline>) -> Result<Vec<u8>> {
        let mut message = Vec::new();
        self.recv_into(&mut message, deadline)?;
        Ok(message)
    }

    /// As [`recv_timeout`](Self::recv_timeout), into a buffer whose old contents are dropped and whose memory is used again,
    /// for this message or another.
    ///
    /// # Errors
    /// Those of [`recv_timeout`](Self::recv_timeout).
    pub fn recv_into(&self, message: &mut Vec<u8>, deadline: impl Into<Deadline>) -> Result<()> {
        let header = self.header.len();
        receive(&self.handle.core, deadline.into(), message, |_, message, _| {
            judge(message, header)
        })
    }
}

waitable!(Pair, |pair| |_, message: &[u8], _| judge(
    message,
    pair.header.len()
));

/// What to do with a message, whose header should be so long.
fn judge(message: &[u8], header: usize) -> Verdict<()> {
    match message.get(..header) {
        Some([]) => Verdict::Take((), header),
        Some([0, 0, 0, hops]) if *hops > 0 => Verdict::Take((), header),
        _ => Verdict::Discard,
    }
}
