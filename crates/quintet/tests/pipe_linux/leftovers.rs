//! What servers leave behind that were killed, and what belongs to others.

use crate::common::{
    LONG, MODES, assert_fails, assert_serves, connected, limited, read_exactly, server, try_connect,
};
use crate::raw::{self, path_of};
use quintet::named::{self, Entry, Liveness, NamedKind};
use quintet::pipe::{PipeClient, PipeMode, PipeServer, Pipes};
use quintet::{ErrorKind, Name, Scheme, UserId};
use quintet_testkit::{Role, Test, eventually, start};
use rustix::io::Errno;
use rustix::net::SocketType;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// Serves `arg(0)` in mode `arg(1)`, and waits for its end.
pub(crate) fn server_to_be_killed(p: &mut Role) {
    let mode = p.arg(1).parse().unwrap();
    let _server = limited(p.arg(0), mode, 2);
    p.say("ready");
    p.listen();
}

/// Binds a socket to the path of `arg(0)`, of the type `arg(1)`, and leaves it there.
pub(crate) fn leaver(p: &mut Role) {
    let kind = match p.arg(1) {
        "stream" => SocketType::STREAM,
        "packet" => SocketType::SEQPACKET,
        _ => SocketType::DGRAM,
    };
    raw::bind(kind, &path_of(p.arg(0)));
}

pub(crate) fn lingering_client(p: &mut Role) {
    let _stream = PipeClient::connect(p.arg(0)).unwrap();
    p.listen();
}

fn leave_server(t: &Test, name: &str, mode: PipeMode) {
    let mut peer = t.spawn("server_to_be_killed", &[name, &mode.to_string()]);
    peer.expect("ready");
    peer.kill();
}

fn leave_socket(t: &Test, name: &str, kind: &str) {
    t.spawn("leaver", &[name, kind]).finish();
}

fn find(name: &Name) -> Option<Entry> {
    let is_it = |entry: &Entry| entry.address.name().unwrap() == name;
    Pipes.list().unwrap().into_iter().find(is_it)
}

#[test]
fn a_socket_that_nobody_holds_is_replaced() {
    let t = start();
    let name = t.name("stale");
    for kind in ["stream", "packet", "datagram"] {
        for mode in MODES {
            leave_socket(&t, &name, kind);
            assert_fails(try_connect(&name), ErrorKind::NotFound);
            let server = limited(&name, mode, 1);
            assert_serves(&server);
            drop(server);
            assert!(!path_of(&name).exists());
        }
    }
}

#[test]
fn a_socket_that_a_foreign_program_holds_is_left_alone() {
    let t = start();
    let name = t.name("foreign");
    let path = path_of(&name);
    for kind in [SocketType::STREAM, SocketType::SEQPACKET] {
        for listens in [false, true] {
            let foreign = if listens {
                raw::listen(kind, &path)
            } else {
                raw::bind(kind, &path)
            };
            let inode = fs::metadata(&path).unwrap().ino();
            for mode in MODES {
                let builder = PipeServer::builder(&name).unwrap().mode(mode);
                let error = assert_fails(builder.create(), ErrorKind::Busy);
                assert!(error.to_string().contains("not Quintet"), "{error}");
                assert_fails(Pipes.remove(&Name::new(&*name).unwrap()), ErrorKind::Busy);
            }
            assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
            if listens {
                // Nobody has been in its queue.
                rustix::io::ioctl_fionbio(&foreign, true).unwrap();
                assert_eq!(rustix::net::accept(&foreign).unwrap_err(), Errno::AGAIN);
                raw::connect(kind, &name).unwrap();
                rustix::net::accept(&foreign).unwrap();
            }
            fs::remove_file(&path).unwrap();
        }
    }
}

#[test]
fn a_killed_server_is_seen_as_stale_and_can_be_removed() {
    let t = start();
    let name = Name::new(t.name("stale")).unwrap();
    let pipes = named::kind(Scheme::Pipe).unwrap();
    for mode in MODES {
        leave_server(&t, name.as_str(), mode);
        for entry in [pipes.stat(&name).unwrap(), find(&name).unwrap()] {
            assert_eq!(entry.liveness, Liveness::Stale);
            assert!(entry.holders.is_empty());
            assert_eq!(entry.detail("clients"), None);
            assert_eq!(entry.detail("path"), path_of(name.as_str()).to_str());
        }
        assert_fails(try_connect(name.as_str()), ErrorKind::NotFound);
        pipes.remove(&name).unwrap();
        assert!(!path_of(name.as_str()).exists());
        assert!(find(&name).is_none());
        assert!(t.leaks().is_empty(), "{:?}", t.leaks());
        assert_fails(pipes.remove(&name), ErrorKind::NotFound);
        assert_fails(pipes.stat(&name), ErrorKind::NotFound);
    }
}

#[test]
fn a_killed_server_whose_socket_is_gone_leaves_nothing_that_cannot_be_removed() {
    let t = start();
    let name = Name::new(t.name("claim")).unwrap();
    leave_server(&t, name.as_str(), PipeMode::Byte);
    fs::remove_file(path_of(name.as_str())).unwrap();
    assert_fails(Pipes.stat(&name), ErrorKind::NotFound);
    // Whoever lists pipes takes the claim away; it may have been another test just now.
    if let Err(error) = Pipes.remove(&name) {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    assert!(t.leaks().is_empty(), "{:?}", t.leaks());
    leave_server(&t, name.as_str(), PipeMode::Byte);
    fs::remove_file(path_of(name.as_str())).unwrap();
    Pipes.list().unwrap();
    assert!(t.leaks().is_empty(), "{:?}", t.leaks());
    // The next server would have done as well.
    leave_server(&t, name.as_str(), PipeMode::Byte);
    fs::remove_file(path_of(name.as_str())).unwrap();
    assert_serves(&server(name.as_str(), PipeMode::Message));
}

#[test]
fn a_living_server_is_seen_with_what_it_is() {
    let t = start();
    let name = Name::new(t.name("live")).unwrap();
    for mode in MODES {
        let mut peer = t.spawn("server_to_be_killed", &[name.as_str(), &mode.to_string()]);
        peer.expect("ready");
        for entry in [Pipes.stat(&name).unwrap(), find(&name).unwrap()] {
            assert_eq!(entry.liveness, Liveness::Live);
            let pids: Vec<u32> = entry.holders.iter().map(|holder| holder.pid()).collect();
            assert_eq!(pids, [peer.pid()]);
            assert_eq!(
                entry.holders[0].executable(),
                Some(std::env::current_exe().unwrap().as_path())
            );
            assert_eq!(entry.detail("mode"), Some(mode.to_string().as_str()));
            assert_eq!(entry.detail("max_instances"), Some("2"));
            assert_eq!(entry.detail("clients"), Some("0"));
            assert_eq!(
                entry.detail("owner"),
                Some(UserId::current().to_string().as_str())
            );
            assert!(entry.created.is_some());
        }
        assert_fails(Pipes.remove(&name), ErrorKind::Busy);
        peer.kill();
        Pipes.remove(&name).unwrap();
    }
}

#[test]
fn clients_are_counted_but_not_what_fills_the_queue() {
    let t = start();
    let name = Name::new(t.name("clients")).unwrap();
    for mode in MODES {
        let server = limited(name.as_str(), mode, 2);
        let clients = || Pipes.stat(&name).unwrap().detail("clients").unwrap().to_owned();
        let first = connected(&server);
        assert_eq!(clients(), "1");
        let second = connected(&server);
        assert_fails(try_connect(name.as_str()), ErrorKind::Busy);
        assert_eq!(clients(), "2");
        drop(first);
        // A child that another test is just starting may have the socket for a moment more.
        eventually("one has left", || clients() == "1");
        drop(second);
    }
}

#[test]
fn a_foreign_server_is_seen_with_its_process() {
    let t = start();
    let name = Name::new(t.name("foreign")).unwrap();
    let path = path_of(name.as_str());
    for (kind, mode) in [(SocketType::STREAM, "byte"), (SocketType::SEQPACKET, "message")] {
        let listener = raw::listen(kind, &path);
        for entry in [Pipes.stat(&name).unwrap(), find(&name).unwrap()] {
            assert_eq!(entry.liveness, Liveness::Foreign);
            let mut pids = entry.holders.iter().map(|holder| holder.pid());
            assert!(pids.any(|pid| pid == std::process::id()), "{:?}", entry.holders);
            assert_eq!(entry.detail("mode"), Some(mode));
            assert_eq!(entry.detail("max_instances"), None);
        }
        fs::remove_file(&path).unwrap();
        drop(listener);
    }
}

#[test]
fn a_file_with_a_pipes_name_is_no_pipe() {
    let t = start();
    let name = Name::new(t.name("file")).unwrap();
    let path = path_of(name.as_str());
    fs::write(&path, "precious").unwrap();
    assert!(find(&name).is_none());
    assert_fails(Pipes.stat(&name), ErrorKind::Corrupt);
    assert_fails(Pipes.remove(&name), ErrorKind::Corrupt);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_name_is_free_while_streams_of_its_last_server_live() {
    let t = start();
    let name = t.name("free");
    for mode in MODES {
        let old = limited(&name, mode, 1);
        let (ours, theirs) = connected(&old);
        drop(old);
        assert!(!path_of(&name).exists());
        assert_fails(try_connect(&name), ErrorKind::NotFound);
        let new = limited(&name, mode, 1);
        assert_serves(&new);
        theirs.write("old").unwrap();
        assert_eq!(read_exactly(&ours, 3), b"old");
        drop((ours, theirs));
        // The old one's places are not the new one's.
        assert_serves(&new);
        assert_fails(new.accept_timeout(Duration::ZERO), ErrorKind::TimedOut);
    }
}

#[test]
fn a_peer_that_has_ended_is_still_known_by_its_number() {
    let t = start();
    let name = t.name("ended");
    for mode in MODES {
        let server = server(&name, mode);
        let mut client = t.spawn("lingering_client", &[&name]);
        let stream = server.accept_timeout(LONG).unwrap();
        let peer = stream.peer().unwrap();
        assert_eq!(
            peer.executable(),
            Some(std::env::current_exe().unwrap().as_path())
        );
        client.kill();
        let peer = stream.peer().unwrap();
        assert_eq!((peer.pid(), peer.executable()), (client.pid(), None));
        assert_eq!(peer.user(), Some(&UserId::current()));
    }
}
