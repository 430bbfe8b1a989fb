//! Signals and stops: a wait that is interrupted goes on.

use crate::help::{LONG, SHORT, assert_fails, order, semaphore, wait_until_permit_wanted};
use quintet::ErrorKind;
use quintet::sync::{Event, Mutex, Process, Reset, Semaphore, Waitable, wait_all, wait_any};
use quintet_testkit::{Role, start};
use std::ptr;
use std::thread;
use std::time::Duration;

extern "C" fn do_nothing(_signal: libc::c_int) {}

/// Interrupts whatever this thread waits in, all the time.
fn pester_this_thread() {
    // SAFETY: the action is valid when all its fields are zero (no flags: what is interrupted is not begun again) but
    // for the handler, which does nothing, so that it may run at any time.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = do_nothing as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()), 0);
    }
    // SAFETY: it takes no arguments and cannot fail.
    let (process, thread) = (std::process::id(), unsafe { libc::gettid() });
    thread::spawn(move || {
        loop {
            // SAFETY: it takes numbers only. A thread of this number is this process's own, or there is none.
            unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR1) };
            thread::sleep(Duration::from_micros(100));
        }
    });
}

/// Waits for everything, in vain and not, while signals come all the time.
pub(crate) fn pestered(p: &mut Role) {
    pester_this_thread();
    let name = p.arg(0).to_owned();
    let late = ErrorKind::TimedOut;
    for round in 0..3 {
        let semaphore = Semaphore::open_existing(&name).unwrap();
        let mutex = Mutex::open_existing(&name).unwrap();
        let never = Event::create_or_open(&name, Reset::Auto).unwrap();
        let (reader, _writer) = std::io::pipe().unwrap();
        let parent = Process::open(std::process::id()).unwrap();
        assert_fails(semaphore.wait_timeout(SHORT), late);
        assert_fails(semaphore.acquire_timeout(SHORT * 4), late);
        assert_fails(mutex.lock_timeout(SHORT * 4), late);
        assert_fails(never.wait_timeout(SHORT), late);
        assert_fails(parent.wait_timeout(SHORT), late);
        let items = [
            Waitable::permit(&semaphore),
            (&mutex).into(),
            (&never).into(),
            (&parent).into(),
            Waitable::readable(&reader),
        ];
        assert_fails(wait_any(&items, SHORT * 4), late);
        assert_fails(wait_any(&items[3..], SHORT), late);
        assert_fails(wait_all(&items, SHORT), late);
        p.say("waits");
        assert_eq!(wait_any(&items, LONG).unwrap().index, 0, "in round {round}");
        p.say("got it");
        p.expect("go on");
    }
}

#[test]
fn signals_end_no_wait() {
    let t = start();
    let name = t.name("pestered");
    let semaphore = semaphore(&name, 1, 1);
    let mutex = Mutex::create_new(&name).unwrap();
    let _guard = mutex.lock().unwrap();
    let mut permit = Some(semaphore.acquire().unwrap());
    let mut peer = t.spawn("pestered", &[&name]);
    for _ in 0..3 {
        peer.expect("waits");
        drop(permit.take());
        peer.expect("got it");
        permit = Some(semaphore.acquire_timeout(LONG).unwrap());
        peer.tell("go on");
    }
    peer.finish();
}

#[test]
fn stops_in_between_lose_no_wake_up() {
    let t = start();
    let name = t.name("stops");
    let semaphore = semaphore(&name, 0, 100);
    let mut peers: Vec<_> = (0..2).map(|_| t.spawn("player", &[])).collect();
    for peer in &mut peers {
        order(peer, &format!("sem-open {name}"), "opened");
    }
    for round in 0..10 {
        for peer in &mut peers {
            peer.tell("wait");
        }
        wait_until_permit_wanted(&name, 2);
        // One of them is stopped as its wake-up comes.
        let stopped = round % 2;
        peers[stopped].stop();
        semaphore.release(1).unwrap();
        peers[1 - stopped].expect("ok");
        peers[stopped].cont();
        semaphore.release(1).unwrap();
        peers[stopped].expect("ok");
    }
    assert_eq!(semaphore.count().unwrap(), 0);
    peers.into_iter().for_each(crate::help::end);
}
