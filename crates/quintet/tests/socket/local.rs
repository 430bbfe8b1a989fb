//! What only Unix sockets have: files, abstract names, who it is, and files that are passed.

use super::{PATIENCE, fails};
use quintet::ErrorKind;
use quintet::socket::{Access, Listener, Pull, Push, Stream};
use quintet::sync::{Waitable, wait_any};
use quintet_testkit::{Role, start};
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// Connects and stays until told.
pub(crate) fn is_peer(p: &mut Role) {
    let stream = Stream::connect_timeout(p.arg(0), PATIENCE).unwrap();
    let server = stream.peer().unwrap();
    p.say(server.pid());
    let mut file = File::from(stream.receive_file().unwrap());
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    p.say(text);
    p.listen();
}

#[test]
fn a_peer_is_known_and_gets_an_open_file() {
    let t = start();
    let folder = t.temp_dir();
    let address = format!("unix://{}/socket", folder.display());
    let listener = Listener::listen(&address).unwrap();
    let mut peer = t.spawn("is_peer", &[&address]);
    let stream = listener.accept_timeout(PATIENCE).unwrap();
    let identity = stream.peer().unwrap();
    assert_eq!(identity.pid(), peer.pid());
    assert!(identity.user().unwrap().is_trusted());
    peer.expect(&std::process::id().to_string());
    let path = folder.join("file");
    let mut file = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    file.write_all(b"what is in it").unwrap();
    // It is the open file that goes, not its name.
    fs::remove_file(&path).unwrap();
    stream.send_file(&file).unwrap();
    peer.expect("what is in it");
    peer.tell("go");
    peer.finish();
}

#[test]
fn bytes_without_a_file_are_no_file_and_tcp_passes_none() {
    let t = start();
    let address = format!("unix://@{}", t.name("files"));
    let listener = Listener::listen(&address).unwrap();
    let client = Stream::connect_timeout(&address, PATIENCE).unwrap();
    let server = listener.accept_timeout(PATIENCE).unwrap();
    client.write_all("x").unwrap();
    fails(server.receive_file(), ErrorKind::Corrupt);
    drop(client);
    fails(server.receive_file(), ErrorKind::Disconnected);
    let listener = Listener::listen(super::any_port()).unwrap();
    let tcp = Stream::connect_timeout(listener.address(), PATIENCE).unwrap();
    fails(
        tcp.send_file(&File::open("/dev/null").unwrap()),
        ErrorKind::Unsupported,
    );
    fails(tcp.peer(), ErrorKind::Unsupported);
}

#[test]
fn the_file_of_a_socket_is_private_and_goes_with_it() {
    let t = start();
    let path = t.temp_dir().join("socket");
    let address = format!("unix://{}", path.display());
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    let listener = Listener::listen(&address).unwrap();
    assert_eq!(mode(), 0o600);
    drop(listener);
    assert!(!path.exists());
    let listener = Listener::listen_for(&address, Access::Everyone).unwrap();
    assert_eq!(mode(), 0o666);
    drop(listener);
    let pull = Pull::new().unwrap();
    pull.listen(&address).unwrap();
    assert_eq!(mode(), 0o600);
    drop(pull);
    assert!(!path.exists());
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let t = start();
    let path = t.temp_dir().join("precious");
    fs::write(&path, "data").unwrap();
    let address = format!("unix://{}", path.display());
    fails(Listener::listen(&address), ErrorKind::AlreadyExists);
    // Nor is it waited for a server there, as none can come.
    fails(Stream::connect_timeout(&address, PATIENCE), ErrorKind::Corrupt);
    fails(Push::new().unwrap().dial(&address), ErrorKind::Corrupt);
    assert_eq!(fs::read(&path).unwrap(), b"data");
    // A link to a socket is one.
    let link = t.temp_dir().join("link");
    let socket = t.temp_dir().join("socket");
    std::os::unix::fs::symlink(&socket, &link).unwrap();
    let _listener = Listener::listen(format!("unix://{}", socket.display())).unwrap();
    Stream::connect_timeout(format!("unix://{}", link.display()), PATIENCE).unwrap();
}

/// Listens and dies.
pub(crate) fn dies_listening(p: &mut Role) {
    let _pull = {
        let pull = Pull::new().unwrap();
        pull.listen(p.arg(0)).unwrap();
        pull
    };
    p.die();
}

#[test]
fn the_socket_that_a_killed_process_left_is_replaced() {
    let t = start();
    let path = t.temp_dir().join("socket");
    let address = format!("ipc://{}", path.display());
    t.spawn("dies_listening", &[&address]).wait_exit();
    assert!(path.exists());
    fails(Stream::connect_timeout(&address, PATIENCE), ErrorKind::NotFound);
    let pull = Pull::new().unwrap();
    pull.listen(&address).unwrap();
    let push = Push::new().unwrap();
    push.dial(&address).unwrap();
    push.send_timeout("again", PATIENCE).unwrap();
    assert_eq!(pull.recv_timeout(PATIENCE).unwrap(), b"again");
}

#[test]
fn what_a_killed_process_noted_of_a_socket_that_is_gone_goes_with_the_next_listener() {
    let t = start();
    let path = t.temp_dir().join("socket");
    t.spawn("dies_listening", &[&format!("ipc://{}", path.display())])
        .wait_exit();
    let user = rustix::process::geteuid().as_raw();
    let is_noted = || {
        let notes = fs::read_dir(format!("/dev/shm/quintet-{user}"))
            .into_iter()
            .flatten();
        let mut texts = notes.filter_map(|note| fs::read_to_string(note.ok()?.path()).ok());
        texts.any(|text| text.contains(&format!("path={}\n", path.display())))
    };
    assert!(is_noted());
    fs::remove_file(&path).unwrap();
    let elsewhere = format!("ipc://{}", t.temp_dir().join("another").display());
    let pull = Pull::new().unwrap();
    pull.listen(&elsewhere).unwrap();
    assert!(!is_noted());
}

#[test]
fn a_full_queue_of_clients_is_waited_for_until_the_deadline() {
    let t = start();
    // Of the standard library, which has a short queue, and takes nobody.
    let path = t.temp_dir().join("socket");
    let address = format!("unix://{}", path.display());
    let listener = socket_with_short_queue(&path);
    let mut clients = Vec::new();
    let error = loop {
        match Stream::connect_timeout(&address, Duration::from_millis(20)) {
            Ok(client) => clients.push(client),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    drop(listener);
}

fn socket_with_short_queue(path: &std::path::Path) -> std::os::fd::OwnedFd {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    listen(&socket, 2).unwrap();
    socket
}

#[test]
fn a_stream_and_a_listener_can_be_waited_for_with_other_things() {
    let t = start();
    let address = format!("unix://@{}", t.name("any"));
    let listener = Listener::listen(&address).unwrap();
    let event = quintet::sync::Event::create_or_open(t.name("event"), quintet::sync::Reset::Manual).unwrap();
    let both = |first| {
        wait_any(&[first, Waitable::from(&event)], PATIENCE)
            .unwrap()
            .index
    };
    let client = Stream::connect_timeout(&address, PATIENCE).unwrap();
    assert_eq!(both(Waitable::readable(&listener)), 0);
    let server = listener.accept_timeout(PATIENCE).unwrap();
    client.write_all("x").unwrap();
    assert_eq!(both(Waitable::readable(&server)), 0);
    server.read(&mut [0; 1]).unwrap();
    event.set().unwrap();
    assert_eq!(both(Waitable::readable(&server)), 1);
}
