//! Many windows, many senders.

use super::*;
use quintet_testkit::{start, start_with_deadline};
use std::thread;

/// Sends from `arg(1)` threads `arg(2)` messages each to the window `arg(0)`, and checks each answer.
pub(crate) fn sends_many(p: &mut Role) {
    let window = WindowHandle::from_raw(p.arg(0).parse().unwrap());
    let each: usize = p.arg(2).parse().unwrap();
    let threads: Vec<_> = (0..p.arg(1).parse::<usize>().unwrap())
        .map(|thread| {
            thread::Builder::new()
                .stack_size(256 * 1024)
                .spawn(move || {
                    for number in 0..each {
                        let ask = thread * 1_000_000 + number;
                        assert_eq!(window.send(ADD, ask, 1).unwrap(), ask as isize + 1);
                        if number % 8 == 0 {
                            let bytes = vec![thread as u8; number * 100 % 5000];
                            assert_eq!(window.copy_data(0, &bytes).unwrap(), sum(&bytes));
                        }
                    }
                })
                .unwrap()
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    p.say("sent");
}

#[test]
fn a_thousand_threads_send_to_one_window_and_each_gets_its_own_answers() {
    let t = start_with_deadline(Duration::from_secs(200));
    let (serving, window) = peer(&t, "serves");
    let senders: Vec<_> = (0..8)
        .map(|_| t.spawn("sends_many", &[&window.raw().to_string(), "125", "20"]))
        .collect();
    for mut sender in senders {
        sender.expect("sent");
        sender.finish();
    }
    close(serving, window);
}

/// Posts numbers from `arg(1)` on, a hundred of them, to the window `arg(0)`, and tells after each.
pub(crate) fn posts_and_tells(p: &mut Role) {
    let window = WindowHandle::from_raw(p.arg(0).parse().unwrap());
    p.say("ready");
    loop {
        let number: usize = p.listen().parse().unwrap();
        window.post(WM_USER + 30, number, 0).unwrap();
        p.say(number);
    }
}

#[test]
fn posts_of_several_processes_come_in_the_order_of_cause() {
    let t = start();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    let window = quiet(&t.name("w"), move |message| {
        if message.number() == WM_USER + 30 {
            log.borrow_mut()
                .push((message.wparam(), message.sender().map(|sender| sender.pid())));
        }
        0
    });
    let mut peers: Vec<_> = (0..4)
        .map(|_| t.spawn("posts_and_tells", &[&window.handle().raw().to_string()]))
        .collect();
    peers.iter_mut().for_each(|peer| peer.expect("ready"));
    let pids: Vec<_> = peers.iter().map(|peer| peer.pid()).collect();
    for round in 0..5 {
        for number in 0..40 {
            // Another one each time, who knows that the one before has posted.
            let peer = &mut peers[number * 7 % 4];
            peer.tell(&number.to_string());
            peer.expect(&number.to_string());
            if number == 20 && round > 2 {
                pump(Duration::ZERO).unwrap();
            }
        }
        pump(Duration::ZERO).unwrap();
        let expected: Vec<_> = (0..40)
            .map(|number| (number, cfg!(target_os = "linux").then(|| pids[number * 7 % 4])))
            .collect();
        assert_eq!(
            *seen.borrow(),
            expected,
            "in order, and from whom the kernel says, where it says"
        );
        seen.borrow_mut().clear();
    }
    peers.into_iter().for_each(|mut peer| {
        peer.kill();
    });
}

#[test]
fn one_of_a_thousand_windows_is_found() {
    let t = start();
    let (title, class) = (t.name("w"), t.name("c"));
    let windows: Vec<_> = (0..1000)
        .map(|number| {
            let builder = Window::builder(format!("{title} {number}")).class(&class);
            builder.create(move |_| number).unwrap()
        })
        .collect();
    assert_eq!(WindowHandle::find_all(Some(&class), None).unwrap().len(), 1000);
    for number in [0, 1, 500, 999] {
        let found = WindowHandle::find(None, Some(&format!("{title} {number}"))).unwrap();
        assert_eq!(found, windows[number].handle());
        assert_eq!(found.send(WM_USER, 0, 0).unwrap(), number as isize);
    }
    drop(windows);
    assert!(WindowHandle::find_all(Some(&class), None).unwrap().is_empty());
}
