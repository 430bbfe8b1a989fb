use super::fails;
use super::mechanisms::{Mechanism, with};
use quintet::ErrorKind;
use quintet::channel::{Duplex, Receiver, Sender};
use quintet_testkit::start;

pub(crate) fn refused(m: &Mechanism) {
    let t = start();
    let address = m.address(&t);
    for query in [
        "colour=red",
        "role=server",
        "max_message=0",
        "max_message=many",
        "access=nobody",
    ] {
        let address = with(&address, &[query]);
        fails(Receiver::open(&address), ErrorKind::InvalidAddress);
        fails(Sender::open(&address), ErrorKind::InvalidAddress);
    }
}

#[test]
fn what_carries_no_messages_is_no_channel() {
    let t = start();
    for scheme in ["shm", "sem", "mutex", "event"] {
        let address = format!("{scheme}://{}", t.name("none"));
        fails(Receiver::open(&address), ErrorKind::Unsupported);
        fails(Sender::open(&address), ErrorKind::Unsupported);
        fails(Duplex::open(&address), ErrorKind::Unsupported);
    }
    let pipe = format!("pipe://{}?mode=byte", t.name("bytes"));
    fails(Receiver::open(&pipe), ErrorKind::Unsupported);
    fails(Sender::open("tls+tcp://localhost:1"), ErrorKind::Unsupported);
}

#[test]
fn what_has_less_room_than_was_asked_for_is_refused() {
    let t = start();
    for scheme in ["queue", "topic", "mailbox"] {
        let address = format!("{scheme}://{}", t.name("small"));
        let small = Receiver::open(with(&address, &["max_message=1000"]).as_str()).unwrap();
        let large = with(&address, &["max_message=1000000"]);
        fails(Sender::open(&large), ErrorKind::TooLarge);
        // What is there has been rounded up, so a little more than was asked for may fit, and is refused nevertheless.
        let mut sender = Sender::open(with(&address, &["max_message=900"]).as_str()).unwrap();
        fails(sender.send([0; 901]), ErrorKind::TooLarge);
        sender.send([0; 900]).unwrap();
        drop(small);
    }
}
