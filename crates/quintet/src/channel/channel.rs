use super::settings::{Purpose, Settings};
use super::{Duplex, Receiver, Sender};
use crate::os::types::Access;
use crate::{Address, Error, Result};

/// How an end of a channel is to be: an address and its options, some of which the program may say in place of the
/// configuration file.
///
/// | option | method | means |
/// |---|---|---|
/// | `role=listen`, `role=connect` | [`listen`](Self::listen), [`connect`](Self::connect) | who makes the object; unless told, who receives |
/// | `max_message=BYTES` | [`max_message`](Self::max_message) | the longest message that has to fit, and that is let through |
/// | `access=user`, `access=everyone` | [`access`](Self::access) | whose processes may be at the other end |
///
/// And of the mechanism: `in_buffer`, `out_buffer` (pipe); `capacity`, `producers`, `persistent` (queue); `capacity`, `publishers`,
/// `subscribe`, `persistent`, `depth` (topic); `size`, `in_place`, `persistent` (mailbox); `pattern=push|pair`, `linger` in seconds
/// (sockets); `class`, and to send `process`, `pid`, `hwnd`, `id` (window).
///
/// ```
/// use quintet::channel::Channel;
///
/// # let address = format!("queue://channel-doc-{}", std::process::id());
/// let mut frames = Channel::at(&address)?.max_message(1_000_000).option("producers", "1").receiver()?;
/// let mut camera = Channel::at(&address)?.max_message(1_000_000).option("producers", "1").sender()?;
/// camera.send(vec![7; 1_000_000])?;
/// let mut frame = Vec::new();
/// frames.recv(&mut frame)?;
/// assert_eq!(frame.len(), 1_000_000);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until an end is opened"]
pub struct Channel {
    address: Address,
}

impl Channel {
    /// The channel at an address, with the options that the address has.
    ///
    /// # Errors
    /// [`InvalidAddress`](crate::ErrorKind::InvalidAddress). Whether the options make sense turns out when an end is opened.
    pub fn at<A>(address: A) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        let address = address.try_into()?;
        Ok(Channel { address })
    }

    /// Any option, in place of what the address says.
    pub fn option(mut self, key: &str, value: &str) -> Self {
        self.address = self.address.with_option(key, value);
        self
    }

    /// This end makes the object, and the other looks for it.
    pub fn listen(self) -> Self {
        self.option("role", "listen")
    }

    /// This end looks for the object, and waits for it in its calls.
    pub fn connect(self) -> Self {
        self.option("role", "connect")
    }

    /// The longest message in bytes. Queues, topics and mailboxes are made so that it fits; a longer one is
    /// [`TooLarge`](crate::ErrorKind::TooLarge), whatever the mechanism. Unless told: what the mechanism has (see [the table](super)).
    pub fn max_message(self, bytes: u64) -> Self {
        self.option("max_message", &bytes.to_string())
    }

    /// Whose processes may be at the other end.
    pub fn access(self, access: Access) -> Self {
        self.option("access", &access.to_string())
    }

    /// Opens the end that sends. Does not wait for the other end.
    ///
    /// # Errors
    /// [`InvalidAddress`](crate::ErrorKind::InvalidAddress) for an option that the mechanism does not have, or a value that makes no sense;
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a scheme that carries no messages, or that this system does not have;
    /// those of making or opening the object: [`Busy`](crate::ErrorKind::Busy), [`AlreadyExists`](crate::ErrorKind::AlreadyExists),
    /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied), [`Corrupt`](crate::ErrorKind::Corrupt),
    /// [`TooLarge`](crate::ErrorKind::TooLarge) if what is there has less room than `max_message`,
    /// [`Full`](crate::ErrorKind::Full). That there is nothing yet to connect to is no error.
    pub fn sender(self) -> Result<Sender> {
        Sender::new(Settings::new(self.address, Purpose::Send)?)
    }

    /// Opens the end that receives. Does not wait for the other end.
    ///
    /// # Errors
    /// Those of [`sender`](Self::sender).
    pub fn receiver(self) -> Result<Receiver> {
        Receiver::new(Settings::new(self.address, Purpose::Receive)?)
    }

    /// Opens an end of a conversation, over a pipe or a socket. It connects unless it is told to [listen](Self::listen). Does not
    /// wait for the other end.
    ///
    /// # Errors
    /// Those of [`sender`](Self::sender); [`Unsupported`](crate::ErrorKind::Unsupported) for mechanisms that go one way only.
    pub fn duplex(self) -> Result<Duplex> {
        Duplex::new(Settings::new(self.address, Purpose::Both)?)
    }
}
