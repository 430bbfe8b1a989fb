//! How other users come to a thread that has windows for them.

use super::by_number::ByNumber;
use super::entrance::Entrance;
use super::plate::{self, Plate};
use super::socket;
use crate::Result;
use crate::cleanup::Registration;
use crate::os::types::Access;
use crate::os::window_types::Making;
use std::sync::Arc;

/// The socket at which they connect, and the plates of the windows that lead there.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) entrance: Entrance,
    number: u64,
    plates: ByNumber<u32, (Arc<Plate>, Registration)>,
    /// When its thread last looked.
    looked: u64,
}

impl Door {
    pub(super) fn make() -> Result<Self> {
        plate::sweep();
        let (socket, number) = socket::listen_openly()?;
        Ok(Door {
            entrance: Entrance::new(socket, Access::Everyone),
            number,
            plates: ByNumber::default(),
            looked: 0,
        })
    }

    /// Puts up the plate of a window; not if another window has its handle, which may be another user's.
    pub(super) fn put_up(&mut self, handle: u32, making: &Making<'_>) -> Result<bool> {
        let made = Plate::make(handle, self.number, making)?;
        Ok(made.map(|made| self.plates.insert(handle, made)).is_some())
    }

    /// Takes it down, as the window goes: whether it had one.
    pub(super) fn take_down(&mut self, handle: u32) -> bool {
        let had = self.plates.remove(&handle);
        had.map(|(plate, _)| plate.say_left()).is_some()
    }

    pub(super) fn retitle(&self, handle: u32, title: &str) {
        if let Some((plate, _)) = self.plates.get(&handle) {
            plate.retitle(title);
        }
    }

    /// Says that its thread looks for messages.
    pub(super) fn say_looked(&mut self, at: u64) {
        if std::mem::replace(&mut self.looked, at) != at {
            self.plates().for_each(|plate| plate.say_looked(at));
        }
    }

    pub(super) fn plates(&self) -> impl Iterator<Item = &Arc<Plate>> {
        self.plates.values().map(|(plate, _)| plate)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        for plate in self.plates() {
            plate.say_left();
        }
    }
}
