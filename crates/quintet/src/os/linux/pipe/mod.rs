//! Named pipes on Linux: Unix sockets at the path where .NET has its own.
//!
//! Byte mode is a stream socket with nothing on it but the bytes, so that .NET's pipe classes are peers in both roles.
//! Message mode, which .NET lacks here, is a SEQPACKET socket at the same path, whose packets `packet.rs` describes.
//! One path cannot be connected to with the wrong type (EPROTOTYPE), which is how a client learns the server's mode.

mod connect;
mod connection;
mod inbox;
mod instances;
mod link;
mod listener;
mod look;
pub(super) mod message;
mod outbox;
mod packet;
pub(super) mod path;
mod pool;

pub(crate) use connect::connect;
pub(crate) use connection::Connection;
pub(crate) use listener::Listener;
#[cfg(feature = "socket")]
pub(super) use listener::{bind, open_to};
#[cfg(feature = "socket")]
#[cfg(feature = "socket")]
pub(super) use look::{Kind, SocketTable, list_plain, remove_at, stat_plain, sweep};
pub(crate) use look::{list, remove, stat};
