//! `ls`, `stat` and `rm`.

mod common;

use common::*;
use quintet::pipe::{PipeClient, PipeMode, PipeServer};
use quintet_testkit::start as start_test;

#[test]
fn a_live_pipe_is_shown() {
    let t = start_test();
    let name = t.name("pipe");
    let server = PipeServer::builder(&*name)
        .unwrap()
        .mode(PipeMode::Message)
        .max_instances(3)
        .create()
        .unwrap();
    let address = server.address().to_string();
    let me = std::process::id();

    let shown = json(&t, &["stat", "--json", &address]);
    assert_eq!(shown["address"], address);
    assert_eq!(shown["state"], "live");
    assert_eq!(shown["holders"][0]["pid"], me);
    if cfg!(target_os = "linux") {
        assert_eq!(shown["mode"], "message");
        assert_eq!(shown["clients"], 0);
        assert_eq!(shown["max_instances"], 3);
        assert!(shown["owner"].is_string());
    }
    let _client = PipeClient::connect(&*name).unwrap();
    let _stream = server.accept().unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(json(&t, &["stat", "--json", &address])["clients"], 1);
    }
    says(
        &run(&t, &["stat", &address]).succeeded(),
        &[&address, "live", &format!("pid {me}")],
    );

    assert_eq!(listed(&t, &["ls", "--json"], &address).unwrap()["state"], "live");
    assert_eq!(
        listed(&t, &["ls", "pipe", "--json"], &address).unwrap()["state"],
        "live"
    );
    let table = run(&t, &["ls"]).succeeded();
    let mut lines = table.lines();
    let heading = lines.next().unwrap();
    let line = lines
        .find(|line| line.starts_with(&address))
        .expect("it is there");
    says(heading, &["ADDRESS", "STATE", "DETAILS", "AGE", "HOLDER"]);
    says(line, &["live", &format!("pid {me}")]);
    if cfg!(target_os = "linux") {
        says(line, &["message, 1 of 3 clients"]);
    }
    // Columns stand under their headings.
    assert_eq!(heading.find("STATE"), line.find("live"), "{table}");

    drop(server);
    assert_eq!(listed(&t, &["ls", "--json"], &address), None);
    says(&run(&t, &["stat", &address]).failed(1), &[&address, "no pipe"]);
}

#[test]
fn a_pipe_without_a_limit_has_none_in_json() {
    let t = start_test();
    let server = PipeServer::create(&*t.name("pipe")).unwrap();
    let shown = json(&t, &["stat", "--json", &server.address().to_string()]);
    assert!(shown["max_instances"].is_null(), "{shown}");
}

#[test]
fn what_lives_is_not_removed() {
    let t = start_test();
    let server = PipeServer::create(&*t.name("pipe")).unwrap();
    let address = server.address().to_string();
    run(&t, &["rm", &address]).failed(1);
    assert_eq!(json(&t, &["stat", "--json", &address])["state"], "live");
}

#[test]
fn what_is_not_there_is_not_shown_and_not_removed() {
    let t = start_test();
    let address = pipe(&t);
    says(&run(&t, &["stat", &address]).failed(1), &[&address, "no pipe"]);
    run(&t, &["rm", &address]).failed(1);
}

#[test]
fn columns_are_as_wide_as_they_look() {
    let t = start_test();
    let name = t.name("pipe");
    let narrow = PipeServer::create(&*format!("{name}-ab")).unwrap();
    let wide = PipeServer::create(&*format!("{name}-成功")).unwrap();
    let table = run(&t, &["ls"]).succeeded();
    let line = |server: &PipeServer| {
        let address = server.address().to_string();
        table
            .lines()
            .find(|line| line.starts_with(&address))
            .expect("it is there")
            .to_string()
    };
    // Two characters, which take as much room as four.
    let (narrow, wide) = (line(&narrow), line(&wide));
    let column = |line: &str| line[..line.find("live").unwrap()].chars().count();
    assert_eq!(column(&wide) + 2, column(&narrow), "{table}");
}

/// On Windows the kernel takes back what a dead process held.
#[cfg(target_os = "linux")]
mod dead {
    use super::*;
    use quintet_testkit::Test;
    use serde_json::Value;

    /// A pipe whose server was killed.
    fn stale(t: &Test) -> (String, String) {
        let address = pipe(t);
        let path = format!(
            "{}/CoreFxPipe_{}",
            std::env::temp_dir().display(),
            address.strip_prefix("pipe://").unwrap()
        );
        let mut server = start(t, &["recv", &address]);
        quintet_testkit::eventually("it serves", || run(t, &["stat", &address]).status.success());
        server.kill();
        t.allow_leak(&path);
        (address, path)
    }

    #[test]
    fn what_a_dead_process_left_is_shown_and_removed() {
        let t = start_test();
        let (address, path) = stale(&t);
        let shown = json(&t, &["stat", "--json", &address]);
        assert_eq!(shown["state"], "stale");
        assert_eq!(shown["path"], path);
        assert_eq!(shown["holders"], Value::Array(Vec::new()));
        says(
            &run(&t, &["stat", &address]).succeeded(),
            &["stale", "no process"],
        );
        assert_eq!(listed(&t, &["ls", "--json"], &address).unwrap()["state"], "stale");
        let table = run(&t, &["ls"]).succeeded();
        says(
            table.lines().find(|line| line.starts_with(&address)).unwrap(),
            &["stale"],
        );

        assert_eq!(run(&t, &["rm", &address]).succeeded(), "");
        says(&run(&t, &["rm", &address]).failed(1), &["no pipe"]);
        assert_eq!(t.leaks(), Vec::<std::path::PathBuf>::new());
    }

    #[test]
    fn what_a_dead_process_left_is_in_nobodys_way() {
        let t = start_test();
        let (address, _) = stale(&t);
        let server = start(&t, &["recv", &address]);
        run(&t, &["send", &address, "hello"]).succeeded();
        assert_eq!(server.wait_output().succeeded(), "hello");
        assert_eq!(t.leaks(), Vec::<std::path::PathBuf>::new());
    }
}
