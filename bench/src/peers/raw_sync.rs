//! The crate `raw_sync`: pthread mutexes (not robust ones) and condition variables in memory that the user shares.

use crate::floors::{LINE, NAP, Shared};
use crate::harness::Place;
use crate::row::{Asleep, Group, Measure, Result, Row};
use crate::work::{Alone, Baton, Common, HandOver, Operation};
use raw_sync::Timeout;
use raw_sync::events::{Event, EventImpl, EventInit, EventState};
use raw_sync::locks::{LockImpl, LockInit, Mutex};

pub(super) fn rows() -> Vec<Row> {
    let asleep = HandOver {
        common: Events,
        pause: NAP,
    };
    vec![
        Alone::row(Group::Peer, "raw_sync mutex, lock + unlock", Mutexes)
            .against("robust pthread mutex, lock + unlock"),
        Alone::row(Group::Peer, "raw_sync event, set + wait", Events).against("sem_t, sem_wait + sem_post"),
        Row::new(
            Group::Peer,
            "raw_sync event, round trip, asleep",
            Measure::RoundTrip,
            asleep,
        )
        .asleep(Asleep::Both)
        .against("futex round trip, both 120 µs idle"),
    ]
}

/// What far has made is there.
const MADE: &str = "made";

struct Mutexes;

/// An object and the memory that it is in.
struct Held<T: ?Sized> {
    object: Box<T>,
    _shared: Shared,
}

// SAFETY: both kinds are for any thread of any process; they only point to where they are.
unsafe impl<T: ?Sized> Send for Held<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized> Sync for Held<T> {}

impl Common for Mutexes {
    type Side = Held<dyn LockImpl>;

    fn near(&self, place: &mut Place) -> Result<Self::Side> {
        let shared = Shared::near(place, 2 * LINE)?;
        place.hear()?;
        // SAFETY: far has made one there; what it guards is the other line.
        let made = unsafe { Mutex::from_existing(shared.line(0).as_ptr(), shared.line(1).as_ptr()) };
        Ok(Held {
            object: made.map_err(|error| error.to_string())?.0,
            _shared: shared,
        })
    }

    fn far(&self, place: &mut Place) -> Result<Self::Side> {
        let shared = Shared::far(place, 2 * LINE)?;
        // SAFETY: a line is big enough and aligned for one, and nobody uses it yet.
        let made = unsafe { Mutex::new(shared.line(0).as_ptr(), shared.line(1).as_ptr()) };
        place.say(MADE)?;
        Ok(Held {
            object: made.map_err(|error| error.to_string())?.0,
            _shared: shared,
        })
    }
}

impl Operation for Held<dyn LockImpl> {
    fn run(&mut self) -> Result<()> {
        drop(self.object.lock().map_err(|error| error.to_string())?);
        Ok(())
    }
}

struct Events;

/// One a direction.
struct EventSide {
    give: Held<dyn EventImpl>,
    take: Held<dyn EventImpl>,
}

impl Common for Events {
    type Side = EventSide;

    fn near(&self, place: &mut Place) -> Result<EventSide> {
        let [give, take] = [Shared::near(place, LINE)?, Shared::near(place, LINE)?];
        place.hear()?;
        Ok(EventSide {
            give: open(give)?,
            take: open(take)?,
        })
    }

    fn far(&self, place: &mut Place) -> Result<EventSide> {
        let [take, give] = [Shared::far(place, LINE)?, Shared::far(place, LINE)?];
        let side = EventSide {
            give: make(give)?,
            take: make(take)?,
        };
        place.say(MADE)?;
        Ok(side)
    }
}

fn make(shared: Shared) -> Result<Held<dyn EventImpl>> {
    assert!(Event::size_of(None) <= LINE, "it does not fit into a line");
    // SAFETY: it is big enough and aligned for one, and nobody uses it yet.
    let made = unsafe { Event::new(shared.line(0).as_ptr(), true) };
    Ok(Held {
        object: made.map_err(|error| error.to_string())?.0,
        _shared: shared,
    })
}

fn open(shared: Shared) -> Result<Held<dyn EventImpl>> {
    // SAFETY: far has made one there.
    let made = unsafe { Event::from_existing(shared.line(0).as_ptr()) };
    Ok(Held {
        object: made.map_err(|error| error.to_string())?.0,
        _shared: shared,
    })
}

fn set(event: &Held<dyn EventImpl>) -> Result<()> {
    let set = event.object.set(EventState::Signaled);
    Ok(set.map_err(|error| error.to_string())?)
}

fn wait(event: &Held<dyn EventImpl>) -> Result<()> {
    let waited = event.object.wait(Timeout::Infinite);
    Ok(waited.map_err(|error| error.to_string())?)
}

impl Operation for EventSide {
    fn run(&mut self) -> Result<()> {
        set(&self.give)?;
        wait(&self.give)
    }
}

impl Baton for EventSide {
    fn give(&mut self) -> Result<()> {
        set(&self.give)
    }

    fn take(&mut self) -> Result<()> {
        wait(&self.take)
    }
}
