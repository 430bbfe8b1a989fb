//! Pipes that go one way.

use crate::common::{LONG, MODES, assert_ended, assert_fails, read_exactly};
use quintet::ErrorKind;
use quintet::pipe::{Direction, PipeClient, PipeMode, PipeServer, PipeStream};
use quintet_testkit::start;

fn pair(name: &str, mode: PipeMode, server: Direction, client: Direction) -> (PipeStream, PipeStream) {
    let server = PipeServer::builder(name).unwrap().mode(mode).direction(server);
    let server = server.create().unwrap();
    let client = PipeClient::builder(name).unwrap().direction(client);
    let client = client.connect().unwrap();
    (server.accept_timeout(LONG).unwrap(), client)
}

fn assert_one_way(writer: PipeStream, reader: PipeStream) {
    assert_fails(writer.read(&mut [0; 10]), ErrorKind::Unsupported);
    assert_fails(reader.write("x"), ErrorKind::Unsupported);
    assert_fails(reader.write_all("x"), ErrorKind::Unsupported);
    if writer.mode() == PipeMode::Message {
        assert_fails(writer.read_message(), ErrorKind::Unsupported);
        assert_fails(reader.write_message("x"), ErrorKind::Unsupported);
    }
    writer.write_all("down").unwrap();
    assert_eq!(read_exactly(&reader, 4), b"down");
    writer.write_all("stream").unwrap();
    drop(writer);
    assert_eq!(read_exactly(&reader, 6), b"stream");
    assert_ended(&reader);
}

#[test]
fn data_goes_from_an_out_server_to_an_in_client_only() {
    let t = start();
    for mode in MODES {
        let (ours, theirs) = pair(&t.name("out"), mode, Direction::Out, Direction::In);
        assert_one_way(ours, theirs);
    }
}

#[test]
fn data_goes_from_an_out_client_to_an_in_server_only() {
    let t = start();
    for mode in MODES {
        let (ours, theirs) = pair(&t.name("in"), mode, Direction::In, Direction::Out);
        assert_one_way(theirs, ours);
    }
}

#[test]
fn a_client_may_use_one_direction_of_a_pipe_that_has_both() {
    let t = start();
    for mode in MODES {
        let (ours, theirs) = pair(&t.name("both"), mode, Direction::InOut, Direction::In);
        ours.write_all("down").unwrap();
        assert_eq!(read_exactly(&theirs, 4), b"down");
        assert_fails(theirs.write("x"), ErrorKind::Unsupported);
        let (ours, theirs) = pair(&t.name("both"), mode, Direction::InOut, Direction::Out);
        theirs.write_all("up").unwrap();
        assert_eq!(read_exactly(&ours, 2), b"up");
        assert_fails(theirs.read(&mut [0; 10]), ErrorKind::Unsupported);
    }
}
