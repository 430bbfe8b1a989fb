//! Windows, between processes and threads.
//!
//! `RULES.md` is a list of what the Windows documentation says of these calls, each with a test that runs on both systems. Where they
//! differ, the list says why. Most of them are in `rules.rs` and `order.rs`.
//!
//! On Linux alone: stopped processes (`stopped.rs`, in part), what others write in memory (`hostile.rs`), forks, and where numbers of
//! messages are kept (`names.rs`). On Windows all of that is the system's; there, what other programs of the desktop tell our windows
//! (`user32.rs`).

#[cfg(target_os = "linux")]
mod another_user;
mod circles;
mod crowd;
mod death;
mod finding;
#[cfg(target_os = "linux")]
mod forks;
#[cfg(target_os = "linux")]
mod hostile;
mod list;
#[cfg(target_os = "linux")]
mod names;
mod order;
mod rules;
mod steps;
mod stopped;
#[cfg(windows)]
mod user32;

use quintet::window::{
    Encoding, Message, WM_APP, WM_CLOSE, WM_COPYDATA, WM_USER, Window, WindowHandle, in_send, post_quit,
    pump, reply, run,
};
use quintet::{Error, ErrorKind};
use quintet_testkit::{Peer, Role, Test};
use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::Rc;
use std::time::Duration;

use circles::passes_on;
use crowd::{posts_and_tells, sends_many};
use death::{answers_and_dies, sends_and_waits};
use finding::has_windows;
use rules::registers;
use steps::{dies_sending, dies_serving, fails_at_any_call};

#[cfg(target_os = "linux")]
use another_user::{
    has_an_open_window, looks_as_another, sends_as_another, sends_when_told, serves_everyone,
};
#[cfg(target_os = "linux")]
use forks::forks;
#[cfg(target_os = "linux")]
use hostile::is_scribbled_over;
#[cfg(target_os = "linux")]
use names::registers_alone;
#[cfg(windows)]
use user32::{lies, pretends};

#[cfg(target_os = "linux")]
quintet_testkit::peers!(
    answers_and_dies,
    dies_sending,
    dies_serving,
    fails_at_any_call,
    forks,
    has_an_open_window,
    has_windows,
    looks_as_another,
    is_scribbled_over,
    passes_on,
    posts_and_tells,
    registers,
    registers_alone,
    sends_and_waits,
    sends_as_another,
    sends_many,
    sends_when_told,
    serves,
    serves_everyone,
    serves_when_told,
);
#[cfg(windows)]
quintet_testkit::peers!(
    answers_and_dies,
    dies_sending,
    dies_serving,
    fails_at_any_call,
    has_windows,
    lies,
    passes_on,
    posts_and_tells,
    pretends,
    registers,
    sends_and_waits,
    sends_many,
    serves,
    serves_when_told,
);

const PATIENCE: Duration = Duration::from_secs(60);

/// Adds the two numbers that go along.
const ADD: u32 = WM_USER;
/// Gives 7 at once by a reply, and ends with 8.
const EARLY: u32 = WM_USER + 1;
/// Sends what `lparam` says to the window `wparam`, and gives the result.
const FORWARD: u32 = WM_USER + 2;
/// Gives, in digits, which messages of [`WM_APP`] and above have come.
const LOG: u32 = WM_USER + 3;
/// Gives how it was sent: see [`how`].
const HOW: u32 = WM_USER + 4;
/// Destroys the window, and gives 5.
const DESTROY: u32 = WM_USER + 5;

fn how() -> isize {
    match in_send() {
        None => 0,
        Some(quintet::window::InSend::Waiting) => 1,
        Some(quintet::window::InSend::Notified) => 2,
        Some(quintet::window::InSend::Replied) => 3,
    }
}

/// A window that does what the numbers above say.
fn useful_with(title: &str, gets_broadcasts: bool) -> Rc<RefCell<Option<Window>>> {
    let log = RefCell::new(0);
    let this: Rc<RefCell<Option<Window>>> = Rc::default();
    let inner = Rc::downgrade(&this);
    let procedure = move |message: &Message<'_>| match message.number() {
        ADD => message
            .wparam()
            .wrapping_add_signed(message.lparam())
            .cast_signed(),
        EARLY => {
            assert!(reply(7) && !reply(9));
            *log.borrow_mut() = how();
            8
        }
        FORWARD => {
            let to = WindowHandle::from_raw(message.wparam() as u32);
            to.send(message.lparam() as u32, 0, 0).unwrap_or(-1)
        }
        LOG => log.take(),
        HOW => {
            let how = how();
            *log.borrow_mut() = how;
            how
        }
        DESTROY => {
            drop(inner.upgrade().and_then(|window| window.take()));
            5
        }
        WM_COPYDATA => {
            let data = message.copy_data().unwrap();
            match data.id() {
                0 => sum(data.bytes()),
                1 => isize::from(message.text(Encoding::Utf8).unwrap() == "成功"),
                2 => isize::from(message.text(Encoding::Utf16).unwrap() == "成功"),
                3 => isize::from(message.text(Encoding::Ansi).unwrap() == "success"),
                4 => isize::from(message.text(Encoding::Ansi).unwrap() == "成功"),
                _ => -1,
            }
        }
        WM_CLOSE => {
            post_quit(0);
            0
        }
        number if number >= WM_APP => {
            let mut log = log.borrow_mut();
            *log = *log * 10 + (number - WM_APP) as isize;
            0
        }
        _ => 0,
    };
    let builder = Window::builder(title).message_only(!gets_broadcasts);
    *this.borrow_mut() = Some(builder.create(procedure).unwrap());
    this
}

fn useful(title: &str) -> Rc<RefCell<Option<Window>>> {
    useful_with(title, false)
}

/// A window that gets no broadcasts, which other tests make at any time.
fn quiet(title: &str, procedure: impl Fn(&Message<'_>) -> isize + 'static) -> Window {
    Window::builder(title)
        .message_only(true)
        .create(procedure)
        .unwrap()
}

/// So that no byte may be missing or elsewhere.
fn sum(bytes: &[u8]) -> isize {
    let step = |sum: u32, byte: &u8| sum.wrapping_mul(31).wrapping_add((*byte).into());
    bytes.iter().fold(bytes.len() as u32, step) as isize
}

/// Serves a useful window of title `arg(0)` until that is closed; a top-level one if `arg(1)` says `top`.
fn serves(p: &mut Role) {
    let window = useful_with(p.arg(0), p.arg(1) == "top");
    let handle = window.borrow().as_ref().unwrap().handle().raw();
    p.say(handle);
    run().unwrap();
}

/// The same, but it serves nothing until it is told to.
fn serves_when_told(p: &mut Role) {
    let window = useful_with(p.arg(0), p.arg(1) == "top");
    let handle = window.borrow().as_ref().unwrap().handle().raw();
    p.say(handle);
    p.expect("serve");
    run().unwrap();
}

/// A process with a useful window, and the window.
fn peer(t: &Test, role: &str) -> (Peer, WindowHandle) {
    peer_with(t, role, "quiet")
}

/// A process with a useful window that gets broadcasts, and the window.
fn top_level_peer(t: &Test) -> (Peer, WindowHandle) {
    peer_with(t, "serves", "top")
}

fn peer_with(t: &Test, role: &str, arg: &str) -> (Peer, WindowHandle) {
    let mut peer = t.spawn(role, &[&t.name("w"), arg]);
    let window = WindowHandle::from_raw(peer.hear().parse().unwrap());
    (peer, window)
}

/// Has a peer end its loop.
fn close(peer: Peer, window: WindowHandle) {
    window.post(WM_CLOSE, 0, 0).unwrap();
    peer.finish();
}

/// Serves this thread's windows until a thread is done: what it returned.
fn serve_while<T>(thread: std::thread::JoinHandle<T>) -> T {
    while !thread.is_finished() {
        pump(Duration::from_millis(5)).unwrap();
    }
    thread.join().unwrap()
}

#[track_caller]
fn fails<T: Debug>(result: Result<T, Error>, kind: ErrorKind) {
    match result {
        Err(error) if error.kind() == kind => {}
        other => panic!("{kind:?} expected, got {other:?}"),
    }
}

/// What who waits for a window's answer gets when its process dies; one that had not connected yet finds no window.
#[track_caller]
fn finds_it_dead<T: Debug>(result: Result<T, Error>) {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::PeerDied | ErrorKind::NotFound) => {}
        other => panic!("an error of the dead expected, got {other:?}"),
    }
}
