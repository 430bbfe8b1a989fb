//! The shell commands of the pages, in all blocks of `sh`, print what the block of `text` behind them says.

use crate::common::Outcome;
use crate::page::{Block, Page};
use crate::script::script;
use quintet_testkit::{Test, loopback, start as start_test, start_with_deadline};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

/// Blocks that are run somewhere else: those of cargo are steps of the checks of their own.
fn is_elsewhere(block: &Block) -> bool {
    block.text.lines().any(|line| line.starts_with("cargo "))
}

/// The commands that the pages' own run.
const TOOLS: [(&str, &str); 3] = [
    ("encode", "exit 0"),
    ("check", "grep -q success"),
    ("answer", "tr a-z A-Z"),
];

/// Makes them, before there are threads that start processes: what a child of another thread has open to write, for the moment
/// between its fork and its exec, nobody can run.
fn make_tools(folder: &Path) {
    for (name, lines) in TOOLS {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// The quintet command of this build, and what the pages' commands expect to find.
fn furnish(folder: &Path, tools: &Path) {
    symlink(env!("CARGO_BIN_EXE_quintet"), folder.join("quintet")).unwrap();
    for (name, _) in TOOLS {
        symlink(tools.join(name), folder.join(name)).unwrap();
    }
    for name in ["frame.raw", "data"] {
        fs::write(folder.join(name), "a frame\n".repeat(125)).unwrap();
    }
}

/// Runs a block; this is expected to be printed, but for a last line's end, which raw bytes do not have.
fn perform(t: &Test, tools: &Path, page: &Page, block: &Block, printed: &str) {
    let printed = printed.trim_end();
    let place = format!("{}:{}", page.name, block.line);
    let folder = t.temp_dir();
    furnish(&folder, tools);
    let prefix = t.name("doc");
    let script = script(&block.text, &prefix, &folder, loopback());
    let mut path = folder.clone().into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .current_dir(&folder)
        .env("PATH", path)
        .env("TMPDIR", &folder);
    let mut process = t.start_command(&mut command);
    // With its standard input open it leaves those running that go on, until they have printed what they should.
    let stdin = process.take_stdin();
    let has_printed = || process.stdout().len() >= printed.len() || process.try_exit().is_some();
    quintet_testkit::eventually(&format!("{place} has printed\n{printed}"), has_printed);
    drop(stdin);
    let output = process.wait_output();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{place}: {}\n{}",
        output.status,
        output.errors()
    );
    let said = String::from_utf8(output.stdout).unwrap();
    let said = said.replace(&format!("{prefix}-"), "");
    assert_eq!(said.trim_end(), printed, "{place}");
}

fn has_python() -> bool {
    Command::new("python3")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

#[test]
fn commands_print_what_the_pages_say() {
    let has_python = has_python();
    let mut jobs = Vec::new();
    for page in Page::all() {
        // Translations have the same commands: translations.rs.
        if page.name.contains(".zh-CN.") {
            continue;
        }
        let blocks = page.blocks();
        for (at, block) in blocks.iter().enumerate() {
            let is_here = block.info == "sh" && !is_elsewhere(block);
            if !is_here || (block.text.contains("python3") && !has_python) {
                continue;
            }
            let printed = blocks.get(at + 1).filter(|next| {
                next.info == "text" && next.line == block.line + block.text.lines().count() + 2
            });
            jobs.push((
                Page::read(&page.name),
                block.clone(),
                printed.map_or(String::new(), |next| next.text.clone()),
            ));
        }
    }
    assert!(jobs.len() > 20, "{}", jobs.len());
    // Four at a time: each is some processes that mostly wait.
    let t = start_with_deadline(Duration::from_secs(300));
    let tools = &t.temp_dir();
    make_tools(tools);
    let jobs = &jobs;
    thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || {
                for (page, block, printed) in jobs.iter().skip(worker).step_by(4) {
                    perform(&start_test(), tools, page, block, printed);
                }
            });
        }
    });
}
