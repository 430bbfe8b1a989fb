use super::Common;
use crate::floors::{LINE, Shared};
use crate::harness::Place;
use crate::row::{Batch, Measure, Result, Work};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// What only one has at a time.
pub(crate) trait Lock {
    /// Does `work` while having it.
    fn with(&self, work: impl FnOnce()) -> Result<()>;
}

/// Both sides lock, add one to a number that the lock guards, unlock, and so on without a pause, so often each. The time
/// is over when both are done.
pub(crate) struct Contended<C>(pub(crate) C);

impl<C> Contended<C> {
    /// Of all operations of both sides.
    pub(crate) const MEASURE: Measure = Measure::Operation { times: 2 };
}

const NUMBER: usize = 0;
const ARRIVED: usize = 1;
const DONE: usize = 2;

impl<C: Common<Side: Lock>> Work for Contended<C> {
    fn before_pinning(&self) -> Result<()> {
        self.0.before_pinning()
    }

    fn near(&self, place: &mut Place) -> Result<Batch> {
        let shared = Shared::near(place, 3 * LINE)?;
        Ok(batch(shared, self.0.near(place)?))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let shared = Shared::far(place, 3 * LINE)?;
        Ok(batch(shared, self.0.far(place)?))
    }
}

fn batch(shared: Shared, lock: impl Lock + 'static) -> Batch {
    let (mut batches, mut operations) = (0, 0);
    Box::new(move |count| {
        batches += 1;
        operations += count;
        meet(shared.word(ARRIVED), 2 * batches);
        let start = Instant::now();
        for _ in 0..count {
            lock.with(|| {
                // In two steps, so that a lock that does not exclude is found out.
                let number = shared.word(NUMBER).load(Ordering::Relaxed);
                shared.word(NUMBER).store(number + 1, Ordering::Relaxed);
            })?;
        }
        meet(shared.word(DONE), 2 * batches);
        let elapsed = start.elapsed();
        let number = shared.word(NUMBER).load(Ordering::Relaxed);
        if number != 2 * operations {
            return Err(format!("both locked {operations} times and counted {number} in all").into());
        }
        Ok(elapsed)
    })
}

/// Waits for the other side to come here too.
fn meet(arrived: &AtomicU64, all: u64) {
    arrived.fetch_add(1, Ordering::AcqRel);
    while arrived.load(Ordering::Acquire) < all {
        std::hint::spin_loop();
    }
}
