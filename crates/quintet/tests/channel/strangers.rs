use super::mechanisms::Mechanism;
use super::{PATIENCE, SHORT, fails};
use quintet::channel::{Receiver, Sender};
use quintet::{Address, Error, ErrorKind, Target};
use quintet_testkit::{Role, start};
use std::path::PathBuf;

/// Something else at the place is an error, and is still there afterwards.
pub(crate) fn something_else(m: &Mechanism) {
    let t = start();
    if m.is_host() || m.is("window") {
        // Any program may listen at a port, and any have a window: what it does with messages is its own affair.
        return;
    }
    let address: Address = m.address(&t).parse().unwrap();
    let path = match address.target() {
        Target::Path(path) => PathBuf::from(path),
        _ if m.is("pipe") => std::env::temp_dir().join(format!("CoreFxPipe_{}", address.name().unwrap())),
        _ => format!(
            "/dev/shm/quintet.{}.{}",
            address.scheme(),
            address.name().unwrap()
        )
        .into(),
    };
    let contents = vec![0x5a; 1 << 16];
    std::fs::write(&path, &contents).unwrap();
    let listening = Receiver::open(&address).unwrap_err().kind();
    assert!(
        matches!(listening, ErrorKind::AlreadyExists | ErrorKind::Corrupt),
        "{listening:?}"
    );
    // A socket that connects goes on trying, as somebody may come to listen there.
    let connecting = Sender::open(&address)
        .and_then(|mut sender| sender.send_timeout("x", SHORT))
        .unwrap_err()
        .kind();
    assert!(
        matches!(
            connecting,
            ErrorKind::AlreadyExists | ErrorKind::Corrupt | ErrorKind::TimedOut
        ),
        "{connecting:?}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), contents);
    std::fs::remove_file(&path).unwrap();
    if !m.is("pipe") {
        return;
    }
    let bytes = quintet::pipe::PipeServer::create(address.name().unwrap()).unwrap();
    fails(Sender::open(&address), ErrorKind::Unsupported);
    drop(bytes);
}

/// Tries as another user to send to `arg(0)`, and says how that ends.
pub(crate) fn stranger(p: &mut Role) {
    let sent = Sender::open(p.arg(0)).and_then(|mut sender| sender.send_timeout("x", SHORT));
    p.say(match sent {
        Ok(()) => "sent".into(),
        Err(error) => format!("{:?}", Error::kind(&error)),
    });
}

pub(crate) fn other_user(m: &Mechanism) {
    let t = start();
    let mut receiver = Receiver::open(m.address(&t)).unwrap();
    let theirs = m.theirs(receiver.address(), "");
    let Some(mut peer) = t.spawn_as_nobody("stranger", &[&theirs]) else {
        return;
    };
    let heard = peer.hear();
    peer.finish();
    let mut message = Vec::new();
    if m.is_host() {
        // A port is everybody's.
        assert_eq!(heard, "sent");
        return receiver.recv_timeout(&mut message, PATIENCE).unwrap();
    }
    // Windows of others are not seen; to a socket one goes on trying.
    let expected: &[&str] = match m.forbids {
        true => &["PermissionDenied", "TimedOut"],
        false => &["TimedOut"],
    };
    assert!(expected.contains(&heard.as_str()), "{heard}");
    fails(receiver.recv_timeout(&mut message, SHORT), ErrorKind::TimedOut);
}
