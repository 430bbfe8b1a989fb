//! Topics: `pub` and `sub`, `send` and `recv` there; `hz`; what `create`, `hold`, `ls`, `stat` and `rm` make of them.

mod common;

use common::*;
use quintet::shm::{Publisher, Subscriber, Topic, TypedTopic};
use quintet_testkit::{Process, Test, eventually, start as start_test};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::process::{ChildStdin, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn address(t: &Test) -> String {
    format!("topic://{}", t.name("topic"))
}

/// A topic that the test itself has open.
fn topic(t: &Test) -> (Topic, String) {
    let topic = Topic::create_new(&*t.name("topic")).unwrap();
    let address = topic.address().to_string();
    (topic, address)
}

/// One whose only publisher has little room.
fn small_topic(t: &Test) -> (Topic, String) {
    let builder = Topic::builder(&*t.name("small")).unwrap();
    let topic = builder.capacity(4096).publishers(1).create_new().unwrap();
    let address = topic.address().to_string();
    (topic, address)
}

/// Waits until so many subscribe.
#[track_caller]
fn wait_for_subscribers(topic: &Topic, subscribers: usize) {
    eventually("they subscribe", || topic.stats().subscribers == subscribers);
}

/// Waits, as a shell would, until what `stat` shows of it is so much.
#[track_caller]
fn wait_for_stat(t: &Test, address: &str, key: &str, number: u64) {
    eventually(&format!("{key} is {number}"), || {
        let output = run(t, &["stat", "--json", address]);
        let shown = serde_json::from_slice::<Value>(&output.stdout);
        output.status.success() && shown.unwrap()[key] == number
    });
}

/// Starts `sub`, and waits until it is the only subscriber.
#[track_caller]
fn start_sub(t: &Test, topic: &Topic, args: &[&str]) -> Process {
    let address = topic.address().to_string();
    let sub = start(t, &[&["sub", &address], args].concat());
    wait_for_subscribers(topic, 1);
    sub
}

/// Starts `pub --lines`, and waits until it is the only publisher.
#[track_caller]
fn start_pub(t: &Test, topic: &Topic) -> (Process, ChildStdin) {
    let mut publisher = start(t, &["pub", "--lines", &topic.address().to_string()]);
    eventually("it publishes", || topic.stats().publishers == 1);
    let stdin = publisher.take_stdin().unwrap();
    (publisher, stdin)
}

/// All that it can receive now.
fn received(subscriber: &mut Subscriber) -> Vec<Vec<u8>> {
    let mut message = Vec::new();
    let mut all = Vec::new();
    while subscriber.try_copy(&mut message).unwrap().is_some() {
        all.push(message.clone());
    }
    all
}

/// The records that were printed with --json.
#[track_caller]
fn records(printed: &[u8]) -> Vec<Value> {
    let printed = std::str::from_utf8(printed).unwrap();
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    printed.lines().map(parse).collect()
}

/// Publishes again and again, until what is done meanwhile has come to its end.
fn while_published<R>(mut publisher: Publisher, act: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                publisher.publish("again").unwrap();
                thread::yield_now();
            }
        });
        // A panic of what is done must not leave the thread publishing for ever.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        done.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn who_subscribes_first_gets_what_is_published() {
    let t = start_test();
    for (subscribe, publish) in [
        (&["sub", "--count", "1"][..], "pub"),
        (&["recv"], "pub"),
        (&["recv"], "send"),
        (&["recv", "--count", "1"], "send"),
    ] {
        let address = address(&t);
        let subscriber = start(&t, &[subscribe, &[&address]].concat());
        wait_for_stat(&t, &address, "subscribers", 1);
        run(&t, &[publish, &address, "hello"]).succeeded_with("");
        subscriber.wait_output().succeeded_with("hello");
        nothing_is_left(&t);
    }
}

#[test]
fn who_is_asked_to_waits_for_a_subscriber() {
    let t = start_test();
    for (publish, subscribe) in [
        (&["send"][..], &["recv"][..]),
        (&["send"], &["sub", "--count", "1"]),
        (&["pub", "--wait-subscriber"], &["sub", "--count", "1"]),
        (&["pub", "-w", "--timeout", "1h"], &["recv"]),
    ] {
        let address = address(&t);
        let publisher = start(&t, &[publish, &[&address, "hello"]].concat());
        wait_for_stat(&t, &address, "publishers", 1);
        assert_eq!(publisher.try_exit(), None);
        run(&t, &[subscribe, &[&address]].concat()).succeeded_with("hello");
        publisher.wait_output().succeeded_with("");
        nothing_is_left(&t);
    }
}

#[test]
fn several_subscribers_can_be_waited_for() {
    let t = start_test();
    let (topic, address) = topic(&t);
    let publisher = start(&t, &["pub", "--wait-subscriber=2", &address, "hello"]);
    let first = start_sub(&t, &topic, &["--count", "1"]);
    eventually("it publishes", || topic.stats().publishers == 1);
    assert_eq!((publisher.try_exit(), topic.stats().published), (None, 0));
    let second = start(&t, &["sub", "--count", "1", &address]);
    for subscriber in [first, second] {
        subscriber.wait_output().succeeded_with("hello");
    }
    publisher.wait_output().succeeded_with("");
    run(&t, &["pub", "-w=0", &address, "hello"]).failed(2);
}

#[test]
fn who_subscribes_before_a_program_with_a_type_leaves_that_to_it() {
    let t = start_test();
    let address = address(&t);
    let sub = start(&t, &["sub", "--count", "1", "--format", "hex", &address]);
    wait_for_stat(&t, &address, "subscribers", 1);
    let name = address.strip_prefix("topic://").unwrap();
    let numbers = TypedTopic::<u32>::create_or_open(name).unwrap();
    numbers.publisher().unwrap().publish(&7).unwrap();
    assert!(sub.wait_output().succeeded().starts_with("07000000"));
    TypedTopic::<i32>::open_existing(name).unwrap_err();
}

#[test]
fn nobody_has_to_subscribe_and_who_comes_later_gets_what_is_published_then() {
    let t = start_test();
    run(&t, &["pub", &address(&t), "to nobody"]).succeeded_with("");
    nothing_is_left(&t);
    let (topic, address) = topic(&t);
    run(&t, &["pub", &address, "before"]).succeeded_with("");
    let sub = start_sub(&t, &topic, &["--count", "1"]);
    run(&t, &["pub", &address, "after"]).succeeded_with("");
    sub.wait_output().succeeded_with("after");
    assert_eq!(topic.stats().published, 2);
}

#[test]
fn every_subscriber_gets_every_message() {
    let t = start_test();
    let (topic, address) = topic(&t);
    let subs: Vec<_> = (0..3)
        .map(|_| start(&t, &["sub", "--format", "lines", "--count", "400", &address]))
        .collect();
    wait_for_subscribers(&topic, 3);
    let lines = |letter: char| (0..200).map(|n| format!("{letter}{n}\n")).collect::<String>();
    thread::scope(|scope| {
        for letter in ['a', 'b'] {
            let (t, address) = (&t, &address);
            scope.spawn(move || {
                run_with_input(t, &["pub", "--lines", address], lines(letter)).succeeded_with("");
            });
        }
    });
    for sub in subs {
        let printed = sub.wait_output().succeeded();
        for letter in ['a', 'b'] {
            let of_one = printed.lines().filter(|line| line.starts_with(letter));
            let of_one: String = of_one.map(|line| format!("{line}\n")).collect();
            assert_eq!(of_one, lines(letter));
        }
    }
}

#[test]
fn data_comes_from_where_it_is_said() {
    let t = start_test();
    let (topic, address) = topic(&t);
    let mut subscriber = topic.subscriber().unwrap();
    let file = t.temp_dir().join("file");
    fs::write(&file, "a\nb\n").unwrap();
    let file = file.to_str().unwrap();
    let mut publish = |args: &[&str], input: &[u8], expected: &[&[u8]]| {
        for verb in ["pub", "send"] {
            let args = [&[verb, &address], args].concat();
            run_with_input(&t, &args, input).succeeded_with("");
            assert_eq!(received(&mut subscriber), expected, "{args:?}");
        }
    };
    publish(&["text", "--count", "2"], b"", &[b"text", b"text"]);
    publish(&["", "--encoding", "gbk"], b"", &[b""]);
    publish(&["--", "-end"], b"", &[b"-end"]);
    publish(&["--file", file], b"", &[b"a\nb\n"]);
    publish(&["--file", file, "--lines"], b"", &[b"a", b"b"]);
    publish(&["--file", file, "--lines", "--count", "1"], b"", &[b"a"]);
    publish(&[], b"\0\xff\n", &[b"\0\xff\n"]);
    publish(&["--lines"], b"c\r\n\nd", &[b"c", b"", b"d"]);
    publish(&["成功", "--encoding", "gbk"], b"", &[b"\xb3\xc9\xb9\xa6"]);
    let none = t.temp_dir().join("none");
    let none = none.to_str().unwrap();
    says(&run(&t, &["pub", &address, "--file", none]).failed(1), &[none]);
    assert_eq!(received(&mut subscriber), Vec::<Vec<u8>>::new());
}

#[test]
fn lines_are_published_and_printed_as_they_come() {
    let t = start_test();
    let (topic, _) = topic(&t);
    let sub = start_sub(&t, &topic, &["--format", "lines"]);
    let (publisher, mut stdin) = start_pub(&t, &topic);
    for (line, printed) in [("one\n", "one\n"), ("two\r\nthree\n", "one\ntwo\nthree\n")] {
        stdin.write_all(line.as_bytes()).unwrap();
        sub.wait_for_stdout(printed);
    }
    drop(stdin);
    publisher.wait_output().succeeded_with("");
    // It goes on until it is interrupted.
    run(&t, &["pub", &topic.address().to_string(), "four"]).succeeded_with("");
    sub.wait_for_stdout("three\nfour\n");
    assert_eq!(sub.try_exit(), None);
    assert_eq!(interrupt(sub).errors(), "");
    wait_for_subscribers(&topic, 0);
}

#[test]
fn a_message_is_printed_in_each_format() {
    let t = start_test();
    let (topic, _) = topic(&t);
    let mut publisher = topic.publisher().unwrap();
    let mut printed = |args: &[&str]| {
        let sub = start_sub(&t, &topic, &[&["--count", "2"], args].concat());
        publisher.publish(b"a\n\xff").unwrap();
        publisher.publish(b"b").unwrap();
        let output = sub.wait_output();
        assert!(output.status.success(), "{}", output.errors());
        wait_for_subscribers(&topic, 0);
        output.stdout
    };
    for (format, expected) in [
        ("raw", &b"a\n\xffb"[..]),
        ("lines", b"a\n\xff\nb\n"),
        ("quoted", b"\"a\\n\\xff\"\n\"b\"\n"),
        ("hex", b"610aff\n62\n"),
    ] {
        assert_eq!(printed(&["--format", format]), expected, "{format}");
    }
    let file = t.temp_dir().join("messages");
    assert_eq!(printed(&["--file", file.to_str().unwrap()]), b"");
    assert_eq!(fs::read(&file).unwrap(), b"a\n\xffb");
    assert_eq!(
        printed(&["--encoding", "ansi", "--format", "lines"]).last(),
        Some(&b'\n')
    );
    let records = records(&printed(&["--json"]));
    for (at, (key, bytes)) in [("hex", "610aff"), ("text", "b")].into_iter().enumerate() {
        let record = &records[at];
        let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["time", "sequence", "length", "sender", "lost", key]);
        // Twelve were published before, and who was not there has not lost them.
        assert_eq!(
            (&record["sequence"], &record["lost"]),
            (&(12 + at).into(), &0.into())
        );
        assert_eq!(record["length"], if at == 0 { 3 } else { 1 });
        assert_eq!(record["sender"]["lane"], publisher.lane());
        assert_eq!(record[key], bytes);
    }
}

#[test]
fn who_receives_takes_one_or_so_many_or_goes_on() {
    let t = start_test();
    let (topic, address) = topic(&t);
    let mut publisher = topic.publisher().unwrap();
    for (args, printed) in [
        (&["recv"][..], "1\n"),
        (&["recv", "--count", "2"], "1\n2\n"),
        (&["sub", "--count", "3"], "1\n2\n3\n"),
    ] {
        let receiver = start(&t, &[args, &["--format", "lines", &address]].concat());
        wait_for_subscribers(&topic, 1);
        for message in ["1", "2", "3", "4"] {
            publisher.publish(message).unwrap();
        }
        receiver.wait_output().succeeded_with(printed);
        wait_for_subscribers(&topic, 0);
    }
    let follower = start(&t, &["recv", "--follow", "--format", "lines", &address]);
    wait_for_subscribers(&topic, 1);
    for (message, printed) in [("1", "1\n"), ("2", "1\n2\n")] {
        publisher.publish(message).unwrap();
        follower.wait_for_stdout(printed);
    }
    interrupt(follower);
}

#[test]
fn a_deadline_is_124() {
    let t = start_test();
    let address = address(&t);
    for args in [
        &["sub", "--timeout", "0"][..],
        &["sub", "--timeout", "20ms", "--count", "2"],
        &["recv", "--timeout", "20ms"],
        &["recv", "--timeout", "20ms", "--follow"],
    ] {
        let output = run(&t, &[args, &[&address]].concat());
        says(&output.failed(124), &[&address, "nothing was published in time"]);
    }
    for args in [
        &["send", "--timeout", "0"][..],
        &["send", "--timeout", "20ms"],
        &["pub", "-w", "--timeout", "20ms"],
    ] {
        let output = run(&t, &[args, &[&address, "x"]].concat());
        says(&output.failed(124), &[&address, "nobody subscribed in time"]);
    }
    nothing_is_left(&t);
    // It does not go on for ever where something always comes.
    let (topic, address) = topic(&t);
    let output = while_published(topic.publisher().unwrap(), || {
        run(&t, &["sub", "--timeout", "50ms", &address])
    });
    says(&output.failed(124), &[&address, "time"]);
}

/// Starts a `sub` whose output nobody reads until so much was published that it must have missed some: what it has printed of
/// it when it has printed the last.
fn overtaken(t: &Test, args: &[&str]) -> std::process::Output {
    let (topic, address) = small_topic(t);
    let mut command = quintet(&[&["sub", "--json", &address], args].concat());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    wait_for_subscribers(&topic, 1);
    let mut publisher = topic.publisher().unwrap();
    // Much more than fits into the topic, the pipe, and what the command buffers.
    let message = "x".repeat(1000);
    for _ in 0..2000 {
        publisher.publish(&message).unwrap();
    }
    publisher.publish("last").unwrap();
    let sub = t.watch_child("quintet sub", child);
    sub.wait_for_stdout("\"text\":\"last\"}\n");
    // It has told what there is to tell when it waits again.
    publisher.publish("behind the last").unwrap();
    sub.wait_for_stdout("\"text\":\"behind the last\"}\n");
    let output = interrupt(sub);
    let records = records(&output.stdout);
    let mut next = 0;
    for record in &records {
        next += record["lost"].as_u64().unwrap();
        assert_eq!(record["sequence"], next, "{record}");
        next += 1;
    }
    assert_eq!(next, 2002);
    assert!(records.len() < 1000, "{}", records.len());
    output
}

#[test]
fn messages_that_were_lost_are_counted_and_told() {
    let t = start_test();
    let output = overtaken(&t, &[]);
    let errors = output.errors();
    says(&errors, &["lost", "larger --capacity"]);
    let told: u64 = errors
        .lines()
        .map(|line| {
            let (_, what) = line.split_once("small").expect("the topic's address");
            let (_, what) = what.split_once(": ").unwrap();
            what.split(' ').next().unwrap().parse::<u64>().unwrap()
        })
        .sum();
    let lost: u64 = records(&output.stdout)
        .iter()
        .map(|record| record["lost"].as_u64().unwrap())
        .sum();
    assert_eq!(told, lost, "{errors}");
}

#[test]
fn who_asks_for_the_newest_is_not_told_that_he_misses_others() {
    let t = start_test();
    let output = overtaken(&t, &["--depth", "1"]);
    assert_eq!(output.errors(), "");
}

#[test]
#[cfg(target_os = "linux")]
fn who_has_fallen_behind_goes_on_with_so_many() {
    let t = start_test();
    let (topic, _) = topic(&t);
    let mut publisher = topic.publisher().unwrap();
    let sub = start_sub(&t, &topic, &["--depth", "2", "--count", "2", "--json"]);
    // It lives, and does nothing: all three are there when it looks.
    sub.stop();
    for message in ["one", "two", "three"] {
        publisher.publish(message).unwrap();
    }
    sub.cont();
    let output = sub.wait_output();
    let records = records(&output.stdout);
    assert_eq!(
        (&records[0]["text"], &records[0]["lost"]),
        (&"two".into(), &1.into())
    );
    assert_eq!(
        (&records[1]["text"], &records[1]["lost"]),
        (&"three".into(), &0.into())
    );
    output.succeeded();
}

#[test]
fn a_killed_publisher_is_told_of_and_others_go_on() {
    let t = start_test();
    let (topic, address) = topic(&t);
    let sub = start_sub(&t, &topic, &["--format", "lines", "--count", "3"]);
    let mut printed = String::new();
    for line in ["one\n", "two\n"] {
        let (mut publisher, mut stdin) = start_pub(&t, &topic);
        stdin.write_all(line.as_bytes()).unwrap();
        printed += line;
        sub.wait_for_stdout(&printed);
        let pid = publisher.pid();
        publisher.kill();
        sub.wait_for_stderr(&format!("{address}: a publisher (pid {pid}) has died\n"));
    }
    // One that ends by itself is nothing to tell of.
    let before = sub.stderr();
    run(&t, &["pub", &address, "three"]).succeeded_with("");
    let output = sub.wait_output();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"one\ntwo\nthree\n");
    assert_eq!(output.errors(), before);
}

#[test]
fn a_killed_subscriber_holds_up_nobody() {
    let t = start_test();
    let (topic, address) = topic(&t);
    let mut killed = start_sub(&t, &topic, &[]);
    let other = start(&t, &["sub", "--count", "1", &address]);
    wait_for_subscribers(&topic, 2);
    killed.kill();
    wait_for_subscribers(&topic, 1);
    run(&t, &["send", &address, "x"]).succeeded_with("");
    other.wait_output().succeeded_with("x");
}

#[test]
fn a_subscriber_that_nobody_reads_ends() {
    let t = start_test();
    for args in [&["sub"][..], &["sub", "--json"], &["recv", "--follow"]] {
        let (topic, address) = topic(&t);
        let args = [args, &[&address]].concat();
        let output = while_published(topic.publisher().unwrap(), || {
            unread(&t, &args, |command, closed| {
                command.stdout(closed);
            })
        });
        assert!(
            output.status.success(),
            "{args:?}: {}: {}",
            output.status,
            output.errors()
        );
        assert!(!output.errors().contains("cannot write"), "{}", output.errors());
    }
}

#[test]
fn one_is_kept_there_and_shown() {
    let t = start_test();
    let address = address(&t);
    let holder = start(&t, &["hold", &address, "--capacity", "100K", "--publishers", "2"]);
    wait_for_stat(&t, &address, "max_publishers", 2);
    run(&t, &["pub", &address, "x"]).succeeded_with("");
    let sub = start(&t, &["sub", &address]);
    wait_for_stat(&t, &address, "subscribers", 1);
    run(&t, &["pub", &address, "y"]).succeeded_with("");
    sub.wait_for_stdout("y");
    let shown = json(&t, &["stat", "--json", &address]);
    for (key, value) in [
        ("published", 2),
        ("bytes", 2),
        ("received", 1),
        ("lost", 0),
        ("publishers", 0),
        ("subscribers", 1),
        ("capacity", 128 << 10),
        ("max_publishers", 2),
    ] {
        assert_eq!(shown[key], value, "{key}: {shown}");
    }
    let text = run(&t, &["stat", &address]).succeeded();
    says(&text, &["published:", "subscribers:", "live"]);
    let table = run(&t, &["ls", "topic"]).succeeded();
    let line = table.lines().find(|line| line.starts_with(&address));
    says(
        line.expect("it is there"),
        &["live", "0 publishers, 1 subscriber"],
    );
    let listed = listed(&t, &["ls", "--json"], &address);
    assert_eq!(listed.expect("it is there")["subscribers"], 1);
    run(&t, &["rm", &address]).failed(1);
    interrupt(sub);
    interrupt(holder);
    nothing_is_left(&t);
}

#[test]
fn one_that_is_there_has_what_was_asked_for() {
    let t = start_test();
    let (_topic, address) = topic(&t);
    for verb in ["pub", "send", "sub", "recv", "hold"] {
        let smaller = run(&t, &[verb, &address, "--capacity", "2M"]);
        says(
            &smaller.failed(1),
            &[&address, "with capacity 1048576 and not 2097152"],
        );
        let fewer = run(&t, &[verb, &format!("{address}?publishers=9")]);
        says(&fewer.failed(1), &[&address, "with publishers 8 and not 9"]);
    }
    // It has at least as much.
    let enough = ["--capacity", "5000", "--publishers", "2", &address, "x"];
    run(&t, &[&["pub"], &enough[..]].concat()).succeeded_with("");
}

#[test]
fn it_says_who_may_subscribe() {
    let t = start_test();
    let address = address(&t);
    let sub = start(&t, &["sub", "--count", "1", "--subscribe", "everyone", &address]);
    wait_for_stat(&t, &address, "subscribers", 1);
    run(&t, &["pub", &format!("{address}?subscribe=everyone"), "x"]).succeeded_with("");
    sub.wait_output().succeeded_with("x");
    run(&t, &["pub", "--subscribe", "nobody", &address, "x"]).failed(2);
    says(
        &run(&t, &["push", "--subscribe", "user", "queue://q", "x"]).failed(2),
        &["--subscribe"],
    );
    nothing_is_left(&t);
}

#[test]
fn it_is_made_to_stay() {
    let t = start_test();
    let address = address(&t);
    let created = run(&t, &["create", &address, "--capacity", "4K", "--publishers", "1"]);
    if cfg!(windows) {
        says(&created.failed(2), &["quintet hold"]);
        let persistent = run(&t, &["pub", "--persistent", &address, "x"]);
        says(&persistent.failed(2), &[&address]);
        return;
    }
    created.succeeded_with("");
    says(&run(&t, &["create", &address]).failed(1), &[&address]);
    run(&t, &["pub", &address, "x"]).succeeded_with("");
    let shown = json(&t, &["stat", "--json", &address]);
    assert_eq!(
        (&shown["published"], &shown["persistent"]),
        (&1.into(), &true.into()),
        "{shown}"
    );
    // It was published before anybody subscribed.
    run(&t, &["recv", "--timeout", "0", &address]).failed(124);
    run(&t, &["rm", &address]).succeeded_with("");
    nothing_is_left(&t);
    run(&t, &["sub", "--persistent", "--timeout", "0", &address]).failed(124);
    run(&t, &["rm", &address]).succeeded_with("");
    nothing_is_left(&t);
}

#[test]
fn a_message_that_is_too_long_is_1_and_those_before_it_count() {
    let t = start_test();
    let (topic, address) = small_topic(&t);
    let mut subscriber = topic.subscriber().unwrap();
    let most = topic.max_message();
    let long = "x".repeat(most + 1);
    let file = t.temp_dir().join("long");
    fs::write(&file, &long).unwrap();
    let words = [&most.to_string()[..], "--capacity"];
    says(&run(&t, &["pub", &address, &long]).failed(1), &words);
    let from_file = ["pub", &address, "--file", file.to_str().unwrap()];
    says(&run(&t, &from_file).failed(1), &words);
    says(&run_with_input(&t, &["send", &address], &long).failed(1), &words);
    assert_eq!(topic.stats().published, 0);
    let input = format!("first\n{long}\nnever\n");
    let output = run_with_input(&t, &["pub", "--lines", &address], &input);
    says(&output.failed(1), &["a line of more than", "--capacity"]);
    // The longest.
    run(&t, &["pub", &address, &long[1..]]).succeeded_with("");
    let all = received(&mut subscriber);
    assert_eq!(all, [b"first", &long.as_bytes()[1..]]);
}

#[test]
fn more_publishers_than_there_can_be_are_1() {
    let t = start_test();
    let (topic, address) = small_topic(&t);
    let publisher = topic.publisher().unwrap();
    let words = [
        &address[..],
        "all 1 places for publishers are taken",
        "--publishers",
    ];
    says(&run(&t, &["pub", &address, "x"]).failed(1), &words);
    drop(publisher);
    run(&t, &["pub", &address, "x"]).succeeded_with("");
}

#[test]
fn what_makes_no_sense_is_2() {
    let t = start_test();
    let address = address(&t);
    let with = |option: &str| format!("{address}?{option}");
    let (unknown, bad) = (with("mode=message"), with("capacity=much"));
    let pipe = pipe(&t);
    for (args, why) in [
        (&["pub", &pipe, "x"][..], "there is no pub for pipe://"),
        (&["sub", &pipe], "`recv --follow`"),
        (&["pub", "queue://x", "x"], "`push` gives each message to one"),
        (&["sub", "queue://x"], "`pull --follow`"),
        (&["pub", "mailbox://x", "x"], "`write` makes it the newest value"),
        (&["sub", "mailbox://x"], "`read` prints the newest value"),
        (&["push", &address, "x"], "`pub` gives a message to all"),
        (&["pull", &address], "`sub` prints what is published"),
        (&["write", &address, "x"], "`pub` gives a message to all"),
        (&["read", &address], "`sub` prints what is published"),
        (&["wait", &address], "`pub --wait-subscriber`"),
        (&["run", &address, "--", "x"], "there is no run for topic://"),
        (&["pub", &unknown, "x"], "no option \"mode\""),
        (&["hold", &unknown], "no option \"mode\""),
        (&["sub", &bad], "capacity"),
        (&["pub", &address, "--capacity", "0", "x"], "--capacity"),
        (&["pub", &address, "--publishers", "65", "x"], "--publishers"),
        (&["pub", &address, "--producers", "2", "x"], "--producers"),
        (&["pub", &address, "--no-drain", "x"], "--no-drain"),
        (&["sub", &address, "--lines"], "--lines"),
        (&["sub", &address, "--depth", "0"], "--depth"),
        (&["sub", &address, "--count", "0"], "--count"),
        (&["sub", &address, "--follow"], "--follow"),
        (&["create", &address, "--size", "1M"], "--size is for shm://"),
        (
            &["hold", &address, "--producers", "2"],
            "--producers is for queue://",
        ),
        (
            &["hold", "queue://x", "--publishers", "2"],
            "--publishers is for topic://",
        ),
        (
            &["hold", "sem://x", "--capacity", "1M"],
            "--capacity is for queue://, topic://",
        ),
        (
            &["send", &address, "--producers", "2", "x"],
            "a topic has --publishers",
        ),
        (
            &["send", "queue://x", "--publishers", "2", "x"],
            "a queue has --producers",
        ),
        (
            &["recv", &pipe, "--publishers", "2"],
            "--publishers is for topic://",
        ),
        (
            &["send", &address, "--no-drain", "x"],
            "--no-drain is for queue://",
        ),
        (
            &["send", &address, "--mode", "message", "x"],
            "--mode is not for topic://",
        ),
        (
            &["send", &address, "--listen", "x"],
            "--listen is not for topic://",
        ),
        (&["recv", &address, "--connect"], "--connect is not for topic://"),
        (
            &["recv", &address, "--max-message", "9"],
            "--max-message is not for topic://",
        ),
        (
            &["send", &address, "--follow", "x"],
            "nobody is the server of a topic",
        ),
        (&["recv", &address, "--lines"], "each message is a record already"),
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
fn the_flow_is_shown() {
    let t = start_test();
    let (topic, address) = topic(&t);
    let hz = start(&t, &["hz", "--interval", "50ms", "--json", &address]);
    hz.wait_for_stdout("\n");
    let mut publisher = topic.publisher().unwrap();
    let mut subscribers = [topic.subscriber().unwrap(), topic.subscriber().unwrap()];
    for message in ["a", "bcdef", "ghi"] {
        publisher.publish(message).unwrap();
    }
    received(&mut subscribers[0]);
    // So many until now: published, their bytes, received, lost.
    let flow = || {
        let printed = hz.stdout();
        let whole = printed
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let mut flow = [0.0; 4];
        for line in records(&printed[..whole]) {
            let number = |key: &str| line[key].as_f64().unwrap();
            assert!(number("seconds") >= 0.05, "{line}");
            for (sum, what) in flow.iter_mut().zip(["published", "bytes", "received", "lost"]) {
                *sum += number(&format!("{what}_per_second")) * number("seconds");
            }
            assert_eq!(
                line["mean_bytes"].is_null(),
                number("published_per_second") == 0.0,
                "{line}"
            );
        }
        flow.map(f64::round)
    };
    eventually("it has seen them", || flow() == [3.0, 9.0, 3.0, 0.0]);
    hz.wait_for_stdout("\"publishers\":1,\"subscribers\":2}");
    // What it has received still counts.
    let [gone, _other] = subscribers;
    drop(gone);
    hz.wait_for_stdout("\"publishers\":1,\"subscribers\":1}");
    assert_eq!(flow(), [3.0, 9.0, 3.0, 0.0]);
    interrupt(hz);
}

#[test]
fn the_flow_is_shown_in_numbers_that_a_person_reads() {
    let t = start_test();
    let (topic, address) = topic(&t);
    let line = while_published(topic.publisher().unwrap(), || {
        run(&t, &["hz", "--interval", "50ms", "--count", "1", &address]).succeeded()
    });
    // Each is "again".
    says(
        &line,
        &[
            " published/s, ",
            "B/s, 5 B each, 0.00 received/s, 0.00 lost/s, 1 publishing, 0 subscribing\n",
        ],
    );
}

#[test]
fn who_only_looks_keeps_nothing_there() {
    let t = start_test();
    let (topic, address) = topic(&t);
    let subscriber = topic.subscriber().unwrap();
    let idle = "0.00 published/s, 0 B/s, 0.00 received/s, 0.00 lost/s, 0 publishing, 1 subscribing\n";
    run(&t, &["hz", "--interval", "1ms", "--count", "2", &address]).succeeded_with(&idle.repeat(2));
    let hz = start(&t, &["hz", "--interval", "10ms", &address]);
    hz.wait_for_stdout("\n");
    drop((topic, subscriber));
    says(&hz.wait_output().failed(1), &[&address]);
    nothing_is_left(&t);
}
