//! Other libraries for the same purpose: a file each.

#[cfg(target_os = "linux")]
mod iceoryx2;
#[cfg(target_os = "linux")]
mod iceoryx2_requests;
mod interprocess;
mod ipc_channel;
#[cfg(target_os = "linux")]
mod mmap_sync;
mod named_lock;
#[cfg(target_os = "linux")]
mod raw_sync;
#[cfg(target_os = "linux")]
mod rtrb;

use crate::floors::LINE_THERE;
use crate::row::{Group, Measure, Row, Work};
use crate::work::{Link, Messages, RoundTrip};

pub(crate) fn all() -> Vec<Row> {
    let groups = [
        interprocess::rows(),
        ipc_channel::rows(),
        named_lock::rows(),
        #[cfg(target_os = "linux")]
        raw_sync::rows(),
        #[cfg(target_os = "linux")]
        iceoryx2::rows(),
        #[cfg(target_os = "linux")]
        iceoryx2_requests::rows(),
        #[cfg(target_os = "linux")]
        mmap_sync::rows(),
        #[cfg(target_os = "linux")]
        rtrb::rows(),
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

/// How many messages of 64 bytes go, one by one.
fn small_messages(name: &str, work: impl Work + 'static) -> Row {
    let name = format!("{name}, messages of 64 B");
    Row::new(Group::Peer, name, Measure::Messages, work)
        .against(LINE_THERE)
        .against("bare ring, messages of 64 B")
}
