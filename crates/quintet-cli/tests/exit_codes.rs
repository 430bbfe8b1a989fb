//! 0, 1, 2, 124: how the command ends, and what it says then.

mod common;

use common::*;
use quintet::pipe::{PipeMode, PipeServer};
use quintet_testkit::start as start_test;

#[test]
fn a_deadline_is_124() {
    let t = start_test();
    let address = pipe(&t);
    for (args, why) in [
        (&["send", "--timeout", "0"][..], "there is no server"),
        (&["send", "--timeout", "20ms"], "there is no server"),
        (&["send", "--connect-timeout", "0"], "there is no server"),
        (
            &["send", "--connect-timeout", "1h", "--timeout", "0.02"],
            "there is no server",
        ),
        (
            &["send", "--connect-timeout", "0.02", "--timeout", "1h"],
            "there is no server",
        ),
        (&["recv", "--connect", "--timeout", "0"], "there is no server"),
        (&["recv", "--timeout", "0"], "no client connected"),
        (&["recv", "--timeout", "0.02"], "no client connected"),
        (&["recv", "--follow", "--timeout", "0.02"], "no client connected"),
        (
            &["recv", "--follow", "--lines", "--timeout", "0.02"],
            "no client connected",
        ),
        (&["send", "--listen", "--timeout", "0.02"], "no client connected"),
    ] {
        let output = run(&t, &[args, &[&address]].concat());
        says(&output.failed(124), &[&address, why]);
    }
}

#[test]
fn a_deadline_passes_in_the_middle() {
    let t = start_test();
    let name = t.name("pipe");
    let server = PipeServer::builder(&*name)
        .unwrap()
        .mode(PipeMode::Message)
        .create()
        .unwrap();
    let address = server.address().to_string();
    // Nobody reads, and the pipe does not hold all of it.
    let large = vec![b'x'; 8 << 20];
    run_with_input(&t, &["send", "--timeout", "0.2", &address], &large).failed(124);
    // Nobody writes.
    run(&t, &["recv", "--connect", "--timeout", "0.2", &address]).failed(124);
    // Standard input stays open.
    let sender = start(&t, &["send", "--timeout", "0.2", &address]);
    sender.wait_exit();
    sender.wait_output().failed(124);
}

#[test]
fn what_makes_no_sense_is_2() {
    let t = start_test();
    let address = pipe(&t);
    let unknown_key = format!("{address}?mdoe=byte");
    let bad_value = format!("{address}?max_instances=many");
    for (args, why) in [
        (&["frob"][..], "frob"),
        (&["send"], "ADDRESS"),
        (&["send", "TestPipe"], "pipe://TestPipe"),
        (&["send", "pip://x"], "did you mean pipe://"),
        (&["send", "pipe://a/b"], "without '/'"),
        (&["send", "pipe://"], "1 to 200 bytes"),
        (&["send", &unknown_key], "did you mean \"mode\""),
        (&["recv", &bad_value], "max_instances"),
        (&["send", "tls+tcp://localhost:1"], "it has pipe://"),
        (&["recv", "tls+tcp://localhost:1"], "it has pipe://"),
        (&["stat", "tls+tcp://localhost:1"], "it has pipe://"),
        (&["ls", "fifo"], "pipe"),
        (&["recv", "--mode", "massage", &address], "message"),
        (&["recv", "--encoding", "latin1", &address], "utf-16le"),
        (&["recv", "--format", "xml", &address], "quoted"),
        (&["recv", "--timeout", "soon", &address], "500ms"),
        (&["recv", "--timeout", "-1", &address], "negative"),
        (&["recv", "--max-instances", "0", &address], "--max-instances"),
        (&["recv", "--max-instances", "255", &address], "--max-instances"),
        (&["recv", "--max-message", "0", &address], "--max-message"),
        (&["recv", "--count", "0", "--lines", &address], "--count"),
        (
            &["recv", "--count", "99999999999999999999", "--lines", &address],
            "--count",
        ),
        (&["send", "--max-instances", "2", &address], "add --listen"),
        (
            &["recv", "--connect", "--in-buffer", "2", &address],
            "add --listen",
        ),
        (&["recv", "--connect-timeout", "2", &address], "add --connect"),
        (&["send", "--direction", "in", &address], "out or inout"),
        (&["recv", "--direction", "out", &address], "in or inout"),
        (
            &["recv", "--listen", "--connect", &address],
            "cannot be used with",
        ),
        (
            &["recv", "--json", "--format", "hex", &address],
            "cannot be used with",
        ),
        (
            &["recv", "--follow", "--count", "2", &address],
            "cannot be used with",
        ),
        (&["send", "--file", "x", &address, "text"], "cannot be used with"),
        (&["send", "--follow", &address, "x"], "--listen"),
        (&["send", "--follow", "--listen", &address], "standard input"),
        (&["demo", "--messages", "0"], "--messages"),
        (&["completions", "cmd"], "powershell"),
    ] {
        let output = run(&t, args);
        assert!(output.stdout.is_empty());
        says(&output.failed(2), &[why, "--help"]);
    }
}

#[test]
#[cfg(not(target_os = "linux"))]
fn fifos_are_for_linux() {
    let t = start_test();
    for args in [
        &["recv", "fifo:///tmp/f"][..],
        &["recv", "--follow", "--lines", "fifo:///tmp/f"],
        &["send", "fifo:///tmp/f", "x"],
        &["send", "--listen", "fifo:///tmp/f", "x"],
    ] {
        says(
            &run(&t, args).failed(2),
            &["fifo:///tmp/f", "unsupported: FIFO files exist on Linux only"],
        );
    }
}

#[test]
fn a_name_that_is_taken_is_1_and_says_by_whom() {
    let t = start_test();
    let name = t.name("pipe");
    let server = PipeServer::create(&*name).unwrap();
    let output = run(&t, &["recv", &server.address().to_string()]);
    says(
        &output.failed(1),
        &[&name, "another server", &format!("pid {}", std::process::id())],
    );
}

#[test]
fn output_that_nobody_reads_is_nothing_to_complain_about() {
    let t = start_test();
    let name = t.name("pipe");
    let server = PipeServer::create(&*name).unwrap();
    let address = server.address().to_string();
    for args in [
        &["ls", "--json"][..],
        &["stat", &address],
        &["demo", "--messages", "10"],
        &["completions", "bash"],
        &["completions", "zsh"],
        &["--help"],
        &["recv", "--help"],
        &["--version"],
    ] {
        let output = unread(&t, args, |command, closed| {
            command.stdout(closed);
        });
        assert!(
            output.status.success(),
            "{args:?}: {}: {}",
            output.status,
            output.errors()
        );
        assert_eq!(output.errors(), "", "{args:?}");
    }
}

#[test]
fn a_receiver_that_nobody_reads_ends() {
    let t = start_test();
    for args in [
        &[][..],
        &["--follow"],
        &["--follow", "--lines"],
        &["--follow", "--mode", "message"],
    ] {
        let address = pipe(&t);
        let recv = [&["recv", &address], args].concat();
        let sender = start_sender(&t, &[&address]);
        let output = std::thread::scope(|scope| {
            let output = scope.spawn(|| {
                unread(&t, &recv, |command, closed| {
                    command.stdout(closed);
                })
            });
            let mut sender = sender;
            sender.line("what nobody reads");
            let output = output.join().unwrap();
            // Its own end is not what this is about.
            sender.process.kill();
            output
        });
        assert!(output.status.success(), "{args:?}: {}", output.status);
        assert_eq!(output.errors(), "", "{args:?}");
    }
}

#[test]
fn a_complaint_that_nobody_reads_changes_no_code() {
    let t = start_test();
    for (args, code) in [
        (&["send", "--timeout", "0"][..], 124),
        (&["stat"], 1),
        (&["send", "--follow"], 2),
    ] {
        let output = unread(&t, &[args, &[&pipe(&t)]].concat(), |command, closed| {
            command.stderr(closed);
        });
        assert_eq!(output.status.code(), Some(code), "{args:?}");
    }
}
