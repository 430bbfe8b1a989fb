use super::Channel;
#[cfg(target_os = "linux")]
use super::fifos::FifoSender;
use super::mailboxes::MailboxSender;
use super::pipes::Pipe;
use super::queues::QueueSender;
use super::settings::Settings;
#[cfg(feature = "socket")]
use super::sockets::Socket;
use super::topics::TopicSender;
use super::windows::WindowSender;
use crate::{Address, Deadline, Error, ErrorKind, Result, Scheme};

/// The end of a channel that sends, over the mechanism that its address names.
///
/// When [`send`](Self::send) returns, what is lost when somebody dies then, and when it fails: [the table](super).
///
/// ```
/// use quintet::channel::{Receiver, Sender};
///
/// # let address = format!("pipe://sender-doc-{}", std::process::id());
/// let mut receiver = Receiver::open(&address)?;
/// # let theirs = address.clone();
/// let worker = std::thread::spawn(move || Sender::open(&theirs)?.send("done"));
/// let mut message = Vec::new();
/// receiver.recv(&mut message)?;
/// assert_eq!(message, b"done");
/// # worker.join().unwrap()?;
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Sender {
    mechanism: Mechanism,
    settings: Settings,
}

#[derive(Debug)]
enum Mechanism {
    Pipe(Pipe),
    Queue(QueueSender),
    Topic(TopicSender),
    Mailbox(MailboxSender),
    #[cfg(feature = "socket")]
    Socket(Socket),
    Window(WindowSender),
    #[cfg(target_os = "linux")]
    Fifo(FifoSender),
}

/// Does the same with whatever it is.
macro_rules! any {
    ($mechanism:expr, $end:ident => $does:expr) => {
        match $mechanism {
            Mechanism::Pipe($end) => $does,
            Mechanism::Queue($end) => $does,
            Mechanism::Topic($end) => $does,
            Mechanism::Mailbox($end) => $does,
            #[cfg(feature = "socket")]
            Mechanism::Socket($end) => $does,
            Mechanism::Window($end) => $does,
            #[cfg(target_os = "linux")]
            Mechanism::Fifo($end) => $does,
        }
    };
}

impl Sender {
    /// Opens the sending end at an address, which has all options: see [`Channel`]. Does not wait for the other end.
    ///
    /// # Errors
    /// Those of [`Channel::sender`].
    pub fn open<A>(address: A) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        Channel::at(address)?.sender()
    }

    pub(super) fn new(settings: Settings) -> Result<Self> {
        let mechanism = match settings.address.scheme() {
            Scheme::Pipe => Pipe::open(&settings).map(Mechanism::Pipe),
            Scheme::Queue => QueueSender::open(&settings).map(Mechanism::Queue),
            Scheme::Topic => TopicSender::open(&settings).map(Mechanism::Topic),
            Scheme::Mailbox => MailboxSender::open(&settings).map(Mechanism::Mailbox),
            #[cfg(feature = "socket")]
            Scheme::Tcp | Scheme::Unix | Scheme::Ipc => Socket::open(&settings).map(Mechanism::Socket),
            Scheme::Window => WindowSender::open(&settings).map(Mechanism::Window),
            #[cfg(target_os = "linux")]
            Scheme::Fifo => FifoSender::open(&settings).map(Mechanism::Fifo),
            _ => Err(super::not_here()),
        };
        Ok(Sender {
            mechanism: mechanism.map_err(|error| error.about(&settings.address))?,
            settings,
        })
    }

    pub(super) fn of_pipe(pipe: Pipe, settings: Settings) -> Self {
        Sender {
            mechanism: Mechanism::Pipe(pipe),
            settings,
        }
    }

    #[cfg(feature = "socket")]
    pub(super) fn of_socket(socket: Socket, settings: Settings) -> Self {
        Sender {
            mechanism: Mechanism::Socket(socket),
            settings,
        }
    }

    /// Sends a message, which may be empty; waits as long as it takes for the other end to be there and for room.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge), and nothing was sent; [`Disconnected`](ErrorKind::Disconnected) if the other end was there
    /// and has gone, or died, once: the next call waits for another one;
    /// [`PermissionDenied`](ErrorKind::PermissionDenied), [`Unsupported`](ErrorKind::Unsupported), [`Corrupt`](ErrorKind::Corrupt) for
    /// what has come to be at the address and is not for us, no channel, or no such object at all.
    pub fn send(&mut self, message: impl AsRef<[u8]>) -> Result<()> {
        self.send_timeout(message, Deadline::NEVER)
    }

    /// As [`send`](Self::send), until a deadline.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) besides those of `send`: it was not sent. (Two exceptions. A message that a pipe had taken
    /// a part of breaks the connection then, so that the other end never takes it for whole. And one to a window may be served later.)
    #[inline]
    pub fn send_timeout(&mut self, message: impl AsRef<[u8]>, deadline: impl Into<Deadline>) -> Result<()> {
        let (message, deadline) = (message.as_ref(), deadline.into());
        self.settings.check(message)?;
        let sent = any!(&mut self.mechanism, end => end.send(message, deadline));
        sent.map_err(|error| error.about(&self.settings.address))
    }

    /// Sends a message if it need not wait for that: whether it was sent.
    ///
    /// # Errors
    /// Those of [`send`](Self::send); [`Unsupported`](ErrorKind::Unsupported) for a window, since only its thread knows whether it is
    /// about to take a message.
    #[inline]
    pub fn try_send(&mut self, message: impl AsRef<[u8]>) -> Result<bool> {
        if let Mechanism::Window(_) = self.mechanism {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "whether a window takes a message at once nobody can tell before",
            )
            .about(&self.settings.address)
            .hint("send with a deadline"));
        }
        match self.send_timeout(message, Deadline::now()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits until somebody is at the other end to receive.
    ///
    /// A topic gives what is sent to those who are there: this is how to know. Of a window: until there is one.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut), and those of connecting.
    pub fn wait_for_peer(&mut self, deadline: impl Into<Deadline>) -> Result<()> {
        let deadline = deadline.into();
        let came = any!(&mut self.mechanism, end => end.wait_for_peer(deadline));
        came.map_err(|error| error.about(&self.settings.address))
    }

    /// Ends this end, as dropping it does, but first waits until what was sent needs this process no more: over a queue until it
    /// is taken, over a socket until it is in the system's hands. Everywhere else it is so when `send` returns.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut): some was left, and may be lost.
    pub fn close(self, deadline: impl Into<Deadline>) -> Result<()> {
        let closed = match self.mechanism {
            Mechanism::Queue(queue) => queue.close(deadline.into()),
            #[cfg(feature = "socket")]
            Mechanism::Socket(socket) => socket.close(deadline.into()),
            _ => Ok(()),
        };
        closed.map_err(|error| error.about(&self.settings.address))
    }

    /// The address, without the role, which the other end has not; of a socket that listens, with the port that the system chose
    /// if it said 0.
    pub fn address(&self) -> &Address {
        match &self.mechanism {
            #[cfg(feature = "socket")]
            Mechanism::Socket(socket) => socket.address().unwrap_or(&self.settings.address),
            _ => &self.settings.address,
        }
    }
}
