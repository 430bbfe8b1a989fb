//! Processes that die at any step, and system calls that fail at any.

use super::*;
use quintet::test_hooks;
use quintet::window::{Access, WindowSearch};
use quintet_testkit::{eventually, start_with_deadline};

/// Sends to the window `arg(0)`, which may be another user's, in all ways; dies before its step number `arg(1)`.
pub(crate) fn dies_sending(p: &mut Role) {
    let number = WindowHandle::from_raw(p.arg(0).parse().unwrap());
    let search = WindowSearch::new().handle(number).access(Access::Everyone);
    let window = search.find().unwrap();
    test_hooks::die_at(p.arg(1).parse().unwrap());
    window.post(WM_APP + 1, 111, 1).unwrap();
    window.send_notify(WM_APP + 2, 222, 2).unwrap();
    assert_eq!(window.send(WM_APP + 3, 333, 3).unwrap(), 336);
    assert_eq!(window.copy_data(5, &[7; 100]).unwrap(), 5);
    assert_eq!(window.copy_data(6, &[8; 40_000]).unwrap(), 6);
    let own = Window::builder(p.arg(2))
        .access(Access::Everyone)
        .create(|_| 1)
        .unwrap();
    own.set_title("another").unwrap();
    drop(own);
    test_hooks::disarm();
    p.say("passed");
}

/// Serves a window of title `arg(0)` until it is closed; dies before its step number `arg(1)` from then on.
pub(crate) fn dies_serving(p: &mut Role) {
    let window = Window::builder(p.arg(0)).access(Access::Everyone);
    let window = window
        .create(|message| match message.number() {
            WM_CLOSE => {
                post_quit(0);
                0
            }
            WM_COPYDATA => sum(message.copy_data().unwrap().bytes()),
            _ => message.wparam() as isize,
        })
        .unwrap();
    p.say(window.handle().raw());
    p.listen();
    test_hooks::die_at(p.arg(1).parse().unwrap());
    run().unwrap();
    drop(window);
    test_hooks::disarm();
    p.say("passed");
}

/// Whatever a sender has done when it dies, each message has come whole or not at all, in order, and others go on.
#[test]
fn a_sender_that_dies_at_any_step_leaves_whole_messages_or_none() {
    let t = start_with_deadline(Duration::from_secs(300));
    a_sender_dies_at_any_step(&t, |args| t.spawn("dies_sending", args));
}

/// The same, where both are not one user's, and have nothing but a lane between them.
#[cfg(target_os = "linux")]
#[test]
fn another_users_sender_that_dies_at_any_step_leaves_whole_messages_or_none() {
    let t = start_with_deadline(Duration::from_secs(300));
    if let Some(mut first) = t.spawn_as_nobody("has_an_open_window", &[&t.name("first")]) {
        a_sender_dies_at_any_step(&t, |args| t.spawn_as_nobody("dies_sending", args).unwrap());
        first.kill();
        // Takes away what those who died have left.
        let next = t.spawn_as_nobody("has_an_open_window", &[&t.name("next")]);
        let mut next = next.unwrap();
        next.hear();
        next.tell("end");
        next.finish();
    }
}

fn a_sender_dies_at_any_step(t: &Test, spawn: impl Fn(&[&str]) -> Peer) {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    let window = Window::builder(t.name("w"))
        .message_only(true)
        .access(Access::Everyone);
    let window = window.create(move |message| {
        let wparam = message.wparam() as isize;
        match message.number() {
            WM_COPYDATA => {
                let data = message.copy_data().unwrap();
                let expected = match data.id() {
                    5 => vec![7; 100],
                    6 => vec![8; 40_000],
                    other => panic!("{other}"),
                };
                assert!(data.bytes() == expected);
                log.borrow_mut().push(data.id() as isize - 1);
                data.id() as isize
            }
            WM_USER => wparam,
            number => {
                let which = (number - WM_APP) as isize;
                assert_eq!((wparam, message.lparam()), (111 * which, which));
                log.borrow_mut().push(which);
                wparam + which
            }
        }
    });
    let window = window.unwrap();
    let handle = window.handle();
    for step in 0.. {
        let title = t.name("its");
        let mut peer = spawn(&[&handle.raw().to_string(), &step.to_string(), &title]);
        let passed = serve_while(std::thread::spawn(move || {
            let passed = peer.hear_or_end().is_some();
            peer.wait_exit();
            passed
        }));
        pump(Duration::ZERO).unwrap();
        let mut came = seen.take();
        let here = format!("at step {step}: {came:?}");
        // The posted one is the first to be made, and may come after what is sent.
        let posted = came.iter().position(|which| *which == 1);
        assert!(posted.is_some() || came.is_empty(), "{here}");
        came.retain(|which| *which != 1);
        assert!(came.iter().copied().eq((2..).take(came.len())), "{here}");
        let its = WindowSearch::new().title(&title).access(Access::Everyone);
        assert!(its.find_all().unwrap().is_empty());
        assert!(has_none_queued(handle), "{here}");
        // Others go on, and get their own answers.
        let answer = serve_while(std::thread::spawn(move || handle.send(WM_USER, 12, 0)));
        assert_eq!(answer.unwrap(), 12, "{here}");
        if passed {
            assert_eq!(came.len(), 4, "{here}");
            let least = if cfg!(windows) { 8 } else { 40 };
            assert!(step > least, "it makes only {step} steps: are the hooks there?");
            break;
        }
    }
}

/// Who waits for a receiver that dies at any step has the answer or an error.
#[test]
fn a_receiver_that_dies_at_any_step_answers_or_is_an_error() {
    let t = start_with_deadline(Duration::from_secs(300));
    a_receiver_dies_at_any_step(&t, |args| t.spawn("dies_serving", args));
}

/// The same with one of another user, which leaves nothing that its user does not take away.
#[cfg(target_os = "linux")]
#[test]
fn another_users_receiver_that_dies_at_any_step_answers_or_is_an_error() {
    let t = start_with_deadline(Duration::from_secs(300));
    if t.spawn_as_nobody("has_an_open_window", &[&t.name("first")])
        .is_some()
    {
        a_receiver_dies_at_any_step(&t, |args| t.spawn_as_nobody("dies_serving", args).unwrap());
    }
}

fn a_receiver_dies_at_any_step(t: &Test, spawn: impl Fn(&[&str]) -> Peer) {
    let mut dead: Vec<WindowHandle> = Vec::new();
    for step in 0.. {
        let mut peer = spawn(&[&t.name("w"), &step.to_string()]);
        let number = WindowHandle::from_raw(peer.hear().parse().unwrap());
        let search = WindowSearch::new().handle(number).access(Access::Everyone);
        let window = search.find().unwrap();
        // Who has just opened a window has taken away what the dead had left, or found another one doing so.
        for window in dead.drain(..) {
            eventually("its plate is gone", || !has_plate(window));
        }
        dead.push(window);
        let senders: Vec<_> = (0..3usize)
            .map(|number| {
                std::thread::spawn(move || {
                    let data = vec![number as u8; 20_000 * number];
                    let done = window
                        .send(WM_USER, number, 0)
                        .and_then(|result| Ok((result, window.copy_data(1, &data)?)));
                    match done {
                        Ok(results) => assert_eq!(results, (number as isize, sum(&data))),
                        Err(error) => assert!(
                            matches!(error.kind(), ErrorKind::PeerDied | ErrorKind::NotFound),
                            "{error:?}"
                        ),
                    }
                })
            })
            .collect();
        peer.tell("serve");
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        // It may be dead already.
        let _ = window.post(WM_CLOSE, 0, 0);
        let passed = peer.hear_or_end().is_some();
        peer.wait_exit();
        assert!(!window.is_alive());
        if passed {
            let least = if cfg!(windows) { 5 } else { 20 };
            assert!(step > least, "it makes only {step} steps: are the hooks there?");
            eventually("its plate is gone", || !has_plate(window));
            break;
        }
    }
}

/// Whether there is what other users see of a window.
fn has_plate(window: WindowHandle) -> bool {
    std::fs::exists(format!("/dev/shm/quintet.windowplate.{}", window.raw())).unwrap()
}

/// Whether no posted messages wait for a window's thread, as far as the system tells.
fn has_none_queued(window: WindowHandle) -> bool {
    window.info().unwrap().queued.is_none_or(|queued| queued == 0)
}

#[cfg(target_os = "linux")]
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// On Windows it is handles, and they are not counted.
#[cfg(windows)]
fn open_files() -> usize {
    0
}

/// Errors that calls are made to have.
#[cfg(target_os = "linux")]
const ERRORS: [i32; 4] = [libc::EIO, libc::EINTR, libc::EMFILE, libc::ENOMEM];
/// ERROR_ACCESS_DENIED, ERROR_NOT_ENOUGH_MEMORY, ERROR_INVALID_WINDOW_HANDLE, ERROR_TIMEOUT.
#[cfg(windows)]
const ERRORS: [i32; 4] = [5, 8, 1400, 1460];

/// After which the call is made again.
fn is_interruption(error: i32) -> bool {
    cfg!(target_os = "linux") && error == 4
}

/// As many as begin to go another way: on Linux more than a ring has room for.
const POSTS: usize = if cfg!(windows) { 3 } else { 600 };

/// Makes, uses and destroys windows of title `arg(0)`, each time with another system call failing. In a process of its own,
/// where descriptors can be counted.
pub(crate) fn fails_at_any_call(p: &mut Role) {
    let title = p.arg(0).to_string();
    let there = WindowHandle::from_raw(p.arg(1).parse().unwrap());
    let use_it = move |step: u64, errno: i32| {
        // A thread of its own, so that all of it is made and goes.
        let title = title.clone();
        let used = std::thread::spawn(move || {
            test_hooks::fail_at(step, errno);
            let use_it = || {
                let window = Window::builder(&title).access(Access::Everyone).create(|_| 5)?;
                let found = WindowHandle::find(None, Some(&title))?;
                found.post(WM_USER, 1, 1)?;
                pump(Duration::ZERO)?;
                assert_eq!(there.send(ADD, 1, 2)?, 3);
                assert_eq!(there.copy_data(0, &[1; 20_000])?, sum(&[1; 20_000]));
                there.send_notify(ADD, 0, 0)?;
                for _ in 0..POSTS {
                    there.post(WM_USER + 9, 0, 0)?;
                }
                window.set_title("another")?;
                Ok::<(), Error>(())
            };
            let done = use_it();
            (done, test_hooks::disarm())
        });
        used.join().unwrap()
    };
    // What is measured or kept once a process is so before.
    use_it(u64::MAX, 0).0.unwrap();
    let keeps = Window::create(p.arg(0), |_| 0).unwrap();
    for errno in ERRORS {
        for step in 0.. {
            // There is room for what is posted this time.
            eventually("the others have been served", || has_none_queued(there));
            let before = open_files();
            let (done, steps) = use_it(step, errno);
            let here = format!("error {errno} at call {step} of {steps}: {done:?}");
            assert!(!is_interruption(errno) || done.is_ok(), "{here}");
            // What others may have had a part in is closed by another thread.
            eventually(&format!("as many files are open: {here}"), || {
                open_files() == before
            });
            assert!(keeps.handle().is_alive(), "{here}");
            if steps <= step {
                let least = if cfg!(windows) { 8 } else { 20 };
                assert!(done.is_ok() && step > least, "{here}");
                break;
            }
        }
    }
    p.say("passed");
}

#[test]
fn a_failing_call_is_an_error_and_leaves_nothing() {
    let t = start_with_deadline(Duration::from_secs(300));
    let (serving, window) = peer(&t, "serves");
    let mut failing = t.spawn("fails_at_any_call", &[&t.name("f"), &window.raw().to_string()]);
    failing.expect("passed");
    failing.finish();
    assert_eq!(window.send(ADD, 1, 2).unwrap(), 3);
    close(serving, window);
}
