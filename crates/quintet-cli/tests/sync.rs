//! `create`, `hold`, `wait`, `release`, `set`, `reset`; what `ls`, `stat` and `rm` make of such objects.

mod common;

use common::*;
use quintet::sync::{Event, Mutex, Reset, Semaphore};
use quintet_testkit::{Test, eventually, start as start_test};

fn name(t: &Test) -> String {
    t.name("sync")
}

#[test]
fn permits_are_waited_for_and_released() {
    let t = start_test();
    let name = name(&t);
    let semaphore = Semaphore::create_new(&*name, 1, 3).unwrap();
    let address = semaphore.address().to_string();
    run(&t, &["wait", &address]).succeeded_with("");
    // That nobody gives back.
    assert_eq!(semaphore.count().unwrap(), 0);
    for args in [
        &["-n"][..],
        &["--no-wait"],
        &["--timeout", "0"],
        &["--timeout", "20ms"],
    ] {
        let output = run(&t, &[&["wait", &address], args].concat());
        says(&output.failed(124), &[&address, "no permit came free"]);
    }
    let waiter = start(&t, &["wait", "--timeout", "1h", &address]);
    if cfg!(target_os = "linux") {
        eventually("it waits", || {
            json(&t, &["stat", "--json", &address])["waiting"] == 1
        });
    }
    run(&t, &["release", &address]).succeeded_with("0\n");
    waiter.wait_output().succeeded_with("");
    run(&t, &["release", &address, "2"]).succeeded_with("0\n");
    run(&t, &["release", &address]).succeeded_with("2\n");
    says(
        &run(&t, &["release", &address]).failed(1),
        &[&address, "maximum of 3"],
    );
    assert_eq!(semaphore.count().unwrap(), 3);
}

#[test]
fn events_are_set_waited_for_and_reset() {
    let t = start_test();
    let event = Event::create_new(&*name(&t), Reset::Auto).unwrap();
    let address = event.address().to_string();
    says(
        &run(&t, &["wait", "-n", &address]).failed(124),
        &[&address, "was not set"],
    );
    run(&t, &["set", &address]).succeeded_with("");
    run(&t, &["wait", &address]).succeeded_with("");
    assert!(!event.is_set().unwrap());
    run(&t, &["set", &address]).succeeded_with("");
    run(&t, &["reset", &address]).succeeded_with("");
    run(&t, &["wait", "--timeout", "0", &address]).failed(124);
    let waiter = start(&t, &["wait", &address]);
    run(&t, &["set", &address]).succeeded_with("");
    waiter.wait_output().succeeded_with("");

    let manual = Event::create_new(&*name(&t), Reset::Manual).unwrap();
    let address = manual.address().to_string();
    run(&t, &["set", &address]).succeeded_with("");
    for _ in 0..2 {
        run(&t, &["wait", "-n", &address]).succeeded_with("");
    }
}

#[test]
fn what_is_not_there_is_a_failure() {
    let t = start_test();
    let name = name(&t);
    for (verb, scheme) in [
        ("wait", "sem"),
        ("wait", "event"),
        ("release", "sem"),
        ("set", "event"),
        ("reset", "event"),
    ] {
        let address = format!("{scheme}://{name}");
        let why = run(&t, &[verb, &address]).failed(1);
        says(
            &why,
            &[&address, "there is none", &format!("`quintet hold {address}`")],
        );
        assert_eq!(why.contains("quintet create"), !cfg!(windows), "{why}");
    }
    for scheme in ["sem", "mutex", "event"] {
        let address = format!("{scheme}://{name}");
        says(&run(&t, &["stat", &address]).failed(1), &[&address]);
        says(&run(&t, &["rm", &address]).failed(1), &[&address]);
    }
}

#[test]
fn objects_are_held_until_interrupted() {
    let t = start_test();
    let name = name(&t);
    let [sem, mutex, event] = ["sem", "mutex", "event"].map(|scheme| format!("{scheme}://{name}-{scheme}"));
    let holder = start(
        &t,
        &[
            "hold", &sem, &mutex, &event, "--max", "5", "--count", "2", "--reset", "manual", "--set",
        ],
    );
    eventually("they are there", || {
        [&sem, &mutex, &event]
            .iter()
            .all(|address| run(&t, &["stat", address]).status.success())
    });
    let semaphore = Semaphore::open_existing(&*format!("{name}-sem")).unwrap();
    assert_eq!((semaphore.count().unwrap(), semaphore.maximum()), (2, 5));
    drop(semaphore);
    run(&t, &["release", &sem, "3"]).succeeded_with("2\n");
    run(&t, &["wait", "-n", &event]).succeeded_with("");
    interrupt(holder);
    for address in [&sem, &mutex, &event] {
        run(&t, &["stat", address]).failed(1);
    }
}

#[test]
fn objects_are_held_while_a_command_runs() {
    let t = start_test();
    let address = format!("event://{}", name(&t));
    let set = ["--", env!("CARGO_BIN_EXE_quintet"), "set", &address];
    run(&t, &[&["hold", &address][..], &set].concat()).succeeded_with("");
    run(&t, &["set", &address]).failed(1);
    let output = run(&t, &[&["hold", &address, "--"][..], &shell("exit 6")].concat());
    assert_eq!(output.failed(6), "");
    // One that is there is opened, if it is as it should be.
    let _event = Event::create_new(address.strip_prefix("event://").unwrap(), Reset::Auto).unwrap();
    run(&t, &[&["hold", &address][..], &set].concat()).succeeded_with("");
    let output = run(&t, &[&["hold", "--reset", "manual", &address][..], &set].concat());
    says(&output.failed(125), &[&address, "reset auto"]);
    says(
        &run(&t, &["hold", "--reset", "manual", &address]).failed(1),
        &[&address, "reset auto"],
    );
}

#[test]
fn options_of_the_address_are_flags_too() {
    let t = start_test();
    let sem = format!("sem://{}", name(&t));
    let event = format!("event://{}", name(&t));
    let stat = |address: &str, options: &[&str]| {
        let stat = ["--", env!("CARGO_BIN_EXE_quintet"), "stat", "--json", address];
        let printed = run(&t, &[&["hold"], options, &stat].concat()).succeeded();
        serde_json::from_str::<serde_json::Value>(&printed).unwrap()
    };
    let in_address = [format!("{sem}?max=4&count=1"), format!("{sem}?max=9&count=1")];
    for options in [
        &[&*in_address[0]][..],
        &[&sem, "--max", "4", "--count", "1"],
        // A flag wins.
        &[&in_address[1], "--max", "4"],
    ] {
        let shown = stat(&sem, options);
        assert_eq!(
            (&shown["maximum"], &shown["count"]),
            (&4.into(), &1.into()),
            "{shown}"
        );
    }
    let in_address = format!("{event}?reset=manual&set=true");
    for options in [&[&*in_address][..], &[&event, "--reset", "manual", "--set"]] {
        let shown = stat(&event, options);
        assert_eq!(
            (&shown["reset"], &shown["set"]),
            (&"manual".into(), &true.into()),
            "{shown}"
        );
    }
}

#[test]
fn who_has_what_is_shown() {
    let t = start_test();
    let me = std::process::id();
    let name = name(&t);
    let semaphore = Semaphore::create_new(&*name, 3, 3).unwrap();
    let permits = [semaphore.acquire().unwrap(), semaphore.acquire().unwrap()];
    let address = semaphore.address().to_string();
    let shown = json(&t, &["stat", "--json", &address]);
    assert_eq!(shown["count"], 1);
    assert_eq!(shown["maximum"], 3);
    if cfg!(target_os = "linux") {
        assert_eq!(shown["state"], "live");
        assert_eq!(shown["holders"][0]["pid"], me);
        let owner = &shown["owners"][0];
        assert_eq!((&owner["pid"], &owner["count"]), (&me.into(), &2.into()));
        let executable = std::env::current_exe().unwrap();
        assert_eq!(owner["executable"], executable.to_str().unwrap());
        // A semaphore notes the time when somebody else has to wait, which nobody has.
        assert!(owner["since"].is_null() || owner["since"].is_string(), "{shown}");
        assert_eq!(
            (&shown["waiting"], &shown["persistent"]),
            (&0.into(), &false.into())
        );
        says(
            &run(&t, &["stat", &address]).succeeded(),
            &[
                &format!("taken by:   pid {me} ({}), 2 permits", executable.display()),
                "waiting:    0",
            ],
        );
        let table = run(&t, &["ls", "sem"]).succeeded();
        let line = table.lines().find(|line| line.starts_with(&address)).unwrap();
        says(line, &["live", "1 of 3 free", &format!("pid {me}")]);
    }
    drop(permits);
    assert_eq!(
        listed(&t, &["ls", "sem", "--json"], &address).unwrap()["count"],
        3
    );
}

#[test]
fn a_locked_mutex_says_by_whom() {
    let t = start_test();
    let me = std::process::id();
    let mutex = Mutex::create_new(&*name(&t)).unwrap();
    let address = mutex.address().to_string();
    let line = |word: &str| {
        let table = run(&t, &["ls"]).succeeded();
        let line = table.lines().find(|line| line.starts_with(&address)).unwrap();
        says(line, &[word]);
    };
    assert_eq!(json(&t, &["stat", "--json", &address])["locked"], false);
    line("free");
    let guard = mutex.lock().unwrap();
    let shown = json(&t, &["stat", "--json", &address]);
    assert_eq!(shown["locked"], true);
    if cfg!(target_os = "linux") {
        assert_eq!(shown["owners"][0]["pid"], me);
        line(&format!("locked by pid {me}"));
        let waiter = start(&t, &["run", "--timeout", "1h", &address, "--", "true"]);
        eventually("it waits", || {
            json(&t, &["stat", "--json", &address])["waiting"] == 1
        });
        line(", 1 waits");
        drop(guard);
        waiter.wait_output().succeeded_with("");
    }
}

#[test]
fn an_event_says_what_it_is() {
    let t = start_test();
    let event = Event::create_new(&*name(&t), Reset::Manual).unwrap();
    let address = event.address().to_string();
    for set in [false, true] {
        let shown = json(&t, &["stat", "--json", &address]);
        assert_eq!((&shown["set"], &shown["reset"]), (&set.into(), &"manual".into()));
        assert!(shown["owners"].is_null());
        let table = run(&t, &["ls", "event"]).succeeded();
        let line = table.lines().find(|line| line.starts_with(&address)).unwrap();
        says(line, &[if set { "  set, manual" } else { "not set, manual" }]);
        event.set().unwrap();
    }
}

#[test]
fn what_makes_no_sense_is_2() {
    let t = start_test();
    for (args, why) in [
        // A verb that the scheme does not have.
        (&["send", "sem://x", "x"][..], "run, create, hold, wait, release"),
        (&["recv", "event://x"], "create, hold, wait, set, reset"),
        (&["wait", "mutex://x"], "give `run` the command"),
        (&["release", "mutex://x"], "`run` does both"),
        (&["release", "event://x"], "set, reset"),
        (&["set", "sem://x"], "release"),
        (&["reset", "mutex://x"], "run, create, hold"),
        (&["run", "event://x", "--", "x"], "`wait` for it"),
        (&["run", "pipe://x", "--", "x"], "send, recv"),
        (&["wait", "pipe://x"], "send, recv"),
        (&["create", "pipe://x"], "send, recv"),
        (&["hold", "sem://x", "pipe://x"], "send, recv"),
        (&["create", "fifo:///x"], "send, recv"),
        (&["create", "tls+tcp://localhost:1"], "it has pipe://"),
        // Counts.
        (&["create", "sem://x", "--max", "0"], "--max"),
        (&["create", "sem://x", "--max", "2147483648"], "--max"),
        (&["create", "sem://x?max=0"], "1 to 2147483647"),
        (&["run", "sem://x?max=0", "--", "x"], "1 to 2147483647"),
        (&["run", "sem://x?max=many", "--", "x"], "max"),
        (
            &["create", "sem://x", "--max", "3", "--count", "4"],
            "above the maximum",
        ),
        (
            &["run", "sem://x", "--count", "2", "--", "x"],
            "above the maximum",
        ),
        (&["release", "sem://x", "0"], "[N]"),
        (&["release", "sem://x", "-1"], "-1"),
        // Flags of another kind.
        (&["create", "mutex://x", "--max", "3"], "--max is for sem://"),
        (&["create", "event://x", "--count", "3"], "--count is for sem://"),
        (
            &["create", "sem://x", "--reset", "auto"],
            "--reset is for event://",
        ),
        (
            &["hold", "sem://x", "mutex://x", "--set"],
            "--set is for event://",
        ),
        (&["create", "mutex://x?max=3"], "max"),
        (&["create", "event://x", "--reset", "never"], "manual"),
        (&["create", "sem://x?persistent=false"], "quintet hold"),
        (&["wait", "sem://x?mxa=3"], "did you mean \"max\""),
        // What is missing, or too much.
        (&["run", "mutex://x"], "COMMAND"),
        (&["run", "mutex://x", "true"], "true"),
        (&["hold"], "ADDRESS"),
        (&["hold", "--", "true"], "ADDRESS"),
        (
            &["wait", "sem://x", "-n", "--timeout", "1"],
            "cannot be used with",
        ),
        (
            &["run", "--abandoned", "maybe", "mutex://x", "--", "x"],
            "continue",
        ),
        (&["run", "--timeout", "-1", "mutex://x", "--", "x"], "negative"),
    ] {
        let output = run(&t, args);
        assert!(output.stdout.is_empty());
        says(&output.failed(2), &[why, "--help"]);
    }
}

#[test]
#[cfg(not(target_os = "linux"))]
fn nothing_is_made_to_stay() {
    let t = start_test();
    let address = format!("sem://{}", name(&t));
    says(
        &run(&t, &["create", &address]).failed(2),
        &[&address, &format!("quintet hold {address}")],
    );
    run(&t, &["hold", "--persistent", &address]).failed(2);
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;

    #[test]
    fn what_is_created_stays_until_it_is_removed() {
        let t = start_test();
        let name = name(&t);
        for (scheme, options, shown) in [
            (
                "sem",
                &["--max", "3", "--count", "0"][..],
                "0 of 3 free, persistent",
            ),
            ("mutex", &[], "free, persistent"),
            (
                "event",
                &["--reset", "manual", "--set"],
                "set, manual reset, persistent",
            ),
        ] {
            let address = format!("{scheme}://{name}");
            run(&t, &[&["create", &address], options].concat()).succeeded_with("");
            says(
                &run(&t, &["create", &address]).failed(1),
                &[&address, "exists already"],
            );
            let table = run(&t, &["ls", scheme]).succeeded();
            let line = table.lines().find(|line| line.starts_with(&address)).unwrap();
            says(line, &["live", shown]);
            assert_eq!(
                listed(&t, &["ls", "--json"], &address).unwrap()["persistent"],
                true
            );
            run(&t, &["rm", &address]).succeeded_with("");
            says(
                &run(&t, &["rm", &address]).failed(1),
                &[&address, "there is none"],
            );
        }
    }

    #[test]
    fn what_somebody_holds_is_not_removed() {
        let t = start_test();
        let address = format!("sem://{}", name(&t));
        run(&t, &["create", &address]).succeeded_with("");
        let holder = start(&t, &["hold", &address]);
        eventually("it is held", || {
            json(&t, &["stat", "--json", &address])["holders"][0]["pid"] == holder.pid()
        });
        says(
            &run(&t, &["rm", &address]).failed(1),
            &[&address, "living process"],
        );
        interrupt(holder);
        run(&t, &["rm", &address]).succeeded_with("");
    }

    #[test]
    fn what_a_dead_process_left_is_shown_and_removed() {
        let t = start_test();
        let address = format!("mutex://{}", name(&t));
        let mut holder = start(&t, &["hold", &address]);
        eventually("it is there", || run(&t, &["stat", &address]).status.success());
        holder.kill();
        assert_eq!(json(&t, &["stat", "--json", &address])["state"], "stale");
        run(&t, &["rm", &address]).succeeded_with("");
    }
}
