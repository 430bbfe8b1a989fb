//! The crate `mmap-sync`: the newest value, of 64 bytes, written by one and read by others.

use crate::floors::COPY;
use crate::harness::Place;
use crate::row::{Group, Result, Row};
use crate::work::{Alone, Common, Operation};
use mmap_sync::synchronizer::Synchronizer;
use std::path::Path;
use std::time::Duration;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Alone::row(Group::Peer, "mmap-sync, write 64 B", Open(Write)).against(COPY),
        Alone::row(Group::Peer, "mmap-sync, read 64 B", Open(Read)).against(COPY),
    ]
}

/// As another language's struct of 64 bytes would be.
type Value = [u8; 64];

/// Longer than any reader takes.
const GRACE: Duration = Duration::from_secs(1);

struct Open<S>(fn(Synchronizer) -> S);

fn open(folder: &Path) -> Synchronizer {
    Synchronizer::new(folder.join("value").as_os_str())
}

impl<S: Operation> Common for Open<S> {
    type Side = S;

    fn near(&self, place: &mut Place) -> Result<S> {
        Ok(self.0(open(Path::new(&place.hear()?))))
    }

    /// In memory, as the crate's own pages advise. (`$TMPDIR` may be on a disk.)
    fn far(&self, place: &mut Place) -> Result<S> {
        let folder = format!("/dev/shm/{}-mmap-sync", place.unique_name());
        std::fs::create_dir(&folder)?;
        let mut values = open(Path::new(&folder));
        values.write::<Value>(&[7; 64], GRACE)?;
        place.say(&folder)?;
        Ok(self.0(values))
    }
}

struct Write(Synchronizer);

impl Operation for Write {
    fn run(&mut self) -> Result<()> {
        self.0.write::<Value>(&[7; 64], GRACE)?;
        Ok(())
    }
}

struct Read(Synchronizer);

impl Operation for Read {
    fn run(&mut self) -> Result<()> {
        // SAFETY: what it gives is dropped before the next write ends its grace, and what is in the files was written as
        // this type.
        let value: Value = *unsafe { self.0.read::<Value>(false) }?;
        std::hint::black_box(value);
        Ok(())
    }
}
