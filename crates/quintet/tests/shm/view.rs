//! Parts of memory: their bounds, and that they are the same bytes.

use crate::fails;
use quintet::ErrorKind;
use quintet::shm::{MapMode, SharedMemory};
use quintet_testkit::start;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::atomic::Ordering;

#[test]
fn a_view_is_a_part_of_the_memory() {
    let t = start();
    let name = t.name("part");
    let memory = SharedMemory::create_new(&name, 4096).unwrap();
    let other = SharedMemory::open_existing(&name).unwrap();
    // Neither at a multiple of a page, nor of anything else.
    let view = memory.view(1001, 50).unwrap();
    assert_eq!((view.offset(), view.len(), view.is_empty()), (1001, 50, false));
    view.write_at(3, b"hello").unwrap();
    assert_eq!(&other.read::<[u8; 5]>(1004).unwrap(), b"hello");
    other.write(1010, &0x0102_0304_u32).unwrap();
    assert_eq!(view.read::<u32>(9).unwrap(), 0x0102_0304);
    view.write(9, &5u32).unwrap();
    let mut bytes = [0; 4];
    other.view(1000, 100).unwrap().read_at(10, &mut bytes).unwrap();
    assert_eq!(u32::from_ne_bytes(bytes), 5);
    assert_eq!(view.as_ptr().addr().get() - memory.as_ptr().addr().get(), 1001);
    assert_eq!(view.memory().address(), memory.address());
    // SAFETY: nobody writes as long as the slice is there.
    assert_eq!(unsafe { &view.as_slice()[3..8] }, b"hello");
    // SAFETY: as above.
    assert_eq!(unsafe { view.as_slice() }.len(), 50);
}

#[test]
fn a_view_is_within_the_memory() {
    let t = start();
    let memory = SharedMemory::create_new(t.name("within"), 4096).unwrap();
    let end = memory.capacity() as u64;
    assert_eq!(memory.view(0, end).unwrap().len() as u64, end);
    assert!(memory.view(end, 0).unwrap().is_empty());
    assert!(memory.view_from(end).unwrap().is_empty());
    assert_eq!(memory.view_from(end - 7).unwrap().len(), 7);
    for (offset, len) in [
        (0, end + 1),
        (end, 1),
        (end - 1, 2),
        (end + 1, 0),
        (1, u64::MAX),
        (u64::MAX, 0),
        (u64::MAX, u64::MAX),
    ] {
        fails(memory.view(offset, len), ErrorKind::TooLarge);
    }
    fails(memory.view_from(end + 1), ErrorKind::TooLarge);
    fails(memory.view_from(u64::MAX), ErrorKind::TooLarge);
}

#[test]
fn nothing_beyond_a_view_is_reached() {
    let t = start();
    let memory = SharedMemory::create_new(t.name("beyond"), 4096).unwrap();
    let view = memory.view(8, 16).unwrap();
    view.write_at(14, [1, 2]).unwrap();
    for (offset, len) in [
        (15, 2),
        (16, 1),
        (17, 0),
        (0, 17),
        (u64::MAX, 1),
        (u64::MAX - 7, 16),
    ] {
        let mut buf = vec![9; len];
        fails(view.read_at(offset, &mut buf), ErrorKind::TooLarge);
        fails(view.write_at(offset, &buf), ErrorKind::TooLarge);
        fails(view.view(offset, len as u64), ErrorKind::TooLarge);
        assert_eq!(buf, vec![9; len]);
    }
    view.read_at(16, &mut []).unwrap();
    fails(view.read::<u64>(9), ErrorKind::TooLarge);
    fails(view.write(9, &0u64), ErrorKind::TooLarge);
    fails(view.atomic_u64(16), ErrorKind::TooLarge);
    fails(view.atomic_u32(u64::MAX - 3), ErrorKind::TooLarge);
    let error = view.read::<u64>(9).unwrap_err().to_string();
    assert!(
        error.contains("8 bytes at offset 9 reach beyond the view's length of 16"),
        "{error}"
    );
    // What failed has changed nothing.
    let mut all = [0; 17];
    memory.read_at(8, &mut all).unwrap();
    assert_eq!(all, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0]);
}

#[test]
fn a_view_of_a_view_counts_from_where_that_begins() {
    let t = start();
    let memory = SharedMemory::create_new(t.name("nested"), 4096).unwrap();
    let inner = {
        let outer = memory.view(100, 100).unwrap();
        fails(outer.view(90, 11), ErrorKind::TooLarge);
        outer.view(90, 10).unwrap().view_from(4).unwrap()
    };
    assert_eq!((inner.offset(), inner.len()), (194, 6));
    inner.write_at(0, b"inner!").unwrap();
    assert_eq!(&memory.read::<[u8; 7]>(194).unwrap(), b"inner!\0");
}

#[test]
fn atomics_are_aligned_in_the_memory() {
    let t = start();
    let memory = SharedMemory::create_new(t.name("atomics"), 4096).unwrap();
    let view = memory.view(4, 20).unwrap();
    // Longer than the view is there.
    let counter = { view }.atomic_u64(4).unwrap();
    counter.store(7, Ordering::Release);
    assert_eq!(memory.read::<u64>(8).unwrap(), 7);
    view.atomic_u32(0).unwrap().store(8, Ordering::Release);
    assert_eq!(memory.read::<u32>(4).unwrap(), 8);
    fails(view.atomic_u64(0), ErrorKind::Unsupported);
    fails(view.atomic_u64(8), ErrorKind::Unsupported);
    fails(memory.view(2, 20).unwrap().atomic_u32(0), ErrorKind::Unsupported);
    memory.view(2, 20).unwrap().atomic_u32(2).unwrap();
}

#[test]
fn a_stream_of_a_view_ends_where_it_does() {
    let t = start();
    let memory = SharedMemory::create_new(t.name("stream"), 4096).unwrap();
    let mut stream = memory.view(10, 5).unwrap().stream();
    assert_eq!(stream.write(b"1234567").unwrap(), 5);
    assert_eq!(stream.write(b"8").unwrap(), 0);
    assert_eq!(stream.seek(SeekFrom::End(-2)).unwrap(), 3);
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "45");
    assert_eq!(&memory.read::<[u8; 7]>(9).unwrap(), b"\x0012345\0");
}

#[test]
fn a_view_of_what_is_for_reading_is_not_written() {
    let t = start();
    let name = t.name("reading");
    let memory = SharedMemory::create_new(&name, 64).unwrap();
    let reader = SharedMemory::builder(&name)
        .unwrap()
        .mode(MapMode::ReadOnly)
        .open_existing()
        .unwrap();
    let view = reader.view(8, 8).unwrap();
    memory.write(8, &77u64).unwrap();
    assert_eq!(view.read::<u64>(0).unwrap(), 77);
    fails(view.write_at(0, "changed"), ErrorKind::PermissionDenied);
    fails(view.write(0, &1u8), ErrorKind::PermissionDenied);
    fails(view.atomic_u64(0), ErrorKind::PermissionDenied);
}

#[test]
fn views_are_used_by_several_threads() {
    let memory = SharedMemory::anonymous(4096).unwrap();
    let total = memory.view(64, 8).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                for _ in 0..100 {
                    total.atomic_u64(0).unwrap().fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(total.read::<u64>(0).unwrap(), 400);
}
