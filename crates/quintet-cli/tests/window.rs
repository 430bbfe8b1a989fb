//! Windows: `send`, `req`, `recv`, `rep`, `post`, `broadcast`, `find`, and what `ls` and `stat` show of them.

mod common;

use common::*;
use quintet::shm::Mailbox;
use quintet::window::{
    Encoding, Message, SendMode, WM_APP, WM_CLOSE, Window, WindowHandle, WindowSearch, post_quit,
    register_message, run as run_loop,
};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::{Test, eventually, eventually_some, start as start_test};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// What `send` and its like wait for a window that is about to be made, in seconds.
const SOON: &str = "60";

/// An address of a window that nobody else has.
fn place(t: &Test) -> String {
    format!("window://{}", t.name("window"))
}

fn title(place: &str) -> &str {
    place.strip_prefix("window://").unwrap()
}

/// A window of this process, on a thread of its own.
struct Served {
    handle: WindowHandle,
    thread: JoinHandle<()>,
}

/// One that a procedure serves until it is to close.
fn serve(
    title: &str,
    class: &str,
    message_only: bool,
    procedure: impl Fn(&Message<'_>) -> isize + Send + 'static,
) -> Served {
    let builder = Window::builder(title).class(class).message_only(message_only);
    let (say, made) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let window = builder.create(move |message| {
            if message.number() == WM_CLOSE {
                post_quit(0);
                return 0;
            }
            procedure(message)
        });
        let window = window.unwrap();
        say.send(window.handle()).unwrap();
        run_loop().unwrap();
    });
    Served {
        handle: made.recv().unwrap(),
        thread,
    }
}

impl Served {
    fn close(self) {
        self.handle.post(WM_CLOSE, 0, 0).unwrap();
        self.thread.join().unwrap();
    }
}

/// The name of a message that nobody else has. The list of such names stays as long as this process, so it is not among
/// what a test must not leave behind.
fn message_name(label: &str) -> String {
    format!("Quintet.Test.{}.{label}", std::process::id())
}

/// The window of a command that was started.
fn found(place: &str) -> WindowHandle {
    eventually_some("its window is there", || {
        WindowHandle::find(None, Some(title(place))).ok()
    })
}

#[test]
fn data_goes_to_recv_and_its_reply_comes_back() {
    let t = start_test();
    for (verb, reply, printed) in [
        ("send", None, "0\n"),
        ("req", Some("7"), "7\n"),
        ("send", Some("-1"), "-1\n"),
    ] {
        let place = place(&t);
        let mut args = vec!["recv", &place];
        args.extend(reply.iter().flat_map(|reply| ["--reply", reply]));
        let recv = start(&t, &args);
        run(&t, &[verb, "--timeout", SOON, &place, "one\ntwo"]).succeeded_with(printed);
        recv.wait_output().succeeded_with("one\ntwo");
    }
}

#[test]
fn much_data_comes_from_standard_input() {
    let t = start_test();
    let place = place(&t);
    let recv = start(&t, &["recv", &place]);
    // Wine delivers no more than about a megabyte.
    let large = "x".repeat(if cfg!(windows) { 1_000_000 } else { 5 << 20 });
    run_with_input(&t, &["send", "--timeout", SOON, &place], &large).succeeded_with("0\n");
    assert!(recv.wait_output().succeeded() == large);
}

#[test]
fn json_says_who_sent_what_and_what_the_result_was() {
    let t = start_test();
    let place = place(&t);
    let recv = start(&t, &["recv", "--count", "2", "--json", "--reply", "5", &place]);
    let result = json(
        &t,
        &[
            "req",
            "--json",
            "--timeout",
            SOON,
            "--id",
            "0x64",
            &place,
            "success",
        ],
    );
    assert_eq!(result["result"], 5);
    run(
        &t,
        &[
            "post", &place, "--msg", "WM_APP+1", "--wparam", "7", "--lparam", "-9",
        ],
    )
    .succeeded_with("");
    let printed = recv.wait_output().succeeded();
    let records: Vec<serde_json::Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (
            &records[0]["text"],
            &records[0]["id"],
            &records[0]["length"],
            &records[0]["sequence"]
        ),
        (&"success".into(), &100.into(), &7.into(), &1.into())
    );
    if cfg!(target_os = "linux") {
        let executable = records[0]["sender"]["executable"].as_str().unwrap();
        assert!(executable.contains("quintet"), "{executable}");
    }
    assert_eq!(
        (
            &records[1]["message"],
            &records[1]["wparam"],
            &records[1]["lparam"],
            &records[1]["posted"]
        ),
        (&0x8001.into(), &7.into(), &(-9).into(), &true.into())
    );
    assert_eq!(records[1]["sequence"], 2);
}

#[test]
fn text_has_the_nul_that_receivers_read_to() {
    let t = start_test();
    let title = t.name("texts");
    let window = serve(&title, "Quintet", false, |message| {
        let data = message.copy_data().unwrap();
        let expected: &[u8] = match data.id() {
            1 => "成功\0".as_bytes(),
            2 => &[0x10, 0x62, 0x9F, 0x52, 0, 0],
            3 => b"success\0",
            4 => &[0xb3, 0xc9, 0xb9, 0xa6, 0],
            _ => "成功".as_bytes(),
        };
        isize::from(data.bytes() == expected)
    });
    let place = format!("window://{title}");
    for (id, encoding, text) in [
        ("1", "utf8", "成功"),
        ("2", "utf16", "成功"),
        ("3", "ansi", "success"),
        ("4", "gb18030", "成功"),
    ] {
        run(&t, &["send", "--id", id, "--encoding", encoding, &place, text]).succeeded_with("1\n");
    }
    run(&t, &["send", "--id", "5", &place, "成功"]).succeeded_with("1\n");
    window.close();
}

#[test]
fn text_is_printed_up_to_the_nul() {
    let t = start_test();
    for (encoding, data) in [
        ("utf8", "成功\0rest".as_bytes()),
        ("utf16", &[0x10, 0x62, 0x9F, 0x52, 0, 0, 1]),
        ("gb18030", &[0xb3, 0xc9, 0xb9, 0xa6, 0, 1]),
    ] {
        let place = place(&t);
        let recv = start(&t, &["recv", "--encoding", encoding, &place]);
        assert_eq!(
            found(&place)
                .copy_data_timeout(0, data, SendMode::Normal, PATIENCE)
                .unwrap(),
            0
        );
        recv.wait_output().succeeded_with("成功");
    }
    let place = place(&t);
    let recv = start(&t, &["recv", "--encoding", "ansi", &place]);
    found(&place)
        .copy_data_text(0, "success", Encoding::Ansi)
        .unwrap();
    recv.wait_output().succeeded_with("success");
}

#[test]
fn each_line_is_a_message_with_its_own_result() {
    let t = start_test();
    let title = t.name("lengths");
    let window = serve(&title, "Quintet", false, |message| {
        message.copy_data().map_or(-1, |data| data.bytes().len() as isize)
    });
    let place = format!("window://{title}");
    run_with_input(&t, &["send", "--lines", &place], "a\nbcd\r\n\n").succeeded_with("1\n3\n0\n");
    run_with_input(&t, &["send", "--lines", "--count", "1", &place], "a\nbcd\n").succeeded_with("1\n");
    run(&t, &["req", "--count", "2", "--interval", "0.01", &place, "ab"]).succeeded_with("2\n2\n");
    window.close();
}

#[test]
fn a_plain_message_has_two_numbers_and_a_result() {
    let t = start_test();
    let title = t.name("numbers");
    let name = message_name("numbers");
    let registered = register_message(&name).unwrap();
    let window = serve(&title, "Quintet", false, move |message| match message.number() {
        number if number == WM_APP + 2 => message.lparam() - message.wparam() as isize,
        number if number == registered => 9,
        _ => -1,
    });
    let place = format!("window://{title}");
    let send = |args: &[&str]| run(&t, &[&["send", &place], args].concat()).succeeded();
    assert_eq!(
        send(&["--msg", "0x8002", "--wparam", "7", "--lparam", "-5"]),
        "-12\n"
    );
    assert_eq!(send(&["--msg", "wm_app+2", "--count", "2"]), "0\n0\n");
    assert_eq!(send(&["--registered", &name.to_uppercase()]), "9\n");
    window.close();
}

#[test]
fn the_answer_of_a_command_is_its_exit_code() {
    let t = start_test();
    let place = place(&t);
    let rep = start(
        &t,
        &[&["rep", "--count", "1", &place, "--"], &shell("exit 7")[..]].concat(),
    );
    run(&t, &["req", "--timeout", SOON, &place, "x"]).succeeded_with("7\n");
    rep.wait_output().succeeded_with("");
    // It has the data on its standard input: here in an encoding, and what it prints is printed.
    let name = t.name("mailbox");
    let mailbox = Mailbox::create_new(&name).unwrap();
    let write = [
        env!("CARGO_BIN_EXE_quintet"),
        "write",
        &format!("mailbox://{name}"),
    ]
    .map(String::from);
    let write: Vec<&str> = write.iter().map(String::as_str).collect();
    for encoding in [None, Some("utf16")] {
        let mut args = vec!["rep", "--count", "1", &place];
        args.extend(encoding.iter().flat_map(|encoding| ["--encoding", encoding]));
        let rep = start(&t, &[&args[..], &["--"], &write[..]].concat());
        let mut args = vec!["send", "--timeout", SOON, &place, "成功"];
        args.extend(encoding.iter().flat_map(|encoding| ["--encoding", encoding]));
        run(&t, &args).succeeded_with("0\n");
        rep.wait_output().succeeded_with("");
        let mut value = Vec::new();
        mailbox.reader().unwrap().read(&mut value).unwrap().unwrap();
        assert_eq!(value, "成功".as_bytes());
    }
    let rep = start(
        &t,
        &[&["rep", "--count", "1", &place, "--"], &shell("echo said")[..]].concat(),
    );
    run(&t, &["req", "--timeout", SOON, &place, "x"]).succeeded_with("0\n");
    assert_eq!(rep.wait_output().succeeded().trim(), "said");
}

#[test]
fn a_command_that_is_not_there_ends_rep_and_its_sender_knows() {
    let t = start_test();
    let place = place(&t);
    let rep = start(&t, &["rep", &place, "--", "there-is-no-such-command"]);
    let errors = run(&t, &["send", "--timeout", SOON, &place, "x"]).failed(1);
    says(&errors, &["window://"]);
    says(&rep.wait_output().failed(127), &["there-is-no-such-command"]);
}

#[test]
fn rep_answers_until_it_is_closed() {
    let t = start_test();
    let place = place(&t);
    let rep = start(&t, &["rep", &place, "--reply", "-3"]);
    run(&t, &["send", "--timeout", SOON, "--count", "3", &place, "x"]).succeeded_with("-3\n-3\n-3\n");
    run(&t, &["post", &place, "--msg", "WM_CLOSE"]).succeeded_with("");
    rep.wait_output().succeeded_with("");
    let recv = start(&t, &["recv", "--follow", "--format", "lines", &place]);
    run(&t, &["send", "--timeout", SOON, "--count", "2", &place, "x"]).succeeded_with("0\n0\n");
    run(&t, &["send", &place, "--msg", "WM_CLOSE"]).succeeded_with("0\n");
    recv.wait_output().succeeded_with("x\nx\n");
    let recv = start(&t, &["recv", "--count", "2", &place]);
    run(&t, &["send", "--timeout", SOON, &place, "x"]).succeeded_with("0\n");
    run(&t, &["post", &place, "--msg", "WM_CLOSE"]).succeeded_with("");
    says(&recv.wait_output().failed(1), &["1 of 2 messages"]);
}

#[test]
fn what_is_more_than_was_to_be_received_is_not_taken() {
    let t = start_test();
    let place = place(&t);
    let recv = start(&t, &["recv", &place]);
    found(&place);
    let senders: Vec<_> = (0..4).map(|_| start(&t, &["send", &place, "x"])).collect();
    let ends: Vec<_> = senders
        .into_iter()
        .map(|sender| sender.wait_output().status.code())
        .collect();
    assert_eq!(
        ends.iter().filter(|code| **code == Some(0)).count(),
        1,
        "{ends:?}"
    );
    assert_eq!(
        ends.iter().filter(|code| **code == Some(1)).count(),
        3,
        "{ends:?}"
    );
    recv.wait_output().succeeded_with("x");
}

#[test]
fn posted_messages_come_in_their_order() {
    let t = start_test();
    let place = place(&t);
    let recv = start(&t, &["recv", "--count", "4", &place]);
    let post =
        |args: &[&str]| run(&t, &[&["post", "--timeout", SOON, &place], args].concat()).succeeded_with("");
    post(&["--msg", "WM_USER", "--wparam", "1"]);
    post(&["--msg", "WM_USER", "--wparam", "2", "--count", "2"]);
    post(&["--msg", "WM_USER+1", "--lparam", "-3"]);
    recv.wait_output()
        .succeeded_with("0x0400 1 0\n0x0400 2 0\n0x0400 2 0\n0x0401 0 -3\n");
}

#[test]
fn a_window_is_meant_by_its_title_class_process_or_handle() {
    let t = start_test();
    let (one, class) = (t.name("one"), t.name("class"));
    let window = serve(&one, &class, true, |_| 1);
    let other = serve(&t.name("other"), "Quintet", true, |_| 2);
    let pid = std::process::id().to_string();
    let hwnd = window.handle.raw().to_string();
    let process = std::env::current_exe().unwrap();
    let process = process.file_name().unwrap().to_str().unwrap();
    let place = format!("window://{one}");
    let upper = format!("window://{}", one.to_uppercase());
    let [by_class, by_hwnd] =
        [("class", &class), ("hwnd", &hwnd)].map(|(key, value)| format!("window://?{key}={value}"));
    for args in [
        &[&*place][..],
        &[&upper],
        &[&by_class],
        &[&by_hwnd],
        &["window://", "--class", &class],
        &["window://", "--hwnd", &hwnd],
        &["window://", "--pid", &pid, "--class", &class],
        &["--process", process, &place],
        &[
            "--class",
            &class,
            "--process",
            process,
            "--pid",
            &pid,
            "--hwnd",
            &hwnd,
            &place,
        ],
    ] {
        run(&t, &[&["send", "--msg", "WM_APP"], args].concat()).succeeded_with("1\n");
        run(&t, &[&["find"], args].concat()).succeeded_with(&format!("{hwnd}\n"));
        let stat = json(&t, &[&["stat", "--json"], args].concat());
        assert_eq!(stat["hwnd"], window.handle.raw());
    }
    // All that is said has to be so.
    for wrong in [
        &["--class", "Quintet", &*place][..],
        &["--process", "there-is-no-such-program", &place],
        &["--pid", "1", &place],
        &["--hwnd", &other.handle.raw().to_string(), &place],
    ] {
        for verb in [
            &["send", "--msg", "WM_APP"][..],
            &["find"],
            &["stat"],
            &["post", "--msg", "WM_APP"],
        ] {
            says(
                &run(&t, &[verb, wrong].concat()).failed(1),
                &["there is no window", &one],
            );
        }
    }
    window.close();
    other.close();
}

#[test]
fn find_prints_handles_and_waits_if_it_is_told_to() {
    let t = start_test();
    let place = place(&t);
    says(&run(&t, &["find", &place]).failed(1), &["there is no window"]);
    says(
        &run(&t, &["find", "--timeout", "0.1", &place]).failed(124),
        &["there is no window"],
    );
    let waits = start(&t, &["find", "--timeout", SOON, &place]);
    let windows = [1, 2].map(|n| serve(title(&place), "Quintet", true, move |_| n));
    let handles = windows.each_ref().map(|window| window.handle.raw());
    let first: u32 = waits.wait_output().succeeded().trim().parse().unwrap();
    assert!(handles.contains(&first));
    let all = run(&t, &["find", "--all", &place]).succeeded();
    let mut all: Vec<u32> = all.lines().map(|line| line.parse().unwrap()).collect();
    all.sort_unstable();
    let mut expected = handles.to_vec();
    expected.sort_unstable();
    assert_eq!(all, expected);
    let printed = run(&t, &["find", "--all", "--json", &place]).succeeded();
    for line in printed.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&object["title"], &object["class"]),
            (&title(&place).into(), &"Quintet".into())
        );
        assert_eq!(object["holders"][0]["pid"], std::process::id());
    }
    assert_eq!(printed.lines().count(), 2);
    windows.into_iter().for_each(Served::close);
}

#[test]
fn ls_and_stat_show_what_a_window_is_and_whether_it_serves() {
    let t = start_test();
    let place = place(&t);
    assert_eq!(listed(&t, &["ls", "window", "--json"], &place), None);
    let recv = start(&t, &["recv", "--class", "Shown", "--message-only", &place]);
    let handle = found(&place);
    for object in [
        listed(&t, &["ls", "window", "--json"], &place).unwrap(),
        listed(&t, &["ls", "--json"], &place).unwrap(),
        json(&t, &["stat", "--json", &place]),
    ] {
        assert_eq!(
            (&object["address"], &object["state"]),
            (&(*place).into(), &"live".into())
        );
        assert_eq!(
            (&object["hwnd"], &object["title"]),
            (&handle.raw().into(), &title(&place).into())
        );
        assert_eq!(
            (&object["class"], &object["message_only"]),
            (&"Shown".into(), &true.into())
        );
        assert_eq!(
            (&object["hung"], &object["holders"][0]["pid"]),
            (&false.into(), &recv.pid().into())
        );
    }
    let stat = run(&t, &["stat", &place]).succeeded();
    says(
        &stat,
        &[
            &place,
            "live",
            &format!("pid {}", recv.pid()),
            "Shown",
            "message only",
        ],
    );
    let table = run(&t, &["ls", "window"]).succeeded();
    let line = table.lines().find(|line| line.starts_with(&place)).unwrap();
    says(
        line,
        &[&format!("hwnd {}", handle.raw()), "class Shown", "message-only"],
    );
    says(&run(&t, &["rm", &place]).failed(2), &["WM_CLOSE"]);
    interrupt(recv);
    eventually("it is gone", || !handle.is_alive());
    says(&run(&t, &["stat", &place]).failed(1), &["there is no window"]);
    assert_eq!(listed(&t, &["ls", "window", "--json"], &place), None);
}

#[cfg(target_os = "linux")]
#[test]
fn ls_counts_what_waits() {
    let t = start_test();
    let title = t.name("waiting");
    let window = Window::builder(&title).message_only(true).create(|_| 0).unwrap();
    for _ in 0..3 {
        window.handle().post(WM_APP, 0, 0).unwrap();
    }
    let stat = json(&t, &["stat", "--json", &format!("window://{title}")]);
    assert_eq!(stat["queued"], 3);
}

#[test]
fn a_broadcast_goes_to_all_windows_that_take_it() {
    let t = start_test();
    let name = message_name("news");
    let number = register_message(&name).unwrap();
    let [takes, quiet] = ["takes", "quiet"].map(|label| format!("window://{}", t.name(label)));
    // Its other messages are not what it waits for.
    let quiet_recv = start(&t, &["recv", &quiet]);
    let recv = start(
        &t,
        &[
            "recv",
            "--registered",
            &name,
            "--count",
            "2",
            "--reply",
            "4",
            &takes,
        ],
    );
    let hidden = serve(&t.name("hidden"), "Quintet", true, |_| {
        panic!("it gets no broadcasts")
    });
    let (takes, quiet) = (found(&takes), found(&quiet));
    run(&t, &["broadcast", "--registered", &name, "--wparam", "7"]).succeeded_with("");
    // Other windows on this machine may have something to say on standard error, and how they answer is not known.
    let printed = t.run(&mut quintet(&[
        "broadcast",
        "--send",
        "--registered",
        &name,
        "--lparam",
        "-8",
    ]));
    let printed = String::from_utf8(printed.stdout).unwrap();
    let result = |window: WindowHandle| {
        let start = format!("{} ", window.raw());
        printed
            .lines()
            .find_map(|line| line.strip_prefix(&start))
            .map(String::from)
    };
    assert_eq!(result(takes).as_deref(), Some("4"));
    assert_eq!(result(quiet).as_deref(), Some("0"));
    assert_eq!(result(hidden.handle), None);
    recv.wait_output()
        .succeeded_with(&format!("{number:#06x} 7 0\n{number:#06x} 0 -8\n"));
    quiet.copy_data(0, b"data").unwrap();
    quiet_recv.wait_output().succeeded_with("data");
    hidden.close();
}

#[test]
fn a_broadcast_in_json_names_each_window() {
    let t = start_test();
    let name = message_name("json");
    register_message(&name).unwrap();
    let window = serve(&t.name("window"), "Quintet", false, |_| 6);
    for args in [&["broadcast", "--json", "--send"][..], &["broadcast", "--json"]] {
        let output = t.run(&mut quintet(&[args, &["--registered", &name]].concat()));
        let printed = String::from_utf8(output.stdout).unwrap();
        let own = printed.lines().find_map(|line| {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            (object["hwnd"] == window.handle.raw()).then_some(object)
        });
        let result = if args.contains(&"--send") { 6 } else { 0 };
        assert_eq!(own.unwrap()["result"], result);
    }
    window.close();
}

#[test]
fn who_waits_gives_up_at_the_deadline() {
    let t = start_test();
    let place = place(&t);
    says(
        &run(&t, &["recv", "--timeout", "0.1", &place]).failed(124),
        &[&place],
    );
    says(
        &run(&t, &["rep", "--reply", "1", "--timeout", "0.1", &place]).failed(124),
        &[&place],
    );
    for args in [&["send"][..], &["req"]] {
        let args = [args, &["--timeout", "0.1", &place, "x"]].concat();
        says(&run(&t, &args).failed(124), &["there is no window"]);
    }
    // Also where messages still come.
    let mut send = start(
        &t,
        &["send", "--timeout", SOON, "--interval", "0.01", &place, "x"],
    );
    run(&t, &["recv", "--follow", "--timeout", "1", &place]).failed(124);
    send.kill();
    // A window whose thread does not serve.
    let quiet = Window::builder(title(&place)).message_only(true);
    let _window = quiet.create(|_| 0).unwrap();
    says(
        &run(&t, &["send", "--timeout", "0.1", &place, "x"]).failed(124),
        &["window://"],
    );
    let is_hung = || json(&t, &["stat", "--json", &place])["hung"] == true;
    if cfg!(windows) {
        // There it is looked at only when the message is sent.
        eventually("it is hung", is_hung);
    }
    let send = start(&t, &["send", "--abort-if-hung", &place, "x"]);
    says(&send.wait_output().failed(124), &["window://"]);
    assert!(is_hung());
}

#[test]
fn a_receiver_that_is_killed_is_an_error_for_who_waits() {
    let t = start_test();
    let place = place(&t);
    let (say, came) = mpsc::channel();
    let title = title(&place).to_string();
    // This thread's procedure ends when it is told to.
    let (end, ends) = mpsc::channel::<()>();
    let ends = std::sync::Mutex::new(ends);
    let window = serve(&title, "Quintet", false, move |_| {
        say.send(()).unwrap();
        let _ = ends.lock().unwrap().recv_timeout(PATIENCE);
        3
    });
    let mut killed = start(&t, &["send", &place, "x"]);
    came.recv_timeout(PATIENCE).unwrap();
    // The sender dies while it waits; the next one gets its own answer.
    killed.kill();
    let send = start(&t, &["send", &place, "y"]);
    drop(end);
    came.recv_timeout(PATIENCE).unwrap();
    send.wait_output().succeeded_with("3\n");
    window.close();
    // And the receiver, while it serves: its command waits for ever.
    let event = t.name("event");
    let wait = quintet::sync::Event::create_new(&event, quintet::sync::Reset::Manual).unwrap();
    let quintet = env!("CARGO_BIN_EXE_quintet");
    let script = format!("echo began && {quintet} wait event://{event}");
    let mut rep = start(&t, &[&["rep", &place, "--"], &shell(&script)[..]].concat());
    let send = start(&t, &["send", "--timeout", SOON, &place, "x"]);
    rep.wait_for_stdout("began");
    rep.kill();
    says(&send.wait_output().failed(1), &["window://"]);
    // Its command has outlived it.
    wait.set().unwrap();
    let stat = || json(&t, &["stat", "--json", &format!("event://{event}")]);
    eventually("it ends", || stat()["holders"].as_array().map_or(0, Vec::len) < 2);
}

#[test]
fn flags_that_mean_nothing_are_refused() {
    let t = start_test();
    let place = "window://x";
    for (args, why) in [
        (
            &["send", "--class", "x", "pipe://y", "z"][..],
            "--class is for window://",
        ),
        (&["recv", "--reply", "1", "queue://y"], "--reply is for window://"),
        (&["stat", "--pid", "1", "pipe://y"], "--pid is for window://"),
        (
            &["req", "--id", "1", "tcp://localhost:1", "x"],
            "--id is for window://",
        ),
        (
            &["rep", "--message-only", "--reply", "1", "tcp://localhost:1"],
            "--message-only is for window://",
        ),
        (&["send", "--listen", place, "x"], "--listen is not for window://"),
        (&["send", "--follow", place, "x"], "--follow"),
        (&["recv", "--capacity", "1M", place], "queue://"),
        (&["recv", "--lines", place], "--format lines"),
        (&["send", "--wparam", "1", place, "x"], "--msg"),
        (&["send", "--msg", "1024", place, "x"], "TEXT"),
        (&["send", "--msg", "70000", place], "0xFFFF"),
        (&["send", "--msg", "WM_COPYDATA", place], "number"),
        (&["post", place], "--msg"),
        (&["post", "--msg", "1024", "pipe://x"], "windows have it"),
        (&["find", "window://"], "which window"),
        (&["recv", "window://"], "neither a title nor a class"),
        (&["rep", place, "--reply", "yes"], "a number"),
        (&["req", "--format", "hex", place, "x"], "number"),
        (&["broadcast"], "--registered"),
        (&["send", "window://?clas=x", "y"], "did you mean \"class\""),
        (&["hold", place], "`recv` and `rep`"),
    ] {
        says(&run(&t, args).failed(2), &[why]);
    }
    let own = t.name("own");
    let window = serve(&own, "Quintet", true, |_| 0);
    // What carries more than two numbers is the system's.
    let place = format!("window://{own}");
    says(
        &run(&t, &["post", &place, "--msg", "0x4a"]).failed(2),
        &["copy_data"],
    );
    let near = format!("{place}x");
    let error = run(&t, &["find", &near]).failed(1);
    says(&error, &["there is no window"]);
    window.close();
}

#[test]
fn the_library_means_the_same_window_by_an_address() {
    let t = start_test();
    let place = place(&t);
    let address = format!("{place}?class=Meant").parse().unwrap();
    let window = Window::at(&address)
        .unwrap()
        .message_only(true)
        .create(|_| 0)
        .unwrap();
    let handle = window.handle();
    assert_eq!(WindowSearch::at(&address).unwrap().find().unwrap(), handle);
    let by_handle = WindowSearch::new().handle(handle);
    assert_eq!(by_handle.clone().find_all().unwrap(), [handle]);
    assert_eq!(
        by_handle.clone().class("Other").find().unwrap_err().kind(),
        ErrorKind::NotFound
    );
    drop(window);
    assert_eq!(by_handle.find_all().unwrap(), []);
    assert!(Deadline::NEVER.is_never());
}

/// Any program may give a window any title and class.
#[test]
fn what_a_window_is_called_does_nothing_to_a_terminal() {
    let t = start_test();
    let title = format!("{}\u{1b}[2J\nquintet", t.name("title"));
    let class = format!("{}\u{1b}]0;x\u{7}\r\nwindow://x", t.name("class"));
    let served = serve(&title, &class, false, |_| 0);
    let handle = served.handle.raw().to_string();
    let by_handle = format!("window://?hwnd={handle}");
    for said in [run(&t, &["ls", "window"]), run(&t, &["stat", &by_handle])] {
        let said = said.succeeded();
        let of_it: Vec<&str> = said.lines().filter(|line| line.contains("\\u{1b}")).collect();
        assert!(!of_it.is_empty(), "{said}");
        assert!(!said.contains(['\u{1b}', '\r', '\u{7}']), "{said:?}");
        assert!(
            !said
                .lines()
                .any(|line| line.starts_with("quintet") || line.starts_with("window://x"))
        );
    }
    let json = json(&t, &["stat", "--json", &by_handle]);
    assert_eq!((&json["title"], &json["class"]), (&title.into(), &class.into()));
    served.close();
}

/// What another user's programs say to a window that is open to them, on Linux.
#[cfg(target_os = "linux")]
#[test]
fn another_users_command_reaches_a_window_that_is_open_to_everyone() {
    let t = start_test();
    let Some(program) = for_nobody(&t) else {
        eprintln!("skipped: only root can be another user");
        return;
    };
    let place = place(&t);
    let recv = start(
        &t,
        &[
            "recv", "--access", "everyone", "--format", "lines", "--count", "3", &place,
        ],
    );
    eventually("it is there", || run(&t, &["find", &place]).status.success());
    let nobody = |args: &[&str]| t.run(&mut as_nobody(&program, args));
    let said = nobody(&["send", &place, "x"]).failed(1);
    says(&said, &["no window", "--access everyone"]);
    let found = nobody(&["find", "--access", "everyone", &place]).succeeded();
    let handle = found.trim();
    nobody(&["send", "--access", "everyone", &place, "one"]).succeeded_with("0\n");
    nobody(&["send", "--hwnd", handle, "window://", "x"]).failed(1);
    let by_handle = [
        "send",
        "--hwnd",
        handle,
        "--access",
        "everyone",
        "window://",
        "two",
    ];
    nobody(&by_handle).succeeded_with("0\n");
    for listed in [nobody(&["ls", "window"]), nobody(&["stat", &place])] {
        let listed = listed.succeeded();
        assert!(listed.contains(&format!("{place}?access=everyone")), "{listed}");
    }
    nobody(&["post", "--access", "everyone", "--msg", "WM_APP+1", &place]).succeeded_with("");
    assert_eq!(recv.wait_output().succeeded(), "one\ntwo\n0x8001 0 0\n");
    // And the other way around, where it is the other user's window.
    let mut theirs = as_nobody(&program, &["rep", "--access", "everyone", "--reply", "7", &place]);
    let rep = t.start_command(&mut theirs);
    let req = ["req", "--access", "everyone", "--timeout", SOON, &place, "?"];
    run(&t, &req).succeeded_with("7\n");
    run(&t, &["post", "--access", "everyone", "--msg", "WM_CLOSE", &place]).succeeded();
    rep.wait_output().succeeded();
}
