use crate::operation::{Operation, is_honest};
use quintet::pipe::PipeServer;
use quintet::test_hooks;
use quintet_testkit::{Role, start_with_deadline};
use std::time::Duration;

/// Does operation `arg(0)` on pipe `arg(1)`, and dies before its system call number `arg(2)`.
pub(crate) fn dies(p: &mut Role) {
    let operation = Operation::named(p.arg(0));
    test_hooks::die_at(p.arg(2).parse().unwrap());
    operation.run(p.arg(1)).unwrap();
    test_hooks::disarm();
    p.say("passed");
}

/// Runs an operation that dies before its first system call, its second, and so on until it passes. Each time the other
/// side must come to an end, and everything must be usable at once.
fn whoever_dies(operation: Operation) {
    let t = start_with_deadline(Duration::from_secs(300));
    for step in 0.. {
        let name = t.name("step");
        let other = operation.other_side(&name);
        let mut peer = t.spawn("dies", &[&format!("{operation:?}"), &name, &step.to_string()]);
        let passed = peer.hear_or_end().is_some();
        if !passed {
            // It was killed, and did not fail.
            assert_ne!(
                peer.wait_exit().code(),
                Some(101),
                "at step {step}\n{}",
                peer.describe()
            );
            operation.relieve(&name, &other);
        }
        match other.join().unwrap() {
            Ok(()) => {}
            Err(error) => assert!(!passed && is_honest(&error), "after step {step}: {error:?}"),
        }
        // The name is free, and with it whatever was left of it.
        drop(PipeServer::create(&name).unwrap_or_else(|error| panic!("after step {step}: {error}")));
        if passed {
            assert!(
                step > 3,
                "the operation makes only {step} calls: are the hooks there?"
            );
            peer.finish();
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
    a_death_at_any_step_of_creating_leaves_the_name_free: Create;
    a_death_at_any_step_of_serving_ends_the_client: Serve;
    a_death_at_any_step_of_serving_bytes_ends_the_client: ServeBytes;
    a_death_at_any_step_of_serving_with_room_for_one_ends_the_clients: ServeBounded;
    a_death_at_any_step_of_connecting_ends_the_server_s_side: Connect;
    a_death_at_any_step_of_connecting_for_bytes_ends_the_server_s_side: ConnectBytes;
    a_death_at_any_step_of_reading_a_large_message_ends_its_writer: ReadLarge;
    a_death_at_any_step_of_writing_a_large_message_never_shows_a_part: WriteLarge;
}
