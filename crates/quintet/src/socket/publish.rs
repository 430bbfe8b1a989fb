use super::core::Handle;
use super::options::Options;
use super::pattern::pattern;
use super::protocol::Protocol;
use crate::Result;

/// Publishes: each message to every [`Sub`](super::Sub) socket that is connected when it is sent. What a message begins with
/// is its topic; the subscribers pick.
///
/// Sending never waits. A subscriber that has [`Options::send_mark`] bytes waiting misses messages until it has caught up,
/// which costs no other subscriber anything, and is counted in [`Stats::dropped`](super::Stats::dropped).
///
/// ```
/// use quintet::socket::{Pub, Sub};
/// use std::time::Duration;
///
/// let publisher = Pub::new()?;
/// let address = publisher.listen("tcp://127.0.0.1:0")?;
/// let subscriber = Sub::new()?;
/// subscriber.subscribe("weather.");
/// subscriber.dial(&address)?;
/// publisher.wait_for_peers(1, Duration::from_secs(10))?;
/// publisher.send("sports.football 2:1")?;
/// publisher.send("weather.berlin 20")?;
/// assert_eq!(subscriber.recv()?, b"weather.berlin 20");
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Pub {
    handle: Handle,
}

pattern!(Pub);

impl Pub {
    /// As [`new`](Self::new), otherwise than by default.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with(options: &Options) -> Result<Self> {
        let handle = Handle::new(Protocol::Pub, options)?;
        Ok(Pub { handle })
    }

    /// Sends to all peers that are connected, without waiting for any. Messages that follow each other within
    /// microseconds share a write, as [`Push::send`](super::Push::send) says.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge).
    #[inline]
    pub fn send(&self, message: impl AsRef<[u8]>) -> Result<()> {
        self.handle.core.send_to_all(message.as_ref())
    }
}
