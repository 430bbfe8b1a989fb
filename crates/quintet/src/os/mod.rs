//! The one place for system calls and nearly all `unsafe`.
//!
//! `linux` and `windows` have the same surface, listed here; nothing above says which of them it uses.
//!
//! - [`pipe`]: `Listener` (`create`, `accept`, `release_name`), `connect`, `Connection` (`read`, `write`, `message_left`,
//!   `mode`, `is_bounded`, `peer`, `drain`, `disconnect`), `list`, `stat`, `remove`
//! - [`anonymous`]: `create`, `End` (`read`, `write`, `inherited`), `ChildEnd` (`Display`, `Into<Stdio>`), `spawn`
//! - [`fifo`] (Linux only): `create`, `exists`, `open`
//! - [`process`]: `UserId` (`current`, `is_almighty`), `Identity`

pub(crate) mod pipe_types;
pub(crate) mod step;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{anonymous, fifo, pipe, process};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{anonymous, pipe, process};

#[cfg(not(any(target_os = "linux", windows)))]
compile_error!("quintet runs on Linux and Windows");
