//! What is a record, how many, and what it looks like.

mod common;

use common::*;
use quintet::pipe::{PipeClient, PipeMode, PipeServer};
use quintet_testkit::{Test, start as start_test};
use serde_json::Value;

/// What `recv` prints of these messages.
fn received(t: &Test, args: &[&str], messages: &[&[u8]]) -> Vec<u8> {
    let name = t.name("pipe");
    let (address, count) = (format!("pipe://{name}"), messages.len().to_string());
    let fixed = ["recv", "--mode", "message", "--count", &count, &address];
    let server = start(t, &[&fixed, args].concat());
    let client = PipeClient::connect(&*name).unwrap();
    for message in messages {
        client.write_message(message).unwrap();
    }
    let output = server.wait_output();
    assert!(output.status.success(), "{}", output.errors());
    output.stdout
}

const MESSAGES: [&[u8]; 4] = ["成功\n\"x\"".as_bytes(), b"\0\xff\x1b", b"", b"end"];

#[test]
fn each_format_shows_a_message_in_its_way() {
    let t = start_test();
    let cases: [(&str, &[u8]); 4] = [
        ("raw", b"\xe6\x88\x90\xe5\x8a\x9f\n\"x\"\0\xff\x1bend"),
        ("lines", b"\xe6\x88\x90\xe5\x8a\x9f\n\"x\"\n\0\xff\x1b\n\nend\n"),
        (
            "quoted",
            "\"成功\\n\\\"x\\\"\"\n\"\\0\\xff\\u{1b}\"\n\"\"\n\"end\"\n".as_bytes(),
        ),
        ("hex", b"e68890e58a9f0a227822\n00ff1b\n\n656e64\n"),
    ];
    for (format, expected) in cases {
        let printed = received(&t, &["--format", format], &MESSAGES);
        assert_eq!(
            printed,
            expected,
            "{format}: {:?}",
            String::from_utf8_lossy(&printed)
        );
    }
    assert_eq!(
        received(&t, &[], &MESSAGES),
        received(&t, &["--format", "raw"], &MESSAGES)
    );
}

fn json(printed: &[u8]) -> Vec<Value> {
    let printed = std::str::from_utf8(printed).expect("JSON is text");
    printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn json_says_when_which_how_much_and_from_whom() {
    let t = start_test();
    let records = json(&received(&t, &["--json"], &MESSAGES));
    assert_eq!(records.len(), MESSAGES.len());
    for (at, (record, message)) in records.iter().zip(MESSAGES).enumerate() {
        let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
        assert_eq!(keys[..4], ["time", "sequence", "length", "sender"]);
        assert_eq!(record["sequence"], at + 1);
        assert_eq!(record["length"], message.len());
        assert_eq!(record["sender"]["pid"], std::process::id());
        let executable = record["sender"]["executable"].as_str().unwrap();
        assert!(executable.contains("records"), "{executable}");
        // In an order that is that of the letters, too.
        let time = record["time"].as_str().unwrap();
        assert!(
            time.ends_with('Z') && time.len() == "2026-01-02T03:04:05.678901Z".len(),
            "{time}"
        );
        match std::str::from_utf8(message) {
            Ok(text) => assert_eq!(record["text"], text),
            Err(_) => assert_eq!(record["hex"], "00ff1b"),
        }
    }
    assert_eq!(json(&received(&t, &["--format", "json"], &[b"x"])).len(), 1);
}

/// What `recv --lines` makes of bytes.
fn lines_of(t: &Test, args: &[&str], bytes: &[u8]) -> String {
    let name = t.name("pipe");
    let server = start(
        t,
        &[&["recv", "--lines", &format!("pipe://{name}")], args].concat(),
    );
    let client = PipeClient::connect(&*name).unwrap();
    client.write_all(bytes).unwrap();
    drop(client);
    server.wait_output().succeeded()
}

#[test]
fn lines_are_taken_apart() {
    let t = start_test();
    let text = b"one\ntwo\r\n\nlast";
    assert_eq!(lines_of(&t, &[], text), "one\ntwo\n\nlast\n");
    assert_eq!(
        lines_of(&t, &["--format", "quoted"], text),
        "\"one\"\n\"two\"\n\"\"\n\"last\"\n"
    );
    assert_eq!(lines_of(&t, &["--format", "raw"], text), "onetwolast");
    assert_eq!(lines_of(&t, &["--count", "2"], text), "one\ntwo\n");
    let texts: Vec<Value> = json(lines_of(&t, &["--json"], text).as_bytes())
        .into_iter()
        .map(|record| record["text"].clone())
        .collect();
    assert_eq!(texts, ["one", "two", "", "last"]);
}

#[test]
fn each_line_is_written_as_it_comes() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["recv", "--lines", &address]);
    let mut sender = start_sender(&t, &[&address]);
    for line in ["one", "two", "three"] {
        sender.line(line);
        server.wait_for_stdout(&format!("{line}\n"));
    }
    sender.finish();
    assert_eq!(server.wait_output().succeeded(), "one\ntwo\nthree\n");
}

#[test]
fn each_line_is_a_message_where_there_are_messages() {
    let t = start_test();
    let name = t.name("pipe");
    let server = PipeServer::builder(&*name)
        .unwrap()
        .mode(PipeMode::Message)
        .create()
        .unwrap();
    let address = server.address().to_string();
    let client = start(&t, &["send", "--lines", "--count", "3", &address]);
    let stream = server.accept().unwrap();
    let mut client = client;
    let mut stdin = client.take_stdin().unwrap();
    std::io::Write::write_all(&mut stdin, b"one\r\n\nthree\nfour\n").unwrap();
    // Its input stays open: the third line is the last that it wants.
    client.wait_exit();
    let mut messages = Vec::new();
    while let Some(message) = stream.read_message().unwrap() {
        messages.push(String::from_utf8(message).unwrap());
    }
    assert_eq!(messages, ["one", "", "three"]);
}

#[test]
fn text_can_be_sent_again_and_again() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["recv", &address]);
    run(&t, &["send", "--lines", "--count", "2", &address, "a\nb"]).succeeded();
    assert_eq!(server.wait_output().succeeded(), "a\nb\na\nb\n");
}

#[test]
fn a_number_of_dashes_is_text_and_other_dashes_follow_two() {
    let t = start_test();
    let address = pipe(&t);
    for (args, expected) in [(&["-5"][..], "-5"), (&["--", "--lines"], "--lines")] {
        let server = start(&t, &["recv", &address]);
        run(&t, &[&["send", &address], args].concat()).succeeded();
        assert_eq!(server.wait_output().succeeded(), expected);
    }
}

#[test]
fn bytes_are_not_counted() {
    let t = start_test();
    let address = pipe(&t);
    for args in [
        &["recv", "--count", "3"][..],
        &["recv", "--connect", "--mode", "byte", "--count", "3"],
        &["recv", "--format", "lines"],
        &["send", "--mode", "byte", "--count", "3"],
        &["send", "--listen", "--count", "3"],
    ] {
        let output = run(&t, &[args, &[&address]].concat());
        says(
            &output.failed(2),
            &[
                args.iter().rfind(|arg| arg.starts_with("--")).unwrap(),
                "--lines",
                "--mode message",
            ],
        );
    }
    // That it is bytes may be known only when there is a connection.
    let server = PipeServer::create(address.strip_prefix("pipe://").unwrap()).unwrap();
    for args in [&["recv", "--connect"][..], &["send"]] {
        let output = run(&t, &[args, &["--count", "3", &address]].concat());
        says(&output.failed(2), &["--count", "--lines"]);
    }
    drop(server);
}

#[test]
fn messages_have_no_lines() {
    let t = start_test();
    let output = run(&t, &["recv", "--mode", "message", "--lines", &pipe(&t)]);
    says(&output.failed(2), &["--lines", "--format lines"]);
}

#[test]
fn a_line_without_an_end_is_refused() {
    let t = start_test();
    let name = t.name("pipe");
    let server = start(
        &t,
        &[
            "recv",
            "--lines",
            "--max-message",
            "10",
            &format!("pipe://{name}"),
        ],
    );
    let client = PipeClient::connect(&*name).unwrap();
    client.write_all("short\nmuch too long").unwrap();
    let output = server.wait_output();
    says(&output.failed(1), &["more than 10 bytes", "--max-message"]);
    assert_eq!(output.stdout, b"short\n");
}

#[test]
fn too_long_a_message_is_not_sent() {
    let t = start_test();
    let name = t.name("pipe");
    let server = PipeServer::builder(&*name)
        .unwrap()
        .mode(PipeMode::Message)
        .create()
        .unwrap();
    let address = server.address().to_string();
    let send = ["send", "--max-message", "10", &address];
    for (args, input) in [
        (&["12345678901"][..], ""),
        (&[], "12345678901"),
        (&["--lines"], "12345678901\n"),
    ] {
        let output = run_with_input(&t, &[&send, args].concat(), input);
        says(&output.failed(1), &["--max-message", "10"]);
        assert_eq!(server.accept().unwrap().read_message().unwrap(), None);
    }
    run(&t, &[&send[..], &["1234567890"]].concat()).succeeded();
    assert_eq!(
        server.accept().unwrap().read_message().unwrap().unwrap(),
        b"1234567890"
    );
}
