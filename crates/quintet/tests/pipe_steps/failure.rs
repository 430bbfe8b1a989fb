use crate::operation::{Operation, is_honest};
use quintet::test_hooks;
use quintet_testkit::{Role, start_with_deadline};
use std::time::Duration;

/// What a call fails with: broken, interrupted, refused, out of descriptors, out of memory.
#[cfg(target_os = "linux")]
pub(crate) const ERRORS: [i32; 5] = [libc::EIO, libc::EINTR, libc::EACCES, libc::EMFILE, libc::ENOMEM];

/// What a call is interrupted with.
#[cfg(target_os = "linux")]
const INTERRUPTION: i32 = libc::EINTR;

/// No signal interrupts a call there.
#[cfg(windows)]
const INTERRUPTION: i32 = -1;

/// What a call fails with: broken, refused, out of memory, out of resources.
#[cfg(windows)]
pub(crate) const ERRORS: [i32; 4] = {
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

/// Does operation `arg(0)` on pipe `arg(1)` again and again, the first time with its first system call failing, then
/// with its second, until it passes; with each error. In a process of its own, where descriptors can be counted.
pub(crate) fn fails(p: &mut Role) {
    let operation = Operation::named(p.arg(0));
    let name = p.arg(1).to_owned();
    let large = matches!(operation, Operation::ReadLarge | Operation::WriteLarge);
    // Of a large message's many steps most are alike.
    for errno in if large { &ERRORS[..2] } else { &ERRORS[..] }.iter().copied() {
        for step in 0.. {
            let before = open_files();
            let other = operation.other_side(&name);
            test_hooks::fail_at(step, errno);
            let done = operation.run(&name);
            let steps = test_hooks::disarm();
            let here = format!("error {errno} at step {step} of {steps}");
            if let Err(error) = &done {
                assert!(is_honest(error), "{here}: {error:?}");
                assert_ne!(
                    errno, INTERRUPTION,
                    "{here}: an interruption is no failure: {error:?}"
                );
            }
            if done.is_err() {
                operation.relieve(&name, &other);
            }
            match other.join().unwrap() {
                Ok(()) => {}
                Err(error) => assert!(
                    done.is_err() && is_honest(&error),
                    "{here}: the other side: {error:?}"
                ),
            }
            assert_eq!(open_files(), before, "{here}: files left open");
            if steps <= step {
                done.unwrap_or_else(|error| panic!("{here}: {error:?}"));
                assert!(
                    step > 3,
                    "the operation makes only {step} calls: are the hooks there?"
                );
                break;
            }
        }
    }
    p.say("passed");
}

/// How many descriptors or handles this process has open.
#[cfg(target_os = "linux")]
pub(crate) fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Not counted: threads of the standard library come and go with handles of their own.
#[cfg(windows)]
pub(crate) fn open_files() -> usize {
    0
}

fn whatever_fails(operation: Operation) {
    let t = start_with_deadline(Duration::from_secs(300));
    let name = t.name("fail");
    let mut peer = t.spawn("fails", &[&format!("{operation:?}"), &name]);
    peer.expect("passed");
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
    a_failing_call_in_serving_is_an_error_and_leaves_nothing: Serve;
    a_failing_call_in_serving_bytes_is_an_error_and_leaves_nothing: ServeBytes;
    a_failing_call_in_serving_with_room_for_one_is_an_error_and_leaves_nothing: ServeBounded;
    a_failing_call_in_connecting_is_an_error_and_leaves_nothing: Connect;
    a_failing_call_in_connecting_for_bytes_is_an_error_and_leaves_nothing: ConnectBytes;
    a_failing_call_in_reading_a_large_message_is_an_error_and_leaves_nothing: ReadLarge;
    a_failing_call_in_writing_a_large_message_is_an_error_and_leaves_nothing: WriteLarge;
}
