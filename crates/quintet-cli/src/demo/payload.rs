//! The demo's messages: made from their numbers, so that both sides can tell what they should be.
//!
//! A message is `m`, its number (8 bytes), and bytes that follow from the number. Its answer is the same with `w`: the
//! worker has had it in its hands. A frame is such a message in the topic, and a verdict in the queue is what a worker found it
//! to be. Besides there are signals, of a byte or two.

const MESSAGE: u8 = b'm';
const ANSWER: u8 = b'w';
const HEAD: usize = 9;

/// From now on there are frames.
pub(super) const FRAMES: &[u8] = b"f";
/// There are no more.
pub(super) const END: &[u8] = b"e";

/// The message of this number, `len` bytes long.
pub(super) fn message(number: u64, len: usize) -> Vec<u8> {
    let mut message = vec![0; len];
    write_message(number, &mut message);
    message
}

/// Makes that the message of this number. It has room for a head at least.
pub(super) fn write_message(number: u64, message: &mut [u8]) {
    let (head, body) = message.split_at_mut(HEAD);
    head[0] = MESSAGE;
    head[1..].copy_from_slice(&number.to_le_bytes());
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for part in body.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        part.copy_from_slice(&state.to_le_bytes()[..part.len()]);
    }
}

/// Whether this is the message of that number. Looks at its head: what the rest should be, its sender will check.
pub(super) fn is_message(bytes: &[u8], number: u64) -> bool {
    bytes.len() >= HEAD && bytes[0] == MESSAGE && bytes[1..HEAD] == number.to_le_bytes()
}

/// Makes a message its answer.
pub(super) fn into_answer(message: &mut [u8]) {
    message[0] = ANSWER;
}

/// Whether this is the answer to that message, every byte of it.
pub(super) fn is_answer(bytes: &[u8], message: &[u8]) -> bool {
    bytes.len() == message.len() && bytes[0] == ANSWER && bytes[1..] == message[1..]
}

/// The number of a message; `None` if it is not one.
pub(super) fn number_of(bytes: &[u8]) -> Option<u64> {
    let number = bytes.get(1..HEAD).filter(|_| bytes[0] == MESSAGE)?;
    Some(u64::from_le_bytes(number.try_into().ok()?))
}

/// What the bytes add up to: every one of them counts, and where it stands (FNV-1a, eight at a time).
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let add = |sum: u64, word: [u8; 8]| (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3);
    let sum = words
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, word| add(sum, *word));
    add(add(sum, last), bytes.len().to_le_bytes())
}

/// Tells the worker of that index to keep the next frame in its hands.
pub(super) fn keep(index: u8) -> [u8; 2] {
    [b'k', index]
}

/// What a worker says of the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It has a permit for one more.
    Ready,
    /// It has the one in its hands that it is to keep.
    Kept,
    /// It has inspected one.
    Verdict(Verdict),
}

/// What a worker found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The frame that it saw.
    pub(super) frame: u64,
    /// What its bytes add up to.
    pub(super) sum: u64,
}

impl Verdict {
    /// With what kind of message it is, and whose.
    pub(super) const LEN: usize = 18;
}

impl Said {
    /// As the worker of that index says it.
    pub(super) fn bytes(self, index: u8) -> Vec<u8> {
        match self {
            Said::Ready => vec![b'r', index],
            Said::Kept => vec![b'h', index],
            Said::Verdict(Verdict { frame, sum }) => {
                let numbers = [frame, sum].map(u64::to_le_bytes);
                [&[b'v', index], numbers.as_flattened()].concat()
            }
        }
    }

    /// Which worker says what.
    pub(super) fn read(bytes: &[u8]) -> Option<(u8, Self)> {
        let (&[kind, index], numbers) = bytes.split_first_chunk()?;
        let said = match (kind, numbers.as_chunks()) {
            (b'r', ([], [])) => Said::Ready,
            (b'h', ([], [])) => Said::Kept,
            (b'v', (&[frame, sum], [])) => {
                let [frame, sum] = [frame, sum].map(u64::from_le_bytes);
                Said::Verdict(Verdict { frame, sum })
            }
            _ => return None,
        };
        Some((index, said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_differ_by_number_and_have_their_length() {
        assert_ne!(message(1, 64)[HEAD..], message(2, 64)[HEAD..]);
        for len in [9, 10, 64, 1000] {
            assert_eq!(message(3, len).len(), len);
            assert!(is_message(&message(3, len), 3));
        }
    }

    #[test]
    fn an_answer_is_that_of_its_message_alone() {
        let sent = message(7, 100);
        let mut answer = sent.clone();
        assert!(!is_answer(&answer, &sent));
        into_answer(&mut answer);
        assert!(is_answer(&answer, &sent));
        assert!(!is_message(&answer, 7));
        assert!(!is_answer(&answer, &message(8, 100)));
        assert!(!is_answer(&answer[..99], &sent));
        answer[99] ^= 1;
        assert!(!is_answer(&answer, &sent));
    }

    #[test]
    fn what_a_worker_says_is_what_was_said() {
        let verdict = Verdict {
            frame: 2,
            sum: u64::MAX,
        };
        for said in [Said::Ready, Said::Kept, Said::Verdict(verdict)] {
            let bytes = said.bytes(1);
            assert_eq!(Said::read(&bytes), Some((1, said)));
            assert_eq!(Said::read(&bytes[..bytes.len() - 1]), None);
            assert_eq!(Said::read(&[&bytes[..], b"x"].concat()), None);
        }
        assert_eq!(Said::Verdict(verdict).bytes(0).len(), Verdict::LEN);
        assert_eq!((Said::read(b""), Said::read(b"x0")), (None, None));
    }

    #[test]
    fn signals_are_no_frames() {
        assert_eq!((number_of(END), number_of(&keep(0))), (None, None));
        assert_ne!(keep(0), keep(1));
    }

    #[test]
    fn every_byte_counts_in_a_sum() {
        let frame = message(3, 1003);
        assert_eq!(number_of(&frame), Some(3));
        assert_eq!(
            (number_of(b""), number_of(b"m123"), number_of(b"x12345678")),
            (None, None, None)
        );
        for at in 0..frame.len() {
            let mut other = frame.clone();
            other[at] ^= 1;
            assert_ne!(sum(&other), sum(&frame));
        }
        assert_ne!(sum(&frame[..1002]), sum(&frame));
    }
}
