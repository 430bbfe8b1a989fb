//! Sockets: streams of bytes, and on top of them whole messages in the patterns of nanomsg and nng, which speak the same
//! format on the wire: a peer can be a program with nng, pynng, mangos or NNG.NET on any machine.
//!
//! | | | at the mark, or without a peer |
//! |---|---|---|
//! | [`Listener`], [`Stream`] | bytes, as TCP and Unix sockets have them | waits |
//! | [`Push`] → [`Pull`] | work: each message to one | waits |
//! | [`Pub`] → [`Sub`] | news: each message to everyone who wants its topic | drops and counts, each subscriber for itself |
//! | [`Req`] ⇄ [`Rep`] | a question and its answer; asked again if need be | waits; takes no more requests |
//! | [`Pair`] ⇄ [`Pair`] | a conversation between two | waits |
//!
//! # Addresses
//! `tcp://HOST:PORT`; `unix:///PATH`, on Linux also `unix://@NAME`, an abstract name; `ipc://PATH`, as nng writes it: on
//! Linux the same Unix socket. A socket of a pattern has any number of endpoints, each of which listens or dials; who dials
//! comes back by himself after the other side was away.
//!
//! On Windows there is TCP, and `ipc://PATH` is the named pipe `\\.\pipe\PATH`, as in nng, for the patterns; not for a
//! [`Stream`], as named pipes as such are in [`pipe`](crate::pipe). There are no Unix sockets. (Tried under Wine, with
//! nng 1.5 and with Quintet at the other end.)
//!
//! # What may be lost
//! The format has no acknowledgements. That a message was *sent* means that this process has taken it; some moments later it
//! is with the system, and some time later with the peer. When a connection breaks, because the peer ends, is killed or cut off:
//! - what had not left this process is not lost: `Push` and `Pair` give it to the next peer. `Pub` and `Rep`, which mean one
//!   peer and no other, count it as [`Stats::lost`].
//! - **what the system had taken and the peer had not read is lost, and nobody can tell how much that is**: up to the buffers
//!   of both systems (some 200 KiB on a Unix socket, some MiB over TCP, 64 KiB in a pipe and 256 KiB on their way there), and
//!   what the peer had read ahead.
//! - a message of which a part had come is never shown; the receiver counts it as [`Stats::broken`]. A sender of which only a
//!   part had left sends it again, whole. So no message comes twice, but requests: `Req` asks again.
//! - a subscriber misses what is published while it is not connected.
//!
//! At the end of a socket ([`Push::close`], or when it is dropped) what waits is written as long as [`Options::linger`] says;
//! the rest is counted, and `close` reports it. A process that ends by `std::process::exit` or a signal loses what waits.
//!
//! # What a stranger can do
//! Anybody who can connect can send anything. A connection costs this process less than 1 KiB until its handshake is done
//! (the 8 bytes of the handshake are read into place; on a named pipe of Windows, some 5 KiB), and at most 256 are in that state, for
//! at most [`Options::handshake_timeout`]: who comes beyond that takes the place of the oldest. At most [`Options::max_peers`] are
//! let in then. Each of these costs up to 128 KiB of read-ahead, one message under way, whose memory grows as its bytes
//! arrive and not as its length claims, up to [`Options::max_message`] (2 MiB of it are kept for the next long one), and what
//! waits to be sent to it ([`Options::send_mark`]; 256 KiB of room are kept).
//! Whoever breaks the format (no handshake, another pattern, too long a message, a message where none belongs) is
//! disconnected, with the reason in [`Stats::last_trouble`] and in a `tracing` event; the others do not notice. There is no
//! encryption and no authentication over TCP.
//!
//! # How it works
//! A socket does its work in the calls of its user: whoever waits for a message lets clients in, reads and writes for all
//! threads of that socket. A request and its reply cost a `send` and a `recv` each side and no other thread. Messages that are
//! sent within microseconds of each other are written together, and read together. One background thread a process does what is
//! due while nobody is in a call: it lets clients in, dials again, and sends the last messages of a burst.
//!
//! [`wait_any`](crate::sync::wait_any) takes every pattern that receives ([`Pull`], [`Sub`], [`Rep`], [`Pair`]), and on Linux a
//! [`Stream`] or a [`Listener`] (`Waitable::readable`). While a thread waits so for a pattern, the background thread waits in
//! that socket's poll, and wakes it.

mod connection;
mod core;
mod framing;
mod incoming;
mod kind;
mod listener;
mod options;
mod outgoing;
mod pair;
mod pattern;
mod place;
mod protocol;
mod publish;
mod pull;
mod push;
mod receiving;
mod rep;
mod req;
mod slots;
mod state;
mod stats;
mod stream;
mod subscribe;
mod ticker;
mod watch;

pub use crate::os::types::Access;
pub use kind::UnixSockets;
pub use listener::Listener;
pub use options::Options;
pub use pair::Pair;
pub use publish::Pub;
pub use pull::Pull;
pub use push::Push;
pub use rep::{Rep, Request};
pub use req::Req;
pub use stats::Stats;
pub use stream::Stream;
pub use subscribe::Sub;
