//! Other users: kept out unless they are let in.

use crate::help::{LONG, SHORT, assert_fails, assert_gone, end, order, semaphore};
use crate::raw::path;
use quintet::named::NamedKind;
use quintet::sync::{Access, Event, Mutex, Reset, Semaphore, Semaphores};
use quintet::{ErrorKind, Name};
use quintet_testkit::{Peer, Role, Test, start};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn nobody(t: &Test, role: &str, args: &[&str]) -> Option<Peer> {
    let peer = t.spawn_as_nobody(role, args);
    if peer.is_none() {
        eprintln!("skipped: only root can start a process of another user");
    }
    peer
}

fn mode(kind: &str, name: &str) -> u32 {
    fs::symlink_metadata(path(kind, name))
        .unwrap()
        .permissions()
        .mode()
        & 0o7777
}

fn for_everyone(name: &str, maximum: u32) -> Semaphore {
    let builder = Semaphore::builder(name).unwrap().maximum(maximum);
    builder.access(Access::Everyone).create_new().unwrap()
}

#[test]
fn an_object_is_for_its_user_alone_unless_it_is_opened_to_everyone() {
    let t = start();
    let name = t.name("mode");
    let closed = (
        semaphore(&name, 1, 1),
        Mutex::create_new(&name).unwrap(),
        Event::create_new(&name, Reset::Auto).unwrap(),
    );
    for kind in ["sem", "mutex", "event"] {
        assert_eq!(mode(kind, &name), 0o600, "{kind}");
    }
    drop(closed);
    let everyone = Access::Everyone;
    let open = (
        for_everyone(&name, 1),
        Mutex::builder(&name)
            .unwrap()
            .access(everyone)
            .create_new()
            .unwrap(),
        Event::builder(&name)
            .unwrap()
            .access(everyone)
            .create_new()
            .unwrap(),
    );
    for kind in ["sem", "mutex", "event"] {
        assert_eq!(mode(kind, &name), 0o666, "{kind}");
    }
    drop(open);
    assert_gone(&name);
}

/// Creates `arg(0)` under a mask for new files that closes everything.
pub(crate) fn masked(p: &mut Role) {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o777));
    let open = for_everyone(p.arg(0), 1);
    p.say(format!("{:o}", mode("sem", p.arg(0))));
    drop(open);
}

#[test]
fn the_mask_for_new_files_does_not_close_what_is_for_everyone() {
    let t = start();
    let mut peer = t.spawn("masked", &[&t.name("mask")]);
    peer.expect("666");
    peer.finish();
}

#[test]
fn nobody_else_can_open_look_at_or_remove_it() {
    let t = start();
    let name = t.name("closed");
    let semaphore = semaphore(&name, 1, 1);
    let Some(mut peer) = nobody(&t, "player", &[]) else {
        return;
    };
    order(&mut peer, &format!("sem-open {name}"), "PermissionDenied");
    order(&mut peer, &format!("sem-make {name} 1 1"), "PermissionDenied");
    order(
        &mut peer,
        &format!("sem-at sem://{name}?access=everyone"),
        "PermissionDenied",
    );
    // Somebody else can say that it is there already, or that he may not say.
    peer.tell(&format!("sem-new {name} 1 1"));
    let answer = peer.hear();
    assert!(
        ["PermissionDenied", "AlreadyExists"].contains(&answer.as_str()),
        "{answer}"
    );
    end(peer);
    let mut peer = nobody(&t, "looks_and_removes", &[&name]).unwrap();
    peer.expect("PermissionDenied false PermissionDenied");
    peer.finish();
    assert_eq!(Semaphore::open_existing(&name).unwrap().count().unwrap(), 1);
    drop(semaphore);
    assert_gone(&name);
}

/// Looks at `arg(0)`, looks for it in the list, and tries to remove it.
pub(crate) fn looks_and_removes(p: &mut Role) {
    let name = Name::new(p.arg(0)).unwrap();
    let looked = Semaphores.stat(&name).unwrap_err().kind();
    let listed = Semaphores.list().unwrap();
    let listed = listed.iter().any(|entry| entry.address.name().unwrap() == &name);
    p.say(format!(
        "{looked:?} {listed} {:?}",
        Semaphores.remove(&name).unwrap_err().kind()
    ));
}

#[test]
fn everyone_can_use_what_is_for_everyone_and_gives_back_when_killed() {
    let t = start();
    let name = t.name("open");
    let semaphore = for_everyone(&name, 2);
    // A semaphore of root is to be believed, also by who does not ask for anybody's.
    for address in [format!("sem://{name}"), format!("sem://{name}?access=everyone")] {
        let Some(mut peer) = nobody(&t, "player", &[]) else {
            return;
        };
        order(&mut peer, &format!("sem-at {address}"), "opened");
        order(&mut peer, "acquire", "ok");
        order(&mut peer, "acquire", "ok");
        assert_fails(semaphore.acquire_timeout(SHORT), ErrorKind::TimedOut);
        order(&mut peer, "give", "ok");
        semaphore.wait_timeout(LONG).unwrap();
        order(&mut peer, "release 1", "0");
        peer.kill();
        let both = [
            semaphore.acquire_timeout(LONG).unwrap(),
            semaphore.acquire_timeout(LONG).unwrap(),
        ];
        drop(both);
        assert_eq!(semaphore.count().unwrap(), 2);
    }
    // Nor can it be removed by others.
    let mut peer = nobody(&t, "removes", &[&name]).unwrap();
    let heard = peer.hear();
    assert!(["Busy", "PermissionDenied"].contains(&heard.as_str()), "{heard}");
    peer.finish();
    drop(semaphore);
    assert_gone(&name);
}

pub(crate) fn removes(p: &mut Role) {
    let removed = Semaphores.remove(&Name::new(p.arg(0)).unwrap());
    p.say(format!("{:?}", removed.unwrap_err().kind()));
}

#[test]
fn an_object_of_another_user_is_believed_only_if_anybody_is() {
    let t = start();
    let name = t.name("theirs");
    let Some(mut peer) = nobody(&t, "player", &[]) else {
        return;
    };
    order(
        &mut peer,
        &format!("sem-at sem://{name}?max=3&access=everyone"),
        "created",
    );
    assert_ne!(fs::metadata(path("sem", &name)).unwrap().uid(), 0);
    for _ in 0..2 {
        let error = assert_fails(Semaphore::open_existing(&name), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("65534"), "{error}");
        assert_fails(
            Semaphore::create_or_open(&name, 1, 1),
            ErrorKind::PermissionDenied,
        );
        let ours = Semaphore::builder(&name)
            .unwrap()
            .access(Access::Everyone)
            .open_existing()
            .unwrap();
        let permit = ours.acquire().unwrap();
        order(&mut peer, "count", "2");
        drop(permit);
    }
    order(&mut peer, "count", "3");
    // Dead or alive.
    peer.kill();
    assert_fails(
        Semaphore::create_or_open(&name, 1, 1),
        ErrorKind::PermissionDenied,
    );
    assert!(path("sem", &name).exists());
    let fresh = Semaphore::builder(&name)
        .unwrap()
        .access(Access::Everyone)
        .create_new()
        .unwrap();
    assert!(fresh.was_created());
}
