use crate::os::types::Access;
use std::time::Duration;

/// No time is longer, so that each can be added to any.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How the sockets of the patterns are to be; what is not said has its default.
///
/// ```
/// use quintet::socket::{Options, Push};
/// use std::time::Duration;
///
/// let options = Options::new().max_message(1 << 20).linger(Duration::from_secs(5));
/// let push = Push::with(&options)?;
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) max_message: u64,
    pub(super) send_mark: usize,
    pub(super) max_peers: usize,
    pub(super) linger: Duration,
    pub(super) handshake: Duration,
    pub(super) access: Access,
    pub(super) reconnect: (Duration, Duration),
    pub(super) retry: Duration,
    pub(super) version1: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            max_message: 64 << 20,
            send_mark: 1 << 20,
            max_peers: 4096,
            linger: Duration::from_secs(1),
            handshake: Duration::from_secs(10),
            access: Access::CurrentUser,
            reconnect: (Duration::from_millis(10), Duration::from_secs(1)),
            retry: Duration::from_secs(60),
            version1: false,
        }
    }
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Options::default()
    }

    /// The longest message, in bytes, that is sent, or taken from a peer: 64 MiB. Who sends a longer one is disconnected.
    #[must_use]
    pub fn max_message(mut self, bytes: u64) -> Self {
        self.max_message = bytes;
        self
    }

    /// How many bytes wait for one peer in this process, beyond what the system buffers: 1 MiB. A message that finds fewer
    /// waiting is taken whole, so it can be one message more. What happens at the mark each pattern says.
    #[must_use]
    pub fn send_mark(mut self, bytes: usize) -> Self {
        self.send_mark = bytes.max(1);
        self
    }

    /// How many peers are let in by who listens: 4096. (A `Pair` has one, whatever this says.) Who comes while there are so
    /// many is sent away before its handshake is answered, so that it sends nothing, and may come again;
    /// [`Stats::refused`](super::Stats::refused) counts that. Those that this socket dials itself are not counted here.
    #[must_use]
    pub fn max_peers(mut self, peers: usize) -> Self {
        self.max_peers = peers;
        self
    }

    /// How long the end of a socket waits for what was sent to get into the system's hands: 1 s.
    #[must_use]
    pub fn linger(mut self, time: Duration) -> Self {
        self.linger = time;
        self
    }

    /// How long a peer has to say which pattern it speaks: 10 s.
    #[must_use]
    pub fn handshake_timeout(mut self, time: Duration) -> Self {
        self.handshake = time.min(LONGEST);
        self
    }

    /// Whose processes may connect to a Unix socket, or be found behind an abstract name: those of this user.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// How long a dialer pauses before it tries again: 10 ms at first, twice as long each time, 1 s at most. A connection
    /// that lasts a second makes the next pause the first again.
    #[must_use]
    pub fn reconnect(mut self, first: Duration, most: Duration) -> Self {
        let first = first.clamp(Duration::from_millis(1), LONGEST);
        self.reconnect = (first, most.clamp(first, LONGEST));
        self
    }

    /// After how long without a reply [`Req`](super::Req) sends its request again, though the connection stands: 60 s.
    #[must_use]
    pub fn retry(mut self, time: Duration) -> Self {
        self.retry = time;
        self
    }

    /// Lets a [`Pair`](super::Pair) speak version 1 of its protocol, as `nng_pair1_open` and pynng's `Pair1` do, in place of
    /// version 0, which nanomsg has too. The two do not understand each other.
    #[must_use]
    pub fn pair_version1(mut self) -> Self {
        self.version1 = true;
        self
    }
}
