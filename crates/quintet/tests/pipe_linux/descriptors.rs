//! Full tables of descriptors, and descriptors that nobody asked for.

use crate::common::{LONG, assert_fails, pattern, read_exactly, try_connect};
use crate::raw::{self, FIRST, LATER, POOL, POOL_BASE, header, packet, send, send_with, whole};
use quintet::ErrorKind;
use quintet::pipe::{PipeClient, PipeMode, PipeServer, PipeStream};
use quintet_testkit::{Role, start};
use rustix::fd::AsFd;
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::SocketType;
use rustix::process::{Resource, Rlimit};
use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

/// Allows this process descriptors below `limit` only.
pub(crate) fn limit_descriptors(limit: u64) {
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    let current = Some(limit);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

/// Takes all descriptors that there are.
pub(crate) fn fill_descriptors() -> Vec<File> {
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    files
}

/// Plays all roles at once, in a process whose table of descriptors is its own to fill.
pub(crate) fn crowded_server(p: &mut Role) {
    limit_descriptors(64);
    let name = p.arg(0).to_owned();
    let mode: PipeMode = p.arg(1).parse().unwrap();
    let builder = || PipeServer::builder(&name).unwrap().mode(mode);

    // Without a descriptor nobody can be accepted, and nobody is turned away.
    let server = builder().create().unwrap();
    let client = PipeClient::connect(&name).unwrap();
    client.write("hello").unwrap();
    let mut kept = fill_descriptors();
    for _ in 0..3 {
        let error = assert_fails(server.accept(), ErrorKind::Full);
        assert!(error.to_string().contains("ulimit -n"), "{error}");
    }
    kept.pop();
    let stream = server.accept_timeout(Duration::ZERO).unwrap();
    assert_eq!(read_exactly(&stream, 5), b"hello");
    drop((kept, client, stream, server));

    // The last place of a limited server takes a descriptor more, to tell others that there is none.
    let server = builder().max_instances(1).create().unwrap();
    let client = PipeClient::connect(&name).unwrap();
    client.write("hello").unwrap();
    let mut kept = fill_descriptors();
    assert_fails(server.accept(), ErrorKind::Full);
    kept.pop();
    for _ in 0..3 {
        assert_fails(server.accept(), ErrorKind::Full);
    }
    kept.pop();
    let stream = server.accept_timeout(Duration::ZERO).unwrap();
    assert_eq!(read_exactly(&stream, 5), b"hello");
    drop(kept);
    assert_fails(try_connect(&name), ErrorKind::Busy);
    stream.write("there").unwrap();
    assert_eq!(read_exactly(&client, 5), b"there");

    // A place that is free again while there is no descriptor is given away later, and to a client.
    limit_descriptors(1);
    drop(stream);
    assert_fails(server.accept_timeout(Duration::ZERO), ErrorKind::Full);
    limit_descriptors(64);
    thread::scope(|scope| {
        scope.spawn(|| PipeClient::connect(&name).unwrap().write("again").unwrap());
        let stream = server.accept_timeout(LONG).unwrap();
        assert_eq!(read_exactly(&stream, 5), b"again");
        assert_fails(try_connect(&name), ErrorKind::Busy);
    });
    p.say("done");
}

#[test]
fn a_server_without_a_free_descriptor_keeps_its_clients_waiting() {
    let t = start();
    for mode in ["byte", "message"] {
        let mut peer = t.spawn("crowded_server", &[&t.name("crowd"), mode]);
        peer.expect("done");
        peer.finish();
    }
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Passes descriptors along with everything, and counts what is left of them.
pub(crate) fn passed_descriptors(p: &mut Role) {
    let file = File::open("/dev/null").unwrap();
    let fd = || file.as_fd();
    let memory = rustix::fs::memfd_create("x", MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::ftruncate(&memory, POOL_BASE + 4096).unwrap();
    rustix::fs::fcntl_add_seals(&memory, SealFlags::SHRINK).unwrap();
    let (_kept, credits) = UnixStream::pair().unwrap();

    let server = PipeServer::builder(p.arg(0)).unwrap().mode(PipeMode::Message);
    let server = server.create().unwrap();
    let connected = || -> (PipeStream, _) {
        let hostile = raw::connect(SocketType::SEQPACKET, p.arg(0)).unwrap();
        (server.accept_timeout(LONG).unwrap(), hostile)
    };
    // What the first wait of a process sets up is not counted.
    let (stream, hostile) = connected();
    stream.set_read_timeout(Some(Duration::from_millis(1)));
    stream.read_message().unwrap_err();
    drop((stream, hostile));

    let before = open_descriptors();
    for count in [1, 2, 3, 16] {
        let (stream, hostile) = connected();
        let fds = vec![fd(); count];
        send_with(&hostile, &whole(b"whole"), &fds);
        send_with(&hostile, &packet(FIRST, b"fir", 5), &fds);
        send_with(&hostile, &packet(LATER, b"st", 3), &fds);
        assert_eq!(stream.read_message().unwrap().unwrap(), b"whole");
        assert_eq!(stream.read_message().unwrap().unwrap(), b"first");
        assert_eq!(open_descriptors(), before + 2, "with {count} passed");
        // An offer of what is no pool, with too few, too many, and useless ones.
        send_with(&hostile, &header(POOL, 4096, 1), &fds);
        send_with(&hostile, b"Q", &fds);
        assert_fails(stream.read_message(), ErrorKind::Corrupt);
        assert_eq!(open_descriptors(), before + 2, "with {count} passed");
    }
    assert_eq!(open_descriptors(), before);

    // A pool is kept as long as the connection, and no longer.
    let (stream, hostile) = connected();
    send_with(
        &hostile,
        &header(POOL, 4096, 1),
        &[memory.as_fd(), credits.as_fd()],
    );
    send(&hostile, &whole(b"text")).unwrap();
    assert_eq!(stream.read_message().unwrap().unwrap(), b"text");
    assert_eq!(open_descriptors(), before + 4);
    drop((stream, hostile));
    assert_eq!(open_descriptors(), before);

    // One that was offered twice.
    let (stream, hostile) = connected();
    for _ in 0..2 {
        send_with(
            &hostile,
            &header(POOL, 4096, 1),
            &[memory.as_fd(), credits.as_fd()],
        );
    }
    assert_fails(stream.read_message(), ErrorKind::Corrupt);
    drop((stream, hostile));
    assert_eq!(open_descriptors(), before);

    // Never read at all.
    let (stream, hostile) = connected();
    send_with(&hostile, &whole(b"whole"), &[fd(); 4]);
    drop((stream, hostile, server));

    let server = PipeServer::create(p.arg(0)).unwrap();
    let before = open_descriptors();
    let hostile = raw::connect(SocketType::STREAM, p.arg(0)).unwrap();
    let stream = server.accept_timeout(LONG).unwrap();
    send_with(&hostile, b"bytes", &[fd(); 4]);
    assert_eq!(read_exactly(&stream, 5), b"bytes");
    assert_eq!(open_descriptors(), before + 2);
    p.say("done");
}

#[test]
fn descriptors_that_a_peer_passes_are_closed() {
    let t = start();
    let mut peer = t.spawn("passed_descriptors", &[&t.name("passed")]);
    peer.expect("done");
    peer.finish();
}

/// Reads what claims to be as large as allowed, with little memory.
pub(crate) fn frugal_reader(p: &mut Role) {
    let server = PipeServer::builder(p.arg(0)).unwrap().mode(PipeMode::Message);
    let server = server.create().unwrap();
    let hostile = raw::connect(SocketType::SEQPACKET, p.arg(0)).unwrap();
    let stream = server.accept_timeout(LONG).unwrap();
    let part = pattern(1, 60_000);
    send(&hostile, &packet(FIRST, &part, 1 << 30)).unwrap();
    send(&hostile, &packet(LATER, &part, 60_000)).unwrap();
    drop(hostile);
    let used: u64 = {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() * 1024
    };
    // An allocation beyond it would end this process.
    let limit = Rlimit {
        current: Some(used + (512 << 20)),
        maximum: rustix::process::getrlimit(Resource::As).maximum,
    };
    rustix::process::setrlimit(Resource::As, limit).unwrap();
    assert_fails(stream.read_message(), ErrorKind::Disconnected);
    p.say("done");
}

#[test]
fn a_length_that_is_only_claimed_takes_no_memory() {
    let t = start();
    let mut peer = t.spawn("frugal_reader", &[&t.name("frugal")]);
    peer.expect("done");
    peer.finish();
}
