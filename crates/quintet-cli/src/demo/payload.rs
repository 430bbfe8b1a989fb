//! The demo's messages: made from their numbers, so that both sides can tell what they should be.
//!
//! A message is `m`, its number (8 bytes), and bytes that follow from the number. Its answer is the same with `w`: the
//! worker has had it in its hands. A frame is such a message in the mailbox, a job says what to do with it, and a verdict
//! what it was found to be. Besides there are signals, of one byte.

const MESSAGE: u8 = b'm';
const ANSWER: u8 = b'w';
const HEAD: usize = 9;

/// From now on there are frames.
pub(super) const FRAMES: &[u8] = b"f";
/// The worker has a permit for one more frame.
pub(super) const READY: &[u8] = b"r";
/// The worker has the frame in its hands that it is to keep.
pub(super) const KEPT: &[u8] = b"h";

/// The message of this number, `len` bytes long.
pub(super) fn message(number: u64, len: usize) -> Vec<u8> {
    let mut message = Vec::with_capacity(len + 8);
    message.push(MESSAGE);
    message.extend_from_slice(&number.to_le_bytes());
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while message.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        message.extend_from_slice(&state.to_le_bytes());
    }
    message.truncate(len);
    message
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

/// What a worker takes out of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// To look at the newest frame, which is that one or a newer one.
    Inspect { number: u64 },
    /// To keep it in its hands.
    Keep { number: u64 },
    /// There are no more.
    End,
}

impl Job {
    pub(super) const LEN: usize = 9;

    pub(super) fn bytes(self) -> [u8; Job::LEN] {
        let (kind, number) = match self {
            Job::Inspect { number } => (b'i', number),
            Job::Keep { number } => (b'k', number),
            Job::End => (b'e', 0),
        };
        let mut bytes = [kind; Job::LEN];
        bytes[1..].copy_from_slice(&number.to_le_bytes());
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (kind, number) = bytes.split_first()?;
        let number = u64::from_le_bytes(number.try_into().ok()?);
        match kind {
            b'i' => Some(Job::Inspect { number }),
            b'k' => Some(Job::Keep { number }),
            b'e' => Some(Job::End),
            _ => None,
        }
    }
}

/// What a worker found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) job: u64,
    /// The frame that it saw.
    pub(super) frame: u64,
    /// What its bytes add up to.
    pub(super) sum: u64,
}

impl Verdict {
    const KIND: u8 = b'v';
    pub(super) const LEN: usize = 25;

    pub(super) fn bytes(self) -> Vec<u8> {
        let numbers = [self.job, self.frame, self.sum].map(u64::to_le_bytes);
        [&[Verdict::KIND], numbers.as_flattened()].concat()
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let numbers = bytes.strip_prefix(&[Verdict::KIND])?;
        let numbers: [u8; Verdict::LEN - 1] = numbers.try_into().ok()?;
        let (numbers, _) = numbers.as_chunks();
        let [job, frame, sum] = *numbers else { return None };
        let [job, frame, sum] = [job, frame, sum].map(u64::from_le_bytes);
        Some(Verdict { job, frame, sum })
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
    fn jobs_and_verdicts_are_what_they_were() {
        for job in [
            Job::Inspect { number: 7 },
            Job::Keep { number: u64::MAX },
            Job::End,
        ] {
            assert_eq!(Job::read(&job.bytes()), Some(job));
        }
        assert_eq!(
            (Job::read(b""), Job::read(b"i"), Job::read(b"x12345678")),
            (None, None, None)
        );
        let verdict = Verdict {
            job: 1,
            frame: 2,
            sum: u64::MAX,
        };
        assert_eq!(Verdict::read(&verdict.bytes()), Some(verdict));
        assert_eq!(verdict.bytes().len(), Verdict::LEN);
        assert_eq!((Verdict::read(b"v"), Verdict::read(READY)), (None, None));
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
