//! Who dies while messages are under way.

use super::*;
use quintet_testkit::{eventually, start};
use std::thread;

/// Dies in the middle of the message.
const DIE: u32 = WM_USER + 40;
/// Answers 7, and dies.
const ANSWER_AND_DIE: u32 = WM_USER + 41;

/// Serves a window of title `arg(0)` that dies when it is told to by a message.
pub(crate) fn answers_and_dies(p: &mut Role) {
    let window = Window::create(p.arg(0), |message| match message.number() {
        DIE => die(),
        ANSWER_AND_DIE => {
            reply(7);
            die()
        }
        _ => 1,
    })
    .unwrap();
    p.say(window.handle().raw());
    run().unwrap();
}

fn die() -> ! {
    // Before the next system call.
    quintet::test_hooks::die_at(0);
    let _ = WindowHandle::find(None, None);
    std::process::abort()
}

/// Sends to the window `arg(0)` the message `arg(1)`, and says what comes back.
pub(crate) fn sends_and_waits(p: &mut Role) {
    let window = WindowHandle::from_raw(p.arg(0).parse().unwrap());
    for number in 1..=3 {
        window.post(WM_APP + number, 0, 0).unwrap();
    }
    p.say("sending");
    match window.send(p.arg(1).parse().unwrap(), 0, 0) {
        Ok(result) => p.say(result),
        Err(error) => p.say(format!("{:?}", error.kind())),
    }
}

#[test]
fn a_receiver_that_dies_before_it_serves_is_an_error_for_those_who_wait() {
    let t = start();
    let (mut peer, window) = peer(&t, "serves_when_told");
    let waiting: Vec<_> = (0..4)
        .map(|_| thread::spawn(move || window.send(ADD, 1, 1)))
        .collect();
    let mut far = t.spawn("sends_and_waits", &[&window.raw().to_string(), &ADD.to_string()]);
    far.expect("sending");
    eventually("it has posts", || {
        window.info().unwrap().queued.is_none_or(|queued| queued == 3)
    });
    peer.kill();
    for waiting in waiting {
        finds_it_dead(waiting.join().unwrap());
    }
    let said = far.hear();
    assert!(said == "PeerDied" || said == "NotFound", "{said}");
    assert!(!window.is_alive());
    fails(
        WindowHandle::find(None, Some(&window.raw().to_string())),
        ErrorKind::NotFound,
    );
    fails(window.send(ADD, 1, 1), ErrorKind::NotFound);
    eventually("posting is an error", || window.post(ADD, 1, 1).is_err());
}

#[test]
fn a_receiver_that_dies_while_it_serves_is_an_error() {
    let t = start();
    let (mut peer, window) = peer(&t, "answers_and_dies");
    assert_eq!(window.send(WM_USER, 0, 0).unwrap(), 1);
    fails(window.send(DIE, 0, 0), ErrorKind::PeerDied);
    peer.kill();
    fails(window.send(WM_USER, 0, 0), ErrorKind::NotFound);
}

#[test]
fn an_answer_of_one_who_died_after_it_counts() {
    let t = start();
    for _ in 0..20 {
        let (mut peer, window) = peer(&t, "answers_and_dies");
        assert_eq!(window.send(ANSWER_AND_DIE, 0, 0).unwrap(), 7);
        peer.wait_exit();
        let error = window.send(WM_USER, 0, 0).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PeerDied));
        peer.kill();
    }
}

#[test]
fn senders_that_die_while_they_wait_leave_nothing() {
    let t = start();
    let victim: Rc<RefCell<Option<Peer>>> = Rc::default();
    let inner = victim.clone();
    let log = Rc::new(RefCell::new(Vec::new()));
    let seen = log.clone();
    let window = quiet(&t.name("w"), move |message| {
        seen.borrow_mut().push(message.number());
        if message.number() == DIE
            && let Some(mut peer) = inner.take()
        {
            // Windows does not tell.
            let sender = message.sender().map(|sender| sender.pid());
            assert_eq!(sender, cfg!(target_os = "linux").then(|| peer.pid()));
            peer.kill();
        }
        3
    });
    let raw = window.handle().raw().to_string();
    for _ in 0..5 {
        let mut peer = t.spawn("sends_and_waits", &[&raw, &DIE.to_string()]);
        peer.expect("sending");
        victim.replace(Some(peer));
        // What it posted before it died is served.
        eventually("all is served", || {
            pump(Duration::ZERO).unwrap();
            log.borrow().len() == 4
        });
        let mut seen = log.take();
        seen.sort_unstable();
        assert_eq!(seen, [DIE, WM_APP + 1, WM_APP + 2, WM_APP + 3]);
        // Another one gets its own answer.
        let handle = window.handle();
        assert_eq!(
            serve_while(thread::spawn(move || handle.send(WM_USER, 0, 0))).unwrap(),
            3
        );
        log.take();
    }
}

/// What a sender gave up waiting for is served later, with its own bytes, whatever it sent since. (Windows takes back what its
/// receiver has not begun with. Wine does not.)
#[test]
fn data_that_nobody_waits_for_any_more_comes_whole() {
    let t = start();
    let sums = Rc::new(RefCell::new(Vec::new()));
    let log = sums.clone();
    let window = quiet(&t.name("w"), move |message| {
        log.borrow_mut().push(sum(message.copy_data().unwrap().bytes()));
        1
    });
    let handle = window.handle();
    let datas: Vec<Vec<u8>> = [100_000usize, 200_000, 10, 5_000_000, 16_000, 300_000]
        .iter()
        .map(|len| (0..*len).map(|at| (at * 3 + len / 7) as u8).collect())
        .collect();
    let expected: Vec<isize> = datas.iter().map(|data| sum(data)).collect();
    for _ in 0..2 {
        let datas = datas.clone();
        let (tell, hear) = std::sync::mpsc::channel();
        let sender = thread::spawn(move || {
            for data in &datas {
                let mode = quintet::window::SendMode::Normal;
                let late = handle.copy_data_timeout(1, data, mode, Duration::from_millis(1));
                fails(late, ErrorKind::TimedOut);
            }
            tell.send(()).unwrap();
            // And one that is waited for.
            handle.copy_data(1, &datas[1]).unwrap()
        });
        hear.recv().unwrap();
        assert_eq!(serve_while(sender), 1);
        let mut all = expected.clone();
        all.push(expected[1]);
        let came = sums.take();
        if cfg!(windows) {
            let mut rest = all.iter();
            assert!(
                came.iter().all(|sum| rest.any(|expected| expected == sum)),
                "{came:?}"
            );
            assert_eq!(came.last(), all.last());
        } else {
            assert_eq!(came, all);
        }
    }
}

/// A circle of which one dies: the others learn of it.
#[test]
fn a_death_in_a_circle_is_an_error_for_who_waits_for_it() {
    let t = start();
    let (near, there) = peer(&t, "serves");
    let (mut far, dying) = peer(&t, "answers_and_dies");
    // The near one waits for the dying one, and we for it: it serves our message by an error, which it gives as -1.
    let forwarded = there.send(FORWARD, dying.raw() as usize, DIE as isize);
    assert_eq!(forwarded.unwrap(), -1);
    far.kill();
    close(near, there);
}

/// A panic of what is served during a `send` comes out of that, and of what was posted, out of the loop.
#[test]
fn a_panic_comes_out_where_the_procedure_was_run() {
    let t = start();
    let (near, there) = peer(&t, "serves");
    let window = quiet(&t.name("w"), |message| match message.number() {
        WM_USER => panic!("as it is asked to"),
        _ => 4,
    });
    let handle = window.handle();
    let caught = std::panic::catch_unwind(|| there.send(FORWARD, handle.raw() as usize, WM_USER as isize));
    assert!(caught.is_err());
    assert_eq!(in_send(), None);
    let caught = std::panic::catch_unwind(|| handle.send(WM_USER, 0, 0));
    assert!(caught.is_err());
    handle.post(WM_USER, 0, 0).unwrap();
    handle.post(WM_USER + 1, 0, 0).unwrap();
    assert!(std::panic::catch_unwind(|| pump(Duration::ZERO)).is_err());
    // The other one is still there.
    assert_eq!(pump(Duration::ZERO).unwrap(), quintet::window::Pumped::Served);
    assert_eq!(pump(Duration::ZERO).unwrap(), quintet::window::Pumped::Nothing);
    assert_eq!(there.send(ADD, 1, 2).unwrap(), 3);
    let forwarded = there.send(FORWARD, handle.raw() as usize, WM_USER as isize + 1);
    assert_eq!(forwarded.unwrap(), 4);
    close(near, there);
}

/// The procedure's panic is its thread's affair; who waits is told. (Windows knows of no answer that would say so.)
#[test]
fn a_procedure_that_panics_is_an_error() {
    let t = start();
    let (tell, hear) = std::sync::mpsc::channel();
    let title = t.name("w");
    let panics = thread::spawn(move || {
        let window = Window::create(title, |message| match message.number() {
            WM_USER => panic!("as it is asked to"),
            _ => 4,
        })
        .unwrap();
        tell.send(window.handle()).unwrap();
        let caught = std::panic::catch_unwind(run);
        assert!(caught.is_err());
        // It goes on if its thread does.
        run().unwrap();
        drop(window);
    });
    let handle = hear.recv().unwrap();
    let result = handle.send(WM_USER, 0, 0);
    if cfg!(windows) {
        assert_eq!(result.unwrap(), 0);
    } else {
        fails(result, ErrorKind::Disconnected);
    }
    assert_eq!(handle.send(WM_USER + 1, 0, 0).unwrap(), 4);
    handle.post(quintet::window::WM_QUIT, 0, 0).unwrap();
    panics.join().unwrap();
}
