//! What only Windows has, or can get wrong in a way of its own. What a pipe does is tested in `tests/pipe`, here as on
//! Linux.

use super::path::{self, There};
use super::{Connection, Listener, connect, list, stat};
use crate::named::Liveness;
use crate::os::pipe_types::{Chunk, ClientOptions, DEFAULT_MAX_MESSAGE, Direction, PipeMode, ServerOptions};
use crate::os::types::Access;
use crate::os::windows::call;
use crate::os::windows::event::Event;
use crate::os::windows::operation::Operation;
use crate::wait::Spin;
use crate::{Deadline, ErrorKind, Name, Result};
use quintet_testkit::{Test, eventually_some, start};
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, ERROR_OPERATION_ABORTED};
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX};
use windows_sys::Win32::System::Pipes::{CreateNamedPipeW, PIPE_UNLIMITED_INSTANCES};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);
/// Short, and long enough that a thread has begun to wait.
const SHORT: Duration = Duration::from_millis(30);

/// What the pipes of these tests can buffer.
const QUOTA: usize = 4096;

fn name(t: &Test, what: &str) -> Name {
    Name::new(t.name(what)).unwrap()
}

fn options(mode: PipeMode) -> ServerOptions {
    ServerOptions {
        direction: Direction::InOut,
        mode,
        max_instances: None,
        in_buffer: Some(QUOTA as u32),
        out_buffer: Some(QUOTA as u32),
        access: Access::CurrentUser,
        max_message: DEFAULT_MAX_MESSAGE,
    }
}

fn at_most(max: u32) -> ServerOptions {
    ServerOptions {
        max_instances: Some(max),
        ..options(PipeMode::Byte)
    }
}

const CLIENT: ClientOptions = ClientOptions {
    direction: Direction::InOut,
    mode: None,
    access: Access::CurrentUser,
    max_message: DEFAULT_MAX_MESSAGE,
};

fn try_connect(name: &Name) -> Result<Connection> {
    connect(name, &CLIENT, Deadline::now())
}

/// A server's end and a client's.
fn pair(t: &Test, mode: PipeMode) -> (Connection, Connection) {
    let name = name(t, "pair");
    let listener = Listener::create(&name, &options(mode)).unwrap();
    let client = try_connect(&name).unwrap();
    (listener.accept(LONG.into()).unwrap(), client)
}

/// Both ends of a pair, each as the one that is tested and the other one.
fn both_ways(t: &Test, mode: PipeMode, test: impl Fn(Connection, Connection)) {
    let (server, client) = pair(t, mode);
    test(server, client);
    let (server, client) = pair(t, mode);
    test(client, server);
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn read(connection: &Connection) -> Vec<u8> {
    let mut buf = vec![0; 1 << 20];
    match connection.read(&mut buf, LONG.into()).unwrap() {
        Chunk::Data { len, .. } => buf[..len].to_vec(),
        Chunk::End => Vec::new(),
    }
}

/// An instance of a pipe as a program makes it that is not Quintet.
fn foreign(name: &Name) -> OwnedHandle {
    let path = path::of(name);
    // SAFETY: the path ends with NUL; no security attributes are allowed; the handle is a new one.
    let pipe = unsafe {
        call::handle(|| {
            CreateNamedPipeW(
                path.as_ptr(),
                PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED,
                0,
                PIPE_UNLIMITED_INSTANCES,
                0,
                0,
                0,
                ptr::null(),
            )
        })
    };
    pipe.unwrap()
}

#[test]
fn a_read_that_timed_out_has_left_everything_to_the_next() {
    let t = start();
    for mode in [PipeMode::Byte, PipeMode::Message] {
        both_ways(&t, mode, |ours, theirs| {
            for time in [Duration::ZERO, SHORT] {
                let mut buf = [0; 10];
                assert_eq!(kind(ours.read(&mut buf, time.into())), Some(ErrorKind::TimedOut));
                theirs.write(b"late", LONG.into()).unwrap();
                assert_eq!(read(&ours), b"late");
            }
        });
    }
}

#[test]
fn what_arrives_as_a_read_times_out_is_never_lost() {
    let t = start();
    let (ours, theirs) = pair(&t, PipeMode::Byte);
    const BYTES: u32 = 2000;
    thread::scope(|scope| {
        scope.spawn(|| {
            for at in 0..BYTES {
                theirs.write(&[at as u8], LONG.into()).unwrap();
                if at % 3 == 0 {
                    thread::sleep(Duration::from_micros(u64::from(at % 7) * 300));
                }
            }
        });
        let mut next = 0;
        while next < BYTES {
            let mut buf = [0; 16];
            match ours.read(&mut buf, Duration::from_micros(u64::from(next % 5) * 500).into()) {
                Ok(Chunk::Data { len, .. }) => {
                    for byte in &buf[..len] {
                        assert_eq!(*byte, next as u8);
                        next += 1;
                    }
                }
                Ok(Chunk::End) => panic!("an end after {next} bytes"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
            }
        }
    });
}

#[test]
fn a_write_that_timed_out_has_sent_nothing() {
    let t = start();
    for mode in [PipeMode::Byte, PipeMode::Message] {
        both_ways(&t, mode, |ours, theirs| {
            let full = vec![1; QUOTA];
            assert_eq!(ours.write(&full, SHORT.into()).unwrap(), QUOTA);
            for time in [Duration::ZERO, SHORT] {
                let more = ours.write(b"more", time.into());
                assert_eq!(kind(more), Some(ErrorKind::TimedOut));
            }
            assert_eq!(read(&theirs), full);
            ours.write(b"next", SHORT.into()).unwrap();
            assert_eq!(read(&theirs), b"next");
        });
    }
}

#[test]
fn a_stream_that_is_written_in_no_time_takes_what_fits() {
    let t = start();
    let (ours, theirs) = pair(&t, PipeMode::Byte);
    let data: Vec<u8> = (0..3 * QUOTA).map(|at| (at / 7) as u8).collect();
    assert_eq!(ours.write(&data[..1000], Deadline::now()).unwrap(), 1000);
    let mut written = 1000;
    while let Ok(len) = ours.write(&data[written..], Deadline::now()) {
        written += len;
    }
    assert_eq!(written, QUOTA);
    let mut arrived = Vec::new();
    while arrived.len() < written {
        arrived.extend(read(&theirs));
    }
    assert_eq!(arrived, data[..written]);
}

#[test]
fn a_message_that_was_cut_short_ends_the_connection_for_both() {
    let t = start();
    let large = vec![7; 10 * QUOTA];
    both_ways(&t, PipeMode::Message, |ours, theirs| {
        thread::scope(|scope| {
            let writing = scope.spawn(|| ours.write(&large, (5 * SHORT).into()));
            let mut buf = [0; 100];
            let chunk = theirs.read(&mut buf, LONG.into()).unwrap();
            let part = Chunk::Data {
                len: 100,
                complete: false,
            };
            assert_eq!(chunk, part);
            let error = writing.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(error.to_string().contains("has been ended"), "{error}");
            // Not the end of a stream: the rest of the message is missing.
            let rest = theirs.read(&mut buf, LONG.into());
            assert_eq!(kind(rest), Some(ErrorKind::Disconnected));
        });
        assert_eq!(kind(ours.write(b"x", LONG.into())), Some(ErrorKind::Disconnected));
        assert_eq!(
            kind(ours.read(&mut [0; 1], LONG.into())),
            Some(ErrorKind::Disconnected)
        );
    });
}

#[test]
fn a_message_beyond_the_limit_ends_the_connection_for_a_writer_that_waits() {
    let t = start();
    let name = name(&t, "limit");
    let limited = ServerOptions {
        max_message: 1000,
        ..options(PipeMode::Message)
    };
    let listener = Listener::create(&name, &limited).unwrap();
    let client = try_connect(&name).unwrap();
    let server = listener.accept(LONG.into()).unwrap();
    thread::scope(|scope| {
        let writing = scope.spawn(|| client.write(&vec![7; 10 * QUOTA], Deadline::NEVER));
        for _ in 0..2 {
            let read = server.read(&mut [0; 100], LONG.into());
            assert_eq!(kind(read), Some(ErrorKind::TooLarge));
        }
        assert_eq!(kind(writing.join().unwrap()), Some(ErrorKind::Disconnected));
    });
    let error = server.write(b"x", LONG.into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(error.to_string().contains("longer than the limit"), "{error}");
}

#[test]
fn a_large_message_waits_for_what_is_in_front_of_it_and_can_give_up() {
    let t = start();
    both_ways(&t, PipeMode::Message, |ours, theirs| {
        ours.write(b"older", LONG.into()).unwrap();
        let large = vec![7; 10 * QUOTA];
        for time in [Duration::ZERO, SHORT] {
            let done = ours.write(&large, time.into());
            assert_eq!(kind(done), Some(ErrorKind::TimedOut));
        }
        assert_eq!(read(&theirs), b"older");
        ours.write(b"newer", LONG.into()).unwrap();
        assert_eq!(read(&theirs), b"newer");
    });
}

#[test]
fn an_empty_write_of_another_program_is_not_the_end() {
    let t = start();
    let name = name(&t, "zero");
    let pipe = foreign(&name);
    let client = try_connect(&name).unwrap();
    let mut operation = Operation::new(Arc::new(Event::new().unwrap()));
    let mut write = |data: &[u8]| {
        let outcome = operation.write(pipe.as_handle(), data, &Spin::default(), Deadline::NEVER);
        assert_eq!(outcome.code, 0);
    };
    thread::scope(|scope| {
        let reading = scope.spawn(|| read(&client));
        thread::sleep(SHORT);
        write(b"");
        write(b"after");
        assert_eq!(reading.join().unwrap(), b"after");
    });
    thread::scope(|scope| {
        let writing = scope.spawn(|| {
            write(b"");
            write(b"again");
        });
        thread::sleep(SHORT);
        assert_eq!(read(&client), b"again");
        writing.join().unwrap();
    });
    drop(pipe);
    assert_eq!(client.read(&mut [0; 1], LONG.into()).unwrap(), Chunk::End);
}

#[test]
fn a_client_is_busy_exactly_when_all_instances_are_taken() {
    let t = start();
    let name = name(&t, "full");
    let listener = Listener::create(&name, &at_most(3)).unwrap();
    // Nobody accepts, and all the same there is room for three.
    let clients: Vec<_> = (0..3).map(|_| try_connect(&name).unwrap()).collect();
    assert_eq!(kind(try_connect(&name)), Some(ErrorKind::Busy));
    let mut streams: Vec<_> = (0..3)
        .map(|_| listener.accept(Deadline::now()).unwrap())
        .collect();
    assert_eq!(kind(try_connect(&name)), Some(ErrorKind::Busy));
    assert_eq!(kind(listener.accept(Deadline::now())), Some(ErrorKind::TimedOut));
    streams.pop();
    let _another = try_connect(&name).unwrap();
    assert_eq!(kind(try_connect(&name)), Some(ErrorKind::Busy));
    drop(clients);
}

#[test]
fn a_full_server_accepts_as_soon_as_a_stream_is_dropped() {
    let t = start();
    let name = name(&t, "freed");
    let listener = Listener::create(&name, &at_most(1)).unwrap();
    let _first = try_connect(&name).unwrap();
    let stream = listener.accept(LONG.into()).unwrap();
    thread::scope(|scope| {
        let second = scope.spawn(|| connect(&name, &CLIENT, LONG.into()).unwrap());
        let accepting = scope.spawn(|| listener.accept(LONG.into()).unwrap());
        thread::sleep(SHORT);
        // By a thread that ends at once: nothing of the next instance may be its own.
        scope.spawn(|| drop(stream));
        let stream = accepting.join().unwrap();
        second.join().unwrap().write(b"hello", LONG.into()).unwrap();
        assert_eq!(read(&stream), b"hello");
    });
}

#[test]
fn threads_that_accept_at_once_get_a_client_each() {
    let t = start();
    let name = name(&t, "threads");
    let listener = Listener::create(&name, &options(PipeMode::Byte)).unwrap();
    const CLIENTS: u8 = 40;
    thread::scope(|scope| {
        let accepting: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    (0..CLIENTS / 4)
                        .map(|_| listener.accept(LONG.into()).unwrap())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let client = connect(&name, &CLIENT, LONG.into()).unwrap();
                client.write(&[number], LONG.into()).unwrap();
                client
            })
            .collect();
        let mut numbers: Vec<u8> = accepting
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .map(|stream| read(&stream)[0])
            .collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..CLIENTS));
        drop(clients);
    });
}

#[test]
fn an_accept_that_timed_out_leaves_the_client_to_the_next() {
    let t = start();
    let name = name(&t, "later");
    let listener = Listener::create(&name, &at_most(1)).unwrap();
    thread::scope(|scope| {
        // In a thread that ends, with which the system cancels whatever it has begun.
        let accepting = scope.spawn(|| kind(listener.accept(SHORT.into())));
        assert_eq!(accepting.join().unwrap(), Some(ErrorKind::TimedOut));
    });
    let client = try_connect(&name).unwrap();
    client.write(b"hello", LONG.into()).unwrap();
    assert_eq!(read(&listener.accept(Deadline::now()).unwrap()), b"hello");
}

#[test]
fn what_a_client_wrote_before_it_left_is_there_for_accept() {
    let t = start();
    let name = name(&t, "left");
    let listener = Listener::create(&name, &at_most(1)).unwrap();
    try_connect(&name).unwrap().write(b"bye", LONG.into()).unwrap();
    let stream = listener.accept(Deadline::now()).unwrap();
    assert_eq!(read(&stream), b"bye");
    assert_eq!(stream.read(&mut [0; 1], LONG.into()).unwrap(), Chunk::End);
    let peer = stream.peer().unwrap();
    assert_eq!(peer.pid, std::process::id());
}

#[test]
fn the_name_of_a_server_with_one_instance_is_never_gone() {
    let t = start();
    let name = name(&t, "gap");
    let listener = Listener::create(&name, &at_most(1)).unwrap();
    let path = path::of(&name);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut looks = 0;
            while !over.load(Ordering::Relaxed) {
                assert_ne!(path::wait(&path, Duration::ZERO).unwrap(), There::Nothing);
                looks += 1;
            }
            looks
        });
        for _ in 0..200 {
            let client = connect(&name, &CLIENT, LONG.into()).unwrap();
            let stream = listener.accept(LONG.into()).unwrap();
            drop(stream);
            drop(client);
        }
        over.store(true, Ordering::Relaxed);
        assert!(looking.join().unwrap() > 0);
    });
    drop(listener);
    assert_eq!(path::wait(&path, LONG).unwrap(), There::Nothing);
}

#[test]
fn streams_that_outlive_their_server_do_not_keep_its_name() {
    let t = start();
    let name = name(&t, "outlive");
    let listener = Listener::create(&name, &options(PipeMode::Byte)).unwrap();
    let client = try_connect(&name).unwrap();
    let stream = listener.accept(LONG.into()).unwrap();
    drop(listener);
    assert_eq!(kind(try_connect(&name)), Some(ErrorKind::NotFound));
    assert_eq!(kind(stat(&name)), Some(ErrorKind::NotFound));
    assert!(list().unwrap().iter().all(|found| found.name != name.as_str()));

    // The streams fix what the pipe is, as long as they are there.
    let other = Listener::create(&name, &options(PipeMode::Message));
    let error = other.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.to_string().contains("drop them"), "{error}");

    let next = Listener::create(&name, &options(PipeMode::Byte)).unwrap();
    let new_client = try_connect(&name).unwrap();
    let new_stream = next.accept(LONG.into()).unwrap();
    for (ours, theirs) in [(&stream, &client), (&new_stream, &new_client)] {
        ours.write(b"still here", LONG.into()).unwrap();
        assert_eq!(read(theirs), b"still here");
    }
}

#[test]
fn a_pipe_of_another_program_is_foreign_and_its_name_taken() {
    let t = start();
    let name = name(&t, "foreign");
    let pipe = foreign(&name);
    assert_eq!(stat(&name).unwrap().liveness, Liveness::Foreign);
    assert_eq!(
        kind(Listener::create(&name, &options(PipeMode::Byte))),
        Some(ErrorKind::Busy)
    );
    // Neither has taken its only instance.
    let client = try_connect(&name).unwrap();
    assert_eq!(
        kind(Listener::create(&name, &options(PipeMode::Byte))),
        Some(ErrorKind::Busy)
    );
    drop((pipe, client));
    Listener::create(&name, &options(PipeMode::Byte)).unwrap();
}

#[test]
fn a_pipe_is_listed_by_name_with_what_its_server_says() {
    let t = start();
    let name = name(&t, "Listed");
    assert_eq!(kind(stat(&name)), Some(ErrorKind::NotFound));
    let _listener = Listener::create(&name, &at_most(5)).unwrap();
    let found = list()
        .unwrap()
        .into_iter()
        .find(|found| found.name == name.as_str());
    for found in [found.unwrap(), stat(&name).unwrap()] {
        assert_eq!(found.liveness, Liveness::Live);
        assert_eq!(found.holders[0].pid, std::process::id());
        assert!(found.created.is_some());
        let detail = |key| {
            let found = found.details.iter().find(|(known, _)| *known == key);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(
            (detail("mode"), detail("max_instances")),
            (Some("byte"), Some("5"))
        );
        assert_eq!(detail("path"), Some(path::shown(&name).as_str()));
    }
    let removed = super::remove(&name);
    assert_eq!(kind(removed), Some(ErrorKind::Unsupported));
}

#[test]
fn names_of_pipes_know_no_case() {
    let t = start();
    let upper = Name::new(t.name("CASE")).unwrap();
    let lower = Name::new(upper.as_str().to_lowercase()).unwrap();
    let _listener = Listener::create(&upper, &at_most(1)).unwrap();
    assert_eq!(kind(Listener::create(&lower, &at_most(1))), Some(ErrorKind::Busy));
    assert_eq!(stat(&lower).unwrap().liveness, Liveness::Live);
    try_connect(&lower).unwrap();
}

#[test]
fn a_client_whose_handle_was_lent_is_not_closed_under_the_borrower() {
    let t = start();
    let (server, client) = pair(&t, PipeMode::Byte);
    let handle = client.as_handle();
    assert_eq!(kind(client.disconnect()), Some(ErrorKind::Unsupported));
    assert!(super::kernel::info(handle).is_ok());
    // A server's end is disconnected without being closed.
    let handle = server.as_handle();
    server.disconnect().unwrap();
    assert!(super::kernel::info(handle).is_ok() || handle.try_clone_to_owned().is_ok());
    assert_eq!(client.read(&mut [0; 1], LONG.into()).unwrap(), Chunk::End);
}

#[test]
fn a_client_that_disconnects_ends_what_its_own_threads_wait_for() {
    let t = start();
    let (server, client) = pair(&t, PipeMode::Byte);
    thread::scope(|scope| {
        let reading = scope.spawn(|| client.read(&mut [0; 1], Deadline::NEVER));
        let writing = scope.spawn(|| client.write(&vec![0; 10 * QUOTA], Deadline::NEVER));
        thread::sleep(SHORT);
        client.disconnect().unwrap();
        assert_eq!(reading.join().unwrap().unwrap(), Chunk::End);
        assert_eq!(kind(writing.join().unwrap()), Some(ErrorKind::Disconnected));
    });
    while !read(&server).is_empty() {}
    // A handle of nothing, but a handle.
    assert!(super::kernel::info(client.as_handle()).is_err());
    client.disconnect().unwrap();
}

#[test]
fn an_operation_that_is_dropped_is_over_before() {
    let t = start();
    let pipe = foreign(&name(&t, "dropped"));
    for settles in [true, false] {
        let event = Arc::new(Event::new().unwrap());
        let mut operation = Operation::new(event);
        // SAFETY: the operation drops before the pipe closes, and that settles it.
        assert_eq!(unsafe { operation.listen(pipe.as_handle()) }, ERROR_IO_PENDING);
        assert!(operation.is_under_way() && !operation.is_over());
        if settles {
            let outcome = operation.settle();
            assert_eq!(
                (outcome.code, outcome.timed_out),
                (ERROR_OPERATION_ABORTED, false)
            );
        }
    }
}

#[test]
fn a_panic_while_an_operation_is_under_way_ends_it_first() {
    let t = start();
    let (ours, theirs) = pair(&t, PipeMode::Byte);
    let event = Arc::new(Event::new().unwrap());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut buf = [0; 8];
        let mut operation = Operation::new(event);
        operation.read_and_panic(ours.as_handle(), &mut buf);
    }));
    assert!(panicked.is_err());
    // The read is not there any more to take it.
    theirs.write(b"x", LONG.into()).unwrap();
    assert_eq!(read(&ours), b"x");
}

#[test]
fn draining_an_out_server_tells_a_peer_that_is_gone() {
    let t = start();
    let name = name(&t, "out");
    let out = ServerOptions {
        direction: Direction::Out,
        ..options(PipeMode::Byte)
    };
    let listener = Listener::create(&name, &out).unwrap();
    let into = ClientOptions {
        direction: Direction::In,
        ..CLIENT
    };
    let client = connect(&name, &into, Deadline::now()).unwrap();
    let stream = listener.accept(LONG.into()).unwrap();
    stream.drain(Deadline::now()).unwrap();
    stream.write(b"hello", LONG.into()).unwrap();
    assert_eq!(kind(stream.drain(SHORT.into())), Some(ErrorKind::TimedOut));
    assert_eq!(read(&client), b"hello");
    stream.drain(LONG.into()).unwrap();
    stream.write(b"unread", LONG.into()).unwrap();
    drop(client);
    assert_eq!(kind(stream.drain(LONG.into())), Some(ErrorKind::Disconnected));
}

#[test]
fn a_server_that_appears_is_found_soon() {
    let t = start();
    let name = name(&t, "soon");
    thread::scope(|scope| {
        let connecting = scope.spawn(|| connect(&name, &CLIENT, LONG.into()));
        thread::sleep(SHORT);
        let begun = Instant::now();
        let listener = Listener::create(&name, &at_most(1)).unwrap();
        let stream = eventually_some("a client", || listener.accept(SHORT.into()).ok());
        assert!(begun.elapsed() < LONG);
        connecting.join().unwrap().unwrap();
        drop(stream);
    });
}
