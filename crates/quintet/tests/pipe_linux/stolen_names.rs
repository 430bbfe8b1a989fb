//! Servers that lose their name while they have it: .NET unlinks whatever is at the path before it binds.

use crate::common::{LONG, MODES, assert_fails, assert_serves, connected, limited, server, try_connect};
use crate::raw::path_of;
use quintet::ErrorKind;
use quintet::pipe::PipeMode;
use quintet_testkit::start;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

#[test]
fn a_server_that_waits_notices_that_another_has_its_name() {
    let t = start();
    let name = t.name("stolen");
    let path = path_of(&name);
    for mode in MODES {
        let server = server(&name, mode);
        let (thief, inode) = thread::scope(|scope| {
            let accept = scope.spawn(|| server.accept_timeout(LONG));
            fs::remove_file(&path).unwrap();
            let thief = UnixListener::bind(&path).unwrap();
            let inode = fs::metadata(&path).unwrap().ino();
            // In between, it may have seen that there was none.
            match accept.join().unwrap().unwrap_err().kind() {
                ErrorKind::Busy | ErrorKind::NotFound => {}
                other => panic!("{other:?}"),
            }
            (thief, inode)
        });
        let error = assert_fails(server.accept_timeout(LONG), ErrorKind::Busy);
        assert!(error.to_string().contains(".NET"), "{error}");
        // What is the thief's now stays so.
        drop(server);
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
        let client = try_connect(&name).unwrap();
        thief.accept().unwrap().0.write_all(b"mine").unwrap();
        assert_eq!(crate::common::read_exactly(&client, 4), b"mine");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_server_that_waits_notices_that_its_socket_is_gone() {
    let t = start();
    let name = t.name("gone");
    for mode in MODES {
        let old = server(&name, mode);
        fs::remove_file(path_of(&name)).unwrap();
        let error = assert_fails(old.accept(), ErrorKind::NotFound);
        assert!(error.to_string().contains(&name), "{error}");
        drop(old);
        assert_serves(&server(&name, mode));
    }
}

#[test]
fn streams_live_on_when_the_name_is_stolen() {
    let t = start();
    let name = t.name("streams");
    let path = path_of(&name);
    let server = server(&name, PipeMode::Message);
    let (ours, theirs) = connected(&server);
    fs::remove_file(&path).unwrap();
    let _thief = UnixListener::bind(&path).unwrap();
    assert_fails(server.accept(), ErrorKind::Busy);
    theirs.write_message("hello").unwrap();
    assert_eq!(ours.read_message().unwrap().unwrap(), b"hello");
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_thief_is_not_bothered_by_a_server_that_is_full() {
    let t = start();
    let name = t.name("full");
    let path = path_of(&name);
    let server = limited(&name, PipeMode::Byte, 1);
    let client = try_connect(&name).unwrap();
    fs::remove_file(&path).unwrap();
    let thief = UnixListener::bind(&path).unwrap();
    // Its queue was reached while the name was its own. Now it is full, and has to tell others so.
    let stream = server.accept_timeout(Duration::ZERO).unwrap();
    thief.set_nonblocking(true).unwrap();
    let error = thief.accept().expect_err("nobody came to the thief");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    drop((client, stream));
    assert_fails(server.accept(), ErrorKind::Busy);
    fs::remove_file(&path).unwrap();
}
