//! Named pipes on Linux: what is at the socket's path, foreign and hostile peers, other users, and failing system calls.
#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;
mod hostile_peer;
mod raw;

mod descriptors;
mod dotnet;
mod faults;

mod hostile;
mod hostile_pools;
mod large_messages;
mod leftovers;
mod limits_of_the_process;
mod other_users;
mod paths;
mod runtime_folder;
mod stolen_names;
mod storms;
mod timeouts;

use descriptors::{crowded_server, frugal_reader, passed_descriptors};
use large_messages::{reader_without_descriptors, writer_without_descriptors};
use leftovers::{leaver, lingering_client, server_to_be_killed};
use limits_of_the_process::{interrupted, writer_of_small_files};
use other_users::{
    masked_server, nobody_connects, nobody_creates, nobody_leaves, nobody_looks, nobody_plants,
    nobody_sends_much, nobody_serves,
};
use paths::{client_elsewhere, server_elsewhere, wandering_server};
use runtime_folder::{full_folder, planted_folder};

quintet_testkit::peers!(
    client_elsewhere,
    crowded_server,
    frugal_reader,
    full_folder,
    interrupted,
    leaver,
    lingering_client,
    masked_server,
    nobody_connects,
    nobody_creates,
    nobody_leaves,
    nobody_looks,
    nobody_plants,
    nobody_sends_much,
    nobody_serves,
    passed_descriptors,
    planted_folder,
    reader_without_descriptors,
    server_elsewhere,
    server_to_be_killed,
    wandering_server,
    writer_of_small_files,
    writer_without_descriptors,
);
