//! What the machine does without any library: everything else is judged against it.

#[cfg(target_os = "linux")]
mod cacheline;
#[cfg(target_os = "linux")]
mod command;
#[cfg(target_os = "linux")]
mod counters;
#[cfg(target_os = "linux")]
mod eventfd;
#[cfg(target_os = "linux")]
mod futex;
#[cfg(target_os = "linux")]
mod glibc;
mod memcpy;
#[cfg(target_os = "linux")]
mod pipe;
#[cfg(target_os = "linux")]
mod ring;
#[cfg(target_os = "linux")]
mod shared;
mod tcp;
#[cfg(target_os = "linux")]
mod unix_socket;
#[cfg(target_os = "linux")]
mod waiting;

#[cfg(target_os = "linux")]
pub(crate) use command::{Line, NOTHING, found, is_file};
#[cfg(target_os = "linux")]
pub(crate) use shared::{LINE, Shared};

pub(crate) use memcpy::COPY;

use crate::row::Row;
use std::time::Duration;

/// One line on its way from one core to the other: what a message of a line costs at least, one after the other.
pub(crate) const LINE_THERE: &str = "cache line, fixed";

/// As [`LINE_THERE`], where each side has a line that it writes and the other reads: as everything has it that goes one way. On
/// some processors a line that both write goes twice as fast, and no ring can.
pub(crate) const LINE_OF_ONE: &str = "cache line, one a direction";

/// In every run, whatever is selected: the scale of the machine.
pub(crate) const ALWAYS: [&str; 7] = [
    LINE_THERE,
    "cache line, rotating over 64 slots",
    "futex round trip, asleep",
    "pipe round trip 64 B, asleep",
    "unix stream round trip 64 B, asleep",
    "memcpy 1 MiB, one process",
    "memcpy 1 MiB, two processes",
];

/// How long near lets far wait in rows "after idle": longer than anybody spins (a spin is worth a wake-up at most).
pub(crate) const IDLE: Duration = Duration::from_micros(200);

/// How long each side lets the other wait in rows "both idle": longer than anybody spins too, but not by much, as a core
/// that has been idle for longer takes its time to come back (in a virtual machine, half a millisecond or not).
pub(crate) const NAP: Duration = Duration::from_micros(120);

pub(crate) fn all() -> Vec<Row> {
    #[cfg(target_os = "linux")]
    let groups = [
        cacheline::rows(),
        counters::rows(),
        ring::rows(),
        futex::rows(),
        pipe::rows(),
        unix_socket::rows(),
        tcp::rows(),
        memcpy::rows(),
        glibc::rows(),
        eventfd::rows(),
        command::rows(),
    ];
    #[cfg(windows)]
    let groups = [tcp::rows(), memcpy::rows()];
    groups.into_iter().flatten().collect()
}
