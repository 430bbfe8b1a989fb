//! Pipes as `ls` and `stat` see them.

use crate::common::{MODES, SHORT, assert_fails, connected, read_exactly};
use quintet::named::{self, Liveness};
use quintet::pipe::PipeServer;
use quintet::{ErrorKind, Name, Scheme};
use quintet_testkit::start;

#[test]
fn a_pipe_is_seen_while_it_is_served() {
    let t = start();
    let pipes = named::kind(Scheme::Pipe).unwrap();
    for mode in MODES {
        let name = Name::new(t.name("seen")).unwrap();
        assert_fails(pipes.stat(&name), ErrorKind::NotFound);
        let server = PipeServer::builder(&name).unwrap().mode(mode).create().unwrap();
        let find = || {
            let list = pipes.list().unwrap();
            list.into_iter().find(|entry| entry.address == *server.address())
        };
        let listed = find().expect("it is in the list");
        let stat = pipes.stat(&name).unwrap();
        for entry in [&listed, &stat] {
            assert_eq!(entry.address, *server.address());
            assert_eq!(entry.liveness, Liveness::Live);
            assert!(!entry.evidence.is_empty());
        }
        drop(server);
        let list = pipes.list().unwrap();
        assert!(list.iter().all(|entry| entry.address != stat.address));
        let error = assert_fails(pipes.stat(&name), ErrorKind::NotFound);
        assert!(error.to_string().contains(name.as_str()), "{error}");
    }
}

#[test]
fn looking_at_a_pipe_is_not_noticed() {
    let t = start();
    let pipes = named::kind(Scheme::Pipe).unwrap();
    for mode in MODES {
        let name = Name::new(t.name("unseen")).unwrap();
        let server = PipeServer::builder(&name).unwrap().mode(mode).max_instances(1);
        let server = server.create().unwrap();
        for _ in 0..3 {
            pipes.list().unwrap();
            pipes.stat(&name).unwrap();
        }
        assert_fails(server.accept_timeout(SHORT), ErrorKind::TimedOut);
        let (ours, theirs) = connected(&server);
        pipes.stat(&name).unwrap();
        theirs.write("hello").unwrap();
        assert_eq!(read_exactly(&ours, 5), b"hello");
    }
}

#[test]
fn what_is_served_cannot_be_removed() {
    let t = start();
    let pipes = named::kind(Scheme::Pipe).unwrap();
    let name = Name::new(t.name("remove")).unwrap();
    // Where the system removes pipes itself, there is nothing that could be done.
    let refused = |kind| matches!(kind, ErrorKind::Busy | ErrorKind::Unsupported);
    let absent = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::Unsupported);
    assert!(absent(pipes.remove(&name).unwrap_err().kind()));
    let server = PipeServer::create(&name).unwrap();
    assert!(refused(pipes.remove(&name).unwrap_err().kind()));
    let (ours, theirs) = connected(&server);
    assert!(refused(pipes.remove(&name).unwrap_err().kind()));
    theirs.write("hello").unwrap();
    assert_eq!(read_exactly(&ours, 5), b"hello");
    let _others = connected(&server);
}
