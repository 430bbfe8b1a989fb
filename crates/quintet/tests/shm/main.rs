//! Shared memory, between processes.

#[cfg(target_os = "linux")]
mod foreign;
mod lifetime;
#[cfg(target_os = "linux")]
mod prefault;
mod view;

use quintet::shm::{self, MapMode, SharedMemory};
use quintet::{Error, ErrorKind};
use quintet_testkit::{Role, start};
use std::fmt::Debug;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::atomic::Ordering;

quintet_testkit::peers!(mirrors, holds, inherits, dies);

/// Answers what is at the beginning of memory `arg(0)` at offset 2048, each time it is told to.
fn mirrors(p: &mut Role) {
    let memory = SharedMemory::open_existing(p.arg(0)).unwrap();
    p.say("ready");
    while p.listen() != "end" {
        let mut bytes = [0; 16];
        memory.read_at(0, &mut bytes).unwrap();
        bytes.reverse();
        memory.write_at(2048, bytes).unwrap();
        memory.atomic_u32(4092).unwrap().fetch_add(1, Ordering::AcqRel);
        p.say("done");
    }
}

/// Makes or opens memory `arg(0)`, writes a byte, and has it until it is told to end.
fn holds(p: &mut Role) {
    let memory = SharedMemory::create_or_open(p.arg(0), 4096).unwrap();
    memory.write_at(0, [7]).unwrap();
    p.say(if memory.was_created() { "made" } else { "opened" });
    p.listen();
}

/// Takes memory by its number, and doubles each of its bytes.
fn inherits(p: &mut Role) {
    // SAFETY: the parent has passed it for this purpose, and nothing else in this process knows of it.
    let memory = match unsafe { SharedMemory::inherited(p.arg(0)) } {
        Ok(memory) => memory,
        Err(error) => return p.say(format!("{:?}", error.kind())),
    };
    let mut bytes = vec![0; memory.capacity()];
    memory.read_at(0, &mut bytes).unwrap();
    for byte in &mut bytes {
        *byte *= 2;
    }
    memory.write_at(0, &bytes).unwrap();
    p.say("doubled");
}

use lifetime::dies;

#[track_caller]
fn fails<T: Debug>(result: Result<T, Error>, kind: ErrorKind) {
    match result {
        Err(error) if error.kind() == kind => {}
        other => panic!("expected the error {kind:?}, got {other:?}"),
    }
}

#[test]
fn two_processes_have_the_same_bytes() {
    let t = start();
    let name = t.name("shared");
    let memory = SharedMemory::create_new(&name, 4096).unwrap();
    let mut peer = t.spawn("mirrors", &[&name]);
    peer.expect("ready");
    for round in 1..=20u8 {
        let bytes: [u8; 16] = std::array::from_fn(|at| (at as u8).wrapping_mul(round));
        memory.write_at(0, bytes).unwrap();
        peer.tell("now");
        peer.expect("done");
        let mut answer = [0; 16];
        memory.read_at(2048, &mut answer).unwrap();
        answer.reverse();
        assert_eq!(answer, bytes);
        let rounds = memory.atomic_u32(4092).unwrap();
        assert_eq!(rounds.load(Ordering::Acquire), u32::from(round));
    }
    peer.tell("end");
    peer.finish();
}

#[test]
fn a_child_is_handed_memory_without_a_name() {
    let t = start();
    let memory = SharedMemory::anonymous(100).unwrap();
    memory.write_at(0, [1, 2, 3]).unwrap();
    let theirs = memory.for_child().unwrap();
    let number = theirs.to_string();
    let mut peer = t.spawn_through("inherits", &[&number], |command| {
        Ok(shm::spawn(command, [theirs])?)
    });
    peer.expect("doubled");
    peer.finish();
    assert_eq!(memory.read::<[u8; 3]>(0).unwrap(), [2, 4, 6]);
    // Nobody else gets it.
    let theirs = memory.for_child().unwrap();
    let mut stranger = t.spawn("inherits", &[&theirs.to_string()]);
    stranger.expect("NotFound");
    stranger.finish();
}

#[test]
fn named_memory_is_not_handed_to_a_child() {
    let t = start();
    let memory = SharedMemory::create_new(t.name("named"), 10).unwrap();
    fails(memory.for_child(), ErrorKind::Unsupported);
}

#[test]
fn nothing_is_read_or_written_beyond_the_end() {
    let t = start();
    let memory = SharedMemory::create_new(t.name("end"), 4096).unwrap();
    let end = memory.capacity() as u64;
    memory.write_at(end - 2, [1, 2]).unwrap();
    fails(memory.write_at(end - 1, [3, 4]), ErrorKind::TooLarge);
    fails(memory.read_at(end, &mut [0]), ErrorKind::TooLarge);
    fails(memory.read_at(u64::MAX, &mut [0; 2]), ErrorKind::TooLarge);
    fails(memory.read::<u64>(end - 7), ErrorKind::TooLarge);
    fails(memory.atomic_u64(end - 4), ErrorKind::Unsupported);
    fails(memory.atomic_u64(end), ErrorKind::TooLarge);
    fails(memory.atomic_u32(2), ErrorKind::Unsupported);
    // What failed has changed nothing.
    assert_eq!(memory.read::<[u8; 2]>(end - 2).unwrap(), [1, 2]);
    memory.read_at(end, &mut []).unwrap();
}

#[test]
fn it_is_as_large_as_was_asked_for_or_not_opened() {
    let t = start();
    let name = t.name("size");
    let memory = SharedMemory::create_new(&name, 5000).unwrap();
    assert!(memory.capacity() >= 5000);
    assert_eq!(
        SharedMemory::open_existing(&name).unwrap().capacity(),
        memory.capacity()
    );
    assert!(!SharedMemory::create_or_open(&name, 100).unwrap().was_created());
    fails(SharedMemory::create_or_open(&name, 100_000), ErrorKind::TooLarge);
    fails(SharedMemory::create_new(&name, 5000), ErrorKind::AlreadyExists);
    fails(SharedMemory::open_existing(t.name("none")), ErrorKind::NotFound);
    fails(
        SharedMemory::create_new(t.name("zero"), 0),
        ErrorKind::Unsupported,
    );
    fails(SharedMemory::anonymous(0), ErrorKind::Unsupported);
}

#[test]
fn more_than_there_is_cannot_be_had() {
    let t = start();
    for size in [1 << 45, u64::MAX / 2, u64::MAX] {
        for result in [
            SharedMemory::create_new(t.name("huge"), size),
            SharedMemory::anonymous(size),
        ] {
            match result {
                Err(error) if matches!(error.kind(), ErrorKind::Full | ErrorKind::TooLarge) => {}
                other => panic!("{size} bytes: {other:?}"),
            }
        }
    }
}

#[test]
fn what_is_for_reading_is_not_written() {
    let t = start();
    let name = t.name("reading");
    let memory = SharedMemory::create_new(&name, 100).unwrap();
    memory.write_at(0, b"as it was").unwrap();
    let mut reader = SharedMemory::builder(&name)
        .unwrap()
        .mode(MapMode::ReadOnly)
        .open_existing()
        .unwrap();
    assert_eq!(&reader.read::<[u8; 9]>(0).unwrap(), b"as it was");
    fails(reader.write_at(0, "changed"), ErrorKind::PermissionDenied);
    fails(reader.atomic_u32(0), ErrorKind::PermissionDenied);
    // SAFETY: nobody writes to it meanwhile; the call only has to fail.
    assert!(unsafe { reader.as_mut_slice() }.is_err());
    // SAFETY: nobody writes to it as long as the slice is there.
    assert!(unsafe { reader.as_slice() }.starts_with(b"as it was"));
}

#[test]
fn what_is_written_to_a_copy_stays_there() {
    let t = start();
    let name = t.name("copy");
    let memory = SharedMemory::create_new(&name, 100).unwrap();
    memory.write_at(0, b"as it was").unwrap();
    let copy = SharedMemory::builder(&name)
        .unwrap()
        .mode(MapMode::CopyOnWrite)
        .open_existing()
        .unwrap();
    copy.write_at(0, b"changed").unwrap();
    assert_eq!(&copy.read::<[u8; 9]>(0).unwrap(), b"changedas");
    assert_eq!(&memory.read::<[u8; 9]>(0).unwrap(), b"as it was");
}

#[test]
fn a_file_is_mapped_and_keeps_what_is_written() {
    let t = start();
    let path = t.temp_dir().join("file");
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    fails(
        SharedMemory::from_file(&file, MapMode::ReadWrite),
        ErrorKind::Unsupported,
    );
    file.set_len(5000).unwrap();
    let memory = SharedMemory::from_file(&file, MapMode::ReadWrite).unwrap();
    memory.write_at(4990, b"the end").unwrap();
    memory.flush().unwrap();
    drop((memory, file));
    assert_eq!(&std::fs::read(&path).unwrap()[4990..4997], b"the end");
    let file = std::fs::File::open(&path).unwrap();
    let memory = SharedMemory::from_file(&file, MapMode::ReadOnly).unwrap();
    assert_eq!(&memory.read::<[u8; 7]>(4990).unwrap(), b"the end");
    assert!(SharedMemory::from_file(&file, MapMode::ReadWrite).is_err());
}

#[test]
fn a_stream_ends_where_the_memory_does() {
    let t = start();
    let memory = SharedMemory::create_new(t.name("stream"), 4096).unwrap();
    let end = memory.capacity() as u64;
    let mut stream = memory.stream();
    assert_eq!(stream.seek(SeekFrom::End(-3)).unwrap(), end - 3);
    assert_eq!(stream.write(b"12345").unwrap(), 3);
    assert_eq!(stream.write(b"45").unwrap(), 0);
    assert!(stream.seek(SeekFrom::Current(-10_000_000)).is_err());
    stream.seek(SeekFrom::Current(-3)).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "123");
    stream.seek(SeekFrom::Start(u64::MAX)).unwrap();
    assert_eq!(stream.read(&mut [0; 4]).unwrap(), 0);
}
