//! What a consumer holds in place, as one word says it.

use super::record::extent;

const LANE_BITS: u32 = 8;
const WORD_BITS: u32 = 29;
const PAIR_BITS: u32 = 27;

/// Which part of which lane's ring: in memory, so that all of it is said by one store. 0: nothing.
///
/// | bits | what |
/// |---|---|
/// | 0–7 | the lane |
/// | 8–36 | the word in its ring where the record begins |
/// | 37–63 | its length in pairs of words, rounded up; at least 1 |
///
/// It has a place in the ring and no position, as it holds for as many laps as it stays. And it has the length, as who
/// looks cannot believe what stands in the ring there: a hold that comes too late, of a record that was taken and overwritten
/// before, is there until its consumer has noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shm) struct Hold(pub(in crate::shm) u64);

impl Hold {
    /// The longest message that it has a length for: in the largest ring it decides.
    pub(in crate::shm) const LONGEST: usize = (1 << 31) - 24;

    /// Of the record at a position, of a message of that length. (What does not fit is cut off: a message of that length, or a
    /// lane of that number, there cannot be.)
    pub(in crate::shm) fn of(lane: usize, at: u64, len: u32) -> Self {
        let cut = |number: u64, bits: u32| number & ((1 << bits) - 1);
        let pairs = extent(len.into()).div_ceil(16);
        Hold(
            cut(lane as u64, LANE_BITS)
                | cut(at / 8, WORD_BITS) << LANE_BITS
                | cut(pairs, PAIR_BITS) << (LANE_BITS + WORD_BITS),
        )
    }

    pub(in crate::shm) fn lane(self) -> Option<usize> {
        (self.bytes() > 0).then_some((self.0 & ((1 << LANE_BITS) - 1)) as usize)
    }

    /// Where it begins, modulo the ring's size.
    pub(in crate::shm) fn place(self) -> u64 {
        (self.0 >> LANE_BITS & ((1 << WORD_BITS) - 1)) * 8
    }

    /// How long it is: 8 bytes too much at most.
    pub(in crate::shm) fn bytes(self) -> u64 {
        (self.0 >> (LANE_BITS + WORD_BITS)) * 16
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_where_it_was_made() {
        for (lane, at, len) in [
            (0, 0, 0),
            (255, 8, 1),
            (7, 4088, 9),
            (255, (1 << 32) - 8, Hold::LONGEST as u32),
        ] {
            let hold = Hold::of(lane, at, len);
            assert_eq!((hold.lane(), hold.place()), (Some(lane), at));
            let exact = extent(len.into());
            assert!((exact..=exact + 8).contains(&hold.bytes()), "{}", hold.bytes());
        }
        assert_eq!(Hold::of(3, (5 << 32) + 16, 0).place(), 16);
        assert_eq!(Hold(0).lane(), None);
    }
}
