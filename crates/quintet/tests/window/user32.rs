//! What a program does to our windows that makes user32's calls itself, and means no good.

use super::*;
use quintet::window::{Pumped, WM_QUIT};
use quintet_testkit::start;
use std::mem::zeroed;
use windows_sys::Win32::Foundation::HWND;
use windows_sys::Win32::System::DataExchange::COPYDATASTRUCT;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CREATESTRUCTW, HTCAPTION, HTCLOSE, HTMINBUTTON, HTSYSMENU, HTVSCROLL, PostMessageW, SC_KEYMENU,
    SC_MAXIMIZE, SC_MINIMIZE, SC_MOUSEMENU, SC_MOVE, SC_SIZE, SC_TASKLIST, SC_VSCROLL, SMTO_NORMAL,
    SendMessageTimeoutW, SendNotifyMessageW, WM_CREATE, WM_DESTROY, WM_ENDSESSION, WM_LBUTTONDOWN,
    WM_NCCREATE, WM_NCDESTROY, WM_NCLBUTTONDOWN, WM_SYSCOMMAND, WM_SYSKEYDOWN, WM_TIMER,
};

/// So long it takes at most to be answered, in milliseconds: who is asked must not stay in a loop of the system's.
const LONG: u32 = 60_000;

fn hwnd(raw: &str) -> HWND {
    raw.parse::<isize>().unwrap() as HWND
}

/// Sends it, which has to be answered.
#[track_caller]
fn send(window: HWND, number: u32, wparam: usize, lparam: isize) {
    let mut result = 0;
    // SAFETY: where `lparam` leads to is for the system to find out; the result is written to a number of ours.
    let sent =
        unsafe { SendMessageTimeoutW(window, number, wparam, lparam, SMTO_NORMAL, LONG, &raw mut result) };
    assert_ne!(sent, 0, "{number:#x} {wparam:#x} {lparam:#x}");
}

fn post(window: HWND, number: u32, wparam: usize, lparam: isize) {
    // SAFETY: takes plain values. The system may refuse.
    unsafe { PostMessageW(window, number, wparam, lparam) };
}

fn notify(window: HWND, number: u32, wparam: usize, lparam: isize) {
    // SAFETY: takes plain values. The system may refuse.
    unsafe { SendNotifyMessageW(window, number, wparam, lparam) };
}

/// Sends to the window `arg(0)` what only the system has to say, and what the user does.
pub(crate) fn pretends(p: &mut Role) {
    let window = hwnd(p.arg(0));
    // SAFETY: numbers and pointers that lead nowhere.
    let made: CREATESTRUCTW = unsafe { zeroed() };
    let place = &raw const made as isize;
    for _ in 0..2 {
        send(window, WM_NCCREATE, 0, place);
        send(window, WM_CREATE, 0, place);
        for number in [WM_DESTROY, WM_NCDESTROY, WM_CLOSE, WM_QUIT, WM_ENDSESSION] {
            send(window, number, 1, 0);
            notify(window, number, 1, 0);
            if number != WM_QUIT {
                post(window, number, 1, 0);
            }
        }
        for command in [
            SC_MOVE,
            SC_SIZE,
            SC_KEYMENU,
            SC_MOUSEMENU,
            SC_VSCROLL,
            SC_MINIMIZE,
            SC_MAXIMIZE,
            SC_TASKLIST,
        ] {
            send(window, WM_SYSCOMMAND, command as usize, 0);
            post(window, WM_SYSCOMMAND, command as usize + 2, 0);
        }
        for place in [HTCAPTION, HTCLOSE, HTMINBUTTON, HTSYSMENU, HTVSCROLL] {
            send(window, WM_NCLBUTTONDOWN, place as usize, 0);
            post(window, WM_NCLBUTTONDOWN, place as usize, 0);
        }
        send(window, WM_LBUTTONDOWN, 1, 0);
        // F10.
        send(window, WM_SYSKEYDOWN, 0x79, 0);
        post(window, WM_TIMER, 1, 0x1000);
    }
    // Every number of the system's, but for WM_QUIT. It refuses itself those that point to something.
    for number in (0..WM_USER).filter(|number| *number != WM_QUIT) {
        for value in [0, 1, -1] {
            post(window, number, value as usize, value);
            notify(window, number, value as usize, value);
        }
    }
    p.say("done");
}

/// Sends to the window `arg(0)` a WM_COPYDATA that is not as it should be, in the way `arg(1)`. It may die of that. (Not one that says
/// more than there is to be read: of that Wine 8 makes half a request to its server, which waits for the rest.)
pub(crate) fn lies(p: &mut Role) {
    let window = hwnd(p.arg(0));
    let mut bytes = [7; 100];
    let mut data = COPYDATASTRUCT {
        dwData: 77,
        cbData: 100,
        lpData: bytes.as_mut_ptr().cast(),
    };
    match p.arg(1) {
        "no bytes" => data.lpData = std::ptr::null_mut(),
        "bytes nowhere" => data.lpData = std::ptr::without_provenance_mut(0x1000),
        "none of them" => (data.lpData, data.cbData) = (std::ptr::without_provenance_mut(0x1000), 0),
        _ => {}
    }
    let place = &raw const data as isize;
    let place = match p.arg(1) {
        "nothing" => 0,
        "nowhere" => 0x1000,
        "posted" => return post(window, WM_COPYDATA, 0, place),
        "notified" => return notify(window, WM_COPYDATA, 0, place),
        _ => place,
    };
    let mut result = 0;
    // SAFETY: as the test wants it. The system finds out, or this process ends, or we are told to.
    unsafe { SendMessageTimeoutW(window, WM_COPYDATA, 5, place, SMTO_NORMAL, LONG, &raw mut result) };
}

/// A window that counts what comes with data, by its `id`, and believes all of it.
fn trusting(title: &str, message_only: bool) -> Window {
    Window::builder(title)
        .message_only(message_only)
        .create(|message| match (message.number(), message.copy_data()) {
            (WM_COPYDATA, Some(data)) => {
                let sum = sum(data.bytes());
                assert!(data.id() != 77 || data.bytes().len() <= 100, "more than there is");
                sum
            }
            (WM_COPYDATA, None) => panic!("there is always some"),
            (number, _) => number as isize,
        })
        .unwrap()
}

/// The window goes on: it is there, has its title, and answers.
#[track_caller]
fn goes_on(window: &Window, title: &str) {
    while pump(Duration::ZERO).unwrap() != Pumped::Nothing {}
    let handle = window.handle();
    assert_eq!(WindowHandle::find(None, Some(title)).unwrap(), handle);
    let asking = std::thread::spawn(move || {
        assert_eq!(handle.copy_data(1, b"some").unwrap(), sum(b"some"));
        handle.send(WM_USER, 0, 0)
    });
    assert_eq!(serve_while(asking).unwrap(), WM_USER as isize);
}

#[test]
fn a_window_goes_on_whatever_it_is_told() {
    let t = start();
    for message_only in [true, false] {
        let title = t.name("w");
        let window = trusting(&title, message_only);
        let mut peer = t.spawn("pretends", &[&window.handle().raw().to_string()]);
        serve_while(std::thread::spawn(move || {
            peer.expect("done");
            peer.finish();
        }));
        goes_on(&window, &title);
        let handle = window.handle();
        drop(window);
        assert!(!handle.is_alive());
    }
}

#[test]
fn data_that_is_not_there_is_none() {
    let t = start();
    let title = t.name("w");
    let window = trusting(&title, true);
    for way in [
        "nothing",
        "nowhere",
        "no bytes",
        "bytes nowhere",
        "none of them",
        "posted",
        "notified",
    ] {
        let peer = t.spawn("lies", &[&window.handle().raw().to_string(), way]);
        serve_while(std::thread::spawn(move || peer.wait_exit()));
        goes_on(&window, &title);
    }
}
