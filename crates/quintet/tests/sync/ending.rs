//! Threads that are just ending. On Windows the last destructors of threads run one thread at a time.

use crate::help::LONG;
use quintet::sync::Mutex;
use quintet_testkit::start;
use std::cell::RefCell;
use std::mem;
use std::sync::{Arc, mpsc};
use std::thread;

thread_local! {
    /// What a thread does when it ends, after what was made in it later has ended.
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

struct Last(Box<dyn FnOnce()>);

impl Drop for Last {
    fn drop(&mut self) {
        mem::replace(&mut self.0, Box::new(|| {}))();
    }
}

/// Has this thread do something when it ends.
fn at_the_end(act: impl FnOnce() + 'static) {
    LAST.set(Some(Last(Box::new(act))));
}

#[test]
fn two_threads_that_are_just_ending_do_not_have_it_together() {
    let t = start();
    let mutex = Arc::new(Mutex::create_new(t.name("ending")).unwrap());
    let (locked, first_locked) = mpsc::channel();
    let (go_on, told) = mpsc::channel::<()>();
    let first = thread::spawn({
        let mutex = mutex.clone();
        move || {
            let ours = mutex.clone();
            // A panic in there would end the process.
            at_the_end(move || {
                let guard = ours.lock_timeout(LONG);
                let _ = locked.send(guard.is_ok());
                let _ = told.recv();
            });
            drop(mutex.lock().unwrap());
        }
    });
    assert!(first_locked.recv().unwrap());
    let (say, heard) = mpsc::channel();
    let second = thread::spawn({
        let mutex = mutex.clone();
        move || {
            let ours = mutex.clone();
            at_the_end(move || {
                let _ = say.send(ours.try_lock().map(|guard| guard.is_some()));
            });
            assert!(mutex.try_lock().unwrap().is_none());
        }
    });
    let both = heard.recv().unwrap().unwrap();
    go_on.send(()).unwrap();
    first.join().unwrap();
    second.join().unwrap();
    assert!(!both, "both had it");
    assert!(mutex.lock_timeout(LONG).is_ok());
}
