//! Other programs under a test's watch. The program here is this test binary, run as what it is: a test harness.

use std::env;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};

use quintet_testkit::{Process, Role, Test, start};

quintet_testkit::peers!(lines);

/// Says what it is told, so that any program could write the lines.
fn lines(p: &mut Role) {
    loop {
        let line = p.listen();
        eprintln!("heard {line}");
        println!("heard {line}");
    }
}

fn harness(args: &[&str]) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(args);
    command
}

#[test]
fn a_program_runs_to_its_end() {
    let t = start();
    let output = t.run(&mut harness(&["--list"]));
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("peer_process: test"));
    assert!(output.stderr.is_empty());

    let output = t.run(&mut harness(&["--no-such-flag"]));
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-flag"));
}

#[test]
fn a_program_that_reads_no_input_may_be_given_some() {
    let t = start();
    let input = vec![b'x'; 1 << 20];
    assert!(
        t.run_with_input(&mut harness(&["--list"]), &input)
            .status
            .success()
    );
}

fn tell(process: &mut Process, line: &str) {
    let mut stdin = process.take_stdin().expect("a pipe");
    writeln!(stdin, "{line}").unwrap();
    // Left open, for its end would end the program.
    std::mem::forget(stdin);
}

#[test]
fn output_is_waited_for() {
    let t = start();
    let mut process = t.start_command(&mut Test::peer_command("lines", &[]));
    tell(&mut process, "one");
    process.wait_for_stdout("heard one");
    process.wait_for_stderr("heard one");
    assert!(process.stderr().contains("heard one"));
    assert!(process.try_exit().is_none());
    process.kill();
    assert!(process.try_exit().is_some());
}

#[test]
fn output_that_never_comes_is_an_error_when_the_program_ends() {
    let t = start();
    let process = t.start_command(&mut harness(&["--list"]));
    process.wait_for_stdout("peer_process");
    let work = AssertUnwindSafe(|| process.wait_for_stdout("no such test"));
    let text = catch_unwind(work).unwrap_err().downcast::<String>().unwrap();
    assert!(
        text.contains("\"no such test\"") && text.contains("peer_process: test"),
        "{text}"
    );
}

#[test]
fn a_child_started_otherwise_is_taken_over() {
    let t = start();
    let mut command = Test::peer_command("lines", &[]);
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut process = t.watch_child("a child", child);
    tell(&mut process, "two");
    process.wait_for_stderr("heard two");
    assert!(
        process.describe().contains("`a child` (pid "),
        "{}",
        process.describe()
    );
    assert!(process.stdout().is_empty());
}

#[test]
fn whatever_still_runs_is_ended_with_the_test() {
    let t = start();
    let mut processes: Vec<_> = (0..3)
        .map(|_| t.start_command(&mut Test::peer_command("lines", &[])))
        .collect();
    for process in &mut processes {
        tell(process, "three");
        process.wait_for_stdout("heard three");
    }
    drop(t);
    for process in &processes {
        assert!(process.try_exit().is_some(), "{}", process.describe());
    }
}
