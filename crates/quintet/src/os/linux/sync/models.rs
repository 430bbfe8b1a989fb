//! Models of the words that processes share, in which loom tries every order of their steps: `cargo xtask models`.
//!
//! A participant is a thread here; it may stop for ever before any of its steps (`stopping`), and then counts as dead.

use super::ownership::{Attempt, Ownership};
use super::permits::{Permits, Taken};
use super::signal::Signal;
use crate::os::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::os::modelling::{Bed, check, check_with_stops};
use crate::os::step::stopping;
use crate::participants::Slot;
use loom::sync::Arc;
use loom::thread;

/// A semaphore's memory, and what its sleepers sleep on.
struct Room {
    state: AtomicU64,
    slots: Vec<Slot>,
    maximum: u32,
    waiting: AtomicU32,
    bed: Bed,
}

impl Room {
    fn new(count: u32, maximum: u32, participants: usize) -> Arc<Self> {
        Arc::new(Room {
            state: AtomicU64::new(Permits::initial(count)),
            slots: (0..participants).map(|_| Slot::new()).collect(),
            maximum,
            waiting: AtomicU32::new(0),
            bed: Bed::default(),
        })
    }

    fn permits(&self) -> Permits<'_> {
        Permits {
            state: &self.state,
            slots: &self.slots,
            maximum: self.maximum,
        }
    }

    /// As `Semaphore` acquires: the short way, then the other.
    fn acquire(&self, slot: usize) -> Option<Taken> {
        if self.permits().acquire_alone(slot) {
            return Some(Taken {
                abandoned: false,
                wake: 0,
            });
        }
        self.permits().try_acquire(slot, false).unwrap()
    }

    fn give_back(&self, slot: usize) {
        if !self.permits().give_back_alone(slot) {
            self.permits().give_back(slot, false).unwrap();
        }
    }

    fn held(&self) -> u32 {
        (0..self.slots.len())
            .map(|slot| self.permits().seen_held(slot))
            .sum()
    }

    fn recover(&self, slot: usize) -> bool {
        self.permits().recover(slot, true, || Ok(true)).unwrap().is_some()
    }

    /// Nothing is lost, nothing is there twice.
    fn check_all_there(&self) {
        assert_eq!(self.permits().count().unwrap() + self.held(), self.maximum);
    }

    fn wait(&self) {
        let mut slept = false;
        loop {
            let others_sleep = slept && self.waiting.load(Ordering::Acquire) > 0;
            if let Some(taken) = self.permits().try_wait(others_sleep).unwrap() {
                self.bed.wake(taken.wake);
                return;
            }
            slept = true;
            self.waiting.fetch_add(1, Ordering::AcqRel);
            if self.permits().announce_sleeper().unwrap() {
                self.bed
                    .sleep(|| self.state.load(Ordering::Acquire) as u32 == Permits::ASLEEP);
            }
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn release(&self, permits: u32) {
        let released = self.permits().release(permits).unwrap();
        self.bed.wake(released.wake);
    }
}

#[test]
fn permits_are_neither_lost_nor_doubled() {
    check(|| {
        let room = Room::new(1, 1, 2);
        let other = room.clone();
        let thread = thread::spawn(move || {
            if other.acquire(1).is_some() {
                assert!(other.held() <= 1);
                other.give_back(1);
            }
        });
        if room.acquire(0).is_some() {
            room.give_back(0);
        }
        thread.join().unwrap();
        assert_eq!(room.permits().count().unwrap(), 1);
        room.check_all_there();
    });
}

#[test]
fn threads_of_one_participant_share_its_place() {
    check(|| {
        let room = Room::new(2, 2, 1);
        let other = room.clone();
        let thread = thread::spawn(move || {
            assert!(other.acquire(0).is_some());
            other.give_back(0);
        });
        assert!(room.acquire(0).is_some());
        thread.join().unwrap();
        assert_eq!(room.permits().seen_held(0), 1);
        room.check_all_there();
    });
}

#[test]
fn raw_operations_in_between_hide_no_change() {
    check(|| {
        let room = Room::new(2, 2, 1);
        // The last operation on the state is a raw one, and the next brings its count back.
        room.permits().try_wait(false).unwrap();
        let other = room.clone();
        let thread = thread::spawn(move || {
            let taken = other.acquire(0).is_some();
            if taken {
                other.permits().release(1).unwrap();
            }
            taken
        });
        let first = room.acquire(0).is_some();
        let second = thread.join().unwrap();
        assert_eq!(room.permits().seen_held(0), u32::from(first) + u32::from(second));
    });
}

#[test]
fn recovery_among_raw_operations_is_once() {
    // Without the mark of the dead, which would tell the states apart.
    let recover = |room: &Room| room.permits().recover(0, false, || Ok(true)).unwrap().is_some();
    check(move || {
        let room = Room::new(2, 2, 1);
        assert!(room.acquire(0).is_some());
        room.permits().try_wait(false).unwrap();
        room.permits().release(1).unwrap();
        let other = room.clone();
        let thread = thread::spawn(move || {
            let recovered = recover(&other);
            other.permits().try_wait(false).unwrap();
            recovered
        });
        let recovered = recover(&room);
        assert!(recovered != thread.join().unwrap());
        assert_eq!((room.permits().count().unwrap(), room.held()), (1, 0));
    });
}

#[test]
fn who_is_late_to_finish_a_hand_over_takes_no_part_in_the_next() {
    check(|| {
        let room = Room::new(3, 3, 3);
        assert!(room.acquire(0).is_some() && room.acquire(0).is_some());
        let other = room.clone();
        let late = thread::spawn(move || other.permits().try_wait(false).unwrap());
        room.permits().hand_over(0, 1).unwrap();
        room.permits().hand_over(0, 2).unwrap();
        late.join().unwrap();
        let held: Vec<u32> = (0..3).map(|slot| room.permits().seen_held(slot)).collect();
        assert_eq!(held, [0, 1, 1]);
    });
}

#[test]
fn what_a_participant_held_that_stopped_anywhere_comes_back_once() {
    check_with_stops(|steps| {
        let room = Room::new(1, 1, 2);
        let dying = room.clone();
        let thread = thread::spawn(move || {
            stopping::after(steps, || {
                if dying.acquire(0).is_some() {
                    dying.give_back(0);
                }
            })
            .is_none()
        });
        if room.acquire(1).is_some() {
            room.give_back(1);
        }
        let stopped = thread.join().unwrap();
        room.check_all_there();
        let held = room.permits().seen_held(0);
        assert_eq!(room.recover(0), held > 0);
        assert!(!room.recover(0));
        assert_eq!((room.permits().count().unwrap(), room.held()), (1, 0));
        stopped
    });
}

#[test]
fn recovery_is_once_whoever_does_it_and_dies_doing_it() {
    check_with_stops(|steps| {
        // Participant 0 died with both permits.
        let room = Room::new(2, 2, 3);
        assert!(room.acquire(0).is_some() && room.acquire(0).is_some());
        let dying = room.clone();
        let thread = thread::spawn(move || stopping::after(steps, || dying.recover(0)).is_none());
        room.recover(0);
        let taken = room.acquire(1);
        let stopped = thread.join().unwrap();
        room.recover(0);
        assert!(
            taken.is_some_and(|taken| taken.abandoned)
                || room.acquire(1).is_some_and(|taken| taken.abandoned)
        );
        room.check_all_there();
        assert_eq!((room.permits().count().unwrap(), room.held()), (1, 1));
        stopped
    });
}

#[test]
fn a_new_participant_in_a_dead_one_s_place_keeps_what_it_takes() {
    check(|| {
        let room = Room::new(1, 1, 2);
        // A dead one in place 0; a slow survivor saw that it is dead, and a new one takes the place.
        assert!(room.acquire(0).is_some());
        let alive = Arc::new(AtomicU32::new(0));
        let (other, seen) = (room.clone(), alive.clone());
        let survivor = thread::spawn(move || {
            let is_gone = || Ok(seen.load(Ordering::Acquire) == 0);
            other.permits().recover(0, true, is_gone).unwrap();
        });
        alive.store(1, Ordering::Release);
        room.recover(0);
        assert!(room.acquire(0).is_some());
        survivor.join().unwrap();
        assert_eq!((room.permits().count().unwrap(), room.held()), (0, 1));
    });
}

#[test]
fn a_permit_that_is_handed_over_is_always_somebody_s() {
    check_with_stops(|steps| {
        let room = Room::new(2, 2, 3);
        assert!(room.acquire(0).is_some());
        let dying = room.clone();
        let thread = thread::spawn(move || {
            stopping::after(steps, || dying.permits().hand_over(0, 1).unwrap()).is_none()
        });
        if room.acquire(2).is_some() {
            room.give_back(2);
        }
        let stopped = thread.join().unwrap();
        room.check_all_there();
        assert_eq!(room.held(), 1);
        room.recover(0);
        room.recover(1);
        assert_eq!(room.permits().count().unwrap(), 2);
        stopped
    });
}

#[test]
fn a_release_wakes_who_sleeps() {
    check(|| {
        let room = Room::new(0, 2, 0);
        let other = room.clone();
        let sleeper = thread::spawn(move || other.wait());
        room.release(1);
        sleeper.join().unwrap();
        assert_eq!(room.permits().count().unwrap(), 0);
    });
}

#[test]
fn two_releases_wake_two_that_sleep() {
    check(|| {
        let room = Room::new(0, 2, 0);
        let sleepers = [0, 1].map(|_| {
            let other = room.clone();
            thread::spawn(move || other.wait())
        });
        room.release(1);
        room.release(1);
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
        assert_eq!(room.permits().count().unwrap(), 0);
    });
}

#[test]
fn one_release_of_two_wakes_two_that_sleep() {
    check(|| {
        let room = Room::new(0, 2, 0);
        let sleepers = [0, 1].map(|_| {
            let other = room.clone();
            thread::spawn(move || other.wait())
        });
        room.release(2);
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
        assert_eq!(room.permits().count().unwrap(), 0);
    });
}

/// A mutex's memory, and what it guards.
struct Guarded {
    word: AtomicU64,
    waiting: AtomicU32,
    bed: Bed,
    /// Who is in: never two.
    inside: AtomicU32,
}

impl Guarded {
    fn new() -> Arc<Self> {
        Arc::new(Guarded {
            word: AtomicU64::new(0),
            waiting: AtomicU32::new(0),
            bed: Bed::default(),
            inside: AtomicU32::new(0),
        })
    }

    fn ownership(&self) -> Ownership<'_> {
        Ownership(&self.word)
    }

    fn try_lock(&self, slot: usize, others_sleep: bool) -> Option<bool> {
        match self.ownership().try_lock(slot, false, others_sleep).unwrap() {
            Attempt::Locked { abandoned } => Some(abandoned),
            Attempt::NotNow(_) => None,
        }
    }

    fn lock(&self, slot: usize) -> bool {
        // As `Mutex` does: the short way, then the other.
        if self.ownership().lock_alone(slot) {
            return false;
        }
        let mut slept = false;
        loop {
            let others_sleep = slept && self.waiting.load(Ordering::Acquire) > 0;
            if let Some(abandoned) = self.try_lock(slot, others_sleep) {
                return abandoned;
            }
            slept = true;
            self.waiting.fetch_add(1, Ordering::AcqRel);
            let word = self.ownership().look();
            if word.owner().is_some() {
                if let Some(asleep) = self.ownership().announce_sleeper(word) {
                    self.bed
                        .sleep(|| self.word.load(Ordering::Acquire) as u32 == asleep);
                }
            }
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn unlock(&self, slot: usize) {
        if !self.ownership().unlock_alone(slot) {
            let wake = self.ownership().unlock(slot, false).unwrap();
            self.bed.wake(wake.count);
        }
    }

    /// Being the owner.
    fn stay(&self) {
        assert_eq!(self.inside.fetch_add(1, Ordering::Relaxed), 0, "two owners");
        self.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_mutex_has_one_owner_and_forgets_no_sleeper() {
    check(|| {
        let guarded = Guarded::new();
        let other = guarded.clone();
        let thread = thread::spawn(move || {
            other.lock(1);
            other.stay();
            other.unlock(1);
        });
        guarded.lock(0);
        guarded.stay();
        guarded.unlock(0);
        thread.join().unwrap();
        assert_eq!(guarded.ownership().look().owner(), None);
    });
}

#[test]
fn a_mutex_with_three_lockers_forgets_no_sleeper() {
    check(|| {
        let guarded = Guarded::new();
        let threads = [1, 2].map(|slot| {
            let other = guarded.clone();
            thread::spawn(move || {
                other.lock(slot);
                other.unlock(slot);
            })
        });
        guarded.lock(0);
        guarded.stay();
        guarded.unlock(0);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_mutex_whose_owner_stopped_anywhere_is_freed_once_and_reported_once() {
    check_with_stops(|steps| {
        let guarded = Guarded::new();
        let dying = guarded.clone();
        let thread = thread::spawn(move || {
            stopping::after(steps, || {
                if dying.try_lock(0, false).is_some() {
                    dying.unlock(0);
                }
            })
            .is_none()
        });
        if guarded.try_lock(1, false).is_some() {
            guarded.unlock(1);
        }
        let stopped = thread.join().unwrap();
        // Two survivors find out.
        let word = guarded.ownership().look();
        let owned = word.owner() == Some(0);
        assert!(!owned || stopped);
        let other = guarded.clone();
        let survivor = thread::spawn(move || {
            if word.owner() == Some(0) {
                other.ownership().free_dead(word);
            }
            let locked = other.try_lock(2, false);
            if locked.is_some() {
                other.stay();
                other.unlock(2);
            }
            locked == Some(true)
        });
        if owned {
            guarded.ownership().free_dead(word);
        }
        let locked = guarded.try_lock(1, false);
        if locked.is_some() {
            guarded.stay();
            guarded.unlock(1);
        }
        let told = u32::from(survivor.join().unwrap()) + u32::from(locked == Some(true));
        assert_eq!(told, u32::from(owned));
        stopped
    });
}

#[test]
fn an_heir_is_woken_and_gets_the_mutex() {
    check(|| {
        let guarded = Guarded::new();
        assert!(guarded.ownership().lock_alone(0));
        let other = guarded.clone();
        let heir = thread::spawn(move || {
            let mut is_heir = false;
            loop {
                let attempt = other.ownership().try_lock(1, is_heir, true).unwrap();
                if let Attempt::Locked { .. } = attempt {
                    break;
                }
                is_heir |= other.ownership().become_heir(1);
                let word = other.ownership().look();
                let for_us = word.heir().is_none_or(|heir| heir == 1);
                if word.owner().is_none() && for_us {
                    continue;
                }
                if let Some(asleep) = other.ownership().announce_sleeper(word) {
                    other
                        .bed
                        .sleep(|| other.word.load(Ordering::Acquire) as u32 == asleep);
                }
            }
            other.stay();
            other.unlock(1);
        });
        guarded.unlock(0);
        // Somebody who comes by.
        if guarded.ownership().lock_alone(2) {
            guarded.stay();
            guarded.unlock(2);
        }
        heir.join().unwrap();
        let word = guarded.ownership().look();
        assert_eq!((word.owner(), word.heir()), (None, None));
    });
}

#[test]
fn an_automatic_event_lets_one_through() {
    check(|| {
        let word = Arc::new(AtomicU64::new(Signal::initial(false)));
        let other = word.clone();
        let thread = thread::spawn(move || {
            let signal = Signal {
                word: &other,
                manual: false,
            };
            signal.set().unwrap();
            signal.try_wait(None, false).unwrap()
        });
        let signal = Signal {
            word: &word,
            manual: false,
        };
        let first = signal.try_wait(None, false).unwrap();
        let second = thread.join().unwrap();
        assert!(first != second);
        assert!(!signal.look().is_set());
    });
}

#[test]
fn a_manual_event_that_was_set_and_reset_still_lets_its_waiters_through() {
    check(|| {
        let word = Arc::new(AtomicU64::new(Signal::initial(false)));
        let bed = Arc::new(Bed::default());
        let (other, others_bed) = (word.clone(), bed.clone());
        let since = Signal {
            word: &word,
            manual: true,
        }
        .look();
        let thread = thread::spawn(move || {
            let signal = Signal {
                word: &other,
                manual: true,
            };
            others_bed.wake(signal.set().unwrap());
            signal.reset().unwrap();
        });
        let signal = Signal {
            word: &word,
            manual: true,
        };
        while !signal.try_wait(Some(since), false).unwrap() {
            if let Some(asleep) = signal.announce_sleeper(Some(since)).unwrap() {
                bed.sleep(|| word.load(Ordering::Acquire) as u32 == asleep);
            }
        }
        thread.join().unwrap();
    });
}
