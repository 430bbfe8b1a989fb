//! What the tests of `quintet::sync` share.
#![allow(dead_code, reason = "each test file uses what it needs of it")]

use quintet::named::{Entry, NamedKind};
use quintet::sync::{Mutexes, Semaphore, Semaphores};
use quintet::{Error, ErrorKind, Name};
use quintet_testkit::Peer;
use std::fmt::Debug;
use std::time::Duration;

/// A wait that only a failing test waits out.
pub(crate) const LONG: Duration = Duration::from_secs(40);
/// A wait that is always waited out.
pub(crate) const SHORT: Duration = Duration::from_millis(30);

#[track_caller]
pub(crate) fn assert_fails<T: Debug>(result: Result<T, Error>, kind: ErrorKind) -> Error {
    match result {
        Err(error) if error.kind() == kind => error,
        other => panic!("expected the error {kind:?}, got {other:?}"),
    }
}

pub(crate) fn semaphore(name: &str, initial: u32, maximum: u32) -> Semaphore {
    Semaphore::create_new(name, initial, maximum).unwrap()
}

#[track_caller]
pub(crate) fn stat(kind: &dyn NamedKind, name: &str) -> Entry {
    kind.stat(&Name::new(name).unwrap()).unwrap()
}

/// How many permits each process holds, as the system shows it.
pub(crate) fn owners(name: &str) -> Vec<(u32, u32)> {
    let entry = stat(&Semaphores, name);
    let mut owners: Vec<_> = entry
        .owners
        .iter()
        .map(|owner| (owner.process.pid(), owner.count))
        .collect();
    owners.sort_unstable();
    owners
}

/// Waits until so many threads of all processes sleep on the object. (Windows does not tell: there it is a hope only.)
#[track_caller]
pub(crate) fn wait_until_asleep(kind: &dyn NamedKind, name: &str, sleepers: usize) {
    if cfg!(target_os = "linux") {
        quintet_testkit::eventually("they sleep", || {
            stat(kind, name).detail("waiting") == Some(sleepers.to_string().as_str())
        });
    }
}

#[track_caller]
pub(crate) fn wait_until_permit_wanted(name: &str, sleepers: usize) {
    wait_until_asleep(&Semaphores, name, sleepers);
}

#[track_caller]
pub(crate) fn wait_until_lock_wanted(name: &str, sleepers: usize) {
    wait_until_asleep(&Mutexes, name, sleepers);
}

/// Nobody has it, and nothing is left of it.
#[track_caller]
pub(crate) fn assert_gone(name: &str) {
    assert_fails(Semaphore::open_existing(name), ErrorKind::NotFound);
    if cfg!(target_os = "linux") {
        for kind in ["sem", "mutex", "event"] {
            let path = format!("/dev/shm/quintet.{kind}.{name}");
            assert!(std::fs::symlink_metadata(&path).is_err(), "{path} is there");
        }
    }
}

/// Tells a player to do something, and hears how it went.
#[track_caller]
pub(crate) fn ask(peer: &mut Peer, order: &str) -> String {
    peer.tell(order);
    peer.hear()
}

/// Tells a player to do something, which must go as it should.
#[track_caller]
pub(crate) fn order(peer: &mut Peer, order: &str, answer: &str) {
    peer.tell(order);
    let heard = peer.hear();
    assert_eq!(heard, answer, "to {order:?}");
}

/// Ends a player.
#[track_caller]
pub(crate) fn end(mut peer: Peer) {
    peer.tell("end");
    peer.finish();
}

/// Numbers that are the same in every run (xorshift64).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
