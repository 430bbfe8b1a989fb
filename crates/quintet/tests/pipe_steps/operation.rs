//! The operations that are tried, each against a helper that does the other side.

use quintet::pipe::{PipeClient, PipeMode, PipeServer, PipeStream};
use quintet::{Error, ErrorKind, Result};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Large enough for the pool of shared memory, and around.
const LARGE: usize = 4_700_000;

/// A wait that only a failing test waits out.
const LONG: Duration = Duration::from_secs(30);

/// A wait after which to look again.
const SHORT: Duration = Duration::from_millis(10);

/// What one side does. The other side is done by `other_side`, in another thread or process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    /// Creates a server and gives it up.
    Create,
    /// Serves one client: a message each way.
    Serve,
    /// Serves in byte mode.
    ServeBytes,
    /// With room for one client, serves two, one after the other.
    ServeBounded,
    /// Connects: a message each way.
    Connect,
    /// Connects in byte mode.
    ConnectBytes,
    /// Connects and writes a large message.
    WriteLarge,
    /// Connects and reads a large message.
    ReadLarge,
}

impl Operation {
    pub(crate) const ALL: [Operation; 8] = [
        Operation::Create,
        Operation::Serve,
        Operation::ServeBytes,
        Operation::ServeBounded,
        Operation::Connect,
        Operation::ConnectBytes,
        Operation::WriteLarge,
        Operation::ReadLarge,
    ];

    pub(crate) fn named(name: &str) -> Self {
        *Operation::ALL
            .iter()
            .find(|operation| format!("{operation:?}") == name)
            .unwrap()
    }

    /// Whether the operation is the server's side.
    pub(crate) fn serves(self) -> bool {
        use Operation::{Create, Serve, ServeBounded, ServeBytes};
        matches!(self, Create | Serve | ServeBytes | ServeBounded)
    }

    /// Does it: everything that it gets is checked.
    pub(crate) fn run(self, name: &str) -> Result<()> {
        match self {
            Operation::Create => PipeServer::create(name).map(drop),
            Operation::Serve => {
                let server = PipeServer::builder(name)?.mode(PipeMode::Message).create()?;
                answer(&server.accept_timeout(LONG)?)
            }
            Operation::ServeBytes => {
                let server = PipeServer::builder(name)?.create()?;
                let stream = server.accept_timeout(LONG)?;
                expect_bytes(&stream, b"question")?;
                stream.write_all("answer")
            }
            Operation::ServeBounded => {
                let server = PipeServer::builder(name)?
                    .mode(PipeMode::Message)
                    .max_instances(1)
                    .create()?;
                answer(&server.accept_timeout(LONG)?)?;
                answer(&server.accept_timeout(LONG)?)
            }
            Operation::Connect => ask(&connect(name)?),
            Operation::ConnectBytes => {
                let stream = connect(name)?;
                stream.write_all("question")?;
                expect_bytes(&stream, b"answer")
            }
            Operation::WriteLarge => connect(name)?.write_message(large()),
            Operation::ReadLarge => expect_message(&connect(name)?, &large()),
        }
    }

    /// The other side of one `run`, which says how it went for it.
    ///
    /// A server is made at once, so that it is there when this returns.
    pub(crate) fn other_side(self, name: &str) -> JoinHandle<Result<()>> {
        let name = name.to_owned();
        let mode = if matches!(self, Operation::ConnectBytes) {
            PipeMode::Byte
        } else {
            PipeMode::Message
        };
        let server =
            (!self.serves()).then(|| PipeServer::builder(&name).unwrap().mode(mode).create().unwrap());
        thread::spawn(move || match self {
            Operation::Create => Ok(()),
            Operation::Serve => ask(&connect(&name)?),
            Operation::ServeBytes => {
                let stream = connect(&name)?;
                stream.write_all("question")?;
                expect_bytes(&stream, b"answer")
            }
            Operation::ServeBounded => {
                ask(&connect(&name)?)?;
                ask(&connect(&name)?)
            }
            Operation::Connect => answer(&server.unwrap().accept_timeout(LONG)?),
            Operation::ConnectBytes => {
                let stream = server.unwrap().accept_timeout(LONG)?;
                expect_bytes(&stream, b"question")?;
                stream.write_all("answer")
            }
            Operation::WriteLarge => expect_message(&server.unwrap().accept_timeout(LONG)?, &large()),
            Operation::ReadLarge => {
                let stream = server.unwrap().accept_timeout(LONG)?;
                stream.write_message(large())?;
                match stream.wait_for_drain(LONG) {
                    // A reader that has closed: on Windows the system does not tell what it had read, and on Linux its
                    // word for it may be the call that failed.
                    Err(error) if error.kind() == ErrorKind::Disconnected => Ok(()),
                    drained => drained,
                }
            }
        })
    }
}

impl Operation {
    /// Lets the other side, which may be waiting for a peer that never came, have one that goes again.
    pub(crate) fn relieve(self, name: &str, other: &JoinHandle<Result<()>>) {
        let serve = || -> Result<()> {
            let mode = if matches!(self, Operation::ServeBytes) {
                PipeMode::Byte
            } else {
                PipeMode::Message
            };
            let server = PipeServer::builder(name)?.mode(mode).create()?;
            while !other.is_finished() {
                let _ = server.accept_timeout(SHORT);
            }
            Ok(())
        };
        while !other.is_finished() {
            // Either may fail because the other side is just coming to its end.
            let _ = if self.serves() {
                serve()
            } else {
                PipeClient::builder(name)
                    .and_then(|client| client.connect_timeout(SHORT).connect())
                    .map(drop)
            };
        }
    }
}

/// Whether an error is one that a peer's end, or this side's own failure, may give.
pub(crate) fn is_honest(error: &Error) -> bool {
    use ErrorKind::{Busy, Disconnected, Full, NotFound, Os, PermissionDenied, TimedOut};
    matches!(
        error.kind(),
        Busy | Disconnected | Full | NotFound | Os | PermissionDenied | TimedOut
    )
}

fn connect(name: &str) -> Result<PipeStream> {
    PipeClient::builder(name)?.connect_timeout(LONG).connect()
}

fn ask(stream: &PipeStream) -> Result<()> {
    stream.set_read_timeout(Some(LONG));
    stream.write_message("question")?;
    expect_message(stream, b"answer")
}

fn answer(stream: &PipeStream) -> Result<()> {
    stream.set_read_timeout(Some(LONG));
    expect_message(stream, b"question")?;
    stream.write_message("answer")
}

/// Reads a message, which is the expected one, or there is none.
fn expect_message(stream: &PipeStream, expected: &[u8]) -> Result<()> {
    stream.set_read_timeout(Some(LONG));
    match stream.read_message()? {
        Some(message) => assert!(
            message == expected,
            "{} of {} bytes, or others",
            message.len(),
            expected.len()
        ),
        None => return Err(ended()),
    }
    Ok(())
}

fn expect_bytes(stream: &PipeStream, expected: &[u8]) -> Result<()> {
    stream.set_read_timeout(Some(LONG));
    let mut bytes = vec![0; expected.len()];
    std::io::Read::read_exact(&mut &*stream, &mut bytes).map_err(Error::from_io)?;
    assert_eq!(bytes, expected);
    Ok(())
}

/// The end of a stream, as the kind of error that an operation which needed more has.
fn ended() -> Error {
    Error::from_io(std::io::ErrorKind::UnexpectedEof.into())
}

/// A large message no part of which is like another.
fn large() -> Vec<u8> {
    let mut message: Vec<u8> = (0..=255).collect();
    let mut round = 0;
    while message.len() < LARGE {
        round += 1;
        message.push(round);
        message.extend_from_within(..);
    }
    message.truncate(LARGE);
    message
}
