//! A connection whose other end can write what it likes.

use crate::common::LONG;
use crate::raw;
use quintet::pipe::{PipeMode, PipeServer, PipeStream};
use rustix::fd::OwnedFd;
use rustix::net::SocketType;

pub(crate) const LIMIT: u64 = 1 << 20;

pub(crate) fn limited_server(name: &str) -> PipeServer {
    let builder = PipeServer::builder(name).unwrap().mode(PipeMode::Message);
    builder.max_message(LIMIT).create().unwrap()
}

/// Our end, and a socket that can write to it what it likes.
pub(crate) fn hostile_peer(server: &PipeServer) -> (PipeStream, OwnedFd) {
    let name = server.address().name().unwrap();
    let hostile = raw::connect(SocketType::SEQPACKET, name.as_str()).unwrap();
    (server.accept_timeout(LONG).unwrap(), hostile)
}
