//! Anonymous pipes, between a parent and a child.

use quintet::ErrorKind;
use quintet::pipe::{self, PipeReader, PipeWriter};
use quintet_testkit::{Peer, Role, Test, start};
use std::io::Read;
use std::time::Duration;

quintet_testkit::peers!(copies, counts, waits, stranger, holds);

/// A wait that is always waited out.
const SHORT: Duration = Duration::from_millis(20);

/// Takes a reading end and a writing end by their numbers, and copies from one to the other.
fn copies(p: &mut Role) {
    // SAFETY: the parent has passed these two for this purpose, and nothing else in this process knows of them.
    let (reader, writer) = unsafe {
        (
            PipeReader::inherited(p.arg(0)).unwrap(),
            PipeWriter::inherited(p.arg(1)).unwrap(),
        )
    };
    let mut piece = [0; 1000];
    loop {
        match reader.read(&mut piece).unwrap() {
            0 => return,
            len => writer.write_all(&piece[..len]).unwrap(),
        }
    }
}

/// Says how many bytes come until the end.
fn counts(p: &mut Role) {
    // SAFETY: as in `copies`.
    let mut reader = unsafe { PipeReader::inherited(p.arg(0)).unwrap() };
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    p.say(bytes.len());
}

/// Has an end and does nothing with it, until it is killed.
fn waits(p: &mut Role) {
    p.say("waiting");
    p.listen();
}

/// Tries to take an end that it was not given.
fn stranger(p: &mut Role) {
    // SAFETY: whatever the number is here, nothing in this process has it: the test shows that it is nothing at all.
    match unsafe { PipeReader::inherited(p.arg(0)) } {
        Ok(_) => p.say("got it"),
        Err(error) => p.say(format!("{:?}", error.kind())),
    }
}

/// Starts a child of its own, which must not get the end that this one has.
fn holds(p: &mut Role) {
    // SAFETY: as in `copies`.
    let reader = unsafe { PipeReader::inherited(p.arg(0)).unwrap() };
    let t = start();
    let mut grandchild = t.spawn("stranger", &[p.arg(0)]);
    p.say(grandchild.hear());
    grandchild.finish();
    drop(reader);
}

/// Starts a role that inherits ends, whose numbers are its arguments.
fn spawn_with<const N: usize>(t: &Test, role: &str, ends: [pipe::ChildEnd; N]) -> Peer {
    let numbers = ends.each_ref().map(ToString::to_string);
    let numbers = numbers.each_ref().map(String::as_str);
    t.spawn_through(role, &numbers, |command| {
        pipe::spawn(command, ends).map_err(std::io::Error::from)
    })
}

fn text_of(mut reader: PipeReader) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_child_takes_both_ends_by_their_numbers() {
    let t = start();
    let (writer, their_reader) = pipe::to_child().unwrap();
    let (reader, their_writer) = pipe::from_child().unwrap();
    let peer = spawn_with(&t, "copies", [their_reader, their_writer]);
    writer.write_all("there and back").unwrap();
    drop(writer);
    assert_eq!(text_of(reader), "there and back");
    peer.finish();
}

#[test]
fn what_is_larger_than_any_buffer_comes_whole() {
    let t = start();
    let (writer, their_reader) = pipe::to_child().unwrap();
    let mut peer = spawn_with(&t, "counts", [their_reader]);
    writer.write_all(vec![7; 3 << 20]).unwrap();
    drop(writer);
    peer.expect("3145728");
    peer.finish();
}

#[test]
fn a_reader_sees_the_end_when_its_child_is_killed() {
    let t = start();
    let (reader, theirs) = pipe::from_child().unwrap();
    let mut peer = spawn_with(&t, "waits", [theirs]);
    peer.expect("waiting");
    peer.kill();
    assert_eq!(text_of(reader), "");
}

#[test]
fn a_writer_fails_when_its_child_is_killed() {
    let t = start();
    let (writer, theirs) = pipe::to_child().unwrap();
    let mut peer = spawn_with(&t, "waits", [theirs]);
    peer.expect("waiting");
    peer.kill();
    let error = writer.write_all(vec![0; 1 << 20]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
}

#[test]
fn a_writer_that_waits_for_room_fails_when_its_child_is_killed() {
    let t = start();
    let (writer, theirs) = pipe::to_child().unwrap();
    let mut peer = spawn_with(&t, "waits", [theirs]);
    peer.expect("waiting");
    std::thread::scope(|scope| {
        // More than fits, so that it is waiting or about to.
        let write = scope.spawn(|| writer.write_all(vec![0; 1 << 20]));
        peer.kill();
        assert_eq!(write.join().unwrap().unwrap_err().kind(), ErrorKind::Disconnected);
    });
}

#[test]
fn only_the_intended_end_is_inherited_and_only_by_the_intended_child() {
    let t = start();
    let (writer, theirs) = pipe::to_child().unwrap();
    let number = theirs.to_string();
    // Started while the end is there to be inherited, in the ordinary way.
    let mut other = t.spawn("stranger", &[&number]);
    other.expect("NotFound");
    other.finish();
    // Its own child does not get it, and our end did not come along: the end of the stream comes.
    let mut peer = spawn_with(&t, "holds", [theirs]);
    peer.expect("NotFound");
    peer.finish();
    assert!(
        writer.write_all(vec![0; 1 << 20]).is_err(),
        "all readers have gone"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_that_is_spawned_again_passes_nothing() {
    use std::fs::read_link;
    use std::os::fd::{AsFd, AsRawFd};
    let t = start();
    let (writer, theirs) = pipe::to_child().unwrap();
    let number = theirs.to_string();
    let mut again = None;
    let peer = t.spawn_through("waits", &[&number], |command| {
        let child = pipe::spawn(command, [theirs])?;
        again = Some(t.watch_child("again", command.spawn()?));
        Ok(child)
    });
    let ours = read_link(format!("/proc/self/fd/{}", writer.as_fd().as_raw_fd())).unwrap();
    // Under that number it may have a file of its own.
    let fd = |pid: u32| read_link(format!("/proc/{pid}/fd/{number}")).ok();
    assert_eq!(fd(peer.pid()).as_ref(), Some(&ours));
    assert_ne!(fd(again.unwrap().pid()).as_ref(), Some(&ours));
}

#[test]
fn the_ends_are_standard_streams_as_well() {
    let t = start();
    let (writer, theirs) = pipe::to_child().unwrap();
    let (reader, answers) = pipe::from_child().unwrap();
    // Its standard streams are not the kit's, so it can only be seen to end.
    let mut command = Test::peer_command("no_such_role", &[]);
    command
        .stdin(theirs)
        .stdout(answers)
        .stderr(std::process::Stdio::null());
    let child = t.watch_child("another program", command.spawn().unwrap());
    drop(command);
    drop(writer);
    assert!(text_of(reader).contains("running 1 test"));
    drop(child);
}

#[test]
fn reads_and_writes_keep_their_deadlines_and_lose_nothing() {
    let t = start();
    let (writer, theirs) = pipe::to_child().unwrap();
    let (reader, _kept) = pipe::from_child().unwrap();
    reader.set_read_timeout(Some(SHORT));
    assert_eq!(reader.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::TimedOut);
    reader.set_read_timeout(Some(Duration::ZERO));
    assert_eq!(reader.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::TimedOut);
    writer.set_write_timeout(Some(SHORT));
    let mut written = 0;
    let error = loop {
        match writer.write([0; 1000]) {
            Ok(len) => written += len,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(written > 0);
    // What was written is all there.
    let mut peer = spawn_with(&t, "counts", [theirs]);
    drop(writer);
    peer.expect(&written.to_string());
    peer.finish();
}

#[test]
fn what_is_no_such_end_is_refused() {
    let _t = start();
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let (writer, theirs) = pipe::to_child().unwrap();
    let numbers = ["", "x", "-1", "99999999999", "1000000"].map(String::from);
    #[cfg(target_os = "linux")]
    let numbers = {
        use std::os::fd::{AsFd, AsRawFd};
        let others = [file.as_raw_fd(), writer.as_fd().as_raw_fd()].map(|fd| fd.to_string());
        numbers.into_iter().chain(others)
    };
    for number in numbers {
        // SAFETY: it is refused, so nothing is taken from whoever owns it.
        let error = unsafe { PipeReader::inherited(&number) }.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{number}: {error}");
    }
    drop((file, writer, theirs));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let _t = start();
    let (_writer, theirs) = pipe::to_child().unwrap();
    let error = pipe::spawn(&mut std::process::Command::new("no-such-program"), [theirs]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no-such-program"), "{error}");
}
