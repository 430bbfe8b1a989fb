//! What stands before each message in a ring.

/// How many bytes it takes.
pub(in crate::shm) const HEAD: u64 = 8;

const COMMITTED: u64 = 1 << 63;
const PAD: u64 = 1 << 62;
const SEQUENCE_BITS: u32 = 30;
const SEQUENCE: u64 = (1 << SEQUENCE_BITS) - 1;

/// | bits | what |
/// |---|---|
/// | 63 | published; 0 in all 64 bits: nothing here yet |
/// | 62 | not a message, but as many words (8 bytes) to skip as bits 0–31 say |
/// | 32–61 | the message's number, modulo 2³⁰ |
/// | 0–31 | the message's length in bytes |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shm) struct Head(pub(in crate::shm) u64);

/// What a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shm) enum Kind {
    Nothing,
    /// So many bytes to skip, the head included.
    Pad(u64),
    /// A message of so many bytes.
    Message {
        len: u32,
        number: u32,
    },
    Nonsense,
}

impl Head {
    pub(in crate::shm) const NOTHING: Head = Head(0);

    pub(in crate::shm) fn message(len: u32, number: u64) -> Self {
        Head(COMMITTED | (number & SEQUENCE) << 32 | u64::from(len))
    }

    pub(in crate::shm) fn pad(bytes: u64) -> Self {
        Head(COMMITTED | PAD | (bytes / 8) & u64::from(u32::MAX))
    }

    #[inline(always)]
    pub(in crate::shm) fn kind(self) -> Kind {
        if self.0 & (COMMITTED | PAD) == COMMITTED {
            Kind::Message {
                len: self.0 as u32,
                number: (self.0 >> 32 & SEQUENCE) as u32,
            }
        } else if self.0 == 0 {
            Kind::Nothing
        } else if self.0 & COMMITTED != 0 && self.0 as u32 != 0 {
            Kind::Pad(u64::from(self.0 as u32) * 8)
        } else {
            Kind::Nonsense
        }
    }
}

/// How many bytes a message of that length takes in a ring, its head included: whole words.
#[inline(always)]
pub(in crate::shm) fn extent(len: u64) -> u64 {
    HEAD + len.next_multiple_of(8)
}

/// The whole number that is `low` in its low bits and nearest to `near`.
#[inline]
pub(in crate::shm) fn whole_number(low: u32, near: u64) -> u64 {
    let ahead = u64::from(low).wrapping_sub(near) & SEQUENCE;
    if ahead > SEQUENCE / 2 {
        near.wrapping_add(ahead).wrapping_sub(SEQUENCE + 1)
    } else {
        near.wrapping_add(ahead)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_head_says_what_it_was_made_of(len: u32, number: u64, words in 1u32..) {
            let low = (number & SEQUENCE) as u32;
            prop_assert_eq!(Head::message(len, number).kind(), Kind::Message { len, number: low });
            let bytes = u64::from(words) * 8;
            prop_assert_eq!(Head::pad(bytes).kind(), Kind::Pad(bytes));
        }

        #[test]
        fn a_number_is_known_from_its_low_bits(number: u64, off in -1000i64..1000) {
            let near = number.wrapping_add_signed(off);
            prop_assert_eq!(whole_number((number & SEQUENCE) as u32, near), number);
        }
    }

    #[test]
    fn extents_are_whole_words() {
        assert_eq!((extent(0), extent(1), extent(8), extent(9)), (8, 16, 16, 24));
    }
}
