//! A mailbox beside a model of one.

use super::long;
use proptest::prelude::*;
use quintet::ErrorKind;
use quintet::shm::Mailbox;
use quintet_testkit::start;

const SIZE: usize = 300;
const PLACES: usize = 3;
const READERS: usize = 3;

#[derive(Clone, Debug)]
enum Act {
    Write(usize),
    Loan(usize, Option<usize>),
    NextWriter,
    Read(usize),
    Next(usize),
    Hold(usize),
    HoldNext(usize),
    Release(usize),
    NewReader(usize),
}

fn act() -> impl Strategy<Value = Act> {
    // Some are too long.
    let len = 0..SIZE + 20;
    prop_oneof![
        3 => len.clone().prop_map(Act::Write),
        2 => (len.clone(), prop::option::of(len)).prop_map(|(len, keep)| Act::Loan(len, keep)),
        1 => Just(Act::NextWriter),
        2 => (0..READERS).prop_map(Act::Read),
        2 => (0..READERS).prop_map(Act::Next),
        2 => (0..READERS).prop_map(Act::Hold),
        2 => (0..READERS).prop_map(Act::HoldNext),
        3 => (0..PLACES).prop_map(Act::Release),
        1 => (0..READERS).prop_map(Act::NewReader),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn it_has_what_was_written_last(acts in prop::collection::vec(act(), 1..150)) {
        let t = start();
        let builder = Mailbox::builder(t.name("m")).unwrap().size(SIZE as u64).in_place(PLACES);
        let mailbox = builder.create_new().unwrap();
        let mut writer = mailbox.writer().unwrap();
        let mut readers = [(); READERS].map(|()| mailbox.reader().unwrap());
        // The model: the newest value's number and length, what each reader has read last, what is held.
        let mut newest: Option<(u64, usize)> = None;
        let mut last = [0; READERS];
        let mut held = Vec::new();
        let mut value = Vec::new();
        for act in acts {
            let number = newest.map_or(1, |(number, _)| number + 1);
            match act {
                Act::Write(len) => {
                    let written = writer.write(long(number, len));
                    prop_assert_eq!(written.is_ok(), len <= SIZE);
                    if let Ok(written) = written {
                        prop_assert_eq!(written, number);
                        newest = Some((number, len));
                    }
                }
                Act::Loan(len, keep) => {
                    let loan = writer.loan(len);
                    prop_assert_eq!(loan.is_ok(), len <= SIZE);
                    if let (Ok(mut loan), Some(keep)) = (loan, keep) {
                        loan.write_at(0, long(number, keep.min(len))).unwrap();
                        let published = loan.publish_len(keep);
                        prop_assert_eq!(published.is_ok(), keep <= len);
                        if published.is_ok() {
                            newest = Some((number, keep));
                        }
                    }
                }
                Act::NextWriter => {
                    drop(writer);
                    writer = mailbox.writer().unwrap();
                    prop_assert_eq!(writer.sequence(), number - 1);
                }
                Act::Read(which) | Act::Next(which) => {
                    let is_next = matches!(act, Act::Next(_));
                    let found = match is_next {
                        true => readers[which].try_next(&mut value).unwrap(),
                        false => readers[which].read(&mut value).unwrap(),
                    };
                    let expected = newest.filter(|(number, _)| !is_next || *number != last[which]);
                    prop_assert_eq!(found.map(|found| (found.sequence, found.len)), expected);
                    if let Some((number, len)) = expected {
                        prop_assert_eq!(&value, &long(number, len));
                        last[which] = number;
                    }
                }
                Act::Hold(which) | Act::HoldNext(which) => {
                    let is_next = matches!(act, Act::HoldNext(_));
                    let found = match is_next {
                        true => readers[which].try_next_in_place(),
                        false => readers[which].in_place(),
                    };
                    let expected = newest.filter(|(number, _)| !is_next || *number != last[which]);
                    if expected.is_some() && held.len() == PLACES {
                        prop_assert_eq!(found.unwrap_err().kind(), ErrorKind::Full);
                        continue;
                    }
                    let found = found.unwrap();
                    let said = found.as_ref().map(|found| (found.reading().sequence, found.len()));
                    prop_assert_eq!(said, expected);
                    if let Some(found) = found {
                        last[which] = found.reading().sequence;
                        held.push(found);
                    }
                }
                Act::Release(which) if which < held.len() => {
                    held.swap_remove(which);
                }
                Act::Release(_) => {}
                Act::NewReader(which) => {
                    readers[which] = mailbox.reader().unwrap();
                    last[which] = 0;
                }
            }
            for found in &held {
                prop_assert_eq!(found.to_vec(), long(found.reading().sequence, found.len()));
            }
            let stats = mailbox.stats();
            let (number, len) = newest.unwrap_or_default();
            prop_assert_eq!((stats.sequence, stats.len, stats.in_place), (number, len, held.len()));
            prop_assert_eq!(writer.sequence(), number);
        }
    }
}
