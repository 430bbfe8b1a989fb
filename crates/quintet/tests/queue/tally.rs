//! What somebody got, and whether it is all that there was.

use std::fmt;

/// Which producer, which message, and a check of both, as often as the length needs it.
pub(crate) fn marked(producer: u32, number: u32) -> Vec<u8> {
    let words = [producer, number, producer ^ number.rotate_left(7)];
    let bytes = words.map(u32::to_le_bytes).concat();
    bytes.repeat(1 + number as usize % 5)
}

/// How many messages, and a sum that is the same for the same messages only, whoever got which. To be said by a peer, and
/// added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) count: u32,
    sum: u64,
    /// The last of each producer.
    last: Vec<Option<u32>>,
}

impl Tally {
    /// Of each producer's first so many.
    pub(crate) fn of_all(producers: u32, each: u32) -> Self {
        let mut all = Tally::default();
        for producer in 0..producers {
            (0..each).for_each(|number| all.count_in(producer, number));
        }
        all
    }

    /// Takes in a message, whole and in order.
    pub(crate) fn add(&mut self, message: &[u8]) {
        let word = |at: usize| u32::from_le_bytes(message[at..at + 4].try_into().unwrap());
        let (producer, number) = (word(0), word(4));
        assert_eq!(message, marked(producer, number), "torn");
        self.last.resize(self.last.len().max(producer as usize + 1), None);
        let last = self.last[producer as usize].replace(number);
        assert!(last.is_none_or(|last| last < number), "{number} after {last:?}");
        self.count_in(producer, number);
    }

    fn count_in(&mut self, producer: u32, number: u32) {
        let mixed = (u64::from(producer) << 32 | u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.count += 1;
        self.sum = self
            .sum
            .wrapping_add((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    }

    /// Takes in what a peer said that it got.
    pub(crate) fn add_said(&mut self, said: &str) {
        let (count, sum) = said.split_once(' ').unwrap();
        self.count += count.parse::<u32>().unwrap();
        self.sum = self.sum.wrapping_add(sum.parse().unwrap());
    }

    /// Nothing is missing, and nothing there twice.
    #[track_caller]
    pub(crate) fn is_all(&self, producers: u32, each: u32) {
        let all = Tally::of_all(producers, each);
        assert_eq!((self.count, self.sum), (all.count, all.sum), "count and sum");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, self.sum)
    }
}
