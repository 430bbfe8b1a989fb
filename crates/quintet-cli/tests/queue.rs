//! Queues: `push` and `pull`, which are `send` and `recv` there; `hz`; what `create`, `hold`, `ls`, `stat` and `rm` make of them.

mod common;

use common::*;
use quintet::shm::{Producer, Queue};
use quintet_testkit::{Test, eventually, start as start_test};
use serde_json::Value;
use std::fs;

fn address(t: &Test) -> String {
    format!("queue://{}", t.name("queue"))
}

/// A queue that the test itself has open.
fn queue(t: &Test) -> (Queue, String) {
    let queue = Queue::create_new(&*t.name("queue")).unwrap();
    let address = queue.address().to_string();
    (queue, address)
}

/// Waits until so many messages were pushed.
#[track_caller]
fn wait_for_pushed(queue: &Queue, messages: u64) {
    eventually("they are pushed", || queue.stats().pushed == messages);
}

fn pushed(queue: &Queue, messages: &[&str]) -> Producer {
    let mut producer = queue.producer().unwrap();
    producer.push_all(messages).unwrap();
    producer
}

#[test]
fn either_side_may_start_first_and_each_verb_has_two_names() {
    let t = start_test();
    for (push, pull) in [("push", "pull"), ("send", "recv"), ("push", "recv")] {
        let address = address(&t);
        let puller = start(&t, &[pull, &address]);
        eventually("it waits", || run(&t, &["stat", &address]).status.success());
        run(&t, &[push, &address, "hello"]).succeeded_with("");
        puller.wait_output().succeeded_with("hello");

        let pusher = start(&t, &[push, &address, "again"]);
        run(&t, &[pull, &address]).succeeded_with("again");
        pusher.wait_output().succeeded_with("");
        nothing_is_left(&t);
    }
}

#[test]
fn a_pusher_ends_when_all_that_it_put_in_is_taken() {
    let t = start_test();
    let (queue, address) = queue(&t);
    // What others put in is not its concern.
    let _others = pushed(&queue, &["others'"]);
    let mut pusher = start(&t, &["push", "--lines", &address]);
    std::io::Write::write_all(&mut pusher.take_stdin().unwrap(), b"one\r\ntwo\n\nfour").unwrap();
    wait_for_pushed(&queue, 5);
    let mut consumer = queue.consumer().unwrap();
    let mut taken = Vec::new();
    let mut message = Vec::new();
    while consumer.try_pop(&mut message).unwrap().is_some() {
        taken.push(String::from_utf8(message.clone()).unwrap());
        if taken.len() < 4 {
            // One of its own is left.
            assert_eq!(pusher.try_exit(), None);
        }
    }
    pusher.wait_output().succeeded_with("");
    taken.retain(|message| message != "others'");
    assert_eq!(taken, ["one", "two", "", "four"]);
}

#[test]
fn data_comes_from_where_it_is_said() {
    let t = start_test();
    let (queue, address) = queue(&t);
    let file = t.temp_dir().join("file");
    fs::write(&file, "a\nb\n").unwrap();
    let file = file.to_str().unwrap();
    let no_drain = ["push", "--no-drain", &address];
    run(&t, &[&no_drain, &["text", "--count", "2"][..]].concat()).succeeded_with("");
    run(&t, &[&no_drain, &["--file", file][..]].concat()).succeeded_with("");
    run(&t, &[&no_drain, &["--file", file, "--lines"][..]].concat()).succeeded_with("");
    run_with_input(&t, &no_drain, b"\0\xff").succeeded_with("");
    run(&t, &[&no_drain, &["成功", "--encoding", "gbk"][..]].concat()).succeeded_with("");
    let pulled = run(&t, &["pull", "--count", "7", "--format", "hex", &address]).succeeded();
    let expected = ["74657874", "74657874", "610a620a", "61", "62", "00ff", "b3c9b9a6"];
    let mut lines: Vec<&str> = pulled.lines().collect();
    let mut wanted = expected.to_vec();
    // Each command had a lane, which may be the same or not: only within one is there an order.
    lines.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
    assert_eq!(queue.stats().waiting, 0);
}

#[test]
fn a_message_is_printed_in_each_format() {
    let t = start_test();
    let (queue, address) = queue(&t);
    let mut producer = queue.producer().unwrap();
    for (format, printed) in [
        ("raw", &b"a\n\xffb"[..]),
        ("lines", b"a\n\xff\nb\n"),
        ("quoted", b"\"a\\n\\xff\"\n\"b\"\n"),
        ("hex", b"610aff\n62\n"),
    ] {
        producer.push_all([&b"a\n\xff"[..], b"b"]).unwrap();
        let output = run(&t, &["pull", "--count", "2", "--format", format, &address]);
        assert_eq!(output.stdout, printed, "{format}: {}", output.errors());
    }
    producer.push_all(["x", ""]).unwrap();
    let printed = run(&t, &["pull", "--count", "2", "--json", &address]).succeeded();
    let records: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let keys: Vec<&String> = records[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["time", "sequence", "length", "sender", "text"]);
    for (at, text) in ["x", ""].into_iter().enumerate() {
        let record = &records[at];
        // Of the lane: eight were pushed before.
        assert_eq!(record["sequence"], 8 + at);
        assert_eq!(record["length"], text.len());
        assert_eq!(record["sender"]["lane"], producer.lane());
        assert_eq!(record["text"], text);
    }
}

#[test]
fn a_follower_goes_on_and_loses_nothing_that_it_printed() {
    let t = start_test();
    let (queue, address) = queue(&t);
    let follower = start(&t, &["pull", "--follow", "--format", "lines", &address]);
    run(&t, &["push", &address, "one"]).succeeded_with("");
    run(&t, &["send", &address, "two"]).succeeded_with("");
    follower.wait_for_stdout("one\ntwo\n");
    eventually("it is done with them", || queue.stats().in_hand == 0);
    interrupt(follower);
    eventually("it has gone", || queue.stats().consumers == 0);
    assert_eq!(queue.stats().lost, 0);
}

#[test]
fn each_message_goes_to_one_of_several() {
    let t = start_test();
    let (queue, address) = queue(&t);
    let pullers: Vec<_> = (0..3)
        .map(|_| start(&t, &["pull", "--follow", "--format", "lines", &address]))
        .collect();
    eventually("they are there", || queue.stats().consumers == 3);
    let numbers: String = (0..300).map(|n| format!("{n}\n")).collect();
    run_with_input(&t, &["push", "--lines", &address], &numbers).succeeded_with("");
    eventually("they are done with all", || queue.stats().in_hand == 0);
    let mut all: Vec<u32> = pullers
        .into_iter()
        .flat_map(|puller| {
            let printed = String::from_utf8(interrupt(puller).stdout).unwrap();
            printed.lines().map(|n| n.parse().unwrap()).collect::<Vec<_>>()
        })
        .collect();
    all.sort_unstable();
    assert_eq!(all, (0..300).collect::<Vec<_>>());
}

#[test]
fn a_deadline_is_124_and_says_how_much_was_not_taken() {
    let t = start_test();
    let address = address(&t);
    for args in [
        &["-n"][..],
        &["--timeout", "0"],
        &["--timeout", "20ms", "--follow"],
    ] {
        let output = run(&t, &[&["pull", &address], args].concat());
        says(&output.failed(124), &[&address, "no message"]);
    }
    says(
        &run(&t, &["recv", "--timeout", "0", &address]).failed(124),
        &[&address],
    );
    let output = run_with_input(&t, &["push", "--timeout", "500ms", "--lines", &address], "a\nb\n");
    says(&output.failed(124), &[&address, "2 of 2 messages were not taken"]);
    says(
        &run(&t, &["send", "--timeout", "0", &address, "x"]).failed(124),
        &["1 of 1"],
    );
    nothing_is_left(&t);

    // Of three, one is taken; and there is no room for all.
    let queue = Queue::builder(&*t.name("small"))
        .unwrap()
        .capacity(4096)
        .create_new()
        .unwrap();
    let address = queue.address().to_string();
    let text = "x".repeat(1500);
    let pusher = start(
        &t,
        &["push", "--timeout", "100ms", "--count", "9", &address, &text],
    );
    let mut consumer = queue.consumer().unwrap();
    consumer.pop(&mut Vec::new()).unwrap();
    let errors = pusher.wait_output().failed(124);
    says(&errors, &[&address, "no room", "that were put in were not taken"]);
}

#[test]
fn what_is_left_in_a_queue_has_to_be_kept_by_somebody() {
    let t = start_test();
    let address = address(&t);
    let hint = format!("quintet hold {address}");
    says(
        &run(&t, &["push", "--no-drain", &address, "x"]).failed(1),
        &[&address, &hint],
    );
    let holder = start(&t, &["hold", &address, "--capacity", "1M", "--producers", "3"]);
    eventually("it is there", || run(&t, &["stat", &address]).status.success());
    run(&t, &["push", "--no-drain", &address, "x"]).succeeded_with("");
    let shown = json(&t, &["stat", "--json", &address]);
    for (key, value) in [
        ("messages", 1),
        ("pushed", 1),
        ("taken", 0),
        ("in_hand", 0),
        ("lost", 0),
        ("producers", 0),
        ("consumers", 0),
        ("capacity", 1 << 20),
        ("max_producers", 3),
    ] {
        assert_eq!(shown[key], value, "{key}: {shown}");
    }
    let table = run(&t, &["ls", "queue"]).succeeded();
    let line = table.lines().find(|line| line.starts_with(&address));
    says(
        line.expect("it is there"),
        &["live", "1 message, 0 producers, 0 consumers"],
    );
    run(&t, &["rm", &address]).failed(1);
    run(&t, &["pull", "-n", &address]).succeeded_with("x");
    interrupt(holder);
    nothing_is_left(&t);
}

#[test]
fn one_that_is_there_has_what_was_asked_for() {
    let t = start_test();
    let (_queue, address) = queue(&t);
    for verb in ["push", "send", "pull", "recv", "hold"] {
        let smaller = run(&t, &[verb, &address, "--capacity", "128K"]);
        says(
            &smaller.failed(1),
            &[&address, "with capacity 65536 and not 131072"],
        );
        let fewer = run(&t, &[verb, &format!("{address}?producers=65")]);
        says(&fewer.failed(1), &[&address, "with producers 64 and not 65"]);
    }
    // It has at least as much.
    run(
        &t,
        &[
            "push",
            "--no-drain",
            "--capacity",
            "5000",
            "--producers",
            "2",
            &address,
            "x",
        ],
    )
    .succeeded_with("");
    run(&t, &["pull", "--capacity", "64K", &address]).succeeded_with("x");
}

#[test]
fn it_is_made_to_stay() {
    let t = start_test();
    let address = address(&t);
    let created = run(&t, &["create", &address, "--capacity", "4K"]);
    if cfg!(windows) {
        says(&created.failed(2), &["quintet hold"]);
        says(
            &run(&t, &["push", "--persistent", &address, "x"]).failed(2),
            &[&address],
        );
        return;
    }
    created.succeeded_with("");
    says(&run(&t, &["create", &address]).failed(1), &[&address]);
    // At once: there it is safe.
    run(&t, &["push", &address, "stays"]).succeeded_with("");
    run_with_input(&t, &["send", "--lines", &address], "a\nb\n").succeeded_with("");
    let shown = json(&t, &["stat", "--json", &address]);
    assert_eq!(
        (&shown["messages"], &shown["persistent"]),
        (&3.into(), &true.into()),
        "{shown}"
    );
    run(&t, &["pull", "--count", "3", "--format", "lines", &address]).succeeded_with("stays\na\nb\n");
    run(&t, &["rm", &address]).succeeded_with("");
    nothing_is_left(&t);
    run(&t, &["push", "--persistent", "--no-drain", &address, "x"]).succeeded_with("");
    run(&t, &["pull", &address]).succeeded_with("x");
    run(&t, &["rm", &address]).succeeded_with("");
    nothing_is_left(&t);
}

#[test]
fn a_message_that_is_too_long_is_1_and_those_before_it_count() {
    let t = start_test();
    // Small enough for a message that is too long to be an argument on Windows.
    let queue = Queue::builder(&*t.name("queue"))
        .unwrap()
        .capacity(4096)
        .create_new()
        .unwrap();
    let address = queue.address().to_string();
    let most = queue.max_message();
    let long = "x".repeat(most + 1);
    let file = t.temp_dir().join("long");
    fs::write(&file, &long).unwrap();
    let words = [&most.to_string()[..], "--capacity"];
    says(&run(&t, &["push", &address, &long]).failed(1), &words);
    says(
        &run(&t, &["push", &address, "--file", file.to_str().unwrap()]).failed(1),
        &words,
    );
    says(&run_with_input(&t, &["send", &address], &long).failed(1), &words);
    assert_eq!(queue.stats().pushed, 0);

    let mut pusher = start(&t, &["push", "--lines", &address]);
    let input = format!("first\n{long}\nnever\n");
    std::io::Write::write_all(&mut pusher.take_stdin().unwrap(), input.as_bytes()).unwrap();
    // It is told at once, and what went in before is waited for.
    pusher.wait_for_stderr("a line of more than");
    assert_eq!(pusher.try_exit(), None);
    run(&t, &["pull", &address]).succeeded_with("first");
    says(&pusher.wait_output().failed(1), &words);
    assert_eq!(queue.stats().waiting, 0);

    // The longest.
    run(&t, &["push", "--no-drain", &address, &long[1..]]).succeeded_with("");
    assert_eq!(run(&t, &["pull", &address]).succeeded().len(), most);
}

#[test]
fn what_makes_no_sense_is_2() {
    let t = start_test();
    let address = address(&t);
    let with = |option: &str| format!("{address}?{option}");
    let (unknown, bad) = (with("mode=message"), with("capacity=much"));
    let pipe = pipe(&t);
    for (args, why) in [
        (&["push", &pipe, "x"][..], "there is no push for pipe://"),
        (&["pull", &pipe], "there is no pull for pipe://"),
        (&["hz", &pipe], "there is no hz for pipe://"),
        (&["read", &address], "there is no read for queue://"),
        (&["run", &address, "--", "x"], "there is no run for queue://"),
        (&["wait", &address], "there is no wait for queue://"),
        (&["push", &unknown, "x"], "no option \"mode\""),
        (&["hold", &unknown], "no option \"mode\""),
        (&["pull", &bad], "capacity"),
        (&["push", &address, "--capacity", "0", "x"], "--capacity"),
        (&["push", &address, "--producers", "257", "x"], "--producers"),
        (&["create", &address, "--size", "1M"], "--size is for shm://"),
        (
            &["hold", "sem://x", "--capacity", "1M"],
            "--capacity is for queue://",
        ),
        (
            &["send", &address, "--mode", "message", "x"],
            "--mode is not for queue://",
        ),
        (
            &["send", &address, "--listen", "x"],
            "--listen is not for queue://",
        ),
        (&["recv", &address, "--connect"], "--connect is not for queue://"),
        (
            &["recv", &address, "--max-message", "9"],
            "--max-message is not for queue://",
        ),
        (
            &["send", &address, "--follow", "x"],
            "nobody is the server of a queue",
        ),
        (&["recv", &address, "--lines"], "each message is a record already"),
        (
            &["send", &pipe, "--capacity", "1M", "x"],
            "--capacity is for queue://",
        ),
        (&["send", &pipe, "--no-drain", "x"], "--no-drain is for queue://"),
        (&["recv", &pipe, "--persistent"], "--persistent is for queue://"),
        (
            &["pull", &address, "--count", "2", "--follow"],
            "cannot be used with",
        ),
        (&["hz", &address, "--interval", "0"], "more than 0"),
    ] {
        let output = run(&t, args);
        assert!(output.stdout.is_empty());
        says(&output.failed(2), &[why, "--help"]);
    }
    nothing_is_left(&t);
}

#[test]
fn what_is_not_there_is_not_shown() {
    let t = start_test();
    let address = address(&t);
    for verb in ["stat", "rm", "hz"] {
        says(
            &run(&t, &[verb, &address]).failed(1),
            &[&address, "there is none"],
        );
    }
    nothing_is_left(&t);
}

#[test]
fn the_flow_is_shown_and_nothing_is_taken() {
    let t = start_test();
    let (queue, address) = queue(&t);
    let hz = start(&t, &["hz", "--interval", "50ms", "--json", &address]);
    hz.wait_for_stdout("\n");
    let _producer = pushed(&queue, &["a", "b", "c"]);
    queue.consumer().unwrap().pop(&mut Vec::new()).unwrap();
    hz.wait_for_stdout("\"messages\":2");
    let printed = String::from_utf8(interrupt(hz).stdout).unwrap();
    let (mut pushed, mut taken) = (0.0, 0.0);
    for line in printed.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let number = |key: &str| line[key].as_f64().unwrap();
        assert!(number("seconds") >= 0.05, "{line}");
        pushed += number("pushed_per_second") * number("seconds");
        taken += number("taken_per_second") * number("seconds");
    }
    assert_eq!((pushed.round(), taken.round()), (3.0, 1.0), "{printed}");
    assert_eq!(queue.stats().waiting, 2);
    run(&t, &["hz", "--interval", "1ms", "--count", "2", &address])
        .succeeded_with(&"0.00 pushed/s, 0.00 taken/s, 2 in it\n".repeat(2));

    // It keeps nothing there.
    let hz = start(&t, &["hz", "--interval", "10ms", &address]);
    hz.wait_for_stdout("\n");
    drop((queue, _producer));
    says(&hz.wait_output().failed(1), &[&address]);
    nothing_is_left(&t);
}
