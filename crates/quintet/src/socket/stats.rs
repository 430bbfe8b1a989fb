/// What a socket has done so far, and what became of what it could not do: nothing is lost without being counted here,
/// but for what the system had taken already (see [the module](super)).
///
/// ```
/// let publisher = quintet::socket::Pub::new()?;
/// publisher.send("nobody listens")?;
/// let stats = publisher.stats();
/// assert_eq!((stats.sent, stats.dropped, stats.peers), (0, 0, 0));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Peers that are connected now, their handshakes done.
    pub peers: usize,
    /// Connections that are being made, or whose handshake is not done.
    pub pending: usize,
    /// Connections whose handshake was done, in all.
    pub connected: u64,
    /// Of those, the ones that have ended.
    pub disconnected: u64,
    /// Messages taken to be sent, once for each peer.
    pub sent: u64,
    /// Messages handed to the program.
    pub received: u64,
    /// Messages that `Pub` did not send to a subscriber whose mark was reached.
    pub dropped: u64,
    /// Messages that were taken to be sent and certainly did not arrive: their connection broke, or the linger was over.
    pub lost: u64,
    /// Messages of which only the beginning came.
    pub broken: u64,
    /// Messages that came and were of no use: late replies, requests without a proper header.
    pub discarded: u64,
    /// Requests that were sent again.
    pub retried: u64,
    /// Connections that this side closed: no handshake in time, no handshake at all, the wrong pattern, a message too
    /// long, bytes that are no message.
    pub refused: u64,
    /// How often a connection could not be accepted, for want of a descriptor mostly.
    pub accept_failures: u64,
    /// How often dialing failed.
    pub dial_failures: u64,
    /// Why a connection was last refused, not accepted, or not made.
    pub last_trouble: Option<String>,
}
