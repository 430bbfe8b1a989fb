//! `fifo://`: FIFO files, with other programs at the other end.
#![cfg(target_os = "linux")]

mod common;

use common::*;
use quintet::pipe::{Access, fifo};
use quintet_testkit::{Process, Test, eventually, start as start_test};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A place for a FIFO, and its address.
fn place(t: &Test) -> (PathBuf, String) {
    let path = t.temp_dir().join("fifo");
    let address = format!("fifo://{}", path.display());
    (path, address)
}

/// The same with the FIFO there.
fn made(t: &Test) -> (PathBuf, String) {
    let (path, address) = place(t);
    fifo::create(&path, Access::CurrentUser).unwrap();
    (path, address)
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// A shell that runs this script with the path as `$0`, once the FIFO is there: a shell would make a file of it.
fn shell(script: &str, path: &Path) -> Command {
    eventually("the FIFO is there", || is_there(path));
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(path);
    command
}

/// Writes as any program would, and closes.
fn write(t: &Test, path: &Path, text: impl AsRef<[u8]>) {
    t.run_with_input(&mut shell("exec cat > \"$0\"", path), text.as_ref())
        .succeeded();
}

/// A writer that goes on.
fn start_writer(t: &Test, path: &Path) -> (Process, std::process::ChildStdin) {
    let mut writer = t.start_command(&mut shell("exec cat > \"$0\"", path));
    let input = writer.take_stdin().unwrap();
    (writer, input)
}

/// Starts `recv` and lets `write` write: what it printed, after which there is no FIFO.
fn received(t: &Test, args: &[&str], write: impl FnOnce(&Path)) -> String {
    let (path, address) = place(t);
    let recv = start(t, &[&["recv", &address], args].concat());
    write(&path);
    let printed = recv.wait_output().succeeded();
    assert!(!is_there(&path), "{args:?}");
    printed
}

#[test]
fn recv_makes_the_fifo_and_removes_it() {
    let t = start_test();
    for (args, mode) in [(&[][..], 0o600), (&["--access", "everyone"], 0o666)] {
        let printed = received(&t, args, |path| {
            // It is made with some of the bits, and gets the rest.
            eventually("the FIFO has its mode", || {
                fs::symlink_metadata(path)
                    .is_ok_and(|meta| meta.file_type().is_fifo() && meta.permissions().mode() & 0o777 == mode)
            });
            write(&t, path, "hello\n");
        });
        assert_eq!(printed, "hello\n");
    }
}

#[test]
fn a_fifo_that_was_there_stays() {
    let t = start_test();
    let (path, address) = made(&t);
    for args in [
        &["recv", &address][..],
        &["recv", "--lines", "--count", "1", &address],
    ] {
        let recv = start(&t, args);
        write(&t, &path, "hello\n");
        assert_eq!(recv.wait_output().succeeded(), "hello\n");
        assert!(is_there(&path));
    }
    run(&t, &["recv", "--timeout", "0", &address]).failed(124);
    let recv = start(&t, &["recv", "--follow", &address]);
    write(&t, &path, "hello");
    recv.wait_for_stdout("hello");
    interrupt(recv);
    assert!(is_there(&path));
}

#[test]
fn recv_reads_until_all_writers_have_closed() {
    let t = start_test();
    let (path, address) = place(&t);
    let recv = start(&t, &["recv", &address]);
    let (first, mut input) = start_writer(&t, &path);
    input.write_all(b"one ").unwrap();
    recv.wait_for_stdout("one ");
    write(&t, &path, "two ");
    recv.wait_for_stdout("two ");
    input.write_all(b"three").unwrap();
    drop(input);
    first.wait_output().succeeded();
    assert_eq!(recv.wait_output().succeeded(), "one two three");
    assert!(!is_there(&path));
}

#[test]
fn bytes_come_as_they_are_both_ways() {
    let t = start_test();
    let (path, address) = place(&t);
    let bytes: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_be_bytes).collect();
    let (from, to) = (path.with_file_name("from"), path.with_file_name("to"));
    fs::write(&from, &bytes).unwrap();

    let recv = start(&t, &["recv", "--file", to.to_str().unwrap(), &address]);
    eventually("the FIFO is there", || is_there(&path));
    fs::write(&path, &bytes).unwrap();
    assert_eq!(recv.wait_output().succeeded(), "");
    assert!(fs::read(&to).unwrap() == bytes);

    fifo::create(&path, Access::CurrentUser).unwrap();
    let send = start(&t, &["send", "--file", from.to_str().unwrap(), &address]);
    assert!(fs::read(&path).unwrap() == bytes);
    send.wait_output().succeeded();

    let reader = t.start_command(Command::new("cat").arg(&path));
    run_with_input(&t, &["send", &address], "through cat").succeeded();
    assert_eq!(reader.wait_output().succeeded(), "through cat");
    // Who sends removes nothing.
    assert!(is_there(&path));
}

#[test]
fn send_waits_for_the_fifo_and_for_a_reader() {
    let t = start_test();
    let (path, address) = place(&t);
    let send = start(&t, &["send", &address, "hello"]);
    fifo::create(&path, Access::CurrentUser).unwrap();
    let reader = t.start_command(Command::new("cat").arg(&path));
    assert_eq!(reader.wait_output().succeeded(), "hello");
    send.wait_output().succeeded();
    // And both are this command, in either order.
    fs::remove_file(&path).unwrap();
    let send = start(&t, &["send", "--lines", &address, "hello"]);
    assert_eq!(
        run(&t, &["recv", "--format", "quoted", &address]).succeeded(),
        "\"hello\\n\"\n"
    );
    send.wait_output().succeeded();
    assert!(!is_there(&path));
}

#[test]
fn lines_are_sent_as_they_come() {
    let t = start_test();
    let (path, address) = made(&t);
    let reader = t.start_command(Command::new("cat").arg(&path));
    let mut sender = start_sender(&t, &[&address]);
    for line in ["one", "two"] {
        sender.line(line);
        reader.wait_for_stdout(line);
    }
    sender.finish();
    assert_eq!(reader.wait_output().succeeded(), "one\ntwo\n");
}

#[test]
fn follow_goes_on_with_further_writers() {
    let t = start_test();
    for args in [&["--lines"][..], &[]] {
        let (path, address) = place(&t);
        let recv = start(&t, &[&["recv", "--follow", &address], args].concat());
        write(&t, &path, "one\ntwo");
        recv.wait_for_stdout("two");
        write(&t, &path, "three\n");
        recv.wait_for_stdout("three\n");
        // One that says nothing is no reason to end.
        write(&t, &path, "");
        write(&t, &path, "four\n");
        recv.wait_for_stdout("four\n");
        let printed = String::from_utf8(interrupt(recv).stdout).unwrap();
        // The end of a writer is the end of its line; bytes are just bytes.
        let between = if args.is_empty() { "" } else { "\n" };
        assert_eq!(printed, format!("one\ntwo{between}three\nfour\n"));
        assert!(!is_there(&path));
    }
}

#[test]
fn nothing_is_lost_between_writers() {
    let t = start_test();
    let (path, address) = place(&t);
    let recv = start(&t, &["recv", "--follow", "--lines", &address]);
    let script = "for n in $(seq 500); do echo $n > \"$0\"; done";
    t.run(&mut shell(script, &path)).succeeded();
    recv.wait_for_stdout("\n500\n");
    let printed = String::from_utf8(interrupt(recv).stdout).unwrap();
    let expected: String = (1..=500).map(|n| format!("{n}\n")).collect();
    assert_eq!(printed, expected);
}

#[test]
fn count_counts_lines_of_all_writers() {
    let t = start_test();
    let printed = received(&t, &["--lines", "--count", "3"], |path| {
        write(&t, path, "one\n");
        write(&t, path, "two\nthree\nfour\n");
    });
    assert_eq!(printed, "one\ntwo\nthree\n");
}

#[test]
fn records_are_printed_as_on_pipes() {
    let t = start_test();
    let printed = received(&t, &["--lines", "--json"], |path| write(&t, path, "one\nzwei\n"));
    let records: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let found: Vec<_> = records
        .iter()
        .map(|record| {
            assert!(record.get("sender").is_none(), "{record}");
            assert!(record["time"].is_string(), "{record}");
            (&record["sequence"], &record["length"], &record["text"])
        })
        .map(|(sequence, length, text)| (sequence.as_u64(), length.as_u64(), text.as_str()))
        .collect();
    assert_eq!(
        found,
        [(Some(1), Some(3), Some("one")), (Some(2), Some(4), Some("zwei"))]
    );

    let printed = received(&t, &["--format", "hex"], |path| write(&t, path, b"\xff\0"));
    assert_eq!(printed, "ff00\n");
    let gb18030 = b"\xb3\xc9\xb9\xa6";
    let printed = received(&t, &["--encoding", "gb18030"], |path| write(&t, path, gb18030));
    assert_eq!(printed, "成功");
    let (path, address) = made(&t);
    let send = start(&t, &["send", "--encoding", "gb18030", &address, "成功"]);
    assert_eq!(fs::read(&path).unwrap(), gb18030);
    send.wait_output().succeeded();
}

#[test]
fn a_deadline_is_124_and_leaves_nothing() {
    let t = start_test();
    let (path, address) = place(&t);
    for (args, why) in [
        (&["recv", "--timeout", "0"][..], "nobody wrote"),
        (&["recv", "--timeout", "0.02"], "nobody wrote"),
        (&["recv", "--follow", "--timeout", "0.02"], "nobody wrote"),
        (
            &["recv", "--follow", "--lines", "--timeout", "20ms"],
            "nobody wrote",
        ),
        (&["send", "--timeout", "0"], "there is no FIFO"),
        (&["send", "--timeout", "0.02"], "there is no FIFO"),
    ] {
        let output = run(&t, &[args, &[&address]].concat());
        says(&output.failed(124), &[path.to_str().unwrap(), why]);
        assert!(!is_there(&path), "{args:?}");
    }
    // In the middle: the writer does not close.
    let (path, address) = made(&t);
    let mut held = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    held.write_all(b"x").unwrap();
    let output = run(&t, &["recv", "--timeout", "0.1", &address]);
    says(&output.failed(124), &[path.to_str().unwrap(), "nothing came"]);
    assert_eq!(output.stdout, b"x");
}

#[test]
fn a_sender_without_a_reader_ends_by_its_deadline() {
    let t = start_test();
    let (path, address) = made(&t);
    let output = run(&t, &["send", "--timeout", "0.02", &address]);
    says(
        &output.failed(124),
        &[path.to_str().unwrap(), "nobody has opened"],
    );
    // In the middle: the reader does not read.
    let _held = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let large = vec![b'x'; 1 << 20];
    let output = run_with_input(&t, &["send", "--timeout", "0.1", &address], &large);
    says(&output.failed(124), &[path.to_str().unwrap(), "made no room"]);
}

#[test]
fn a_reader_that_goes_is_a_failure() {
    let t = start_test();
    let (path, address) = made(&t);
    let mut reader = t.start_command(Command::new("head").args(["-c", "1"]).arg(&path));
    let send = start(&t, &["send", &address, "--file", "/dev/zero"]);
    says(
        &send.wait_output().failed(1),
        &[path.to_str().unwrap(), "nobody reads"],
    );
    reader.kill();
}

#[test]
fn what_is_no_fifo_is_left_alone() {
    let t = start_test();
    let folder = t.temp_dir();
    let file = folder.join("file");
    fs::write(&file, "precious").unwrap();
    for path in [&file, &folder] {
        let address = format!("fifo://{}", path.display());
        for args in [
            &["recv", &address][..],
            &["recv", "--follow", &address],
            &["send", &address, "x"],
        ] {
            says(&run(&t, args).failed(1), &[path.to_str().unwrap()]);
        }
    }
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    let nowhere = format!("fifo://{}/missing/fifo", folder.display());
    says(&run(&t, &["recv", &nowhere]).failed(1), &["missing"]);
}

#[test]
fn a_signal_removes_what_was_made() {
    let t = start_test();
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        for args in [&[][..], &["--follow", "--lines"]] {
            let (path, address) = place(&t);
            let args = [&["recv", &address], args].concat();
            // While it waits for a writer.
            let recv = start(&t, &args);
            eventually("the FIFO is there", || is_there(&path));
            recv.signal(signal);
            recv.wait_output().failed(130);
            assert!(!is_there(&path), "{args:?}");
            // In the middle.
            let recv = start(&t, &args);
            let (mut writer, mut input) = start_writer(&t, &path);
            writeln!(input, "it goes on").unwrap();
            recv.wait_for_stdout("it goes on");
            recv.signal(signal);
            recv.wait_output().failed(130);
            assert!(!is_there(&path), "{args:?}");
            writer.kill();
        }
    }
}

#[test]
fn what_took_its_place_is_left_alone() {
    let t = start_test();
    let (path, address) = place(&t);
    let recv = start(&t, &["recv", "--follow", &address]);
    write(&t, &path, "it is made");
    recv.wait_for_stdout("it is made");
    fs::remove_file(&path).unwrap();
    fifo::create(&path, Access::CurrentUser).unwrap();
    interrupt(recv);
    assert!(is_there(&path));
}

#[test]
fn a_failure_removes_what_was_made() {
    let t = start_test();
    let (path, address) = place(&t);
    let failing = |args: &[&str], text: &str, why: &str| {
        let recv = start(&t, &[&["recv", &address], args].concat());
        write(&t, &path, text);
        says(&recv.wait_output().failed(1), &[why]);
        assert!(!is_there(&path), "{args:?}");
    };
    failing(&["--file", "/dev/full"], "x", "cannot write the output");
    failing(
        &["--follow", "--file", "/dev/full"],
        "x",
        "cannot write the output",
    );
    // Whose line it is, nobody can tell; so it is not one writer's trouble.
    for args in [
        &["--lines", "--max-message", "3"][..],
        &["--lines", "--follow", "--max-message", "3"],
    ] {
        failing(args, "four", "--max-message");
    }
    let output = run(&t, &["recv", "--file", "/nowhere/at/all", &address]);
    says(&output.failed(1), &["/nowhere/at/all"]);
    assert!(!is_there(&path));
}

#[test]
fn what_makes_no_sense_is_2() {
    let t = start_test();
    let (path, address) = place(&t);
    let odd_option = format!("{address}?mode=byte");
    let odd_access = format!("{address}?access=mine");
    let odd_limit = format!("{address}?max_message=0");
    for (args, why) in [
        (&["recv", "--listen", &address][..], "--listen"),
        (&["recv", "--connect", &address], "--connect"),
        (&["recv", "--mode", "byte", &address], "--mode"),
        (&["recv", "--direction", "in", &address], "--direction"),
        (&["recv", "--max-instances", "2", &address], "--max-instances"),
        (&["recv", "--in-buffer", "2", &address], "--in-buffer"),
        (&["send", "--out-buffer", "2", &address, "x"], "--out-buffer"),
        (
            &["send", "--connect-timeout", "2", &address, "x"],
            "--connect-timeout",
        ),
        (&["send", "--listen", &address, "x"], "--listen"),
        (&["send", "--mode", "message", &address, "x"], "--mode"),
        (&["send", "--follow", &address, "x"], "--follow"),
        (&["recv", "--count", "2", &address], "add --lines"),
        (&["recv", "--format", "lines", &address], "add --lines"),
        (&["send", "--count", "2", &address, "x"], "add --lines"),
        (&["recv", &odd_option], "no option \"mode\""),
        (&["recv", &odd_access], "access"),
        (&["recv", &odd_limit], "max_message"),
        (&["recv", "fifo://f"], "fifo:///PATH"),
        (&["stat", &address], "it is a file"),
        (&["rm", &address], "which has send, recv"),
        (&["ls", "fifo"], "pipe"),
    ] {
        let output = run(&t, args);
        assert!(output.stdout.is_empty());
        let errors = output.failed(2);
        says(&errors, &[why, "--help"]);
        assert!(!errors.contains("or --mode"), "{errors}");
        assert!(!is_there(&path), "{args:?}");
    }
    // What an address may say as well.
    let options = format!("{address}?access=everyone&max_message=100");
    let recv = start(&t, &["recv", "--lines", &options]);
    write(&t, &path, "hello\n");
    assert_eq!(recv.wait_output().succeeded(), "hello\n");
}
