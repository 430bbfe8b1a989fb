//! The program as its users see it: what it prints and writes, and that it leaves nothing behind.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const FAST_ROW: &str = "tcp round trip 64 B, same core";

/// A folder of the test's own to be `$TMPDIR`.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bench-test-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn is_empty(&self) -> bool {
        std::fs::read_dir(&self.0).unwrap().next().is_none()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn bench(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quintet-bench"));
    command
        .env("TMPDIR", folder)
        .env("TMP", folder)
        .env("TEMP", folder);
    command
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

#[test]
fn a_run_prints_a_table_and_writes_json() {
    let folder = Folder::new("json");
    let file = Folder::new("json-file");
    let json = file.0.join("result.json");
    let output = run(bench(&folder.0)
        .args(["--quick", "--repeats", "2", "--only", FAST_ROW, "--json"])
        .arg(&json));
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains(FAST_ROW), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 120), "{table}");
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["format"], 1);
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == FAST_ROW).unwrap();
    assert_eq!(row["round_trip_ns"]["each"].as_array().unwrap().len(), 2);
    assert!(row["round_trip_ns"]["median"].as_f64().unwrap() > 100.0, "{row}");
    assert!(folder.is_empty());
}

#[test]
fn a_pattern_that_nothing_has_is_an_error() {
    let folder = Folder::new("nothing");
    let output = bench(&folder.0).args(["--only", "no such row"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_list_has_every_group() {
    let folder = Folder::new("list");
    let output = run(bench(&folder.0).arg("--list"));
    let list = String::from_utf8(output.stdout).unwrap();
    for name in [
        FAST_ROW,
        "quintet pipe, byte, 64 KiB writes",
        "quintet semaphore, wait + release",
        "quintet queue, messages of 64 B",
        "ipc-channel, round trip 64 B",
    ] {
        assert!(list.lines().any(|line| line == name), "{list}");
    }
}

#[cfg(target_os = "linux")]
mod killing {
    use super::{FAST_ROW, Folder, bench};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    /// Whoever is killed, at whatever moment, the two sides end and their folder goes.
    #[test]
    fn a_killed_run_leaves_nothing_behind() {
        for after in [5, 20, 60, 150] {
            let folder = Folder::new(&format!("killed-{after}"));
            let mut director = bench(&folder.0)
                .args(["--repeats", "1000", "--only", FAST_ROW])
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            while folder.is_empty() {
                assert!(Instant::now() < deadline, "it did not begin");
            }
            std::thread::sleep(Duration::from_millis(after));
            director.kill().unwrap();
            director.wait().unwrap();
            let marker = folder.0.to_string_lossy().into_owned();
            while !folder.is_empty() || !sides(&marker).is_empty() {
                assert!(Instant::now() < deadline, "left: {:?}", sides(&marker));
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// The processes that have `marker` in their command line.
    fn sides(marker: &str) -> Vec<String> {
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("cmdline")).ok())
            .filter(|line| line.contains(marker))
            .collect()
    }

    /// The rest of the run goes on.
    #[test]
    fn a_side_that_is_killed_fails_its_row_only() {
        let folder = Folder::new("side");
        let mut director = bench(&folder.0)
            .args(["--quick", "--repeats", "10", "--only", FAST_ROW])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let marker = folder.0.to_string_lossy().into_owned();
        // One that had done its work already does not count, so all are killed that there are until it ends.
        while director.try_wait().unwrap().is_none() {
            kill_near(&marker);
        }
        let output = director.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let table = String::from_utf8(output.stdout).unwrap();
        assert!(table.contains(&format!("FAILED: {FAST_ROW}: ")), "{table}");
        assert_eq!(table.matches("FAILED: ").count(), 1, "{table}");
        assert!(folder.is_empty());
    }

    fn kill_near(marker: &str) {
        for entry in std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()) {
            let Ok(line) = std::fs::read_to_string(entry.path().join("cmdline")) else {
                continue;
            };
            if line.contains(marker) && line.contains(&format!("side\0near\0{FAST_ROW}")) {
                let _ = Command::new("kill").arg("-KILL").arg(entry.file_name()).status();
            }
        }
    }
}
