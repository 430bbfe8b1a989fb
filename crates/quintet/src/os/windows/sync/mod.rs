//! Semaphores, mutexes and events: the kernel's own, `Local\NAME`, so that every Win32 or .NET program that opens one of
//! that name shares it.
//!
//! What the kernel does not know is who holds a semaphore's permits; that stands in shared memory beside it
//! (`semaphore.rs`). Mutexes and events need nothing of the kind.

pub(crate) mod event;
pub(super) mod look;
pub(crate) mod many;
pub(crate) mod mutex;
mod permits;
pub(crate) mod semaphore;
#[cfg(test)]
mod tests;
pub(super) mod wait;
pub(crate) mod watch;
