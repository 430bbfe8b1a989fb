//! Named pipes on Windows: the kernel's own, at `\\.\pipe\NAME`.
//!
//! Every client is joined to an *instance* of the pipe, which the server has made before; `instances.rs` sees to it
//! that there are always some. The bytes in them are the caller's and nothing else, in both modes, so that Win32 and
//! .NET programs are peers in both roles.
//!
//! A connection is its `link.rs`, with an inbox for those who read and an outbox for those who write.

pub(crate) mod anonymous;
mod connect;
mod connection;
mod inbox;
mod instances;
mod kernel;
mod link;
mod listener;
mod look;
mod outbox;
mod path;
mod plan;
#[cfg(test)]
mod tests;
mod watch;

pub(crate) use connect::connect;
pub(crate) use connection::Connection;
pub(crate) use listener::Listener;
pub(crate) use look::{list, remove, stat};
// For the sockets of patterns, whose pipes are of their own kind.
#[cfg(feature = "socket")]
pub(super) use connect::{check_server, open_both_ways};
#[cfg(feature = "socket")]
pub(super) use path::{FOLDER, is_there};
#[cfg(feature = "socket")]
pub(super) use plan::Plan;
