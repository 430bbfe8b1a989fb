//! glibc's semaphore and mutex in memory that two processes share: what there is without any library, where nobody has
//! to wait.

use super::NAP;
use super::shared::{LINE, Shared};
use crate::harness::Place;
use crate::row::{Asleep, Group, Measure, Result, Row};
use crate::work::{Alone, Baton, Common, Contended, HandOver, Lock, Operation};
use std::io::Error;
use std::mem::MaybeUninit;
use std::time::Duration;

pub(super) fn rows() -> Vec<Row> {
    let hand_over = |name, pause| {
        let common = Semaphores;
        Row::new(Group::Floor, name, Measure::RoundTrip, HandOver { common, pause })
    };
    vec![
        Alone::row(Group::Floor, "sem_t, sem_wait + sem_post", Semaphores),
        hand_over("sem_t round trip, same core", Duration::ZERO).on_one_core(),
        hand_over("sem_t round trip, both 120 µs idle", NAP).asleep(Asleep::Both),
        Alone::row(Group::Floor, "robust pthread mutex, lock + unlock", RobustMutex),
        Row::new(
            Group::Floor,
            "robust pthread mutex, two hot lockers",
            Contended::<RobustMutex>::MEASURE,
            Contended(RobustMutex),
        ),
    ]
}

/// What far has made is there.
const MADE: &str = "made";

/// Two of them, one a direction.
struct Semaphores;

const TO_FAR: usize = 0;
const TO_NEAR: usize = 1;

impl Common for Semaphores {
    type Side = SemaphoreSide;

    fn near(&self, place: &mut Place) -> Result<SemaphoreSide> {
        let shared = Shared::near(place, 2 * LINE)?;
        place.hear()?;
        Ok(SemaphoreSide {
            shared,
            give: TO_FAR,
            take: TO_NEAR,
        })
    }

    fn far(&self, place: &mut Place) -> Result<SemaphoreSide> {
        let shared = Shared::far(place, 2 * LINE)?;
        for line in [TO_FAR, TO_NEAR] {
            // SAFETY: a line is big enough and aligned for one, and nobody uses it yet.
            check(unsafe { libc::sem_init(shared.line(line).as_ptr().cast(), 1, 0) })?;
        }
        place.say(MADE)?;
        Ok(SemaphoreSide {
            shared,
            give: TO_NEAR,
            take: TO_FAR,
        })
    }
}

struct SemaphoreSide {
    shared: Shared,
    give: usize,
    take: usize,
}

impl SemaphoreSide {
    fn post(&self, line: usize) -> Result<()> {
        // SAFETY: far has made a semaphore there, and it is there as long as the memory is.
        check(unsafe { libc::sem_post(self.shared.line(line).as_ptr().cast()) })
    }

    fn wait(&self, line: usize) -> Result<()> {
        // SAFETY: as above.
        check(unsafe { libc::sem_wait(self.shared.line(line).as_ptr().cast()) })
    }
}

impl Operation for SemaphoreSide {
    /// In this order, as there is no permit at first.
    fn run(&mut self) -> Result<()> {
        self.post(self.give)?;
        self.wait(self.give)
    }
}

impl Baton for SemaphoreSide {
    fn give(&mut self) -> Result<()> {
        self.post(self.give)
    }

    fn take(&mut self) -> Result<()> {
        self.wait(self.take)
    }
}

struct RobustMutex;

impl Common for RobustMutex {
    type Side = MutexSide;

    fn near(&self, place: &mut Place) -> Result<MutexSide> {
        let shared = Shared::near(place, LINE)?;
        place.hear()?;
        Ok(MutexSide { shared })
    }

    fn far(&self, place: &mut Place) -> Result<MutexSide> {
        let shared = Shared::far(place, LINE)?;
        let mut how = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        let how = how.as_mut_ptr();
        // SAFETY: the first call makes the attributes that the others take. A line is big enough and aligned for a mutex,
        // and nobody uses it yet.
        unsafe {
            check_number(libc::pthread_mutexattr_init(how))?;
            check_number(libc::pthread_mutexattr_setpshared(
                how,
                libc::PTHREAD_PROCESS_SHARED,
            ))?;
            check_number(libc::pthread_mutexattr_setrobust(how, libc::PTHREAD_MUTEX_ROBUST))?;
            check_number(libc::pthread_mutex_init(shared.line(0).as_ptr().cast(), how))?;
        }
        place.say(MADE)?;
        Ok(MutexSide { shared })
    }
}

struct MutexSide {
    shared: Shared,
}

impl Operation for MutexSide {
    fn run(&mut self) -> Result<()> {
        self.with(|| {})
    }
}

impl Lock for MutexSide {
    fn with(&self, work: impl FnOnce()) -> Result<()> {
        let mutex = self.shared.line(0).as_ptr().cast();
        // SAFETY: far has made a mutex there, and it is there as long as the memory is.
        check_number(unsafe { libc::pthread_mutex_lock(mutex) })?;
        work();
        // SAFETY: as above, and this thread has it.
        check_number(unsafe { libc::pthread_mutex_unlock(mutex) })
    }
}

fn check(result: libc::c_int) -> Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(Error::last_os_error().into()),
    }
}

/// Of a function that returns its error.
fn check_number(error: libc::c_int) -> Result<()> {
    match error {
        0 => Ok(()),
        _ => Err(Error::from_raw_os_error(error).into()),
    }
}
