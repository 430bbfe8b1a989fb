use crate::operation::Operation;
use quintet::test_hooks;
use quintet_testkit::{Role, start_with_deadline};
use std::time::Duration;

/// Does operation `arg(0)` with the memory `arg(1)`, and dies before its call number `arg(2)`.
pub(crate) fn dies(p: &mut Role) {
    let operation = Operation::named(p.arg(0));
    let step = p.arg(2).parse().unwrap();
    operation.run(p.arg(1), || test_hooks::die_at(step)).unwrap();
    test_hooks::disarm();
    p.say("passed");
}

/// Runs an operation that dies before its first call, its second, and so on until it passes. Each time the others must be
/// able to go on, and nothing may stay.
fn whoever_dies(operation: Operation) {
    let t = start_with_deadline(Duration::from_secs(300));
    for step in 0.. {
        let name = t.name("step");
        let kept = operation.prepare(&t, &name);
        let mut peer = t.spawn("dies", &[&format!("{operation:?}"), &name, &step.to_string()]);
        let passed = peer.hear_or_end().is_some();
        let status = peer.wait_exit();
        if passed {
            assert!(status.success());
        } else {
            // It was killed, and did not fail.
            assert_ne!(status.code(), Some(101), "at step {step}\n{}", peer.describe());
            assert!(!status.success());
        }
        operation.check(kept, &name, passed);
        if passed {
            assert!(
                step > 1,
                "the operation makes only {step} calls: are the hooks there?"
            );
            return;
        }
    }
}

macro_rules! tests {
    ($($test:ident: $operation:ident;)+) => {$(
        #[test]
        fn $test() {
            whoever_dies(Operation::$operation);
        }
    )+};
}

tests! {
    a_death_at_any_call_of_creating_leaves_the_name_free: Create;
    a_death_at_any_call_of_creating_for_everyone_leaves_the_name_free: CreateForEveryone;
    a_death_at_any_call_of_creating_a_persistent_one_leaves_it_whole_or_not_at_all: CreatePersistent;
    a_death_at_any_call_of_opening_and_closing_changes_nothing: Open;
    a_death_at_any_call_of_closing_leaves_the_name_free: Close;
    a_death_at_any_call_of_closing_beside_others_leaves_it_to_them: CloseBeside;
    a_death_at_any_call_of_writing_leaves_all_of_it_or_nothing: Write;
    a_death_at_any_call_of_using_a_foreign_one_leaves_it_there: Foreign;
    a_death_at_any_call_of_reclaiming_leaves_that_to_the_next: Reclaim;
    a_death_at_any_call_of_removing_leaves_that_to_the_next: Remove;
    a_death_at_any_call_of_removing_what_a_dead_process_left_leaves_that_to_the_next: RemoveStale;
    a_death_at_any_call_of_taking_the_name_back_leaves_it_free: ReleaseNames;
    a_death_at_any_call_of_looking_changes_nothing: Look;
    a_death_at_any_call_of_making_one_without_a_name_leaves_nothing: Anonymous;
}
