//! What `--help` says is so.

mod common;

use common::*;
use quintet::shm::{Mailbox, Queue, SharedMemory, Topic};
use quintet::socket::Listener;
use quintet::sync::{Event, Mutex, Reset, Semaphore};
use quintet_testkit::{Process, Test, start as start_test, start_with_deadline};
use std::fs;
use std::time::Duration;

const VERBS: [&str; 27] = [
    "send",
    "recv",
    "push",
    "pull",
    "pub",
    "sub",
    "req",
    "rep",
    "post",
    "broadcast",
    "find",
    "run",
    "create",
    "hold",
    "wait",
    "release",
    "set",
    "reset",
    "read",
    "write",
    "ls",
    "hz",
    "stat",
    "rm",
    "doctor",
    "demo",
    "completions",
];

/// The lines of all examples.
fn examples(t: &Test) -> Vec<String> {
    let mut lines = Vec::new();
    for verb in std::iter::once(None).chain(VERBS.map(Some)) {
        let mut args: Vec<&str> = verb.into_iter().collect();
        args.push("--help");
        // Wide enough that no line is broken.
        let help = t.run(quintet(&args).env("COLUMNS", "200")).succeeded();
        let (_, examples) = help
            .split_once("Examples:\n")
            .unwrap_or_else(|| panic!("{verb:?} has no examples"));
        lines.extend(
            examples
                .lines()
                .take_while(|line| line.starts_with("  "))
                .map(|line| line.trim().to_string())
                .filter(|line| !line.starts_with('#')),
        );
    }
    lines
}

/// The options of each verb, and what is said of them.
fn options(t: &Test, verb: &str) -> String {
    let help = t
        .run(quintet(&[verb, "--help"]).env("COLUMNS", "200"))
        .succeeded();
    let (_, options) = help.split_once("Options:\n").unwrap();
    let (options, _) = options.split_once("Print help").unwrap();
    options.to_string()
}

#[test]
fn what_is_said_of_an_option_names_no_option_that_the_verb_has_not() {
    let t = start_test();
    for verb in VERBS {
        let options = options(&t, verb);
        let word = |text: &str| {
            text.split([' ', ',', ';', ':', ']', ')'])
                .next()
                .unwrap()
                .to_string()
        };
        let starts_option = |line: &&str| line.trim_start().starts_with(['-', '[']);
        let defined: Vec<_> = options
            .lines()
            .filter(starts_option)
            .filter_map(|line| line.split_once("--"))
            .map(|(_, rest)| word(rest))
            .collect();
        for (_, rest) in options
            .match_indices("--")
            .map(|(at, _)| options.split_at(at + 2))
        {
            let named = word(rest.lines().next().unwrap());
            assert!(defined.contains(&named), "{verb} has no --{named}:\n{options}");
        }
        let has_modes = defined.iter().any(|option| option == "mode");
        assert!(has_modes || !options.contains("byte mode"), "{verb}:\n{options}");
    }
}

/// One test's pipes, files and input, for the examples to be run in.
struct Stage<'t> {
    t: &'t Test,
    /// What the examples' pipes are called here.
    name: String,
    /// The path of the examples' FIFO.
    fifo: String,
    /// What the examples' TCP addresses are here.
    place: String,
    input: &'static str,
}

impl Stage<'_> {
    fn new(t: &Test) -> Stage<'_> {
        Stage {
            t,
            name: t.name("example"),
            fifo: match cfg!(target_os = "linux") {
                true => t.temp_dir().join("fifo").display().to_string(),
                false => FIFO.into(),
            },
            place: String::new(),
            input: "",
        }
    }

    /// What the examples' objects of a scheme are called here: on Windows those of several have their names in common.
    fn name(&self, scheme: &str) -> String {
        match scheme {
            "pipe" => self.name.clone(),
            _ => format!("{}-{scheme}", self.name),
        }
    }

    /// The command of an example (what is between the other programs), on this stage.
    fn start(&self, example: &str) -> Process {
        let command = example.split('|').next_back().unwrap().split('>').next().unwrap();
        let words = command
            .split_whitespace()
            .map(|word| match word.split_once("://") {
                Some(("fifo", _)) => word.replace(FIFO, &self.fifo),
                Some(("tcp", _)) => self.place.clone(),
                Some(("ipc", _)) => format!("ipc://{}.socket", self.fifo),
                Some(("window", "")) => word.to_string(),
                Some((scheme, _)) => format!("{scheme}://{}", self.name(scheme)),
                None => word.to_string(),
            });
        let mut words: Vec<String> = words.collect();
        // The examples' own is no command that is everywhere.
        if let Some(at) = words.iter().position(|word| word == "--") {
            words.truncate(at + 1);
            words.extend([env!("CARGO_BIN_EXE_quintet"), "--version"].map(String::from));
        }
        assert_eq!(words[0], "quintet", "{example}");
        let args: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let mut command = quintet(&args);
        // What Encoding.Default is on a Chinese Windows.
        command.env("LC_ALL", "zh_CN.UTF-8");
        let mut process = self.t.start_command(&mut command);
        if let Some(mut stdin) = process.take_stdin() {
            // Not all of them want it.
            let _ = std::io::Write::write_all(&mut stdin, self.input.as_bytes());
        }
        process
    }

    #[track_caller]
    fn run(&self, example: &str) -> String {
        self.start(example).wait_output().succeeded()
    }

    /// Runs a server and then a client: what they print.
    #[track_caller]
    fn pair(&self, server: &str, client: &str) -> (String, String) {
        let server = self.start(server);
        let client = self.run(client);
        (server.wait_output().succeeded(), client)
    }

    /// Runs a server that goes on, and a client: what the server prints.
    #[track_caller]
    fn follow(&self, server: &str, client: &str, printed: &str) {
        let server = self.start(server);
        self.run(client);
        server.wait_for_stdout(printed);
        interrupt(server);
    }
}

/// The path of the FIFO in all examples.
const FIFO: &str = "/tmp/fifo";

const RECV: &str = "quintet recv pipe://TestPipe";
const SEND: &str = "quintet send pipe://TestPipe hello";

/// Runs an example of `run`, or of `hold` with a command: what the command prints, whose place is taken by another.
fn perform_run(stage: &Stage<'_>, example: &str) {
    says(&stage.run(example), &["quintet "]);
}

/// Runs an example with a queue.
fn perform_queue(stage: &mut Stage<'_>, example: &str) {
    const PULL: &str = "quintet pull queue://jobs";
    match example {
        PULL | "quintet push queue://jobs frame-7.raw" => {
            let pulled = stage.pair(PULL, "quintet push queue://jobs frame-7.raw");
            assert_eq!(pulled.0, "frame-7.raw");
        }
        "ls | quintet push --lines queue://jobs" => {
            stage.input = "one\ntwo\n";
            let pushed = stage.start(example);
            let pulled = stage.run("quintet pull --count 2 --format lines queue://jobs");
            assert_eq!(pulled, stage.input);
            pushed.wait_output().succeeded();
        }
        "quintet push queue://frames --capacity 16M --file frame.raw" => {
            let file = stage.t.temp_dir().join("frame.raw");
            fs::write(&file, vec![b'x'; 5 << 20]).unwrap();
            let here = example.replace("frame.raw", file.to_str().unwrap());
            let (pulled, _) = stage.pair("quintet pull queue://frames --capacity 16M", &here);
            assert_eq!(pulled.len(), 5 << 20);
        }
        _ => {
            let queue = Queue::create_new(stage.name("queue")).unwrap();
            let mut producer = queue.producer().unwrap();
            if example.starts_with("quintet pull ") {
                producer.push_all(["one", "two"]).unwrap();
            }
            match example {
                "quintet push --no-drain queue://jobs frame-7.raw" => {
                    stage.run(example);
                    assert_eq!(queue.stats().waiting, 1);
                }
                "quintet pull -n queue://jobs" => assert_eq!(stage.run(example), "one"),
                "quintet pull --follow --format lines queue://jobs" => {
                    let follower = stage.start(example);
                    follower.wait_for_stdout("one\ntwo\n");
                    interrupt(follower);
                }
                "quintet pull --count 2 --json queue://jobs" => {
                    says(&stage.run(example), &["\"lane\":0", "\"text\":\"two\""]);
                }
                "quintet hz queue://jobs" => {
                    let hz = stage.start(example);
                    hz.wait_for_stdout("0.00 pushed/s");
                    interrupt(hz);
                }
                // As it is, it would take ten seconds.
                "quintet hz --interval 10 --count 1 --json queue://jobs" => {
                    let shorter = example.replace("10", "0.1");
                    says(&stage.run(&shorter), &["pushed_per_second"]);
                }
                _ => panic!("no way to run this example is known here: {example}"),
            }
        }
    }
}

/// Runs an example with a topic.
fn perform_topic(stage: &mut Stage<'_>, example: &str) {
    let frame = stage.t.temp_dir().join("frame.raw");
    let here = example.replace("frame.raw", frame.to_str().unwrap());
    let builder = Topic::builder(stage.name("topic")).unwrap();
    let topic = builder.capacity(16 << 20).publishers(8).create_new().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let mut message = Vec::new();
    match example {
        "quintet pub topic://news hello" | "quintet pub --wait-subscriber --timeout 5 topic://news hello" => {
            stage.run(example);
            subscriber.copy(&mut message).unwrap();
            assert_eq!(message, b"hello");
        }
        "quintet pub --wait-subscriber=3 topic://news hello" => {
            let _others = [topic.subscriber().unwrap(), topic.subscriber().unwrap()];
            stage.run(example);
            subscriber.copy(&mut message).unwrap();
            assert_eq!(message, b"hello");
        }
        "tail -f app.log | quintet pub --lines topic://log" => {
            stage.input = "one\ntwo\n";
            stage.run(example);
            for line in stage.input.lines() {
                subscriber.copy(&mut message).unwrap();
                assert_eq!(message, line.as_bytes());
            }
        }
        "quintet pub topic://camera --capacity 16M --publishers 1 --file frame.raw" => {
            fs::write(&frame, vec![b'x'; 5 << 20]).unwrap();
            stage.run(&here);
            subscriber.copy(&mut message).unwrap();
            assert_eq!(message.len(), 5 << 20);
        }
        "quintet hz topic://camera" => {
            let hz = stage.start(example);
            hz.wait_for_stdout("0.00 published/s");
            interrupt(hz);
        }
        _ => {
            let sub = stage.start(&here);
            quintet_testkit::eventually("it subscribes", || topic.stats().subscribers == 2);
            let mut publisher = topic.publisher().unwrap();
            publisher.publish("one").unwrap();
            publisher.publish("two").unwrap();
            match example {
                "quintet sub --format lines topic://news" => {
                    sub.wait_for_stdout("one\ntwo\n");
                    interrupt(sub);
                }
                "quintet sub --count 2 --json topic://news" => says(
                    &sub.wait_output().succeeded(),
                    &["\"lane\":0", "\"lost\":0", "\"text\":\"two\""],
                ),
                "quintet sub --depth 1 --format hex topic://position" => {
                    sub.wait_for_stdout("74776f\n");
                    interrupt(sub);
                }
                "quintet sub topic://camera --capacity 16M --publishers 1 --count 1 --timeout 5 --file frame.raw" =>
                {
                    sub.wait_output().succeeded_with("");
                    assert_eq!(fs::read(frame).unwrap(), b"one");
                }
                _ => panic!("no way to run this example is known here: {example}"),
            }
        }
    }
}

/// Runs an example with a mailbox.
fn perform_mailbox(stage: &mut Stage<'_>, example: &str) {
    let mailbox = Mailbox::builder(stage.name("mailbox"))
        .unwrap()
        .size(640 * 480 * 3)
        .create_new()
        .unwrap();
    let written = || {
        let mut value = Vec::new();
        mailbox.reader().unwrap().read(&mut value).unwrap().unwrap();
        String::from_utf8(value).unwrap()
    };
    match example {
        "quintet write mailbox://position 120,45" => {
            stage.run(example);
            assert_eq!(written(), "120,45");
        }
        "tail -f positions.log | quintet write --lines mailbox://position" => {
            stage.input = "one\ntwo\n";
            stage.run(example);
            assert_eq!(written(), "two");
        }
        "quintet read mailbox://position" => {
            mailbox.writer().unwrap().write("120,45").unwrap();
            assert_eq!(stage.run(example), "120,45");
        }
        "quintet read --follow --format lines mailbox://position" => {
            mailbox.writer().unwrap().write("one").unwrap();
            let follower = stage.start(example);
            follower.wait_for_stdout("one\n");
            mailbox.writer().unwrap().write("two").unwrap();
            follower.wait_for_stdout("one\ntwo\n");
            interrupt(follower);
        }
        "quintet read --count 2 --json mailbox://position" => {
            let reader = stage.start(example);
            let mut writer = mailbox.writer().unwrap();
            writer.write("one").unwrap();
            reader.wait_for_stdout("\"sequence\":1,\"length\":3,\"age_s\":");
            writer.write("two").unwrap();
            says(&reader.wait_output().succeeded(), &["\"text\":\"two\""]);
        }
        "quintet read --timeout 5 mailbox://camera --image 640x480:bgr8 -o frame.png" => {
            mailbox.writer().unwrap().write(vec![0; 640 * 480 * 3]).unwrap();
            let file = stage.t.temp_dir().join("frame.png");
            stage.run(&example.replace("frame.png", file.to_str().unwrap()));
            assert!(fs::read(file).unwrap().starts_with(b"\x89PNG"));
        }
        "quintet hz mailbox://camera" => {
            let hz = stage.start(example);
            hz.wait_for_stdout("0.00 written/s, 0 reading");
            interrupt(hz);
        }
        _ => panic!("no way to run this example is known here: {example}"),
    }
}

/// Those of sockets. Each is run at a place of its own, its other side with it.
fn perform_socket(stage: &mut Stage<'_>, example: &str) {
    let listener = Listener::listen(any_port()).unwrap();
    stage.place = listener.address().to_string();
    drop(listener);
    let tcp = "tcp://localhost:5555";
    match example {
        "quintet send tcp://localhost:5555 --file frame.raw" => {
            let file = stage.t.temp_dir().join("frame.raw");
            fs::write(&file, "a frame").unwrap();
            let here = example.replace("frame.raw", file.to_str().unwrap());
            assert_eq!(stage.pair("quintet recv tcp://*:5555", &here).0, "a frame");
        }
        "quintet recv --follow tcp://localhost:5555" => {
            stage.follow(example, &format!("quintet send {tcp} hello"), "hello");
        }
        "quintet push tcp://localhost:5555 frame-7.raw"
        | "quintet pull --follow --format lines tcp://*:5555" => {
            stage.follow(
                "quintet pull --follow --format lines tcp://*:5555",
                "quintet push tcp://localhost:5555 frame-7.raw",
                "frame-7.raw\n",
            );
        }
        "quintet pub --listen tcp://*:5555 --interval 1 tick" => {
            let publisher = stage.start(example);
            let sub = format!("quintet sub --connect --count 2 --format lines {tcp}");
            assert_eq!(stage.run(&sub), "tick\ntick\n");
            interrupt(publisher);
        }
        "quintet sub --connect tcp://localhost:5555 --topic weather --topic sports --format lines" => {
            let sub = stage.start(example);
            stage.run(&format!(
                "quintet pub --listen --wait-subscriber {tcp} sports-2:1"
            ));
            sub.wait_for_stdout("sports-2:1\n");
            interrupt(sub);
        }
        "quintet req tcp://localhost:5555 status" | "quintet rep tcp://*:5555 --reply hello" => {
            let rep = stage.start("quintet rep tcp://*:5555 --reply hello");
            assert_eq!(stage.run("quintet req tcp://localhost:5555 status"), "hello");
            interrupt(rep);
        }
        "quintet req --interval 10 --count 3 tcp://localhost:5555 status" => {
            let rep = stage.start("quintet rep tcp://*:5555 --reply hello");
            let quick = example.replace("--interval 10", "--interval 0.01");
            assert_eq!(stage.run(&quick), "hellohellohello");
            interrupt(rep);
        }
        "quintet req --timeout 5 ipc:///tmp/server hello"
        | "quintet rep --count 1 ipc:///tmp/server -- tr a-z A-Z" => {
            let (_, reply) = stage.pair(
                "quintet rep --count 1 ipc:///tmp/server -- tr a-z A-Z",
                "quintet req --timeout 50 ipc:///tmp/server hello",
            );
            says(&reply, &["quintet"]);
        }
        _ => panic!("no way to run this example is known here: {example}"),
    }
}

/// Runs an example with a window.
fn perform_window(stage: &Stage<'_>, example: &str) {
    use quintet::window::{Encoding, WM_CLOSE, Window, WindowHandle, post_quit, register_message, run};
    use std::sync::mpsc;
    let title = stage.name("window");
    let file = stage.t.temp_dir().join("frame.raw");
    fs::write(&file, "a frame").unwrap();
    let process = std::env::current_exe().unwrap();
    let here = example
        .replace("--class Worker", &format!("--class {title}"))
        .replace(
            "--process Worker",
            &format!("--process {}", process.file_name().unwrap().display()),
        )
        .replace("frame.raw", file.to_str().unwrap());
    if ["quintet rep ", "quintet recv "]
        .iter()
        .any(|start| example.starts_with(start))
    {
        let server = stage.start(&here);
        let window = quintet_testkit::eventually_some("it has a window", || {
            WindowHandle::find(None, Some(&title)).ok()
        });
        let result = window.copy_data_text(0, "success", Encoding::Ansi).unwrap();
        match example {
            "quintet rep window://TestWindow --reply 1" => assert_eq!(result, 1),
            "quintet rep window://TestWindow --reply 0" => assert_eq!(result, 0),
            // What takes its place succeeds.
            "quintet rep window://Check -- grep -q OK" => assert_eq!(result, 0),
            "quintet recv --follow --encoding ansi --format lines window://TestWindow" => {
                server.wait_for_stdout("success\n");
            }
            _ => panic!("no way to run this example is known here: {example}"),
        }
        window.post(WM_CLOSE, 0, 0).unwrap();
        server.wait_output().succeeded();
        return;
    }
    let (say, came) = mpsc::channel();
    let builder = Window::builder(&title).class(&title);
    let thread = std::thread::spawn(move || {
        let made = say.clone();
        let window = builder.create(move |message| {
            let data = message.copy_data().map(|data| (data.id(), data.bytes().to_vec()));
            say.send((message.number(), message.wparam(), message.lparam(), data))
                .unwrap();
            if message.number() == WM_CLOSE {
                post_quit(0);
            }
            5
        });
        let window = window.unwrap();
        made.send((0, window.handle().raw() as usize, 0, None)).unwrap();
        run().unwrap();
    });
    let next = || came.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    let handle = WindowHandle::from_raw(next().1 as u32);
    let printed = match example {
        // Others' windows may be in it, and late.
        _ if example.starts_with("quintet broadcast ") => {
            String::from_utf8(stage.start(&here).wait_output().stdout).unwrap()
        }
        _ => stage.run(&here),
    };
    let number = |name| register_message(name).unwrap();
    match example {
        "quintet send window://TestWindow success" => {
            assert_eq!((&*printed, next().3), ("5\n", Some((0, b"success".to_vec()))));
        }
        "quintet send --encoding ansi --id 100 window://TestWindow success" => {
            assert_eq!((&*printed, next().3), ("5\n", Some((100, b"success\0".to_vec()))));
        }
        "quintet send --class Worker window:// --file frame.raw" => {
            assert_eq!(next().3, Some((0, b"a frame".to_vec())));
        }
        "quintet send window://TestWindow --msg WM_APP+1 --wparam 7" => {
            assert_eq!((&*printed, next()), ("5\n", (0x8001, 7, 0, None)));
        }
        "quintet req --json window://TestWindow status" => says(&printed, &["\"result\":5"]),
        "quintet stat window://TestWindow" => says(&printed, &["live", &handle.raw().to_string()]),
        "quintet ls window" => says(&printed, &[&title]),
        "quintet post window://TestWindow --msg WM_CLOSE" => assert_eq!(next(), (WM_CLOSE, 0, 0, None)),
        "quintet post window://TestWindow --msg WM_APP+1 --wparam 7 --lparam -1" => {
            assert_eq!(next(), (0x8001, 7, -1, None));
        }
        "quintet post --class Worker window:// --registered Example.Done" => {
            assert_eq!(next().0, number("Example.Done"));
        }
        "quintet broadcast --registered Example.Changed --wparam 7" => {
            assert_eq!(next(), (number("Example.Changed"), 7, 0, None));
        }
        "quintet broadcast --send --timeout 5 --registered Example.Changed" => {
            assert_eq!(next().0, number("Example.Changed"));
            says(&printed, &[&format!("{} 5\n", handle.raw())]);
        }
        "quintet find window://TestWindow" | "quintet find --timeout 10 window://TestWindow" => {
            assert_eq!(printed, format!("{}\n", handle.raw()));
        }
        "quintet find --all --json --process Worker window://" => {
            says(&printed, &[&title, &handle.raw().to_string()]);
        }
        _ => panic!("no way to run this example is known here: {example}"),
    }
    if example != "quintet post window://TestWindow --msg WM_CLOSE" {
        handle.post(WM_CLOSE, 0, 0).unwrap();
    }
    thread.join().unwrap();
}

/// Runs one example as it is meant. A new one needs a way to be run here.
fn perform(t: &Test, example: &str) {
    let mut stage = Stage::new(t);
    match example {
        _ if ["tcp://", "ipc://"].iter().any(|scheme| example.contains(scheme)) => {
            perform_socket(&mut stage, example);
        }
        "quintet ls window" => perform_window(&stage, example),
        _ if ["window://", "broadcast"]
            .iter()
            .any(|word| example.contains(word)) =>
        {
            perform_window(&stage, example);
        }
        RECV | SEND => assert_eq!(stage.pair(RECV, SEND).0, "hello"),
        "quintet send --listen --mode message pipe://TestPipe hello" => {
            assert_eq!(
                stage.pair(example, "quintet recv --connect pipe://TestPipe").1,
                "hello"
            );
        }
        "quintet recv --connect pipe://TestPipe" => {
            assert_eq!(
                stage
                    .pair("quintet send --listen pipe://TestPipe hello", example)
                    .1,
                "hello"
            );
        }
        "quintet send pipe://frames --file frame.raw" => {
            let file = t.temp_dir().join("frame.raw");
            fs::write(&file, "a frame").unwrap();
            let here = example.replace("frame.raw", file.to_str().unwrap());
            assert_eq!(stage.pair(RECV, &here).0, "a frame");
        }
        "tail -f app.log | quintet send --lines pipe://log" | "quintet recv --follow --lines pipe://log" => {
            stage.input = "one\ntwo\n";
            stage.follow(
                "quintet recv --follow --lines pipe://log",
                "quintet send --lines pipe://log",
                "one\ntwo\n",
            );
        }
        "quintet send --encoding gb18030 pipe://TestPipe 成功" => {
            let (received, _) = stage.pair("quintet recv --encoding gb18030 pipe://TestPipe", example);
            assert_eq!(received, "成功");
        }
        "quintet recv --encoding ansi pipe://TestPipe" => {
            let (received, _) = stage.pair(example, "quintet send --encoding ansi pipe://TestPipe hello");
            assert_eq!(received, "hello");
        }
        "quintet recv --mode message --follow --json pipe://TestPipe" => {
            stage.follow(example, SEND, "\"text\":\"hello\"}");
        }
        _ if example.contains("fifo://") && !cfg!(target_os = "linux") => {
            says(&stage.start(example).wait_output().failed(2), &["on Linux only"]);
        }
        "quintet recv fifo:///tmp/fifo" | "quintet send fifo:///tmp/fifo hello" => {
            let (received, _) = stage.pair(
                "quintet recv fifo:///tmp/fifo",
                "quintet send fifo:///tmp/fifo hello",
            );
            assert_eq!(received, "hello");
        }
        "quintet recv --follow --lines fifo:///tmp/fifo" => {
            stage.follow(example, "quintet send --lines fifo:///tmp/fifo hello", "hello\n");
        }
        _ if example.contains(" -- ") => perform_run(&stage, example),
        _ if example.starts_with("quintet create ") => {
            let output = stage.start(example).wait_output();
            if cfg!(target_os = "linux") {
                output.succeeded();
                let scheme = example.split_whitespace().nth(2).unwrap();
                stage.run(&format!("quintet rm {scheme}"));
            } else {
                says(&output.failed(2), &["quintet hold"]);
            }
        }
        "quintet hold sem://jobs --max 3"
        | "quintet hold shm://frame --size 64K"
        | "quintet hold mailbox://position"
        | "quintet hold mailbox://camera --size 6M"
        | "quintet hold queue://jobs"
        | "quintet hold topic://camera --capacity 16M --publishers 1" => {
            let address = example.split_whitespace().nth(2).unwrap();
            let holder = stage.start(example);
            quintet_testkit::eventually("it is there", || {
                stage
                    .start(&format!("quintet stat {address}"))
                    .wait_output()
                    .status
                    .success()
            });
            interrupt(holder);
        }
        "quintet read shm://frame --len 16 --format hex" => {
            let _frame = SharedMemory::create_new(stage.name("shm"), 32).unwrap();
            assert_eq!(stage.run(example), "00".repeat(16) + "\n");
        }
        "quintet read shm://frame --file frame.raw" => {
            let frame = SharedMemory::create_new(stage.name("shm"), 4096).unwrap();
            frame.write_at(0, b"a frame").unwrap();
            let file = t.temp_dir().join("frame.raw");
            stage.run(&example.replace("frame.raw", file.to_str().unwrap()));
            let saved = fs::read(file).unwrap();
            assert!(saved.len() == 4096 && saved.starts_with(b"a frame"));
        }
        "quintet read shm://frame --offset 64 --image 640x480:bgr8 -o frame.png" => {
            let _frame = SharedMemory::create_new(stage.name("shm"), 64 + 640 * 480 * 3).unwrap();
            let file = t.temp_dir().join("frame.png");
            stage.run(&example.replace("frame.png", file.to_str().unwrap()));
            assert!(fs::read(file).unwrap().starts_with(b"\x89PNG"));
        }
        "quintet read shm://frame --offset 8 --len 10 --encoding utf-16le" => {
            let frame = SharedMemory::create_new(stage.name("shm"), 32).unwrap();
            frame.write_at(8, b"h\0e\0l\0l\0o\0").unwrap();
            assert_eq!(stage.run(example), "hello");
        }
        "quintet write shm://frame hello" => {
            let frame = SharedMemory::create_new(stage.name("shm"), 32).unwrap();
            stage.run(example);
            assert_eq!(&frame.read::<[u8; 5]>(0).unwrap(), b"hello");
        }
        "quintet write shm://frame --offset 64 --file frame.raw" => {
            let frame = SharedMemory::create_new(stage.name("shm"), 96).unwrap();
            let file = t.temp_dir().join("frame.raw");
            fs::write(&file, "a frame").unwrap();
            stage.run(&example.replace("frame.raw", file.to_str().unwrap()));
            assert_eq!(&frame.read::<[u8; 7]>(64).unwrap(), b"a frame");
        }
        "quintet wait event://ready --timeout 10" | "quintet set event://ready" => {
            let event = Event::create_new(stage.name("event"), Reset::Auto).unwrap();
            let waiter = stage.start("quintet wait event://ready --timeout 10");
            stage.run("quintet set event://ready");
            waiter.wait_output().succeeded_with("");
            assert!(!event.is_set().unwrap());
        }
        "quintet reset event://ready" => {
            let event = Event::create_new(stage.name("event"), Reset::Manual).unwrap();
            event.set().unwrap();
            stage.run(example);
            assert!(!event.is_set().unwrap());
        }
        "quintet wait -n sem://items" | "quintet release sem://items" | "quintet release sem://items 5" => {
            let items = Semaphore::create_new(stage.name("sem"), 1, 100).unwrap();
            stage.run(example);
            let left = match example {
                "quintet wait -n sem://items" => 0,
                "quintet release sem://items" => 2,
                _ => 6,
            };
            assert_eq!(items.count().unwrap(), left);
        }
        "quintet stat mutex://backup" => {
            let _mutex = Mutex::create_new(stage.name("mutex")).unwrap();
            says(&stage.run(example), &["locked", "no"]);
        }
        "quintet rm sem://jobs" => {
            // There is nothing to remove here; tests/sync.rs has a case where there is.
            stage.start(example).wait_output().failed(1);
        }
        "quintet ls" | "quintet ls sem" | "quintet ls pipe --json" => {
            stage.run(example);
        }
        "quintet ls --watch" => {
            let server = quintet::pipe::PipeServer::create(&*stage.name).unwrap();
            let watch = stage.start(example);
            watch.wait_for_stdout(&server.address().to_string());
            interrupt(watch);
        }
        // Others may have left something, which is theirs to find: tests/doctor.rs looks at that, and removes its own.
        "quintet doctor" => {
            let output = stage.start(example).wait_output();
            says(&String::from_utf8_lossy(&output.stdout), &["free"]);
        }
        "quintet doctor --json" => {
            let output = stage.start(example).wait_output();
            says(
                &String::from_utf8_lossy(&output.stdout),
                &["\"stale\"", "\"limits\""],
            );
        }
        "quintet doctor --fix" => {}
        "quintet doctor --fix queue://jobs topic://camera" => {
            let name = |scheme| stage.name(scheme);
            let queue = quintet::shm::Queue::create_or_open(name("queue")).unwrap();
            let topic = quintet::shm::Topic::create_or_open(name("topic")).unwrap();
            stage.run(example);
            drop((queue, topic));
        }
        "quintet stat pipe://TestPipe" | "quintet stat --json pipe://TestPipe" => {
            let server = quintet::pipe::PipeServer::create(&*stage.name).unwrap();
            says(
                &stage.run(example),
                &["live", server.address().name().unwrap().as_str()],
            );
        }
        "quintet rm pipe://TestPipe" => {
            let output = stage.start(example).wait_output();
            // There is nothing to remove here; tests/objects.rs has a case where there is.
            output.failed(1);
        }
        // tests/demo.rs looks at what it prints. More messages are more of the same, in debug builds for a long time.
        "quintet demo --kill" => says(&stage.run("quintet demo --messages 10 --kill"), &["is killed"]),
        "quintet demo" => says(&stage.run("quintet demo --messages 10"), &["what they should be"]),
        "quintet demo --messages 100000" => {}
        "quintet completions bash > ~/.local/share/bash-completion/completions/quintet"
        | "quintet completions powershell >> $PROFILE" => says(&stage.run(example), &["quintet", "send"]),
        _ if example.contains("mailbox://") => perform_mailbox(&mut stage, example),
        _ if example.contains("queue://") => perform_queue(&mut stage, example),
        _ if example.contains("topic://") => perform_topic(&mut stage, example),
        _ => panic!("no way to run this example is known here: {example}"),
    }
}

#[test]
fn every_example_runs() {
    // They are many, two of them demos, and the machine may be an emulated one.
    let t = start_with_deadline(Duration::from_secs(300));
    let examples = examples(&t);
    assert!(examples.len() > 15, "{examples:?}");
    for example in examples {
        perform(&t, &example);
    }
}

#[test]
fn every_verb_has_help_and_nothing_else_is_needed_for_it() {
    let t = start_test();
    let overview = run(&t, &["--help"]).succeeded();
    for verb in VERBS {
        says(&overview, &[&format!("\n  {verb} ")]);
        says(
            &run(&t, &["help", verb]).succeeded(),
            &["Usage: quintet", "Examples:"],
        );
        says(
            &run(&t, &[verb, "-h"]).succeeded(),
            &["Usage: quintet", "Examples:"],
        );
    }
    assert_eq!(
        run(&t, &["--version"]).succeeded().trim(),
        format!("quintet {}", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn there_are_completions_for_each_shell() {
    let t = start_test();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&t, &["completions", shell]).succeeded();
        says(
            &script,
            &["recv", "max-instances", "abandoned", "wait-subscriber"],
        );
        // The others are not given the values of options.
        if matches!(shell, "bash" | "fish" | "zsh") {
            says(&script, &["utf-16le", "everyone", "manual"]);
        }
        // What is not for people is not offered to them.
        assert!(!script.contains("worker"), "{shell}");
    }
}
