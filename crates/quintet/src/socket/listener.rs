use super::stream::Stream;
use super::{Access, place};
use crate::cleanup::Registration;
use crate::os::socket::{self, Listening, Place};
use crate::{Address, Deadline, Error, ErrorKind, Result};
use std::io;
use std::sync::Arc;

/// A socket that takes connections, each of which is a [`Stream`] of bytes.
///
/// A Unix socket's file is private to this user unless [`listen_for`](Self::listen_for) says otherwise, replaces one that
/// nobody listens to any more, and goes when the listener is dropped; what a killed process leaves the next one replaces. On
/// Linux `unix://@NAME` is an abstract name, without a file: processes of other users are sent away when they connect.
///
/// Threads may accept from one listener at the same time; each gets clients of its own.
///
/// ```
/// use quintet::socket::{Listener, Stream};
/// use std::io::{Read, Write};
///
/// let listener = Listener::listen("tcp://127.0.0.1:0")?;
/// let mut client = Stream::connect(listener.address())?;
/// let mut stream = listener.accept()?;
/// client.write_all(b"over here")?;
/// client.end_writing()?;
/// let mut text = String::new();
/// stream.read_to_string(&mut text)?;
/// assert_eq!(text, "over here");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    address: Address,
    place: Place,
    listening: Arc<Listening>,
    _registration: Registration,
}

impl Listener {
    /// Listens at `tcp://HOST:PORT` (`*` for every interface, port 0 for one that the system chooses), `unix:///PATH`,
    /// `unix://@NAME` or `ipc://PATH`.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if somebody listens there, or something is there that is no socket;
    /// [`ErrorKind::NotFound`] for a host that is not known, or a folder that does not exist;
    /// [`ErrorKind::PermissionDenied`]; [`ErrorKind::InvalidAddress`]; [`ErrorKind::Full`] without a free descriptor;
    /// [`ErrorKind::TooLarge`] for a path of more than 107 bytes; [`ErrorKind::Unsupported`] for `unix://` and `ipc://` on
    /// Windows.
    pub fn listen<A>(address: A) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        Listener::listen_for(address, Access::CurrentUser)
    }

    /// As [`listen`](Self::listen), and says whose processes may connect to a Unix socket.
    ///
    /// # Errors
    /// Those of [`listen`](Self::listen).
    pub fn listen_for<A>(address: A, access: Access) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        let address = address.try_into()?;
        let place = place::of(&address, true)?;
        let (listening, registration) = Registration::of(
            || socket::listen(&place, access).map(Arc::new),
            Listening::release_name,
        )
        .map_err(|error| error.about(&address))?;
        Ok(Listener {
            address: listening
                .port()
                .and_then(|port| place::with_port(&address, port))
                .map_err(|error| error.about(&address))?,
            place,
            listening,
            _registration: registration,
        })
    }

    /// Where it listens, with the port that the system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Waits for a client and takes it, without a limit of time.
    ///
    /// # Errors
    /// Those of [`accept_timeout`](Self::accept_timeout).
    pub fn accept(&self) -> Result<Stream> {
        self.accept_timeout(Deadline::NEVER)
    }

    /// As [`accept`](Self::accept), until a deadline. A zero duration takes a client that is waiting already.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`]; [`ErrorKind::Full`] without a free descriptor: the client stays in the queue, and can be
    /// accepted when there is one again.
    pub fn accept_timeout(&self, deadline: impl Into<Deadline>) -> Result<Stream> {
        let deadline = deadline.into();
        let about = |error: Error| error.about(&self.address);
        loop {
            match self.listening.accept() {
                Ok(socket) => {
                    return Stream::new(self.address.clone(), socket, self.place.is_local()).map_err(about);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => {}
                    // A stranger, who was sent away; or one who did not wait.
                    io::ErrorKind::PermissionDenied
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::ConnectionReset => continue,
                    _ => return Err(about(socket::failed("cannot accept a connection", error))),
                },
            }
            if !socket::wait_for(&self.listening.socket, false, deadline).map_err(about)? {
                return Err(about(Error::new(
                    ErrorKind::TimedOut,
                    "no client connected before the deadline",
                )));
            }
        }
    }
}

#[cfg(target_os = "linux")]
impl std::os::fd::AsFd for Listener {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.listening.socket.as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for Listener {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.listening.socket.as_socket()
    }
}
