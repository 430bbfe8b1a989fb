//! Windows of other users: nobody sees them unless they are opened, and then their user alone has a say in them. (On Windows they
//! are all the desktop's.)

use super::*;
use quintet::sync::{Event, Reset, wait_any};
use quintet::window::{Access, Pumped, SendMode, WM_QUIT, WindowSearch};
use quintet_testkit::{eventually, start};
use std::cell::{Cell, OnceCell};
use std::fs;
use std::io;
use std::sync::Arc;

/// Gives the uid of who sends.
const WHO: u32 = WM_USER + 20;
/// Sends `ADD` with its own numbers to the window of the title that came with the message before, and gives the result.
const BACK: u32 = WM_USER + 21;
/// What is posted so has to come in the order of `wparam`.
const IN_ORDER: u32 = WM_USER + 22;

fn everyones(title: &str) -> quintet::Result<WindowHandle> {
    WindowSearch::new().title(title).access(Access::Everyone).find()
}

/// A window that other users may reach, and does what the numbers above say.
fn open_window(title: &str) -> Rc<RefCell<Option<Window>>> {
    let this: Rc<RefCell<Option<Window>>> = Rc::default();
    let inner = Rc::downgrade(&this);
    let (named, next) = (OnceCell::new(), Cell::new(0));
    let procedure = move |message: &Message<'_>| match message.number() {
        ADD => message
            .wparam()
            .wrapping_add_signed(message.lparam())
            .cast_signed(),
        WHO => {
            let sender = message.sender().expect("it is another thread");
            sender.user().unwrap().to_string().parse().unwrap()
        }
        BACK => {
            let title: &String = named.get().unwrap();
            let back = everyones(title).unwrap();
            back.send(ADD, message.wparam(), message.lparam()).unwrap()
        }
        IN_ORDER => {
            assert!(message.is_posted());
            assert_eq!(next.replace(message.wparam() + 1), message.wparam());
            0
        }
        LOG => next.get() as isize,
        DESTROY => {
            drop(inner.upgrade().and_then(|window| window.take()));
            5
        }
        WM_COPYDATA => {
            let data = message.copy_data().unwrap();
            if data.id() == 7 {
                let _ = named.set(String::from_utf8(data.bytes().to_vec()).unwrap());
            }
            sum(data.bytes())
        }
        WM_CLOSE => {
            post_quit(0);
            0
        }
        _ => 0,
    };
    let builder = Window::builder(title).message_only(true).access(Access::Everyone);
    *this.borrow_mut() = Some(builder.create(procedure).unwrap());
    this
}

/// Serves an open window of title `arg(0)` until it is closed.
pub(crate) fn serves_everyone(p: &mut Role) {
    let window = open_window(p.arg(0));
    let handle = window.borrow().as_ref().unwrap().handle().raw();
    p.say(handle);
    run().unwrap();
}

/// Makes an open window of title `arg(0)`, which serves nothing, and keeps it until it is told to go on.
pub(crate) fn has_an_open_window(p: &mut Role) {
    let window = open_window(p.arg(0));
    p.say(window.borrow().as_ref().unwrap().handle().raw());
    p.listen();
}

fn plate(window: WindowHandle) -> String {
    format!("/dev/shm/quintet.windowplate.{}", window.raw())
}

/// Without root there is no other user.
fn skipped<T>() -> Option<T> {
    eprintln!("skipped: only root can start a process of another user");
    None
}

/// A process of another user with an open window, and the window.
fn other_peer(t: &Test, role: &str, title: &str) -> Option<(Peer, WindowHandle)> {
    let Some(mut peer) = t.spawn_as_nobody(role, &[title]) else {
        return skipped();
    };
    let number: u32 = peer.hear().parse().unwrap();
    let window = everyones(title).unwrap();
    assert_eq!(window.raw(), number);
    Some((peer, window))
}

/// Looks, as another user, for a window of title `arg(0)` and handle `arg(1)`, on the roll `arg(2)`.
pub(crate) fn looks_as_another(p: &mut Role) {
    fails(WindowHandle::find(None, Some(p.arg(0))), ErrorKind::NotFound);
    fails(everyones(p.arg(0)), ErrorKind::NotFound);
    let handle = WindowHandle::from_raw(p.arg(1).parse().unwrap());
    // There may be some of other tests'.
    let everyones = WindowSearch::new().access(Access::Everyone);
    assert!(!everyones.find_all().unwrap().contains(&handle));
    assert!(!handle.is_alive());
    fails(handle.send(WM_USER, 0, 0), ErrorKind::NotFound);
    fails(handle.post(WM_USER, 0, 0), ErrorKind::NotFound);
    let by_number = WindowSearch::new().handle(handle).access(Access::Everyone);
    fails(by_number.find(), ErrorKind::NotFound);
    let refused = fs::File::open(p.arg(2)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    // Its own are its own, of the same title too.
    let window = Window::create(p.arg(0), |_| 7).unwrap();
    assert_eq!(WindowHandle::find(None, Some(p.arg(0))).unwrap(), window.handle());
    p.say(window.handle().raw());
    p.listen();
}

#[test]
fn another_user_neither_finds_nor_reaches_a_window() {
    let t = start();
    let title = t.name("w");
    let window = Window::create(&title, |_| panic!("nobody sends")).unwrap();
    let user = rustix::process::geteuid().as_raw();
    let roll = format!("/dev/shm/quintet.window.{user}");
    assert!(fs::exists(&roll).unwrap());
    let handle = window.handle().raw().to_string();
    let Some(mut peer) = t.spawn_as_nobody("looks_as_another", &[&title, &handle, &roll]) else {
        return skipped().unwrap_or_default();
    };
    peer.hear();
    // Nor does this one find the other's.
    assert_eq!(
        WindowHandle::find_all(None, Some(&title)).unwrap(),
        [window.handle()]
    );
    assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Nothing);
    peer.tell("end");
    peer.finish();
}

/// Sends, as another user, in all ways to the open window of title `arg(0)`, whose thread has another one of that title.
pub(crate) fn sends_as_another(p: &mut Role) {
    let title = p.arg(0);
    fails(WindowHandle::find(None, Some(title)), ErrorKind::NotFound);
    let all = WindowSearch::new().title(title).access(Access::Everyone);
    let [window] = all.find_all().unwrap()[..] else {
        panic!("there is one that is open");
    };
    // Its number alone is not enough: it could have become anybody's.
    let number = WindowHandle::from_raw(window.raw());
    assert!(!number.is_alive());
    fails(number.send(ADD, 1, 2), ErrorKind::NotFound);
    fails(number.info(), ErrorKind::NotFound);
    let by_number = WindowSearch::new()
        .handle(number)
        .access(Access::Everyone)
        .find()
        .unwrap();
    assert_eq!(by_number.send(ADD, 1, 2).unwrap(), 3);
    let info = window.info().unwrap();
    assert_eq!(
        (info.title.as_str(), info.access, info.queued),
        (title, Some(Access::Everyone), None)
    );
    assert_eq!(info.owner.user().unwrap().to_string(), p.arg(1));
    assert!(window.is_alive() && !window.is_hung().unwrap() && info.message_only && !info.hung);
    let user = rustix::process::geteuid().as_raw() as isize;
    assert_eq!(window.send(WHO, 0, 0).unwrap(), user);
    for len in [0, 1, 16 << 10, (16 << 10) + 1, 1 << 20, 4 << 20, 5 << 20] {
        let bytes: Vec<u8> = (0..len).map(|at| (at * 7 + len) as u8).collect();
        assert_eq!(window.copy_data(1, &bytes).unwrap(), sum(&bytes), "{len}");
    }
    // More than a ring has room for, and more than wait at a time.
    for number in 0..20_000 {
        while let Err(error) = window.post(IN_ORDER, number, 0) {
            assert_eq!(error.kind(), ErrorKind::Full);
            window.send(ADD, 0, 0).unwrap();
        }
    }
    eventually("all have come", || window.send(LOG, 0, 0).unwrap() == 20_000);
    window.send_notify(ADD, 0, 0).unwrap();
    window.post(WM_QUIT, 5, 0).unwrap();
    assert_eq!(window.send(DESTROY, 0, 0).unwrap(), 5);
    for gone in [
        window.send(ADD, 0, 0).map(drop),
        window.post(ADD, 0, 0),
        window.info().map(drop),
    ] {
        fails(gone, ErrorKind::NotFound);
    }
    assert!(!window.is_alive());
    p.say("passed");
}

#[test]
fn another_user_finds_and_reaches_a_window_that_is_open_to_everyone() {
    let t = start();
    let title = t.name("w");
    let window = open_window(&title);
    let private = quiet(&title, |_| panic!("nobody sends"));
    let user = rustix::process::geteuid().to_string();
    let handle = window.borrow().as_ref().unwrap().handle();
    assert!(fs::exists(plate(handle)).unwrap());
    let Some(mut peer) = t.spawn_as_nobody("sends_as_another", &[&title, &user]) else {
        return skipped().unwrap_or_default();
    };
    let serving = std::thread::spawn(move || {
        peer.expect("passed");
        peer.finish();
    });
    while !serving.is_finished() {
        // No message of another user's ends the loop.
        assert!(!matches!(
            pump(Duration::from_millis(5)).unwrap(),
            Pumped::Quit(_)
        ));
    }
    serving.join().unwrap();
    assert!(window.borrow().is_none() && !fs::exists(plate(handle)).unwrap());
    drop(private);
}

#[test]
fn this_users_programs_reach_an_open_window_as_any_other() {
    let t = start();
    let title = t.name("w");
    let window = open_window(&title);
    let handle = WindowHandle::find(None, Some(&title)).unwrap();
    assert_eq!(handle, window.borrow().as_ref().unwrap().handle());
    assert_eq!(everyones(&title).unwrap(), handle);
    assert_eq!(handle.info().unwrap().access, Some(Access::Everyone));
    assert_eq!(WindowHandle::from_raw(handle.raw()).send(ADD, 1, 2).unwrap(), 3);
    let sender = std::thread::spawn(move || handle.send(ADD, 3, 4));
    assert_eq!(serve_while(sender).unwrap(), 7);
    window.borrow().as_ref().unwrap().set_title("another").unwrap();
    assert_eq!(handle.title().unwrap(), "another");
    fails(everyones(&title), ErrorKind::NotFound);
}

#[test]
fn a_window_of_another_user_that_dies_is_an_error_for_those_who_wait() {
    let t = start();
    let title = t.name("w");
    let Some((mut peer, window)) = other_peer(&t, "has_an_open_window", &title) else {
        return;
    };
    window.post(ADD, 0, 0).unwrap();
    let waiting: Vec<_> = (0..3)
        .map(|_| std::thread::spawn(move || window.send(ADD, 1, 1)))
        .collect();
    let late = window.send_timeout(ADD, 1, 1, SendMode::Normal, Duration::from_millis(1));
    fails(late, ErrorKind::TimedOut);
    peer.kill();
    for waiting in waiting {
        finds_it_dead(waiting.join().unwrap());
    }
    assert!(!window.is_alive());
    fails(everyones(&title), ErrorKind::NotFound);
    fails(window.send(ADD, 1, 1), ErrorKind::NotFound);
    fails(window.post(ADD, 1, 1), ErrorKind::NotFound);
    // The plate is that user's to take away, with the next one that it makes.
    let (mut next, other) = other_peer(&t, "has_an_open_window", &title).unwrap();
    assert!(!fs::exists(plate(window)).unwrap());
    assert!(window != other && !window.is_alive());
    next.tell("end");
    next.finish();
    assert!(!fs::exists(plate(other)).unwrap());
}

#[test]
fn a_window_of_another_user_that_is_stopped_is_hung() {
    let t = start();
    let title = t.name("w");
    let Some((peer, window)) = other_peer(&t, "serves_everyone", &title) else {
        return;
    };
    assert_eq!(window.send(ADD, 1, 1).unwrap(), 2);
    assert!(!window.is_hung().unwrap());
    peer.stop();
    let waiting = std::thread::spawn(move || window.send_timeout(ADD, 0, 0, SendMode::AbortIfHung, PATIENCE));
    fails(waiting.join().unwrap(), ErrorKind::TimedOut);
    assert!(window.is_hung().unwrap() && window.info().unwrap().hung);
    peer.cont();
    eventually("it serves", || !window.is_hung().unwrap());
    close(peer, window);
}

#[test]
fn windows_of_two_users_may_send_to_each_other() {
    let t = start();
    let (here, there) = (t.name("here"), t.name("there"));
    let own = open_window(&here);
    let Some((peer, window)) = other_peer(&t, "serves_everyone", &there) else {
        return;
    };
    window.copy_data(7, here.as_bytes()).unwrap();
    for number in 0..200 {
        // It asks us while we wait for its answer.
        assert_eq!(window.send(BACK, number, 1).unwrap(), number as isize + 1);
    }
    close(peer, window);
    drop(own);
}

/// Waits until it is told, and then sends to and posts at the open window of title `arg(0)`, again and again.
pub(crate) fn sends_when_told(p: &mut Role) {
    let window = everyones(p.arg(0)).unwrap();
    p.say("ready");
    while p.listen() == "go" {
        window.post(ADD, 1, 1).unwrap();
        assert_eq!(window.send(ADD, 2, 3).unwrap(), 5);
        p.say("sent");
    }
}

#[test]
fn who_waits_for_several_things_hears_another_user() {
    let t = start();
    let title = t.name("w");
    let window = open_window(&title);
    let over = Arc::new(Event::create_new(t.name("over"), Reset::Manual).unwrap());
    let Some(mut peer) = t.spawn_as_nobody("sends_when_told", &[&title]) else {
        return skipped().unwrap_or_default();
    };
    let end = over.clone();
    let telling = std::thread::spawn(move || {
        peer.expect("ready");
        for _ in 0..100 {
            peer.tell("go");
            peer.expect("sent");
        }
        peer.tell("end");
        peer.finish();
        end.set().unwrap();
    });
    let window = window.borrow();
    let window = window.as_ref().unwrap();
    let mut served = 0;
    loop {
        let ready = wait_any(&[window.into(), (&*over).into()], PATIENCE).unwrap();
        if ready.index == 1 {
            break;
        }
        assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Served);
        served += 1;
    }
    assert!(served >= 100);
    telling.join().unwrap();
}
