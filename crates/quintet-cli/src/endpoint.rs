//! Opens the end of the pipe that the arguments ask for.

use crate::args::EndpointArgs;
use crate::failure::Failure;
use crate::note;
use quintet::pipe::{Direction, PipeClient, PipeServer, PipeStream};
use quintet::{Address, Deadline, ErrorKind, Scheme, named};
use std::time::Duration;

/// After this a person is told what is being waited for.
const PATIENCE: Duration = Duration::from_millis(700);

/// One end, about to be connected.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: Address,
    pub(crate) deadline: Deadline,
    pub(crate) listens: bool,
}

impl Endpoint {
    /// `listens`: what the verb does unless told.
    pub(crate) fn new(address: &Address, args: &EndpointArgs, listens: bool) -> Result<Self, Failure> {
        if address.scheme() != Scheme::Pipe {
            // Says which schemes there are.
            named::kind(address.scheme())?;
        }
        let seconds = |time: &Duration| time.as_secs_f64().to_string();
        let options = [
            ("mode", args.mode.map(|mode| mode.to_string())),
            ("direction", args.direction.map(|direction| direction.to_string())),
            ("max_instances", args.max_instances.map(|n| n.to_string())),
            ("access", args.access.map(|access| access.to_string())),
            ("max_message", args.max_message.map(|bytes| bytes.to_string())),
            ("in_buffer", args.in_buffer.map(|bytes| bytes.to_string())),
            ("out_buffer", args.out_buffer.map(|bytes| bytes.to_string())),
            ("connect_timeout", args.connect_timeout.as_ref().map(seconds)),
        ];
        let mut address = address.clone();
        for (key, value) in options {
            if let Some(value) = value {
                address = address.with_option(key, value);
            }
        }
        Ok(Endpoint {
            address,
            deadline: args.timeout.into(),
            listens: args.listen || (listens && !args.connect),
        })
    }

    /// Creates the server.
    pub(crate) fn serve(&self) -> Result<PipeServer, Failure> {
        let server = PipeServer::at(&self.address)?.create()?;
        note::say(|| format!("listening at {} (Ctrl-C to stop)", server.address()));
        Ok(server)
    }

    /// Takes the next client.
    pub(crate) fn accept(&self, server: &PipeServer) -> Result<PipeStream, Failure> {
        let stream = server.accept_timeout(self.deadline)?;
        self.limit(&stream);
        Ok(stream)
    }

    /// Connects to a server, with a direction unless the address has one.
    pub(crate) fn connect(&self, direction: Direction) -> Result<PipeStream, Failure> {
        let address = match self.address.option("direction") {
            Some(_) => self.address.clone(),
            None => self
                .address
                .clone()
                .with_option("direction", direction.to_string()),
        };
        let client = PipeClient::at(&address)?;
        if address.option("connect_timeout").is_some() {
            let stream = client.connect()?;
            self.limit(&stream);
            return Ok(stream);
        }
        let first = self
            .deadline
            .remaining()
            .map_or(PATIENCE, |left| left.min(PATIENCE));
        let stream = match client.clone().connect_timeout(first).connect() {
            Err(error) if error.kind() == ErrorKind::TimedOut && !self.deadline.has_passed() => {
                note::say(|| {
                    format!(
                        "waiting for {} (Ctrl-C to stop)",
                        address.clone().without_options()
                    )
                });
                client.connect_deadline(self.deadline).connect()?
            }
            done => done?,
        };
        self.limit(&stream);
        Ok(stream)
    }

    /// Lets no read or write go on beyond the command's deadline.
    pub(crate) fn limit(&self, stream: &PipeStream) {
        if !self.deadline.is_never() {
            stream.set_read_timeout(self.deadline.remaining());
            stream.set_write_timeout(self.deadline.remaining());
        }
    }
}
