//! Two processes that are in each other's way.

use super::wait_once;
use crate::harness::Place;
use crate::row::{Group, Result, Row};
use crate::work::{Common, Contended, Lock};
use quintet::sync::Mutex;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new(
            Group::Sync,
            "quintet mutex, two hot lockers",
            Contended::<Shared>::MEASURE,
            Contended(Shared),
        )
        .against("robust pthread mutex, two hot lockers"),
    ]
}

struct Shared;

impl Common for Shared {
    type Side = Mutex;

    fn before_pinning(&self) -> Result<()> {
        wait_once()
    }

    fn near(&self, place: &mut Place) -> Result<Mutex> {
        Ok(Mutex::open_existing(place.hear()?)?)
    }

    fn far(&self, place: &mut Place) -> Result<Mutex> {
        let name = place.unique_name();
        let mutex = Mutex::create_new(&name)?;
        place.say(&name)?;
        Ok(mutex)
    }
}

impl Lock for Mutex {
    fn with(&self, work: impl FnOnce()) -> Result<()> {
        let guard = self.lock()?;
        work();
        Ok(guard.unlock()?)
    }
}
