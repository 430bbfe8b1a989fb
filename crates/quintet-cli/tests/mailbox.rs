//! Mailboxes: `write` and `read`, which waits if it is asked to; `hz`; what `create`, `hold`, `ls`, `stat` and `rm` make of them.

mod common;

use common::*;
use quintet::shm::Mailbox;
use quintet_testkit::{Process, Test, eventually, start as start_test};
use serde_json::Value;
use std::fs;
use std::io::Write;

fn address(t: &Test) -> String {
    format!("mailbox://{}", t.name("mailbox"))
}

/// A mailbox that the test itself has open, for values of up to `size` bytes.
fn mailbox_for(t: &Test, size: u64) -> (Mailbox, String) {
    let builder = Mailbox::builder(&*t.name("mailbox")).unwrap();
    let mailbox = builder.size(size).create_new().unwrap();
    let address = mailbox.address().to_string();
    (mailbox, address)
}

fn mailbox(t: &Test) -> (Mailbox, String) {
    mailbox_for(t, 4096)
}

fn newest(mailbox: &Mailbox) -> Option<(u64, Vec<u8>)> {
    let mut value = Vec::new();
    let reading = mailbox.reader().unwrap().read(&mut value).unwrap()?;
    Some((reading.sequence, value))
}

fn write(mailbox: &Mailbox, value: impl AsRef<[u8]>) {
    mailbox.writer().unwrap().write(value).unwrap();
}

/// The records that were printed with --json.
#[track_caller]
fn records(printed: &[u8]) -> Vec<Value> {
    let printed = std::str::from_utf8(printed).unwrap();
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    printed.lines().map(parse).collect()
}

/// Starts `write --lines`, and waits until it is the writer.
#[track_caller]
fn start_writer(t: &Test, mailbox: &Mailbox) -> (Process, std::process::ChildStdin) {
    let mut writer = start(t, &["write", "--lines", &mailbox.address().to_string()]);
    eventually("it is the writer", || mailbox.stats().has_writer);
    let stdin = writer.take_stdin().unwrap();
    (writer, stdin)
}

#[test]
fn what_was_written_last_is_read_as_often_as_one_likes() {
    let t = start_test();
    let (mailbox, address) = mailbox(&t);
    for text in ["one", "a longer one", "", "x"] {
        run(&t, &["write", &address, text]).succeeded_with("");
        for _ in 0..2 {
            run(&t, &["read", &address]).succeeded_with(text);
        }
    }
    run(&t, &["write", &address, "--", "-end"]).succeeded_with("");
    run(&t, &["read", &address]).succeeded_with("-end");
    assert_eq!(mailbox.stats().sequence, 5);
}

#[test]
fn data_comes_from_where_it_is_said() {
    let t = start_test();
    let (mailbox, address) = mailbox(&t);
    let file = t.temp_dir().join("file");
    fs::write(&file, "a\nb\n").unwrap();
    let file = file.to_str().unwrap();
    run(&t, &["write", &address, "--file", file]).succeeded_with("");
    assert_eq!(newest(&mailbox), Some((1, b"a\nb\n".to_vec())));
    run_with_input(&t, &["write", &address], b"\0\xff\n").succeeded_with("");
    assert_eq!(newest(&mailbox), Some((2, b"\0\xff\n".to_vec())));
    run(&t, &["write", &address, "--encoding", "gbk", "成功"]).succeeded_with("");
    assert_eq!(newest(&mailbox), Some((3, b"\xb3\xc9\xb9\xa6".to_vec())));
    run(&t, &["read", &address, "--encoding", "gbk"]).succeeded_with("成功");
    // Each line by itself; the last may lack its newline.
    run(&t, &["write", "--lines", &address, "--file", file]).succeeded_with("");
    assert_eq!(newest(&mailbox), Some((5, b"b".to_vec())));
    run_with_input(&t, &["write", "--lines", &address], "c\r\n\nd").succeeded_with("");
    assert_eq!(newest(&mailbox), Some((8, b"d".to_vec())));
    let encoded = ["write", "--lines", &address, "--encoding", "utf-16le"];
    run_with_input(&t, &encoded, "e\r\n").succeeded_with("");
    assert_eq!(newest(&mailbox), Some((9, b"e\0".to_vec())));
    // Nothing is no value.
    run_with_input(&t, &["write", "--lines", &address], "").succeeded_with("");
    assert_eq!(mailbox.stats().sequence, 9);
    let none = t.temp_dir().join("none");
    let none = none.to_str().unwrap();
    for lines in [&[][..], &["--lines"]] {
        let args = [&["write", &address, "--file", none], lines].concat();
        says(&run(&t, &args).failed(1), &[none]);
    }
    assert_eq!(mailbox.stats().sequence, 9);
}

#[test]
fn a_value_is_printed_in_each_format() {
    let t = start_test();
    let (mailbox, address) = mailbox(&t);
    write(&mailbox, b"first");
    write(&mailbox, b"a\n\xff");
    for (format, printed) in [
        ("raw", &b"a\n\xff"[..]),
        ("lines", b"a\n\xff\n"),
        ("quoted", b"\"a\\n\\xff\"\n"),
        ("hex", b"610aff\n"),
    ] {
        let output = run(&t, &["read", "--format", format, &address]);
        assert_eq!(output.stdout, printed, "{format}: {}", output.errors());
    }
    let file = t.temp_dir().join("value");
    run(&t, &["read", &address, "-o", file.to_str().unwrap()]).succeeded_with("");
    assert_eq!(fs::read(&file).unwrap(), b"a\n\xff");
    let record = &json(&t, &["read", "--json", &address]);
    let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["time", "sequence", "length", "age_s", "hex"]);
    assert_eq!(
        (&record["sequence"], &record["length"], &record["hex"]),
        (&2.into(), &3.into(), &"610aff".into())
    );
    assert!(record["age_s"].as_f64().unwrap() >= 0.0, "{record}");
    write(&mailbox, "x");
    assert_eq!(json(&t, &["read", "--json", &address])["text"], "x");
}

#[test]
fn a_part_of_it_is_read() {
    let t = start_test();
    let (mailbox, address) = mailbox(&t);
    write(&mailbox, "x=120 y=45");
    let read = |args: &[&str]| run(&t, &[&["read", &address], args].concat());
    read(&["--offset", "6"]).succeeded_with("y=45");
    read(&["--offset", "2", "--len", "3"]).succeeded_with("120");
    read(&["--offset", "10"]).succeeded_with("");
    read(&["--len", "0", "--format", "quoted"]).succeeded_with("\"\"\n");
    let file = t.temp_dir().join("never");
    for args in [
        &["--offset", "11"][..],
        &["--len", "11"],
        &["--offset", "1", "--len", "10"],
        &["--offset", "10", "--len", "18446744073709551615"],
        &["--offset", "18446744073709551615", "--len", "1"],
        &["--image", "11x1:gray8"],
        &["--image", "2147483647x2147483647:bgr8"],
    ] {
        let output = read(&[args, &["--file", file.to_str().unwrap()]].concat());
        says(&output.failed(1), &[&address, "beyond the value's length of 10"]);
    }
    assert!(!file.exists());
    // Of each: until one is too short.
    let follower = start(
        &t,
        &["read", "--follow", "--offset", "2", "--format", "lines", &address],
    );
    follower.wait_for_stdout("120 y=45\n");
    write(&mailbox, "x");
    says(
        &follower.wait_output().failed(1),
        &["beyond the value's length of 1"],
    );
}

#[test]
fn before_the_first_value_there_is_none() {
    let t = start_test();
    let (_mailbox, address) = mailbox(&t);
    let file = t.temp_dir().join("never");
    let path = file.to_str().unwrap();
    for args in [&[][..], &["--json"], &["--image", "1x1:gray8"]] {
        let output = run(&t, &[&["read", &address, "-o", path], args].concat());
        says(
            &output.failed(1),
            &[&address, "nothing was written yet", "--timeout", "--count"],
        );
    }
    for args in [
        &["--timeout", "0"][..],
        &["--timeout", "20ms"],
        &["--timeout", "20ms", "--count", "3"],
        &["--timeout", "20ms", "--follow", "--json"],
        &["--timeout", "0", "--image", "1x1:gray8"],
    ] {
        let output = run(&t, &[&["read", &address, "-o", path], args].concat());
        says(&output.failed(124), &[&address, "nothing was written in time"]);
    }
    assert!(!file.exists());
}

#[test]
fn who_is_asked_to_waits_for_the_first() {
    let t = start_test();
    for args in [
        &["--timeout", "1h"][..],
        &["--count", "1"],
        &["--count", "1", "--timeout", "1h"],
    ] {
        let (mailbox, address) = mailbox(&t);
        let reader = start(&t, &[&["read", &address], args].concat());
        eventually("it is there", || mailbox.stats().readers == 1);
        assert_eq!(reader.try_exit(), None);
        run(&t, &["write", &address, "first"]).succeeded_with("");
        reader.wait_output().succeeded_with("first");
        // If there is one, nobody waits.
        run(&t, &[&["read", &address], args].concat()).succeeded_with("first");
    }
}

#[test]
fn so_many_values_are_read_each_newer_than_the_one_before() {
    let t = start_test();
    let (mailbox, address) = mailbox(&t);
    write(&mailbox, "old");
    write(&mailbox, "newest");
    let args = ["read", "--count", "3", "--format", "lines", &address];
    let reader = start(&t, &args);
    reader.wait_for_stdout("newest\n");
    for (value, printed) in [("a", "newest\na\n"), ("b", "newest\na\nb\n")] {
        run(&t, &["write", &address, value]).succeeded_with("");
        reader.wait_for_stdout(printed);
    }
    reader.wait_output().succeeded_with("newest\na\nb\n");
    // The deadline is that of all of them, and what came before it counts.
    let late = run(&t, &["read", "--count", "2", "--timeout", "20ms", &address]);
    assert_eq!(late.stdout, b"b");
    says(&late.failed(124), &[&address, "no newer value"]);
}

#[test]
fn a_follower_sees_whole_values_in_their_order_and_the_last_one() {
    let t = start_test();
    let (mailbox, address) = mailbox_for(&t, 20_000);
    let followers: Vec<Process> = (0..2)
        .map(|_| start(&t, &["read", "--follow", "--json", &address]))
        .collect();
    eventually("they are there", || mailbox.stats().readers == 2);
    // Of a value one can see whether it is whole.
    let value = |n: usize| format!("{n} ").repeat(n % 40 * 70 + 1);
    let input: String = (1..=400).map(|n| value(n) + "\n").collect();
    run_with_input(&t, &["write", "--lines", &address], &input).succeeded_with("");
    for follower in followers {
        follower.wait_for_stdout("\"sequence\":400,");
        follower.wait_for_stdout(&format!("\"text\":\"{}\"}}\n", value(400)));
        let printed = interrupt(follower).stdout;
        let mut before = 0;
        for record in records(&printed) {
            let sequence = record["sequence"].as_u64().unwrap();
            assert!(sequence > before, "{sequence} after {before}");
            before = sequence;
            let text = value(usize::try_from(sequence).unwrap());
            assert!(record["text"] == text, "value {sequence} is not whole");
            assert_eq!(record["length"], text.len());
        }
        assert_eq!(before, 400);
    }
}

/// A stopped process makes it certain that values come which nobody reads.
#[cfg(target_os = "linux")]
#[test]
fn what_is_overwritten_before_it_is_read_is_skipped() {
    let t = start_test();
    let (mailbox, address) = mailbox(&t);
    write(&mailbox, "one");
    let follower = start(&t, &["read", "--follow", "--format", "lines", &address]);
    follower.wait_for_stdout("one\n");
    follower.stop();
    run_with_input(&t, &["write", "--lines", &address], "two\nthree\nfour\n").succeeded_with("");
    follower.cont();
    follower.wait_for_stdout("four\n");
    assert_eq!(interrupt(follower).stdout, b"one\nfour\n");
}

#[test]
fn the_next_writer_goes_on_where_one_was_killed() {
    let t = start_test();
    let (mailbox, address) = mailbox(&t);
    let follower = start(&t, &["read", "--follow", "--json", &address]);
    let (mut writer, mut stdin) = start_writer(&t, &mailbox);
    stdin.write_all(b"one\nhalf a line, which is n").unwrap();
    follower.wait_for_stdout("\"text\":\"one\"}\n");
    writer.kill();
    assert_eq!(newest(&mailbox), Some((1, b"one".to_vec())));
    run(&t, &["write", &address, "two"]).succeeded_with("");
    follower.wait_for_stdout("\"text\":\"two\"}\n");
    let (writer, mut stdin) = start_writer(&t, &mailbox);
    stdin.write_all(b"three\n").unwrap();
    follower.wait_for_stdout("\"text\":\"three\"}\n");
    drop(stdin);
    writer.wait_output().succeeded_with("");
    let records = records(&interrupt(follower).stdout);
    let numbers: Vec<_> = records.iter().map(|record| record["sequence"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3)]);
}

#[test]
fn there_is_one_writer_at_a_time() {
    let t = start_test();
    let (mailbox, address) = mailbox(&t);
    let (writer, mut stdin) = start_writer(&t, &mailbox);
    stdin.write_all(b"its\n").unwrap();
    eventually("it is written", || mailbox.stats().sequence == 1);
    for args in [&["write", &address, "x"][..], &["write", "--lines", &address]] {
        let output = run(&t, args);
        says(&output.failed(1), &[&address, "it has a writer"]);
    }
    for time in ["0", "20ms"] {
        let late = run(&t, &["write", "--timeout", time, &address, "x"]);
        says(&late.failed(124), &[&address, "it has a writer"]);
    }
    let shown = json(&t, &["stat", "--json", &address]);
    if cfg!(target_os = "linux") {
        assert_eq!(shown["writer"], writer.pid(), "{shown}");
        let line = run(&t, &["ls", "mailbox"]).succeeded();
        says(&line, &[&format!("writer {}", writer.pid())]);
    } else {
        assert!(!shown["writer"].is_null(), "{shown}");
    }
    run(&t, &["read", &address]).succeeded_with("its");
    let next = start(&t, &["write", "--timeout", "1h", &address, "next"]);
    assert_eq!(next.try_exit(), None);
    drop(stdin);
    writer.wait_output().succeeded_with("");
    next.wait_output().succeeded_with("");
    assert_eq!(newest(&mailbox), Some((2, b"next".to_vec())));
    // Data that does not come is waited for no longer.
    for lines in [&[][..], &["--lines"]] {
        let slow = start(&t, &[&["write", "--timeout", "20ms", &address], lines].concat());
        slow.wait_exit();
        says(&slow.wait_output().failed(124), &["before the deadline"]);
    }
    assert_eq!(mailbox.stats().sequence, 2);
}

#[test]
fn who_has_not_read_its_data_yet_is_in_nobodys_way() {
    let t = start_test();
    let (mailbox, address) = mailbox(&t);
    let mut slow = start(&t, &["write", &address]);
    let mut stdin = slow.take_stdin().unwrap();
    stdin.write_all(b"slow").unwrap();
    run(&t, &["write", &address, "quick"]).succeeded_with("");
    assert_eq!(newest(&mailbox), Some((1, b"quick".to_vec())));
    drop(stdin);
    slow.wait_output().succeeded_with("");
    assert_eq!(newest(&mailbox), Some((2, b"slow".to_vec())));
}

#[test]
fn a_value_that_is_too_long_is_1_and_the_one_before_stays() {
    let t = start_test();
    let (mailbox, address) = mailbox_for(&t, 8);
    write(&mailbox, "before");
    let words = [&*address, "more than 8 bytes", "--size"];
    let file = t.temp_dir().join("long");
    fs::write(&file, "123456789").unwrap();
    let file = file.to_str().unwrap();
    for args in [
        &["123456789"][..],
        &["--file", file],
        &["--lines", "--file", file],
        &["12345", "--encoding", "utf-16le"],
        &["--lines", "--encoding", "utf-16le", "--file", file],
    ] {
        says(&run(&t, &[&["write", &address], args].concat()).failed(1), &words);
    }
    let much = "x".repeat(100_000);
    for args in [&["write", &address][..], &["write", "--lines", &address]] {
        says(&run_with_input(&t, args, &much).failed(1), &words);
    }
    assert_eq!(newest(&mailbox), Some((1, b"before".to_vec())));
    // Lines before one that is too long are written.
    let lines = run_with_input(
        &t,
        &["write", "--lines", &address],
        "12345678\r\n123456789\nnever\n",
    );
    says(&lines.failed(1), &words);
    assert_eq!(newest(&mailbox), Some((2, b"12345678".to_vec())));
    // What is longer in UTF-8 than there is room fits.
    let gbk = ["write", "--encoding", "gb18030", &address];
    run_with_input(&t, &gbk, "成功成功").succeeded_with("");
    let gbk = ["write", "--lines", "--encoding", "gb18030", &address];
    run_with_input(&t, &gbk, "成功成功\n").succeeded_with("");
    assert_eq!(mailbox.stats().len, 8);
}

#[test]
fn a_frame_is_saved_as_a_picture() {
    let t = start_test();
    let (mailbox, address) = mailbox(&t);
    let file = t.temp_dir().join("f.png");
    let path = file.to_str().unwrap();
    let pixels: Vec<u8> = (0..12 * 7 * 3).map(|at| (at * 37 % 251) as u8).collect();
    write(&mailbox, &pixels);
    run(&t, &["read", &address, "--image", "12x7:rgb8", "-o", path]).succeeded_with("");
    let mut reader = png::Decoder::new(fs::File::open(&file).map(std::io::BufReader::new).unwrap())
        .read_info()
        .unwrap();
    let mut decoded = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut decoded).unwrap();
    assert_eq!((info.width, info.height), (12, 7));
    assert!(decoded == pixels);
    // Behind something else, and as soon as there is one.
    let saved = fs::read(&file).unwrap();
    let other = Mailbox::create_new(&*t.name("other")).unwrap();
    let address = other.address().to_string();
    let picture = ["--offset", "5", "--image", "12x7:rgb8"];
    let waiting = start(
        &t,
        &[&["read", "--timeout", "1h", &address], &picture[..]].concat(),
    );
    eventually("it is there", || other.stats().readers == 1);
    write(&other, [&b"12345"[..], &pixels].concat());
    let printed = waiting.wait_output();
    assert!(printed.status.success() && printed.stdout == saved);
}

#[test]
fn what_is_not_there_is_not_made() {
    let t = start_test();
    let address = address(&t);
    let hint = format!("quintet hold {address}");
    for args in [
        &["read", &address][..],
        &["read", "--follow", &address],
        &["read", "--timeout", "0", &address],
        &["write", &address, "x"],
        &["write", "--lines", &address],
    ] {
        let errors = run(&t, args).failed(1);
        says(&errors, &[&address, "there is none", &hint]);
        if cfg!(target_os = "linux") {
            says(&errors, &[&format!("quintet create {address}")]);
        }
    }
    for verb in ["stat", "rm", "hz"] {
        says(
            &run(&t, &[verb, &address]).failed(1),
            &[&address, "there is none"],
        );
    }
    nothing_is_left(&t);
}

#[test]
fn it_is_held_while_others_use_it() {
    let t = start_test();
    let address = address(&t);
    let in_address = format!("{address}?size=1000&in_place=0");
    for args in [
        &[&*address, "--size", "1000", "--in-place", "0"][..],
        &[&in_address],
    ] {
        let holder = start(&t, &[&["hold"], args].concat());
        eventually("it is there", || run(&t, &["stat", &address]).status.success());
        let shown = json(&t, &["stat", "--json", &address]);
        for (key, value) in [
            ("sequence", 0),
            ("length", 0),
            ("readers", 0),
            ("read_in_place", 0),
            ("max_in_place", 0),
            ("max_value", 1000),
        ] {
            assert_eq!(shown[key], value, "{key}: {shown}");
        }
        for key in ["writer", "age_s"] {
            assert!(shown[key].is_null(), "{key}: {shown}");
        }
        says(
            &run(&t, &["stat", &address]).succeeded(),
            &["written:", "never", "none"],
        );
        run(&t, &["write", &address, "hello"]).succeeded_with("");
        run(&t, &["read", &address]).succeeded_with("hello");
        let shown = json(&t, &["stat", "--json", &address]);
        assert_eq!((&shown["sequence"], &shown["length"]), (&1.into(), &5.into()));
        assert!(shown["age_s"].is_f64(), "{shown}");
        says(&run(&t, &["stat", &address]).succeeded(), &[" s ago"]);
        let table = run(&t, &["ls", "mailbox"]).succeeded();
        let line = table.lines().find(|line| line.starts_with(&address));
        says(
            line.expect("it is there"),
            &["live", "value 1, 5 bytes, no writer, 0 readers"],
        );
        let listed = listed(&t, &["ls", "--json"], &address).expect("it is there");
        assert_eq!(listed["max_value"], 1000);
        run(&t, &["rm", &address]).failed(1);
        interrupt(holder);
        nothing_is_left(&t);
        run(&t, &["read", &address]).failed(1);
    }
    nothing_is_left(&t);
}

#[test]
fn one_that_is_there_has_what_was_asked_for() {
    let t = start_test();
    let (mailbox, address) = mailbox(&t);
    write(&mailbox, "x");
    let larger = run(&t, &["hold", &address, "--size", "8K"]);
    says(&larger.failed(1), &[&address, "with size 4096 and not 8192"]);
    let more = run(&t, &["hold", &address, "--in-place", "3"]);
    says(&more.failed(1), &[&address, "with in_place 2 and not 3"]);
    for verb in ["read", "write"] {
        let larger = run(&t, &[verb, &format!("{address}?size=4097")]);
        says(&larger.failed(1), &[&address, "with size 4096 and not 4097"]);
    }
    // It has at least as much.
    run(&t, &["read", &format!("{address}?size=100&in_place=2")]).succeeded_with("x");
}

#[test]
fn it_is_made_to_stay() {
    let t = start_test();
    let address = address(&t);
    let created = run(&t, &["create", &address, "--size", "4K", "--in-place", "1"]);
    if cfg!(windows) {
        says(&created.failed(2), &["quintet hold"]);
        return;
    }
    created.succeeded_with("");
    says(&run(&t, &["create", &address]).failed(1), &[&address]);
    let table = run(&t, &["ls", "mailbox"]).succeeded();
    let line = table.lines().find(|line| line.starts_with(&address));
    says(line.expect("it is there"), &["empty, no writer", "persistent"]);
    run(&t, &["write", &address, "stays"]).succeeded_with("");
    run(&t, &["read", &address]).succeeded_with("stays");
    let shown = json(&t, &["stat", "--json", &address]);
    assert_eq!(
        (&shown["sequence"], &shown["persistent"], &shown["max_in_place"]),
        (&1.into(), &true.into(), &1.into()),
        "{shown}"
    );
    run(&t, &["rm", &address]).succeeded_with("");
    nothing_is_left(&t);
}

#[test]
fn what_makes_no_sense_is_2() {
    let t = start_test();
    let address = address(&t);
    let shm = format!("shm://{}", t.name("shm"));
    let with = |option: &str| format!("{address}?{option}");
    let (unknown, bad) = (with("mode=read"), with("size=much"));
    for (args, why) in [
        (&["send", &address, "x"][..], "`write` makes it the newest value"),
        (&["push", &address, "x"], "`write` makes it the newest value"),
        (&["recv", &address], "`read` prints the newest value"),
        (&["pull", &address], "`read` prints the newest value"),
        (&["recv", &address], "which has read, write, hz, create, hold"),
        (&["wait", &address], "`read --timeout TIME` waits"),
        (
            &["run", &address, "--", "x"],
            "there is no run for mailbox://, which has read, write",
        ),
        (&["set", &address], "there is no set for mailbox://"),
        (
            &["write", &address, "--offset", "0", "x"],
            "--offset is not for mailbox://",
        ),
        (&["write", &address, "--lines", "x"], "cannot be used with"),
        (
            &["read", &address, "--follow", "--count", "2"],
            "cannot be used with",
        ),
        (
            &["read", &address, "--follow", "--image", "1x1:gray8"],
            "cannot be used with",
        ),
        (
            &["read", &address, "--count", "2", "--image", "1x1:gray8"],
            "cannot be used with",
        ),
        (&["read", &address, "--count", "0"], "--count"),
        (&["read", &address, "--timeout", "soon"], "500ms"),
        (&["read", &unknown], "no option \"mode\""),
        (&["write", &bad, "x"], "size"),
        (&["hold", &unknown], "no option \"mode\""),
        (
            &["hold", &address, "--capacity", "1M"],
            "--capacity is for queue://",
        ),
        (&["hold", &address, "--in-place", "63"], "--in-place"),
        (&["create", &address, "--max", "3"], "--max is for sem://"),
        (
            &["hold", &shm, "--size", "1", "--in-place", "3"],
            "--in-place is for mailbox://",
        ),
        (&["read", &shm, "--follow"], "--follow is for mailbox://"),
        (&["read", &shm, "--count", "2"], "--count is for mailbox://"),
        (&["read", &shm, "--timeout", "0"], "--timeout is for mailbox://"),
        (&["write", &shm, "--lines"], "--lines is for mailbox://"),
        (&["write", &shm, "--timeout", "0"], "--timeout is for mailbox://"),
    ] {
        let output = run(&t, args);
        assert!(output.stdout.is_empty());
        says(&output.failed(2), &[why, "--help"]);
    }
    nothing_is_left(&t);
}

#[test]
fn how_many_are_written_is_shown_and_nothing_is_kept() {
    let t = start_test();
    let (mailbox, address) = mailbox(&t);
    write(&mailbox, "before");
    let hz = start(&t, &["hz", "--interval", "50ms", "--json", &address]);
    hz.wait_for_stdout("\n");
    let reader = mailbox.reader().unwrap();
    for value in ["a", "b", "c"] {
        write(&mailbox, value);
    }
    let written = || {
        let printed = hz.stdout();
        let whole = printed
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let number = |line: &Value, key: &str| line[key].as_f64().unwrap();
        let of_line = |line: &Value| number(line, "written_per_second") * number(line, "seconds");
        records(&printed[..whole])
            .iter()
            .map(of_line)
            .sum::<f64>()
            .round()
    };
    eventually("all are counted", || written() >= 3.0);
    hz.wait_for_stdout("\"readers\":1");
    assert_eq!(written(), 3.0);
    interrupt(hz);
    run(&t, &["hz", "--interval", "1ms", "--count", "2", &address])
        .succeeded_with(&"0.00 written/s, 1 reading, 1 bytes long\n".repeat(2));
    let hz = start(&t, &["hz", "--interval", "10ms", &address]);
    hz.wait_for_stdout("\n");
    drop((mailbox, reader));
    says(&hz.wait_output().failed(1), &[&address]);
    nothing_is_left(&t);
}

#[test]
fn output_that_nobody_reads_ends_it() {
    let t = start_test();
    let (mailbox, address) = mailbox(&t);
    write(&mailbox, "what nobody reads");
    for args in [&[][..], &["--follow"], &["--follow", "--json"], &["--count", "2"]] {
        let output = unread(&t, &[&["read", &address], args].concat(), |command, closed| {
            command.stdout(closed);
        });
        assert!(output.status.success(), "{args:?}: {}", output.status);
        assert_eq!(output.errors(), "", "{args:?}");
    }
}

/// Any process that has its memory open may write anything into it.
#[cfg(target_os = "linux")]
#[test]
fn nonsense_in_its_memory_is_an_error() {
    use std::os::unix::fs::FileExt;
    const NEWEST: u64 = 64;
    const HEADS: u64 = 17_024;
    let t = start_test();
    let name = t.name("mailbox");
    for (at, word, why) in [
        // A buffer that is not there; one that has another value; a length that no value has; other words.
        (NEWEST, 1 << 8 | 200, "buffer 200"),
        (NEWEST, 77 << 8, "value 77"),
        (HEADS + 8, u64::MAX, "bytes, of at most 4096"),
        (0, 0, ""),
        (16, 1 << 40, ""),
        (48, u64::MAX, ""),
    ] {
        let builder = Mailbox::builder(&*name).unwrap();
        let mailbox = builder.size(4096).in_place(2).create_new().unwrap();
        let address = mailbox.address().to_string();
        write(&mailbox, "first");
        let path = format!("/dev/shm/quintet.mailbox.{name}");
        let file = fs::File::options().write(true).read(true).open(path).unwrap();
        // Where the value is.
        let mut newest = [0; 8];
        file.read_exact_at(&mut newest, NEWEST).unwrap();
        let buffer = u64::from(newest[0]);
        let at = if at > HEADS { at + 64 * buffer } else { at };
        let mut before = [0; 8];
        file.read_exact_at(&mut before, at).unwrap();
        file.write_all_at(&u64::to_le_bytes(word), at).unwrap();
        for args in [&["read", &*address][..], &["read", "--follow", &address]] {
            says(&run(&t, args).failed(1), &[&address, why]);
        }
        // These say what they can, or that they cannot.
        for args in [
            &["stat", &*address][..],
            &["ls", "mailbox"],
            &["stat", "--json", &address],
        ] {
            let output = run(&t, args);
            assert!(
                matches!(output.status.code(), Some(0 | 1)),
                "{args:?}: {}",
                output.status
            );
            assert!(!output.errors().contains("panicked"), "{}", output.errors());
        }
        file.write_all_at(&before, at).unwrap();
        run(&t, &["read", &address]).succeeded_with("first");
        // Who writes makes it good.
        file.write_all_at(&u64::to_le_bytes(word), at).unwrap();
        if at >= NEWEST {
            run(&t, &["write", &address, "next"]).succeeded_with("");
            run(&t, &["read", &address]).succeeded_with("next");
        }
        file.write_all_at(&before, at).unwrap();
        drop(mailbox);
        nothing_is_left(&t);
    }
}
