//! `quintet demo`.

mod common;

use common::*;
use quintet_testkit::{Process, Test, start as start_test};
use std::process::Command;

/// The first line that begins with this word.
fn line_of<'a>(who: &str, printed: &'a str) -> &'a str {
    let mut lines = printed.lines();
    lines.find(|line| line.starts_with(who)).expect("it says so")
}

/// The pid after this word.
fn pid_of(who: &str, printed: &str) -> u32 {
    let line = line_of(who, printed);
    let pid = line.split("(pid ").nth(1).and_then(|rest| rest.split(')').next());
    pid.expect("a pid").parse().expect("a number")
}

#[test]
fn it_shows_four_processes_and_a_table() {
    let t = start_test();
    let printed = run(&t, &["demo", "--messages", "1000"]).succeeded();
    assert_ne!(pid_of("main ", &printed), pid_of("worker ", &printed));
    says(
        &printed,
        &[
            "1,000 commands of 64 B",
            "100 frames 1920×1080 to both, at most 3 under way, no copies",
            "reader  has read 200 results, all of them right",
            "has told the main window: success; and was answered",
            "all 2,504 messages were what they should be",
            "messages",
            "bytes",
            "median",
            "99.9 %",
            "µs",
        ],
    );
    for line in printed.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    // One row for each line of what was sent, under the headings.
    let is_row = |line: &&str| {
        ["pipe ", "topic ", "queue ", "socket ", "window "]
            .iter()
            .any(|what| line.starts_with(what))
    };
    let rows: Vec<&str> = printed.lines().filter(is_row).collect();
    assert_eq!(rows.len(), 5, "{printed}");
    let orders = printed.lines().find(|line| line.starts_with("anonymous pipe "));
    let orders = orders.expect("a row of the anonymous pipe");
    let main = pid_of("main ", &printed);
    let addresses =
        ["pipe", "sem", "topic", "queue", "window"].map(|kind| format!("{kind}://quintet-demo-{main} "));
    let port = line_of("reader ", &printed).rsplit("tcp://").next().unwrap();
    let order = format!("results tcp://{port} {main}\n");
    let bytes = 2 * format!("{}0\n", addresses.concat()).len() + order.len();
    let words: Vec<&str> = orders.split_whitespace().skip(5).collect();
    assert_eq!(words, ["3", &bytes.to_string(), "B", "-", "-"], "{printed}");
    let heading = printed.lines().find(|line| line.contains("median")).unwrap();
    for row in rows.into_iter().chain([orders]) {
        assert_eq!(row.chars().count(), heading.chars().count(), "{printed}");
    }
    #[cfg(target_os = "linux")]
    nothing_is_left_of(pid_of("main ", &printed));
}

#[test]
fn a_worker_that_is_killed_with_permits_is_replaced() {
    let t = start_test();
    let printed = run(&t, &["demo", "--kill", "--messages", "1000"]).succeeded();
    says(
        &printed,
        &[
            "has 3 permits and a frame in its hands, and is killed",
            "was told that who had them died",
            "is told by the topic that this subscriber died; the other one is still there",
            "has used the place again of the frame that died with its worker",
            "reader  has read 201 results, all of them right",
            "all 2,507 messages were what they should be, and the worker that was killed",
        ],
    );
    let workers: Vec<&str> = printed
        .lines()
        .filter(|line| line.contains("has connected"))
        .collect();
    assert_eq!(workers.len(), 3, "{printed}");
    assert_ne!(workers[0], workers[2]);
    for line in printed.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    #[cfg(target_os = "linux")]
    nothing_is_left_of(pid_of("main ", &printed));
}

/// What a line says, whatever its numbers are.
#[cfg(target_os = "linux")]
fn without_numbers(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let is_number = word.chars().any(|c| c.is_ascii_digit());
        if is_number { "#" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// `cargo xtask picture` has drawn it from a demo that said what this one says.
#[cfg(target_os = "linux")]
#[test]
fn the_picture_in_the_documentation_is_of_this_demo() {
    let t = start_test();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/demo.svg");
    let picture = std::fs::read_to_string(path).unwrap();
    let mut shown = Vec::new();
    for line in picture.lines().filter(|line| line.starts_with("<text ")) {
        let text: String = line
            .split('<')
            .filter_map(|piece| piece.split_once('>'))
            .map(|(_, text)| text)
            .collect();
        shown.push(without_numbers(&text));
    }
    let printed = run(&t, &["demo", "--kill", "--messages", "100"]).succeeded();
    let said: Vec<_> = printed
        .lines()
        .map(without_numbers)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(shown[0], "$ quintet demo --kill");
    // Units of bytes differ with the number of messages: the table has its rows and columns in demo/table.rs.
    let until_table = |lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .take_while(|line| !line.contains("median"))
            .cloned()
            .collect()
    };
    assert_eq!(until_table(&shown[1..]), until_table(&said));
}

/// A demo in the middle of its exchange, too long to end by itself, and its worker's pid.
fn start_demo(t: &Test) -> (Process, u32) {
    let demo = start(t, &["demo", "--messages", "10000000"]);
    demo.wait_for_stdout("each answered");
    let worker = pid_of("worker ", &String::from_utf8(demo.stdout()).unwrap());
    (demo, worker)
}

/// The command that ends any process at once.
fn kill(pid: u32) -> Command {
    let pid = pid.to_string();
    if cfg!(windows) {
        let mut command = Command::new("taskkill");
        command.args(["/F", "/PID", &pid]);
        command
    } else {
        let mut command = Command::new("kill");
        command.args(["-9", &pid]);
        command
    }
}

#[test]
fn a_worker_that_is_killed_is_a_failure_and_no_hang() {
    let t = start_test();
    let (demo, worker) = start_demo(&t);
    assert!(t.run(&mut kill(worker)).status.success());
    let output = demo.wait_output();
    says(
        &output.failed(1),
        &[&format!(
            "the worker (pid {worker}) has ended in the middle of the demo"
        )],
    );
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed.ends_with("failed\n") && !printed.contains("median"),
        "{printed}"
    );
    #[cfg(target_os = "linux")]
    nothing_is_left_of(pid_of("main ", &printed));
}

#[cfg(target_os = "linux")]
const SHARED: [&str; 3] = ["sem", "topic", "queue"];

#[cfg(target_os = "linux")]
fn nothing_is_left_of(main: u32) {
    let name = format!("quintet-demo-{main}");
    for folder in [std::path::PathBuf::from("/dev/shm"), std::env::temp_dir()] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap().file_name().into_string().unwrap_or_default();
            assert!(!entry.ends_with(&name), "{entry}");
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;

    fn is_there(pid: u32) -> bool {
        std::path::Path::new(&format!("/proc/{pid}/exe")).exists()
    }

    #[test]
    fn a_main_process_that_is_killed_takes_its_worker_along() {
        let t = start_test();
        let (mut demo, worker) = start_demo(&t);
        let main = demo.pid();
        let reader = pid_of("reader ", &String::from_utf8(demo.stdout()).unwrap());
        demo.kill();
        quintet_testkit::eventually("the worker has ended", || !is_there(worker));
        quintet_testkit::eventually("the reader has ended", || !is_there(reader));
        // What was killed left its name, which is not one of this test's.
        run(&t, &["rm", &format!("pipe://quintet-demo-{main}")]).succeeded();
        // The worker may have closed these just before the kernel closed them for who was killed.
        for kind in SHARED {
            let _ = run(&t, &["rm", &format!("{kind}://quintet-demo-{main}")]);
        }
        nothing_is_left_of(main);
    }

    #[test]
    fn the_worker_is_told_the_address_by_the_pipe_alone() {
        let t = start_test();
        let (demo, worker) = start_demo(&t);
        for what in ["cmdline", "environ"] {
            let bytes = std::fs::read(format!("/proc/{worker}/{what}")).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("quintet-demo-"), "{what}: {text}");
        }
        interrupt(demo);
    }

    #[test]
    fn a_worker_without_orders_ends() {
        let t = start_test();
        // Its standard input is a pipe.
        let worker = |handle| {
            let mut command = quintet(&["demo", handle]);
            command.env("QUINTET_DEMO_WORKER", "1");
            command
        };
        for (input, code, why) in [
            ("", 1, "before it told"),
            ("pipe://x", 1, "before it told"),
            ("where?\n", 2, "no scheme"),
            ("pipe://x sem://x\n", 2, "no scheme"),
            (
                "pipe://x sem://x topic://x queue://x window://x\n",
                1,
                "which it is",
            ),
        ] {
            let output = t.run_with_input(&mut worker("0"), input.as_bytes());
            says(&output.failed(code), &[why]);
        }
        says(&t.run(&mut worker("77")).failed(1), &["77", "not inherited"]);
    }

    #[test]
    fn an_interrupt_leaves_nothing() {
        let t = start_test();
        let (demo, worker) = start_demo(&t);
        let main = demo.pid();
        interrupt(demo);
        quintet_testkit::eventually("the worker has ended", || !is_there(worker));
        nothing_is_left_of(main);
    }
}
