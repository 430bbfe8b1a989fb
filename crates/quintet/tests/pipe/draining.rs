//! Waiting until the peer has read, and ending a connection under those who use it.

use crate::common::{
    HUGE, LONG, MODES, SHORT, assert_ended, assert_fails, pair, pattern, read_exactly, server,
};
use quintet::pipe::{PipeClient, PipeMode};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::{Role, start};
use std::io::Write;
use std::thread;

/// Connects, and reads 5 bytes each time it is told to.
pub(crate) fn obedient_reader(p: &mut Role) {
    let stream = PipeClient::connect(p.arg(0)).unwrap();
    loop {
        p.expect("read");
        read_exactly(&stream, 5);
        p.say("done");
    }
}

#[test]
fn draining_waits_until_everything_has_been_read() {
    let t = start();
    for mode in MODES {
        let name = t.name("drain");
        let server = server(&name, mode);
        let mut peer = t.spawn("obedient_reader", &[&name]);
        let stream = server.accept_timeout(LONG).unwrap();
        stream.wait_for_drain(Deadline::now()).unwrap();
        stream.write_all("hello").unwrap();
        assert_fails(stream.wait_for_drain(SHORT), ErrorKind::TimedOut);
        stream.write_all("world").unwrap();
        peer.tell("read");
        peer.expect("done");
        assert_fails(stream.wait_for_drain(Deadline::now()), ErrorKind::TimedOut);
        peer.tell("read");
        stream.wait_for_drain(LONG).unwrap();
        peer.expect("done");
    }
}

#[test]
fn draining_waits_for_the_last_of_a_large_message_too() {
    let t = start();
    for mode in MODES {
        let (ours, theirs) = pair(&t.name("drain"), mode);
        let data = pattern(1, HUGE);
        thread::scope(|scope| {
            let writer = scope.spawn(|| ours.write_all(&data).unwrap());
            let mut read = read_exactly(&theirs, HUGE - 10);
            writer.join().unwrap();
            assert_fails(ours.wait_for_drain(SHORT), ErrorKind::TimedOut);
            read.extend(read_exactly(&theirs, 10));
            assert!(read == data);
        });
        ours.wait_for_drain(LONG).unwrap();
    }
}

#[test]
fn draining_to_one_who_closes_without_reading_says_disconnected() {
    let t = start();
    for mode in MODES {
        let (ours, theirs) = pair(&t.name("unread"), mode);
        ours.write_all("never read").unwrap();
        thread::scope(|scope| {
            let drain = scope.spawn(|| ours.wait_for_drain(LONG));
            drop(theirs);
            assert_fails(drain.join().unwrap(), ErrorKind::Disconnected);
        });
        assert_fails(ours.wait_for_drain(LONG), ErrorKind::Disconnected);
        assert_ended(&ours);
    }
}

#[test]
fn draining_to_one_who_is_killed_says_disconnected() {
    let t = start();
    for mode in MODES {
        let name = t.name("killed");
        let server = server(&name, mode);
        let mut peer = t.spawn("obedient_reader", &[&name]);
        let stream = server.accept_timeout(LONG).unwrap();
        stream.write_all("hello").unwrap();
        thread::scope(|scope| {
            let drain = scope.spawn(|| stream.wait_for_drain(LONG));
            peer.kill();
            assert_fails(drain.join().unwrap(), ErrorKind::Disconnected);
        });
    }
}

#[test]
fn draining_ends_at_its_deadline_whatever_other_threads_do() {
    let t = start();
    for mode in MODES {
        let (ours, theirs) = pair(&t.name("deadline"), mode);
        thread::scope(|scope| {
            let writer = scope.spawn(|| ours.write_all(pattern(1, HUGE)));
            let first = read_exactly(&theirs, 100);
            assert!(first == pattern(1, 100));
            // The writer is in the middle of it and stays there.
            assert_fails(ours.wait_for_drain(SHORT), ErrorKind::TimedOut);
            drop(theirs);
            assert_fails(writer.join().unwrap(), ErrorKind::Disconnected);
        });
    }
}

#[test]
fn a_disconnect_ends_what_both_sides_wait_for() {
    let t = start();
    for mode in MODES {
        let (ours, theirs) = pair(&t.name("end"), mode);
        thread::scope(|scope| {
            let our_reader = scope.spawn(|| ours.read(&mut [0; 10]));
            let their_reader = scope.spawn(|| theirs.read(&mut [0; 10]));
            ours.disconnect().unwrap();
            for reader in [our_reader, their_reader] {
                // An end, if it was reading already; and if it only began, an end or an error that says so.
                match reader.join().unwrap() {
                    Ok(len) => assert_eq!(len, 0),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Disconnected),
                }
            }
        });
        assert_fails(ours.write("x"), ErrorKind::Disconnected);
        assert_fails(theirs.write("x"), ErrorKind::Disconnected);
    }
}

// Under Wine 8 one run in a hundred or so never ends. Tried with waits of 50 ms, a thread was still found in one that did not come
// back, so it is taken for a fault of Wine's.
#[cfg_attr(windows, ignore = "Wine 8 sometimes loses the thread that writes")]
#[test]
fn a_disconnect_ends_a_write_that_nobody_reads() {
    let t = start();
    for mode in MODES {
        let (ours, theirs) = pair(&t.name("end"), mode);
        thread::scope(|scope| {
            let writer = scope.spawn(|| ours.write_all(pattern(1, HUGE)));
            // It is in the middle, and cannot end.
            assert!(read_exactly(&theirs, HUGE / 4) == pattern(1, HUGE / 4));
            assert_fails(ours.wait_for_drain(SHORT), ErrorKind::TimedOut);
            ours.disconnect().unwrap();
            assert_fails(writer.join().unwrap(), ErrorKind::Disconnected);
        });
        // Whatever it still reads, it is no whole message.
        if mode == PipeMode::Message {
            assert_fails(theirs.read_message(), ErrorKind::Disconnected);
        }
    }
}

#[test]
fn halves_live_in_threads_of_their_own() {
    let t = start();
    for mode in MODES {
        let (ours, theirs) = pair(&t.name("halves"), mode);
        let (reader, mut writer) = ours.split();
        let echo = thread::spawn(move || {
            let mut buf = [0; 1000];
            loop {
                let len = reader.read(&mut buf).unwrap();
                if len == 0 {
                    return;
                }
                writer.write_all(&buf[..len]).unwrap();
                writer.flush().unwrap();
            }
        });
        for n in 0..100 {
            let data = pattern(n, 1000);
            theirs.write_all(&data).unwrap();
            assert!(read_exactly(&theirs, 1000) == data);
        }
        drop(theirs);
        echo.join().unwrap();
    }
}

#[test]
fn a_connection_ends_when_both_halves_are_gone() {
    let t = start();
    for mode in MODES {
        let (ours, theirs) = pair(&t.name("halves"), mode);
        let (reader, writer) = ours.split();
        drop(reader);
        writer.write("still here").unwrap();
        assert_eq!(read_exactly(&theirs, 10), b"still here");
        drop(writer);
        assert_ended(&theirs);
    }
}
