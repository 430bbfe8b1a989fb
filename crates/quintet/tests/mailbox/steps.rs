//! System calls that fail, and processes that fork.

use super::{LONGEST, PATIENCE, check, marked};
use quintet::shm::Mailbox;
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
        Ok(found) => panic!("nobody has written {found:?}"),
    }
}

/// Makes, uses and closes mailbox `arg(0)`, each time with another system call failing. In a process of its own, where
/// descriptors can be counted.
pub(crate) fn fails_at_any_call(p: &mut Role) {
    let name = p.arg(0);
    let use_it = || {
        let mailbox = Mailbox::builder(name)?.size(LONGEST).in_place(1).create_new()?;
        let again = Mailbox::open_existing(name)?;
        let (mut writer, mut reader) = (again.writer()?, mailbox.reader()?);
        let mut other = again.reader()?;
        writer.write(marked(1))?;
        let mut value = Vec::new();
        let reading = reader.read(&mut value)?;
        check(reading.unwrap(), &value);
        let held = reader.in_place()?.unwrap();
        // To learn that the only place is taken it asks whether that one lives.
        match other.in_place() {
            Err(error) if error.kind() == ErrorKind::Full => {}
            other => drop(other?),
        }
        let loan = writer.loan(0)?;
        loan.publish()?;
        check(held.reading(), &held.to_vec());
        drop(held);
        while writer.sequence() < 4 {
            writer.write(marked(writer.sequence() + 1))?;
        }
        other.in_place()?.unwrap();
        reader.try_next(&mut value)?;
        is_late(reader.next_timeout(&mut value, Duration::from_millis(1)))?;
        is_late(reader.next_in_place_timeout(Duration::from_millis(1)))
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
            drop(Mailbox::create_new(name).unwrap_or_else(|error| panic!("{here}, then {error}")));
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
    let t = start_with_deadline(Duration::from_secs(300));
    let mut peer = t.spawn("fails_at_any_call", &[&t.name("m")]);
    peer.expect("passed");
    peer.finish();
}

/// Looks at and uses in a forked child what its parent has.
pub(crate) fn forks(p: &mut Role) {
    let builder = Mailbox::builder(p.arg(0)).unwrap().size(LONGEST).in_place(1);
    let mailbox = builder.create_new().unwrap();
    let (mut writer, mut reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
    let mut other = mailbox.reader().unwrap();
    // So many that the last has no slot.
    let mut more: Vec<_> = (2..=255).map(|_| mailbox.reader().unwrap()).collect();
    let without_slot = more.last_mut().unwrap();
    writer.write(marked(1)).unwrap();
    let held = reader.in_place().unwrap().unwrap();
    let mut loan = writer.loan(LONGEST as usize).unwrap();
    loan.write_at(0, marked(2)).unwrap();
    // SAFETY: this thread runs the role; the child uses what it alone has by then, and ends by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let unsupported = |error: Error| error.kind() == ErrorKind::Unsupported;
        let mut value = Vec::new();
        let is_same = held.to_vec() == marked(1);
        // What the parent will publish is not changed by its child.
        let written = loan.write_at(0, [0xee; 100]);
        let streamed = std::io::Write::write(&mut loan, &[0xee; 100]);
        let refused = is_same
            && written.is_err_and(unsupported)
            && streamed.is_err()
            && loan.publish().is_err_and(unsupported)
            && writer.write("x").is_err_and(unsupported)
            && writer.loan(1).is_err_and(unsupported)
            && reader.read(&mut value).is_err_and(unsupported)
            && reader.try_next(&mut value).is_err_and(unsupported)
            && reader.in_place().is_err_and(unsupported)
            && other.next_timeout(&mut value, PATIENCE).is_err_and(unsupported)
            && other.next_in_place_timeout(PATIENCE).is_err_and(unsupported)
            && quintet::sync::wait_any(&[(&other).into()], PATIENCE).is_err_and(unsupported)
            && without_slot.read(&mut value).is_err_and(unsupported)
            && mailbox.writer().is_err_and(unsupported)
            && mailbox.reader().is_err_and(unsupported)
            && mailbox.stats().sequence == 1;
        drop((held, writer, reader, other, more, mailbox));
        // SAFETY: it ends the process and returns nowhere.
        unsafe { libc::_exit(i32::from(!refused)) };
    }
    let mut status = 0;
    // SAFETY: the child is ours, and the status is written to a number of this function's.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0, "the child was not refused");
    // The child has written nothing, and let nothing go.
    loan.publish_len(marked(2).len()).unwrap();
    let mut value = Vec::new();
    check(other.next(&mut value).unwrap(), &value);
    let stats = mailbox.stats();
    assert_eq!((stats.has_writer, stats.readers, stats.in_place), (true, 255, 1));
    assert!(
        other
            .in_place()
            .is_err_and(|error| error.kind() == ErrorKind::Full)
    );
    for _ in 0..50 {
        writer.write(marked(writer.sequence() + 1)).unwrap();
        check(held.reading(), &held.to_vec());
    }
    drop(held);
    other.in_place().unwrap().unwrap();
    p.say("passed");
}

#[test]
fn a_forked_child_neither_takes_nor_lets_go_what_is_its_parent_s() {
    let t = start();
    let mut peer = t.spawn("forks", &[&t.name("m")]);
    peer.expect("passed");
    peer.finish();
}

/// Lets go of the writer and a reader of mailbox `arg(0)` while a child has their descriptors, as one has that is just being
/// started and has not come to run its program.
pub(crate) fn lets_go_beside_a_child(p: &mut Role) {
    let mailbox = Mailbox::create_new(p.arg(0)).unwrap();
    let (writer, reader) = (mailbox.writer().unwrap(), mailbox.reader().unwrap());
    // SAFETY: takes plain values. As fork(2), but that it runs no handlers; the child does nothing but sleep.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    if child == 0 {
        loop {
            // SAFETY: it takes nothing, and only sleeps.
            unsafe { libc::pause() };
        }
    }
    assert!(child > 0);
    drop((writer, reader));
    let stats = mailbox.stats();
    let next = mailbox.writer().map(|writer| writer.sequence());
    // SAFETY: takes plain values, and writes to no memory; the child is ours.
    unsafe {
        libc::kill(child as libc::pid_t, libc::SIGKILL);
        libc::waitpid(child as libc::pid_t, std::ptr::null_mut(), 0);
    }
    assert_eq!(next.unwrap(), 0);
    assert_eq!((stats.has_writer, stats.readers), (false, 0));
    p.say("passed");
}

#[test]
fn who_was_dropped_is_gone_whatever_children_are_being_started() {
    let t = start();
    let mut peer = t.spawn("lets_go_beside_a_child", &[&t.name("m")]);
    peer.expect("passed");
    peer.finish();
}
