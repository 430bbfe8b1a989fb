//! On which core a thread runs.

use rustix::thread::{sched_getaffinity, sched_getcpu, sched_setaffinity};

/// The core that this thread is running on; it may be on another one the next moment.
pub(crate) fn here() -> usize {
    sched_getcpu()
}

/// Binds this thread to the cores that it may run on now, but for that one: whether there is another one, and the system lets it.
pub(crate) fn keep_off(core: usize) -> bool {
    let Ok(mut cores) = sched_getaffinity(None) else {
        return false;
    };
    if core >= rustix::thread::CpuSet::MAX_CPU {
        return false;
    }
    cores.unset(core);
    // None at all is refused.
    sched_setaffinity(None, &cores).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_off_a_core() {
        let core = here();
        let thread = std::thread::spawn(move || (keep_off(core), here()));
        let (kept, other) = thread.join().unwrap();
        // With one core there is nowhere else to go.
        assert!(!kept || other != core);
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(kept, cores > 1 || sched_getaffinity(None).unwrap().count() > 1);
    }
}
