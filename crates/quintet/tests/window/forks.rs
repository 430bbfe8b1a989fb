//! Forked children.

use super::*;
use quintet_testkit::start;

/// Uses in a forked child what its parent has, and what it makes itself.
pub(crate) fn forks(p: &mut Role) {
    let window = quiet(p.arg(0), |_| 5);
    // The parent has sent to somebody, too.
    let there = WindowHandle::from_raw(p.arg(1).parse().unwrap());
    assert_eq!(there.send(ADD, 1, 2).unwrap(), 3);
    // SAFETY: this thread runs the role; the child uses what it alone has by then, and ends by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let unsupported = |error: Error| error.kind() == ErrorKind::Unsupported;
        let refused =
            window.set_title("ours").is_err_and(unsupported) && pump(Duration::ZERO).is_err_and(unsupported);
        let own = quiet(p.arg(2), |_| 6);
        let is_own = own.handle() != window.handle()
            && own.handle().send(WM_USER, 0, 0).is_ok_and(|result| result == 6)
            && there.send(ADD, 3, 4).is_ok_and(|result| result == 7)
            && window.handle().is_alive()
            && window.handle().owner().unwrap().pid() != std::process::id();
        drop((own, window));
        // SAFETY: it ends the process and returns nowhere.
        unsafe { libc::_exit(i32::from(!(refused && is_own))) };
    }
    let mut status = 0;
    // SAFETY: the child is ours, and the status is written to a number of this function's.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0, "the child was not refused, or has nothing of its own");
    assert!(window.handle().is_alive());
    assert_eq!(window.handle().title().unwrap(), p.arg(0));
    fails(WindowHandle::find(None, Some(p.arg(2))), ErrorKind::NotFound);
    assert_eq!(there.send(ADD, 1, 2).unwrap(), 3);
    p.say("passed");
}

#[test]
fn a_forked_child_has_windows_of_its_own_alone() {
    let t = start();
    let (serving, window) = peer(&t, "serves");
    let mut forks = t.spawn(
        "forks",
        &[&t.name("w"), &window.raw().to_string(), &t.name("child")],
    );
    forks.expect("passed");
    forks.finish();
    close(serving, window);
}
