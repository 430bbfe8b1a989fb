//! Programs that are not Quintet's, and take no locks: here, this test with the functions of std.

use crate::fails;
use quintet::ErrorKind;
use quintet::named::{Liveness, NamedKind};
use quintet::shm::{SharedMemories, SharedMemory};
use quintet_testkit::start;
use std::fs::{self, File};
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    PathBuf::from("/dev/shm").join(name)
}

#[test]
fn what_a_foreign_program_made_is_used_and_left_there() {
    let t = start();
    let name = t.name("foreign");
    fs::write(path(&name), b"made by another").unwrap();
    let memory = SharedMemory::create_or_open(&name, 10).unwrap();
    assert_eq!((memory.was_created(), memory.capacity()), (false, 15));
    assert_eq!(&memory.read::<[u8; 4]>(0).unwrap(), b"made");
    memory.write_at(0, b"used").unwrap();
    fails(SharedMemory::create_new(&name, 10), ErrorKind::AlreadyExists);
    drop(memory);
    assert_eq!(fs::read(path(&name)).unwrap(), b"used by another");
    let name = name.parse().unwrap();
    assert_eq!(SharedMemories.stat(&name).unwrap().liveness, Liveness::Foreign);
    // Asked to, we do.
    SharedMemories.remove(&name).unwrap();
    fails(SharedMemories.stat(&name), ErrorKind::NotFound);
}

#[test]
fn the_name_is_not_removed_from_under_a_foreign_program() {
    let t = start();
    let name = t.name("lease");
    let memory = SharedMemory::create_new(&name, 10).unwrap();
    let foreign = File::open(path(&name)).unwrap();
    drop(memory);
    assert!(path(&name).exists());
    fails(SharedMemories.remove(&name.parse().unwrap()), ErrorKind::Busy);
    // It lives, so it is opened as it is.
    assert!(!SharedMemory::create_or_open(&name, 10).unwrap().was_created());
    drop(foreign);
    assert!(SharedMemory::create_or_open(&name, 10).unwrap().was_created());
    assert!(!path(&name).exists());
}

#[test]
fn a_name_that_somebody_removed_is_noticed() {
    let t = start();
    let name = t.name("gone");
    let memory = SharedMemory::create_new(&name, 10).unwrap();
    assert!(memory.has_name());
    fs::remove_file(path(&name)).unwrap();
    assert!(!memory.has_name());
    let other = SharedMemory::create_new(&name, 10).unwrap();
    assert!(!memory.has_name() && other.has_name());
    // The one without a name takes nobody else's along.
    drop(memory);
    assert!(other.has_name());
}

#[test]
fn a_file_without_bytes_is_not_ready() {
    let t = start();
    let name = t.name("empty");
    File::create_new(path(&name)).unwrap();
    fails(SharedMemory::open_existing(&name), ErrorKind::Busy);
    fs::remove_file(path(&name)).unwrap();
}

#[test]
fn what_is_persistent_stays_until_it_is_removed() {
    let t = start();
    let name = t.name("stays");
    let builder = || SharedMemory::builder(&name).unwrap().size(10).persistent(true);
    builder().create_new().unwrap().write_at(0, [5]).unwrap();
    let memory = SharedMemory::open_existing(&name).unwrap();
    assert_eq!(memory.read::<u8>(0).unwrap(), 5);
    fails(SharedMemories.remove(&name.parse().unwrap()), ErrorKind::Busy);
    drop(memory);
    SharedMemories.remove(&name.parse().unwrap()).unwrap();
    fails(SharedMemory::open_existing(&name), ErrorKind::NotFound);
}
