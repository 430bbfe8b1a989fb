//! The demo's messages: made from their numbers, so that both sides can tell what they should be.
//!
//! A message is `m`, its number (8 bytes), and bytes that follow from the number. Its answer is the same with `w`: the
//! worker has had it in its hands. Besides there are signals, of one byte.

const MESSAGE: u8 = b'm';
const ANSWER: u8 = b'w';
const HEAD: usize = 9;

/// From now on there are frames.
pub(super) const FRAMES: &[u8] = b"f";
/// The worker has a permit for one more frame.
pub(super) const READY: &[u8] = b"r";
/// The worker is to keep the next frame in its hands.
pub(super) const KEEP: &[u8] = b"k";
/// The worker has it there.
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
}
