//! What the sockets of all patterns can do, written once.

/// Gives a type with a field `handle` the calls that all patterns have.
macro_rules! pattern {
    ($type:ident) => {
        impl $type {
            /// A socket with the default [`Options`](crate::socket::Options), of which nobody knows yet.
            ///
            /// # Errors
            /// [`ErrorKind::Full`](crate::ErrorKind::Full) without a free descriptor.
            pub fn new() -> crate::Result<Self> {
                Self::with(&crate::socket::Options::default())
            }

            /// Listens at an address, so that peers can connect: the address, with the port that the system chose if it said
            /// 0. A socket can have any number of endpoints, of either kind. Returns at once; clients are let in as they come,
            /// in the background if no call is being made.
            ///
            /// # Errors
            /// [`ErrorKind::InvalidAddress`](crate::ErrorKind::InvalidAddress);
            /// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists) if somebody listens there, or something is
            /// there that is no socket; [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a host that is not known;
            /// [`ErrorKind::PermissionDenied`](crate::ErrorKind::PermissionDenied);
            /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) for a path that is longer than the system takes: 107 bytes,
            /// and on Windows 247 characters;
            /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for `unix://` on Windows.
            pub fn listen<A>(&self, address: A) -> crate::Result<crate::Address>
            where
                A: TryInto<crate::Address>,
                crate::Error: From<A::Error>,
            {
                self.handle.core.listen(&address.try_into()?)
            }

            /// Connects to an address, now and whenever the connection is lost, with pauses as
            /// [`Options::reconnect`](crate::socket::Options::reconnect) says. Returns at once, but for the time that it takes
            /// to look a host up (which is done once): whether somebody listens there
            /// [`wait_for_peers`](Self::wait_for_peers) and [`stats`](Self::stats) tell.
            ///
            /// # Errors
            /// [`ErrorKind::InvalidAddress`](crate::ErrorKind::InvalidAddress);
            /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a host that is not known;
            /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) for a path that is longer than the system takes: 107 bytes,
            /// and on Windows 247 characters;
            /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) for a path at which something stands that is no socket;
            /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for `unix://` on Windows.
            pub fn dial<A>(&self, address: A) -> crate::Result<()>
            where
                A: TryInto<crate::Address>,
                crate::Error: From<A::Error>,
            {
                self.handle.core.dial(&address.try_into()?)
            }

            /// Waits until at least so many peers are connected.
            ///
            /// # Errors
            /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut), which says what went wrong last.
            pub fn wait_for_peers(
                &self,
                count: usize,
                deadline: impl Into<crate::Deadline>,
            ) -> crate::Result<()> {
                self.handle.core.wait_for_peers(count, deadline.into())
            }

            /// What it has done, and what became of the rest.
            pub fn stats(&self) -> crate::socket::Stats {
                self.handle.core.stats()
            }

            /// Ends the socket, as dropping it does, and says what was lost by that: waits until what was sent is in the
            /// system's hands, or [`Options::linger`](crate::socket::Options::linger) is over.
            ///
            /// # Errors
            /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) if messages were left; the text says how many.
            pub fn close(self) -> crate::Result<()> {
                self.handle.close()
            }

            /// As [`close`](Self::close), until a deadline in place of the linger.
            ///
            /// # Errors
            /// Those of `close`.
            pub fn close_timeout(self, deadline: impl Into<crate::Deadline>) -> crate::Result<()> {
                self.handle.close_by(deadline.into())
            }
        }
    };
}
pub(super) use pattern;
