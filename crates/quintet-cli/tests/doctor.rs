//! `doctor`, and `ls --watch`.

mod common;

use common::*;
use quintet::shm::Queue;
use quintet_testkit::{eventually, start as start_test, start_with_deadline};
use std::time::Duration;

/// What holds an object of each kind, as long as it lives.
const HOLDING: [(&str, &[&str]); 8] = [
    ("pipe", &["recv"]),
    ("queue", &["hold"]),
    ("topic", &["hold"]),
    ("mailbox", &["hold"]),
    ("shm", &["hold", "--size", "4096"]),
    ("sem", &["hold"]),
    ("mutex", &["hold"]),
    ("event", &["hold"]),
];

#[test]
fn what_the_killed_left_is_found_and_removed() {
    // So many processes take their time in an emulator on a loaded machine.
    let t = start_with_deadline(Duration::from_secs(240));
    for (scheme, command) in HOLDING {
        let address = format!("{scheme}://{}", t.name("left"));
        let mut holder = start(&t, &[command, &[&address]].concat());
        eventually("it is there", || run(&t, &["stat", &address]).status.success());
        // As long as it is held there is nothing to find.
        run(&t, &["doctor", "--fix", &address]).succeeded_with("");
        let shown = json(&t, &["stat", "--json", &address]);
        assert_eq!(shown["state"], "live");
        if cfg!(target_os = "linux") {
            // Also who only keeps it open.
            assert_eq!(shown["holders"][0]["pid"], holder.pid(), "{shown}");
        }

        holder.kill();
        if cfg!(windows) {
            // It went with its holder.
            eventually("it has gone", || !run(&t, &["stat", &address]).status.success());
            run(&t, &["doctor", "--fix", &address]).failed(1);
            continue;
        }
        let looked = run(&t, &["doctor", &address]);
        says(&looked.failed(1), &["1 object is stale", "--fix"]);
        let said = String::from_utf8(looked.stdout).unwrap();
        says(&said, &[&address, "stale: no ", "would be removed"]);
        // It only looked.
        let fixed = json(&t, &["doctor", "--fix", "--json", &address]);
        assert_eq!(fixed["stale"][0]["address"], address);
        assert_eq!(fixed["stale"][0]["state"], "stale");
        assert_eq!(fixed["stale"][0]["removed"], true);
        run(&t, &["stat", &address]).failed(1);
        nothing_is_left(&t);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_socket_that_the_killed_left_is_found_and_removed() {
    let t = start_test();
    let path = t.temp_dir().join(t.name("socket"));
    let address = format!("unix://{}", path.display());
    let mut listener = start(&t, &["recv", "--follow", &address]);
    eventually("it listens", || run(&t, &["stat", &address]).status.success());
    let shown = listed(&t, &["ls", "--json", "unix"], &address).expect("it is listed");
    assert_eq!(shown["state"], "live");
    assert_eq!(shown["holders"][0]["pid"], listener.pid());
    run(&t, &["doctor", "--fix", &address]).succeeded_with("");
    says(&run(&t, &["rm", &address]).failed(1), &["a server holds it"]);

    listener.kill();
    let looked = run(&t, &["doctor", &address]);
    says(&looked.failed(1), &["1 object is stale"]);
    let said = String::from_utf8(looked.stdout).unwrap();
    says(
        &said,
        &[&address, "stale: no process has the socket", "would be removed"],
    );
    assert!(path.exists());
    run(&t, &["doctor", "--fix", &address]).succeeded();
    assert!(!path.exists());
    run(&t, &["stat", &address]).failed(1);
    assert_eq!(listed(&t, &["ls", "--json", "unix"], &address), None);
}

/// Of a user of whom nobody else has windows: in a /dev/shm of its own.
#[cfg(target_os = "linux")]
#[test]
fn nothing_stays_of_windows_whose_processes_were_all_killed() {
    let t = start_test();
    let script = "mount -t tmpfs tmpfs /dev/shm || exit 77
        \"$0\" recv window://Killed &
        until \"$0\" find window://Killed > /dev/null 2>&1; do sleep 0.02; done
        ls /dev/shm/quintet-*/window-* > /dev/null || exit 1
        kill -9 $!
        wait $!
        \"$0\" doctor --fix > /dev/null || exit 1
        ls -A /dev/shm";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_quintet")]);
    let output = t.run(&mut command);
    // Only root can do that, and not in every container.
    if output.status.code() != Some(77) && !output.errors().contains("unshare") {
        assert!(output.status.success(), "{}", output.errors());
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_made_to_stay_stays() {
    let t = start_test();
    let address = format!("queue://{}", t.name("stays"));
    run(&t, &["create", &address]).succeeded();
    run(&t, &["doctor", "--fix", &address]).succeeded_with("");
    run(&t, &["rm", &address]).succeeded();
}

#[test]
fn what_is_not_there_is_said_so() {
    let t = start_test();
    let address = format!("queue://{}", t.name("none"));
    says(&run(&t, &["doctor", &address]).failed(1), &[&address, "none"]);
    run(&t, &["doctor", "tcp://localhost:1"]).failed(2);
}

/// Of the whole machine, where other tests leave things: whether something is stale does not matter here.
#[test]
fn limits_are_shown() {
    let t = start_test();
    let output = run(&t, &["doctor", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let limits = shown["limits"].as_array().unwrap();
    assert!(!limits.is_empty());
    for limit in limits {
        let is_low = ["value", "free"]
            .iter()
            .filter_map(|key| limit[key].as_u64())
            .any(|left| left < limit["enough"].as_u64().unwrap());
        assert_eq!(limit["low"], is_low, "{limit}");
        assert!(!limit["remedy"].as_str().unwrap().is_empty(), "{limit}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_low_limit_is_told_with_what_helps() {
    let t = start_test();
    let script = format!("ulimit -n 100 && exec {} doctor", env!("CARGO_BIN_EXE_quintet"));
    let output = t.run(std::process::Command::new("sh").args(["-c", &script]));
    let said = String::from_utf8(output.stdout).unwrap();
    let mut lines = said.lines().skip_while(|line| !line.contains("open files"));
    says(lines.next().unwrap(), &["low", "100 files"]);
    says(&lines.take(2).collect::<String>(), &["Full", "ulimit -n"]);
}

#[test]
fn watching_tells_who_comes_and_goes() {
    let t = start_test();
    let name = t.name("comes");
    let watch = start(&t, &["ls", "queue", "--watch", "--interval", "0.05", "--json"]);
    // It looks at what there is first.
    let before = Queue::create_new(t.name("before")).unwrap();
    watch.wait_for_stdout(&before.address().to_string());
    let queue = Queue::create_new(&*name).unwrap();
    let address = queue.address().to_string();
    watch.wait_for_stdout(&address);
    drop(queue);
    let events = || {
        let text = String::from_utf8_lossy(&watch.stdout()).into_owned();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole).to_owned();
        let events = whole.lines().map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        });
        events
            .filter(|event| event["address"] == address)
            .map(|event| event["event"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    eventually("it is told", || events().len() >= 2);
    assert_eq!(events(), ["come", "gone"]);
    interrupt(watch);
    run(&t, &["ls", "--interval", "1"]).failed(2);
}
