//! Messages over whatever mechanism an address names: for programs that leave the choice to a configuration file.
//!
//! A [`Sender`] and a [`Receiver`], or two [`Duplex`] ends, have the same calls over each mechanism, the same deadlines and the
//! same errors. They are thin: an end is the mechanism's own end, without a buffer or a thread of its own. Who needs what only
//! one mechanism has (memory in place, batches, topics of a type, who the peer is) takes that mechanism.
//!
//! ```
//! use quintet::channel::{Receiver, Sender};
//!
//! # let configured = format!("queue://channels-doc-{}", std::process::id());
//! let mut results = Receiver::open(&configured)?; // "pipe://results", "tcp://*:5555", "topic://results", …
//! # let theirs = configured.clone();
//! let worker = std::thread::spawn(move || Sender::open(&theirs)?.send("frame 7 is good"));
//! let mut result = Vec::new();
//! results.recv(&mut result)?;
//! assert_eq!(result, b"frame 7 is good");
//! # worker.join().unwrap()?;
//! # Ok::<(), quintet::Error>(())
//! ```
//!
//! # The rules, which are the same everywhere
//! - **Opening waits for nobody.** One end makes the object (who receives, unless `role` says otherwise; of a queue, a topic or a
//!   mailbox whichever is first). The other looks for it when it is opened, and then in each call until it is there: what is
//!   not there yet is late, not wrong, so at the deadline that is [`TimedOut`](crate::ErrorKind::TimedOut) and never `NotFound`.
//! - **A message arrives whole or not at all**, and those of one sender in their order.
//! - **When the other end has gone**, whether it closed or was killed, and what it left has been received, `recv` fails with
//!   [`Disconnected`](crate::ErrorKind::Disconnected): once. So does `send` when there is no use in waiting any more. After
//!   that the end is as it was at first: the next call waits for another one to come.
//! - **Too long is too long**: [`TooLarge`](crate::ErrorKind::TooLarge), nothing is sent, and the next message goes.
//! - **Nobody else's**: objects and peers are the own user's, unless `access` says otherwise:
//!   [`PermissionDenied`](crate::ErrorKind::PermissionDenied).
//! - **Something else at the address** (a file that is no socket, memory that is no queue, a pipe of bytes) is left as it is:
//!   [`AlreadyExists`](crate::ErrorKind::AlreadyExists), [`Corrupt`](crate::ErrorKind::Corrupt) or
//!   [`Unsupported`](crate::ErrorKind::Unsupported).
//!
//! # What differs
//!
//! | | who makes it | who gets a message | `send` returns when | `recv` says `Disconnected` when | `send` does when | the longest message, unless told |
//! |---|---|---|---|---|---|---|
//! | `pipe://` | the end that listens | the one at the other end; others wait for their turn | it is in the pipe | the sender has gone | the receiver has gone | 1 GiB |
//! | `queue://` | either | one of those who receive | it is in the queue | there was a sender, there is none any more, and the queue is empty | the queue is full, and those who received have all gone | 32 KiB less 16 B |
//! | `topic://` | either | all who are there | it is published | there was a sender, and there is none any more | never: it waits for nobody | 512 KiB less 16 B |
//! | `mailbox://` | either | all who are there when it is the newest; others get the next | it is the newest | there was a sender, there is none any more, and the newest was received | never | 64 KiB |
//! | `tcp://`, `unix://`, `ipc://` | the end that listens | one of those who are connected, by turns; `pattern=pair`: the one | this process has taken it, and a peer is there | there was a peer, and there is none any more | there was a peer, there is none any more, and none came back meanwhile | 64 MiB |
//! | `window://` | who receives | the window | the receiver's window has it | never: a window has no connections | the window has gone | 1 GiB |
//! | `fifo://` | the end that listens | one of those who read | it is in the FIFO | there was a writer, and there is none any more | no reader is left | 4,092 B, and no more |
//!
//! | | senders, receivers | lost when the sender dies | when the receiver dies |
//! |---|---|---|---|
//! | `pipe://` | 1, 1 at a time | nothing that was sent | what it had not read |
//! | `queue://` | 64 (`producers`), 256 | nothing that was sent, while anybody has the queue open; else all of it ([`Sender::close`] waits) | what it took last; nobody gets that twice |
//! | `topic://` | 8 (`publishers`), 255 | nothing that was sent, while anybody has the topic open | what it had not received; others are not touched |
//! | `mailbox://` | 1, any number | nothing, while anybody has the mailbox open | nothing |
//! | sockets | any number | what this process still had ([`Sender::close`] waits) | what the systems had taken and it had not read: nobody can tell how much |
//! | `window://` | any number, 1 | nothing that was sent | what it had not received |
//! | `fifo://` | any number, 1 | nothing that was sent, if the FIFO is open anywhere | what it had not read |
//!
//! - **Over a mailbox** `recv` gives the newest value that this receiver has not had: who is slow gets fewer, and
//!   [`Receiver::lost`] says how many went by. Over a topic who is too slow misses the oldest.
//! - **Over a topic** what is sent before a receiver is there is not for it: [`Sender::wait_for_peer`] first.
//! - **That all have gone** is noticed at once over pipes and FIFOs, and elsewhere within 100 ms. A sender of which nothing was
//!   received and that came and went between two looks, 50 ms apart, may go unnoticed where there are no connections.
//! - **A socket that connects** comes back by itself, and what had not left the process goes to the next peer.
//! - **Over a window** the receiving end is its thread's: only the thread that opened it can receive, and while it does it serves
//!   all windows of that thread. Dropped in another thread it stays, unread, until its own ends. `try_send` is [`Unsupported`](crate::ErrorKind::Unsupported), and what came too late for its deadline
//!   may be served nevertheless. A receiver in any other program takes the bytes of `WM_COPYDATA`, with the option `id` as their `dwData`.
//! - **Over a FIFO** each message is written as one: its length, 4 bytes little-endian, and its bytes.
//! - On Windows there are no FIFOs, and `unix://` sockets are not there yet: [`Unsupported`](crate::ErrorKind::Unsupported).

#[expect(clippy::module_inception, reason = "a file has the name of its type")]
mod channel;
mod duplex;
#[cfg(target_os = "linux")]
mod fifos;
mod mailboxes;
mod pipes;
mod queues;
mod receiver;
mod sender;
mod settings;
#[cfg(feature = "socket")]
mod sockets;
mod topics;
mod waiting;
mod windows;

pub use crate::os::types::Access;
pub use channel::Channel;
pub use duplex::Duplex;
pub use receiver::Receiver;
pub use sender::Sender;

fn not_here() -> crate::Error {
    crate::Error::new(
        crate::ErrorKind::Unsupported,
        "this system, or this build of the library, has no such channel",
    )
}
