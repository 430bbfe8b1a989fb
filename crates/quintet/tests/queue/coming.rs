//! Some come and go while others work; one is stopped in the middle of a message.

use super::{PATIENCE, Tally};
use quintet::shm::Queue;
use quintet::sync::{Event, Reset, wait_any};
use quintet_testkit::{Role, start};
use std::time::Duration;

/// Takes a few messages of queue `arg(0)`, goes, and comes again, until event `arg(1)` is set and nothing is left; says what
/// it got.
pub(crate) fn comes_and_goes(p: &mut Role) {
    let over = Event::open_existing(p.arg(1)).unwrap();
    let mut tally = Tally::default();
    let mut message = Vec::new();
    p.say("ready");
    loop {
        let mut consumer = Queue::open_existing(p.arg(0)).unwrap().consumer().unwrap();
        let is_over = over.wait_timeout(Duration::ZERO).is_ok();
        let mut got = 0;
        while got < 5 && consumer.try_pop(&mut message).unwrap().is_some() {
            tally.add(&message);
            got += 1;
        }
        if got == 0 && is_over {
            break;
        }
        if got == 0 {
            wait_any(&[(&consumer).into(), (&over).into()], PATIENCE).unwrap();
        }
    }
    p.say(tally);
}

#[test]
fn who_comes_and_goes_takes_nothing_along() {
    const LANES: u32 = 2;
    const GENERATIONS: u32 = 2;
    const EACH: u32 = 400;
    let t = start();
    let name = t.name("q");
    let builder = Queue::builder(&name).unwrap().producers(LANES as usize);
    let queue = builder.capacity(4096).create_new().unwrap();
    let over = Event::create_new(&name, Reset::Manual).unwrap();
    let mut consumers: Vec<_> = (0..3)
        .map(|_| t.spawn("comes_and_goes", &[&name, &name]))
        .collect();
    consumers.iter_mut().for_each(|peer| peer.expect("ready"));
    for generation in 0..GENERATIONS {
        let producers: Vec<_> = (0..LANES)
            .map(|lane| (generation * LANES + lane).to_string())
            .map(|me| t.spawn("pushes", &[&name, &me, &EACH.to_string()]))
            .collect();
        for mut peer in producers {
            peer.expect("pushed");
            peer.finish();
        }
    }
    over.set().unwrap();
    let mut tally = Tally::default();
    for mut peer in consumers {
        tally.add_said(&peer.hear());
        peer.finish();
    }
    tally.is_all(LANES * GENERATIONS, EACH);
    let stats = queue.stats();
    assert_eq!((stats.waiting, stats.in_hand, stats.lost), (0, 0, 0));
}

/// Pushes a message to queue `arg(0)` as producer 1, and writes half of another into its place; commits it when told to.
#[cfg(target_os = "linux")]
pub(crate) fn reserves(p: &mut Role) {
    let mut producer = Queue::open_existing(p.arg(0)).unwrap().producer().unwrap();
    producer.push([1; 50]).unwrap();
    let mut place = producer.reserve(100).unwrap();
    place.write_at(0, [2; 50]).unwrap();
    p.say("reserved");
    p.expect("go on");
    place.write_at(50, [2; 50]).unwrap();
    place.commit().unwrap();
    p.say("committed");
}

#[cfg(target_os = "linux")]
#[test]
fn who_is_stopped_in_the_middle_of_a_reservation_holds_up_nobody() {
    use super::{fails, marked};
    use quintet::ErrorKind;
    let t = start();
    let name = t.name("q");
    let builder = Queue::builder(&name).unwrap().producers(2).capacity(4096);
    let queue = builder.create_new().unwrap();
    let mut peer = t.spawn("reserves", &[&name]);
    peer.expect("reserved");
    peer.stop();
    // It has its lane, and what it had pushed comes.
    let mut ours = queue.producer().unwrap();
    fails(queue.producer(), ErrorKind::Full);
    let mut consumer = queue.consumer().unwrap();
    let mut message = Vec::new();
    consumer.pop_timeout(&mut message, PATIENCE).unwrap();
    assert_eq!(message, [1; 50]);
    for number in 0..200 {
        ours.push_timeout(marked(0, number), PATIENCE).unwrap();
        consumer.pop_timeout(&mut message, PATIENCE).unwrap();
        assert_eq!(message, marked(0, number));
    }
    assert!(consumer.try_pop(&mut message).unwrap().is_none());
    peer.cont();
    peer.tell("go on");
    peer.expect("committed");
    consumer.pop_timeout(&mut message, PATIENCE).unwrap();
    assert_eq!(message, [2; 100]);
    peer.finish();
}
