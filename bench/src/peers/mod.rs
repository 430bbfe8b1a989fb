//! Other libraries for the same purpose: a file each.

mod interprocess;
mod ipc_channel;
mod named_lock;
#[cfg(target_os = "linux")]
mod raw_sync;

use crate::row::{Group, Measure, Row};
use crate::work::{Link, Messages, RoundTrip};

pub(crate) fn all() -> Vec<Row> {
    let groups = [
        interprocess::rows(),
        ipc_channel::rows(),
        named_lock::rows(),
        #[cfg(target_os = "linux")]
        raw_sync::rows(),
    ];
    groups.into_iter().flatten().collect()
}

/// What every peer is measured at.
fn rows_of<L: Link + 'static>(name: &str, link: impl Fn() -> L) -> Vec<Row> {
    let round_trip = RoundTrip {
        link: link(),
        bytes: 64,
        idle: None,
    };
    let bytes = 1 << 20;
    let messages = Messages { link: link(), bytes };
    let measure = Measure::Throughput { bytes: bytes as u64 };
    vec![
        Row::new(
            Group::Peer,
            format!("{name}, round trip 64 B"),
            Measure::RoundTrip,
            round_trip,
        )
        .against("unix stream round trip 64 B, asleep"),
        Row::new(
            Group::Peer,
            format!("{name}, messages of 1 MiB"),
            measure,
            messages,
        )
        .against("unix stream, messages of 1 MiB"),
    ]
}
