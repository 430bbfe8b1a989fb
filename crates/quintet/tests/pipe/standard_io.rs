//! A pipe's end as what the standard library reads and writes.

use crate::common::{LONG, assert_fails, pair, pattern};
use quintet::pipe::PipeMode;
use quintet::{Error, ErrorKind};
use quintet_testkit::start;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::thread;
use std::time::Duration;

#[test]
fn lines_are_read_as_from_any_reader() {
    let t = start();
    let (ours, theirs) = pair(&t.name("lines"), PipeMode::Byte);
    let mut writer = BufWriter::new(ours);
    thread::scope(|scope| {
        scope.spawn(move || {
            for n in 0..10_000 {
                writeln!(writer, "line {n}").unwrap();
            }
            writer.flush().unwrap();
        });
        let lines = BufReader::new(&theirs).lines().map(Result::unwrap);
        assert!(lines.eq((0..10_000).map(|n| format!("line {n}"))));
    });
}

#[test]
fn everything_is_copied_through_it() {
    let t = start();
    let (mut ours, mut theirs) = pair(&t.name("copy"), PipeMode::Byte);
    let data = pattern(1, 1 << 20);
    thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(io::copy(&mut data.as_slice(), &mut ours).unwrap(), 1 << 20);
            drop(ours);
        });
        let mut copy = Vec::new();
        assert_eq!(io::copy(&mut theirs, &mut copy).unwrap(), 1 << 20);
        assert!(copy == data);
    });
}

#[test]
fn one_write_is_one_message_and_one_read_at_most_one() {
    let t = start();
    let (mut ours, mut theirs) = pair(&t.name("message"), PipeMode::Message);
    assert_eq!(Write::write(&mut ours, b"first").unwrap(), 5);
    Write::write_all(&mut ours, b"second").unwrap();
    ours.flush().unwrap();
    let mut buf = [0; 100];
    assert_eq!(Read::read(&mut theirs, &mut buf).unwrap(), 5);
    assert_eq!(&buf[..5], b"first");
    assert_eq!(Read::read(&mut &theirs, &mut buf).unwrap(), 6);
    assert_eq!(&buf[..6], b"second");
    drop(ours);
    assert_eq!(Read::read(&mut theirs, &mut buf).unwrap(), 0);
}

#[test]
fn errors_go_through_it_and_come_back() {
    let t = start();
    let (ours, mut theirs) = pair(&t.name("errors"), PipeMode::Byte);
    theirs.set_read_timeout(Some(Duration::ZERO));
    let error = Read::read(&mut theirs, &mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let error = assert_fails(Err::<(), _>(Error::from_io(error)), ErrorKind::TimedOut);
    assert_eq!(error.object(), Some(theirs.address().to_string().as_str()));
    drop(ours);
    theirs.set_read_timeout(Some(LONG));
    assert_eq!(Read::read(&mut theirs, &mut [0]).unwrap(), 0);
    let error = Write::write_all(&mut theirs, b"anybody?").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}
