//! What makes no sense, is something else, or is somebody else's: each is said clearly, and nothing is lost by it.

mod common;

use common::*;
use quintet_testkit::start as start_test;

/// An address of each scheme, and the verbs that it has.
const SCHEMES: [(&str, &[&str]); 14] = [
    ("pipe://", &["send", "recv", "stat", "rm", "doctor"]),
    ("fifo:///nowhere/", &["send", "recv"]),
    ("tcp://localhost:1", SOCKET),
    ("ipc:///nowhere/", SOCKET),
    ("unix:///nowhere/", &["stat", "rm", "doctor"]),
    (
        "sem://",
        &["run", "wait", "release", "hold", "create", "stat", "rm", "doctor"],
    ),
    ("mutex://", &["run", "hold", "create", "stat", "rm", "doctor"]),
    (
        "event://",
        &["wait", "set", "reset", "hold", "create", "stat", "rm", "doctor"],
    ),
    (
        "shm://",
        &["read", "write", "hold", "create", "stat", "rm", "doctor"],
    ),
    (
        "mailbox://",
        &["read", "write", "hz", "hold", "create", "stat", "rm", "doctor"],
    ),
    (
        "queue://",
        &[
            "push", "pull", "send", "recv", "hz", "hold", "create", "stat", "rm", "doctor",
        ],
    ),
    (
        "topic://",
        &[
            "pub", "sub", "send", "recv", "hz", "hold", "create", "stat", "rm", "doctor",
        ],
    ),
    (
        "window://",
        &["send", "req", "recv", "rep", "post", "find", "stat", "doctor"],
    ),
    ("tls+tcp://localhost:1", &[]),
];

const SOCKET: &[&str] = &["send", "recv", "push", "pull", "pub", "sub", "req", "rep"];

/// All verbs that take an address, and what else they need to be told.
const VERBS: [(&str, &[&str]); 23] = [
    ("send", &["x"]),
    ("recv", &[]),
    ("push", &["x"]),
    ("pull", &[]),
    ("pub", &["x"]),
    ("sub", &[]),
    ("req", &["x"]),
    ("rep", &["--reply", "x"]),
    ("post", &["--msg", "WM_APP"]),
    ("find", &[]),
    ("run", &["--", "true"]),
    ("create", &[]),
    ("hold", &[]),
    ("wait", &[]),
    ("release", &[]),
    ("set", &[]),
    ("reset", &[]),
    ("read", &[]),
    ("write", &["x"]),
    ("hz", &[]),
    ("stat", &[]),
    ("rm", &[]),
    ("doctor", &[]),
];

#[test]
fn a_verb_that_a_scheme_has_not_is_answered_with_those_it_has() {
    let t = start_test();
    let mut count = 0;
    for (start, has) in SCHEMES {
        let address = match start.contains("localhost") {
            true => start.to_string(),
            false => format!("{start}{}", t.name("no")),
        };
        let scheme = address.split("://").next().unwrap();
        for (verb, more) in VERBS {
            if has.contains(&verb) || (scheme == "unix" && SOCKET.contains(&verb)) {
                continue;
            }
            count += 1;
            let said = run(&t, &[&[verb, &address], more].concat()).failed(2);
            let there_is_no = format!("there is no {verb} for {scheme}://, which has ");
            let is_not_there_yet = scheme == "tls+tcp" && said.contains("tls+tcp://");
            assert!(
                said.contains(&there_is_no) || is_not_there_yet,
                "{verb} {address}: {said}"
            );
        }
    }
    assert!(count > 150, "{count}");
}

#[test]
fn what_is_misspelt_is_answered_with_what_is_near() {
    let t = start_test();
    for (args, near) in [
        (&["sned", "pipe://x"][..], "'send'"),
        (&["send", "pip://x"], "pipe://"),
        (&["stat", "semaphore://x"], "sem"),
        (&["send", "pipe://x?mod=message"], "\"mode\""),
        (&["send", "--timeot", "5", "pipe://x"], "--timeout"),
        (&["ls", "mutx"], "'mutex'"),
        (&["stat", "nonsense://x"], "there are pipe, shm"),
        (&["send", "x"], "SCHEME://NAME"),
        (&["send", "pipe://a/b"], "1 to 200 bytes"),
    ] {
        says(&run(&t, args).failed(2), &[near]);
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use quintet_testkit::Test;
    use std::fs;
    use std::os::unix::fs::FileExt;
    use std::path::{Path, PathBuf};

    /// The file of an object of Quintet's.
    fn file(kind: &str, name: &str) -> PathBuf {
        Path::new("/dev/shm").join(format!("quintet.{kind}.{name}"))
    }

    /// What each command says of what it finds at an address, none of which changes it.
    fn nothing_is_lost(t: &Test, address: &str, uses: &[&[&str]], path: &Path, why: &str) {
        let before = fs::read(path).unwrap();
        for more in uses.iter().chain([&["stat"][..]].iter()) {
            let said = run(t, &[&more[..1], &[address], &more[1..]].concat()).failed(match more[0] {
                "run" => 125,
                _ => 1,
            });
            says(&said, &[address, why]);
        }
        let scheme = address.split("://").next().unwrap();
        let shown = listed(t, &["ls", "--json", scheme], address).expect("it is listed");
        assert_eq!(shown["state"], "unknown");
        says(shown["evidence"].as_str().unwrap(), &[why]);
        // Of all there is, as of one that cannot be looked at there is nothing to be said but that.
        let fixed = run(t, &["doctor", "--fix", "--json"]);
        let fixed: serde_json::Value = serde_json::from_slice(&fixed.stdout).unwrap();
        let found = fixed["stale"].as_array().unwrap();
        let found = found.iter().find(|object| object["address"] == address).unwrap();
        assert_eq!(found["removed"], false);
        assert!(fs::read(path).unwrap() == before, "{address}");
    }

    #[test]
    fn another_version_s_object_is_left_as_it_is() {
        let t = start_test();
        for (kind, uses) in [
            ("queue", &[&["pull", "-n"][..], &["push", "x"], &["hz"]][..]),
            ("topic", &[&["pub", "x"], &["sub"]]),
            ("mailbox", &[&["read"], &["write", "x"]]),
            ("sem", &[&["wait", "-n"], &["release"], &["run", "--", "true"]]),
            ("mutex", &[&["run", "--", "true"]]),
            ("event", &[&["set"], &["wait", "--timeout", "0"]]),
        ] {
            let name = t.name("version");
            let address = format!("{kind}://{name}");
            run(&t, &["create", &address]).succeeded();
            let path = file(kind, &name);
            let object = fs::File::options().write(true).open(&path).unwrap();
            object.write_all_at(&99_u32.to_le_bytes(), 8).unwrap();
            nothing_is_lost(&t, &address, uses, &path, "it has layout version 99");
            // Who knows that nobody has it may remove it.
            run(&t, &["rm", &address]).succeeded();
        }
        nothing_is_left(&t);
    }

    #[test]
    fn another_kind_of_object_is_left_as_it_is() {
        let t = start_test();
        let name = t.name("kind");
        run(&t, &["create", &format!("sem://{name}")]).succeeded();
        let path = file("mutex", &name);
        fs::copy(file("sem", &name), &path).unwrap();
        let uses: &[&[&str]] = &[&["run", "--", "true"]];
        nothing_is_lost(
            &t,
            &format!("mutex://{name}"),
            uses,
            &path,
            "another kind (\"sem\")",
        );
        for scheme in ["sem", "mutex"] {
            run(&t, &["rm", &format!("{scheme}://{name}")]).succeeded();
        }
    }

    #[test]
    fn what_is_no_socket_is_no_place_to_wait_for_a_server() {
        let t = start_test();
        let folder = t.temp_dir();
        let plain = folder.join("plain");
        fs::write(&plain, "text").unwrap();
        for scheme in ["unix", "ipc"] {
            let address = format!("{scheme}://{}", plain.display());
            for args in [
                &["send", &address, "x"][..],
                &["push", &address, "x"],
                &["req", &address, "x"],
            ] {
                says(&run(&t, args).failed(1), &["is not a socket"]);
            }
            run(&t, &["recv", &address]).failed(1);
        }
        assert_eq!(fs::read_to_string(plain).unwrap(), "text");
    }

    #[test]
    fn another_user_is_told_whose_it_is() {
        let t = start_test();
        let Some(program) = for_nobody(&t) else {
            eprintln!("skipped: only root can be another user");
            return;
        };
        for (scheme, size, verb) in [
            ("shm", &["--size", "4096"][..], &["read"][..]),
            ("sem", &[], &["wait", "-n"]),
            ("queue", &[], &["pull", "-n"]),
            ("mailbox", &[], &["read"]),
        ] {
            let address = format!("{scheme}://{}", t.name("theirs"));
            run(&t, &[&["create", &address], size].concat()).succeeded();
            for verb in [verb, &["stat"], &["rm"]] {
                let args = [&[verb[0], &address], &verb[1..]].concat();
                let said = t.run(&mut as_nobody(&program, &args)).failed(1);
                says(&said, &[&address, "another user", "--access everyone"]);
            }
            run(&t, &["rm", &address]).succeeded();
        }
    }
}
