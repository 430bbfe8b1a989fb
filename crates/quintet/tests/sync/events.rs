//! Events: set, reset, waited for.

use crate::help::{LONG, SHORT, assert_fails, assert_gone, end, order, wait_until_asleep};
use quintet::sync::{Event, Events, Reset};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::{Peer, Test, start};
use std::thread;

fn user(t: &Test, name: &str) -> Peer {
    let mut peer = t.spawn("player", &[]);
    order(&mut peer, &format!("event-open {name}"), "opened");
    peer
}

fn users(t: &Test, name: &str, number: usize) -> Vec<Peer> {
    (0..number).map(|_| user(t, name)).collect()
}

#[test]
fn there_is_one_event_of_a_name_and_how_it_resets_is_for_who_makes_it() {
    let t = start();
    for reset in [Reset::Auto, Reset::Manual] {
        let name = t.name("one");
        assert_fails(Event::open_existing(&name), ErrorKind::NotFound);
        let event = Event::create_new(&name, reset).unwrap();
        assert!(event.was_created() && !event.is_set().unwrap());
        assert_fails(Event::create_new(&name, reset), ErrorKind::AlreadyExists);
        for other in [Reset::Auto, Reset::Manual] {
            let again = Event::builder(&name)
                .unwrap()
                .reset(other)
                .set(true)
                .create_or_open()
                .unwrap();
            assert!(!again.was_created() && !again.is_set().unwrap());
            assert_eq!(again.reset_kind(), reset);
        }
        assert_eq!(Event::open_existing(&name).unwrap().reset_kind(), reset);
        drop(event);
        assert_gone(&name);
    }
}

#[test]
fn an_address_says_how_it_is_to_be() {
    let t = start();
    let at = |address: String| Event::at(&address.parse().unwrap());
    let name = t.name("at");
    let event = at(format!("event://{name}?reset=manual&set=true")).unwrap();
    let event = event.create_new().unwrap();
    assert!(event.is_set().unwrap() && event.reset_kind() == Reset::Manual);
    let plain = at(format!("event://{}", t.name("plain")))
        .unwrap()
        .create_new()
        .unwrap();
    assert!(!plain.is_set().unwrap() && plain.reset_kind() == Reset::Auto);
    for wrong in [
        "event://x?reset=never",
        "event://x?set=yes",
        "event://x?max=1",
        "mutex://x",
    ] {
        assert_fails(at(wrong.to_string()), ErrorKind::InvalidAddress);
    }
}

#[test]
fn an_automatic_one_lets_one_waiter_through_now_or_when_it_comes() {
    let t = start();
    let event = Event::create_new(t.name("auto"), Reset::Auto).unwrap();
    assert!(!event.try_wait().unwrap());
    assert_fails(event.wait_timeout(SHORT), ErrorKind::TimedOut);
    event.set().unwrap();
    // Twice is once.
    event.set().unwrap();
    assert!(event.is_set().unwrap());
    event.wait_timeout(Deadline::now()).unwrap();
    assert!(!event.is_set().unwrap());
    assert!(!event.try_wait().unwrap());
    event.set().unwrap();
    event.reset().unwrap();
    assert!(!event.try_wait().unwrap());
    event.reset().unwrap();
    event.set().unwrap();
    assert!(event.try_wait().unwrap());
}

#[test]
fn a_manual_one_lets_everybody_through_until_it_is_reset() {
    let t = start();
    let name = t.name("manual");
    let event = Event::create_new(&name, Reset::Manual).unwrap();
    let mut peer = user(&t, &name);
    event.set().unwrap();
    for _ in 0..3 {
        assert!(event.try_wait().unwrap());
        event.wait().unwrap();
        order(&mut peer, "event-wait 0", "ok");
    }
    order(&mut peer, "reset", "ok");
    assert!(!event.is_set().unwrap());
    assert_fails(event.wait_timeout(SHORT), ErrorKind::TimedOut);
    order(&mut peer, "event-wait 30", "TimedOut");
    end(peer);
}

#[test]
fn setting_an_automatic_one_wakes_one_of_several_processes() {
    let t = start();
    let name = t.name("wakes");
    let event = Event::create_new(&name, Reset::Auto).unwrap();
    let mut peers = users(&t, &name, 3);
    for peer in &mut peers {
        peer.tell("event-wait");
    }
    for through in 1..=3 {
        wait_until_asleep(&Events, &name, 4 - through);
        event.set().unwrap();
        quintet_testkit::eventually("one more is through", || {
            peers.iter().filter(|peer| peer.said().len() == 2).count() == through
        });
        assert!(!event.is_set().unwrap());
    }
    for mut peer in peers {
        peer.expect("ok");
        end(peer);
    }
}

#[test]
fn setting_a_manual_one_wakes_all_processes_even_if_it_is_reset_at_once() {
    let t = start();
    let name = t.name("all");
    let event = Event::create_new(&name, Reset::Manual).unwrap();
    let mut peers = users(&t, &name, 3);
    for _ in 0..5 {
        for peer in &mut peers {
            peer.tell("event-wait");
        }
        wait_until_asleep(&Events, &name, 3);
        event.set().unwrap();
        if cfg!(target_os = "linux") {
            // (On Windows that they wait already is not known.)
            event.reset().unwrap();
        }
        for peer in &mut peers {
            peer.expect("ok");
        }
        event.reset().unwrap();
        order(&mut peers[0], "event-wait 0", "TimedOut");
    }
    peers.into_iter().for_each(end);
}

#[test]
#[cfg(target_os = "linux")]
fn a_waiter_that_is_stopped_meanwhile_was_let_through_all_the_same() {
    let t = start();
    let name = t.name("stopped");
    let event = Event::create_new(&name, Reset::Manual).unwrap();
    let mut peer = user(&t, &name);
    peer.tell("event-wait");
    wait_until_asleep(&Events, &name, 1);
    peer.stop();
    event.set().unwrap();
    event.reset().unwrap();
    peer.cont();
    peer.expect("ok");
    end(peer);
}

#[test]
fn it_stays_set_while_somebody_has_it_open_and_no_longer() {
    let t = start();
    let name = t.name("kept");
    let mut first = t.spawn("player", &[]);
    order(&mut first, &format!("event-make {name} manual"), "created");
    order(&mut first, "set", "ok");
    let mut second = user(&t, &name);
    first.kill();
    order(&mut second, "is-set", "true");
    let third = Event::open_existing(&name).unwrap();
    end(second);
    assert!(third.is_set().unwrap());
    drop(third);
    assert!(!Event::create_new(&name, Reset::Manual).unwrap().is_set().unwrap());
}

#[test]
fn a_killed_waiter_consumes_nothing() {
    let t = start();
    let name = t.name("killed");
    let event = Event::create_new(&name, Reset::Auto).unwrap();
    let mut dying = user(&t, &name);
    let mut other = user(&t, &name);
    dying.tell("event-wait");
    other.tell("event-wait");
    wait_until_asleep(&Events, &name, 2);
    dying.kill();
    event.set().unwrap();
    other.expect("ok");
    assert!(!event.is_set().unwrap());
    end(other);
}

#[test]
fn a_ball_goes_there_and_back_by_two_events() {
    let t = start();
    let there = Event::create_new(t.name("there"), Reset::Auto).unwrap();
    let back = Event::create_new(t.name("back"), Reset::Auto).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..500 {
                there.wait_timeout(LONG).unwrap();
                back.set().unwrap();
            }
        });
        for _ in 0..500 {
            there.set().unwrap();
            back.wait_timeout(LONG).unwrap();
        }
    });
    assert!(!there.is_set().unwrap() && !back.is_set().unwrap());
}
