//! Reads and writes that do not wait for ever.

use crate::common::{HUGE, LONG, MODES, SHORT, assert_ended, assert_fails, pair, pattern, read_exactly};
use quintet::ErrorKind;
use quintet::pipe::PipeMode;
use quintet_testkit::start;
use std::thread;
use std::time::Duration;

const TIMES: [Duration; 2] = [Duration::ZERO, SHORT];

#[test]
fn a_read_that_times_out_has_taken_nothing() {
    let t = start();
    for mode in MODES {
        let (ours, theirs) = pair(&t.name("read"), mode);
        for time in TIMES {
            theirs.set_read_timeout(Some(time));
            assert_fails(theirs.read(&mut [0; 10]), ErrorKind::TimedOut);
            if mode == PipeMode::Message {
                assert_fails(theirs.read_message(), ErrorKind::TimedOut);
            }
            ours.write("hello").unwrap();
            theirs.set_read_timeout(Some(LONG));
            assert_eq!(read_exactly(&theirs, 5), b"hello");
        }
        // With the time over, what is there is read all the same.
        ours.write("there").unwrap();
        assert_eq!(read_exactly(&theirs, 2), b"th");
        theirs.set_read_timeout(Some(Duration::ZERO));
        assert_eq!(read_exactly(&theirs, 3), b"ere");
        assert_fails(theirs.read(&mut [0; 10]), ErrorKind::TimedOut);
    }
}

#[test]
fn a_timeout_can_be_taken_back() {
    let t = start();
    let (ours, theirs) = pair(&t.name("back"), PipeMode::Byte);
    theirs.set_read_timeout(Some(Duration::ZERO));
    assert_fails(theirs.read(&mut [0; 10]), ErrorKind::TimedOut);
    theirs.set_read_timeout(None);
    thread::scope(|scope| {
        let reader = scope.spawn(|| read_exactly(&theirs, 4));
        ours.write("late").unwrap();
        assert_eq!(reader.join().unwrap(), b"late");
    });
}

#[test]
fn reads_and_writes_have_timeouts_of_their_own() {
    let t = start();
    let (ours, theirs) = pair(&t.name("own"), PipeMode::Message);
    theirs.set_read_timeout(Some(Duration::ZERO));
    theirs.set_write_timeout(Some(LONG));
    let message = pattern(1, HUGE);
    thread::scope(|scope| {
        scope.spawn(|| assert!(ours.read_message().unwrap().unwrap() == message));
        theirs.write_message(&message).unwrap();
    });
    assert_fails(theirs.read_message(), ErrorKind::TimedOut);
    // The other side has none of these.
    theirs.set_write_timeout(Some(Duration::ZERO));
    thread::scope(|scope| {
        scope.spawn(|| ours.write_message(&message).unwrap());
        theirs.set_read_timeout(Some(LONG));
        assert!(theirs.read_message().unwrap().unwrap() == message);
    });
}

#[test]
fn a_message_that_takes_many_timeouts_to_read_comes_whole() {
    let t = start();
    let (ours, theirs) = pair(&t.name("slow"), PipeMode::Message);
    let messages = [pattern(1, HUGE), pattern(2, 10), Vec::new(), pattern(3, HUGE)];
    thread::scope(|scope| {
        scope.spawn(|| {
            messages
                .iter()
                .for_each(|message| ours.write_message(message).unwrap())
        });
        theirs.set_read_timeout(Some(Duration::ZERO));
        for message in &messages {
            let read = loop {
                match theirs.read_message() {
                    Err(error) if error.kind() == ErrorKind::TimedOut => thread::yield_now(),
                    read => break read.unwrap().unwrap(),
                }
            };
            assert!(read == *message, "{} of {} bytes", read.len(), message.len());
        }
    });
}

#[test]
fn a_small_message_is_written_whole_or_not_at_all() {
    let t = start();
    for time in TIMES {
        let (ours, theirs) = pair(&t.name("small"), PipeMode::Message);
        ours.set_write_timeout(Some(time));
        let mut written = 0;
        loop {
            match ours.write_message(pattern(written, 1000)) {
                Ok(()) => written += 1,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::TimedOut);
                    break;
                }
            }
        }
        assert_fails(ours.write_message(pattern(written, 1000)), ErrorKind::TimedOut);
        for n in 0..written {
            assert!(
                theirs.read_message().unwrap().unwrap() == pattern(n, 1000),
                "message {n}"
            );
        }
        theirs.set_read_timeout(Some(Duration::ZERO));
        assert_fails(theirs.read_message(), ErrorKind::TimedOut);
        // Nothing is lost by it: the connection goes on.
        theirs.set_read_timeout(None);
        ours.write_message("later").unwrap();
        assert_eq!(theirs.read_message().unwrap().unwrap(), b"later");
    }
}

#[test]
fn what_a_write_says_that_it_wrote_arrives_and_nothing_more() {
    let t = start();
    for time in TIMES {
        let (ours, theirs) = pair(&t.name("bytes"), PipeMode::Byte);
        ours.set_write_timeout(Some(time));
        let data = pattern(1, HUGE);
        let mut written = 0;
        loop {
            match ours.write(&data[written..(written + 10_000).min(HUGE)]) {
                Ok(len) => written += len,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::TimedOut);
                    break;
                }
            }
        }
        assert!(written > 0);
        assert!(read_exactly(&theirs, written) == data[..written]);
        ours.write_all("later").unwrap();
        drop(ours);
        assert_eq!(read_exactly(&theirs, 5), b"later");
        assert_ended(&theirs);
    }
}

#[test]
fn writing_all_to_one_who_does_not_read_times_out() {
    let t = start();
    let (ours, theirs) = pair(&t.name("deaf"), PipeMode::Byte);
    let data = pattern(1, HUGE);
    for time in TIMES {
        ours.set_write_timeout(Some(time));
        assert_fails(ours.write_all(&data), ErrorKind::TimedOut);
    }
    drop(ours);
    // A part has been written, and what it is was never promised beyond this.
    let mut buf = vec![0; 1000];
    let len = theirs.read(&mut buf).unwrap();
    assert!(data.starts_with(&buf[..len]));
}

#[test]
fn a_large_message_that_nobody_reads_is_never_taken_for_whole() {
    let t = start();
    for time in TIMES {
        let (ours, theirs) = pair(&t.name("cut"), PipeMode::Message);
        ours.set_write_timeout(Some(time));
        assert_fails(ours.write_message(pattern(1, HUGE)), ErrorKind::TimedOut);
        ours.set_write_timeout(Some(LONG));
        match ours.write_message("next") {
            // Nothing of it had been sent.
            Ok(()) => assert_eq!(theirs.read_message().unwrap().unwrap(), b"next"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Disconnected);
                for _ in 0..2 {
                    // If nothing of it can be seen, then this is an end like any other.
                    match theirs.read_message() {
                        Ok(message) => assert_eq!(message, None),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Disconnected),
                    }
                }
            }
        }
    }
}

#[test]
fn a_large_message_that_is_cut_short_is_an_error_for_its_reader() {
    let t = start();
    let (ours, theirs) = pair(&t.name("cut"), PipeMode::Message);
    ours.set_write_timeout(Some(SHORT));
    thread::scope(|scope| {
        let reader = scope.spawn(|| theirs.read(&mut [0; 100]));
        assert_fails(ours.write_message(pattern(1, HUGE)), ErrorKind::TimedOut);
        ours.set_write_timeout(Some(LONG));
        let next = ours.write_message("next");
        match (next, reader.join().unwrap()) {
            (Err(next), Ok(100)) => {
                assert_eq!(next.kind(), ErrorKind::Disconnected);
                assert!(!theirs.is_message_complete());
                assert_fails(theirs.read_message(), ErrorKind::Disconnected);
            }
            // The time was over before any of it was read, or sent.
            (Err(next), Ok(0)) => assert_eq!(next.kind(), ErrorKind::Disconnected),
            (Err(next), Err(read)) => {
                assert_eq!(next.kind(), ErrorKind::Disconnected);
                assert_eq!(read.kind(), ErrorKind::Disconnected);
            }
            (Ok(()), Ok(4)) => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_large_message_that_could_not_begin_leaves_no_trace() {
    let t = start();
    for time in TIMES {
        let (ours, theirs) = pair(&t.name("begin"), PipeMode::Message);
        // However large messages go, it has been agreed on after this.
        for seed in 1..3 {
            let message = pattern(seed, HUGE);
            thread::scope(|scope| {
                scope.spawn(|| ours.write_message(&message).unwrap());
                assert!(theirs.read_message().unwrap().unwrap() == message);
            });
        }
        ours.set_write_timeout(Some(Duration::ZERO));
        let mut written = 0;
        while ours.write_message(pattern(written, 100)).is_ok() {
            written += 1;
        }
        // Not the smallest fits, so nothing of this one does.
        ours.set_write_timeout(Some(time));
        assert_fails(ours.write_message(pattern(7, HUGE)), ErrorKind::TimedOut);
        for n in 0..written {
            assert!(theirs.read_message().unwrap().unwrap() == pattern(n, 100));
        }
        ours.set_write_timeout(Some(LONG));
        for seed in 8..10 {
            let message = pattern(seed, HUGE);
            thread::scope(|scope| {
                scope.spawn(|| ours.write_message(&message).unwrap());
                assert!(theirs.read_message().unwrap().unwrap() == message);
            });
        }
    }
}
