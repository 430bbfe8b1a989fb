//! Where the numbers of registered messages are kept, and for how long.

use super::*;
use quintet::window::{REGISTERED, register_message};
use quintet_testkit::{start, wrapped};
use std::path::PathBuf;
use std::process::Command;

fn file() -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    PathBuf::from(format!("/dev/shm/quintet-{user}/messages"))
}

/// Registers these in a forked child, which ends in an orderly way or not: their numbers, less the first one there is.
fn in_a_child(names: &[&str], dies: bool) -> Vec<u32> {
    let (mut reader, writer) = std::io::pipe().unwrap();
    // SAFETY: this thread runs the role; the child uses what it alone has by then, and returns nowhere.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let numbers: Vec<u8> = names
            .iter()
            .map(|name| (register_message(name).unwrap() - REGISTERED.start()) as u8)
            .collect();
        std::io::Write::write_all(&mut &writer, &numbers).unwrap();
        if dies {
            // SAFETY: takes plain values.
            unsafe { libc::raise(libc::SIGKILL) };
        }
        std::process::exit(0);
    }
    drop(writer);
    let mut numbers = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut numbers).unwrap();
    // SAFETY: the child is ours, and nobody wants to know its status.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    numbers.into_iter().map(u32::from).collect()
}

/// Alone in its /dev/shm.
pub(crate) fn registers_alone(p: &mut Role) {
    assert_eq!(in_a_child(&["a", "b", "A"], false), [0, 1, 0]);
    assert!(!file().exists(), "who ended last left it");
    assert!(!file().parent().unwrap().exists(), "or its folder");
    assert_eq!(in_a_child(&["a", "b"], true), [0, 1]);
    assert!(file().exists());
    // Nobody knows those numbers any more.
    assert_eq!(register_message("b").unwrap(), *REGISTERED.start());
    // But they do of this one, whoever comes and goes.
    for dies in [false, true] {
        assert_eq!(in_a_child(&["c", "b"], dies), [1, 0]);
        assert!(file().exists());
    }
    assert_eq!(register_message("c").unwrap(), REGISTERED.start() + 1);
    p.say("passed");
}

#[test]
fn the_numbers_of_messages_stay_as_long_as_somebody_knows_them() {
    let t = start();
    // Not the one that other tests use.
    let mount = "mount -t tmpfs -o size=16m,mode=1777 none /dev/shm";
    let allowed = t.run(Command::new("unshare").args(["--mount", "sh", "-c", mount]));
    if !allowed.status.success() {
        eprintln!("skipped: only root can mount a /dev/shm of its own");
        return;
    }
    let mut peer = t.spawn_with("registers_alone", &[], |command| {
        let script = format!("{mount} && exec \"$@\"");
        *command = wrapped(command, "unshare", &["--mount", "sh", "-c", &script, "sh"]);
    });
    peer.expect("passed");
    peer.finish();
}
