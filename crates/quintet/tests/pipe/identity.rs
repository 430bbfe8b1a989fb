//! Who is at the other end.

use crate::common::{LONG, MODES, server};
use quintet::pipe::{PipeClient, PipeServer, PipeStream};
use quintet::{PeerIdentity, UserId};
use quintet_testkit::{Role, start};
use std::env;

fn describe(peer: &PeerIdentity) -> String {
    let executable = peer.executable().unwrap().file_name().unwrap();
    let is_us = peer.user() == Some(&UserId::current());
    format!("{} {} {is_us}", peer.pid(), executable.display())
}

/// What the other process should say of this one.
fn ourselves() -> String {
    let executable = env::current_exe().unwrap();
    let executable = executable.file_name().unwrap();
    format!("{} {} true", std::process::id(), executable.display())
}

fn ask(p: &mut Role, stream: PipeStream) {
    p.say(ourselves());
    p.say(describe(&stream.peer().unwrap()));
    p.listen();
}

pub(crate) fn client_that_asks(p: &mut Role) {
    let stream = PipeClient::connect(p.arg(0)).unwrap();
    ask(p, stream);
}

pub(crate) fn server_that_asks(p: &mut Role) {
    let server = PipeServer::builder(p.arg(0)).unwrap();
    let server = server.mode(p.arg(1).parse().unwrap()).create().unwrap();
    p.say("ready");
    let stream = server.accept().unwrap();
    ask(p, stream);
}

#[test]
fn server_and_client_know_each_others_process_user_and_executable() {
    let t = start();
    for mode in MODES {
        let name = t.name("who");
        let server = server(&name, mode);
        let mut peer = t.spawn("client_that_asks", &[&name]);
        let stream = server.accept_timeout(LONG).unwrap();
        let theirs = stream.peer().unwrap();
        assert_eq!(peer.pid(), theirs.pid());
        assert!(theirs.to_string().starts_with(&format!("pid {}", peer.pid())));
        peer.expect(&describe(&theirs));
        peer.expect(&ourselves());

        let name = t.name("who");
        let mut peer = t.spawn("server_that_asks", &[&name, &mode.to_string()]);
        peer.expect("ready");
        let stream = PipeClient::connect(&name).unwrap();
        let theirs = stream.peer().unwrap();
        assert_eq!(peer.pid(), theirs.pid());
        peer.expect(&describe(&theirs));
        peer.expect(&ourselves());
        peer.tell("end");
        peer.finish();
    }
}
