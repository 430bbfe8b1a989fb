//! The same for anonymous pipes and FIFO files.

use quintet::ErrorKind;
use quintet::pipe::{self, PipeReader, PipeWriter};
use quintet::test_hooks;
use quintet_testkit::{Role, start_with_deadline};
use std::io::Read;
use std::time::Duration;

/// Copies from the end `arg(0)` to the end `arg(1)`, and dies before its system call number `arg(2)`.
pub(crate) fn relays(p: &mut Role) {
    test_hooks::die_at(p.arg(2).parse().unwrap());
    // SAFETY: the parent has passed these two for this purpose, and nothing else in this process knows of them.
    let (reader, writer) = unsafe {
        (
            PipeReader::inherited(p.arg(0)).unwrap(),
            PipeWriter::inherited(p.arg(1)).unwrap(),
        )
    };
    let mut piece = [0; 3];
    loop {
        match reader.read(&mut piece).unwrap() {
            0 => break,
            len => writer.write_all(&piece[..len]).unwrap(),
        }
    }
    drop((reader, writer));
    test_hooks::disarm();
    p.say("passed");
}

#[test]
fn a_death_at_any_step_of_a_child_ends_both_of_its_pipes() {
    let t = start_with_deadline(Duration::from_secs(300));
    for step in 0.. {
        let (writer, orders) = pipe::to_child().unwrap();
        let (mut reader, answers) = pipe::from_child().unwrap();
        let arguments = [orders.to_string(), answers.to_string(), step.to_string()];
        let mut peer = t.spawn_through("relays", &arguments.each_ref().map(String::as_str), |command| {
            pipe::spawn(command, [orders, answers]).map_err(std::io::Error::from)
        });
        match writer.write_all("there and back") {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::Disconnected),
        }
        drop(writer);
        let mut back = String::new();
        reader.read_to_string(&mut back).unwrap();
        assert!("there and back".starts_with(&back), "{back}");
        if peer.hear_or_end().is_some() {
            assert_eq!(back, "there and back");
            assert!(step > 3, "it makes only {step} calls: are the hooks there?");
            peer.finish();
            return;
        }
        assert_ne!(
            peer.wait_exit().code(),
            Some(101),
            "at step {step}\n{}",
            peer.describe()
        );
    }
}

/// Makes, uses and opens pipes of both kinds again and again, each time with another system call failing.
#[cfg(target_os = "linux")]
pub(crate) fn one_way_fails(p: &mut Role) {
    use quintet::pipe::{Access, fifo};
    let path = p.arg(0).to_owned();
    let anonymous = || {
        let (writer, _theirs) = pipe::to_child()?;
        writer.write_all("x")
    };
    let fifo = || {
        fifo::create(&path, Access::Everyone)?;
        // Its own writer, so that nobody else has to be there.
        let _held = std::fs::File::options()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        let writer = fifo::open_writer(&path, Access::CurrentUser, Duration::ZERO)?;
        writer.write_all("x")?;
        let reader = fifo::open_reader(&path, Access::CurrentUser, Duration::from_secs(30))?;
        assert_eq!(reader.read(&mut [0; 10])?, 1);
        Ok(())
    };
    let operations: [&dyn Fn() -> quintet::Result<()>; 2] = [&anonymous, &fifo];
    for operation in operations {
        for errno in crate::failure::ERRORS {
            for step in 0.. {
                let before = crate::failure::open_files();
                test_hooks::fail_at(step, errno);
                let done = operation();
                let steps = test_hooks::disarm();
                let _ = std::fs::remove_file(&path);
                let here = format!("error {errno} at step {step} of {steps}");
                if let Err(error) = &done {
                    assert!(crate::operation::is_honest(error), "{here}: {error:?}");
                    assert_ne!(errno, libc::EINTR, "{here}: an interruption is no failure");
                }
                assert_eq!(crate::failure::open_files(), before, "{here}: files left open");
                if steps <= step {
                    done.unwrap();
                    break;
                }
            }
        }
    }
    p.say("passed");
}

#[cfg(target_os = "linux")]
#[test]
fn a_failing_call_with_a_one_way_pipe_is_an_error_and_leaves_nothing() {
    let t = start_with_deadline(Duration::from_secs(300));
    let path = t.temp_dir().join("fifo");
    let mut peer = t.spawn("one_way_fails", &[path.to_str().unwrap()]);
    peer.expect("passed");
    peer.finish();
}
