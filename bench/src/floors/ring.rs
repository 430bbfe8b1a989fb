//! A ring of 64-byte messages with one writer and one reader: a queue with nothing to it. It has one size of message, never
//! sleeps, and believes all that it reads.

use super::shared::{LINE, Shared};
use crate::harness::Place;
use crate::row::{Group, Measure, Result, Row};
use crate::work::{BATCH, Batches, Batching, End, Link, MESSAGE, Messages, RoundTrip};
use std::sync::atomic::Ordering;

pub(super) fn rows() -> Vec<Row> {
    let link = || Rings;
    let one_way = RoundTrip {
        link: link(),
        bytes: MESSAGE,
        idle: None,
    };
    let one_by_one = Messages {
        link: link(),
        bytes: MESSAGE,
    };
    let batches = Batches { link: link() };
    vec![
        Row::new(Group::Floor, "bare ring, one way 64 B", Measure::OneWay, one_way),
        Row::new(
            Group::Floor,
            "bare ring, messages of 64 B",
            Measure::Messages,
            one_by_one,
        ),
        Row::new(
            Group::Floor,
            format!("bare ring, messages of 64 B, {BATCH} at a time"),
            Measure::Messages,
            batches,
        ),
    ]
}

/// Two of them, one a direction.
struct Rings;

impl Link for Rings {
    type End = RingEnd;

    fn near(&self, place: &mut Place) -> Result<RingEnd> {
        let [to, from] = [Shared::near(place, SIZE)?, Shared::near(place, SIZE)?];
        Ok(RingEnd {
            to: Writer::new(to),
            from: Reader::new(from),
        })
    }

    fn far(&self, place: &mut Place) -> Result<RingEnd> {
        let [from, to] = [Shared::far(place, SIZE)?, Shared::far(place, SIZE)?];
        Ok(RingEnd {
            to: Writer::new(to),
            from: Reader::new(from),
        })
    }
}

/// In front of the slots are two lines: how many messages were written, and how many the reader is done with. It says so
/// seldom, as the line has to come over.
const WRITTEN: usize = 0;
const FREED: usize = 1;
const SELDOM: u64 = SLOTS / 4;
const SLOTS: u64 = 512;
const SLOTS_BEGIN: usize = 2 * LINE;
const SIZE: usize = SLOTS_BEGIN + SLOTS as usize * MESSAGE;

fn slot(number: u64) -> usize {
    SLOTS_BEGIN + (number % SLOTS) as usize * MESSAGE
}

struct Writer {
    shared: Shared,
    number: u64,
    /// Up to which number there is room, as far as it knows.
    room: u64,
}

impl Writer {
    fn new(shared: Shared) -> Self {
        Writer {
            shared,
            number: 0,
            room: SLOTS,
        }
    }

    /// Puts it behind the others. A batch is much less than a ring, so the room for its last comes without its first being
    /// read.
    fn write(&mut self, message: &[u8]) {
        assert!(message.len() <= MESSAGE, "a message that is too long");
        while self.number == self.room {
            self.room = self.shared.word(FREED).load(Ordering::Acquire) + SLOTS;
        }
        // SAFETY: the reader is done with what was there, as it said, and does not look at it before we say that it is there.
        unsafe { self.shared.copy_in(slot(self.number), message) };
        self.number += 1;
    }

    fn publish(&self) {
        self.shared.word(WRITTEN).store(self.number, Ordering::Release);
    }
}

struct Reader {
    shared: Shared,
    number: u64,
    /// How many were written, as far as it knows.
    written: u64,
}

impl Reader {
    fn new(shared: Shared) -> Self {
        Reader {
            shared,
            number: 0,
            written: 0,
        }
    }

    /// How many are there: at least one.
    fn wait(&mut self) -> u64 {
        // No `spin_loop` hint, as in cacheline.rs.
        while self.written == self.number {
            self.written = self.shared.word(WRITTEN).load(Ordering::Acquire);
        }
        self.written - self.number
    }

    /// Takes the first of those that are there.
    fn read(&mut self, buf: &mut [u8]) {
        assert!(self.number < self.written, "there is none");
        // SAFETY: the writer said that it is there, and does not write there again before we say that it may.
        unsafe { self.shared.copy_out(slot(self.number), buf) };
        self.number += 1;
        if self.number.is_multiple_of(SELDOM) {
            self.shared.word(FREED).store(self.number, Ordering::Release);
        }
    }
}

struct RingEnd {
    to: Writer,
    from: Reader,
}

impl End for RingEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        self.to.write(data);
        self.to.publish();
        Ok(())
    }

    fn receive(&mut self, buf: &mut Vec<u8>, len: usize) -> Result<()> {
        if len > MESSAGE {
            return Err("no message is that long".into());
        }
        self.from.wait();
        buf.resize(len, 0);
        self.from.read(buf);
        Ok(())
    }
}

impl Batching for RingEnd {
    fn send_all(&mut self, messages: &[[u8; MESSAGE]]) -> Result<()> {
        for message in messages {
            self.to.write(message);
        }
        self.to.publish();
        Ok(())
    }

    fn receive_some(&mut self, most: usize, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
        let count = self.from.wait().min(most as u64);
        for _ in 0..count {
            let mut message = [0; MESSAGE];
            self.from.read(&mut message);
            each(&message)?;
        }
        Ok(count as usize)
    }
}
