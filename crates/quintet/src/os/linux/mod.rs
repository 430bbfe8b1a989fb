//! Linux.

mod lock;
mod peer;
pub(crate) mod pipe;
pub(crate) mod process;
mod runtime;
