//! What a process may have been told before it uses a pipe: signals, and limits.

use crate::common::{
    HUGE, LONG, MODES, SHORT, assert_fails, connected, limited, pattern, read_exactly, server,
};
use quintet::ErrorKind;
use quintet::pipe::{PipeClient, PipeMode, PipeServer};
use quintet_testkit::{Role, start};
use rustix::process::{Resource, Rlimit};
use std::ptr;
use std::thread;
use std::time::Duration;

/// Writes a large message where no file may be large.
pub(crate) fn writer_of_small_files(p: &mut Role) {
    let stream = PipeClient::connect(p.arg(0)).unwrap();
    let limit = Rlimit {
        current: Some(1 << 20),
        maximum: rustix::process::getrlimit(Resource::Fsize).maximum,
    };
    rustix::process::setrlimit(Resource::Fsize, limit).unwrap();
    stream.write_message(pattern(1, HUGE)).unwrap();
}

#[test]
fn a_limit_on_the_size_of_files_does_not_hinder_large_messages() {
    let t = start();
    let name = t.name("fsize");
    let server = server(&name, PipeMode::Message);
    let peer = t.spawn("writer_of_small_files", &[&name]);
    let stream = server.accept_timeout(LONG).unwrap();
    assert!(stream.read_message().unwrap().unwrap() == pattern(1, HUGE));
    peer.finish();
}

extern "C" fn do_nothing(_signal: libc::c_int) {}

/// Interrupts whatever this thread waits in, all the time.
fn pester_this_thread() {
    // SAFETY: the action is valid when all its fields are zero (no flags: what is interrupted is not begun again) but
    // for the handler, which does nothing, so that it may run at any time.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = do_nothing as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()), 0);
    }
    // SAFETY: it takes no arguments and cannot fail.
    let (process, thread) = (std::process::id(), unsafe { libc::gettid() });
    thread::spawn(move || {
        loop {
            // SAFETY: it takes numbers only. A thread of this number is this process's own, or there is none.
            unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR1) };
            thread::sleep(Duration::from_micros(100));
        }
    });
}

/// Waits for a server, for a free instance, for a client, for bytes, for room; or for all of it in vain.
pub(crate) fn interrupted(p: &mut Role) {
    pester_this_thread();
    let name = p.arg(1).to_owned();
    match p.arg(0) {
        "connect" => {
            p.say("ready");
            let builder = PipeClient::builder(&name).unwrap().connect_timeout(LONG);
            assert_eq!(read_exactly(&builder.connect().unwrap(), 10), b"hellohello");
        }
        "accept" => {
            let server = PipeServer::create(&name).unwrap();
            p.say("ready");
            assert_eq!(read_exactly(&server.accept().unwrap(), 5), b"hello");
            p.say("served");
            assert_eq!(read_exactly(&server.accept_timeout(LONG).unwrap(), 5), b"hello");
            p.say("served");
        }
        "read" => {
            let stream = PipeClient::connect(&name).unwrap();
            p.say("ready");
            assert_eq!(read_exactly(&stream, 5), b"hello");
            p.say("half");
            stream.set_read_timeout(Some(LONG));
            assert_eq!(read_exactly(&stream, 5), b"hello");
        }
        "write" => {
            let stream = PipeClient::connect(&name).unwrap();
            stream.write_all(pattern(1, HUGE)).unwrap();
            stream.set_write_timeout(Some(LONG));
            stream.write_all(pattern(2, HUGE)).unwrap();
            stream.wait_for_drain(LONG).unwrap();
        }
        "in vain" => {
            let server = limited(&name, PipeMode::Message, 1);
            assert_fails(server.accept_timeout(SHORT), ErrorKind::TimedOut);
            let (ours, theirs) = connected(&server);
            assert_fails(server.accept_timeout(SHORT), ErrorKind::TimedOut);
            let builder = PipeClient::builder(&name).unwrap().connect_timeout(SHORT);
            assert_fails(builder.connect(), ErrorKind::TimedOut);
            let elsewhere = format!("{name}-2");
            let builder = PipeClient::builder(&elsewhere).unwrap().connect_timeout(SHORT);
            assert_fails(builder.connect(), ErrorKind::TimedOut);
            ours.set_read_timeout(Some(SHORT));
            assert_fails(ours.read(&mut [0]), ErrorKind::TimedOut);
            assert_fails(ours.read_message(), ErrorKind::TimedOut);
            theirs.write("x").unwrap();
            assert_fails(theirs.wait_for_drain(SHORT), ErrorKind::TimedOut);
            theirs.set_write_timeout(Some(SHORT));
            assert_fails(theirs.write_message(pattern(1, HUGE)), ErrorKind::TimedOut);
            p.say("done");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn signals_interrupt_nothing() {
    let t = start();
    for mode in MODES {
        let name = t.name("connect");
        let server = limited(&name, mode, 1);
        let busy = connected(&server);
        let mut peer = t.spawn("interrupted", &["connect", &name]);
        peer.expect("ready");
        drop(busy);
        let stream = server.accept_timeout(LONG).unwrap();
        stream.write_all("hello").unwrap();
        stream.write_all("hello").unwrap();
        peer.finish();
        drop(stream);

        let mut peer = t.spawn("interrupted", &["read", &name]);
        let stream = server.accept_timeout(LONG).unwrap();
        peer.expect("ready");
        stream.write_all("hello").unwrap();
        peer.expect("half");
        stream.write_all("hello").unwrap();
        peer.finish();
        drop(stream);

        let peer = t.spawn("interrupted", &["write", &name]);
        let stream = server.accept_timeout(LONG).unwrap();
        for seed in 1..3 {
            assert!(read_exactly(&stream, HUGE) == pattern(seed, HUGE));
        }
        peer.finish();
        drop((stream, server));

        let mut peer = t.spawn("interrupted", &["accept", &name]);
        peer.expect("ready");
        for _ in 0..2 {
            PipeClient::connect(&name).unwrap().write("hello").unwrap();
            peer.expect("served");
        }
        peer.finish();
    }
}

#[test]
fn signals_put_no_deadline_off() {
    let t = start();
    let mut peer = t.spawn("interrupted", &["in vain", &t.name("vain")]);
    peer.expect("done");
    peer.finish();
}
