//! Leader and role understand each other, and neither can hide its end from the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitStatus;

use quintet_testkit::{Role, eventually, start};

quintet_testkit::peers!(
    echo,
    arguments,
    chatter,
    flood,
    dier,
    panicker,
    failing_test,
    talker
);

/// Says what it is told, until it is told to end.
fn echo(p: &mut Role) {
    p.say("ready");
    loop {
        match p.listen().as_str() {
            "end" => return,
            text => p.say(text),
        }
    }
}

fn arguments(p: &mut Role) {
    p.say(p.args().len());
    for n in 0..p.args().len() {
        p.say(p.arg(n).to_owned());
    }
}

const TEXTS: &[&str] = &[
    "",
    " ",
    "two\nlines\n",
    "\r\n\r",
    "\\n is no line break, \\ is one character",
    "\0\t\u{1b}[0m\u{7f}",
    "quintet-peer says nothing",
    "Grüße, 世界, 🦀, \u{2028}\u{feff}",
];

#[test]
fn any_text_is_told_and_said() {
    let t = start();
    let mut peer = t.spawn("echo", &[]);
    peer.expect("ready");
    for text in TEXTS {
        peer.tell(text);
        peer.expect(text);
    }
    let long = "0123456789\n".repeat(100_000);
    peer.tell(&long);
    assert!(peer.hear() == long);
    peer.tell("end");
    peer.finish();
}

#[test]
fn any_text_is_an_argument() {
    let t = start();
    let mut peer = t.spawn("arguments", TEXTS);
    peer.expect(&TEXTS.len().to_string());
    for text in TEXTS {
        peer.expect(text);
    }
    peer.finish();
    let mut peer = t.spawn("arguments", &[]);
    peer.expect("0");
    peer.finish();
}

#[test]
fn several_peers_talk_at_once() {
    let t = start();
    let mut peers: Vec<_> = (0..4).map(|_| t.spawn("echo", &[])).collect();
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.tell(&format!("number {number}"));
    }
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.expect("ready");
        peer.expect(&format!("number {number}"));
        assert_eq!(peer.said().len(), 2);
    }
}

/// Writes to stdout as anybody may, between what it says.
fn chatter(p: &mut Role) {
    print!("no line break");
    p.say("first");
    println!("a line");
    p.say("second");
    eprintln!("a remark");
}

#[test]
fn messages_are_told_from_other_output() {
    let t = start();
    let mut peer = t.spawn("chatter", &[]);
    peer.expect("first");
    peer.expect("second");
    assert_eq!(peer.hear_or_end(), None);
    let stdout = String::from_utf8(peer.stdout()).unwrap();
    assert!(stdout.contains("no line break"), "{stdout}");
    assert!(stdout.contains("a line"), "{stdout}");
    assert!(peer.stderr().contains("a remark"), "{}", peer.stderr());
    peer.finish();
}

/// Writes more than fits into a pipe, and only then listens.
fn flood(p: &mut Role) {
    let much = "much ".repeat(100_000);
    eprintln!("{much}");
    println!("{much}");
    p.say(&much);
    p.expect("enough");
}

#[test]
fn a_peer_never_waits_for_its_test_to_read() {
    let t = start();
    let mut peer = t.spawn("flood", &[]);
    peer.tell("enough");
    assert!(peer.wait_exit().success());
    assert_eq!(peer.hear().len(), 500_000);
    assert!(peer.stderr().len() > 500_000);
}

fn is_killed(status: ExitStatus) -> bool {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
    #[cfg(windows)]
    return matches!(status.code(), Some(1 | 137));
}

#[test]
fn a_killed_peer_is_seen_to_end() {
    let t = start();
    let mut peer = t.spawn("echo", &[]);
    assert_eq!(peer.try_exit(), None);
    assert!(is_killed(peer.kill()));
    // What it said before is still there to hear.
    if !peer.said().is_empty() {
        peer.expect("ready");
    }
    assert_eq!(peer.hear_or_end(), None);
    assert!(is_killed(peer.kill()), "a second time does no harm");
    assert!(panic_of(|| peer.tell("anything")).contains("it was killed"));
}

fn dier(p: &mut Role) {
    struct Never;
    impl Drop for Never {
        fn drop(&mut self) {
            println!("a destructor ran");
        }
    }
    let _never = Never;
    p.say("now");
    p.die()
}

#[test]
fn a_role_can_die_as_if_killed() {
    let t = start();
    let mut peer = t.spawn("dier", &[]);
    peer.expect("now");
    assert!(is_killed(peer.wait_exit()));
    assert!(!String::from_utf8_lossy(&peer.stdout()).contains("destructor"));
    let text = panic_of(|| peer.expect("more"));
    assert!(text.contains("expected to hear \"more\", but it ended"), "{text}");
}

/// What a panic says.
fn panic_of<T>(work: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(work)) else {
        panic!("it did not panic")
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast::<&str>().expect("a text").to_string(),
    }
}

fn panicker(p: &mut Role) {
    p.say("before");
    p.expect("go");
    panic!("the reason, for all to see");
}

#[test]
fn the_panic_of_a_role_is_shown() {
    let t = start();
    let mut peer = t.spawn("panicker", &[]);
    peer.expect("before");
    peer.tell("go");
    let text = panic_of(|| peer.expect("after"));
    for part in [
        "expected to hear \"after\"",
        "`panicker`",
        "said: \"before\"",
        "the reason, for all to see",
    ] {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }

    let mut peer = t.spawn("panicker", &[]);
    peer.tell("go");
    let text = panic_of(|| peer.finish());
    assert!(text.contains("the reason, for all to see"), "{text}");
}

#[test]
fn a_role_that_hears_something_else_fails() {
    let t = start();
    let mut peer = t.spawn("panicker", &[]);
    peer.tell("stop");
    let text = panic_of(|| peer.finish());
    assert!(text.contains("\"stop\"") && text.contains("\"go\""), "{text}");
}

#[test]
fn a_panic_that_nobody_noticed_fails_the_test() {
    let t = start();
    let mut peer = t.spawn("panicker", &[]);
    peer.tell("go");
    eventually("it has written why", || peer.stderr().contains("for all to see"));
    eventually("its streams are closed", || peer.describe().contains("exit"));
    drop(peer);
    let text = panic_of(|| drop(t));
    assert!(
        text.contains("the test did not notice") && text.contains("for all to see"),
        "{text}"
    );
}

#[test]
fn something_else_than_expected_is_shown() {
    let t = start();
    let mut peer = t.spawn("echo", &[]);
    let text = panic_of(|| peer.expect("not ready"));
    assert!(
        text.contains("expected to hear \"not ready\", and heard \"ready\""),
        "{text}"
    );
}

#[test]
fn an_unknown_role_is_an_error_at_once() {
    let t = start();
    let text = panic_of(|| t.spawn("nobody-knows", &[]));
    assert!(
        text.contains("no role \"nobody-knows\"") && text.contains("\"echo\""),
        "{text}"
    );
}

fn talker(p: &mut Role) {
    eprintln!("the talker's stderr");
    p.say("the talker's message");
    p.listen();
}

fn failing_test(_: &mut Role) {
    let t = start();
    let mut peer = t.spawn("talker", &[]);
    peer.expect("the talker's message");
    panic!("the test fails");
}

#[test]
fn a_failing_test_shows_what_its_peers_said() {
    let t = start();
    let peer = t.spawn("failing_test", &[]);
    assert!(!peer.wait_exit().success());
    for part in [
        "the test fails",
        "said: \"the talker's message\"",
        "stderr: the talker's stderr",
    ] {
        assert!(peer.stderr().contains(part), "no {part:?} in: {}", peer.stderr());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_stopped_peer_goes_on_when_it_is_let() {
    let t = start();
    let mut peer = t.spawn("echo", &[]);
    peer.expect("ready");
    peer.stop();
    peer.tell("are you there?");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", peer.pid())).unwrap();
    assert!(stat.contains(") T "), "{stat}");
    assert_eq!(peer.try_hear(), None);
    peer.cont();
    peer.expect("are you there?");
    peer.stop();
    assert!(is_killed(peer.kill()), "a stopped process can be killed");
}

#[cfg(target_os = "linux")]
#[test]
fn another_program_can_run_the_role() {
    let t = start();
    let mut peer = t.spawn_with("echo", &[], |command| {
        *command = quintet_testkit::wrapped(command, "/bin/sh", &["-c", "\"$@\"; exit $?", "sh"]);
    });
    peer.expect("ready");
    peer.tell("through a shell");
    peer.expect("through a shell");
    // The shell is killed; the role, its child, ends with its input.
    peer.kill();
    assert_eq!(peer.hear_or_end(), None);
}
