//! What is to be there before it is needed is: by what the system says of this process's memory.

use quintet::shm::{Mailbox, Queue, SharedMemory, Topic};
use quintet_testkit::start;
use std::fs;
use std::os::unix::fs::DirEntryExt;

const LONG: u64 = 4 << 20;

/// How many KiB of each mapping are there, and how many there could be: of the files that `what` is in the name of.
fn resident(what: &str) -> Vec<(u64, u64)> {
    let files = fs::read_dir("/dev/shm").unwrap().map(Result::unwrap);
    let inodes: Vec<String> = files
        .filter(|file| file.file_name().to_string_lossy().contains(what))
        .map(|file| file.ino().to_string())
        .collect();
    let text = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut found = Vec::new();
    let mut ours = false;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        match words[0] {
            "Size:" if ours => found.push((0, number(1))),
            "Rss:" if ours => found.last_mut().unwrap().0 = number(1),
            range if !range.ends_with(':') => ours = inodes.iter().any(|inode| *inode == words[4]),
            _ => {}
        }
    }
    found
}

/// That the large ones among them are there, from the first page to the last, and were not before.
#[track_caller]
fn is_there(what: &str, prefault: impl FnOnce()) {
    let large = || {
        let mut all = resident(what);
        all.retain(|(_, size)| *size >= LONG / 1024);
        assert!(!all.is_empty());
        all
    };
    assert!(
        large().iter().any(|(there, size)| *there < size / 2),
        "{:?}",
        large()
    );
    prefault();
    // What stands before the values, and has parts that nobody needs yet, is not touched.
    assert!(
        large().iter().all(|(there, size)| *there + 128 >= *size),
        "{:?}",
        large()
    );
}

#[test]
fn every_page_is_there() {
    let t = start();
    let name = t.name("memory");
    let memory = SharedMemory::builder(&name)
        .unwrap()
        .size(LONG)
        .create_new()
        .unwrap();
    is_there(&name, || memory.prefault());

    let name = t.name("queue");
    let queue = Queue::builder(&name)
        .unwrap()
        .producers(1)
        .capacity(LONG)
        .create_new()
        .unwrap();
    is_there(&name, || queue.prefault());

    let name = t.name("mailbox");
    let mailbox = Mailbox::builder(&name).unwrap().size(LONG).create_new().unwrap();
    is_there(&name, || mailbox.prefault());

    let name = t.name("topic");
    let topic = Topic::builder(&name)
        .unwrap()
        .publishers(1)
        .capacity(LONG)
        .create_new()
        .unwrap();
    let publisher = topic.publisher().unwrap();
    is_there(&name, || {
        topic.prefault();
        publisher.prefault();
    });
}
