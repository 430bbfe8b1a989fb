//! A test that hangs is ended, and tells who hung.

use std::thread;
use std::time::Duration;

use quintet_testkit::{Role, Test, start, start_with_deadline};

quintet_testkit::peers!(sleeper, waiting_test, stuck_test, lonely_test, quick_test);

const TINY: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(10_000);

fn sleeper(p: &mut Role) {
    p.say("good night");
    p.listen();
}

/// A test with a peer that will never say what the test waits for.
fn waiting_test(_: &mut Role) {
    let t = start();
    let mut peer = t.spawn("sleeper", &[]);
    peer.expect("good night");
    t.set_deadline(TINY);
    peer.expect("good morning");
}

/// A test that does not even notice that its peer is gone.
fn stuck_test(_: &mut Role) {
    let t = start_with_deadline(LONG);
    let _peer = t.spawn("sleeper", &[]);
    t.set_deadline(TINY);
    sleep_for_ever()
}

fn lonely_test(_: &mut Role) {
    let _t = start_with_deadline(TINY);
    sleep_for_ever()
}

fn sleep_for_ever() -> ! {
    loop {
        thread::park();
    }
}

/// A test that hangs, then comes round when its peer is killed, and would pass.
fn quick_test(_: &mut Role) {
    let t = start();
    let peer = t.spawn("sleeper", &[]);
    t.set_deadline(TINY);
    peer.wait_exit();
}

/// What the test prints that the role is. `slow` shortens the time that a stuck test is given.
fn run(t: &Test, role: &str, slow: &str) -> String {
    let peer = t.spawn_with(role, &[], |command| _ = command.env("QUINTET_TEST_SLOW", slow));
    let status = peer.wait_exit();
    let stderr = peer.stderr();
    assert_eq!(status.code(), Some(101), "{stderr}");
    assert!(
        stderr.contains(&format!("the role {role} (")),
        "the test is named: {stderr}"
    );
    assert!(stderr.contains("watchdog.rs:"), "its place is named: {stderr}");
    stderr
}

#[test]
fn a_test_that_waits_for_its_peer_fails() {
    let t = start();
    let stderr = run(&t, "waiting_test", "1");
    for part in [
        "not done after 20ms",
        "`sleeper` (pid ",
        "said: \"good night\"",
        "expected to hear \"good morning\", but it ended",
        "ended by the test",
    ] {
        assert!(stderr.contains(part), "no {part:?} in: {stderr}");
    }
    assert!(!stderr.contains("still stuck"), "{stderr}");
    #[cfg(target_os = "linux")]
    for part in ["state S", "thread ", "(role's stdin)", "(watchdog): R"] {
        assert!(stderr.contains(part), "no {part:?} in: {stderr}");
    }
}

#[test]
fn a_test_that_is_stuck_in_itself_is_ended() {
    let t = start();
    let stderr = run(&t, "stuck_test", "0.01");
    assert!(stderr.contains("`sleeper` (pid "), "{stderr}");
    assert!(stderr.contains("still stuck without its peers"), "{stderr}");
}

#[test]
fn a_test_without_peers_is_ended() {
    let t = start();
    let stderr = run(&t, "lonely_test", "0.01");
    assert!(stderr.contains("It has no peers"), "{stderr}");
    assert!(stderr.contains("still stuck"), "{stderr}");
}

#[test]
fn a_test_that_ends_too_late_fails() {
    let t = start();
    let stderr = run(&t, "quick_test", "1");
    assert!(stderr.contains("its deadline has passed"), "{stderr}");
}
