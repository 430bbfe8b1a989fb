//! No two tests share a name.

use std::collections::HashSet;
use std::thread;

use quintet_testkit::{Role, start};

quintet_testkit::peers!(namer);

/// Says the names of several tests of its own.
fn namer(p: &mut Role) {
    for _ in 0..10 {
        let t = start();
        p.say(t.name("x"));
        p.say(t.name("x"));
    }
}

#[test]
fn names_are_unique_across_tests_threads_and_processes() {
    let t = start();
    let mut peers: Vec<_> = (0..3).map(|_| t.spawn("namer", &[])).collect();
    let mut names: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let other = start();
                    (0..50)
                        .flat_map(|_| [t.name("x"), other.name("x")])
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    for peer in &mut peers {
        while let Some(name) = peer.hear_or_end() {
            names.push(name);
        }
    }
    assert_eq!(names.len(), 4 * 50 * 2 + 3 * 10 * 2);
    for name in &names {
        assert!(name.len() <= 40 && name.starts_with("qt"), "{name}");
        assert!(
            name.bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')),
            "{name}"
        );
    }
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
}

#[test]
fn a_name_of_this_test_has_its_tag_and_no_other() {
    let (one, other) = (start(), start());
    let name = one.name("Some Thing");
    assert!(name.contains(one.tag()) && name.contains("some-thing"), "{name}");
    assert!(!name.contains(other.tag()), "{name}");
}
