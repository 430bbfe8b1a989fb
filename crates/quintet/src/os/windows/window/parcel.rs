//! Data that goes to another thread of this process.
//!
//! The system copies what WM_COPYDATA carries to another process, and so the sender may give up waiting and go on. To another
//! thread of the same process it passes where the sender has it. So what is sent there is a copy of ours, a *parcel*. Of one
//! whose sender has given up, the message may be served later, or never; of one with an early reply it is still being served. So
//! it is kept until it has been served, or until its thread has served all there was since, or until its window is gone.

use super::look;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use windows_sys::Win32::Foundation::HWND;
use windows_sys::Win32::System::DataExchange::COPYDATASTRUCT;

/// What is sent. It stays in its place.
pub(super) struct Parcel {
    description: Box<COPYDATASTRUCT>,
    /// What the description points to.
    _bytes: Box<[u8]>,
    window: HWND,
    /// Its number among those that were left.
    left_as: u64,
}

// SAFETY: what its pointers lead to is its own, and a window's handle is only a number.
unsafe impl Send for Parcel {}

#[derive(Default)]
struct Parcels {
    /// Those that nobody waits for any more, by where their descriptions are.
    left: HashMap<usize, Parcel>,
    /// Where the descriptions of those are that procedures have just now, and how many: other code may pass on what it is called with.
    in_use: HashMap<usize, usize>,
    /// How often one was left.
    leavings: u64,
}

impl Parcels {
    fn leave(&mut self, mut parcel: Parcel) {
        self.leavings += 1;
        parcel.left_as = self.leavings;
        self.left.insert(parcel.place(), parcel);
    }
}

static PARCELS: LazyLock<Mutex<Parcels>> = LazyLock::new(Mutex::default);

fn parcels() -> MutexGuard<'static, Parcels> {
    PARCELS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Parcel {
    pub(super) fn new(window: HWND, id: usize, bytes: &[u8]) -> Self {
        let mut bytes: Box<[u8]> = bytes.into();
        let description = Box::new(COPYDATASTRUCT {
            dwData: id,
            // The callers send 1 GiB at most.
            cbData: bytes.len() as u32,
            lpData: bytes.as_mut_ptr().cast(),
        });
        Parcel {
            description,
            _bytes: bytes,
            window,
            left_as: 0,
        }
    }

    pub(super) fn place(&self) -> usize {
        &raw const *self.description as usize
    }
}

/// A parcel that is being sent. Unless it was served, it is left to who may still get it, also when the sender panics.
pub(super) struct Sending(Option<Parcel>);

impl Sending {
    pub(super) fn new(parcel: Parcel) -> Self {
        Sending(Some(parcel))
    }

    /// After the answer, which may have come while the procedure is still running.
    pub(super) fn was_answered(mut self) {
        let Some(parcel) = self.0.take() else { return };
        let mut parcels = parcels();
        if parcels.in_use.contains_key(&parcel.place()) {
            parcels.leave(parcel);
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(parcel) = self.0.take() {
            parcels().leave(parcel);
            clear();
        }
    }
}

/// A parcel that a procedure has.
pub(super) struct InUse(usize);

/// Says that a procedure now gets what is described there: a parcel, or something else.
pub(super) fn in_use(place: usize) -> InUse {
    *parcels().in_use.entry(place).or_default() += 1;
    InUse(place)
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut parcels = parcels();
        if let Some(count) = parcels.in_use.get_mut(&self.0)
            && *count > 1
        {
            *count -= 1;
            return;
        }
        parcels.in_use.remove(&self.0);
        let served = parcels.left.remove(&self.0);
        drop(parcels);
        drop(served);
    }
}

/// How often a parcel has been left by now, if there are any.
pub(super) fn leavings() -> Option<u64> {
    let parcels = parcels();
    (!parcels.left.is_empty()).then_some(parcels.leavings)
}

/// Takes away what was left by then to windows of a thread that has since served all that was sent to it, and is in no procedure:
/// of that nothing comes any more, or has been taken back by the system.
pub(super) fn all_served(by_then: u64, is_its: impl Fn(HWND) -> bool) {
    let mut parcels = parcels();
    let Parcels { left, in_use, .. } = &mut *parcels;
    left.retain(|place, parcel| {
        parcel.left_as > by_then || in_use.contains_key(place) || !is_its(parcel.window)
    });
}

/// Takes away what was left to windows that are gone.
pub(super) fn clear() {
    let mut parcels = parcels();
    if parcels.left.is_empty() {
        return;
    }
    let Parcels { left, in_use, .. } = &mut *parcels;
    left.retain(|place, parcel| in_use.contains_key(place) || look::is_there(parcel.window));
}

/// How many are left to a window.
#[cfg(test)]
pub(super) fn left_for(window: HWND) -> usize {
    let parcels = parcels();
    let is_its = |parcel: &&Parcel| parcel.window == window;
    parcels.left.values().filter(is_its).count()
}

#[cfg(test)]
mod tests {
    use super::super::{Window, pump, send};
    use super::*;
    use crate::os::types::Access;
    use crate::os::window_types::{Handle, Letter, Making, Pumped, SendMode, WM_COPYDATA};
    use crate::{Deadline, ErrorKind};
    use std::rc::Rc;
    use std::time::Duration;

    /// Other code of this program passes on, from inside a procedure, what that was called with.
    #[test]
    fn what_two_procedures_have_stays_until_both_have_ended() {
        let nobody = std::ptr::without_provenance_mut(0x7FFF_0001);
        let parcel = Parcel::new(nobody, 1, &[7; 100]);
        let place = parcel.place();
        let sending = Sending::new(parcel);
        let (outer, inner) = (in_use(place), in_use(place));
        drop(inner);
        sending.was_answered();
        assert_eq!(left_for(nobody), 1);
        drop(in_use(place));
        assert_eq!(left_for(nobody), 1);
        drop(outer);
        assert_eq!(left_for(nobody), 0);
    }

    #[test]
    fn what_is_left_goes_when_it_is_served_or_can_be_no_more() {
        let making = Making {
            class: "Quintet",
            title: "",
            message_only: true,
            visible: false,
            admit_lower_integrity: false,
            access: Access::CurrentUser,
        };
        let window = Window::create(&making, Rc::new(|_| 0)).unwrap();
        let handle = window.handle();
        let hwnd = look::handle(handle).unwrap();
        let place = hwnd as usize;
        let give_up = || {
            let sender = std::thread::spawn(move || {
                let letter = Letter {
                    number: WM_COPYDATA,
                    wparam: 0,
                    lparam: 1,
                    data: Some(&[7; 1000]),
                };
                let soon = Deadline::after(Duration::from_millis(1));
                let late = send(Handle::ours(handle), &letter, SendMode::Normal, soon).unwrap_err();
                assert_eq!(late.kind(), ErrorKind::TimedOut);
                left_for(place as HWND)
            });
            sender.join().unwrap()
        };
        assert_eq!((give_up(), give_up()), (1, 2));
        // Windows itself takes back what has not been begun, and then nobody serves it.
        while pump(Deadline::now()).unwrap() != Pumped::Nothing {}
        assert_eq!(left_for(hwnd), 0);
        assert_eq!(give_up(), 1);
        drop(window);
        assert_eq!(left_for(hwnd), 0);
    }
}
