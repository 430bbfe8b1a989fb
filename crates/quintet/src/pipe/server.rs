use super::{Access, Direction, PipeMode, PipeStream, address_of, checked_max_message, name_in};
use crate::cleanup::Registration;
use crate::os::pipe::Listener;
use crate::os::pipe_types::{DEFAULT_MAX_MESSAGE, ServerOptions};
use crate::{Address, Deadline, Error, ErrorKind, Name, Result};
use std::sync::Arc;

/// The serving end of a named pipe: it has the name, and clients connect to it.
///
/// Exactly one Quintet server has a name at a time. When it is dropped or its process ends, however it ends, the name is
/// free again; streams that were accepted live on by themselves. ([`std::process::exit`] drops nothing: see
/// [`cleanup`](crate::cleanup).)
///
/// Threads may call [`accept`](Self::accept) on one server at the same time; each gets clients of its own.
///
/// ```
/// use quintet::pipe::{Direction, PipeClient, PipeMode, PipeServer};
/// use std::time::Duration;
///
/// # let name = format!("server-doc-{}", std::process::id());
/// let server = PipeServer::builder(&name)?
///     .mode(PipeMode::Message)
///     .max_instances(1)
///     .create()?;
/// let client = PipeClient::connect(&name)?;
/// let stream = server.accept_timeout(Duration::from_secs(5))?;
/// stream.write_message("hello")?;
/// assert_eq!(client.read_message()?.unwrap(), b"hello");
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct PipeServer {
    address: Address,
    listener: Arc<Listener>,
    max_message: u64,
    _registration: Registration,
}

impl PipeServer {
    /// Creates a server with the defaults of [`builder`](Self::builder).
    ///
    /// # Errors
    /// Those of [`PipeServerBuilder::create`], and of [`Name::new`].
    pub fn create<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        PipeServer::builder(name)?.create()
    }

    /// Says how a server is to be: by default byte mode, both directions, any number of instances, for the current
    /// user's processes only, messages of up to 1 GiB.
    ///
    /// # Errors
    /// Those of [`Name::new`].
    pub fn builder<N>(name: N) -> Result<PipeServerBuilder>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Ok(PipeServerBuilder {
            name: name.try_into()?,
            max_instances: None,
            options: ServerOptions {
                direction: Direction::default(),
                mode: PipeMode::default(),
                max_instances: None,
                in_buffer: None,
                out_buffer: None,
                access: Access::default(),
                max_message: DEFAULT_MAX_MESSAGE,
            },
        })
    }

    /// As [`builder`](Self::builder), for an address: `pipe://NAME?mode=message&max_instances=4`. Its options are the
    /// builder's methods.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidAddress`] for an address that is not a pipe's, an unknown option, a value that makes no
    /// sense.
    ///
    /// ```
    /// use quintet::pipe::PipeServer;
    /// # let name = format!("server-at-doc-{}", std::process::id());
    /// let server = PipeServer::at(&format!("pipe://{name}?mode=message").parse()?)?.create()?;
    /// assert!(PipeServer::at(&"pipe://x?mode=massage".parse()?).is_err());
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn at(address: &Address) -> Result<PipeServerBuilder> {
        let mut builder = PipeServer::builder(&name_in(address)?)?;
        let options = &mut builder.options;
        options.mode = address.parse_option("mode")?.unwrap_or_default();
        options.direction = address.parse_option("direction")?.unwrap_or_default();
        options.access = address.parse_option("access")?.unwrap_or_default();
        options.in_buffer = address.parse_option("in_buffer")?;
        options.out_buffer = address.parse_option("out_buffer")?;
        options.max_message = address
            .parse_option("max_message")?
            .unwrap_or(DEFAULT_MAX_MESSAGE);
        builder.max_instances = address.parse_option("max_instances")?;
        Ok(builder)
    }

    /// Waits for a client and takes it, without a limit of time.
    ///
    /// With [`max_instances`](PipeServerBuilder::max_instances) clients connected, it waits until one of their streams
    /// is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if another program has taken the name from this server (on Linux a .NET server can), found
    /// out within a second; [`ErrorKind::NotFound`] if the socket file has been removed; [`ErrorKind::Full`] without a
    /// free descriptor (the client stays queued).
    pub fn accept(&self) -> Result<PipeStream> {
        self.accept_timeout(Deadline::NEVER)
    }

    /// As [`accept`](Self::accept), until a deadline. A zero duration takes a client that is waiting already.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `accept`.
    pub fn accept_timeout(&self, deadline: impl Into<Deadline>) -> Result<PipeStream> {
        let connection = self
            .listener
            .accept(deadline.into())
            .map_err(|error| error.about(&self.address))?;
        Ok(PipeStream::new(
            self.address.clone(),
            connection,
            self.max_message,
        ))
    }

    /// The address that clients connect to.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// How a [`PipeServer`] is to be.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `create`"]
pub struct PipeServerBuilder {
    name: Name,
    max_instances: Option<u32>,
    options: ServerOptions,
}

impl PipeServerBuilder {
    /// Bytes or messages. Clients that name no mode follow it.
    pub fn mode(mut self, mode: PipeMode) -> Self {
        self.options.mode = mode;
        self
    }

    /// Which way data goes, seen from the server. On Windows a client must fit: an `InOut` client is refused by a
    /// one-way server. On Linux it is let in, and using the missing direction fails or ends at once.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.options.direction = direction;
        self
    }

    /// How many clients at once, 1 to 254. Further ones wait, or learn that all instances are busy.
    pub fn max_instances(mut self, clients: u32) -> Self {
        self.max_instances = Some(clients);
        self
    }

    /// Bytes to buffer from clients; advice to the system. On Linux the writer's own
    /// [`out_buffer`](Self::out_buffer) decides.
    pub fn in_buffer(mut self, bytes: u32) -> Self {
        self.options.in_buffer = Some(bytes);
        self
    }

    /// Bytes to buffer towards clients; advice to the system.
    pub fn out_buffer(mut self, bytes: u32) -> Self {
        self.options.out_buffer = Some(bytes);
        self
    }

    /// Whose clients are let in.
    pub fn access(mut self, access: Access) -> Self {
        self.options.access = access;
        self
    }

    /// The longest message in bytes, either way; 1 GiB unless told. Longer ones fail to be sent; receiving one breaks
    /// the connection.
    pub fn max_message(mut self, bytes: u64) -> Self {
        self.options.max_message = bytes;
        self
    }

    /// Creates the server and takes the name.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if a living server has the name, Quintet's or not; [`ErrorKind::AlreadyExists`] if a file
    /// that is not a socket is in its place (it is left alone); [`ErrorKind::PermissionDenied`] if another user's is, or
    /// the runtime folder is not ours; [`ErrorKind::NotFound`] if the folder `$TMPDIR` does not exist;
    /// [`ErrorKind::TooLarge`] if the socket's path is longer than the system takes (107 bytes);
    /// [`ErrorKind::InvalidAddress`] for a number of instances that is not 1 to 254.
    pub fn create(mut self) -> Result<PipeServer> {
        let address = address_of(&self.name)?;
        let about = |error: Error| error.about(&address);
        if let Some(max) = self.max_instances {
            if !(1..=254).contains(&max) {
                return Err(about(
                    Error::new(ErrorKind::InvalidAddress, format!("max_instances is {max}"))
                        .hint("it can be 1 to 254; leave it out for any number"),
                ));
            }
            self.options.max_instances = Some(max);
        }
        checked_max_message(self.options.max_message).map_err(about)?;
        let (listener, registration) = Registration::of(
            || Listener::create(&self.name, &self.options).map(Arc::new),
            Listener::release_name,
        )
        .map_err(about)?;
        Ok(PipeServer {
            address,
            listener,
            max_message: self.options.max_message,
            _registration: registration,
        })
    }
}
