//! Opens the end of the pipe, or of the FIFO file, that the arguments ask for.

use crate::args::EndpointArgs;
use crate::connection::Incoming;
use crate::failure::Failure;
use crate::fifo::Fifo;
use crate::note;
use crate::object;
use crate::patience;
use crate::queue::QueueEnd;
use crate::socket::SocketEnd;
use crate::topic::TopicEnd;
use crate::verbs;
use quintet::pipe::{Direction, PipeClient, PipeMode, PipeServer, PipeStream};
use quintet::{Address, Deadline, Error, ErrorKind, Scheme, named};
use std::fmt;
use std::time::Duration;

/// The least to wait: even `--timeout 0` ends by its deadline (exit code 124), not by a server's not being there.
pub(crate) const INSTANT: Duration = Duration::from_millis(1);

/// How often to look whether a descriptor is free again.
const SHORTAGE: Duration = Duration::from_millis(50);

/// The library's own default.
const DEFAULT_MAX_MESSAGE: u64 = 1 << 30;

/// One end, about to be connected.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) end: End,
    pub(crate) deadline: Deadline,
    /// The mode, where it is known before there is a connection.
    pub(crate) mode: Option<PipeMode>,
    /// No message is longer, and no line either.
    pub(crate) max_message: u64,
}

/// What it is an end of.
#[derive(Debug)]
pub(crate) enum End {
    Pipe(PipeEnd),
    Fifo(Fifo),
    Queue(QueueEnd),
    Topic(TopicEnd),
    Socket(SocketEnd),
}

impl Endpoint {
    /// `direction`: which way the verb sends data. `many`: a server talks to several clients at once.
    pub(crate) fn new(
        address: &Address,
        args: &EndpointArgs,
        direction: Direction,
        many: bool,
    ) -> Result<Self, Failure> {
        verbs::check(
            if direction == Direction::In {
                "recv"
            } else {
                "send"
            },
            address,
        )?;
        if let Some(socket) = SocketEnd::of_verb(address, args, direction)? {
            let mode = socket.mode();
            return Ok(Endpoint {
                end: End::Socket(socket),
                deadline: args.timeout.into(),
                mode: Some(mode),
                max_message: args.max_message.unwrap_or(DEFAULT_MAX_MESSAGE),
            });
        }
        if let Some(fifo) = Fifo::at(address, args)? {
            return Ok(Endpoint {
                end: End::Fifo(fifo),
                deadline: args.timeout.into(),
                mode: Some(PipeMode::Byte),
                max_message: args
                    .max_message
                    .or_else(|| option(address, "max_message"))
                    .unwrap_or(DEFAULT_MAX_MESSAGE),
            });
        }
        let queue = QueueEnd::at(address, args)?.map(End::Queue);
        let topic = TopicEnd::at(address, args)?.map(End::Topic);
        if let Some(end) = queue.or(topic) {
            return Ok(Endpoint {
                end,
                deadline: args.timeout.into(),
                mode: Some(PipeMode::Message),
                // The queue, or the topic, itself says which message is too long.
                max_message: u64::MAX,
            });
        }
        not_for_queues(args)?;
        // Finds what is wrong with the address as it was given; with the flags in it, it would not be recognised.
        let _ = (PipeServer::at(address)?, PipeClient::at(address)?);
        let listens = args.listen || (direction == Direction::In && !args.connect);
        check_flags(args, listens)?;
        let flags = [
            ("mode", args.mode.map(|mode| mode.to_string())),
            ("direction", args.direction.map(|direction| direction.to_string())),
            ("max_instances", args.max_instances.map(|n| n.to_string())),
            ("access", args.access.map(|access| access.to_string())),
            ("max_message", args.max_message.map(|bytes| bytes.to_string())),
            ("in_buffer", args.in_buffer.map(|bytes| bytes.to_string())),
            ("out_buffer", args.out_buffer.map(|bytes| bytes.to_string())),
        ];
        let mut address = object::with_flags(address, flags);
        if listens && !many && address.option("max_instances").is_none() {
            // Who comes while another client is served has to wait, and does not take what it wrote for received.
            address = address.with_option("max_instances", "1");
        }
        let deadline = args.timeout.into();
        Ok(Endpoint {
            deadline,
            mode: option(&address, "mode").or(listens.then_some(PipeMode::Byte)),
            max_message: option(&address, "max_message").unwrap_or(DEFAULT_MAX_MESSAGE),
            end: End::Pipe(PipeEnd {
                listens,
                deadline,
                connect_timeout: args.connect_timeout.or_else(|| {
                    option(&address, "connect_timeout")
                        .and_then(|time| Duration::try_from_secs_f64(time).ok())
                }),
                direction: checked_direction(&address, direction)?,
                address,
            }),
        })
    }

    /// What makes records of the bytes.
    pub(crate) fn what_has_records(&self) -> &'static str {
        match self.end {
            End::Pipe(_) | End::Socket(_) => "--lines, or --mode message",
            End::Fifo(_) | End::Queue(_) | End::Topic(_) => "--lines",
        }
    }

    /// How to read: a client may read a pipe of messages as bytes.
    pub(crate) fn mode_of(&self, incoming: &Incoming) -> PipeMode {
        self.mode.unwrap_or(incoming.mode())
    }
}

/// An end of a named pipe.
#[derive(Debug)]
pub(crate) struct PipeEnd {
    /// With all options that it has, by flag or not.
    address: Address,
    deadline: Deadline,
    pub(crate) listens: bool,
    connect_timeout: Option<Duration>,
    direction: Direction,
}

impl PipeEnd {
    /// Creates the server.
    pub(crate) fn serve(&self) -> Result<PipeServer, Failure> {
        let server = PipeServer::at(&self.address)?
            .create()
            .map_err(|error| self.taken(error))?;
        note::say(|| format!("listening at {} (Ctrl-C to stop)", server.address()));
        Ok(server)
    }

    /// Says who has the name, if that is why there can be no server.
    fn taken(&self, error: Error) -> Failure {
        let holder = || {
            let entry = named::kind(self.address.scheme()).ok()?;
            let entry = entry.stat(self.address.name().ok()?).ok()?;
            Some(entry.holders.first()?.to_string())
        };
        match (error.kind(), holder()) {
            (ErrorKind::Busy, Some(holder)) => Failure::Failed(format!("{error}: {holder}")),
            _ => error.into(),
        }
    }

    /// Takes the next client.
    pub(crate) fn accept(&self, server: &PipeServer) -> Result<PipeStream, Failure> {
        let mut told = false;
        loop {
            match server.accept_timeout(self.deadline) {
                Ok(stream) => return Ok(stream),
                // It comes back when another client leaves; this one stays queued.
                Err(error) if error.kind() == ErrorKind::Full && !self.deadline.has_passed() => {
                    if !told {
                        note::complain(error);
                        told = true;
                    }
                    std::thread::sleep(SHORTAGE);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Connects to a server.
    pub(crate) fn connect(&self) -> Result<PipeStream, Failure> {
        let client = PipeClient::at(&self.address)?.direction(self.direction);
        let times = [self.connect_timeout, self.deadline.remaining()];
        let time = times.into_iter().flatten().min();
        wait_for(self.address.clone().without_options(), time, |time| {
            let client = client.clone();
            match time {
                Some(time) => client.connect_timeout(time).connect(),
                None => client.connect(),
            }
        })
    }
}

/// Waits so long for the other end to be there; after a while a person is told.
pub(crate) fn wait_for<T>(
    what: impl fmt::Display,
    time: Option<Duration>,
    connect: impl Fn(Option<Duration>) -> quintet::Result<T>,
) -> Result<T, Failure> {
    let time = time.map(|time| time.max(INSTANT));
    Ok(patience::wait_for(time, || what.to_string(), connect)?)
}

/// Refuses flags that would mean nothing at this end.
fn check_flags(args: &EndpointArgs, listens: bool) -> Result<(), Failure> {
    let (flags, end, other) = if listens {
        (
            vec![("--connect-timeout", args.connect_timeout.is_some())],
            "a client",
            "--connect",
        )
    } else {
        let flags = vec![
            ("--max-instances", args.max_instances.is_some()),
            ("--in-buffer", args.in_buffer.is_some()),
            ("--out-buffer", args.out_buffer.is_some()),
        ];
        (flags, "a server", "--listen")
    };
    match flags.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(Failure::Usage(format!("{flag} is for {end}: add {other}"))),
        None => Ok(()),
    }
}

/// Refuses flags that are for queues and topics.
pub(crate) fn not_for_queues(args: &EndpointArgs) -> Result<(), Failure> {
    match args.for_queues() {
        Some(why) => Err(Failure::Usage(why)),
        None => Ok(()),
    }
}

/// Refuses a flag that is for windows, if one was given for anything else.
pub(crate) fn for_windows(address: &Address, given: Option<&str>) -> Result<(), Failure> {
    match given {
        Some(flag) if address.scheme() != Scheme::Window => {
            Err(Failure::Usage(format!("{flag} is for window://")))
        }
        _ => Ok(()),
    }
}

/// Refuses flags that are for anything but windows.
pub(crate) fn not_for_windows(args: &EndpointArgs) -> Result<(), Failure> {
    let more = args.max_message.map(|_| "--max-message");
    match args.for_pipes().or(more) {
        Some(flag) => Err(Failure::Usage(format!("{flag} is not for window://"))),
        None => not_for_queues(args),
    }
}

/// The direction to open, which the verb has to be able to use.
fn checked_direction(address: &Address, verb: Direction) -> Result<Direction, Failure> {
    match option(address, "direction") {
        Some(direction) if direction != verb && direction != Direction::InOut => Err(Failure::Usage(
            format!("with direction {direction} there is no way for the data: it can be {verb} or inout"),
        )),
        given => Ok(given.unwrap_or(verb)),
    }
}

/// An option of an address that was checked.
pub(crate) fn option<T: std::str::FromStr>(address: &Address, key: &str) -> Option<T> {
    address.option(key)?.parse().ok()
}
