//! Other libraries for the same purpose: a file each.

#[cfg(target_os = "linux")]
mod iceoryx2;
#[cfg(target_os = "linux")]
mod iceoryx2_requests;
mod interprocess;
mod ipc_channel;
#[cfg(target_os = "linux")]
mod libnng;
#[cfg(target_os = "linux")]
mod libzmq;
#[cfg(target_os = "linux")]
mod mmap_sync;
mod named_lock;
#[cfg(target_os = "linux")]
mod raw_sync;
#[cfg(target_os = "linux")]
mod rtrb;
#[cfg(target_os = "linux")]
mod shared_library;

use crate::floors::LINE_THERE;
use crate::row::{Group, Measure, Row, Work};
use crate::work::{Link, MESSAGE, Messages, RoundTrip, Transport};

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
        #[cfg(target_os = "linux")]
        libzmq::rows(),
        #[cfg(target_os = "linux")]
        libnng::rows(),
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

/// The libraries of sockets that Quintet's are compared to.
pub(crate) const SOCKET_RIVALS: [&str; 2] = ["libzmq", "nng"];

/// What a library of sockets is measured at.
#[cfg(target_os = "linux")]
fn socket_rows<L: Link + 'static>(
    name: &str,
    missing: Option<String>,
    link: impl Fn(Transport) -> L,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for transport in Transport::ALL.iter().copied() {
        let (word, floor) = (transport.word(), transport.floor());
        let messages = |bytes| Messages {
            link: link(transport),
            bytes,
        };
        rows.push(Row::new(
            Group::Peer,
            format!("{name} push/pull, {word}, messages of 64 B"),
            Measure::Messages,
            messages(MESSAGE),
        ));
        let bytes = 1 << 20;
        rows.push(
            Row::new(
                Group::Peer,
                format!("{name} push/pull, {word}, messages of 1 MiB"),
                Measure::Throughput { bytes: bytes as u64 },
                messages(bytes),
            )
            .against(format!("{floor}, messages of 1 MiB")),
        );
    }
    rows.into_iter()
        .map(|row| row.left_out(missing.clone()))
        .collect()
}
