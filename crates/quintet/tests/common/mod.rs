//! What the tests of pipes share.
#![allow(dead_code, reason = "each test file uses what it needs of it")]

use quintet::pipe::{PipeClient, PipeMode, PipeServer, PipeStream};
use quintet::{Error, ErrorKind};
use std::fmt::Debug;
use std::io::Read;
use std::time::Duration;

pub(crate) const MODES: [PipeMode; 2] = [PipeMode::Byte, PipeMode::Message];

/// A wait that only a failing test waits out.
pub(crate) const LONG: Duration = Duration::from_secs(40);
/// A wait that is always waited out.
pub(crate) const SHORT: Duration = Duration::from_millis(30);

/// Larger than any system buffers: nobody can have written it while its reader has read only the beginning.
pub(crate) const HUGE: usize = 8 << 20;

pub(crate) fn server(name: &str, mode: PipeMode) -> PipeServer {
    PipeServer::builder(name).unwrap().mode(mode).create().unwrap()
}

/// A server with at most so many clients.
pub(crate) fn limited(name: &str, mode: PipeMode, max: u32) -> PipeServer {
    let builder = PipeServer::builder(name).unwrap().mode(mode);
    builder.max_instances(max).create().unwrap()
}

/// A client that is there at once or never will be.
pub(crate) fn try_connect(name: &str) -> Result<PipeStream, Error> {
    PipeClient::builder(name)
        .unwrap()
        .connect_timeout(Duration::ZERO)
        .connect()
}

/// Both ends of a new connection: the server's, the client's.
pub(crate) fn connected(server: &PipeServer) -> (PipeStream, PipeStream) {
    let client = PipeClient::connect(server.address().name().unwrap()).unwrap();
    (server.accept_timeout(LONG).unwrap(), client)
}

/// Both ends of a new pipe, whose server is gone already.
pub(crate) fn pair(name: &str, mode: PipeMode) -> (PipeStream, PipeStream) {
    connected(&server(name, mode))
}

/// The server takes a new client, and the two understand each other.
#[track_caller]
pub(crate) fn assert_serves(server: &PipeServer) {
    let (ours, theirs) = connected(server);
    theirs.write("ping").unwrap();
    assert_eq!(read_exactly(&ours, 4), b"ping");
    ours.write("pong").unwrap();
    assert_eq!(read_exactly(&theirs, 4), b"pong");
}

#[track_caller]
pub(crate) fn assert_fails<T: Debug>(result: Result<T, Error>, kind: ErrorKind) -> Error {
    match result {
        Err(error) if error.kind() == kind => error,
        other => panic!("expected the error {kind:?}, got {other:?}"),
    }
}

#[track_caller]
pub(crate) fn assert_ended(stream: &PipeStream) {
    assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0, "the end of the stream");
}

/// Bytes of which no two parts are alike: blocks of a length that divides nothing, each with its number.
pub(crate) fn pattern(seed: u64, len: usize) -> Vec<u8> {
    const BLOCK: usize = 4093;
    let mut random = Random::new(seed);
    let block: Vec<u8> = (0..=BLOCK / 8)
        .flat_map(|_| random.next().to_le_bytes())
        .collect();
    let mut bytes = Vec::with_capacity(len + BLOCK);
    for number in 0_u64.. {
        if bytes.len() >= len {
            break;
        }
        let mark = number.wrapping_mul(0x0101_0101_0101_0101) ^ random.0;
        bytes.extend_from_slice(&mark.to_le_bytes());
        bytes.extend_from_slice(&block[8..BLOCK]);
    }
    bytes.truncate(len);
    bytes
}

pub(crate) fn read_exactly(stream: &PipeStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Read::read_exact(&mut &*stream, &mut bytes).unwrap();
    bytes
}

/// Numbers that are the same in every run (xorshift64).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
