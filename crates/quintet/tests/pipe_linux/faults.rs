//! System calls that fail. (That nothing is left behind by it, nor by a death, is tested by `pipe_steps`.)

use crate::common::{
    LONG, MODES, assert_ended, assert_fails, assert_serves, limited, pair, pattern, read_exactly, server,
    try_connect,
};
use crate::raw::path_of;
use quintet::pipe::{Access, PipeClient, PipeMode, PipeServer, PipeStream};
use quintet::{Error, ErrorKind, Result, test_hooks as hooks};
use quintet_testkit::{eventually, eventually_some, start};
use std::thread;
use std::time::Duration;

/// What a system call may fail with at any time; the last is no failure at all.
const ERRORS: [i32; 4] = [libc::EMFILE, libc::ENOMEM, libc::EIO, libc::EINTR];

/// Does something again and again, with its first system call failing, then its second, until it makes fewer. Each time
/// it is prepared and checked in peace; the check is told whether it must have gone well.
fn fail_everywhere<S, T>(prepare: impl Fn() -> S, act: impl Fn(S) -> T, check: impl Fn(T, bool)) {
    for error in ERRORS {
        for number in 0.. {
            let prepared = prepare();
            hooks::fail_at(number, error);
            let result = act(prepared);
            let unharmed = hooks::disarm() <= number;
            check(result, unharmed || error == libc::EINTR);
            if unharmed {
                break;
            }
        }
    }
}

fn create(name: &str, mode: PipeMode) -> Result<PipeServer> {
    let builder = PipeServer::builder(name)?.mode(mode).max_instances(1);
    builder.access(Access::Everyone).create()
}

#[test]
fn a_server_that_cannot_remove_its_name_does_not_keep_it() {
    let t = start();
    for mode in MODES {
        let name = t.name("drop");
        fail_everywhere(
            || create(&name, mode).unwrap(),
            drop,
            |(), must_be_well| {
                assert!(!must_be_well || !path_of(&name).exists());
                // A child that another test is just starting may have the socket for a moment more.
                let is_gone =
                    || matches!(try_connect(&name), Err(error) if error.kind() == ErrorKind::NotFound);
                eventually("there is no server", is_gone);
                let next = eventually_some("the name is free", || create(&name, mode).ok());
                assert_serves(&next);
            },
        );
        assert!(t.leaks().is_empty(), "{:?}", t.leaks());
    }
}

#[test]
fn an_accept_that_fails_costs_no_instance() {
    let t = start();
    for mode in MODES {
        let name = t.name("accept");
        let server = limited(&name, mode, 1);
        fail_everywhere(
            || try_connect(&name).unwrap(),
            |client| (server.accept_timeout(Duration::ZERO), client),
            |(accepted, client), must_be_well| {
                let accepted = match accepted {
                    Err(error) => {
                        assert!(!must_be_well, "{error}");
                        server.accept_timeout(Duration::ZERO)
                    }
                    accepted => accepted,
                };
                match accepted {
                    Ok(stream) => {
                        assert_fails(try_connect(&name), ErrorKind::Busy);
                        client.write("x").unwrap();
                        assert_eq!(read_exactly(&stream, 1), b"x");
                    }
                    // It was let go with the failure, and knows.
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::TimedOut);
                        assert_ended(&client);
                    }
                }
                assert_serves(&server);
            },
        );
    }
}

#[test]
fn a_stream_whose_dropping_fails_costs_no_instance() {
    let t = start();
    for mode in MODES {
        let name = t.name("release");
        let server = limited(&name, mode, 1);
        fail_everywhere(
            || {
                let client = try_connect(&name).unwrap();
                (server.accept_timeout(Duration::ZERO).unwrap(), client)
            },
            drop,
            |(), _| {
                // The next client may have to wait for the accept that makes up for it.
                assert_fails(server.accept_timeout(Duration::ZERO), ErrorKind::TimedOut);
                assert_serves(&server);
            },
        );
    }
}

#[test]
fn a_connect_that_fails_does_not_disturb_the_server() {
    let t = start();
    for mode in MODES {
        let name = t.name("connect");
        let server = server(&name, mode);
        for wanted in [None, Some(mode)] {
            fail_everywhere(
                || {
                    let mut builder = PipeClient::builder(&name).unwrap().connect_timeout(LONG);
                    if let Some(mode) = wanted {
                        builder = builder.mode(mode);
                    }
                    builder
                },
                |builder| builder.connect(),
                |connected, must_be_well| {
                    match connected {
                        Ok(stream) => stream.write("x").map(drop).unwrap(),
                        Err(error) => assert!(!must_be_well, "{error}"),
                    }
                    // Who got far enough to be in the queue is served, and gone.
                    while let Ok(stream) = server.accept_timeout(Duration::ZERO) {
                        stream.read(&mut [0]).unwrap();
                        assert_ended(&stream);
                    }
                },
            );
        }
        assert_serves(&server);
    }
}

/// One packet, several, and enough for shared memory.
fn messages() -> Vec<Vec<u8>> {
    let sizes = [10, 0, 150_000, 250_000, 1, 300_000];
    (0..).zip(sizes).map(|(n, size)| pattern(n, size)).collect()
}

/// Reads until the end, or an error that stays: what came, and that error.
fn read_all(stream: &PipeStream) -> (Vec<Vec<u8>>, Option<Error>) {
    let (mut read, mut failures) = (Vec::new(), 0);
    loop {
        match stream.read_message() {
            Ok(Some(message)) => read.push(message),
            Ok(None) => return (read, None),
            Err(error) if failures == 3 => return (read, Some(error)),
            Err(_) => failures += 1,
        }
    }
}

#[track_caller]
fn assert_same(read: &[Vec<u8>], expected: &[Vec<u8>]) {
    let lens = |messages: &[Vec<u8>]| messages.iter().map(Vec::len).collect::<Vec<_>>();
    assert!(
        read == expected,
        "{:?} instead of {:?}",
        lens(read),
        lens(expected)
    );
}

#[test]
fn a_read_that_fails_loses_no_part_of_a_message() {
    let t = start();
    let name = t.name("read");
    let server = server(&name, PipeMode::Message);
    let messages = messages();
    fail_everywhere(
        || {
            let client = try_connect(&name).unwrap();
            (server.accept_timeout(LONG).unwrap(), client)
        },
        |(ours, theirs)| {
            thread::scope(|scope| {
                scope.spawn(|| {
                    for message in &messages {
                        // The reader may have given up.
                        let _ = theirs.write_message(message);
                    }
                    drop(theirs);
                });
                let read = read_all(&ours);
                drop(ours);
                read
            })
        },
        |(read, error), must_be_well| match error {
            None => assert_same(&read, &messages),
            Some(error) => {
                assert!(!must_be_well, "{error}");
                assert_same(&read, &messages[..read.len()]);
            }
        },
    );
}

#[test]
fn a_write_that_fails_sends_no_part_that_could_be_taken_for_a_message() {
    let t = start();
    let name = t.name("write");
    let server = server(&name, PipeMode::Message);
    let messages = messages();
    fail_everywhere(
        || {
            let client = try_connect(&name).unwrap();
            (server.accept_timeout(LONG).unwrap(), client)
        },
        |(ours, theirs)| {
            thread::scope(|scope| {
                let reader = scope.spawn(move || read_all(&theirs));
                let written: Vec<Vec<u8>> = messages
                    .iter()
                    .filter(|message| ours.write_message(message).is_ok())
                    .cloned()
                    .collect();
                drop(ours);
                (written, reader.join().unwrap())
            })
        },
        |(written, (read, error)), must_be_well| {
            assert_same(&read, &written);
            assert!(!must_be_well || written.len() == messages.len());
            if let Some(error) = error {
                assert_eq!(error.kind(), ErrorKind::Disconnected);
                assert!(!must_be_well);
            }
        },
    );
}

#[test]
fn bytes_are_read_and_written_whatever_fails_in_between() {
    let t = start();
    let name = t.name("bytes");
    let server = server(&name, PipeMode::Byte);
    let data = pattern(1, 500_000);
    fail_everywhere(
        || {
            let client = try_connect(&name).unwrap();
            (server.accept_timeout(LONG).unwrap(), client)
        },
        |(ours, theirs)| {
            thread::scope(|scope| {
                let echo = scope.spawn(move || std::io::copy(&mut &theirs, &mut &theirs).map(drop));
                let mut written = 0;
                let mut read = Vec::new();
                let mut failures = 0;
                while read.len() < data.len() {
                    let end = (written + 50_000).min(data.len());
                    match ours.write(&data[written..end]) {
                        Ok(len) => written += len,
                        Err(_) => failures += 1,
                    }
                    if read.len() == written {
                        continue;
                    }
                    let mut buf = [0; 50_000];
                    match ours.read(&mut buf) {
                        Ok(len) => read.extend_from_slice(&buf[..len]),
                        Err(_) => failures += 1,
                    }
                }
                drop(ours);
                echo.join().unwrap().unwrap();
                (read, failures)
            })
        },
        |(read, failures), must_be_well| {
            assert!(read == data);
            assert!(failures <= 1 && (failures == 0 || !must_be_well), "{failures}");
        },
    );
}

#[test]
fn draining_fails_without_harm() {
    let t = start();
    for mode in MODES {
        let (ours, theirs) = pair(&t.name("drain"), mode);
        fail_everywhere(
            || {
                ours.write("x").unwrap();
                assert_eq!(read_exactly(&theirs, 1), b"x");
            },
            |()| ours.wait_for_drain(LONG),
            |drained, must_be_well| assert!(drained.is_ok() || !must_be_well, "{drained:?}"),
        );
    }
}
