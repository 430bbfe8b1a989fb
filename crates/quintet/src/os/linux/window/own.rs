//! What is one thread's own, in something that other threads can see.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A value that only the thread that made it gets at. Without a lock: to ask which thread this is costs less.
pub(super) struct Own<T> {
    thread: u64,
    value: RefCell<T>,
}

// SAFETY: with a shared reference, one gets at the value by `get` alone, and so, as no number is given to two threads, on no other
// thread than the one that made it. Whether it may be moved to another thread, and dropped there, is left to what `T` says of that.
unsafe impl<T> Sync for Own<T> {}

impl<T> Own<T> {
    pub(super) fn new(value: T) -> Self {
        Own {
            thread: this_thread(),
            value: RefCell::new(value),
        }
    }

    /// The value; `None` on another thread.
    #[inline(always)]
    pub(super) fn get(&self) -> Option<&RefCell<T>> {
        (self.thread == this_thread()).then_some(&self.value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Own<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(value) => value.fmt(f),
            None => f.write_str("another thread's"),
        }
    }
}

/// A number that is no other thread's of this process, before or after.
#[inline(always)]
fn this_thread() -> u64 {
    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }
    NUMBER.with(|number| match number.get() {
        0 => {
            static LAST: AtomicU64 = AtomicU64::new(0);
            number.set(LAST.fetch_add(1, Ordering::Relaxed) + 1);
            number.get()
        }
        known => known,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn another_thread_does_not_get_at_it() {
        let own = Own::new(Rc::new(5));
        std::thread::scope(|threads| {
            threads.spawn(|| {
                assert!(own.get().is_none());
                assert_eq!(format!("{own:?}"), "another thread's");
            });
        });
        assert_eq!(**own.get().unwrap().borrow(), 5);
    }
}
