//! Where nobody else is in the way.

use super::link::wait_once;
use crate::floors::COPY;
use crate::harness::Place;
use crate::row::{Group, Result, Row};
use crate::work::{Alone, Common, MESSAGE, Operation};
use quintet::shm::{Consumer, Producer, Queue};

pub(super) fn rows() -> [Row; 1] {
    [Alone::silent_row(Group::Queue, "quintet queue, push + pop 64 B", Shared).against(COPY)]
}

/// Near pushes and pops; far only has the queue open.
struct Shared;

impl Common for Shared {
    type Side = Side;

    fn before_pinning(&self) -> Result<()> {
        wait_once()
    }

    fn near(&self, place: &mut Place) -> Result<Side> {
        Side::of(Queue::open_existing(place.hear()?)?)
    }

    fn far(&self, place: &mut Place) -> Result<Side> {
        let name = place.unique_name();
        let side = Side::of(Queue::create_new(&name)?)?;
        place.say(&name)?;
        Ok(side)
    }
}

struct Side {
    producer: Producer,
    consumer: Consumer,
    message: [u8; MESSAGE],
    popped: Vec<u8>,
}

impl Side {
    fn of(queue: Queue) -> Result<Self> {
        Ok(Side {
            producer: queue.producer()?,
            consumer: queue.consumer()?,
            message: [7; MESSAGE],
            popped: Vec::new(),
        })
    }
}

impl Operation for Side {
    fn run(&mut self) -> Result<()> {
        self.producer.push(self.message)?;
        self.consumer.pop(&mut self.popped)?;
        Ok(())
    }
}
