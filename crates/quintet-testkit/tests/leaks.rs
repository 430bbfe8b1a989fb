//! A test that leaves something behind fails, and says what.

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use quintet_testkit::{Role, Test, start};

quintet_testkit::peers!(failing_test);

/// What the end of this test says, if it fails.
fn end_of(t: Test) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(|| drop(t))).err()?;
    Some(*payload.downcast::<String>().expect("a text"))
}

/// Where something may be left, with a name that has this test's tag.
fn places(t: &Test) -> Vec<PathBuf> {
    let mut places = vec![env::temp_dir().join(t.name("left"))];
    if cfg!(target_os = "linux") {
        places.push(PathBuf::from("/dev/shm").join(format!("quintet.queue.{}", t.name("left"))));
        places.push(PathBuf::from("/tmp").join(format!("CoreFxPipe_{}", t.name("left"))));
    }
    places
}

#[test]
fn a_test_that_leaves_nothing_passes() {
    let t = start();
    let folder = t.temp_dir();
    fs::write(folder.join(t.name("file")), "").unwrap();
    assert_eq!(end_of(t), None);
    assert!(!folder.exists());
}

#[test]
fn a_file_left_behind_fails_the_test() {
    let t = start();
    let places = places(&t);
    for place in &places {
        fs::write(place, "planted").unwrap();
    }
    assert_eq!(t.leaks().len(), places.len());
    let text = end_of(t).expect("it fails");
    for place in &places {
        assert!(
            text.contains(&place.display().to_string()),
            "no {place:?} in: {text}"
        );
        assert!(!place.exists(), "it is removed all the same");
    }
}

#[test]
fn a_folder_left_behind_fails_the_test() {
    let t = start();
    let place = &places(&t)[0];
    fs::create_dir(place).unwrap();
    fs::write(place.join("inside"), "").unwrap();
    let text = end_of(t).expect("it fails");
    assert!(text.contains(&place.display().to_string()), "{text}");
    assert!(!place.exists());
}

#[test]
fn what_is_allowed_may_stay_and_is_removed() {
    let t = start();
    for place in places(&t) {
        fs::write(&place, "planted").unwrap();
        t.allow_leak(&place);
    }
    t.allow_leak(env::temp_dir().join(t.name("never-there")));
    let places = t.leaks();
    assert!(!places.is_empty());
    assert_eq!(end_of(t), None);
    assert!(places.iter().all(|place| !place.exists()));
}

#[test]
fn what_others_leave_does_not_matter() {
    let (t, other) = (start(), start());
    let place = &places(&other)[0];
    fs::write(place, "planted").unwrap();
    other.allow_leak(place);
    assert_eq!(t.leaks(), Vec::<PathBuf>::new());
    assert_eq!(end_of(t), None);
}

/// In a runtime folder the contents count too, as a registration may have a name of its own.
#[cfg(target_os = "linux")]
#[test]
fn a_registration_left_behind_fails_the_test() {
    let (t, other) = (start(), start());
    let folder = PathBuf::from("/dev/shm").join(format!("quintet-{}", other.name("runtime")));
    other.allow_leak(&folder);
    fs::create_dir(&folder).unwrap();
    let by_name = folder.join(format!("{}.window", t.tag()));
    fs::write(&by_name, "").unwrap();
    let by_content = folder.join("0000002a");
    fs::write(&by_content, format!("title\0The {} of all\0", t.tag())).unwrap();
    fs::write(folder.join("another"), format!("title {}", other.tag())).unwrap();

    assert_eq!(t.leaks(), [by_content.clone(), by_name.clone()]);
    let text = end_of(t).expect("it fails");
    assert!(text.contains("0000002a"), "{text}");
    assert!(!by_name.exists());
    assert!(
        by_content.exists(),
        "a file that is perhaps not its own is left alone"
    );
}

fn failing_test(p: &mut Role) {
    let t = start();
    let (folder, file) = (t.temp_dir(), &places(&t)[0]);
    fs::write(folder.join("in it"), "").unwrap();
    fs::write(file, "planted").unwrap();
    p.say(folder.display());
    p.say(file.display());
    panic!("another reason");
}

#[test]
fn a_test_that_failed_already_cleans_up_and_says_nothing_of_leaks() {
    let t = start();
    let mut peer = t.spawn_with("failing_test", &[], |command| {
        _ = command.env_remove("QUINTET_TEST_KEEP")
    });
    let left = [peer.hear(), peer.hear()];
    assert!(!peer.wait_exit().success());
    assert!(peer.stderr().contains("another reason"), "{}", peer.stderr());
    assert!(!peer.stderr().contains("left behind"), "{}", peer.stderr());
    for path in left {
        assert!(!fs::exists(&path).unwrap(), "{path}");
    }
}

#[test]
fn a_failed_test_keeps_its_files_when_asked_to() {
    let t = start();
    let mut peer = t.spawn_with("failing_test", &[], |command| {
        _ = command.env("QUINTET_TEST_KEEP", "1")
    });
    let (folder, file) = (peer.hear(), peer.hear());
    assert!(!peer.wait_exit().success());
    fs::remove_dir_all(folder).unwrap();
    fs::remove_file(file).unwrap();
}
