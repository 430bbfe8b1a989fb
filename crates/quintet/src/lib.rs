//! The classic ways for processes to talk, with the same meaning on Linux and on Windows.
//!
//! | mechanism | module | for |
//! |---|---|---|
//! | pipes | [`pipe`] | a conversation between two processes, bytes or whole messages |
//! | shared memory | [`shm`] | the same bytes in several processes |
//! | window messages | [`window`] | one program finds another's window and sends it a message |
//! | sockets | [`socket`] | streams and messages, also between machines and languages: nng's patterns |
//! | semaphores | [`sync`] | who may, and when: semaphores, mutexes, events, waiting for any or all of several |
//!
//! [`channel`] sends messages over whichever of them an address names.
//!
//! Everything has a [`Name`] and an [`Address`], every blocking call a [`Deadline`], every failure a [`ErrorKind`] to
//! match and a text that says which object, what was tried, why not, and what would help.
//!
//! ```
//! use quintet::pipe::{PipeClient, PipeMode, PipeServer};
//!
//! # let name = &format!("lib-doc-{}", std::process::id());
//! let server = PipeServer::builder(name)?.mode(PipeMode::Message).create()?;
//! # let name = name.clone();
//! let worker = std::thread::spawn(move || PipeClient::connect(&name)?.write_message(b"hello"));
//! let client = server.accept()?;
//! assert_eq!(client.read_message()?.as_deref(), Some(&b"hello"[..]));
//! worker.join().unwrap()?;
//! # Ok::<(), quintet::Error>(())
//! ```
#![deny(missing_docs)]

mod address;
pub mod channel;
pub mod cleanup;
mod deadline;
mod doorbell;
mod error;
mod identity;
mod layout;
pub mod limits;
mod name;
pub mod named;
mod os;
mod participants;
pub mod pipe;
pub mod shm;
#[cfg(feature = "socket")]
pub mod socket;
mod suggest;
pub mod sync;
mod wait;
pub mod window;

#[cfg(feature = "test-hooks")]
#[doc(hidden)]
pub use os::step::hooks as test_hooks;

pub use address::{Address, Scheme, Target};
pub use deadline::Deadline;
pub use error::{Error, ErrorKind, Result};
pub use identity::{PeerIdentity, UserId};
pub use name::{Name, Scope};

/// The pages for people, so that their samples compile and run.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/coming-from-csharp.md")]
    struct ComingFromCSharp;
    #[doc = include_str!("../../../docs/choosing-a-mechanism.md")]
    struct ChoosingAMechanism;
    #[doc = include_str!("../../../docs/when-a-process-dies.md")]
    struct WhenAProcessDies;
    #[doc = include_str!("../../../docs/pipes.md")]
    struct Pipes;
    #[doc = include_str!("../../../docs/shared-memory.md")]
    struct SharedMemory;
    #[doc = include_str!("../../../docs/window-messages.md")]
    struct WindowMessages;
    #[doc = include_str!("../../../docs/semaphores.md")]
    struct Semaphores;
    #[doc = include_str!("../../../docs/sockets.md")]
    struct Sockets;
}
