//! What the machine does without any library: everything else is judged against it.

#[cfg(target_os = "linux")]
mod cacheline;
#[cfg(target_os = "linux")]
mod futex;
mod memcpy;
#[cfg(target_os = "linux")]
mod pipe;
#[cfg(target_os = "linux")]
mod shared;
mod tcp;
#[cfg(target_os = "linux")]
mod unix_socket;
#[cfg(target_os = "linux")]
mod waiting;

use crate::row::Row;
use std::time::Duration;

/// In every run, whatever is selected: the scale of the machine.
pub(crate) const ALWAYS: [&str; 7] = [
    "cache line, fixed",
    "cache line, rotating over 64 slots",
    "futex round trip, asleep",
    "pipe round trip 64 B, asleep",
    "unix stream round trip 64 B, asleep",
    "memcpy 1 MiB, one process",
    "memcpy 1 MiB, two processes",
];

/// How long near lets far wait in rows "after idle": longer than anybody spins (a spin is worth a wake-up at most).
pub(crate) const IDLE: Duration = Duration::from_micros(200);

pub(crate) fn all() -> Vec<Row> {
    #[cfg(target_os = "linux")]
    let groups = [
        cacheline::rows(),
        futex::rows(),
        pipe::rows(),
        unix_socket::rows(),
        tcp::rows(),
        memcpy::rows(),
    ];
    #[cfg(windows)]
    let groups = [tcp::rows(), memcpy::rows()];
    groups.into_iter().flatten().collect()
}
