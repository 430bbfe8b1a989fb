//! Sockets among other things to wait for.

use super::{PATIENCE, any_port, places};
use quintet::Deadline;
use quintet::socket::{Pair, Pub, Pull, Push, Rep, Req, Sub};
use quintet::sync::{Event, Reset, Waitable, wait_any};
use quintet_testkit::start;
use std::thread;
use std::time::Duration;

#[test]
fn a_message_ends_a_wait_and_stays_to_be_received() {
    let t = start();
    for place in places(&t) {
        let stop = Event::create_new(t.name("stop"), Reset::Manual).unwrap();
        let pull = Pull::new().unwrap();
        let address = pull.listen(&place).unwrap();
        let push = Push::new().unwrap();
        push.dial(&address).unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                for number in 0..100u64 {
                    let items = [(&stop).into(), (&pull).into()];
                    assert_eq!(wait_any(&items, PATIENCE).unwrap().index, 1);
                    // It is there still, and there without waiting.
                    assert_eq!(wait_any(&items, Deadline::now()).unwrap().index, 1);
                    let message = pull.recv_timeout(Deadline::now()).unwrap();
                    assert_eq!(message, number.to_le_bytes());
                }
                let items = [(&stop).into(), (&pull).into()];
                assert_eq!(wait_any(&items, PATIENCE).unwrap().index, 0);
            });
            for number in 0..100u64 {
                push.send_timeout(number.to_le_bytes(), PATIENCE).unwrap();
                // Now and then it finds nothing and sleeps.
                while (number % 10 == 0 || number == 99) && pull.stats().received <= number {
                    thread::yield_now();
                }
            }
            stop.set().unwrap();
            waiter.join().unwrap();
        });
    }
}

#[test]
fn several_sockets_of_several_patterns_are_waited_for_at_once() {
    let _t = start();
    let (one, other) = (Pair::new().unwrap(), Pair::new().unwrap());
    other.dial(one.listen(any_port()).unwrap()).unwrap();
    let (rep, req) = (Rep::new().unwrap(), Req::new().unwrap());
    req.dial(rep.listen(any_port()).unwrap()).unwrap();
    let (publisher, subscriber) = (Pub::new().unwrap(), Sub::new().unwrap());
    subscriber.subscribe("wanted");
    subscriber.dial(publisher.listen(any_port()).unwrap()).unwrap();
    publisher.wait_for_peers(1, PATIENCE).unwrap();
    let items: [Waitable<'_>; 3] = [(&one).into(), (&rep).into(), (&subscriber).into()];
    let next = || wait_any(&items, PATIENCE).unwrap().index;
    thread::scope(|scope| {
        scope.spawn(|| {
            other.send_timeout("a", PATIENCE).unwrap();
        });
        assert_eq!(next(), 0);
        assert_eq!(one.recv_timeout(Deadline::now()).unwrap(), b"a");
        scope.spawn(|| {
            assert_eq!(req.request_timeout("b", PATIENCE).unwrap(), b"c");
        });
        assert_eq!(next(), 1);
        rep.recv_timeout(Deadline::now()).unwrap().reply("c").unwrap();
        scope.spawn(|| {
            // What nobody asked for wakes nobody in vain, or at any rate ends no wait.
            publisher.send("unwanted").unwrap();
            publisher.send("wanted 1").unwrap();
        });
        assert_eq!(next(), 2);
        assert_eq!(subscriber.recv_timeout(Deadline::now()).unwrap(), b"wanted 1");
    });
    assert!(wait_any(&items, Duration::from_millis(1)).is_err());
}
