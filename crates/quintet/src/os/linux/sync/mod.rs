//! Semaphores, mutexes and events: words in shared memory, and futexes to sleep on.
//!
//! Each object is a [`Segment`](super::segment::Segment) of one layout, `ROOM`: a header, a line with the object's state, and
//! a slot for each participant. What the words mean and how they change stands in `permits.rs`, `ownership.rs` and
//! `signal.rs`, which know no system calls; `member.rs` opens, waits and finds the dead; `semaphore.rs`, `mutex.rs` and
//! `event.rs` put the two together, and `many.rs` waits for several.

mod bell;
mod deaths;
pub(crate) mod event;
pub(crate) mod many;
mod member;
pub(crate) mod mutex;
mod ownership;
mod permits;
pub(crate) mod semaphore;
mod signal;
pub(crate) mod watch;

#[cfg(all(test, loom))]
mod models;
