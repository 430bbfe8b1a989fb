//! `send` and `recv` with each other, and with programs that use the library.

mod common;

use common::*;
use quintet::pipe::{PipeClient, PipeMode, PipeServer};
use quintet_testkit::start as start_test;
use std::fs;

/// Bytes in which no part is like another.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next)
        .take(len / 8 + 1)
        .flatten()
        .collect();
    bytes.truncate(len);
    bytes
}

#[test]
fn the_pair_of_the_notes() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["send", "--listen", "--mode", "message", &address, "hello"]);
    assert_eq!(run(&t, &["recv", "--connect", &address]).succeeded(), "hello");
    assert_eq!(server.wait_output().succeeded(), "");
}

#[test]
fn recv_serves_and_send_connects() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["recv", &address]);
    assert_eq!(run(&t, &["send", &address, "hello there"]).succeeded(), "");
    assert_eq!(server.wait_output().succeeded(), "hello there");
}

#[test]
fn a_client_waits_for_its_server() {
    let t = start_test();
    let address = pipe(&t);
    let client = start(&t, &["recv", "--dial", &address]);
    let missing = run(&t, &["send", "--timeout", "0", &address, "x"]);
    says(&missing.failed(124), &["there is no server"]);
    run(&t, &["send", "--listen", &address, "hello"]).succeeded();
    assert_eq!(client.wait_output().succeeded(), "hello");
}

#[test]
fn standard_input_goes_to_standard_output_byte_by_byte() {
    let t = start_test();
    let address = pipe(&t);
    let bytes = noise(3_000_001);
    for mode in ["byte", "message"] {
        let server = start(&t, &["recv", "--mode", mode, &address]);
        run_with_input(&t, &["send", &address], &bytes).succeeded();
        let output = server.wait_output();
        assert!(output.status.success());
        assert!(
            output.stdout == bytes,
            "{mode} mode: {} bytes came",
            output.stdout.len()
        );
    }
}

#[test]
fn nothing_is_something_to_send() {
    let t = start_test();
    let address = pipe(&t);
    for mode in ["byte", "message"] {
        let server = start(&t, &["recv", "--mode", mode, "--format", "hex", &address]);
        run(&t, &["send", &address]).succeeded();
        // No bytes at all, or a message of none.
        assert_eq!(
            server.wait_output().succeeded(),
            if mode == "byte" { "" } else { "\n" }
        );
    }
}

#[test]
fn a_large_file_arrives_as_it_is() {
    let t = start_test();
    let folder = t.temp_dir();
    let (from, to) = (folder.join("from"), folder.join("to"));
    let bytes = noise(24 << 20);
    fs::write(&from, &bytes).unwrap();
    let address = pipe(&t);
    for mode in ["byte", "message"] {
        let server = start(
            &t,
            &["recv", "--mode", mode, "--file", to.to_str().unwrap(), &address],
        );
        run(&t, &["send", "--file", from.to_str().unwrap(), &address]).succeeded();
        assert_eq!(server.wait_output().succeeded(), "");
        assert!(fs::read(&to).unwrap() == bytes, "{mode} mode");
    }
}

#[test]
fn a_dash_is_standard_input_and_output() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["recv", "--file", "-", &address]);
    run_with_input(&t, &["send", "--file", "-", &address], "hello").succeeded();
    assert_eq!(server.wait_output().succeeded(), "hello");
}

#[test]
fn what_cannot_be_read_is_said_before_anybody_is_bothered() {
    let t = start_test();
    let folder = t.temp_dir();
    let missing = folder.join("missing");
    // With no server, going on to connect would end by the deadline.
    for file in [&missing, &folder] {
        let file = file.to_str().unwrap();
        let output = run(&t, &["send", "--timeout", "0", "--file", file, &pipe(&t)]);
        says(&output.failed(1), &[file]);
    }
}

#[test]
fn who_comes_while_another_is_served_waits() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["recv", &address]);
    let mut first = start_sender(&t, &[&address]);
    first.line("first");
    server.wait_for_stdout("first");
    // Without room for it, a second client must not believe that what it sent was received.
    let second = run(&t, &["send", "--timeout", "0", &address, "second"]);
    says(&second.failed(124), &["busy"]);
    first.finish();
    assert_eq!(server.wait_output().succeeded(), "first\n");
}

#[test]
fn messages_of_one_client_after_the_other_are_counted() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(
        &t,
        &[
            "recv", "--mode", "message", "--count", "3", "--format", "lines", &address,
        ],
    );
    run(&t, &["send", "--count", "2", &address, "a"]).succeeded();
    run(&t, &["send", &address, "b"]).succeeded();
    assert_eq!(server.wait_output().succeeded(), "a\na\nb\n");
}

#[test]
fn a_server_that_closes_too_early_is_a_failure() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["send", "--listen", "--mode", "message", &address, "only"]);
    let output = run(&t, &["recv", "--connect", "--count", "3", &address]);
    says(&output.failed(1), &[&address, "1 of 3 messages"]);
    assert_eq!(output.stdout, b"only");
    server.wait_output().succeeded();
}

#[test]
fn a_server_that_follows_serves_everybody() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(
        &t,
        &[
            "send", "--listen", "--follow", "--mode", "message", &address, "for you",
        ],
    );
    for _ in 0..3 {
        assert_eq!(run(&t, &["recv", "--connect", &address]).succeeded(), "for you");
    }
    interrupt(server);
}

#[test]
fn messages_can_be_read_as_bytes() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(
        &t,
        &[
            "send", "--listen", "--mode", "message", "--count", "3", &address, "abc",
        ],
    );
    let output = run(&t, &["recv", "--connect", "--mode", "byte", &address]);
    assert_eq!(output.succeeded(), "abcabcabc");
    server.wait_output().succeeded();
}

#[test]
fn bytes_cannot_be_read_as_messages() {
    let t = start_test();
    let name = t.name("pipe");
    let server = PipeServer::create(&*name).unwrap();
    let address = server.address().to_string();
    for verb in [&["recv", "--connect"][..], &["send"]] {
        let output = run(&t, &[verb, &["--mode", "message", &address]].concat());
        says(&output.failed(2), &[&address, "byte mode", "--mode"]);
    }
}

#[test]
fn a_program_is_a_client() {
    let t = start_test();
    let name = t.name("pipe");
    let server = start(&t, &["recv", "--mode", "message", &format!("pipe://{name}")]);
    let client = PipeClient::connect(&*name).unwrap();
    assert_eq!(client.mode(), PipeMode::Message);
    client.write_message("from a program").unwrap();
    assert_eq!(server.wait_output().succeeded(), "from a program");
}

#[test]
fn a_reader_that_goes_is_a_failure_of_the_sender() {
    let t = start_test();
    let name = t.name("pipe");
    let server = PipeServer::create(&*name).unwrap();
    let file = t.temp_dir().join("file");
    fs::write(&file, noise(4 << 20)).unwrap();
    let client = start(
        &t,
        &[
            "send",
            "--file",
            file.to_str().unwrap(),
            &server.address().to_string(),
        ],
    );
    let stream = server.accept().unwrap();
    stream.read(&mut [0; 1000]).unwrap();
    drop(stream);
    says(
        &client.wait_output().failed(1),
        &[&name, "has closed the connection"],
    );
}

#[test]
fn a_sender_that_is_killed_is_the_end_of_its_bytes() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["recv", &address]);
    let mut sender = start_sender(&t, &[&address]);
    sender.line("all there was");
    server.wait_for_stdout("all there was");
    sender.process.kill();
    assert_eq!(server.wait_output().succeeded(), "all there was\n");
}
