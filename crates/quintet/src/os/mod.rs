//! The one place for system calls and nearly all `unsafe`.
//!
//! `linux` and `windows` have the same surface, listed here; nothing above says which of them it uses.
//!
//! - [`pipe`]: `Listener` (`create`, `accept`, `release_name`), `connect`, `Connection` (`read`, `write`, `message_left`,
//!   `mode`, `is_bounded`, `peer`, `drain`, `disconnect`), `list`, `stat`, `remove`
//! - [`anonymous`]: `create`, `End` (`read`, `write`, `inherited`), `ChildEnd` (`Display`, `Into<Stdio>`), `spawn`
//! - [`fifo`] (Linux only): `create`, `exists`, `open`, `open_end`, `await_writer`; [`limits`]: `all`
//! - [`process`]: `UserId` (`current`, `is_almighty`), `Identity`, `pid_space`, `cores`, `core`, `keep_off`, `generation`
//! - [`segment`]: `Segment` (`open`, `header`, `start`, `len`, `token`, `new_token`, `to_read`, `parking`, `parking_for_all`, `release_name`), `look`;
//!   [`token`]: `Token` (`is_ours`, `take`, `is_taken`); [`look`]: `list`, `stat`, `remove` of what is a segment
//! - [`clock`]: `since_start`; [`parking`]: `Place` (`sleep`, `wake`): to sleep on a word of shared memory; [`fence`]: `Publisher` (`fence`), `before_sleep`
//! - [`semaphore`], [`mutex`], [`event`]: `Semaphore`, `Mutex`, `Event` (`open` and what they do), `list`, `stat`, `remove`
//! - [`shm`]: `Memory` (`open`, `of_file`, `anonymous`, `inherited`, `for_child`, `start`, `len`, `mode`, `has_the_name`,
//!   `flush`, `release_name`), `ForChild` (`Display`), `spawn`, `list`, `stat`, `remove`
//! - [`socket`]: `Place`, `listen`, `connect`, `Wire`, `Door`, `wait_for`; `credentials`, `UnixName`
//! - [`unix_socket`]: `list`, `stat`, `remove` of those that have a path
//! - [`many`]: `Source`, `Got`, `any`, `all`; [`watch`]: `Process` (`open`, `of_child`, `has_ended`, `wait`)
//! - [`window`]: `Window` (`create`, `handle`, `set_title`, `messages`), `Messages`; of the calling thread: `pump`, `post_quit`, `in_send`,
//!   `reply`; `send`, `send_notify`, `post`; `find`, `resolve`, `others_have_one`, `sight`, `is_alive`, `is_hung`; `register_message`; `to_ansi`, `from_ansi`; `many::Source::Messages` waits for `Messages`

pub(crate) mod atomic;
pub(crate) mod copy;
#[cfg(any(target_os = "linux", feature = "socket"))]
pub(crate) mod hash;
#[cfg(loom)]
pub(crate) mod modelling;
pub(crate) mod per_process;
pub(crate) mod pipe_types;
#[cfg(target_arch = "x86_64")]
mod processor;
#[cfg(feature = "socket")]
pub(crate) mod socket;
pub(crate) mod step;
pub(crate) mod types;
pub(crate) mod window_types;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(target_os = "linux", feature = "socket"))]
pub(crate) use linux::unix_socket;
#[cfg(target_os = "linux")]
pub(crate) use linux::{
    anonymous, clock, event, fence, fifo, limits, look, many, mutex, parking, pipe, process, segment,
    semaphore, shm, token, watch, window,
};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::sync::{event, many, mutex, semaphore, watch};
#[cfg(windows)]
pub(crate) use windows::{
    anonymous, clock, fence, limits, look, parking, pipe, process, segment, shm, token, window,
};

#[cfg(all(windows, feature = "socket"))]
pub(crate) use windows::unix_socket;

#[cfg(not(any(target_os = "linux", windows)))]
compile_error!("quintet runs on Linux and Windows");
