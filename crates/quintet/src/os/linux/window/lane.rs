//! What a thread that sends shares with one that receives: a *ring* of messages, and places for the answers.
//!
//! Both are words of a memory file that the sender makes and seals, so that nobody can take bytes away under the other.
//!
//! # The ring
//! Positions count *lines* of 64 bytes and only ever grow; a line's place is its position modulo the ring's size, a power of
//! two. A *record* is a line, and as many lines behind it as its bytes take. Records are numbered, from 1, and a record is there
//! when the first word of its line is its number: the sender writes the rest, and then, by one store, that. The receiver, who
//! knows the number of the next, copies what it wants of the record, and then says that it has gone on; from then on the
//! sender may write there. So at every moment each message is there whole, or not at all.
//!
//! What stands in a line that is used again must not be taken for the record that will be there. It is not where there was a
//! record one lap before, which had another number. Where there were bytes, which may be anything, the sender writes 0
//! into the line behind a record before it publishes that. So a message without bytes changes one line and no other.
//!
//! # What is urgent
//! A receiver that has posted messages to serve looks, before each, whether something was sent. It would have to go through all
//! records for that, just as they are written. So the sender says in a line of its own which record was the last that is not
//! for the queue. While the receiver has nothing to serve it looks at the records and not there, so that line stays with the sender.
//!
//! # Two users
//! Who has a desk has a bell there. Between two users, who have no memory but the lane, each side sleeps at a bell in it; and there
//! the receiver counts the windows that it has closed, so that who sends need not ask each time whether his is still there.
//!
//! A ring that gets full is followed by a larger one: the sender hands over its memory, and says so in a last record,
//! for which there is always room.

use super::words::Words;
use crate::doorbell::Bell;
use crate::os::atomic::{AtomicU64, Ordering, fence};
use crate::os::copy;
use crate::os::linux::parking;
use crate::os::step::step;
use crate::os::types::MapMode;
use crate::{Error, ErrorKind, Result};
use rustix::fd::OwnedFd;
use std::sync::Arc;

/// Words of a line.
const LINE: usize = 8;
const LINE_BYTES: usize = LINE * 8;
/// Lines of the first ring, and of the largest: room for all that may be posted to one thread, and more.
pub(super) const FIRST: usize = 512;
const LARGEST: usize = 1 << 15;
/// The most bytes of a record.
pub(super) const MOST_INLINE: usize = 16 * 1024;
/// So many records ahead a line is asked for where there are many.
const AHEAD: u64 = 8;
/// How many answers may be outstanding.
pub(super) const ANSWERS: usize = 256;
/// Words of an answer.
const ANSWER: usize = 4;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message for the queue.
    Post,
    /// One whose sender waits.
    Send,
    /// One whose sender does not.
    Notify,
    /// The next record is in another ring, of `len` lines.
    Moved,
    /// The shuttle comes with this one.
    Lend,
}

/// Where a record's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Nowhere,
    /// In the lines behind.
    Inline,
    /// In a file that comes through the socket.
    Attached,
    /// In the shuttle, where they come piece by piece.
    Shuttle,
}

/// What a record says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) place: Place,
    /// Where the answer goes.
    pub(super) answer: u16,
    pub(super) window: u32,
    pub(super) number: u32,
    pub(super) wparam: u64,
    pub(super) lparam: u64,
    /// Its number among those posted to the thread; of one whose bytes are in the shuttle, how many went there before.
    pub(super) ticket: u64,
    pub(super) len: u64,
}

impl Record {
    /// One that is no message, and comes with a file.
    pub(super) fn with_file(kind: Kind, len: u64) -> Self {
        Record {
            kind,
            place: Place::Attached,
            answer: 0,
            window: 0,
            number: 0,
            wparam: 0,
            lparam: 0,
            ticket: 0,
            len,
        }
    }

    #[inline]
    fn words(&self) -> [u64; LINE - 1] {
        let kind = match self.kind {
            Kind::Post => 1,
            Kind::Send => 2,
            Kind::Notify => 3,
            Kind::Moved => 4,
            Kind::Lend => 5,
        };
        let place = match self.place {
            Place::Nowhere => 0,
            Place::Inline => 1,
            Place::Attached => 2,
            Place::Shuttle => 3,
        };
        [
            kind | place << 8 | u64::from(self.answer) << 16 | u64::from(self.window) << 32,
            self.number.into(),
            self.wparam,
            self.lparam,
            self.ticket,
            self.len,
            0,
        ]
    }

    #[inline]
    fn of(words: [u64; LINE - 1]) -> Option<Self> {
        let kind = match words[0] & 0xFF {
            1 => Kind::Post,
            2 => Kind::Send,
            3 => Kind::Notify,
            4 => Kind::Moved,
            5 => Kind::Lend,
            _ => return None,
        };
        let place = match words[0] >> 8 & 0xFF {
            0 => Place::Nowhere,
            1 => Place::Inline,
            2 => Place::Attached,
            3 => Place::Shuttle,
            _ => return None,
        };
        Some(Record {
            kind,
            place,
            answer: (words[0] >> 16) as u16,
            window: (words[0] >> 32) as u32,
            number: words[1] as u32,
            wparam: words[2],
            lparam: words[3],
            ticket: words[4],
            len: words[5],
        })
    }

    /// How many lines its bytes take.
    #[inline]
    fn lines(&self) -> Option<usize> {
        if self.place != Place::Inline {
            return Some(0);
        }
        let len = usize::try_from(self.len).ok().filter(|len| *len <= MOST_INLINE)?;
        Some(len.div_ceil(LINE_BYTES))
    }
}

/// Lines before the ring: in the first the receiver says how far it is, in the second the sender which record was the last that is
/// not for the queue.
const BEFORE: usize = 2;
const HEAD: usize = 0;
const URGENT: usize = LINE;

fn words_of_ring(lines: usize) -> usize {
    (BEFORE + lines) * LINE
}

/// Copies bytes to or from lines that may go around the end.
fn runs(lines: usize, at: u64, count: usize) -> [std::ops::Range<usize>; 2] {
    let first = (at as usize) & (lines - 1);
    let before_end = count.min(lines - first);
    let word = |line: usize| (BEFORE + line) * LINE;
    [
        word(first)..word(first + before_end),
        word(0)..word(count - before_end),
    ]
}

/// How far a sender was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// The number of the record that would be next.
    next: u64,
    /// The position behind the last one, in the ring of then.
    end: u64,
}

/// The sender's side of a ring.
#[derive(Debug)]
pub(super) struct RingOut {
    words: Words,
    lines: usize,
    /// The number of its first record.
    first: u64,
    /// The position of the next record.
    at: u64,
    /// The number of the next record.
    next: u64,
    /// How far the receiver was when we last looked.
    head: u64,
    /// Where the last bytes end; 0 if there never were any.
    bytes_end: u64,
    /// How many lines had not been read of earlier rings, when this one followed.
    before: u64,
}

impl RingOut {
    fn new(words: Words, lines: usize, next: u64) -> Self {
        RingOut {
            words,
            lines,
            first: next,
            at: 0,
            next,
            head: 0,
            bytes_end: 0,
            before: 0,
        }
    }

    /// For who writes there what he should not.
    #[cfg(all(test, not(loom)))]
    pub(super) fn words(&self) -> &[AtomicU64] {
        self.words.all()
    }

    /// The number of the next record.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Whether there is room for so many bytes: an error if what the receiver says of it makes no sense.
    pub(super) fn has_room(&mut self, inline: usize) -> Result<bool> {
        // The record, its bytes, the word behind; and what says that the ring is moved.
        let need = 3 + inline.div_ceil(LINE_BYTES) as u64;
        if self.at + need <= self.head + self.lines as u64 {
            return Ok(true);
        }
        self.look_how_far()?;
        Ok(self.at + need <= self.head + self.lines as u64)
    }

    fn look_how_far(&mut self) -> Result<()> {
        let head = self.words.all()[HEAD].load(Ordering::Acquire);
        if head < self.head || head > self.at {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "the window's thread says that it is where it cannot be",
            ));
        }
        self.head = head;
        Ok(())
    }

    /// Puts a record there, for which there is room: its number.
    #[inline(always)]
    pub(super) fn put(&mut self, record: &Record, bytes: &[u8]) -> u64 {
        let lines = record.lines().unwrap_or(0);
        let words = self.words.all();
        if lines > 0 {
            let [first, second] = runs(self.lines, self.at + 1, lines);
            let (one, two) = bytes.split_at(bytes.len().min(first.len() * 8));
            copy::into_words(one, &words[first]);
            copy::into_words(two, &words[second]);
        }
        let line = |at: u64| (BEFORE + (at as usize & (self.lines - 1))) * LINE;
        let here = line(self.at);
        for (word, value) in words[here + 1..here + LINE].iter().zip(record.words()) {
            word.store(value, Ordering::Relaxed);
        }
        self.at += 1 + lines as u64;
        if lines > 0 {
            self.bytes_end = self.at;
        }
        // What stood there one lap before is an earlier record's number, unless it may be bytes.
        if self.bytes_end > 0 && self.at < self.bytes_end + self.lines as u64 {
            words[line(self.at)].store(0, Ordering::Relaxed);
        }
        let number = self.next;
        self.next += 1;
        step();
        words[here].store(number, Ordering::Release);
        step();
        if record.kind != Kind::Post {
            words[URGENT].store(number, Ordering::Release);
            step();
        }
        number
    }

    /// Asks for the line of the next record, which the receiver looks at again and again: it comes while we get ready to write it.
    #[inline(always)]
    pub(super) fn will_put(&self) {
        let line = self.at as usize & (self.lines - 1);
        copy::will_write(&self.words.all()[(BEFORE + line) * LINE]);
    }

    /// Asks for the line that will be written a few records later, which the receiver has read one lap before: for who puts many.
    #[inline(always)]
    pub(super) fn hurry(&self) {
        let line = (self.at + AHEAD) as usize & (self.lines - 1);
        copy::will_write(&self.words.all()[(BEFORE + line) * LINE]);
    }

    /// A larger ring to go on in; `None`: there is none. It has to be handed over, and then [`put`](Self::put) here that the
    /// records go on there.
    pub(super) fn larger(&self) -> Result<Option<(Self, OwnedFd)>> {
        let lines = self.lines * 4;
        if lines > LARGEST {
            return Ok(None);
        }
        let len = words_of_ring(lines);
        let (words, file) = Words::make(len, len)?;
        // After the record that says so.
        let mut larger = RingOut::new(words, lines, self.next + 1);
        larger.before = self.unread();
        Ok(Some((larger, file)))
    }

    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Whether the receiver has not read so many lines.
    pub(super) fn has_unread(&mut self, many: u64) -> Result<bool> {
        if self.unread() >= many {
            self.look_how_far()?;
        }
        Ok(self.unread() >= many)
    }

    /// How many lines the receiver had not read when we last looked.
    fn unread(&self) -> u64 {
        // Who has read here has read all before.
        self.at - self.head + if self.head == 0 { self.before } else { 0 }
    }

    /// The position of the next record.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// Where the last record ends, for [`has_taken`](Self::has_taken).
    pub(super) fn mark(&self) -> Mark {
        Mark {
            next: self.next,
            end: self.at,
        }
    }

    /// Whether the receiver has taken what was there at the time of the mark, as far as it says.
    pub(super) fn has_taken(&self, mark: Mark) -> bool {
        // Of an earlier ring it has taken all when it has taken anything here, and this one's first record comes after all of that.
        let end = if mark.next < self.first { 1 } else { mark.end };
        self.is_passed(end)
    }

    /// Whether the receiver has gone on behind that position, as far as it says.
    pub(super) fn is_passed(&self, position: u64) -> bool {
        self.words.all()[HEAD].load(Ordering::Acquire) >= position
    }
}

/// The receiver's side of a ring.
#[derive(Debug)]
pub(super) struct RingIn {
    words: Words,
    lines: usize,
    at: u64,
    /// The number of the next record.
    next: u64,
}

impl RingIn {
    fn new(words: Words, lines: usize, next: u64) -> Self {
        RingIn {
            words,
            lines,
            at: 0,
            next,
        }
    }

    /// A ring that record number `moved` says the next ones are in.
    pub(super) fn take(file: &OwnedFd, lines: u64, moved: u64) -> Result<Self> {
        let lines = usize::try_from(lines)
            .ok()
            .filter(|lines| lines.is_power_of_two() && (FIRST..=LARGEST).contains(lines))
            .ok_or_else(nonsense)?;
        let words = Words::take(file, words_of_ring(lines), MapMode::ReadWrite)?;
        Ok(RingIn::new(words, lines, moved + 1))
    }

    /// As [`take`](Self::take), of one that follows this one, which is a larger one then.
    pub(super) fn follow(&self, file: &OwnedFd, lines: u64, moved: u64) -> Result<Self> {
        if lines <= self.lines as u64 {
            return Err(nonsense());
        }
        RingIn::take(file, lines, moved)
    }

    fn line(&self, at: u64) -> usize {
        (BEFORE + (at as usize & (self.lines - 1))) * LINE
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.words.all()[self.line(self.at)].load(Ordering::Acquire) != self.next
    }

    /// Whether the sender says that there is a record that is not for the queue. He says so after he has published it.
    #[inline(always)]
    pub(super) fn is_urgent(&self) -> bool {
        self.words.all()[URGENT].load(Ordering::Acquire) >= self.next
    }

    /// Asks for the line that will be read a few records later, as the sender has put many.
    #[inline(always)]
    pub(super) fn hurry(&self) {
        copy::will_read(&self.words.all()[self.line(self.at + AHEAD)]);
    }

    /// The record that is next, and its number; it stays there.
    #[inline]
    pub(super) fn peek(&self) -> Result<Option<(u64, Record)>> {
        let here = self.line(self.at);
        let words = self.words.all();
        let number = words[here].load(Ordering::Acquire);
        if number != self.next {
            return Ok(None);
        }
        let mut copy = [0; LINE - 1];
        for (to, from) in copy.iter_mut().zip(&words[here + 1..]) {
            *to = from.load(Ordering::Relaxed);
        }
        let record = Record::of(copy).ok_or_else(nonsense)?;
        record
            .lines()
            .filter(|lines| lines + 2 <= self.lines)
            .ok_or_else(nonsense)?;
        Ok(Some((number, record)))
    }

    /// Goes on behind a record; its bytes, if they were in the ring, are added to `bytes`.
    #[inline]
    pub(super) fn go_on(&mut self, record: &Record, bytes: &mut Vec<u8>) {
        let lines = record.lines().unwrap_or(0);
        let words = self.words.all();
        if record.place == Place::Inline {
            // Both have been checked.
            let len = record.len as usize;
            let [first, second] = runs(self.lines, self.at + 1, lines);
            let in_first = len.min(first.len() * 8);
            copy::append(&words[first], in_first, bytes);
            copy::append(&words[second], len - in_first, bytes);
        }
        self.at += 1 + lines as u64;
        self.next += 1;
        step();
        words[HEAD].store(self.at, Ordering::Release);
    }
}

#[cold]
pub(super) fn nonsense() -> Error {
    Error::new(ErrorKind::Corrupt, "a sender wrote what makes no sense")
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The procedure's result, or that of a reply.
    Result(isize),
    /// The window is not there.
    Gone,
    /// The procedure panicked.
    Panicked,
    /// The procedures that are running already are too many.
    TooDeep,
}

/// Where answers come, for both sides.
#[derive(Clone, Debug)]
pub(super) struct Answers(Words);

impl Answers {
    /// Asks for the line of an answer that will be given, as the sender looks at it again and again.
    #[inline(always)]
    pub(super) fn will_give(&self, place: u16) {
        if let Some(words) = self.at(place) {
            copy::will_write(&words[0]);
        }
    }

    /// Answers the message of that number.
    pub(super) fn give(&self, place: u16, number: u64, outcome: Outcome) {
        let Some(words) = self.at(place) else { return };
        let (status, result) = match outcome {
            Outcome::Result(result) => (0, result),
            Outcome::Gone => (1, 0),
            Outcome::Panicked => (2, 0),
            Outcome::TooDeep => (3, 0),
        };
        words[1].store(result as u64, Ordering::Relaxed);
        words[2].store(status, Ordering::Relaxed);
        step();
        words[0].store(number, Ordering::Release);
        step();
    }

    #[inline]
    pub(super) fn is_there(&self, place: u16, number: u64) -> bool {
        self.at(place)
            .is_some_and(|words| words[0].load(Ordering::Acquire) == number)
    }

    /// The answer to the message of that number, if it has come.
    pub(super) fn get(&self, place: u16, number: u64) -> Result<Option<Outcome>> {
        let Some(words) = self.at(place).filter(|_| self.is_there(place, number)) else {
            return Ok(None);
        };
        let result = words[1].load(Ordering::Relaxed) as isize;
        match words[2].load(Ordering::Relaxed) {
            0 => Ok(Some(Outcome::Result(result))),
            1 => Ok(Some(Outcome::Gone)),
            2 => Ok(Some(Outcome::Panicked)),
            3 => Ok(Some(Outcome::TooDeep)),
            _ => Err(Error::new(
                ErrorKind::Corrupt,
                "the window's thread gave an answer that makes no sense",
            )),
        }
    }

    fn at(&self, place: u16) -> Option<&[AtomicU64]> {
        let start = usize::from(place) * ANSWER;
        self.0.all().get(start..start + ANSWER)
    }
}

/// What a lane has between two users, in a line each.
#[derive(Debug)]
pub(super) struct Bells {
    /// At which the receiver sleeps.
    pub(super) receiver: Arc<LaneBell>,
    /// At which the sender does.
    pub(super) sender: Arc<LaneBell>,
    closed: Words,
}

impl Bells {
    /// How many windows the receiver has closed.
    #[inline]
    pub(super) fn closed(&self) -> u64 {
        self.closed.all()[0].load(Ordering::Acquire)
    }

    /// Says that it has closed another one.
    pub(super) fn say_closed(&self) {
        self.closed.all()[0].fetch_add(1, Ordering::AcqRel);
    }
}

/// A bell in a lane.
#[derive(Debug)]
pub(super) struct LaneBell(Words);

impl LaneBell {
    /// Whether who waits there sleeps, so that he answers late.
    pub(super) fn has_sleeper(&self) -> bool {
        self.as_ref().has_sleepers()
    }

    /// Wakes who sleeps there, after something has been published to him.
    #[inline]
    pub(super) fn ring(&self) {
        fence(Ordering::SeqCst);
        let bell = self.as_ref();
        if bell.has_sleepers()
            && let Some(word) = bell.ring()
        {
            parking::Place::new().wake(bell.word(), word, 1);
        }
    }
}

impl AsRef<Bell> for LaneBell {
    fn as_ref(&self) -> &Bell {
        self.0.bell()
    }
}

fn words_of_lane() -> usize {
    words_of_ring(FIRST) + ANSWERS * ANSWER + 3 * LINE
}

/// The parts of a lane: its ring, its answers, and what two users have there.
fn parts(words: &Words) -> (Words, Answers, Bells) {
    let ring = words_of_ring(FIRST);
    let bells = ring + ANSWERS * ANSWER;
    let line = |at: usize| words.part(bells + at * LINE, LINE);
    (
        words.part(0, ring),
        Answers(words.part(ring, ANSWERS * ANSWER)),
        Bells {
            receiver: Arc::new(LaneBell(line(0))),
            sender: Arc::new(LaneBell(line(1))),
            closed: line(2),
        },
    )
}

/// Makes a lane: the sender's side, and the file to hand over.
pub(super) fn make() -> Result<(RingOut, Answers, Bells, OwnedFd)> {
    let (words, file) = Words::make(words_of_lane(), words_of_lane())?;
    let (ring, answers, bells) = parts(&words);
    Ok((RingOut::new(ring, FIRST, 1), answers, bells, file))
}

/// Takes a lane from a sender: the receiver's side.
pub(super) fn take(file: &OwnedFd) -> Result<(RingIn, Answers, Bells)> {
    let words = Words::take(file, words_of_lane(), MapMode::ReadWrite)?;
    let (ring, answers, bells) = parts(&words);
    Ok((RingIn::new(ring, FIRST, 1), answers, bells))
}

/// Both sides of a lane with so many lines, in a model.
#[cfg(all(test, loom))]
pub(super) fn model(lines: usize) -> (RingOut, RingIn, Answers) {
    let words = Words::model(words_of_ring(lines));
    (
        RingOut::new(words.clone(), lines, 1),
        RingIn::new(words, lines, 1),
        Answers(Words::model(2 * ANSWER)),
    )
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustix::fs::{MemfdFlags, SealFlags};

    fn record(number: u64, bytes: &[u8]) -> Record {
        Record {
            kind: if number.is_multiple_of(3) {
                Kind::Notify
            } else {
                Kind::Post
            },
            place: if bytes.is_empty() {
                Place::Nowhere
            } else {
                Place::Inline
            },
            answer: number as u16,
            window: number as u32 * 3,
            number: number as u32 * 5,
            wparam: number * 7,
            lparam: number * 9,
            ticket: number,
            len: bytes.len() as u64,
        }
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_as_long_as_there_is_room(
            lens in proptest::collection::vec(0..3000usize, 1..100),
            takes in proptest::collection::vec(any::<bool>(), 1..50),
        ) {
            let (mut out, _answers, _, file) = make().unwrap();
            let (mut incoming, ..) = take(&file).unwrap();
            let (mut put, mut taken) = (1u64, 1u64);
            // Bytes that look like records.
            let bytes = |number: u64| (number..).flat_map(u64::to_le_bytes).take(lens[number as usize - 1]);
            let mut takes = takes.iter().cycle();
            while taken <= lens.len() as u64 {
                let goes = put <= lens.len() as u64;
                if goes && (taken == put || !takes.next().unwrap()) {
                    let bytes: Vec<u8> = bytes(put).collect();
                    if out.has_room(bytes.len()).unwrap() {
                        prop_assert_eq!(out.put(&record(put, &bytes), &bytes), put);
                        put += 1;
                        continue;
                    }
                }
                match incoming.peek().unwrap() {
                    None => prop_assert_eq!(taken, put),
                    Some((number, there)) => {
                        prop_assert_eq!(number, taken);
                        let expected: Vec<u8> = bytes(taken).collect();
                        prop_assert_eq!(there.words(), record(taken, &expected).words());
                        let mut came = Vec::new();
                        incoming.go_on(&there, &mut came);
                        prop_assert_eq!(came, expected);
                        taken += 1;
                    }
                }
            }
        }

        /// A sender may write anything, anywhere, at any time.
        #[test]
        fn any_words_are_an_error_at_worst(
            writes in proptest::collection::vec((0..3 * LINE, prop_oneof![0..5u64, 0..70_000u64, any::<u64>()]), 0..60),
        ) {
            let (_out, answers, _, file) = make().unwrap();
            let (mut incoming, given, _) = take(&file).unwrap();
            for (at, value) in writes {
                let words = incoming.words.all();
                let line = incoming.line(incoming.at) + at;
                words[line % words.len()].store(value, Ordering::Relaxed);
                given.0.all()[at].store(value, Ordering::Relaxed);
                match incoming.peek() {
                    Ok(Some((_, record))) => {
                        let mut bytes = Vec::new();
                        incoming.go_on(&record, &mut bytes);
                        prop_assert!(bytes.len() <= MOST_INLINE);
                    }
                    Ok(None) => {}
                    Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Corrupt),
                }
                let _ = answers.get(at as u16, value);
                given.give(value as u16, value, Outcome::Gone);
            }
        }

        /// A receiver may say that it is anywhere.
        #[test]
        fn a_wrong_head_is_an_error(head in any::<u64>()) {
            let (mut out, _, _, file) = make().unwrap();
            let (incoming, ..) = take(&file).unwrap();
            for number in 1..=FIRST as u64 {
                if !out.has_room(0).unwrap() {
                    break;
                }
                out.put(&record(number, &[]), &[]);
            }
            incoming.words.all()[HEAD].store(head, Ordering::Relaxed);
            match out.has_room(0) {
                Ok(_) => prop_assert!(head <= out.at),
                Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Corrupt),
            }
        }
    }

    #[test]
    fn memory_that_could_be_taken_away_is_refused() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = rustix::fs::memfd_create("quintet-test", flags).unwrap();
        rustix::fs::ftruncate(&file, (words_of_lane() * 8) as u64).unwrap();
        assert_eq!(take(&file).unwrap_err().kind(), ErrorKind::Corrupt);
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK).unwrap();
        take(&file).unwrap();
        let (.., small) = make().unwrap();
        assert_eq!(
            RingIn::take(&small, 2048, 1).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
        for lines in [0, 1, 511, 513, 1 << 16, u64::MAX] {
            assert_eq!(
                RingIn::take(&small, lines, 1).unwrap_err().kind(),
                ErrorKind::Corrupt
            );
        }
    }
}
