//! The socket of a connected pipe, and waiting on it.

use crate::os::linux::anonymous::poll;
use crate::os::linux::peer;
use crate::os::step::call;
use crate::wait::{self, Spin};
use crate::{Deadline, Error, ErrorKind, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The longest single sleep; waits on sockets cannot lose their wake-up, so this only keeps numbers small.
pub(super) const LONG: Duration = Duration::from_secs(3600);

/// A connected socket.
#[derive(Debug)]
pub(super) struct Link {
    socket: OwnedFd,
    spin: Spin,
    /// The peer has closed without reading all that was sent: the kernel says so once, to whoever asks first.
    reset: AtomicBool,
}

impl Link {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Link {
            socket,
            spin: Spin::default(),
            reset: AtomicBool::new(false),
        }
    }

    /// How errors call the peer.
    pub(super) fn peer(&self) -> String {
        match peer::credentials(&self.socket) {
            Ok(peer) if peer.pid != 0 => format!("the peer (pid {})", peer.pid),
            _ => "the peer".into(),
        }
    }

    /// Runs a receiving call until it has something; `None` at the end of the stream if the call cannot say so itself.
    ///
    /// What the call gives for "nothing more will come" is up to it: 0 bytes, usually.
    pub(super) fn receive<T: Default>(
        &self,
        deadline: Deadline,
        mut receive: impl FnMut(RecvFlags) -> rustix::io::Result<T>,
    ) -> Result<T> {
        let mut look = |flags: RecvFlags| {
            // Reset: the peer closed without reading all that we sent. It is reported once, and before what the peer
            // had sent us, which the second try gets.
            for _ in 0..2 {
                match call(|| receive(flags)) {
                    Ok(received) => return Ok(Some(received)),
                    Err(Errno::AGAIN) => return Ok(None),
                    Err(Errno::CONNRESET) => self.reset.store(true, Ordering::Relaxed),
                    Err(error) => return Err(Error::os("cannot read", error)),
                }
            }
            Ok(Some(T::default()))
        };
        if deadline.is_never() {
            if let Some(received) = self.spin.until(deadline, || look(RecvFlags::DONTWAIT))? {
                return Ok(received);
            }
            loop {
                if let Some(received) = look(RecvFlags::empty())? {
                    return Ok(received);
                }
            }
        }
        wait::wait(
            &self.spin,
            deadline,
            LONG,
            || look(RecvFlags::DONTWAIT),
            |slice| self.park(PollFlags::IN, slice),
        )?
        .ok_or_else(|| Error::new(ErrorKind::TimedOut, "nothing came before the deadline"))
    }

    /// Runs a sending call until the kernel took something.
    pub(super) fn transmit<T>(
        &self,
        deadline: Deadline,
        mut send: impl FnMut(SendFlags) -> rustix::io::Result<T>,
    ) -> Result<T> {
        let flags = if deadline.is_never() {
            SendFlags::NOSIGNAL
        } else {
            SendFlags::NOSIGNAL | SendFlags::DONTWAIT
        };
        loop {
            match call(|| send(flags)) {
                Ok(sent) => return Ok(sent),
                Err(Errno::AGAIN) if deadline.has_passed() => {
                    return Err(Error::new(
                        ErrorKind::TimedOut,
                        format!("{} did not read in time for more to be written", self.peer()),
                    ));
                }
                Err(Errno::AGAIN) => self.park(PollFlags::OUT, deadline.slice(LONG))?,
                // The kernel says only once that what was sent before is lost.
                Err(Errno::CONNRESET) => {
                    self.reset.store(true, Ordering::Relaxed);
                    return Err(self.disconnected());
                }
                Err(Errno::PIPE | Errno::NOTCONN) => return Err(self.disconnected()),
                Err(error) => return Err(Error::os("cannot write", error)),
            }
        }
    }

    pub(super) fn shutdown(&self, direction: Shutdown) -> Result<()> {
        match call(|| rustix::net::shutdown(&self.socket, direction)) {
            // Not connected: the other side is gone already, which the first read or write will say.
            Ok(()) | Err(Errno::NOTCONN) => Ok(()),
            Err(error) => Err(Error::os("cannot shut a direction of the socket", error)),
        }
    }

    /// The error for a writer whose connection has ended.
    pub(super) fn disconnected(&self) -> Error {
        Error::new(
            ErrorKind::Disconnected,
            format!("{} has closed the connection or does not read", self.peer()),
        )
    }

    /// Waits until the peer has taken everything out of the socket and `rest` says that it has read everything else.
    ///
    /// Nothing wakes up whoever waits for that, so this looks again and again, after at most a millisecond.
    pub(super) fn drain(&self, deadline: Deadline, mut rest: impl FnMut() -> Result<bool>) -> Result<()> {
        let lost = || {
            let reason = format!(
                "{} has closed the connection without reading everything",
                self.peer()
            );
            Error::new(ErrorKind::Disconnected, reason)
        };
        let os = |error| Error::os("cannot ask how much is unread", error);
        let drained = wait::wait(
            &self.spin,
            deadline,
            Duration::from_millis(1),
            || {
                // In this order: a peer that closes first leaves its mark, then drops what it has not read.
                let unread = call(|| peer::unread_by_peer(&self.socket)).map_err(os)?;
                if call(|| peer::take_error(&self.socket)).map_err(os)? == Errno::CONNRESET.raw_os_error() {
                    self.reset.store(true, Ordering::Relaxed);
                }
                if self.reset.load(Ordering::Relaxed) {
                    return Err(lost());
                }
                if unread > 0 {
                    return Ok(None);
                }
                Ok(rest()?.then_some(()))
            },
            // Not poll(2): it would return at once, again and again, for a connection of which both directions are shut
            // and something is still unread.
            |slice| {
                std::thread::sleep(slice);
                Ok(())
            },
        )?;
        drained.ok_or_else(|| {
            Error::new(
                ErrorKind::TimedOut,
                format!("{} has not read everything before the deadline", self.peer()),
            )
        })
    }

    fn park(&self, what: PollFlags, slice: Duration) -> Result<()> {
        call(|| poll(&mut [PollFd::new(&self.socket, what)], Some(slice)))
            .map_err(|error| Error::os("cannot wait for the peer", error))
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
