//! Other users of the machine: kept out, and not believed.

use crate::common::{
    HUGE, LONG, MODES, assert_fails, assert_serves, pattern, read_exactly, server, try_connect,
};
use crate::raw::path_of;
use quintet::named::{Liveness, NamedKind};
use quintet::pipe::{Access, PipeClient, PipeMode, PipeServer, Pipes};
use quintet::{ErrorKind, Name};
use quintet_testkit::{Peer, Role, Test, start};
use rustix::fs::Mode;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

const NOBODY: &str = "65534";

/// Starts a role as nobody; `None`, and a word why, when this test is not run by root.
fn spawn(t: &Test, role: &str, args: &[&str]) -> Option<Peer> {
    let peer = t.spawn_as_nobody(role, args);
    if peer.is_none() {
        eprintln!("skipped: only root can start a process of another user");
    }
    peer
}

fn open_to_all(name: &str, mode: PipeMode) -> PipeServer {
    let builder = PipeServer::builder(name).unwrap().mode(mode);
    builder.access(Access::Everyone).create().unwrap()
}

fn connect_to_anybody(name: &str) -> quintet::Result<quintet::pipe::PipeStream> {
    let builder = PipeClient::builder(name).unwrap().access(Access::Everyone);
    builder.connect_timeout(Duration::ZERO).connect()
}

fn mode_of(name: &str) -> u32 {
    let permissions = fs::symlink_metadata(path_of(name)).unwrap().permissions();
    permissions.mode() & 0o7777
}

#[test]
fn a_socket_is_for_its_user_alone_unless_it_is_opened_to_everyone() {
    let t = start();
    for mode in MODES {
        let name = t.name("mode");
        let ours = server(&name, mode);
        assert_eq!(mode_of(&name), 0o600);
        assert_serves(&ours);
        let name = t.name("mode");
        let open = open_to_all(&name, mode);
        assert_eq!(mode_of(&name), 0o666);
        assert_serves(&open);
    }
}

/// Creates servers under different masks for the modes of new files, and says what theirs are.
pub(crate) fn masked_server(p: &mut Role) {
    for mask in [0, 0o077, 0o777] {
        rustix::process::umask(Mode::from_raw_mode(mask));
        let ours = server(p.arg(0), PipeMode::Byte);
        let closed = mode_of(p.arg(0));
        drop(ours);
        let open = open_to_all(p.arg(0), PipeMode::Byte);
        p.say(format!("{closed:o} {:o}", mode_of(p.arg(0))));
        drop(open);
    }
}

#[test]
fn the_mask_for_new_files_opens_nothing() {
    let t = start();
    let mut peer = t.spawn("masked_server", &[&t.name("mask")]);
    peer.expect("600 666");
    peer.expect("600 666");
    // Closed even to ourselves, unless we are root: as who sets such a mask wants it.
    peer.expect("0 666");
    peer.finish();
}

/// Connects to `arg(0)` by `arg(1)`'s access, says how that went, and what it reads; writes and says what that gives.
pub(crate) fn nobody_connects(p: &mut Role) {
    let builder = PipeClient::builder(p.arg(0)).unwrap();
    let builder = builder.access(p.arg(1).parse().unwrap());
    match builder.connect_timeout(LONG).connect() {
        Err(error) => p.say(format!("{:?}", error.kind())),
        Ok(stream) => {
            p.say("connected");
            let written = stream.write("from nobody").map_err(|error| error.kind());
            p.say(format!("{written:?}"));
            let mut text = String::new();
            std::io::Read::read_to_string(&mut &stream, &mut text).unwrap();
            p.say(text);
        }
    }
}

#[test]
fn everyone_can_connect_where_everyone_may() {
    let t = start();
    for mode in MODES {
        let name = t.name("open");
        let server = open_to_all(&name, mode);
        // A server of root is to be believed.
        for access in ["user", "everyone"] {
            let Some(mut peer) = spawn(&t, "nobody_connects", &[&name, access]) else {
                return;
            };
            let stream = server.accept_timeout(LONG).unwrap();
            let client = stream.peer().unwrap();
            assert_eq!(client.pid(), peer.pid());
            assert_eq!(client.user().unwrap().to_string(), NOBODY);
            assert!(!client.user().unwrap().is_trusted());
            peer.expect("connected");
            peer.expect("Ok(11)");
            assert_eq!(read_exactly(&stream, 11), b"from nobody");
            stream.write("to nobody").unwrap();
            drop(stream);
            peer.expect("to nobody");
            peer.finish();
        }
    }
}

#[test]
fn nobody_else_can_connect_by_default() {
    let t = start();
    for mode in MODES {
        let name = t.name("closed");
        let server = server(&name, mode);
        for access in ["user", "everyone"] {
            let Some(mut peer) = spawn(&t, "nobody_connects", &[&name, access]) else {
                return;
            };
            peer.expect("PermissionDenied");
            peer.finish();
        }
        assert_fails(server.accept_timeout(Duration::ZERO), ErrorKind::TimedOut);
        assert_serves(&server);
    }
}

#[test]
fn nobody_is_let_in_by_a_socket_whose_mode_was_changed() {
    let t = start();
    for mode in MODES {
        let name = t.name("changed");
        let server = server(&name, mode);
        fs::set_permissions(path_of(&name), Permissions::from_mode(0o777)).unwrap();
        let Some(mut peer) = spawn(&t, "nobody_connects", &[&name, "user"]) else {
            return;
        };
        peer.expect("connected");
        peer.hear();
        // It is passed over, and the next one served.
        assert_serves(&server);
        peer.expect("");
        peer.finish();
        assert_fails(server.accept_timeout(Duration::ZERO), ErrorKind::TimedOut);
    }
}

/// Puts a listening socket at the path `arg(0)`, and says who connects and what comes from there.
pub(crate) fn nobody_plants(p: &mut Role) {
    let listener = UnixListener::bind(p.arg(0)).unwrap();
    fs::set_permissions(p.arg(0), Permissions::from_mode(0o777)).unwrap();
    p.say("planted");
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stream, &mut text).unwrap();
        p.say(text);
    }
}

#[test]
fn a_socket_that_somebody_else_planted_gets_nothing() {
    let t = start();
    let name = t.name("planted");
    let path = path_of(&name);
    let Some(mut peer) = spawn(&t, "nobody_plants", &[path.to_str().unwrap()]) else {
        return;
    };
    peer.expect("planted");
    let error = assert_fails(try_connect(&name), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains(NOBODY), "{error}");
    // It saw somebody come, but not a byte.
    peer.expect("");
    // Also who would wait for a server does not wait for this one to go.
    assert_fails(PipeClient::connect(&name), ErrorKind::PermissionDenied);
    peer.expect("");
    connect_to_anybody(&name).unwrap().write("as you wish").unwrap();
    peer.expect("as you wish");
    let error = assert_fails(PipeServer::create(&name), ErrorKind::Busy);
    assert!(error.to_string().contains(&name), "{error}");
    let entry = Pipes.stat(&Name::new(&*name).unwrap()).unwrap();
    assert_eq!(entry.liveness, Liveness::Foreign);
    assert_eq!(entry.holders[0].pid(), peer.pid());
    assert_eq!(entry.detail("owner"), Some(NOBODY));
    peer.kill();
    // What a dead one left is no hindrance to root, who may remove it.
    assert_serves(&server(&name, PipeMode::Byte));
}

/// Serves `arg(0)` for everyone, and says "hello" to all who come.
pub(crate) fn nobody_serves(p: &mut Role) {
    let server = open_to_all(p.arg(0), p.arg(1).parse().unwrap());
    p.say("ready");
    while p.listen() == "accept" {
        // Who refused us may have left again.
        let _ = server.accept().unwrap().write("hello");
        p.say("accepted");
    }
}

#[test]
fn a_server_of_another_user_is_believed_only_if_anybody_is() {
    let t = start();
    for mode in MODES {
        let name = t.name("server");
        let Some(mut peer) = spawn(&t, "nobody_serves", &[&name, &mode.to_string()]) else {
            return;
        };
        peer.expect("ready");
        assert_fails(try_connect(&name), ErrorKind::PermissionDenied);
        peer.tell("accept");
        peer.expect("accepted");
        let stream = connect_to_anybody(&name).unwrap();
        peer.tell("accept");
        peer.expect("accepted");
        assert_eq!(read_exactly(&stream, 5), b"hello");
        assert_eq!(stream.peer().unwrap().user().unwrap().to_string(), NOBODY);
        assert_fails(PipeServer::create(&name), ErrorKind::Busy);
        peer.tell("end");
        peer.finish();
        assert!(!path_of(&name).exists());
    }
}

/// Leaves a socket at the path `arg(0)` that nobody holds.
pub(crate) fn nobody_leaves(p: &mut Role) {
    drop(UnixListener::bind(p.arg(0)).unwrap());
}

/// Tries to serve `arg(0)`, and says how that went.
pub(crate) fn nobody_creates(p: &mut Role) {
    let result = PipeServer::create(p.arg(0)).map(drop);
    p.say(format!("{:?}", result.map_err(|error| error.kind())));
}

#[test]
fn root_replaces_what_another_user_left() {
    let t = start();
    let name = t.name("left");
    let Some(peer) = spawn(&t, "nobody_leaves", &[path_of(&name).to_str().unwrap()]) else {
        return;
    };
    peer.finish();
    let server = server(&name, PipeMode::Byte);
    let meta = fs::symlink_metadata(path_of(&name)).unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o777), (0, 0o600));
    assert_serves(&server);
}

#[test]
fn what_root_has_or_left_is_not_for_others_to_replace() {
    let t = start();
    for access in [Access::CurrentUser, Access::Everyone] {
        let name = t.name("roots");
        let path = path_of(&name);
        let server = PipeServer::builder(&name).unwrap().access(access);
        let server = server.create().unwrap();
        let Some(mut peer) = spawn(&t, "nobody_creates", &[&name]) else {
            return;
        };
        peer.expect(match access {
            Access::CurrentUser => "Err(PermissionDenied)",
            Access::Everyone => "Err(Busy)",
        });
        peer.finish();
        assert_serves(&server);
        drop(server);

        drop(UnixListener::bind(&path).unwrap());
        let mode = if access == Access::Everyone { 0o666 } else { 0o600 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let alive = || std::os::unix::net::UnixStream::connect(&path).is_ok();
        quintet_testkit::eventually("it is dead", || !alive());
        let mut peer = spawn(&t, "nobody_creates", &[&name]).unwrap();
        peer.expect("Err(PermissionDenied)");
        peer.finish();
        assert!(path.exists());
        fs::remove_file(&path).unwrap();

        let mut peer = spawn(&t, "nobody_creates", &[&name]).unwrap();
        peer.expect("Ok(())");
        peer.finish();
    }
}

/// Says what it sees of `arg(0)`.
pub(crate) fn nobody_looks(p: &mut Role) {
    let name = Name::new(p.arg(0)).unwrap();
    let entry = Pipes.stat(&name).unwrap();
    p.say(entry.liveness);
    p.say(entry.detail("owner").unwrap());
    p.say(
        Pipes
            .list()
            .unwrap()
            .iter()
            .any(|entry| entry.address.name().unwrap() == &name),
    );
    p.say(format!("{:?}", Pipes.remove(&name).unwrap_err().kind()));
}

#[test]
fn others_see_that_there_is_a_pipe_and_can_do_nothing_about_it() {
    let t = start();
    for (access, removing) in [
        (Access::CurrentUser, "PermissionDenied"),
        (Access::Everyone, "Busy"),
    ] {
        let name = t.name("seen");
        let server = PipeServer::builder(&name).unwrap().access(access);
        let server = server.create().unwrap();
        let Some(mut peer) = spawn(&t, "nobody_looks", &[&name]) else {
            return;
        };
        peer.expect("foreign");
        peer.expect("0");
        peer.expect("true");
        peer.expect(removing);
        peer.finish();
        assert_serves(&server);
    }
}

/// Connects as nobody, writes two large messages, and stays until told to go.
pub(crate) fn nobody_sends_much(p: &mut Role) {
    let stream = connect_to_anybody(p.arg(0)).unwrap();
    for seed in [1, 2] {
        stream.write_message(pattern(seed, HUGE)).unwrap();
    }
    p.expect("go");
}

#[test]
fn descriptors_of_another_users_peer_stay_outside_and_its_large_messages_come_in_packets() {
    let t = start();
    let name = t.name("much");
    let server = open_to_all(&name, PipeMode::Message);
    let Some(mut peer) = spawn(&t, "nobody_sends_much", &[&name]) else {
        return;
    };
    let stream = server.accept_timeout(LONG).unwrap();
    for seed in [1, 2] {
        assert!(stream.read_message().unwrap().unwrap() == pattern(seed, HUGE));
    }
    for fd in fs::read_dir("/proc/self/fd").unwrap().flatten() {
        // Other tests of this process have pools of their own; what is open may be closed by now.
        let is_pool = |target: &PathBuf| target.to_string_lossy().contains("memfd:quintet-pipe");
        if fs::read_link(fd.path()).is_ok_and(|target| is_pool(&target)) {
            let owner = fs::metadata(fd.path()).map(|meta| meta.uid());
            assert!(
                !owner.is_ok_and(|uid| uid.to_string() == NOBODY),
                "{}",
                fd.path().display()
            );
        }
    }
    peer.tell("go");
    peer.finish();
}
