//! Pipes.
//!
//! A **named pipe** joins a server and its clients: [`PipeServer`] and [`PipeClient`] make the two ends, each a
//! [`PipeStream`]. It carries a stream of bytes or, in message mode, whole messages; in one direction or both.
//!
//! On Windows it is the kernel's named pipe `\\.\pipe\NAME`. On Linux it is a Unix socket at
//! `${TMPDIR:-/tmp}/CoreFxPipe_NAME`, where .NET has its pipes: in byte mode a stream socket with nothing but the bytes on
//! it, in message mode, which .NET lacks on Linux, a SEQPACKET socket. Existing .NET and Win32 programs are peers in
//! both roles.
//!
//! # What happens when
//! - **The peer ends**, by closing or by dying: what it wrote can still be read, then reads say *end* (`Ok(0)`,
//!   `Ok(None)`); writes fail with [`Disconnected`](crate::ErrorKind::Disconnected). In the middle of a message, reading
//!   fails with `Disconnected` too: a part is never taken for the whole.
//! - **The peer only closes one direction**, as .NET's `In` and `Out` ends do on Linux: that direction ends, the other
//!   goes on.
//! - **The server is killed**: its name is free at once, on Linux even though the socket file stays until the next
//!   server or [`named`](crate::named) `remove` replaces it.
//! - **A peer is not who it should be**: a server of another user is refused after connecting and before anything is
//!   sent, and no other user's client is let in, unless `access` says [`Access::Everyone`].

mod anonymous;
mod client;
#[cfg(target_os = "linux")]
pub mod fifo;
mod halves;
mod kind;
mod server;
mod stream;
mod timeout;

pub use crate::os::pipe_types::{Direction, PipeMode};
pub use crate::os::types::Access;
pub use anonymous::{ChildEnd, PipeReader, PipeWriter, from_child, spawn, to_child};
pub use client::{PipeClient, PipeClientBuilder};
pub use halves::{ReadHalf, WriteHalf};
pub use kind::Pipes;
pub use server::{PipeServer, PipeServerBuilder};
pub use stream::PipeStream;

use crate::{Address, Error, ErrorKind, Name, Result, Scheme};

/// The options that an address of a pipe may have, for either end.
const OPTIONS: [&str; 8] = [
    "mode",
    "direction",
    "max_instances",
    "in_buffer",
    "out_buffer",
    "access",
    "max_message",
    "connect_timeout",
];

/// The name in an address of a pipe, its options checked to be a pipe's.
fn name_in(address: &Address) -> Result<Name> {
    if address.scheme() != Scheme::Pipe {
        return Err(
            Error::new(ErrorKind::InvalidAddress, "it is not the address of a pipe")
                .about(address)
                .hint("write pipe://NAME"),
        );
    }
    address.expect_options(&OPTIONS)?;
    Ok(address.name()?.clone())
}

/// The address that errors name.
fn address_of(name: &Name) -> Result<Address> {
    Address::named(Scheme::Pipe, name)
}

/// The limit of message sizes, checked.
fn checked_max_message(bytes: u64) -> Result<u64> {
    if bytes == 0 {
        return Err(
            Error::new(ErrorKind::TooLarge, "max_message is 0, which no message fits")
                .hint("leave it out for the default of 1 GiB"),
        );
    }
    Ok(bytes)
}
