use crate::fails;
use quintet::ErrorKind;
use quintet::named::{Liveness, NamedKind};
use quintet::shm::{SharedMemories, SharedMemory};
use quintet::test_hooks;
use quintet_testkit::{Role, start, start_with_deadline};
use std::time::Duration;

#[test]
fn it_lives_as_long_as_somebody_has_it() {
    let t = start();
    let name = t.name("lives");
    let mut first = t.spawn("holds", &[&name]);
    first.expect("made");
    let mut second = t.spawn("holds", &[&name]);
    second.expect("opened");
    first.tell("end");
    first.finish();
    let memory = SharedMemory::open_existing(&name).unwrap();
    assert_eq!(memory.read::<u8>(0).unwrap(), 7);
    second.tell("end");
    second.finish();
    drop(memory);
    fails(SharedMemory::open_existing(&name), ErrorKind::NotFound);
}

#[test]
fn what_a_killed_process_left_is_not_seen_by_the_next() {
    let t = start();
    let name = t.name("killed");
    let mut holder = t.spawn("holds", &[&name]);
    holder.expect("made");
    holder.kill();
    holder.wait_exit();
    fails(SharedMemory::open_existing(&name), ErrorKind::NotFound);
    let mut holder = t.spawn("holds", &[&name]);
    holder.expect("made");
    holder.kill();
    holder.wait_exit();
    let memory = SharedMemory::create_new(&name, 100).unwrap();
    assert_eq!(memory.read::<u8>(0).unwrap(), 0);
}

#[test]
fn it_is_listed_and_looked_at() {
    let t = start();
    let name = t.name("listed");
    let memory = SharedMemory::create_new(&name, 5000).unwrap();
    let entry = SharedMemories.stat(&name.parse().unwrap()).unwrap();
    assert_eq!(entry.liveness, Liveness::Live);
    assert_eq!(entry.size, Some(memory.capacity() as u64));
    let listed = SharedMemories.list().unwrap();
    assert!(
        listed
            .iter()
            .any(|entry| Some(&entry.address) == memory.address())
    );
    drop(memory);
    fails(SharedMemories.stat(&name.parse().unwrap()), ErrorKind::NotFound);
    fails(SharedMemories.remove(&name.parse().unwrap()), ErrorKind::NotFound);
}

/// Makes memory `arg(0)`, uses it and closes it, and dies before its step number `arg(1)`.
pub(crate) fn dies(p: &mut Role) {
    test_hooks::die_at(p.arg(1).parse().unwrap());
    let memory = SharedMemory::create_or_open(p.arg(0), 4096).unwrap();
    memory.write_at(0, [7]).unwrap();
    drop(memory);
    test_hooks::disarm();
    p.say("passed");
}

#[test]
fn a_death_at_any_step_leaves_the_name_free() {
    let t = start_with_deadline(Duration::from_secs(300));
    for step in 0.. {
        let name = t.name("step");
        let mut peer = t.spawn("dies", &[&name, &step.to_string()]);
        let passed = peer.hear_or_end().is_some();
        if !passed {
            assert_ne!(
                peer.wait_exit().code(),
                Some(101),
                "at step {step}\n{}",
                peer.describe()
            );
        }
        let memory = SharedMemory::create_new(&name, 4096);
        let memory = memory.unwrap_or_else(|error| panic!("after step {step}: {error}"));
        assert_eq!(memory.read::<u8>(0).unwrap(), 0, "after step {step}");
        if passed {
            assert!(step > 3, "it makes only {step} calls: are the hooks there?");
            peer.finish();
            return;
        }
    }
}

#[test]
fn a_death_at_any_step_of_opening_hurts_nobody() {
    let t = start_with_deadline(Duration::from_secs(300));
    for step in 0.. {
        let name = t.name("beside");
        let memory = SharedMemory::create_new(&name, 4096).unwrap();
        let mut peer = t.spawn("dies", &[&name, &step.to_string()]);
        let passed = peer.hear_or_end().is_some();
        if !passed {
            assert_ne!(
                peer.wait_exit().code(),
                Some(101),
                "at step {step}\n{}",
                peer.describe()
            );
        }
        assert!(memory.has_name(), "after step {step}");
        let other = SharedMemory::open_existing(&name).unwrap();
        memory.write_at(8, [9]).unwrap();
        assert_eq!(other.read::<u8>(8).unwrap(), 9, "after step {step}");
        if passed {
            peer.finish();
            return;
        }
    }
}
