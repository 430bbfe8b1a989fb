//! Sockets: `send` and `recv`, `push` and `pull`, `pub` and `sub`, `req` and `rep` there.

mod common;

use common::*;
use quintet::socket::{Listener, Pub, Pull, Push, Rep, Stream, Sub};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::{Test, start as start_test};
use std::io::Read;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// An address of each kind at which nobody listens.
fn places(t: &Test) -> Vec<String> {
    // A port that was free a moment ago.
    let listener = Listener::listen(any_port()).unwrap();
    let mut places = vec![listener.address().to_string()];
    if cfg!(target_os = "linux") {
        places.push(format!("unix://{}/socket", t.temp_dir().display()));
        places.push(format!("unix://@{}", t.name("abstract")));
    }
    places
}

/// Connects when somebody listens.
fn connect(address: &str) -> Stream {
    quintet_testkit::eventually_some("it listens", || {
        match Stream::connect_timeout(address, PATIENCE) {
            Ok(stream) => Some(stream),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                None
            }
        }
    })
}

#[test]
fn bytes_go_from_send_to_recv_whoever_listens() {
    let t = start_test();
    for place in places(&t) {
        let recv = start(&t, &["recv", &place]);
        run_with_input(&t, &["send", &place], "one\0two").succeeded();
        assert_eq!(recv.wait_output().succeeded(), "one\0two");
        let send = start(&t, &["send", "--listen", &place, "hello"]);
        assert_eq!(run(&t, &["recv", "--connect", &place]).succeeded(), "hello");
        send.wait_output().succeeded();
    }
}

#[test]
fn a_plain_socket_is_at_the_other_end_as_of_nc() {
    let t = start_test();
    for place in places(&t) {
        let recv = start(&t, &["recv", "--follow", "--lines", &place]);
        for line in ["first\n", "second\n"] {
            let stream = connect(&place);
            stream.write_all(line).unwrap();
            drop(stream);
            recv.wait_for_stdout(line);
        }
        interrupt(recv);
        let listener = Listener::listen(&*place).unwrap();
        let send = start(&t, &["send", "--lines", "--count", "2", &place, "a"]);
        let mut all = String::new();
        let mut stream = listener.accept_timeout(PATIENCE).unwrap();
        stream.read_to_string(&mut all).unwrap();
        assert_eq!(all, "a\na\n");
        send.wait_output().succeeded();
    }
}

#[test]
fn messages_go_from_push_to_pull() {
    let t = start_test();
    for place in places(&t) {
        let pull = start(&t, &["pull", "--count", "3", "--format", "lines", &place]);
        run_with_input(&t, &["push", "--lines", &place], "a\nb\nc\n").succeeded();
        assert_eq!(pull.wait_output().succeeded(), "a\nb\nc\n");
        // What `send` and `recv` do in message mode, the other way around.
        let push = start(&t, &["send", "--mode", "message", "--listen", &place, "whole"]);
        let received = run(&t, &["recv", "--mode", "message", "--connect", &place]);
        assert_eq!(received.succeeded(), "whole");
        push.wait_output().succeeded();
    }
}

#[test]
fn push_and_pull_speak_to_the_library() {
    let t = start_test();
    let ipc = match cfg!(windows) {
        true => format!("ipc://{}", t.name("pipe")),
        false => format!("ipc://{}/socket", t.temp_dir().display()),
    };
    for place in [any_port(), ipc] {
        let pull = Pull::new().unwrap();
        let address = pull.listen(&*place).unwrap().to_string();
        run(&t, &["push", &address, "from the command"]).succeeded();
        assert_eq!(pull.recv_timeout(PATIENCE).unwrap(), b"from the command");
        drop(pull);
        let push = Push::new().unwrap();
        let address = push.listen(&*place).unwrap().to_string();
        let process = start(&t, &["pull", "--connect", "--json", &address]);
        push.send_timeout("to it", PATIENCE).unwrap();
        says(
            &process.wait_output().succeeded(),
            &["\"text\":\"to it\"", "\"length\":5"],
        );
    }
}

#[test]
fn subscribers_print_their_topics() {
    let t = start_test();
    let publisher = Pub::new().unwrap();
    let address = publisher.listen(any_port()).unwrap().to_string();
    let args = ["sub", "--connect", "--count", "2", "--format", "lines", &address];
    let some = start(&t, &[&args[..], &["--topic", "b", "--topic", "c"]].concat());
    let all = start(&t, &args);
    publisher.wait_for_peers(2, PATIENCE).unwrap();
    for message in ["a1", "b1", "c1"] {
        publisher.send(message).unwrap();
    }
    assert_eq!(some.wait_output().succeeded(), "b1\nc1\n");
    assert_eq!(all.wait_output().succeeded(), "a1\nb1\n");
}

#[test]
fn pub_publishes_at_intervals_to_who_is_there() {
    let t = start_test();
    let sub = Sub::new().unwrap();
    sub.subscribe("");
    let address = sub.listen(any_port()).unwrap().to_string();
    run(
        &t,
        &["pub", "--interval", "1ms", "--count", "3", &address, "tick"],
    )
    .succeeded();
    for _ in 0..3 {
        assert_eq!(sub.recv_timeout(PATIENCE).unwrap(), b"tick");
    }
    assert!(sub.recv_timeout(Deadline::now()).is_err());
    // Without a count it goes on.
    let ticker = start(&t, &["pub", "--interval", "1ms", &address, "tock"]);
    for _ in 0..10 {
        assert_eq!(sub.recv_timeout(PATIENCE).unwrap(), b"tock");
    }
    interrupt(ticker);
}

#[test]
fn questions_are_answered_by_a_text_a_file_or_a_command() {
    let t = start_test();
    let file = t.temp_dir().join("answer");
    std::fs::write(&file, "from a file").unwrap();
    let file = file.to_str().unwrap();
    let itself = env!("CARGO_BIN_EXE_quintet");
    let version = run(&t, &["--version"]).succeeded();
    for place in places(&t) {
        for (how, reply) in [
            (&["--reply", "yes"][..], "yes"),
            (&["--reply-file", file], "from a file"),
            (&["--", itself, "--version"], &version),
        ] {
            let rep = start(&t, &[&["rep", "--count", "2", &place], how].concat());
            let asked = run(&t, &["req", "--count", "2", &place, "well?"]);
            assert_eq!(asked.succeeded(), reply.repeat(2));
            rep.wait_output().succeeded();
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_has_the_question_on_its_input() {
    let t = start_test();
    let req = quintet::socket::Req::new().unwrap();
    let address = req.listen(any_port()).unwrap().to_string();
    let rep = start(
        &t,
        &[
            "rep",
            "--connect",
            "--count",
            "2",
            &address,
            "--",
            "tr",
            "a-z",
            "A-Z",
        ],
    );
    assert_eq!(req.request_timeout("shout", PATIENCE).unwrap(), b"SHOUT");
    let long = vec![b'x'; 1 << 20];
    assert!(req.request_timeout(&long, PATIENCE).unwrap() == vec![b'X'; 1 << 20]);
    rep.wait_output().succeeded();
}

#[test]
fn req_asks_line_by_line() {
    let t = start_test();
    let rep = Rep::new().unwrap();
    let address = rep.listen(any_port()).unwrap().to_string();
    let mut req = start(&t, &["req", "--lines", "--format", "lines", &address]);
    let mut stdin = req.take_stdin().unwrap();
    std::io::Write::write_all(&mut stdin, b"one\r\ntwo\n").unwrap();
    drop(stdin);
    for expected in ["one", "two"] {
        let request = rep.recv_timeout(PATIENCE).unwrap();
        assert_eq!(request.body(), expected.as_bytes());
        request.reply(format!("re: {expected}")).unwrap();
    }
    assert_eq!(req.wait_output().succeeded(), "re: one\nre: two\n");
}

#[test]
fn exit_codes_tell_what_was_wrong() {
    let t = start_test();
    let place = &places(&t)[0];
    for args in [
        &["send", "--timeout", "0.05", place, "x"][..],
        &["recv", "--timeout", "0.05", "--connect", place],
        &["recv", "--timeout", "0.05", place],
        &["push", "--timeout", "0.05", place, "x"],
        &["pull", "--timeout", "0.05", place],
        &["pub", "--timeout", "0.05", place, "x"],
        &["sub", "--timeout", "0.05", "--count", "1", place],
        &["req", "--timeout", "0.05", place, "x"],
        &["rep", "--timeout", "0.05", "--reply", "x", place],
    ] {
        says(&run(&t, args).failed(124), &["tcp://127."]);
    }
    let listener = Listener::listen(&**place).unwrap();
    says(
        &run(&t, &["pull", place]).failed(1),
        &["another socket listens there"],
    );
    drop(listener);
    says(
        &run(&t, &["req", "tcp://no-such-host.invalid:1", "x"]).failed(1),
        &["not known"],
    );
    says(
        &run(&t, &["send", "tcp://no-such-host.invalid:1", "x"]).failed(1),
        &["not known"],
    );
    for (args, why) in [
        (&["rep", place][..], "--reply"),
        (&["rep", "--reply", "x", place, "--", "y"], "--reply"),
        (&["send", "--direction", "in", place, "x"], "pipe://"),
        (&["push", "--capacity", "1M", place, "x"], "queue://"),
        (&["send", "--follow", place, "x"], "--listen"),
        (&["req", "pipe://x", "y"], "sockets"),
        (&["stat", place], "there is no stat for tcp://"),
        (&["hz", place], "there is no hz for tcp://"),
        (&["sub", "--topic", "x", "topic://y"], "sockets"),
    ] {
        says(&run(&t, args).failed(2), &[why]);
    }
    if cfg!(windows) {
        says(&run(&t, &["pull", "unix:///x"]).failed(2), &["tcp://"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_server_leaves_no_file() {
    let t = start_test();
    let path = t.temp_dir().join("socket");
    let address = format!("unix://{}", path.display());
    for args in [
        &["recv", "--follow", &address][..],
        &["pull", "--follow", &address],
        &["rep", "--reply", "x", &address],
    ] {
        let process = start(&t, args);
        quintet_testkit::eventually("it listens", || path.exists());
        interrupt(process);
        assert!(!path.exists(), "{args:?}");
    }
}
