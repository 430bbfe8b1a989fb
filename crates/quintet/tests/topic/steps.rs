//! System calls that fail, and processes that fork.

use super::{LONG, PATIENCE, message, publish_next, small};
use quintet::named::NamedKind;
use quintet::shm::{Topic, Topics};
use quintet::{Error, ErrorKind, test_hooks};
use quintet_testkit::{Role, start, start_with_deadline};
use std::time::Duration;

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[track_caller]
fn is_late<T: std::fmt::Debug>(waited: Result<T, Error>) -> Result<(), Error> {
    match waited {
        Err(error) if error.kind() == ErrorKind::TimedOut => Ok(()),
        Err(error) => Err(error),
        Ok(found) => panic!("nobody has published {found:?}"),
    }
}

/// Makes, uses and closes topic `arg(0)`, each time with another system call failing. In a process of its own, where
/// descriptors can be counted.
pub(crate) fn fails_at_any_call(p: &mut Role) {
    let name = p.arg(0);
    let use_it = || {
        let topic = Topic::builder(name)?.publishers(2).capacity(4096).create_new()?;
        let again = Topic::open_existing(name)?;
        let mut publisher = again.publisher()?;
        is_late(publisher.wait_for_subscriber_timeout(Duration::from_millis(1)))?;
        let mut subscriber = topic.subscriber()?;
        assert_eq!(
            (publisher.peer_events()?.len(), subscriber.peer_events()?.len()),
            (1, 1)
        );
        publisher.publish(message(0, 0, 900))?;
        publisher.publish(message(0, 1, 900))?;
        subscriber.copy(&mut Vec::new())?;
        let held = subscriber.receive()?;
        // To go around what is held it asks whether that one lives.
        for number in 2..12 {
            let next = message(0, number, 900);
            let mut loan = publisher.loan(next.len())?;
            loan.write_at(0, &next)?;
            loan.publish()?;
        }
        assert!(held.to_vec() == message(0, 1, 900));
        drop(held);
        while subscriber.try_receive()?.is_some() {}
        assert_eq!(subscriber.received() + subscriber.lost(), 12);
        // In which it asks which publishers live.
        is_late(subscriber.receive_timeout(Duration::from_millis(1)))?;
        is_late(subscriber.copy_timeout(&mut Vec::new(), Duration::from_millis(60)))
    };
    // What is measured once a process is measured before.
    use_it().unwrap();
    for errno in [libc::EIO, libc::EINTR, libc::EMFILE, libc::ENOMEM] {
        for step in 0.. {
            let before = open_files();
            test_hooks::fail_at(step, errno);
            let done = use_it();
            let steps = test_hooks::disarm();
            let here = format!("error {errno} at call {step} of {steps}: {done:?}");
            assert!(errno != libc::EINTR || done.is_ok(), "{here}");
            assert_eq!(open_files(), before, "{here}");
            // A name that could not be taken back belongs to nobody, and is free.
            drop(Topic::create_new(name).unwrap_or_else(|error| panic!("{here}, then {error}")));
            if steps <= step {
                assert!(done.is_ok() && step > 20, "{here}");
                break;
            }
        }
    }
    p.say("passed");
}

#[test]
fn a_failing_call_is_an_error_and_leaves_nothing() {
    let t = start_with_deadline(LONG);
    let mut peer = t.spawn("fails_at_any_call", &[&t.name("t")]);
    peer.expect("passed");
    peer.finish();
}

/// Makes topic `arg(0)`, which stays if `arg(1)` says so, and closes it; dies before its step number `arg(2)`.
pub(crate) fn dies_making(p: &mut Role) {
    let builder = Topic::builder(p.arg(0)).unwrap().publishers(2).capacity(4096);
    let builder = builder.persistent(p.arg(1) == "stays");
    test_hooks::die_at(p.arg(2).parse().unwrap());
    drop(builder.create_new().unwrap());
    test_hooks::disarm();
    p.say("passed");
}

#[test]
fn a_death_at_any_step_of_making_and_closing_leaves_a_whole_one_or_none() {
    let t = start_with_deadline(LONG);
    let name = t.name("t");
    let parts = ["topic", "topicdata"].map(|part| format!("/dev/shm/quintet.{part}.{name}"));
    let are_there = || parts.iter().map(|path| std::path::Path::new(path).exists());
    for stays in ["stays", "goes"] {
        let (mut left, mut missing) = (0, 0);
        for step in 0.. {
            let mut peer = t.spawn("dies_making", &[&name, stays, &step.to_string()]);
            let passed = peer.hear_or_end().is_some();
            peer.wait_exit();
            let here = format!("{stays}, step {step}");
            left += u32::from(are_there().any(|there| there));
            missing += u32::from(are_there().any(|there| there) && !are_there().all(|there| there));
            let made = Topic::builder(&*name).unwrap().publishers(1).capacity(4096);
            let topic = made.create_or_open().unwrap();
            // A whole one that stays, or a new one.
            assert!(topic.was_created() || stays == "stays", "{here}");
            let whole = if topic.was_created() { 1 } else { 2 };
            assert_eq!(topic.max_publishers(), whole, "{here}");
            let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
            publisher.publish("x").unwrap();
            assert_eq!(subscriber.receive_timeout(PATIENCE).unwrap().to_vec(), b"x");
            let stayed = !topic.was_created();
            drop((publisher, subscriber, topic));
            assert!(are_there().all(|there| there == stayed), "{here}");
            if stayed {
                Topics.remove(&name.parse().unwrap()).unwrap();
            }
            assert!(!are_there().any(|there| there), "{here}");
            if passed {
                assert!(
                    step > 10 && left > 0 && missing > 0,
                    "{here}: are the hooks there?"
                );
                break;
            }
        }
    }
}

/// Looks at and uses in a forked child what its parent has.
pub(crate) fn forks(p: &mut Role) {
    let topic = small(p.arg(0));
    let (mut publisher, mut subscriber) = (topic.publisher().unwrap(), topic.subscriber().unwrap());
    let mut other = topic.publisher().unwrap();
    publish_next(&mut publisher, 900);
    publish_next(&mut publisher, 900);
    subscriber.copy(&mut Vec::new()).unwrap();
    let held = subscriber.receive().unwrap();
    let mut loan = other.loan(8).unwrap();
    loan.write_at(0, [8; 8]).unwrap();
    // SAFETY: this thread runs the role; the child uses what it alone has by then, and ends by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let unsupported = |error: Error| error.kind() == ErrorKind::Unsupported;
        let soon = Duration::from_millis(1);
        let refused = held.to_vec() == message(0, 1, 900)
            && loan.write_at(0, [9; 8]).is_err_and(unsupported)
            && loan.publish().is_err_and(unsupported)
            && publisher.publish("x").is_err_and(unsupported)
            && publisher.loan(1).is_err_and(unsupported)
            && publisher
                .wait_for_subscriber_timeout(soon)
                .is_err_and(unsupported)
            && publisher.wait_for_peer_events(soon).is_err_and(unsupported)
            && subscriber.peer_events().is_err_and(unsupported)
            && subscriber.try_receive().is_err_and(unsupported)
            && subscriber.receive_timeout(soon).is_err_and(unsupported)
            && subscriber.try_copy(&mut Vec::new()).is_err_and(unsupported)
            && subscriber
                .copy_timeout(&mut Vec::new(), soon)
                .is_err_and(unsupported)
            && topic.publisher().is_err_and(unsupported)
            && topic.subscriber().is_err_and(unsupported)
            && topic.stats().published == 2;
        drop((held, subscriber, publisher, other, topic));
        // SAFETY: it ends the process and returns nowhere.
        unsafe { libc::_exit(i32::from(!refused)) };
    }
    let mut status = 0;
    // SAFETY: the child is ours, and the status is written to a number of this function's.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0, "the child was not refused");
    // The child has let nothing go.
    loan.publish().unwrap();
    let mut got = Vec::new();
    assert_eq!(subscriber.copy_timeout(&mut got, PATIENCE).unwrap().lane, 1);
    assert_eq!(got, [8; 8]);
    for number in 2..100 {
        publish_next(&mut publisher, 900);
        subscriber.copy_timeout(&mut got, PATIENCE).unwrap();
        assert!(got == message(0, number, 900));
        assert!(held.to_vec() == message(0, 1, 900));
    }
    let stats = topic.stats();
    assert_eq!((stats.publishers, stats.subscribers), (2, 1));
    p.say("passed");
}

#[test]
fn a_forked_child_neither_uses_nor_lets_go_what_is_its_parent_s() {
    let t = start();
    let mut peer = t.spawn("forks", &[&t.name("t")]);
    peer.expect("passed");
    peer.finish();
}
