use super::{Access, Direction, PipeMode, PipeStream, address_of, checked_max_message, name_in};
use crate::os;
use crate::os::pipe_types::{ClientOptions, DEFAULT_MAX_MESSAGE};
use crate::{Address, Deadline, Error, Name, Result};
use std::time::Duration;

/// The connecting end of a named pipe: its functions give a connected [`PipeStream`].
///
/// ```no_run
/// use quintet::pipe::{Direction, PipeClient};
/// use std::time::Duration;
///
/// let mut bytes = [0; 100];
/// let stream = PipeClient::builder("TestPipe")?
///     .direction(Direction::In)
///     .connect_timeout(Duration::from_secs(5))
///     .connect()?;
/// loop {
///     let count = stream.read(&mut bytes)?;
///     print!("{}", String::from_utf8_lossy(&bytes[..count]));
///     if stream.is_message_complete() {
///         break;
///     }
/// }
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct PipeClient(std::convert::Infallible);

impl PipeClient {
    /// Connects to a server, waiting without a limit of time for one to appear or a busy one to become free.
    ///
    /// # Errors
    /// Those of [`PipeClientBuilder::connect`], and of [`Name::new`].
    ///
    /// ```no_run
    /// use quintet::pipe::PipeClient;
    /// PipeClient::connect("TestPipe")?.write(b"hello")?;
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn connect<N>(name: N) -> Result<PipeStream>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        PipeClient::builder(name)?.connect()
    }

    /// Says how to connect: by default both directions, in the server's mode, to a server of the current user only,
    /// waiting as long as it takes, with messages of up to 1 GiB.
    ///
    /// # Errors
    /// Those of [`Name::new`].
    pub fn builder<N>(name: N) -> Result<PipeClientBuilder>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Ok(PipeClientBuilder {
            name: name.try_into()?,
            deadline: Patience::Forever,
            options: ClientOptions {
                direction: Direction::default(),
                mode: None,
                access: Access::default(),
                max_message: DEFAULT_MAX_MESSAGE,
            },
        })
    }

    /// As [`builder`](Self::builder), for an address: `pipe://NAME?direction=in`. Its options are the builder's methods
    /// (`connect_timeout` in seconds); those that only a server has are accepted and mean nothing here.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidAddress`](crate::ErrorKind::InvalidAddress) for an address that is not a pipe's, an unknown
    /// option, a value that makes no sense.
    pub fn at(address: &Address) -> Result<PipeClientBuilder> {
        let mut builder = PipeClient::builder(&name_in(address)?)?;
        let options = &mut builder.options;
        options.mode = address.parse_option("mode")?;
        options.direction = address.parse_option("direction")?.unwrap_or_default();
        options.access = address.parse_option("access")?.unwrap_or_default();
        options.max_message = address
            .parse_option("max_message")?
            .unwrap_or(DEFAULT_MAX_MESSAGE);
        if let Some(seconds) = address.parse_option::<f64>("connect_timeout")? {
            let timeout = Duration::try_from_secs_f64(seconds).map_err(|why| {
                Error::new(
                    crate::ErrorKind::InvalidAddress,
                    format!("the option connect_timeout={seconds} is not a time: {why}"),
                )
                .about(address)
            })?;
            builder.deadline = Patience::For(timeout);
        }
        Ok(builder)
    }
}

/// How long to wait. A duration counts from the call of `connect`, not from when it was said.
#[derive(Clone, Copy, Debug)]
enum Patience {
    Forever,
    For(Duration),
    Until(Deadline),
}

/// How to connect to a [`PipeServer`](super::PipeServer).
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `connect`"]
pub struct PipeClientBuilder {
    name: Name,
    deadline: Patience,
    options: ClientOptions,
}

impl PipeClientBuilder {
    /// How to read: as the server's pipe is, unless told. [`PipeMode::Byte`] on a message-mode pipe reads across the
    /// boundaries; [`PipeMode::Message`] on a byte-mode pipe is refused.
    pub fn mode(mut self, mode: PipeMode) -> Self {
        self.options.mode = Some(mode);
        self
    }

    /// Which way data goes, seen from the client.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.options.direction = direction;
        self
    }

    /// Whose server is acceptable.
    pub fn access(mut self, access: Access) -> Self {
        self.options.access = access;
        self
    }

    /// The longest message in bytes, either way; 1 GiB unless told.
    pub fn max_message(mut self, bytes: u64) -> Self {
        self.options.max_message = bytes;
        self
    }

    /// How long to wait for a server to appear or a busy one to become free; zero not to wait at all.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.deadline = Patience::For(timeout);
        self
    }

    /// As [`connect_timeout`](Self::connect_timeout), until a moment that other calls share.
    pub fn connect_deadline(mut self, deadline: Deadline) -> Self {
        self.deadline = Patience::Until(deadline);
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) when no server had an instance for us in time; with a timeout of
    /// zero, `NotFound` or `Busy` say which it was. `PermissionDenied` if the server does not let us in or is of
    /// another user; `Unsupported` for message mode on a byte-mode pipe; `Corrupt` if something that is no pipe has its
    /// place; `NotFound` if the folder `$TMPDIR` does not exist; `TooLarge` for a path beyond the system's limit.
    pub fn connect(self) -> Result<PipeStream> {
        let address = address_of(&self.name)?;
        let deadline = match self.deadline {
            Patience::Forever => Deadline::NEVER,
            Patience::For(timeout) => Deadline::after(timeout),
            Patience::Until(deadline) => deadline,
        };
        checked_max_message(self.options.max_message)
            .and_then(|_| os::pipe::connect(&self.name, &self.options, deadline))
            .map(|connection| PipeStream::new(address.clone(), connection, self.options.max_message))
            .map_err(|error| error.about(&address))
    }
}
