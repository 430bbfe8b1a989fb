//! What came on a connection, made into messages: a state machine that bytes go into and messages come out of, with no
//! input or output of its own.

use super::framing::Framing;
use std::mem;

/// A message up to so long is made up in the buffer that all is read into; a longer one has memory of its own.
const SMALL: usize = 32 * 1024;

/// The first buffer, and the largest.
const FIRST_BUFFER: usize = 4 * 1024;
const BUFFER: usize = 128 * 1024;

/// How much a long message's memory grows at a time, at least: its sender may lie about what will come.
const GROWTH: usize = 64 * 1024;

/// Memory up to this large is kept for the next long message.
const SPARE: usize = 2 << 20;

/// Why nothing more can be read from a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Bytes that are no message.
    NotAMessage(u8),
    /// A message beyond the limit.
    TooLong(u64),
}

/// Where the next bytes go.
pub(super) enum Space<'a> {
    /// Over these.
    Buffer(&'a mut [u8]),
    /// Behind what is there, at most so many.
    Long(&'a mut Vec<u8>, usize),
}

/// The bytes that came, from the first that no message was made of.
#[derive(Debug)]
pub(super) struct Incoming {
    framing: Framing,
    max: u64,
    /// The bytes are those from `start` to `end`; all of it is initialised.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// A long message, and how long it will be. No bytes are in the buffer meanwhile.
    long: Option<(Vec<u8>, usize)>,
    /// Whether the last message was a long one, and the next may be: little of it is read where it has to be copied from.
    expects_long: bool,
    spare: Vec<u8>,
}

impl Incoming {
    /// Takes no memory before something is read.
    pub(super) fn new(framing: Framing, max: u64) -> Self {
        Incoming {
            framing,
            max,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            long: None,
            expects_long: false,
            spare: Vec::new(),
        }
    }

    /// Where to read to. There is a message already, or it is not empty.
    pub(super) fn space(&mut self) -> Space<'_> {
        if let Some((body, len)) = &mut self.long {
            let missing = *len - body.len();
            let room = body.capacity() - body.len();
            let most = if room > 0 {
                room.min(missing)
            } else {
                let more = missing.min(GROWTH.max(body.len()));
                body.reserve_exact(more);
                more
            };
            return Space::Long(body, most);
        }
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.start > 0 && self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            let larger = (self.buffer.len() * 4)
                .clamp(FIRST_BUFFER, BUFFER)
                .max(self.end + FIRST_BUFFER);
            self.buffer.resize(larger, 0);
        }
        let room = &mut self.buffer[self.end..];
        if self.expects_long && self.start == self.end {
            let some = room.len().min(FIRST_BUFFER);
            return Space::Buffer(&mut room[..some]);
        }
        Space::Buffer(room)
    }

    /// Adds bytes that were read elsewhere. No long message is under way.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let len = match self.space() {
                Space::Buffer(room) => {
                    let len = room.len().min(bytes.len());
                    room[..len].copy_from_slice(&bytes[..len]);
                    len
                }
                Space::Long(body, most) => {
                    let len = most.min(bytes.len());
                    body.extend_from_slice(&bytes[..len]);
                    len
                }
            };
            self.filled(len);
            bytes = &bytes[len..];
        }
    }

    /// Whether a long message is under way.
    pub(super) fn is_long(&self) -> bool {
        self.long.is_some()
    }

    /// Notes that so many bytes were read to where [`space`](Self::space) said. (Those of a long message know it by
    /// themselves.)
    pub(super) fn filled(&mut self, len: usize) {
        if self.long.is_none() {
            self.end += len;
        }
    }

    /// The message that comes next, if it is whole.
    #[inline]
    pub(super) fn message(&mut self) -> Result<Option<&[u8]>, Fault> {
        if self.long.is_none() {
            let bytes = &self.buffer[self.start..self.end];
            let Some(len) = self
                .framing
                .decode(bytes)
                .map_err(|wrong| Fault::NotAMessage(wrong.0))?
            else {
                return Ok(None);
            };
            let header = self.framing.header();
            if len > self.max {
                return Err(Fault::TooLong(len));
            }
            let Ok(len) = usize::try_from(len) else {
                return Err(Fault::TooLong(len));
            };
            let there = bytes.len() - header;
            if len <= there {
                self.expects_long = false;
                let at = self.start + header;
                return Ok(Some(&self.buffer[at..at + len]));
            }
            if len <= SMALL {
                return Ok(None);
            }
            let mut body = mem::take(&mut self.spare);
            body.clear();
            body.extend_from_slice(&bytes[header..]);
            self.start = 0;
            self.end = 0;
            self.long = Some((body, len));
            self.expects_long = true;
        }
        match &self.long {
            Some((body, len)) if body.len() == *len => Ok(Some(body)),
            _ => Ok(None),
        }
    }

    /// Takes the message that [`message`](Self::message) showed: without its first `skip` bytes into `into`, in place of
    /// what was there.
    #[inline]
    pub(super) fn take(&mut self, skip: usize, into: &mut Vec<u8>) {
        if let Some((mut body, _)) = self.long.take() {
            mem::swap(into, &mut body);
            into.drain(..skip);
            if body.capacity() <= SPARE {
                self.spare = body;
            }
            return;
        }
        into.clear();
        if let Some((at, len)) = self.place() {
            into.extend_from_slice(&self.buffer[at + skip..at + len]);
            self.start = at + len;
        }
    }

    /// Drops the message that [`message`](Self::message) showed.
    pub(super) fn drop_message(&mut self) {
        if let Some((body, _)) = self.long.take() {
            if body.capacity() <= SPARE {
                self.spare = body;
            }
        } else if let Some((at, len)) = self.place() {
            self.start = at + len;
        }
    }

    /// Where the whole message in the buffer is.
    #[inline]
    fn place(&self) -> Option<(usize, usize)> {
        let bytes = &self.buffer[self.start..self.end];
        let len = usize::try_from(self.framing.decode(bytes).ok()??).ok()?;
        let header = self.framing.header();
        (len <= bytes.len() - header).then_some((self.start + header, len))
    }

    /// Whether a message has begun that is not whole.
    pub(super) fn is_in_the_middle(&self) -> bool {
        self.start < self.end || self.long.is_some()
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        let long = self.long.as_ref().map_or(0, |(body, _)| body.capacity());
        self.buffer.capacity() + long + self.spare.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: u64 = 1 << 20;

    fn frame(framing: Framing, message: &[u8]) -> Vec<u8> {
        let header = framing.encode(message.len() as u64);
        let mut frame = header[header.len() - framing.header()..].to_vec();
        frame.extend_from_slice(message);
        frame
    }

    /// Feeds bytes as if read in pieces of at most `piece`; the messages, and the fault in the end.
    fn feed(incoming: &mut Incoming, mut bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<Fault>) {
        let mut messages = Vec::new();
        loop {
            loop {
                match incoming.message() {
                    Ok(Some(_)) => {
                        let mut message = vec![9; 3];
                        incoming.take(0, &mut message);
                        messages.push(message);
                    }
                    Ok(None) => break,
                    Err(fault) => return (messages, Some(fault)),
                }
            }
            if bytes.is_empty() {
                return (messages, None);
            }
            let len = match incoming.space() {
                Space::Buffer(room) => {
                    let len = room.len().min(piece).min(bytes.len());
                    assert!(len > 0);
                    room[..len].copy_from_slice(&bytes[..len]);
                    len
                }
                Space::Long(body, most) => {
                    let len = most.min(piece).min(bytes.len());
                    assert!(len > 0 && body.capacity() - body.len() >= most);
                    body.extend_from_slice(&bytes[..len]);
                    len
                }
            };
            incoming.filled(len);
            bytes = &bytes[len..];
        }
    }

    fn framings() -> impl Strategy<Value = Framing> {
        prop_oneof![Just(Framing::Tcp), Just(Framing::Ipc)]
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in(
            framing in framings(),
            lens in prop::collection::vec(prop_oneof![0..200usize, 30_000..40_000usize, 100_000..200_000usize], 0..8),
            piece in prop_oneof![1..20usize, 1..200_000usize],
        ) {
            let piece = if lens.iter().sum::<usize>() > 10_000 { piece.max(500) } else { piece };
            let messages: Vec<Vec<u8>> = lens
                .iter()
                .enumerate()
                .map(|(number, len)| (0..*len).map(|at| (at * 7 + number) as u8).collect())
                .collect();
            let bytes: Vec<u8> = messages.iter().flat_map(|message| frame(framing, message)).collect();
            let mut incoming = Incoming::new(framing, MAX);
            let (got, fault) = feed(&mut incoming, &bytes, piece);
            prop_assert_eq!(fault, None);
            prop_assert!(got == messages);
            prop_assert!(!incoming.is_in_the_middle());
        }

        #[test]
        fn any_bytes_are_messages_or_a_fault_and_cost_no_more_than_they_are(
            framing in framings(),
            bytes in prop::collection::vec(prop_oneof![3 => Just(0u8), 1 => Just(1u8), 1 => any::<u8>()], 0..600),
            piece in 1..700usize,
        ) {
            let mut incoming = Incoming::new(framing, MAX);
            let (_, fault) = feed(&mut incoming, &bytes, piece);
            if let Some(Fault::TooLong(len)) = fault {
                prop_assert!(len > MAX);
            }
            prop_assert!(incoming.memory() <= BUFFER + GROWTH + 2 * bytes.len());
        }
    }

    /// What a peer may send, from what is right to what is right no more.
    #[derive(Clone, Debug)]
    enum Sent {
        Message(usize),
        /// A message that claims to be so much longer or shorter than it is.
        Lie(usize, i64),
        /// A header of whatever length.
        Claim(u64),
        Noise(Vec<u8>),
    }

    fn anything_sent() -> impl Strategy<Value = Sent> {
        let len = || {
            let around_the_buffers = prop::sample::select(vec![SMALL, BUFFER, FIRST_BUFFER]);
            prop_oneof![
                4 => 0..100usize,
                1 => (around_the_buffers, 0..40usize).prop_map(|(at, more)| at - 20 + more),
                1 => 0..200_000usize
            ]
        };
        let around_the_limits =
            prop::sample::select(vec![0, 255, SMALL as u64, MAX, 1 << 32, 1 << 63, u64::MAX]);
        prop_oneof![
            6 => len().prop_map(Sent::Message),
            1 => (len(), -9..9i64).prop_map(|(len, lie)| Sent::Lie(len, lie)),
            1 => (around_the_limits, -2..3i64).prop_map(|(at, more)| Sent::Claim(at.saturating_add_signed(more))),
            1 => prop::collection::vec(any::<u8>(), 0..30).prop_map(Sent::Noise),
        ]
    }

    fn bytes_of(framing: Framing, sent: &[Sent]) -> Vec<u8> {
        let header = |len: u64| framing.encode(len)[9 - framing.header()..].to_vec();
        let body = |len: usize| (0..len).map(move |at| (at * 7 + len) as u8);
        let mut bytes = Vec::new();
        for sent in sent {
            match sent {
                Sent::Message(len) => {
                    bytes.extend(header(*len as u64));
                    bytes.extend(body(*len));
                }
                Sent::Lie(len, lie) => {
                    bytes.extend(header((*len as u64).saturating_add_signed(*lie)));
                    bytes.extend(body(*len));
                }
                Sent::Claim(len) => bytes.extend(header(*len)),
                Sent::Noise(noise) => bytes.extend(noise),
            }
        }
        bytes
    }

    /// What the mapping says that the bytes mean: messages, and what is wrong behind the last of them. Written from its text,
    /// with nothing in common with what is tested.
    fn meaning(framing: Framing, mut bytes: &[u8]) -> (Vec<&[u8]>, Option<Fault>) {
        let mut messages = Vec::new();
        loop {
            if framing == Framing::Ipc {
                match bytes {
                    [1, ..] => bytes = &bytes[1..],
                    [other, ..] => return (messages, Some(Fault::NotAMessage(*other))),
                    [] => return (messages, None),
                }
            }
            let Some((length, rest)) = bytes.split_first_chunk() else {
                return (messages, None);
            };
            let length = u64::from_be_bytes(*length);
            if length > MAX {
                return (messages, Some(Fault::TooLong(length)));
            }
            let Some((message, rest)) = rest.split_at_checked(length as usize) else {
                return (messages, None);
            };
            messages.push(message);
            bytes = rest;
        }
    }

    proptest! {
        /// Read in pieces of any sizes, by a call of its own or handed over from one that waited.
        #[test]
        fn whatever_is_sent_means_what_the_mapping_says_and_costs_what_is_promised(
            framing in framings(),
            sent in prop::collection::vec(anything_sent(), 0..8),
            pieces in prop::collection::vec((prop_oneof![1..20usize, 1..5000usize, 1..200_000usize], any::<bool>()), 1..30),
            takes in prop::collection::vec(any::<bool>(), 1..10),
        ) {
            let bytes = bytes_of(framing, &sent);
            let (mut messages, fault) = meaning(framing, &bytes);
            messages.reverse();
            let mut incoming = Incoming::new(framing, MAX);
            let (mut pieces, mut takes) = (pieces.iter().cycle(), takes.iter().cycle());
            let mut rest = &bytes[..];
            let found = loop {
                match incoming.message() {
                    Ok(Some(message)) => {
                        prop_assert!(Some(message) == messages.last().copied());
                        let expected = messages.pop().unwrap();
                        if *takes.next().unwrap() {
                            let skip = expected.len().min(4);
                            let mut got = vec![9; 3];
                            incoming.take(skip, &mut got);
                            prop_assert!(got == expected[skip..]);
                        } else {
                            incoming.drop_message();
                        }
                        continue;
                    }
                    Ok(None) => {}
                    Err(fault) => break Some(fault),
                }
                // A buffer, a long message that may be twice what has come of it, and one that is kept.
                let came = bytes.len() - rest.len();
                prop_assert!(incoming.memory() <= BUFFER + GROWTH + 2 * came + SPARE);
                if rest.is_empty() {
                    break None;
                }
                let (most, by_itself) = *pieces.next().unwrap();
                // Tiny pieces of a lot would take all day.
                let most = most.max(bytes.len() / 500);
                let len = if by_itself || incoming.is_long() {
                    match incoming.space() {
                        Space::Buffer(room) => {
                            let len = room.len().min(most).min(rest.len());
                            room[..len].copy_from_slice(&rest[..len]);
                            len
                        }
                        Space::Long(body, room) => {
                            let len = room.min(most).min(rest.len());
                            body.extend_from_slice(&rest[..len]);
                            len
                        }
                    }
                } else {
                    let len = most.min(4096).min(rest.len());
                    incoming.feed(&rest[..len]);
                    rest = &rest[len..];
                    continue;
                };
                incoming.filled(len);
                rest = &rest[len..];
            };
            prop_assert!(messages.is_empty());
            prop_assert_eq!(found, fault);
        }
    }

    #[test]
    fn a_claimed_length_reserves_nothing_before_bytes_come() {
        let mut incoming = Incoming::new(Framing::Tcp, u64::MAX);
        let header = Framing::Tcp.encode(1 << 50);
        let (got, fault) = feed(&mut incoming, &header[1..], 100);
        assert!(got.is_empty() && fault.is_none());
        assert!(incoming.memory() <= FIRST_BUFFER, "{}", incoming.memory());
        // The first of its bytes gets it its first piece of memory.
        feed(&mut incoming, &[1], 1);
        assert!(
            incoming.memory() <= FIRST_BUFFER + GROWTH,
            "{}",
            incoming.memory()
        );
    }

    #[test]
    fn the_limit_is_exact() {
        let mut incoming = Incoming::new(Framing::Ipc, 3);
        assert_eq!(feed(&mut incoming, &frame(Framing::Ipc, b"abc"), 2).1, None);
        let (_, fault) = feed(&mut incoming, &frame(Framing::Ipc, b"abcd"), 2);
        assert_eq!(fault, Some(Fault::TooLong(4)));
    }

    #[test]
    fn a_part_of_a_message_can_be_skipped() {
        for len in [10, SMALL + 10] {
            let message: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let mut incoming = Incoming::new(Framing::Tcp, MAX);
            let mut bytes = frame(Framing::Tcp, &message);
            let last = bytes.pop().unwrap();
            feed(&mut incoming, &bytes, 5000);
            match incoming.space() {
                Space::Buffer(room) => room[0] = last,
                Space::Long(body, _) => body.push(last),
            }
            incoming.filled(1);
            assert_eq!(incoming.message().unwrap().map(<[u8]>::len), Some(len));
            let mut got = Vec::new();
            incoming.take(4, &mut got);
            assert!(got == message[4..]);
        }
    }
}
