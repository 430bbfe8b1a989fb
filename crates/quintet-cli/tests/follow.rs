//! `recv --follow`: many clients, for as long as it takes.

mod common;

use common::*;
use quintet::pipe::{PipeClient, PipeServer};
use quintet_testkit::{Process, Test, start as start_test};
use serde_json::Value;
use std::collections::HashMap;

const CLIENTS: usize = 8;
const RECORDS: usize = 50;

/// Long enough that it is not written in one go.
fn record(client: usize, number: usize) -> String {
    format!(
        "{client} {number} {}",
        char::from(b'a' + client as u8).to_string().repeat(20_000)
    )
}

/// Several clients that send at the same time: `send --lines` each.
fn send_all_at_once(t: &Test, address: &str) {
    let mut clients: Vec<(Process, String)> = (0..CLIENTS)
        .map(|client| {
            let records: Vec<String> = (0..RECORDS).map(|number| record(client, number)).collect();
            (start(t, &["send", "--lines", address]), records.join("\n"))
        })
        .collect();
    std::thread::scope(|scope| {
        for (client, records) in &mut clients {
            let mut stdin = client.take_stdin().unwrap();
            scope.spawn(move || std::io::Write::write_all(&mut stdin, records.as_bytes()).unwrap());
        }
    });
    for (client, _) in clients {
        client.wait_output().succeeded();
    }
}

/// Every record is there, whole, and each client's are in its order.
fn check<'a>(records: impl Iterator<Item = &'a str>) {
    let mut next = HashMap::new();
    for found in records {
        let client: usize = found.split(' ').next().unwrap().parse().unwrap();
        let number = next.entry(client).or_insert(0);
        assert!(
            found == record(client, *number),
            "not record {number} of {client}: {:.40}",
            found
        );
        *number += 1;
    }
    assert_eq!(next.len(), CLIENTS);
    assert!(next.values().all(|records| *records == RECORDS), "{next:?}");
}

fn wait_for_records(server: &Process) {
    quintet_testkit::eventually("all records are printed", || {
        let printed = server.stdout();
        printed.iter().filter(|byte| **byte == b'\n').count() == CLIENTS * RECORDS
    });
}

#[test]
fn lines_of_many_clients_come_whole() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["recv", "--follow", "--lines", &address]);
    send_all_at_once(&t, &address);
    wait_for_records(&server);
    let output = interrupt(server);
    check(std::str::from_utf8(&output.stdout).unwrap().lines());
}

#[test]
fn messages_of_many_clients_come_whole_and_numbered() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["recv", "--follow", "--mode", "message", "--json", &address]);
    send_all_at_once(&t, &address);
    wait_for_records(&server);
    let output = interrupt(server);
    let records: Vec<Value> = std::str::from_utf8(&output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (at, record) in records.iter().enumerate() {
        assert_eq!(record["sequence"], at + 1);
        assert!(record["sender"]["pid"].is_u64());
    }
    check(records.iter().map(|record| record["text"].as_str().unwrap()));
}

#[test]
fn bytes_of_many_clients_come_one_client_after_the_other() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["recv", "--follow", &address]);
    let mut first = start_sender(&t, &[&address]);
    first.line("first 1");
    server.wait_for_stdout("first 1\n");
    // It may send, and is read when the first has gone.
    run(&t, &["send", &address, "second\n"]).succeeded();
    first.line("first 2");
    first.finish();
    server.wait_for_stdout("second\n");
    assert_eq!(interrupt(server).stdout, b"first 1\nfirst 2\nsecond\n");
}

#[test]
fn the_trouble_of_one_client_is_not_the_others() {
    let t = start_test();
    let name = t.name("pipe");
    let address = format!("pipe://{name}");
    let server = start(
        &t,
        &["recv", "--follow", "--lines", "--max-message", "10", &address],
    );
    let mut good = start_sender(&t, &[&address]);
    good.line("one");
    server.wait_for_stdout("one\n");
    let bad = PipeClient::connect(&*name).unwrap();
    bad.write_all("much too long a line").unwrap();
    server.wait_for_stderr("more than 10 bytes");
    good.line("two");
    server.wait_for_stdout("two\n");
    good.finish();
    assert_eq!(interrupt(server).stdout, b"one\ntwo\n");
}

#[test]
fn a_client_follows_until_the_server_closes() {
    let t = start_test();
    let address = pipe(&t);
    for mode in ["byte", "message"] {
        let mut server = start_sender(&t, &["--listen", "--mode", mode, &address]);
        let client = start(
            &t,
            &["recv", "--connect", "--follow", "--format", "quoted", &address],
        );
        for line in ["one", "two", "three"] {
            server.line(line);
            client.wait_for_stdout(line);
        }
        server.finish();
        client.wait_output().succeeded();
    }
}

#[test]
fn the_deadline_ends_it_under_its_clients() {
    let t = start_test();
    let name = t.name("pipe");
    let server = PipeServer::create(&*name).unwrap();
    let address = server.address().to_string();
    // As a client: its server does nothing.
    run(
        &t,
        &["recv", "--connect", "--follow", "--timeout", "0.1", &address],
    )
    .failed(124);
    drop(server);
    // As a server: its client does nothing. (That it connects in time does not matter.)
    for args in [&["--lines"][..], &["--mode", "message"], &[]] {
        let server = start(
            &t,
            &[&["recv", "--follow", "--timeout", "0.3", &address], args].concat(),
        );
        let idle = start_sender(&t, &["--timeout", "0.3", &address]);
        let errors = server.wait_output().failed(124);
        assert_eq!(errors.lines().count(), 1, "{errors}");
        idle.process.wait_exit();
    }
}
