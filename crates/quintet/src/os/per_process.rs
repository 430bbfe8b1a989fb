//! Statics that a forked child must not share with its parent.
//!
//! A lock that another thread of the parent holds at the moment of the fork is held for ever in the child, and what a
//! list of the parent names is not the child's. So each process that comes out of a fork has one of its own, made at its
//! first use.

use super::process::generation;
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A value of this process alone.
pub(crate) struct PerProcess<T>(AtomicPtr<Generation<T>>);

struct Generation<T> {
    number: u32,
    value: T,
}

impl<T: Default + 'static> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    pub(crate) fn get(&self) -> &'static T {
        let number = generation();
        loop {
            let current = self.0.load(Ordering::Acquire);
            if !current.is_null() {
                // SAFETY: what is put there below is never freed.
                let current = unsafe { &*current };
                if current.number == number {
                    return &current.value;
                }
            }
            let fresh = Box::into_raw(Box::new(Generation {
                number,
                value: T::default(),
            }));
            if self
                .0
                .compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire)
                .is_err()
            {
                // SAFETY: it came from a box just above, and nobody else has seen it.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
    }
}

impl<T> fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerProcess").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_process_has_one() {
        static ONE: PerProcess<Mutex<Vec<u32>>> = PerProcess::new();
        ONE.get().lock().unwrap().push(7);
        assert_eq!(*ONE.get().lock().unwrap(), [7]);
    }
}
