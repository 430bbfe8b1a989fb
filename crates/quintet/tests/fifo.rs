//! FIFO files, with other programs at the other end.
#![cfg(target_os = "linux")]

use quintet::ErrorKind;
use quintet::pipe::{Access, fifo};
use quintet_testkit::{Role, start};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

quintet_testkit::peers!(writes, makes);

/// A wait that only a failing test waits out.
const LONG: Duration = Duration::from_secs(40);
/// A wait that is always waited out.
const SHORT: Duration = Duration::from_millis(20);

const ME: Access = Access::CurrentUser;

/// Opens `arg(0)` as any program would, writes when told, and stays.
fn writes(p: &mut Role) {
    let mut file = fs::OpenOptions::new().write(true).open(p.arg(0)).unwrap();
    loop {
        let text = p.listen();
        file.write_all(text.as_bytes()).unwrap();
    }
}

/// Makes a FIFO at `arg(0)`.
fn makes(p: &mut Role) {
    fifo::create(p.arg(0), p.arg(1).parse().unwrap()).unwrap();
    p.say("made");
}

fn made(t: &quintet_testkit::Test) -> PathBuf {
    let path = t.temp_dir().join("fifo");
    fifo::create(&path, ME).unwrap();
    path
}

#[test]
fn another_program_writes_and_is_killed_and_we_see_the_end() {
    let t = start();
    let path = made(&t);
    let mut peer = t.spawn("writes", &[path.to_str().unwrap()]);
    peer.tell("hello");
    let reader = fifo::open_reader(&path, ME, LONG).unwrap();
    let mut bytes = [0; 5];
    (&reader).read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"hello");
    peer.kill();
    assert_eq!(reader.read(&mut bytes).unwrap(), 0);
}

#[test]
fn a_reader_waits_for_the_file_and_for_a_writer() {
    let t = start();
    let path = t.temp_dir().join("fifo");
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut text = String::new();
            fifo::open_reader(&path, ME, LONG)
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
            text
        });
        fifo::create(&path, ME).unwrap();
        fifo::open_writer(&path, ME, LONG)
            .unwrap()
            .write_all("at last")
            .unwrap();
        assert_eq!(reader.join().unwrap(), "at last");
    });
}

#[test]
fn nobody_there_is_told_by_the_deadline() {
    let t = start();
    let missing = t.temp_dir().join("missing");
    let path = made(&t);
    for (path, zero) in [(&missing, ErrorKind::NotFound), (&path, ErrorKind::NotFound)] {
        let error = fifo::open_writer(path, ME, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), zero, "{error}");
        assert_eq!(
            fifo::open_writer(path, ME, SHORT).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        assert_eq!(
            fifo::open_reader(path, ME, SHORT).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
    }
}

#[test]
fn writing_without_a_reader_and_without_room_ends() {
    let t = start();
    let path = made(&t);
    let held = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let writer = fifo::open_writer(&path, ME, LONG).unwrap();
    writer.set_write_timeout(Some(SHORT));
    let error = writer.write_all(vec![0; 1 << 20]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    drop(held);
    let error = writer.write_all("x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
}

#[test]
fn what_is_no_fifo_is_left_alone() {
    let t = start();
    let folder = t.temp_dir();
    let file = folder.join("file");
    fs::write(&file, "precious").unwrap();
    let socket = folder.join("s");
    let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for path in [&file, &socket, &folder] {
        assert_eq!(
            fifo::create(path, ME).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        assert!(fifo::open_writer(path, ME, LONG).is_err(), "{}", path.display());
        assert!(fifo::open_reader(path, ME, LONG).is_err(), "{}", path.display());
        assert_eq!(fifo::exists(path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
    assert_eq!(fs::read(&file).unwrap(), b"precious");
}

#[test]
fn the_mode_is_as_asked_for_whatever_the_umask() {
    let t = start();
    let folder = t.temp_dir();
    for (access, mode) in [("user", 0o600), ("everyone", 0o666)] {
        let path = folder.join(access);
        let mut peer = t.spawn("makes", &[path.to_str().unwrap(), access]);
        peer.expect("made");
        peer.finish();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, mode);
    }
}

#[test]
fn another_users_fifo_is_refused_unless_meant() {
    let t = start();
    let folder = t.temp_dir();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let path = folder.join("planted");
    // Only root can try it.
    let Some(mut peer) = t.spawn_as_nobody("makes", &[path.to_str().unwrap(), "everyone"]) else {
        return;
    };
    peer.expect("made");
    peer.finish();
    let error = fifo::open_reader(&path, ME, LONG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let error = fifo::open_reader(&path, Access::Everyone, SHORT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
}
