//! The crate `named-lock`: flock(2) on a file on Linux, a named mutex on Windows.

use crate::harness::Place;
use crate::row::{Group, Result, Row};
use crate::work::{Alone, Common, Operation};
use named_lock::NamedLock;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Alone::row(Group::Peer, "named-lock, lock + unlock", Named)
            .against("robust pthread mutex, lock + unlock"),
    ]
}

struct Named;

impl Common for Named {
    type Side = NamedLock;

    fn near(&self, place: &mut Place) -> Result<NamedLock> {
        Ok(NamedLock::create(&place.hear()?)?)
    }

    /// Its file is in `$TMPDIR`, which is removed.
    fn far(&self, place: &mut Place) -> Result<NamedLock> {
        let name = place.unique_name();
        let lock = NamedLock::create(&name)?;
        place.say(&name)?;
        Ok(lock)
    }
}

impl Operation for NamedLock {
    fn run(&mut self) -> Result<()> {
        drop(self.lock()?);
        Ok(())
    }
}
