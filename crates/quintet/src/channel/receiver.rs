use super::Channel;
#[cfg(target_os = "linux")]
use super::fifos::FifoReceiver;
use super::mailboxes::MailboxReceiver;
use super::pipes::Pipe;
use super::queues::QueueReceiver;
use super::settings::Settings;
#[cfg(feature = "socket")]
use super::sockets::Socket;
use super::topics::TopicReceiver;
use super::windows::WindowReceiver;
use crate::{Address, Deadline, Error, ErrorKind, Result, Scheme};

/// The end of a channel that receives, over the mechanism that its address names.
///
/// When [`recv`](Self::recv) ends without a message: [the table](super).
///
/// ```
/// use quintet::ErrorKind;
/// use quintet::channel::{Receiver, Sender};
/// # let addresses = ["pipe", "queue"].map(|scheme| format!("{scheme}://receiver-doc-{}", std::process::id()));
///
/// for address in addresses {
///     let mut receiver = Receiver::open(&address)?;
///     let worker = std::thread::spawn(move || {
///         let mut sender = Sender::open(&address)?;
///         sender.send("one")?;
///         sender.send("two")
///     });
///     let (mut message, mut all) = (Vec::new(), Vec::new());
///     let end = loop {
///         match receiver.recv(&mut message) {
///             Ok(()) => all.extend_from_slice(&message),
///             Err(error) => break error,
///         }
///     };
///     assert_eq!((&all[..], end.kind()), (&b"onetwo"[..], ErrorKind::Disconnected));
///     worker.join().unwrap()?;
/// }
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Receiver {
    mechanism: Mechanism,
    settings: Settings,
}

#[derive(Debug)]
enum Mechanism {
    Pipe(Pipe),
    Queue(QueueReceiver),
    Topic(TopicReceiver),
    Mailbox(MailboxReceiver),
    #[cfg(feature = "socket")]
    Socket(Socket),
    Window(WindowReceiver),
    #[cfg(target_os = "linux")]
    Fifo(FifoReceiver),
}

impl Receiver {
    /// Opens the receiving end at an address, which has all options: see [`Channel`]. Does not wait for the other end.
    ///
    /// # Errors
    /// Those of [`Channel::receiver`].
    pub fn open<A>(address: A) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        Channel::at(address)?.receiver()
    }

    pub(super) fn new(settings: Settings) -> Result<Self> {
        let mechanism = match settings.address.scheme() {
            Scheme::Pipe => Pipe::open(&settings).map(Mechanism::Pipe),
            Scheme::Queue => QueueReceiver::open(&settings).map(Mechanism::Queue),
            Scheme::Topic => TopicReceiver::open(&settings).map(Mechanism::Topic),
            Scheme::Mailbox => MailboxReceiver::open(&settings).map(Mechanism::Mailbox),
            #[cfg(feature = "socket")]
            Scheme::Tcp | Scheme::Unix | Scheme::Ipc => Socket::open(&settings).map(Mechanism::Socket),
            Scheme::Window => WindowReceiver::open(&settings).map(Mechanism::Window),
            #[cfg(target_os = "linux")]
            Scheme::Fifo => FifoReceiver::open(&settings).map(Mechanism::Fifo),
            _ => Err(super::not_here()),
        };
        Ok(Receiver {
            mechanism: mechanism.map_err(|error| error.about(&settings.address))?,
            settings,
        })
    }

    pub(super) fn of_pipe(pipe: Pipe, settings: Settings) -> Self {
        Receiver {
            mechanism: Mechanism::Pipe(pipe),
            settings,
        }
    }

    #[cfg(feature = "socket")]
    pub(super) fn of_socket(socket: Socket, settings: Settings) -> Self {
        Receiver {
            mechanism: Mechanism::Socket(socket),
            settings,
        }
    }

    /// Receives the next message, as soon as there is one; its bytes become those of `message`, whose memory is used again. After
    /// an error `message` has anything.
    ///
    /// # Errors
    /// [`Disconnected`](ErrorKind::Disconnected) when the other end was there and has gone, or died, and everything has been
    /// received, once: the next call waits for another one to come; or when it died in the middle of a message, of which nothing is
    /// shown. [`Corrupt`](ErrorKind::Corrupt) for what is no message, [`TooLarge`](ErrorKind::TooLarge) for one beyond `max_message`:
    /// a connection ends with that. On Linux [`Unsupported`](ErrorKind::Unsupported) in a forked child, and of a window in
    /// another thread than that which opened this.
    pub fn recv(&mut self, message: &mut Vec<u8>) -> Result<()> {
        self.recv_timeout(message, Deadline::NEVER)
    }

    /// As [`recv`](Self::recv), until a deadline.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) besides those of `recv`: nothing was taken.
    #[inline]
    pub fn recv_timeout(&mut self, message: &mut Vec<u8>, deadline: impl Into<Deadline>) -> Result<()> {
        let deadline = deadline.into();
        let received = match &mut self.mechanism {
            Mechanism::Pipe(end) => end.recv(message, deadline),
            Mechanism::Queue(end) => end.recv(message, deadline),
            Mechanism::Topic(end) => end.recv(message, deadline),
            Mechanism::Mailbox(end) => end.recv(message, deadline),
            #[cfg(feature = "socket")]
            Mechanism::Socket(end) => end.recv(message, deadline),
            Mechanism::Window(end) => end.recv(message, deadline),
            #[cfg(target_os = "linux")]
            Mechanism::Fifo(end) => end.recv(message, deadline),
        };
        received.map_err(|error| error.about(&self.settings.address))
    }

    /// Receives the next message if there is one now: whether there was.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&mut self, message: &mut Vec<u8>) -> Result<bool> {
        match self.recv_timeout(message, Deadline::now()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits until somebody is at the other end to send.
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut), and those of connecting; [`Unsupported`](ErrorKind::Unsupported) of a window, which does not
    /// know who will send to it.
    pub fn wait_for_peer(&mut self, deadline: impl Into<Deadline>) -> Result<()> {
        let deadline = deadline.into();
        let came = match &mut self.mechanism {
            Mechanism::Pipe(end) => end.wait_for_peer(deadline),
            Mechanism::Queue(end) => end.wait_for_peer(deadline),
            Mechanism::Topic(end) => end.wait_for_peer(deadline),
            Mechanism::Mailbox(end) => end.wait_for_peer(deadline),
            #[cfg(feature = "socket")]
            Mechanism::Socket(end) => end.wait_for_peer(deadline),
            Mechanism::Window(_) => Err(Error::new(
                ErrorKind::Unsupported,
                "a window does not know who will send to it",
            )),
            #[cfg(target_os = "linux")]
            Mechanism::Fifo(end) => end.wait_for_peer(deadline),
        };
        came.map_err(|error| error.about(&self.settings.address))
    }

    /// How many messages went by because this end was too slow: of a topic, those that were overwritten, and of a mailbox, the values
    /// between those that it received. Nothing else lets messages go by.
    pub fn lost(&mut self) -> u64 {
        match &mut self.mechanism {
            Mechanism::Topic(end) => end.lost(),
            Mechanism::Mailbox(end) => end.lost(),
            _ => 0,
        }
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
