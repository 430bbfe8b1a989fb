//! What all models of shared words need: `cargo xtask models`.

use loom::sync::{Condvar, Mutex};

/// Every order with at most so many switches away from a thread that could go on.
const SWITCHES: usize = 3;

pub(crate) fn check(model: impl Fn() + Sync + Send + 'static) {
    check_within(SWITCHES, model);
}

pub(crate) fn check_within(switches: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(switches);
    builder.check(model);
}

/// No operation has as many steps of its own.
const MOST_STEPS: u32 = 24;

/// Checks the model with a participant that stops before its first step, its second, and so on, until one finishes all. The
/// model says whether it stopped.
pub(crate) fn check_with_stops(model: impl Fn(u32) -> bool + Sync + Send + Clone + 'static) {
    for steps in 0..MOST_STEPS {
        let stopped = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (model, seen) = (model.clone(), stopped.clone());
        check(move || {
            if model(steps) {
                seen.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        });
        if !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            assert!(steps > 0, "it has no steps");
            return;
        }
    }
    panic!("it has more than {MOST_STEPS} steps");
}

/// What a futex does, without an end to a sleep: a wake-up that is lost is a deadlock here.
#[derive(Debug, Default)]
pub(crate) struct Bed {
    /// How often somebody was woken.
    woken: Mutex<u32>,
    changed: Condvar,
}

impl Bed {
    pub(crate) fn sleep(&self, as_long: impl Fn() -> bool) {
        let woken = self.woken.lock().unwrap();
        if as_long() {
            drop(self.changed.wait(woken).unwrap());
        }
    }

    pub(crate) fn wake(&self, count: u32) {
        if count == 0 {
            return;
        }
        let _woken = self.woken.lock().unwrap();
        for _ in 0..count.min(4) {
            self.changed.notify_one();
        }
    }
}
