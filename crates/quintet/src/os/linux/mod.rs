//! Linux.

pub(crate) mod anonymous;
pub(crate) mod fifo;
mod lock;
mod peer;
pub(crate) mod pipe;
pub(crate) mod process;
mod runtime;
