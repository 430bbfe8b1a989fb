//! A peer that is nobody.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use quintet_testkit::{Role, start};

quintet_testkit::peers!(visitor);

fn visitor(p: &mut Role) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    for line in ["Uid:", "Gid:", "Groups:"] {
        let line = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
        p.say(line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    p.say(fs::read_to_string(p.arg(0)).unwrap_err().kind());
    p.say(fs::read_to_string(p.arg(1)).unwrap());
}

#[test]
fn nobody_may_do_less() {
    let t = start();
    let (closed, open) = (t.temp_dir(), t.temp_dir());
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    let (closed, open) = (closed.join("file"), open.join("file"));
    fs::write(&closed, "secret").unwrap();
    fs::write(&open, "public").unwrap();
    let args = [closed.to_str().unwrap(), open.to_str().unwrap()];

    // Twice: the second one finds the binary where the first one had it put.
    for _ in 0..2 {
        let Some(mut peer) = t.spawn_as_nobody("visitor", &args) else {
            let status = fs::read_to_string("/proc/self/status").unwrap();
            assert!(!status.contains("Uid:\t0\t0"), "root can become nobody");
            return;
        };
        peer.expect("65534 65534 65534 65534");
        peer.expect("65534 65534 65534 65534");
        peer.expect("");
        peer.expect("permission denied");
        peer.expect("public");
        peer.finish();
    }
}
