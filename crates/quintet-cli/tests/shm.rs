//! Shared memory: `read`, `write`, and what `create`, `hold`, `ls`, `stat` and `rm` make of it.

mod common;

use common::*;
use quintet::shm::{MapMode, SharedMemory};
use quintet_testkit::{Test, eventually, start as start_test};
use std::fs;

fn address(t: &Test) -> String {
    format!("shm://{}", t.name("shm"))
}

/// Memory of whole pages, whose capacity is the same everywhere.
const SIZE: u64 = 4096;

fn memory(t: &Test) -> (SharedMemory, String) {
    let memory = SharedMemory::create_new(&*t.name("shm"), SIZE).unwrap();
    let address = memory.address().unwrap().to_string();
    (memory, address)
}

#[test]
fn what_is_written_is_read() {
    let t = start_test();
    let (memory, address) = memory(&t);
    run(&t, &["write", &address, "hello"]).succeeded_with("");
    run(&t, &["read", &address, "--len", "5"]).succeeded_with("hello");
    run(&t, &["write", &address, "--offset", "3", "p!"]).succeeded_with("");
    run(&t, &["read", &address, "--offset", "1", "--len", "5"]).succeeded_with("elp!\0");
    run_with_input(&t, &["write", &address, "--offset", "1K"], "from a pipe").succeeded_with("");
    assert_eq!(&memory.read::<[u8; 11]>(1024).unwrap(), b"from a pipe");
    // To the end.
    run(&t, &["write", "--offset", "4092", &address, "--", "-end"]).succeeded_with("");
    run(&t, &["read", &address, "--offset", "4090"]).succeeded_with("\0\0-end");
    run(&t, &["read", &address, "--offset", "4096"]).succeeded_with("");
    assert_eq!(run(&t, &["read", &address]).succeeded().len(), 4096);
}

#[test]
fn it_is_printed_in_each_format_as_one_record() {
    let t = start_test();
    let (memory, address) = memory(&t);
    memory.write_at(0, b"a\n\xff").unwrap();
    let read = |args: &[&str]| run(&t, &[&["read", &address, "--len", "3"], args].concat());
    assert_eq!(read(&[]).stdout, b"a\n\xff");
    read(&["--format", "hex"]).succeeded_with("610aff\n");
    read(&["--format", "quoted"]).succeeded_with("\"a\\n\\xff\"\n");
    let record: serde_json::Value = serde_json::from_str(&read(&["--json"]).succeeded()).unwrap();
    assert_eq!(
        (&record["length"], &record["hex"]),
        (&3.into(), &"610aff".into()),
        "{record}"
    );
}

#[test]
fn much_of_it_goes_through_files() {
    let t = start_test();
    let name = t.name("shm");
    let data: Vec<u8> = (0..3_000_001u32).map(|n| (n % 251) as u8).collect();
    let memory = SharedMemory::create_new(&*name, data.len() as u64 + 7).unwrap();
    let (from, to) = (t.temp_dir().join("from"), t.temp_dir().join("to"));
    fs::write(&from, &data).unwrap();
    let address = memory.address().unwrap().to_string();
    let len = data.len().to_string();
    let place = ["--offset", "7", "--file"];
    run(
        &t,
        &[&["write", &address], &place[..], &[from.to_str().unwrap()]].concat(),
    )
    .succeeded_with("");
    let read = [
        &["read", &address, "--len", &len],
        &place[..],
        &[to.to_str().unwrap()],
    ]
    .concat();
    run(&t, &read).succeeded_with("");
    assert!(fs::read(&to).unwrap() == data);
    assert_eq!(memory.read::<[u8; 7]>(0).unwrap(), [0; 7]);
}

#[test]
fn text_is_converted() {
    let t = start_test();
    let (memory, address) = memory(&t);
    run(&t, &["write", &address, "--encoding", "gb18030", "成功"]).succeeded_with("");
    assert_eq!(memory.read::<[u8; 4]>(0).unwrap(), [0xb3, 0xc9, 0xb9, 0xa6]);
    run(&t, &["read", &address, "--len", "4", "--encoding", "gbk"]).succeeded_with("成功");
    // What is longer in UTF-8 than there is room fits.
    let last = ["write", &address, "--offset", "4092", "--encoding", "gb18030"];
    run_with_input(&t, &last, "成功").succeeded_with("");
    says(
        &run_with_input(&t, &last, "成功了").failed(1),
        &["more than 4 bytes"],
    );
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let t = start_test();
    let (memory, address) = memory(&t);
    let long = t.temp_dir().join("long");
    fs::write(&long, vec![b'x'; 4097]).unwrap();
    let long = long.to_str().unwrap();
    for args in [
        &["--file", long][..],
        &["--file", long, "--encoding", "utf-16le"],
        &["--offset", "4095", "xx"],
        &["--offset", "4096", "x"],
        &["--offset", "4097", ""],
        &["--offset", "17179869183G", "x"],
    ] {
        let output = run(&t, &[&["write", &address], args].concat());
        says(&output.failed(1), &[&address, "beyond its capacity of 4096"]);
    }
    assert_eq!(memory.read::<[u8; 4096]>(0).unwrap(), [0; 4096]);
    let file = t.temp_dir().join("never");
    for args in [
        &["--offset", "4097"][..],
        &["--len", "4097"],
        &["--offset", "1", "--len", "4096"],
        &["--offset", "4096", "--len", "18446744073709551615"],
    ] {
        let output = run(
            &t,
            &[&["read", &address, "--file", file.to_str().unwrap()], args].concat(),
        );
        says(&output.failed(1), &[&address, "beyond its capacity of 4096"]);
    }
    assert!(!file.exists());
}

#[test]
fn what_is_not_there_is_not_made() {
    let t = start_test();
    let address = address(&t);
    let hint = format!("quintet hold {address} --size N");
    says(&run(&t, &["read", &address]).failed(1), &[&address, &hint]);
    says(&run(&t, &["write", &address, "x"]).failed(1), &[&address, &hint]);
    if cfg!(target_os = "linux") {
        let create = format!("quintet create {address} --size N");
        says(&run(&t, &["read", &address]).failed(1), &[&create]);
    }
    run(&t, &["stat", &address]).failed(1);
    nothing_is_left(&t);
}

#[test]
fn it_is_made_to_stay() {
    let t = start_test();
    let address = address(&t);
    for args in [
        &[][..],
        &["--size", "0"],
        &["--size", "x"],
        &["--size", "8", "--max", "3"],
    ] {
        run(&t, &[&["create", &address], args].concat()).failed(2);
    }
    says(
        &run(&t, &["create", &format!("{address}?size=0")]).failed(2),
        &["--size N"],
    );
    let created = run(&t, &["create", &address, "--size", "4K"]);
    if cfg!(windows) {
        says(&created.failed(2), &["quintet hold"]);
        return;
    }
    created.succeeded_with("");
    says(
        &run(&t, &["create", &address, "--size", "4K"]).failed(1),
        &[&address],
    );
    run(&t, &["write", &address, "stays"]).succeeded_with("");
    run(&t, &["read", &address, "--len", "5"]).succeeded_with("stays");
    assert_eq!(json(&t, &["stat", "--json", &address])["size"], 4096);
    let table = run(&t, &["ls", "shm"]).succeeded();
    let line = table.lines().find(|line| line.starts_with(&address));
    says(line.expect("it is there"), &["4096 bytes"]);
    run(&t, &["rm", &address]).succeeded_with("");
    nothing_is_left(&t);
}

#[test]
fn it_is_held_while_others_use_it() {
    let t = start_test();
    let address = address(&t);
    let in_address = format!("{address}?size=4096");
    for args in [&[&*address, "--size", "4096"][..], &[&in_address]] {
        let holder = start(&t, &[&["hold"], args].concat());
        eventually("it is there", || run(&t, &["stat", &address]).status.success());
        run(&t, &["write", &address, "hello"]).succeeded_with("");
        run(&t, &["read", &address, "--len", "5"]).succeeded_with("hello");
        // More than is there cannot be had.
        let more = run(&t, &["hold", &address, "--size", "1M"]);
        says(&more.failed(1), &[&address]);
        says(
            &run(&t, &["read", &format!("{address}?size=1048576")]).failed(1),
            &[&address],
        );
        interrupt(holder);
        nothing_is_left(&t);
        run(&t, &["read", &address]).failed(1);
    }
    nothing_is_left(&t);
}

#[test]
fn options_of_the_address_are_minded() {
    let t = start_test();
    let (memory, address) = memory(&t);
    let write = |mode| run(&t, &["write", &format!("{address}?mode={mode}"), "x"]);
    says(&write("read").failed(1), &[&address, "mapped for reading"]);
    says(&write("copy").failed(2), &["mode copy"]);
    assert_eq!(memory.read::<u8>(0).unwrap(), 0);
    write("readwrite").succeeded_with("");
    let reader = SharedMemory::builder(memory.address().unwrap().name().unwrap().clone())
        .unwrap()
        .mode(MapMode::ReadOnly);
    assert_eq!(reader.open_existing().unwrap().read::<u8>(0).unwrap(), b'x');
    run(&t, &["read", &format!("{address}?what=1")]).failed(2);
    run(&t, &["read", &format!("sem://{}", t.name("shm"))]).failed(2);
    run(&t, &["run", &address, "--", "true"]).failed(2);
}
