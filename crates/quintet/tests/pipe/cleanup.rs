//! Ending without dropping.

use crate::common::{LONG, assert_fails, limited, read_exactly, try_connect};
use quintet::cleanup;
use quintet::pipe::{PipeMode, PipeServer};
use quintet::{ErrorKind, Name, Scheme, named};
use quintet_testkit::{Role, start};

/// Serves one client on the first of two names, and ends in the middle of `main`.
pub(crate) fn exiting_server(p: &mut Role) {
    let server = PipeServer::create(p.arg(0)).unwrap();
    let _other = limited(p.arg(1), PipeMode::Message, 1);
    p.say("ready");
    let stream = server.accept_timeout(LONG).unwrap();
    cleanup::release_names();
    // Once more does no harm.
    cleanup::release_names();
    stream.write_all("connected all the same").unwrap();
    p.say("released");
    p.expect("end");
    std::process::exit(0);
}

#[test]
fn a_process_that_releases_its_names_and_exits_leaves_nothing_behind() {
    let t = start();
    let (name, other) = (t.name("exit"), t.name("exit"));
    let mut peer = t.spawn("exiting_server", &[&name, &other]);
    peer.expect("ready");
    let client = try_connect(&name).unwrap();
    peer.expect("released");
    assert_eq!(read_exactly(&client, 22), b"connected all the same");
    peer.tell("end");
    peer.finish();
    drop(client);
    let pipes = named::kind(Scheme::Pipe).unwrap();
    for name in [name, other] {
        assert_fails(try_connect(&name), ErrorKind::NotFound);
        assert_fails(pipes.stat(&Name::new(name).unwrap()), ErrorKind::NotFound);
    }
}
