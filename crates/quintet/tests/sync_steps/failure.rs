use crate::operation::{Objects, Operation, is_honest, leave_dead};
use quintet::test_hooks;
use quintet_testkit::{Role, eventually, start, start_with_deadline};
use std::time::Duration;

/// What a call fails with: broken, interrupted, refused, out of descriptors, out of memory.
#[cfg(target_os = "linux")]
const ERRORS: [i32; 5] = [libc::EIO, libc::EINTR, libc::EACCES, libc::EMFILE, libc::ENOMEM];

/// What a call is interrupted with.
#[cfg(target_os = "linux")]
const INTERRUPTION: i32 = libc::EINTR;

/// No signal interrupts a call there.
#[cfg(windows)]
const INTERRUPTION: i32 = -1;

/// What a call fails with: broken, refused, out of memory, out of resources.
#[cfg(windows)]
const ERRORS: [i32; 4] = {
    use windows_sys::Win32::Foundation::{
        ERROR_ACCESS_DENIED, ERROR_GEN_FAILURE, ERROR_NO_SYSTEM_RESOURCES, ERROR_NOT_ENOUGH_MEMORY,
    };
    [
        ERROR_GEN_FAILURE as i32,
        ERROR_ACCESS_DENIED as i32,
        ERROR_NOT_ENOUGH_MEMORY as i32,
        ERROR_NO_SYSTEM_RESOURCES as i32,
    ]
};

/// Does operation `arg(0)` with the objects `arg(1)` again and again, the first time with its first system call failing, then
/// with its second, until it passes; with each error. In a process of its own, where descriptors can be counted.
pub(crate) fn fails(p: &mut Role) {
    let operation = Operation::named(p.arg(0));
    let name = p.arg(1).to_owned();
    // Of what needs another process each time, two errors are enough.
    let slow = operation.needs_dead() || matches!(operation, Operation::LockInVain | Operation::WaitInVain);
    for errno in if slow { &ERRORS[..2] } else { &ERRORS[..] }.iter().copied() {
        for step in 0.. {
            p.say("next");
            p.expect("go");
            let before = open_files();
            let done = operation.run(&name, || test_hooks::fail_at(step, errno));
            let steps = test_hooks::disarm();
            let here = format!("error {errno} at step {step} of {steps}");
            if let Err(error) = &done {
                assert!(is_honest(error), "{here}: {error:?}");
                assert_ne!(
                    errno, INTERRUPTION,
                    "{here}: an interruption is no failure: {error:?}"
                );
            }
            assert_eq!(open_files(), before, "{here}: files left open");
            if !operation.is_alone() {
                // It is as usable as ever.
                drop(Objects::open(&name).unwrap_or_else(|error| panic!("{here}: {error}")));
                assert_eq!(open_files(), before, "{here}: files left open");
            }
            p.say(if done.is_ok() { "done" } else { "failed" });
            if steps <= step {
                done.unwrap_or_else(|error| panic!("{here}: {error:?}"));
                break;
            }
        }
    }
    p.say("passed");
}

/// How many descriptors or handles this process has open.
#[cfg(target_os = "linux")]
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Not counted: threads of the standard library come and go with handles of their own.
#[cfg(windows)]
fn open_files() -> usize {
    0
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
        let passed = {
            peer.tell("go");
            peer.hear() == "done"
        };
        operation.check(kept, &name, passed);
    }
    peer.finish();
}

macro_rules! tests {
    ($($(#[$only:meta])* $test:ident: $operation:ident;)+) => {$(
        #[test]
        $(#[$only])*
        fn $test() {
            whatever_fails(Operation::$operation);
        }
    )+};
}

tests! {
    a_failing_call_in_creating_is_an_error_and_leaves_nothing: Create;
    #[cfg(target_os = "linux")]
    a_failing_call_in_creating_a_persistent_one_is_an_error_and_leaves_it_whole_or_not_at_all: CreatePersistent;
    a_failing_call_in_opening_and_closing_is_an_error_and_leaves_nothing: Open;
    a_failing_call_in_reclaiming_is_an_error_and_leaves_that_to_the_next: Reclaim;
    #[cfg(target_os = "linux")]
    a_failing_call_in_removing_is_an_error_and_leaves_the_rest_to_the_next: Remove;
    a_failing_call_in_taking_names_back_is_an_error_and_leaves_nothing: ReleaseNames;
    #[cfg(target_os = "linux")]
    a_failing_call_in_looking_is_an_error_and_changes_nothing: Look;
    a_failing_call_in_acquiring_is_an_error_and_loses_nothing: Acquire;
    a_failing_call_in_waiting_and_releasing_is_an_error: Wait;
    a_failing_call_in_waiting_in_vain_is_an_error_and_loses_nothing: WaitInVain;
    a_failing_call_in_releasing_leaves_nobody_asleep_beside_a_permit: Release;
    a_failing_call_in_recovering_a_dead_holder_s_permits_is_an_error_and_loses_nothing: Recover;
    a_failing_call_in_locking_is_an_error_and_leaves_the_mutex_free: Lock;
    a_failing_call_in_taking_over_a_mutex_is_an_error_and_leaves_it_to_the_next: TakeOver;
    a_failing_call_in_setting_leaves_nobody_asleep_beside_an_event: Set;
    a_failing_call_in_consuming_is_an_error: Consume;
    a_failing_call_in_handing_a_permit_over_is_an_error_and_loses_nothing: HandOver;
    a_failing_call_in_handing_a_mutex_over_is_an_error_and_leaves_it_to_the_next: HandOverLock;
    a_failing_call_in_taking_any_is_an_error_and_loses_nothing: Any;
    a_failing_call_in_taking_all_is_an_error_and_loses_nothing: All;
    a_failing_call_in_taking_all_for_good_is_an_error: AllRaw;
    a_failing_call_in_taking_all_in_vain_is_an_error_and_loses_nothing: AllInVain;
}

#[test]
fn what_a_dead_process_left_is_as_told() {
    let t = start();
    let name = t.name("dead");
    let kept = Operation::Recover.prepare(&t, &name);
    let objects = Objects::open(&name).unwrap();
    eventually("what the dead held is free", || {
        objects.semaphore.count().unwrap() == crate::operation::ALL
    });
    assert!(!objects.mutex.is_locked().unwrap());
    drop(objects);
    Operation::Recover.check(kept, &name, false);
    leave_dead(&t, &name, false);
    Operation::Reclaim.run(&name, || {}).unwrap();
}
