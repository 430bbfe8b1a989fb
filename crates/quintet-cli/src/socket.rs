//! The ends of a socket: streams of bytes, and the patterns that carry messages.

use crate::args::{EndpointArgs, Pattern};
use crate::connection::Messages;
use crate::endpoint::{INSTANT, not_for_queues};
use crate::failure::Failure;
use crate::note;
use crate::patience;
use crate::record::Source;
use quintet::pipe::{Direction, PipeMode};
use quintet::socket::{Access, Listener, Options, Pub, Pull, Push, Rep, Req, Stream, Sub};
use quintet::{Address, Deadline, Scheme, Target};
use std::ffi::OsString;
use std::net::ToSocketAddrs;
use std::time::Duration;

/// The library's own default.
const MAX_MESSAGE: u64 = 64 << 20;

/// One end of a socket, about to be opened.
#[derive(Debug)]
pub(crate) struct SocketEnd {
    pub(crate) address: Address,
    pub(crate) deadline: Deadline,
    pub(crate) listens: bool,
    access: Access,
    max_message: u64,
    /// What its messages are; none: bytes.
    pattern: Option<Pattern>,
    topics: Vec<OsString>,
}

/// Where messages are sent.
#[derive(Debug)]
pub(crate) enum Inlet {
    Push(Push),
    Pub(Pub),
}

/// Where messages come from.
#[derive(Debug)]
enum Outlet {
    Pull(Pull),
    Sub(Sub),
}

/// Whether an address is a socket's.
pub(crate) fn is_one(address: &Address) -> bool {
    matches!(address.scheme(), Scheme::Tcp | Scheme::Unix | Scheme::Ipc)
}

impl SocketEnd {
    /// The socket of an address; `None` if it is an address of something else. `listens`: by default.
    pub(crate) fn at(address: &Address, args: &EndpointArgs, listens: bool) -> Result<Option<Self>, Failure> {
        if !is_one(address) {
            return Ok(None);
        }
        not_for_queues(args)?;
        let for_pipes = [
            ("--direction", args.direction.is_some()),
            ("--max-instances", args.max_instances.is_some()),
            ("--in-buffer", args.in_buffer.is_some()),
            ("--out-buffer", args.out_buffer.is_some()),
            ("--connect-timeout", args.connect_timeout.is_some()),
        ];
        if let Some((flag, _)) = for_pipes.iter().find(|(_, given)| *given) {
            return Err(Failure::Usage(format!("{flag} is for pipe://")));
        }
        let messages = (args.mode == Some(PipeMode::Message)).then_some(Pattern::Work);
        Ok(Some(SocketEnd {
            address: address.clone(),
            deadline: args.timeout.into(),
            listens: args.listen || (listens && !args.connect),
            access: args.access.unwrap_or_default(),
            max_message: args.max_message.unwrap_or(MAX_MESSAGE),
            pattern: args.pattern.or(messages),
            topics: args.topics.clone(),
        }))
    }

    /// As [`at`](Self::at), of an end of a verb that sends or receives.
    pub(crate) fn of_verb(
        address: &Address,
        args: &EndpointArgs,
        direction: Direction,
    ) -> Result<Option<Self>, Failure> {
        SocketEnd::at(address, args, direction == Direction::In)
    }

    pub(crate) fn mode(&self) -> PipeMode {
        match self.pattern {
            Some(_) => PipeMode::Message,
            None => PipeMode::Byte,
        }
    }

    /// Listens for streams.
    pub(crate) fn serve(&self) -> Result<Listener, Failure> {
        let listener = Listener::listen_for(&self.address, self.access)?;
        self.say_listening(listener.address());
        Ok(listener)
    }

    fn say_listening(&self, address: &Address) {
        note::say(|| format!("listening at {address} (Ctrl-C to stop)"));
    }

    /// Connects a stream, waiting for a server to appear.
    pub(crate) fn connect(&self) -> Result<Stream, Failure> {
        if let Target::Host { host, port } = self.address.target()
            && host != "*"
            && let Err(error) = (host.as_str(), *port).to_socket_addrs()
        {
            // That will not get better by waiting.
            return Err(Failure::Failed(format!(
                "{}: the host is not known: {error}",
                self.address
            )));
        }
        let time = self.deadline.remaining().map(|time| time.max(INSTANT));
        Ok(patience::wait_until_there(
            time,
            || self.address.to_string(),
            |deadline| Stream::connect_to(&self.address, self.access, deadline),
        )?)
    }

    fn options(&self) -> Options {
        // What was sent is waited for as long as the command may take at all.
        let linger = self
            .deadline
            .remaining()
            .unwrap_or(Duration::from_secs(u32::MAX.into()));
        Options::new()
            .access(self.access)
            .max_message(self.max_message)
            .linger(linger)
    }

    /// Opens a socket to send messages through, once there is somebody to get them.
    pub(crate) fn send(&self, subscribers: usize) -> Result<Inlet, Failure> {
        let options = self.options();
        Ok(match self.pattern {
            Some(Pattern::News) => {
                let publisher = Pub::with(&options)?;
                self.open(
                    |address| publisher.listen(address),
                    |address| publisher.dial(address),
                )?;
                // Who dials has one at least, or loses all.
                let peers = subscribers.max(usize::from(!self.listens));
                if peers > 0 {
                    self.wait("a subscriber at", |time| publisher.wait_for_peers(peers, time))?;
                }
                Inlet::Pub(publisher)
            }
            _ => {
                let push = Push::with(&options)?;
                self.open(|address| push.listen(address), |address| push.dial(address))?;
                self.wait("somebody who pulls at", |time| push.wait_for_peers(1, time))?;
                Inlet::Push(push)
            }
        })
    }

    /// Opens a socket to receive messages through.
    pub(crate) fn receive(&self) -> Result<impl Messages + use<>, Failure> {
        let options = self.options();
        let outlet = match self.pattern {
            Some(Pattern::News) => {
                let subscriber = Sub::with(&options)?;
                for topic in &self.topics {
                    subscriber.subscribe(topic.as_encoded_bytes());
                }
                if self.topics.is_empty() {
                    subscriber.subscribe("");
                }
                self.open(
                    |address| subscriber.listen(address),
                    |address| subscriber.dial(address),
                )?;
                Outlet::Sub(subscriber)
            }
            _ => {
                let pull = Pull::with(&options)?;
                self.open(|address| pull.listen(address), |address| pull.dial(address))?;
                Outlet::Pull(pull)
            }
        };
        Ok((outlet, self.address.clone(), self.deadline))
    }

    /// Opens a socket to ask through.
    pub(crate) fn ask(&self) -> Result<Req, Failure> {
        let req = Req::with(&self.options())?;
        self.open(|address| req.listen(address), |address| req.dial(address))?;
        self.wait("a server at", |time| req.wait_for_peers(1, time))?;
        Ok(req)
    }

    /// Opens a socket to answer through.
    pub(crate) fn answer(&self) -> Result<Rep, Failure> {
        let rep = Rep::with(&self.options().linger(Duration::from_secs(1)))?;
        self.open(|address| rep.listen(address), |address| rep.dial(address))?;
        Ok(rep)
    }

    fn open(
        &self,
        listen: impl FnOnce(&Address) -> quintet::Result<Address>,
        dial: impl FnOnce(&Address) -> quintet::Result<()>,
    ) -> Result<(), Failure> {
        if self.listens {
            let at = listen(&self.address)?;
            self.say_listening(&at);
        } else {
            dial(&self.address)?;
        }
        Ok(())
    }

    fn wait(&self, what: &str, wait: impl Fn(Deadline) -> quintet::Result<()>) -> Result<(), Failure> {
        let time = self.deadline.remaining().map(|time| time.max(INSTANT));
        let what = || format!("{what} {}", self.address);
        patience::wait_for(time, what, |time| wait(time.into()))
            .map_err(|error| Failure::about(&self.address, error))
    }
}

impl Inlet {
    pub(crate) fn write(&self, message: &[u8], deadline: Deadline) -> Result<(), Failure> {
        match self {
            Inlet::Push(push) => push.send_timeout(message, deadline)?,
            Inlet::Pub(publisher) => publisher.send(message)?,
        }
        Ok(())
    }

    /// Ends, with what has come of sending: waits until it is with the system.
    pub(crate) fn finish(self, sent: Result<(), Failure>) -> Result<(), Failure> {
        sent?;
        match self {
            Inlet::Push(push) => push.close()?,
            Inlet::Pub(publisher) => {
                let stats = publisher.stats();
                publisher.close()?;
                if stats.dropped > 0 {
                    note::complain(format!(
                        "{} messages were not sent to subscribers that are too slow",
                        stats.dropped
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Messages for (Outlet, Address, Deadline) {
    fn next(&mut self, message: &mut Vec<u8>, _: &mut Source) -> Result<(), Failure> {
        let (outlet, address, deadline) = self;
        let wait = |time: Option<Duration>| {
            let time = Deadline::from(time);
            match outlet {
                Outlet::Pull(pull) => pull.recv_timeout(time),
                Outlet::Sub(subscriber) => subscriber.recv_timeout(time),
            }
        };
        let time = deadline.remaining().map(|time| time.max(INSTANT));
        *message = patience::wait_for(time, || format!("a message at {address}"), wait)
            .map_err(|error| Failure::about(&*address, error))?;
        Ok(())
    }
}
