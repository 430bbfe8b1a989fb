//! What the test `peer_process` of every test binary does.

use crate::role::Role;
use crate::test::start;

/// A role that every test binary has.
const HANDSHAKE: &str = "quintet-testkit-handshake";

/// A function of the test file, and its name.
pub(crate) type NamedRole = (&'static str, fn(&mut Role));

/// The body of the test that [`peers!`](crate::peers) makes.
pub fn peer_process(roles: &[NamedRole]) {
    match Role::from_environment() {
        Some(mut role) => play(&mut role, roles),
        None => check(roles),
    }
}

fn play(role: &mut Role, roles: &[NamedRole]) {
    let body = match roles.iter().find(|(name, _)| *name == role.name()) {
        Some((_, body)) => *body,
        None if role.name() == HANDSHAKE => handshake,
        None => {
            let known: Vec<_> = roles.iter().map(|(name, _)| name).collect();
            panic!(
                "this test binary has no role {:?}; its peers! names {known:?}",
                role.name()
            );
        }
    };
    role.say_hello();
    body(role);
}

/// This binary can be started as a peer, and the two understand each other.
fn check(roles: &[NamedRole]) {
    for (index, (name, _)) in roles.iter().enumerate() {
        assert!(
            !roles[..index].iter().any(|(other, _)| other == name),
            "peers! names {name} twice"
        );
    }
    let t = start();
    let mut peer = t.spawn(HANDSHAKE, &["an argument"]);
    peer.expect("an argument");
    peer.tell("two\nlines");
    peer.expect("two\nlines");
    peer.finish();
}

fn handshake(p: &mut Role) {
    p.say(p.arg(0).to_owned());
    let told = p.listen();
    p.say(told);
}
