//! Queues.

mod alone;
mod crowd;
mod link;

use crate::floors::{IDLE, LINE_OF_ONE, LINE_THERE, NAP};
use crate::row::{Asleep, Group, Measure, Row, Target};
use crate::work::{BATCH, Batches, Idle, MESSAGE, Messages, RoundTrip};
use link::Queues;

pub(super) use link::wait_once;

pub(super) fn rows() -> Vec<Row> {
    let between = [
        one_way(),
        round_trip("asleep", Idle::Both(NAP))
            .asleep(Asleep::Both)
            .target("futex round trip, both 120 µs idle", Target::AtMost(1.3)),
        round_trip("after 200 µs idle", Idle::Near(IDLE))
            .asleep(Asleep::Far)
            .against("futex round trip, after 200 µs idle"),
        one_by_one(),
        batches(),
        megabytes(),
    ];
    between
        .into_iter()
        .chain(crowd::rows())
        .chain(alone::rows())
        .collect()
}

fn one_way() -> Row {
    let work = RoundTrip {
        link: Queues::SMALL,
        bytes: MESSAGE,
        idle: None,
    };
    Row::new(
        Group::Queue,
        "quintet queue, one way 64 B, awake",
        Measure::OneWay,
        work,
    )
    .asleep(Asleep::Nobody)
    .target(LINE_THERE, Target::AtMost(1.0))
    .against(LINE_OF_ONE)
    .against("cache line, rotating over 64 slots")
    .against("bare ring, one way 64 B")
}

fn round_trip(what: &str, idle: Idle) -> Row {
    let work = RoundTrip {
        link: Queues::SMALL,
        bytes: MESSAGE,
        idle: Some(idle),
    };
    let name = format!("quintet queue, round trip 64 B, {what}");
    Row::new(Group::Queue, name, Measure::RoundTrip, work)
}

fn one_by_one() -> Row {
    let work = Messages {
        link: Queues::SMALL,
        bytes: MESSAGE,
    };
    Row::new(
        Group::Queue,
        "quintet queue, messages of 64 B",
        Measure::Messages,
        work,
    )
    .target(LINE_THERE, Target::AtLeast(3.6))
    .against("bare ring, messages of 64 B")
}

fn batches() -> Row {
    let work = Batches { link: Queues::SMALL };
    let name = format!("quintet queue, messages of 64 B, {BATCH} at a time");
    Row::new(Group::Queue, name, Measure::Messages, work)
        .target(LINE_THERE, Target::AtLeast(9.0))
        .against(format!("bare ring, messages of 64 B, {BATCH} at a time"))
}

fn megabytes() -> Row {
    let bytes = 1 << 20;
    let work = Messages {
        link: Queues::LARGE,
        bytes,
    };
    Row::new(
        Group::Queue,
        "quintet queue, messages of 1 MiB",
        Measure::Throughput { bytes: bytes as u64 },
        work,
    )
    .target("memcpy 1 MiB, two processes", Target::AtLeast(0.9))
    .against("memcpy 1 MiB, one process")
}
