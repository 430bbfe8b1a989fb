//! Windows of ours among other code on the same thread, and in the same program: code that makes user32's calls itself.

use super::*;
use crate::os::types::Access;
use crate::os::window_types::{Arrival, Handle, InSend, Letter, Pumped, SendMode};
use crate::{Deadline, ErrorKind, Result};
use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use windows_sys::Win32::Foundation::{LPARAM, LRESULT, WPARAM};
use windows_sys::Win32::System::DataExchange::COPYDATASTRUCT;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CREATESTRUCTW, CreateWindowExW, DefWindowProcW, DispatchMessageW, HWND_MESSAGE, MB_OK, MSG, MessageBoxW,
    PM_REMOVE, PeekMessageW, PostMessageW, RegisterClassExW, ReplyMessage, SendMessageCallbackW,
    SendMessageW, UnregisterClassW, WM_DESTROY, WM_NCCREATE, WM_NCDESTROY, WM_TIMER, WNDCLASSEXW,
};

const PATIENCE: Duration = Duration::from_secs(60);

fn window(title: &str, procedure: impl Fn(&Arrival<'_>) -> isize + 'static) -> Window {
    let making = Making {
        class: "Quintet",
        title,
        message_only: true,
        visible: false,
        admit_lower_integrity: false,
        access: Access::CurrentUser,
    };
    Window::create(&making, Rc::new(procedure)).unwrap()
}

fn letter(number: u32) -> Letter<'static> {
    Letter {
        number,
        wparam: 0,
        lparam: 0,
        data: None,
    }
}

fn ask(window: u32, number: u32) -> Result<isize> {
    send(
        Handle::ours(window),
        &letter(number),
        SendMode::Normal,
        Deadline::after(PATIENCE),
    )
}

/// Serves this thread's windows until a thread is done.
fn serve_while<T>(thread: JoinHandle<T>) -> T {
    while !thread.is_finished() {
        pump(Deadline::after(Duration::from_millis(5))).unwrap();
    }
    thread.join().unwrap()
}

/// A loop as other code has it: brings what is in this thread's queue.
fn foreign_loop() {
    let mut message = MSG::default();
    // SAFETY: the message is written to a place of ours, and brought as it came.
    while unsafe { PeekMessageW(&mut message, ptr::null_mut(), 0, 0, PM_REMOVE) } != 0 {
        // SAFETY: as above.
        unsafe { DispatchMessageW(&message) };
    }
}

fn raw_send(window: HWND, number: u32, wparam: WPARAM, lparam: LPARAM) -> LRESULT {
    // SAFETY: what the tests send points to nothing, or to what is there meanwhile.
    unsafe { SendMessageW(window, number, wparam, lparam) }
}

fn raw_post(window: HWND, number: u32, lparam: LPARAM) {
    // SAFETY: takes plain values.
    assert_ne!(unsafe { PostMessageW(window, number, 0, lparam) }, 0);
}

#[test]
fn a_window_that_other_code_destroys_is_gone() {
    let held = Rc::new(());
    let inner = held.clone();
    let window = window("destroyed", move |_| Rc::strong_count(&inner) as isize);
    let handle = window.handle();
    assert_eq!(ask(handle, WM_USER).unwrap(), 2);
    // SAFETY: takes a plain value.
    assert_ne!(unsafe { DestroyWindow(window.hwnd) }, 0);
    assert_eq!(ask(handle, WM_USER).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(window.set_title("x").unwrap_err().kind(), ErrorKind::NotFound);
    let pumped = pump(Deadline::now());
    assert_eq!(
        pumped.unwrap_err().kind(),
        ErrorKind::Unsupported,
        "it can have no messages"
    );
    // What the procedure has is its own until the window is dropped.
    assert_eq!(Rc::strong_count(&held), 2);
    drop(window);
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn a_handle_that_has_become_another_windows_is_left_alone() {
    let old = window("old", |_| 1);
    // SAFETY: takes a plain value.
    unsafe { DestroyWindow(old.hwnd) };
    let new = window("new", |_| 2);
    // As it would be if the system had given the new one the old one's handle.
    let confused = Window {
        hwnd: new.hwnd,
        born: old.born,
        _class: Class::of("Quintet").unwrap(),
        messages: Messages::of_this_thread(),
    };
    assert_eq!(confused.set_title("x").unwrap_err().kind(), ErrorKind::NotFound);
    drop(confused);
    assert_eq!(ask(new.handle(), WM_USER).unwrap(), 2);
    drop((old, new));
}

/// By a message that is sent by another thread or by this one, or posted, and brought by our loop or by another.
#[test]
fn a_window_is_not_destroyed_by_who_says_so() {
    let window = window("told so", |arrival| arrival.letter.number as isize);
    let (handle, hwnd) = (window.handle(), window.hwnd);
    let made = CREATESTRUCTW::default();
    let tell = |hwnd: HWND, place: LPARAM| {
        for number in [WM_DESTROY, WM_NCDESTROY] {
            assert_eq!(raw_send(hwnd, number, 0, 0), 0);
            raw_post(hwnd, number, 0);
        }
        assert_eq!(raw_send(hwnd, WM_NCCREATE, 0, place), 0, "it has been made");
    };
    let place = &raw const made as LPARAM;
    let number = hwnd as usize;
    let other = thread::spawn(move || tell(number as HWND, place));
    serve_while(other);
    tell(hwnd, place);
    foreign_loop();
    for number in [WM_DESTROY, WM_NCDESTROY] {
        raw_post(hwnd, number, 0);
    }
    assert_eq!(pump(Deadline::now()).unwrap(), Pumped::Nothing);
    assert_eq!(ask(handle, WM_USER).unwrap(), WM_USER as isize);
    assert_eq!(look::sight(Handle::ours(handle)).unwrap().title, "told so");
    drop(window);
    assert!(!is_alive(Handle::ours(handle)));
}

/// While a window is made, who says that another one is made does not get its procedure.
#[test]
fn a_procedure_goes_to_the_window_that_it_is_for() {
    let first = window("first", |_| 1);
    let awaited = desk::awaits(Rc::new(|_| 2), false).unwrap();
    let mut made = CREATESTRUCTW {
        lpCreateParams: ptr::without_provenance_mut(awaited.token()),
        ..CREATESTRUCTW::default()
    };
    assert_eq!(raw_send(first.hwnd, WM_NCCREATE, 0, &raw mut made as LPARAM), 0);
    assert_eq!(ask(first.handle(), WM_USER).unwrap(), 1);
    // Windows that are made while another is going to be.
    let second = window("second", |_| 3);
    assert_eq!(ask(second.handle(), WM_USER).unwrap(), 3);
    drop(awaited);
    // Of our class, but made by other code, and so without a procedure.
    // SAFETY: the class's name ends with a NUL; it is made with nothing.
    let foreign = unsafe {
        CreateWindowExW(
            0,
            wide("Quintet").as_ptr(),
            ptr::null(),
            0,
            0,
            0,
            0,
            0,
            HWND_MESSAGE,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null(),
        )
    };
    assert!(foreign.is_null());
}

/// A procedure works at a message that was sent, and other code's loop brings one that was posted: a reply in that one would go to the
/// first one's sender.
#[test]
fn a_reply_in_what_was_posted_is_not_for_who_has_sent() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    let window = window("loops", move |arrival| {
        let number = arrival.letter.number;
        if number == WM_USER {
            raw_post(look::handle(arrival.window).unwrap(), WM_USER + 1, 0);
            foreign_loop();
            log.borrow_mut().push((number, in_send(), reply(5)));
            return 6;
        }
        log.borrow_mut().push((number, in_send(), reply(4)));
        0
    });
    let handle = window.handle();
    let sender = thread::spawn(move || ask(handle, WM_USER));
    assert_eq!(serve_while(sender).unwrap(), 5);
    assert_eq!(
        seen.take(),
        [(WM_USER + 1, None, false), (WM_USER, Some(InSend::Waiting), true)]
    );
    // The same loop alone, where nothing was sent.
    raw_post(window.hwnd, WM_USER + 1, 0);
    foreign_loop();
    assert_eq!(seen.take(), [(WM_USER + 1, None, false)]);
    // What is sent, and comes by such a loop, is known to be.
    let sender = thread::spawn(move || ask(handle, WM_USER + 2));
    while !sender.is_finished() {
        foreign_loop();
    }
    assert_eq!(sender.join().unwrap().unwrap(), 4);
    assert_eq!(seen.take(), [(WM_USER + 2, Some(InSend::Waiting), true)]);
}

/// A real one: what is sent and posted meanwhile is served, and a panic comes out when it has ended.
#[test]
fn a_message_box_in_a_procedure_goes_on_serving() {
    let caption = format!("quintet-box-{}", std::process::id());
    let shown = wide(&caption);
    let posted: Rc<Cell<u32>> = Rc::default();
    let log = posted.clone();
    let window = window("asks", move |arrival| match arrival.letter.number {
        WM_USER => {
            // SAFETY: text and caption end with a NUL.
            unsafe { MessageBoxW(ptr::null_mut(), shown.as_ptr(), shown.as_ptr(), MB_OK) as isize }
        }
        number if arrival.posted => {
            log.set(log.get() + number - WM_USER);
            0
        }
        number => number as isize,
    });
    let handle = window.handle();
    let asks = thread::spawn(move || ask(handle, WM_USER));
    let other = thread::spawn(move || {
        let query = crate::os::window_types::Query {
            title: Some(caption),
            ..Default::default()
        };
        let mut shown = None;
        let until = Deadline::after(PATIENCE);
        while shown.is_none() && !until.has_passed() {
            find(&query, &mut |window| {
                shown = Some(window);
                false
            })
            .unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        let shown = shown.expect("it is shown");
        let sent = ask(handle, WM_USER + 1).unwrap();
        post(shown, &letter(WM_CLOSE)).unwrap();
        sent
    });
    serve_while(other);
    assert!(serve_while(asks).unwrap() > 0, "it has been answered");
}

#[test]
fn who_has_asked_to_be_called_back_gets_the_reply() {
    static RESULT: AtomicIsize = AtomicIsize::new(0);
    unsafe extern "system" fn called(_: HWND, _: u32, _: usize, result: LRESULT) {
        RESULT.store(result, Ordering::Relaxed);
    }
    let window = window("calls back", |_| {
        assert_eq!(in_send(), Some(InSend::Waiting));
        assert!(reply(7));
        assert_eq!(in_send(), Some(InSend::Replied));
        8
    });
    let number = window.hwnd as usize;
    let sender = thread::spawn(move || {
        // SAFETY: takes plain values, and a function that is there for ever.
        let sent = unsafe { SendMessageCallbackW(number as HWND, WM_USER, 0, 0, Some(called), 0) };
        assert_ne!(sent, 0);
        let until = Deadline::after(PATIENCE);
        while RESULT.load(Ordering::Relaxed) == 0 && !until.has_passed() {
            foreign_loop();
        }
        RESULT.load(Ordering::Relaxed)
    });
    assert_eq!(serve_while(sender), 7);
}

/// "If the lParam parameter … is not NULL, it points to a function that is called instead of the window procedure": not because
/// somebody says so.
#[test]
fn a_posted_timer_calls_nothing() {
    static CALLED: AtomicBool = AtomicBool::new(false);
    unsafe extern "system" fn called(_: HWND, _: u32, _: usize, _: u32) {
        CALLED.store(true, Ordering::Relaxed);
    }
    let window = window("timer", |_| 1);
    raw_post(window.hwnd, WM_TIMER, called as *const () as LPARAM);
    raw_post(window.hwnd, WM_USER, 0);
    assert_eq!(pump(Deadline::now()).unwrap(), Pumped::Served);
    assert!(!CALLED.load(Ordering::Relaxed));
}

/// Data for a window of other code in this program is there until it answers, and is gone then.
#[test]
fn data_for_other_codes_window_is_taken_away_when_it_has_answered() {
    unsafe extern "system" fn sums(hwnd: HWND, number: u32, wparam: WPARAM, lparam: LPARAM) -> LRESULT {
        if number != WM_COPYDATA {
            // SAFETY: it is what the system has called us with.
            return unsafe { DefWindowProcW(hwnd, number, wparam, lparam) };
        }
        // SAFETY: the message says that it is there.
        let data = unsafe { &*(lparam as *const COPYDATASTRUCT) };
        // SAFETY: as above.
        let bytes = unsafe { std::slice::from_raw_parts(data.lpData.cast::<u8>(), data.cbData as usize) };
        let sum = bytes.iter().map(|byte| isize::from(*byte)).sum();
        // Before it ends. From here on the bytes are the sender's again.
        // SAFETY: takes a plain value.
        unsafe { ReplyMessage(sum) };
        -1
    }
    let class = wide(&format!("quintet-foreign-{}", std::process::id()));
    let (tell, hear) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let owner = thread::spawn(move || {
        let description = WNDCLASSEXW {
            cbSize: size_of::<WNDCLASSEXW>() as u32,
            lpfnWndProc: Some(sums),
            lpszClassName: class.as_ptr(),
            ..WNDCLASSEXW::default()
        };
        // SAFETY: the description is whole, and its name ends with a NUL.
        assert_ne!(unsafe { RegisterClassExW(&description) }, 0);
        let (none, nothing) = (ptr::null_mut(), ptr::null());
        // SAFETY: as above; it is made with nothing.
        let hwnd = unsafe {
            CreateWindowExW(
                0,
                class.as_ptr(),
                nothing,
                0,
                0,
                0,
                0,
                0,
                HWND_MESSAGE,
                none,
                none,
                nothing.cast(),
            )
        };
        tell.send(look::number(hwnd)).unwrap();
        while ended.try_recv().is_err() {
            foreign_loop();
        }
        // SAFETY: takes plain values.
        unsafe {
            DestroyWindow(hwnd);
            UnregisterClassW(class.as_ptr(), ptr::null_mut());
        }
    });
    let handle = hear.recv_timeout(PATIENCE).unwrap();
    for len in [0, 1, 1000, 100_000] {
        let bytes = vec![3; len];
        let letter = Letter {
            number: WM_COPYDATA,
            wparam: 0,
            lparam: 1,
            data: Some(&bytes),
        };
        let sum = send(
            Handle::ours(handle),
            &letter,
            SendMode::Normal,
            Deadline::after(PATIENCE),
        )
        .unwrap();
        assert_eq!(sum, 3 * len as isize);
        assert_eq!(parcel::left_for(look::handle(handle).unwrap()), 0);
    }
    end.send(()).unwrap();
    owner.join().unwrap();
}
