use crate::operation::Operation;
use quintet::test_hooks;
use quintet_testkit::{Role, start_with_deadline};
use std::time::Duration;

/// Does operation `arg(0)` with the objects `arg(1)`, and dies before its step number `arg(2)`.
pub(crate) fn dies(p: &mut Role) {
    let operation = Operation::named(p.arg(0));
    let step = p.arg(2).parse().unwrap();
    operation.run(p.arg(1), || test_hooks::die_at(step)).unwrap();
    test_hooks::disarm();
    p.say("passed");
}

/// Runs an operation that dies before its first step, its second, and so on until it passes. Each time the others must be
/// able to go on, and everything must come back.
fn whoever_dies(operation: Operation) {
    let t = start_with_deadline(Duration::from_secs(300));
    for step in 0.. {
        let name = t.name("step");
        let kept = operation.prepare(&t, &name);
        let start = || t.spawn("dies", &[&format!("{operation:?}"), &name, &step.to_string()]);
        let is_over = |peer: &quintet_testkit::Peer| peer.try_exit().is_some() || !peer.said().is_empty();
        let mut peer = operation.start_peer(&kept, &name, start, is_over);
        let passed = peer.hear_or_end().is_some() || peer.said() == ["passed"];
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
                "the operation makes only {step} steps: are the hooks there?"
            );
            return;
        }
    }
}

macro_rules! tests {
    ($($(#[$only:meta])* $test:ident: $operation:ident;)+) => {$(
        #[test]
        $(#[$only])*
        fn $test() {
            whoever_dies(Operation::$operation);
        }
    )+};
}

tests! {
    a_death_at_any_step_of_creating_leaves_the_names_free: Create;
    #[cfg(target_os = "linux")]
    a_death_at_any_step_of_creating_a_persistent_one_leaves_it_whole_or_not_at_all: CreatePersistent;
    a_death_at_any_step_of_opening_and_closing_changes_nothing: Open;
    a_death_at_any_step_of_reclaiming_leaves_that_to_the_next: Reclaim;
    #[cfg(target_os = "linux")]
    a_death_at_any_step_of_removing_leaves_the_names_free: Remove;
    a_death_at_any_step_of_taking_names_back_leaves_them_free: ReleaseNames;
    #[cfg(target_os = "linux")]
    a_death_at_any_step_of_looking_changes_nothing: Look;
    a_death_at_any_step_of_acquiring_gives_the_permit_back: Acquire;
    a_death_at_any_step_of_forgetting_loses_one_permit_at_most: Forget;
    a_death_at_any_step_of_waiting_and_releasing_loses_one_permit_at_most: Wait;
    a_death_at_any_step_of_sleeping_for_a_permit_gives_it_back: WaitAsleep;
    a_death_at_any_step_of_waiting_in_vain_gives_all_permits_back: WaitInVain;
    a_death_at_any_step_of_releasing_leaves_nobody_asleep_beside_a_permit: Release;
    a_death_at_any_step_of_recovering_a_dead_holder_s_permits_gives_all_back: Recover;
    a_death_at_any_step_of_locking_leaves_the_mutex_to_the_next: Lock;
    a_death_at_any_step_of_sleeping_for_a_mutex_leaves_it_to_the_next: LockAsleep;
    a_death_at_any_step_of_waiting_for_a_mutex_in_vain_leaves_it_to_the_next: LockInVain;
    a_death_at_any_step_of_unlocking_leaves_the_mutex_to_the_next: Unlock;
    a_death_at_any_step_of_taking_over_a_mutex_leaves_it_to_the_next: TakeOver;
    a_death_at_any_step_of_setting_leaves_nobody_asleep_beside_an_event: Set;
    a_death_at_any_step_of_resetting_leaves_the_event_usable: Reset;
    a_death_at_any_step_of_consuming_leaves_the_event_usable: Consume;
    a_death_at_any_step_of_sleeping_for_an_event_leaves_it_usable: ConsumeAsleep;
    a_death_at_any_step_of_handing_a_permit_over_gives_it_back: HandOver;
    a_death_at_any_step_of_handing_a_mutex_over_leaves_it_to_the_next: HandOverLock;
    a_death_at_any_step_of_taking_any_gives_it_back: Any;
    a_death_at_any_step_of_sleeping_for_any_gives_it_back: AnyAsleep;
    a_death_at_any_step_of_taking_all_gives_them_back: All;
    a_death_at_any_step_of_taking_all_for_good_loses_one_permit_at_most: AllRaw;
    a_death_at_any_step_of_taking_all_in_vain_gives_them_back: AllInVain;
}
