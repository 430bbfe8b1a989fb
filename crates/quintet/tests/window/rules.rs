//! What the Windows documentation says of SendMessage, PostMessage and their like.

use super::*;
use quintet::shm::Queue;
use quintet::sync::{Event, Reset, Waitable, wait_all, wait_any};
use quintet::window::{
    Pumped, REGISTERED, SendMode, WM_COMMAND, WM_NULL, WM_QUIT, broadcast_post, broadcast_send, exclusive,
    register_message,
};
use quintet_testkit::{eventually, start};
use std::cell::Cell;
use std::sync::mpsc::channel;
use std::thread;

/// "The return value specifies the result of the message processing."
#[test]
fn send_gives_the_procedures_result() {
    let t = start();
    let (peer, window) = peer(&t, "serves");
    assert_eq!(window.send(ADD, 41, 1).unwrap(), 42);
    assert_eq!(
        window.send(ADD, usize::MAX, 0).unwrap(),
        -1,
        "all bits of wparam go along"
    );
    assert_eq!(window.send(ADD, 0, isize::MIN).unwrap(), isize::MIN);
    for number in 0..1000 {
        assert_eq!(window.send(ADD, number, 1).unwrap(), number as isize + 1);
    }
    close(peer, window);
}

/// "If the specified window was created by the calling thread, the window procedure is called immediately as a subroutine."
#[test]
fn a_send_to_an_own_window_is_a_call() {
    let t = start();
    let window = useful(&t.name("w"));
    let handle = window.borrow().as_ref().unwrap().handle();
    assert_eq!(handle.send(ADD, 1, 2).unwrap(), 3);
    assert_eq!(handle.send(HOW, 0, 0).unwrap(), 0, "no other thread sent it");
    handle.send_notify(WM_APP + 1, 0, 0).unwrap();
    assert_eq!(handle.send(LOG, 0, 0).unwrap(), 1);
    // Through itself, to itself.
    let forwarded = handle.send(FORWARD, handle.raw() as usize, HOW as isize);
    assert_eq!(forwarded.unwrap(), 0);
    assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Nothing);
}

/// "Messages … are removed from the queue in the order in which they were posted"; "GetMessage … dispatches incoming sent
/// messages until a posted message is available".
#[test]
fn sent_ones_come_first_then_posted_ones_in_their_order() {
    let t = start();
    let (mut peer, window) = peer(&t, "serves_when_told");
    for number in 1..5 {
        window.post(WM_APP + number, 0, 0).unwrap();
    }
    window.send_notify(WM_APP + 9, 0, 0).unwrap();
    window.post(WM_APP + 5, 0, 0).unwrap();
    peer.tell("serve");
    // This one is sent as well, and does not wait for those that are posted: so wait for the last of them.
    let mut log = 0;
    eventually("all have come", || {
        let more = window.send(LOG, 0, 0).unwrap();
        let digits = more.checked_ilog10().map_or(0, |digits| digits + 1);
        log = log * 10isize.pow(digits) + more;
        log == 912_345
    });
    close(peer, window);
}

/// "Posts a message … and returns without waiting for the thread to process the message."
#[test]
fn posts_of_several_threads_come_in_the_order_of_cause() {
    let t = start();
    let (mut peer, window) = peer(&t, "serves_when_told");
    // Each posts only after it knows that the one before has.
    for number in 1..=5 {
        thread::spawn(move || window.post(WM_APP + number, 0, 0))
            .join()
            .unwrap()
            .unwrap();
    }
    let own = useful(&t.name("own"));
    let handle = own.borrow().as_ref().unwrap().handle();
    handle.post(WM_APP + 1, 0, 0).unwrap();
    thread::spawn(move || handle.post(WM_APP + 2, 0, 0))
        .join()
        .unwrap()
        .unwrap();
    handle.post(WM_APP + 3, 0, 0).unwrap();
    assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Served);
    assert_eq!(handle.send(LOG, 0, 0).unwrap(), 123);
    peer.tell("serve");
    let mut log = 0;
    eventually("all have come", || {
        let more = window.send(LOG, 0, 0).unwrap();
        let digits = more.checked_ilog10().map_or(0, |digits| digits + 1);
        log = log * 10isize.pow(digits) + more;
        log == 12_345
    });
    close(peer, window);
}

/// "GetMessage … retrieves WM_QUIT": PostQuitMessage ends the loop after what is in the queue.
#[test]
fn the_end_comes_after_what_was_posted() {
    let t = start();
    let window = useful(&t.name("w"));
    let handle = window.borrow().as_ref().unwrap().handle();
    post_quit(9);
    handle.post(WM_APP + 1, 0, 0).unwrap();
    handle.post(WM_APP + 2, 0, 0).unwrap();
    assert_eq!(run().unwrap(), 9);
    assert_eq!(handle.send(LOG, 0, 0).unwrap(), 12);
    // Once only.
    assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Nothing);
    handle.post(WM_QUIT, 4, 0).unwrap();
    assert_eq!(run().unwrap(), 4);
}

/// "The receiving application should consider the data read-only. … is valid only during the processing of the message."
#[test]
fn data_of_any_size_comes_whole() {
    let t = start();
    let (peer, window) = peer(&t, "serves");
    let mut lens = vec![0, 1, 63, 64, 65, 4095, 16_383, 16_384, 16_385, 100_000, 1_000_000];
    // Wine 8 passes it on its receiver's stack, which overflows.
    if !cfg!(windows) {
        lens.push(20_000_001);
    }
    for len in lens {
        let bytes: Vec<u8> = (0..len).map(|at| (at * 7 + at / 251) as u8).collect();
        assert_eq!(window.copy_data(0, &bytes).unwrap(), sum(&bytes), "{len} bytes");
    }
    // Again and again around the end of what it goes through.
    for len in 0..700 {
        let bytes: Vec<u8> = (0..len * 3).map(|at| (at * 5 + len) as u8).collect();
        assert_eq!(window.copy_data(0, &bytes).unwrap(), sum(&bytes), "{len} bytes");
    }
    // Words that look like a message.
    let sly: Vec<u8> = (0..2000u64)
        .flat_map(|word| (word % 300 + 1).to_le_bytes())
        .collect();
    for _ in 0..100 {
        assert_eq!(window.copy_data(0, &sly).unwrap(), sum(&sly));
        assert_eq!(window.send(ADD, 1, 1).unwrap(), 2);
    }
    fails(window.copy_data(0, &vec![0; (1 << 30) + 1]), ErrorKind::TooLarge);
    close(peer, window);
}

#[test]
fn text_comes_in_each_encoding() {
    let t = start();
    let (peer, window) = peer(&t, "serves");
    assert_eq!(window.copy_data_text(1, "成功", Encoding::Utf8).unwrap(), 1);
    assert_eq!(window.copy_data_text(2, "成功", Encoding::Utf16).unwrap(), 1);
    assert_eq!(window.copy_data_text(3, "success", Encoding::Ansi).unwrap(), 1);
    // What the machine's code page does not have is an error, and no other text. (In the Chinese one: `xtask/interop`.)
    match window.copy_data_text(4, "成功", Encoding::Ansi) {
        Err(error) if cfg!(windows) => assert_eq!(error.kind(), ErrorKind::Unsupported),
        result => assert_eq!(result.unwrap(), 1),
    }
    // In the notes: an ANSI string, with cbData = len + 1; what stands behind the NUL is nobody's.
    assert_eq!(window.copy_data(3, b"success\0\xff").unwrap(), 1);
    assert_eq!(window.copy_data(3, b"success").unwrap(), 1);
    fails(
        window.copy_data_text(3, "a\0b", Encoding::Ansi),
        ErrorKind::Unsupported,
    );
    close(peer, window);
}

/// "If you send a message in the range below WM_USER to the asynchronous message functions, its message parameters cannot
/// include pointers": error ERROR_MESSAGE_SYNC_ONLY.
#[test]
fn only_copy_data_carries_data() {
    let t = start();
    let window = useful(&t.name("w"));
    let handle = window.borrow().as_ref().unwrap().handle();
    const WM_SETTEXT: u32 = 0x000C;
    const WM_TIMER: u32 = 0x0113;
    const SBM_GETRANGE: u32 = 0x00E3;
    for number in [WM_COPYDATA, WM_SETTEXT, WM_TIMER, SBM_GETRANGE] {
        fails(handle.post(number, 0, 0), ErrorKind::Unsupported);
        fails(handle.send(number, 0, 0), ErrorKind::Unsupported);
        fails(handle.send_notify(number, 0, 0), ErrorKind::Unsupported);
    }
    fails(handle.post(0x10000, 0, 0), ErrorKind::Unsupported);
}

/// Messages of the system's are answered by it, as DefWindowProc does.
#[test]
fn a_procedure_gets_close_and_command_and_what_is_above() {
    let t = start();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    let window = Window::create(t.name("w"), move |message| {
        log.borrow_mut().push(message.number());
        1
    })
    .unwrap();
    seen.borrow_mut().clear();
    assert_eq!(window.handle().send(WM_NULL, 0, 0).unwrap(), 0);
    assert_eq!(window.handle().send(WM_CLOSE, 0, 0).unwrap(), 1);
    assert_eq!(window.handle().send(WM_COMMAND, 0, 0).unwrap(), 1);
    assert_eq!(window.handle().send(WM_USER, 0, 0).unwrap(), 1);
    assert_eq!(window.handle().send(0xFFFF, 0, 0).unwrap(), 1);
    assert_eq!(*seen.borrow(), [WM_CLOSE, WM_COMMAND, WM_USER, 0xFFFF]);
    assert!(window.handle().is_alive(), "WM_CLOSE alone closes nothing");
}

/// Says the number of the message of that name.
pub(crate) fn registers(p: &mut Role) {
    let number = register_message(p.arg(0)).unwrap();
    p.say(number);
}

/// "If two different applications register the same message string, the applications return the same message value. … The
/// return value is a message identifier in the range 0xC000 through 0xFFFF."
#[test]
fn a_registered_message_has_one_number_everywhere() {
    let t = start();
    let names = ["Quintet.Tests.One", "Quintet.Tests.Two", "Quintet.Tests.成功"];
    let numbers = names.map(|name| register_message(name).unwrap());
    assert!(numbers.iter().all(|number| REGISTERED.contains(number)));
    assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2] && numbers[0] != numbers[2]);
    for (name, number) in names.into_iter().zip(numbers) {
        let mut peer = t.spawn("registers", &[&name.to_uppercase()]);
        assert_eq!(peer.hear(), number.to_string());
        peer.finish();
    }
    fails(register_message(""), ErrorKind::InvalidName);
    fails(register_message("a\nb"), ErrorKind::InvalidName);
    fails(register_message(&"x".repeat(256)), ErrorKind::InvalidName);
    // Windows counts what UTF-16 makes of it, and takes this for a number.
    let long = format!("{}x", "𝄞".repeat(127));
    assert_eq!(long.encode_utf16().count(), 255);
    assert!(REGISTERED.contains(&register_message(&long).unwrap()));
    fails(register_message(&"𝄞".repeat(128)), ErrorKind::InvalidName);
    fails(register_message(&"成".repeat(256)), ErrorKind::InvalidName);
    fails(register_message("#1234"), ErrorKind::InvalidName);
    for name in ["#", "#1234x", "1234"] {
        assert!(REGISTERED.contains(&register_message(name).unwrap()), "{name}");
    }
}

/// "If this parameter is HWND_BROADCAST, the message is posted to all top-level windows in the system"; "message-only windows …
/// cannot be enumerated, and do not receive broadcast messages."
#[test]
fn a_broadcast_reaches_all_top_level_windows() {
    let t = start();
    let number = register_message("Quintet.Tests.Broadcast").unwrap();
    let (here, there) = (top_level_peer(&t), top_level_peer(&t));
    let hidden = Window::builder(t.name("hidden"))
        .message_only(true)
        .create(|_| panic!("it gets no broadcasts"))
        .unwrap();
    let visible = Window::create(t.name("own"), |_| 6).unwrap();
    let answers = broadcast_send(number, 0, 0, PATIENCE).unwrap();
    let of = |window: WindowHandle| {
        let answer = answers.iter().find(|answer| answer.window == window);
        answer.map(|answer| answer.result.as_ref().map_err(Error::kind).copied())
    };
    assert_eq!(of(here.1), Some(Ok(0)));
    assert_eq!(of(there.1), Some(Ok(0)));
    assert_eq!(of(visible.handle()), Some(Ok(6)));
    assert_eq!(of(hidden.handle()), None);
    let posted = broadcast_post(number, 0, 0).unwrap();
    assert!(
        posted
            .iter()
            .any(|answer| answer.window == here.1 && answer.result.is_ok())
    );
    fails(broadcast_post(WM_APP, 0, 0), ErrorKind::Unsupported);
    fails(broadcast_send(WM_USER, 0, 0, PATIENCE), ErrorKind::Unsupported);
    close(here.0, here.1);
    close(there.0, there.1);
}

/// "ReplyMessage: … the thread that called SendMessage … continues to run as though … the window procedure … had returned."
#[test]
fn a_reply_comes_before_the_procedure_ends() {
    let t = start();
    let (peer, window) = peer(&t, "serves");
    assert_eq!(window.send(EARLY, 0, 0).unwrap(), 7);
    assert_eq!(window.send(LOG, 0, 0).unwrap(), 3, "it knew that it had replied");
    assert!(!reply(1), "there is nobody to reply to");
    close(peer, window);
}

/// As above: "valid only during the processing of the message", but for all of that.
#[test]
fn data_is_there_until_the_procedure_ends_also_after_a_reply() {
    let t = start();
    let bytes: Vec<u8> = (0..50_000).map(|at| (at * 7) as u8).collect();
    let expected = sum(&bytes);
    let (tell, hear) = channel();
    let seen: Rc<Cell<isize>> = Rc::default();
    let log = seen.clone();
    let window = quiet(&t.name("w"), move |message| {
        let data = message.copy_data().unwrap();
        assert!(reply(5));
        // The sender has its answer, and has made other things of its memory.
        hear.recv_timeout(PATIENCE).unwrap();
        log.set(sum(data.bytes()));
        6
    });
    let handle = window.handle();
    let sender = thread::spawn(move || {
        assert_eq!(handle.copy_data(0, &bytes).unwrap(), 5);
        drop(bytes);
        let others: Vec<Vec<u8>> = (0..20).map(|_| vec![1; 50_000]).collect();
        tell.send(()).unwrap();
        others.len()
    });
    assert_eq!(serve_while(sender), 20);
    assert_eq!(seen.get(), expected);
}

/// "InSendMessageEx: … ISMEX_NOSEND, ISMEX_SEND, ISMEX_NOTIFY, ISMEX_REPLIED".
#[test]
fn a_procedure_knows_how_the_message_came() {
    let t = start();
    let (peer, window) = peer(&t, "serves");
    assert_eq!(window.send(HOW, 0, 0).unwrap(), 1);
    assert_eq!(window.copy_data(0, b"").unwrap(), 0);
    window.send_notify(HOW, 0, 0).unwrap();
    assert_eq!(window.send(LOG, 0, 0).unwrap(), 2);
    window.post(HOW, 0, 0).unwrap();
    eventually("it was served", || {
        window.info().unwrap().queued.is_none_or(|queued| queued == 0)
    });
    assert_eq!(window.send(LOG, 0, 0).unwrap(), 0);
    assert_eq!(in_send(), None);
    close(peer, window);
}

/// "SendMessageTimeout: … the function returns after the time-out period"; "a thread … processes nonqueued messages while waiting
/// for its message to be processed", but with SMTO_BLOCK.
#[test]
fn a_send_gives_up_at_its_deadline() {
    let t = start();
    let (peer, window) = peer(&t, "serves_when_told");
    for mode in [SendMode::Normal, SendMode::Block, SendMode::AbortIfHung] {
        let timed = window.send_timeout(ADD, 1, 1, mode, Duration::from_millis(30));
        fails(timed, ErrorKind::TimedOut);
    }
    fails(
        window.copy_data_timeout(0, b"x", SendMode::Normal, Duration::ZERO),
        ErrorKind::TimedOut,
    );
    let mut peer = peer;
    peer.tell("serve");
    assert_eq!(
        window
            .send_timeout(ADD, 1, 1, SendMode::Normal, PATIENCE)
            .unwrap(),
        2,
        "late answers are nobody's"
    );
    close(peer, window);
}

/// As above: what is sent to a thread that waits is served, what is posted is not.
#[test]
fn who_waits_serves_what_is_sent_and_not_what_is_posted() {
    let t = start();
    let (peer, window) = peer(&t, "serves");
    let own = useful(&t.name("own"));
    let handle = own.borrow().as_ref().unwrap().handle();
    handle.post(WM_APP + 1, 0, 0).unwrap();
    // The other one asks our window, which so far has seen nothing of what is posted.
    let seen = window.send(FORWARD, handle.raw() as usize, LOG as isize);
    assert_eq!(seen.unwrap(), 0);
    let how = window.send(FORWARD, handle.raw() as usize, HOW as isize);
    assert_eq!(how.unwrap(), 1);
    handle.send(LOG, 0, 0).unwrap();
    pump(Duration::ZERO).unwrap();
    assert_eq!(handle.send(LOG, 0, 0).unwrap(), 1);
    // Blocked, we serve nothing, and the other one waits for us: until our deadline.
    let blocked = window.send_timeout(
        FORWARD,
        handle.raw() as usize,
        WM_APP as isize + 2,
        SendMode::Block,
        Duration::from_millis(50),
    );
    fails(blocked, ErrorKind::TimedOut);
    assert_eq!(handle.send(LOG, 0, 0).unwrap(), 0);
    // What it sent comes now, while we wait for something else, or after.
    assert_eq!(window.send(ADD, 1, 1).unwrap(), 2);
    pump(Duration::ZERO).unwrap();
    assert_eq!(handle.send(LOG, 0, 0).unwrap(), 2);
    close(peer, window);
}

/// "If the window … has been destroyed": ERROR_INVALID_WINDOW_HANDLE.
#[test]
fn a_destroyed_window_gets_nothing() {
    let t = start();
    let (peer, window) = peer(&t, "serves_when_told");
    // One that waits for it already.
    let waiting = thread::spawn(move || window.send(ADD, 1, 1));
    let destroying = thread::spawn(move || window.send(DESTROY, 0, 0));
    let mut peer = peer;
    peer.tell("serve");
    // Its procedure runs to its end. (For Windows that is an error already: SMTO_ERRORONEXIT.)
    match destroying.join().unwrap() {
        Ok(5) => {}
        other if cfg!(windows) => fails(other, ErrorKind::NotFound),
        other => panic!("{other:?}"),
    }
    match waiting.join().unwrap() {
        Ok(2) => {}
        other => fails(other, ErrorKind::NotFound),
    }
    fails(window.send(ADD, 1, 1), ErrorKind::NotFound);
    fails(window.send_notify(ADD, 1, 1), ErrorKind::NotFound);
    fails(window.post(ADD, 1, 1), ErrorKind::NotFound);
    fails(window.copy_data(0, b"x"), ErrorKind::NotFound);
    fails(window.info(), ErrorKind::NotFound);
    assert!(!window.is_alive());
    peer.kill();
    // Who comes next takes away what it left.
    drop(quiet("", |_| 0));
}

/// The same, of a window whose thread goes on to other things, and serves nothing any more.
#[test]
fn who_waits_for_a_window_learns_that_it_was_destroyed() {
    let t = start();
    type Sends = fn(WindowHandle) -> Result<isize, Error>;
    let sends: [Sends; 5] = [
        |window| window.send(ADD, 1, 1),
        |window| window.send_timeout(ADD, 1, 1, SendMode::Block, PATIENCE),
        |window| window.copy_data(0, b"few"),
        |window| window.copy_data(0, &[7; 100_000]),
        |window| window.copy_data(0, &vec![7; 5 << 20]),
    ];
    for send in sends {
        let window = quiet(&t.name("w"), |_| panic!("it serves nothing"));
        let handle = window.handle();
        let sending = thread::spawn(move || send(handle));
        wait_any(&[(&window).into()], PATIENCE).unwrap();
        drop(window);
        fails(sending.join().unwrap(), ErrorKind::NotFound);
    }
}

/// "There is a limit of 10,000 posted messages per message queue." (Which Wine does not have.)
#[test]
fn the_ten_thousand_and_first_is_too_many() {
    let t = start();
    let (mut peer, window) = peer(&t, "serves_when_told");
    for number in 0..10_000 {
        window.post(WM_USER + 9, number, 0).unwrap();
    }
    match window.post(WM_USER + 9, 0, 0) {
        Ok(()) if cfg!(windows) => eprintln!("this system has no limit"),
        other => fails(other, ErrorKind::Full),
    }
    if let Some(queued) = window.info().unwrap().queued {
        assert_eq!(queued, 10_000);
    }
    // Sending needs no place in the queue.
    let sending = thread::spawn(move || window.send(ADD, 1, 1));
    peer.tell("serve");
    assert_eq!(sending.join().unwrap().unwrap(), 2);
    eventually("there is room again", || window.post(WM_USER + 9, 0, 0).is_ok());
    eventually("it is closed", || window.post(WM_CLOSE, 0, 0).is_ok());
    peer.finish();
}

#[test]
fn a_thread_without_windows_has_no_messages() {
    let t = start();
    fails(pump(Duration::ZERO), ErrorKind::Unsupported);
    fails(run(), ErrorKind::Unsupported);
    let window = quiet(&t.name("w"), |_| 0);
    assert_eq!(pump(Duration::from_millis(1)).unwrap(), Pumped::Nothing);
    drop(window);
    fails(pump(Duration::ZERO), ErrorKind::Unsupported);
}

#[test]
fn a_window_is_one_of_several_to_wait_for() {
    let t = start();
    let name = t.name("w");
    let window = useful(&name);
    let window = window.borrow();
    let window = window.as_ref().unwrap();
    let handle = window.handle();
    let event = Event::create_new(&name, Reset::Auto).unwrap();
    let none = wait_any(&[window.into(), (&event).into()], Duration::from_millis(1));
    assert_eq!(none.unwrap_err().kind(), ErrorKind::TimedOut);
    // One that is sent.
    let sender = thread::spawn(move || handle.send(ADD, 20, 2));
    assert_eq!(
        wait_any(&[window.into(), (&event).into()], PATIENCE)
            .unwrap()
            .index,
        0
    );
    pump(Duration::ZERO).unwrap();
    assert_eq!(serve_while(sender).unwrap(), 22);
    // One that is posted, by another thread.
    thread::spawn(move || handle.post(WM_APP + 1, 0, 0))
        .join()
        .unwrap()
        .unwrap();
    assert_eq!(
        wait_any(&[(&event).into(), window.into()], PATIENCE)
            .unwrap()
            .index,
        1
    );
    assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Served);
    // The end.
    post_quit(1);
    assert_eq!(
        wait_any(&[(&event).into(), window.into()], PATIENCE)
            .unwrap()
            .index,
        1
    );
    assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Quit(1));
    event.set().unwrap();
    assert_eq!(
        wait_any(&[window.into(), (&event).into()], PATIENCE)
            .unwrap()
            .index,
        1
    );
}

/// MsgWaitForMultipleObjects takes one object less than WaitForMultipleObjects, and the queue is one more.
#[test]
fn a_window_is_the_last_of_as_many_as_can_be_waited_for() {
    let t = start();
    let name = t.name("w");
    let window = quiet(&name, |_| 0);
    let queue = Queue::create_new(&name).unwrap();
    let mut consumer = queue.consumer().unwrap();
    let events: Vec<_> = (0..62)
        .map(|number| Event::create_new(format!("{name}-{number}"), Reset::Auto).unwrap())
        .collect();
    let mut all: Vec<Waitable<'_>> = events.iter().map(Waitable::from).collect();
    all.push((&consumer).into());
    all.push((&window).into());
    let handle = window.handle();
    let none = wait_any(&all, Duration::from_millis(1));
    assert_eq!(none.unwrap_err().kind(), ErrorKind::TimedOut);
    fails(wait_all(&all, Duration::ZERO), ErrorKind::Unsupported);
    // While we wait, or before.
    let poster = thread::spawn(move || handle.post(WM_USER, 0, 0));
    assert_eq!(wait_any(&all, PATIENCE).unwrap().index, 63);
    poster.join().unwrap().unwrap();
    // The first of those that are there.
    queue.producer().unwrap().push(b"x").unwrap();
    assert_eq!(wait_any(&all, PATIENCE).unwrap().index, 62);
    events[61].set().unwrap();
    assert_eq!(wait_any(&all, PATIENCE).unwrap().index, 61);
    assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Served);
    let mut message = Vec::new();
    consumer.pop(&mut message).unwrap();
    assert_eq!(message, b"x");
}

/// Each thread has a queue of its own, and nobody can wait for another's.
#[test]
fn another_thread_cannot_wait_for_a_windows_messages() {
    let t = start();
    let window = quiet(&t.name("w"), |_| 0);
    let item = Waitable::from(&window);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| wait_any(&[item], PATIENCE).map(|ready| ready.index));
        fails(waiting.join().unwrap(), ErrorKind::Unsupported);
    });
}

/// What is to be seen, and who is let in, changes nothing for the others. (The C program in `xtask/interop` looks for it as C# does.)
#[test]
fn a_window_that_is_seen_and_admits_all_is_a_window() {
    let t = start();
    let title = t.name("w");
    let builder = Window::builder(&title)
        .visible(true)
        .admit_lower_integrity(true)
        .clone();
    let window = builder.create(|message| message.lparam() + 1).unwrap();
    assert_eq!(WindowHandle::find(None, Some(&title)).unwrap(), window.handle());
    assert!(!window.handle().info().unwrap().message_only);
    let handle = window.handle();
    let sender = thread::spawn(move || handle.send(WM_USER, 0, 6));
    assert_eq!(serve_while(sender).unwrap(), 7);
}

/// Numbers that mean something else to Windows than a window: no window, all of them, or none.
#[test]
fn a_number_that_is_no_window_is_not_found() {
    let _t = start();
    for raw in [
        0,
        1,
        0xFFFF,
        u32::MAX,
        u32::MAX - 1,
        u32::MAX - 2,
        i32::MAX as u32,
    ] {
        let window = WindowHandle::from_raw(raw);
        assert!(!window.is_alive());
        fails(window.send(WM_USER, 0, 0), ErrorKind::NotFound);
        fails(window.send_notify(WM_USER, 0, 0), ErrorKind::NotFound);
        fails(window.post(WM_USER, 0, 0), ErrorKind::NotFound);
        fails(window.copy_data(0, b"x"), ErrorKind::NotFound);
        fails(window.info(), ErrorKind::NotFound);
        fails(window.is_hung(), ErrorKind::NotFound);
    }
}

/// What cannot run inside itself says so.
#[test]
fn an_exclusive_procedure_is_busy_inside_itself() {
    let t = start();
    let this: Rc<Cell<Option<WindowHandle>>> = Rc::default();
    let inner = this.clone();
    let mut served = 0;
    let window = Window::create(
        t.name("w"),
        exclusive(-5, move |message| {
            served += 1;
            if message.number() == WM_USER {
                inner.get().unwrap().send(WM_USER + 1, 0, 0).unwrap()
            } else {
                served
            }
        }),
    )
    .unwrap();
    this.set(Some(window.handle()));
    assert_eq!(window.handle().send(WM_USER, 0, 0).unwrap(), -5);
    assert_eq!(window.handle().send(WM_USER + 1, 0, 0).unwrap(), 2);
}

/// "Windows created by a thread are destroyed when it ends."
#[test]
fn a_thread_that_ends_takes_its_windows_with_it() {
    let t = start();
    let title = t.name("w");
    let (tell, hear) = channel();
    let (end, ended) = channel::<()>();
    thread_local! {
        #[cfg_attr(
            windows,
            expect(clippy::missing_const_for_thread_local, reason = "clippy does not see there that it is")
        )]
        static KEPT: Cell<Option<Window>> = const { Cell::new(None) };
    }
    let owner = thread::spawn(move || {
        let window = Window::create(title, |_| 0).unwrap();
        tell.send(window.handle()).unwrap();
        ended.recv().unwrap();
        // As long as the thread, which nobody drops.
        KEPT.set(Some(window));
    });
    let handle = hear.recv().unwrap();
    let waiting = thread::spawn(move || handle.send(WM_USER, 0, 0));
    assert!(handle.is_alive());
    end.send(()).unwrap();
    owner.join().unwrap();
    fails(waiting.join().unwrap(), ErrorKind::NotFound);
    assert!(!handle.is_alive());
    fails(handle.post(WM_USER, 0, 0), ErrorKind::NotFound);
}

/// "The handle … could even point to a different window": not soon.
#[test]
fn a_handle_is_not_soon_another_windows() {
    let t = start();
    let title = t.name("w");
    let first = Window::create(&title, |_| 0).unwrap();
    let handle = first.handle();
    drop(first);
    for _ in 0..200 {
        let next = Window::create(&title, |_| 0).unwrap();
        assert_ne!(next.handle(), handle);
        assert!(i32::try_from(next.handle().raw()).is_ok_and(|raw| raw > 0));
        fails(handle.post(WM_USER, 0, 0), ErrorKind::NotFound);
    }
}
