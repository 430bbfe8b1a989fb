//! What signals do to `run` and `hold`, and to the command. On Windows Ctrl-C reaches all processes at a console by itself.
#![cfg(target_os = "linux")]

mod common;

use common::*;
use quintet::sync::Mutex;
use quintet_testkit::{Process, Test, start as start_test};

const SIGNALS: [(&str, i32); 6] = [
    ("HUP", SIGHUP),
    ("INT", SIGINT),
    ("QUIT", SIGQUIT),
    ("USR1", SIGUSR1),
    ("USR2", SIGUSR2),
    ("TERM", SIGTERM),
];

/// Runs a shell that does this and then waits for ever; when it waits, it has said so.
fn start_shell(t: &Test, args: &[&str], script: &str) -> Process {
    let script = format!("{script}; echo ready; while :; do :; done");
    let process = start(t, &[args, &["--", "sh", "-c", &script]].concat());
    process.wait_for_stdout("ready\n");
    process
}

fn mutex(t: &Test) -> String {
    format!("mutex://{}", t.name("mutex"))
}

#[test]
fn signals_are_the_commands() {
    let t = start_test();
    let (mutex, event) = (mutex(&t), format!("event://{}", t.name("event")));
    for args in [["run", &mutex], ["hold", &event]] {
        for (name, signal) in SIGNALS {
            let process = start_shell(&t, &args, &format!("trap 'echo got {name}; exit 9' {name}"));
            process.signal(signal);
            let output = process.wait_output();
            assert_eq!(output.failed(9), "");
            says(
                &String::from_utf8(output.stdout).unwrap(),
                &[&format!("got {name}\n")],
            );
        }
        for (_, signal) in SIGNALS {
            let process = start_shell(&t, &args, ":");
            process.signal(signal);
            assert_eq!(process.wait_output().failed(128 + signal), "");
        }
    }
}

#[test]
fn a_command_that_goes_on_is_waited_for() {
    let t = start_test();
    let process = start_shell(
        &t,
        &["run", &mutex(&t)],
        "trap 'echo no' TERM; trap 'exit 4' USR1",
    );
    process.signal(SIGTERM);
    process.wait_for_stdout("no\n");
    assert_eq!(process.try_exit(), None);
    process.signal(SIGUSR1);
    assert_eq!(process.wait_output().failed(4), "");
}

#[test]
fn a_signal_before_the_command_is_the_end() {
    let t = start_test();
    let mutex = mutex(&t);
    let held = Mutex::create_new(mutex.strip_prefix("mutex://").unwrap()).unwrap();
    let guard = held.lock().unwrap();
    for (_, signal) in SIGNALS {
        let process = start(&t, &["run", &mutex, "--", "echo", "run"]);
        quintet_testkit::eventually("it waits", || {
            json(&t, &["stat", "--json", &mutex])["waiting"] == 1
        });
        process.signal(signal);
        let output = process.wait_output();
        assert_eq!(output.failed(128 + signal), "");
        assert!(output.stdout.is_empty());
    }
    drop(guard);
    // It has not been abandoned.
    assert_eq!(
        run(&t, &["run", &mutex, "--", "echo", "run"]).succeeded(),
        "run\n"
    );
}

#[test]
fn what_was_ignored_stays_so() {
    let t = start_test();
    let script = format!(
        "trap '' HUP; exec {} run {} -- sh -c \"trap 'exit 3' USR1; echo ready; while :; do :; done\"",
        env!("CARGO_BIN_EXE_quintet"),
        mutex(&t)
    );
    let process = t.start_command(std::process::Command::new("sh").args(["-c", &script]));
    process.wait_for_stdout("ready\n");
    process.signal(SIGHUP);
    process.signal(SIGUSR1);
    assert_eq!(process.wait_output().failed(3), "");
}

#[test]
fn the_command_has_no_signals_blocked_and_none_ignored() {
    let t = start_test();
    let event = format!("event://{}", t.name("event"));
    for args in [["run", &mutex(&t)], ["hold", &event]] {
        let status = run(
            &t,
            &[&args[..], &["--", "grep", "Sig", "/proc/self/status"]].concat(),
        )
        .succeeded();
        for set in ["SigBlk:", "SigIgn:"] {
            let line = status.lines().find(|line| line.starts_with(set)).unwrap();
            let set = u64::from_str_radix(line[set.len()..].trim(), 16).unwrap();
            // Of those that are passed on.
            assert!(
                SIGNALS.iter().all(|(_, signal)| set >> (signal - 1) & 1 == 0),
                "{status}"
            );
        }
    }
}

#[test]
fn hold_ends_by_a_signal() {
    let t = start_test();
    let sem = format!("sem://{}", t.name("sem"));
    for (_, signal) in SIGNALS {
        let process = start(&t, &["hold", &sem]);
        quintet_testkit::eventually("it is there", || run(&t, &["stat", &sem]).status.success());
        process.signal(signal);
        assert_eq!(process.wait_output().failed(128 + signal), "");
    }
}
