//! What a thread can still do when it is just ending, in the destructors of what belongs to it.

use crate::help::{SHORT, assert_fails, order};
use quintet::ErrorKind;
use quintet::sync::{Event, Mutex, Reset, Semaphore, Waitable, wait_any};
use quintet_testkit::{Role, start};
use std::cell::RefCell;
use std::sync::Arc;
use std::thread;

thread_local! {
    /// What a thread does when it ends, after what was made in it later has ended.
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

struct Last(Option<Box<dyn FnOnce()>>);

impl Drop for Last {
    fn drop(&mut self) {
        if let Some(act) = self.0.take() {
            act();
        }
    }
}

/// Uses everything in a thread; and again when that ends. A panic there would end the process.
pub(crate) fn ends_late(p: &mut Role) {
    let semaphore = Arc::new(Semaphore::open_existing(p.arg(0)).unwrap());
    let mutex = Arc::new(Mutex::open_existing(p.arg(0)).unwrap());
    let (reader, writer) = std::io::pipe().unwrap();
    let uses = move |name: String| {
        let never = Event::create_or_open(name, Reset::Auto)?;
        let items = [Waitable::from(&never), Waitable::readable(&reader)];
        assert_fails(wait_any(&items, SHORT), ErrorKind::TimedOut);
        // Longer than a slice, so that it has the holders watched: somebody else has both.
        assert_fails(semaphore.acquire_timeout(SHORT * 5), ErrorKind::TimedOut);
        assert_fails(mutex.lock_timeout(SHORT * 5), ErrorKind::TimedOut);
        quintet::Result::Ok(())
    };
    let name = format!("{}-never", p.arg(0));
    let (say, heard) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        let uses = Arc::new(uses);
        let again = uses.clone();
        let name_ = name.clone();
        LAST.set(Some(Last(Some(Box::new(move || {
            let _ = say.send(again(name_).map_err(|error| error.to_string()));
        })))));
        uses(name).unwrap();
    });
    assert_eq!(heard.recv().unwrap(), Ok(()));
    thread.join().unwrap();
    drop(writer);
    p.say("done");
}

#[test]
fn a_thread_that_is_just_ending_can_still_wait_for_everything() {
    let t = start();
    let name = t.name("ending");
    let mut holder = t.spawn("player", &[]);
    order(&mut holder, &format!("sem-new {name} 1 1"), "created");
    order(&mut holder, &format!("mutex-make {name}"), "created");
    order(&mut holder, "acquire", "ok");
    order(&mut holder, "lock", "ok");
    let mut peer = t.spawn("ends_late", &[&name]);
    peer.expect("done");
    peer.finish();
    crate::help::end(holder);
}
