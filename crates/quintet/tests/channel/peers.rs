use super::{PATIENCE, numbered};
use quintet::Error;
use quintet::channel::{Channel, Receiver, Sender};
use quintet_testkit::{Peer, Role};
use std::time::Duration;

enum End {
    Sender(Sender),
    Receiver(Receiver),
}

/// Opens the end that `arg(0)` says at `arg(1)`, says its address, and does what it is told.
pub(crate) fn end(p: &mut Role) {
    let mut end = match p.arg(0) {
        "send" => End::Sender(Sender::open(p.arg(1)).unwrap()),
        _ => End::Receiver(Receiver::open(p.arg(1)).unwrap()),
    };
    p.say(match &end {
        End::Sender(sender) => sender.address().to_string(),
        End::Receiver(receiver) => receiver.address().to_string(),
    });
    let mut message = Vec::new();
    loop {
        let told = p.listen();
        let (what, arguments) = told.split_once(' ').unwrap_or((&told, ""));
        match (what, &mut end) {
            ("send", End::Sender(sender)) => {
                let number = arguments.parse().unwrap();
                let sent = sender.send_timeout(numbered(number), PATIENCE);
                p.say(said(sent.map(|()| "sent".into())));
            }
            ("long", End::Sender(sender)) => {
                let sent = sender.send_timeout(long(arguments.parse().unwrap()), PATIENCE);
                p.say(said(sent.map(|()| "sent".into())));
            }
            ("recv", End::Receiver(receiver)) => {
                let received = receiver.recv_timeout(&mut message, PATIENCE);
                p.say(said(received.map(|()| digest(&message))));
            }
            ("recv_all", End::Receiver(receiver)) => {
                // As many as were sent, however long the system takes to bring them, and no more.
                let most: usize = arguments.parse().unwrap();
                let mut count = 0;
                while count < most && receiver.recv_timeout(&mut message, PATIENCE).is_ok() {
                    count += 1;
                }
                if receiver
                    .recv_timeout(&mut message, Duration::from_millis(200))
                    .is_ok()
                {
                    count += 1;
                }
                p.say(count);
            }
            ("close", _) => break,
            ("die", _) => p.die(),
            (other, _) => panic!("{other}?"),
        }
    }
    if let End::Sender(sender) = end {
        sender.close(PATIENCE).unwrap();
    }
}

/// Answers what it is asked at `arg(0)` by what it was asked, twice, until the other side ends.
pub(crate) fn converses(p: &mut Role) {
    let mut duplex = Channel::at(p.arg(0)).unwrap().listen().duplex().unwrap();
    p.say(duplex.address().to_string());
    let mut message = Vec::new();
    let end = loop {
        match duplex.recv_timeout(&mut message, PATIENCE) {
            Ok(()) => duplex
                .send_timeout([&message[..], &message].concat(), PATIENCE)
                .unwrap(),
            Err(error) => break error,
        }
    };
    p.say(format!("{:?}", end.kind()));
}

fn said(result: Result<String, Error>) -> String {
    match result {
        Ok(said) => said,
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// A message of that length, of which every part can be told from any other.
pub(crate) fn long(len: usize) -> Vec<u8> {
    let mut block: Vec<u8> = (0..65_521_u32).map(|at| (at ^ at >> 8) as u8).collect();
    let mut message = Vec::with_capacity(len + block.len());
    for number in 0_u32.. {
        if message.len() >= len {
            break;
        }
        block[..4].copy_from_slice(&number.to_le_bytes());
        message.extend_from_slice(&block);
    }
    message.truncate(len);
    message
}

/// The length of a message, and its bytes in a number.
pub(crate) fn digest(message: &[u8]) -> String {
    let hash = message.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{} {hash:x}", message.len())
}

/// Lets it close its end, and end.
#[track_caller]
pub(crate) fn end_of(mut peer: Peer) {
    peer.tell("close");
    peer.finish();
}
