//! `run`: a command that holds a permit or a mutex.

mod common;

use common::*;
use quintet::sync::{Mutex, Semaphore};
use quintet::{Address, named};
use quintet_testkit::{Process, Test, eventually, start as start_test};

/// A semaphore and a mutex that nobody else uses.
fn both(t: &Test) -> [String; 2] {
    [
        format!("sem://{}", t.name("sem")),
        format!("mutex://{}", t.name("mutex")),
    ]
}

fn name_of(address: &str) -> &str {
    address.split_once("://").unwrap().1
}

fn entry(address: &str) -> Option<named::Entry> {
    let address: Address = address.parse().unwrap();
    named::kind(address.scheme())
        .unwrap()
        .stat(address.name().unwrap())
        .ok()
}

/// How many wait for it, where the system tells.
fn waiting(address: &str) -> Option<u32> {
    entry(address)?.detail("waiting")?.parse().ok()
}

/// Arguments for `run` of a command that runs until `end` ends it.
fn lasting<'a>(args: &[&'a str], pipe: &'a str) -> Vec<&'a str> {
    [
        &["run"],
        args,
        &["--", env!("CARGO_BIN_EXE_quintet"), "recv", pipe],
    ]
    .concat()
}

/// Whether a command of [`lasting`] runs.
fn runs(pipe: &str) -> bool {
    entry(pipe).is_some()
}

/// Starts a command of [`lasting`], and waits until it runs.
fn start_lasting(t: &Test, args: &[&str], pipe: &str) -> Process {
    let process = start(t, &lasting(args, pipe));
    eventually("the command runs", || runs(pipe));
    process
}

fn end(t: &Test, pipe: &str) {
    run(t, &["send", pipe, "end"]).succeeded();
}

#[test]
fn the_commands_exit_code_is_ours() {
    let t = start_test();
    for address in both(&t) {
        for code in [0, 1, 2, 7, 124, 125, 255] {
            let exit = format!("exit {code}");
            let output = run(&t, &[&["run", &address, "--"][..], &shell(&exit)].concat());
            assert_eq!((output.status.code(), &*output.errors()), (Some(code), ""));
        }
    }
}

#[test]
fn the_streams_are_the_commands() {
    let t = start_test();
    let [_, mutex] = both(&t);
    let output = run(
        &t,
        &["run", &mutex, "--", env!("CARGO_BIN_EXE_quintet"), "--version"],
    );
    says(&output.succeeded(), &["quintet "]);
    if cfg!(target_os = "linux") {
        let output = run_with_input(
            &t,
            &["run", &mutex, "--", "sh", "-c", "cat; echo error >&2"],
            "input",
        );
        assert_eq!((&*output.stdout, &*output.errors()), (&b"input"[..], "error\n"));
    }
}

#[test]
fn the_command_has_what_it_is_run_with() {
    let t = start_test();
    for address in both(&t) {
        let pipe = pipe(&t);
        let process = start_lasting(&t, &[&address], &pipe);
        let shown = json(&t, &["stat", "--json", &address]);
        if cfg!(target_os = "linux") {
            let owners = shown["owners"].as_array().unwrap();
            assert_eq!(owners.len(), 1, "{shown}");
            assert_eq!(owners[0]["count"], 1);
            let server = json(&t, &["stat", "--json", &pipe]);
            assert_eq!(owners[0]["pid"], server["holders"][0]["pid"], "{shown}");
        }
        for args in [
            &["-n"][..],
            &["--no-wait"],
            &["--timeout", "0"],
            &["--timeout", "0.05"],
        ] {
            let output = run(&t, &[&["run", &address], args, &["--", "never-run"]].concat());
            let why = output.failed(124);
            says(&why, &[&address, "in time"]);
            if cfg!(target_os = "linux") {
                says(&why, &["taken by pid"]);
            }
        }
        if cfg!(target_os = "linux") {
            // Whoever waited has noted the time.
            let shown = json(&t, &["stat", "--json", &address]);
            assert!(
                shown["owners"][0]["since"].as_str().unwrap().ends_with('Z'),
                "{shown}"
            );
            says(&run(&t, &["stat", &address]).succeeded(), &["taken by:", " for "]);
        }
        end(&t, &pipe);
        process.wait_output().succeeded_with("end");
    }
}

#[test]
fn who_waits_gets_it_next() {
    let t = start_test();
    for address in both(&t) {
        let pipe = pipe(&t);
        let first = start_lasting(&t, &[&address], &pipe);
        let second = start(&t, &[&["run", &address, "--"][..], &shell("exit 3")].concat());
        if cfg!(target_os = "linux") {
            eventually("the second waits", || waiting(&address) == Some(1));
        }
        assert_eq!(second.try_exit(), None);
        end(&t, &pipe);
        assert_eq!(second.wait_output().failed(3), "");
        first.wait_output().succeeded_with("end");
    }
}

#[test]
fn there_are_never_more_than_the_maximum() {
    let t = start_test();
    let [sem, _] = both(&t);
    let mut left: Vec<(String, Process)> = (0..6)
        .map(|_| {
            let pipe = pipe(&t);
            let process = start(&t, &lasting(&[&sem, "--max", "3"], &pipe));
            (pipe, process)
        })
        .collect();
    while !left.is_empty() {
        let expected = left.len().min(3);
        let mut running = Vec::new();
        eventually("as many run as may", || {
            running = (0..left.len()).filter(|at| runs(&left[*at].0)).collect();
            assert!(running.len() <= 3, "{running:?}");
            running.len() == expected
        });
        if cfg!(target_os = "linux") {
            eventually("the others wait", || {
                waiting(&sem) == Some((left.len() - expected) as u32)
            });
            let now = left.iter().filter(|(pipe, _)| runs(pipe)).count();
            assert_eq!(now, expected);
        }
        let (pipe, process) = left.remove(running[0]);
        end(&t, &pipe);
        process.wait_output().succeeded_with("end");
    }
}

#[test]
fn another_maximum_than_there_is_is_refused() {
    let t = start_test();
    let [sem, _] = both(&t);
    let semaphore = Semaphore::create_new(name_of(&sem), 2, 2).unwrap();
    for args in [&["--max", "3", &*sem][..], &[&*format!("{sem}?max=1")]] {
        let output = run(&t, &[&["run"], args, &["--", "never-run"]].concat());
        says(&output.failed(125), &[&sem, "with max 2"]);
    }
    for args in [&[&*sem][..], &["--max", "2", &sem], &[&*format!("{sem}?max=2")]] {
        let output = run(&t, &[&["run"], args, &["--"], &shell("exit 0")].concat());
        output.succeeded();
    }
    assert_eq!(semaphore.count().unwrap(), 2);
}

#[test]
fn what_is_not_there_is_127() {
    let t = start_test();
    for address in both(&t) {
        for program in ["no-such-program", "./no-such-program", ""] {
            let output = run(&t, &["run", &address, "--", program]);
            says(&output.failed(127), &[program, "cannot start"]);
        }
    }
    let output = run(&t, &["hold", &both(&t)[0], "--", "no-such-program"]);
    says(&output.failed(127), &["no-such-program", "cannot start it"]);
}

#[test]
fn a_mutex_that_a_thread_has_is_waited_for() {
    let t = start_test();
    let [_, mutex] = both(&t);
    let held = Mutex::create_new(name_of(&mutex)).unwrap();
    let guard = held.lock().unwrap();
    run(&t, &["run", "-n", &mutex, "--", "never-run"]).failed(124);
    let process = start(&t, &[&["run", &mutex, "--"][..], &shell("exit 5")].concat());
    guard.unlock().unwrap();
    assert_eq!(process.wait_output().failed(5), "");
}

/// What makes an object remember that its holder was killed, and how a command is killed, is Linux's.
#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use std::fs;
    use std::process::Stdio;

    const SUICIDE: [&str; 3] = ["sh", "-c", "kill -9 $$"];

    #[test]
    fn a_killed_quintet_leaves_it_to_the_command() {
        let t = start_test();
        for address in both(&t) {
            let pipe = pipe(&t);
            // The command has our streams, whose end would be waited for: none here.
            let mut command = quintet(&lasting(&[&address], &pipe));
            let child = command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let mut process = t.watch_child("quintet", child.spawn().unwrap());
            eventually("the command runs", || runs(&pipe));
            process.kill();
            run(&t, &["run", "-n", &address, "--", "never-run"]).failed(124);
            let next = start(&t, &["run", &address, "--", "echo", "next"]);
            eventually("the next one waits", || waiting(&address) == Some(1));
            assert!(runs(&pipe) && next.stdout().is_empty());
            end(&t, &pipe);
            let output = next.wait_output();
            // Nobody saw how the command ended.
            says(&output.errors(), &[&address, "its last holder was killed"]);
            assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"next\n"[..]));
        }
    }

    #[test]
    fn a_signal_that_ends_the_command_is_128_more() {
        let t = start_test();
        for address in both(&t) {
            run(&t, &[&["run", &address, "--"][..], &SUICIDE].concat()).failed(137);
            let output = run(&t, &["run", &address, "--", "sh", "-c", "kill -TERM $$"]);
            assert_eq!(output.failed(143), "");
        }
    }

    #[test]
    fn what_cannot_be_started_is_126() {
        let t = start_test();
        let folder = t.temp_dir();
        let file = folder.join("not-a-program");
        fs::write(&file, "text").unwrap();
        for address in both(&t) {
            for path in [&file, &folder] {
                let path = path.to_str().unwrap();
                let output = run(&t, &["run", &address, "--", path]);
                says(&output.failed(126), &[path, "Permission denied"]);
            }
        }
    }

    #[test]
    fn an_object_that_cannot_be_opened_is_125() {
        let t = start_test();
        for address in both(&t) {
            let (scheme, name) = address.split_once("://").unwrap();
            let file = format!("/dev/shm/quintet.{scheme}.{name}");
            fs::write(&file, "what is this?").unwrap();
            let output = run(&t, &["run", &address, "--", "never-run"]);
            says(&output.failed(125), &[&address, "13 bytes long"]);
            fs::remove_file(file).unwrap();
        }
    }

    #[test]
    fn a_killed_command_is_not_forgotten_until_somebody_goes_on() {
        let t = start_test();
        for address in both(&t) {
            run(&t, &["create", &address]).succeeded();
            run(&t, &[&["run", &address, "--"][..], &SUICIDE].concat()).failed(137);
            let careful = ["run", "--abandoned", "fail", &address, "--", "echo", "run"];
            for _ in 0..2 {
                let output = run(&t, &careful);
                says(
                    &output.failed(125),
                    &[&address, "was killed", "not run", "--abandoned continue"],
                );
                assert!(output.stdout.is_empty());
            }
            // One that could not be started has not gone on.
            run(&t, &["run", &address, "--", "no-such-program"]).failed(127);
            run(&t, &careful).failed(125);
            let output = run(&t, &["run", &address, "--", "echo", "run"]);
            says(&output.errors(), &[&address, "was killed"]);
            assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"run\n"[..]));
            assert_eq!(run(&t, &careful).succeeded(), "run\n");
            run(&t, &["rm", &address]).succeeded();
        }
    }

    #[test]
    fn who_has_it_open_is_told_of_a_killed_command() {
        let t = start_test();
        let [sem, mutex] = both(&t);
        let semaphore = Semaphore::create_new(name_of(&sem), 1, 1).unwrap();
        run(&t, &[&["run", &sem, "--"][..], &SUICIDE].concat()).failed(137);
        assert!(semaphore.acquire().unwrap().was_abandoned());
        let lock = Mutex::create_new(name_of(&mutex)).unwrap();
        run(&t, &[&["run", &mutex, "--"][..], &SUICIDE].concat()).failed(137);
        assert!(lock.lock().unwrap().was_abandoned());
        // One that fails by itself has come to its end.
        run(&t, &["run", &mutex, "--", "false"]).failed(1);
        assert!(!lock.lock().unwrap().was_abandoned());
    }

    #[test]
    fn a_persistent_one_stays() {
        let t = start_test();
        for address in both(&t) {
            run(&t, &["run", "--persistent", &address, "--", "true"]).succeeded();
            let shown = json(&t, &["stat", "--json", &address]);
            assert_eq!(
                (&shown["persistent"], &shown["state"]),
                (&true.into(), &"live".into())
            );
            run(&t, &["rm", &address]).succeeded();
        }
    }

    #[test]
    fn a_process_that_the_command_leaves_behind_holds_it() {
        let t = start_test();
        for address in both(&t) {
            let pipe = pipe(&t);
            let script = format!("{} recv {pipe} > /dev/null 2>&1 &", env!("CARGO_BIN_EXE_quintet"));
            run(&t, &["run", &address, "--", "sh", "-c", &script]).succeeded();
            eventually("what it left runs", || runs(&pipe));
            run(&t, &["run", "-n", &address, "--", "never-run"]).failed(124);
            end(&t, &pipe);
            let output = run(&t, &["run", &address, "--", "echo", "next"]);
            assert_eq!(&*output.stdout, b"next\n");
        }
    }
}
