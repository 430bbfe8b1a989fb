//! A name has one server at a time.

use crate::common::{LONG, MODES, assert_fails, connected, read_exactly, server, try_connect};
use quintet::ErrorKind;
use quintet::pipe::{PipeClient, PipeMode, PipeServer};
use quintet_testkit::{Role, eventually_some, start};
use std::fs;
use std::sync::Barrier;
use std::thread;

#[test]
fn a_name_that_is_none_is_refused() {
    for name in [
        "", ".", ".hidden", "..", "a/b", "/a", r"a\b", "a\0b", "\0", r"Local\",
    ] {
        assert_fails(PipeServer::create(name), ErrorKind::InvalidName);
        assert_fails(PipeClient::connect(name), ErrorKind::InvalidName);
    }
    let long = "x".repeat(201);
    assert_fails(PipeServer::create(long.as_str()), ErrorKind::TooLarge);
    assert_fails(PipeClient::connect(long), ErrorKind::TooLarge);
}

#[test]
fn a_second_server_is_told_that_the_name_is_taken() {
    let t = start();
    let name = t.name("second");
    for mode in MODES {
        let server = server(&name, mode);
        for other in [PipeMode::Byte, PipeMode::Message] {
            let builder = PipeServer::builder(&name).unwrap().mode(other);
            let error = assert_fails(builder.create(), ErrorKind::Busy);
            assert!(error.to_string().contains(&name), "{error}");
        }
        // The first has noticed nothing.
        let (ours, theirs) = connected(&server);
        theirs.write("hello").unwrap();
        assert_eq!(read_exactly(&ours, 5), b"hello");
        drop((ours, theirs, server));
        assert_fails(try_connect(&name), ErrorKind::NotFound);
    }
}

#[test]
fn names_that_differ_are_different_pipes() {
    let t = start();
    let (name, other) = (t.name("differ"), t.name("differ"));
    let first = server(&name, PipeMode::Byte);
    assert_fails(try_connect(&other), ErrorKind::NotFound);
    let second = server(&other, PipeMode::Byte);
    let (ours, theirs) = connected(&first);
    let (ours2, theirs2) = connected(&second);
    theirs.write("1").unwrap();
    theirs2.write("2").unwrap();
    assert_eq!(read_exactly(&ours, 1), b"1");
    assert_eq!(read_exactly(&ours2, 1), b"2");
}

const THREADS: usize = 3;

/// Told a name, tries to create its server from several threads at once, says how many of them could, and keeps it until
/// told to let go.
pub(crate) fn racer(p: &mut Role) {
    loop {
        let name = p.listen();
        if name == "end" {
            return;
        }
        let start = Barrier::new(THREADS);
        let create = || {
            start.wait();
            match PipeServer::create(&name) {
                Ok(server) => Some(server),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
                    None
                }
            }
        };
        let servers: Vec<PipeServer> = thread::scope(|scope| {
            let racers: Vec<_> = (0..THREADS).map(|_| scope.spawn(create)).collect();
            racers
                .into_iter()
                .filter_map(|racer| racer.join().unwrap())
                .collect()
        });
        p.say(servers.len());
        p.expect("let go");
    }
}

#[test]
fn of_many_who_want_a_name_exactly_one_gets_it() {
    const ROUNDS: usize = 25;
    let t = start();
    let mut peers: Vec<_> = (0..3).map(|_| t.spawn("racer", &[])).collect();
    for round in 0..ROUNDS {
        // A name that was never used, and one that was just given back.
        let name = if round % 2 == 0 {
            t.name("new")
        } else {
            format!("{}-used", t.tag())
        };
        peers.iter_mut().for_each(|peer| peer.tell(&name));
        let won: usize = peers
            .iter_mut()
            .map(|peer| peer.hear().parse::<usize>().unwrap())
            .sum();
        assert_eq!(won, 1, "servers in round {round}");
        let client = try_connect(&name);
        assert!(client.is_ok(), "{client:?}");
        drop(client);
        peers.iter_mut().for_each(|peer| peer.tell("let go"));
    }
    for mut peer in peers {
        peer.tell("end");
        peer.finish();
    }
}

/// Takes and gives back the name `arg(0)` again and again; while it has it, it alone makes the folder `arg(1)`.
pub(crate) fn holder(p: &mut Role) {
    let (name, folder) = (p.arg(0), p.arg(1));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || {
                for _ in 0..60 {
                    let server = eventually_some("the name is free", || match PipeServer::create(name) {
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
                            None
                        }
                        server => server.ok(),
                    });
                    fs::create_dir(folder).expect("nobody else has the name");
                    let client = PipeClient::connect(name).unwrap();
                    let stream = server.accept_timeout(LONG).unwrap();
                    client.write("x").unwrap();
                    assert_eq!(read_exactly(&stream, 1), b"x");
                    drop((client, stream));
                    fs::remove_dir(folder).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_name_that_is_given_back_and_taken_all_the_time_never_has_two_servers() {
    let t = start();
    let (name, folder) = (t.name("churn"), t.temp_dir().join("held"));
    let peers: Vec<_> = (0..3)
        .map(|_| t.spawn("holder", &[&name, folder.to_str().unwrap()]))
        .collect();
    for peer in peers {
        peer.finish();
    }
}
