//! Many clients, and too few descriptors.

use super::{PATIENCE, any_port};
use quintet::socket::{Listener, Rep, Req, Stream};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::{Role, eventually, start, start_with_deadline};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::thread;
use std::time::Duration;

fn allow_files(files: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(files),
            maximum,
        },
    )
    .unwrap();
}

/// Asks through many sockets at once, each a client of its own.
pub(crate) fn asks_many(p: &mut Role) {
    // A poll (two descriptors) and a connection each.
    allow_files(2000);
    let address = p.arg(0).to_owned();
    let clients: Vec<Req> = (0..p.arg(1).parse().unwrap())
        .map(|_| {
            let req = Req::new().unwrap();
            req.dial(&address).unwrap();
            req
        })
        .collect();
    for client in &clients {
        client.wait_for_peers(1, PATIENCE).unwrap();
    }
    p.say("connected");
    p.expect("go");
    thread::scope(|scope| {
        for part in clients.chunks(25) {
            scope.spawn(move || {
                for round in 0..3 {
                    for (number, client) in part.iter().enumerate() {
                        let question = format!("{round} {number}");
                        let answer = client.request_timeout(&question, PATIENCE).unwrap();
                        assert_eq!(answer, question.as_bytes());
                    }
                }
            });
        }
    });
    p.say("answered");
    p.listen();
}

#[test]
fn a_server_has_a_thousand_clients_at_once() {
    const PROCESSES: usize = 4;
    const EACH: &str = "250";
    let t = start_with_deadline(3 * PATIENCE);
    let mut server = t.spawn("is_server_of_many", &[]);
    let address = server.hear();
    let mut peers: Vec<_> = (0..PROCESSES)
        .map(|_| t.spawn("asks_many", &[&address, EACH]))
        .collect();
    peers.iter_mut().for_each(|peer| peer.expect("connected"));
    server.expect("all are here");
    peers.iter_mut().for_each(|peer| peer.tell("go"));
    peers.iter_mut().for_each(|peer| peer.expect("answered"));
    peers.iter_mut().for_each(|peer| peer.tell("end"));
}

/// Answers, with two threads, and says when a thousand clients are there.
pub(crate) fn is_server_of_many(p: &mut Role) {
    allow_files(2000);
    let rep = Rep::new().unwrap();
    p.say(rep.listen(any_port()).unwrap());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let request = rep.recv().unwrap();
                    let body = request.body().to_vec();
                    let _ = request.reply(body);
                }
            });
        }
        // A client has heard our handshake before we have heard its.
        rep.wait_for_peers(1000, PATIENCE).unwrap();
        p.say("all are here");
        p.listen();
    });
}

/// Serves with hardly any descriptors, and says when it ran out of them.
pub(crate) fn is_short_of_files(p: &mut Role) {
    let rep = Rep::new().unwrap();
    let listener = Listener::listen(any_port()).unwrap();
    let address = rep.listen(any_port()).unwrap();
    p.say(format!("{address} {}", listener.address()));
    let used = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
    allow_files(used + 4);
    let mut taken: Vec<Stream> = Vec::new();
    let error = loop {
        match listener.accept_timeout(PATIENCE) {
            Ok(stream) => taken.push(stream),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    p.say("no more streams");
    eventually("a client of the pattern has to wait", || {
        let _ = rep.recv_timeout(Deadline::now());
        rep.stats().accept_failures > 0
    });
    assert!(rep.stats().last_trouble.unwrap().contains("cannot accept"));
    p.say("no more peers");
    drop(taken);
    // The client that was in the queue is let in now.
    rep.recv_timeout(PATIENCE).unwrap().reply("welcome").unwrap();
    listener.accept_timeout(PATIENCE).unwrap();
    p.listen();
}

#[test]
fn without_descriptors_clients_wait_and_are_let_in_when_there_are_some() {
    let t = start();
    let mut server = t.spawn("is_short_of_files", &[]);
    let addresses = server.hear();
    let (pattern, stream) = addresses.split_once(' ').unwrap();
    let _clients: Vec<Stream> = (0..8)
        .map(|_| Stream::connect_timeout(stream, PATIENCE).unwrap())
        .collect();
    server.expect("no more streams");
    thread::scope(|scope| {
        let asker = scope.spawn(|| {
            let req = Req::new().unwrap();
            req.dial(pattern).unwrap();
            req.request_timeout("may I?", PATIENCE).unwrap()
        });
        server.expect("no more peers");
        assert_eq!(asker.join().unwrap(), b"welcome");
    });
    server.tell("end");
}

#[test]
fn a_hundred_connections_come_and_go_and_leave_nothing() {
    let _t = start();
    let rep = Rep::new().unwrap();
    let address = rep.listen(any_port()).unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            for _ in 0..100 {
                rep.recv_timeout(PATIENCE).unwrap().reply("yes").unwrap();
            }
        });
        for _ in 0..100 {
            let req = Req::new().unwrap();
            req.dial(&address).unwrap();
            assert_eq!(req.request_timeout("there?", PATIENCE).unwrap(), b"yes");
        }
        server.join().unwrap();
    });
    eventually("all are gone", || rep.stats().peers == 0);
    let stats = rep.stats();
    assert_eq!((stats.connected, stats.disconnected, stats.lost), (100, 100, 0));
    let _ = rep.recv_timeout(Duration::ZERO);
}
