//! What comes in which order, and where a loop ends.

use super::*;
use quintet::window::{InSend, Pumped, SendMode, WM_QUIT};
use quintet_testkit::start;
use std::cell::Cell;
use std::sync::mpsc::channel;
use std::thread;

/// What a thread sends comes in that order, whether it waits or not.
#[test]
fn what_is_sent_comes_in_the_order_in_which_it_was_sent() {
    let t = start();
    let (mut peer, window) = peer(&t, "serves_when_told");
    for number in 1..=9 {
        window.send_notify(WM_APP + number, 0, 0).unwrap();
    }
    peer.tell("serve");
    assert_eq!(window.send(LOG, 0, 0).unwrap(), 123_456_789);
    close(peer, window);
}

/// "PostQuitMessage … indicates that the thread wants to quit at some time in the future": that thread, once, with the code that was
/// said last.
#[test]
fn the_end_is_its_threads_own_and_comes_once() {
    let t = start();
    let window = quiet(&t.name("w"), |_| 0);
    post_quit(1);
    post_quit(2);
    let title = t.name("other");
    let other = thread::spawn(move || {
        let window = quiet(&title, |_| 0);
        let pumped = pump(Duration::ZERO);
        drop(window);
        pumped
    });
    assert_eq!(other.join().unwrap().unwrap(), Pumped::Nothing);
    assert_eq!(run().unwrap(), 2);
    assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Nothing);
    drop(window);
}

/// "The WM_QUIT message is not associated with a window and therefore will never be received through a window's window procedure."
#[test]
fn an_end_that_is_sent_is_none() {
    let t = start();
    let (peer, window) = peer(&t, "serves");
    assert_eq!(window.send(WM_QUIT, 7, 0).unwrap(), 0);
    window.send_notify(WM_QUIT, 7, 0).unwrap();
    assert_eq!(window.send(ADD, 1, 1).unwrap(), 2);
    assert_eq!(window.send(LOG, 0, 0).unwrap(), 0);
    close(peer, window);
}

/// A procedure may have a loop of its own. The end is for the innermost, and the one outside goes on.
#[test]
fn a_loop_in_a_procedure_has_an_end_of_its_own() {
    let t = start();
    let codes: Rc<RefCell<Vec<i32>>> = Rc::default();
    let log = codes.clone();
    let window = quiet(&t.name("w"), move |message| {
        match message.number() {
            WM_USER => {
                let code = run().unwrap();
                log.borrow_mut().push(code);
            }
            _ => post_quit(message.wparam() as i32),
        }
        0
    });
    let handle = window.handle();
    handle.post(WM_USER, 0, 0).unwrap();
    handle.post(WM_USER + 1, 3, 0).unwrap();
    assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Served);
    assert_eq!(*codes.borrow(), [3]);
    assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Nothing);
}

/// "DestroyWindow … flushes the thread message queue": of what was for that window.
#[test]
fn what_was_posted_to_a_destroyed_window_is_gone_and_nothing_else() {
    let t = start();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let make = |which: u32| {
        let log = seen.clone();
        quiet(&t.name("w"), move |message| {
            log.borrow_mut().push((which, message.wparam()));
            0
        })
    };
    let (one, other) = (make(1), make(2));
    for number in 0..4 {
        one.handle().post(WM_USER, number, 0).unwrap();
        other.handle().post(WM_USER, number, 0).unwrap();
    }
    drop(one);
    let next = make(3);
    assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Served);
    assert_eq!(seen.take(), [(2, 0), (2, 1), (2, 2), (2, 3)]);
    drop((other, next));
}

/// "If the specified window was created by the calling thread … the time-out value is ignored."
#[test]
fn an_own_window_answers_whatever_the_deadline() {
    let t = start();
    let window = quiet(&t.name("w"), |message| message.lparam() + 1);
    let handle = window.handle();
    for mode in [SendMode::Normal, SendMode::Block, SendMode::AbortIfHung] {
        let answer = handle.send_timeout(WM_USER, 0, 6, mode, Duration::ZERO);
        assert_eq!(answer.unwrap(), 7);
    }
    let data = handle.copy_data_timeout(1, b"x", SendMode::Normal, Duration::ZERO);
    assert_eq!(data.unwrap(), 1);
}

/// "ReplyMessage: if the calling thread was not processing a message sent from another thread or process, the return value is zero."
#[test]
fn a_reply_is_for_another_thread_that_waits() {
    let t = start();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    let window = quiet(&t.name("w"), move |_| {
        let came = in_send();
        let replied = reply(7);
        log.borrow_mut().push((came, replied));
        8
    });
    let handle = window.handle();
    handle.post(WM_USER, 0, 0).unwrap();
    pump(Duration::ZERO).unwrap();
    assert_eq!(seen.take(), [(None, false)]);
    assert_eq!(handle.send(WM_USER, 0, 0).unwrap(), 8);
    assert_eq!(seen.take(), [(None, false)]);
    let (tell, hear) = channel();
    let sender = thread::spawn(move || {
        handle.send_notify(WM_USER, 0, 0).unwrap();
        tell.send(()).unwrap();
        handle.send(WM_USER, 0, 0)
    });
    hear.recv_timeout(PATIENCE).unwrap();
    assert_eq!(serve_while(sender).unwrap(), 7);
    assert_eq!(
        seen.take(),
        [(Some(InSend::Notified), false), (Some(InSend::Waiting), true)]
    );
    assert!(!reply(1), "there is no message at all");
}

/// A procedure that works at what was sent, and serves what is posted meanwhile: a reply in that is for nobody.
#[test]
fn a_reply_inside_another_message_is_not_for_the_outer_ones_sender() {
    let t = start();
    let inner = Rc::new(Cell::new(None));
    let log = inner.clone();
    let window = quiet(&t.name("w"), move |message| {
        if message.number() == WM_USER {
            message.window().post(WM_USER + 1, 0, 0).unwrap();
            while log.get().is_none() {
                pump(Duration::from_millis(5)).unwrap();
            }
            return 6;
        }
        log.set(Some((in_send(), reply(5))));
        0
    });
    let handle = window.handle();
    let sender = thread::spawn(move || handle.send(WM_USER, 0, 0));
    assert_eq!(serve_while(sender).unwrap(), 6);
    assert_eq!(inner.get(), Some((None, false)));
}

/// "… is valid only during the processing of the message": for all of that, whatever else comes meanwhile.
#[test]
fn data_stays_while_its_procedure_sends_and_gets_more() {
    let t = start();
    let (peer, there) = peer(&t, "serves");
    let deep = Cell::new(0);
    let window = quiet(&t.name("w"), move |message| {
        let data = message.copy_data().unwrap();
        let before = data.bytes().to_vec();
        deep.set(deep.get() + 1);
        if deep.get() < 5 {
            // Another thread sends us more, and we wait for the other process as well.
            let (handle, more) = (message.window(), vec![deep.get() as u8; before.len() / 2]);
            let sender = thread::spawn(move || handle.copy_data(1, &more).unwrap());
            while !sender.is_finished() {
                assert_eq!(there.copy_data(0, &before).unwrap(), sum(&before));
            }
            sender.join().unwrap();
        }
        assert!(data.bytes() == before);
        sum(data.bytes())
    });
    let handle = window.handle();
    let bytes: Vec<u8> = (0..40_000).map(|at| (at * 11) as u8).collect();
    let expected = sum(&bytes);
    let sender = thread::spawn(move || handle.copy_data(1, &bytes).unwrap());
    assert_eq!(serve_while(sender), expected);
    close(peer, there);
}
