//! The kernel's own way to wake somebody: what a wait on shared memory costs.

use super::shared::{LINE, Shared};
use super::waiting::Waiting;
use super::{IDLE, NAP};
use crate::harness::Place;
use crate::row::{Asleep, Batch, Group, Measure, Result, Row, Work};
use crate::work::busy;
use rustix::io::Errno;
use rustix::thread::futex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub(super) fn rows() -> Vec<Row> {
    let row = |name, work| Row::new(Group::Floor, name, Measure::RoundTrip, work);
    let plain = Futex {
        waiting: Waiting::Block,
        idle: None,
        pause: Duration::ZERO,
    };
    let spinning = Futex {
        waiting: Waiting::Spin,
        ..plain
    };
    let idle = Futex {
        idle: Some(IDLE),
        ..plain
    };
    let idle_both = Futex {
        idle: Some(NAP),
        pause: NAP,
        ..plain
    };
    let pausing = Futex {
        pause: PAUSE,
        ..plain
    };
    vec![
        row("futex round trip, same core", plain).on_one_core(),
        row("futex round trip, blocking", plain),
        row("futex round trip, asleep", pausing).asleep(Asleep::Both),
        row("futex round trip, spinning", spinning),
        row("futex round trip, after 200 µs idle", idle).asleep(Asleep::Far),
        row("futex round trip, both 120 µs idle", idle_both).asleep(Asleep::Both),
    ]
}

/// Waking somebody takes so long that the answer is often there before the waker goes to sleep itself. If far is busy
/// for so long before it answers, near is asleep.
const PAUSE: Duration = Duration::from_micros(30);

/// Two words, one a direction, each with the number of the last turn.
#[derive(Clone, Copy, Debug)]
struct Futex {
    waiting: Waiting,
    /// How long near is busy before it begins. It is not counted.
    idle: Option<Duration>,
    /// How long far is busy before it answers. It is not counted.
    pause: Duration,
}

const TO_FAR: usize = 0;
const TO_NEAR: usize = 1;

impl Work for Futex {
    fn near(&self, place: &mut Place) -> Result<Batch> {
        let shared = Shared::near(place, 2 * LINE)?;
        let work = *self;
        let mut number = 0;
        Ok(Box::new(move |count| {
            // One turn that is not counted: far is there then.
            number = round(&shared, number, work.waiting)?;
            let start = Instant::now();
            let mut not_counted = Duration::ZERO;
            for _ in 0..count {
                not_counted += work.idle.map_or(Duration::ZERO, busy) + work.pause;
                number = round(&shared, number, work.waiting)?;
            }
            Ok(start.elapsed().saturating_sub(not_counted))
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let shared = Shared::far(place, 2 * LINE)?;
        let work = *self;
        let mut number = 0_u32;
        Ok(Box::new(move |count| {
            for _ in 0..=count {
                take(shared.futex(TO_FAR), number, work.waiting)?;
                if !work.pause.is_zero() {
                    busy(work.pause);
                }
                number = number.wrapping_add(1);
                give(shared.futex(TO_NEAR), number, work.waiting)?;
            }
            Ok(Duration::ZERO)
        }))
    }
}

fn round(shared: &Shared, number: u32, waiting: Waiting) -> Result<u32> {
    let next = number.wrapping_add(1);
    give(shared.futex(TO_FAR), next, waiting)?;
    take(shared.futex(TO_NEAR), number, waiting)?;
    Ok(next)
}

/// In the highest bit of a word that somebody sleeps on, if sleepers tell: waking nobody is spared then.
const SLEEPER: u32 = 1 << 31;

fn give(word: &AtomicU32, number: u32, waiting: Waiting) -> Result<()> {
    let before = word.swap(number & !SLEEPER, Ordering::AcqRel);
    if waiting == Waiting::Block || before & SLEEPER != 0 {
        futex::wake(word, futex::Flags::empty(), 1)?;
    }
    Ok(())
}

/// Waits until the word is no longer at `old`.
fn take(word: &AtomicU32, old: u32, waiting: Waiting) -> Result<()> {
    let old = old & !SLEEPER;
    let has_changed = || word.load(Ordering::Acquire) & !SLEEPER != old;
    if waiting == Waiting::Spin && Waiting::spin(|| Ok(has_changed().then_some(())))?.is_some() {
        return Ok(());
    }
    let mut expected = old;
    if waiting == Waiting::Spin {
        expected |= SLEEPER;
        // Whether it worked shows in the loop.
        let _ = word.compare_exchange(old, expected, Ordering::AcqRel, Ordering::Acquire);
    }
    while !has_changed() {
        match futex::wait(word, futex::Flags::empty(), expected, None) {
            Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
