//! A window is its own user's alone on Linux. (On Windows it is the desktop's.)

use super::*;
use quintet::window::{Pumped, WindowSearch};
use quintet_testkit::start;
use std::fs;
use std::io;

/// Looks, as another user, for a window of title `arg(0)` and handle `arg(1)`, on the roll `arg(2)`.
pub(crate) fn looks_as_another(p: &mut Role) {
    fails(WindowHandle::find(None, Some(p.arg(0))), ErrorKind::NotFound);
    assert!(WindowHandle::find_all(None, None).unwrap().is_empty());
    assert!(WindowSearch::new().find_all().unwrap().is_empty());
    let handle = WindowHandle::from_raw(p.arg(1).parse().unwrap());
    assert!(!handle.is_alive());
    fails(handle.send(WM_USER, 0, 0), ErrorKind::NotFound);
    fails(handle.post(WM_USER, 0, 0), ErrorKind::NotFound);
    let refused = fs::File::open(p.arg(2)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    // Its own are its own, of the same title too.
    let window = Window::create(p.arg(0), |_| 7).unwrap();
    assert_eq!(WindowHandle::find(None, Some(p.arg(0))).unwrap(), window.handle());
    p.say(window.handle().raw());
    p.listen();
}

#[test]
fn another_user_neither_finds_nor_reaches_a_window() {
    let t = start();
    let title = t.name("w");
    let window = Window::create(&title, |_| panic!("nobody sends")).unwrap();
    let user = rustix::process::geteuid().as_raw();
    let roll = format!("/dev/shm/quintet.window.{user}");
    assert!(fs::exists(&roll).unwrap());
    let handle = window.handle().raw().to_string();
    let Some(mut peer) = t.spawn_as_nobody("looks_as_another", &[&title, &handle, &roll]) else {
        eprintln!("skipped: only root can start a process of another user");
        return;
    };
    peer.hear();
    // Nor does this one find the other's.
    assert_eq!(
        WindowHandle::find_all(None, Some(&title)).unwrap(),
        [window.handle()]
    );
    assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Nothing);
    peer.tell("end");
    peer.finish();
}
