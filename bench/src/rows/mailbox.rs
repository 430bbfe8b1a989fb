//! Mailboxes.

use super::queue::wait_once;
use crate::floors::{COPY, LINE_THERE, NAP};
use crate::harness::Place;
use crate::row::{Asleep, Group, Measure, Result, Row, Target};
use crate::work::{Alone, Common, End, Idle, Link, MESSAGE, Operation, RoundTrip};
use quintet::shm::{Mailbox, MailboxReader, MailboxWriter};

/// A frame of 1920 by 1080 grey pixels.
const FRAME: usize = 1920 * 1080;

pub(super) fn rows() -> Vec<Row> {
    let alone = |what: &str, act| {
        let name = format!("quintet mailbox, {what}");
        Alone::silent_row(Group::Mailbox, name, Open { size: MESSAGE, act }).against(COPY)
    };
    let row = |name: &str, measure, bytes, idle| {
        let work = RoundTrip {
            link: Mailboxes { size: bytes },
            bytes,
            idle,
        };
        Row::new(Group::Mailbox, format!("quintet mailbox, {name}"), measure, work)
    };
    vec![
        alone("read 64 B", Act::Read),
        alone("read 64 B in place", Act::InPlace),
        alone("write 64 B", Act::Write),
        row("one way 64 B, awake", Measure::OneWay, MESSAGE, None)
            .asleep(Asleep::Nobody)
            .against(LINE_THERE)
            .against("bare ring, one way 64 B"),
        row(
            "round trip 64 B, asleep",
            Measure::RoundTrip,
            MESSAGE,
            Some(Idle::Both(NAP)),
        )
        .asleep(Asleep::Both)
        .target("futex round trip, both 120 µs idle", Target::AtMost(1.3)),
        row("round trip of 2 MB", Measure::RoundTrip, FRAME, None),
    ]
}

#[derive(Clone, Copy)]
enum Act {
    Read,
    InPlace,
    Write,
}

/// Near does it; far only has the mailbox open.
struct Open {
    size: usize,
    act: Act,
}

enum Side {
    Acts {
        act: Act,
        writer: MailboxWriter,
        reader: MailboxReader,
        value: Vec<u8>,
        read: Vec<u8>,
    },
    Holds {
        _mailbox: Mailbox,
    },
}

impl Common for Open {
    type Side = Side;

    fn before_pinning(&self) -> Result<()> {
        wait_once()
    }

    fn near(&self, place: &mut Place) -> Result<Side> {
        let mailbox = Mailbox::open_existing(place.hear()?)?;
        let mut writer = mailbox.writer()?;
        let value = vec![7; self.size];
        writer.write(&value)?;
        Ok(Side::Acts {
            act: self.act,
            writer,
            reader: mailbox.reader()?,
            value,
            read: Vec::new(),
        })
    }

    fn far(&self, place: &mut Place) -> Result<Side> {
        let name = place.unique_name();
        let mailbox = Mailbox::builder(&name)?.size(self.size as u64).create_new()?;
        place.say(&name)?;
        Ok(Side::Holds { _mailbox: mailbox })
    }
}

impl Operation for Side {
    fn run(&mut self) -> Result<()> {
        let Side::Acts {
            act,
            writer,
            reader,
            value,
            read,
        } = self
        else {
            return Ok(());
        };
        match act {
            Act::Read => {
                std::hint::black_box(reader.read(read)?);
            }
            Act::InPlace => {
                std::hint::black_box(reader.in_place()?);
            }
            Act::Write => {
                writer.write(&value)?;
            }
        }
        Ok(())
    }
}

/// Two mailboxes, one a direction. Far makes them.
struct Mailboxes {
    size: usize,
}

struct MailboxEnd {
    to: MailboxWriter,
    from: MailboxReader,
}

impl Link for Mailboxes {
    type End = MailboxEnd;

    fn before_pinning(&self) -> Result<()> {
        wait_once()
    }

    fn near(&self, place: &mut Place) -> Result<MailboxEnd> {
        let name = place.hear()?;
        Ok(MailboxEnd {
            to: Mailbox::open_existing(format!("{name}-to-far"))?.writer()?,
            from: Mailbox::open_existing(format!("{name}-to-near"))?.reader()?,
        })
    }

    fn far(&self, place: &mut Place) -> Result<MailboxEnd> {
        let name = place.unique_name();
        let make = |direction: &str| {
            let name = format!("{name}-{direction}");
            Mailbox::builder(name)?.size(self.size as u64).create_new()
        };
        let end = MailboxEnd {
            to: make("to-near")?.writer()?,
            from: make("to-far")?.reader()?,
        };
        place.say(&name)?;
        Ok(end)
    }
}

impl End for MailboxEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        self.to.write(data)?;
        Ok(())
    }

    fn receive(&mut self, buf: &mut Vec<u8>, _: usize) -> Result<()> {
        self.from.next(buf)?;
        Ok(())
    }
}
