//! A runtime folder that somebody else was quicker to make, and one that is full. In a `/dev/shm` of their own.

use crate::common::{assert_fails, assert_serves, server, try_connect};
use crate::raw::path_of;
use quintet::named::{Liveness, NamedKind};
use quintet::pipe::{PipeMode, PipeServer, Pipes};
use quintet::{ErrorKind, Name};
use quintet_testkit::{Role, Test, start, wrapped};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

/// Starts a role with an empty `/dev/shm` of this size that only it sees; `None` where that is not allowed.
fn spawn_with_own_shm(t: &Test, role: &str, name: &str, size: &str) -> Option<quintet_testkit::Peer> {
    let mount = format!("mount -t tmpfs -o size={size},mode=1777 none /dev/shm");
    let allowed = t.run(Command::new("unshare").args(["--mount", "sh", "-c", &mount]));
    if !allowed.status.success() {
        eprintln!("skipped: only root can mount a /dev/shm of its own");
        return None;
    }
    Some(t.spawn_with(role, &[name], |command| {
        let script = format!("{mount} && exec \"$@\"");
        *command = wrapped(command, "unshare", &["--mount", "sh", "-c", &script, "sh"]);
    }))
}

fn folder() -> PathBuf {
    PathBuf::from(format!("/dev/shm/quintet-{}", quintet::UserId::current()))
}

pub(crate) fn planted_folder(p: &mut Role) {
    let name = p.arg(0);
    let refused = |why: &str| {
        let error = assert_fails(PipeServer::create(name), ErrorKind::PermissionDenied);
        let text = error.to_string();
        assert!(
            text.contains(folder().to_str().unwrap()) && text.contains(why),
            "{text}"
        );
        assert!(!path_of(name).exists());
        // Who only looks, or connects, needs no folder.
        assert_fails(try_connect(name), ErrorKind::NotFound);
        let foreign = UnixListener::bind(path_of(name)).unwrap();
        let entry = Pipes.stat(&Name::new(name).unwrap()).unwrap();
        assert_eq!(entry.liveness, Liveness::Foreign);
        try_connect(name).unwrap();
        drop(foreign);
        fs::remove_file(path_of(name)).unwrap();
    };

    fs::create_dir(folder()).unwrap();
    fs::set_permissions(folder(), Permissions::from_mode(0o700)).unwrap();
    chown(folder(), Some(65534), Some(65534)).unwrap();
    refused("65534");
    fs::remove_dir(folder()).unwrap();

    for mode in [0o701, 0o710, 0o740, 0o755, 0o1777, 0o702] {
        fs::create_dir(folder()).unwrap();
        fs::set_permissions(folder(), Permissions::from_mode(mode)).unwrap();
        refused(&format!("{mode:04o}"));
        fs::remove_dir(folder()).unwrap();
    }

    fs::create_dir("/dev/shm/elsewhere").unwrap();
    fs::set_permissions("/dev/shm/elsewhere", Permissions::from_mode(0o700)).unwrap();
    symlink("/dev/shm/elsewhere", folder()).unwrap();
    refused("not a folder");
    assert_eq!(fs::read_dir("/dev/shm/elsewhere").unwrap().count(), 0);
    fs::remove_file(folder()).unwrap();

    symlink("/dev/shm/nowhere", folder()).unwrap();
    refused("not a folder");
    assert!(!PathBuf::from("/dev/shm/nowhere").exists());
    fs::remove_file(folder()).unwrap();

    fs::write(folder(), "").unwrap();
    refused("not a folder");
    fs::remove_file(folder()).unwrap();

    // With all that gone, the folder is ours, and it goes when nobody needs it.
    let pipe = server(name, PipeMode::Byte);
    assert_serves(&pipe);
    let mode = fs::metadata(folder()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
    drop(pipe);
    assert!(!folder().exists());
    p.say("done");
}

#[test]
fn a_runtime_folder_that_is_not_ours_alone_is_refused() {
    let t = start();
    let Some(mut peer) = spawn_with_own_shm(&t, "planted_folder", &t.name("planted"), "1m") else {
        return;
    };
    peer.expect("done");
    peer.finish();
}

pub(crate) fn full_folder(p: &mut Role) {
    let name = p.arg(0);
    let filler = PathBuf::from("/dev/shm/filler");
    // The folder is made first, so that it is not what there is no room for.
    let other = server(&format!("{name}-2"), PipeMode::Byte);
    while fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&filler)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &[0; 4096]))
        .is_ok()
    {}
    for _ in 0..3 {
        assert_fails(PipeServer::create(name), ErrorKind::Full);
        assert!(!path_of(name).exists());
        assert_eq!(fs::read_dir(folder()).unwrap().count(), 1);
    }
    assert_serves(&other);
    fs::remove_file(&filler).unwrap();
    assert_serves(&server(name, PipeMode::Byte));
    p.say("done");
}

#[test]
fn a_full_dev_shm_is_an_error_and_leaves_nothing() {
    let t = start();
    let Some(mut peer) = spawn_with_own_shm(&t, "full_folder", &t.name("full"), "64k") else {
        return;
    };
    peer.expect("done");
    peer.finish();
}
