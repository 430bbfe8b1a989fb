//! Topics.

mod link;

use super::queue::wait_once;
use crate::floors::{COPY, LINE_OF_ONE, LINE_THERE, NAP};
use crate::harness::Place;
use crate::row::{Asleep, Group, Measure, Result, Row, Target};
use crate::work::{Alone, Common, Exchange, Idle, MESSAGE, Operation, RoundTrip};
use link::Topics;
use quintet::shm::{Publisher, Subscriber, Topic};

/// From what takes less than a frame's line to more than the largest frame.
const SIZES: [(usize, &str); 4] = [
    (MESSAGE, "64 B"),
    (64 << 10, "64 KiB"),
    (1 << 20, "1 MiB"),
    (64 << 20, "64 MiB"),
];

pub(super) fn rows() -> Vec<Row> {
    let untouched = SIZES.into_iter().map(|(bytes, size)| {
        let name = format!("one way {size}, in place, untouched");
        exchange(name, 1, bytes, false)
            .target(LINE_THERE, Target::AtMost(1.0))
            .against(LINE_OF_ONE)
    });
    let touched = SIZES.into_iter().map(|(bytes, size)| {
        let name = format!("one way {size}, in place, touched");
        exchange(name, 1, bytes, true).against(LINE_THERE)
    });
    let crowds = [2, 4, 8].into_iter().map(|subscribers| {
        let name = format!("one way 64 B, in place, untouched, 1 to {subscribers} and back");
        exchange(name, subscribers, MESSAGE, false).against(LINE_THERE)
    });
    let asleep = RoundTrip {
        link: Topics::of(MESSAGE),
        bytes: MESSAGE,
        idle: Some(Idle::Both(NAP)),
    };
    let copied = RoundTrip {
        link: Topics::of(MESSAGE),
        bytes: MESSAGE,
        idle: None,
    };
    let row = |what, measure, work| Row::new(Group::Topic, format!("quintet topic, {what}"), measure, work);
    let others = [
        row("one way 64 B, copied", Measure::OneWay, copied)
            .asleep(Asleep::Nobody)
            .against(LINE_THERE),
        row("round trip 64 B, asleep", Measure::RoundTrip, asleep)
            .asleep(Asleep::Both)
            .target("futex round trip, both 120 µs idle", Target::AtMost(1.3)),
        Alone::silent_row(Group::Topic, "quintet topic, publish 64 B, nobody asleep", Open).against(COPY),
    ];
    untouched.chain(touched).chain(crowds).chain(others).collect()
}

fn exchange(what: String, subscribers: usize, bytes: usize, touched: bool) -> Row {
    let link = Topics {
        subscribers,
        ..Topics::of(bytes)
    };
    let work = Exchange { link, bytes, touched };
    let mut row = Row::new(
        Group::Topic,
        format!("quintet topic, {what}"),
        Measure::OneWay,
        work,
    );
    if bytes <= MESSAGE {
        row = row.asleep(Asleep::Nobody);
    }
    row
}

/// Near publishes and has a subscriber itself; far only has the topic open and a subscriber as well.
struct Open;

struct Side {
    publisher: Option<Publisher>,
    _subscriber: Subscriber,
}

impl Common for Open {
    type Side = Side;

    fn before_pinning(&self) -> Result<()> {
        wait_once()
    }

    fn near(&self, place: &mut Place) -> Result<Side> {
        let topic = Topic::open_existing(place.hear()?)?;
        Ok(Side {
            publisher: Some(topic.publisher()?),
            _subscriber: topic.subscriber()?,
        })
    }

    fn far(&self, place: &mut Place) -> Result<Side> {
        let name = place.unique_name();
        let topic = Topic::create_new(&name)?;
        let subscriber = topic.subscriber()?;
        place.say(&name)?;
        Ok(Side {
            publisher: None,
            _subscriber: subscriber,
        })
    }
}

impl Operation for Side {
    fn run(&mut self) -> Result<()> {
        if let Some(publisher) = &mut self.publisher {
            publisher.publish([7; MESSAGE])?;
        }
        Ok(())
    }
}
