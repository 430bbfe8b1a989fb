//! Windows.

mod blocking;
mod call;
mod claim;
pub(crate) mod clock;
mod error;
mod event;
pub(crate) mod fence;
mod guard;
mod inherit;
pub(crate) mod limits;
pub(crate) mod look;
mod nt;
mod object;
mod objects;
mod operation;
pub(crate) mod parking;
mod peer;
pub(crate) mod pipe;
pub(crate) mod process;
mod section;
mod security;
pub(crate) mod segment;
pub(crate) mod shm;
#[cfg(feature = "socket")]
pub(super) mod socket;
mod suspended;
pub(crate) mod sync;
pub(crate) mod token;
#[cfg(feature = "socket")]
pub(crate) mod unix_socket;
pub(crate) mod window;

pub(crate) use pipe::anonymous;

/// A text as the system takes it: UTF-16 with a NUL at the end. Names contain no NUL of their own.
fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}
