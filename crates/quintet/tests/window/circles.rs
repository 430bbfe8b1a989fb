//! Windows that send to each other.

use super::*;
use quintet_testkit::start;
use std::cell::Cell;

/// Passes a number less one on to the next window, until it is 0: how often it was passed on from here.
const PASS: u32 = WM_USER + 20;
/// Says which window is the next.
const NEXT: u32 = WM_USER + 21;

fn passing(title: &str) -> Window {
    let next = Cell::new(0);
    Window::create(title, move |message| match message.number() {
        NEXT => {
            next.set(message.wparam() as u32);
            1
        }
        PASS if message.wparam() == 0 => 0,
        PASS => {
            let next = WindowHandle::from_raw(next.get());
            1 + next.send(PASS, message.wparam() - 1, 0).unwrap()
        }
        WM_CLOSE => {
            post_quit(0);
            0
        }
        _ => -1,
    })
    .unwrap()
}

/// Has a window of title `arg(0)` that passes on.
pub(crate) fn passes_on(p: &mut Role) {
    let window = passing(p.arg(0));
    p.say(window.handle().raw());
    run().unwrap();
}

#[test]
fn three_processes_send_in_a_ring_a_hundred_deep() {
    let t = start();
    let peers: Vec<_> = (0..3).map(|_| peer(&t, "passes_on")).collect();
    for (at, (_, window)) in peers.iter().enumerate() {
        let next = peers[(at + 1) % 3].1.raw();
        assert_eq!(window.send(NEXT, next as usize, 0).unwrap(), 1);
    }
    for deep in [1, 2, 3, 100, 7, 100] {
        assert_eq!(peers[0].1.send(PASS, deep, 0).unwrap(), deep as isize);
    }
    // All three at once, in both directions of time.
    let threads: Vec<_> = peers
        .iter()
        .map(|(_, window)| {
            let window = *window;
            std::thread::spawn(move || {
                for _ in 0..20 {
                    assert_eq!(window.send(PASS, 30, 0).unwrap(), 30);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for (peer, window) in peers {
        close(peer, window);
    }
}

#[test]
fn two_threads_send_to_each_other_a_hundred_deep() {
    let t = start();
    let one = passing(&t.name("one"));
    let (other, mut ends) = {
        let (peer, window) = peer(&t, "passes_on");
        (window, peer)
    };
    one.handle().send(NEXT, other.raw() as usize, 0).unwrap();
    other.send(NEXT, one.handle().raw() as usize, 0).unwrap();
    assert_eq!(one.handle().send(PASS, 100, 0).unwrap(), 100);
    other.send(WM_CLOSE, 0, 0).unwrap();
    assert!(ends.hear_or_end().is_none());
}

/// Without an end it is an error, and no crash.
#[test]
fn a_circle_without_an_end_is_an_error() {
    let t = start();
    let title = t.name("w");
    let depth = std::rc::Rc::new(Cell::new(0u32));
    let (deepest, window) = (depth.clone(), Rc::new(Cell::new(None::<WindowHandle>)));
    let this = window.clone();
    let own = Window::create(&title, move |_| {
        deepest.set(deepest.get() + 1);
        match this.get().unwrap().send(WM_USER, 0, 0) {
            Ok(result) => result,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Full);
                -7
            }
        }
    })
    .unwrap();
    window.set(Some(own.handle()));
    assert_eq!(own.handle().send(WM_USER, 0, 0).unwrap(), -7);
    assert!(depth.get() >= 100, "{}", depth.get());
}
