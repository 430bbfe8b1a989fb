//! A ring of 64-byte messages with one writer and one reader: a queue with nothing to it. It has one size of message, never
//! sleeps, and believes all that it reads.

use super::shared::{LINE, Shared};
use crate::harness::Place;
use crate::row::{Group, Measure, Result, Row};
use crate::work::{BATCH, Batches, Batching, End, Link, MESSAGE, Messages, RoundTrip};
use std::sync::atomic::{AtomicU64, Ordering};

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

/// A slot is a word that says which message is in it and how long it is, and then its bytes: they come with one line
/// mostly, and nothing but them goes from core to core for each message.
const SLOT: usize = size_of::<u64>() + MESSAGE;
const SLOTS: u64 = 512;

/// In front of the slots is a line with the number of messages that the reader is done with. It says so seldom, as the
/// line has to come over.
const FREED: usize = 0;
const SELDOM: u64 = SLOTS / 4;
const SLOTS_BEGIN: usize = LINE;
const SIZE: usize = SLOTS_BEGIN + SLOTS as usize * SLOT;

fn slot(number: u64) -> usize {
    SLOTS_BEGIN + (number % SLOTS) as usize * SLOT
}

/// What stands in a slot's word. All words are 0 first, which is in none of them.
fn word(number: u64, len: usize) -> u64 {
    (number + 1) << 8 | len as u64
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

    /// Writes it behind the others; its word is to be stored.
    fn write(&mut self, message: &[u8]) -> (&AtomicU64, u64) {
        assert!(message.len() <= MESSAGE, "a message that is too long");
        while self.number == self.room {
            self.room = self.shared.word(FREED).load(Ordering::Acquire) + SLOTS;
        }
        let (number, at) = (self.number, slot(self.number));
        self.number += 1;
        // SAFETY: the reader is done with what was there, as it said, and does not look at it before the word says that it
        // is there.
        unsafe { self.shared.copy_in(at + size_of::<u64>(), message) };
        (self.shared.word_at(at), word(number, message.len()))
    }
}

struct Reader {
    shared: Shared,
    number: u64,
}

impl Reader {
    fn new(shared: Shared) -> Self {
        Reader { shared, number: 0 }
    }

    /// The length of the next, if it is there.
    fn look(&self) -> Option<usize> {
        let word = self.shared.word_at(slot(self.number)).load(Ordering::Acquire);
        (word >> 8 == self.number + 1).then_some((word & 0xff) as usize)
    }

    fn read(&mut self, buf: &mut [u8]) {
        let at = slot(self.number) + size_of::<u64>();
        // SAFETY: the word said that so much is there, and the writer does not write there again before we say that it may.
        unsafe { self.shared.copy_out(at, buf) };
        self.number += 1;
        if self.number.is_multiple_of(SELDOM) {
            self.shared.word(FREED).store(self.number, Ordering::Release);
        }
    }

    fn wait(&self) -> usize {
        // No `spin_loop` hint, as in cacheline.rs.
        loop {
            if let Some(len) = self.look() {
                return len;
            }
        }
    }
}

struct RingEnd {
    to: Writer,
    from: Reader,
}

impl End for RingEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        let (place, word) = self.to.write(data);
        place.store(word, Ordering::Release);
        Ok(())
    }

    fn receive(&mut self, buf: &mut Vec<u8>, _: usize) -> Result<()> {
        let len = self.from.wait();
        buf.resize(len, 0);
        self.from.read(buf);
        Ok(())
    }
}

impl Batching for RingEnd {
    /// The first one's word is stored last, and so they are seen together. (The reader has seen that one before it looks at
    /// the others.) A batch is much less than a ring, so the room for its last comes without its first being read.
    fn send_all(&mut self, messages: &[[u8; MESSAGE]]) -> Result<()> {
        let Some((first, others)) = messages.split_first() else {
            return Ok(());
        };
        let (_, first_word) = self.to.write(first);
        let first_at = slot(self.to.number - 1);
        for message in others {
            let (place, word) = self.to.write(message);
            place.store(word, Ordering::Relaxed);
        }
        self.to
            .shared
            .word_at(first_at)
            .store(first_word, Ordering::Release);
        Ok(())
    }

    fn receive_some(&mut self, most: usize, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
        let mut len = self.from.wait();
        for count in 1..=most {
            let mut message = [0; MESSAGE];
            self.from.read(&mut message[..len]);
            each(&message[..len])?;
            match self.from.look() {
                Some(next) => len = next,
                None => return Ok(count),
            }
        }
        Ok(most)
    }
}
