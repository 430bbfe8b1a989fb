//! Windows whose threads serve nothing; on Linux also because their processes are stopped.

use super::*;
#[cfg(target_os = "linux")]
use quintet::window::SendMode;
use quintet::window::{broadcast_send, register_message};
use quintet_testkit::{eventually, start};
use std::cell::Cell;
use std::rc::Rc;
#[cfg(target_os = "linux")]
use std::thread;
use std::time::Instant;

#[cfg(target_os = "linux")]
#[test]
fn a_stopped_process_is_hung_after_a_while_and_no_more_when_it_goes_on() {
    let t = start();
    let (peer, window) = peer(&t, "serves");
    assert_eq!(window.send(ADD, 1, 1).unwrap(), 2);
    assert!(!window.is_hung().unwrap());
    peer.stop();
    // Waiting, it finds out when the time has come.
    let waiting =
        thread::spawn(move || window.send_timeout(WM_APP + 1, 0, 0, SendMode::AbortIfHung, PATIENCE));
    fails(waiting.join().unwrap(), ErrorKind::TimedOut);
    assert!(window.is_hung().unwrap() && window.info().unwrap().hung);
    // From then on at once: the deadline never comes.
    let now = window.send_timeout(WM_APP + 2, 0, 0, SendMode::AbortIfHung, quintet::Deadline::NEVER);
    fails(now, ErrorKind::TimedOut);
    fails(
        window.send_timeout(WM_APP + 3, 0, 0, SendMode::Normal, Duration::from_millis(10)),
        ErrorKind::TimedOut,
    );
    window.post(WM_APP + 4, 0, 0).unwrap();
    assert!(window.is_alive());
    peer.cont();
    eventually("it serves", || !window.is_hung().unwrap());
    let mut log = 0;
    eventually("all that got there is served", || {
        let more = window.send(LOG, 0, 0).unwrap();
        let digits = more.checked_ilog10().map_or(0, |digits| digits + 1);
        log = log * 10isize.pow(digits) + more;
        log == 134
    });
    close(peer, window);
}

#[test]
fn who_waits_for_messages_is_not_hung_however_long() {
    let t = start();
    let (serving, one) = peer(&t, "serves");
    let (mut stopped, other) = peer(&t, "serves_when_told");
    // It pumps nothing, so it is hung; the one beside it waits for messages all the time.
    eventually("it is hung", || other.is_hung().unwrap());
    assert!(!one.is_hung().unwrap());
    stopped.tell("serve");
    eventually("it is not", || !other.is_hung().unwrap());
    close(serving, one);
    close(stopped, other);
}

/// A procedure that takes its time does so from when its thread looked, however long that did something else before.
#[test]
fn who_has_just_looked_is_not_hung_while_it_serves() {
    let t = start();
    let (it, seen) = (Rc::new(Cell::new(None::<WindowHandle>)), Rc::new(Cell::new(None)));
    let (own, hung) = (it.clone(), seen.clone());
    let window = quiet(&t.name("w"), move |_| {
        hung.set(own.get().map(|window| window.is_hung().unwrap()));
        0
    });
    it.set(Some(window.handle()));
    window.handle().post(WM_APP, 0, 0).unwrap();
    eventually("it looks hung", || window.handle().is_hung().unwrap());
    assert_eq!(pump(PATIENCE).unwrap(), quintet::window::Pumped::Served);
    assert_eq!(seen.get(), Some(false));
}

#[test]
fn a_broadcast_among_dead_hung_and_destroyed_windows_keeps_to_its_deadline() {
    let t = start();
    let number = register_message("Quintet.Tests.Broadcast").unwrap();
    let (good, good_window) = top_level_peer(&t);
    let (hung, hung_window) = top_level_peer(&t);
    let (busy, busy_window) = peer_with(&t, "serves_when_told", "top");
    let (mut dead, dead_window) = top_level_peer(&t);
    let (gone, gone_window) = top_level_peer(&t);
    for window in [hung_window, dead_window, gone_window] {
        assert_eq!(window.send(ADD, 1, 1).unwrap(), 2);
    }
    #[cfg(target_os = "linux")]
    hung.stop();
    dead.kill();
    gone_window.post(DESTROY, 0, 0).unwrap();
    eventually("it is gone", || !gone_window.is_alive());
    #[cfg(target_os = "linux")]
    eventually("it is hung", || hung_window.is_hung().unwrap());
    eventually("it does not look busy", || busy_window.is_hung().unwrap());
    let start = Instant::now();
    let answers = broadcast_send(number, 0, 0, Duration::from_secs(20)).unwrap();
    assert!(start.elapsed() < PATIENCE);
    let of = |window: WindowHandle| {
        let answer = answers.iter().find(|answer| answer.window == window);
        answer.map(|answer| answer.result.as_ref().map_err(Error::kind).copied())
    };
    assert_eq!(of(good_window), Some(Ok(0)));
    #[cfg(target_os = "linux")]
    assert_eq!(of(hung_window), Some(Err(ErrorKind::TimedOut)));
    assert_eq!(of(busy_window), Some(Err(ErrorKind::TimedOut)));
    assert_eq!(of(dead_window), None);
    assert_eq!(of(gone_window), None);
    #[cfg(target_os = "linux")]
    hung.cont();
    let (mut busy, mut gone) = (busy, gone);
    busy.kill();
    gone.kill();
    close(hung, hung_window);
    close(good, good_window);
}
