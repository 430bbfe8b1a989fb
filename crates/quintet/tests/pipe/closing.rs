//! What is left of a connection when one side has closed it in good order.

use crate::common::{
    LONG, MODES, assert_ended, assert_fails, connected, pair, pattern, read_exactly, server,
};
use quintet::ErrorKind;
use quintet::pipe::{PipeMode, PipeStream};
use quintet_testkit::start;

/// Runs a test on a new pipe: in both modes, with either side as the one that closes. (closer, other)
fn either_side(name: impl Fn() -> String, check: impl Fn(PipeStream, PipeStream)) {
    for mode in MODES {
        let (ours, theirs) = pair(&name(), mode);
        check(ours, theirs);
        let (ours, theirs) = pair(&name(), mode);
        check(theirs, ours);
    }
}

#[test]
fn what_was_written_before_closing_is_read_before_the_end() {
    let t = start();
    either_side(
        || t.name("close"),
        |closer, other| {
            let data = pattern(1, 4000);
            closer.write_all(&data).unwrap();
            drop(closer);
            assert!(read_exactly(&other, data.len()) == data);
            assert_ended(&other);
        },
    );
}

#[test]
fn what_a_process_wrote_before_it_ended_is_read_before_the_end() {
    let t = start();
    for mode in MODES {
        let name = t.name("ended");
        let server = server(&name, mode);
        let peer = t.spawn("last_words", &[&name, "Mehr Licht"]);
        let stream = server.accept_timeout(LONG).unwrap();
        peer.finish();
        assert_eq!(read_exactly(&stream, 10), b"Mehr Licht");
        assert_ended(&stream);
    }
}

#[test]
fn the_end_stays_the_end() {
    let t = start();
    either_side(
        || t.name("end"),
        |closer, other| {
            drop(closer);
            for _ in 0..3 {
                assert_ended(&other);
                assert!(other.is_message_complete());
            }
            if other.mode() == PipeMode::Message {
                assert_eq!(other.read_message().unwrap(), None);
            }
        },
    );
}

#[test]
fn closing_with_unread_data_is_an_end_and_no_accident() {
    let t = start();
    either_side(
        || t.name("unread"),
        |closer, other| {
            other.write_all("never read").unwrap();
            closer.write_all("bye").unwrap();
            drop(closer);
            assert_eq!(read_exactly(&other, 3), b"bye");
            assert_ended(&other);
            assert_ended(&other);
        },
    );
}

#[test]
fn writing_to_one_who_is_gone_says_disconnected() {
    let t = start();
    either_side(
        || t.name("gone"),
        |closer, other| {
            drop(closer);
            // Not before this is the close certain to have come through.
            assert_ended(&other);
            for _ in 0..2 {
                let error = assert_fails(other.write("anybody?"), ErrorKind::Disconnected);
                assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::BrokenPipe);
            }
            assert_ended(&other);
        },
    );
}

#[test]
fn a_server_that_is_dropped_leaves_its_streams_alone() {
    let t = start();
    for mode in MODES {
        let server = server(&t.name("orphan"), mode);
        let (ours, theirs) = connected(&server);
        drop(server);
        ours.write_all("down").unwrap();
        assert_eq!(read_exactly(&theirs, 4), b"down");
        theirs.write_all("up").unwrap();
        assert_eq!(read_exactly(&ours, 2), b"up");
        drop(theirs);
        assert_ended(&ours);
    }
}

#[test]
fn one_client_leaving_does_not_disturb_the_others() {
    let t = start();
    for mode in MODES {
        let server = server(&t.name("leave"), mode);
        let (first, its_client) = connected(&server);
        let (second, other_client) = connected(&server);
        drop(its_client);
        assert_ended(&first);
        second.write_all("still here").unwrap();
        assert_eq!(read_exactly(&other_client, 10), b"still here");
        let (third, another) = connected(&server);
        another.write_all("new").unwrap();
        assert_eq!(read_exactly(&third, 3), b"new");
    }
}
