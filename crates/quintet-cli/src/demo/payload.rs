//! The demo's messages: made from their numbers, so that both sides know what they should be.
//!
//! A message is its kind (1 byte), its number (8 bytes), and bytes that follow from both. A frame's answer is its number
//! and its checksum (FNV-1a); a command's is a message like it with another kind.

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Command,
    Frame,
    Answer,
}

const HEAD: usize = 9;

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Kind::Command => b'c',
            Kind::Frame => b'f',
            Kind::Answer => b'a',
        }
    }
}

/// The message of this kind and number. Frames may be shorter than the head, which is then cut.
pub(super) fn make(kind: Kind, number: u64, len: usize) -> Vec<u8> {
    let mut message = Vec::with_capacity(len.max(HEAD) + 8);
    message.push(kind.byte());
    message.extend_from_slice(&number.to_le_bytes());
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(kind.byte()) | 1;
    while message.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        message.extend_from_slice(&state.to_le_bytes());
    }
    message.truncate(len);
    message
}

/// How long the `number`th of `count` frames is: from 1 byte to 1 MiB.
pub(super) fn frame_len(number: u64, count: u64) -> usize {
    let last = (count - 1).max(1);
    1 + ((1 << 20) - 1) * number as usize / last as usize
}

/// What the worker answers.
pub(super) fn answer(kind: Kind, number: u64, message: &[u8]) -> Vec<u8> {
    match kind {
        Kind::Frame => {
            let mut answer = number.to_le_bytes().to_vec();
            answer.extend_from_slice(&checksum(message).to_le_bytes());
            answer
        }
        Kind::Command | Kind::Answer => make(Kind::Answer, number, message.len()),
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_differ_by_kind_and_number_and_have_their_length() {
        assert_ne!(make(Kind::Command, 1, 64), make(Kind::Command, 2, 64));
        assert_ne!(make(Kind::Command, 1, 64), make(Kind::Answer, 1, 64));
        for len in [1, 8, 9, 10, 64, 1000] {
            assert_eq!(make(Kind::Frame, 3, len).len(), len);
        }
    }

    #[test]
    fn frames_go_from_1_byte_to_1_mib() {
        assert_eq!((frame_len(0, 100), frame_len(99, 100)), (1, 1 << 20));
    }
}
