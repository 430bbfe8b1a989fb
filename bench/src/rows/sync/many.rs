//! Waiting for any of several, where one is there: the last, so that all are looked at.

use crate::harness::Place;
use crate::row::{Group, Result, Row};
use crate::work::{Alone, Common, Operation};
use quintet::Deadline;
use quintet::sync::{Semaphore, Waitable, wait_any};

pub(super) fn rows() -> Vec<Row> {
    [2, 16]
        .map(|many| {
            let name = format!("quintet release, wait_any of {many} semaphores");
            Alone::silent_row(Group::Sync, name, Several { many })
                .against(format!("eventfd write, poll of {many}, read"))
        })
        .into()
}

struct Several {
    many: usize,
}

impl Several {
    fn open(&self, name: &str) -> Result<Semaphores> {
        let open = |number| Semaphore::create_or_open(format!("{name}-{number}").as_str(), 0, 1);
        Ok(Semaphores(
            (0..self.many).map(open).collect::<quintet::Result<_>>()?,
        ))
    }
}

impl Common for Several {
    type Side = Semaphores;

    fn near(&self, place: &mut Place) -> Result<Semaphores> {
        self.open(&place.hear()?)
    }

    fn far(&self, place: &mut Place) -> Result<Semaphores> {
        let name = place.unique_name();
        let side = self.open(&name)?;
        place.say(&name)?;
        Ok(side)
    }
}

struct Semaphores(Vec<Semaphore>);

impl Operation for Semaphores {
    fn run(&mut self) -> Result<()> {
        self.0.last().ok_or("there is none")?.release(1)?;
        let items: Vec<Waitable<'_>> = self.0.iter().map(Waitable::from).collect();
        let ready = wait_any(&items, Deadline::NEVER)?;
        if ready.index + 1 != items.len() {
            return Err(format!("expected the last to be there, got number {}", ready.index).into());
        }
        Ok(())
    }
}
