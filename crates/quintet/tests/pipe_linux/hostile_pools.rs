//! Pools of memory for large messages that no honest writer offers.

use crate::common::assert_fails;
use crate::hostile_peer::{LIMIT, hostile_peer, limited_server};
use crate::raw::{POOL, POOL_BASE, POOLED_FIRST, POOLED_LATER, header, send, send_with, whole};
use quintet::ErrorKind;
use quintet_testkit::start;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{MemfdFlags, SealFlags};
use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixStream;

/// A memory file as an honest writer makes it, but for its size and its seals.
fn memory(size: u64, seals: SealFlags) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = rustix::fs::memfd_create("hostile", flags).unwrap();
    rustix::fs::ftruncate(&memory, size).unwrap();
    rustix::fs::fcntl_add_seals(&memory, seals).unwrap();
    memory
}

const SLOT: u32 = 4096;
const SLOTS: u64 = 4;
const SIZE: u64 = POOL_BASE + SLOT as u64 * SLOTS;

#[test]
fn a_pool_that_could_change_under_its_reader_is_refused() {
    let t = start();
    let server = limited_server(&t.name("pool"));
    let sealed = || memory(SIZE, SealFlags::SHRINK | SealFlags::GROW);
    let null = || OwnedFd::from(File::open("/dev/null").unwrap());
    let folder = t.temp_dir();
    let file = || {
        let file = File::create(folder.join("file")).unwrap();
        file.set_len(SIZE).unwrap();
        OwnedFd::from(file)
    };
    let cases: Vec<(&str, OwnedFd, u32, u64)> = vec![
        ("not sealed", memory(SIZE, SealFlags::empty()), SLOT, SLOTS),
        (
            "sealed against growing only",
            memory(SIZE, SealFlags::GROW),
            SLOT,
            SLOTS,
        ),
        ("too small", memory(SIZE - 1, SealFlags::SHRINK), SLOT, SLOTS),
        ("empty", memory(0, SealFlags::SHRINK), SLOT, SLOTS),
        ("no memory", null(), SLOT, SLOTS),
        ("a file", file(), SLOT, SLOTS),
        ("a pipe", OwnedFd::from(std::io::pipe().unwrap().0), SLOT, SLOTS),
        ("no slots", sealed(), SLOT, 0),
        ("slots of nothing", sealed(), 0, SLOTS),
        ("slots too large", sealed(), u32::MAX, SLOTS),
        ("too many slots", sealed(), 1, u64::from(u32::MAX)),
        ("more slots than memory", sealed(), SLOT, SLOTS + 1),
    ];
    for (what, memory, slot, slots) in cases {
        let (stream, hostile) = hostile_peer(&server);
        let (_ours, theirs) = UnixStream::pair().unwrap();
        send_with(
            &hostile,
            &header(POOL, slot, slots),
            &[memory.as_fd(), theirs.as_fd()],
        );
        send(&hostile, &whole(b"innocent")).unwrap();
        match stream.read_message() {
            Err(error) if error.kind() == ErrorKind::Corrupt => {}
            other => panic!("{what}: {other:?}"),
        }
        assert_fails(stream.read_message(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_pools_parts_are_held_to_the_same_rules() {
    let t = start();
    let server = limited_server(&t.name("parts"));
    let cases: [(&str, Vec<Vec<u8>>); 7] = [
        ("larger than a slot", vec![header(POOLED_FIRST, SLOT + 1, 5000)]),
        ("larger than the message", vec![header(POOLED_FIRST, 5, 4)]),
        ("nothing", vec![header(POOLED_FIRST, 0, 0)]),
        ("a later one at once", vec![header(POOLED_LATER, 5, 5)]),
        (
            "a gap",
            vec![header(POOLED_FIRST, 5, 10), header(POOLED_LATER, 1, 6)],
        ),
        (
            "beyond the end",
            vec![header(POOLED_FIRST, 5, 10), header(POOLED_LATER, 6, 5)],
        ),
        ("a second offer", vec![header(POOL, SLOT, SLOTS)]),
    ];
    for (what, packets) in cases {
        let (stream, hostile) = hostile_peer(&server);
        let (_ours, theirs) = UnixStream::pair().unwrap();
        let memory = memory(SIZE, SealFlags::SHRINK);
        send_with(
            &hostile,
            &header(POOL, SLOT, SLOTS),
            &[memory.as_fd(), theirs.as_fd()],
        );
        for packet in &packets {
            send(&hostile, packet).unwrap();
        }
        match stream.read_message() {
            Err(error) if error.kind() == ErrorKind::Corrupt => {}
            other => panic!("{what}: {other:?}"),
        }
    }
    let (stream, hostile) = hostile_peer(&server);
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let memory = memory(SIZE, SealFlags::SHRINK);
    send_with(
        &hostile,
        &header(POOL, SLOT, SLOTS),
        &[memory.as_fd(), theirs.as_fd()],
    );
    send(&hostile, &header(POOLED_FIRST, 5, LIMIT + 1)).unwrap();
    assert_fails(stream.read_message(), ErrorKind::TooLarge);
}

#[test]
fn a_reader_does_not_care_where_its_credits_go() {
    let t = start();
    let server = limited_server(&t.name("credits"));
    // Whoever waited for room here would wait for ever.
    let (_kept, full) = UnixStream::pair().unwrap();
    full.set_nonblocking(true).unwrap();
    while Write::write(&mut &full, &[0; 1000]).is_ok() {}
    full.set_nonblocking(false).unwrap();
    for credits in [
        OwnedFd::from(full),
        OwnedFd::from(UnixStream::pair().unwrap().0),
        OwnedFd::from(File::open("/dev/null").unwrap()),
        OwnedFd::from(std::io::pipe().unwrap().1),
    ] {
        let (stream, hostile) = hostile_peer(&server);
        let memory = memory(SIZE, SealFlags::SHRINK);
        send_with(
            &hostile,
            &header(POOL, SLOT, SLOTS),
            &[memory.as_fd(), credits.as_fd()],
        );
        // Around the pool, and further than there are credits.
        for n in 0..2 * SLOTS {
            let text = format!("part {n}");
            rustix::io::pwrite(&memory, text.as_bytes(), POOL_BASE + n % SLOTS * u64::from(SLOT)).unwrap();
            send(
                &hostile,
                &header(POOLED_FIRST, text.len() as u32, text.len() as u64),
            )
            .unwrap();
            assert_eq!(stream.read_message().unwrap().unwrap(), text.as_bytes());
        }
    }
}
