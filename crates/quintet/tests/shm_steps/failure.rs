use crate::operation::{Operation, is_honest};
use quintet::test_hooks;
use quintet_testkit::{Role, start_with_deadline};
use std::time::Duration;

/// What a call fails with: broken, interrupted, refused, out of descriptors, out of memory.
const ERRORS: [i32; 5] = [libc::EIO, libc::EINTR, libc::EACCES, libc::EMFILE, libc::ENOMEM];

/// Does operation `arg(0)` with the memory `arg(1)` again and again, the first time with its first system call failing, then
/// with its second, until it passes; with each error. In a process of its own, where descriptors can be counted.
pub(crate) fn fails(p: &mut Role) {
    let operation = Operation::named(p.arg(0));
    let name = p.arg(1).to_owned();
    for errno in ERRORS {
        for step in 0.. {
            p.say("next");
            p.expect("go");
            let before = (open_files(), mappings(&name));
            let done = operation.run(&name, || test_hooks::fail_at(step, errno));
            let steps = test_hooks::disarm();
            let here = format!("error {errno} at step {step} of {steps}");
            if let Err(error) = &done {
                assert!(is_honest(error, errno), "{here}: {error:?}");
                assert_ne!(
                    errno,
                    libc::EINTR,
                    "{here}: an interruption is no failure: {error:?}"
                );
            }
            assert_eq!(
                (open_files(), mappings(&name)),
                before,
                "{here}: files left open, or mapped"
            );
            p.say(if done.is_ok() { "done" } else { "failed" });
            if steps <= step {
                done.unwrap_or_else(|error| panic!("{here}: {error:?}"));
                break;
            }
        }
    }
    p.say("passed");
}

/// How many descriptors this process has open.
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How many times it has the memory of this name mapped, or one without a name.
fn mappings(name: &str) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines()
        .filter(|line| line.contains(name) || line.contains("/dev/shm/#") || line.contains("memfd:quintet"))
        .count()
}

/// Tells the process when to go on, and makes sure each time that everything is as it should be.
fn whatever_fails(operation: Operation) {
    let t = start_with_deadline(Duration::from_secs(300));
    let name = t.name("fail");
    let mut peer = t.spawn("fails", &[&format!("{operation:?}"), &name]);
    loop {
        match peer.hear().as_str() {
            "passed" => break,
            "next" => {}
            other => panic!("{other}"),
        }
        let kept = operation.prepare(&t, &name);
        peer.tell("go");
        let passed = peer.hear() == "done";
        operation.check(kept, &name, passed);
    }
    peer.finish();
}

macro_rules! tests {
    ($($test:ident: $operation:ident;)+) => {$(
        #[test]
        fn $test() {
            whatever_fails(Operation::$operation);
        }
    )+};
}

tests! {
    a_failing_call_in_creating_is_an_error_and_leaves_nothing: Create;
    a_failing_call_in_creating_for_everyone_is_an_error_and_leaves_nothing: CreateForEveryone;
    a_failing_call_in_creating_a_persistent_one_is_an_error_and_leaves_it_whole_or_not_at_all: CreatePersistent;
    a_failing_call_in_opening_and_closing_is_an_error_and_changes_nothing: Open;
    a_failing_call_in_closing_leaves_the_rest_to_the_next: Close;
    a_failing_call_in_closing_beside_others_leaves_it_to_them: CloseBeside;
    a_failing_call_in_writing_is_an_error_and_leaves_all_of_it_or_nothing: Write;
    a_failing_call_in_using_a_foreign_one_is_an_error_and_leaves_it_there: Foreign;
    a_failing_call_in_reclaiming_is_an_error_and_leaves_that_to_the_next: Reclaim;
    a_failing_call_in_removing_is_an_error_and_leaves_that_to_the_next: Remove;
    a_failing_call_in_removing_what_a_dead_process_left_is_an_error_and_leaves_that_to_the_next: RemoveStale;
    a_failing_call_in_taking_the_name_back_leaves_the_rest_to_the_next: ReleaseNames;
    a_failing_call_in_looking_is_an_error_and_changes_nothing: Look;
    a_failing_call_in_making_one_without_a_name_is_an_error_and_leaves_nothing: Anonymous;
}
