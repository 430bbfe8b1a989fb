//! Ends of a pipe, made from an address and its options.

use crate::common::{LONG, assert_fails, connected, read_exactly, try_connect};
use quintet::pipe::{Direction, PipeClient, PipeMode, PipeServer};
use quintet::{Address, ErrorKind, Name, Scheme};
use quintet_testkit::start;

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

#[test]
fn a_server_is_what_its_address_says() {
    let t = start();
    let name = t.name("server");
    let options = "mode=message&direction=out&max_instances=1&in_buffer=4096&out_buffer=65536\
        &access=user&max_message=10";
    let server = PipeServer::at(&address(&format!("pipe://{name}?{options}"))).unwrap();
    let server = server.create().unwrap();
    assert_eq!(server.address(), &address(&format!("pipe://{name}")));
    let client = PipeClient::builder(&name).unwrap().direction(Direction::In);
    let client = client.connect().unwrap();
    let stream = server.accept_timeout(LONG).unwrap();
    assert_eq!(stream.mode(), PipeMode::Message);
    assert_eq!(stream.address(), server.address());
    assert_eq!(client.address(), server.address());
    assert_fails(stream.read(&mut [0]), ErrorKind::Unsupported);
    assert_fails(stream.write_message("12345678901"), ErrorKind::TooLarge);
    stream.write_message("1234567890").unwrap();
    assert_eq!(client.read_message().unwrap().unwrap(), b"1234567890");
    assert_fails(try_connect(&name), ErrorKind::Busy);
}

#[test]
fn a_client_is_what_its_address_says() {
    let t = start();
    let name = t.name("client");
    let options = "connect_timeout=0&mode=byte&direction=in&access=user&max_message=5";
    let client = PipeClient::at(&address(&format!("pipe://{name}?{options}"))).unwrap();
    assert_fails(client.clone().connect(), ErrorKind::NotFound);
    let server = PipeServer::builder(&name).unwrap().mode(PipeMode::Message);
    let server = server.create().unwrap();
    let client = client.connect().unwrap();
    let stream = server.accept_timeout(LONG).unwrap();
    assert_fails(client.write("x"), ErrorKind::Unsupported);
    assert_fails(client.read_message(), ErrorKind::Unsupported);
    stream.write_message("he").unwrap();
    stream.write_message("llo").unwrap();
    assert_eq!(read_exactly(&client, 5), b"hello");
}

#[test]
fn one_address_does_for_both_ends() {
    let t = start();
    for options in [
        "",
        "?mode=message&max_instances=3&in_buffer=100&out_buffer=100&connect_timeout=1.5",
        "?direction=inout&max_message=1000",
    ] {
        let address = address(&format!("pipe://{}{options}", t.name("both")));
        let server = PipeServer::at(&address).unwrap().create().unwrap();
        let client = PipeClient::at(&address).unwrap().connect().unwrap();
        let stream = server.accept_timeout(LONG).unwrap();
        client.write("hello").unwrap();
        assert_eq!(read_exactly(&stream, 5), b"hello");
    }
}

#[test]
fn what_an_address_says_in_vain_is_refused() {
    let t = start();
    let name = t.name("vain");
    for option in [
        "mode=massage",
        "mode=",
        "mode",
        "mode=Message",
        "direction=both",
        "access=all",
        "max_message=1GiB",
        "max_message=-1",
        "max_message=18446744073709551616",
        "modus=message",
        "max_instance=1",
        "timeout=1",
    ] {
        let address = address(&format!("pipe://{name}?{option}"));
        let server = assert_fails(PipeServer::at(&address), ErrorKind::InvalidAddress);
        let client = assert_fails(PipeClient::at(&address), ErrorKind::InvalidAddress);
        for error in [server, client] {
            let text = error.to_string();
            let key = option.split('=').next().unwrap();
            assert!(text.contains(key) && text.contains(&name), "{text}");
        }
    }
    for option in [
        "max_instances=many",
        "max_instances=-1",
        "max_instances=4294967296",
        "in_buffer=-1",
        "out_buffer=1e3",
    ] {
        let address = address(&format!("pipe://{name}?{option}"));
        assert_fails(PipeServer::at(&address), ErrorKind::InvalidAddress);
    }
    for seconds in ["-1", "NaN", "inf", "1e300", "soon", ""] {
        let address = address(&format!("pipe://{name}?connect_timeout={seconds}"));
        assert_fails(PipeClient::at(&address), ErrorKind::InvalidAddress);
    }
    for max in [0, 255] {
        let address = address(&format!("pipe://{name}?max_instances={max}"));
        assert_fails(
            PipeServer::at(&address).unwrap().create(),
            ErrorKind::InvalidAddress,
        );
    }
}

#[test]
fn the_address_of_something_else_is_refused() {
    for other in ["shm://x", "tcp://localhost:1", "queue://x", "window://x"] {
        assert_fails(PipeServer::at(&address(other)), ErrorKind::InvalidAddress);
        assert_fails(PipeClient::at(&address(other)), ErrorKind::InvalidAddress);
    }
}

#[test]
fn names_that_a_url_cannot_carry_are_escaped() {
    let t = start();
    let name = Name::new(format!("{} Ünï 世界 %41+&=#", t.name("esc"))).unwrap();
    let address = Address::named(Scheme::Pipe, &name).unwrap();
    let server = PipeServer::at(&address.to_string().parse().unwrap()).unwrap();
    let server = server.create().unwrap();
    assert_eq!(server.address().name().unwrap(), &name);
    let (ours, theirs) = connected(&server);
    theirs.write("hello").unwrap();
    assert_eq!(read_exactly(&ours, 5), b"hello");
}
