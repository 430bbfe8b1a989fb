//! The one way to wait: look, spin for as long as a wake-up would cost, then park.
//!
//! Parking costs the waiter a wake-up (15 to 45 µs on common machines), so a wait that is answered sooner than that is
//! faster spun; one that is not has lost little more than as much again. Two rules keep the spin honest. It never lasts longer
//! than a wake-up was measured to cost on this machine (twice as long after a miss), and on a machine with one core, where whom we
//! wait for cannot run while we spin, it does not happen at all. (A process that is bound to one core of several does spin: whom it waits for
//! may be bound to another.) And an endpoint whose spins keep missing, because its peer is slow or idle, spins
//! ever more rarely: after *n* misses in a row only every 2ⁿth wait is worth one (n up to 7).
//!
//! Parking happens in slices. A process can be killed between making its change visible and waking us, so a wake-up
//! can be lost with its sender; looking again after each slice bounds that loss.

use crate::os::{per_process::PerProcess, process};
use crate::{Deadline, Result};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a parked waiter sleeps before it looks again by itself.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// How often to look between two looks at the clock.
const LOOKS_PER_TICK: u32 = 16;

/// Who finds something later than that after the clock's last tick did not run meanwhile: where a look is a few loads; and where
/// it is a system call, of which one that finds something takes several times as long as others, since all that it brings comes
/// from another core.
const LOADS: Duration = Duration::from_micros(2);
const CALLS: Duration = Duration::from_micros(10);

/// After how many misses in a row spinning gets no rarer.
const MOST_MISSES: u32 = 7;

/// Of how many hits one is looked at more closely, which costs two looks at the clock.
const CLOSE_LOOK: u32 = 8;

/// Whether to spin, as one endpoint's luck with it teaches. Shared by the threads that wait on the endpoint; races
/// between them cost at most a useless or a missing spin.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    misses: AtomicU32,
    skipped: AtomicU32,
    hits: AtomicU32,
}

impl Spin {
    /// Looks again and again, each time by a system call, until `look` finds something or it has lasted as long as a wake-up, or
    /// after a miss two.
    pub(crate) fn until<T>(
        &self,
        deadline: Deadline,
        look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        self.until_glance(deadline, CALLS, || true, look)
    }

    /// As `until`, where a glance tells whether it is worth to look.
    #[inline(always)]
    fn until_glance<T>(
        &self,
        deadline: Deadline,
        longest: Duration,
        mut glance: impl FnMut() -> bool,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let mut budget = wakeup_cost();
        if budget.is_zero() || !self.is_worth_it() {
            return Ok(None);
        }
        if self.misses.load(Ordering::Relaxed) > 0 {
            // These are rare. Whom we wait for may be asleep as we have been, and has to wake up before he can answer: with just
            // as long for that, two who sleep would never find each other awake again.
            budget *= 2;
        }
        let start = Instant::now();
        let mut tick = start;
        let mut shortest = None;
        loop {
            for _ in 0..LOOKS_PER_TICK {
                if glance()
                    && let Some(found) = look()?
                {
                    self.hit(tick, shortest, longest);
                    return Ok(Some(found));
                }
                std::hint::spin_loop();
            }
            let now = Instant::now();
            let took = now - tick;
            shortest = Some(shortest.map_or(took, |shortest: Duration| shortest.min(took)));
            tick = now;
            if now - start >= budget || deadline.has_passed() {
                self.miss();
                return Ok(None);
            }
        }
    }

    /// Whether something is seen within a few glances, which are over before a clock could tell much: the beginning of a spin,
    /// for who can take what he sees with less ado than [`until`](Self::until) makes. Every so often it leaves that to it, as
    /// only a clock tells whether spinning is worth it.
    #[inline(always)]
    pub(crate) fn sees(&self, deadline: Deadline, mut glance: impl FnMut() -> bool) -> bool {
        /// On processors where the pause between two glances is long (some 140 cycles) they take a few microseconds.
        const GLANCES: u32 = 64;
        let hits = self.hits.load(Ordering::Relaxed);
        let is_usual = self.misses.load(Ordering::Relaxed) == 0 && !hits.is_multiple_of(CLOSE_LOOK);
        if !is_usual || wakeup_cost().is_zero() || deadline.has_passed() {
            return false;
        }
        for _ in 0..GLANCES {
            if glance() {
                self.hits.store(hits.wrapping_add(1), Ordering::Relaxed);
                return true;
            }
            std::hint::spin_loop();
        }
        false
    }

    /// Spins as if it had never missed: for who knows better, this time.
    #[cfg_attr(windows, expect(dead_code, reason = "messages are the system's there"))]
    pub(crate) fn forget_misses(&self) {
        self.misses.store(0, Ordering::Relaxed);
    }

    /// Something was found. If far more time has passed since the last tick than a tick takes, we did not run: whom we
    /// waited for had our core, and would have had it sooner without our spinning. That is as good as a miss.
    fn hit(&self, tick: Instant, shortest: Option<Duration>, longest: Duration) {
        let hits = self.hits.load(Ordering::Relaxed);
        self.hits.store(hits.wrapping_add(1), Ordering::Relaxed);
        if self.misses.load(Ordering::Relaxed) == 0 && !hits.is_multiple_of(CLOSE_LOOK) {
            return;
        }
        let longest = shortest.map_or(2 * longest, |shortest| longest.max(4 * shortest));
        if tick.elapsed() > longest {
            self.miss();
        } else {
            self.misses.store(0, Ordering::Relaxed);
        }
    }

    fn miss(&self) {
        let misses = self.misses.load(Ordering::Relaxed);
        self.misses
            .store((misses + 1).min(MOST_MISSES), Ordering::Relaxed);
    }

    fn is_worth_it(&self) -> bool {
        let misses = self.misses.load(Ordering::Relaxed);
        if misses == 0 {
            return true;
        }
        let skipped = self.skipped.load(Ordering::Relaxed).wrapping_add(1);
        self.skipped.store(skipped, Ordering::Relaxed);
        let due = skipped >= (1 << misses);
        if due {
            self.skipped.store(0, Ordering::Relaxed);
        }
        due
    }
}

/// Waits until `look` finds something: looks at once, spins, then parks in slices. `None` once the deadline has
/// passed and a last look found nothing.
///
/// `park` sleeps for at most the time it is given, less when something happened; it may wake up for no reason.
pub(crate) fn wait<T>(
    spin: &Spin,
    deadline: Deadline,
    slice: Duration,
    look: impl FnMut() -> Result<Option<T>>,
    park: impl FnMut(Duration) -> Result<()>,
) -> Result<Option<T>> {
    wait_by_glances(spin, deadline, slice, || true, look, park)
}

/// As [`wait`], for what is seen at a glance: a few loads tell whether it is worth to look, as they nearly always do to who
/// spins.
#[inline(always)]
pub(crate) fn wait_by_glances<T>(
    spin: &Spin,
    deadline: Deadline,
    slice: Duration,
    glance: impl FnMut() -> bool,
    mut look: impl FnMut() -> Result<Option<T>>,
    mut park: impl FnMut(Duration) -> Result<()>,
) -> Result<Option<T>> {
    if let Some(found) = look()? {
        return Ok(Some(found));
    }
    if deadline.has_passed() {
        return Ok(None);
    }
    if let Some(found) = spin.until_glance(deadline, LOADS, glance, &mut look)? {
        return Ok(Some(found));
    }
    loop {
        park(deadline.slice(slice))?;
        // Asked before the look, so that there is always one look after the deadline: what came in time is found.
        let over = deadline.has_passed();
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if over {
            return Ok(None);
        }
    }
}

/// What waking a parked thread costs here: the longest that spinning instead can be worth. Zero where there is only one
/// core. Measured once a process, in two or three milliseconds, at the first wait that has to wait.
fn wakeup_cost() -> Duration {
    /// Beyond this nothing is worth spinning for.
    const MOST: Duration = Duration::from_micros(50);
    if cfg!(loom) {
        // Looking more often shows a model nothing new.
        return Duration::ZERO;
    }
    static COST: PerProcess<OnceLock<Duration>> = PerProcess::new();
    *COST.get().get_or_init(|| {
        if process::cores() < 2 {
            return Duration::ZERO;
        }
        match thread::available_parallelism() {
            // Whom we wait for may be on another core, where we cannot measure.
            Ok(cores) if cores.get() == 1 => MOST,
            _ => measure_wakeup()
                .unwrap_or(MOST)
                .clamp(Duration::from_micros(5), MOST),
        }
    })
}

/// The median of a few wake-ups of a thread that really sleeps, on another core than this one: on its own it is there in a
/// tenth of the time, as no core had to be woken for it. `None`: it could not be measured.
fn measure_wakeup() -> Option<Duration> {
    const ROUNDS: usize = 9;
    /// After so long the other thread has gone to sleep, and its core with it.
    const SLEEP: Duration = Duration::from_micros(200);
    let round = AtomicUsize::new(0);
    let answered = AtomicUsize::new(0);
    let (ours, theirs) = (process::core(), AtomicUsize::new(0));
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    thread::scope(|scope| {
        let sleeper = thread::Builder::new()
            .name("quintet-calibrate".into())
            .spawn_scoped(scope, || {
                process::keep_off(ours);
                for number in 1..=ROUNDS {
                    while round.load(Ordering::Acquire) < number {
                        thread::park();
                    }
                    theirs.store(process::core(), Ordering::Relaxed);
                    answered.store(number, Ordering::Release);
                }
            });
        // Without a second thread (a limit reached) nothing is measured.
        let Ok(sleeper) = sleeper else { return };
        for number in 1..=ROUNDS {
            thread::sleep(SLEEP);
            let start = Instant::now();
            round.store(number, Ordering::Release);
            sleeper.thread().unpark();
            while answered.load(Ordering::Acquire) < number {
                // They may have been put on one core.
                if start.elapsed() > SLEEP {
                    thread::yield_now();
                }
                std::hint::spin_loop();
            }
            let took = start.elapsed();
            if theirs.load(Ordering::Relaxed) != process::core() {
                times.push(took);
            }
        }
    });
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_wait_that_is_answered_never_parks() {
        let found = wait(
            &Spin::default(),
            Deadline::NEVER,
            SLICE,
            || Ok(Some(7)),
            |_| panic!("parked"),
        );
        assert_eq!(found.unwrap(), Some(7));
    }

    #[test]
    fn a_try_looks_once_and_never_parks() {
        let looks = Cell::new(0);
        let look = || {
            looks.set(looks.get() + 1);
            Ok(None::<()>)
        };
        let found = wait(&Spin::default(), Deadline::now(), SLICE, look, |_| {
            panic!("parked")
        });
        assert_eq!((found.unwrap(), looks.get()), (None, 1));
    }

    #[test]
    fn a_lost_wake_up_is_made_up_after_a_slice() {
        let parked = Cell::new(None);
        let look = || Ok(parked.get());
        // The park "sleeps" its whole slice: nobody wakes it, but the change is there afterwards.
        let park = |slice| {
            parked.set(Some(slice));
            Ok(())
        };
        let found = wait(&Spin::default(), Deadline::NEVER, SLICE, look, park);
        assert_eq!(found.unwrap(), Some(SLICE));
    }

    #[test]
    fn what_came_by_the_deadline_is_found_after_it() {
        let there = Cell::new(false);
        let deadline = Deadline::after(Duration::from_millis(1));
        let park = |_| {
            while !deadline.has_passed() {
                std::hint::spin_loop();
            }
            there.set(true);
            Ok(())
        };
        let found = wait(
            &Spin::default(),
            deadline,
            SLICE,
            || Ok(there.get().then_some(())),
            park,
        );
        assert_eq!(found.unwrap(), Some(()));
    }

    #[test]
    fn misses_make_spins_rarer_and_a_hit_makes_them_usual_again() {
        let spin = Spin::default();
        for misses in 0..=MOST_MISSES {
            spin.misses.store(misses, Ordering::Relaxed);
            spin.skipped.store(0, Ordering::Relaxed);
            let every = 1 << misses;
            let waits = (1..=every).filter(|_| spin.is_worth_it()).count();
            assert_eq!(waits, 1, "after {misses} misses");
        }
        spin.misses.store(0, Ordering::Relaxed);
        assert!(spin.is_worth_it());
    }

    #[test]
    fn a_few_glances_are_for_who_finds_mostly_and_leave_a_closer_look_to_others() {
        let spins = !wakeup_cost().is_zero();
        let spin = Spin::default();
        let seen = (0..2 * CLOSE_LOOK).filter(|_| {
            let seen = spin.sees(Deadline::NEVER, || true);
            // What the rest of the spin finds counts as well.
            if !seen {
                spin.hit(Instant::now(), None, LOADS);
            }
            seen
        });
        assert_eq!(seen.count() as u32, if spins { 2 * (CLOSE_LOOK - 1) } else { 0 });
        assert!(!spin.sees(Deadline::now(), || panic!("there is no time for a glance")));
        spin.hits.store(1, Ordering::Relaxed);
        assert!(!spin.sees(Deadline::NEVER, || false));
        spin.miss();
        assert!(!spin.sees(Deadline::NEVER, || panic!("it is not usual")));
    }

    #[test]
    fn spinning_is_bounded_by_a_wake_up() {
        assert!(wakeup_cost() <= Duration::from_micros(50));
        assert_eq!(
            Spin::default().until(Deadline::NEVER, || Ok(None::<()>)).unwrap(),
            None
        );
    }
}
