//! Where a pipe's socket is, and what may be there instead.

use crate::common::{MODES, SHORT, assert_fails, assert_serves, limited, read_exactly, server, try_connect};
use crate::raw::path_of;
use quintet::named::NamedKind;
use quintet::pipe::{PipeClient, PipeMode, PipeServer, Pipes};
use quintet::{ErrorKind, Name};
use quintet_testkit::{Role, Test, start};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[test]
fn the_socket_is_where_dotnet_has_it() {
    let t = start();
    for mode in MODES {
        let name = t.name("path");
        let path = path_of(&name);
        let server = server(&name, mode);
        assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());
        drop(server);
        assert!(fs::symlink_metadata(&path).is_err());
    }
}

/// Neither a server nor a client gets past what is at the path, and it stays as it is.
fn assert_in_the_way(name: &str, client: ErrorKind) {
    for mode in MODES {
        let builder = PipeServer::builder(name).unwrap().mode(mode);
        let error = assert_fails(builder.create(), ErrorKind::AlreadyExists);
        let path = path_of(name);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        let builder = PipeClient::builder(name).unwrap().mode(mode);
        assert_fails(builder.connect_timeout(Duration::ZERO).connect(), client);
    }
    assert_fails(try_connect(name), client);
}

#[test]
fn a_file_in_the_way_is_left_alone() {
    let t = start();
    let name = t.name("file");
    fs::write(path_of(&name), "precious").unwrap();
    assert_in_the_way(&name, ErrorKind::Corrupt);
    assert_eq!(fs::read(path_of(&name)).unwrap(), b"precious");
    fs::remove_file(path_of(&name)).unwrap();
}

#[test]
fn a_folder_in_the_way_is_left_alone() {
    let t = start();
    let name = t.name("folder");
    fs::create_dir(path_of(&name)).unwrap();
    assert_in_the_way(&name, ErrorKind::Corrupt);
    fs::remove_dir(path_of(&name)).unwrap();
}

#[test]
fn a_link_in_the_way_is_left_alone_and_not_followed() {
    let t = start();
    let folder = t.temp_dir();
    let (file, socket) = (folder.join("file"), folder.join("socket"));
    fs::write(&file, "precious").unwrap();
    drop(UnixListener::bind(&socket).unwrap());
    for (target, client) in [
        (&file, ErrorKind::Corrupt),
        (&folder, ErrorKind::Corrupt),
        (&folder.join("nothing"), ErrorKind::NotFound),
    ] {
        let name = t.name("link");
        symlink(target, path_of(&name)).unwrap();
        assert_in_the_way(&name, client);
        assert_eq!(&fs::read_link(path_of(&name)).unwrap(), target);
        fs::remove_file(path_of(&name)).unwrap();
    }
    // A socket that could be replaced if it were at the path itself.
    let name = t.name("link");
    symlink(&socket, path_of(&name)).unwrap();
    assert_fails(PipeServer::create(&name), ErrorKind::AlreadyExists);
    assert_fails(Pipes.remove(&Name::new(&*name).unwrap()), ErrorKind::Corrupt);
    assert!(socket.exists());
    assert_eq!(fs::read_link(path_of(&name)).unwrap(), socket);
    fs::remove_file(path_of(&name)).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"precious");
}

/// A name whose socket's path has so many bytes.
fn name_for(t: &Test, len: usize) -> String {
    let name = t.name("long");
    let missing = len - path_of(&name).as_os_str().len();
    name + &"x".repeat(missing)
}

#[test]
fn the_longest_path_is_107_bytes() {
    let t = start();
    for mode in MODES {
        let name = name_for(&t, 107);
        let server = limited(&name, mode, 1);
        assert_serves(&server);
        assert_serves(&server);
        let entry = Pipes.stat(&Name::new(&*name).unwrap()).unwrap();
        assert_eq!(entry.detail("path"), path_of(&name).to_str());
        drop(server);

        let name = name_for(&t, 108);
        let error = assert_fails(PipeServer::create(&name), ErrorKind::TooLarge);
        assert!(error.to_string().contains("108"), "{error}");
        assert_fails(PipeClient::connect(&name), ErrorKind::TooLarge);
        assert_fails(Pipes.stat(&Name::new(&*name).unwrap()), ErrorKind::TooLarge);
    }
}

/// Tries to serve `arg(0)`: says how it went, and serves one client.
pub(crate) fn server_elsewhere(p: &mut Role) {
    match PipeServer::create(p.arg(0)) {
        Err(error) => p.say(format!("{:?}", error.kind())),
        Ok(server) => {
            p.say("serves");
            server.accept().unwrap().write_all("hello").unwrap();
            p.expect("end");
        }
    }
}

/// Tries to connect to `arg(0)`: says how it went.
pub(crate) fn client_elsewhere(p: &mut Role) {
    match try_connect(p.arg(0)) {
        Err(error) => p.say(format!("{:?}", error.kind())),
        Ok(stream) => p.say(String::from_utf8(read_exactly(&stream, 5)).unwrap()),
    }
}

/// Starts a role with another `TMPDIR`.
fn spawn_in(t: &Test, role: &str, name: &str, tmpdir: Option<&OsStr>) -> quintet_testkit::Peer {
    t.spawn_with(role, &[name], |command| {
        match tmpdir {
            Some(folder) => command.env("TMPDIR", folder),
            None => command.env_remove("TMPDIR"),
        };
    })
}

#[test]
fn tmpdir_says_in_which_folder() {
    let t = start();
    let folder = t.temp_dir();
    let folders: [(Option<&OsStr>, &Path); 4] = [
        (None, Path::new("/tmp")),
        (Some(OsStr::new("")), Path::new("/tmp")),
        (Some(OsStr::new("/tmp/")), Path::new("/tmp")),
        (Some(folder.as_os_str()), &folder),
    ];
    for (tmpdir, folder) in folders {
        let name = t.name("tmpdir");
        let mut peer = spawn_in(&t, "server_elsewhere", &name, tmpdir);
        peer.expect("serves");
        let path = folder.join(format!("CoreFxPipe_{name}"));
        assert!(path.exists(), "{}", path.display());
        let mut client = spawn_in(&t, "client_elsewhere", &name, Some(folder.as_os_str()));
        client.expect("hello");
        client.finish();
        peer.tell("end");
        peer.finish();
        assert!(!path.exists());
    }
}

#[test]
fn pipes_of_one_name_in_two_folders_are_two_pipes() {
    let t = start();
    let name = t.name("two");
    let folders = [t.temp_dir(), t.temp_dir()];
    let mut peers = folders.each_ref().map(|folder| {
        let mut peer = spawn_in(&t, "server_elsewhere", &name, Some(folder.as_os_str()));
        peer.expect("serves");
        peer
    });
    let mut third = spawn_in(&t, "server_elsewhere", &name, Some(folders[0].as_os_str()));
    third.expect("Busy");
    third.finish();
    for folder in &folders {
        let mut client = spawn_in(&t, "client_elsewhere", &name, Some(folder.as_os_str()));
        client.expect("hello");
        client.finish();
    }
    assert_fails(try_connect(&name), ErrorKind::NotFound);
    peers.iter_mut().for_each(|peer| peer.tell("end"));
    peers.into_iter().for_each(|peer| peer.finish());
}

/// Serves `arg(0)`, and goes somewhere else meanwhile.
pub(crate) fn wandering_server(p: &mut Role) {
    let server = limited(p.arg(0), PipeMode::Byte, 1);
    std::env::set_current_dir("/").unwrap();
    p.say("serves");
    server.accept().unwrap().write_all("hello").unwrap();
    p.expect("end");
}

#[test]
fn a_relative_folder_is_where_the_process_was() {
    let t = start();
    let name = t.name("relative");
    let places = [t.temp_dir(), t.temp_dir()];
    let mut peers = places.each_ref().map(|place| {
        fs::create_dir(place.join("pipes")).unwrap();
        let mut peer = t.spawn_with("wandering_server", &[&name], |command| {
            command.env("TMPDIR", "pipes").current_dir(place);
        });
        peer.expect("serves");
        peer
    });
    for (place, peer) in places.iter().zip(&mut peers) {
        let folder = place.join("pipes");
        let mut client = spawn_in(&t, "client_elsewhere", &name, Some(folder.as_os_str()));
        client.expect("hello");
        client.finish();
        peer.tell("end");
        peer.wait_exit();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
    peers.into_iter().for_each(|peer| peer.finish());
}

#[test]
fn a_folder_that_is_none_is_not_found() {
    let t = start();
    let folder = t.temp_dir();
    fs::write(folder.join("file"), "").unwrap();
    let missing: [PathBuf; 3] = [
        folder.join("missing"),
        folder.join("file"),
        folder.join("missing/deeper"),
    ];
    for missing in missing {
        for role in ["server_elsewhere", "client_elsewhere"] {
            let mut peer = spawn_in(&t, role, &t.name("missing"), Some(missing.as_os_str()));
            peer.expect("NotFound");
            peer.finish();
        }
        assert!(!folder.join("missing").exists());
    }
}

#[test]
fn a_folder_too_deep_for_a_socket_is_too_large() {
    let t = start();
    let folder = t.temp_dir().join("d".repeat(90));
    fs::create_dir(&folder).unwrap();
    for role in ["server_elsewhere", "client_elsewhere"] {
        let mut peer = spawn_in(&t, role, &t.name("deep"), Some(folder.as_os_str()));
        peer.expect("TooLarge");
        peer.finish();
    }
}

#[test]
fn a_client_goes_on_waiting_while_there_is_only_a_dead_socket() {
    let t = start();
    let name = t.name("dead");
    drop(UnixListener::bind(path_of(&name)).unwrap());
    quintet_testkit::eventually("it is dead", || UnixStream::connect(path_of(&name)).is_err());
    let builder = PipeClient::builder(&name).unwrap().connect_timeout(SHORT);
    assert_fails(builder.connect(), ErrorKind::TimedOut);
    assert_serves(&server(&name, PipeMode::Message));
}
