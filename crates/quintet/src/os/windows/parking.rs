//! Sleeping on a word of shared memory. Windows does that within a process only (`WaitOnAddress`), so there are kernel
//! objects of a name beside the object.
//!
//! Where one of those who sleep is woken, that is a semaphore: who sleeps waits for it, who wakes releases it.
//!
//! A release that comes between the last look at the word and the wait is not lost: the semaphore keeps it. One that
//! nobody takes, as the sleeper's time was over just then, wakes the next one for nothing. Somebody who comes later may
//! take the release that was for us; he looks, and finds what we would have found. A wake-up that is lost with its sender
//! costs a slice (`wait.rs`).
//!
//! Where all are woken, somebody who comes later must not take it from any of them. So there are four events, used in turn each
//! time the word rings: who wakes sets the one that they wait for, where it stays set, and resets the one that is used
//! the time after next. Who is so late that this has been used again since he looked at the word sleeps for a slice.

use super::object;
use super::security::{Descriptor, WAIT_AND_SIGNAL};
use super::sync::wait;
use super::{call, error, wide};
use crate::doorbell::Bell;
use crate::os::types::Access;
use crate::{Deadline, Result};
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_INVALID_HANDLE, HANDLE};
use windows_sys::Win32::System::Threading::{
    CREATE_EVENT_MANUAL_RESET, CreateEventExW, CreateSemaphoreExW, ReleaseSemaphore, ResetEvent, SetEvent,
};

/// More sleep nowhere.
const MOST: i32 = 4096;

/// How many events there are where all are woken.
const TURNS: u32 = 4;

/// Where threads sleep. What it needs of the system it makes when first used.
#[derive(Debug)]
pub(crate) struct Place {
    name: String,
    access: Access,
    beds: Beds,
}

#[derive(Debug)]
enum Beds {
    /// A semaphore.
    One(OnceLock<OwnedHandle>),
    /// Events.
    All([OnceLock<OwnedHandle>; TURNS as usize]),
}

impl Place {
    pub(super) fn new(beside: &str, number: usize, access: Access) -> Self {
        Place {
            name: format!("{beside}.wake.{number}"),
            access,
            beds: Beds::One(OnceLock::new()),
        }
    }

    pub(super) fn for_all(beside: &str, number: usize, access: Access) -> Self {
        Place {
            beds: Beds::All(Default::default()),
            ..Place::new(beside, number, access)
        }
    }

    /// For threads of this process, all of whom are woken.
    #[cfg(feature = "socket")]
    pub(crate) fn of_process() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let beside = format!(r"Local\quintet.process.{}", std::process::id());
        Place::for_all(&beside, number as usize, Access::CurrentUser)
    }

    /// What to wait for while the word is that.
    pub(in crate::os::windows) fn handle(&self, word: u32) -> Result<HANDLE> {
        let (bed, turn) = match &self.beds {
            Beds::One(semaphore) => (semaphore, None),
            Beds::All(events) => {
                let turn = Bell::rings(word) % TURNS;
                (&events[turn as usize], Some(turn))
            }
        };
        if let Some(open) = bed.get() {
            return Ok(open.as_raw_handle());
        }
        let made = self.open(turn)?;
        Ok(bed.get_or_init(|| made).as_raw_handle())
    }

    fn open(&self, turn: Option<u32>) -> Result<OwnedHandle> {
        let text = match turn {
            Some(turn) => format!("{}.{turn}", self.name),
            None => self.name.clone(),
        };
        let name = wide(&text);
        let descriptor = Descriptor::of_object(self.access)?;
        let attributes = descriptor.attributes();
        // SAFETY: the name ends with NUL, and the attributes point into `descriptor`, which lives across the call; the
        // handle is a new one.
        unsafe {
            call::handle(|| match turn {
                Some(_) => CreateEventExW(
                    &attributes,
                    name.as_ptr(),
                    CREATE_EVENT_MANUAL_RESET,
                    WAIT_AND_SIGNAL,
                ),
                None => CreateSemaphoreExW(&attributes, 0, MOST, name.as_ptr(), 0, WAIT_AND_SIGNAL),
            })
        }
        .map_err(|code| match code {
            ERROR_ACCESS_DENIED | ERROR_INVALID_HANDLE => object::in_the_way(&text),
            code => error::of(format!("cannot create what sleepers wait for, {text}"), code),
        })
    }

    /// Sleeps while the word is that, until somebody wakes us, for at most so long. It may end for no reason.
    pub(crate) fn sleep(&self, word: &AtomicU32, while_it_is: u32, time: Duration) -> Result<()> {
        let handle = self.handle(while_it_is)?;
        if word.load(Ordering::Acquire) != while_it_is {
            return Ok(());
        }
        if wait::until(&[handle], false, Deadline::after(time), &[])?.is_some() {
            self.woken(word, while_it_is);
        }
        Ok(())
    }

    /// For who was woken at the handle for that word.
    pub(in crate::os::windows) fn woken(&self, word: &AtomicU32, was: u32) {
        if let Beds::All(_) = &self.beds
            && word.load(Ordering::Acquire) == was
            && let Ok(handle) = self.handle(was)
        {
            // Nobody rang. Who should have reset it died before, or was late: it would wake everybody again and again.
            // SAFETY: the handle is open as long as `self` lives.
            unsafe { ResetEvent(handle) };
        }
    }

    /// Wakes up to so many of those who sleep since the word was that; it is another one now.
    pub(crate) fn wake(&self, _word: &AtomicU32, was: u32, count: u32) {
        // Who cannot be woken wakes up by himself.
        let Ok(handle) = self.handle(was) else { return };
        match &self.beds {
            Beds::One(_) => {
                let count = i32::try_from(count).unwrap_or(MOST).min(MOST);
                // SAFETY: the handle is open as long as `self` lives. It fails if it is full, and all who sleep will
                // wake then.
                unsafe { ReleaseSemaphore(handle, count, std::ptr::null_mut()) };
            }
            Beds::All(_) => {
                // SAFETY: as above. It cannot fail on an event that was opened to be set.
                unsafe { SetEvent(handle) };
                if let Ok(next_but_one) = self.handle(Bell::after_two_more(was)) {
                    // SAFETY: as above.
                    unsafe { ResetEvent(next_but_one) };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::doorbell::{Readiness, Waiter};
    use crate::os::windows::sync::many::{self, Source};
    use std::thread;

    const HOUR: Duration = Duration::from_secs(3600);

    fn place(label: &str) -> Place {
        let beside = format!(r"Local\quintet.test.parking.{label}.{}", std::process::id());
        Place::for_all(&beside, 0, Access::CurrentUser)
    }

    fn is_set(place: &Place, word: u32) -> bool {
        let handle = place.handle(word).unwrap();
        wait::until(&[handle], false, Deadline::now(), &[])
            .unwrap()
            .is_some()
    }

    /// What never comes.
    #[derive(Debug)]
    struct Never<'a>(&'a Bell, &'a Place);

    impl Readiness for Never<'_> {
        fn is_ready(&self) -> Result<bool> {
            Ok(false)
        }

        fn waiter(&self) -> Waiter<'_> {
            Waiter {
                bell: self.0,
                place: self.1,
                fences: None,
                sleepers: None,
                own: None,
            }
        }
    }

    #[test]
    fn what_a_dead_one_left_set_wakes_once() {
        let (bell, place) = (Bell::new(), place("left"));
        let word = bell.announce();
        let leave_it_set = || {
            // SAFETY: the handle is open as long as the place lives.
            unsafe { SetEvent(place.handle(word).unwrap()) };
        };
        leave_it_set();
        place.sleep(bell.word(), word, HOUR).unwrap();
        assert!(!is_set(&place, word));
        leave_it_set();
        let never = Never(&bell, &place);
        let waited = many::any(
            &[Source::Ready(&never)],
            Deadline::after(Duration::from_millis(1)),
        );
        assert_eq!(waited.unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(!is_set(&place, word), "whoever waits is woken without end");
    }

    #[test]
    fn all_who_sleep_are_woken_each_time() {
        const SLEEPERS: u32 = 3;
        const ROUNDS: u32 = 300;
        let (bell, place) = (Bell::new(), place("all"));
        let (rung, awake) = (AtomicU32::new(0), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..SLEEPERS {
                scope.spawn(|| {
                    for round in 0..ROUNDS {
                        while rung.load(Ordering::SeqCst) == round {
                            let word = bell.announce();
                            if rung.load(Ordering::SeqCst) == round {
                                place.sleep(bell.word(), word, HOUR).unwrap();
                            }
                        }
                        awake.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            for round in 1..=ROUNDS {
                rung.store(round, Ordering::SeqCst);
                if bell.has_sleepers()
                    && let Some(was) = bell.ring()
                {
                    place.wake(bell.word(), was, u32::MAX);
                }
                while awake.load(Ordering::SeqCst) < round * SLEEPERS {
                    thread::yield_now();
                }
            }
        });
    }
}
