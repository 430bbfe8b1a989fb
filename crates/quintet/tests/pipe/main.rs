//! Named pipes, as far as they mean the same on every system. What only Linux has is in `pipe_linux`.

#[path = "../common/mod.rs"]
mod common;

mod addresses;
mod byte_mode;
mod cleanup;
mod closing;
mod connecting;
mod death;
mod directions;
mod draining;
mod identity;
mod instances;
mod limits;
mod looking;
mod message_mode;
mod names;
mod standard_io;
mod timeouts;

use quintet::pipe::PipeClient;
use quintet_testkit::Role;
use std::io::Read;

use byte_mode::{echoing_client, echoing_server};
use cleanup::exiting_server;
use death::{dying_reader, dying_writer, server_to_be_killed};
use draining::obedient_reader;
use identity::{client_that_asks, server_that_asks};
use instances::visitor;
use message_mode::exchanging_client;
use names::{holder, racer};

quintet_testkit::peers!(
    client_that_asks,
    dying_reader,
    dying_writer,
    echoing_client,
    echoing_server,
    exchanging_client,
    exiting_server,
    holder,
    last_words,
    obedient_reader,
    patient_client,
    racer,
    server_that_asks,
    server_to_be_killed,
    visitor,
);

/// Connects, writes `arg(1)`, and ends in good order.
fn last_words(p: &mut Role) {
    let stream = PipeClient::connect(p.arg(0)).unwrap();
    stream.write_all(p.arg(1)).unwrap();
}

/// Finds that it cannot be let in now, says why, and waits until it is; then says what it reads.
fn patient_client(p: &mut Role) {
    let name = p.arg(0).to_owned();
    p.say(format!("{:?}", common::try_connect(&name).unwrap_err().kind()));
    let stream = PipeClient::connect(&name).unwrap();
    let mut text = String::new();
    Read::read_to_string(&mut &stream, &mut text).unwrap();
    p.say(text);
}
