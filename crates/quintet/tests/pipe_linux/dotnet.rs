//! Peers as .NET's are: plain Unix stream sockets, with nothing on them but the bytes.

use crate::common::{LONG, assert_ended, assert_fails, assert_serves, limited, read_exactly, server};
use crate::raw::{self, path_of};
use quintet::ErrorKind;
use quintet::pipe::{Direction, PipeClient, PipeMode, PipeServer};
use quintet_testkit::start;
use rustix::io::Errno;
use rustix::net::SocketType;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

#[test]
fn a_plain_client_finds_the_server_and_nothing_but_bytes() {
    let t = start();
    let name = t.name("plain");
    let server = server(&name, PipeMode::Byte);
    let mut plain = UnixStream::connect(path_of(&name)).unwrap();
    let stream = server.accept_timeout(LONG).unwrap();
    stream.write_all("down").unwrap();
    plain.write_all(b"up").unwrap();
    assert_eq!(read_exactly(&stream, 2), b"up");
    plain.shutdown(Shutdown::Write).unwrap();
    assert_ended(&stream);
    drop(stream);
    let mut all = Vec::new();
    plain.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"down");
}

#[test]
fn a_plain_server_is_found_and_sees_nothing_but_bytes() {
    let t = start();
    let name = t.name("plain");
    let path = path_of(&name);
    let listener = UnixListener::bind(&path).unwrap();
    let client = PipeClient::connect(&name).unwrap();
    assert_eq!(client.mode(), PipeMode::Byte);
    let (mut plain, _) = listener.accept().unwrap();
    client.write_all("up").unwrap();
    plain.write_all(b"down").unwrap();
    assert_eq!(read_exactly(&client, 4), b"down");
    drop(client);
    let mut all = Vec::new();
    plain.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"up");
    fs::remove_file(path).unwrap();
}

#[test]
fn a_client_for_reading_only_can_still_be_written_to() {
    let t = start();
    let name = t.name("in");
    let server = server(&name, PipeMode::Byte);
    let mut plain = UnixStream::connect(path_of(&name)).unwrap();
    plain.shutdown(Shutdown::Write).unwrap();
    let stream = server.accept_timeout(LONG).unwrap();
    assert_ended(&stream);
    stream.write_all("down").unwrap();
    assert_ended(&stream);
    stream.write_all("stream").unwrap();
    let mut read = [0; 10];
    plain.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"downstream");
    drop(plain);
    // The end had come long ago, and says nothing about this.
    let gone = || stream.write("x").is_err();
    quintet_testkit::eventually("the other direction ends too", gone);
    assert_fails(stream.write("x"), ErrorKind::Disconnected);
}

#[test]
fn a_client_for_writing_only_can_still_be_read_from() {
    let t = start();
    let name = t.name("out");
    let server = server(&name, PipeMode::Byte);
    let mut plain = UnixStream::connect(path_of(&name)).unwrap();
    plain.shutdown(Shutdown::Read).unwrap();
    plain.write_all(b"up").unwrap();
    let stream = server.accept_timeout(LONG).unwrap();
    assert_fails(stream.write("x"), ErrorKind::Disconnected);
    assert_eq!(read_exactly(&stream, 2), b"up");
    assert_fails(stream.write_all("x"), ErrorKind::Disconnected);
    plain.write_all(b"stream").unwrap();
    drop(plain);
    assert_eq!(read_exactly(&stream, 6), b"stream");
    assert_ended(&stream);
}

#[test]
fn our_client_shuts_the_direction_that_it_does_not_use() {
    let t = start();
    let name = t.name("shut");
    let path = path_of(&name);
    let listener = UnixListener::bind(&path).unwrap();

    let client = PipeClient::builder(&name).unwrap().direction(Direction::In);
    let client = client.connect().unwrap();
    let (mut plain, _) = listener.accept().unwrap();
    assert_eq!(plain.read(&mut [0; 10]).unwrap(), 0);
    plain.write_all(b"down").unwrap();
    assert_eq!(read_exactly(&client, 4), b"down");

    let client = PipeClient::builder(&name).unwrap().direction(Direction::Out);
    let client = client.connect().unwrap();
    let (mut plain, _) = listener.accept().unwrap();
    let error = plain.write(b"x").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    client.write_all("up").unwrap();
    let mut read = [0; 2];
    plain.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"up");
    fs::remove_file(path).unwrap();
}

#[test]
fn our_server_shuts_the_direction_that_it_does_not_use() {
    let t = start();
    let name = t.name("shut");
    for direction in [Direction::In, Direction::Out] {
        let server = PipeServer::builder(&name).unwrap().direction(direction);
        let server = server.create().unwrap();
        let mut plain = UnixStream::connect(path_of(&name)).unwrap();
        let stream = server.accept_timeout(LONG).unwrap();
        if direction == Direction::In {
            assert_eq!(plain.read(&mut [0; 10]).unwrap(), 0);
            plain.write_all(b"up").unwrap();
            assert_eq!(read_exactly(&stream, 2), b"up");
        } else {
            assert!(plain.write(b"x").is_err());
            stream.write_all("down").unwrap();
            let mut read = [0; 4];
            plain.read_exact(&mut read).unwrap();
            assert_eq!(&read, b"down");
        }
    }
}

#[test]
fn a_plain_client_is_refused_by_a_message_pipe_with_eprototype() {
    let t = start();
    let name = t.name("type");
    let server = limited(&name, PipeMode::Message, 1);
    for _ in 0..3 {
        let error = UnixStream::connect(path_of(&name)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::PROTOTYPE.raw_os_error()));
    }
    let timed_out = server.accept_timeout(Duration::ZERO);
    assert_fails(timed_out, ErrorKind::TimedOut);
    assert_serves(&server);
}

#[test]
fn a_plain_client_waits_for_a_free_instance_too() {
    let t = start();
    let name = t.name("wait");
    let server = limited(&name, PipeMode::Byte, 1);
    let first = PipeClient::connect(&name).unwrap();
    let stream = server.accept_timeout(LONG).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut plain = UnixStream::connect(path_of(&name)).unwrap();
            plain.write_all(b"at last").unwrap();
            plain
        });
        assert_fails(server.accept_timeout(Duration::ZERO), ErrorKind::TimedOut);
        drop((first, stream));
        let stream = server.accept_timeout(LONG).unwrap();
        assert_eq!(read_exactly(&stream, 7), b"at last");
        drop(waiting.join().unwrap());
        assert_ended(&stream);
    });
}

#[test]
fn a_server_that_is_no_stream_and_no_packet_socket_is_no_pipe() {
    let t = start();
    let name = t.name("datagram");
    let path = path_of(&name);
    let datagram = raw::bind(SocketType::DGRAM, &path);
    assert_fails(PipeClient::connect(&name), ErrorKind::Corrupt);
    assert_fails(PipeServer::create(&name), ErrorKind::Busy);
    // Neither has left anything in its queue.
    rustix::io::ioctl_fionbio(&datagram, true).unwrap();
    let nothing = rustix::net::recv(&datagram, &mut [0; 10], rustix::net::RecvFlags::empty());
    assert_eq!(nothing.unwrap_err(), Errno::AGAIN);
    fs::remove_file(path).unwrap();
}
