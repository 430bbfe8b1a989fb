//! When a test's process dies, its peers die: nothing is left behind.

use std::env;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use quintet_testkit::{Role, eventually, start};

quintet_testkit::peers!(leader, stopping_leader, leader_of_a_program, grandchild);

/// Names the file that [`program`] locks.
const LOCK: &str = "QUINTET_TESTKIT_LOCK";

/// Says so, and then is busy for ever: it does not listen. The lock is held exactly as long as the process is there.
fn hold(path: &str, say: impl FnOnce(&str)) -> ! {
    let file = File::options().write(true).open(path).unwrap();
    file.lock().unwrap();
    say("locked");
    loop {
        std::thread::park();
    }
}

fn grandchild(p: &mut Role) {
    let path = p.arg(0).to_owned();
    hold(&path, |text| p.say(text))
}

/// A program that has no role and does not care about its stdin, as many do.
#[test]
#[ignore = "a program for another test"]
fn program() {
    if let Ok(path) = env::var(LOCK) {
        hold(&path, |text| println!("{text}"))
    }
}

fn leader(p: &mut Role) {
    let t = start();
    let mut peer = t.spawn("grandchild", &[p.arg(0)]);
    peer.expect("locked");
    p.say("it lives");
    p.listen();
}

#[cfg(target_os = "linux")]
fn stopping_leader(p: &mut Role) {
    let t = start();
    let mut peer = t.spawn("grandchild", &[p.arg(0)]);
    peer.expect("locked");
    peer.stop();
    p.say("it lives");
    p.listen();
}

#[cfg(windows)]
fn stopping_leader(_: &mut Role) {
    unreachable!("processes cannot be stopped here");
}

fn leader_of_a_program(p: &mut Role) {
    let t = start();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "program", "--ignored", "--nocapture"]);
    let process = t.start_command(command.env(LOCK, p.arg(0)));
    process.wait_for_stdout("locked");
    p.say("it lives");
    p.listen();
}

fn check(role: &str) {
    let t = start();
    let path = t.temp_dir().join("lock");
    let file = File::create(&path).unwrap();
    let mut leader = t.spawn(role, &[path_text(&path)]);
    leader.expect("it lives");
    assert!(file.try_lock().is_err(), "the grandchild holds it");
    leader.kill();
    eventually("the grandchild is gone", || file.try_lock().is_ok());
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("the temporary folder has a name in UTF-8")
}

#[test]
fn the_peers_of_a_killed_leader_end() {
    check("leader");
}

#[cfg(target_os = "linux")]
#[test]
fn a_stopped_peer_of_a_killed_leader_ends() {
    check("stopping_leader");
}

#[test]
fn a_program_of_a_killed_leader_ends() {
    check("leader_of_a_program");
}
