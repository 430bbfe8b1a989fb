//! Where nobody else is in the way. Both processes have the object open.

use crate::harness::Place;
use crate::row::{Group, Result, Row, Target};
use crate::work::{Alone, Common, Operation};
use quintet::sync::{Event, Mutex, Reset, Semaphore};

const SEM_T: &str = "sem_t, sem_wait + sem_post";

pub(super) fn rows() -> Vec<Row> {
    vec![
        Alone::silent_row(
            Group::Sync,
            "quintet semaphore, wait + release",
            Named(Wait::open),
        )
        .target(SEM_T, Target::AtMost(1.5)),
        Alone::silent_row(
            Group::Sync,
            "quintet semaphore, acquire + drop",
            Named(Acquire::open),
        )
        .target(SEM_T, Target::AtMost(2.2)),
        Alone::silent_row(Group::Sync, "quintet mutex, lock + unlock", Named(Locked::open))
            .target("robust pthread mutex, lock + unlock", Target::AtMost(1.5)),
        Alone::silent_row(Group::Sync, "quintet event, set + wait", Named(Signalled::open)).against(SEM_T),
    ]
}

/// What is opened by its name, or made.
struct Named<S>(fn(&str) -> Result<S>);

impl<S: Operation> Common for Named<S> {
    type Side = S;

    fn near(&self, place: &mut Place) -> Result<S> {
        (self.0)(&place.hear()?)
    }

    fn far(&self, place: &mut Place) -> Result<S> {
        let name = place.unique_name();
        let side = (self.0)(&name)?;
        place.say(&name)?;
        Ok(side)
    }
}

struct Wait(Semaphore);

impl Wait {
    fn open(name: &str) -> Result<Self> {
        Ok(Wait(Semaphore::create_or_open(name, 1, 1)?))
    }
}

impl Operation for Wait {
    fn run(&mut self) -> Result<()> {
        self.0.wait()?;
        self.0.release(1)?;
        Ok(())
    }
}

struct Acquire(Semaphore);

impl Acquire {
    fn open(name: &str) -> Result<Self> {
        Ok(Acquire(Semaphore::create_or_open(name, 1, 1)?))
    }
}

impl Operation for Acquire {
    fn run(&mut self) -> Result<()> {
        drop(self.0.acquire()?);
        Ok(())
    }
}

struct Locked(Mutex);

impl Locked {
    fn open(name: &str) -> Result<Self> {
        Ok(Locked(Mutex::create_or_open(name)?))
    }
}

impl Operation for Locked {
    fn run(&mut self) -> Result<()> {
        drop(self.0.lock()?);
        Ok(())
    }
}

struct Signalled(Event);

impl Signalled {
    fn open(name: &str) -> Result<Self> {
        Ok(Signalled(Event::create_or_open(name, Reset::Auto)?))
    }
}

impl Operation for Signalled {
    fn run(&mut self) -> Result<()> {
        self.0.set()?;
        self.0.wait()?;
        Ok(())
    }
}
