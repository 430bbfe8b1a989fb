use super::pipes::Pipe;
use super::settings::Settings;
#[cfg(feature = "socket")]
use super::sockets::Socket;
use super::{Channel, Receiver, Sender};
use crate::{Address, Deadline, Error, ErrorKind, Result, Scheme};

/// An end of a conversation, over a pipe or a socket: it sends and receives, and so does the one other end.
///
/// One end [listens](Channel::listen), the other connects, which is what it does unless told.
///
/// ```
/// use quintet::channel::{Channel, Duplex};
///
/// # let address = format!("pipe://duplex-doc-{}", std::process::id());
/// let mut server = Channel::at(&address)?.listen().duplex()?;
/// # let theirs = address.clone();
/// let client = std::thread::spawn(move || {
///     let mut client = Duplex::open(&theirs)?;
///     client.send("how are you?")?;
///     let mut answer = Vec::new();
///     client.recv(&mut answer).map(|()| answer)
/// });
/// let mut question = Vec::new();
/// server.recv(&mut question)?;
/// server.send("fine")?;
/// assert_eq!((&question[..], &client.join().unwrap()?[..]), (&b"how are you?"[..], &b"fine"[..]));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Duplex {
    mechanism: Mechanism,
    settings: Settings,
}

#[derive(Debug)]
enum Mechanism {
    Pipe(Pipe),
    #[cfg(feature = "socket")]
    Socket(Socket),
}

/// Does the same with whatever it is.
macro_rules! any {
    ($mechanism:expr, $end:ident => $does:expr) => {
        match $mechanism {
            Mechanism::Pipe($end) => $does,
            #[cfg(feature = "socket")]
            Mechanism::Socket($end) => $does,
        }
    };
}

impl Duplex {
    /// Opens an end at an address, which has all options: see [`Channel`]. Does not wait for the other end.
    ///
    /// # Errors
    /// Those of [`Channel::duplex`].
    pub fn open<A>(address: A) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        Channel::at(address)?.duplex()
    }

    pub(super) fn new(settings: Settings) -> Result<Self> {
        let mechanism = match settings.address.scheme() {
            Scheme::Pipe => Pipe::open(&settings).map(Mechanism::Pipe),
            #[cfg(feature = "socket")]
            Scheme::Tcp | Scheme::Unix | Scheme::Ipc => Socket::open(&settings).map(Mechanism::Socket),
            scheme => Err(Error::new(
                ErrorKind::Unsupported,
                format!("messages of {scheme}:// go one way"),
            )
            .hint("open a sender and a receiver at two addresses, or take a pipe or a socket")),
        };
        Ok(Duplex {
            mechanism: mechanism.map_err(|error| error.about(&settings.address))?,
            settings,
        })
    }

    /// As [`Sender::send`].
    ///
    /// # Errors
    /// Those of `Sender::send`.
    pub fn send(&mut self, message: impl AsRef<[u8]>) -> Result<()> {
        self.send_timeout(message, Deadline::NEVER)
    }

    /// As [`Sender::send_timeout`].
    ///
    /// # Errors
    /// Those of `Sender::send_timeout`.
    pub fn send_timeout(&mut self, message: impl AsRef<[u8]>, deadline: impl Into<Deadline>) -> Result<()> {
        let (message, deadline) = (message.as_ref(), deadline.into());
        self.settings.check(message)?;
        let sent = any!(&mut self.mechanism, end => end.send(message, deadline));
        sent.map_err(|error| error.about(&self.settings.address))
    }

    /// As [`Receiver::recv`].
    ///
    /// # Errors
    /// Those of `Receiver::recv`.
    pub fn recv(&mut self, message: &mut Vec<u8>) -> Result<()> {
        self.recv_timeout(message, Deadline::NEVER)
    }

    /// As [`Receiver::recv_timeout`].
    ///
    /// # Errors
    /// Those of `Receiver::recv_timeout`.
    pub fn recv_timeout(&mut self, message: &mut Vec<u8>, deadline: impl Into<Deadline>) -> Result<()> {
        let deadline = deadline.into();
        let received = any!(&mut self.mechanism, end => end.recv(message, deadline));
        received.map_err(|error| error.about(&self.settings.address))
    }

    /// Waits until the other end is there.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut), and those of connecting.
    pub fn wait_for_peer(&mut self, deadline: impl Into<Deadline>) -> Result<()> {
        let deadline = deadline.into();
        let came = any!(&mut self.mechanism, end => end.wait_for_peer(deadline));
        came.map_err(|error| error.about(&self.settings.address))
    }

    /// Two ends, for two threads, once the other side is there. Over a pipe they are of that connection alone: when it ends, they
    /// do. The connection ends when both are dropped.
    ///
    /// # Errors
    /// Those of [`wait_for_peer`](Self::wait_for_peer).
    pub fn split(mut self, deadline: impl Into<Deadline>) -> Result<(Sender, Receiver)> {
        self.wait_for_peer(deadline)?;
        let settings = self.settings;
        match self.mechanism {
            Mechanism::Pipe(pipe) => {
                let (to, from) = pipe.split()?;
                Ok((
                    Sender::of_pipe(to, settings.clone()),
                    Receiver::of_pipe(from, settings),
                ))
            }
            #[cfg(feature = "socket")]
            Mechanism::Socket(socket) => {
                let (to, from) = socket.split()?;
                Ok((
                    Sender::of_socket(to, settings.clone()),
                    Receiver::of_socket(from, settings),
                ))
            }
        }
    }

    /// The address, without the role, which the other end has not; of a socket that listens, with the port that the system chose
    /// if it said 0.
    pub fn address(&self) -> &Address {
        match &self.mechanism {
            #[cfg(feature = "socket")]
            Mechanism::Socket(socket) => socket.address().unwrap_or(&self.settings.address),
            Mechanism::Pipe(_) => &self.settings.address,
        }
    }
}
