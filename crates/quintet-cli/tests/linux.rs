//! What only Linux has: signals, bytes as arguments, files that are devices, folders for pipes.
#![cfg(target_os = "linux")]

mod common;

use common::*;
use quintet::pipe::PipeServer;
use quintet_testkit::{Process, Test, start as start_test};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Stdio;

fn end_by_signal(t: &Test, process: Process, signal: i32) {
    process.signal(signal);
    process.wait_output().failed(130);
    assert_eq!(t.leaks(), Vec::<PathBuf>::new(), "signal {signal}");
}

#[test]
fn a_signal_leaves_nothing_of_a_server() {
    let t = start_test();
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let address = pipe(&t);
        let server = start(&t, &["recv", "--follow", &address]);
        run(&t, &["send", &address, "it serves"]).succeeded();
        // And waits for the next client, or is about to.
        server.wait_for_stdout("it serves");
        end_by_signal(&t, server, signal);
    }
}

#[test]
fn a_signal_leaves_nothing_in_the_middle_of_a_transfer() {
    let t = start_test();
    for signal in [SIGINT, SIGTERM] {
        let address = pipe(&t);
        let server = start(&t, &["recv", "--lines", &address]);
        let mut client = start_sender(&t, &[&address]);
        client.line("it goes on");
        server.wait_for_stdout("it goes on");
        end_by_signal(&t, server, signal);
        client.process.kill();

        let mut server = start_sender(&t, &["--listen", &address]);
        let client = start(&t, &["recv", "--connect", "--lines", &address]);
        server.line("it goes on");
        client.wait_for_stdout("it goes on");
        end_by_signal(&t, server.process, signal);
        client.wait_output().succeeded();
    }
}

#[test]
fn a_signal_ends_a_client_that_waits() {
    let t = start_test();
    let address = pipe(&t);
    let name = address.strip_prefix("pipe://").unwrap();
    let server = PipeServer::builder(name)
        .unwrap()
        .max_instances(1)
        .create()
        .unwrap();
    let waiting = start(&t, &["recv", "--connect", &address]);
    let stream = server.accept().unwrap();
    waiting.signal(SIGTERM);
    waiting.wait_output().failed(130);
    drop(stream);
}

#[test]
fn a_script_does_not_hang_when_a_peer_is_killed() {
    let t = start_test();
    let address = pipe(&t);
    let mut server = quintet(&["recv", &address]);
    server
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut server = server.spawn().unwrap();
    let mut printed = server.stdout.take().unwrap();
    let mut server = t.watch_child("recv", server);
    let client = start(&t, &["send", &address, "--file", "/dev/zero"]);
    printed.read_exact(&mut [0; 10]).unwrap();
    // Its output is read no further, so that both wait in the middle of a write.
    server.kill();
    says(&client.wait_output().failed(1), &[&address, "has closed"]);
    run(&t, &["rm", &address]).succeeded();
}

#[test]
fn an_argument_is_any_bytes() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["recv", "--format", "hex", &address]);
    t.run(quintet(&["send", &address]).arg(OsStr::from_bytes(b"a\xff\n")))
        .succeeded();
    assert_eq!(server.wait_output().succeeded(), "61ff0a\n");
    // With an encoding it has to be text, which is found out before anybody is asked for a connection.
    let mut command = quintet(&["send", "--encoding", "gb18030", &address]);
    let output = t.run(command.arg(OsStr::from_bytes(b"a\xff")));
    says(&output.failed(1), &["byte 1"]);
}

#[test]
fn ansi_is_what_the_language_says() {
    let t = start_test();
    for (language, bytes) in [
        ("zh_CN.UTF-8", Ok("b3c9")),
        ("zh_TW.UTF-8", Ok("a6a8")),
        ("ja_JP.UTF-8", Ok("90ac")),
        ("en_US.UTF-8", Err("windows-1252 has no character '成'")),
        ("C", Err("windows-1252")),
    ] {
        let address = pipe(&t);
        let mut send = quintet(&["send", "--encoding", "ansi", &address, "成"]);
        send.env("LC_ALL", language);
        match bytes {
            Ok(bytes) => {
                let server = start(&t, &["recv", "--format", "hex", &address]);
                t.run(&mut send).succeeded();
                assert_eq!(server.wait_output().succeeded().trim(), bytes);
            }
            Err(why) => says(&t.run(&mut send).failed(1), &[why]),
        };
    }
}

#[test]
fn output_that_cannot_be_written_is_the_end() {
    let t = start_test();
    for args in [
        &[][..],
        &["--follow", "--lines"],
        &["--follow", "--mode", "message"],
        &["--json"],
    ] {
        let address = pipe(&t);
        let server = start(&t, &[&["recv", "--file", "/dev/full", &address], args].concat());
        let mut client = start_sender(&t, &[&address]);
        client.line("x");
        says(
            &server.wait_output().failed(1),
            &["cannot write the output", "No space left"],
        );
        client.process.kill();
    }
    let output = run(&t, &["recv", "--file", "/nowhere/at/all", &pipe(&t)]);
    says(&output.failed(1), &["/nowhere/at/all"]);
}

#[test]
fn a_folder_for_pipes_that_is_not_there_is_said() {
    let t = start_test();
    let missing = t.temp_dir().join("missing");
    for args in [&["recv", "pipe://x"][..], &["send", "pipe://x", "x"], &["ls"]] {
        let output = t.run(quintet(args).env("TMPDIR", &missing));
        says(
            &output.failed(1),
            &[missing.to_str().unwrap(), "does not exist", "TMPDIR"],
        );
    }
}

#[test]
fn both_sides_follow_tmpdir() {
    let t = start_test();
    let folder = t.temp_dir();
    let server = t.start_command(quintet(&["recv", "pipe://x"]).env("TMPDIR", &folder));
    t.run(quintet(&["send", "pipe://x", "hello"]).env("TMPDIR", &folder))
        .succeeded();
    assert_eq!(server.wait_output().succeeded(), "hello");
}

#[test]
fn a_file_that_is_no_pipe_is_left_alone() {
    let t = start_test();
    let folder = t.temp_dir();
    let file = folder.join("CoreFxPipe_x");
    std::fs::write(&file, "mine").unwrap();
    for args in [
        &["recv", "pipe://x"][..],
        &["send", "pipe://x", "x"],
        &["stat", "pipe://x"],
        &["rm", "pipe://x"],
    ] {
        let output = t.run(quintet(args).env("TMPDIR", &folder));
        says(&output.failed(1), &["pipe://x", "not a socket"]);
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}
