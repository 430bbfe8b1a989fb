use super::mechanisms::{Mechanism, with};
use super::peers::{end_of, long as message_of};
use super::{fails, receive};
use quintet::ErrorKind;
use quintet::channel::{Channel, Receiver};
use quintet_testkit::{start, start_with_deadline};
use std::time::Duration;

pub(crate) fn long(m: &Mechanism) {
    const LONGEST: usize = 50_000_000;
    // That much takes its time in an emulator on a loaded machine.
    let t = start_with_deadline(Duration::from_secs(240));
    let query = format!("max_message={LONGEST}");
    let address = with(&m.address(&t), &[&query, m.for_long]);
    if let Some(bound) = m.bound {
        // It is refused when it is said, not when the first such message is there.
        fails(Receiver::open(&address), ErrorKind::TooLarge);
        fails(quintet::channel::Sender::open(&address), ErrorKind::TooLarge);
        let mut receiver = Receiver::open(m.address(&t)).unwrap();
        let mut peer = t.spawn("end", &["send", &m.theirs(receiver.address(), "")]);
        peer.hear();
        peer.tell(&format!("long {bound}"));
        assert!(receive(&mut receiver) == message_of(bound));
        peer.expect("sent");
        return end_of(peer);
    }
    let mut receiver = Receiver::open(&address).unwrap();
    let theirs = with(&m.theirs(receiver.address(), &query), &[m.for_long]);
    let mut peer = t.spawn("end", &["send", &theirs]);
    peer.hear();
    // Wine 8 passes what is sent to a window on its receiver's stack, which overflows.
    let longest = if cfg!(windows) && m.is("window") {
        1_000_000
    } else {
        LONGEST
    };
    for len in [1_000_000, longest, 1] {
        peer.tell(&format!("long {len}"));
        assert!(receive(&mut receiver) == message_of(len), "{len} bytes");
        peer.expect("sent");
    }
    end_of(peer);
}

pub(crate) fn too_long(m: &Mechanism) {
    let t = start();
    let mut receiver = Channel::at(m.address(&t))
        .unwrap()
        .max_message(600)
        .receiver()
        .unwrap();
    let mut peer = t.spawn("end", &["send", &m.theirs(receiver.address(), "max_message=600")]);
    peer.hear();
    for round in 0..3 {
        peer.tell("long 601");
        peer.expect("TooLarge");
        peer.tell(&format!("long {}", 600 - round));
        assert_eq!(receive(&mut receiver), message_of(600 - round));
        peer.expect("sent");
    }
    end_of(peer);
}
